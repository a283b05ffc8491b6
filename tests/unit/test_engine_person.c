/*
 * engine_person: whose key does a value get, and which store is opened for it? By a method that gives the person in the value's
 * stead, and a store that counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kit.h"
#include "methods/simple.h"

#define HEAD                                                                                                         \
	"version: 1\nkeys: {k: fake:aes}\nstores: {main: \"memory:a\", other: \"memory:b\", unused: \"memory:c\"}\n" \
	"methods:\n"                                                                                                 \
	"  one: {type: who, key: {name: k, per: $.id, store: main}}\n"                                               \
	"  two: {type: who, key: {name: k, per: \"$.at['the one']\", store: main}}\n"                                \
	"  third: {type: who, key: {name: k, per: $.id, store: other}}\n"                                            \
	"  all: {type: who, key: k}\n"
#define TOPIC(protect) HEAD "topics: [{match: t, protect: {" protect "}}]\n"

/* A store that is only there ------------------------------------------------------------------------------------ */

static size_t opened, freed;
static enum seal_status fail_open;
static char last_address[64];

static bool create_stores; /* what the plan is told, and has to tell */
static const struct store_ops memory_ops;

static enum seal_status memory_open(const char *address, const struct store_config *config, struct store **out,
				    struct seal_err *err)
{
	assert_int_equal(config->create, create_stores);
	snprintf(last_address, sizeof(last_address), "%s", address);
	*out = NULL;
	if (fail_open != SEAL_OK)
		return err_set(err, fail_open, SEAL_E_SERVICE, "away");
	*out = mem_calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_memory(err);
	(*out)->ops = &memory_ops;
	opened++;
	return SEAL_OK;
}

static void memory_free(struct store *store)
{
	mem_free(store);
	freed++;
}

static const struct store_ops memory_ops = {
	.size = sizeof(struct store_ops), .name = "memory", .help = "", .open = memory_open, .free = memory_free};

/* A method that shows whom it is told ----------------------------------------------------------------------------- */

static struct store *given[8]; /* by the method's index */

static enum seal_status who(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	for (size_t i = 0; i < lot->n; i++) {
		lot->cells[i].out = lot->cells[i].person.ptr != NULL ? lot->cells[i].person : BYTES_LIT("(nobody)");
		lot->cells[i].form = FORM_STRING;
	}
	return SEAL_OK;
}

static const struct method_session_ops who_session_ops = {.size = sizeof(struct method_session_ops),
							  .protect = who,
							  .reveal = who,
							  .rewrap = who,
							  .free = simple_session_free};

static const struct method_ops method_who;

static enum seal_status who_open(const struct policy_method *spec, const struct method_needs *needs,
				 struct method **out, struct seal_err *err)
{
	given[spec->index] = needs->store;
	return simple_open(&method_who, &who_session_ops, spec, needs, out, err);
}

static const struct method_ops method_who = {
	.kind = {.size = sizeof(struct method_kind),
		 .name = "who",
		 .summary = "whose key",
		 .flags = METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_PER},
	.open = who_open,
	.session = simple_session_new,
	.free = simple_free,
};

static const struct method_ops *const methods[] = {&method_who, NULL};
static const struct method_kind *const kinds[] = {&method_who.kind, NULL};
static const struct key_source_ops *const sources[] = {&fake_source, NULL};
static const struct key_scheme schemes[] = {{"fake", "", fake_reference_check}, {.name = NULL}};
static const struct store_ops *const stores[] = {&memory_ops, NULL};
static const struct key_scheme store_schemes[] = {{"memory", "", NULL}, {"away", "", NULL}, {.name = NULL}};
static const struct engine_registry registry = {methods, sources, stores};
static const struct policy_schema schema = {kinds, schemes, store_schemes};

static enum seal_status try_kit(struct kit *kit, const char *policy, struct seal_err *err)
{
	const struct key_source_config no_keys = {.create_stores = create_stores};
	enum seal_status rc;

	opened = freed = 0;
	memset(given, 0, sizeof(given));
	*kit = (struct kit){.policy = NULL};
	SEAL_TRY(policy_load(bytes_str(policy), "test.yaml", &schema, NULL, &kit->policy, err));
	SEAL_TRY(plan_new(kit->policy, &registry, &no_keys, &kit->plan, err));
	SEAL_TRY(engine_new(kit->plan, NULL, &kit->engine, err));
	kit->topic = &kit->policy->topics[0];
out:
	if (rc != SEAL_OK)
		kit_close(kit);
	return rc;
}

static void open_kit(struct kit *kit, const char *policy)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (try_kit(kit, policy, &err) != SEAL_OK)
		fail_msg("%s: %s", err.place, err.text);
}

static void gives(struct kit *kit, enum engine_direction direction, const char *in, const char *out)
{
	const struct engine_result *result = kit_one(kit, direction, bytes_str(in));

	if (result->err != NULL)
		fail_msg("%s: %s: %s", in, result->err->place, result->err->text);
	if (!bytes_eq_str(result->value, out))
		fail_msg("%s gave %.*s", in, BYTES_FMT(result->value));
}

static void refuses(struct kit *kit, const char *in, enum seal_code code, const char *text)
{
	const struct engine_result *result = kit_one(kit, ENGINE_PROTECT, bytes_str(in));

	if (result->err == NULL)
		fail_msg("%s was taken", in);
	assert_int_equal(result->err->status, SEAL_DATA);
	assert_int_equal(result->err->code, code);
	assert_string_equal(result->err->place, "$['a']");
	assert_string_equal(result->err->text, text);
	assert_null(result->value.ptr);
}

