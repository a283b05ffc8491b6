/* Verdicts look at what is in clear as long as there is any: what is protected at the same path does not excuse it. */
#include "scan/verdict.h"

bool scan_node_is_told(const struct scan_node *node)
{
	const struct scan_counts *counts = &node->counts;
	uint64_t containers = counts->types[SCAN_ARRAY] + counts->types[SCAN_OBJECT];

	return counts->below > 0 || counts->names[0] > 0 || scan_node_values(node) > containers ||
	       (containers > 0 && node->children == NULL);
}

static enum scan_status status_of(const struct scan_counts *counts)
{
	if (counts->by_cover[SCAN_CLEAR] > 0)
		return SCAN_UNCLASSIFIED;
	return counts->by_cover[SCAN_PROTECTED] > 0 ? SCAN_COVERED : SCAN_IN_CLEAR;
}

void scan_judge(const struct scan_node *node, struct scan_verdict *out)
{
	const struct detect_counts *looks;

	out->status = status_of(&node->counts);
	looks = &node->counts.looks[out->status != SCAN_UNCLASSIFIED];
	/* No text and no number stood here: a name alone says nothing about null and true. */
	out->n_findings = looks->values > 0 ? detect_judge(looks, out->findings) : 0;
	out->names = node->counts.names[0] > 0;
	out->best = NULL;
	for (size_t i = 0; i < out->n_findings && out->best == NULL; i++)
		if (out->findings[i].confidence >= DETECT_CONFIDENT && out->findings[i].what->suggest != NULL) {
			out->best = out->findings[i].what;
			out->best_at = i;
		}
}
