/*
 * streams/kinesis: sink and source with their threads, against a server that plays the service: partial failures, throttling,
 * iterators that expire, shards that are split, places and leases. Run under TSan, too.
 */
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

static unsigned roll(unsigned n)
{
	f.seed ^= f.seed << 13;
	f.seed ^= f.seed >> 7;
	f.seed ^= f.seed << 17;
	return (unsigned)(f.seed % n);
}

static struct json_value member(const struct json_value *object, const char *name)
{
	struct json_value out;

	json_members(object, &name, 1, &out);
	return out;
}

static void text_of(const struct json_value *object, const char *name, char *out, size_t room)
{
	const struct json_value value = member(object, name);

	snprintf(out, room, "%.*s", BYTES_FMT(value.text));
}

static void put(struct seal_buf *out, const char *text)
{
	assert_int_equal(buf_append_str(out, text, NULL), SEAL_OK);
}

static void put_records(const struct json_value *request, struct seal_buf *out)
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

static void list_shards(struct seal_buf *out)
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
static void get_iterator(const struct json_value *request, struct seal_buf *out)
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

static bool get_records(const struct json_value *request, struct seal_buf *out)
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

static unsigned serve(const char *operation, struct seal_bytes body, struct seal_buf *out)
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

static bool answer(struct test_server *server, int fd, const struct test_request *r)
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

static void add_shard(int parent, size_t n)
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

static enum seal_status fake_open(const char *address, const struct store_config *config, struct store **out,
				  struct seal_err *why)
{
	fake = *out = fake_store_new();
	return SEAL_OK;
}

static const struct store_ops fake_store = {.size = sizeof(struct store_ops), .name = "fake", .open = fake_open};

static void fake_set_away(bool away)
{
	atomic_store(&fake_store_control(fake)->fail, away ? SEAL_RETRY : SEAL_OK);
}

/* How often the keeper has asked for its lines. */
static unsigned fake_asked(void)
{
	return atomic_load(&fake_store_control(fake)->queries);
}

#define FAKE_LINE BYTES_LIT("app/eu-west-1/purchases/shard-0")

/* What the line of the first shard says now. */
static unsigned long fake_counter(void)
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

static int setup(void **state)
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

static int teardown(void **state)
{
	char command[100];

	test_server_stop(&f.server);
	arena_clear(&batch.arena);
	pthread_mutex_destroy(&f.lock);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void keep_in(const char *kind)
{
	snprintf(book, sizeof(book), "%s:%s/book", kind, folder);
	options.checkpoint = book;
}

static struct sink *open_sink(void)
{
	struct sink *sink = NULL;

	assert_int_equal(kinesis_sink_ops.open("purchases", &options, &sink, &err), SEAL_OK);
	return sink;
}

static struct source *open_source(void)
{
	struct source *source = NULL;

	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_OK);
	return source;
}

static void release(struct source *source)
{
	source->ops->release(source, &batch);
	arena_reset(&batch.arena);
	batch.n = 0;
}

/* READ_SOME or READ_END, waiting out what can be. */
static enum read_result next(struct source *source, size_t max)
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
static size_t read_all(struct source *source, size_t wanted, const size_t *first)
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

/* ---- the sink ---- */

static void write_all(struct sink *sink, size_t n, unsigned keys)
{
	char value[16], key[8];

	for (size_t i = 0; i < n; i++) {
		struct record record = {.key = bytes_str(key), .value = bytes_str(value)};

		snprintf(value, sizeof(value), "%05zu", i);
		snprintf(key, sizeof(key), "k%u", (unsigned)i % keys);
		record.value = bytes_str(value);
		record.key = bytes_str(key);
		assert_int_equal(sink->ops->write(sink, &record, 1, i + 1, LONG_MS, &err), SEAL_OK);
	}
}

