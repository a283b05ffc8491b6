/*
 * Plans: a policy joined to the methods and keys that exist.
 *
 *   policy.keys[i]    ──▶ keys[i]     opened once per scheme and reference, however often the policy names it
 *   policy.stores[i]  ──▶ stores[i]   opened once, when a method needs it
 *   policy.methods[i] ──▶ methods[i]  opened with its key, which has the use that the method asks for, and its store
 *   policy.topics[i]  ──▶ topics[i]
 *
 * Everything that can be wrong with a key or a store is found here, at start, and said with the key's name in the policy.
 */
#include "engine/plan.h"

#include <stdio.h>

#include "base/mem.h"

static const struct {
	unsigned flag, use;
	const char *verb, *types;
} key_uses[] = {
	{METHOD_ENCRYPT_KEY, KEY_ENCRYPT, "encrypt", "aes256-gcm96"},
	{METHOD_HMAC_KEY, KEY_HMAC, "make HMACs", "hmac"},
	{METHOD_FPE_KEY, KEY_FPE, "do format-preserving encryption", "ff1"},
	{METHOD_TRANSFORM_KEY, KEY_TRANSFORM, "do Vault's Transform", "transform"},
};

static struct plan_source *find_source(struct plan *plan, const char *scheme)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (strcmp(plan->sources[i].ops->name, scheme) == 0)
			return &plan->sources[i];
	return NULL;
}

/* The key before `index` that lives in the same place, if it is open. */
static const struct plan_key *find_same(const struct plan *plan, size_t index)
{
	const struct policy_key *key = &plan->policy->keys[index];

	for (size_t i = 0; i < index; i++)
		if (plan->keys[i].key != NULL && strcmp(plan->policy->keys[i].scheme, key->scheme) == 0 &&
		    bytes_eq(plan->policy->keys[i].reference, key->reference))
			return &plan->keys[i];
	return NULL;
}

static enum seal_status open_key(struct plan *plan, size_t index, const struct key_source_config *config,
				 struct seal_err *err)
{
	const struct policy_key *spec = &plan->policy->keys[index];
	struct plan_source *source = find_source(plan, spec->scheme);
	const struct plan_key *same = find_same(plan, index);
	struct plan_key *key = &plan->keys[index];
	enum seal_status rc = SEAL_OK;

	if (same != NULL) {
		key->key = same->key;
		key->info = same->info;
		return SEAL_OK;
	}
	if (source == NULL) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "there is no key store '%s' here", spec->scheme);
		goto out;
	}
	if (source->source == NULL)
		SEAL_TRY(source->ops->open(config, &source->source, err));
	SEAL_TRY(source->ops->key(source->source, spec->reference, &key->key, err));
	key->owned = true;
	SEAL_TRY(key->key->ops->info(key->key, &key->info, err));
out:
	if (rc != SEAL_OK && spec->own)
		err_prefix(err, "%s", spec->name);
	else if (rc != SEAL_OK)
		err_prefix(err, "policy key '%s' (%s:%.*s)", spec->name, spec->scheme, BYTES_FMT(spec->reference));
	return rc;
}

/* Fails when the key cannot do what the method's kind asks for. */
static enum seal_status check_use(const struct policy_method *method, const struct plan_key *key,
				  struct seal_err *err)
{
	for (size_t i = 0; i < sizeof(key_uses) / sizeof(key_uses[0]); i++) {
		if ((method->flags & key_uses[i].flag) == 0 || (key->info.uses & key_uses[i].use) != 0)
			continue;
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			"method '%s' (%s) needs a key that can %s, but policy key '%s' (%s:%.*s) is of type %s; "
			"name a key of type %s, or create one",
			method->name, method->kind->name, key_uses[i].verb, method->key->name, method->key->scheme,
			BYTES_FMT(method->key->reference), key->info.type, key_uses[i].types);
	}
	return SEAL_OK;
}

/* Does the method encrypt under a key that makes another one of what the value is bound to? */
static bool derives(const struct policy_method *method, const struct plan_key *key)
{
	return (method->flags & (METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS)) == METHOD_ENCRYPT_KEY && key->info.derived;
}

/* There is nothing to derive from then. */
static enum seal_status check_bind(const struct policy_method *method, const struct plan_key *key,
				   struct seal_err *err)
{
	if (!derives(method, key) || method->bind.mode != BIND_NONE)
		return SEAL_OK;
	return err_set(
		err, SEAL_USAGE, SEAL_E_KEY_TYPE,
		"method '%s' (%s) has 'bind: none', but policy key '%s' (%s:%.*s) is derived: it makes a key of its "
		"own of what a value is bound to; bind the values to their place or a domain, or name a key that is "
		"not derived",
		method->name, method->kind->name, method->key->name, method->key->scheme,
		BYTES_FMT(method->key->reference));
}

