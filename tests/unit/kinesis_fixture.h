/* A server that plays Kinesis, and what tests of its streams have in common. */
#ifndef TESTS_KINESIS_FIXTURE_H
#define TESTS_KINESIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "fake_store.h"
#include "http_server.h"
#include "json/value.h"
#include "stores/sqlite/sqlite.h"
#include "streams/kinesis/kinesis.h"

#define LONG_MS 60000
#define SHARDS 8
#define RECORDS 2000

struct entry {
	char stream[32], key[80], data[32]; /* data in base64 */
};

static struct {
	struct test_server server;
	pthread_mutex_t lock; /* guards all below */
	struct entry stored[RECORDS]; /* by PutRecords, in order */
	size_t n_stored, n_puts;
	struct {
		char data[RECORDS / SHARDS][12]; /* in base64 */
		size_t n, asked; /* asked: GetRecords */
		int parent; /* -1 */
		bool closed;
	} shards[SHARDS];
	size_t n_shards, page; /* page: records of an answer */
	uint64_t seed;
	unsigned dice; /* per mille of entries that are throttled */
	unsigned throttled; /* entries, before that one */
	const char *entry_code; /* of the next entry */
	struct {
		const char *operation, *code;
		unsigned status, times;
	} fail;
	size_t expired, lists;
	bool endless; /* lists always have another page */
	const char *held; /* calls of this operation are not answered */
	unsigned n_held; /* so many, by now */
	char last_type[40], last_start[80]; /* of GetShardIterator */
	unsigned max_kib, behind_ms;
	int64_t ahead_s; /* the service's clock, which it tells; 0: it does not, and has ours */
	size_t gone; /* shards of lower numbers are not known any more */
} f;

uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise);
uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise)
{
	return 1;
}

/* ---- the service ---- */

static inline unsigned roll(unsigned n)
{
	f.seed ^= f.seed << 13;
	f.seed ^= f.seed >> 7;
	f.seed ^= f.seed << 17;
	return (unsigned)(f.seed % n);
}

static inline struct json_value member(const struct json_value *object, const char *name)
{
	struct json_value out;

	json_members(object, &name, 1, &out);
	return out;
}

static inline void text_of(const struct json_value *object, const char *name, char *out, size_t room)
{
	const struct json_value value = member(object, name);

	snprintf(out, room, "%.*s", BYTES_FMT(value.text));
}

static inline void put(struct seal_buf *out, const char *text)
{
	assert_int_equal(buf_append_str(out, text, NULL), SEAL_OK);
}

static inline void put_records(const struct json_value *request, struct seal_buf *out)
{
	const struct json_value list = member(request, "Records");
	struct json_value record;
	struct json_items items;
	char stream[32];
	size_t first = f.n_stored;

	text_of(request, "StreamName", stream, sizeof(stream));
	f.n_puts++;
	put(out, "{\"FailedRecordCount\":9,\"Records\":[");
	json_items(&list, &items);
	for (const char *gap = ""; json_item_next(&items, &record); gap = ",") {
		put(out, gap);
		const bool waits = f.throttled > 0 || (f.entry_code == NULL && f.dice > 0 && roll(1000) < f.dice);

		if (waits || f.entry_code != NULL) {
			put(out, "{\"ErrorCode\":\"");
			put(out, waits ? "ProvisionedThroughputExceededException" : f.entry_code);
			put(out, "\",\"ErrorMessage\":\"no\"}");
			f.throttled -= f.throttled > 0;
			f.entry_code = waits ? f.entry_code : NULL;
			continue;
		}
		struct entry *entry = &f.stored[f.n_stored++];

		text_of(&record, "PartitionKey", entry->key, sizeof(entry->key));
		text_of(&record, "Data", entry->data, sizeof(entry->data));
		memcpy(entry->stream, stream, sizeof(stream));
		for (size_t i = first; i + 1 < f.n_stored; i++) /* never two of a key in a request */
			assert_string_not_equal(f.stored[i].key, entry->key);
		put(out, "{\"SequenceNumber\":\"1\",\"ShardId\":\"s\",\"ErrorCode\":null,\"ErrorMessage\":null}");
	}
	put(out, "]}");
}

