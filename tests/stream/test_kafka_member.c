/* What becomes of a named member that its group fences: another consumer, or the end? Against the embedded broker. */
#include "kafka_fixture.h"

/*
 * As if a session lasted for an hour: that a thread of a busy machine was stopped for seconds is no sleep then, and what happened
 * lately stays so until the end of a test.
 */
static void lengthen_session(struct kafka_source *s)
{
	group_keeper_stop(s);
	s->session_ms = 3600000;
	atomic_store(&s->slept_ms, 0);
	atomic_store(&s->closing, false);
	group_keeper_start(s);
}

static struct source *open_member(const char *name, bool exactly_once)
{
	struct kafka_source_options options = {.connection = connection(),
					       .group = name,
					       .member = "one",
					       .partition = -1,
					       .exactly_once = exactly_once};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;

	options.connection.properties = &fast_group;
	expect_ok(kafka_source_ops.open(name, &options, &source, &err), &err);
	lengthen_session(kafka_source_of(source));
	return source;
}

/* The group says it with the answer to a heartbeat. */
static void push_fence(void)
{
	rd_kafka_mock_push_request_errors(cluster, 12, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID); /* Heartbeat */
}

/*
 * As the group says it to one in whose place it has put another. Reads until that is known: a read that it comes upon says
 * SEAL_RETRY, and one that begins after it finds another consumer and goes on with what that one brings, which is added to `early`.
 */
static enum seal_status fence(struct source *source, struct batch *batch, size_t *early, struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + 120000;
	const rd_kafka_t *of_now = kafka_source_of(source)->client.rk; /* it stays while a batch of it is held */
	enum read_result result;
	enum seal_status rc;

	push_fence();
	do {
		assert_true(clock_mono_ms() < until);
		rc = source->ops->read(source, batch, BATCH, 100, &result, err);
		if (rc == SEAL_OK && kafka_source_of(source)->client.rk != of_now) {
			rc = SEAL_RETRY;
			*early += result == READ_SOME ? batch->n : 0;
		}
		if (result == READ_SOME)
			source->ops->release(source, batch);
	} while (rc == SEAL_OK);
	return rc;
}

/* How many records come until there are `n`. */
static size_t count(struct source *source, size_t n)
{
	struct batch batch;
	size_t found = 0;

	batch_init(&batch);
	while (found < n && read_some(source, &batch, BATCH) == READ_SOME) {
		found += batch.n;
		source->ops->release(source, &batch);
	}
	batch_clear(&batch);
	return found;
}

/* Another consumer takes its place; what is held of the old one stays whole. Who is fenced once more has a living rival. */
static void test_fenced_member(void **state)
{
	struct source *source;
	struct kafka_source *s;
	struct seal_err err = SEAL_ERR_INIT;
	struct batch held, batch;
	size_t early = 0;

	topic("fenced", 2);
	fill("fenced", 200, 2);
	source = open_member("fenced", false);
	s = kafka_source_of(source);
	batch_init(&held);
	batch_init(&batch);
	assert_int_equal(read_some(source, &held, 10), READ_SOME);
	assert_int_equal(fence(source, &batch, &early, &err), SEAL_RETRY);
	err_clear(&err);
	assert_int_equal(early + count(source, 200 - early), 200); /* nothing was committed */
	assert_non_null(s->past);
	for (size_t i = 0; i < held.n; i++) {
		uint64_t value;

		assert_true(bytes_to_u64(held.records[i].value, 200, &value));
		assert_int_equal(value % 2, held.records[i].partition);
	}
	assert_int_equal(source->ops->commit(source, &held, &err), SEAL_OK); /* it is another's by now: no effect */
	source->ops->release(source, &held);
	assert_int_equal(fence(source, &batch, &early, &err), SEAL_FATAL);
	assert_null(s->past);
	assert_non_null(strstr(err.text, "same --member"));
	assert_true(kafka_source_is_replaced(source));
	batch_clear(&held);
	batch_clear(&batch);
	source->ops->close(source, true);
}

/* One of exactly once, with a batch of its 200 records in the transaction. */
static struct source *open_staged(const char *name, struct batch *batch)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;

	topic(name, 2);
	fill(name, 200, 2);
	source = open_member(name, true);
	batch_init(batch);
	assert_int_equal(read_some(source, batch, 10), READ_SOME);
	expect_ok(source->ops->stage(source, batch, &err), &err);
	return source;
}

/* What is staged can't be committed; once it is released, all is read again. */
static void expect_read_again(struct source *source, struct batch *batch)
{
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;

	assert_int_equal(kafka_source_staged(source, &offsets, &member, NULL), SEAL_RETRY);
	source->ops->release(source, batch);
	rewind_source(source);
	assert_null(kafka_source_of(source)->past);
	assert_int_equal(count(source, 200), 200);
}

/* With a batch in the transaction: it is refused, and read again by the other consumer. A rewind finds one, too. */
static void test_fenced_in_transaction(void **state)
{
	struct batch batch, other;
	struct source *source = open_staged("fenced-once", &batch);
	struct seal_err err = SEAL_ERR_INIT;
	size_t early = 0;

	batch_init(&other);
	assert_int_equal(fence(source, &other, &early, &err), SEAL_RETRY);
	err_clear(&err);
	rewind_source(source);
	assert_non_null(kafka_source_of(source)->past); /* it has another consumer now */
	assert_int_equal(count(source, 200), 200);
	expect_ok(source->ops->stage(source, &batch, &err), &err); /* read before */
	expect_read_again(source, &batch);
	batch_clear(&batch);
	batch_clear(&other);
	source->ops->close(source, true);
}

/* Between two reads, so that no call says a word of it: what was in the transaction is refused all the same. */
static void test_fenced_between_reads(void **state)
{
	const uint64_t until = clock_mono_ms() + 120000;
	struct batch batch, other;
	struct source *source = open_staged("fenced-between", &batch);
	struct seal_err err = SEAL_ERR_INIT;
	enum read_result result;

	batch_init(&other);
	push_fence();
	while (!kafka_source_is_fenced(kafka_source_of(source))) {
		assert_true(clock_mono_ms() < until);
		usleep(1000);
	}
	expect_ok(source->ops->read(source, &other, BATCH, 0, &result, &err), &err);
	assert_non_null(kafka_source_of(source)->past);
	if (result == READ_SOME)
		source->ops->release(source, &other);
	expect_read_again(source, &batch);
	batch_clear(&batch);
	batch_clear(&other);
	source->ops->close(source, true);
}

/* What has failed on the way, and not by an answer, is tried again. */
static void test_codes_that_pass(void **state)
{
	static const rd_kafka_resp_err_t codes[] = {RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
						    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__WAIT_COORD};
	struct kafka_client client;

	kafka_client_init(&client);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(kafka_client_error(&client, codes[i], "t", NULL), SEAL_RETRY);
	assert_int_equal(kafka_client_error(&client, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "t", NULL), SEAL_FATAL);
	kafka_client_clear(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fenced_member),
		cmocka_unit_test(test_fenced_in_transaction),
		cmocka_unit_test(test_fenced_between_reads),
		cmocka_unit_test(test_codes_that_pass),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
