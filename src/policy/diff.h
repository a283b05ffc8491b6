/*
 * Two policies compared by what they mean for data: can what was made under the old one still be revealed under the new one, and
 * is what was protected still so? Names of keys, methods and entries do not matter, what they stand for does.
 *
 * Topics are compared by the entry that each policy finds for a name: for every name that either policy spells out, and for those
 * that the caller asks about. A pattern of the old policy is looked for, as it is written, in the new one; entries before it there
 * whose patterns may take topics from it are compared, too.
 */
#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include "policy/policy.h"

enum change_kind {
	CHANGE_LOSES, /* data of before is no longer revealed, or a record that holds it is refused */
	CHANGE_EXPOSES, /* what was protected goes out in clear from now on */
	CHANGE_DIFFERS, /* both can be read, but look or are treated differently */
	CHANGE_KINDS
};

struct policy_change {
	struct policy_change *next;
	enum change_kind kind;
	const char *topic; /* a name or a pattern */
	const char *path; /* "$.Address", "key", "header:x"; NULL: the whole entry */
	const char *text; /* what, and what to do */
	struct policy_mark was, is; /* line 0: nowhere */
};

struct policy_diff {
	struct policy_change *first, **tail;
	size_t n[CHANGE_KINDS];
	size_t topics; /* that were compared */
	struct arena arena;
};

void policy_diff_init(struct policy_diff *diff);
void policy_diff_clear(struct policy_diff *diff);
/* `topics`: further names, ended by NULL; may be NULL. Changes are in the order of the old policy. Fails only without memory. */
SEAL_MUST_USE enum seal_status policy_diff(const struct policy *was, const struct policy *is,
					   const char *const *topics, struct policy_diff *diff, struct seal_err *err);
/* "loses", "exposes", "differs" */
const char *change_kind_name(enum change_kind kind);

#endif
