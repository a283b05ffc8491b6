/*
 * kcat's envelopes: any line. What is read is written back with any of its key, headers and payload changed, and reads as just
 * that; the other members stay.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "fuzz.h"
#include "streams/ndjson/line.h"

static bool same(struct seal_bytes a, struct seal_bytes b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && bytes_eq(a, b);
}

static void check_same(const struct record *asked, const struct record *found)
{
	CHECK(same(asked->key, found->key) && same(asked->value, found->value) && same(asked->topic, found->topic));
	CHECK(asked->partition == found->partition && asked->offset == found->offset);
	CHECK(asked->n_headers == found->n_headers);
	for (size_t i = 0; i < asked->n_headers; i++)
		CHECK(same(asked->headers[i].name, found->headers[i].name) &&
		      same(asked->headers[i].value, found->headers[i].value));
}

static void write_and_read(struct envelope_reader *reader, const struct ndjson_line *line, const struct record *asked)
{
	struct seal_buf out = BUF_INIT(1 << 26);
	struct record found = {.partition = -1};
	struct ndjson_line again = {.number = 1};
	struct arena arena;

	arena_init(&arena, 0);
	CHECK(envelope_check_splice(line, asked, NULL) == SEAL_OK);
	CHECK(envelope_splice(line, asked, &out, NULL) == SEAL_OK);
	again.text = buf_bytes(&out);
	CHECK(envelope_read(reader, &again, &arena, &found, NULL) == SEAL_OK);
	check_same(asked, &found);
	arena_clear(&arena);
	buf_clear(&out);
}

static void change(struct envelope_reader *reader, const struct ndjson_line *line, const struct record *record)
{
	static const struct record_header fresh[] = {{BYTES_LIT("a\"\n"), BYTES_LIT("\x01")},
						     {BYTES_LIT(""), {.ptr = NULL, .len = 0}}};
	static const struct seal_bytes keys[] = {
		{.ptr = NULL, .len = 0}, BYTES_LIT(""), BYTES_LIT("k\"\\"), BYTES_LIT("{\"a\":[1.0]}")};

	for (size_t i = 0; i <= sizeof(keys) / sizeof(keys[0]); i++) {
		for (size_t headers = 0; headers < 3; headers++) {
			struct record asked = *record;

			if (i > 0)
				asked.key = keys[i - 1];
			if (headers > 0) {
				asked.headers = headers == 1 ? fresh : NULL;
				asked.n_headers = headers == 1 ? 2 : 0;
			}
			write_and_read(reader, line, &asked);
			if (record->value.ptr != NULL)
				asked.value = BYTES_LIT("1");
			write_and_read(reader, line, &asked);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ndjson_line line = {.text = bytes_of(data, size), .number = 1};
	struct record record = {.partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct envelope_reader reader;
	struct arena arena;

	arena_init(&arena, 0);
	CHECK(envelope_reader_init(&reader, &err) == SEAL_OK);
	if (envelope_read(&reader, &line, &arena, &record, &err) == SEAL_OK)
		change(&reader, &line, &record);
	else
		CHECK(err.status == SEAL_DATA && err.text[0] != '\0');
	envelope_reader_clear(&reader);
	arena_clear(&arena);
	return 0;
}
