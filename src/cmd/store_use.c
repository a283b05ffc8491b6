/* Keys and stores of a policy, for commands that look into stores. */
#include "cmd/store_use.h"

#include "cmd/audit_use.h"
#include "cmd/registry.h"

static bool uses(const struct policy_topic *topic, const struct policy_method *method)
{
	for (size_t i = 0; i < topic->n_rules; i++)
		if (topic->rules[i].method == method)
			return true;
	return false;
}

/* For its values, record keys or headers. */
static bool in_topic(const struct policy_topic *topic, const struct policy_method *method)
{
	if (uses(topic, method) || (topic->key != NULL && uses(topic->key, method)))
		return true;
	for (size_t i = 0; topic->headers != NULL && topic->headers[i] != NULL; i++)
		if (uses(topic->headers[i], method))
			return true;
	return false;
}

bool store_target_has(const struct store_target *target, const struct policy_method *method)
{
	const struct policy_method *mine = target->method;

	return method->key != NULL && method->store != NULL && strcmp(mine->key->scheme, method->key->scheme) == 0 &&
	       bytes_eq(mine->key->reference, method->key->reference) &&
	       strcmp(mine->store->address, method->store->address) == 0;
}

static void add_target(const struct policy *policy, const struct policy_method *method, struct store_target *targets,
		       size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (store_target_has(&targets[i], method))
			return;
	targets[(*n)++] = (struct store_target){policy, method};
}

static enum seal_status no_such_method(const struct command_call *call, const struct policy *policy,
				       const struct store_choice *choice, struct seal_err *err)
{
	const char **names = arena_alloc(call->arena, (policy->n_methods + 1) * sizeof(*names), _Alignof(char *));
	const char *nearest;
	size_t n = 0;

	if (names == NULL)
		return err_memory(err);
	for (size_t i = 0; i < policy->n_methods; i++)
		if (choice->fits(&policy->methods[i]))
			names[n++] = policy->methods[i].name;
	names[n] = NULL;
	nearest = word_nearest(names, bytes_str(choice->method));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the policy has no method %.100s %s%s%.100s%s", choice->method,
		       choice->with, nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		       nearest != NULL ? "?" : "");
}

enum seal_status store_targets_find(const struct command_call *call, const struct policy *policy,
				    const struct store_choice *choice, struct store_target **out, size_t *n,
				    struct seal_err *err)
{
	const struct policy_topic *topic = NULL;

	*n = 0;
	*out = arena_alloc(call->arena, (policy->n_methods + 1) * sizeof(**out), _Alignof(struct store_target));
	if (*out == NULL)
		return err_memory(err);
	if (choice->topic != NULL) {
		topic = policy_topic_find(policy, bytes_str(choice->topic));
		if (topic == NULL)
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				       "no topic of the policy matches %.150s; sealstream policy explain shows them",
				       choice->topic);
	}
	for (size_t i = 0; i < policy->n_methods; i++) {
		const struct policy_method *method = &policy->methods[i];

		if (choice->fits(method) && (topic == NULL || in_topic(topic, method)) &&
		    (choice->method == NULL || strcmp(choice->method, method->name) == 0))
			add_target(policy, method, *out, n);
	}
	if (*n > 0)
		return SEAL_OK;
	if (choice->method != NULL)
		return no_such_method(call, policy, choice, err);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s has no method %s%s",
		       choice->topic != NULL ? "this topic" : "the policy", choice->with, choice->none);
}

const struct store_ops *store_ops_of(const struct policy_store *store)
{
	for (const struct store_ops *const *at = registry.stores; *at != NULL; at++)
		if (strcmp((*at)->name, store->scheme) == 0)
			return *at;
	SEAL_INVARIANT(!"a store of the policy's that the registry does not have");
}

static enum seal_status open_key(const struct command_call *call, const struct policy_key *key,
				 struct store_opened *open, struct seal_err *err)
{
	const struct key_source_config config = global_key_config(call->global);
	enum seal_status rc;

	for (size_t i = 0; registry.sources[i] != NULL; i++)
		if (strcmp(registry.sources[i]->name, key->scheme) == 0)
			open->source_ops = registry.sources[i];
	SEAL_INVARIANT(open->source_ops != NULL); /* the policy was checked against the same registry */
	SEAL_TRY(audit_use_key(call->global, key->scheme, key->reference, err));
	SEAL_TRY(open->source_ops->open(&config, &open->source, err));
	SEAL_TRY(open->source_ops->key(open->source, key->reference, &open->key, err));
	SEAL_TRY(open->key->ops->info(open->key, &open->info, err));
	SEAL_TRY(open->key->ops->session(open->key, &open->session, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "policy key '%s'", key->name);
	return rc;
}

enum seal_status store_target_open(const struct command_call *call, const struct store_target *target, bool create,
				   struct store_opened *out, struct seal_err *err)
{
	const struct policy_store *store = target->method->store;
	const struct store_config config = {.create = create};
	enum seal_status rc;

	*out = (struct store_opened){.store_ops = store_ops_of(store)};
	SEAL_TRY(open_key(call, target->method->key, out, err));
	rc = out->store_ops->open(store->address, &config, &out->store, err);
	if (rc != SEAL_OK)
		err_prefix(err, "policy store '%s'", store->name);
out:
	return rc;
}

void store_target_close(struct store_opened *opened)
{
	if (opened->store != NULL)
		opened->store_ops->free(opened->store);
	if (opened->session != NULL)
		opened->session->ops->free(opened->session);
	if (opened->key != NULL)
		opened->key->ops->free(opened->key);
	if (opened->source != NULL)
		opened->source_ops->free(opened->source);
	*opened = (struct store_opened){.store = NULL};
}
