/* Methods and text forms: exact results, what each takes and refuses, and what its errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "crypto/ff3_1.h"
#include "kit.h"
#include "methods/alphabet.h"
#include "methods/text_form.h"

#define TOPIC(protect) KIT_HEAD "topics: [{match: t, protect: {" protect "}}]\n"

static struct seal_bytes run(struct kit *kit, enum engine_direction direction, const char *in)
{
	const struct engine_result *result = kit_one(kit, direction, bytes_str(in));

	if (result->err != NULL)
		fail_msg("%s: %s: %s", in, result->err->place, result->err->text);
	return result->value;
}

static void expect(struct kit *kit, enum engine_direction direction, const char *in, const char *want)
{
	struct seal_bytes got = run(kit, direction, in);

	if (!bytes_eq_str(got, want))
		fail_msg("%s gave %.*s, not %s", in, (int)got.len, (const char *)got.ptr, want);
}

static void refuse(struct kit *kit, enum engine_direction direction, const char *in, enum seal_code code,
		   const char *says)
{
	const struct engine_result *result = kit_one(kit, direction, bytes_str(in));

	if (result->err == NULL)
		fail_msg("%s was taken", in);
	assert_int_equal(result->err->status, SEAL_DATA);
	if (result->err->code != code || strstr(result->err->text, says) == NULL)
		fail_msg("%s: %s: %s", in, seal_code_name(result->err->code), result->err->text);
	assert_null(result->value.ptr);
	assert_int_equal(result->cells, 0);
}

/* Protects, checks that it changed, reveals, checks that it came back. */
static void round_trip(struct kit *kit, const char *in)
{
	struct seal_bytes got = run(kit, ENGINE_PROTECT, in);
	char text[8192];

	assert_true(got.len < sizeof(text));
	memcpy(text, got.ptr, got.len);
	text[got.len] = '\0';
	assert_string_not_equal(text, in);
	expect(kit, ENGINE_REVEAL, text, in);
}

static void bad_policy(const char *policy, enum seal_code code, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	if (kit_try(&kit, policy, NULL, NULL, &err) == SEAL_OK)
		fail_msg("taken: %s", policy);
	if (err.code != code || strstr(err.text, says) == NULL)
		fail_msg("%s: %s: %s", policy, seal_code_name(err.code), err.text);
}

