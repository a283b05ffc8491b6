/* The Kafka source and sink against the embedded broker: what is kept, what is committed, and how each failure reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "base/mem.h"
#include "streams/kafka/kafka.h"
#include "streams/kafka/sink.h"
#include "streams/kafka/source.h"

#define BATCH 1000

static rd_kafka_t *owner;
static rd_kafka_mock_cluster_t *cluster;

static int start(void **state)
{
	owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	cluster = rd_kafka_mock_cluster_new(owner, 1);
	return cluster == NULL;
}

static int stop(void **state)
{
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(owner);
	return 0;
}

static struct kafka_connection connection(void)
{
	return (struct kafka_connection){.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
					 .connect_timeout_ms = 5000};
}

static void topic(const char *name, int partitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(cluster, name, partitions, 1), 0);
}

static void expect_ok(enum seal_status rc, const struct seal_err *err)
{
	if (rc != SEAL_OK)
		fail_msg("%s: %s", err->place, err->text);
}

/* ---- writing ---- */

static struct sink *sink_open(const char *name, bool keep_partition)
{
	struct kafka_sink_options options = {.connection = connection(), .keep_partition = keep_partition};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	expect_ok(kafka_sink_ops.open(name, &options, &sink, &err), &err);
	return sink;
}

static void write_all(struct sink *sink, const struct record *records, size_t n, uint64_t ticket)
{
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged = 0;

	expect_ok(sink->ops->write(sink, records, n, ticket, 1000, &err), &err);
	expect_ok(sink->ops->flush(sink, 5000, &err), &err);
	expect_ok(sink->ops->poll(sink, 0, &acknowledged, &err), &err);
	assert_int_equal(acknowledged, ticket);
}

