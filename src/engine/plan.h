/* What a plan holds; only the engine's files look inside. Immutable once made, but for what its engines count. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include <stdatomic.h>

#include "engine/engine.h"

struct plan_source {
	const struct key_source_ops *ops;
	struct key_source *source; /* NULL: no key of the policy needs it */
};

struct plan_key {
	struct key *key; /* NULL: no method uses it */
	struct key_info info;
	bool owned; /* false: the same key as an earlier one's */
};

struct plan_store {
	const struct store_ops *ops;
	struct store *store; /* NULL: no method uses it */
};

/* What the engine must know of a topic besides its rules. */
struct plan_topic {
	size_t n_siblings; /* paths after the rules': values that others are bound to, or whose keys they have */
	atomic_bool *found; /* by rule: see plan_rule_found; changes as counts do */
};

/* A struct plan_use that engines of all threads add to. */
struct plan_count {
	atomic_uint_least64_t protected, revealed, rewrapped, failed, passed, lots, ns;
};

/* Adds what an engine has done in one call. Thread-safe. */
void plan_count_add(struct plan_count *count, const struct plan_use *use);
/* See plan_rule_found. Thread-safe. */
void plan_rule_set_found(const struct plan *plan, const struct policy_topic *topic, size_t rule);

struct plan {
	const struct policy *policy;
	struct plan_source *sources; /* as in the registry */
	size_t n_sources;
	struct plan_key *keys; /* as in the policy */
	struct plan_store *stores; /* as in the policy */
	struct method **methods; /* as in the policy */
	struct plan_count *counts; /* by method; with topics[].found the only part that changes */
	struct plan_topic *topics; /* as in the policy */
	size_t max_rules, max_siblings; /* of any topic */
};

#endif
