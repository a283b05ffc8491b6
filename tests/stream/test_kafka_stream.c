/* The Kafka source and sink against the embedded broker: what is kept, what is committed, and how each failure reads. */
#include "kafka_fixture.h"

static void test_kept(void **state)
{
	const struct record_header headers[] = {{BYTES_LIT("trace"), BYTES_LIT("a\0b")},
						{BYTES_LIT("empty"), BYTES_LIT("")},
						{BYTES_LIT("null"), {NULL, 0}},
						{BYTES_LIT("trace"), BYTES_LIT("again")}};
	const struct record in[] = {
		{.key = BYTES_LIT("k1"),
		 .value = BYTES_LIT("v1"),
		 .partition = 2,
		 .headers = headers,
		 .n_headers = 4,
		 .timestamp_ms = 1234567890123,
		 .timestamp_type = TIMESTAMP_CREATE},
		{.key = BYTES_LIT("k1"), .partition = 2}, /* a tombstone */
		{.value = BYTES_LIT(""), .partition = 2}, /* no key, an empty value */
		{.key = BYTES_LIT(""), .value = BYTES_LIT("x\0y"), .partition = 2},
	};
	struct source *source;
	struct batch batch;
	struct sink *sink;
	size_t n = 0;

	topic("kept", 3);
	sink = sink_open("kept", true);
	write_all(sink, in, 4, 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	source = source_open("kept", NULL, "beginning");
	batch_init(&batch);
	while (read_some(source, &batch, BATCH) == READ_SOME) {
		for (size_t i = 0; i < batch.n; i++, n++) {
			const struct record *r = &batch.records[i];

			assert_true(n < 4);
			assert_true(bytes_eq(r->key, in[n].key) && bytes_eq(r->value, in[n].value));
			assert_int_equal(r->key.ptr == NULL, in[n].key.ptr == NULL);
			assert_int_equal(r->value.ptr == NULL, in[n].value.ptr == NULL);
			assert_int_equal(r->partition, 2);
			assert_int_equal(r->offset, n);
			assert_true(bytes_eq_str(r->topic, "kept"));
			assert_int_equal(r->n_headers, in[n].n_headers);
			for (size_t h = 0; h < r->n_headers; h++) {
				assert_true(bytes_eq(r->headers[h].name, headers[h].name));
				assert_true(bytes_eq(r->headers[h].value, headers[h].value));
				assert_int_equal(r->headers[h].value.ptr == NULL, headers[h].value.ptr == NULL);
			}
			if (n == 0) {
				assert_int_equal(r->timestamp_ms, 1234567890123);
				assert_int_equal(r->timestamp_type, TIMESTAMP_CREATE);
			}
		}
		source->ops->release(source, &batch);
	}
	assert_int_equal(n, 4);
	batch_clear(&batch);
	source->ops->close(source, true);
}

static void test_offsets(void **state)
{
	static const struct {
		const char *offset;
		int n;
		long sum;
	} cases[] = {
		{"beginning", 10, 45}, {"3", 4, 6 + 7 + 8 + 9}, {"-1", 2, 8 + 9}, {"end", 0, 0}, {"-99", 10, 45}};
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_source_options bad = {.connection = connection(), .offset = "soon", .partition = -1};
	struct source *source;
	long sum;

	topic("offsets", 2);
	fill("offsets", 10, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		source = source_open("offsets", NULL, cases[i].offset);
		assert_int_equal(drain(source, &sum), cases[i].n);
		assert_int_equal(sum, cases[i].sum);
		source->ops->close(source, true);
	}
	assert_int_equal(kafka_source_ops.open("offsets", &bad, &source, &err), SEAL_USAGE);
	err_clear(&err);
	bad.offset = "end";
	bad.partition = 2;
	assert_int_equal(kafka_source_ops.open("offsets", &bad, &source, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "partition 2"));
}

/* A group goes on exactly behind what was said to be safe: half a batch counts as half a batch. */
static void test_group(void **state)
{
	struct source *source;
	struct batch batch;
	long sum;

	topic("group", 1);
	fill("group", 100, 1);
	batch_init(&batch);
	source = source_open("group", "g1", NULL);
	assert_int_equal(read_some(source, &batch, 40), READ_SOME);
	batch.n = 10;
	assert_int_equal(source->ops->commit(source, &batch, NULL), SEAL_OK);
	source->ops->release(source, &batch);
	while (read_some(source, &batch, 40) == READ_SOME) /* read, never committed */
		source->ops->release(source, &batch);
	source->ops->close(source, true);
	source = source_open("group", "g1", NULL);
	assert_int_equal(drain(source, &sum), 90);
	assert_int_equal(sum, 4950 - 45);
	source->ops->close(source, true);
	source = source_open("group", "g1", NULL);
	assert_int_equal(drain(source, &sum), 0);
	source->ops->close(source, true);
	batch_clear(&batch);
}

/* When what is safe is committed next, if nobody asks for it; the keeper's thread, which looks at it, too, is not in the middle of that. */
static void commit_at(struct source *source, uint64_t at_ms)
{
	struct kafka_source *s = kafka_source_of(source);

	pthread_mutex_lock(&s->reading);
	pthread_mutex_lock(&s->lock);
	s->commit_at_ms = at_ms;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&s->reading);
}

