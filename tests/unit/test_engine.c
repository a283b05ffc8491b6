/* The engine: what arrives, what leaves, what fails alone and what fails as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/work.h"
#include "keys/keyring.h"
#include "kit.h"

#define TOPIC(protect) KIT_HEAD "topics: [{match: t, protect: {" protect "}}]\n"
#define TOPIC_ON(on, protect) KIT_HEAD "topics: [{match: t, " on ", protect: {" protect "}}]\n"

/* Nonce and tag of an empty value, as base64: whole, but of no key. */
#define NO_BYTES "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static char kept_text[4096];

/* A copy that outlives the next call. */
static struct seal_bytes keep(struct seal_bytes value)
{
	assert_true(value.len < sizeof(kept_text));
	memcpy(kept_text, value.ptr, value.len);
	kept_text[value.len] = '\0';
	return bytes_of(kept_text, value.len);
}

static const char *run(struct kit *kit, enum engine_direction direction, const char *in)
{
	const struct engine_result *result = kit_one(kit, direction, bytes_str(in));

	if (result->err != NULL)
		fail_msg("%s: %s: %s", in, result->err->place, result->err->text);
	return (const char *)keep(result->value).ptr;
}

static void refuse(struct kit *kit, enum engine_direction direction, const char *in, enum seal_code code,
		   const char *place)
{
	const struct engine_result *result = kit_one(kit, direction, bytes_str(in));

	if (result->err == NULL)
		fail_msg("%s was taken", in);
	if (result->err->code != code || strcmp(result->err->place, place) != 0)
		fail_msg("%s: %s: %s: %s", in, seal_code_name(result->err->code), result->err->place,
			 result->err->text);
	assert_int_equal(result->err->status, SEAL_DATA);
	assert_null(result->value.ptr);
	assert_int_equal(result->cells, 0);
}

/* Protected and revealed again, `in` is what it was, and the protected one begins with `begins`. */
static void round_trip(struct kit *kit, const char *in, const char *begins)
{
	char protected[sizeof(kept_text)];

	memcpy(protected, run(kit, ENGINE_PROTECT, in), sizeof(protected));
	if (strncmp(protected, begins, strlen(begins)) != 0)
		fail_msg("%s gave %s", in, protected);
	assert_string_equal(run(kit, ENGINE_REVEAL, protected), in);
}

static void every_json_value_comes_back(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	round_trip(&kit, "{\"a\":\"1 High St\"}", "{\"a\":\"vault:v2:");
	round_trip(&kit, "{\"a\":\"\"}", "{\"a\":\"vault:v2:");
	round_trip(&kit, "{\"a\":\"\\\"\\\\\\n\\u0001é😀\"}", "{\"a\":\"vault:v2:");
	round_trip(&kit, "{\"a\":1.10}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":12345678901234567890}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":null}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":true,\"b\":1}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":[1,  {\"x\":\"y\"}]}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":{\"b\" : 1.0e5, \"b\":2}}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, "{\"a\":\"\\ud800 lone\"}", "{\"a\":\"json+vault:v2:");
	round_trip(&kit, " { \"x\" : 1.50 , \"a\" : \"v\" , \"\\u0061\" : 2 } ",
		   " { \"x\" : 1.50 , \"a\" : \"vault:v2:");
	kit_close(&kit);

	kit_open(&kit, TOPIC("$: {type: encrypt, key: k}"));
	round_trip(&kit, "{\"a\": 1}", "\"json+vault:v2:");
	round_trip(&kit, " \"text\" ", " \"vault:v2:");
	kit_close(&kit);
}

/* Each kind of character that needs an escape or a look, at each place of a word and behind it. */
static void odd_characters_are_seen_anywhere(void **state)
{
	static const char *const odd[] = {"\\\"",	  "\\\\", "\\n", "\\u001f", "\x7f", "é",
					  "\xef\xbf\xbf", " ",	  "!",	 "#",	    "[",    "]"};
	char text[64];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (int before = 0; before <= 17; before++) {
			snprintf(text, sizeof(text), "{\"a\":\"%.*s%s%.*s\"}", before, "abcdefghijklmnopq", odd[i],
				 17 - before, "ABCDEFGHIJKLMNOPQ");
			round_trip(&kit, text, "{\"a\":\"vault:v2:");
		}
	}
	kit_close(&kit);
}

static void escapes_are_decoded_before_and_written_after(void **state)
{
	char protected[sizeof(kept_text)];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	memcpy(protected, run(&kit, ENGINE_PROTECT, "{\"\\u0061\":\"\\u0041\\/\\t\"}"), sizeof(protected));
	assert_string_equal(run(&kit, ENGINE_REVEAL, protected), "{\"\\u0061\":\"A/\\t\"}");
	kit_close(&kit);
}

/* Some writers escape the slashes of base64. */
static void escaped_text_forms_are_revealed(void **state)
{
	char protected[sizeof(kept_text)], escaped[2 * sizeof(kept_text)], *to = escaped;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	memcpy(protected, run(&kit, ENGINE_PROTECT, "{\"a\":\"v\"}"), sizeof(protected));
	for (const char *from = protected; *from != '\0'; from++) {
		if (*from == '/')
			*to++ = '\\';
		if (*from == 'v' && from == protected + 6) {
			memcpy(to, "\\u0076", 6);
			to += 6;
			continue;
		}
		*to++ = *from;
	}
	*to = '\0';
	assert_string_equal(run(&kit, ENGINE_REVEAL, escaped), "{\"a\":\"v\"}");
	kit_close(&kit);
}

static void ciphertext_stays_in_its_place(void **state)
{
	char value[sizeof(kept_text)], moved[sizeof(kept_text) + 16], *start;
	struct kit kit, other;
	size_t len;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}, $.b: {type: encrypt, key: k}, "
			     "$.c: {type: encrypt, key: k, bind: none}, $.d: {type: encrypt, key: k, bind: none}, "
			     "$.e: {type: encrypt, key: k, bind: {domain: x}}, "
			     "$.f: {type: encrypt, key: k, bind: {domain: x}}"));
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"a\":\"v\"}"), sizeof(value));
	value[2] = 'b';
	refuse(&kit, ENGINE_REVEAL, value, SEAL_E_TAMPERED, "$['b']");
	value[2] = 'e';
	refuse(&kit, ENGINE_REVEAL, value, SEAL_E_TAMPERED, "$['e']");
	value[2] = 'a';

	/* Another namespace. */
	kit_open(&other, "version: 1\nnamespace: shops\nkeys: {k: 'fake:aes'}\n"
			 "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n");
	refuse(&other, ENGINE_REVEAL, value, SEAL_E_TAMPERED, "$['a']");
	kit_close(&other);

	/* Another kind of value: json+ put before a string's text, or taken away. */
	start = value + 6;
	snprintf(moved, sizeof(moved), "{\"a\":\"json+%s", start);
	refuse(&kit, ENGINE_REVEAL, moved, SEAL_E_TAMPERED, "$['a']");
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"a\":17}"), sizeof(value));
	snprintf(moved, sizeof(moved), "{\"a\":\"%s", value + 6 + 5);
	refuse(&kit, ENGINE_REVEAL, moved, SEAL_E_TAMPERED, "$['a']");

	/* What is not bound, or bound to the same name, may move. */
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"c\":\"v\"}"), sizeof(value));
	value[2] = 'd';
	assert_string_equal(run(&kit, ENGINE_REVEAL, value), "{\"d\":\"v\"}");
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"e\":\"v\"}"), sizeof(value));
	value[2] = 'f';
	assert_string_equal(run(&kit, ENGINE_REVEAL, value), "{\"f\":\"v\"}");

	/* Each flipped bit and each cut of the base64. */
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"a\":\"secret\"}"), sizeof(value));
	len = strlen(value);
	for (size_t at = strlen("{\"a\":\"vault:v2:"); at < len - 2; at++) {
		memcpy(moved, value, len + 1);
		moved[at] = moved[at] == 'A' ? 'B' : 'A';
		if (kit_one(&kit, ENGINE_REVEAL, bytes_of(moved, len))->err == NULL)
			fail_msg("changed at %zu, still revealed", at);
		snprintf(moved, sizeof(moved), "%.*s\"}", (int)at, value);
		refuse(&kit, ENGINE_REVEAL, moved, SEAL_E_TAMPERED, "$['a']");
	}
	kit_close(&kit);
}