/* `n` records "0", "1", … spread over the partitions. */
static void fill(const char *name, int n, int partitions)
{
	struct sink *sink = sink_open(name, true);
	char text[16];

	for (int i = 0; i < n; i++) {
		struct record record = {.partition = i % partitions};
		struct seal_err err = SEAL_ERR_INIT;

		snprintf(text, sizeof(text), "%d", i);
		record.value = bytes_str(text);
		expect_ok(sink->ops->write(sink, &record, 1, (uint64_t)i + 1, 1000, &err), &err);
	}
	write_all(sink, NULL, 0, (uint64_t)n + 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* ---- reading ---- */

static struct source *open_source(const char *name, const char *group, const char *offset, bool exit_at_end)
{
	static struct opt_list property = {NULL, "session.timeout.ms=6000"};
	struct kafka_source_options options = {.connection = connection(),
					       .group = group,
					       .offset = offset,
					       .partition = -1,
					       .exit_at_end = exit_at_end};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;

	options.connection.properties = &property;
	expect_ok(kafka_source_ops.open(name, &options, &source, &err), &err);
	return source;
}

static struct source *source_open(const char *name, const char *group, const char *offset)
{
	return open_source(name, group, offset, true);
}

static void batch_init(struct batch *batch)
{
	*batch = (struct batch){.records = mem_alloc(BATCH * sizeof(struct record)), .cap = BATCH};
	arena_init(&batch->arena, 0);
}

static void batch_clear(struct batch *batch)
{
	arena_clear(&batch->arena);
	mem_free(batch->records);
}

/* The next batch; READ_END when there is none for ten seconds, which fails. */
static enum read_result read_some(struct source *source, struct batch *batch, size_t max)
{
	uint64_t until = clock_mono_ms() + 20000;
	enum read_result result = READ_IDLE;
	struct seal_err err = SEAL_ERR_INIT;

	while (result == READ_IDLE) {
		assert_true(clock_mono_ms() < until);
		expect_ok(source->ops->read(source, batch, max, 100, &result, &err), &err);
	}
	return result;
}

/* Reads to the end, committing each batch; adds the numbers in the values to `sum`. */
static int drain(struct source *source, long *sum)
{
	struct batch batch;
	int n = 0;

	*sum = 0;
	batch_init(&batch);
	while (read_some(source, &batch, BATCH) == READ_SOME) {
		for (size_t i = 0; i < batch.n; i++) {
			uint64_t value = 0;

			assert_true(bytes_to_u64(batch.records[i].value, 1000000, &value));
			*sum += (long)value;
			n++;
		}
		assert_int_equal(source->ops->commit(source, &batch, NULL), SEAL_OK);
		source->ops->release(source, &batch);
	}
	batch_clear(&batch);
	return n;
}

/* ---- tests ---- */

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

/* What a partition's former owner says after a rebalance is not committed over its new owner's head. */
static void test_lost_partition(void **state)
{
	struct source *first, *second;
	struct batch old, new;
	enum read_result result;
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
		if (result == READ_SOME)
			break;
		expect_ok(first->ops->read(first, &new, 5, 100, &result, &err), &err);
		if (result == READ_SOME)
			first->ops->release(first, &new);
	}
	if (result == READ_SOME) { /* the second took over: it starts at 0, as nothing was committed */
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

/* A rebalance ends every assignment: what its former owner marks no longer counts, even where it keeps the partition. */
static void test_mark_after_rebalance(void **state)
{
	uint64_t old[2], until = clock_mono_ms() + 30000;
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
	static struct opt_list session = {NULL, "session.timeout.ms=6000"};
	static struct opt_list poll = {&session, "max.poll.interval.ms=6000"};
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
	sleep(9);
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
	struct kafka_source_options options = {.connection = {.brokers = "127.0.0.1:1", .connect_timeout_ms = 300},
					       .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	uint64_t start_ms = clock_mono_ms();

	assert_int_equal(kafka_source_ops.open("t", &options, &source, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_non_null(strstr(err.place, "127.0.0.1:1"));
	assert_non_null(strstr(err.text, "refused"));
	assert_null(source);
	assert_true(clock_mono_ms() - start_ms < 3000);
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
	assert_int_equal(sink->ops->flush(sink, 5000, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "max.message.bytes"));
	assert_non_null(strstr(err.place, "large"));
	err_clear(&err);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_DATA); /* for good */
	assert_int_equal(acknowledged, 2);
	err_clear(&err);
	assert_int_equal(sink->ops->write(sink, &record, 1, 4, 1000, &err), SEAL_DATA);
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
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 3000), 0);
	while (rc == SEAL_OK && ticket < 200)
		rc = sink->ops->write(sink, records, 10, ++ticket, 100, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_in_range(ticket, 20, 50); /* 1 MB each against 32 MiB */
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->flush(sink, 20000, &err), &err);
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
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 1500), 0);
	expect_ok(sink->ops->write(sink, &record, 1, 1, 100, &err), &err);
	assert_int_equal(sink->ops->write(sink, &record, 1, 2, 100, &err), SEAL_RETRY); /* two are beyond 3 MiB */
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->write(sink, &record, 1, 2, 20000, &err), &err);
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

/* ---- exactly once ---- */

static struct source *open_exactly_once(const char *name, const char *group)
{
	const struct kafka_source_options options = {.connection = connection(),
						     .group = group,
						     .partition = -1,
						     .exit_at_end = true,
						     .exactly_once = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;

	expect_ok(kafka_source_ops.open(name, &options, &source, &err), &err);
	return source;
}

/* To the end, and nothing is committed. */
static int count_all(struct source *source)
{
	struct batch batch;
	size_t n = 0;

	batch_init(&batch);
	while (read_some(source, &batch, BATCH) == READ_SOME) {
		n += batch.n;
		source->ops->release(source, &batch);
	}
	batch_clear(&batch);
	return (int)n;
}

/* After an abort all is read again, and a partition of which nothing was read is still at its end. */
static void test_rewind(void **state)
{
	struct source *source;
	struct seal_err err = SEAL_ERR_INIT;

	topic("rewind", 2);
	fill("rewind", 20, 1);
	source = open_exactly_once("rewind", "g.rewind");
	assert_int_equal(count_all(source), 20);
	expect_ok(source->ops->rewind(source, &err), &err);
	assert_int_equal(count_all(source), 20);
	source->ops->close(source, true);
}

/* As the keeper does it while the pump waits: takes the first message that comes. */
static void carry_one(struct source *source)
{
	struct kafka_source *s = (struct kafka_source *)((char *)source - offsetof(struct kafka_source, base));
	const uint64_t until = clock_mono_ms() + 20000;

	pthread_mutex_lock(&s->reading);
	while (s->n_carried == 0) {
		assert_true(clock_mono_ms() < until);
		s->carried[0] = rd_kafka_consumer_poll(s->client.rk, 100);
		s->n_carried = s->carried[0] != NULL;
	}
	pthread_mutex_unlock(&s->reading);
}

/* What the keeper took of a partition that nobody has read yet outlives the abort of what was read of others. */
static void test_rewind_with_carried(void **state)
{
	struct source *source;
	struct seal_err err = SEAL_ERR_INIT;

	topic("carried", 1);
	fill("carried", 20, 1);
	source = open_exactly_once("carried", "g.carried");
	carry_one(source);
	expect_ok(source->ops->rewind(source, &err), &err);
	assert_int_equal(count_all(source), 20);
	source->ops->close(source, true);
	topic("carried-end", 1);
	source = open_exactly_once("carried-end", "g.carried-end");
	carry_one(source); /* that it has ended */
	expect_ok(source->ops->rewind(source, &err), &err);
	assert_int_equal(count_all(source), 0);
	source->ops->close(source, true);
}

static int64_t staged_offset(struct source *source)
{
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	struct seal_err err = SEAL_ERR_INIT;
	int64_t offset;

	expect_ok(kafka_source_staged(source, &offsets, &member, &err), &err);
	assert_int_equal(offsets->cnt, 1);
	offset = offsets->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(offsets);
	rd_kafka_consumer_group_metadata_destroy(member);
	return offset;
}

/* The position that goes into a transaction is behind the last record that was staged, and what was lost to others is refused. */
static void test_staged(void **state)
{
	struct source *source;
	struct kafka_source *s;
	struct seal_err err = SEAL_ERR_INIT;
	struct batch batch;
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	size_t n;

	topic("staged", 1);
	fill("staged", 20, 1);
	source = open_exactly_once("staged", "g.staged");
	s = (struct kafka_source *)((char *)source - offsetof(struct kafka_source, base));
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, 15), READ_SOME);
	n = batch.n;
	batch.n = 1;
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(staged_offset(source), 1);
	batch.n = n;
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(staged_offset(source), n);
	pthread_mutex_lock(&s->lock);
	s->parts[0].since = ++s->epoch; /* it was another's for a while */
	pthread_mutex_unlock(&s->lock);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(kafka_source_staged(source, &offsets, &member, &err), SEAL_RETRY);
	source->ops->release(source, &batch);
	batch_clear(&batch);
	source->ops->close(source, true);
}

