/* policy: does a policy become the rules that it says: matching, places, defaults, dead letters, tests? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "policy/explain.h"
#include "policy/json_schema.h"
#include "policy/pattern.h"
#include "policy/place.h"
#include "policy/tests.h"
#include "policy_fake.h"

static struct policy *load(const char *text)
{
	struct policy_findings findings;
	struct seal_err err = SEAL_ERR_INIT;
	struct policy *policy = NULL;
	enum seal_status rc;

	policy_findings_init(&findings);
	rc = policy_load(bytes_str(text), "p.yaml", &fake_schema, &findings, &policy, &err);
	if (rc != SEAL_OK)
		print_error("%s: %s\n", err.place, err.text);
	assert_int_equal(rc, SEAL_OK);
	assert_non_null(policy);
	assert_int_equal(findings.errors, 0);
	policy_findings_clear(&findings);
	return policy;
}

static void example_loads(void **state)
{
	struct policy *policy = load(fake_example);
	const struct policy_topic *topic = &policy->topics[0];
	const struct fake_options *card;

	assert_string_equal(policy->namespace_, "shop");
	assert_int_equal(policy->n_keys, 2);
	assert_string_equal(policy->keys[0].name, "pii");
	assert_string_equal(policy->keys[0].scheme, "vault");
	assert_true(bytes_eq_str(policy->keys[0].reference, "transit/pii"));
	assert_int_equal(policy->n_methods, 4);
	assert_int_equal(policy->n_topics, 1);
	assert_ptr_equal(policy_topic_only(policy), topic);
	assert_int_equal(topic->n_rules, 5);
	assert_string_equal(topic->rules[0].path_text, "$.Address");
	assert_ptr_equal(topic->rules[0].method, &policy->methods[0]);
	assert_ptr_equal(topic->rules[2].method, &policy->methods[0]);
	assert_true(bytes_eq_str(topic->rules[2].path, "$['items'][*]['note']"));
	assert_string_equal(topic->rules[3].method->name, "$.customer");
	assert_ptr_equal(topic->rules[3].method->kind, &fake_envelope);
	assert_int_equal(topic->rules[3].method->bind.mode, BIND_PLACE);
	assert_int_equal(topic->rules[4].method->bind.mode, BIND_NONE);
	assert_int_equal(topic->rules[4].record_path, UINT32_MAX);
	card = topic->rules[1].method->options;
	assert_string_equal(card->alphabet, "digits");
	assert_int_equal(card->first, 6);
	assert_int_equal(card->last, 4);
	assert_ptr_equal(topic->rules[1].method->key, &policy->keys[1]);
	assert_non_null(topic->paths);
	assert_int_equal(topic->matches[0] != NULL && topic->matches[1] == NULL, 1);
	for (size_t i = 0; i < policy->n_methods; i++)
		assert_int_equal(policy->methods[i].index, i);
	policy_free(policy);
}

/* Every type of row, set and by default. */
static void options_of_methods(void **state)
{
	struct policy *policy = load("version: 1\nkeys: {k: local:k}\nmethods:\n"
				     "  a: {type: envelope, key: k, cache: 64KiB, ttl: 5m, words: [x, 'y z']}\n"
				     "  b: {type: envelope, key: k, words: one}\n"
				     "  c: {type: fpe, key: k, alphabet: '0123456789', tweak: 00fF, legacy: true}\n"
				     "  d: {type: hash, key: k}\n"
				     "  e: {type: hash, key: k, output: base64, key_version: 7}\n"
				     "topics: [{match: t, protect: {$.a: a, $.b: b, $.c: c, $.d: d, $.e: e}}]\n");
	const struct fake_options *a = policy->methods[0].options, *b = policy->methods[1].options,
				  *c = policy->methods[2].options, *d = policy->methods[3].options,
				  *e = policy->methods[4].options;

	assert_int_equal(a->cache_bytes, 65536);
	assert_int_equal(a->ttl_ms, 300000);
	assert_string_equal(a->words->text, "x");
	assert_string_equal(a->words->next->text, "y z");
	assert_null(a->words->next->next);
	assert_string_equal(b->words->text, "one");
	assert_int_equal(b->cache_bytes, 0);
	assert_string_equal(c->alphabet, "0123456789");
	assert_int_equal(c->tweak.len, 2);
	assert_memory_equal(c->tweak.ptr, "\x00\xff", 2);
	assert_true(c->legacy);
	assert_int_equal(d->output, 0);
	assert_int_equal(d->version, 1);
	assert_int_equal(e->output, 1);
	assert_int_equal(e->version, 7);
	policy_free(policy);
}