/* Index is not part of a place; names that differ from hit to hit are. */
static void wildcards_bind_names_but_no_index(void **state)
{
	char value[sizeof(kept_text)], swapped[2 * sizeof(kept_text)], *comma;
	struct kit kit;

	kit_open(&kit, TOPIC("'$.items[*].note': {type: encrypt, key: k}"));
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"items\":[{\"note\":\"a\"},{\"note\":\"b\"}]}"), sizeof(value));
	comma = strstr(value, "},{");
	snprintf(swapped, sizeof(swapped), "{\"items\":[%.*s,%.*s]}", (int)(strlen(comma) - 4), comma + 2,
		 (int)(comma + 1 - (value + 10)), value + 10);
	assert_string_equal(run(&kit, ENGINE_REVEAL, swapped), "{\"items\":[{\"note\":\"b\"},{\"note\":\"a\"}]}");

	kit_close(&kit);
	kit_open(&kit, TOPIC("$..pin: {type: encrypt, key: k}"));
	round_trip(&kit, "{\"x\":{\"pin\":\"1\"},\"y\":[{\"pin\":2}],\"pin\":null}", "{\"x\":{\"pin\":\"vault:v2:");
	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"x\":{\"pin\":\"1\"}}"), sizeof(value));
	value[2] = 'y';
	refuse(&kit, ENGINE_REVEAL, value, SEAL_E_TAMPERED, "$['y']['pin']");
	kit_close(&kit);
}

static void values_are_bound_to_a_sibling(void **state)
{
	char value[sizeof(kept_text)], other[2 * sizeof(kept_text)];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k, bind: {record: $.id}}, "
			     "$.c: {type: fpe, key: f, bind: {record: $.id}}"));
	round_trip(&kit, "{\"a\":\"v\",\"c\":\"4111111111111111\",\"id\":7}", "{\"a\":\"vault:v2:");
	round_trip(&kit, "{\"id\":\"7\",\"a\":1}", "{\"id\":\"7\",\"a\":\"json+vault:v2:");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"v\"}", SEAL_E_MISSING, "$['a']");
	refuse(&kit, ENGINE_PROTECT, "{\"id\":1,\"a\":\"v\",\"id\":1}", SEAL_E_MISSING, "$['a']");
	assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"b\":\"v\"}"), "{\"b\":\"v\"}");

	memcpy(value, run(&kit, ENGINE_PROTECT, "{\"id\":7,\"a\":\"v\"}"), sizeof(value));
	memcpy(other, value, sizeof(value));
	other[6] = '8';
	refuse(&kit, ENGINE_REVEAL, other, SEAL_E_TAMPERED, "$['a']");
	snprintf(other, sizeof(other), "{\"id\":\"7\"%s", value + 7);
	refuse(&kit, ENGINE_REVEAL, other, SEAL_E_TAMPERED, "$['a']");
	snprintf(other, sizeof(other), "{\"\\u0069d\":7%s", value + 7);
	assert_string_equal(run(&kit, ENGINE_REVEAL, other), "{\"\\u0069d\":7,\"a\":\"v\"}");
	kit_close(&kit);
}

static void bad_records_fail_alone(void **state)
{
	static const char *const texts[] = {
		"{\"a\":\"1234567\"}",	       "{\"a\":\"1234567\",\"a\":\"12\"}",     "{\"a\":", "",
		"{\"a\":\"7654321\",\"b\":1}", "{\"a\":\"1234567\",\"a\":\"7654321\"}"};
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result results[7];
	struct seal_bytes values[7] = {{NULL, 0}};
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: fpe, key: f, bind: none}, $.b: {type: encrypt, key: k}"));
	for (size_t i = 0; i < 6; i++)
		values[i + 1] = bytes_str(texts[i]);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 7, results, &err), SEAL_OK);
	assert_null(results[0].value.ptr); /* a tombstone */
	assert_null(results[0].err);
	assert_null(results[1].err);
	assert_int_equal(results[1].cells, 1);
	assert_int_equal(results[2].err->code, SEAL_E_DOMAIN);
	assert_string_equal(results[2].err->place, "$['a']");
	assert_null(strstr(results[2].err->text, "12\""));
	assert_int_equal(results[3].err->code, SEAL_E_SYNTAX);
	assert_string_equal(results[3].err->place, "byte 5");
	assert_int_equal(results[4].err->code, SEAL_E_SYNTAX);
	assert_null(results[5].err);
	assert_int_equal(results[5].cells, 2);
	assert_int_equal(results[6].cells, 2);
	assert_memory_equal(results[1].value.ptr + 6, results[6].value.ptr + 6, 7); /* the same value */
	for (size_t i = 2; i <= 4; i++)
		assert_null(results[i].value.ptr);

	/* What was gathered of a record that fails goes with it: nothing is left to encrypt. */
	values[1] = bytes_str("{\"b\":1,\"a\":\"vault:v1:AAAA\"}");
	fake_control.calls = 0;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 2, results, &err), SEAL_OK);
	assert_int_equal(results[1].err->code, SEAL_E_PROTECTED);
	assert_int_equal(fake_control.calls, 0);

	/* An item that the key source fails. */
	fake_control.fail_item = 1;
	values[1] = bytes_str("{\"b\":1}");
	values[2] = bytes_str("{\"b\":2}");
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 3, results, &err), SEAL_OK);
	fake_control.fail_item = 0;
	assert_int_equal(results[1].err->code, SEAL_E_TAMPERED);
	assert_string_equal(results[1].err->place, "$['b']");
	assert_null(results[2].err);
	assert_non_null(results[2].value.ptr);
	kit_close(&kit);
}

