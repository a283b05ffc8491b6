/* json/splice: what a document looks like after values were replaced and items removed. */
#include "json_help.h"

#include "base/mem.h"
#include "json/splice.h"

/*
 * Applies `how` to the matches of `texts` in document order: 'x' removes, 'q' replaces by a quoted new, 'v' by a bare
 * [0], '-' leaves alone.
 */
static void expect_paths(const char *const *texts, const char *doc, const char *how, const char *expected)
{
	struct json_paths *paths = paths_of(texts);
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_edit edits[16];
	size_t n = 0, max, len;
	uint8_t *out;

	assert_int_equal(json_scan(paths, bytes_str(doc), &scan, NULL), SEAL_OK);
	assert_int_equal(scan.n_hits, strlen(how));
	for (size_t i = 0; i < scan.n_hits; i++) {
		const struct json_hit *h = &scan.hits[i];

		if (how[i] == '-')
			continue;
		edits[n++] = (struct json_edit){.start = h->start,
						.end = h->end,
						.item_start = h->item_start,
						.with = how[i] == 'q' ? BYTES_LIT("new") : BYTES_LIT("[0]"),
						.quote = how[i] == 'q',
						.remove = how[i] == 'x'};
	}
	max = json_splice_max(bytes_str(doc), edits, n);
	out = mem_alloc(max);
	assert_non_null(out);
	len = json_splice(bytes_str(doc), edits, n, out);
	assert_true(len <= max);
	if (!bytes_eq_str(bytes_of(out, len), expected))
		fail_msg("%s of %s gives %.*s", how, doc, (int)len, (const char *)out);
	assert_true(json_is_value(bytes_of(out, len), true));
	mem_free(out);
	json_scan_clear(&scan);
	json_paths_free(paths);
}

#define EXPECT(doc, how, expected, ...) expect_paths((const char *const[]){__VA_ARGS__, NULL}, doc, how, expected)

static void replaced(void **state)
{
	EXPECT("{\"a\":1}", "q", "{\"a\":\"new\"}", "$.a");
	EXPECT("{\"a\":1}", "v", "{\"a\":[0]}", "$.a");
	EXPECT(" { \"a\" :\t1.10 ,\n\"b\" : \"x\" } \n", "qv", " { \"a\" :\t\"new\" ,\n\"b\" : [0] } \n", "$.a",
	       "$.b");
	EXPECT("{\"a\":{\"k\":[1,2,{}]},\"b\":12345678901234567890}", "q",
	       "{\"a\":\"new\",\"b\":12345678901234567890}", "$.a");
	EXPECT("[1,2,3]", "q-v", "[\"new\",2,[0]]", "$[*]");
	EXPECT("{\"a\":1,\"a\":2}", "qq", "{\"a\":\"new\",\"a\":\"new\"}", "$.a");
	EXPECT(" \"x\" ", "v", " [0] ", "$");
	EXPECT("{\"b\":1.50}", "", "{\"b\":1.50}", "$.a");
}

static void members_removed(void **state)
{
	const char *doc = "{\"a\":1, \"b\":2, \"c\":3}";

	EXPECT(doc, "x", "{\"b\":2, \"c\":3}", "$.a");
	EXPECT(doc, "x", "{\"a\":1, \"c\":3}", "$.b");
	EXPECT(doc, "x", "{\"a\":1, \"b\":2}", "$.c");
	EXPECT(doc, "xx", "{\"c\":3}", "$.a", "$.b");
	EXPECT(doc, "xx", "{\"a\":1}", "$.b", "$.c");
	EXPECT(doc, "xx", "{\"b\":2}", "$.a", "$.c");
	EXPECT(doc, "xxx", "{}", "$.*");
	EXPECT("{\"a\":1}", "x", "{}", "$.a");
	EXPECT("{ \"a\" : 1 }", "x", "{ }", "$.a");
	EXPECT("{\"o\":{\"a\":1},\"p\":[{\"a\":2}]}", "xx", "{\"o\":{},\"p\":[{}]}", "$..a");
	EXPECT("{\"o\":{\"a\":1},\"b\":{\"a\":[1,2]}}", "xx", "{\"o\":{},\"b\":{}}", "$.*.a");
}

static void layout_kept(void **state)
{
	const char *doc = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n";

	EXPECT(doc, "x", "{\n  \"b\": 2,\n  \"c\": 3\n}\n", "$.a");
	EXPECT(doc, "x", "{\n  \"a\": 1,\n  \"c\": 3\n}\n", "$.b");
	EXPECT(doc, "x", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "$.c");
	EXPECT(doc, "xx", "{\n  \"a\": 1\n}\n", "$.b", "$.c");
	EXPECT(doc, "xxx", "{\n}\n", "$.*");
	EXPECT("{\"a\" : 1 , \"b\" : 2 }", "x", "{\"b\" : 2 }", "$.a");
	EXPECT("{\"a\" : 1 , \"b\" : 2 }", "x", "{\"a\" : 1 }", "$.b");
}

static void elements_removed(void **state)
{
	EXPECT("[1,2,3]", "x", "[2,3]", "$[0]");
	EXPECT("[1,2,3]", "x", "[1,3]", "$[1]");
	EXPECT("[1,2,3]", "x", "[1,2]", "$[2]");
	EXPECT("[1,2,3]", "xxx", "[]", "$[*]");
	EXPECT("[ 1 , 2 , 3 ]", "x-x", "[ 2 ]", "$[*]");
	EXPECT("[[1],[2]]", "xx", "[[],[]]", "$[*][0]");
	EXPECT("[[1,2],[3,4]]", "x-x-", "[[2],[4]]", "$[*][*]");
	EXPECT("[[1,2],[3,4]]", "-x-x", "[[1],[3]]", "$[*][*]");
}

static void mixed(void **state)
{
	EXPECT("{\"a\":1, \"b\":2, \"c\":3, \"d\":4}", "qxvx", "{\"a\":\"new\", \"c\":[0]}", "$.*");
	EXPECT("{\"a\":1, \"b\":2, \"c\":3, \"d\":4}", "xqxv", "{\"b\":\"new\", \"d\":[0]}", "$.*");
	EXPECT("[1,2,3]", "qxx", "[\"new\"]", "$[*]");
	EXPECT("[1,2,3]", "xxq", "[\"new\"]", "$[*]");
	EXPECT("{\"a\":\",}\",\"b\":\"]\"}", "x-", "{\"b\":\"]\"}", "$.*");
	EXPECT("{\"a\":\",\",\"b\":\"]\"}", "-x", "{\"a\":\",\"}", "$.*");
}

/* What is removed as a whole document leaves null: a JSON text holds one value. */
static void root_removed(void **state)
{
	EXPECT(" 1 ", "x", "null ", "$");
	EXPECT("{\"a\":1}", "x", "null", "$");
	EXPECT("7", "x", "null", "$");
}

static void nothing_to_do(void **state)
{
	struct seal_bytes doc = BYTES_LIT("{\"a\": 1.10}");
	uint8_t out[32];

	assert_int_equal(json_splice_max(doc, NULL, 0), doc.len);
	assert_int_equal(json_splice(doc, NULL, 0, out), doc.len);
	assert_memory_equal(out, doc.ptr, doc.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced),	    cmocka_unit_test(members_removed), cmocka_unit_test(layout_kept),
		cmocka_unit_test(elements_removed), cmocka_unit_test(mixed),	       cmocka_unit_test(root_removed),
		cmocka_unit_test(nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