static void text_forms_are_recognised(void **state)
{
	static const struct {
		const char *text;
		bool looks, is, json;
		uint32_t version;
	} rows[] = {
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, true, false, 1},
		{"json+vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, true, true, 1},
		{"vault:v4294967295:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, true, false, UINT32_MAX},
		{"vault:v4294967296:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, false, false, 0},
		{"vault:v0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, false, false, 0},
		{"vault:v01:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", true, false, false, 0},
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true, false, false, 0}, /* 27 bytes */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB==", true, false, false, 0}, /* stray bits */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true, false, false, 0}, /* no padding */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n", true, false, false, 0},
		{"vault:v1:AAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAA==", true, false, false, 0},
		{"vault:v1:", true, false, false, 0},
		{"vault:v1", false, false, false, 0},
		{"vault:v:AAAA", false, false, false, 0},
		{"vault:va:AAAA", false, false, false, 0},
		{"Vault:v1:AAAA", false, false, false, 0},
		{" vault:v1:AAAA", false, false, false, 0},
		{"vault", false, false, false, 0},
		{"seal:e1:AAAA", true, false, false, 0},
		{"json+seal:e1:AAAA", true, false, false, 0},
		{"seal:: AAAA", false, false, false, 0},
		{"seal: the deal", false, false, false, 0},
		{"json+", false, false, false, 0},
		{"json+json+vault:v1:AAAA", false, false, false, 0},
		{"", false, false, false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_bytes text = bytes_str(rows[i].text);
		struct text_form form;

		if (text_form_looks_protected(text) != rows[i].looks || text_form_parse(text, &form) != rows[i].is)
			fail_msg("%s", rows[i].text);
		if (!rows[i].is)
			continue;
		assert_int_equal(form.json, rows[i].json);
		assert_int_equal(form.version, rows[i].version);
		assert_string_equal(form.method, "encrypt");
		assert_int_equal(form.body.len, text.len - (rows[i].json ? 5 : 0));
	}
}

/* Bodies longer than the piece that is checked at once. */
static void long_text_forms_are_checked_to_the_end(void **state)
{
	static const size_t lengths[] = {252, 256, 260, 512, 516, 1024};
	char text[2048] = "vault:v7:";
	struct text_form form;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(text + 9, 'Q', lengths[i]);
		assert_true(text_form_parse(bytes_of(text, 9 + lengths[i]), &form));
		for (size_t at = 9; at < 9 + lengths[i]; at++) {
			text[at] = '=';
			if (at != 9 + lengths[i] - 1) /* QQQ= is not canonical either: Q leaves bits */
				assert_false(text_form_parse(bytes_of(text, 9 + lengths[i]), &form));
			text[at] = 'Q';
		}
		text[9 + lengths[i] - 2] = 'E'; /* QE…: the last digit before one '=' has no stray bits */
		text[9 + lengths[i] - 1] = '=';
		assert_true(text_form_parse(bytes_of(text, 9 + lengths[i]), &form));
		text[9 + lengths[i] - 5] = '=';
		assert_false(text_form_parse(bytes_of(text, 9 + lengths[i]), &form));
	}
}

static void alphabets_have_an_order(void **state)
{
	static const struct {
		const char *spec;
		uint32_t radix;
		const char *text;
		uint16_t numerals[8];
		size_t n;
	} rows[] = {
		{"digits", 10, "4-1x9", {4, 1, 9}, 3},
		{"lower", 26, "aZz-", {0, 25}, 2},
		{"upper", 26, "aZz-A", {25, 0}, 2},
		{"letters", 52, "aZ1z", {0, 51, 25}, 3},
		{"alphanumeric", 62, "0aZ9", {0, 10, 61, 9}, 4},
		{"hex", 16, "fF09", {15, 0, 9}, 3},
		{"zyx", 3, "xyzw", {2, 1, 0}, 3},
		{"αβγ€😀", 5, "a€β😀α!", {3, 1, 4, 0}, 4},
	};
	uint16_t numerals[16];
	uint8_t back[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_bytes text = bytes_str(rows[i].text);
		struct seal_err err = SEAL_ERR_INIT;
		struct alphabet *alphabet;

		assert_int_equal(alphabet_new(bytes_str(rows[i].spec), &alphabet, &err), SEAL_OK);
		assert_int_equal(alphabet->radix, rows[i].radix);
		assert_int_equal(alphabet_read(alphabet, text, numerals, 16), rows[i].n);
		assert_memory_equal(numerals, rows[i].numerals, rows[i].n * sizeof(numerals[0]));
		assert_true(alphabet_write_max(alphabet, text) <= sizeof(back));
		assert_int_equal(alphabet_write(alphabet, text, numerals, back), text.len);
		assert_memory_equal(back, text.ptr, text.len);
		assert_true(alphabet_read(alphabet, text, numerals, rows[i].n - 1) == ALPHABET_TOO_LONG);
		alphabet_free(alphabet);
	}
}

static void bad_alphabets_are_refused(void **state)
{
	bad_policy(TOPIC("$.a: {type: fpe, key: f, alphabet: x}"), SEAL_E_CONFIG, "at least 2 characters");
	bad_policy(TOPIC("$.a: {type: fpe, key: f, alphabet: digit}"), SEAL_E_CONFIG, "U+0069 twice");
	bad_policy(TOPIC("$.a: {type: fpe, key: f, alphabet: ''}"), SEAL_E_CONFIG, "at least 2 characters");
}

static void fpe_makes_known_values(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, bind: none}"));
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}", "{\"a\":\"3480505043670686\"}");
	expect(&kit, ENGINE_REVEAL, "{\"a\":\"3480505043670686\"}", "{\"a\":\"4111111111111111\"}");
	/* What is not a digit stays where it is, and changes nothing. */
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"4111-1111 1111\\u20ac1111\"}", "{\"a\":\"3480-5050 4367€0686\"}");
	kit_close(&kit);

	/* By place: the tweak is the first 8 bytes of SHA-256(place); given verbatim it is the same. */
	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f}"));
	round_trip(&kit, "{\"a\":\"4111111111111111\"}");
	kit_close(&kit);
}

