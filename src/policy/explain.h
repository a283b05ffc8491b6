/* What a policy does, in words: which entry a topic gets and why, and what happens to each path. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/policy.h"

/*
 * Appends the explanation of `topic`, or of all entries when it is NULL. `file` is what to call the policy. A topic
 * that no entry matches is SEAL_USAGE/SEAL_E_CONFIG.
 */
SEAL_MUST_USE enum seal_status explain_text(const struct policy *policy, const char *file, const char *topic,
					    struct seal_buf *out, struct seal_err *err);
/* The same as JSON, "schema": "sealstream.policy.explain/1". */
SEAL_MUST_USE enum seal_status explain_json(const struct policy *policy, const char *file, const char *topic,
					    struct seal_buf *out, struct seal_err *err);

#endif
