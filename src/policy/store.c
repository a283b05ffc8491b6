/*
 * Stores, and what a method keeps there: `stores: {main: "sqlite:tokens.db"}`, `key: {name: pii, per: $.customer_id,
 * store: main}`, and `store: main` of a method that keeps its values there.
 */
#include "policy/build.h"
#include "policy/node.h"

/* The scheme is what stands before the first colon; what follows it is checked as a whole. */
static void build_store(struct build *build, const struct node *name, struct policy_store *store)
{
	const struct node *where = name->value;
	const struct key_scheme *scheme;
	const char *why = "it is not well-formed";
	const uint8_t *colon;

	if (!build_name_check(build, name, "a store") || where->kind == NODE_BAD)
		return;
	colon = where->kind == NODE_SCALAR ? memchr(where->text.ptr, ':', where->text.len) : NULL;
	if (colon == NULL) {
		build_error(build, where->mark, "store %.*s must say where it is, like \"sqlite:%.*s.db\"",
			    BYTES_FMT(name->text), BYTES_FMT(name->text));
		return;
	}
	scheme = build_scheme_find(build, where, bytes_of(where->text.ptr, (size_t)(colon - where->text.ptr)),
				   build->schema->stores, "stores");
	if (scheme == NULL)
		return;
	if (scheme->check != NULL && !scheme->check(where->text, &why)) {
		build_error(build, where->mark, "store %.*s: %s", BYTES_FMT(name->text), why);
		return;
	}
	store->scheme = scheme->name;
	store->address = build_str(build, where->text);
}

/* A store with a mistake keeps its place, so that what uses it is not reported, too. */
void build_stores(struct build *build, const struct node *stores)
{
	size_t n = stores ? stores->n : 0;

	build->stores = build_alloc(build, n, sizeof(*build->stores));
	build->store_used = build_scratch(build, n, sizeof(bool));
	if (build->stores == NULL || build->store_used == NULL)
		return;
	build->policy->stores = build->stores;
	if (n == 0 || !build_count_check(build, stores, n, "stores"))
		return;
	for (const struct node *name = stores->first; name != NULL && !build->no_memory; name = name->next) {
		struct policy_store *store = &build->stores[build->policy->n_stores];

		store->index = (uint32_t)build->policy->n_stores++;
		store->mark = name->mark;
		store->name = build_str(build, name->text);
		build_store(build, name, store);
	}
}

static const struct policy_store *use_store(struct build *build, size_t index)
{
	build->store_used[index] = true;
	return &build->stores[index];
}

static const struct policy_store *find_store(struct build *build, const struct node *name)
{
	const size_t n = build->policy->n_stores;
	const char **words = build_scratch(build, n + 1, sizeof(*words)), *near;

	for (size_t i = 0; words != NULL && i < n; i++) {
		if (bytes_eq_str(name->text, build->stores[i].name))
			return use_store(build, i);
		words[i] = build->stores[i].name;
	}
	near = words ? word_nearest(words, name->text) : NULL;
	if (near != NULL)
		build_error(build, name->mark, "unknown store \"%.*s\"; did you mean \"%s\"?", BYTES_FMT(name->text),
			    near);
	else
		build_error(build, name->mark,
			    "unknown store \"%.*s\"; add it under stores, like %.*s: \"sqlite:%.*s.db\"",
			    BYTES_FMT(name->text), BYTES_FMT(name->text), BYTES_FMT(name->text));
	return NULL;
}

/* The only store there is. `who` needs it for its `what`. */
static const struct policy_store *only_store(struct build *build, const struct node *at, const char *who,
					     const char *what)
{
	if (build->policy->n_stores == 1)
		return use_store(build, 0);
	if (build->policy->n_stores == 0)
		build_error(build, at->mark,
			    "%s needs a store for its %s; add stores: {main: \"sqlite:%s.db\"} to the policy", who,
			    what, what);
	else
		build_error(build, at->mark, "there are several stores; say in which one the %s are, like store: %s",
			    what, build->stores[0].name);
	return NULL;
}

bool build_method_store(struct build *build, const struct node *store, const struct node *at,
			struct policy_method *method)
{
	const char *who = arena_printf(&build->scratch, "type %s", method->kind->name);

	method->store = store ? find_store(build, store) : only_store(build, at, who ? who : "it", "tokens");
	return method->store != NULL;
}

bool build_per(struct build *build, const struct node *map, struct policy_method *method)
{
	const struct node *name = NULL, *per = NULL, *store = NULL;
	const struct map_field fields[] = {
		{"name", 1 << NODE_SCALAR, &name},
		{"per", 1 << NODE_SCALAR, &per},
		{"store", 1 << NODE_SCALAR, &store},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "key", .fields = fields};

	if ((method->flags & METHOD_PER) == 0) {
		build_error(build, map->mark, "type %s has one key for all: write its name, like key: pii",
			    method->kind->name);
		return false;
	}
	if ((method->flags & METHOD_CARRIES) != 0) {
		build_error(
			build, map->mark,
			"keys of people are kept in a store, so there is none to carry; remove carry from method %s",
			method->name);
		return false;
	}
	if (!map_read(build, map, &spec))
		return false;
	if (name == NULL || per == NULL) {
		build_error(build, map->mark,
			    "key needs both, like {name: pii, per: $.customer_id}; one key for all is key: NAME");
		return false;
	}
	method->key = build_key_find(build, name);
	method->store = store ? find_store(build, store) : only_store(build, map, "per", "keys");
	if (!build_sibling_path(build, per, "what a key is per", &method->per.path))
		return false;
	method->per.text = build_str(build, per->text);
	return method->key != NULL && method->store != NULL && method->per.text != NULL;
}
