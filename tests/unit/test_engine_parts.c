/* engine_parts: are record keys and headers protected and revealed by their own rules, and do their errors say where? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "kit.h"
#include "methods/text_form.h"

/* A topic whose one field, key and headers are what `rest` says. */
#define TOPIC(rest) KIT_HEAD "topics:\n- match: t\n  protect: {$.a: {type: fpe, key: f, bind: {domain: d}}}\n" rest

static void open_key(struct kit *kit, const char *policy)
{
	kit_open(kit, policy);
	kit->topic = kit->policy->topics[0].key;
	assert_non_null(kit->topic);
}

static void open_header(struct kit *kit, const char *policy)
{
	kit_open(kit, policy);
	kit->topic = kit->policy->topics[0].headers[0];
	assert_non_null(kit->topic);
}

/* The result of a value that does not fail, in memory that stays. */
static struct seal_bytes run(struct kit *kit, enum engine_direction direction, const char *value)
{
	static uint8_t kept[4][4096];
	static size_t next;
	const struct engine_result *result = kit_one(kit, direction, bytes_str(value));
	uint8_t *to = kept[next++ % 4];

	if (result->err != NULL)
		print_error("%s: %s\n", result->err->place, result->err->text);
	assert_null(result->err);
	assert_true(result->value.len < sizeof(kept[0]));
	memcpy(to, result->value.ptr, result->value.len);
	to[result->value.len] = '\0';
	return bytes_of(to, result->value.len);
}

static void check_failed(struct kit *kit, enum engine_direction direction, struct seal_bytes value,
			 enum seal_code code, const char *place, const char *said)
{
	const struct engine_result *result = kit_one(kit, direction, value);

	assert_non_null(result->err);
	assert_null(result->value.ptr);
	assert_int_equal(result->err->status, SEAL_DATA);
	if (strstr(result->err->text, said) == NULL)
		print_error("%s: %s\n", result->err->place, result->err->text);
	assert_int_equal(result->err->code, code);
	assert_string_equal(result->err->place, place);
	assert_non_null(strstr(result->err->text, said));
}

/* Text ------------------------------------------------------------------------------------------------------- */

static void key_round_trip(void **state)
{
	struct kit kit;
	struct seal_bytes protected;

	open_key(&kit, TOPIC("  key: {type: fpe, key: f}\n"));
	protected = run(&kit, ENGINE_PROTECT, "c-1234567");
	assert_int_equal(protected.len, strlen("c-1234567"));
	assert_memory_equal(protected.ptr, "c-", 2);
	assert_false(bytes_eq_str(protected, "c-1234567"));
	assert_int_equal(kit.result.cells, 1);
	assert_true(bytes_eq(run(&kit, ENGINE_PROTECT, "c-1234567"), protected));
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, (const char *)protected.ptr), "c-1234567"));
	kit_close(&kit);
}

/* A null key or header is no value: there is nothing to protect. */
static void null_stays(void **state)
{
	struct kit kit;

	open_key(&kit, TOPIC("  on_missing: reject\n  key: {type: fpe, key: f}\n"));
	for (int i = ENGINE_PROTECT; i <= ENGINE_REWRAP; i++) {
		const struct engine_result *result = kit_one(&kit, (enum engine_direction)i, BYTES_EMPTY);

		assert_null(result->err);
		assert_null(result->value.ptr);
		assert_int_equal(result->cells, 0);
	}
	kit_close(&kit);
}

static void empty_is_a_value(void **state)
{
	struct kit kit;
	struct seal_bytes protected;

	open_header(&kit, TOPIC("  headers: {x: {type: encrypt, key: k}}\n"));
	protected = run(&kit, ENGINE_PROTECT, "");
	assert_true(bytes_starts(protected, BYTES_LIT("vault:v")));
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, (const char *)protected.ptr), ""));
	assert_non_null(kit.result.value.ptr);
	kit_close(&kit);
	open_key(&kit, TOPIC("  key: {type: fpe, key: f}\n"));
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT(""), SEAL_E_DOMAIN, "key", "");
	kit_close(&kit);
}

