/* The embedded broker for tests of source and sink: topics, records "0", "1", … in them, and reading until there is no more. */
#ifndef TESTS_STREAM_KAFKA_FIXTURE_H
#define TESTS_STREAM_KAFKA_FIXTURE_H

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

static inline int start(void **state)
{
	owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	cluster = rd_kafka_mock_cluster_new(owner, 1);
	return cluster == NULL;
}

static inline int stop(void **state)
{
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(owner);
	return 0;
}

static inline struct kafka_connection connection(void)
{
	return (struct kafka_connection){.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
					 .connect_timeout_ms = 60000};
}

static inline void topic(const char *name, int partitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(cluster, name, partitions, 1), 0);
}

static inline void expect_ok(enum seal_status rc, const struct seal_err *err)
{
	if (rc != SEAL_OK)
		fail_msg("%s: %s", err->place, err->text);
}

/* ---- writing ---- */

static inline struct sink *sink_open(const char *name, bool keep_partition)
{
	struct kafka_sink_options options = {.connection = connection(), .keep_partition = keep_partition};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	expect_ok(kafka_sink_ops.open(name, &options, &sink, &err), &err);
	return sink;
}

static inline void write_all(struct sink *sink, const struct record *records, size_t n, uint64_t ticket)
{
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged = 0;

	expect_ok(sink->ops->write(sink, records, n, ticket, 60000, &err), &err);
	expect_ok(sink->ops->flush(sink, 60000, &err), &err);
	expect_ok(sink->ops->poll(sink, 0, &acknowledged, &err), &err);
	assert_int_equal(acknowledged, ticket);
}

/*
 * `n` records "0", "1", … spread over the partitions. Those of a partition go in one request, however slow the machine is, and this
 * broker gives what came so at once: a test may rely on it that all are there to be read when one is.
 */
static inline void fill(const char *name, int n, int partitions)
{
	static struct opt_list whole = {NULL, "linger.ms=600000"};
	struct kafka_sink_options options = {.connection = connection(), .keep_partition = true};
	struct sink *sink = NULL;
	struct seal_err opened = SEAL_ERR_INIT;
	char text[16];

	options.connection.properties = &whole;
	expect_ok(kafka_sink_ops.open(name, &options, &sink, &opened), &opened);
	for (int i = 0; i < n; i++) {
		struct record record = {.partition = i % partitions};
		struct seal_err err = SEAL_ERR_INIT;

		snprintf(text, sizeof(text), "%d", i);
		record.value = bytes_str(text);
		expect_ok(sink->ops->write(sink, &record, 1, (uint64_t)i + 1, 60000, &err), &err);
	}
	write_all(sink, NULL, 0, (uint64_t)n + 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* ---- reading ---- */

/*
 * This broker gives a group's partitions out anew after about a session. A member that is stopped for nearly as long is none any more;
 * and where the broker is stopped before it gives them out it drops those who wait for them without a word: they ask again after the
 * last of these times.
 */
static struct opt_list session_time = {NULL, "session.timeout.ms=6000"};
static struct opt_list beats = {&session_time, "heartbeat.interval.ms=500"};
__attribute__((unused)) static struct opt_list fast_group = {&beats, "max.poll.interval.ms=20000"};

static inline struct source *open_source(const char *name, const char *group, const char *offset, bool exit_at_end)
{
	struct kafka_source_options options = {.connection = connection(),
					       .group = group,
					       .offset = offset,
					       .partition = -1,
					       .exit_at_end = exit_at_end};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;

	options.connection.properties = &fast_group;
	expect_ok(kafka_source_ops.open(name, &options, &source, &err), &err);
	return source;
}

static inline struct source *source_open(const char *name, const char *group, const char *offset)
{
	return open_source(name, group, offset, true);
}

static inline void batch_init(struct batch *batch)
{
	*batch = (struct batch){.records = mem_alloc(BATCH * sizeof(struct record)), .cap = BATCH};
	arena_init(&batch->arena, 0);
}

static inline void batch_clear(struct batch *batch)
{
	arena_clear(&batch->arena);
	mem_free(batch->records);
}

/* The next batch, or READ_END. */
static inline enum read_result read_some(struct source *source, struct batch *batch, size_t max)
{
	uint64_t until = clock_mono_ms() + 120000;
	enum read_result result = READ_IDLE;
	struct seal_err err = SEAL_ERR_INIT;

	while (result == READ_IDLE) {
		assert_true(clock_mono_ms() < until);
		expect_ok(source->ops->read(source, batch, max, 100, &result, &err), &err);
	}
	return result;
}

/* Reads to the end, committing each batch; adds the numbers in the values to `sum`. */
static inline int drain(struct source *source, long *sum)
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

/* To the end, and nothing is committed. */
static inline int count_all(struct source *source)
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

/* Has a call said SEAL_RETRY, as it does where the machine was too slow to answer in time? The pump makes it again, too. */
static inline bool is_to_repeat(enum seal_status rc, uint64_t until, struct seal_err *err)
{
	if (rc != SEAL_RETRY)
		expect_ok(rc, err);
	assert_true(clock_mono_ms() < until);
	err_clear(err);
	return rc == SEAL_RETRY;
}

static inline void positions(struct source *source, rd_kafka_topic_partition_list_t *list)
{
	const uint64_t until = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT;

	while (is_to_repeat(kafka_source_positions(kafka_source_of(source), list, &err), until, &err))
		;
}

static inline void rewind_source(struct source *source)
{
	const uint64_t until = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT;

	while (is_to_repeat(source->ops->rewind(source, &err), until, &err))
		;
}

/* As the keeper does it while the pump waits: takes the first message that comes. */
static inline void carry_one(struct source *source)
{
	struct kafka_source *s = kafka_source_of(source);
	const uint64_t until = clock_mono_ms() + 120000;

	pthread_mutex_lock(&s->reading);
	while (s->n_carried == 0) {
		assert_true(clock_mono_ms() < until);
		s->carried[0] = rd_kafka_consumer_poll(s->client.rk, 100);
		s->n_carried = s->carried[0] != NULL;
	}
	pthread_mutex_unlock(&s->reading);
}

#endif