static inline void list_shards(struct seal_buf *out)
{
	f.lists++;
	put(out, "{\"Shards\":[");
	for (size_t i = f.gone; i < f.n_shards; i++) {
		assert_int_equal(buf_printf(out, NULL, "%s{\"ShardId\":\"shard-%zu\"", i > f.gone ? "," : "", i),
				 SEAL_OK);
		if (f.shards[i].parent >= 0)
			assert_int_equal(buf_printf(out, NULL, ",\"ParentShardId\":\"shard-%d\"", f.shards[i].parent),
					 SEAL_OK);
		put(out, f.shards[i].closed ? ",\"SequenceNumberRange\":{\"EndingSequenceNumber\":\"9\"}}"
					    : ",\"SequenceNumberRange\":{\"EndingSequenceNumber\":null}}");
	}
	put(out, f.endless ? "],\"NextToken\":\"t\"}" : "],\"NextToken\":null}");
}

/* Sequence numbers are 100, 101 … of each shard. Iterators say shard and place, and have a line end, as those of moto. */
static inline void get_iterator(const struct json_value *request, struct seal_buf *out)
{
	char shard[32], from[40];
	size_t number, at = 0;

	text_of(request, "ShardId", shard, sizeof(shard));
	text_of(request, "ShardIteratorType", f.last_type, sizeof(f.last_type));
	text_of(request, "StartingSequenceNumber", from, sizeof(from));
	text_of(request, "Timestamp", f.last_start, sizeof(f.last_start));
	assert_int_equal(sscanf(shard, "shard-%zu", &number), 1);
	if (strcmp(f.last_type, "LATEST") == 0)
		at = f.shards[number].n;
	else if (strcmp(f.last_type, "AT_TIMESTAMP") == 0) /* what the real one refuses */
		assert_true(strtod(f.last_start, NULL) <= (double)clock_unix_ms() / 1000 + (double)f.ahead_s);
	else if (from[0] != '\0')
		at = (size_t)strtoul(from, NULL, 10) - 100 + (strcmp(f.last_type, "AFTER_SEQUENCE_NUMBER") == 0);
	assert_int_equal(buf_printf(out, NULL, "{\"ShardIterator\":\"%zu:%zu\\n\"}", number, at), SEAL_OK);
}

static inline bool get_records(const struct json_value *request, struct seal_buf *out)
{
	char iterator[64];
	size_t number, at, end;

	text_of(request, "ShardIterator", iterator, sizeof(iterator));
	assert_int_equal(sscanf(iterator, "%zu:%zu\\n", &number, &at), 2);
	assert_string_equal(iterator + strlen(iterator) - 2, "\\n");
	f.shards[number].asked++;
	if (number < f.gone)
		return false;
	end = f.shards[number].n - at < f.page ? f.shards[number].n : at + f.page;
	put(out, "{\"Records\":[");
	for (size_t i = at; i < end; i++)
		assert_int_equal(
			buf_printf(out, NULL,
				   "%s{\"SequenceNumber\":\"%zu\",\"ApproximateArrivalTimestamp\":1.7953200497E9,"
				   "\"Data\":\"%s\",\"PartitionKey\":\"k\\u20ac\"}",
				   i > at ? "," : "", i + 100, f.shards[number].data[i]),
			SEAL_OK);
	assert_int_equal(buf_printf(out, NULL, "],\"MillisBehindLatest\":%u,\"NextShardIterator\":", f.behind_ms),
			 SEAL_OK);
	if (f.shards[number].closed && end == f.shards[number].n)
		put(out, "null,\"ChildShards\":[]}");
	else
		assert_int_equal(buf_printf(out, NULL, "\"%zu:%zu\\n\"}", number, end), SEAL_OK);
	return true;
}