static void flush(struct sink *sink, uint64_t ticket)
{
	uint64_t acknowledged = 0;

	while (sink->ops->flush(sink, LONG_MS, &err) == SEAL_RETRY)
		err_clear(&err);
	assert_int_equal(err.status, SEAL_OK);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_OK);
	assert_int_equal(acknowledged, ticket);
}

/* Entries are throttled, whole calls, too: each record is stored once, those of a key in order. */
static void test_sink_keeps_order(void **state)
{
	struct sink *sink = open_sink();
	int last[9];

	f.dice = 300;
	f.fail.operation = "PutRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 3;
	write_all(sink, 500, 9);
	flush(sink, 500);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 500);
	memset(last, -1, sizeof(last));
	for (size_t i = 0; i < f.n_stored; i++) {
		uint8_t raw[32];
		size_t len;
		int n;

		assert_true(base64_decode(bytes_str(f.stored[i].data), raw, &len));
		raw[len] = '\0';
		n = (int)strtol((char *)raw, NULL, 10);
		assert_int_equal(f.stored[i].key[1] - '0', n % 9);
		assert_true(n > last[n % 9]);
		last[n % 9] = n;
	}
}

static void test_sink_entry_refused(void **state)
{
	struct sink *sink = open_sink();
	const char *const refused = "InvalidArgumentException";
	const struct record two[] = {{.key = BYTES_LIT("a"), .value = BYTES_LIT("1")},
				     {.key = BYTES_LIT("b"), .value = BYTES_LIT("2")}};

	for (unsigned i = 0; i < 2; i++) { /* also behind one that only has to wait */
		f.throttled = i;
		f.entry_code = refused;
		assert_int_equal(sink->ops->write(sink, two, i + 1, 1, LONG_MS, &err), SEAL_OK);
		assert_int_equal(sink->ops->flush(sink, LONG_MS, &err), SEAL_DATA);
		assert_string_equal(err.text, "PutRecords: InvalidArgumentException: no");
		assert_string_equal(err.place, "kinesis:purchases");
		assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
		err_clear(&err);
		sink = open_sink();
	}
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.entry_code = "InternalFailure"; /* is tried again */
	sink = open_sink();
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 1);
	f.entry_code = ""; /* neither refused nor stored */
	sink = open_sink();
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 2);
}

/* Closes it; true where it says so on the way. */
static bool closes_with(struct sink *sink, const char *text)
{
	char path[100], said[1000] = "";
	const int was = dup(2);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/said", folder);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	assert_true(was >= 0 && fd >= 0 && dup2(fd, 2) == 2);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(dup2(was, 2), 2);
	n = pread(fd, said, sizeof(said) - 1, 0);
	close(was);
	close(fd);
	return n > 0 && strstr(said, text) != NULL;
}

/* Whether it is there after a 500 nobody knows: the one who counts what may be twice sends it again, and no one below. */
static void test_sink_repeats_nothing_unseen(void **state)
{
	struct sink *sink = open_sink();

	f.fail.operation = "PutRecords";
	f.fail.code = "InternalFailure";
	f.fail.status = 500;
	f.fail.times = 2;
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(f.n_stored, 1);
	assert_true(closes_with(sink, "2 records had to be sent again"));
	sink = open_sink();
	f.fail.code = "ProvisionedThroughputExceededException"; /* not there: not twice */
	f.fail.status = 400;
	f.fail.times = 2;
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_false(closes_with(sink, "twice"));
}

/* Empty keys are alike, and keep their order, too: the double takes no two of a key in a request. */
static void test_sink_empty_keys(void **state)
{
	struct record records_of_it[3] = {
		{.key = BYTES_LIT(""), .value = BYTES_LIT("1")},
		{.key = BYTES_LIT(""), .value = BYTES_LIT("2")},
		{.key = BYTES_LIT(""), .value = BYTES_LIT("3")},
	};
	struct sink *sink = open_sink();

	assert_int_equal(sink->ops->write(sink, records_of_it, 3, 1, LONG_MS, &err), SEAL_OK);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 3);
	assert_int_equal(f.n_puts, 3);
}

