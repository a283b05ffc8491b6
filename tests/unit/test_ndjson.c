/* ndjson: lines and envelopes, in and out, however the bytes come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "streams/ndjson/ndjson.h"

#define CAP 64

static char folder[64];
static struct seal_err err;
static struct arena arena;
static struct batch batch;

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/test_ndjson.XXXXXX");
	assert_non_null(mkdtemp(folder));
	arena_init(&arena, 0);
	arena_init(&batch.arena, 0);
	batch.records = mem_calloc(CAP, sizeof(*batch.records));
	batch.cap = CAP;
	err_clear(&err);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	arena_clear(&arena);
	arena_clear(&batch.arena);
	mem_free(batch.records);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static const char *put_file(const char *name, const void *bytes, size_t len)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	return path;
}

static struct seal_bytes get_file(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return bytes_of(bytes, n);
}

static void *zeroed(size_t size)
{
	return memset(arena_alloc(&arena, size, 16), 0, size);
}

static struct source *open_source(const char *path, const char *limit, bool envelopes)
{
	const struct opt_row *rows = ndjson_source_ops.options;
	void *options = zeroed(ndjson_source_ops.options_size);
	struct source *source;

	assert_int_equal(opt_defaults(rows, options, &arena, &err), SEAL_OK);
	if (limit != NULL)
		assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("max-record-bytes")), options, bytes_str(limit),
					 &arena, &err),
				 SEAL_OK);
	if (envelopes)
		assert_int_equal(
			opt_set(opt_find(rows, BYTES_LIT("envelopes")), options, BYTES_LIT("true"), &arena, &err),
			SEAL_OK);
	assert_int_equal(ndjson_source_ops.open(path, options, &source, &err), SEAL_OK);
	return source;
}

static unsigned syncs;
static bool sync_fails;

/* In the C library's place. */
int fdatasync(int fd)
{
	syncs++;
	errno = EIO;
	return sync_fails ? -1 : 0;
}

static struct sink *open_sink_with(const char *path, const char *layout, const char *flag)
{
	const struct opt_row *rows = ndjson_sink_ops.options;
	void *options = zeroed(ndjson_sink_ops.options_size);
	struct sink *sink;

	assert_int_equal(opt_defaults(rows, options, &arena, &err), SEAL_OK);
	assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("layout")), options, bytes_str(layout), &arena, &err),
			 SEAL_OK);
	if (flag != NULL)
		assert_int_equal(opt_set(opt_find(rows, bytes_str(flag)), options, BYTES_LIT("true"), &arena, &err),
				 SEAL_OK);
	assert_int_equal(ndjson_sink_ops.open(path, options, &sink, &err), SEAL_OK);
	return sink;
}

static struct sink *open_sink(const char *path, const char *layout)
{
	return open_sink_with(path, layout, NULL);
}

static enum read_result next(struct source *source)
{
	enum read_result result;

	batch.n = 0;
	arena_reset(&batch.arena);
	assert_int_equal(source->ops->read(source, &batch, batch.cap, 10, &result, &err), SEAL_OK);
	return result;
}

static void value_is(size_t i, const char *text)
{
	assert_null(batch.records[i].broken);
	assert_non_null(batch.records[i].value.ptr);
	assert_int_equal(batch.records[i].value.len, strlen(text));
	assert_memory_equal(batch.records[i].value.ptr, text, strlen(text));
}

static void test_lines(void **state)
{
	static const char text[] = "{\"a\":1}\r\n\n  \r\n[2]\nlast";
	struct source *source = open_source(put_file("in", text, sizeof(text) - 1), NULL, false);
	char place[256];

	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.n, 5);
	value_is(0, "{\"a\":1}\r"); /* a carriage return is white space of the record */
	assert_null(batch.records[1].value.ptr); /* empty lines are no records … */
	assert_null(batch.records[2].value.ptr);
	value_is(3, "[2]");
	value_is(4, "last");
	assert_int_equal(batch.records[3].offset, 4); /* … but count as lines */
	assert_int_equal(batch.records[3].partition, -1);
	source->ops->place(source, &batch.records[4], place, sizeof(place));
	assert_string_equal(place + strlen(folder), "/in:5");
	source->ops->release(source, &batch);
	assert_int_equal(next(source), READ_END);
	assert_int_equal(next(source), READ_END);
	source->ops->close(source, true);
}