static inline unsigned serve(const char *operation, struct seal_bytes body, struct seal_buf *out)
{
	struct json_value request;

	assert_int_equal(json_value_of(body, &request, NULL), SEAL_OK);
	if (f.fail.times > 0 && strcmp(f.fail.operation, operation) == 0) {
		f.fail.times--;
		assert_int_equal(buf_printf(out, NULL, "{\"__type\":\"x#%s\",\"message\":\"told\"}", f.fail.code),
				 SEAL_OK);
		return f.fail.status;
	}
	if (f.expired > 0 && strcmp(operation, "GetRecords") == 0) {
		f.expired--;
		put(out, "{\"__type\":\"ExpiredIteratorException\",\"message\":\"old\"}");
		return 400;
	}
	if (strcmp(operation, "PutRecords") == 0)
		put_records(&request, out);
	else if (strcmp(operation, "ListShards") == 0)
		list_shards(out);
	else if (strcmp(operation, "GetShardIterator") == 0)
		get_iterator(&request, out);
	else if (strcmp(operation, "GetRecords") == 0 && !get_records(&request, out)) {
		put(out, "{\"__type\":\"ResourceNotFoundException\"}");
		return 400;
	} else if (strcmp(operation, "DescribeStreamSummary") == 0)
		assert_int_equal(buf_printf(out, NULL, "{\"StreamDescriptionSummary\":{\"MaxRecordSizeInKiB\":%u}}",
					    f.max_kib),
				 SEAL_OK);
	return 200;
}

static inline bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	struct seal_buf out = BUF_INIT(1 << 24);
	char target[80], headers[160] = "Content-Type: application/x-amz-json-1.1\r\n";
	time_t date;
	struct tm tm;
	unsigned status;
	bool more;

	assert_true(test_request_header(r, "X-Amz-Target", target, sizeof(target)));
	pthread_mutex_lock(&f.lock);
	f.n_held += f.held != NULL && strstr(target, f.held) != NULL;
	while (f.held != NULL && strstr(target, f.held) != NULL && !atomic_load(&server->stop)) {
		pthread_mutex_unlock(&f.lock);
		usleep(1000);
		pthread_mutex_lock(&f.lock);
	}
	status = serve(strchr(target, '.') + 1, bytes_of(r->body, r->body_len), &out);
	date = f.ahead_s != 0 ? (time_t)(clock_unix_ms() / 1000 + f.ahead_s) : 0;
	pthread_mutex_unlock(&f.lock);
	if (date != 0)
		strftime(headers + strlen(headers), 60, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&date, &tm));
	assert_int_equal(buf_append_u8(&out, '\0', NULL), SEAL_OK);
	more = test_reply(fd, status, headers, (const char *)out.ptr);
	buf_clear(&out);
	return more;
}

static inline void add_shard(int parent, size_t n)
{
	char text[12];

	pthread_mutex_lock(&f.lock);
	f.shards[f.n_shards].parent = parent;
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%zu-%03zu", f.n_shards, i);
		f.shards[f.n_shards].data[i][base64_encode(bytes_str(text), f.shards[f.n_shards].data[i])] = '\0';
	}
	f.shards[f.n_shards++].n = n;
	if (parent >= 0)
		f.shards[parent].closed = true;
	pthread_mutex_unlock(&f.lock);
}

/* ---- helpers ---- */

/* The fake store that was opened last; who opened it frees it. */
static struct store *fake;

static inline enum seal_status fake_open(const char *address, const struct store_config *config, struct store **out,
					 struct seal_err *why)
{
	fake = *out = fake_store_new();
	return SEAL_OK;
}

static const struct store_ops fake_store = {.size = sizeof(struct store_ops), .name = "fake", .open = fake_open};

static inline void fake_set_away(bool away)
{
	atomic_store(&fake_store_control(fake)->fail, away ? SEAL_RETRY : SEAL_OK);
}

/* How often the keeper has asked for its lines. */
static inline unsigned fake_asked(void)
{
	return atomic_load(&fake_store_control(fake)->queries);
}

#define FAKE_LINE BYTES_LIT("app/eu-west-1/purchases/shard-0")

/* What the line of the first shard says now. */
static inline unsigned long fake_counter(void)
{
	struct store_item item = {.key = FAKE_LINE};
	struct store_session *session;
	struct store_call call;
	struct arena arena;
	unsigned long counter;
	char line[300];
	const char *at;

	arena_init(&arena, 0);
	call = (struct store_call){.arena = &arena, .deadline_ms = UINT64_MAX / 2};
	assert_int_equal(fake->ops->session(fake, &session, NULL), SEAL_OK);
	assert_int_equal(fake->ops->get(session, "kinesis-leases", &item, 1, &call, NULL), SEAL_OK);
	snprintf(line, sizeof(line), "%.*s", BYTES_FMT(item.value));
	at = strstr(line, "\"counter\":");
	assert_non_null(at);
	counter = strtoul(at + strlen("\"counter\":"), NULL, 10);
	fake->ops->session_free(session);
	arena_clear(&arena);
	return counter;
}

