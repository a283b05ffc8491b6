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
		{"seal:x1:AQIDBAUGBw:1111-2222", true, true, false, 0},
		{"seal:x1:_w:\xc3\xa9:", true, true, false, 0},
		{"json+seal:x1:AQIDBAUGBw:1111-2222", true, false, false, 0},
		{"seal:x1:AQIDBAUGBw:", true, false, false, 0},
		{"seal:x1:AQIDBAUGBw", true, false, false, 0},
		{"seal:x1::1111", true, false, false, 0},
		{"seal:x1:AQIDBAUGBw==:1111", true, false, false, 0},
		{"seal:x1:AQIDBAUGBx:1111", true, false, false, 0}, /* stray bits */
		{"seal:x1:+/8:1111", true, false, false, 0}, /* the other alphabet */
		{"seal:t1:AAECAwQFBgcICQoLDA0ODw", true, true, false, 0},
		{"json+seal:t1:AAECAwQFBgcICQoLDA0ODw", true, true, true, 0},
		{"seal:t1:AAECAwQFBgcICQoLDA0ODx", true, false, false, 0}, /* stray bits */
		{"seal:t1:AAECAwQFBgcICQoLDA0ODw==", true, false, false, 0}, /* padding */
		{"seal:t1:AAECAwQFBgcICQoLDA0O", true, false, false, 0}, /* 15 bytes */
		{"seal:t1:AAECAwQFBgcICQoLDA0ODxAR", true, false, false, 0}, /* 18 bytes */
		{"seal:t1:AAECAwQFBgcICQoLDA0OD+", true, false, false, 0}, /* the other alphabet */
		{"seal:t1:", true, false, false, 0},
		{"seal:t2:AAECAwQFBgcICQoLDA0ODw", true, false, false, 0},
		{"seal:x2:AQIDBAUGBw:1111", true, false, false, 0},
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
		assert_string_equal(form.method, rows[i].version			 ? "encrypt"
						 : strstr(rows[i].text, TEXT_FORM_TOKEN) ? "token"
											 : "transform");
		assert_int_equal(form.stored, strcmp(form.method, "token") == 0);
		assert_int_equal(form.body.len, text.len - (rows[i].json ? 5 : 0));
	}
}

/* Bodies longer than the piece that is checked at once. */
/* At every place in texts of many lengths, and never where it only looks like one. */
static void envelopes_are_found_anywhere(void **state)
{
	static const char almost[] = "seal:x1:seal:e2:seal;e1:s,al:e1:Seal:e1:seal:e1;";
	uint8_t text[100];

	for (size_t len = 0; len <= sizeof(text); len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = (uint8_t)almost[i % (sizeof(almost) - 1)];
		assert_false(text_form_has_envelope(bytes_of(text, len)));
		for (size_t at = 0; at + 8 <= len; at++) {
			uint8_t before[8];

			memcpy(before, text + at, 8);
			memcpy(text + at, TEXT_FORM_ENVELOPE, 8);
			assert_true(text_form_has_envelope(bytes_of(text, len)));
			assert_false(text_form_has_envelope(bytes_of(text, at + 7)));
			memcpy(text + at, before, 8);
		}
	}
	assert_false(text_form_has_envelope(BYTES_EMPTY));
}

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

#define ROLE "type: transform, role: payments"

/* The toy of fake_transform.h: a digit moves by 1 and the sum of the tweak's bytes. */
static void transform_by_each_tweak_source(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.i: {" ROLE "}, $.t: {" ROLE ", tweak_source: supplied, tweak: 0102}, "
			     "$.o: {" ROLE ", one_way: true}, "
			     "$.g: {" ROLE ", tweak_source: generated}"));
	expect(&kit, ENGINE_PROTECT, "{\"i\":\"4111-1119\"}", "{\"i\":\"5222-2220\"}");
	expect(&kit, ENGINE_REVEAL, "{\"i\":\"5222-2220\"}", "{\"i\":\"4111-1119\"}");
	expect(&kit, ENGINE_PROTECT, "{\"t\":\"4111-1119\"}", "{\"t\":\"8555-5553\"}");
	expect(&kit, ENGINE_REVEAL, "{\"t\":\"8555-5553\"}", "{\"t\":\"4111-1119\"}");
	expect(&kit, ENGINE_PROTECT, "{\"o\":\"4111-1119\"}", "{\"o\":\"5222-2220\"}");
	expect(&kit, ENGINE_REVEAL, "{\"o\":\"5222-2220\"}", "{\"o\":\"5222-2220\"}");
	/* ff + fe + fd + fc + fb + fa + 0 = 1515: by 6. */
	expect(&kit, ENGINE_PROTECT, "{\"g\":\"4é1\"}", "{\"g\":\"seal:x1:__79_Pv6AA:0é7\"}");
	expect(&kit, ENGINE_REVEAL, "{\"g\":\"seal:x1:__79_Pv6AA:0é7\"}", "{\"g\":\"4é1\"}");
	kit_close(&kit);
	assert_int_equal(fake_transform.opened, 0);
}

