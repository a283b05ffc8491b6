/* Method token, and rekey, when any allocation fails: no results, or right ones; and no token is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fake_kek.h"
#include "fake_store.h"
#include "kit.h"
#include "oom.h"
#include "tokens/tokens.h"

static const char policy_text[] =
	KIT_HEAD "stores: {main: 'fake:x'}\nmethods: {m: {type: token, key: k}, "
		 "c: {type: token, key: k, convergent: true, shape: keep, keep: {first: 6, last: 4}, ttl: 30d}}\n"
		 "topics: [{match: t, protect: {$.a: m, $.b: m, $.c: c, $.d: c}}]\n";
static const char record[] = "{\"a\":\"x\",\"b\":[1],\"c\":\"4111-1111-1111-1111\",\"d\":41111111111111111}";
static struct arena arena;

static enum seal_status one(struct kit *kit, enum engine_direction direction, struct seal_bytes *value,
			    struct seal_err *err)
{
	struct engine_result result;
	enum seal_status rc;

	rc = engine_run(kit->engine, kit->topic, direction, value, 1, &result, err);
	if (rc != SEAL_OK)
		assert_true(result.value.ptr == NULL && result.err == NULL);
	SEAL_TRY(rc);
	assert_null(result.err);
	*value = arena_copy(&arena, result.value);
	if (value->ptr == NULL)
		rc = err_memory(err);
out:
	return rc;
}

static enum seal_status there_and_back(void *arg, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	struct policy *policy = arg;
	struct seal_bytes value = bytes_str(record);
	struct kit kit = {.policy = NULL};
	enum seal_status rc;

	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &kit.plan, err));
	SEAL_TRY(engine_new(kit.plan, NULL, &kit.engine, err));
	kit.topic = policy_topic_find(policy, bytes_str("t"));
	SEAL_TRY(one(&kit, ENGINE_PROTECT, &value, err));
	SEAL_TRY(one(&kit, ENGINE_REVEAL, &value, err));
	assert_true(bytes_eq_str(value, record));
out:
	kit_close(&kit);
	arena_reset(&arena);
	return rc;
}

static void a_method_ends_well(void **state)
{
	struct policy *policy;

	assert_int_equal(policy_load(bytes_str(policy_text), "oom.yaml", &kit_schema, NULL, &policy, NULL), SEAL_OK);
	arena_init(&arena, 1 << 20);
	kit_store = fake_store_new();
	assert_true(oom_each(there_and_back, policy) > 30);
	fake_store_free(kit_store);
	arena_clear(&arena);
	policy_free(policy);
}

/* A store with tokens, and whoever works on it. */
struct world {
	struct fake_kek kek;
	struct fake_kek_session session;
	struct store *store;
	struct token_item items[5];
};

static enum seal_status open_world(struct world *world, struct tokens **tokens, struct seal_err *err)
{
	const struct person_scope scope = {"shop", "local", BYTES_LIT("pii")};
	const struct data_keys_options options = {0};

	return tokens_new(world->store, &scope, &options, tokens, err);
}

static enum seal_status rekey(void *arg, struct seal_err *err)
{
	struct world *world = arg;
	const struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	struct tokens *tokens = NULL;
	bool resumed, done = false;
	enum seal_status rc;
	uint64_t moved;

	SEAL_TRY(open_world(world, &tokens, err));
	SEAL_TRY(tokens_rekey_begin(tokens, &world->session.base, &resumed, &call, err));
	while (!done)
		SEAL_TRY(tokens_rekey_step(tokens, &world->session.base, 2, &moved, &done, &call, err));
out:
	tokens_free(tokens);
	arena_reset(&arena);
	return rc;
}

static void a_rekey_ends_well(void **state)
{
	static const struct token_terms terms = {.convergent = true};
	struct world world = {.kek = FAKE_KEK_INIT, .store = fake_store_new()};
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	const size_t n = sizeof(world.items) / sizeof(world.items[0]);
	uint8_t made[5][TOKEN_LEN];
	struct tokens *tokens = NULL;

	arena_init(&arena, 1 << 20);
	world.session = fake_kek_session(&world.kek);
	for (size_t i = 0; i < n; i++)
		world.items[i] = (struct token_item){.value = bytes_of(&"abcde"[i], 1), .kind = TOKEN_STRING};
	assert_int_equal(open_world(&world, &tokens, NULL), SEAL_OK);
	assert_int_equal(tokens_protect(tokens, &world.session.base, &terms, world.items, n, &call, NULL), SEAL_OK);
	for (size_t i = 0; i < n; i++)
		memcpy(made[i], world.items[i].token.ptr, TOKEN_LEN);
	arena_reset(&arena);
	assert_true(oom_each(rekey, &world) > 30);
	for (size_t i = 0; i < n; i++)
		world.items[i] = (struct token_item){.token = bytes_of(made[i], TOKEN_LEN), .kind = TOKEN_STRING};
	assert_int_equal(tokens_reveal(tokens, &world.session.base, world.items, n, &call, NULL), SEAL_OK);
	for (size_t i = 0; i < n; i++)
		assert_true(bytes_eq(world.items[i].value, bytes_of(&"abcde"[i], 1)));
	assert_int_equal(tokens_protect(tokens, &world.session.base, &terms, world.items, n, &call, NULL), SEAL_OK);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(world.items[i].token.ptr, made[i], TOKEN_LEN);
	tokens_free(tokens);
	fake_store_free(world.store);
	arena_clear(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_method_ends_well),
		cmocka_unit_test(a_rekey_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