/* Saying that one batch is safe says it of all before it, whatever partitions they are of. */
static void test_commit_covers_earlier(void **state)
{
	struct batch batches[3];
	struct source *source;
	long sum;
	size_t n = 0;

	topic("earlier", 3);
	fill("earlier", 90, 3);
	source = source_open("earlier", "g3", NULL);
	for (size_t i = 0; i < 3; i++) {
		batch_init(&batches[i]);
		assert_int_equal(read_some(source, &batches[i], 30), READ_SOME);
		n += batches[i].n;
	}
	batches[2].n--; /* its last record is not done */
	assert_int_equal(source->ops->commit(source, &batches[2], NULL), SEAL_OK);
	for (size_t i = 0; i < 3; i++) {
		source->ops->release(source, &batches[i]);
		batch_clear(&batches[i]);
	}
	source->ops->close(source, true);
	source = source_open("earlier", "g3", NULL);
	assert_int_equal(drain(source, &sum), 90 - n + 1);
	source->ops->close(source, true);
}

/* What has become safe is committed while nobody reads: the pump may wait for a key server for hours, and be killed then. */
static void test_commit_without_reading(void **state)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	const uint64_t until_ms = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct batch batch;

	topic("unread", 1);
	fill("unread", 10, 1);
	batch_init(&batch);
	source = source_open("unread", "g.unread", NULL);
	assert_int_equal(read_some(source, &batch, 10), READ_SOME);
	commit_at(source, clock_mono_ms() + 1000); /* as if another commit had just gone out */
	assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
	rd_kafka_topic_partition_list_add(list, "unread", 0);
	do {
		assert_true(clock_mono_ms() < until_ms);
		usleep(20000);
		positions(source, list);
	} while (list->elems[0].offset != (int64_t)batch.n);
	source->ops->release(source, &batch);
	rd_kafka_topic_partition_list_destroy(list);
	source->ops->close(source, false);
	batch_clear(&batch);
}

/* What a partition's former owner says after a rebalance is not committed over its new owner's head. */
static void test_lost_partition(void **state)
{
	struct source *first, *second;
	struct batch old, new;
	enum read_result result;
	bool taken = false;
	uint64_t until;
	long sum;

	topic("lost", 1);
	fill("lost", 50, 1);
	batch_init(&old);
	batch_init(&new);
	first = source_open("lost", "g2", NULL);
	assert_int_equal(read_some(first, &old, 20), READ_SOME);
	second = source_open("lost", "g2", NULL);
	until = clock_mono_ms() + 15000;
	/* One of the two has the partition in the end; ask both until the first gave it up or both are steady. */
	while (clock_mono_ms() < until) {
		struct seal_err err = SEAL_ERR_INIT;

		expect_ok(second->ops->read(second, &new, 5, 100, &result, &err), &err);
		taken = result == READ_SOME;
		if (taken)
			break;
		expect_ok(first->ops->read(first, &new, 5, 100, &result, &err), &err);
		if (result == READ_SOME)
			first->ops->release(first, &new);
	}
	if (taken) { /* the second took over: it starts at 0, as nothing was committed */
		assert_int_equal(new.records[0].offset, 0);
		second->ops->release(second, &new);
		assert_int_equal(first->ops->commit(first, &old, NULL), SEAL_OK); /* too late */
	}
	first->ops->release(first, &old);
	first->ops->close(first, true);
	second->ops->close(second, true);
	second = source_open("lost", "g2", NULL);
	assert_int_equal(drain(second, &sum), 50);
	second->ops->close(second, true);
	batch_clear(&old);
	batch_clear(&new);
}