/* SHA-256 of place 01 01 shop $['a'] 01 begins with the bytes that the digits below are moved by. */
static void transform_supplies_tweaks_of_the_place(void **state)
{
	static const char in[] = "{\"a\":\"000\",\"b\":\"000\",\"c\":\"000\",\"d\":\"000\"}";
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {" ROLE ", tweak_source: supplied}, "
			     "$.b: {" ROLE ", tweak_source: supplied, bind: {domain: card}}, "
			     "$.c: {" ROLE ", tweak_source: supplied, bind: {domain: card}}, "
			     "$.d: {" ROLE ", tweak_source: supplied, tweak_bytes: 32, bind: {domain: card}}"));
	expect(&kit, ENGINE_PROTECT, in, "{\"a\":\"888\",\"b\":\"222\",\"c\":\"222\",\"d\":\"333\"}");
	round_trip(&kit, in);
	kit_close(&kit);
}

static void transform_keeps_generated_tweaks(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.g: {" ROLE ", tweak_source: generated}"));
	refuse(&kit, ENGINE_PROTECT, "{\"g\":\"seal:x1:__79_Pv6AA:7\"}", SEAL_E_PROTECTED, "already protected");
	refuse(&kit, ENGINE_REVEAL, "{\"g\":\"4111\"}", SEAL_E_PLAINTEXT, "on_plaintext");
	refuse(&kit, ENGINE_REVEAL, "{\"g\":\"seal:x1:_:4111\"}", SEAL_E_TAMPERED, "tweak_source: generated");
	refuse(&kit, ENGINE_REVEAL, "{\"g\":\"seal:x1:__79_Pv6AA:\"}", SEAL_E_TAMPERED, "tweak_source: generated");
	refuse(&kit, ENGINE_REVEAL, "{\"g\":\"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}", SEAL_E_TAMPERED,
	       "tweak_source: generated");
	refuse(&kit, ENGINE_REVEAL, "{\"g\":\"json+seal:x1:__79_Pv6AA:7\"}", SEAL_E_TYPE, "strings");
	kit_close(&kit);
	kit_open(&kit, "version: 1\ndefaults: {on_plaintext: pass, on_protected: keep}\n"
		       "topics: [{match: t, protect: {$.g: {" ROLE ", tweak_source: generated}}}]\n");
	expect(&kit, ENGINE_REVEAL, "{\"g\":\"4111\"}", "{\"g\":\"4111\"}");
	expect(&kit, ENGINE_PROTECT, "{\"g\":\"seal:x1:__79_Pv6AA:7\"}", "{\"g\":\"seal:x1:__79_Pv6AA:7\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"g\":\"seal:x1:=:7\"}", SEAL_E_PROTECTED, "not kept");
	kit_close(&kit);
}

static void transform_refuses_values_alone(void **state)
{
	struct seal_bytes in[3] = {BYTES_LIT("{\"i\":\"1\"}"), BYTES_LIT("{\"i\":\"1x\"}"),
				   BYTES_LIT("{\"i\":\"3\"}")};
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result out[3];
	struct kit kit;

	kit_open(&kit, TOPIC("$.i: {" ROLE "}"));
	refuse(&kit, ENGINE_PROTECT, "{\"i\":17}", SEAL_E_TYPE, "use encrypt");
	refuse(&kit, ENGINE_PROTECT, "{\"i\":null}", SEAL_E_TYPE, "on_null: keep");
	refuse(&kit, ENGINE_REVEAL, "{\"i\":[1]}", SEAL_E_TYPE, "strings");
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, in, 3, out, &err), SEAL_OK);
	assert_true(bytes_eq_str(out[0].value, "{\"i\":\"2\"}"));
	assert_int_equal(out[1].err->code, SEAL_E_DOMAIN);
	assert_string_equal(out[1].err->place, "$['i']");
	assert_true(bytes_eq_str(out[2].value, "{\"i\":\"4\"}"));
	kit_close(&kit);
}

static void stops(const char *policy, enum seal_status status, const char *says)
{
	const struct seal_bytes in = BYTES_LIT("{\"i\":\"1\"}");
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result out;
	struct kit kit;

	kit_open(&kit, policy);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &in, 1, &out, &err), status);
	assert_null(out.value.ptr);
	if (strstr(err.text, says) == NULL)
		fail_msg("%s: %s", policy, err.text);
	kit_close(&kit);
}