/* The policy's defaults with the topic's own on top. */
static void defaults_and_topics(void **state)
{
	struct policy *policy = load("version: 1\n"
				     "defaults: {on_missing: reject, on_null: keep, on_plaintext: pass}\n"
				     "topics:\n"
				     "- {match: a, protect: {$.a: {type: redact}}}\n"
				     "- {match: b, on_missing: ignore, on_error: drop, on_protected: keep,\n"
				     "   on_null: protect, on_plaintext: reject, protect: {$.a: {type: redact}}}\n");
	const struct policy_defaults *a = &policy->topics[0].on, *b = &policy->topics[1].on;

	assert_int_equal(a->on_error, ON_ERROR_REJECT);
	assert_int_equal(a->on_missing, ON_MISSING_REJECT);
	assert_int_equal(a->on_null, ON_NULL_KEEP);
	assert_int_equal(a->on_plaintext, ON_PLAINTEXT_PASS);
	assert_int_equal(a->on_protected, ON_PROTECTED_REJECT);
	assert_int_equal(b->on_error, ON_ERROR_DROP);
	assert_int_equal(b->on_missing, ON_MISSING_IGNORE);
	assert_int_equal(b->on_null, ON_NULL_PROTECT);
	assert_int_equal(b->on_plaintext, ON_PLAINTEXT_REJECT);
	assert_int_equal(b->on_protected, ON_PROTECTED_KEEP);
	assert_null(policy_topic_only(policy));
	assert_string_equal(policy->namespace_, "");
	policy_free(policy);
}

static size_t index_of(const struct policy *policy, const char *topic)
{
	const struct policy_topic *found = policy_topic_find(policy, bytes_str(topic));

	return found ? found->index : SIZE_MAX;
}

static void first_match_wins(void **state)
{
	struct policy *policy = load("version: 1\ntopics:\n"
				     "- {match: [purchases, __own, _schemas], protect: {$.a: {type: redact}}}\n"
				     "- {match: 'shop.[a-c]?.*', protect: {$.a: {type: redact}}}\n"
				     "- {match: ['/orders-\\d+/', /x|yy/], protect: {$.a: {type: redact}}}\n"
				     "- {match: 'a\\*[!0-9]', protect: {$.a: {type: redact}}}\n"
				     "- {match: 'p*', protect: {$.a: {type: redact}}}\n"
				     "- {match: '__*', protect: {$.a: {type: redact}}}\n"
				     "- {match: /.*s/, protect: {$.a: {type: redact}}}\n");

	assert_int_equal(index_of(policy, "purchases"), 0);
	assert_int_equal(index_of(policy, "__own"), 0);
	assert_int_equal(index_of(policy, "_schemas"), 0);
	assert_int_equal(index_of(policy, "shop.b1.eu"), 1);
	assert_int_equal(index_of(policy, "shop.b1."), 1);
	assert_int_equal(index_of(policy, "shop.d1.eu"), SIZE_MAX);
	assert_int_equal(index_of(policy, "shop.b.eu"), SIZE_MAX);
	assert_int_equal(index_of(policy, "orders-17"), 2);
	assert_int_equal(index_of(policy, "orders-17x"), SIZE_MAX);
	assert_int_equal(index_of(policy, "yy"), 2);
	assert_int_equal(index_of(policy, "xy"), SIZE_MAX); /* the alternatives are inside the anchors */
	assert_int_equal(index_of(policy, "a*b"), 3);
	assert_int_equal(index_of(policy, "a*1"), SIZE_MAX);
	assert_int_equal(index_of(policy, "aab"), SIZE_MAX);
	assert_int_equal(index_of(policy, "purchase"), 4);
	assert_int_equal(index_of(policy, "p"), 4);
	assert_int_equal(index_of(policy, "__consumer_offsets"), SIZE_MAX);
	assert_int_equal(index_of(policy, "__s"), SIZE_MAX);
	assert_int_equal(index_of(policy, "topics"), 6);
	assert_int_equal(index_of(policy, "topics\n"), SIZE_MAX);
	assert_int_equal(index_of(policy, "\xffs"), SIZE_MAX); /* not UTF-8 */
	assert_int_equal(index_of(policy, ""), SIZE_MAX);
	policy_free(policy);
}