/* Offsets said to be safe one partition at a time: the next member of the group begins there. */
static void test_mark(void **state)
{
	struct source *source;
	struct batch batch;
	uint64_t now;
	long sum;

	topic("mark", 1);
	fill("mark", 100, 1);
	batch_init(&batch);
	source = source_open("mark", "m1", NULL);
	assert_int_equal(source->ops->assignment(source, 0), 0); /* before the first read */
	while (read_some(source, &batch, BATCH) == READ_SOME)
		source->ops->release(source, &batch);
	now = source->ops->assignment(source, 0);
	assert_int_not_equal(now, 0);
	assert_int_equal(source->ops->assignment(source, 1), 0);
	assert_int_equal(source->ops->assignment(source, -1), 0);
	assert_int_equal(source->ops->mark(source, 0, now, 30, NULL), SEAL_OK);
	assert_int_equal(source->ops->mark(source, 0, now, 20, NULL), SEAL_OK); /* never back */
	assert_int_equal(source->ops->mark(source, 0, now - 1, 90, NULL), SEAL_OK); /* of an older assignment */
	assert_int_equal(source->ops->mark(source, 7, now, 90, NULL), SEAL_OK); /* not ours */
	assert_int_equal(source->ops->sync(source, NULL), SEAL_OK);
	source->ops->close(source, false); /* as after a kill: what was synchronised counts */
	source = source_open("mark", "m1", NULL);
	assert_int_equal(drain(source, &sum), 70);
	assert_int_equal(sum, 4950 - 29 * 30 / 2);
	source->ops->close(source, true);
	source = source_open("mark", NULL, "beginning"); /* without a group nothing is remembered, nothing refused */
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);
	now = source->ops->assignment(source, 0);
	assert_int_not_equal(now, 0);
	assert_int_equal(source->ops->mark(source, 0, now, 30, NULL), SEAL_OK);
	source->ops->release(source, &batch);
	source->ops->close(source, true);
	batch_clear(&batch);
}

/* A commit that a broker refuses once is made again, and one that it does not allow ends the run. */
static void test_commits_that_fail(void **state)
{
	static const struct {
		rd_kafka_resp_err_t code;
		enum seal_status first; /* of the sync that meets it */
	} rows[] = {{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, SEAL_OK}, /* it is waited for */
		    {RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, SEAL_FATAL}};
	struct seal_err err = SEAL_ERR_INIT;
	enum read_result result;
	struct source *source;
	struct batch batch;
	uint64_t now;

	topic("commits", 1);
	fill("commits", 100, 1);
	batch_init(&batch);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source = source_open("commits", "g.commits", NULL);
		while (read_some(source, &batch, BATCH) == READ_SOME)
			source->ops->release(source, &batch);
		now = source->ops->assignment(source, 0);
		rd_kafka_mock_push_request_errors(cluster, 8, 1, rows[i].code);
		commit_at(source, UINT64_MAX); /* only when it is asked to */
		assert_int_equal(source->ops->mark(source, 0, now, 30 + 10 * (int64_t)i, &err), SEAL_OK);
		assert_int_equal(source->ops->sync(source, &err), rows[i].first);
		err_clear(&err);
		assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
		source->ops->close(source, false);
		source = source_open("commits", "g.commits", NULL);
		assert_int_equal(count_all(source), 70 - 10 * (int)i);
		source->ops->close(source, false);
	}
	source = source_open("commits", "g.commits", NULL);
	while (read_some(source, &batch, BATCH) == READ_SOME)
		source->ops->release(source, &batch);
	rd_kafka_mock_push_request_errors(cluster, 8, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	commit_at(source, UINT64_MAX);
	now = source->ops->assignment(source, 0);
	assert_int_equal(source->ops->mark(source, 0, now, 90, &err), SEAL_OK);
	assert_int_equal(source->ops->sync(source, &err), SEAL_DENIED);
	err_clear(&err);
	assert_int_equal(source->ops->read(source, &batch, BATCH, 100, &result, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "Read on the consumer group"));
	source->ops->close(source, false);
	batch_clear(&batch);
}