/* A service that is away: no record counts. */
static void a_failing_key_source_fails_the_call(void **state)
{
	struct seal_bytes values[2] = {bytes_str("{\"a\":1}"), bytes_str("{\"x\":1}")};
	struct engine_result results[2];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	for (int direction = ENGINE_PROTECT; direction <= ENGINE_REVEAL; direction++) {
		struct seal_err err = SEAL_ERR_INIT;
		char value[sizeof(kept_text)];

		memcpy(value, run(&kit, ENGINE_PROTECT, "{\"a\":1}"), sizeof(value));
		if (direction == ENGINE_REVEAL)
			values[0] = bytes_str(value);
		fake_control.fail_call = SEAL_RETRY;
		fake_control.fail_code = SEAL_E_SERVICE;
		assert_int_equal(engine_run(kit.engine, kit.topic, direction, values, 2, results, &err), SEAL_RETRY);
		fake_control.fail_call = SEAL_OK;
		assert_int_equal(err.code, SEAL_E_SERVICE);
		for (size_t i = 0; i < 2; i++) {
			assert_null(results[i].value.ptr);
			assert_null(results[i].err);
		}
		err_clear(&err);
		assert_int_equal(engine_run(kit.engine, kit.topic, direction, values, 2, results, &err), SEAL_OK);
		/* A key's file that is damaged: the records are not what is bad. */
		fake_control.fail_call = SEAL_DATA;
		fake_control.fail_code = SEAL_E_KEY_FILE;
		assert_int_equal(engine_run(kit.engine, kit.topic, direction, values, 2, results, &err), SEAL_FATAL);
		assert_int_equal(err.status, SEAL_FATAL);
		assert_int_equal(err.code, SEAL_E_KEY_FILE);
		assert_int_equal(engine_run(kit.engine, kit.topic, direction, values, 2, results, NULL), SEAL_FATAL);
		fake_control.fail_call = SEAL_OK;
		err_clear(&err);
	}
	kit_close(&kit);
}

static void limits_hold_before_and_after(void **state)
{
	const struct engine_options options = {.max_record_bytes = 40};
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	assert_int_equal(
		kit_try(&kit, TOPIC("$.a: {type: encrypt, key: k}, $.m: {type: mask}"), NULL, &options, &err),
		SEAL_OK);
	assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"m\":\"34567890123456789012345678901234\"}"),
			    "{\"m\":\"********************************\"}");
	refuse(&kit, ENGINE_PROTECT, "{\"m\":\"345678901234567890123456789012345\"}", SEAL_E_LIMIT, "");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1}", SEAL_E_LIMIT, "");
	kit_close(&kit);
}

/* However long a caller is ready to wait. */
static void deadlines_do_not_wrap(void **state)
{
	struct engine_options options = {.timeout_ms = UINT64_MAX};
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;
	uint64_t now;

	assert_int_equal(kit_try(&kit, TOPIC("$.a: {type: encrypt, key: k}"), NULL, &options, &err), SEAL_OK);
	run(&kit, ENGINE_PROTECT, "{\"a\":1}");
	assert_int_equal(fake_control.deadline_ms, UINT64_MAX);
	kit_close(&kit);
	options.timeout_ms = 5000;
	assert_int_equal(kit_try(&kit, TOPIC("$.a: {type: encrypt, key: k}"), NULL, &options, &err), SEAL_OK);
	now = clock_mono_ms();
	run(&kit, ENGINE_PROTECT, "{\"a\":1}");
	assert_true(fake_control.deadline_ms >= now + 5000 && fake_control.deadline_ms <= clock_mono_ms() + 5000);
	kit_close(&kit);
}

/* A record may name many values, but not without end. */
static void records_with_too_many_values_fail(void **state)
{
	const size_t most = ENGINE_CELLS_MAX;
	char *text = mem_alloc(2 * (most + 1) + 2);
	struct seal_bytes value = bytes_of(text, 2 * most + 1);
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct kit kit;

	assert_non_null(text);
	text[0] = '[';
	for (size_t i = 0; i <= most; i++) {
		text[1 + 2 * i] = '1';
		text[2 + 2 * i] = ',';
	}
	kit_open(&kit, TOPIC("'$[*]': {type: redact}"));
	text[2 * most] = ']';
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_OK);
	assert_null(result.err);
	assert_int_equal(result.cells, most);
	text[2 * most] = ',';
	text[2 * most + 2] = ']';
	value.len += 2;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_OK);
	assert_int_equal(result.err->code, SEAL_E_LIMIT);
	kit_close(&kit);
	mem_free(text);
}

/* Values that all fail share one error. */
static void records_of_bad_values_take_little(void **state)
{
	static const char *const rules[] = {TOPIC("'$[*]': {type: mask}"), TOPIC("'$[*]': {type: fpe, key: f}")};
	const size_t n = 100000;
	char *text = mem_alloc(2 * n + 1);
	struct kit kit;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, i == 0 ? "[1" : ",1", 2);
	text[2 * n] = ']';
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		kit_open(&kit, rules[i]);
		assert_int_equal(kit_one(&kit, ENGINE_PROTECT, bytes_of(text, 2 * n + 1))->err->status, SEAL_DATA);
		assert_true(arena_held(&kit.engine->arena) < 32u << 20);
		/* The first one in the document still says why, and its neighbours' records are their own. */
		refuse(&kit, ENGINE_PROTECT, "[\"1234567\",1,2]", i == 0 ? SEAL_E_TYPE : SEAL_E_DOMAIN, "$[*]");
		kit_close(&kit);
	}
	mem_free(text);
}