/* The same text in a key, a header and a field gets the same result: that is what joins need. */
static void equal_in_a_domain(void **state)
{
	struct kit kit;
	struct seal_bytes key, header, field;

	open_key(&kit, TOPIC("  key: {type: fpe, key: f, bind: {domain: d}}\n"
			     "  headers: {x: {type: fpe, key: f, bind: {domain: d}}, y: {type: fpe, key: f}}\n"));
	key = run(&kit, ENGINE_PROTECT, "1234567");
	kit.topic = kit.policy->topics[0].headers[0];
	header = run(&kit, ENGINE_PROTECT, "1234567");
	kit.topic = &kit.policy->topics[0];
	field = run(&kit, ENGINE_PROTECT, "{\"a\":\"1234567\"}");
	assert_true(bytes_eq(key, header));
	assert_memory_equal(field.ptr + strlen("{\"a\":\""), key.ptr, key.len);
	kit.topic = kit.policy->topics[0].headers[1];
	assert_false(bytes_eq(run(&kit, ENGINE_PROTECT, "1234567"), key)); /* bound to its place */
	kit_close(&kit);
}

#define CONVERGENT "version: 1\nnamespace: shop\nkeys: {c: 'fake:convergent', k: 'fake:aes'}\n"

static void deterministic_in_a_domain(void **state)
{
	struct kit kit;
	struct seal_bytes key, header, field;

	kit_open(&kit,
		 CONVERGENT "methods: {id: {type: deterministic, key: c, bind: {domain: d}}}\ntopics:\n- match: t\n"
			    "  protect: {$.a: id}\n  key: id\n  headers: {x: id}\n"
			    "- {match: u, protect: {$.a: {type: redact}}, key: {$.id: id}}\n");
	field = run(&kit, ENGINE_PROTECT, "{\"a\":\"c-17\"}");
	kit.topic = kit.policy->topics[0].key;
	key = run(&kit, ENGINE_PROTECT, "c-17");
	assert_true(bytes_starts(key, BYTES_LIT("vault:v1:")));
	kit.topic = kit.policy->topics[0].headers[0];
	header = run(&kit, ENGINE_PROTECT, "c-17");
	assert_true(bytes_eq(header, key));
	assert_memory_equal(field.ptr + strlen("{\"a\":\""), key.ptr, key.len);
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, (const char *)key.ptr), "c-17"));
	kit.topic = kit.policy->topics[1].key; /* the field of a JSON key, too */
	field = run(&kit, ENGINE_PROTECT, "{\"id\":\"c-17\"}");
	assert_memory_equal(field.ptr + strlen("{\"id\":\""), key.ptr, key.len);
	kit_close(&kit);
}

/* Any bytes, and bound to another kind than text. */
static void key_of_bytes(void **state)
{
	const struct seal_bytes plain = BYTES_LIT("\xff\x00key");
	const struct engine_result *result;
	struct kit kit, text;
	struct seal_bytes protected;

	open_key(&kit,
		 CONVERGENT "topics: [{match: t, protect: {$.a: {type: redact}}, key_format: bytes, key: {type: "
			    "deterministic, key: c}}]\n");
	open_key(&text, CONVERGENT
		 "topics: [{match: t, protect: {$.a: {type: redact}}, key: {type: deterministic, key: c}}]\n");
	result = kit_one(&kit, ENGINE_PROTECT, plain);
	assert_null(result->err);
	assert_true(bytes_starts(result->value, BYTES_LIT("vault:v1:")));
	protected = arena_copy(&text.policy->arena, result->value);
	check_failed(&text, ENGINE_REVEAL, protected, SEAL_E_TAMPERED, "key", "");
	result = kit_one(&kit, ENGINE_REVEAL, protected);
	assert_null(result->err);
	assert_true(bytes_eq(result->value, plain));
	kit_close(&kit);
	kit_close(&text);
}

/* Who moves a protected text from one header to another, or to a field, gets nothing. */
static void bound_to_its_name(void **state)
{
	struct kit kit;
	struct seal_bytes protected;

	open_header(&kit, TOPIC("  headers: {x: {type: encrypt, key: k}, y: {type: encrypt, key: k}}\n"));
	protected = run(&kit, ENGINE_PROTECT, "text");
	kit.topic = kit.policy->topics[0].headers[1];
	check_failed(&kit, ENGINE_REVEAL, protected, SEAL_E_TAMPERED, "header:y", "");
	kit.topic = kit.policy->topics[0].headers[0];
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, (const char *)protected.ptr), "text"));
	kit_close(&kit);
}

