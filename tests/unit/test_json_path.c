/* json/path: what parses, where a mistake is, canonical texts, overlaps, and the limits of the automaton. */
#include "json_help.h"

#include "base/mem.h"

static enum seal_status parse(struct seal_bytes text, size_t *at, struct seal_err *err)
{
	struct json_path path;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	rc = json_path_parse(text, &arena, &path, at, err);
	if (rc != SEAL_OK)
		assert_true(path.steps == NULL && path.n_steps == 0);
	arena_clear(&arena);
	return rc;
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *says;
	} rows[] = {
		{"", 0, "start with $"},
		{"a", 0, "start with $"},
		{".a", 0, "start with $"},
		{" $", 0, "start with $"},
		{"@.a", 0, "start with $"},
		{"$a", 1, "expected . or ["},
		{"$$", 1, "expected . or ["},
		{"$.", 2, "expected a name"},
		{"$..", 3, "expected a name"},
		{"$...a", 3, "expected a name"},
		{"$.a.", 4, "expected a name"},
		{"$.1a", 2, "expected a name"},
		{"$.-a", 2, "expected a name"},
		{"$.a-b", 3, "expected . or ["},
		{"$. a", 2, "expected a name"},
		{"$.['a']", 2, "expected a name"},
		{"$.a ", 3, "blank space behind"},
		{"$..*", 3, "only a name"},
		{"$..[*]", 4, "only a name"},
		{"$..[0]", 4, "only a name"},
		{"$..[?@.a]", 4, "only a name"},
		{"$[", 2, "expected 'name'"},
		{"$[]", 2, "expected 'name'"},
		{"$[a]", 2, "expected 'name'"},
		{"$['a'", 5, "expected ]"},
		{"$['a' x]", 6, "expected ]"},
		{"$[0", 3, "expected ]"},
		{"$[*", 3, "expected ]"},
		{"$['a", 2, "quote without its end"},
		{"$[\"a'", 2, "quote without its end"},
		{"$['a\\']", 2, "quote without its end"},
		{"$['a','b']", 5, "lists are not supported"},
		{"$[0,1]", 3, "lists are not supported"},
		{"$[1:2]", 3, "slices are not supported"},
		{"$[:2]", 2, "slices are not supported"},
		{"$[?@.a]", 2, "filters are not supported"},
		{"$[-1]", 2, "from the end"},
		{"$[01]", 2, "bad index"},
		{"$[1073741825]", 2, "bad index"},
		{"$[99999999999999999999999]", 2, "bad index"},
		{"$['a\nb']", 4, "control character"},
		{"$['\\x']", 3, "bad escape"},
		{"$['\\\"']", 3, "bad escape"},
		{"$[\"\\'\"]", 3, "bad escape"},
		{"$['\\u12']", 3, "bad escape"},
		{"$['\\u12g4']", 3, "bad escape"},
		{"$['\\ud800']", 3, "bad escape"},
		{"$['\\udc00']", 3, "bad escape"},
		{"$['\\ud800\\u0041']", 3, "bad escape"},
		{"$['\\ud800\\n']", 3, "bad escape"},
		{"$['\\", 3, "bad escape"},
		{"$.\xff", 2, "UTF-8"},
		{"$['\xed\xa0\x80']", 3, "UTF-8"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		size_t at = 999;

		if (parse(bytes_str(rows[i].text), &at, &err) != SEAL_USAGE || at != rows[i].at ||
		    strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: at %zu: %s", rows[i].text, at, err.text);
		assert_int_equal(err.code, SEAL_E_CONFIG);
		assert_null(strchr(err.text, '\n'));
	}
}

static void canonical_texts(void **state)
{
	static const struct {
		const char *text, *canonical;
		bool dynamic;
	} rows[] = {
		{"$", "$", false},
		{"$.Address", "$['Address']", false},
		{"$['Address']", "$['Address']", false},
		{"$[\"Address\"]", "$['Address']", false},
		{"$._a1.\xc3\xa9", "$['_a1']['\xc3\xa9']", false},
		{"$ .a [ 'b' ]\t\n\r[ 0 ]", "$['a']['b'][*]", false},
		{"$[7]", "$[*]", false},
		{"$[1073741824]", "$[*]", false},
		{"$.items[*].note", "$['items'][*]['note']", true},
		{"$.items.*.note", "$['items'][*]['note']", true},
		{"$..note", "$..['note']", true},
		{"$..['a b']", "$..['a b']", true},
		{"$.a..b[0]", "$['a']..['b'][*]", true},
		{"$['']", "$['']", false},
		{"$['it\\'s']", "$['it\\'s']", false},
		{"$[\"it's\"]", "$['it\\'s']", false},
		{"$['\"']", "$['\"']", false},
		{"$[\"\\\"\"]", "$['\"']", false},
		{"$['\\b\\f\\n\\r\\t\\/\\\\']", "$['\\b\\f\\n\\r\\t/\\\\']", false},
		{"$['\\u0000\\u001F\\u000b']", "$['\\u0000\\u001f\\u000b']", false},
		{"$['\\u00e9\\uD83D\\uDE00']", "$['\xc3\xa9\xf0\x9f\x98\x80']", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_buf out = BUF_INIT(1000);
		struct json_path path;
		struct arena arena;
		size_t at;

		arena_init(&arena, 0);
		assert_int_equal(json_path_parse(bytes_str(rows[i].text), &arena, &path, &at, NULL), SEAL_OK);
		assert_int_equal(at, strlen(rows[i].text));
		assert_int_equal(json_path_canonical(&path, &out, NULL), SEAL_OK);
		assert_true(bytes_eq_str(buf_bytes(&out), rows[i].canonical));
		assert_int_equal(json_path_is_dynamic(&path), rows[i].dynamic);
		buf_clear(&out);
		arena_clear(&arena);
	}
}

static void canonical_is_bounded(void **state)
{
	struct json_step steps[] = {{0, 3, false}, {JSON_NO_NAME, JSON_NO_NAME, false}};
	struct seal_buf out = BUF_INIT(10);
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(buf_append_str(&out, "ab", NULL), SEAL_OK);
	assert_int_equal(json_steps_canonical(bytes_str("abc"), steps, 2, &out, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(out.len, 2);
	buf_clear(&out);
}

static void steps_canonical(void **state)
{
	static const struct {
		const char *raw, *canonical;
	} rows[] = {
		{"abc", "$['abc'][*]"},
		{"", "$[''][*]"},
		{"a'\\\\\\/\\\"", "$['a\\'\\\\/\"'][*]"},
		{"\\u0041\\n\\u000b", "$['A\\n\\u000b'][*]"},
		{"\\ud83d\\ude00\xf0\x9f\x98\x80", "$['\xf0\x9f\x98\x80\xf0\x9f\x98\x80'][*]"},
		/* A lone surrogate is told apart from the text \ud800, whose backslash is doubled. */
		{"\\uD800x", "$['\\ud800x'][*]"},
		{"\\\\ud800x", "$['\\\\ud800x'][*]"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t len = (uint32_t)strlen(rows[i].raw);
		struct json_step steps[] = {{0, len, strchr(rows[i].raw, '\\') != NULL},
					    {JSON_NO_NAME, JSON_NO_NAME, false}};
		struct seal_buf out = BUF_INIT(1000);

		assert_int_equal(json_steps_canonical(bytes_str(rows[i].raw), steps, 2, &out, NULL), SEAL_OK);
		assert_true(bytes_eq_str(buf_bytes(&out), rows[i].canonical));
		buf_clear(&out);
	}
}

static void overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{"$", "$", true},
		{"$", "$.a.b", true},
		{"$.a", "$.a", true},
		{"$.a", "$['a']", true},
		{"$.a", "$.b", false},
		{"$.a", "$.a.b", true},
		{"$.a.b", "$.a.c", false},
		{"$.a.b", "$.a.*", true},
		{"$.a.*", "$.a[0]", true},
		{"$.a[0]", "$.a[1]", false},
		{"$.a[0]", "$.a[0].x", true},
		{"$.a[0]", "$.a.x", false},
		{"$.a[*].x", "$.a[3].y", false},
		{"$.a[*].x", "$.a[3].x", true},
		{"$.*.x", "$.y.*", true},
		{"$.*.x", "$.y.z", false},
		{"$..a", "$.b", true},
		{"$..a", "$.b.c.a", true},
		{"$..a", "$..b", true},
		{"$.x..a", "$.y..a", false},
		{"$.x..a", "$.x.b.c", true},
		{"$..a.b", "$..a.c", true},
		{"$['']", "$.*", true},
		{"$['']", "$[0]", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_path a, b;
		struct arena arena;

		arena_init(&arena, 0);
		assert_int_equal(json_path_parse(bytes_str(rows[i].a), &arena, &a, NULL, NULL), SEAL_OK);
		assert_int_equal(json_path_parse(bytes_str(rows[i].b), &arena, &b, NULL, NULL), SEAL_OK);
		if (json_path_overlaps(&a, &b) != rows[i].overlap || json_path_overlaps(&b, &a) != rows[i].overlap)
			fail_msg("%s %s", rows[i].a, rows[i].b);
		arena_clear(&arena);
	}
}

static void limits_of_one_path(void **state)
{
	struct seal_buf text = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	size_t at;

	assert_int_equal(buf_append_u8(&text, '$', NULL), SEAL_OK);
	for (int i = 0; i < JSON_PATH_STEPS_MAX; i++)
		assert_int_equal(buf_append_str(&text, ".a", NULL), SEAL_OK);
	assert_int_equal(parse(buf_bytes(&text), &at, NULL), SEAL_OK);
	assert_int_equal(buf_append_str(&text, "[0]", NULL), SEAL_OK);
	assert_int_equal(parse(buf_bytes(&text), &at, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "more than 64 steps"));
	assert_int_equal(at, text.len - 3);

	buf_reset(&text);
	assert_int_equal(buf_append_str(&text, "$.", NULL), SEAL_OK);
	for (int i = 0; i < JSON_PATH_NAME_MAX; i++)
		assert_int_equal(buf_append_u8(&text, 'n', NULL), SEAL_OK);
	assert_int_equal(parse(buf_bytes(&text), &at, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&text, 'n', NULL), SEAL_OK);
	assert_int_equal(parse(buf_bytes(&text), &at, NULL), SEAL_USAGE);
	assert_int_equal(at, 2);
	buf_clear(&text);
}

/* As many paths as may be, with long common beginnings and ends; each finds its own member. */
static void many_paths(void **state)
{
	struct json_path *paths = mem_calloc(JSON_PATHS_MAX + 1, sizeof(*paths));
	struct seal_buf doc = BUF_INIT(1 << 20);
	struct json_scan scan = JSON_SCAN_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	struct json_paths *compiled;
	struct arena arena;

	assert_non_null(paths);
	arena_init(&arena, 0);
	assert_int_equal(buf_append_u8(&doc, '{', NULL), SEAL_OK);
	for (unsigned i = 0; i <= JSON_PATHS_MAX; i++) {
		const char *text = arena_printf(&arena, "$.customer_record_%04u_of_the_shop", i);

		assert_int_equal(json_path_parse(bytes_str(text), &arena, &paths[i], NULL, NULL), SEAL_OK);
		assert_int_equal(buf_printf(&doc, NULL, "%s\"%s\":%u", i ? "," : "", text + 2, i), SEAL_OK);
	}
	assert_int_equal(buf_append_u8(&doc, '}', NULL), SEAL_OK);
	assert_int_equal(json_paths_new(paths, JSON_PATHS_MAX, &compiled, NULL), SEAL_OK);
	assert_int_equal(json_scan(compiled, buf_bytes(&doc), &scan, NULL), SEAL_OK);
	assert_int_equal(scan.n_hits, JSON_PATHS_MAX);
	for (size_t i = 0; i < scan.n_hits; i++)
		assert_int_equal(scan.hits[i].path, i);
	json_paths_free(compiled);
	assert_int_equal(json_paths_new(paths, JSON_PATHS_MAX + 1, &compiled, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_null(compiled);
	json_scan_clear(&scan);
	arena_clear(&arena);
	buf_clear(&doc);
	mem_free(paths);
}

/* Paths whose states multiply end at the limit, soon, instead of taking all memory. */
static void too_complex(void **state)
{
	struct json_path paths[16];
	struct json_paths *compiled;
	struct seal_err err = SEAL_ERR_INIT;
	struct arena arena;

	arena_init(&arena, 0);
	for (unsigned i = 0; i < 16; i++) {
		const char *text = arena_printf(&arena, "$..a%u.*.*.*.*.*.*.b%u..c..d", i, i);

		assert_int_equal(json_path_parse(bytes_str(text), &arena, &paths[i], NULL, NULL), SEAL_OK);
	}
	assert_int_equal(json_paths_new(paths, 16, &compiled, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_non_null(strstr(err.text, "too complex"));
	assert_null(compiled);
	/* One of them alone is fine. */
	assert_int_equal(json_paths_new(paths, 1, &compiled, NULL), SEAL_OK);
	json_paths_free(compiled);
	json_paths_free(NULL);
	arena_clear(&arena);
}

static void no_paths(void **state)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_paths *compiled;

	assert_int_equal(json_paths_new(NULL, 0, &compiled, NULL), SEAL_OK);
	assert_int_equal(json_scan(compiled, bytes_str("{\"a\":[{}]}"), &scan, NULL), SEAL_OK);
	assert_int_equal(scan.n_hits, 0);
	json_paths_free(compiled);
	json_scan_clear(&scan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(canonical_texts),
		cmocka_unit_test(canonical_is_bounded),
		cmocka_unit_test(steps_canonical),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(limits_of_one_path),
		cmocka_unit_test(many_paths),
		cmocka_unit_test(too_complex),
		cmocka_unit_test(no_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