static void test_empty_file(void **state)
{
	struct source *source = open_source(put_file("in", "", 0), NULL, false);

	assert_int_equal(next(source), READ_END);
	source->ops->close(source, true);
}

/* Line i, with its newline: of a length that looks random, up to 1100. Returns the length. */
static size_t make_line(char *out, size_t i)
{
	size_t len = i * 7919 % 1090 + 8;

	memset(out, 'a' + (int)(i % 26), len);
	snprintf(out, 8, "%06zu", i);
	out[6] = '-';
	out[len] = '\n';
	return len + 1;
}

/* Lines of all lengths across block borders, in batches that are held while later ones are read. */
static void test_blocks(void **state)
{
	enum { LINES = 3000 };
	static char text[LINES * 1100];
	static struct batch held[LINES / CAP + 8];
	size_t len = 0, n_held = 0, line = 0;
	struct source *source;

	for (size_t i = 0; i < LINES; i++)
		len += make_line(text + len, i);
	source = open_source(put_file("in", text, len), NULL, false);
	for (;;) {
		struct batch *b = &held[n_held];
		enum read_result result;

		arena_init(&b->arena, 0);
		b->records = mem_calloc(CAP, sizeof(*b->records));
		b->cap = CAP;
		assert_int_equal(source->ops->read(source, b, CAP, 10, &result, &err), SEAL_OK);
		n_held++;
		if (result == READ_END)
			break;
	}
	for (size_t k = 0; k < n_held; k++) {
		for (size_t i = 0; i < held[k].n; i++, line++) {
			char expected[1200];
			size_t expected_len = make_line(expected, line) - 1;

			assert_int_equal(held[k].records[i].value.len, expected_len);
			assert_memory_equal(held[k].records[i].value.ptr, expected, expected_len);
		}
		if (held[k].n > 0)
			source->ops->release(source, &held[k]);
		arena_clear(&held[k].arena);
		mem_free(held[k].records);
	}
	assert_int_equal(line, LINES);
	source->ops->close(source, true);
}

static void test_long_line_within_the_limit(void **state)
{
	enum { LEN = 3000000 };
	char *text = mem_alloc(LEN + 4);
	struct source *source;

	memset(text, 'x', LEN);
	memcpy(text + LEN, "\ny\n", 3);
	source = open_source(put_file("in", text, LEN + 3), NULL, false);
	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.records[0].value.len, LEN);
	if (batch.n == 1) {
		source->ops->release(source, &batch);
		assert_int_equal(next(source), READ_SOME);
		value_is(0, "y");
	} else {
		value_is(1, "y");
	}
	source->ops->release(source, &batch);
	assert_int_equal(next(source), READ_END);
	source->ops->close(source, true);
	mem_free(text);
}

/* Reads all; returns how many records, and the line numbers of broken ones. */
static size_t read_all(struct source *source, int64_t *broken, size_t *n_broken)
{
	size_t n = 0;

	*n_broken = 0;
	while (next(source) != READ_END) {
		for (size_t i = 0; i < batch.n; i++) {
			if (batch.records[i].broken == NULL)
				continue;
			assert_int_equal(batch.records[i].broken->code, SEAL_E_LIMIT);
			assert_null(batch.records[i].value.ptr);
			broken[(*n_broken)++] = batch.records[i].offset;
		}
		n += batch.n;
		if (batch.n > 0)
			source->ops->release(source, &batch);
	}
	return n;
}

static void test_lines_over_the_limit(void **state)
{
	enum { LEN = 2000000 };
	char *text = mem_alloc(3 * LEN);
	struct source *source;
	int64_t broken[8];
	size_t len = 0, n_broken;

	/* "ok", 101 bytes, 100 bytes, two million bytes, "ok", two million bytes without newline */
	memset(text, 'x', 3 * LEN);
	memcpy(text, "ok\n", 3);
	text[3 + 101] = '\n';
	text[3 + 102 + 100] = '\n';
	len = 3 + 102 + 101;
	text[len + LEN] = '\n';
	len += LEN + 1;
	memcpy(text + len, "ok\n", 3);
	len += 3;
	source = open_source(put_file("in", text, 2 * LEN + LEN / 2), "100", false);
	assert_int_equal(read_all(source, broken, &n_broken), 6);
	assert_int_equal(n_broken, 3);
	assert_int_equal(broken[0], 2);
	assert_int_equal(broken[1], 4);
	assert_int_equal(broken[2], 6);
	source->ops->close(source, true);
	mem_free(text);
}