static void text_only(void **state)
{
	struct kit kit;

	open_key(&kit, TOPIC("  key: {type: fpe, key: f}\n  headers: {x: {type: mask}}\n"));
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("123456\xff"), SEAL_E_SYNTAX, "key",
		     "it is not UTF-8 text; for keys that are bytes set 'key_format: bytes'");
	check_failed(&kit, ENGINE_REVEAL, BYTES_LIT("123456\xc0\x80"), SEAL_E_SYNTAX, "key", "it is not UTF-8 text");
	kit.topic = kit.policy->topics[0].headers[0];
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("\xed\xa0\x80"), SEAL_E_SYNTAX, "header:x",
		     "it is not UTF-8 text");
	assert_true(bytes_eq_str(run(&kit, ENGINE_PROTECT, "grün"), "****"));
	kit_close(&kit);
}

/* What reveals to bytes cannot have been protected here: who holds the key made it elsewhere. */
static void revealed_text_only(void **state)
{
	struct kit bytes, text;
	struct seal_bytes protected;

	kit_open(&bytes, KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k, bind: "
				  "none}}}]\n");
	open_header(&text, TOPIC("  headers: {x: {type: encrypt, key: k, bind: none}}\n"));
	protected = run(&bytes, ENGINE_PROTECT, "\xff\xfe");
	check_failed(&text, ENGINE_REVEAL, protected, SEAL_E_SYNTAX, "header:x",
		     "what is protected here is not UTF-8 text");
	protected = run(&bytes, ENGINE_PROTECT, "fine");
	assert_true(bytes_eq_str(run(&text, ENGINE_REVEAL, (const char *)protected.ptr), "fine"));
	kit_close(&bytes);
	kit_close(&text);
}

/* "json+" says that a JSON value was protected, which no whole text is: neither kept nor revealed. */
static void no_json_prefix(void **state)
{
	struct kit kit, json;
	struct seal_bytes protected;

	kit_open(&json, KIT_HEAD "topics: [{match: t, protect: {$: {type: encrypt, key: k, bind: none}}}]\n");
	protected = run(&json, ENGINE_PROTECT, "17");
	protected = bytes_of(protected.ptr + 1, protected.len - 2); /* without its quotes */
	assert_true(bytes_starts(protected, BYTES_LIT("json+vault:v")));
	open_header(&kit, TOPIC("  on_protected: keep\n  headers: {x: {type: encrypt, key: k, bind: none}}\n"));
	check_failed(&kit, ENGINE_REVEAL, protected, SEAL_E_TAMPERED, "header:x", "");
	check_failed(&kit, ENGINE_PROTECT, protected, SEAL_E_PROTECTED, "header:x", "is none");
	kit_close(&kit);
	kit_close(&json);
}

static void judged_as_values_are(void **state)
{
	struct kit kit;
	struct seal_bytes protected;

	open_header(&kit, TOPIC("  headers: {x: {type: encrypt, key: k}, y: {type: hash, key: h}}\n"));
	check_failed(&kit, ENGINE_REVEAL, BYTES_LIT("plain"), SEAL_E_PLAINTEXT, "header:x", "not protected");
	protected = run(&kit, ENGINE_PROTECT, "plain");
	check_failed(&kit, ENGINE_PROTECT, protected, SEAL_E_PROTECTED, "header:x", "already protected");
	run(&kit, ENGINE_REWRAP, (const char *)protected.ptr);
	assert_int_equal(kit.result.kept, 1);
	kit.topic = kit.policy->topics[0].headers[1];
	assert_int_equal(run(&kit, ENGINE_PROTECT, "plain").len, 64);
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, "anything"), "anything")); /* one-way */
	kit_close(&kit);
	open_header(&kit, TOPIC("  on_protected: keep\n  on_plaintext: pass\n"
				"  headers: {x: {type: encrypt, key: k}}\n"));
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, "plain"), "plain"));
	assert_int_equal(kit.result.cells, 0);
	kit_close(&kit);
}

/* JSON keys --------------------------------------------------------------------------------------------------- */

