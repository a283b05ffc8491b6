/* json/string: escapes both ways. */
#include "json_help.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "json/string.h"

static void decodes(void **state)
{
	static const struct {
		const char *raw, *text;
		size_t len;
	} rows[] = {
		{"", "", 0},
		{"plain", "plain", 5},
		{"\xc3\xa9", "\xc3\xa9", 2},
		{"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
		{"\\u0000", "\0", 1},
		{"a\\u0000b", "a\0b", 3},
		{"\\u0041\\u005a\\u007F", "AZ\x7f", 3},
		{"\\u0080\\u07ff", "\xc2\x80\xdf\xbf", 4},
		{"\\u0800\\uFFFF\\uffff", "\xe0\xa0\x80\xef\xbf\xbf\xef\xbf\xbf", 9},
		{"\\ud7ff\\ue000", "\xed\x9f\xbf\xee\x80\x80", 6},
		{"\\ud800\\udc00\\uDBFF\\uDFFF", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
		{"x\\ud83d\\ude00y", "x\xf0\x9f\x98\x80y", 6},
		{"\\\\u0041", "\\u0041", 6},
		{"\\n\xe2\x82\xac\\n", "\n\xe2\x82\xac\n", 5},
	};
	static const char *const lone[] = {"\\ud800",	     "\\udc00",		 "\\udbff x",
					   "\\ud800\\ud800", "\\ud800\\u0041",	 "\\udc00\\ud800",
					   "a\\ud83dude00",  "\\ud83d\\\\ude00", "ok\\n\\ud800\\n"};
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_bytes raw = bytes_str(rows[i].raw), out;

		assert_true(json_string_decode(raw, &arena, &out));
		assert_non_null(out.ptr);
		assert_true(bytes_eq(out, bytes_of(rows[i].text, rows[i].len)));
		if (strchr(rows[i].raw, '\\') == NULL)
			assert_ptr_equal(out.ptr, raw.ptr);
	}
	for (size_t i = 0; i < COUNT(lone); i++) {
		struct seal_bytes out = BYTES_LIT("x");

		assert_false(json_string_decode(bytes_str(lone[i]), &arena, &out));
		assert_null(out.ptr);
		assert_int_equal(out.len, 0);
	}
	arena_clear(&arena);
}

/* What was decoded before a lone surrogate was met must not outlive the batch: the arena wipes only what it counts. */
static void leaves_no_text_behind(void **state)
{
	struct seal_bytes raw = BYTES_LIT("secret\\n secret \\ud800"), out;
	struct arena arena;
	const uint8_t *room;

	arena_init(&arena, 1 << 20);
	assert_non_null(arena_alloc(&arena, 1, 1));
	room = arena.next;
	assert_false(json_string_decode(raw, &arena, &out));
	assert_ptr_equal(arena.next, room);
	for (size_t i = 0; i < raw.len; i++)
		assert_int_equal(room[i], 0);
	arena_clear(&arena);
}

static void writes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *quoted;
	} rows[] = {
		{"", 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"a \"quoted\" \\ text", 17, "\"a \\\"quoted\\\" \\\\ text\""},
		{"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
		{"\0\x01\x0b\x1f", 4, "\"\\u0000\\u0001\\u000b\\u001f\""},
		{"/\x7f\xc2\x80\xe2\x80\xa8", 7, "\"/\x7f\xc2\x80\xe2\x80\xa8\""},
		{"0123456\n01234567\"0123", 21, "\"0123456\\n01234567\\\"0123\""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_bytes text = bytes_of(rows[i].text, rows[i].len);
		uint8_t out[JSON_STRING_MAX(32)];
		size_t n = json_string_write(text, out);

		assert_true(bytes_eq_str(bytes_of(out, n), rows[i].quoted));
		assert_int_equal(json_string_written(text), n);
	}
}

/* Each code point, alone among others, survives; what is written is a JSON value. */
static void round_trip(void **state)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (uint32_t cp = 0; cp <= 0x10ffff; cp += cp < 0x3000 ? 1 : 13) {
		uint8_t text[16] = "0123456789", out[JSON_STRING_MAX(16)];
		size_t before = cp % 11, len = before, n;
		struct seal_bytes back;

		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		len += utf8_put(cp, text + before);
		n = json_string_write(bytes_of(text, len), out);
		assert_true(n <= JSON_STRING_MAX(len));
		assert_int_equal(n, json_string_written(bytes_of(text, len)));
		assert_true(json_is_value(bytes_of(out, n), false));
		assert_true(json_string_decode(bytes_of(out + 1, n - 2), &arena, &back));
		assert_true(bytes_eq(back, bytes_of(text, len)));
		arena_reset(&arena);
	}
	arena_clear(&arena);
}

/* A megabyte of what grows most; the decoder gives back what it did not need. */
static void megabyte(void **state)
{
	size_t len = 1 << 20;
	uint8_t *text = mem_calloc(len, 1), *out = mem_alloc(JSON_STRING_MAX(len));
	struct seal_bytes back;
	struct arena arena;
	const uint8_t *next;
	size_t n;

	arena_init(&arena, 0);
	assert_true(text != NULL && out != NULL);
	n = json_string_write(bytes_of(text, len), out);
	assert_int_equal(n, JSON_STRING_MAX(len));
	assert_int_equal(json_string_written(bytes_of(text, len)), n);
	assert_true(json_string_decode(bytes_of(out + 1, n - 2), &arena, &back));
	assert_true(bytes_eq(back, bytes_of(text, len)));
	next = arena_alloc(&arena, 1, 1);
	assert_ptr_equal(next, back.ptr + back.len);
	arena_clear(&arena);
	mem_free(text);
	mem_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),  cmocka_unit_test(leaves_no_text_behind),
		cmocka_unit_test(writes),   cmocka_unit_test(round_trip),
		cmocka_unit_test(megabyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