bool plan_warning(const struct plan *plan, size_t index, char out[SEAL_ERR_TEXT_MAX])
{
	const struct policy_method *method = &plan->policy->methods[index];

	out[0] = '\0';
	if (method->key == NULL || (method->flags & METHOD_CONVERGENT_KEY) != 0 ||
	    !plan->keys[method->key->index].info.convergent || !derives(method, &plan->keys[method->key->index]))
		return false;
	snprintf(out, SEAL_ERR_TEXT_MAX,
		 "method '%s' (%s): policy key '%s' (%s:%.*s) is convergent, so equal values that are bound to the "
		 "same look "
		 "equal to everyone who sees the records",
		 method->name, method->kind->name, method->key->name, method->key->scheme,
		 BYTES_FMT(method->key->reference));
	return true;
}

static enum seal_status open_store(struct plan *plan, const struct policy_store *spec,
				   const struct engine_registry *registry, const struct key_source_config *keys,
				   struct seal_err *err)
{
	const struct store_config config = {.create = keys->create_stores, .later = keys->stores_later};
	struct plan_store *store = &plan->stores[spec->index];
	enum seal_status rc = SEAL_OK;

	for (const struct store_ops *const *at = registry->stores; at != NULL && *at != NULL; at++)
		if (strcmp((*at)->name, spec->scheme) == 0)
			store->ops = *at;
	if (store->ops == NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "there is no store '%s' here", spec->scheme);
	else if (store->store == NULL)
		rc = store->ops->open(spec->address, &config, &store->store, err);
	if (rc != SEAL_OK)
		err_prefix(err, "policy store '%s' (%s)", spec->name, spec->address);
	return rc;
}

static const struct method_ops *find_method(const struct engine_registry *registry, const struct method_kind *kind)
{
	for (const struct method_ops *const *at = registry->methods; *at != NULL; at++)
		if (&(*at)->kind == kind)
			return *at;
	return NULL;
}

static enum seal_status open_method(struct plan *plan, size_t index, const struct engine_registry *registry,
				    const struct key_source_config *config, struct seal_err *err)
{
	const struct policy_method *spec = &plan->policy->methods[index];
	const struct method_ops *ops = find_method(registry, spec->kind);
	struct method_needs needs = {.metrics = config != NULL ? config->metrics : NULL,
				     .namespace_ = plan->policy->namespace_,
				     .before = plan->methods,
				     .n_before = index};
	enum seal_status rc;

	SEAL_INVARIANT(ops != NULL && spec->index == index);
	if ((spec->flags & METHOD_ANY_KEY) != 0) {
		SEAL_INVARIANT(spec->key != NULL);
		if (plan->keys[spec->key->index].key == NULL)
			SEAL_TRY(open_key(plan, spec->key->index, config, err));
		SEAL_TRY(check_use(spec, &plan->keys[spec->key->index], err));
		SEAL_TRY(check_bind(spec, &plan->keys[spec->key->index], err));
		needs.key = plan->keys[spec->key->index].key;
	}
	if (spec->store != NULL) {
		SEAL_TRY(open_store(plan, spec->store, registry, config, err));
		needs.store = plan->stores[spec->store->index].store;
	}
	rc = ops->open(spec, &needs, &plan->methods[index], err);
	if (rc != SEAL_OK && needs.key != NULL)
		err_prefix(err, spec->key->own ? "method '%s', %s" : "method '%s', policy key '%s'", spec->name,
			   spec->key->name);
	else if (rc != SEAL_OK)
		err_prefix(err, "method '%s'", spec->name);
out:
	return rc;
}

static void note_sibling(struct plan_topic *note, const struct policy_topic *topic, uint32_t path)
{
	if (path != UINT32_MAX && path - topic->n_rules + 1 > note->n_siblings)
		note->n_siblings = path - topic->n_rules + 1;
}

static enum seal_status note_topic(struct plan *plan, const struct policy_topic *topic, struct seal_err *err)
{
	struct plan_topic *note = &plan->topics[topic->index];

	note->found = mem_calloc(topic->n_rules + 1, sizeof(*note->found));
	if (note->found == NULL)
		return err_memory(err);
	for (size_t i = 0; i < topic->n_rules; i++) {
		note_sibling(note, topic, topic->rules[i].record_path);
		note_sibling(note, topic, topic->rules[i].per_path);
	}
	if (topic->n_rules > plan->max_rules)
		plan->max_rules = topic->n_rules;
	if (note->n_siblings > plan->max_siblings)
		plan->max_siblings = note->n_siblings;
	return SEAL_OK;
}