static void json_key(void **state)
{
	struct kit kit;
	struct seal_bytes protected;

	open_key(&kit, TOPIC("  key: {$.id: {type: fpe, key: f}}\n"));
	protected = run(&kit, ENGINE_PROTECT, "{ \"id\" : \"1234567\", \"n\": 1.10 }");
	assert_memory_equal(protected.ptr, "{ \"id\" : \"", 10);
	assert_non_null(strstr((const char *)protected.ptr, ", \"n\": 1.10 }"));
	assert_null(strstr((const char *)protected.ptr, "1234567"));
	assert_true(bytes_eq_str(run(&kit, ENGINE_REVEAL, (const char *)protected.ptr),
				 "{ \"id\" : \"1234567\", \"n\": 1.10 }"));
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("{\"id\":\"12\"}"), SEAL_E_DOMAIN, "key['id']", "");
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("c-17"), SEAL_E_SYNTAX, "key, byte 0", "");
	kit_close(&kit);
}

static void json_key_missing(void **state)
{
	struct kit kit;

	open_key(&kit, TOPIC("  on_missing: reject\n  key: {$.id: {type: fpe, key: f}}\n"));
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("{}"), SEAL_E_MISSING, "key['id']", "does not have this field");
	kit_close(&kit);
}

/* Names that differ from record to record: the place has the key's root, too. */
static void json_key_any_name(void **state)
{
	struct kit any, named, value;
	struct seal_bytes all, one;

	open_key(&any, TOPIC("  key: {$.*: {type: fpe, key: f}}\n"));
	open_key(&named, TOPIC("  key: {$.id: {type: fpe, key: f}}\n"));
	kit_open(&value, KIT_HEAD "topics: [{match: t, protect: {$.id: {type: fpe, key: f}}}]\n");
	all = run(&any, ENGINE_PROTECT, "{\"id\":\"1234567\"}");
	one = run(&named, ENGINE_PROTECT, "{\"id\":\"1234567\"}");
	assert_true(bytes_eq(all, one));
	assert_false(bytes_eq(run(&value, ENGINE_PROTECT, "{\"id\":\"1234567\"}"), one));
	check_failed(&any, ENGINE_PROTECT, BYTES_LIT("{\"x\":{\"id\":\"12\"}}"), SEAL_E_TYPE, "key['x']", "");
	kit_close(&any);
	kit_close(&named);
	kit_close(&value);
}

/* Limits ------------------------------------------------------------------------------------------------------ */

static void too_large(void **state)
{
	const struct engine_options options = {.max_record_bytes = 40};
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	assert_int_equal(kit_try(&kit, TOPIC("  key: {type: fpe, key: f}\n  headers: {x: {type: encrypt, key: k}}\n"),
				 NULL, &options, &err),
			 SEAL_OK);
	kit.topic = kit.policy->topics[0].key;
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("12345678901234567890123456789012345678901"), SEAL_E_LIMIT,
		     "key", "the key has 41 bytes, more than the limit of 40");
	kit.topic = kit.policy->topics[0].headers[0];
	check_failed(&kit, ENGINE_PROTECT, BYTES_LIT("short"), SEAL_E_LIMIT, "header:x",
		     "the header would have 53 bytes, more than the limit of 40");
	kit_close(&kit);
}

/* One part that fails leaves its neighbours alone. */
static void neighbours(void **state)
{
	const struct seal_bytes values[] = {BYTES_LIT("1234567"), BYTES_LIT("12"), BYTES_EMPTY, BYTES_LIT("7654321")};
	struct engine_result results[4];
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	open_key(&kit, TOPIC("  key: {type: fpe, key: f}\n"));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 4, results, &err), SEAL_OK);
	assert_null(results[0].err);
	assert_int_equal(results[0].value.len, 7);
	assert_non_null(results[1].err);
	assert_null(results[2].err);
	assert_null(results[2].value.ptr);
	assert_int_equal(results[3].value.len, 7);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_round_trip),
		cmocka_unit_test(null_stays),
		cmocka_unit_test(empty_is_a_value),
		cmocka_unit_test(equal_in_a_domain),
		cmocka_unit_test(deterministic_in_a_domain),
		cmocka_unit_test(key_of_bytes),
		cmocka_unit_test(bound_to_its_name),
		cmocka_unit_test(text_only),
		cmocka_unit_test(revealed_text_only),
		cmocka_unit_test(no_json_prefix),
		cmocka_unit_test(judged_as_values_are),
		cmocka_unit_test(json_key),
		cmocka_unit_test(json_key_missing),
		cmocka_unit_test(json_key_any_name),
		cmocka_unit_test(too_large),
		cmocka_unit_test(neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