static void test_sink_keys_and_targets(void **state)
{
	struct sink *sink = open_sink();
	struct record three[3] = {{.value = BYTES_LIT("")},
				  {.value = BYTES_LIT("x"), .key = BYTES_LIT("\xFF")},
				  {.value = BYTES_LIT("x"), .key = BYTES_LIT("\""), .topic = BYTES_LIT("dead")}};

	assert_int_equal(sink->ops->write(sink, three, 3, 1, 0, &err), SEAL_OK);
	flush(sink, 1);
	assert_int_equal(f.n_puts, 2);
	for (size_t i = 0; i < 3; i++) {
		const struct entry *e = &f.stored[i];

		if (strcmp(e->stream, "dead") == 0)
			assert_string_equal(e->key, "\\\"");
		else if (e->data[0] == '\0')
			assert_int_equal(strlen(e->key), 32);
		else /* SHA-256 of FF */
			assert_string_equal(e->key,
					    "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89");
	}
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void test_sink_limits(void **state)
{
	uint8_t *large = mem_calloc(1, 3 << 20);
	struct record record = {.key = BYTES_LIT("key"), .value = bytes_of(large, (1 << 20) - 3)};
	struct sink *sink = open_sink();
	const char *flag;
	size_t max;

	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_OK);
	record.value.len++;
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	err_clear(&err);
	record.value = BYTES_EMPTY;
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	err_clear(&err);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.max_kib = 2048;
	sink = open_sink();
	assert_int_equal(sink->ops->record_max(sink, &max, &flag, &err), SEAL_OK);
	assert_int_equal(max, 2 << 20);
	record.value = bytes_of(large, (2 << 20) - 3);
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	mem_free(large);
}

static void test_who_may_not(void **state)
{
	struct sink *sink = NULL;
	struct source *source = NULL;

	f.fail.operation = "DescribeStreamSummary"; /* may write all the same */
	f.fail.code = "AccessDeniedException";
	f.fail.status = 400;
	f.fail.times = 1;
	sink = open_sink();
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.fail.code = "ResourceNotFoundException";
	f.fail.times = 1;
	assert_int_equal(kinesis_sink_ops.open("nobody", &options, &sink, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CREATE);
	assert_string_equal(err.place, "kinesis:nobody");
	err_clear(&err);
	f.fail.operation = "ListShards";
	f.fail.times = 1;
	assert_int_equal(kinesis_source_ops.open("nobody", &options, &source, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
	err_clear(&err);
	f.fail.code = "AccessDeniedException";
	f.fail.times = 1;
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_DENIED);
	err_clear(&err);
	assert_int_equal(kinesis_source_ops.open("no stream", &options, &source, &err), SEAL_USAGE);
	assert_null(source);
}

/* ---- the source ---- */

static void test_source_reads_all(void **state)
{
	struct source *source;

	options.exit_at_end = true;
	add_shard(-1, 50);
	add_shard(-1, 0);
	add_shard(-1, 33);
	f.fail.operation = "GetRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 4;
	f.expired = 2;
	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, NULL), 83);
	source->ops->close(source, true);
}

/* Children of children, a merge among them: each after those it came from, though all are there from the start. */
static void test_source_parents_first(void **state)
{
	struct source *source;

	keep_in("file");
	add_shard(-1, 20);
	add_shard(0, 20);
	add_shard(0, 20);
	add_shard(1, 20);
	source = open_source();
	assert_int_equal(read_all(source, 80, NULL), 80);
	add_shard(3, 10); /* while it is read */
	assert_int_equal(read_all(source, 10, (size_t[SHARDS]){20, 20, 20, 20}), 10);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
	source->ops->close(source, true);
	options.exit_at_end = true;
	source = open_source();
	assert_int_equal(next(source, 1), READ_END);
	source->ops->close(source, true);
}

