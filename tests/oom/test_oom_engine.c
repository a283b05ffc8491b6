/* Plans, engines and runs, when any allocation fails: no results, or right ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kit.h"
#include "oom.h"

#define RECORDS 4

static const char policy_text[] =
	"version: 1\nnamespace: shop\nkeys: {k: 'fake:aes', f: 'fake:ff1', h: 'fake:hmac', c: 'fake:convergent'}\n"
	"topics: [{match: t, on_error: dead_letter, dead_letter: {topic: dead, key: k}, on_missing: ignore, "
	"protect: {$.a: {type: encrypt, key: k}, '$.w.*': {type: encrypt, key: k}, "
	"$.b: {type: encrypt, key: k, bind: {record: $.id}}, $.f: {type: fpe, key: f}, "
	"$.u: {type: fpe, key: f, alphabet: 'αβγδ'}, $.h: {type: hash, key: h}, "
	"$.g: {type: hash, key: h, encoding: base64url}, $.m: {type: mask}, $.r: {type: redact}, "
	"$.x: {type: remove}, $.d: {type: deterministic, key: c}}}]\n";
static const char *const texts[RECORDS] = {
	"{\"id\":1,\"a\":\"\\u00e9\\n\",\"b\":2,\"w\":{\"p\":\"q\",\"\\u0072\":1},\"f\":\"4111 1111\"}",
	"{\"a\":{\"b\":1},\"f\":7654321,\"u\":\"ααββγγδδαα\",\"h\":1,\"g\":1,\"m\":\"\",\"r\":1,\"x\":2,\"d\":[1]}",
	"{\"f\":\"12\"}",
	"{ not json",
};

/* One call; a copy of the results in `arena`, for the next one. */
static enum seal_status call(struct kit *kit, enum engine_direction direction, struct seal_bytes *values,
			     struct arena *arena, struct seal_err *err)
{
	struct engine_result results[RECORDS];
	enum seal_status rc;

	rc = engine_run(kit->engine, kit->topic, direction, values, RECORDS, results, err);
	for (size_t i = 0; i < RECORDS; i++) {
		if (rc != SEAL_OK)
			assert_true(results[i].value.ptr == NULL && results[i].err == NULL);
		else if (i == 2 || (i == 3 && direction == ENGINE_PROTECT))
			assert_true(results[i].value.ptr == NULL && results[i].err->status == SEAL_DATA);
	}
	SEAL_TRY(rc);
	for (size_t i = 0; i < 2; i++) {
		assert_null(results[i].err);
		values[i] = arena_copy(arena, results[i].value);
		if (values[i].ptr == NULL)
			return err_memory(err);
	}
out:
	return rc;
}

static const char first[] = "{\"id\":1,\"a\":\"é\\n\",\"b\":2,\"w\":{\"p\":\"q\",\"\\u0072\":1},\"f\":\"4111 1111\"}";
static const char second[] = "{\"a\":{\"b\":1},\"f\":7654321,";

static enum seal_status work(void *policy, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	struct seal_bytes values[RECORDS];
	struct engine_result results[RECORDS];
	struct kit kit = {.policy = NULL};
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	for (size_t i = 0; i < RECORDS; i++)
		values[i] = bytes_str(texts[i]);
	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &kit.plan, err));
	SEAL_TRY(engine_new(kit.plan, NULL, &kit.engine, err));
	kit.topic = policy_topic_find(policy, bytes_str("t"));
	SEAL_TRY(engine_dead_letter(kit.engine, kit.topic, values, RECORDS, results, err));
	SEAL_TRY(call(&kit, ENGINE_PROTECT, values, &arena, err));
	SEAL_TRY(call(&kit, ENGINE_REVEAL, values, &arena, err));
	assert_memory_equal(values[0].ptr, first, sizeof(first) - 1);
	assert_memory_equal(values[1].ptr, second, sizeof(second) - 1);
out:
	kit_close(&kit);
	arena_clear(&arena);
	assert_int_equal(fake_control.keys, 0);
	assert_int_equal(fake_control.opened, 0);
	return rc;
}