/* A record that the broker refuses only when its transaction is being committed ends the run: it must not be tried for ever. */
static void test_refused_in_commit(void **state)
{
	struct opt_list late = {NULL, "linger.ms=5000"}; /* it goes out with the commit, not before */
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = "g.refused.1"};
	const struct record record = {.value = BYTES_LIT("too much"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct batch batch;
	struct sink *sink;
	bool committed = true;
	enum seal_status rc;

	topic("refused", 1);
	topic("refused-out", 1);
	fill("refused", 1, 1);
	options.connection.properties = &late;
	expect_ok(kafka_sink_ops.open("refused-out", &options, &sink, &err), &err);
	source = open_exactly_once("refused", "g.refused");
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);
	while ((rc = sink->ops->begin(sink, &err)) == SEAL_RETRY)
		err_clear(&err);
	expect_ok(rc, &err);
	rd_kafka_mock_push_request_errors(cluster, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	expect_ok(sink->ops->write(sink, &record, 1, 1, 1000, &err), &err);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	while ((rc = sink->ops->end(sink, source, 100, &committed, &err)) == SEAL_RETRY)
		err_clear(&err);
	assert_false(committed);
	assert_int_equal(rc, SEAL_DATA);
	assert_non_null(strstr(err.text, "max.message.bytes"));
	source->ops->release(source, &batch);
	batch_clear(&batch);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	source->ops->close(source, true);
}

static struct sink *open_transactional(const char *name, struct opt_list *properties)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = name};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	options.connection.properties = properties;
	expect_ok(kafka_sink_ops.open(name, &options, &sink, &err), &err);
	expect_ok(sink->ops->begin(sink, &err), &err);
	return sink;
}

