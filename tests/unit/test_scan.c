/*
 * scan: which paths there are and what is counted at each; maps, names that are data, full tables; what a policy says of it; and
 * that a table of parts is the table of the whole.
 */
#include "scan_help.h"

static void expect_records(const char *policy, const struct record *records, size_t n, const char *expected)
{
	struct kit kit = {.policy = NULL};
	struct scan_rules rules;
	struct scanner scanner;
	struct seal_buf text;

	if (policy != NULL)
		kit_open(&kit, policy);
	OK(scan_rules_init(&rules, kit.topic, false, NULL));
	OK(scanner_init(&scanner, &rules, NULL));
	for (size_t i = 0; i < n; i++)
		OK(scanner_record(&scanner, &records[i], i, NULL));
	assert_int_equal(scanner.totals.records, n);
	assert_int_equal(scanner.totals.failed, 0);
	OK(scan_table_finish(scanner.table, NULL));
	table_text(scanner.table, &text);
	assert_string_equal((const char *)text.ptr, expected);
	buf_clear(&text);
	scanner_clear(&scanner);
	scan_rules_clear(&rules);
	if (policy != NULL)
		kit_close(&kit);
}

static void expect_values(const char *policy, const char *const *values, const char *expected)
{
	struct record records[64];
	size_t n = 0;

	for (; values[n] != NULL; n++)
		records[n] = (struct record){.value = bytes_str(values[n])};
	expect_records(policy, records, n, expected);
}

#define EXPECT(expected, ...) expect_values(NULL, (const char *const[]){__VA_ARGS__, NULL}, expected)
#define EXPECT_UNDER(policy, expected, ...) expect_values(policy, (const char *const[]){__VA_ARGS__, NULL}, expected)

static void types_and_paths(void **state)
{
	EXPECT("$ number:1\n", "1");
	EXPECT("$ object:1\n", "{}");
	EXPECT("$.a array:1\n", "{\"a\":[]}");
	EXPECT("$.a null:1 boolean:2 number:1 string:1\n", "{\"a\":null}", "{\"a\":true}", "{\"a\":false}",
	       "{\"a\":1e2}", "{\"a\":\"x\"}");
	EXPECT("$.a string:1 array:1 object:1\n$.a.b number:1\n$.a[*] number:2\n", "{\"a\":\"x\"}",
	       "{\"a\":{\"b\":1}}", "{\"a\":[1,2]}");
	EXPECT("$.l[*].n number:3\n$.l[*].m[*][*] string:2\n",
	       "{\"l\":[{\"n\":1},{\"n\":2},{\"n\":3,\"m\":[[\"x\"],[\"y\"]]}]}");
	EXPECT("$.a number:2\n", "{\"a\":1,\"a\":2}"); /* a name may be there twice */
	EXPECT("$.ab number:2\n", "{\"ab\":1}", "{\"\\u0061b\":2}"); /* names are decoded */
	EXPECT("$[*] number:1\n$['a b']['it\\'s'] null:1\n$[''] null:1\n", "[1]",
	       "{\"a b\":{\"it's\":null},\"\":null}");
}

/* As they are first seen, whatever the order of later records. */
static void order(void **state)
{
	EXPECT("$.c number:2\n$.a number:3\n$.b.y number:1\n$.b.x number:2\n$.z number:1\n", "{\"c\":1,\"a\":1}",
	       "{\"a\":1}", "{\"b\":{\"y\":1,\"x\":1},\"z\":1}", "{\"b\":{\"x\":2},\"a\":2,\"c\":2}");
}