static void fpe_binds_by_its_tweak(void **state)
{
	struct kit places, domain, verbatim;
	char a[17], b[17];

	kit_open(&places, TOPIC("$.a: {type: fpe, key: f}, $.b: {type: fpe, key: f}"));
	memcpy(a, run(&places, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	memcpy(b, run(&places, ENGINE_PROTECT, "{\"b\":\"4111111111111111\"}").ptr + 6, 16);
	assert_memory_not_equal(a, b, 16);
	kit_close(&places);

	kit_open(&domain,
		 TOPIC("$.a: {type: fpe, key: f, bind: {domain: d}}, $.b: {type: fpe, key: f, bind: {domain: d}}"));
	memcpy(a, run(&domain, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	memcpy(b, run(&domain, ENGINE_PROTECT, "{\"b\":\"4111111111111111\"}").ptr + 6, 16);
	assert_memory_equal(a, b, 16);
	kit_close(&domain);

	/* The first 8 bytes of SHA-256 of the place, computed elsewhere (Python's hashlib): string, then JSON. */
	kit_open(&places, TOPIC("$.a: {type: fpe, key: f}"));
	kit_open(&verbatim, TOPIC("$.a: {type: fpe, key: f, tweak: 'bba6a207d31da576'}"));
	memcpy(a, run(&places, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	memcpy(b, run(&verbatim, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	assert_memory_equal(a, b, 16);
	kit_close(&verbatim);
	kit_open(&verbatim, TOPIC("$.a: {type: fpe, key: f, tweak: 'a084126e88213d17'}"));
	memcpy(a, run(&places, ENGINE_PROTECT, "{\"a\":4111111111111111}").ptr + 5, 16);
	memcpy(b, run(&verbatim, ENGINE_PROTECT, "{\"a\":4111111111111111}").ptr + 5, 16);
	assert_memory_equal(a, b, 16);
	kit_close(&verbatim);
	kit_close(&places);
}

static void fpe_keeps_ends(void **state)
{
	struct seal_bytes got;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, keep: {first: 6, last: 4}}"));
	got = run(&kit, ENGINE_PROTECT, "{\"a\":\"4111-1234-5678-9012\"}");
	assert_int_equal(got.len, 27);
	assert_memory_equal(got.ptr, "{\"a\":\"4111-12", 13);
	assert_int_equal(got.ptr[15], '-');
	assert_memory_equal(got.ptr + 20, "-9012\"}", 7);
	round_trip(&kit, "{\"a\":\"4111-1234-5678-9012\"}");
	round_trip(&kit, "{\"a\":\"4111-1234-5678-9012 \\n\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"411112345678901\"}", SEAL_E_DOMAIN, "at least 16 characters");
	kit_close(&kit);
}

/* An integer stays an integer; some of these walk. */
static void fpe_keeps_integers(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes in[2000];
	struct engine_result results[2000];
	static char texts[2000][32], protected[2000][32];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f}"));
	for (unsigned i = 0; i < 2000; i++)
		in[i] = bytes_of(texts[i],
				 (size_t)snprintf(texts[i], sizeof(texts[i]), "{\"a\":%u}", 1000000 + 4321 * i));
	fake_control.calls = 0;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, in, 2000, results, &err), SEAL_OK);
	/* One call for all, then one for each length of walk: about log10(2000). */
	assert_in_range(fake_control.calls, 2, 12);
	for (unsigned i = 0; i < 2000; i++) {
		assert_null(results[i].err);
		assert_int_equal(results[i].value.len, in[i].len);
		assert_int_not_equal(results[i].value.ptr[5], '0');
		memcpy(protected[i], results[i].value.ptr, results[i].value.len);
		in[i] = bytes_of(protected[i], results[i].value.len);
	}
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, in, 2000, results, &err), SEAL_OK);
	for (unsigned i = 0; i < 2000; i++)
		assert_true(bytes_eq(results[i].value, bytes_of(texts[i], strlen(texts[i]))));
	round_trip(&kit, "{\"a\":98765432109876543210987654321}");
	kit_close(&kit);

	/* Where the first digit is kept there is nothing to walk for: number and string have the same digits. */
	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, keep: {first: 1}, bind: none}"));
	round_trip(&kit, "{\"a\":7654321}");
	for (unsigned i = 0; i < 100; i++) {
		char text[32], digits[8];

		snprintf(text, sizeof(text), "{\"a\":\"%u\"}", 1000000 + 17 * i);
		memcpy(digits, run(&kit, ENGINE_PROTECT, text).ptr + 6, 7);
		snprintf(text, sizeof(text), "{\"a\":%u}", 1000000 + 17 * i);
		assert_memory_equal(run(&kit, ENGINE_PROTECT, text).ptr + 5, digits, 7);
	}
	kit_close(&kit);
}

static void fpe_refuses_what_it_cannot_keep(void **state)
{
	static char longest[4096 + 8] = "{\"a\":\"", too_long[4097 + 9] = "{\"a\":\"";
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f}"));
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"12345\"}", SEAL_E_DOMAIN, "at least 6 characters");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"\"}", SEAL_E_DOMAIN, "at least 6 characters");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":12345}", SEAL_E_DOMAIN, "at least 7 characters");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":123456}", SEAL_E_DOMAIN, "at least 7 characters");
	round_trip(&kit, "{\"a\":\"123456\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":-1234567}", SEAL_E_TYPE, "without sign");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1234567.0}", SEAL_E_TYPE, "without sign");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1234567e3}", SEAL_E_TYPE, "without sign");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":null}", SEAL_E_TYPE, "strings and integers");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":true}", SEAL_E_TYPE, "strings and integers");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":[1234567]}", SEAL_E_TYPE, "strings and integers");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":{\"b\":1234567}}", SEAL_E_TYPE, "strings and integers");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"\\ud8001234567\"}", SEAL_E_TYPE, "strings and integers");
	memset(longest + 6, '7', 4096 - 4);
	memset(too_long + 6, '7', 4097);
	memcpy(longest + 6 + 4096 - 4, "\"}", 3);
	memcpy(too_long + 6 + 4097, "\"}", 3);
	round_trip(&kit, longest);
	refuse(&kit, ENGINE_PROTECT, too_long, SEAL_E_DOMAIN, "at most 4096");
	kit_close(&kit);

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, alphabet: alphanumeric}"));
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"ab1\"}", SEAL_E_DOMAIN, "at least 4 characters");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1234567}", SEAL_E_TYPE, "alphabet: digits");
	round_trip(&kit, "{\"a\":\"ab12\"}");
	kit_close(&kit);
}