/* GetRecords of a shard. */
static size_t asked(size_t shard)
{
	size_t n;

	pthread_mutex_lock(&f.lock);
	n = f.shards[shard].asked;
	pthread_mutex_unlock(&f.lock);
	return n;
}

static void test_source_latest(void **state)
{
	struct source *source;

	options.start = "latest";
	options.exit_at_end = true;
	add_shard(-1, 20);
	add_shard(0, 20);
	source = open_source();
	assert_int_equal(next(source, 1), READ_END);
	assert_int_equal(f.shards[0].asked, 0);
	assert_string_equal(f.last_type, "LATEST");
	source->ops->close(source, true);
	options.exit_at_end = false;
	source = open_source();
	while (asked(1) < 2)
		usleep(1000);
	add_shard(1, 5); /* what comes later is read from its beginning */
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20, 20}), 5);
	assert_string_equal(f.last_type, "TRIM_HORIZON");
	source->ops->close(source, true);
	options.start = "1795320001.094";
	source = open_source();
	assert_int_equal(next(source, 1), READ_SOME);
	release(source);
	assert_string_equal(f.last_type, "AT_TIMESTAMP");
	assert_string_equal(f.last_start, "1795320001.094");
	source->ops->close(source, true);
}

#define REFUSED 1000

/* Waits until so many GetRecords were refused; then there are 23 records, and no more is refused. */
static void refuse_until_more(unsigned times)
{
	bool enough = false;

	while (!enough) {
		usleep(1000);
		pthread_mutex_lock(&f.lock);
		enough = f.fail.times <= REFUSED - times;
		pthread_mutex_unlock(&f.lock);
	}
	pthread_mutex_lock(&f.lock);
	f.shards[0].n = 23;
	f.fail.times = 0;
	pthread_mutex_unlock(&f.lock);
}

/* What comes while the first answer is waited for is not passed over, although "latest" is behind it by then. */
static void test_source_latest_refused(void **state)
{
	struct source *source;

	options.start = "latest";
	options.exit_at_end = true;
	add_shard(-1, 23);
	for (int i = 0; i < 2; i++) {
		f.shards[0].n = 20;
		f.fail.operation = "GetRecords";
		f.fail.code = i == 0 ? "ProvisionedThroughputExceededException" : "InternalFailure";
		f.fail.status = i == 0 ? 400 : 500;
		f.fail.times = REFUSED;
		source = open_source();
		refuse_until_more(i == 0 ? 1 : 20);
		assert_int_equal(next(source, 5), READ_SOME);
		pthread_mutex_lock(&f.lock);
		assert_string_equal(f.last_type, i == 0 ? "LATEST" : "AT_TIMESTAMP");
		pthread_mutex_unlock(&f.lock);
		assert_true(bytes_eq_str(records[0].value, i == 0 ? "0-020" : "0-000"));
		release(source);
		source->ops->close(source, true);
	}
}

/* What was read and not committed is there for who comes after, although "latest" is somewhere else by then. */
static void test_source_latest_again(void **state)
{
	struct source *source;

	keep_in("sqlite");
	options.start = "latest";
	add_shard(-1, 23);
	f.shards[0].n = 20;
	source = open_source();
	while (asked(0) < 1)
		usleep(1000);
	assert_string_equal(f.last_type, "LATEST");
	pthread_mutex_lock(&f.lock);
	f.shards[0].n = 23;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(next(source, 5), READ_SOME);
	assert_true(bytes_eq_str(records[0].value, "0-020"));
	release(source);
	source->ops->close(source, false); /* as if killed */
	source = open_source();
	assert_int_equal(next(source, 5), READ_SOME);
	assert_string_equal(f.last_type, "AT_TIMESTAMP");
	assert_true(strtod(f.last_start, NULL) > 1e9);
	release(source);
	source->ops->close(source, false);
}