/* {"id":"0…1","0…2":[{"n":1},…]}: an id and a name of so many bytes, n values. */
static struct seal_bytes many_below(size_t id, size_t name, size_t n)
{
	const size_t room = id + name + 8 * n + 32;
	char *text = mem_alloc(room), *to = text;

	assert_non_null(text);
	to += snprintf(to, room, "{\"id\":\"%0*d\",\"%0*d\":[", (int)id, 1, (int)name, 2);
	for (size_t i = 0; i < n; i++)
		to += snprintf(to, room - (size_t)(to - text), "{\"n\":1},");
	to[-1] = ']';
	*to++ = '}';
	return bytes_of(text, (size_t)(to - text));
}

/* What each value is bound to is made for each: long names above many values must not take memory without end. */
static void records_with_too_long_places_fail(void **state)
{
	static const char *const rules[] = {TOPIC("$..n: {type: encrypt, key: k}"),
					    TOPIC("\"$['2'][*].n\": {type: encrypt, key: k, bind: {record: $.id}}"),
					    TOPIC("$..n: {type: hash, key: h}")};
	const struct engine_result *result;
	struct seal_bytes value;
	struct kit kit;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		kit_open(&kit, rules[i]);
		value = many_below(100, i == 1 ? 1 : 100, 10000);
		result = kit_one(&kit, ENGINE_PROTECT, value);
		assert_null(result->err);
		assert_int_equal(result->cells, 10000);
		mem_free((void *)value.ptr);
		value = many_below(100000, i == 1 ? 1 : 100000, 10000);
		result = kit_one(&kit, ENGINE_PROTECT, value);
		assert_non_null(result->err);
		assert_int_equal(result->err->code, SEAL_E_LIMIT);
		assert_int_equal(result->err->status, SEAL_DATA);
		assert_null(result->value.ptr);
		mem_free((void *)value.ptr);
		assert_null(kit_one(&kit, ENGINE_PROTECT, bytes_str("{\"id\":1}"))->err);
		kit_close(&kit);
	}
	/* Values that stay as they are take no place. */
	kit_open(&kit, TOPIC_ON("on_plaintext: pass", "$..n: {type: encrypt, key: k}"));
	value = many_below(1, 100000, 10000);
	assert_null(kit_one(&kit, ENGINE_REVEAL, value)->err);
	mem_free((void *)value.ptr);
	kit_close(&kit);
}

/* The next call wipes what the last one gave: using it again must not go unseen. */
static void results_cannot_be_the_next_values(void **state)
{
	struct seal_bytes values[2] = {bytes_str("{\"a\":1}"), bytes_str("{\"a\":2}")};
	struct engine_result results[2];
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 2, results, &err), SEAL_OK);
	values[1] = results[1].value;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, values, 2, results, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "value 1 is a result of this engine"));
	assert_null(results[0].value.ptr);
	err_clear(&err);
	values[1] = values[0];
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 2, results, &err), SEAL_OK);
	kit_close(&kit);
}

static void what_policies_say_about_odd_values(void **state)
{
	static const char *const protect =
		"$.a: {type: encrypt, key: k}, $.f: {type: fpe, key: f}, $.m: {type: mask}, "
		"$.r: {type: remove}";
	char policy[1024], protected[sizeof(kept_text)];
	struct kit kit;

	/* The defaults refuse. */
	snprintf(policy, sizeof(policy), KIT_HEAD "topics: [{match: t, protect: {%s}}]\n", protect);
	kit_open(&kit, policy);
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"vault:v1:AAAA\"}", SEAL_E_PROTECTED, "$['a']");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":\"\\u0076ault:v1:AAAA\"}", SEAL_E_PROTECTED, "$['a']");
	refuse(&kit, ENGINE_PROTECT, "{\"f\":\"json+vault:v1:AAAA\"}", SEAL_E_PROTECTED, "$['f']");
	refuse(&kit, ENGINE_PROTECT, "{\"m\":\"seal:e1:AAAA\"}", SEAL_E_PROTECTED, "$['m']");
	assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"r\":\"vault:v1:AAAA\"}"), "{}");
	refuse(&kit, ENGINE_REVEAL, "{\"a\":\"plain\"}", SEAL_E_PLAINTEXT, "$['a']");
	refuse(&kit, ENGINE_REVEAL, "{\"a\":17}", SEAL_E_PLAINTEXT, "$['a']");
	refuse(&kit, ENGINE_REVEAL, "{\"a\":null}", SEAL_E_PLAINTEXT, "$['a']");
	refuse(&kit, ENGINE_REVEAL, "{\"a\":\"\\ud800\"}", SEAL_E_PLAINTEXT, "$['a']");
	refuse(&kit, ENGINE_REVEAL, "{\"a\":\"seal:e1:AAAA\"}", SEAL_E_TAMPERED, "$['a']");
	kit_close(&kit);

	/* Told otherwise, they don't. */
	snprintf(policy, sizeof(policy),
		 KIT_HEAD
		 "topics: [{match: t, on_protected: keep, on_plaintext: pass, on_null: keep, protect: {%s}}]\n",
		 protect);
	kit_open(&kit, policy);
	assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"a\":\"vault:v1:" NO_BYTES "\",\"m\":\"xy\"}"),
			    "{\"a\":\"vault:v1:" NO_BYTES "\",\"m\":\"**\"}");
	assert_int_equal(kit.result.cells, 1);
	assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"a\":null,\"f\":null,\"m\":null,\"r\":null}"),
			    "{\"a\":null,\"f\":null,\"m\":null}");
	assert_string_equal(run(&kit, ENGINE_REVEAL, "{\"a\":\"plain\",\"f\":null}"), "{\"a\":\"plain\",\"f\":null}");
	round_trip(&kit, "{\"a\":false,\"f\":\"1234567\"}", "{\"a\":\"json+vault:v2:");
	kit_close(&kit);

	/* Missing fields. */
	kit_open(&kit, TOPIC_ON("on_missing: reject", "$.a: {type: encrypt, key: k}, '$.i[*].b': {type: mask}, "
						      "$.r: {type: remove}"));
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1}", SEAL_E_MISSING, "$['i'][*]['b']");
	refuse(&kit, ENGINE_PROTECT, "{\"a\":1,\"i\":[]}", SEAL_E_MISSING, "$['i'][*]['b']");
	refuse(&kit, ENGINE_PROTECT, "{\"i\":[{\"b\":\"x\"}]}", SEAL_E_MISSING, "$['a']");
	memcpy(protected, run(&kit, ENGINE_PROTECT, "{\"a\":1,\"i\":[{\"b\":\"x\"},{}]}"), sizeof(protected));
	assert_string_equal(run(&kit, ENGINE_REVEAL, protected), "{\"a\":1,\"i\":[{\"b\":\"*\"},{}]}");
	refuse(&kit, ENGINE_REVEAL, "{\"i\":[{\"b\":\"*\"}]}", SEAL_E_MISSING, "$['a']");
	kit_close(&kit);
}