static void every_failing_allocation_ends_well(void **state)
{
	struct policy *policy;

	assert_int_equal(policy_load(bytes_str(policy_text), "oom.yaml", &kit_schema, NULL, &policy, NULL), SEAL_OK);
	assert_true(oom_each(work, policy) > 30);
	policy_free(policy);
}

#define OLD_NEW(key)                                                                                                 \
	"version: 1\nkeys: {k: 'fake:" key "'}\ntopics: [{match: t, protect: {$.a: {type: encrypt, key: k}, "        \
	"$.b: {type: encrypt, key: k}, $.c: {type: encrypt, key: k}}}]\n"

static char old_text[512];
static const char new_text[] = "{\"a\":\"x\",\"b\":[1,2],\"c\":\"\\u0000\"}";

static enum seal_status rewrap(void *policy, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	struct seal_bytes value = bytes_str(old_text);
	struct engine_result result;
	struct kit kit = {.policy = NULL};
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &kit.plan, err));
	SEAL_TRY(engine_new(kit.plan, NULL, &kit.engine, err));
	kit.topic = policy_topic_find(policy, bytes_str("t"));
	SEAL_TRY(engine_can_rewrap(kit.engine, kit.topic, err));
	SEAL_TRY(engine_run(kit.engine, kit.topic, ENGINE_REWRAP, &value, 1, &result, err));
	assert_true(result.err == NULL && result.cells == 3);
	value = arena_copy(&arena, result.value);
	if (value.ptr == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, &value, 1, &result, err));
	assert_memory_equal(result.value.ptr, new_text, sizeof(new_text) - 1);
out:
	kit_close(&kit);
	arena_clear(&arena);
	return rc;
}

static void rewrapping_ends_well(void **state)
{
	const struct engine_result *result;
	struct policy *policy;
	struct kit kit;

	kit_open(&kit, OLD_NEW("aes1"));
	result = kit_one(&kit, ENGINE_PROTECT, bytes_str(new_text));
	assert_true(result->err == NULL && result->value.len < sizeof(old_text));
	memcpy(old_text, result->value.ptr, result->value.len);
	kit_close(&kit);
	assert_int_equal(policy_load(bytes_str(OLD_NEW("aes")), "oom.yaml", &kit_schema, NULL, &policy, NULL),
			 SEAL_OK);
	assert_true(oom_each(rewrap, policy) > 10);
	policy_free(policy);
}

/* Keys and headers: paths and places made for each of them, and what is no text. */
static const char parts_text[] =
	KIT_HEAD "topics:\n- match: t\n  protect: {$.a: {type: encrypt, key: k}}\n"
		 "  key: {'$.*': {type: fpe, key: f}}\n  headers: {x: {type: encrypt, key: k}}\n";

static enum seal_status run_parts(void *policy, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	struct seal_bytes keys[] = {BYTES_LIT("{\"id\":\"1234567\"}"), BYTES_LIT("nothing"), BYTES_EMPTY};
	struct seal_bytes headers[] = {BYTES_LIT("text"), BYTES_LIT("\xff"), BYTES_EMPTY};
	struct engine_result results[3];
	struct kit kit = {.policy = NULL};
	enum seal_status rc;

	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &kit.plan, err));
	SEAL_TRY(engine_new(kit.plan, NULL, &kit.engine, err));
	kit.topic = policy_topic_find(policy, bytes_str("t"));
	SEAL_TRY(engine_run(kit.engine, kit.topic->key, ENGINE_PROTECT, keys, 3, results, err));
	assert_true(results[0].err == NULL && results[0].cells == 1);
	assert_true(results[1].err != NULL && results[2].err == NULL);
	SEAL_TRY(engine_run(kit.engine, kit.topic->headers[0], ENGINE_PROTECT, headers, 3, results, err));
	assert_true(results[0].err == NULL && results[0].cells == 1);
	assert_true(results[1].err != NULL && results[2].err == NULL);
out:
	kit_close(&kit);
	return rc;
}

static void parts_end_well(void **state)
{
	struct policy *policy;

	assert_int_equal(policy_load(bytes_str(parts_text), "oom.yaml", &kit_schema, NULL, &policy, NULL), SEAL_OK);
	assert_true(oom_each(run_parts, policy) > 15);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_ends_well),
		cmocka_unit_test(rewrapping_ends_well),
		cmocka_unit_test(parts_end_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
