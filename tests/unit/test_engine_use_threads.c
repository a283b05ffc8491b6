/* What engines count for their plan: values by method and outcome, what passed in clear, calls and their time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>

#include "kit.h"

/* Methods in the policy's order: those of its own first, then those that a field spells out. */
#define SECRET 0
#define CARD 1
#define HEAD                                                                                                         \
	KIT_HEAD "methods: {secret: {type: encrypt, key: k}, card: {type: fpe, key: f, alphabet: digits, bind: "     \
		 "none}}\n"
#define POLICY HEAD "topics: [{match: t, on_plaintext: pass, protect: {$.a: secret, '$.b[*]': secret, $.c: card}}]\n"

static void check(const struct kit *kit, size_t method, struct plan_use want)
{
	struct plan_use use;

	plan_use_get(kit->plan, method, &use);
	assert_int_equal(use.protected, want.protected);
	assert_int_equal(use.revealed, want.revealed);
	assert_int_equal(use.rewrapped, want.rewrapped);
	assert_int_equal(use.failed, want.failed);
	assert_int_equal(use.passed, want.passed);
	assert_int_equal(use.lots, want.lots);
	assert_true((use.ns > 0) == (want.lots > 0));
}

static struct seal_bytes one(struct kit *kit, enum engine_direction direction, struct seal_bytes in)
{
	const struct engine_result *result = kit_one(kit, direction, in);

	assert_null(result->err);
	return result->value;
}

static void values_are_counted_by_method_and_direction(void **state)
{
	char text[1024];
	struct seal_bytes value;
	struct kit kit;

	kit_open(&kit, POLICY);
	check(&kit, SECRET, (struct plan_use){0});
	value = one(&kit, ENGINE_PROTECT, bytes_str("{\"a\":\"x\",\"b\":[1,2],\"c\":\"12345678\"}"));
	check(&kit, SECRET, (struct plan_use){.protected = 3, .lots = 1});
	check(&kit, CARD, (struct plan_use){.protected = 1, .lots = 1});
	assert_true(value.len < sizeof(text));
	memcpy(text, value.ptr, value.len);
	one(&kit, ENGINE_REVEAL, bytes_of(text, value.len));
	check(&kit, SECRET, (struct plan_use){.protected = 3, .revealed = 3, .lots = 2});
	check(&kit, CARD, (struct plan_use){.protected = 1, .revealed = 1, .lots = 2});
	/* All is under the newest version: the method is asked, and leaves them. */
	one(&kit, ENGINE_REWRAP, bytes_of(text, value.len));
	check(&kit, SECRET, (struct plan_use){.protected = 3, .revealed = 3, .lots = 3});
	check(&kit, CARD, (struct plan_use){.protected = 1, .revealed = 1, .lots = 2});
	kit_close(&kit);
}

static void paths_that_were_found_are_known(void **state)
{
	static const char good[] = "{\"b\":[],\"c\":\"12345678\"}", broken[] = "{\"a\":\"x\",",
			  element[] = "{\"b\":[7]}";
	struct kit kit;

	kit_open(&kit, POLICY);
	kit_one(&kit, ENGINE_PROTECT, bytes_str(broken));
	one(&kit, ENGINE_PROTECT, bytes_str(good));
	assert_false(plan_rule_found(kit.plan, kit.topic, 0));
	assert_false(plan_rule_found(kit.plan, kit.topic, 1)); /* an array without elements */
	assert_true(plan_rule_found(kit.plan, kit.topic, 2));
	one(&kit, ENGINE_PROTECT, bytes_str(element));
	assert_false(plan_rule_found(kit.plan, kit.topic, 0));
	assert_true(plan_rule_found(kit.plan, kit.topic, 1));
	kit_close(&kit);
	kit_open(&kit, KIT_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}]\n");
	assert_false(plan_rule_found(kit.plan, kit.topic, 0));
	one(&kit, ENGINE_PROTECT, bytes_str("x"));
	assert_true(plan_rule_found(kit.plan, kit.topic, 0));
	kit_close(&kit);
}

static void rewrapped_values_are_counted(void **state)
{
	static const char policy[] = "version: 1\nkeys: {k: 'fake:aes%s'}\n"
				     "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n";
	char older[256], newer[256], text[256];
	struct seal_bytes value;
	struct kit kit;

	snprintf(older, sizeof(older), policy, "1");
	snprintf(newer, sizeof(newer), policy, "");
	kit_open(&kit, older);
	value = one(&kit, ENGINE_PROTECT, bytes_str("{\"a\":\"x\"}"));
	memcpy(text, value.ptr, value.len);
	kit_close(&kit);
	kit_open(&kit, newer);
	one(&kit, ENGINE_REWRAP, bytes_of(text, value.len));
	check(&kit, 0, (struct plan_use){.rewrapped = 1, .lots = 1});
	kit_close(&kit);
}