static void transform_stops_where_the_server_differs(void **state)
{
	stops(TOPIC("$.i: {type: transform, role: liar}"), SEAL_USAGE, "could not be revealed");
	stops(TOPIC("$.i: {type: transform, role: liar, tweak_source: generated}"), SEAL_USAGE, "draws no tweaks");
	fake_transform.fail_call = SEAL_RETRY;
	stops(TOPIC("$.i: {" ROLE "}"), SEAL_RETRY, "told to fail");
	fake_transform.fail_call = SEAL_OK;
	bad_policy(TOPIC("$.i: {type: transform, role: nobody}"), SEAL_E_KEY_UNKNOWN,
		   "vault:transform/role/nobody: no such role");
	bad_policy(TOPIC("$.i: {" ROLE ", tweak_source: supplied, bind: none}"), SEAL_E_CONFIG,
		   "nothing to make a tweak");
	fake_transform.fail_check = SEAL_USAGE;
	bad_policy(TOPIC("$.i: {" ROLE "}"), SEAL_E_CONFIG,
		   "method '$.i', vault:transform/role/payments: the role cannot do this");
	fake_transform.fail_check = SEAL_OK;
}

/* Methods of one role share its key; what they ask for goes along. */
static void transform_is_one_call_a_lot(void **state)
{
	struct kit kit;

	kit_open(&kit,
		 TOPIC("'$.a[*]': {" ROLE ", transformation: card, ttl: 2h, metadata: 'A=1,B=x=y', decode_format: "
		       "last-four}, $.b: {" ROLE ", expiration: 2030-01-31T00:00:00.5+01:00}"));
	assert_int_equal(fake_transform.opened, 1);
	fake_transform.calls = fake_transform.items = 0;
	expect(&kit, ENGINE_PROTECT, "{\"a\":[\"1\",\"2\",\"3\"]}", "{\"a\":[\"2\",\"3\",\"4\"]}");
	assert_int_equal(fake_transform.calls, 1);
	assert_int_equal(fake_transform.items, 3);
	assert_string_equal(fake_transform.how.transformation, "card");
	assert_string_equal(fake_transform.how.ttl, "7200s");
	assert_string_equal(fake_transform.how.metadata, "A=1,B=x=y");
	assert_string_equal(fake_transform.how.decode_format, "last-four");
	assert_null(fake_transform.how.expiration);
	expect(&kit, ENGINE_PROTECT, "{\"b\":\"1\"}", "{\"b\":\"2\"}");
	assert_null(fake_transform.how.transformation);
	assert_null(fake_transform.how.ttl);
	assert_string_equal(fake_transform.how.expiration, "2030-01-31T00:00:00.5+01:00");
	kit_close(&kit);
}

static void transform_options_fit_each_other(void **state)
{
	static const struct {
		const char *options, *says;
	} rows[] = {
		{"type: transform", "needs role"},
		{ROLE ", key: k", "takes no key"},
		{ROLE ", bind: none", "binds to nothing with these options"},
		{ROLE ", tweak: 00", "goes with 'tweak_source: supplied'"},
		{ROLE ", tweak_bytes: 7, tweak_source: generated", "goes with 'tweak_source: supplied'"},
		{ROLE ", tweak_source: supplied, tweak: 00, tweak_bytes: 1", "exclude each other"},
		{ROLE ", tweak_source: supplied, tweak: 00, bind: place", "binds to nothing with these options"},
		{ROLE ", tweak_source: supplied, tweak: ''", "1 to 256 bytes"},
		{ROLE ", tweak_source: supplied, tweak_bytes: 33", "from 1 to 32"},
		{ROLE ", tweak_source: both", "internal|supplied|generated"},
		{ROLE ", tweak_source: supplied, ttl: 1h", "tokenization"},
		{ROLE ", ttl: 1h, expiration: 2030-01-31T00:00:00Z", "exclude each other"},
		{ROLE ", ttl: 1500ms", "whole seconds"},
		{ROLE ", ttl: 0s", "ttl must be"},
		{ROLE ", expiration: tomorrow", "RFC 3339"},
		{ROLE ", expiration: 2030-01-31T00:00:00", "RFC 3339"},
		{ROLE ", expiration: 2030-01-31T00:00:00+1:00", "RFC 3339"},
		{ROLE ", metadata: a", "'metadata' must be"},
		{ROLE ", metadata: 'a=1,=2'", "'metadata' must be"},
		{ROLE ", one_way: true, tweak_source: generated", "masking"},
		{ROLE ", one_way: true, decode_format: x", "exclude each other"},
		{ROLE ", transformation: a/b", "'transformation' must be"},
		{"type: transform, role: a/b", "'role' must be"},
	};
	char policy[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(policy, sizeof(policy), TOPIC("$.i: {%s}"), rows[i].options);
		bad_policy(policy, SEAL_E_CONFIG, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_forms_are_recognised),
		cmocka_unit_test(envelopes_are_found_anywhere),
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
		cmocka_unit_test(transform_by_each_tweak_source),
		cmocka_unit_test(transform_supplies_tweaks_of_the_place),
		cmocka_unit_test(transform_keeps_generated_tweaks),
		cmocka_unit_test(transform_refuses_values_alone),
		cmocka_unit_test(transform_stops_where_the_server_differs),
		cmocka_unit_test(transform_is_one_call_a_lot),
		cmocka_unit_test(transform_options_fit_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
