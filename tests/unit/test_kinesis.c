/*
 * streams/kinesis: its parts alone. Aggregated records, answers, lines of the book, where it is kept, who takes which shard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "stores/sqlite/sqlite.h"
#include "streams/kinesis/aggregate.h"
#include "streams/kinesis/source.h"

static struct arena arena;
static struct seal_err err;

static int setup(void **state)
{
	arena_init(&arena, 0);
	err_clear(&err);
	return 0;
}

static int teardown(void **state)
{
	arena_clear(&arena);
	return 0;
}

/* ---- aggregates ---- */

/* Magic and check sum around a message. */
static struct seal_bytes wrap(struct seal_bytes message)
{
	uint8_t *out = arena_alloc(&arena, message.len + 20, 1);

	memcpy(out, "\xF3\x89\x9A\xC2", 4);
	memcpy(out + 4, message.ptr, message.len);
	assert_true(md5(message, out + 4 + message.len));
	return bytes_of(out, message.len + 20);
}

struct item {
	struct seal_bytes key, data;
};

static struct item items[4];
static const struct hash_range *range;

/* Fills `items`; what is foreign has none. */
static size_t items_of(struct seal_bytes data, enum aggregate_kind *kind)
{
	struct aggregate aggregate = {.n = 0};
	struct item item;
	size_t n = 0;

	assert_int_equal(aggregate_open(data, range, &arena, &aggregate, kind, &err), SEAL_OK);
	for (; *kind == AGGREGATE_HERE && aggregate_next(&aggregate, &item.key, &item.data); n++)
		if (n < 4)
			items[n] = item;
	assert_int_equal(n, *kind == AGGREGATE_HERE ? aggregate.n - aggregate.foreign : 0);
	return n;
}

static enum aggregate_kind kind_of(struct seal_bytes data)
{
	enum aggregate_kind kind;

	(void)items_of(data, &kind);
	return kind;
}

#define KEY(text) "\x0a\x01" text
#define RECORD(key, data) "\x1a\x05\x08" key "\x1a\x01" data
#define HASHED(key, hash_key, data) "\x1a\x07\x08" key "\x10" hash_key "\x1a\x01" data

static void test_aggregate(void **state)
{
	/* A key behind its records, a hash key, an unknown field, tags of a record. */
	const struct seal_bytes message = BYTES_LIT(KEY("a") RECORD(
		"\x01", "x") "\x12\x01"
			     "7" KEY("b") RECORD("\x00", "y") "\x2a\x02zz"
							      "\x1a\x09\x08\x01\x10\x00\x1a\x00\x22\x01t");
	enum aggregate_kind kind;

	assert_int_equal(items_of(wrap(message), &kind), 3);
	assert_int_equal(kind, AGGREGATE_HERE);
	assert_true(bytes_eq_str(items[0].key, "b") && bytes_eq_str(items[0].data, "x"));
	assert_true(bytes_eq_str(items[1].key, "a") && bytes_eq_str(items[1].data, "y"));
	assert_true(bytes_eq_str(items[2].key, "b") && items[2].data.len == 0 && items[2].data.ptr != NULL);
}

