/* A policy put to use: loaded, its keys opened, one topic's rules chosen. For every command that transforms records. */
#ifndef CMD_POLICY_USE_H
#define CMD_POLICY_USE_H

#include "cmd/command.h"

struct policy_use {
	struct policy *policy;
	struct plan *plan;
	const struct policy_topic *topic;
	struct audit_policy *audit; /* NULL: there is no audit trail */
};

#define POLICY_USE_INIT                                                                                              \
	{                                                                                                            \
		NULL, NULL, NULL, NULL                                                                               \
	}

/*
 * `topic`, which --topic names; NULL: the policy's only one. ENGINE_PROTECT makes stores that are not there, others fail. Warnings of the policy, and that key memory could not be locked, are logged.
 * Errors: SEAL_E_CONFIG with file:line:column, SEAL_E_NO_INPUT, and those of keys.
 */
SEAL_MUST_USE enum seal_status policy_use_open(const char *file, const char *topic, enum engine_direction direction,
					       const struct global_options *global, struct policy_use *out,
					       struct seal_err *err);
/* The same where --policy-topic names it, with the rules of the first of `topics` (ended by NULL) that the policy knows; none: SEAL_E_CONFIG. */
SEAL_MUST_USE enum seal_status policy_use_open_any(const char *file, const char *const *topics,
						   enum engine_direction direction,
						   const struct global_options *global, struct policy_use *out,
						   struct seal_err *err);
/* The same without opening any key: `plan` stays NULL. */
SEAL_MUST_USE enum seal_status policy_use_load(const char *file, const char *const *topics, struct policy_use *out,
					       struct seal_err *err);
/*
 * After `records` were protected: warns of the topic's paths that none of them had, where a mistyped name leaves data in clear.
 * `hint` follows where they had none at all; may be "".
 */
void policy_use_tell_unfound(const struct policy_use *use, uint64_t records, const char *hint);
/* No policy was named: SEAL_USAGE. */
enum seal_status policy_is_needed(struct seal_err *err);
void policy_use_close(struct policy_use *use);

#endif
