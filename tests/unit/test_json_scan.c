/* json/scan: what is JSON, where a fault is, what a set of paths finds. */
#include "json_help.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

static void each_backend(void (*check)(void))
{
	size_t ran = 0;

	for (size_t i = 0; i < COUNT(json_backends); i++) {
		if (!json_backend_force(json_backends[i]))
			continue;
		assert_string_equal(json_backend(), json_backends[i]);
		check();
		ran++;
	}
	assert_true(ran >= 1);
	assert_false(json_backend_force("none"));
	assert_true(json_backend_force("plain"));
}

static enum seal_status scan_text(const char *text, struct seal_err *err)
{
	struct json_scan scan = JSON_SCAN_INIT;
	size_t len = strlen(text);
	uint8_t *copy = mem_dup(text, len);
	enum seal_status rc;

	assert_non_null(copy);
	rc = json_scan(NULL, bytes_of(copy, len), &scan, err);
	assert_int_equal(scan.n_hits, 0);
	json_scan_clear(&scan);
	mem_free(copy);
	return rc;
}

static void check_faults(void)
{
	static const struct {
		const char *text, *place, *says;
	} rows[] = {
		{"", "byte 0", "no JSON value"},
		{" \n\t\r", "byte 4", "no JSON value"},
		{"{", "byte 1", "ends too early"},
		{"[", "byte 1", "ends too early"},
		{"[1", "byte 2", "ends too early"},
		{"[1,", "byte 3", "ends too early"},
		{"{\"a", "byte 3", "ends too early"},
		{"{\"a\"", "byte 4", "ends too early"},
		{"{\"a\":", "byte 5", "ends too early"},
		{"{\"a\":1", "byte 6", "ends too early"},
		{"{\"a\":1,", "byte 7", "ends too early"},
		{"\"\\", "byte 2", "ends too early"},
		{"\"\\u12", "byte 5", "ends too early"},
		{"-", "byte 1", "ends too early"},
		{"1.", "byte 2", "ends too early"},
		{"1e", "byte 2", "ends too early"},
		{"1e+", "byte 3", "ends too early"},
		{"[1,]", "byte 3", "value must stand here"},
		{"[,1]", "byte 1", "value must stand here"},
		{"{\"a\":}", "byte 5", "value must stand here"},
		{"'a'", "byte 0", "value must stand here"},
		{"[tru]", "byte 1", "only words"},
		{"[True]", "byte 1", "value must stand here"},
		{"nul", "byte 0", "only words"},
		{"01", "byte 1", "not a JSON number"},
		{"-01", "byte 2", "not a JSON number"},
		{"[-]", "byte 2", "not a JSON number"},
		{"[1.]", "byte 3", "not a JSON number"},
		{"[1.e1]", "byte 3", "not a JSON number"},
		{"[1e]", "byte 3", "not a JSON number"},
		{"[1e+]", "byte 4", "not a JSON number"},
		{"[.5]", "byte 1", "value must stand here"},
		{"[+1]", "byte 1", "value must stand here"},
		{"{1:2}", "byte 1", "member name"},
		{"{\"a\":1,}", "byte 7", "member name"},
		{"{,}", "byte 1", "member name"},
		{"{\"a\" 1}", "byte 5", "colon"},
		{"{\"a\"}", "byte 4", "colon"},
		{"{\"a\"::1}", "byte 5", "value must stand here"},
		{"{\"a\":1 \"b\":2}", "byte 7", "comma or }"},
		{"{\"a\":1]", "byte 6", "comma or }"},
		{"[1 2]", "byte 3", "comma or ]"},
		{"[1}", "byte 2", "comma or ]"},
		{"[1.5.2]", "byte 4", "comma or ]"},
		{"1 2", "byte 2", "one record holds one value"},
		{"{} }", "byte 3", "one record holds one value"},
		{"\"a\"b", "byte 3", "one record holds one value"},
		{"\"a\nb\"", "byte 2", "control character"},
		{"\"a\x1f\"", "byte 2", "control character"},
		{"\"\\x\"", "byte 1", "escape"},
		{"\"\\u12g4\"", "byte 5", "escape"},
		{"\"\\U1234\"", "byte 1", "escape"},
		{"\"\xff\"", "byte 1", "invalid UTF-8"},
		{"\"\xc0\x80\"", "byte 1", "invalid UTF-8"},
		{"\"\xe0\x9f\xbf\"", "byte 1", "invalid UTF-8"},
		{"\"\xed\xa0\x80\"", "byte 1", "invalid UTF-8"},
		{"\"\xf0\x8f\xbf\xbf\"", "byte 1", "invalid UTF-8"},
		{"\"\xf4\x90\x80\x80\"", "byte 1", "invalid UTF-8"},
		{"\"\xf5\x80\x80\x80\"", "byte 1", "invalid UTF-8"},
		{"\"\xe2\x82\"", "byte 1", "invalid UTF-8"},
		{"\"\xe2\x82", "byte 1", "invalid UTF-8"},
		{"\"\xc3\xa9\x80\"", "byte 3", "invalid UTF-8"},
		{"{\"\xff\":1}", "byte 2", "invalid UTF-8"},
		{"\xef\xbb\xbf{}", "byte 0", "byte order mark"},
		{"[\f1]", "byte 1", "value must stand here"},
		{"[1]\x01", "byte 3", "one record holds one value"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(scan_text(rows[i].text, &err), SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_SYNTAX);
		assert_string_equal(err.place, rows[i].place);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_null(strchr(err.text, '\n'));
	}
}

static void faults_have_a_place(void **state)
{
	each_backend(check_faults);
}

static void check_good(void)
{
	static const char *const good[] = {
		"{}",
		"[]",
		" [ ] ",
		"\t{\n}\r\n",
		"0",
		"-0",
		"-0.0e-0",
		"1E+2",
		"12345678901234567890",
		"0.12345678901234567890123456789012345678901234567890",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFfFf\"",
		"\"\\ud800\"",
		"\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\"",
		"\"\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		"true",
		" false ",
		"null\n",
		"{\"a\":{\"a\":[{\"a\":[]},[[]],{}]},\"a\":1}",
		"{\"\":0,\"\":0}",
		"[1,\"a\",null,true,false,{},[],-1.5e3]",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(scan_text(good[i], &err), SEAL_OK);
		assert_int_equal(err.status, SEAL_OK);
	}
}

static void good_documents(void **state)
{
	each_backend(check_good);
}

static void expect_hits(const char *const *paths, const char *doc, const char *expected)
{
	struct json_paths *compiled = paths_of(paths);
	struct json_scan scan = JSON_SCAN_INIT;
	char found[4096];

	assert_int_equal(json_scan(compiled, bytes_str(doc), &scan, NULL), SEAL_OK);
	hits_text(bytes_str(doc), &scan, found);
	assert_string_equal(found, expected);
	json_scan_clear(&scan);
	json_paths_free(compiled);
}

#define EXPECT(doc, expected, ...) expect_hits((const char *const[]){__VA_ARGS__, NULL}, doc, expected)

static void check_hits(void)
{
	const char *purchase = "{\"Name\": \"Ann\", \"Address\": \"1 High St\", \"credit_card\": 4111}";

	EXPECT(purchase, "0:\"1 High St\" 1:4111", "$.Address", "$.credit_card");
	EXPECT(purchase, "1:\"1 High St\" 0:4111", "$['credit_card']", "$[\"Address\"]");
	EXPECT(purchase, "", "$.address", "$.credit_card.x", "$.Address[0]", "$[0]");
	EXPECT(purchase, "0:\"Ann\" 0:\"1 High St\" 0:4111", "$.*");
	EXPECT("[1,2]", "0:[1,2]", "$");
	EXPECT(" 7 ", "0:7", "$");
	EXPECT("[[1,2],[3,4],5]", "0:1 0:3", "$[*][0]");
	EXPECT("[[1,2],[3,4],5]", "0:[1,2] 1:4", "$[0]", "$[1][1]");
	EXPECT("[0,1,2,3,4,5]", "1:1 2:3 0:5", "$[5]", "$[1]", "$[3]");
	EXPECT("{\"items\":[{\"note\":\"x\"},{\"id\":2},{\"id\":3,\"note\":null}]}", "0:\"x\" 0:null",
	       "$.items[*].note");
	/* The outer match wins, and matching goes on behind it. */
	EXPECT("{\"a\":{\"b\":1},\"b\":2}", "0:{\"b\":1} 1:2", "$.a", "$..b");
	EXPECT("{\"a\":{\"b\":{\"b\":1}},\"b\":[2,{\"b\":3}]}", "0:{\"b\":1} 0:[2,{\"b\":3}]", "$..b");
	EXPECT("{\"x\":[{\"y\":{\"a\":{\"q\":{\"b\":1}}}}]}", "0:1", "$..a..b");
	EXPECT("{\"a\":{\"a\":{\"b\":1}}}", "0:1", "$..a.b");
	EXPECT("{\"a\":{\"c\":1,\"d\":2},\"b\":{\"c\":3}}", "0:1 1:2 0:3", "$.*.c", "$.a.d");
	/* Duplicate members match each time. */
	EXPECT("{\"a\":1,\"a\":{\"a\":2},\"a\":3}", "0:1 0:{\"a\":2} 0:3", "$.a");
	/* Equal paths: the first one. */
	EXPECT("{\"a\":1}", "0:1", "$.a", "$['a']");
	/* Names are compared decoded. */
	EXPECT("{\"credit\\u005fcard\":1}", "0:1", "$.credit_card");
	EXPECT("{\"\\u00e9\\ud83d\\ude00\\n\":1}", "0:1", "$['\xc3\xa9\xf0\x9f\x98\x80\\n']");
	EXPECT("{\"\xc3\xa9\":1}", "0:1", "$.\xc3\xa9");
	EXPECT("{\"\\ud800\":1,\"a\\udc00\":2}", "0:1 0:2", "$.*");
	EXPECT("{\"\":1}", "0:1", "$['']");
	EXPECT("{\"a\\u0000\":1,\"a\":2}", "0:2", "$.a");
	EXPECT("{\"a/b\":1,\"a\\/c\":2}", "0:1 1:2", "$['a/b']", "$['a/c']");
}

static void paths_find_values(void **state)
{
	each_backend(check_hits);
}

static void check_hit_fields(void)
{
	static const char *const texts[] = {"$.s", "$.list[*]", "$.o.*", NULL};
	const char *doc =
		"{ \"s\" : \"a\\tb\" ,\"list\": [null, true], \"o\":{\"k\\u0041\":false,\"l\":[],\"m\":{}}}";
	static const struct {
		const char *text;
		enum json_type type;
		bool escaped, in_object;
		const char *item;
		size_t n_steps;
	} rows[] = {
		{"\"a\\tb\"", JSON_STRING, true, true, "\"s\"", 0},
		{"null", JSON_NULL, false, false, "null", 2},
		{"true", JSON_TRUE, false, false, "true", 2},
		{"false", JSON_FALSE, false, true, "\"k\\u0041\"", 2},
		{"[]", JSON_ARRAY, false, true, "\"l\"", 2},
		{"{}", JSON_OBJECT, false, true, "\"m\"", 2},
	};
	static const char *const places[] = {NULL,	     "$['list'][*]", "$['list'][*]",
					     "$['o']['kA']", "$['o']['l']",  "$['o']['m']"};
	struct json_paths *paths = paths_of(texts);
	struct json_scan scan = JSON_SCAN_INIT;

	assert_int_equal(json_scan(paths, bytes_str(doc), &scan, NULL), SEAL_OK);
	assert_int_equal(scan.n_hits, COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct json_hit *h = &scan.hits[i];
		struct seal_buf place = BUF_INIT(1000);

		assert_memory_equal(doc + h->start, rows[i].text, strlen(rows[i].text));
		assert_int_equal(h->end - h->start, strlen(rows[i].text));
		assert_int_equal(h->type, rows[i].type);
		assert_int_equal(h->escaped, rows[i].escaped);
		assert_int_equal(h->in_object, rows[i].in_object);
		assert_memory_equal(doc + h->item_start, rows[i].item, strlen(rows[i].item));
		assert_int_equal(h->n_steps, rows[i].n_steps);
		if (places[i] == NULL)
			continue;
		assert_int_equal(
			json_steps_canonical(bytes_str(doc), scan.steps + h->steps, h->n_steps, &place, NULL),
			SEAL_OK);
		assert_true(bytes_eq_str(buf_bytes(&place), places[i]));
		buf_clear(&place);
	}
	json_scan_clear(&scan);
	json_paths_free(paths);
}

static void hits_say_all(void **state)
{
	each_backend(check_hit_fields);
}

/* The longest name that a path may have is found, decoded; one byte more in the document is another name. */
static void longest_names(void **state)
{
	static const struct {
		size_t plain;
		const char *last;
		size_t hits;
	} rows[] = {{JSON_PATH_NAME_MAX - 1, "\\u006e", 1},
		    {JSON_PATH_NAME_MAX - 1, "\\u00e9", 0},
		    {JSON_PATH_NAME_MAX, "\\u006e", 0},
		    {JSON_PATH_NAME_MAX * 7, "\\u006e", 0},
		    {JSON_PATH_NAME_MAX, "", 1},
		    {JSON_PATH_NAME_MAX + 1, "", 0}};
	char text[JSON_PATH_NAME_MAX + 3] = "$.";
	const char *const texts[] = {text, NULL};
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_paths *paths;

	memset(text + 2, 'n', JSON_PATH_NAME_MAX);
	paths = paths_of(texts);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seal_buf doc = BUF_INIT(1 << 20);

		assert_int_equal(buf_append_str(&doc, "{\"", NULL), SEAL_OK);
		for (size_t n = 0; n < rows[i].plain; n++)
			assert_int_equal(buf_append_u8(&doc, 'n', NULL), SEAL_OK);
		assert_int_equal(buf_append_str(&doc, rows[i].last, NULL), SEAL_OK);
		assert_int_equal(buf_append_str(&doc, "\":1}", NULL), SEAL_OK);
		assert_int_equal(json_scan(paths, buf_bytes(&doc), &scan, NULL), SEAL_OK);
		assert_int_equal(scan.n_hits, rows[i].hits);
		buf_clear(&doc);
	}
	json_scan_clear(&scan);
	json_paths_free(paths);
}

