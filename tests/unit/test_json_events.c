/* json/events: every name, value and end of a document, in order, with its exact text; and names as people write them. */
#include "json_help.h"

#include "base/buf.h"
#include "json/events.h"

/* To skip a container comes to where a walk through it does. */
static void expect_skip(const struct json_events *here)
{
	struct json_events skips = *here, walks = *here;

	json_events_skip(&skips);
	while (walks.depth >= here->depth)
		(void)json_events_next(&walks);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(skips.at, walks.at);
		assert_int_equal(skips.start, walks.start);
		assert_int_equal(skips.end, walks.end);
		assert_int_equal(skips.depth, walks.depth);
		assert_int_equal(json_events_next(&skips), json_events_next(&walks));
	}
}

/* The events as text: ":name", "=type text" and "/" for the end of a container; '*' behind what has an escape. */
static void expect_doc(const char *doc, const char *expected)
{
	static const char types[] = {[JSON_NULL] = 'n',	  [JSON_FALSE] = 'f', [JSON_TRUE] = 't',  [JSON_NUMBER] = '#',
				     [JSON_STRING] = 's', [JSON_ARRAY] = 'a', [JSON_OBJECT] = 'o'};
	struct seal_buf out = BUF_INIT(1 << 16);
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_events events;
	enum json_event event;

	assert_int_equal(json_scan(NULL, bytes_str(doc), &scan, NULL), SEAL_OK);
	json_events_init(&events, bytes_str(doc));
	while ((event = json_events_next(&events)) != JSON_EVENT_END) {
		struct seal_bytes text = json_events_text(&events);

		if (event == JSON_EVENT_VALUE && (events.type == JSON_OBJECT || events.type == JSON_ARRAY))
			expect_skip(&events);
		assert_int_equal(buf_append_u8(&out, ' ', NULL), SEAL_OK);
		if (event == JSON_EVENT_LEAVE)
			assert_int_equal(buf_append_u8(&out, '/', NULL), SEAL_OK);
		else if (event == JSON_EVENT_NAME)
			assert_int_equal(
				buf_printf(&out, NULL, ":%.*s%s", BYTES_FMT(text), events.escaped ? "*" : ""),
				SEAL_OK);
		else
			assert_int_equal(buf_printf(&out, NULL, "%c%.*s%s", types[events.type], BYTES_FMT(text),
						    events.escaped ? "*" : ""),
					 SEAL_OK);
	}
	assert_int_equal(events.depth, 0);
	assert_int_equal(json_events_next(&events), JSON_EVENT_END);
	if (!bytes_eq_str(buf_bytes(&out), expected))
		fail_msg("%s gives %.*s", doc, (int)out.len, (const char *)out.ptr);
	json_scan_clear(&scan);
	buf_clear(&out);
}

static void documents(void **state)
{
	expect_doc("1", " #1");
	expect_doc(" null\n", " nnull");
	expect_doc("\"\"", " s");
	expect_doc("{}", " o{ /");
	expect_doc("[ ]", " a[ /");
	expect_doc("{\"a\":1}", " o{ :a #1 /");
	expect_doc(" { \"a\" :\t1.10e+5 ,\n\"b\" : \"x\" } \n", " o{ :a #1.10e+5 :b sx /");
	expect_doc("[true,false,null,-0.5]", " a[ ttrue ffalse nnull #-0.5 /");
	expect_doc("{\"a\":[{\"b\":[]},\"c\"],\"d\":{}}", " o{ :a a[ o{ :b a[ / / sc / :d o{ / /");
	expect_doc("[[\"x\",[\"y\"]],{\"k\":\"v\"}]", " a[ a[ sx a[ sy / / o{ :k sv / /");
}

/* Strings whose text looks like structure. */
static void strings(void **state)
{
	expect_doc("{\"a,b\":\"}\",\"c:\":\"{\\\"d\\\":1}\"}", " o{ :a,b s} :c: s{\\\"d\\\":1}* /");
	expect_doc("[\"\\\\\",\"\\\"\",\"\\u0022]\"]", " a[ s\\\\* s\\\"* s\\u0022]* /");
	expect_doc("{\"\\u0061\":\"b\",\"\":\"\"}", " o{ :\\u0061* sb : s /");
	expect_doc("[\"a\\\\\\\"b\",\"\xc3\xa9\"]", " a[ sa\\\\\\\"b* s\xc3\xa9 /");
}

/* As deep as documents may be, and once a level. */
static void depth(void **state)
{
	char doc[2 * JSON_DEPTH_MAX + 1];
	struct json_events events;
	size_t opened = 0, closed = 0;
	enum json_event event;

	memset(doc, '[', JSON_DEPTH_MAX);
	memset(doc + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	json_events_init(&events, bytes_of(doc, sizeof(doc) - 1));
	while ((event = json_events_next(&events)) != JSON_EVENT_END) {
		opened += event == JSON_EVENT_VALUE;
		closed += event == JSON_EVENT_LEAVE;
	}
	assert_int_equal(opened, JSON_DEPTH_MAX);
	assert_int_equal(closed, JSON_DEPTH_MAX);
}

static void expect_name(const char *name, const char *expected)
{
	struct seal_buf out = BUF_INIT(1 << 16);
	struct json_path path;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(buf_append_u8(&out, '$', NULL), SEAL_OK);
	assert_int_equal(json_path_put_name(bytes_str(name), &out, NULL), SEAL_OK);
	if (!bytes_eq_str(bytes_skip(buf_bytes(&out), 1), expected))
		fail_msg("%s gives %.*s", name, (int)out.len, (const char *)out.ptr);
	assert_int_equal(json_path_parse(buf_bytes(&out), &arena, &path, NULL, NULL), SEAL_OK);
	assert_int_equal(path.n_steps, 1);
	assert_true(bytes_eq_str(path.steps[0].name, name)); /* and back */
	arena_clear(&arena);
	buf_clear(&out);
}

static void names(void **state)
{
	expect_name("a", ".a");
	expect_name("credit_card2", ".credit_card2");
	expect_name("stra\xc3\x9f"
		    "e",
		    ".stra\xc3\x9f"
		    "e");
	expect_name("", "['']");
	expect_name("2nd", "['2nd']");
	expect_name("a b", "['a b']");
	expect_name("a.b", "['a.b']");
	expect_name("it's \\ \"x\"", "['it\\'s \\\\ \"x\"']");
	expect_name("a\nb\x1b", "['a\\nb\\u001b']");
	expect_name("a\xe2\x80\xae"
		    "b",
		    "['a\\u202eb']"); /* right-to-left override */
	expect_name("\xc2\x9b", "['\\u009b']"); /* a control of the second set */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents),
		cmocka_unit_test(strings),
		cmocka_unit_test(depth),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
