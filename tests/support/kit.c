/* See kit.h. */
#include "kit.h"

#include <stdio.h>

#include "keys/keyring.h"
#include "methods/builtin.h"

static const struct method_ops *const methods[] = {
	&method_deterministic, &method_encrypt, &method_envelope, &method_fpe,	     &method_hash, &method_mask,
	&method_redact,	       &method_remove,	&method_token,	  &method_transform, NULL,
};
static const struct method_kind *const kinds[] = {
	&method_deterministic.kind,
	&method_encrypt.kind,
	&method_envelope.kind,
	&method_fpe.kind,
	&method_hash.kind,
	&method_mask.kind,
	&method_redact.kind,
	&method_remove.kind,
	&method_token.kind,
	&method_transform.kind,
	NULL,
};
static const struct key_source_ops *const sources[] = {&fake_source, &keyring_source, &fake_transform_source, NULL};
static const struct key_scheme schemes[] = {
	{"fake", "a key for tests", fake_reference_check},
	{"local", "a key of the keyring", keyring_reference_check},
	{"vault", "a role for tests", fake_transform_check},
	{.name = NULL},
};

struct store *kit_store;

static bool store_check(struct seal_bytes address, const char **why)
{
	return true;
}

static enum seal_status store_open(const char *address, const struct store_config *config, struct store **out,
				   struct seal_err *err)
{
	*out = kit_store;
	return kit_store != NULL ? SEAL_OK : err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the test has no store");
}

static void store_free(struct store *store)
{
}

static const struct store_ops fake_store_ops = {.size = sizeof(struct store_ops),
						.name = "fake",
						.help = "",
						.check = store_check,
						.open = store_open,
						.free = store_free};
static const struct store_ops *const stores[] = {&fake_store_ops, NULL};
static const struct key_scheme store_schemes[] = {{"fake", "a store for tests", store_check}, {.name = NULL}};

const struct engine_registry kit_registry = {.methods = methods, .sources = sources, .stores = stores};
const struct policy_schema kit_schema = {.methods = kinds, .schemes = schemes, .stores = store_schemes};

enum seal_status kit_try(struct kit *kit, const char *policy, const struct key_source_config *keys,
			 const struct engine_options *options, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	enum seal_status rc;

	*kit = (struct kit){.policy = NULL};
	SEAL_TRY(policy_load(bytes_str(policy), "test.yaml", &kit_schema, NULL, &kit->policy, err));
	SEAL_TRY(plan_new(kit->policy, &kit_registry, keys != NULL ? keys : &no_keys, &kit->plan, err));
	SEAL_TRY(engine_new(kit->plan, options, &kit->engine, err));
	for (size_t i = 0; i < kit->policy->n_topics && kit->topic == NULL; i++)
		if (!kit->policy->topics[i].is_dead_letter)
			kit->topic = &kit->policy->topics[i];
out:
	if (rc != SEAL_OK)
		kit_close(kit);
	return rc;
}

void kit_open(struct kit *kit, const char *policy)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (kit_try(kit, policy, NULL, NULL, &err) != SEAL_OK) {
		fprintf(stderr, "kit: %s: %s\n", err.place, err.text);
		abort();
	}
}

void kit_close(struct kit *kit)
{
	engine_free(kit->engine);
	plan_free(kit->plan);
	policy_free(kit->policy);
	*kit = (struct kit){.policy = NULL};
}

const struct engine_result *kit_one(struct kit *kit, enum engine_direction direction, struct seal_bytes value)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (engine_run(kit->engine, kit->topic, direction, &value, 1, &kit->result, &err) != SEAL_OK) {
		fprintf(stderr, "kit: %s: %s\n", err.place, err.text);
		abort();
	}
	return &kit->result;
}