static void what_passes_in_clear_is_counted(void **state)
{
	struct kit kit;

	kit_open(&kit, POLICY);
	one(&kit, ENGINE_REVEAL, bytes_str("{\"a\":\"clear\",\"b\":[1,2,3]}"));
	check(&kit, SECRET, (struct plan_use){.passed = 4});
	one(&kit, ENGINE_REWRAP, bytes_str("{\"a\":\"clear\"}"));
	check(&kit, SECRET, (struct plan_use){.passed = 5});
	/* A protect takes it, and null is no plaintext that a rule protects. */
	one(&kit, ENGINE_PROTECT, bytes_str("{\"z\":\"no rule\"}"));
	check(&kit, SECRET, (struct plan_use){.passed = 5});
	kit_close(&kit);
}

static void what_fails_is_counted(void **state)
{
	struct seal_bytes values[] = {bytes_str("{\"a\":\"vault:v1:AAAA\"}"), bytes_str("{\"c\":\"1\"}"),
				      bytes_str("not json"), bytes_str("{\"a\":\"good\",\"c\":\"2\"}")};
	struct engine_result results[4];
	struct kit kit;

	kit_open(&kit, POLICY);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 4, results, NULL), SEAL_OK);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(results[i].err); /* fpe takes no value so short */
	/* `good` was encrypted, though its record failed by another value. */
	check(&kit, SECRET, (struct plan_use){.protected = 1, .failed = 1, .lots = 1});
	check(&kit, CARD, (struct plan_use){.failed = 2, .lots = 1});
	kit_close(&kit);
}

/* The method opened it, but it is no JSON value: not revealed. */
static void what_cannot_stand_where_it_must_has_failed(void **state)
{
	char forged[256];
	struct seal_bytes value;
	struct kit kit;

	kit_open(&kit, KIT_HEAD "topics: [{match: t, protect: {$.a: {type: encrypt, key: k, bind: none}}}]\n");
	value = one(&kit, ENGINE_PROTECT, bytes_str("{\"a\":\"two values\"}"));
	snprintf(forged, sizeof(forged), "{\"a\":\"json+%.*s", (int)value.len - 6, (const char *)value.ptr + 6);
	assert_non_null(kit_one(&kit, ENGINE_REVEAL, bytes_str(forged))->err);
	check(&kit, 0, (struct plan_use){.protected = 1, .failed = 1, .lots = 2});
	kit_close(&kit);
}

static void a_call_that_fails_counts_nothing(void **state)
{
	const struct seal_bytes value = bytes_str("{\"a\":\"x\",\"c\":\"12345678\"}");
	struct engine_result result;
	struct kit kit;

	kit_open(&kit, POLICY);
	fake_control.fail_call = SEAL_RETRY;
	fake_control.fail_code = SEAL_E_SERVICE;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_RETRY);
	fake_control.fail_call = SEAL_OK;
	check(&kit, SECRET, (struct plan_use){0});
	check(&kit, CARD, (struct plan_use){0});
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_OK);
	check(&kit, SECRET, (struct plan_use){.protected = 1, .lots = 1});
	kit_close(&kit);
}

#define THREADS 4
#define CALLS 200

static void *protect_many(void *arg)
{
	const struct kit *kit = arg;
	const struct seal_bytes value = bytes_str("{\"a\":\"x\"}");
	struct engine_result result;
	struct engine *engine;

	assert_int_equal(engine_new(kit->plan, NULL, &engine, NULL), SEAL_OK);
	for (size_t i = 0; i < CALLS; i++)
		assert_int_equal(engine_run(engine, kit->topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_OK);
	engine_free(engine);
	return NULL;
}

static void engines_of_all_threads_count_together(void **state)
{
	pthread_t threads[THREADS];
	struct plan_use use;
	struct kit kit;

	kit_open(&kit, KIT_HEAD "topics: [{match: t, protect: {$.a: {type: mask}}}]\n");
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, protect_many, &kit), 0);
	do
		plan_use_get(kit.plan, 0, &use); /* while they count */
	while (use.protected < CALLS);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check(&kit, 0, (struct plan_use){.protected = THREADS * CALLS, .lots = THREADS * CALLS});
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_counted_by_method_and_direction),
		cmocka_unit_test(rewrapped_values_are_counted),
		cmocka_unit_test(what_passes_in_clear_is_counted),
		cmocka_unit_test(what_fails_is_counted),
		cmocka_unit_test(what_cannot_stand_where_it_must_has_failed),
		cmocka_unit_test(a_call_that_fails_counts_nothing),
		cmocka_unit_test(engines_of_all_threads_count_together),
		cmocka_unit_test(paths_that_were_found_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