static void test_pipe_gives_what_is_there(void **state)
{
	struct source *source;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	source = open_source(arena_printf(&arena, "/dev/fd/%d", ends[0]), NULL, false);
	assert_int_equal(next(source), READ_IDLE);
	assert_int_equal(write(ends[1], "one\ntw", 6), 6);
	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.n, 1);
	value_is(0, "one");
	assert_int_equal(next(source), READ_IDLE); /* while the batch is still held */
	assert_int_equal(write(ends[1], "o\n", 2), 2);
	assert_int_equal(next(source), READ_SOME);
	value_is(0, "two");
	close(ends[1]);
	assert_int_equal(next(source), READ_END);
	source->ops->close(source, true);
	close(ends[0]);
}

/* Neither blank lines nor a line without end keep a caller who wants to look around. */
static void test_endless_input_gives_idle(void **state)
{
	const struct opt_row *rows = ndjson_source_ops.options;
	void *options = zeroed(ndjson_source_ops.options_size);
	struct source *source = open_source("/dev/zero", "1000", false);
	int ends[2];

	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.records[0].broken->code, SEAL_E_LIMIT);
	source->ops->release(source, &batch);
	for (int i = 0; i < 5; i++)
		assert_int_equal(next(source), READ_IDLE);
	source->ops->close(source, true);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(opt_defaults(rows, options, &arena, &err), SEAL_OK);
	assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("skip-blank")), options, BYTES_LIT("true"), &arena, &err),
			 SEAL_OK);
	assert_int_equal(ndjson_source_ops.open(arena_printf(&arena, "/dev/fd/%d", ends[0]), options, &source, &err),
			 SEAL_OK);
	assert_int_equal(write(ends[1], "\n\n\n", 3), 3);
	alarm(120); /* it would wait for a line for ever */
	for (int i = 0; i < 50; i++) {
		assert_int_equal(write(ends[1], "\n", 1), 1);
		assert_int_equal(next(source), READ_IDLE);
	}
	alarm(0);
	assert_int_equal(write(ends[1], "\nx\n", 3), 3);
	assert_int_equal(next(source), READ_SOME);
	value_is(0, "x");
	assert_int_equal(batch.records[0].offset, 55);
	source->ops->release(source, &batch);
	source->ops->close(source, true);
	close(ends[0]);
	close(ends[1]);
}

static void fails_to_open(const char *path, enum seal_status status, enum seal_code code)
{
	void *options = zeroed(ndjson_source_ops.options_size);
	struct source *source = (struct source *)&arena;

	err_clear(&err);
	assert_int_equal(opt_defaults(ndjson_source_ops.options, options, &arena, &err), SEAL_OK);
	assert_int_equal(ndjson_source_ops.open(path, options, &source, &err), status);
	assert_int_equal(err.code, code);
	assert_null(source);
	assert_non_null(strstr(err.text, path));
}

static void test_open_errors(void **state)
{
	fails_to_open(path_of("absent"), SEAL_USAGE, SEAL_E_NO_INPUT);
	fails_to_open(folder, SEAL_USAGE, SEAL_E_NO_INPUT);
}

static const char envelopes[] = "{\"topic\":\"p\\u0075rchases\",\"partition\":2,\"offset\":17,\"ts\":1.0, "
				"\"key\":\"k\",\"payload\":\"{\\\"a\\\":\\\"\\u00e9\\\"}\"}\n"
				"{\"key\":null,\"payload\":null}\n"
				"{\"payload\" : {\"a\": 1e2} ,\"key\":5}\n"
				"{\"nothing\":1}\n"
				"{\"payload\":\"x\",\"payload\":\"y\"}\n"
				"not json\n"
				"{\"payload\":\"\\ud800\"}\n"
				"\n"
				"{\"payload\":\"\"}";