static void fpe_takes_any_characters(void **state)
{
	struct seal_bytes got;
	struct kit kit;
	uint32_t c;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, alphabet: 'αβγδεζηθικλμνξοπρστυφχψω'}"));
	round_trip(&kit, "{\"a\":\"ζωη και ψυχη 😀\"}");
	got = run(&kit, ENGINE_PROTECT, "{\"a\":\"αβγδεζη\"}");
	for (size_t at = 6; at < got.len - 2;) {
		assert_true(utf8_next(got, &at, &c));
		assert_in_range(c, 0x3b1, 0x3c9);
	}
	kit_close(&kit);

	/* Characters of one to four bytes: the length in bytes changes, the number of characters doesn't. */
	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, alphabet: \"a\\\"\\\\é€😀\"}"));
	round_trip(&kit, "{\"a\":\"aaaaaaaa😀😀😀€€é\"}");
	round_trip(&kit, "{\"a\":\"\\\"\\\"\\\\aaaaaaaaaa\"}");
	kit_close(&kit);

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, alphabet: hex}"));
	round_trip(&kit, "{\"a\":\"deadbeef-0123\"}");
	kit_close(&kit);
}

static void fpe_versions_are_fixed(void **state)
{
	char first[17], second[17];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f}"));
	memcpy(first, run(&kit, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	kit_close(&kit);
	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, version: 2}"));
	memcpy(second, run(&kit, ENGINE_PROTECT, "{\"a\":\"4111111111111111\"}").ptr + 6, 16);
	round_trip(&kit, "{\"a\":\"4111111111111111\"}");
	kit_close(&kit);
	assert_memory_not_equal(first, second, 16);
	bad_policy(TOPIC("$.a: {type: fpe, key: f, version: 3}"), SEAL_E_KEY_VERSION, "its latest is 2");
	bad_policy(TOPIC("$.a: {type: hash, key: h, version: 2}"), SEAL_E_KEY_VERSION, "its latest is 1");
}