/* `on_protected: keep` keeps what is protected, not what says so: else a prefix would carry plaintext through. */
static void plaintext_is_not_kept_for_its_prefix(void **state)
{
	static const char *const forged[] = {"vault:v1:1 High St",	"vault:v1:",
					     "vault:v1:AAAA",		"vault:v0:" NO_BYTES,
					     "vault:v01:" NO_BYTES,	"vault:v4294967296:" NO_BYTES,
					     "vault:v1:" NO_BYTES " x", "json+vault:v1:1 High St",
					     "seal:e1:1 High St",	"json+seal:t1:" NO_BYTES};
	static const char *const methods[] = {"type: encrypt, key: k", "type: fpe, key: f", "type: hash, key: h",
					      "type: mask", "type: redact"};
	char policy[512], text[256];
	struct kit kit;

	for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		snprintf(policy, sizeof(policy),
			 KIT_HEAD "topics: [{match: t, on_protected: keep, protect: {$.a: {%s}}}]\n", methods[m]);
		kit_open(&kit, policy);
		for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
			snprintf(text, sizeof(text), "{\"a\":\"%s\"}", forged[i]);
			refuse(&kit, ENGINE_PROTECT, text, SEAL_E_PROTECTED, "$['a']");
		}
		assert_string_equal(run(&kit, ENGINE_PROTECT, "{\"a\":\"json+vault:v1:" NO_BYTES "\"}"),
				    "{\"a\":\"json+vault:v1:" NO_BYTES "\"}");
		kit_close(&kit);
	}
	/* A payload has no json+ form. */
	kit_open(&kit, KIT_HEAD "topics: [{match: t, format: bytes, on_protected: keep, protect: {$: {type: encrypt, "
				"key: k}}}]\n");
	refuse(&kit, ENGINE_PROTECT, "json+vault:v1:" NO_BYTES, SEAL_E_PROTECTED, "$");
	refuse(&kit, ENGINE_PROTECT, "vault:v1:secret", SEAL_E_PROTECTED, "$");
	assert_string_equal(run(&kit, ENGINE_PROTECT, "vault:v1:" NO_BYTES), "vault:v1:" NO_BYTES);
	kit_close(&kit);
}

/* Who can encrypt something under the key must not be able to change the document around it. */
static void revealed_values_cannot_break_out(void **state)
{
	char text[sizeof(kept_text)], forged[sizeof(kept_text) + 16];
	struct seal_bytes value;
	struct kit kit, payload;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k, bind: none}"));
	memcpy(text, run(&kit, ENGINE_PROTECT, "{\"a\":\"1,\\\"admin\\\":true\"}"), sizeof(text));
	snprintf(forged, sizeof(forged), "{\"a\":\"json+%s", text + 6);
	refuse(&kit, ENGINE_REVEAL, forged, SEAL_E_SYNTAX, "$['a']");
	memcpy(text, run(&kit, ENGINE_PROTECT, "{\"a\":\" 1\"}"), sizeof(text));
	snprintf(forged, sizeof(forged), "{\"a\":\"json+%s", text + 6);
	refuse(&kit, ENGINE_REVEAL, forged, SEAL_E_SYNTAX, "$['a']");
	memcpy(text, run(&kit, ENGINE_PROTECT, "{\"a\":\"\"}"), sizeof(text));
	snprintf(forged, sizeof(forged), "{\"a\":\"json+%s", text + 6);
	refuse(&kit, ENGINE_REVEAL, forged, SEAL_E_SYNTAX, "$['a']");

	/* Bytes that are not UTF-8, from a payload. */
	kit_open(&payload,
		 KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k, bind: none}}}]\n");
	value = kit_one(&payload, ENGINE_PROTECT, bytes_of("\xff\xfe", 2))->value;
	snprintf(forged, sizeof(forged), "{\"a\":\"%.*s\"}", (int)value.len, (const char *)value.ptr);
	refuse(&kit, ENGINE_REVEAL, forged, SEAL_E_SYNTAX, "$['a']");
	kit_close(&payload);
	kit_close(&kit);
}

static void payloads_go_whole(void **state)
{
	const uint8_t bytes[] = {0, 0xff, '{', '"', 0, '\n'};
	char text[sizeof(kept_text)];
	const struct engine_result *result;
	struct kit kit, json;

	kit_open(&kit, KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}]\n");
	result = kit_one(&kit, ENGINE_PROTECT, bytes_of(bytes, sizeof(bytes)));
	assert_null(result->err);
	assert_int_equal(result->cells, 1);
	assert_memory_equal(result->value.ptr, "vault:v2:", 9);
	memcpy(text, keep(result->value).ptr, sizeof(text));
	result = kit_one(&kit, ENGINE_REVEAL, bytes_str(text));
	assert_int_equal(result->value.len, sizeof(bytes));
	assert_memory_equal(result->value.ptr, bytes, sizeof(bytes));

	result = kit_one(&kit, ENGINE_PROTECT, bytes_of("", 0)); /* empty is not absent */
	memcpy(text, keep(result->value).ptr, sizeof(text));
	result = kit_one(&kit, ENGINE_REVEAL, bytes_str(text));
	assert_non_null(result->value.ptr);
	assert_int_equal(result->value.len, 0);
	assert_null(kit_one(&kit, ENGINE_PROTECT, BYTES_EMPTY)->value.ptr);

	refuse(&kit, ENGINE_PROTECT, text, SEAL_E_PROTECTED, "$");
	refuse(&kit, ENGINE_REVEAL, "plain", SEAL_E_PLAINTEXT, "$");
	text[12] ^= 1;
	refuse(&kit, ENGINE_REVEAL, text, SEAL_E_TAMPERED, "$");

	/* One-way methods take payloads, too; redact's text is the payload then. */
	kit_open(&json, KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: redact}}}]\n");
	assert_string_equal(run(&json, ENGINE_PROTECT, "any"), "[redacted]");
	assert_string_equal(run(&json, ENGINE_REVEAL, "[redacted]"), "[redacted]");
	kit_close(&json);
	kit_open(&json,
		 KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: hash, key: h, bind: none}}}]\n");
	assert_string_equal(run(&json, ENGINE_PROTECT, "ada@example.org"),
			    "c2ca8524eab3e540e13d4e2397be333a5ec2db8584379861a06b030d7ac7a5a6");
	kit_close(&json);

	/* The kind of value is part of the place, even at the root. */
	kit_open(&json, TOPIC("$: {type: encrypt, key: k}"));
	result = kit_one(&json, ENGINE_PROTECT, bytes_str("\"v\""));
	memcpy(text, keep(result->value).ptr, sizeof(text));
	text[strlen(text) - 1] = '\0';
	refuse(&kit, ENGINE_REVEAL, text + 1, SEAL_E_TAMPERED, "$");
	kit_close(&json);
	kit_close(&kit);
}