static void finds(void **state)
{
	EXPECT("$.m string:2 email open\n$.n number:1\n", "{\"m\":\"ada@example.com\",\"n\":1}",
	       "{\"m\":\"bob@example.com\"}");
	EXPECT("$.c number:1 string:1 card open\n", "{\"c\":4111111111111111}", "{\"c\":\"5555 5555 5555 4444\"}");
	EXPECT("$.m string:1 email open\n", "{\"m\":\"ada\\u0040example.com\"}"); /* escapes */
	EXPECT("$.m[*][*] string:2 email open\n", "{\"m\":[[\"ada@example.com\",\"bob@example.com\"]]}");
	EXPECT("$.m string:1\n", "{\"m\":\"\\ud800@example.com\"}"); /* no text */
	EXPECT("$.email null:1 boolean:1\n", "{\"email\":true}",
	       "{\"email\":null}"); /* a name alone, without any text */
	EXPECT("$.m string:1 email open\n",
	       "{\"m\":\"{\\\"x\\\":[\\\"ada@example.com\\\"]}\"}"); /* JSON in a string */
	EXPECT("$.v string:1\n", "{\"v\":\"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"); /* protected */
}

#define TOPIC KIT_HEAD "topics:\n  - match: t\n"
#define ONE(path) "    protect: {\"" path "\": {type: encrypt, key: k}}\n"
#define MAIL "\"ada@example.com\""

static void what_a_policy_says(void **state)
{
	EXPECT_UNDER(TOPIC ONE("$.m"), "$.m string:1 email protected\n$.n string:1 email open\n$.o number:1\n",
		     "{\"m\":" MAIL ",\"n\":" MAIL ",\"o\":1}");
	EXPECT_UNDER(TOPIC ONE("$.m") "    allow: [$.n]\n",
		     "$.m string:1 email protected\n$.n.x[*] string:2 email allowed\n",
		     "{\"m\":" MAIL ",\"n\":{\"x\":[" MAIL "," MAIL "]}}");
	EXPECT_UNDER(TOPIC ONE("$.m"), "$.m.a string:1 email protected\n$.m.b[*] string:1 email protected\n",
		     "{\"m\":{\"a\":" MAIL ",\"b\":[" MAIL "]}}");
	EXPECT_UNDER(TOPIC ONE("$..m"),
		     "$.a.m string:1 email protected\n$.b[*].m string:1 email protected\n$.b[*].n string:1 email "
		     "open\n",
		     "{\"a\":{\"m\":" MAIL "},\"b\":[{\"m\":" MAIL ",\"n\":" MAIL "}]}");
	/* Of elements that share a path, one is protected: the others are open. */
	EXPECT_UNDER(TOPIC ONE("$.m[0]"), "$.m[*] string:2 email open\n", "{\"m\":[" MAIL "," MAIL "]}");
	EXPECT_UNDER(TOPIC ONE("$.m[0]"), "$.m[*] string:1 email protected\n", "{\"m\":[" MAIL "]}");
	EXPECT_UNDER(TOPIC ONE("$.m[0]"), "$.m[*] number:1 string:1\n", "{\"m\":[" MAIL ",1]}");
	/* The sibling that a value is bound to is not protected by that. */
	EXPECT_UNDER(TOPIC "    protect: {$.m: {type: encrypt, key: k, bind: {record: $.n}}}\n",
		     "$.n string:1 email open\n$.m string:1 email protected\n", "{\"n\":" MAIL ",\"m\":" MAIL "}");
}

