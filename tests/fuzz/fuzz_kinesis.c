/*
 * Aggregated records, answers and lines of the book: any bytes give whole records within what was read, no more than the limits say,
 * or none; a line that is read is written back the same.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "crypto/digest.h"
#include "streams/kinesis/aggregate.h"
#include "json/value.h"
#include "streams/kinesis/lease.h"
#include "streams/kinesis/page.h"

static void check_within(struct seal_bytes whole, struct seal_bytes part)
{
	CHECK(part.len <= whole.len);
	CHECK(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_aggregate(struct seal_bytes data, const struct hash_range *range, struct arena *arena)
{
	struct aggregate aggregate;
	enum aggregate_kind kind;
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes key, item;
	const enum seal_status rc = aggregate_open(data, range, arena, &aggregate, &kind, &err);
	size_t n = 0, bytes = 0;

	CHECK(rc == SEAL_OK || (rc == SEAL_DATA && err.code == SEAL_E_LIMIT && kind == AGGREGATE_NONE));
	CHECK(range != NULL || kind != AGGREGATE_FOREIGN);
	if (kind != AGGREGATE_HERE)
		return;
	for (; aggregate_next(&aggregate, &key, &item); n++) {
		check_within(data, key);
		check_within(data, item);
		CHECK(key.len <= AGGREGATE_KEY_BYTES);
		bytes += item.len;
	}
	CHECK(n == aggregate.n - aggregate.foreign && n > 0 && n <= AGGREGATE_RECORDS_MAX && bytes <= data.len);
}

/* An answer: every record is whole and in the page, or broken. */
static void check_page(struct seal_bytes text, const struct hash_range *range)
{
	struct page_answer answer = {.page = page_new(), .range = range, .from = {.at = "1", .done = 1}};
	struct json_value value;
	struct record record;
	uint64_t done;

	CHECK(answer.page != NULL);
	answer.page->text.max = text.len;
	CHECK(buf_append(&answer.page->text, text, NULL) == SEAL_OK);
	if (json_value_of(text, &value, NULL) == SEAL_OK && page_read(&answer, NULL) == SEAL_OK) {
		while (answer.page->at < answer.page->n) {
			page_take(answer.page, &record, &done);
			CHECK(record.id.len > 0 && record.id.len < SEQUENCE_MAX);
			CHECK(record.broken != NULL || record.value.ptr != NULL);
		}
	}
	page_free(answer.page);
}

static void check_line(struct seal_bytes text)
{
	struct seal_buf line = BUF_INIT(1 << 16), again = BUF_INIT(1 << 16);
	struct lease lease, back;

	if (lease_read(text, &lease, NULL) == SEAL_OK) {
		CHECK(lease_write(&lease, &line, NULL) == SEAL_OK);
		CHECK(lease_read(buf_bytes(&line), &back, NULL) == SEAL_OK);
		CHECK(lease_write(&back, &again, NULL) == SEAL_OK);
		CHECK(bytes_eq(buf_bytes(&line), buf_bytes(&again)));
	}
	buf_clear(&line);
	buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hash_range low = {{0}, {0x7f}};
	struct arena arena;
	uint8_t *whole;

	arena_init(&arena, 0);
	check_line(bytes_of(data, size));
	check_page(bytes_of(data, size), &low);
	check_aggregate(bytes_of(data, size), NULL, &arena);
	/* With magic and check sum, which no fuzzer finds. */
	whole = arena_alloc(&arena, size + 4 + MD5_LEN, 1);
	CHECK(whole != NULL);
	memcpy(whole, "\xF3\x89\x9A\xC2", 4);
	if (size > 0)
		memcpy(whole + 4, data, size);
	if (md5(bytes_of(data, size), whole + 4 + size))
		for (int i = 0; i < 2; i++)
			check_aggregate(bytes_of(whole, size + 4 + MD5_LEN), i > 0 ? &low : NULL, &arena);
	arena_clear(&arena);
	return 0;
}