/* A batch whose first records alone are committed, and a mark: the next run begins there. */
static void test_source_places(void **state)
{
	struct source *source;
	struct batch part;

	keep_in("sqlite");
	options.exit_at_end = true;
	add_shard(-1, 40);
	source = open_source();
	while (next(source, 10) == READ_SOME && records[0].offset != 1)
		release(source);
	part = batch;
	part.n = 3;
	assert_int_equal(source->ops->commit(source, &part, &err), SEAL_OK);
	release(source);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
	source->ops->close(source, true);

	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	assert_true(bytes_eq_str(records[0].value, "0-003"));
	assert_true(bytes_eq_str(records[0].id, "103"));
	assert_int_equal(source->ops->assignment(source, 0), 1);
	assert_int_equal(source->ops->assignment(source, 1), 0);
	release(source); /* a mark may come later than that */
	assert_int_equal(source->ops->mark(source, 0, 7, 6, &err), SEAL_OK); /* of another time: nothing */
	assert_int_equal(source->ops->mark(source, 0, 1, 3, &err), SEAL_OK);
	source->ops->close(source, true); /* saves, too */

	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, (size_t[SHARDS]){5}), 35);
	source->ops->close(source, false); /* as if killed: what the keeper had not saved is read again */
}

/* Another reader writes its name into our line: what we read since counts for nothing, and its place is left alone. */
static void test_source_loses_its_lease(void **state)
{
	static const char other[] = "{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"101\","
				    "\"done\":0,\"ended\":false}";
	struct store *store;
	struct store_session *session;
	struct store_item item = {.key = BYTES_LIT("app/eu-west-1/purchases/shard-0")};
	struct arena arena;
	struct store_call call = {.arena = &arena, .deadline_ms = UINT64_MAX / 2};
	const struct store_config config = {.create = true};
	struct source *source;
	bool swapped = false;

	arena_init(&arena, 0);
	keep_in("sqlite");
	options.lease_ms = 3000;
	add_shard(-1, 40);
	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	assert_int_equal(sqlite_store.open(book, &config, &store, &err), SEAL_OK);
	assert_int_equal(store->ops->session(store, &session, &err), SEAL_OK);
	while (!swapped) {
		assert_int_equal(store->ops->get(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
		assert_int_equal(store->ops->swap(session, "kinesis-leases", item.key, item.value, BYTES_LIT(other),
						  false, &swapped, &call, &err),
				 SEAL_OK);
	}
	assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
	release(source);
	while (source->ops->assignment(source, 0) != 0)
		usleep(1000);
	source->ops->close(source, true);
	assert_int_equal(store->ops->get(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
	assert_true(bytes_eq_str(item.value, other));
	store->ops->session_free(session);
	store->ops->free(store);
	arena_clear(&arena);
}

static void test_source_away(void **state)
{
	enum read_result result;
	struct source *source;
	enum seal_status rc;

	add_shard(-1, 3);
	f.fail.operation = "GetRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 1000000;
	source = open_source();
	while ((rc = source->ops->read(source, &batch, 1, 100, &result, &err)) == SEAL_OK)
		assert_int_equal(result, READ_IDLE);
	assert_int_equal(rc, SEAL_RETRY);
	assert_true(source->ops->away(source));
	pthread_mutex_lock(&f.lock);
	f.fail.times = 0;
	pthread_mutex_unlock(&f.lock);
	err_clear(&err);
	assert_int_equal(next(source, 1), READ_SOME);
	assert_false(source->ops->away(source));
	release(source);
	source->ops->close(source, true);

	f.fail.code = "AccessDeniedException";
	f.fail.times = 1000000;
	source = open_source();
	while ((rc = source->ops->read(source, &batch, 1, 100, &result, &err)) == SEAL_OK)
		assert_int_equal(result, READ_IDLE);
	assert_int_equal(rc, SEAL_DENIED);
	source->ops->close(source, true);
}

/* A shard that the service has forgotten ends; its children are read. */
static void test_source_of_a_shard_that_is_gone(void **state)
{
	struct source *source;

	add_shard(-1, 20);
	source = open_source();
	assert_int_equal(read_all(source, 20, NULL), 20);
	add_shard(0, 5);
	pthread_mutex_lock(&f.lock);
	f.gone = 1;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20}), 5);
	source->ops->close(source, true);
}

/* The reader of a parent died, and the service forgot the parent before its lease was over. */
static void test_source_of_a_parent_that_is_gone(void **state)
{
	static const char other[] = "{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"101\","
				    "\"done\":0,\"ended\":false}";
	struct store_item item = {.key = BYTES_LIT("app/eu-west-1/purchases/shard-0"), .value = BYTES_LIT(other)};
	const struct store_config config = {.create = true};
	struct store_session *session;
	struct store *store;
	struct arena arena;
	struct store_call call = {.arena = &arena, .deadline_ms = UINT64_MAX / 2};
	struct source *source;

	arena_init(&arena, 0);
	keep_in("sqlite");
	options.lease_ms = 3600000;
	assert_int_equal(sqlite_store.open(book, &config, &store, &err), SEAL_OK);
	assert_int_equal(store->ops->session(store, &session, &err), SEAL_OK);
	assert_int_equal(store->ops->insert(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
	add_shard(-1, 20);
	add_shard(0, 5);
	add_shard(-1, 3);
	source = open_source();
	assert_int_equal(read_all(source, 3, NULL), 3);
	pthread_mutex_lock(&f.lock);
	f.gone = 1;
	pthread_mutex_unlock(&f.lock);
	add_shard(2, 0); /* the end of a shard is why the list is read again */
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20, 0, 3}), 5);
	source->ops->close(source, true);
	store->ops->session_free(session);
	store->ops->free(store);
	arena_clear(&arena);
}