static void globs(void **state)
{
	static const struct {
		const char *glob, *name;
		bool match;
	} cases[] = {
		{"*", "", true},
		{"**a**", "xay", true},
		{"*a*b*c", "1a2b3c", true},
		{"*a*b*c", "1a2b3", false},
		{"[]x]", "]", true},
		{"[!]x]", "a", true},
		{"[!]x]", "]", false},
		{"[a-]", "-", true},
		{"[^a]", "b", true},
		{"[^a]", "a", false},
		{"a[b", "ab", false},
		{"\\[a]", "[a]", true},
		{"?", "", false},
		{"??", "ab", true},
		{"[\\]", "\\", true},
		{"a*", "b", false},
		{"[z-a]", "m", false},
		{"*.[ch]", "x.y.c", true},
		{"a?c*", "abcd", true},
	};
	const char *why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!glob_check(bytes_str(cases[i].glob), &why)) {
			assert_string_equal(cases[i].glob, "a[b");
			continue;
		}
		if (glob_match(bytes_str(cases[i].glob), bytes_str(cases[i].name)) != cases[i].match)
			fail_msg("%s on %s", cases[i].glob, cases[i].name);
	}
	assert_false(glob_check(BYTES_LIT("\\"), &why));
	assert_false(glob_check(BYTES_LIT("a[!]"), &why));
	assert_false(glob_check(BYTES_LIT("\\\\["), &why));
	assert_true(glob_check(BYTES_LIT("\\\\[a]"), &why));
}

/* A regex that would take for ever gives up, and then the topic has no rules rather than the next entry's. */
static void hostile_names(void **state)
{
	struct policy *policy = load("version: 1\ntopics:\n"
				     "- {match: /(a+)+b/, protect: {$.a: {type: redact}}}\n"
				     "- {match: 'a*', protect: {$.b: {type: redact}}}\n");
	char name[64];

	memset(name, 'a', sizeof(name) - 1);
	memcpy(name + sizeof(name) - 3, "bc", 3); /* so that it can't be told from the letters in it */
	assert_int_equal(index_of(policy, name), SIZE_MAX);
	assert_int_equal(index_of(policy, "aab"), 0);
	assert_int_equal(index_of(policy, "aac"), 1);
	policy_free(policy);
}

/* Places ---------------------------------------------------------------------------------------------------- */

static void check_place(struct seal_bytes place, const char *hex)
{
	char text[512] = "";

	assert_true(place.len < sizeof(text) / 2);
	hex_encode(place, text);
	text[2 * place.len] = '\0';
	assert_string_equal(text, hex);
}

/* The bytes of place.h's table, typed by hand: they must never change. */
static void places_golden(void **state)
{
	struct seal_buf out = BUF_INIT(256);
	struct place place = {.bound = PLACE_PATH,
			      .namespace_ = BYTES_LIT("shop"),
			      .name = BYTES_LIT("$['a']"),
			      .kind = PLACE_STRING};

	assert_int_equal(place_encode(&place, &out, NULL), SEAL_OK);
	check_place(buf_bytes(&out), "0101"
				     "0000000473686f70"
				     "00000006245b2761275d"
				     "01");
	buf_reset(&out);
	place = (struct place){.bound = PLACE_DOMAIN, .name = BYTES_LIT("cards"), .kind = PLACE_BYTES};
	assert_int_equal(place_encode(&place, &out, NULL), SEAL_OK);
	check_place(buf_bytes(&out), "0102"
				     "00000000"
				     "000000056361726473"
				     "03");
	buf_reset(&out);
	place = (struct place){.bound = PLACE_RECORD,
			       .namespace_ = BYTES_LIT("n"),
			       .name = BYTES_LIT("$"),
			       .kind = PLACE_JSON,
			       .sibling_kind = PLACE_JSON,
			       .sibling = BYTES_LIT("17")};
	assert_int_equal(place_encode(&place, &out, NULL), SEAL_OK);
	check_place(buf_bytes(&out), "0103"
				     "000000016e"
				     "0000000124"
				     "02"
				     "02"
				     "000000023137");
	buf_clear(&out);
}

/* What is written is read, no byte can be missing or follow, and other numbers mean nothing. */
static void places_are_parsed(void **state)
{
	const struct place places[] = {
		{PLACE_PATH, BYTES_LIT("shop"), BYTES_LIT("$['a']"), PLACE_STRING, PLACE_STRING, BYTES_EMPTY},
		{PLACE_DOMAIN, BYTES_LIT(""), BYTES_LIT("cards"), PLACE_BYTES, PLACE_STRING, BYTES_EMPTY},
		{PLACE_RECORD, BYTES_LIT("n"), BYTES_LIT("$"), PLACE_JSON, PLACE_JSON, BYTES_LIT("[1]")},
	};
	struct seal_buf out = BUF_INIT(1024);
	struct place got;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const struct place *want = &places[i];

		buf_reset(&out);
		assert_int_equal(place_encode(want, &out, NULL), SEAL_OK);
		assert_true(place_parse(buf_bytes(&out), &got));
		assert_int_equal(got.bound, want->bound);
		assert_int_equal(got.kind, want->kind);
		assert_true(bytes_eq(got.namespace_, want->namespace_) && bytes_eq(got.name, want->name));
		assert_true(bytes_eq(got.sibling, want->sibling));
		if (want->bound == PLACE_RECORD)
			assert_int_equal(got.sibling_kind, want->sibling_kind);
		for (size_t n = 0; n < out.len; n++)
			assert_false(place_parse(bytes_of(out.ptr, n), &got));
		out.ptr[0] = 2;
		assert_false(place_parse(buf_bytes(&out), &got));
		out.ptr[0] = 1;
		out.ptr[1] = 4;
		assert_false(place_parse(buf_bytes(&out), &got));
		out.ptr[1] = (uint8_t)want->bound;
		assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
		assert_false(place_parse(buf_bytes(&out), &got));
	}
	buf_clear(&out);
}

