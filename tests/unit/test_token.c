/* method token: what it takes and gives, its shapes, and what it says; over a store in memory. Its rows are tokens' tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_store.h"
#include "kit.h"
#include "methods/text_form.h"
#include "methods/token.h"

#define HEAD KIT_HEAD "stores: {main: 'fake:x'}\n"
#define TOPIC(options) HEAD "topics: [{match: t, protect: {$.a: {type: token, key: k" options "}}}]\n"
#define TEXT_MAX 4096

/* A policy's engine over the store that is there. */
struct token_kit {
	struct kit kit;
	char text[TEXT_MAX]; /* the last result */
};

static void open_kit(struct token_kit *t, const char *policy)
{
	kit_open(&t->kit, policy);
}

static const char *run(struct token_kit *t, enum engine_direction direction, const char *in)
{
	const struct engine_result *result = kit_one(&t->kit, direction, bytes_str(in));

	if (result->err != NULL)
		fail_msg("%s: %s: %s", in, result->err->place, result->err->text);
	assert_true(result->value.len < TEXT_MAX);
	memcpy(t->text, result->value.ptr, result->value.len);
	t->text[result->value.len] = '\0';
	return t->text;
}

static void refuse(struct token_kit *t, enum engine_direction direction, const char *in, enum seal_code code,
		   const char *says)
{
	const struct engine_result *result = kit_one(&t->kit, direction, bytes_str(in));

	if (result->err == NULL)
		fail_msg("%s was taken", in);
	if (result->err->code != code || strstr(result->err->text, says) == NULL)
		fail_msg("%s: %s: %s", in, seal_code_name(result->err->code), result->err->text);
	assert_null(result->value.ptr);
}

static void bad_policy(const char *policy, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	if (kit_try(&kit, policy, NULL, NULL, &err) == SEAL_OK)
		fail_msg("taken: %s", policy);
	if (err.code != SEAL_E_CONFIG || strstr(err.text, says) == NULL)
		fail_msg("%s: %s: %s", policy, seal_code_name(err.code), err.text);
}

/* Protected and revealed; the token does not have `secret` in it. Returns the protected record. */
static const char *round_trip(struct token_kit *t, const char *in, const char *secret, char protected_[TEXT_MAX])
{
	snprintf(protected_, TEXT_MAX, "%s", run(t, ENGINE_PROTECT, in));
	assert_null(strstr(protected_, secret));
	assert_string_equal(run(t, ENGINE_REVEAL, protected_), in);
	return protected_;
}

static void texts(void **state)
{
	char first[TEXT_MAX], again[TEXT_MAX];
	struct text_form form;
	struct token_kit t;

	open_kit(&t, TOPIC(""));
	round_trip(&t, "{\"a\":\"4111-1111\",\"b\":1}", "4111", first);
	assert_int_equal(strlen(first), strlen("{\"a\":\"seal:t1:0123456789012345678901\",\"b\":1}"));
	assert_true(text_form_parse(bytes_of(first + 6, TEXT_FORM_TOKEN_TEXT_LEN), &form));
	assert_string_equal(form.method, "token");
	round_trip(&t, "{\"a\":\"4111-1111\",\"b\":1}", "4111", again);
	assert_string_not_equal(first, again); /* each occurrence its own */
	round_trip(&t, "{\"a\":\"\"}", "\"\"", first);
	round_trip(&t, "{\"a\":\"\\u0000 \\\"\\\\ \xc3\xa9\"}", "\xc3\xa9", first);
	kit_close(&t.kit);
}

/* Everything that is no string comes back to the byte. */
static void json_values(void **state)
{
	static const char *const values[] = {"1.10",	   "null", "true", "12345678901234567890", "{\"x\": [1, 2 ]}",
					     "\"\\ud800\""};
	char in[64], out[TEXT_MAX];
	struct token_kit t;

	open_kit(&t, TOPIC(""));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(in, sizeof(in), "{\"a\":%s}", values[i]);
		round_trip(&t, in, values[i], out);
		assert_non_null(strstr(out, "{\"a\":\"json+seal:t1:"));
	}
	kit_close(&t.kit);
}