/* The one that had the shard was killed: who reads to the end waits until its lease is over, and reads what it left. */
static void test_source_reads_to_the_end_behind_a_dead_one(void **state)
{
	struct source *source;

	keep_in("sqlite");
	options.exit_at_end = true;
	add_shard(-1, 40);
	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	release(source);
	source->ops->close(source, false);
	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, NULL), 40);
	source->ops->close(source, true);
}

/* Reads, without committing, until the source says that its leases may be over. */
static size_t read_until_stale(struct source *source)
{
	enum read_result result = READ_IDLE;
	size_t n = 0;

	for (;;) {
		const enum seal_status rc = source->ops->read(source, &batch, 1, 10, &result, &err);

		if (rc == SEAL_OK && result == READ_SOME) {
			n++;
			release(source);
			continue;
		}
		if (rc == SEAL_RETRY && asked(0) > 0 && strstr(err.text, "were not renewed") != NULL)
			return n;
		err_clear(&err);
		assert_true(rc == SEAL_OK || rc == SEAL_RETRY);
	}
}

/* The data base is away for longer than a lease: another may have the shard, so that it is not read on, until it is back. */
static void test_source_with_a_book_that_is_away(void **state)
{
	struct source *source;
	size_t n, calls;

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	options.lease_ms = 400;
	f.page = 1;
	add_shard(-1, 200);
	source = open_source();
	assert_int_equal(next(source, 1), READ_SOME);
	release(source);
	fake_set_away(true);
	n = 1 + read_until_stale(source);
	assert_true(n < 200); /* a page is a record, and 200 ms */
	assert_non_null(strstr(err.text, "400 ms"));
	assert_string_equal(err.place, "kinesis:purchases");
	assert_true(source->ops->away(source));
	err_clear(&err);
	calls = asked(0) + 1; /* one may be under way */
	for (unsigned was = fake_asked(); fake_asked() < was + 5;) { /* passes of the keeper */
		enum read_result result;

		assert_int_equal(source->ops->read(source, &batch, 1, 10, &result, &err), SEAL_RETRY);
		err_clear(&err);
	}
	assert_true(asked(0) <= calls);
	fake_set_away(false);
	assert_int_equal(next(source, 1), READ_SOME); /* it was still ours, and goes on where it was */
	assert_int_equal(records[0].offset, n + 1);
	assert_int_equal(source->ops->assignment(source, 0), 1);
	release(source);
	/* Once more; this time somebody else has taken it. */
	fake_set_away(true);
	(void)read_until_stale(source);
	err_clear(&err);
	fake_store_remove(fake, "kinesis-leases", FAKE_LINE);
	fake_store_put(
		fake, "kinesis-leases", FAKE_LINE,
		BYTES_LIT("{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"\",\"done\":0,"
			  "\"ended\":false}"));
	fake_set_away(false);
	while (source->ops->assignment(source, 0) != 0)
		usleep(1000);
	source->ops->close(source, true);
}