static void test_envelopes_in(void **state)
{
	struct source *source = open_source(put_file("in", envelopes, sizeof(envelopes) - 1), NULL, true);
	char place[256];

	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.n, 9);
	value_is(0, "{\"a\":\"\xc3\xa9\"}");
	assert_true(bytes_eq_str(batch.records[0].topic, "purchases"));
	assert_true(bytes_eq_str(batch.records[0].key, "k"));
	assert_int_equal(batch.records[0].partition, 2);
	assert_int_equal(batch.records[0].offset, 17);
	source->ops->place(source, &batch.records[0], place, sizeof(place));
	assert_string_equal(place + strlen(folder), "/in:1 (purchases/2/17)");
	assert_null(batch.records[1].value.ptr);
	assert_null(batch.records[1].broken);
	assert_null(batch.records[1].key.ptr);
	value_is(2, "{\"a\": 1e2}");
	for (size_t i = 3; i <= 6; i++)
		assert_int_equal(batch.records[i].broken->status, SEAL_DATA);
	assert_int_equal(batch.records[3].broken->code, SEAL_E_MISSING);
	assert_int_equal(batch.records[4].broken->code, SEAL_E_SYNTAX);
	source->ops->place(source, &batch.records[5], place, sizeof(place));
	assert_string_equal(place + strlen(folder), "/in:6");
	assert_null(batch.records[7].value.ptr);
	assert_null(batch.records[7].broken);
	value_is(8, "");
	source->ops->release(source, &batch);
	source->ops->close(source, true);
}

/* NULL: what was read. */
static const struct record_header *new_headers;
static size_t n_new_headers;
static const char *new_key;

/* What was read is written back the same, broken lines left out, or with new values and headers in place. */
static void copy(bool as_envelopes, const char *in, size_t len, const char *value, const char *expected)
{
	struct source *source = open_source(put_file("in", in, len), NULL, as_envelopes);
	const char *path = path_of("out");
	struct sink *sink = open_sink(path, "source");
	struct record out[CAP];
	struct seal_bytes written;
	uint64_t acknowledged, ticket = 0;

	while (next(source) == READ_SOME) {
		size_t n = 0;

		for (size_t i = 0; i < batch.n; i++) {
			if (batch.records[i].broken != NULL)
				continue;
			out[n] = batch.records[i];
			if (value != NULL && out[n].value.ptr != NULL)
				out[n].value = bytes_str(value);
			if (new_headers != NULL) {
				out[n].headers = n_new_headers > 0 ? new_headers : NULL;
				out[n].n_headers = n_new_headers;
			}
			if (new_key != NULL)
				out[n].key = bytes_str(new_key);
			assert_int_equal(sink->ops->check(sink, &out[n], &err), SEAL_OK);
			n++;
		}
		assert_int_equal(sink->ops->write(sink, out, n, ++ticket, 10, &err), SEAL_OK);
		assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_OK);
		assert_int_equal(acknowledged, ticket);
		source->ops->release(source, &batch);
	}
	assert_int_equal(access(path, F_OK), -1); /* it has no name before it is whole */
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	source->ops->close(source, true);
	written = get_file(path);
	assert_int_equal(written.len, strlen(expected));
	assert_memory_equal(written.ptr, expected, written.len);
	assert_int_equal(unlink(path), 0);
}

static void test_lines_out(void **state)
{
	static const char text[] = "a\r\n\n \t\r\nb";

	copy(false, text, sizeof(text) - 1, NULL, text);
	copy(false, text, sizeof(text) - 1, "V", "V\n\n \t\r\nV");
	copy(false, "x\n", 2, "V", "V\n");
}

static void test_envelopes_out(void **state)
{
	copy(true, envelopes, sizeof(envelopes) - 1, "q\"\xc3\xa9\n",
	     "{\"topic\":\"p\\u0075rchases\",\"partition\":2,\"offset\":17,\"ts\":1.0, "
	     "\"key\":\"k\",\"payload\":\"q\\\"\xc3\xa9\\n\"}\n"
	     "{\"key\":null,\"payload\":null}\n"
	     "{\"payload\" : q\"\xc3\xa9\n ,\"key\":5}\n"
	     "\n"
	     "{\"payload\":\"q\\\"\xc3\xa9\\n\"}");
}