static struct seal_err err;
static struct kinesis_options options;
static const struct store_ops *const stores[] = {&sqlite_store, &fake_store, NULL};
static struct record records[500];
static struct batch batch;
static char folder[64], book[100];

static inline int setup(void **state)
{
	memset(&f, 0, sizeof(f));
	f.seed = 5;
	f.page = 7;
	f.max_kib = 1024;
	pthread_mutex_init(&f.lock, NULL);
	test_server_start(&f.server, answer, NULL);
	err_clear(&err);
	options = (struct kinesis_options){.region = "eu-west-1",
					   .endpoint = f.server.url,
					   .requests = 3,
					   .start = "trim-horizon",
					   .group = "app",
					   .lease_ms = 600,
					   .stores = stores};
	batch = (struct batch){.records = records, .cap = 500};
	arena_init(&batch.arena, 1 << 14);
	snprintf(folder, sizeof(folder), "/tmp/test_kinesis.XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static inline int teardown(void **state)
{
	char command[100];

	test_server_stop(&f.server);
	arena_clear(&batch.arena);
	pthread_mutex_destroy(&f.lock);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static inline void keep_in(const char *kind)
{
	snprintf(book, sizeof(book), "%s:%s/book", kind, folder);
	options.checkpoint = book;
}

static inline struct sink *open_sink(void)
{
	struct sink *sink = NULL;

	assert_int_equal(kinesis_sink_ops.open("purchases", &options, &sink, &err), SEAL_OK);
	return sink;
}

static inline struct source *open_source(void)
{
	struct source *source = NULL;

	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_OK);
	return source;
}

static inline void release(struct source *source)
{
	source->ops->release(source, &batch);
	arena_reset(&batch.arena);
	batch.n = 0;
}

/* READ_SOME or READ_END, waiting out what can be. */
static inline enum read_result next(struct source *source, size_t max)
{
	enum read_result result = READ_IDLE;

	while (result == READ_IDLE) {
		const enum seal_status rc = source->ops->read(source, &batch, max, 1000, &result, &err);

		if (rc == SEAL_RETRY) {
			err_clear(&err);
			result = READ_IDLE;
		} else {
			assert_int_equal(rc, SEAL_OK);
		}
	}
	return result;
}

/* Reads so many, or to the end: each shard's records from `first` on, in order, and none before those of its parent. */
static inline size_t read_all(struct source *source, size_t wanted, const size_t *first)
{
	size_t at[SHARDS], n = 0;

	for (size_t i = 0; i < SHARDS; i++)
		at[i] = first != NULL ? first[i] : 0;
	while (n < wanted && next(source, 5) == READ_SOME) {
		for (size_t i = 0; i < batch.n; i++, n++) {
			size_t shard, number;
			char text[12];

			snprintf(text, sizeof(text), "%.*s", BYTES_FMT(records[i].value));
			assert_int_equal(sscanf(text, "%zu-%zu", &shard, &number), 2);
			assert_int_equal(number, at[shard]++);
			assert_true(bytes_eq_str(records[i].key, "k\xE2\x82\xAC"));
			assert_int_equal(records[i].timestamp_ms, 1795320049700);
			assert_int_equal(records[i].timestamp_type, TIMESTAMP_LOG_APPEND);
			if (f.shards[shard].parent >= 0)
				assert_int_equal(at[f.shards[shard].parent], f.shards[f.shards[shard].parent].n);
		}
		assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
		release(source);
	}
	return n;
}

/* Nobody asks: waits until what was asked before, and given up, has been dealt with. */
static inline void settle(void)
{
	while (atomic_load(&f.server.busy) > 0)
		usleep(1000);
}

/* GetRecords of a shard. */
static inline size_t asked(size_t shard)
{
	size_t n;

	pthread_mutex_lock(&f.lock);
	n = f.shards[shard].asked;
	pthread_mutex_unlock(&f.lock);
	return n;
}

#endif
