/* envelope, when any allocation fails: no results, or right ones; keys of the session, of a header and of a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_store.h"
#include "kit.h"
#include "oom.h"

static const char policy_text[] =
	KIT_HEAD "stores: {main: 'fake:x'}\ntopics: [{match: t, protect: {$.a: {type: envelope, key: k}, "
		 "$.b: {type: envelope, key: k, carry: header, max_uses: 5}, "
		 "$.c: {type: envelope, key: {name: k, per: $.id}}}}]\n";
static const char old_text[] = "version: 1\nnamespace: shop\nkeys: {k: 'fake:aes1'}\ntopics: [{match: t, protect: "
			       "{$.a: {type: envelope, key: k}, "
			       "$.b: {type: envelope, key: k, carry: header}}}]\n";
static const char new_text[] = "version: 1\nnamespace: shop\nkeys: {k: 'fake:aes'}\ntopics: [{match: t, protect: "
			       "{$.a: {type: envelope, key: k}, "
			       "$.b: {type: envelope, key: k, carry: header}}}]\n";
static const char record[] = "{\"a\":\"x\",\"b\":[1],\"c\":\"z\",\"id\":7}";
static struct arena arena;
static struct seal_bytes sealed, sealed_header;

/* One record; the result is kept in `arena`. */
static enum seal_status one(struct kit *kit, enum engine_direction direction, struct seal_bytes *value,
			    struct seal_bytes *header, struct seal_err *err)
{
	const struct engine_input input = {value, header, 1};
	struct engine_result result;
	enum seal_status rc;

	rc = engine_run_input(kit->engine, kit->topic, direction, &input, &result, err);
	if (rc != SEAL_OK)
		assert_true(result.value.ptr == NULL && result.key_header.ptr == NULL && result.err == NULL);
	SEAL_TRY(rc);
	assert_null(result.err);
	*value = arena_copy(&arena, result.value);
	*header = result.key_header.ptr != NULL ? arena_copy(&arena, result.key_header) : BYTES_EMPTY;
	if (value->ptr == NULL || (header->ptr == NULL && result.key_header.ptr != NULL))
		return err_memory(err);
out:
	return rc;
}

static enum seal_status open_kit(struct kit *kit, struct policy *policy, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	enum seal_status rc;

	*kit = (struct kit){.policy = NULL};
	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &kit->plan, err));
	SEAL_TRY(engine_new(kit->plan, NULL, &kit->engine, err));
	kit->topic = policy_topic_find(policy, bytes_str("t"));
out:
	return rc;
}

static enum seal_status there_and_back(void *policy, struct seal_err *err)
{
	struct seal_bytes value = bytes_str(record), header = BYTES_EMPTY;
	struct kit kit;
	enum seal_status rc;

	SEAL_TRY(open_kit(&kit, policy, err));
	SEAL_TRY(one(&kit, ENGINE_PROTECT, &value, &header, err));
	SEAL_TRY(one(&kit, ENGINE_REVEAL, &value, &header, err));
	assert_true(bytes_eq_str(value, record));
	assert_null(header.ptr);
out:
	kit_close(&kit);
	arena_reset(&arena);
	return rc;
}

static enum seal_status rewrap(void *policy, struct seal_err *err)
{
	struct seal_bytes value = sealed, header = sealed_header;
	struct kit kit;
	enum seal_status rc;

	SEAL_TRY(open_kit(&kit, policy, err));
	SEAL_TRY(one(&kit, ENGINE_REWRAP, &value, &header, err));
	SEAL_TRY(one(&kit, ENGINE_REVEAL, &value, &header, err));
	assert_true(bytes_eq_str(value, record));
out:
	kit_close(&kit);
	arena_reset(&arena);
	return rc;
}

static struct policy *load(const char *text)
{
	struct policy *policy;

	assert_int_equal(policy_load(bytes_str(text), "oom.yaml", &kit_schema, NULL, &policy, NULL), SEAL_OK);
	return policy;
}

static void every_failing_allocation_ends_well(void **state)
{
	struct policy *policy = load(policy_text);

	arena_init(&arena, 1 << 20);
	kit_store = fake_store_new();
	assert_true(oom_each(there_and_back, policy) > 30);
	fake_store_free(kit_store);
	arena_clear(&arena);
	policy_free(policy);
}

static void rewrapping_ends_well(void **state)
{
	struct policy *old = load(old_text), *policy = load(new_text);
	struct arena kept;
	struct kit kit;

	arena_init(&arena, 1 << 20);
	arena_init(&kept, 0);
	assert_int_equal(open_kit(&kit, old, NULL), SEAL_OK);
	sealed = bytes_str(record);
	assert_int_equal(one(&kit, ENGINE_PROTECT, &sealed, &sealed_header, NULL), SEAL_OK);
	sealed = arena_copy(&kept, sealed);
	sealed_header = arena_copy(&kept, sealed_header);
	kit_close(&kit);
	assert_true(oom_each(rewrap, policy) > 10);
	arena_clear(&arena);
	arena_clear(&kept);
	policy_free(old);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_ends_well),
		cmocka_unit_test(rewrapping_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