static void keys_and_headers(void **state)
{
	const struct record_header headers[] = {{BYTES_LIT("x-customer"), BYTES_LIT("ada@example.com")},
						{BYTES_LIT("trace"), BYTES_LIT("\xff\x00")},
						{BYTES_LIT("none"), BYTES_EMPTY},
						{BYTES_LIT("seal-key"), BYTES_LIT("AAAA")},
						{BYTES_LIT("\xff"), BYTES_LIT("x")}};
	struct record records[] = {
		{.key = BYTES_LIT("ada@example.com"),
		 .value = BYTES_LIT("1"),
		 .headers = headers,
		 .n_headers = COUNT(headers)},
		{.key = BYTES_LIT("{\"id\":\"bob@example.com\"}"), .value = BYTES_LIT("2")},
		{.key = BYTES_LIT("\xff"), .value = BYTES_EMPTY},
		{.value = BYTES_LIT("3"), .headers = headers, .n_headers = 1},
	};

	expect_records(NULL, records, COUNT(records),
		       "$ number:3\nkey string:1 bytes:1 object:1 email open\nkey.id string:1 email open\n"
		       "header:x-customer string:2 email open\nheader:trace bytes:1\nheader:? string:1\n");
	expect_records(TOPIC ONE("$.m") "    headers: {x-customer: {type: encrypt, key: k}}\n    allow: [key, "
					"\"header:trace\"]\n",
		       records, 1,
		       "$ number:1\nkey string:1 email allowed\nheader:x-customer string:1 email protected\n"
		       "header:trace bytes:1 allowed\nheader:? string:1\n");
	expect_records(TOPIC ONE("$.m") "    key: {$.id: {type: fpe, key: f, alphabet: alphanumeric}}\n", records + 1,
		       1, "$ number:1\nkey.id string:1 email protected\n");
	expect_records(KIT_HEAD "topics:\n  - {match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}\n",
		       records, 1,
		       "$ string:1 protected\nkey string:1 email open\nheader:x-customer string:1 email open\n"
		       "header:trace bytes:1\nheader:? string:1\n");
}

/* Records that cannot be read are told and counted, and what they have in the open counts. */
static void failures(void **state)
{
	static const struct record_header header = {BYTES_LIT("h"), BYTES_LIT("v")};
	const struct record not_json = {.value = BYTES_LIT("{\"a\":"), .headers = &header, .n_headers = 1};
	struct seal_err why = SEAL_ERR_INIT,
			broken_why = {.status = SEAL_DATA, .code = SEAL_E_LIMIT, .text = "too long"};
	const struct record broken = {.broken = &broken_why};
	struct scan_rules rules;
	struct scanner scanner;
	struct seal_buf text;

	OK(scan_rules_init(&rules, NULL, false, NULL));
	OK(scanner_init(&scanner, &rules, NULL));
	assert_int_equal(scanner_record(&scanner, &not_json, 0, &why), SEAL_DATA);
	assert_int_equal(why.code, SEAL_E_SYNTAX);
	assert_string_equal(why.place, "byte 5");
	err_clear(&why);
	assert_int_equal(scanner_record(&scanner, &broken, 1, &why), SEAL_DATA);
	assert_string_equal(why.text, "too long");
	scan_text(&scanner, "{\"a\":1}", 2);
	assert_int_equal(scanner.totals.records, 3);
	assert_int_equal(scanner.totals.failed, 2);
	OK(scan_table_finish(scanner.table, NULL));
	table_text(scanner.table, &text);
	assert_string_equal((const char *)text.ptr, "$.a number:1\nheader:h string:1\n");
	buf_clear(&text);
	scanner_clear(&scanner);
	scan_rules_clear(&rules);
}

/* --- maps and bounds --- */

struct made {
	struct scan_rules rules;
	struct scanner scanner;
};

static void made_init(struct made *made)
{
	OK(scan_rules_init(&made->rules, NULL, false, NULL));
	OK(scanner_init(&made->scanner, &made->rules, NULL));
}

static void made_expect(struct made *made, const char *expected)
{
	struct seal_buf text;

	OK(scan_table_finish(made->scanner.table, NULL));
	table_text(made->scanner.table, &text);
	assert_string_equal((const char *)text.ptr, expected);
	buf_clear(&text);
	scanner_clear(&made->scanner);
	scan_rules_clear(&made->rules);
}

