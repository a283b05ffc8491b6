/* json/value: are the members that are asked for found, whatever stands around them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/value.h"

static struct json_value of(const char *doc)
{
	struct json_value value;

	assert_int_equal(json_value_of(bytes_str(doc), &value, NULL), SEAL_OK);
	return value;
}

static bool is(const struct json_value *value, enum json_type type, const char *text)
{
	return json_value_is(value, type) && bytes_eq_str(value->text, text);
}

static void members(void **state)
{
	static const char *const names[] = {"a", "list", "none", "null", "o"};
	struct json_value root =
		of(" {\"x\":{\"a\":0,\"list\":[{}]},\"a\":\"first\",\"null\":null,\"list\":[1,[2],{\"a\":3}] ,"
		   "\"o\":{\"deep\":{\"deeper\":[]}},\"a\":\"la\\u0073t\",\"\\u0061\":1} ");
	struct json_value out[5];

	(void)state;
	json_members(&root, names, 5, out);
	assert_true(is(&out[0], JSON_STRING, "la\\u0073t"));
	assert_true(out[0].escaped);
	assert_true(is(&out[1], JSON_ARRAY, "[1,[2],{\"a\":3}]"));
	assert_null(out[2].text.ptr);
	assert_null(out[3].text.ptr);
	assert_true(is(&out[4], JSON_OBJECT, "{\"deep\":{\"deeper\":[]}}"));
	json_members(&out[1], names, 5, out); /* an array has none */
	for (size_t i = 0; i < 5; i++)
		assert_null(out[i].text.ptr);
}

static void items(void **state)
{
	struct json_value root = of("[ {\"a\":1} , [] ,true,\"s\",-1.5e3,null]"), value;
	struct json_items list;

	(void)state;
	json_items(&root, &list);
	assert_true(json_item_next(&list, &value) && is(&value, JSON_OBJECT, "{\"a\":1}"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_ARRAY, "[]"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_TRUE, "true"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_STRING, "s"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_NUMBER, "-1.5e3"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_NULL, "null"));
	assert_false(json_item_next(&list, &value));
	root = of("{\"n\":{},\"m\":\"\"}");
	json_items(&root, &list);
	assert_true(json_item_next(&list, &value) && is(&value, JSON_OBJECT, "{}"));
	assert_true(bytes_eq_str(list.name.text, "n"));
	assert_true(json_item_next(&list, &value) && is(&value, JSON_STRING, ""));
	assert_true(bytes_eq_str(list.name.text, "m"));
	assert_false(json_item_next(&list, &value));
	for (size_t i = 0; i < 2; i++) {
		root = of(i == 0 ? "\"text\"" : "{}");
		json_items(&root, &list);
		assert_false(json_item_next(&list, &value));
	}
}

static void strings(void **state)
{
	struct json_value root = of("\"a\\u00e9\\n\""), empty = of("\"\""), number = of("1"), bad = of("\"\\ud800\"");
	struct seal_bytes text;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(json_value_string(&root, &arena, &text, NULL), SEAL_OK);
	assert_true(bytes_eq_str(text, "a\xc3\xa9\n"));
	assert_int_equal(json_value_string(&empty, &arena, &text, NULL), SEAL_OK);
	assert_non_null(text.ptr);
	assert_int_equal(text.len, 0);
	assert_int_equal(json_value_string(&number, &arena, &text, NULL), SEAL_OK);
	assert_null(text.ptr);
	assert_int_equal(json_value_string(&bad, &arena, &text, NULL), SEAL_DATA);
	arena_clear(&arena);
}

static void refused(void **state)
{
	static const char *const docs[] = {"", "{", "<html>", "{} x", "{\"a\":}"};
	struct json_value value;

	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		assert_int_equal(json_value_of(bytes_str(docs[i]), &value, NULL), SEAL_DATA);
		assert_null(value.text.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(members), cmocka_unit_test(items),
					   cmocka_unit_test(strings), cmocka_unit_test(refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
