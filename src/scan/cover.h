/* Which values of a record a policy protects or allows in clear: spans of one document, asked for in ascending order. */
#ifndef SCAN_COVER_H
#define SCAN_COVER_H

#include "policy/policy.h"
#include "scan/table.h"

/* One part of a record under the rules for it: what threads share. */
struct cover_rules {
	const struct policy_topic *topic; /* NULL: none */
	struct json_paths *allow; /* NULL: no path is allowed */
	enum scan_cover rest; /* of what neither names: SCAN_CLEAR, or SCAN_ALLOWED */
};

/* `topic` may be NULL; it must outlive the rules. `allowed`: what it does not protect is in clear by intent. */
SEAL_MUST_USE enum seal_status cover_rules_init(struct cover_rules *rules, const struct policy_topic *topic,
						bool allowed, struct seal_err *err);
void cover_rules_clear(struct cover_rules *rules);
/* Of a whole payload that is not looked into: format bytes or text, which has one rule at most. */
enum scan_cover cover_whole(const struct cover_rules *rules, uint32_t *rule);

/* The spans of one document; scratch of one thread. */
struct cover {
	struct json_scan protected, allowed;
	size_t at_protected, at_allowed; /* the first spans that have not ended */
	size_t n_rules;
	enum scan_cover rest;
};

#define COVER_INIT                                                                                                   \
	{                                                                                                            \
		JSON_SCAN_INIT, JSON_SCAN_INIT, 0, 0, 0, SCAN_CLEAR                                                  \
	}

/* Checks `doc`, too: SEAL_DATA when it is not JSON. */
SEAL_MUST_USE enum seal_status cover_scan(struct cover *cover, const struct cover_rules *rules, struct seal_bytes doc,
					  struct seal_err *err);
/* Of the value whose first byte is at `at`; `at` never goes back. *rule: 1 + its index, with SCAN_PROTECTED. */
enum scan_cover cover_of(struct cover *cover, size_t at, uint32_t *rule);
void cover_clear(struct cover *cover);

#endif