/* Whatever is not wholly an aggregate is a record of its own. */
static void test_no_aggregate(void **state)
{
	static const char good[] = KEY("a") RECORD("\x00", "x");
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
		BAD(""), /* nothing in it */
		BAD(KEY("a")), /* no record */
		BAD(KEY("a") RECORD("\x01", "x")), /* no such key */
		BAD(RECORD("\x00", "x")),
		BAD(KEY("a") "\x1a\x02\x08\x00"), /* no data */
		BAD(KEY("a") "\x1a\x03\x1a\x01x"), /* no key */
		BAD(KEY("a") "\x18\x00"), /* a record that is a number */
		BAD(KEY("a") "\x1a\x04\x0a\x00\x1a\x00"), /* a key that is text */
		BAD(KEY("a") HASHED("\x00", "\x00", "x")), /* no such hash key */
		BAD(KEY("a") "\x12\x01x" HASHED("\x00", "\x00", "x")), /* one that is no number */
		BAD(KEY("a") "\x12\x00" HASHED("\x00", "\x00", "x")),
		BAD(KEY("a") "\x1a\x08\x08\x00\x12\x01x\x1a\x01x"), /* an index that is text */
		BAD(KEY("a") RECORD("\x00", "x") "\x1a\x7f"), /* longer than there is */
		BAD(KEY("a") RECORD("\x00", "x") "\x1b"), /* a group */
		BAD(KEY("a") RECORD("\x00", "x") "\x00\x00"), /* field 0 */
		BAD(KEY("a") RECORD("\x00", "x") "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* above 64 bits */
		BAD(KEY("a") RECORD("\x00", "x") "\x28\x80"),
		BAD(KEY("a") RECORD("\x00", "x") "\x2d\x00\x00\x00"),
		BAD(KEY("a") RECORD("\x00", "x") "\x29\x00\x00\x00"),
	};
	struct seal_bytes data = wrap(bytes_of(good, sizeof(good) - 1));
	uint8_t changed[64];

	assert_int_equal(kind_of(data), AGGREGATE_HERE);
	for (size_t i = 0; i < data.len; i++) { /* cut, and changed, at each byte */
		memcpy(changed, data.ptr, data.len);
		changed[i] ^= 1;
		assert_int_equal(kind_of(bytes_of(changed, data.len)), AGGREGATE_NONE);
		assert_int_equal(kind_of(bytes_of(data.ptr, i)), AGGREGATE_NONE);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kind_of(wrap(bytes_of(bad[i].text, bad[i].len))), AGGREGATE_NONE);
}

/* Decimals of up to 128 bits. */
static void test_hash_keys(void **state)
{
	static const char last[] = "340282366920938463463374607431768211455";
	uint8_t hash[HASH_KEY_LEN], ones[HASH_KEY_LEN];

	memset(ones, 0xff, sizeof(ones));
	assert_true(hash_key_read(bytes_str(last), hash));
	assert_memory_equal(hash, ones, sizeof(ones));
	assert_true(hash_key_read(BYTES_LIT("0"), hash) && hash[15] == 0);
	assert_true(hash_key_read(BYTES_LIT("0000000000000000000000000000000000000000000258"), hash));
	assert_true(hash[14] == 1 && hash[15] == 2 && hash[0] == 0);
	assert_false(hash_key_read(BYTES_LIT("340282366920938463463374607431768211456"), hash));
	assert_false(hash_key_read(BYTES_LIT("3402823669209384634633746074317682114550"), hash));
	assert_false(hash_key_read(BYTES_LIT(""), hash));
	assert_false(hash_key_read(BYTES_LIT("-1"), hash));
	assert_false(hash_key_read(BYTES_LIT("1 "), hash));
	assert_false(hash_key_read(BYTES_LIT("a"), hash));
}