/* The list of shards cannot be had, and is asked for again and again: leases are renewed all the same. */
static void test_source_without_a_list(void **state)
{
	struct source *source;
	unsigned long counter;

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	add_shard(-1, 3);
	add_shard(-1, 0);
	source = open_source();
	pthread_mutex_lock(&f.lock);
	f.shards[1].closed = true; /* its end is why the list is asked for */
	f.fail.operation = "ListShards";
	f.fail.code = "LimitExceededException";
	f.fail.status = 400;
	f.fail.times = 1000000;
	pthread_mutex_unlock(&f.lock);
	while (!source->ops->away(source))
		usleep(1000);
	counter = fake_counter();
	while (fake_counter() < counter + 5)
		usleep(1000);
	assert_int_equal(read_all(source, 3, NULL), 3);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK); /* what was committed is in the book */
	source->ops->close(source, true);
}

/* A list that has no end, or does not come: neither leases nor the end of the run wait for it for long. */
static void test_source_with_an_endless_list(void **state)
{
	for (unsigned held = 0; held < 2; held++) {
		struct source *source;
		uint64_t until;
		unsigned long counter;

		snprintf(book, sizeof(book), "fake:");
		options.checkpoint = book;
		options.lease_ms = 3000;
		add_shard(-1, 0);
		add_shard(-1, 0);
		source = open_source();
		pthread_mutex_lock(&f.lock);
		f.shards[1].closed = true; /* its end is why the list is asked for */
		f.endless = held == 0;
		f.held = held == 1 ? "ListShards" : NULL;
		pthread_mutex_unlock(&f.lock);
		while (!source->ops->away(source))
			usleep(1000);
		until = clock_mono_ms() + 20000; /* a call may take 30 s */
		for (counter = fake_counter(); fake_counter() < counter + 2; usleep(1000))
			assert_true(clock_mono_ms() < until);
		source->ops->close(source, true);
		pthread_mutex_lock(&f.lock);
		f.endless = f.shards[1].closed = false;
		f.held = NULL;
		f.n_shards = 0;
		pthread_mutex_unlock(&f.lock);
	}
}

/* A service that does not answer any more: the end of the run does not wait for it, and the leases are given back. */
static void test_source_of_a_silent_service(void **state)
{
	static const char *const operations[] = {"GetRecords", "GetShardIterator", "ListShards"};

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	options.lease_ms = 60000;
	for (size_t i = 0; i < 3; i++) {
		struct source *source;
		uint64_t began;
		bool held = false;

		add_shard(-1, 3);
		add_shard(-1, 0);
		pthread_mutex_lock(&f.lock);
		f.shards[1].closed = i == 2; /* its end is why the list is asked for */
		f.n_held = 0;
		pthread_mutex_unlock(&f.lock);
		source = open_source();
		pthread_mutex_lock(&f.lock);
		f.held = operations[i];
		f.expired = i == 1; /* asks for an iterator again */
		pthread_mutex_unlock(&f.lock);
		while (!held) {
			usleep(1000);
			pthread_mutex_lock(&f.lock);
			held = f.n_held > 0;
			pthread_mutex_unlock(&f.lock);
		}
		began = clock_mono_ms();
		source->ops->close(source, true);
		assert_true(clock_mono_ms() - began < 15000); /* a call may take 30 s */
		pthread_mutex_lock(&f.lock);
		f.held = NULL;
		f.n_shards = f.expired = 0;
		pthread_mutex_unlock(&f.lock);
	}
}