static void ff3_1_only_reveals(void **state)
{
	const uint8_t tweak[FF3_1_TWEAK_LEN] = {0xcb, 0xd0, 0x92, 0x80, 0x97, 0x95, 0x64};
	uint16_t numerals[16] = {4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct seal_bytes value;
	char text[32] = "{\"a\":\"";
	uint8_t key[32];
	struct kit kit;

	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	assert_int_equal(ff3_1_encrypt_legacy(bytes_of(key, 32), tweak, 10, numerals, 16, &err), SEAL_OK);
	for (unsigned i = 0; i < 16; i++)
		text[6 + i] = (char)('0' + numerals[i]);
	memcpy(text + 22, "\"}", 3);
	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, algorithm: ff3-1, tweak: cbd09280979564}"));
	expect(&kit, ENGINE_REVEAL, text, "{\"a\":\"4111111111111111\"}");
	value = bytes_str("{\"a\":\"4111111111111111\"}");
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "ff3-1 only reveals"));
	/* 2 * floor(log10(2^96)) = 56 */
	refuse(&kit, ENGINE_REVEAL, "{\"a\":\"123456789012345678901234567890123456789012345678901234567\"}",
	       SEAL_E_DOMAIN, "at most 56");
	kit_close(&kit);
	bad_policy(TOPIC("$.a: {type: fpe, key: f, algorithm: ff3-1}"), SEAL_E_CONFIG, "7 bytes");
	bad_policy(TOPIC("$.a: {type: fpe, key: f, algorithm: ff3-1, tweak: cbd092809795}"), SEAL_E_CONFIG,
		   "7 bytes");
}

static void mask_hides(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: mask, keep: {last: 4}}, $.b: {type: mask, keep: {first: 2, last: 2}, "
			     "separators: true}, "
			     "$.c: {type: mask, char: '•'}"));
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"4111-1111\"}", "{\"a\":\"*****1111\"}");
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"1111\"}", "{\"a\":\"****\"}"); /* no more than is kept: all hidden */
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"\"}", "{\"a\":\"\"}");
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"\\u00e9\\ud83d\\ude00ab\\\"d\"}", "{\"a\":\"**ab\\\"d\"}");
	expect(&kit, ENGINE_PROTECT, "{\"b\":\"41-11-11-11\"}", "{\"b\":\"41-**-**-11\"}");
	expect(&kit, ENGINE_PROTECT, "{\"b\":\"a-b-c-d\"}", "{\"b\":\"*-*-*-*\"}");
	expect(&kit, ENGINE_PROTECT, "{\"b\":\"éa.b€c\"}", "{\"b\":\"éa.*€c\"}");
	expect(&kit, ENGINE_PROTECT, "{\"c\":\"x y\"}", "{\"c\":\"•••\"}");
	expect(&kit, ENGINE_REVEAL, "{\"a\":\"*****1111\"}", "{\"a\":\"*****1111\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":12}", SEAL_E_TYPE, "mask takes strings");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"\\udc00\"}", SEAL_E_TYPE, "mask takes strings");
	kit_close(&kit);
	bad_policy(TOPIC("$.a: {type: mask, char: '**'}"), SEAL_E_CONFIG, "exactly one character");
	bad_policy(TOPIC("$.a: {type: mask, char: ''}"), SEAL_E_CONFIG, "exactly one character");
}