/* Without a source it is aborted, which is what was asked for. */
static void end_aborted(struct sink *sink)
{
	struct seal_err err = SEAL_ERR_INIT;
	bool committed = true;
	enum seal_status rc;

	do {
		err_clear(&err);
		rc = sink->ops->end(sink, NULL, 1000, &committed, &err);
	} while (rc == SEAL_RETRY);
	expect_ok(rc, &err);
	assert_false(committed);
}

/* No record is reported in a transaction: its account follows what librdkafka still has, and is bounded all the same. */
static void test_transaction_account(void **state)
{
	static uint8_t value[100000];
	struct record records[10];
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t ticket = 0;
	enum seal_status rc = SEAL_OK;
	const struct kafka_sink *k;
	struct sink *sink;
	size_t most;

	topic("slow-transaction", 1);
	sink = open_transactional("slow-transaction", NULL);
	k = kafka_sink_of(sink);
	for (size_t i = 0; i < 10; i++)
		records[i] = (struct record){.value = {value, sizeof(value)}, .partition = -1};
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 3000), 0);
	while (rc == SEAL_OK && ticket < 200)
		rc = sink->ops->write(sink, records, 10, ++ticket, 100, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_in_range(ticket, 20, 50); /* 1 MB each against 32 MiB */
	most = k->in_flight;
	assert_in_range(k->in_flight_bytes, most * sizeof(value), 32 << 20);
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->write(sink, records, 10, ticket, 20000, &err), &err); /* room is made */
	assert_in_range(k->in_flight, 10, most + 9); /* and these ten are in it */
	assert_in_range(k->in_flight_bytes, 0, 32 << 20);
	assert_in_range(k->in_flight_bytes, k->in_flight * sizeof(value), k->in_flight * (sizeof(value) + 1000));
	expect_ok(sink->ops->flush(sink, 20000, &err), &err);
	assert_int_equal(k->in_flight, 0);
	assert_int_equal(k->in_flight_bytes, 0);
	end_aborted(sink);
	expect_ok(sink->ops->begin(sink, &err), &err); /* the next one begins with an empty account */
	expect_ok(sink->ops->write(sink, records, 10, 1, 0, &err), &err);
	assert_in_range(k->in_flight, 1, 10);
	end_aborted(sink);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* The user's queue holds less than one write: it goes out bit by bit, whole and in order. */
static void test_transaction_queue_full(void **state)
{
	struct opt_list property = {NULL, "queue.buffering.max.messages=7"};
	struct record records[50];
	char texts[50][4];
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct sink *sink;
	long sum;

	topic("small-queue", 1);
	sink = open_transactional("small-queue", &property);
	for (int i = 0; i < 50; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%d", i);
		records[i] = (struct record){.value = bytes_str(texts[i]), .partition = -1};
	}
	expect_ok(sink->ops->write(sink, records, 50, 1, 1000, &err), &err);
	expect_ok(sink->ops->flush(sink, 20000, &err), &err);
	assert_int_equal(kafka_sink_of(sink)->in_flight, 0);
	source = source_open("small-queue", NULL,
			     "beginning"); /* this broker shows what no transaction has committed */
	assert_int_equal(drain(source, &sum), 50);
	assert_int_equal(sum, 49 * 50 / 2);
	source->ops->close(source, true);
	end_aborted(sink);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_commit_covers_earlier),
		cmocka_unit_test(test_lost_partition),
		cmocka_unit_test(test_slow_reader_stays),
		cmocka_unit_test(test_topic_missing),
		cmocka_unit_test(test_broker_away),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_partition_missing),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_mark_after_rebalance),
		cmocka_unit_test(test_large_records),
		cmocka_unit_test(test_passing_errors),
		cmocka_unit_test(test_rewind),
		cmocka_unit_test(test_rewind_with_carried),
		cmocka_unit_test(test_refused_in_commit),
		cmocka_unit_test(test_staged),
		cmocka_unit_test(test_transaction_account),
		cmocka_unit_test(test_transaction_queue_full),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