/* MD5 of "a" begins with 0c, that of "b" with 92: of a stream of two shards the first has "a". */
static void test_other_shards(void **state)
{
	static const struct hash_range
		low = {{0}, {0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
		high = {{0x80}, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};
	/* Of "b" with a hash key of 3, of "a" with none; of "b" alone; of "a", and at last "b". */
	const struct seal_bytes moved = wrap(BYTES_LIT(KEY("a") KEY("b") "\x12\x01"
									 "3" HASHED("\x01", "\x00", "x")
										 RECORD("\x00", "y"))),
				b = wrap(BYTES_LIT(KEY("b") RECORD("\x00", "x"))),
				mixed = wrap(BYTES_LIT(KEY("a") KEY("b") RECORD("\x00", "x") RECORD("\x01", "y")));
	enum aggregate_kind kind;

	range = &low;
	assert_int_equal(items_of(moved, &kind), 2);
	assert_true(bytes_eq_str(items[0].key, "b"));
	assert_int_equal(kind_of(b), AGGREGATE_FOREIGN);
	assert_int_equal(items_of(mixed, &kind), 1); /* only what is sent again is left out */
	assert_true(bytes_eq_str(items[0].key, "a") && bytes_eq_str(items[0].data, "x"));
	range = &high;
	assert_int_equal(kind_of(moved), AGGREGATE_FOREIGN);
	assert_int_equal(kind_of(b), AGGREGATE_HERE);
	assert_int_equal(items_of(mixed, &kind), 1);
	assert_true(bytes_eq_str(items[0].key, "b") && bytes_eq_str(items[0].data, "y"));
	range = NULL;
	assert_int_equal(items_of(mixed, &kind), 2);
}

/* So many of a piece behind a beginning. */
static struct seal_bytes many(const char *first, size_t first_len, const char *piece, size_t len, size_t n)
{
	uint8_t *out = arena_alloc(&arena, first_len + n * len, 1);

	memcpy(out, first, first_len);
	for (size_t i = 0; i < n; i++)
		memcpy(out + first_len + i * len, piece, len);
	return wrap(bytes_of(out, first_len + n * len));
}

static void refuse(struct seal_bytes data)
{
	struct aggregate aggregate;
	enum aggregate_kind kind;

	assert_int_equal(aggregate_open(data, NULL, &arena, &aggregate, &kind, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(kind, AGGREGATE_NONE);
	err_clear(&err);
}

/* What one record of a hostile producer may become. */
static void test_aggregates_are_bounded(void **state)
{
	static const char start[] = KEY("a") RECORD("\x00", "x"), key[] = KEY("k"),
			  hash[] = "\x12\x01"
				   "1",
			  one[] = "\x1a\x04\x08\x00\x1a\x00";
	static char keys[AGGREGATE_KEY_BYTES + 4] = "\x0a\x80\x08"; /* its length, 1024 */
	enum aggregate_kind kind;

	assert_int_equal(items_of(many(start, sizeof(start) - 1, one, 6, AGGREGATE_RECORDS_MAX - 1), &kind),
			 AGGREGATE_RECORDS_MAX);
	refuse(many(start, sizeof(start) - 1, one, 6, AGGREGATE_RECORDS_MAX));
	assert_int_equal(kind_of(many(start, sizeof(start) - 1, key, 3, AGGREGATE_KEYS_MAX - 1)), AGGREGATE_HERE);
	refuse(many(start, sizeof(start) - 1, key, 3, AGGREGATE_KEYS_MAX));
	refuse(many(start, sizeof(start) - 1, hash, 3, AGGREGATE_KEYS_MAX + 1));
	assert_int_equal(kind_of(many(start, sizeof(start) - 1, keys, AGGREGATE_KEY_BYTES + 3, 1)), AGGREGATE_HERE);
	keys[1]++;
	refuse(many(start, sizeof(start) - 1, keys, AGGREGATE_KEY_BYTES + 4, 1));
}

/* One in another one is data. */
static void test_aggregates_are_flat(void **state)
{
	const struct seal_bytes inner = wrap(BYTES_LIT(KEY("a") RECORD("\x00", "x")));
	uint8_t outer[64] = KEY("a") "\x1a\x22\x08\x00\x1a\x1e";
	enum aggregate_kind kind;

	assert_int_equal(inner.len, 30);
	memcpy(outer + 9, inner.ptr, inner.len);
	assert_int_equal(items_of(wrap(bytes_of(outer, 9 + inner.len)), &kind), 1);
	assert_true(bytes_eq(items[0].data, inner));
}

/* ---- pages ---- */

static void set_text(struct page *page, const char *text)
{
	page->text.max = 1 << 20;
	assert_int_equal(buf_append_str(&page->text, text, &err), SEAL_OK);
}

static struct page_answer page_of(const char *text, enum seal_status expected)
{
	struct page_answer answer = {.page = page_new(), .topic = BYTES_LIT("t")};
	struct json_value value;

	assert_int_equal(json_value_of(bytes_str(text), &value, &err), SEAL_OK);
	set_text(answer.page, text);
	assert_int_equal(page_read(&answer, &err), expected);
	err_clear(&err);
	return answer;
}

/* Members that are not known hold what they like, known ones of another type are none, escapes are undone. */
static void test_pages(void **state)
{
	struct page_answer answer = page_of(
		"{\"x\":[[{\"Records\":1}]],\"Records\":[{\"SequenceNumber\":\"17\",\"Data\":\"aGk=\","
		"\"Other\":{\"Data\":[1,{}]},\"PartitionKey\":\"k\\u20ac\",\"ApproximateArrivalTimestamp\":1.5},7,[],"
		"{\"Data\":\"\",\"PartitionKey\":\"\",\"SequenceNumber\":\"18\"},"
		"{\"Data\":\"\\/\\/8=\",\"PartitionKey\":\"k\",\"SequenceNumber\":\"19\"}],"
		"\"MillisBehindLatest\":12,\"NextShardIterator\":\"a\\n\",\"ChildShards\":[{\"a\":[]}]} ",
		SEAL_OK);
	struct record record;
	uint64_t done;

	assert_int_equal(answer.page->n, 3);
	assert_int_equal(answer.n_records, 3);
	assert_int_equal(answer.behind_ms, 12);
	assert_string_equal(answer.last.at, "19");
	assert_true(bytes_eq_str(answer.next, "a\n"));
	page_take(answer.page, &record, &done);
	assert_true(bytes_eq_str(record.key, "k\xE2\x82\xAC") && bytes_eq_str(record.value, "hi") &&
		    bytes_eq_str(record.id, "17") && bytes_eq_str(record.topic, "t"));
	assert_int_equal(record.timestamp_ms, 1500);
	page_take(answer.page, &record, &done);
	assert_true(record.value.ptr != NULL && record.value.len == 0 && record.key.ptr != NULL &&
		    record.key.len == 0);
	assert_int_equal(record.timestamp_type, TIMESTAMP_NONE);
	page_take(answer.page, &record, &done);
	assert_true(bytes_eq_str(record.value, "\xff\xff"));
	assert_int_equal(answer.page->at, 3);
	page_free(answer.page);
	answer = page_of("{\"NextShardIterator\":null,\"MillisBehindLatest\":null,\"Records\":[]}", SEAL_OK);
	assert_int_equal(answer.page->n, 0);
	assert_null(answer.next.ptr);
	assert_int_equal(answer.behind_ms, -1);
	page_free(answer.page);
}

/* One that cannot be read is its own failure, and its neighbours are not touched; one without a number has no place. */
static void test_pages_with_broken_records(void **state)
{
	static const char *const bad[] = {"{\"Records\":[{\"Data\":\"\"}]}",
					  "{\"Records\":[{\"SequenceNumber\":\"\"}]}",
					  "{\"Records\":[{\"SequenceNumber\":17}]}",
					  "[]",
					  "{\"Records\":[],\"NextShardIterator\":\"\\ud800\"}",
					  "{}", /* not the end of the shard */
					  "{\"NextShardIterator\":\"a\"}",
					  "{\"Records\":{\"Data\":1},\"NextShardIterator\":null}"};
	struct page_answer answer =
		page_of("{\"Records\":[{\"SequenceNumber\":\"17\",\"Data\":\"aGk=\",\"PartitionKey\":\"\\ud83d\"},"
			"{\"SequenceNumber\":\"18\",\"Data\":\"aGk\",\"PartitionKey\":\"k\"},"
			"{\"SequenceNumber\":\"19\",\"PartitionKey\":\"k\"},"
			"{\"SequenceNumber\":\"20\",\"Data\":\"aGk=\",\"PartitionKey\":\"k\"}]}",
			SEAL_OK);
	static const char *const texts[] = {"its PartitionKey has half a character", "its Data is no base64",
					    "its Data is no base64"};
	struct record record;
	uint64_t done;

	assert_int_equal(answer.page->n, 4);
	for (size_t i = 0; i < 3; i++) {
		page_take(answer.page, &record, &done);
		assert_int_equal(record.broken->status, SEAL_DATA);
		assert_string_equal(record.broken->text, texts[i]);
		assert_int_equal(record.id.len, 2);
	}
	page_take(answer.page, &record, &done);
	assert_null(record.broken);
	assert_true(bytes_eq_str(record.value, "hi"));
	page_free(answer.page);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		page_free(page_of(bad[i], SEAL_RETRY).page);
}

/*
 * Of the aggregate at which a reader begins some are done; of another shard's records none comes, in front, in the middle or at the end,
 * and they count for the place in it.
 */
static void test_pages_of_aggregates(void **state)
{
	static const struct hash_range low = {{0}, {0x7f}};
	const struct seal_bytes two = wrap(BYTES_LIT(KEY("a") KEY("b") RECORD("\x01", "1") RECORD("\x00", "x") RECORD(
					"\x01", "2") RECORD("\x00", "y") RECORD("\x01", "3"))),
				b = wrap(BYTES_LIT(KEY("b") RECORD("\x00", "x")));
	struct page_answer answer = {.page = page_new(), .range = &low, .from = {.at = "17", .done = 3}};
	char encoded[2][120], text[600];
	struct record record;
	uint64_t done;

	encoded[0][base64_encode(two, encoded[0])] = '\0';
	encoded[1][base64_encode(b, encoded[1])] = '\0';
	snprintf(text, sizeof(text),
		 "{\"Records\":[{\"SequenceNumber\":\"17\",\"Data\":\"%s\"},{\"SequenceNumber\":\"18\",\"Data\":\"%"
		 "s\"},"
		 "{\"SequenceNumber\":\"19\",\"Data\":\"%s\"}]}",
		 encoded[0], encoded[0], encoded[1]);
	set_text(answer.page, text);
	assert_int_equal(page_read(&answer, &err), SEAL_OK);
	assert_int_equal(answer.page->n, 2);
	assert_int_equal(answer.foreign, 3 + 3 + 1);
	assert_string_equal(answer.last.at, "19");
	page_take(answer.page, &record, &done);
	assert_true(bytes_eq_str(record.id, "17") && bytes_eq_str(record.value, "y") && done == 0);
	page_take(answer.page, &record, &done);
	assert_true(bytes_eq_str(record.id, "18") && bytes_eq_str(record.value, "x") && done == 3);
	assert_int_equal(answer.page->at, 1);
	page_take(answer.page, &record, &done);
	assert_true(bytes_eq_str(record.value, "y") && done == 0);
	assert_int_equal(answer.page->at, 2);
	assert_true(page_reset(answer.page));
	answer = (struct page_answer){.page = answer.page, .from = {.at = "17", .done = 5}};
	set_text(answer.page, text);
	assert_int_equal(page_read(&answer, &err), SEAL_OK);
	assert_int_equal(answer.page->n, 2); /* all of the first was done */
	page_free(answer.page);
}

/* ---- lines ---- */

static void test_lease_lines(void **state)
{
	struct lease lease = {.owner = "host-\"1\"",
			      .counter = 7,
			      .position = {.at = "4963", .done = 3},
			      .ended = true},
		     back;
	struct seal_buf line = BUF_INIT(4096);

	for (int from = FROM_TRIM_HORIZON; from <= FROM_TIME; from++) {
		lease.from = (enum shard_from)from;
		lease.from_ms = from == FROM_TIME ? 1795320001094 : 0;
		buf_reset(&line);
		assert_int_equal(lease_write(&lease, &line, &err), SEAL_OK);
		assert_int_equal(lease_read(buf_bytes(&line), &back, &err), SEAL_OK);
		assert_string_equal(back.owner, lease.owner);
		assert_string_equal(back.position.at, "4963");
		assert_true(back.counter == 7 && back.position.done == 3 && back.ended && back.from == lease.from &&
			    back.from_ms == lease.from_ms);
	}
	for (size_t i = 0; i < line.len; i++) {
		err_clear(&err);
		assert_int_equal(lease_read(bytes_of(line.ptr, i), &back, &err), SEAL_DATA);
		assert_string_equal(back.owner, "");
	}
	err_clear(&err);
	assert_int_equal(
		lease_read(BYTES_LIT("{\"owner\":\"\",\"counter\":-1,\"from\":\"latest\",\"at\":\"\",\"done\":0,"
				     "\"ended\":false}"),
			   &back, &err),
		SEAL_DATA);
	buf_clear(&line);
}

static void test_where_to_begin(void **state)
{
	static const char *const bad[] = {
		"",   "Latest", "-1",		"1.5x", "2026-11-22",	       "2026-11-22T10:00:00",
		"1 ", "1e9",	"trim_horizon", ".5",	"99999999999999999999"};
	enum shard_from from;
	int64_t ms;

	assert_int_equal(lease_read_from("latest", &from, &ms, &err), SEAL_OK);
	assert_int_equal(from, FROM_LATEST);
	assert_int_equal(lease_read_from("1795320001.0945", &from, &ms, &err), SEAL_OK);
	assert_true(from == FROM_TIME && ms == 1795320001094);
	assert_int_equal(lease_read_from("1970-01-02T00:00:01.5Z", &from, &ms, &err), SEAL_OK);
	assert_true(from == FROM_TIME && ms == 86401500);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		assert_int_equal(lease_read_from(bad[i], &from, &ms, &err), SEAL_USAGE);
	}
}

/* ---- the book ---- */

static struct seal_bytes line_of(struct book *book, const char *key)
{
	struct store_item item = {.key = bytes_str(key)};

	assert_int_equal(book_get(book, &item, 1, &arena, &err), SEAL_OK);
	return item.value;
}

static void use_book(struct book *book)
{
	struct store_item lines[2] = {{.key = BYTES_LIT("k1"), .value = BYTES_LIT("one")},
				      {.key = BYTES_LIT("k2"), .value = BYTES_LIT("two")}};
	struct store_change changes[2] = {
		{.key = BYTES_LIT("k1"), .from = BYTES_LIT("one"), .to = BYTES_LIT("\"1\"\n\xE2\x82\xAC")},
		{.key = BYTES_LIT("k2"), .from = BYTES_LIT("other"), .to = BYTES_LIT("no")}};

	assert_null(line_of(book, "k1").ptr);
	assert_int_equal(book_insert(book, lines, 2, &arena, &err), SEAL_OK);
	assert_true(lines[0].inserted && lines[1].inserted);
	assert_int_equal(book_change(book, changes, 2, &arena, &err), SEAL_OK);
	assert_true(changes[0].changed && !changes[1].changed);
	assert_true(bytes_eq_str(line_of(book, "k2"), "two"));
	assert_true(bytes_eq(line_of(book, "k1"), changes[0].to));
}

static const struct store_ops *const stores[] = {&sqlite_store, NULL};

static void test_book(void **state)
{
	char folder[] = "/tmp/test_kinesis.XXXXXX", file[64], lock[64], store[80];
	struct book *book, *other;

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "file:%s/b", folder);
	snprintf(lock, sizeof(lock), "%s/b.lock", folder);
	snprintf(store, sizeof(store), "sqlite:%s/s", folder);

	assert_int_equal(book_open(NULL, NULL, &book, &err), SEAL_OK);
	assert_false(book_is_shared(book));
	use_book(book);
	book_close(book);

	assert_int_equal(book_open(file, stores, &book, &err), SEAL_OK);
	use_book(book);
	assert_int_equal(book_open(file, stores, &other, &err), SEAL_RETRY); /* one reader */
	assert_int_equal(err.code, SEAL_E_BUSY);
	assert_null(other);
	book_close(book);
	err_clear(&err);
	assert_int_equal(book_open(file, stores, &book, &err), SEAL_OK); /* it is still there */
	assert_true(bytes_eq_str(line_of(book, "k1"), "\"1\"\n\xE2\x82\xAC"));
	book_close(book);

	assert_int_equal(book_open(store, stores, &book, &err), SEAL_OK);
	assert_true(book_is_shared(book));
	use_book(book);
	book_close(book);
	assert_int_equal(book_open("redis:secret@host", stores, &book, &err), SEAL_USAGE);
	assert_null(strstr(err.text, "secret"));
	err_clear(&err);
	assert_int_equal(book_open("file:", stores, &book, &err), SEAL_USAGE);
	err_clear(&err);
	assert_int_equal(book_open("file:/nonexistent/x", stores, &book, &err), SEAL_FATAL);
	err_clear(&err);
	assert_int_equal(truncate(file + 5, 9), 0); /* not as we write it */
	assert_int_equal(book_open(file, stores, &book, &err), SEAL_DATA);
	assert_string_equal(err.place, file + 5);
	unlink(file + 5);
	unlink(lock);
	unlink(store + 7);
	assert_int_equal(rmdir(folder), 0);
}

/* ---- shares ---- */

#define N 12

static struct kinesis_source k;
static bool take[N];

/* Shards whose owners are the characters: '.' nobody, 'm' this reader, others. */
static size_t balance(const char *owners, uint64_t now_ms)
{
	size_t n = 0;

	k.shared = true;
	memset(take, 0, sizeof(take));
	k.lease_ms = 1000;
	for (size_t i = 0; owners[i] != '\0'; i++) {
		char id[32];
		struct shard *shard;

		snprintf(id, sizeof(id), "shard-%zu", i);
		shard = shard_add(&k, id);
		shard->listed = true;
		assert_int_equal(buf_append_str(&shard->line, "x", &err), SEAL_OK);
		shard->lease.owner[0] = owners[i] == '.' ? '\0' : owners[i];
		shard->assignment = owners[i] == 'm';
	}
	kinesis_balance(&k, now_ms, take);
	for (size_t i = 0; i < k.n_shards; i++)
		n += take[i];
	for (size_t i = 0; i < k.n_shards; i++)
		shard_free(k.shards[i]);
	table_clear(&k.by_id);
	mem_free(k.shards);
	k = (struct kinesis_source){.shards = NULL};
	return n;
}

static void test_shares(void **state)
{
	assert_int_equal(balance("....", 0), 4); /* alone */
	assert_int_equal(balance("..aa", 0), 2);
	assert_int_equal(balance("...aa", 0), 3); /* rounded up */
	assert_int_equal(balance("m..aaa", 0), 2);
	assert_int_equal(balance("aaaa", 0), 1); /* taken from who has two more, one at a time */
	assert_int_equal(balance("maaa", 0), 1);
	assert_true(take[1]);
	assert_int_equal(balance("mmaaa", 0), 0);
	assert_int_equal(balance("a", 0), 0);
	assert_int_equal(balance("mabbb", 0), 1); /* who has most */
	assert_true(take[2]);
	assert_int_equal(balance("aabb", 2000), 4); /* nobody was heard of for so long */
	assert_int_equal(balance("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_aggregate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_aggregate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_shards, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aggregates_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aggregates_are_flat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_with_broken_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_of_aggregates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_to_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_book, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shares, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
