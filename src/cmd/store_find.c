/* See store_find.h. */
#include "cmd/store_find.h"

#include "cmd/policy.h"
#include "cmd/registry.h"
#include "cmd/store_use.h"

static enum seal_status find_address(const char *address, struct store_ref *out, struct seal_err *err)
{
	const size_t len = strcspn(address, ":");
	const char *why;

	for (const struct store_ops *const *at = registry.stores; *at != NULL; at++) {
		if (strlen((*at)->name) != len || strncmp((*at)->name, address, len) != 0)
			continue;
		*out = (struct store_ref){address, *at};
		if ((*at)->check(bytes_str(address), &why))
			return SEAL_OK;
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s", why);
	}
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "a store is sqlite:FILE or postgresql://HOST/NAME, or -p POLICY names it");
}

static enum seal_status no_such_store(const struct command_call *call, const struct policy *policy, const char *name,
				      struct seal_err *err)
{
	const char **names = arena_alloc(call->arena, (policy->n_stores + 1) * sizeof(*names), _Alignof(char *));
	const char *nearest;

	if (names == NULL)
		return err_memory(err);
	for (size_t i = 0; i < policy->n_stores; i++)
		names[i] = policy->stores[i].name;
	names[policy->n_stores] = NULL;
	nearest = word_nearest(names, bytes_str(name));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the policy has no store %.100s%s%.100s%s", name,
		       nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		       nearest != NULL ? "?" : "");
}

enum seal_status store_find(const struct command_call *call, struct store_find *out, struct seal_err *err)
{
	const struct store_options *options = call->options;
	enum seal_status rc;

	*out = (struct store_find){.n = 0};
	if (call->n_args == 0) {
		if (options->policy == NULL)
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
				       "which store? Name its ADDRESS, or a policy with -p FILE (or "
				       "SEALSTREAM_POLICY)");
		SEAL_TRY(policy_command_load(options->policy, &out->policy, err));
	}
	out->refs =
		arena_alloc(call->arena, (out->policy != NULL ? out->policy->n_stores + 1 : 1) * sizeof(*out->refs),
			    _Alignof(struct store_ref));
	if (out->refs == NULL)
		return err_memory(err);
	if (out->policy == NULL) {
		out->n = 1;
		return find_address(call->args[0], out->refs, err);
	}
	for (size_t i = 0; i < out->policy->n_stores; i++) {
		const struct policy_store *store = &out->policy->stores[i];

		if (options->store == NULL || strcmp(options->store, store->name) == 0)
			out->refs[out->n++] = (struct store_ref){store->address, store_ops_of(store)};
	}
	if (out->n > 0)
		return SEAL_OK;
	if (options->store != NULL)
		return no_such_store(call, out->policy, options->store, err);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the policy has no stores");
out:
	return rc;
}

void store_find_clear(struct store_find *found)
{
	policy_free(found->policy);
	found->policy = NULL;
}