static void dead_letters_are_encrypted_whole(void **state)
{
	const struct engine_options options = {.max_record_bytes = 66}; /* holds one letter, but not the larger one */
	static const char large[] =
		"a record that is longer than any record may be, which is why it is a dead letter";
	struct seal_bytes values[3] = {bytes_str("not json"), BYTES_EMPTY, bytes_str("vault:v1:AAAA")};
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result results[3];
	const struct policy_topic *letters;
	char texts[3][256];
	struct kit kit;

	assert_int_equal(kit_try(&kit,
				 KIT_HEAD
				 "topics: [{match: t, on_error: dead_letter, dead_letter: {topic: t-dead, key: k}, "
				 "protect: {$.a: {type: mask}}}]\n",
				 NULL, &options, &err),
			 SEAL_OK);
	letters = policy_topic_find(kit.policy, bytes_str("t-dead"));
	assert_non_null(letters);
	assert_true(letters->is_dead_letter);
	assert_int_equal(engine_dead_letter(kit.engine, kit.topic, values, 3, results, &err), SEAL_OK);
	assert_null(results[1].value.ptr);
	for (size_t i = 0; i < 3; i += 2) {
		assert_null(results[i].err);
		assert_memory_equal(results[i].value.ptr, "vault:v2:", 9);
		memcpy(texts[i], results[i].value.ptr, results[i].value.len);
		values[i].len = results[i].value.len;
		values[i].ptr = (const uint8_t *)texts[i];
	}
	assert_int_equal(engine_run(kit.engine, letters, ENGINE_REVEAL, values, 3, results, &err), SEAL_OK);
	assert_true(bytes_eq_str(results[0].value, "not json"));
	assert_null(results[1].value.ptr);
	assert_true(bytes_eq_str(results[2].value, "vault:v1:AAAA"));

	/* A record that is too large gets away; opening it needs a higher limit. */
	values[0] = bytes_str(large);
	assert_int_equal(engine_dead_letter(kit.engine, kit.topic, values, 1, results, &err), SEAL_OK);
	assert_null(results[0].err);
	assert_int_equal(results[0].cells, 1);
	kit_close(&kit);
}

static void bad_plan(const char *policy, enum seal_code code, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	assert_int_not_equal(kit_try(&kit, policy, NULL, NULL, &err), SEAL_OK);
	if (err.code != code || strstr(err.text, says) == NULL)
		fail_msg("%s: %s", seal_code_name(err.code), err.text);
	assert_int_equal(fake_control.opened, 0);
	assert_int_equal(fake_control.keys, 0);
}

/* Keys that show something are told of; others are not. */
static void plans_warn(void **state)
{
	char text[SEAL_ERR_TEXT_MAX];
	struct kit kit;

	kit_open(&kit,
		 "version: 1\nkeys: {a: 'fake:convergent', b: 'fake:derived'}\nmethods: {one: {type: encrypt, key: "
		 "a}, two: {type: encrypt, key: b}, three: {type: redact}}\ntopics: [{match: t, protect: {$.a: one, "
		 "$.b: two, $.c: three}}]\n");
	assert_true(plan_warning(kit.plan, 0, text));
	assert_non_null(strstr(text, "method 'one' (encrypt): policy key 'a' (fake:convergent) is convergent"));
	assert_false(plan_warning(kit.plan, 1, text));
	assert_false(plan_warning(kit.plan, 2, text));
	kit_close(&kit);
}

static void plans_check_their_keys(void **state)
{
	struct kit kit;

	bad_plan("version: 1\nkeys: {k: 'fake:nothing'}\ntopics: [{match: t, protect: {$.a: {type: encrypt, key: "
		 "k}}}]\n",
		 SEAL_E_KEY_UNKNOWN, "policy key 'k' (fake:nothing): no such key");
	bad_plan(TOPIC("$.a: {type: encrypt, key: f}"), SEAL_E_KEY_TYPE,
		 "needs a key that can encrypt, but policy key 'f' (fake:ff1) is of type ff1");
	bad_plan(TOPIC("$.a: {type: fpe, key: h}"), SEAL_E_KEY_TYPE, "format-preserving");
	bad_plan(TOPIC("$.a: {type: hash, key: k}"), SEAL_E_KEY_TYPE, "HMAC");

	bad_plan("version: 1\nkeys: {k: 'fake:derived'}\ntopics: [{match: t, protect: {$.a: {type: encrypt, key: k}, "
		 "$.b: {type: encrypt, key: k, bind: none}}}]\n",
		 SEAL_E_KEY_TYPE, "has 'bind: none', but policy key 'k' (fake:derived) is derived");

	/* One source and one key, however often they are named. */
	kit_open(&kit,
		 "version: 1\nkeys: {a: 'fake:aes', b: 'fake:aes'}\ntopics: [{match: t, protect: "
		 "{$.a: {type: encrypt, key: a}, $.b: {type: encrypt, key: b}, $.c: {type: encrypt, key: a}}}]\n");
	assert_int_equal(fake_control.opened, 1);
	assert_int_equal(fake_control.keys, 1);
	round_trip(&kit, "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":\"json+vault:v2:");
	kit_close(&kit);
	assert_int_equal(fake_control.opened, 0);
	assert_int_equal(fake_control.keys, 0);
}

struct local {
	char dir[64];
	struct key_source_config config;
	struct keyring *keyring;
};

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
	return remove(path);
}

static void local_open(struct local *local)
{
	struct seal_err err = SEAL_ERR_INIT;

	memcpy(local->dir, "/tmp/sealstream-test-XXXXXX", sizeof("/tmp/sealstream-test-XXXXXX"));
	assert_non_null(mkdtemp(local->dir));
	local->config = (struct key_source_config){.keyring_dir = local->dir, .create = true};
	assert_int_equal(keyring_open(&local->config, &local->keyring, &err), SEAL_OK);
	assert_int_equal(keyring_create(local->keyring, bytes_str("pii"),
					&(struct key_admin_new){.type = "aes256-gcm96"}, &err),
			 SEAL_OK);
	assert_int_equal(
		keyring_create(local->keyring, bytes_str("cards"), &(struct key_admin_new){.type = "ff1"}, &err),
		SEAL_OK);
	assert_int_equal(
		keyring_create(local->keyring, bytes_str("mac"), &(struct key_admin_new){.type = "hmac"}, &err),
		SEAL_OK);
}