static void scan_format(struct made *made, uint64_t number, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void scan_format(struct made *made, uint64_t number, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	scan_text(&made->scanner, text, number);
}

static void maps_by_number(void **state)
{
	struct made made;

	/* One more than fits; what is below is one as well, arrays beside members stay. */
	made_init(&made);
	for (unsigned i = 0; i <= SCAN_NAMES_MAX; i++)
		scan_format(&made, i, "{\"m\":{\"id%u\":{\"n\":%u,\"l\":[true]}},\"i\":%u}", i, i, i);
	scan_format(&made, 2000, "{\"m\":[{\"n\":1}]}");
	assert_true(scan_table_paths(made.scanner.table) < 15);
	made_expect(&made, "$.m.*.n number:1001\n$.m.*.l[*] boolean:1001\n$.m[*].n number:1\n$.i number:1001\n");

	/* As many as fit, in each record: they stay. */
	made_init(&made);
	for (unsigned i = 0; i < 3 * SCAN_NAMES_MAX; i++)
		scan_format(&made, i, "{\"m%u\":1}", i % SCAN_NAMES_MAX);
	assert_int_equal(scan_table_paths(made.scanner.table), SCAN_NAMES_MAX + 4);
	scanner_clear(&made.scanner);
	scan_rules_clear(&made.rules);
}

/* Few enough to keep, but they hardly repeat. */
static void maps_by_use(void **state)
{
	struct made made;

	made_init(&made);
	for (unsigned i = 0; i < 202; i++)
		scan_format(&made, i, "{\"m\":{\"id%u\":1},\"often\":{\"of%u\":1}}", i / 2, i % 3);
	made_expect(&made, "$.m.* number:202\n$.often.of0 number:68\n$.often.of1 number:67\n$.often.of2 number:67\n");
}

static void names_that_are_data(void **state)
{
	struct made made;

	made_init(&made);
	scan_format(&made, 0, "{\"m\":{\"a\":{\"x\":1}}}");
	scan_format(&made, 1, "{\"m\":{\"ada@example.com\":{\"x\":2},\"b\":{\"y\":3}}}");
	made_expect(&made, "$.m.* object:3 names:1 open\n$.m.*.x number:2\n$.m.*.y number:1\n");

	/* Under a policy that has the object as a whole, they are no find. */
	EXPECT_UNDER(TOPIC ONE("$.m"), "$.m.* number:1 protected\n", "{\"m\":{\"ada@example.com\":1}}");
	EXPECT_UNDER(TOPIC ONE("$.n") "    allow: [$.m]\n", "$.m.* number:1 allowed\n",
		     "{\"m\":{\"ada@example.com\":1}}");
}

/* What finds no place counts above it, hits included. */
static void full(void **state)
{
	uint64_t below = 0, hits = 0;
	const struct scan_node *node;
	struct made made;

	made_init(&made);
	for (unsigned i = 0; i < 10000; i++)
		scan_format(&made, i, "{\"g%u\":{\"n%u\":[\"x%u@example.com\"]}}", i % 50, i / 50, i);
	assert_int_equal(scan_table_paths(made.scanner.table), SCAN_PATHS_MAX);
	OK(scan_table_finish(made.scanner.table, NULL));
	for (node = scan_table_top(made.scanner.table); node != NULL; node = scan_node_next(node)) {
		below += node->counts.below;
		hits += node->counts.looks[0].hits[0] + node->counts.looks[0].values;
	}
	assert_true(below > 5000);
	assert_int_equal(hits, 10000);
	scanner_clear(&made.scanner);
	scan_rules_clear(&made.rules);
}

static void depth(void **state)
{
	char doc[2 * 120 * 5 + 64], expected[SCAN_DEPTH_MAX * 3 + 64] = "";
	struct made made;
	size_t at = 0, path = 0;

	for (int i = 0; i < 120; i++)
		at += (size_t)snprintf(doc + at, sizeof(doc) - at, "{\"a\":");
	at += (size_t)snprintf(doc + at, sizeof(doc) - at, "\"x@example.com\"");
	memset(doc + at, '}', 120);
	doc[at + 120] = '\0';
	path += (size_t)snprintf(expected, sizeof(expected), "$");
	for (int i = 0; i < SCAN_DEPTH_MAX - 1; i++)
		path += (size_t)snprintf(expected + path, sizeof(expected) - path, ".a");
	/* The deepest node, its own 60 objects below it and the text. */
	snprintf(expected + path, sizeof(expected) - path, " object:1 below:61 email open\n");
	made_init(&made);
	scan_text(&made.scanner, doc, 0);
	made_expect(&made, expected);
}

/* --- tables of parts --- */

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* A document with few or many names, some of them data. */
static void put_random(uint64_t *dice, unsigned depth, struct seal_buf *out)
{
	static const char *const scalars[] = {
		"1", "null", "true", "\"x\"", "\"ada@example.com\"", "4111111111111111"};
	unsigned kind = (unsigned)(next_random(dice) % 10), n = (unsigned)(next_random(dice) % 4);

	if (depth == 0 || kind < 4) {
		OK(buf_append_str(out, scalars[next_random(dice) % COUNT(scalars)], NULL));
		return;
	}
	OK(buf_append_u8(out, kind < 6 ? '[' : '{', NULL));
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			OK(buf_append_u8(out, ',', NULL));
		if (kind >= 6 && next_random(dice) % 400 == 0)
			OK(buf_append_str(out, "\"ada@example.com\":", NULL));
		else if (kind >= 6)
			OK(buf_printf(out, NULL, "\"%c%u\":", 'a' + kind,
				      (unsigned)(next_random(dice) % (kind == 9 ? 2000 : 5))));
		put_random(dice, depth - 1, out);
	}
	OK(buf_append_u8(out, kind < 6 ? ']' : '}', NULL));
}