static void copy_with_headers(size_t n, const char *in, const char *expected)
{
	static const struct record_header all[] = {{BYTES_LIT("a\""), BYTES_LIT("1")}, {BYTES_LIT("b"), BYTES_EMPTY}};

	new_headers = all;
	n_new_headers = n;
	copy(true, in, strlen(in), "V", expected);
	new_headers = NULL;
}

/* Only the list of headers and the payload are new, wherever they stand. */
static void test_headers_of_envelopes_change(void **state)
{
	copy_with_headers(2, "{\"headers\" : [ \"x\",null ] , \"payload\":\"p\",\"key\" : 1.0}\n",
			  "{\"headers\" : [\"a\\\"\",\"1\",\"b\",null] , \"payload\":\"V\",\"key\" : 1.0}\n");
	copy_with_headers(1, "{\"payload\":\"p\", \"headers\":[\"x\",\"y\"]}\n",
			  "{\"payload\":\"V\", \"headers\":[\"a\\\"\",\"1\"]}\n");
	copy_with_headers(1, "{\"key\":null, \"payload\":\"p\"}",
			  "{\"key\":null, \"headers\":[\"a\\\"\",\"1\"],\"payload\":\"V\"}");
	copy_with_headers(1, "{\"headers\":null,\"payload\":\"p\"}",
			  "{\"headers\":[\"a\\\"\",\"1\"],\"payload\":\"V\"}");
	copy_with_headers(0, "{\"headers\":[\"x\",\"y\"], \"payload\":\"p\"}", "{\"payload\":\"V\"}");
	copy_with_headers(0, "{\"payload\":\"p\" ,\"headers\":[\"x\",\"y\"]}", "{\"payload\":\"V\"}");
	copy_with_headers(0, "{\"payload\":\"p\",\"headers\":[ ]}", "{\"payload\":\"V\",\"headers\":[ ]}");
}

static void copy_with_key(const char *key, const char *in, const char *expected)
{
	new_key = key;
	copy(true, in, strlen(in), "V", expected);
	new_key = NULL;
}

static void test_keys_of_envelopes_change(void **state)
{
	static const struct record_header one[] = {{BYTES_LIT("a"), BYTES_LIT("1")}};

	copy_with_key("n\"", "{\"key\" : \"k\" , \"headers\":[\"\\u0061\",null],\"payload\":\"p\"}\n",
		      "{\"key\" : \"n\\\"\" , \"headers\":[\"\\u0061\",null],\"payload\":\"V\"}\n");
	copy_with_key("n", "{\"payload\":\"p\",\"key\":\"k\"}", "{\"payload\":\"V\",\"key\":\"n\"}");
	copy_with_key("", "{\"key\":\"k\",\"payload\":null}", "{\"key\":\"\",\"payload\":null}");
	/* A dead letter's key comes back where none was. */
	copy_with_key("n", "{\"key\":null,\"payload\":\"p\"}", "{\"key\":\"n\",\"payload\":\"V\"}");
	copy_with_key("", "{\"key\":null,\"payload\":\"p\"}", "{\"key\":\"\",\"payload\":\"V\"}");
	copy_with_key("n", "{\"a\":1, \"payload\":\"p\"}", "{\"a\":1, \"key\":\"n\",\"payload\":\"V\"}");
	/* JSON stays JSON as long as it is. */
	copy_with_key("{\"a\":2}", "{\"key\":{\"a\":1},\"payload\":\"p\"}", "{\"key\":{\"a\":2},\"payload\":\"V\"}");
	copy_with_key("v:AA", "{\"key\":{\"a\":1},\"payload\":\"p\"}", "{\"key\":\"v:AA\",\"payload\":\"V\"}");
	copy_with_key("012", "{\"key\":345,\"payload\":\"p\"}", "{\"key\":\"012\",\"payload\":\"V\"}");
	copy_with_key("120", "{\"key\":345,\"payload\":\"p\"}", "{\"key\":120,\"payload\":\"V\"}");
	/* All three, in any order, old or new. */
	new_headers = one;
	n_new_headers = 1;
	copy_with_key("n", "{\"payload\":\"p\",\"headers\":[],\"key\":\"k\"}",
		      "{\"payload\":\"V\",\"headers\":[\"a\",\"1\"],\"key\":\"n\"}");
	copy_with_key("n", "{\"headers\":[],\"payload\":\"p\"}",
		      "{\"headers\":[\"a\",\"1\"],\"key\":\"n\",\"payload\":\"V\"}");
	copy_with_key("n", "{\"payload\":\"p\"}", "{\"key\":\"n\",\"headers\":[\"a\",\"1\"],\"payload\":\"V\"}");
	new_headers = NULL;
}