/* The last commit does not rely on one before it whose answer nobody has asked for. */
static void test_commit_under_way_at_the_end(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct batch batch;
	uint64_t now;

	topic("underway", 1);
	fill("underway", 10, 1);
	batch_init(&batch);
	source = source_open("underway", "g.underway", NULL);
	while (read_some(source, &batch, BATCH) == READ_SOME)
		source->ops->release(source, &batch);
	now = source->ops->assignment(source, 0);
	for (int i = 0; i < 20; i++)
		rd_kafka_mock_push_request_errors(cluster, 8, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	commit_at(source, 0);
	assert_int_equal(source->ops->mark(source, 0, now, 10, &err), SEAL_OK);
	assert_int_equal(source->ops->sync(source, &err), SEAL_DENIED);
	source->ops->close(source, false);
	rd_kafka_mock_clear_request_errors(cluster, 8);
	batch_clear(&batch);
}

/* A topic's leader comes a second after it is looked for. */
static void *elect(void *name)
{
	const struct timespec second = {1, 0};

	nanosleep(&second, NULL);
	rd_kafka_mock_topic_set_error(cluster, name, RD_KAFKA_RESP_ERR_NO_ERROR);
	return NULL;
}

/* That we have no right on the group is said once, and may be said while the topic is still looked for. */
static void test_group_refused_before_it_is_joined(void **state)
{
	const uint64_t until = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT;
	enum read_result result;
	enum seal_status rc = SEAL_OK;
	struct source *source;
	struct batch batch;
	pthread_t election;

	topic("early", 1);
	batch_init(&batch);
	rd_kafka_mock_topic_set_error(cluster, "early", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
	for (int i = 0; i < 200; i++)
		rd_kafka_mock_push_request_errors(cluster, 10, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	assert_int_equal(pthread_create(&election, NULL, elect, "early"), 0);
	source = source_open("early", "g.early", NULL);
	pthread_join(election, NULL);
	while (rc == SEAL_OK && clock_mono_ms() < until)
		rc = source->ops->read(source, &batch, BATCH, 100, &result, &err);
	assert_int_equal(rc, SEAL_DENIED);
	assert_non_null(strstr(err.text, "Read on the consumer group"));
	source->ops->close(source, false);
	rd_kafka_mock_clear_request_errors(cluster, 10);
	batch_clear(&batch);
}

static void rebalance(struct source *source, const char *name, rd_kafka_resp_err_t code)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	struct kafka_source *s = kafka_source_of(source);

	rd_kafka_topic_partition_list_add(list, name, 0);
	pthread_mutex_lock(&s->reading);
	group_rebalance(s->client.rk, code, list, s);
	pthread_mutex_unlock(&s->reading);
	rd_kafka_topic_partition_list_destroy(list);
}

/* A partition that is given back: what is safe of it is committed before its next owner asks, and nothing more counts as ours. */
static void test_revoked(void **state)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_source *s;
	struct source *source;
	struct batch batch;

	topic("revoked", 1);
	fill("revoked", 20, 1);
	batch_init(&batch);
	source = source_open("revoked", "g.revoked", NULL);
	s = kafka_source_of(source);
	assert_int_equal(read_some(source, &batch, 5), READ_SOME);
	commit_at(source, UINT64_MAX);
	assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
	carry_one(source);
	assert_int_equal(s->n_carried, 1);
	rebalance(source, "revoked", RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
	assert_int_equal(s->n_carried, 0);
	assert_false(s->parts[0].mine);
	rd_kafka_topic_partition_list_add(list, "revoked", 0);
	positions(source, list);
	assert_int_equal(list->elems[0].offset, batch.n);
	commit_at(source, 0);
	assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK); /* too late: ignored */
	assert_int_equal(s->parts[0].done, -1);
	source->ops->release(source, &batch);
	rd_kafka_topic_partition_list_destroy(list);
	source->ops->close(source, true);
	batch_clear(&batch);
}

/* A rebalance ends every assignment: what its former owner marks no longer counts, even where it keeps the partition. */
static void test_mark_after_rebalance(void **state)
{
	uint64_t old[2], until = clock_mono_ms() + 120000;
	struct source *first, *second;
	enum read_result result;
	struct batch batch;
	int shared = 0;
	long sum;

	topic("marked", 2);
	fill("marked", 100, 2);
	batch_init(&batch);
	first = open_source("marked", "m2", NULL, false);
	for (size_t n = 0; n < 100;) {
		assert_int_equal(read_some(first, &batch, BATCH), READ_SOME);
		n += batch.n;
		first->ops->release(first, &batch);
	}
	for (int p = 0; p < 2; p++)
		assert_int_not_equal(old[p] = first->ops->assignment(first, p), 0);
	second = open_source("marked", "m2", NULL, false);
	while (shared < 2 && clock_mono_ms() < until) { /* until each has one */
		struct source *const both[2] = {first, second};

		shared = 0;
		for (int i = 0; i < 2; i++) {
			struct seal_err err = SEAL_ERR_INIT;

			expect_ok(both[i]->ops->read(both[i], &batch, 5, 100, &result, &err), &err);
			if (result == READ_SOME)
				both[i]->ops->release(both[i], &batch);
			shared += (both[i]->ops->assignment(both[i], 0) != 0) !=
				  (both[i]->ops->assignment(both[i], 1) != 0);
		}
	}
	assert_int_equal(shared, 2);
	for (int p = 0; p < 2; p++) {
		assert_int_not_equal(first->ops->assignment(first, p), old[p]);
		assert_int_equal(first->ops->mark(first, p, old[p], 50, NULL), SEAL_OK);
	}
	first->ops->close(first, true);
	second->ops->close(second, true);
	second = source_open("marked", "m2", NULL);
	assert_int_equal(drain(second, &sum), 100);
	second->ops->close(second, true);
	batch_clear(&batch);
}

/*
 * Nobody reads for longer than max.poll.interval.ms, as behind a slow sink: the member stays, and reading goes on where it
 * stood. (A member that was thrown out would start again at 0.)
 */
static void test_slow_reader_stays(void **state)
{
	static struct opt_list poll = {&beats, "max.poll.interval.ms=12000"};
	struct kafka_source_options options = {
		.connection = connection(), .group = "g4", .partition = -1, .exit_at_end = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	struct batch first, rest;
	int64_t next = 20;

	topic("slow-reader", 1);
	fill("slow-reader", 100, 1);
	options.connection.properties = &poll;
	expect_ok(kafka_source_ops.open("slow-reader", &options, &source, &err), &err);
	batch_init(&first);
	batch_init(&rest);
	assert_int_equal(read_some(source, &first, 20), READ_SOME);
	assert_int_equal(first.n, 20);
	sleep(15);
	while (read_some(source, &rest, BATCH) == READ_SOME) {
		for (size_t i = 0; i < rest.n; i++)
			assert_int_equal(rest.records[i].offset, next++);
		source->ops->release(source, &rest);
	}
	assert_int_equal(next, 100);
	source->ops->release(source, &first);
	source->ops->close(source, true);
	batch_clear(&first);
	batch_clear(&rest);
}

static void test_topic_missing(void **state)
{
	struct kafka_source_options source_options = {.connection = connection(), .partition = -1};
	struct kafka_sink_options sink_options = {.connection = connection()};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	struct sink *sink = NULL;

	rd_kafka_mock_topic_set_error(cluster, "absent", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(kafka_source_ops.open("absent", &source_options, &source, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
	assert_non_null(strstr(err.place, "absent"));
	assert_non_null(strstr(err.text, "create it"));
	err_clear(&err);
	assert_int_equal(kafka_sink_ops.open("absent", &sink_options, &sink, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CREATE);
	err_clear(&err);
	rd_kafka_mock_topic_set_error(cluster, "absent", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(kafka_source_ops.open("absent", &source_options, &source, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "ACL"));
}

static void test_broker_away(void **state)
{
	struct kafka_source_options options = {.connection = {.brokers = "127.0.0.1:1", .connect_timeout_ms = 10000},
					       .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	uint64_t start_ms = clock_mono_ms();

	assert_int_equal(kafka_source_ops.open("t", &options, &source, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_non_null(strstr(err.place, "127.0.0.1:1"));
	assert_non_null(strstr(err.text, "refused"));
	assert_null(source);
	assert_true(clock_mono_ms() - start_ms < 60000);
}

static void test_too_large(void **state)
{
	static uint8_t big[1100000];
	struct record record = {.value = {big, sizeof(big)}, .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged = 0;
	struct sink *sink;

	topic("large", 1);
	sink = sink_open("large", false);
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 1000, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_non_null(strstr(err.text, "1100000"));
	assert_non_null(strstr(err.text, "message.max.bytes"));
	err_clear(&err);
	record.value.len = 10; /* nothing was taken; the sink goes on */
	write_all(sink, &record, 1, 2);
	/* The broker's own limit comes as a delivery report. */
	rd_kafka_mock_push_request_errors(cluster, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	expect_ok(sink->ops->write(sink, &record, 1, 3, 1000, &err), &err);
	assert_int_equal(sink->ops->flush(sink, 60000, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "max.message.bytes"));
	assert_non_null(strstr(err.place, "large"));
	err_clear(&err);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_DATA); /* for good */
	assert_int_equal(acknowledged, 2);
	err_clear(&err);
	assert_int_equal(sink->ops->write(sink, &record, 1, 4, 1000, &err), SEAL_DATA);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* --keep-partition is about the sink's own topic: a dead letter goes where its own topic has room, and a time that is none is now. */
static void test_dead_letters_keep_no_partition(void **state)
{
	const struct record records[] = {
		{.value = BYTES_LIT("good"), .partition = 2},
		{.value = BYTES_LIT("dead"), .topic = BYTES_LIT("keeps.dead"), .partition = 2, .timestamp_ms = 12345},
		{.value = BYTES_LIT("dead"), .topic = BYTES_LIT("keeps.dead"), .partition = 7}};
	struct source *source;
	struct batch batch;
	struct sink *sink;
	size_t n = 0;

	topic("keeps", 3);
	topic("keeps.dead", 1);
	sink = sink_open("keeps", true);
	write_all(sink, records, 3, 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	source = source_open("keeps.dead", NULL, "beginning");
	batch_init(&batch);
	while (read_some(source, &batch, BATCH) == READ_SOME) {
		for (size_t i = 0; i < batch.n; i++, n++) {
			assert_true(bytes_eq_str(batch.records[i].value, "dead"));
			assert_true(batch.records[i].timestamp_ms > 1000000000000);
		}
		source->ops->release(source, &batch);
	}
	assert_int_equal(n, 2);
	batch_clear(&batch);
	source->ops->close(source, true);
}

/* Also where a slow machine has acknowledged nothing for long. */
static enum seal_status poll_on(struct sink *sink, uint64_t *acknowledged, struct seal_err *err)
{
	enum seal_status rc = sink->ops->poll(sink, 100, acknowledged, err);

	if (rc != SEAL_RETRY)
		return rc;
	err_clear(err);
	return SEAL_OK;
}

/* What librdkafka has given up on is lost to this run, also where the cause would pass: nobody waits for it. The first cause stays. */
static void test_given_up(void **state)
{
	struct opt_list once = {NULL, "retries=0"}, plain = {&once, "enable.idempotence=false"};
	struct kafka_sink_options options = {.connection = connection()};
	const struct record record = {.value = BYTES_LIT("lost"), .partition = -1};
	const uint64_t until = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT, other = SEAL_ERR_INIT;
	uint64_t acknowledged = 0;
	struct sink *sink = NULL;
	enum seal_status rc;

	topic("given-up", 1);
	options.connection.properties = &plain;
	expect_ok(kafka_sink_ops.open("given-up", &options, &sink, &err), &err);
	rd_kafka_mock_push_request_errors(cluster, 0, 1, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
	expect_ok(sink->ops->write(sink, &record, 1, 1, 1000, &err), &err);
	while ((rc = poll_on(sink, &acknowledged, &err)) == SEAL_OK)
		assert_true(clock_mono_ms() < until);
	assert_int_equal(rc, SEAL_FATAL);
	assert_int_equal(acknowledged, 0);
	assert_non_null(strstr(err.text, "Request timed out"));
	err_set(&other, SEAL_FATAL, SEAL_E_IO, "something else");
	kafka_sink_break(kafka_sink_of(sink), &other);
	err_clear(&err);
	assert_int_equal(sink->ops->flush(sink, 100, &err), SEAL_FATAL);
	assert_non_null(strstr(err.text, "Request timed out"));
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/*
 * Many small writes are on their way at once, and come back a few at a time: each is told when it is safe, and none before those in
 * front of it.
 */
static void test_many_tickets(void **state)
{
	struct opt_list few = {NULL, "batch.num.messages=50"}, properties = {&few, "max.in.flight=1"};
	struct kafka_sink_options options = {.connection = connection()};
	const struct record record = {.value = BYTES_LIT("x"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged = 0, before = 101;
	struct sink *sink;

	topic("tickets", 1);
	options.connection.properties = &properties;
	expect_ok(kafka_sink_ops.open("tickets", &options, &sink, &err), &err);
	for (uint64_t ticket = 1; ticket <= 100; ticket++) /* so that the ring does not begin at its start */
		expect_ok(sink->ops->write(sink, &record, 1, ticket, 1000, &err), &err);
	write_all(sink, NULL, 0, 101);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 100), 0);
	for (uint64_t ticket = 102; ticket <= 600; ticket++)
		expect_ok(sink->ops->write(sink, &record, 1, ticket, 1000, &err), &err);
	while (acknowledged < 600) {
		expect_ok(poll_on(sink, &acknowledged, &err), &err);
		assert_in_range(acknowledged, before, 600);
		assert_int_equal(acknowledged, 600 - kafka_sink_of(sink)->in_flight);
		before = acknowledged;
	}
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	assert_int_equal(kafka_sink_of(sink)->in_flight_bytes, 0);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

static void test_too_many_topics(void **state)
{
	char name[32];
	struct record record = {.value = BYTES_LIT("x"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink;

	topic("many-0", 1);
	sink = sink_open("many-0", false);
	for (int i = 1; i < SINK_TOPICS_MAX; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		topic(name, 1);
		record.topic = bytes_str(name);
		expect_ok(sink->ops->write(sink, &record, 1, (uint64_t)i, 1000, &err), &err);
	}
	record.topic = BYTES_LIT("one-more");
	topic("one-more", 1);
	assert_int_equal(sink->ops->write(sink, &record, 1, SINK_TOPICS_MAX, 1000, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "more than 64 target topics"));
	record.topic = BYTES_LIT("many-1"); /* the others go on */
	write_all(sink, &record, 1, SINK_TOPICS_MAX + 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* What alone is larger than the bound passes alone. */
static void test_a_write_above_the_bound(void **state)
{
	static uint8_t value[100000];
	struct kafka_sink_options options = {
		.connection = connection(), .memory_bytes = 1 << 20, .record_bytes = sizeof(value)};
	struct record records[30];
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	topic("above", 1);
	expect_ok(kafka_sink_ops.open("above", &options, &sink, &err), &err);
	for (size_t i = 0; i < 30; i++)
		records[i] = (struct record){.value = {value, sizeof(value)}, .partition = -1};
	assert_in_range(kafka_sink_of(sink)->max_in_flight, 1, sizeof(value) * 29);
	write_all(sink, records, 30, 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

static void test_partition_missing(void **state)
{
	struct record record = {.value = BYTES_LIT("x"), .partition = 2};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink;

	topic("two", 2);
	sink = sink_open("two", true);
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 1000, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "2 partitions"));
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* Passing trouble is librdkafka's to mend; records stay in order and arrive once. */
static void test_retries(void **state)
{
	struct source *source;
	long sum;

	topic("retries", 1);
	rd_kafka_mock_push_request_errors(cluster, 0, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
					  RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
	fill("retries", 100, 1);
	source = source_open("retries", NULL, "beginning");
	assert_int_equal(drain(source, &sum), 100);
	assert_int_equal(sum, 4950);
	source->ops->close(source, true);
}

/* What brokers say while coordinators move, or as they start: all of it is waited out before a group's first record. */
static void test_passing_errors(void **state)
{
	static const struct {
		int16_t api;
		rd_kafka_resp_err_t code;
	} rows[] = {
		{10, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE}, /* FindCoordinator */
		{11, RD_KAFKA_RESP_ERR_NOT_COORDINATOR}, /* JoinGroup */
		{14, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS}, /* SyncGroup */
		{9, RD_KAFKA_RESP_ERR_NOT_COORDINATOR}, /* OffsetFetch: librdkafka gives up on it, we join again */
		{1, RD_KAFKA_RESP_ERR_UNKNOWN}, /* Fetch */
		{1, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR},
		{2, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE}, /* ListOffsets */
	};
	struct source *source;
	long sum;

	topic("passing", 2);
	fill("passing", 100, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rd_kafka_mock_push_request_errors(cluster, rows[i].api, 1, rows[i].code);
	source = source_open("passing", "passing", NULL);
	assert_int_equal(drain(source, &sum), 100);
	assert_int_equal(sum, 4950);
	source->ops->close(source, true);
}

/* A target that does not answer: write gives up in time, takes nothing of what it refused, and memory is bounded. */
static void test_back_pressure(void **state)
{
	static uint8_t value[100000];
	struct record records[10];
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged = 0, ticket = 0;
	struct sink *sink;
	enum seal_status rc = SEAL_OK;

	topic("slow", 1);
	sink = sink_open("slow", false);
	for (size_t i = 0; i < 10; i++)
		records[i] = (struct record){.value = {value, sizeof(value)}, .partition = -1};
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 20000), 0);
	while (rc == SEAL_OK && ticket < 200)
		rc = sink->ops->write(sink, records, 10, ++ticket, 100, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_in_range(ticket, 20, 50); /* 1 MB each against 32 MiB */
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->flush(sink, 100000, &err), &err);
	expect_ok(sink->ops->poll(sink, 0, &acknowledged, &err), &err);
	assert_int_equal(acknowledged, ticket - 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* A smaller bound than the usual one, and records longer than librdkafka takes by itself. */
static void test_large_records(void **state)
{
	static uint8_t value[2000000];
	struct kafka_sink_options options = {
		.connection = connection(), .memory_bytes = 3 << 20, .record_bytes = sizeof(value) + 100};
	struct kafka_source_options in = {
		.connection = connection(), .partition = -1, .exit_at_end = true, .memory_bytes = 4 << 20};
	struct record record = {.value = {value, sizeof(value)}, .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct opt_list property = {NULL, "message.max.bytes=1500000"};
	struct source *source = NULL;
	struct sink *sink = NULL;
	struct batch batch;
	const char *flag;
	size_t max, n = 0;

	topic("large-records", 1);
	expect_ok(kafka_sink_ops.open("large-records", &options, &sink, &err), &err);
	expect_ok(sink->ops->record_max(sink, &max, &flag, &err), &err); /* this broker cannot be asked */
	assert_int_equal(max, sizeof(value) + 100);
	assert_string_equal(flag, "-X message.max.bytes");
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 20000), 0);
	expect_ok(sink->ops->write(sink, &record, 1, 1, 100, &err), &err);
	assert_int_equal(sink->ops->write(sink, &record, 1, 2, 100, &err), SEAL_RETRY); /* two are beyond 3 MiB */
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->write(sink, &record, 1, 2, 100000, &err), &err);
	write_all(sink, NULL, 0, 3);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	expect_ok(kafka_source_ops.open("large-records", &in, &source, &err), &err);
	batch_init(&batch);
	while (read_some(source, &batch, BATCH) == READ_SOME) {
		for (size_t i = 0; i < batch.n; i++, n++)
			assert_int_equal(batch.records[i].value.len, sizeof(value));
		source->ops->release(source, &batch);
	}
	assert_int_equal(n, 2);
	source->ops->close(source, true);
	batch_clear(&batch);
	options.connection.properties = &property; /* what the user says is above it */
	expect_ok(kafka_sink_ops.open("large-records", &options, &sink, &err), &err);
	expect_ok(sink->ops->record_max(sink, &max, &flag, &err), &err);
	assert_int_equal(max, 1500000);
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_commit_covers_earlier),
		cmocka_unit_test(test_commit_without_reading),
		cmocka_unit_test(test_lost_partition),
		cmocka_unit_test(test_slow_reader_stays),
		cmocka_unit_test(test_topic_missing),
		cmocka_unit_test(test_broker_away),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_dead_letters_keep_no_partition),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_many_tickets),
		cmocka_unit_test(test_too_many_topics),
		cmocka_unit_test(test_a_write_above_the_bound),
		cmocka_unit_test(test_partition_missing),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_mark_after_rebalance),
		cmocka_unit_test(test_large_records),
		cmocka_unit_test(test_passing_errors),
		cmocka_unit_test(test_commits_that_fail),
		cmocka_unit_test(test_commit_under_way_at_the_end),
		cmocka_unit_test(test_group_refused_before_it_is_joined),
		cmocka_unit_test(test_revoked),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