static void place_that_does_not_fit(void **state)
{
	struct seal_buf out = BUF_INIT(12);
	struct seal_err err = SEAL_ERR_INIT;
	struct place place = {.bound = PLACE_PATH, .name = BYTES_LIT("$['a']"), .kind = PLACE_STRING};

	assert_int_equal(place_encode(&place, &out, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

static void places_of_rules(void **state)
{
	struct policy *policy =
		load("version: 1\nnamespace: n\nkeys: {k: local:k}\nmethods:\n"
		     "  place: {type: encrypt, key: k, bind: place}\n"
		     "  domain: {type: encrypt, key: k, bind: {domain: d}}\n"
		     "  none: {type: encrypt, key: k, bind: none}\n"
		     "  record: {type: encrypt, key: k, bind: {record: $.id}}\n"
		     "topics:\n"
		     "- match: t\n"
		     "  protect: {$.a: place, $.b: domain, $.c: none, $.d: record, $.e: record, $.f.*: place}\n"
		     "- {match: u, protect: {$..x: domain}}\n"
		     "- {match: v, format: bytes, protect: {$: place}}\n");
	const struct policy_rule *rules = policy->topics[0].rules;

	check_place(rules[0].place_string, "0101000000016e00000006245b2761275d01");
	check_place(rules[0].place_json, "0101000000016e00000006245b2761275d02");
	check_place(rules[0].place_bytes, "0101000000016e00000006245b2761275d03");
	check_place(rules[1].place_string, "0102000000016e000000016401");
	assert_int_equal(rules[2].place_string.len + rules[2].place_json.len + rules[2].place_bytes.len, 0);
	assert_int_equal(rules[3].place_string.len + rules[3].place_json.len + rules[3].place_bytes.len, 0);
	assert_int_equal(rules[0].record_path, UINT32_MAX);
	assert_int_equal(rules[3].record_path, 6); /* one sibling for both */
	assert_int_equal(rules[4].record_path, 6);
	assert_true(rules[5].dynamic);
	assert_int_equal(rules[5].place_string.len, 0);
	assert_true(bytes_eq_str(rules[5].path, "$['f'][*]"));
	assert_false(rules[0].dynamic);
	assert_false(policy->topics[1].rules[0].dynamic); /* the names don't count: bound to a domain */
	check_place(policy->topics[1].rules[0].place_json, "0102000000016e000000016402");
	check_place(policy->topics[2].rules[0].place_bytes, "0101000000016e000000012403");
	policy_free(policy);
}

/* Dead letters ---------------------------------------------------------------------------------------------- */

static void dead_letters(void **state)
{
	struct policy *policy =
		load("version: 1\nnamespace: n\nkeys: {k: local:k}\n"
		     "defaults: {on_error: dead_letter}\ntopics:\n"
		     "- {match: a, dead_letter: {topic: dlq, key: k}, protect: {$.a: {type: redact}}}\n"
		     "- {match: b, dead_letter: {topic: dlq, key: k}, protect: {$.a: {type: redact}}}\n"
		     "- {match: '*', on_error: reject, protect: {$.a: {type: redact}}}\n");
	const struct policy_topic *letters = policy_topic_find(policy, BYTES_LIT("dlq"));
	const struct policy_topic *a = policy_topic_find(policy, BYTES_LIT("a"));
	const struct policy_topic *b = policy_topic_find(policy, BYTES_LIT("b"));

	assert_int_equal(policy->n_topics, 4); /* one entry for both */
	assert_true(letters->is_dead_letter);
	assert_false(a->is_dead_letter);
	assert_int_equal(letters->format, FORMAT_BYTES);
	assert_int_equal(letters->on.on_error, ON_ERROR_REJECT);
	assert_int_equal(letters->n_rules, 1);
	assert_true(bytes_eq_str(letters->rules[0].path, "$"));
	assert_non_null(letters->paths);
	assert_ptr_equal(letters->rules[0].method, a->dead_letter_method);
	assert_ptr_equal(letters->rules[0].method, b->dead_letter_method);
	assert_string_equal(a->dead_letter_topic, "dlq");
	assert_null(letters->dead_letter_topic);
	assert_null(policy_topic_find(policy, BYTES_LIT("x"))->dead_letter_topic);
	assert_string_equal(a->dead_letter_method->kind->name, "encrypt");
	assert_string_equal(a->dead_letter_method->bind.domain, "dead-letter");
	assert_ptr_equal(a->dead_letter_method->key, &policy->keys[0]);
	check_place(letters->rules[0].place_bytes, "0102000000016e0000000b646561642d6c657474657203");
	policy_free(policy);
}

static void only_topic(void **state)
{
	struct policy *policy =
		load("version: 1\nkeys: {k: local:k}\ntopics:\n"
		     "- {match: a, on_error: dead_letter, dead_letter: {topic: dlq, key: k}, protect: {$.a: "
		     "{type: redact}}}\n");

	assert_int_equal(policy->n_topics, 2);
	assert_non_null(policy_topic_only(policy));
	assert_false(policy_topic_only(policy)->is_dead_letter);
	policy_free(policy);
}

/* Tests of policies ----------------------------------------------------------------------------------------- */

#define TESTS_HEAD "version: 1\ntopics: [{match: t, protect: {$.a: {type: redact}}}]\ntests:\n"

static void check_json(const char *yaml, const char *json)
{
	char text[1024];
	struct policy *policy;

	snprintf(text, sizeof(text), TESTS_HEAD "- topic: t\n  in: %s\n  round_trip: true\n", yaml);
	policy = load(text);
	assert_int_equal(policy->n_tests, 1);
	if (!bytes_eq_str(policy->tests[0].value.in, json))
		fail_msg("%s is %.*s, not %s", yaml, BYTES_FMT(policy->tests[0].value.in), json);
	policy_free(policy);
}

/* YAML 1.2's core schema, numbers as they are written. */
static void values_of_tests(void **state)
{
	check_json("{a: 1, b: -0, c: 1.10, d: 1e5, e: 12345678901234567890}",
		   "{\"a\":1,\"b\":-0,\"c\":1.10,\"d\":1e5,\"e\":12345678901234567890}");
	check_json("[1e+5, 2E-3, 0.5, 007x]", "[1e+5,2E-3,0.5,\"007x\"]");
	check_json("[true, True, FALSE, null, ~, Null, '', '1', \"null\", yes, on, 1_000, 1.2.3, 0b1, e5, '-', x]",
		   "[true,true,false,null,null,null,\"\",\"1\",\"null\",\"yes\",\"on\",\"1_000\",\"1.2.3\",\"0b1\","
		   "\"e5\","
		   "\"-\",\"x\"]");
	check_json("{a: , 'b\"': \"\\u00e9\\n\\x01\"}", "{\"a\":null,\"b\\\"\":\"é\\n\\u0001\"}");
	check_json("{1: {true: []}, x: {}}", "{\"1\":{\"true\":[]},\"x\":{}}");
	check_json("|\n    two\n    lines", "\"two\\nlines\\n\"");
	check_json("plain text", "\"plain text\"");
	check_json("4111-1111", "\"4111-1111\"");
}

static void expectations(void **state)
{
	struct policy *policy = load(TESTS_HEAD "- topic: t\n"
						"  name: shows\n"
						"  in: {a: 1}\n"
						"  out:\n"
						"    plain: x\n"
						"    like: {like: '\\d+'}\n"
						"    not: {not: {like: 1}}\n"
						"    gone: {absent: true}\n"
						"    $.deep[0].x: [1, {like: a}]\n"
						"    map: {like: a, not: b}\n"
						"- {topic: t, in: [], error: missing}\n");
	const struct policy_test *test = &policy->tests[0];

	assert_int_equal(policy->n_tests, 2);
	assert_string_equal(test->name, "shows");
	assert_ptr_equal(test->topic, &policy->topics[0]);
	assert_false(test->round_trip);
	assert_int_equal(test->value.n_expects, 6);
	assert_int_equal(test->value.expects[0].kind, EXPECT_VALUE);
	assert_true(bytes_eq_str(test->value.expects[0].value, "\"x\""));
	assert_int_equal(test->value.expects[0].path.n_steps, 1);
	assert_true(bytes_eq_str(test->value.expects[0].path.steps[0].name, "plain"));
	assert_int_equal(test->value.expects[1].kind, EXPECT_LIKE);
	assert_int_equal(regex_match(test->value.expects[1].regex, BYTES_LIT("12")), REGEX_YES);
	assert_int_equal(regex_match(test->value.expects[1].regex, BYTES_LIT("a12")), REGEX_NO);
	assert_int_equal(test->value.expects[2].kind, EXPECT_NOT);
	assert_true(bytes_eq_str(test->value.expects[2].value, "{\"like\":1}"));
	assert_int_equal(test->value.expects[3].kind, EXPECT_ABSENT);
	assert_int_equal(test->value.expects[4].kind, EXPECT_VALUE);
	assert_int_equal(test->value.expects[4].path.n_steps, 3);
	assert_true(bytes_eq_str(test->value.expects[4].value, "[1,{\"like\":\"a\"}]"));
	assert_int_equal(test->value.expects[5].kind, EXPECT_VALUE);
	assert_int_equal(test->value.expects[5].mark.line, 13);
	assert_string_equal(policy->tests[1].error, "missing");
	assert_null(policy->tests[1].name);
	policy_free(policy);
}

static void payloads_of_tests(void **state)
{
	struct policy *policy = load("version: 1\nkeys: {k: local:k}\n"
				     "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}]\n"
				     "tests: [{topic: t, in: 12, out: {$: {not: 12}}}]\n");

	assert_true(bytes_eq_str(policy->tests[0].value.in, "12"));
	assert_int_equal(policy->tests[0].value.expects[0].path.n_steps, 0);
	policy_free(policy);
}

/* Explain and schema ---------------------------------------------------------------------------------------- */

static void explains(void **state)
{
	struct policy *policy = load("version: 1\nnamespace: shop\nkeys: {pii: vault:transit/pii}\ntopics:\n"
				     "- {match: 'a*', protect: {$.a: {type: redact}}}\n"
				     "- match: [x, 'p*']\n"
				     "  protect:\n"
				     "    $.a: {type: encrypt, key: pii, bind: {domain: d}}\n"
				     "    $['é']: {type: remove}\n");
	struct seal_buf out = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(explain_text(policy, "p.yaml", "purchases", &out, &err), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_string_equal(
		(const char *)out.ptr,
		"not the entry at p.yaml:5: it is for a*\n"
		"topic purchases: the entry at p.yaml:6, because its name fits the glob \"p*\"\n"
		"namespace \"shop\", format json, on_error reject, on_missing ignore, on_protected reject, "
		"on_plaintext reject, on_null protect\n\n"
		"  PATH    METHOD     TYPE     KEY                    BOUND TO  BACK   LEAKS\n"
		"  $.a     (in line)  encrypt  pii vault:transit/pii  domain d  yes    length\n"
		"  $['é']  (in line)  remove   -                      nothing   never  nothing\n"
		"\n  Every other byte stays as it is.\n");
	assert_int_equal(explain_text(policy, "p.yaml", "__p", &out, &err), SEAL_USAGE);
	assert_string_equal(err.text,
			    "no entry under topics matches __p (a broker's own topic needs its exact name): its "
			    "records are refused");
	buf_reset(&out);
	assert_int_equal(explain_text(policy, "p.yaml", NULL, &out, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "entry at p.yaml:5, for a*\nnamespace"));
	assert_non_null(strstr((const char *)out.ptr, "\n\nentry at p.yaml:6, for x, p*\nnamespace"));
	buf_reset(&out);
	assert_int_equal(explain_json(policy, "p.yaml", NULL, &out, NULL), SEAL_OK);
	assert_true(json_is_value(buf_bytes(&out), true));
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "\"canonical_path\": \"$['a']\""));
	assert_null(strstr((const char *)out.ptr, "matched_by"));
	buf_clear(&out);
	policy_free(policy);
}

/* A kind that names its key by its options: one key for all methods that name the same, and no `key:`. */
static void own_keys(void **state)
{
	struct policy *policy =
		load("version: 1\nkeys: {pii: vault:a, k: local:k}\nmethods:\n"
		     "  one: {type: role, role: a}\n"
		     "  two: {type: role, role: a, legacy: true, bind: none}\n"
		     "  three: {type: role, role: b, output: base64}\n"
		     "topics:\n"
		     "- {match: t, protect: {$.a: one, $.b: two, $.c: three, $.d: {type: encrypt, key: pii}, "
		     "$.e: {type: hash, key: k}}}\n");
	const struct policy_method *method = policy->methods;
	struct seal_buf out = BUF_INIT(1 << 20);

	assert_int_equal(policy->n_keys, 4);
	assert_ptr_equal(method[0].key, method[1].key);
	assert_ptr_equal(method[0].key, &policy->keys[2]);
	assert_true(method[0].key->own);
	assert_int_equal(method[0].key->index, 2);
	assert_string_equal(method[0].key->name, "vault:a");
	assert_string_equal(method[0].key->scheme, "vault");
	assert_true(bytes_eq_str(method[0].key->reference, "a"));
	assert_string_equal(method[2].key->name, "vault:b");
	assert_false(method[3].key->own);
	assert_int_equal(method[0].flags, METHOD_TRANSFORM_KEY | METHOD_BINDS);
	assert_int_equal(method[0].bind.mode, BIND_PLACE);
	assert_int_equal(method[1].flags, METHOD_TRANSFORM_KEY | METHOD_BINDS | METHOD_ONE_WAY);
	assert_int_equal(method[2].flags, METHOD_TRANSFORM_KEY | METHOD_TEXT_FORM);
	assert_int_equal(method[2].bind.mode, BIND_NONE);
	assert_int_equal(method[3].flags, method[3].kind->flags);
	assert_int_equal(explain_text(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr,
			       "  $.a   one        role     vault:a      its place  yes    equality\n"
			       "  $.b   two        role     vault:a      nothing    never  equality\n"
			       "  $.c   three      role     vault:b      nothing    yes    equality\n"
			       "  $.d   (in line)  encrypt  pii vault:a  its place  yes    length\n"));
	buf_reset(&out);
	assert_int_equal(explain_json(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "\"name\": null,\n            \"scheme\": \"vault\",\n"
						      "            \"reference\": \"b\""));
	buf_clear(&out);
	policy_free(policy);
}

static void keys_per_person(void **state)
{
	struct policy *policy = load(
		"version: 1\nkeys: {pii: vault:a}\nstores: {spare: \"server://h/d\", main: lite:x}\nmethods:\n"
		"  one: {type: envelope, key: {name: pii, per: $.id, store: main}}\n"
		"  two: {type: envelope, key: {name: pii, per: $.id, store: main}, bind: {record: $.id}}\n"
		"  all: {type: envelope, key: pii}\n"
		"topics:\n"
		"- {match: t, protect: {$.a: one, $.b: two, $.c: all, $.d: {type: envelope, key: {name: pii, per: "
		"\"$.x['y z']\", store: spare}}}}\n"
		"- {match: u, protect: {$.a: all}}\n");
	const struct policy_rule *rules = policy->topics[0].rules;
	const struct policy_method *one = rules[0].method;
	struct seal_buf out = BUF_INIT(1 << 20);

	assert_int_equal(policy->n_stores, 2);
	assert_string_equal(policy->stores[1].name, "main");
	assert_string_equal(policy->stores[1].scheme, "lite");
	assert_string_equal(policy->stores[1].address, "lite:x");
	assert_int_equal(policy->stores[1].index, 1);
	assert_string_equal(policy->stores[0].address, "server://h/d");
	assert_string_equal(one->key->name, "pii");
	assert_string_equal(one->per.text, "$.id");
	assert_ptr_equal(one->store, &policy->stores[1]);
	assert_int_equal(one->per.path.n_steps, 1);
	assert_int_equal(rules[0].per_path, 4);
	assert_int_equal(rules[0].record_path, UINT32_MAX);
	assert_int_equal(rules[1].per_path, 4); /* one sibling for all three */
	assert_int_equal(rules[1].record_path, 4);
	assert_int_equal(rules[2].per_path, UINT32_MAX);
	assert_null(rules[2].method->per.text);
	assert_int_equal(rules[3].per_path, 5);
	assert_ptr_equal(rules[3].method->store, &policy->stores[0]);
	assert_int_equal(policy->topics[1].rules[0].per_path, UINT32_MAX);
	assert_int_equal(explain_text(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, " pii vault:a, one per $.id in main "));
	assert_non_null(strstr((const char *)out.ptr, " pii vault:a, one per $.x['y z'] in spare "));
	buf_reset(&out);
	assert_int_equal(explain_json(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_true(json_is_value(buf_bytes(&out), true));
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "\"per\": {\n            \"path\": \"$.id\",\n"
						      "            \"store\": \"main\",\n"
						      "            \"address\": \"lite:x\"\n"));
	buf_clear(&out);
	policy_free(policy);
}

/* A policy of one store needs not name it. */
static void the_only_store(void **state)
{
	struct policy *policy = load("version: 1\nkeys: {k: local:k}\nstores: {main: lite:x}\ntopics:\n"
				     "- {match: t, protect: {$.a: {type: envelope, key: {name: k, per: $.id}}}}\n");

	assert_ptr_equal(policy->topics[0].rules[0].method->store, &policy->stores[0]);
	policy_free(policy);
}

static void stores_of_methods(void **state)
{
	struct policy *policy = load("version: 1\nkeys: {k: local:k}\nstores: {main: lite:x, other: lite:y}\n"
				     "topics:\n- {match: t, protect: {$.a: {type: token, key: k, store: other}}}\n");
	struct policy *only = load("version: 1\nkeys: {k: local:k}\nstores: {main: lite:x}\n"
				   "topics:\n- {match: t, protect: {$.a: {type: token, key: k}}}\n");
	struct seal_buf out = BUF_INIT(1 << 20);

	assert_ptr_equal(policy->topics[0].rules[0].method->store, &policy->stores[1]);
	assert_ptr_equal(only->topics[0].rules[0].method->store, &only->stores[0]);
	assert_int_equal(explain_text(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, " k local:k, values in other "));
	buf_reset(&out);
	assert_int_equal(explain_json(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_true(json_is_value(buf_bytes(&out), true));
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "\"store\": {\n            \"name\": \"other\",\n"
						      "            \"address\": \"lite:y\"\n"));
	buf_clear(&out);
	policy_free(policy);
	policy_free(only);
}

/* That it describes what the compiler takes is tried with a validator, tests/cli. */
static void schema_is_json(void **state)
{
	struct seal_buf out = BUF_INIT(1 << 20);

	assert_int_equal(json_schema_write(&fake_schema, &out, NULL), SEAL_OK);
	assert_true(json_is_value(buf_bytes(&out), true));
	assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
	assert_non_null(strstr((const char *)out.ptr, "\"^(local|vault):\""));
	assert_non_null(strstr((const char *)out.ptr, "\"^(lite|server):\""));
	assert_non_null(strstr((const char *)out.ptr, "#/$defs/key\""));
	assert_non_null(strstr((const char *)out.ptr, "\"frist\"") ? NULL : out.ptr);
	assert_non_null(strstr((const char *)out.ptr, "\"first\""));
	buf_clear(&out);
}

static void odd_files(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct policy *policy = NULL;
	char *text = mem_alloc(POLICY_FILE_MAX + 1);

	memset(text, '#', POLICY_FILE_MAX + 1);
	assert_int_equal(
		policy_load(bytes_of(text, POLICY_FILE_MAX + 1), "p.yaml", &fake_schema, NULL, &policy, &err),
		SEAL_USAGE);
	assert_string_equal(err.text, "larger than 4 MiB");
	mem_free(text);
	err_clear(&err);
	assert_int_equal(policy_load_file("/dev/null", &fake_schema, NULL, &policy, &err), SEAL_USAGE);
	assert_string_equal(err.text, "the policy is empty; it starts with version: 1");
	assert_string_equal(err.place, "/dev/null:1:1");
	err_clear(&err);
	assert_int_equal(policy_load_file("/dev/zero", &fake_schema, NULL, &policy, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	err_clear(&err);
	assert_int_equal(policy_load_file("/nonexistent/p.yaml", &fake_schema, NULL, &policy, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
}

/* One more than there may be, of each kind of name. */
static void too_many(void **state)
{
	static const char *const texts[][3] = {
		{"version: 1\ntopics: [{match: t, protect: {$.a: {type: redact}}}]\nkeys:\n", "  n%d: local:x\n",
		 "more than 4096 keys"},
		{"version: 1\ntopics: [{match: t, protect: {$.a: {type: redact}}}]\nmethods:\n",
		 "  n%d: {type: redact}\n", "more than 4096 methods"},
		{"version: 1\ntopics:\n- protect: {$.a: {type: redact}}\n  match:\n", "  - n%d\n",
		 "more than 4096 topics to match"},
		{"version: 1\ntopics:\n- match: t\n  protect:\n", "    $.n%d: {type: redact}\n",
		 "protect has 1 to 1024 paths: a topic without any would pass in clear, which needs key: or headers: "
		 "in it"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct seal_buf text = BUF_INIT(POLICY_FILE_MAX);
		struct seal_err err = SEAL_ERR_INIT;
		struct policy *policy = NULL;
		char line[64];

		assert_int_equal(buf_append_str(&text, texts[i][0], NULL), SEAL_OK);
		for (int n = 0; n <= POLICY_NAMES_MAX; n++) {
			const char *at = strstr(texts[i][1], "%d");

			snprintf(line, sizeof(line), "%.*s%d%s", (int)(at - texts[i][1]), texts[i][1], n, at + 2);
			assert_int_equal(buf_append_str(&text, line, NULL), SEAL_OK);
		}
		assert_int_equal(policy_load(buf_bytes(&text), "p.yaml", &fake_schema, NULL, &policy, &err),
				 SEAL_USAGE);
		assert_int_equal(strncmp(err.text, texts[i][2], strlen(texts[i][2])), 0);
		buf_clear(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_loads),
		cmocka_unit_test(options_of_methods),
		cmocka_unit_test(defaults_and_topics),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(globs),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(places_golden),
		cmocka_unit_test(places_are_parsed),
		cmocka_unit_test(place_that_does_not_fit),
		cmocka_unit_test(places_of_rules),
		cmocka_unit_test(dead_letters),
		cmocka_unit_test(only_topic),
		cmocka_unit_test(values_of_tests),
		cmocka_unit_test(expectations),
		cmocka_unit_test(payloads_of_tests),
		cmocka_unit_test(explains),
		cmocka_unit_test(keys_per_person),
		cmocka_unit_test(the_only_store),
		cmocka_unit_test(stores_of_methods),
		cmocka_unit_test(own_keys),
		cmocka_unit_test(schema_is_json),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