static void redact_and_remove_take_anything(void **state)
{
	struct kit kit;

	kit_open(&kit,
		 TOPIC("$.a: {type: redact}, $.b: {type: redact, 'null': true}, $.c: {type: redact, with: \"é\\n\"}, "
		       "$.d: {type: remove}, '$.e[*]': {type: remove}"));
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"x\",\"b\":[1]}", "{\"a\":\"[redacted]\",\"b\":null}");
	expect(&kit, ENGINE_PROTECT, "{\"a\":{\"y\":1.50},\"c\":1}", "{\"a\":\"[redacted]\",\"c\":\"é\\n\"}");
	expect(&kit, ENGINE_PROTECT, "{\"a\":\"\\ud800\"}", "{\"a\":\"[redacted]\"}");
	expect(&kit, ENGINE_PROTECT, "{ \"d\":1, \"x\":2 }", "{ \"x\":2 }");
	expect(&kit, ENGINE_PROTECT, "{\"x\":2,\"d\":\"vault:v1:AAAA\"}", "{\"x\":2}");
	expect(&kit, ENGINE_PROTECT, "{\"d\":1}", "{}");
	expect(&kit, ENGINE_PROTECT, "{\"e\":[1,2,3]}", "{\"e\":[]}");
	expect(&kit, ENGINE_REVEAL, "{\"a\":1,\"d\":2}", "{\"a\":1,\"d\":2}");
	kit_close(&kit);
}

/* Values from another implementation of HMAC (Python's), over the place of docs/FORMAT.md. */
static void hash_makes_known_values(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.e: {type: hash, key: h}, $.n: {type: hash, key: h, bind: none}, "
			     "$.b: {type: hash, key: h, bind: none, encoding: base64url}, "
			     "$.d: {type: hash, key: h, bind: {domain: mail}}"));
	expect(&kit, ENGINE_PROTECT, "{\"e\":\"ada@example.org\"}",
	       "{\"e\":\"9656f5c3c0eae7fe7d27708bad0f70b86b1ee91c506d928feb21dd21d37eba5c\"}");
	expect(&kit, ENGINE_PROTECT, "{\"e\":\"ada\\u0040example.org\"}",
	       "{\"e\":\"9656f5c3c0eae7fe7d27708bad0f70b86b1ee91c506d928feb21dd21d37eba5c\"}");
	expect(&kit, ENGINE_PROTECT, "{\"n\":\"ada@example.org\"}",
	       "{\"n\":\"c2ca8524eab3e540e13d4e2397be333a5ec2db8584379861a06b030d7ac7a5a6\"}");
	expect(&kit, ENGINE_PROTECT, "{\"b\":\"ada@example.org\"}",
	       "{\"b\":\"wsqFJOqz5UDhPU4jl74zOl7C24WEN5hhoGsDDXrHpaY\"}");
	expect(&kit, ENGINE_PROTECT, "{\"d\":\"ada@example.org\"}",
	       "{\"d\":\"b2a47ffc4b69bf35dfad10821edbf15d580783e0373fb6e7f3b19d915aef9e13\"}");
	expect(&kit, ENGINE_PROTECT, "{\"d\":17}",
	       "{\"d\":\"305b9cba2ceb97eb64ed4ffd5008ce61775c00fa73e5a20603d348748a8805f8\"}");
	expect(&kit, ENGINE_REVEAL, "{\"d\":\"b2a4\"}", "{\"d\":\"b2a4\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"e\":\"vault:v1:AAAA\"}", SEAL_E_PROTECTED, "already protected");
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_forms_are_recognised),
		cmocka_unit_test(long_text_forms_are_checked_to_the_end),
		cmocka_unit_test(alphabets_have_an_order),
		cmocka_unit_test(bad_alphabets_are_refused),
		cmocka_unit_test(fpe_makes_known_values),
		cmocka_unit_test(fpe_binds_by_its_tweak),
		cmocka_unit_test(fpe_keeps_ends),
		cmocka_unit_test(fpe_keeps_integers),
		cmocka_unit_test(fpe_refuses_what_it_cannot_keep),
		cmocka_unit_test(fpe_takes_any_characters),
		cmocka_unit_test(fpe_versions_are_fixed),
		cmocka_unit_test(ff3_1_only_reveals),
		cmocka_unit_test(mask_hides),
		cmocka_unit_test(redact_and_remove_take_anything),
		cmocka_unit_test(hash_makes_known_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
