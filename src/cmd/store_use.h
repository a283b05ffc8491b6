/*
 * What commands that look into stores work on: each key and store that methods of a policy share, once, and opened.
 *
 *   policy ─▶ methods that --method and --topic leave ─▶ targets: each key and store once ─▶ opened
 */
#ifndef CMD_STORE_USE_H
#define CMD_STORE_USE_H

#include "cmd/command.h"
#include "policy/policy.h"
#include "stores/store.h"

struct store_target {
	const struct policy *policy;
	const struct policy_method *method; /* the first of those that share its key and its store */
};

/* Which methods are meant. */
struct store_choice {
	bool (*fits)(const struct policy_method *method); /* has a store */
	const char *topic, *method; /* NULL: all */
	const char *with; /* for messages, what they are: "with a key for each person" */
	const char *none; /* … and what the lack of any means: ", so there is nothing to forget" */
};

/* In the call's arena; at least one. SEAL_USAGE: names that are not there, nothing that fits. */
SEAL_MUST_USE enum seal_status store_targets_find(const struct command_call *call, const struct policy *policy,
						  const struct store_choice *choice, struct store_target **out,
						  size_t *n, struct seal_err *err);
/* Does the method have the target's key and store? */
bool store_target_has(const struct store_target *target, const struct policy_method *method);
/* The operations of a store's scheme. The policy was checked against the same registry. */
const struct store_ops *store_ops_of(const struct policy_store *store);

struct store_opened {
	const struct key_source_ops *source_ops;
	const struct store_ops *store_ops;
	struct key_source *source;
	struct key *key;
	struct key_info info;
	struct key_session *session;
	struct store *store;
};

/* `create`: a store that is not there is made; else SEAL_E_NO_INPUT. On failure *out is to be closed, too. */
SEAL_MUST_USE enum seal_status store_target_open(const struct command_call *call, const struct store_target *target,
						 bool create, struct store_opened *out, struct seal_err *err);
void store_target_close(struct store_opened *opened); /* all zero is fine */

#endif
