/*
 * The Kafka source and sink of exactly once: each allocation of ours that fails is told as what it is, and what was read or begun can
 * be read again or aborted. librdkafka's own allocations are not counted: it aborts on them.
 */
#include "kafka_fixture.h"
#include "oom.h"

#define TICKETS 70 /* more than the ring of tickets has room for at first */

static enum seal_status write_tickets(struct sink *sink, struct seal_err *err)
{
	struct record record = {.value = BYTES_LIT("v"), .partition = -1};
	enum seal_status rc = SEAL_OK;

	for (uint64_t ticket = 1; ticket <= TICKETS; ticket++) {
		record.topic = ticket == 3 ? BYTES_LIT("oom.dead") : BYTES_EMPTY;
		SEAL_TRY(sink->ops->write(sink, &record, 1, ticket, 1000, err));
	}
out:
	return rc;
}

/* Aborts what is open, with whatever memory there is. */
static void abort_it(struct sink *sink)
{
	bool committed = true;

	while (sink->ops->end(sink, NULL, 1000, &committed, NULL) == SEAL_RETRY)
		;
	assert_false(committed);
}

static enum seal_status whole_transaction(void *arg, struct seal_err *err)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = "oom.1"};
	struct sink *sink = NULL;
	enum seal_status rc;

	SEAL_TRY(kafka_sink_ops.open("oom", &options, &sink, err));
	while ((rc = sink->ops->begin(sink, err)) == SEAL_RETRY)
		err_clear(err);
	SEAL_TRY(rc);
	rc = write_tickets(sink, err);
	abort_it(sink);
out:
	if (sink != NULL)
		assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	else
		assert_int_not_equal(rc, SEAL_OK);
	return rc;
}

static void test_sink(void **state)
{
	topic("oom", 1);
	topic("oom.dead", 1);
	assert_true(oom_each(whole_transaction, NULL) > 5);
}

static enum seal_status open_and_close(void *arg, struct seal_err *err)
{
	struct source *source = NULL;
	enum seal_status rc = kafka_source_ops.open("oom-in", arg, &source, err);

	assert_int_equal(source != NULL, rc == SEAL_OK);
	kafka_source_ops.close(source, false);
	return rc;
}

struct reading {
	struct source *source;
	struct batch batch;
	size_t max; /* grows, so that nothing of the last read has room for the next */
};

/* All is read and staged, and then read again. */
static enum seal_status read_and_rewind(void *arg, struct seal_err *err)
{
	struct reading *r = arg;
	struct source *source = r->source;
	enum read_result result = READ_IDLE;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK, back;

	arena_clear(&r->batch.arena);
	arena_init(&r->batch.arena, 0);
	r->batch.n = 0;
	r->max++;
	while (rc == SEAL_OK && result == READ_IDLE)
		rc = source->ops->read(source, &r->batch, r->max, 100, &result, err);
	if (rc == SEAL_OK) {
		assert_int_equal(result, READ_SOME);
		assert_int_equal(r->batch.records[0].n_headers, 1);
		assert_int_equal(r->batch.records[0].offset, 0);
		rc = source->ops->stage(source, &r->batch, err);
		source->ops->release(source, &r->batch);
	}
	while ((back = source->ops->rewind(source, &why)) == SEAL_RETRY)
		err_clear(&why);
	expect_ok(back, &why);
	return rc;
}

/* An assignment for which there is no room ends the run with its next read: a partition must not be left out in silence. */
static enum seal_status take_another(void *arg, struct seal_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	struct reading *r = arg;
	struct kafka_source *s = kafka_source_of(r->source);
	enum read_result result;

	rd_kafka_topic_partition_list_add(list, "oom-in", 7);
	pthread_mutex_lock(&s->reading);
	group_take(s, list);
	pthread_mutex_unlock(&s->reading);
	rd_kafka_topic_partition_list_destroy(list);
	mem_set_hook(NULL, NULL);
	r->batch.n = 0;
	return r->source->ops->read(r->source, &r->batch, 1, 0, &result, err);
}

static void test_source(void **state)
{
	const struct record_header header = {BYTES_LIT("trace"), BYTES_LIT("x")};
	const struct record record = {.value = BYTES_LIT("v"), .partition = -1, .headers = &header, .n_headers = 1};
	struct kafka_source_options options = {
		.connection = connection(), .group = "g.oom", .partition = -1, .exactly_once = true};
	struct oom_plan first = {.fail_at = 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct reading r = {.max = 1};
	struct sink *sink;

	topic("oom-in", 1);
	sink = sink_open("oom-in", false);
	write_all(sink, &record, 1, 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	assert_true(oom_each(open_and_close, &options) >= 2);
	options.group = "g.oom.reads"; /* in which no member waits for one that has left without a word */
	expect_ok(kafka_source_ops.open("oom-in", &options, &r.source, &err), &err);
	batch_init(&r.batch);
	expect_ok(read_and_rewind(&r, &err), &err); /* it has joined */
	assert_true(oom_each(read_and_rewind, &r) >= 3);
	assert_int_equal(oom_run(&first, take_another, &r, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_MEMORY);
	r.source->ops->close(r.source, false);
	batch_clear(&r.batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