static void local_close(struct local *local)
{
	keyring_close(local->keyring);
	assert_int_equal(nftw(local->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char local_policy[] = "version: 1\nkeys: {k: 'local:pii', f: 'local:cards', h: 'local:mac'}\n"
				   "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}, $.c: {type: fpe, "
				   "key: f}, $.h: {type: hash, key: h}, "
				   "$.m: {type: mask}, $.r: {type: redact}, $.x: {type: remove}}}]\n";

static void keys_rotate_under_the_engine(void **state)
{
	char old[sizeof(kept_text)], fresh[sizeof(kept_text)];
	struct seal_err err = SEAL_ERR_INIT;
	struct local local;
	struct kit kit;

	local_open(&local);
	assert_int_equal(kit_try(&kit, local_policy, &local.config, NULL, &err), SEAL_OK);
	memcpy(old, run(&kit, ENGINE_PROTECT, "{\"a\":\"x\",\"c\":\"1234567\"}"), sizeof(old));
	assert_memory_equal(old, "{\"a\":\"vault:v1:", 15);
	assert_int_equal(keyring_rotate(local.keyring, bytes_str("pii"), NULL, &err), SEAL_OK);
	kit_close(&kit);
	assert_int_equal(kit_try(&kit, local_policy, &local.config, NULL, &err), SEAL_OK);
	memcpy(fresh, run(&kit, ENGINE_PROTECT, "{\"a\":\"x\",\"c\":\"1234567\"}"), sizeof(fresh));
	assert_memory_equal(fresh, "{\"a\":\"vault:v2:", 15);
	assert_string_equal(run(&kit, ENGINE_REVEAL, old), "{\"a\":\"x\",\"c\":\"1234567\"}");
	assert_string_equal(run(&kit, ENGINE_REVEAL, fresh), "{\"a\":\"x\",\"c\":\"1234567\"}");
	kit_close(&kit);
	local_close(&local);
}

static size_t allocations;

static bool count_allocation(void *arg, size_t size)
{
	allocations++;
	return true;
}

/* Batches of one size: after the first few, none takes memory from the system. */
static void a_steady_stream_allocates_nothing(void **state)
{
	static const char text[] =
		"{\"a\":\"1 \\u0048igh St\",\"c\":\"4111-1111-1111-1111\",\"n\":1.50,\"h\":\"x\",\"m\":\"abc\","
		"\"r\":1,\"x\":2,\"c\":12345678}";
	static struct engine_result results[1000];
	static struct seal_bytes values[1000], copies[1000];
	struct seal_err err = SEAL_ERR_INIT;
	struct local local;
	struct kit kit;

	local_open(&local);
	assert_int_equal(kit_try(&kit, local_policy, &local.config, NULL, &err), SEAL_OK);
	for (size_t i = 0; i < 1000; i++)
		values[i] = bytes_str(text);
	for (unsigned round = 0; round < 6; round++) {
		mem_set_hook(count_allocation, NULL);
		assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 1000, results, &err),
				 SEAL_OK);
		mem_set_hook(NULL, NULL);
		for (size_t i = 0; i < 1000; i++) {
			assert_null(results[i].err);
			mem_free((void *)copies[i].ptr);
			copies[i] =
				bytes_of(mem_dup(results[i].value.ptr, results[i].value.len), results[i].value.len);
		}
		mem_set_hook(count_allocation, NULL);
		assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, copies, 1000, results, &err),
				 SEAL_OK);
		mem_set_hook(NULL, NULL);
		assert_null(results[999].err);
		if (round < 3) {
			assert_true(round > 0 || allocations > 0);
			allocations = 0;
		}
	}
	assert_int_equal(allocations, 0);
	for (size_t i = 0; i < 1000; i++)
		mem_free((void *)copies[i].ptr);
	kit_close(&kit);
	local_close(&local);
}

#define OLD_KEYS "version: 1\nnamespace: shop\nkeys: {k: 'fake:aes1', f: 'fake:ff1', h: 'fake:hmac'}\n"
#define REWRAPPED                                                                                                    \
	"topics: [{match: t, protect: {$.a: {type: encrypt, key: k}, $.b: {type: encrypt, key: k, bind: none}, "     \
	"$.f: {type: fpe, key: f}, $.h: {type: hash, key: h}, $.x: {type: remove}}}]\n"

/* Old versions become the newest one, and reveal as before; what is new already, and all else, stays byte for byte. */
static void rewrapping_moves_to_the_newest_version(void **state)
{
	static const char in[] =
		"{\"a\" : \"1 High St\",\"b\":[1.10, {}],\"f\":\"4111-1111-1111-1111\",\"h\":\"x\",\"n\":1.50}";
	char old[sizeof(kept_text)], revealed[sizeof(kept_text)], new[sizeof(kept_text)];
	const struct engine_result *result;
	struct kit kit;
	const char *b;

	kit_open(&kit, OLD_KEYS REWRAPPED);
	memcpy(old, run(&kit, ENGINE_PROTECT, in), sizeof(old));
	memcpy(revealed, run(&kit, ENGINE_REVEAL, old), sizeof(revealed));
	kit_close(&kit);

	kit_open(&kit, KIT_HEAD REWRAPPED);
	result = kit_one(&kit, ENGINE_REWRAP, bytes_str(old));
	assert_null(result->err);
	assert_int_equal(result->cells, 2);
	assert_int_equal(result->kept, 0);
	memcpy(new, keep(result->value).ptr, sizeof(new));
	assert_non_null(strstr(new, "\"a\" : \"vault:v2:"));
	b = strstr(new, "\"b\":\"json+vault:v2:");
	assert_non_null(b);
	assert_null(strstr(new, ":v1:"));
	assert_string_equal(strstr(new, "\"f\""), strstr(old, "\"f\"")); /* fpe, hash and what is unnamed */
	assert_string_equal(run(&kit, ENGINE_REVEAL, new), revealed);

	result = kit_one(&kit, ENGINE_REWRAP, bytes_str(new));
	assert_null(result->err);
	assert_int_equal(result->cells, 0);
	assert_int_equal(result->kept, 2);
	assert_string_equal((const char *)keep(result->value).ptr, new);

	/* A record that is not there has nothing to rewrap. */
	assert_null(kit_one(&kit, ENGINE_REWRAP, (struct seal_bytes){NULL, 0})->value.ptr);
	kit_close(&kit);
}