static void payloads(void **state)
{
	struct token_kit t;
	const struct engine_result *result;
	char token[TEXT_MAX];

	open_kit(&t, HEAD "topics: [{match: t, format: bytes, protect: {$: {type: token, key: k}}}]\n");
	result = kit_one(&t.kit, ENGINE_PROTECT, bytes_of("\x00\xff\x80", 3));
	assert_null(result->err);
	assert_int_equal(result->value.len, TEXT_FORM_TOKEN_TEXT_LEN);
	memcpy(token, result->value.ptr, result->value.len);
	result = kit_one(&t.kit, ENGINE_REVEAL, bytes_of(token, TEXT_FORM_TOKEN_TEXT_LEN));
	assert_null(result->err);
	assert_true(bytes_eq(result->value, bytes_of("\x00\xff\x80", 3)));
	kit_close(&t.kit);
	bad_policy(HEAD "topics: [{match: t, format: bytes, protect: {$: {type: token, key: k, shape: keep}}}]\n",
		   "token can't take a whole payload");
}

static void convergent(void **state)
{
	const char *policy = HEAD
		"methods: {m: {type: token, key: k, convergent: true, bind: {domain: d}}}\n"
		"topics: [{match: t, protect: {$.a: m, $.b: m, $.c: {type: token, key: k, convergent: true}}}]\n";
	struct token_kit t;
	char out[TEXT_MAX], *a, *b, *c;

	open_kit(&t, policy);
	snprintf(out, sizeof(out), "%s", run(&t, ENGINE_PROTECT, "{\"a\":\"x-1\",\"b\":\"x-1\",\"c\":\"x-1\"}"));
	a = strstr(out, "\"a\":") + 4;
	b = strstr(out, "\"b\":") + 4;
	c = strstr(out, "\"c\":") + 4;
	assert_memory_equal(a, b, TEXT_FORM_TOKEN_TEXT_LEN + 2); /* one domain */
	assert_memory_not_equal(a, c, TEXT_FORM_TOKEN_TEXT_LEN + 2); /* another place */
	assert_string_equal(run(&t, ENGINE_PROTECT, "{\"a\":\"x-1\",\"b\":\"x-1\",\"c\":\"x-1\"}"), out);
	assert_string_equal(run(&t, ENGINE_REVEAL, out), "{\"a\":\"x-1\",\"b\":\"x-1\",\"c\":\"x-1\"}");
	kit_close(&t.kit);
}

/* A card stays a card: kept digits stay, others are drawn, punctuation stays where it is. */
static void cards(void **state)
{
	static const char in[] = "{\"a\":\"4111-1111-1111-1111\"}";
	char out[TEXT_MAX];
	struct token_kit t;

	open_kit(&t, TOPIC(", shape: keep, keep: {first: 6, last: 4}"));
	for (int i = 0; i < 200; i++) {
		snprintf(out, sizeof(out), "%s", run(&t, ENGINE_PROTECT, in));
		assert_int_equal(strlen(out), sizeof(in) - 1);
		assert_memory_equal(out, "{\"a\":\"4111-11", 13);
		assert_memory_equal(out + 20, "-1111\"}", 7);
		assert_true(out[15] == '-');
		assert_string_not_equal(out, in); /* never the value itself */
		for (const char *at = out + 13; at < out + 20; at++)
			assert_true(*at == '-' || (*at >= '0' && *at <= '9'));
		assert_string_equal(run(&t, ENGINE_REVEAL, out), in);
	}
	kit_close(&t.kit);
}

/* An integer stays one, without a leading zero, also the smallest that are taken. */
static void integers(void **state)
{
	char out[TEXT_MAX];
	struct token_kit t;

	open_kit(&t, TOPIC(", shape: keep"));
	for (int i = 0; i < 300; i++) {
		round_trip(&t, "{\"a\":1000000}", "1000000", out);
		assert_int_equal(strlen(out), strlen("{\"a\":1000000}"));
		assert_true(out[5] >= '1' && out[5] <= '9');
	}
	refuse(&t, ENGINE_PROTECT, "{\"a\":999999}", SEAL_E_DOMAIN, "at least 7 characters");
	refuse(&t, ENGINE_PROTECT, "{\"a\":\"99999\"}", SEAL_E_DOMAIN, "at least 6 characters");
	refuse(&t, ENGINE_PROTECT, "{\"a\":-1000000}", SEAL_E_TYPE, "without sign");
	refuse(&t, ENGINE_PROTECT, "{\"a\":[1]}", SEAL_E_TYPE, "'shape: keep' takes strings and integers");
	kit_close(&t.kit);
}