static enum seal_status allocate(struct plan *plan, const struct engine_registry *registry, struct seal_err *err)
{
	while (registry->sources[plan->n_sources] != NULL)
		plan->n_sources++;
	plan->sources = mem_calloc(plan->n_sources + 1, sizeof(*plan->sources));
	plan->keys = mem_calloc(plan->policy->n_keys + 1, sizeof(*plan->keys));
	plan->stores = mem_calloc(plan->policy->n_stores + 1, sizeof(*plan->stores));
	plan->methods = mem_calloc(plan->policy->n_methods + 1, sizeof(struct method *));
	plan->counts = mem_calloc(plan->policy->n_methods + 1, sizeof(*plan->counts));
	plan->topics = mem_calloc(plan->policy->n_topics + 1, sizeof(*plan->topics));
	if (plan->sources == NULL || plan->keys == NULL || plan->stores == NULL || plan->methods == NULL ||
	    plan->counts == NULL || plan->topics == NULL)
		return err_memory(err);
	for (size_t i = 0; i < plan->n_sources; i++)
		plan->sources[i].ops = registry->sources[i];
	return SEAL_OK;
}

enum seal_status plan_new(const struct policy *policy, const struct engine_registry *registry,
			  const struct key_source_config *keys, struct plan **out, struct seal_err *err)
{
	struct plan *plan = mem_calloc(1, sizeof(*plan));
	enum seal_status rc;

	*out = NULL;
	if (plan == NULL)
		return err_memory(err);
	plan->policy = policy;
	SEAL_TRY(allocate(plan, registry, err));
	for (size_t i = 0; i < policy->n_methods; i++)
		SEAL_TRY(open_method(plan, i, registry, keys, err));
	for (size_t i = 0; i < policy->n_topics; i++)
		SEAL_TRY(note_topic(plan, &policy->topics[i], err));
out:
	if (rc != SEAL_OK)
		plan_free(plan);
	else
		*out = plan;
	return rc;
}

void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; plan->methods != NULL && i < plan->policy->n_methods; i++)
		if (plan->methods[i] != NULL)
			plan->methods[i]->ops->free(plan->methods[i]);
	for (size_t i = 0; plan->stores != NULL && i < plan->policy->n_stores; i++)
		if (plan->stores[i].store != NULL)
			plan->stores[i].ops->free(plan->stores[i].store);
	for (size_t i = 0; plan->keys != NULL && i < plan->policy->n_keys; i++)
		if (plan->keys[i].owned)
			plan->keys[i].key->ops->free(plan->keys[i].key);
	for (size_t i = 0; plan->sources != NULL && i < plan->n_sources; i++)
		if (plan->sources[i].source != NULL)
			plan->sources[i].ops->free(plan->sources[i].source);
	for (size_t i = 0; plan->topics != NULL && i < plan->policy->n_topics; i++)
		mem_free(plan->topics[i].found);
	mem_free(plan->counts);
	mem_free(plan->methods);
	mem_free(plan->stores);
	mem_free(plan->keys);
	mem_free(plan->sources);
	mem_free(plan->topics);
	mem_free(plan);
}

const struct policy *plan_policy(const struct plan *plan)
{
	return plan->policy;
}

/* Nothing is ordered by these numbers. */
static void add(atomic_uint_least64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t get(atomic_uint_least64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

void plan_count_add(struct plan_count *count, const struct plan_use *use)
{
	add(&count->protected, use->protected);
	add(&count->revealed, use->revealed);
	add(&count->rewrapped, use->rewrapped);
	add(&count->failed, use->failed);
	add(&count->passed, use->passed);
	add(&count->lots, use->lots);
	add(&count->ns, use->ns);
}

void plan_use_get(const struct plan *plan, size_t index, struct plan_use *out)
{
	struct plan_count *count = &plan->counts[index];

	SEAL_INVARIANT(index < plan->policy->n_methods);
	*out = (struct plan_use){.protected = get(&count->protected),
				 .revealed = get(&count->revealed),
				 .rewrapped = get(&count->rewrapped),
				 .failed = get(&count->failed),
				 .passed = get(&count->passed),
				 .lots = get(&count->lots),
				 .ns = get(&count->ns)};
}

void plan_rule_set_found(const struct plan *plan, const struct policy_topic *topic, size_t rule)
{
	atomic_bool *found = &plan->topics[topic->index].found[rule];

	if (!atomic_load_explicit(found, memory_order_relaxed)) /* a line that is only read stays in all caches */
		atomic_store_explicit(found, true, memory_order_relaxed);
}

bool plan_rule_found(const struct plan *plan, const struct policy_topic *topic, size_t rule)
{
	SEAL_INVARIANT(topic->index < plan->policy->n_topics && rule < topic->n_rules);
	return atomic_load_explicit(&plan->topics[topic->index].found[rule], memory_order_relaxed);
}

bool plan_key_get(const struct plan *plan, size_t index, struct key_info *out)
{
	struct key *key = plan->keys[index].key;

	SEAL_INVARIANT(index < plan->policy->n_keys);
	return key != NULL && key->ops->info(key, out, NULL) == SEAL_OK;
}
