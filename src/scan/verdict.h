/* What a node of a finished table amounts to: is it worth a line, what does it look like, what does the policy say. */
#ifndef SCAN_VERDICT_H
#define SCAN_VERDICT_H

#include "scan/table.h"

enum scan_status {
	SCAN_UNCLASSIFIED, /* some of it is neither protected nor allowed */
	SCAN_IN_CLEAR, /* by intent: the policy's `allow:` */
	SCAN_COVERED /* all of it is protected, or some and the rest allowed */
};

struct scan_verdict {
	enum scan_status status;
	struct detect_finding
		findings[DETECT_MAX]; /* best first, unsure ones, too: of what is in clear, else of the rest */
	size_t n_findings;
	const struct detector *best; /* the best that is sure and asks for protection; NULL: none */
	size_t best_at; /* where it stands in findings */
	bool names; /* names below it are data, in clear: only the object as a whole can be protected */
};

/* Values that are no containers, empty containers, or such that have no path of their own stood here. */
bool scan_node_is_told(const struct scan_node *node);
void scan_judge(const struct scan_node *node, struct scan_verdict *out);
/* Something to protect that the policy leaves open; without a policy, all that there is. */
static inline bool scan_is_open_find(const struct scan_verdict *verdict)
{
	return verdict->status == SCAN_UNCLASSIFIED && (verdict->best != NULL || verdict->names);
}

#endif