static char *nested(size_t depth, const char *open, const char *close)
{
	size_t a = strlen(open), b = strlen(close);
	char *text = malloc(depth * (a + b) + 2), *p = text;

	assert_non_null(text);
	for (size_t i = 0; i < depth; i++, p += a)
		memcpy(p, open, a);
	*p++ = '1';
	for (size_t i = 0; i < depth; i++, p += b)
		memcpy(p, close, b);
	*p = '\0';
	return text;
}

static void check_depth(void)
{
	static const struct {
		const char *open, *close;
	} kinds[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[", ""}};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		static const size_t depths[] = {JSON_DEPTH_MAX, JSON_DEPTH_MAX + 1, 100000};

		for (size_t j = 0; j < COUNT(depths); j++) {
			char *text = nested(depths[j], kinds[i].open, kinds[i].close);
			struct seal_err err = SEAL_ERR_INIT;
			bool fits = depths[j] <= JSON_DEPTH_MAX, closed = kinds[i].close[0] != '\0';

			assert_int_equal(scan_text(text, &err), fits && closed ? SEAL_OK : SEAL_DATA);
			if (!fits) {
				assert_int_equal(err.code, SEAL_E_LIMIT);
				assert_non_null(strstr(err.text, "deeper than 128"));
			}
			free(text);
		}
	}
}

static void depth_is_limited(void **state)
{
	each_backend(check_depth);
}

/* A match at the deepest level has all its steps. */
static void deepest_match(void **state)
{
	static const char *const texts[] = {"$..x", NULL};
	struct json_paths *paths = paths_of(texts);
	struct json_scan scan = JSON_SCAN_INIT;
	char *text = nested(JSON_DEPTH_MAX, "{\"a\":", "}");
	char *last = strrchr(text, 'a');

	*last = 'x';
	assert_int_equal(json_scan(paths, bytes_str(text), &scan, NULL), SEAL_OK);
	assert_int_equal(scan.n_hits, 1);
	assert_int_equal(scan.hits[0].n_steps, JSON_DEPTH_MAX);
	assert_int_equal(scan.n_steps, JSON_DEPTH_MAX);
	free(text);
	json_scan_clear(&scan);
	json_paths_free(paths);
}

static void check_large_strings(void)
{
	static const char *const fillers[] = {"x", "\\u00e9", "\xc3\xa9", "\\\\", "abc\\n\xf0\x9f\x98\x80"};
	static const char *const texts[] = {"$.s", NULL};
	struct json_paths *paths = paths_of(texts);
	struct json_scan scan = JSON_SCAN_INIT;

	for (size_t i = 0; i < COUNT(fillers); i++) {
		struct seal_buf doc = BUF_INIT(4 << 20);
		size_t n = strlen(fillers[i]);

		assert_int_equal(buf_append_str(&doc, "{\"s\":\"", NULL), SEAL_OK);
		while (doc.len < 1 << 20)
			assert_int_equal(buf_append(&doc, bytes_of(fillers[i], n), NULL), SEAL_OK);
		assert_int_equal(buf_append_str(&doc, "\",\"t\":2}", NULL), SEAL_OK);
		assert_int_equal(json_scan(paths, buf_bytes(&doc), &scan, NULL), SEAL_OK);
		assert_int_equal(scan.n_hits, 1);
		assert_int_equal(scan.hits[0].start, 5);
		assert_int_equal(scan.hits[0].end, doc.len - 7);
		assert_int_equal(scan.hits[0].escaped, strchr(fillers[i], '\\') != NULL);
		/* A quote lost at the end. */
		doc.ptr[doc.len - 8] = 'x';
		assert_int_equal(json_scan(paths, buf_bytes(&doc), &scan, NULL), SEAL_DATA);
		assert_int_equal(scan.n_hits, 0);
		buf_clear(&doc);
	}
	json_scan_clear(&scan);
	json_paths_free(paths);
}

static void megabyte_strings(void **state)
{
	each_backend(check_large_strings);
}

/* Every document ends right before a page that can't be read, and every prefix of it too. */
static void check_page_end(void)
{
	static const char *const docs[] = {
		"{\"name\":\"somebody with a long name, longer than a "
		"register\",\"n\":[12345,-0.5e10,true,false,null]}",
		"[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\", \"\\ud83d\\ude00\\n\", {\"\\u0061\" : { } }  ,  [ ]      "
		"]",
		"                                                                    1234567890123456789",
		"\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
	};
	static const char *const texts[] = {"$..a", "$.n[*]", "$[1]", NULL};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct json_paths *paths = paths_of(texts);
	struct json_scan scan = JSON_SCAN_INIT;

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	for (size_t i = 0; i < COUNT(docs); i++) {
		size_t len = strlen(docs[i]);

		for (size_t cut = 0; cut <= len; cut++) {
			uint8_t *at = two + page - cut;
			enum seal_status rc;

			memcpy(at, docs[i], cut);
			rc = json_scan(paths, bytes_of(at, cut), &scan, NULL);
			if (cut == len)
				assert_int_equal(rc, SEAL_OK);
			else if (docs[i][0] != ' ')
				assert_int_equal(rc, SEAL_DATA);
		}
	}
	json_scan_clear(&scan);
	json_paths_free(paths);
	munmap(two, 2 * page);
}

static void nothing_behind_the_end_is_read(void **state)
{
	each_backend(check_page_end);
}

static void values(void **state)
{
	assert_true(json_is_value(bytes_str("1"), false));
	assert_true(json_is_value(bytes_str("{\"a\": [1, 2]}"), false));
	assert_false(json_is_value(bytes_str(" 1"), false));
	assert_false(json_is_value(bytes_str("1\n"), false));
	assert_true(json_is_value(bytes_str(" 1\n"), true));
	assert_false(json_is_value(bytes_str("1 2"), true));
	assert_false(json_is_value(bytes_str("x"), true));
	assert_false(json_is_value(bytes_str(""), false));
	assert_false(json_is_value(BYTES_EMPTY, true));
}

static void too_large(void **state)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct seal_err err = SEAL_ERR_INIT;

	/* The length alone is refused: the memory is never looked at. */
	assert_int_equal(json_scan(NULL, bytes_of("1", (size_t)JSON_DOCUMENT_MAX + 1), &scan, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
}

/* A small document can't make the scan keep without end: neither matches nor the ways to them. */
static void matches_are_limited(void **state)
{
	static const char *const all[] = {"$[*]", NULL}, *const deep[] = {"$..x", NULL};
	struct json_paths *paths = paths_of(all), *deep_paths = paths_of(deep);
	struct seal_buf doc = BUF_INIT(8 << 20);
	struct json_scan scan = JSON_SCAN_INIT;
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(buf_append_u8(&doc, '[', NULL), SEAL_OK);
	for (size_t i = 0; i < JSON_HITS_MAX; i++)
		assert_int_equal(buf_append_str(&doc, i ? ",1" : "1", NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&doc, ']', NULL), SEAL_OK);
	assert_int_equal(json_scan(paths, buf_bytes(&doc), &scan, &err), SEAL_OK);
	assert_int_equal(scan.n_hits, JSON_HITS_MAX);
	doc.len--;
	assert_int_equal(buf_append_str(&doc, ",1]", NULL), SEAL_OK);
	assert_int_equal(json_scan(paths, buf_bytes(&doc), &scan, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_non_null(strstr(err.text, "too many values"));
	assert_int_equal(scan.n_hits, 0);

	buf_reset(&doc);
	err_clear(&err);
	for (size_t i = 1; i < JSON_DEPTH_MAX; i++)
		assert_int_equal(buf_append_u8(&doc, '[', NULL), SEAL_OK);
	for (size_t i = 0; i <= JSON_STEPS_MAX / JSON_DEPTH_MAX; i++)
		assert_int_equal(buf_append_str(&doc, i ? ",\"x\":1" : "{\"x\":1", NULL), SEAL_OK);
	assert_int_equal(json_scan(deep_paths, buf_bytes(&doc), &scan, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(scan.n_steps, 0);
	json_scan_clear(&scan);
	json_paths_free(paths);
	json_paths_free(deep_paths);
	buf_clear(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_have_a_place),
		cmocka_unit_test(good_documents),
		cmocka_unit_test(paths_find_values),
		cmocka_unit_test(hits_say_all),
		cmocka_unit_test(longest_names),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(deepest_match),
		cmocka_unit_test(megabyte_strings),
		cmocka_unit_test(nothing_behind_the_end_is_read),
		cmocka_unit_test(values),
		cmocka_unit_test(too_large),
		cmocka_unit_test(matches_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