static void alphabets(void **state)
{
	char out[TEXT_MAX], long_text[TEXT_MAX];
	struct token_kit t;

	open_kit(&t, TOPIC(", shape: keep, alphabet: 'äöüß€'"));
	round_trip(&t, "{\"a\":\"x€ä-öüßäöü€!\"}", "€ä-öüßäöü€", out);
	assert_non_null(strstr(out, "!\"}"));
	refuse(&t, ENGINE_PROTECT, "{\"a\":12345678}", SEAL_E_TYPE, "only with 'alphabet: digits'");
	kit_close(&t.kit);
	open_kit(&t, TOPIC(", shape: keep, alphabet: upper"));
	snprintf(long_text, sizeof(long_text), "{\"a\":\"%0512d\"}", 0);
	memset(long_text + 6, 'A', 512);
	round_trip(&t, long_text, "AAAAAAAAAAAAAAAAAAAA", out);
	snprintf(long_text, sizeof(long_text), "{\"a\":\"%0513d\"}", 0);
	refuse(&t, ENGINE_PROTECT, long_text, SEAL_E_LIMIT, "at most 512 bytes");
	kit_close(&t.kit);
}

/* All numerals are drawn, about as often. */
static void draws_are_even(void **state)
{
	unsigned counts[3] = {0};
	char out[TEXT_MAX];
	struct token_kit t;

	open_kit(&t, TOPIC(", shape: keep, alphabet: abc"));
	for (int i = 0; i < 100; i++) {
		snprintf(out, sizeof(out), "%s",
			 run(&t, ENGINE_PROTECT, "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"));
		for (const char *at = out + 6; *at != '"'; at++)
			counts[*at - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], 820,
				1180); /* 1000 of 3000; 7 standard deviations: by chance once in 10^11 */
	kit_close(&t.kit);
}

/* What is no token of this policy is said to be none. */
static void bad_tokens(void **state)
{
	char out[TEXT_MAX];
	struct token_kit t;

	open_kit(&t,
		 HEAD "topics: [{match: t, protect: {$.a: {type: token, key: k}, $.b: {type: token, key: k}}}]\n");
	refuse(&t, ENGINE_REVEAL, "{\"a\":\"seal:t1:AAECAwQFBgcICQoLDA0ODw\"}", SEAL_E_TOKEN_UNKNOWN, "token");
	refuse(&t, ENGINE_REVEAL, "{\"a\":\"seal:t1:AAECAwQFBgcICQoLDA0ODx\"}", SEAL_E_SYNTAX, "is not a token");
	refuse(&t, ENGINE_REVEAL, "{\"a\":\"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}", SEAL_E_SYNTAX,
	       "is not a token");
	refuse(&t, ENGINE_REVEAL, "{\"a\":\"4111\"}", SEAL_E_PLAINTEXT, "not protected");
	refuse(&t, ENGINE_PROTECT, "{\"a\":\"seal:t1:AAECAwQFBgcICQoLDA0ODw\"}", SEAL_E_PROTECTED,
	       "already protected");
	snprintf(out, sizeof(out), "%s", run(&t, ENGINE_PROTECT, "{\"a\":\"x\"}"));
	out[2] = 'b';
	refuse(&t, ENGINE_REVEAL, out, SEAL_E_TAMPERED, "another place");
	run(&t, ENGINE_PROTECT, "{\"a\":7}");
	memmove(t.text + 6, t.text + 11, strlen(t.text + 11) + 1); /* without json+ */
	snprintf(out, sizeof(out), "%s", t.text);
	refuse(&t, ENGINE_REVEAL, out, SEAL_E_TAMPERED, "another place or kind");
	kit_close(&t.kit);
}