/* One that stayed as it is would leave in clear, and a key that is no text cannot stand here. */
static void test_keys_that_cannot_be_written(void **state)
{
	static const char text[] = "{\"key\":\"a\",\"key\":\"b\",\"payload\":1}\n"
				   "{\"key\":\"a\",\"payload\":1}\n";
	struct source *source = open_source(put_file("in", text, sizeof(text) - 1), NULL, true);
	struct sink *sink = open_sink(path_of("out"), "source");
	struct record record;

	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.n, 2);
	assert_int_equal(batch.records[0].broken->status, SEAL_DATA);
	assert_string_equal(batch.records[0].broken->text, "the envelope has two keys");
	record = batch.records[1];
	record.key = BYTES_LIT("\xff");
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "its key is not UTF-8"));
	err_clear(&err);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	source->ops->release(source, &batch);
	source->ops->close(source, true);
}

static void test_headers_of_envelopes_are_read(void **state)
{
	static const char text[] = "{\"payload\":1,\"headers\":[\"a\\u0062\",\"v\",\"n\",null]}\n"
				   "{\"payload\":1,\"headers\":[\"a\"]}\n"
				   "{\"payload\":1,\"headers\":[1,\"v\"]}\n"
				   "{\"payload\":1,\"headers\":[],\"headers\":[]}\n"
				   "{\"payload\":1,\"headers\":{\"a\":\"v\",\"b\":\"w\"}}\n"
				   "{\"payload\":1,\"headers\":null}\n";
	struct source *source = open_source(put_file("in", text, sizeof(text) - 1), NULL, true);

	assert_int_equal(next(source), READ_SOME);
	assert_int_equal(batch.n, 6);
	assert_int_equal(batch.records[0].n_headers, 2);
	assert_true(bytes_eq(batch.records[0].headers[0].name, BYTES_LIT("ab")));
	assert_true(bytes_eq(batch.records[0].headers[0].value, BYTES_LIT("v")));
	assert_null(batch.records[0].headers[1].value.ptr);
	for (size_t i = 1; i <= 4; i++)
		assert_int_equal(batch.records[i].broken->status, SEAL_DATA);
	assert_int_equal(batch.records[2].broken->code, SEAL_E_TYPE);
	assert_null(batch.records[5].broken);
	assert_int_equal(batch.records[5].n_headers, 0);
	source->ops->release(source, &batch);
	source->ops->close(source, true);
}

