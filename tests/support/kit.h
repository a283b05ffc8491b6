/*
 * A policy text with plan and engine, in one call: the built-in methods over the key sources "fake", "local" and a "vault" that
 * has roles only. What must
 * not fail here aborts, so that fuzzers can use it, too.
 */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include "engine/engine.h"
#include "fake_keys.h"
#include "fake_transform.h"

extern const struct engine_registry kit_registry;
extern const struct policy_schema kit_schema;

/* What "fake:…" under `stores` opens; the test's, which frees it. */
extern struct store *kit_store;

struct kit {
	struct policy *policy;
	struct plan *plan;
	struct engine *engine;
	const struct policy_topic *topic; /* the first that is not made for dead letters */
	struct engine_result result; /* of kit_one */
};

/* `keys` and `options` may be NULL. On failure the kit is empty. */
SEAL_MUST_USE enum seal_status kit_try(struct kit *kit, const char *policy, const struct key_source_config *keys,
				       const struct engine_options *options, struct seal_err *err);
void kit_open(struct kit *kit, const char *policy);
void kit_close(struct kit *kit);

/* Runs one value through the kit's topic; the call must succeed. Valid until the next call. */
const struct engine_result *kit_one(struct kit *kit, enum engine_direction direction, struct seal_bytes value);

/* The head of most policies: keys k (fake:aes), f (fake:ff1), h (fake:hmac). */
#define KIT_HEAD "version: 1\nnamespace: shop\nkeys: {k: 'fake:aes', f: 'fake:ff1', h: 'fake:hmac'}\n"

#endif