#define PARTS 5

static void parts_make_the_whole(void **state)
{
	struct made whole, parts[PARTS];
	uint64_t dice = 7;
	struct seal_buf text;

	made_init(&whole);
	for (size_t i = 0; i < PARTS; i++)
		made_init(&parts[i]);
	for (uint64_t i = 0; i < 6000; i++) {
		struct seal_buf doc = BUF_INIT(1 << 20);

		/* Below names of their own, so that folds happen at all levels and the table does not fill. */
		OK(buf_printf(&doc, NULL, "{\"r%u\":", (unsigned)(next_random(&dice) % 2)));
		put_random(&dice, 3, &doc);
		OK(buf_append_str(&doc, "}", NULL));
		OK(buf_append_u8(&doc, '\0', NULL));
		scan_text(&whole.scanner, (const char *)doc.ptr, i);
		scan_text(&parts[next_random(&dice) % PARTS].scanner, (const char *)doc.ptr, i);
		buf_clear(&doc);
	}
	assert_true(scan_table_paths(whole.scanner.table) < SCAN_PATHS_MAX);
	/* In another order than they were filled. */
	for (size_t i = PARTS; i-- > 1;)
		OK(scanner_merge(&parts[0].scanner, &parts[i].scanner, NULL));
	assert_int_equal(parts[0].scanner.totals.records, 6000);
	assert_int_equal(parts[0].scanner.totals.bytes, whole.scanner.totals.bytes);
	OK(scan_table_finish(whole.scanner.table, NULL));
	table_text(whole.scanner.table, &text);
	assert_non_null(strstr((const char *)text.ptr, ".*"));
	assert_non_null(strstr((const char *)text.ptr, "names:"));
	for (size_t i = 1; i < PARTS; i++) {
		scanner_clear(&parts[i].scanner);
		scan_rules_clear(&parts[i].rules);
	}
	made_expect(&parts[0], (const char *)text.ptr);
	buf_clear(&text);
	scanner_clear(&whole.scanner);
	scan_rules_clear(&whole.rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_paths),
		cmocka_unit_test(order),
		cmocka_unit_test(finds),
		cmocka_unit_test(what_a_policy_says),
		cmocka_unit_test(keys_and_headers),
		cmocka_unit_test(failures),
		cmocka_unit_test(maps_by_number),
		cmocka_unit_test(maps_by_use),
		cmocka_unit_test(names_that_are_data),
		cmocka_unit_test(full),
		cmocka_unit_test(depth),
		cmocka_unit_test(parts_make_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