static void test_new_envelopes(void **state)
{
	const struct record_header headers[] = {{BYTES_LIT("h"), BYTES_LIT("v\"")}, {BYTES_LIT("n"), BYTES_EMPTY}};
	const struct record records[] = {
		{.key = BYTES_LIT("k"),
		 .value = BYTES_LIT("{\"a\":1}"),
		 .headers = headers,
		 .n_headers = 2,
		 .timestamp_ms = 1700000000000,
		 .timestamp_type = TIMESTAMP_CREATE,
		 .topic = BYTES_LIT("t"),
		 .partition = 1,
		 .offset = 9},
		{.topic = BYTES_LIT("t"), .partition = 0, .offset = 0},
	};
	const struct record binary = {.value = BYTES_LIT("\xff"), .topic = BYTES_LIT("t")};
	const char *path = path_of("out");
	struct sink *sink = open_sink(path, "envelope");

	assert_int_equal(sink->ops->write(sink, records, 2, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(
		get_file(path),
		"{\"topic\":\"t\",\"partition\":1,\"offset\":9,\"tstype\":\"create\",\"ts\":1700000000000,"
		"\"headers\":[\"h\",\"v\\\"\",\"n\",null],\"key\":\"k\",\"payload\":\"{\\\"a\\\":1}\"}\n"
		"{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"tstype\":\"unknown\",\"ts\":0,\"key\":null,"
		"\"payload\":null}\n"));
	assert_int_equal(sink->ops->check(sink, &records[0], &err), SEAL_OK);
	assert_int_equal(sink->ops->check(sink, &binary, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "its value is not UTF-8"));
	err_clear(&err);
	assert_int_equal(sink->ops->write(sink, &binary, 1, 2, 10, &err), SEAL_DATA);
	err_clear(&err);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	/* Of a record that does not fit nothing is written. */
	sink = open_sink(path, "envelope");
	assert_int_equal(sink->ops->write(sink, &records[1], 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->write(sink, &binary, 1, 2, 10, &err), SEAL_DATA);
	err_clear(&err);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path),
				 "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"tstype\":\"unknown\",\"ts\":0,"
				 "\"key\":null,\"payload\":null}\n"));
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void test_unfinished_leaves_the_old_file(void **state)
{
	const char *path = put_file("out", "old", 3);
	const struct record record = {.value = BYTES_LIT("new")};
	struct stat st;
	struct sink *sink;

	assert_int_equal(chmod(path, 0640), 0);
	sink = open_sink(path, "value");
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path), "old"));
	assert_int_equal(system(arena_printf(&arena, "test $(ls -A %s | wc -l) = 1", folder)), 0);
	sink = open_sink(path, "value");
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path), "new\n"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640); /* permissions stay */
}

static void test_direct(void **state)
{
	const struct opt_row *rows = ndjson_sink_ops.options;
	void *options = zeroed(ndjson_sink_ops.options_size);
	const char *path = put_file("out", "old", 3);
	const struct record record = {.value = BYTES_LIT("new")};
	struct sink *sink;

	assert_int_equal(opt_defaults(rows, options, &arena, &err), SEAL_OK);
	assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("direct")), options, BYTES_LIT("true"), &arena, &err),
			 SEAL_OK);
	assert_int_equal(ndjson_sink_ops.open(path, options, &sink, &err), SEAL_OK);
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path), "new\n")); /* there before finish: acknowledged means kept */
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path), "new\n"));
}

static void test_symbolic_link_stays(void **state)
{
	const char *path = put_file("real", "old", 3), *link_path = path_of("link");
	const struct record record = {.value = BYTES_LIT("new")};
	struct stat st;
	struct sink *sink;

	assert_int_equal(symlink("real", link_path), 0);
	sink = open_sink(link_path, "value");
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(bytes_eq_str(get_file(path), "new\n"));
}

static void test_disk_full(void **state)
{
	const struct record record = {.value = BYTES_LIT("x")};
	struct sink *sink = open_sink("/dev/full", "value");
	uint64_t acknowledged = 7;

	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_IO);
	assert_int_equal(acknowledged, 0);
	assert_non_null(strstr(err.text, strerror(ENOSPC)));
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static size_t read_pipe(int fd, char *to, size_t max)
{
	ssize_t n = read(fd, to, max);

	assert_true(n >= 0);
	return (size_t)n;
}

/* Whoever reads from a source that forgets what is safe needs it on disk; another file is not waited for. */
static void test_appended_is_on_disk(void **state)
{
	const char *const flags[] = {"append", "direct"};
	struct record record = {.value = BYTES_LIT("a")};

	for (size_t i = 0; i < 2; i++) {
		struct sink *sink = open_sink_with(path_of("out"), "value", flags[i]);
		uint64_t acknowledged = 0;

		syncs = 0;
		sync_fails = false;
		assert_int_equal(sink->ops->write(sink, &record, 1, 1, 0, &err), SEAL_OK);
		assert_int_equal(syncs, 0);
		assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_OK);
		assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_OK); /* nothing new */
		assert_int_equal(acknowledged, 1);
		assert_int_equal(syncs, i == 0 ? 1 : 0);
		sync_fails = i == 0;
		assert_int_equal(sink->ops->write(sink, &record, 1, 2, 0, &err), SEAL_OK);
		assert_int_equal(sink->ops->flush(sink, 0, &err), i == 0 ? SEAL_FATAL : SEAL_OK);
		if (i == 0) {
			assert_int_equal(err.code, SEAL_E_IO);
			assert_non_null(strstr(err.text, "cannot sync "));
		}
		err_clear(&err);
		assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	}
}