/* Each iterator has expired as it comes: the service is in trouble, and is asked with pauses. */
static void test_source_of_expired_iterators(void **state)
{
	enum seal_status rc = SEAL_OK;
	enum read_result result;
	struct source *source;

	add_shard(-1, 3);
	f.expired = SIZE_MAX;
	source = open_source();
	for (unsigned i = 0; rc == SEAL_OK && i < 500; i++)
		rc = source->ops->read(source, &batch, 1, 10, &result, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_int_equal(err.status, SEAL_RETRY);
	assert_non_null(strstr(err.text, "ExpiredIteratorException"));
	err_clear(&err);
	pthread_mutex_lock(&f.lock);
	f.expired = 0;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(read_all(source, 3, NULL), 3);
	source->ops->close(source, true);
}

/* Who begins at "latest" writes down when that was, by the service's clock: a later reader asks for no time to come. */
static void test_source_latest_by_other_clocks(void **state)
{
	struct source *source;

	for (int i = 0; i < 2; i++) {
		snprintf(book, sizeof(book), "sqlite:%s/%d", folder, i);
		options.checkpoint = book;
		options.start = "latest";
		f.ahead_s = i == 0 ? -3600 : 3600;
		if (i == 0)
			add_shard(-1, 20);
		f.shards[0].n = 20;
		source = open_source();
		while (asked(0) < 1)
			usleep(1000);
		assert_string_equal(f.last_type, "LATEST");
		source->ops->close(source, false);
		f.shards[0].asked = 0;
		source = open_source();
		while (asked(0) < 1)
			usleep(1000);
		assert_string_equal(f.last_type, "AT_TIMESTAMP");
		/* Not much before the first one had come, either. */
		assert_true(strtod(f.last_start, NULL) > (double)clock_unix_ms() / 1000 + (double)f.ahead_s - 600);
		source->ops->close(source, false);
		f.shards[0].asked = 0;
	}
	options.start = "4000000000";
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "time to come"));
}

/* The time by which a shard is behind its tip, as the service says. */
static void test_source_lag(void **state)
{
	struct source_lag rows[2];
	struct source *source;

	add_shard(-1, 2);
	add_shard(-1, 2);
	f.behind_ms = 1500;
	source = open_source();
	assert_int_equal(source->ops->lag(source, rows, 1), 2);
	assert_int_equal(read_all(source, 4, NULL), 4);
	do
		assert_int_equal(source->ops->lag(source, rows, 2), 2);
	while (rows[0].ms != 1500 || rows[1].ms != 1500);
	assert_true(rows[0].records == -1 && rows[1].partition == 1);
	pthread_mutex_lock(&f.lock);
	f.behind_ms = 0;
	f.shards[0].closed = true;
	pthread_mutex_unlock(&f.lock);
	do
		usleep(1000);
	while (source->ops->lag(source, rows, 2) != 1 || rows[0].ms != 0);
	assert_int_equal(rows[0].partition, 1);
	source->ops->close(source, true);
}

static void test_group_is_needed(void **state)
{
	struct source *source;

	keep_in("file");
	options.group = NULL;
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "--group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sink_keeps_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_entry_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_repeats_nothing_unseen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_empty_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_keys_and_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may_not, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_reads_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_parents_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_loses_its_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_shard_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_parent_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_reads_to_the_end_behind_a_dead_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_with_a_book_that_is_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_without_a_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_with_an_endless_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_expired_iterators, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_silent_service, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_by_other_clocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_lag, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_is_needed, setup, teardown),
	};

	setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "nothing", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