static void persons(void **state)
{
	struct kit kit;

	open_kit(&kit, TOPIC("$.a: one, '$.b[*]': one, $.c: two, $.d: all"));
	gives(&kit, ENGINE_PROTECT, "{\"a\":1,\"id\":\"ann\"}", "{\"a\":\"ann\",\"id\":\"ann\"}");
	gives(&kit, ENGINE_PROTECT, "{\"id\":1.50e2,\"a\":1}", "{\"id\":1.50e2,\"a\":\"1.50e2\"}");
	gives(&kit, ENGINE_PROTECT, "{\"id\":\"\\u0061\\\"\\u00e4\",\"a\":1,\"b\":[1,2]}",
	      "{\"id\":\"\\u0061\\\"\\u00e4\",\"a\":\"a\\\"\xc3\xa4\",\"b\":[\"a\\\"\xc3\xa4\",\"a\\\"\xc3\xa4\"]}");
	gives(&kit, ENGINE_PROTECT, "{\"c\":1,\"at\":{\"the one\":7},\"d\":2}",
	      "{\"c\":\"7\",\"at\":{\"the one\":7},\"d\":\"(nobody)\"}");
	gives(&kit, ENGINE_PROTECT, "{\"x\":1}", "{\"x\":1}"); /* nothing to protect, so nobody is needed */
	/* Readers are told by what they read. */
	gives(&kit, ENGINE_REVEAL, "{\"a\":\"x\",\"id\":\"ann\"}", "{\"a\":\"(nobody)\",\"id\":\"ann\"}");
	gives(&kit, ENGINE_REVEAL, "{\"a\":\"x\"}", "{\"a\":\"(nobody)\"}");
	gives(&kit, ENGINE_REWRAP, "{\"a\":\"x\",\"id\":null}", "{\"a\":\"(nobody)\",\"id\":null}");
	kit_close(&kit);
}

static void nobody_to_be_told(void **state)
{
	static const char *const others[] = {"null", "true", "false", "{}", "[1]", "\"\\ud800\""};
	char text[128], *long_id = mem_alloc(CELL_PERSON_MAX + 64);
	struct kit kit;

	open_kit(&kit, TOPIC("$.a: one"));
	refuses(&kit, "{\"a\":1}", SEAL_E_MISSING, "the value gets the key of $.id, which the record has not");
	refuses(&kit, "{\"id\":1,\"a\":1,\"id\":1}", SEAL_E_MISSING,
		"the value gets the key of $.id, which the record has more than once");
	refuses(&kit, "{\"id\":\"\",\"a\":1}", SEAL_E_LIMIT,
		"$.id says whose key the value gets, and must have 1 to 1024 bytes");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(text, sizeof(text), "{\"id\":%s,\"a\":1}", others[i]);
		refuses(&kit, text, SEAL_E_MISSING,
			"$.id says whose key the value gets, and must be text or a number");
	}
	/* Protected on the way, under a key or a person's: nobody's name any more. */
	refuses(&kit, "{\"id\":\"vault:v1:abcd\",\"a\":1}", SEAL_E_PROTECTED,
		"$.id says whose key the value gets, but is protected itself; reveal it first");
	refuses(&kit, "{\"id\":\"json+seal\\u003ae1:AQ\",\"a\":1}", SEAL_E_PROTECTED,
		"$.id says whose key the value gets, but is protected itself; reveal it first");
	memset(long_id, 'x', CELL_PERSON_MAX + 64);
	memcpy(long_id, "{\"a\":1,\"id\":\"", 13);
	memcpy(long_id + 13 + CELL_PERSON_MAX, "\"}", 3);
	assert_null(kit_one(&kit, ENGINE_PROTECT, bytes_str(long_id))->err);
	memcpy(long_id + 13 + CELL_PERSON_MAX, "x\"}", 4);
	refuses(&kit, long_id, SEAL_E_LIMIT, "$.id says whose key the value gets, and must have 1 to 1024 bytes");
	/* Its neighbours are well. */
	gives(&kit, ENGINE_PROTECT, "{\"a\":1,\"id\":2}", "{\"a\":\"2\",\"id\":2}");
	mem_free(long_id);
	kit_close(&kit);
}

static void stores_of_methods(void **state)
{
	struct kit kit;

	open_kit(&kit, TOPIC("$.a: one, $.b: two, $.c: third, $.d: all"));
	assert_int_equal(opened, 2); /* each once, and none that nobody uses */
	assert_string_equal(last_address, "memory:b");
	assert_non_null(given[0]);
	assert_ptr_equal(given[0], given[1]);
	assert_non_null(given[2]);
	assert_ptr_not_equal(given[0], given[2]);
	assert_null(given[3]);
	kit_close(&kit);
	assert_int_equal(freed, 2);
	create_stores = true;
	open_kit(&kit, TOPIC("$.a: one, $.b: two, $.c: third, $.d: all"));
	assert_int_equal(opened, 2);
	kit_close(&kit);
	create_stores = false;
}

static void stores_that_fail(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	fail_open = SEAL_RETRY;
	assert_int_equal(try_kit(&kit, TOPIC("$.a: one"), &err), SEAL_RETRY);
	assert_string_equal(err.text, "policy store 'main' (memory:a): away");
	fail_open = SEAL_OK;
	err_clear(&err);
	assert_int_equal(try_kit(&kit,
				 "version: 1\nkeys: {k: fake:aes}\nstores: {s: away:x}\n"
				 "topics: [{match: t, protect: {$.a: {type: who, key: {name: k, per: $.id}}}}]\n",
				 &err),
			 SEAL_USAGE);
	assert_string_equal(err.text, "policy store 's' (away:x): there is no store 'away' here");
	assert_int_equal(opened, freed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(persons),
		cmocka_unit_test(nobody_to_be_told),
		cmocka_unit_test(stores_of_methods),
		cmocka_unit_test(stores_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