/* A reader that has stopped: write gives up in time, nothing is lost or doubled, and what is held stays bounded. */
static void test_stuck_reader(void **state)
{
	static char text[100001], got[4 << 20];
	struct record record = {.value = bytes_of((const uint8_t *)text, 100000)};
	const char *path = path_of("fifo");
	uint64_t ticket = 0, acknowledged = 9;
	size_t n = 0, more;
	struct sink *sink;
	int fd;

	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	sink = open_sink(path, "value");
	memset(text, 'a', 100000);
	alarm(120); /* instead of blocking for ever */
	while (sink->ops->write(sink, &record, 1, ++ticket, 10, &err) == SEAL_OK) {
		assert_true(ticket < 20);
		text[0] = 'a' + (char)ticket;
	}
	assert_int_equal(err.status, SEAL_RETRY);
	err_clear(&err);
	assert_int_equal(sink->ops->poll(sink, 10, &acknowledged, &err), SEAL_OK); /* slow is not away */
	assert_int_equal(acknowledged, 0);
	err_clear(&err);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	while (n < (ticket - 1) * 100001) {
		more = read_pipe(fd, got + n, sizeof(got) - n);
		assert_true(more > 0);
		n += more;
		err_clear(&err);
		(void)sink->ops->poll(sink, 0, &acknowledged, &err);
	}
	alarm(0);
	assert_int_equal(acknowledged, ticket - 1);
	for (size_t i = 0; i < ticket - 1; i++) {
		assert_int_equal(got[i * 100001], 'a' + i);
		assert_int_equal(got[i * 100001 + 100000], '\n');
	}
	assert_int_equal(n, (ticket - 1) * 100001);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	close(fd);
}

/* What a killed run has left, under the same process id. */
static void test_old_temporary_is_no_obstacle(void **state)
{
	const struct record record = {.value = BYTES_LIT("x")};
	const char *path = path_of("out");
	struct sink *sink;

	for (int i = 0; i < 3; i++)
		put_file(arena_printf(&arena, "out.%ld.%d.tmp", (long)getpid(), i), "left", 4);
	sink = open_sink(path, "value");
	assert_int_equal(sink->ops->write(sink, &record, 1, 1, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->flush(sink, 10, &err), SEAL_OK);
	assert_int_equal(sink->ops->finish(sink, &err), SEAL_OK);
	assert_true(bytes_eq_str(get_file(path), "x\n"));
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void test_cannot_create(void **state)
{
	void *options = zeroed(ndjson_sink_ops.options_size);
	struct sink *sink;

	assert_int_equal(opt_defaults(ndjson_sink_ops.options, options, &arena, &err), SEAL_OK);
	assert_int_equal(ndjson_sink_ops.open(path_of("absent/out"), options, &sink, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_CREATE);
	assert_null(sink);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_empty_file),
		TEST(test_blocks),
		TEST(test_long_line_within_the_limit),
		TEST(test_lines_over_the_limit),
		TEST(test_pipe_gives_what_is_there),
		TEST(test_endless_input_gives_idle),
		TEST(test_open_errors),
		TEST(test_envelopes_in),
		TEST(test_lines_out),
		TEST(test_envelopes_out),
		TEST(test_headers_of_envelopes_change),
		TEST(test_keys_of_envelopes_change),
		TEST(test_keys_that_cannot_be_written),
		TEST(test_headers_of_envelopes_are_read),
		TEST(test_new_envelopes),
		TEST(test_unfinished_leaves_the_old_file),
		TEST(test_direct),
		TEST(test_symbolic_link_stays),
		TEST(test_disk_full),
		TEST(test_appended_is_on_disk),
		TEST(test_stuck_reader),
		TEST(test_old_temporary_is_no_obstacle),
		TEST(test_cannot_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