static void a_store_that_is_away(void **state)
{
	struct seal_bytes value = BYTES_LIT("{\"a\":\"x\"}");
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct token_kit t;

	open_kit(&t, TOPIC(""));
	fake_store_control(kit_store)->fail = SEAL_RETRY;
	assert_int_equal(engine_run(t.kit.engine, t.kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_RETRY);
	fake_store_control(kit_store)->fail = SEAL_OK;
	run(&t, ENGINE_PROTECT, "{\"a\":\"x\"}");
	kit_close(&t.kit);
}

/* Methods of one plan with the same key and store are one: the second one's lot finds the state known. */
static void methods_share(void **state)
{
	struct token_kit t;
	char out[TEXT_MAX];

	open_kit(&t, HEAD
		 "topics: [{match: t, protect: {$.a: {type: token, key: k, bind: {domain: d}, convergent: true}, "
		 "$.b: {type: token, key: k, bind: {domain: d}, convergent: true, ttl: 30d}}}]\n");
	snprintf(out, sizeof(out), "%s", run(&t, ENGINE_PROTECT, "{\"a\":\"same\",\"b\":\"same\"}"));
	assert_memory_equal(strstr(out, "\"a\":") + 4, strstr(out, "\"b\":") + 4, TEXT_FORM_TOKEN_TEXT_LEN);
	assert_int_equal(fake_store_count(kit_store, "keys"), 3); /* one store key, the pepper, the current one */
	kit_close(&t.kit);
}

static void options(void **state)
{
	static const struct {
		const char *policy, *says;
	} bad[] = {
		{TOPIC(", alphabet: hex"), "'alphabet' goes with 'shape: keep' only"},
		{TOPIC(", keep: {first: 2}"), "'keep' goes with 'shape: keep' only"},
		{TOPIC(", shape: keep, alphabet: aa"), "twice"},
		{TOPIC(", shape: kept"), "shape must be one of text|keep"},
		{TOPIC(", metadata: billing"), "'metadata' must be like"},
		{TOPIC(", metadata: '=x'"), "'metadata' must be like"},
		{TOPIC(", ttl: 999ms"), "ttl must be a duration"},
		{TOPIC(", stor: main"), "did you mean \"store\"?"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad_policy(bad[i].policy, bad[i].says);
}

/* Which options make it fit for record keys, and which results name themselves. */
static void flags(void **state)
{
	static const struct {
		const char *policy;
		bool stable, text;
	} rows[] = {
		{TOPIC(""), false, true},
		{TOPIC(", convergent: true"), true, true},
		{TOPIC(", convergent: true, ttl: 30d"), false, true},
		{TOPIC(", convergent: true, shape: keep"), true, false},
		{TOPIC(", shape: keep"), false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct token_kit t;
		unsigned got;

		open_kit(&t, rows[i].policy);
		got = t.kit.topic->rules[0].method->flags;
		assert_int_equal((got & METHOD_STABLE) != 0, rows[i].stable);
		assert_int_equal((got & METHOD_TEXT_FORM) != 0, rows[i].text);
		assert_int_equal((got & METHOD_BYTES) != 0, rows[i].text);
		kit_close(&t.kit);
	}
}

/* token_group gives what the method gave, for the token as for the value. */
static void groups(void **state)
{
	const struct policy_method *method;
	struct seal_bytes group;
	struct arena arena;
	struct token_kit t;

	arena_init(&arena, 0);
	open_kit(&t, TOPIC(", shape: keep, keep: {first: 6, last: 4}"));
	method = t.kit.topic->rules[0].method;
	assert_int_equal(token_group(method, CELL_STRING, BYTES_LIT("4111-1123-4567-1111"), &arena, &group, NULL),
			 SEAL_OK);
	assert_true(bytes_eq_str(group, "4111-1100-0000-1111"));
	assert_int_equal(token_group(method, CELL_JSON, BYTES_LIT("4111112345671111"), &arena, &group, NULL),
			 SEAL_OK);
	assert_true(bytes_eq_str(group, "4111110000001111"));
	assert_int_equal(token_group(method, CELL_JSON, BYTES_LIT("4111-1123-4567-1111"), &arena, &group, NULL),
			 SEAL_OK);
	assert_int_equal(group.len, 0);
	assert_int_equal(token_group(method, CELL_STRING, BYTES_LIT("4111"), &arena, &group, NULL), SEAL_OK);
	assert_int_equal(group.len, 0);
	kit_close(&t.kit);
	open_kit(&t, TOPIC(""));
	method = t.kit.topic->rules[0].method;
	assert_int_equal(token_group(method, CELL_STRING, BYTES_LIT("4111-1123-4567-1111"), &arena, &group, NULL),
			 SEAL_OK);
	assert_int_equal(group.len, 0);
	kit_close(&t.kit);
	arena_clear(&arena);
}

static int new_store(void **state)
{
	kit_store = fake_store_new();
	return 0;
}

/* A test that failed has left an engine open: its failure counts, not what that holds. */
static int free_store(void **state)
{
	if (atomic_load(&fake_store_control(kit_store)->sessions) > 0)
		return -1;
	fake_store_free(kit_store);
	kit_store = NULL;
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_store, free_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(texts),	     TEST(json_values),
		TEST(payloads),	     TEST(convergent),
		TEST(cards),	     TEST(integers),
		TEST(alphabets),     TEST(draws_are_even),
		TEST(bad_tokens),    TEST(a_store_that_is_away),
		TEST(methods_share), TEST(options),
		TEST(flags),	     TEST(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