static void rewrapping_refuses_what_revealing_refuses(void **state)
{
	char old[sizeof(kept_text)], moved[sizeof(kept_text)];
	struct kit kit;

	kit_open(&kit, OLD_KEYS "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n");
	memcpy(old, run(&kit, ENGINE_PROTECT, "{\"a\":\"v\"}"), sizeof(old));
	kit_close(&kit);
	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}, $.b: {type: encrypt, key: k}"));
	refuse(&kit, ENGINE_REWRAP, "{\"a\":\"in clear\"}", SEAL_E_PLAINTEXT, "$['a']");
	refuse(&kit, ENGINE_REWRAP, "{\"a\":1}", SEAL_E_PLAINTEXT, "$['a']");
	snprintf(moved, sizeof(moved), "{\"b%s", old + 3);
	refuse(&kit, ENGINE_REWRAP, moved, SEAL_E_TAMPERED, "$['b']");
	refuse(&kit, ENGINE_REWRAP, "{\"a\":\"vault:v1:" NO_BYTES "\"}", SEAL_E_TAMPERED, "$['a']");
	kit_close(&kit);

	kit_open(&kit, TOPIC_ON("on_plaintext: pass", "$.a: {type: encrypt, key: k}"));
	assert_string_equal(run(&kit, ENGINE_REWRAP, "{\"a\": \"in clear\"}"), "{\"a\": \"in clear\"}");
	kit_close(&kit);
}

static void payloads_are_rewrapped_whole(void **state)
{
	static const char topics[] = "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}]\n";
	char policy[512], old[sizeof(kept_text)];
	const struct engine_result *result;
	struct kit kit;

	snprintf(policy, sizeof(policy), "%s%s", OLD_KEYS, topics);
	kit_open(&kit, policy);
	memcpy(old, run(&kit, ENGINE_PROTECT, "any \xff bytes"), sizeof(old));
	kit_close(&kit);
	snprintf(policy, sizeof(policy), "%s%s", KIT_HEAD, topics);
	kit_open(&kit, policy);
	result = kit_one(&kit, ENGINE_REWRAP, bytes_str(old));
	assert_null(result->err);
	assert_true(result->cells == 1 && result->kept == 0);
	memcpy(old, keep(result->value).ptr, sizeof(old));
	result = kit_one(&kit, ENGINE_REWRAP, bytes_str(old));
	assert_true(result->err == NULL && result->cells == 0 && result->kept == 1);
	assert_string_equal((const char *)keep(result->value).ptr, old);
	assert_string_equal(run(&kit, ENGINE_REVEAL, old), "any \xff bytes");
	kit_close(&kit);
}

static void keys_that_cannot_rewrap_are_refused_at_start(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	kit_open(&kit, "version: 1\nkeys: {k: 'fake:stiff'}\n"
		       "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n");
	assert_int_equal(engine_can_rewrap(kit.engine, kit.topic, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_KEY_TYPE);
	assert_non_null(strstr(err.text, "policy key 'k': keys of this type cannot rewrap"));
	err_clear(&err);
	assert_int_equal(engine_can_rewrap(kit.engine, NULL, &err), SEAL_USAGE);
	kit_close(&kit);

	kit_open(&kit, KIT_HEAD REWRAPPED);
	fake_control.calls = 0;
	assert_int_equal(engine_can_rewrap(kit.engine, kit.topic, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 0);
	kit_close(&kit);
}

/* A store that goes away in the middle of a lot says nothing about the record whose turn it was. */
static void items_that_are_not_to_blame_fail_the_call(void **state)
{
	static const enum seal_status classes[] = {SEAL_RETRY, SEAL_DENIED, SEAL_USAGE, SEAL_FATAL};
	struct seal_bytes values[3] = {bytes_str("{\"a\":1}"), bytes_str("{"), bytes_str("{\"a\":2}")};
	struct engine_result results[3];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: encrypt, key: k}"));
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		fake_control.fail_item = 2;
		fake_control.fail_item_status = classes[i];
		assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 3, results, &err),
				 classes[i]);
		assert_int_equal(err.code, SEAL_E_SERVICE);
		for (size_t j = 0; j < 3; j++)
			assert_true(results[j].err == NULL && results[j].value.ptr == NULL);
	}
	fake_control.fail_item = 0;
	fake_control.fail_item_status = SEAL_OK;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 3, results, NULL), SEAL_OK);
	assert_true(results[0].err == NULL && results[1].err != NULL && results[2].err == NULL);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_json_value_comes_back),
		cmocka_unit_test(odd_characters_are_seen_anywhere),
		cmocka_unit_test(escapes_are_decoded_before_and_written_after),
		cmocka_unit_test(escaped_text_forms_are_revealed),
		cmocka_unit_test(ciphertext_stays_in_its_place),
		cmocka_unit_test(wildcards_bind_names_but_no_index),
		cmocka_unit_test(values_are_bound_to_a_sibling),
		cmocka_unit_test(bad_records_fail_alone),
		cmocka_unit_test(a_failing_key_source_fails_the_call),
		cmocka_unit_test(items_that_are_not_to_blame_fail_the_call),
		cmocka_unit_test(rewrapping_moves_to_the_newest_version),
		cmocka_unit_test(rewrapping_refuses_what_revealing_refuses),
		cmocka_unit_test(payloads_are_rewrapped_whole),
		cmocka_unit_test(keys_that_cannot_rewrap_are_refused_at_start),
		cmocka_unit_test(limits_hold_before_and_after),
		cmocka_unit_test(deadlines_do_not_wrap),
		cmocka_unit_test(records_with_too_many_values_fail),
		cmocka_unit_test(records_of_bad_values_take_little),
		cmocka_unit_test(records_with_too_long_places_fail),
		cmocka_unit_test(results_cannot_be_the_next_values),
		cmocka_unit_test(what_policies_say_about_odd_values),
		cmocka_unit_test(plaintext_is_not_kept_for_its_prefix),
		cmocka_unit_test(revealed_values_cannot_break_out),
		cmocka_unit_test(payloads_go_whole),
		cmocka_unit_test(dead_letters_are_encrypted_whole),
		cmocka_unit_test(plans_check_their_keys),
		cmocka_unit_test(plans_warn),
		cmocka_unit_test(keys_rotate_under_the_engine),
		cmocka_unit_test(a_steady_stream_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
