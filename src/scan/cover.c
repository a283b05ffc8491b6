/* Spans come from the scanner in document order and never overlap among one set of paths, so one index each is all there is. */
#include "scan/cover.h"

#include "base/mem.h"

enum seal_status cover_rules_init(struct cover_rules *rules, const struct policy_topic *topic, bool allowed,
				  struct seal_err *err)
{
	*rules = (struct cover_rules){.topic = topic, .rest = allowed ? SCAN_ALLOWED : SCAN_CLEAR};
	if (topic == NULL || topic->n_allow == 0)
		return SEAL_OK;
	return json_paths_new(topic->allow, topic->n_allow, &rules->allow, err);
}

void cover_rules_clear(struct cover_rules *rules)
{
	json_paths_free(rules->allow);
	*rules = (struct cover_rules){.topic = NULL};
}

enum scan_cover cover_whole(const struct cover_rules *rules, uint32_t *rule)
{
	*rule = rules->topic != NULL && rules->topic->n_rules > 0 ? 1 : 0;
	return *rule != 0 ? SCAN_PROTECTED : rules->rest;
}

enum seal_status cover_scan(struct cover *cover, const struct cover_rules *rules, struct seal_bytes doc,
			    struct seal_err *err)
{
	enum seal_status rc;

	cover->at_protected = cover->at_allowed = 0;
	cover->allowed.n_hits = 0;
	cover->n_rules = rules->topic != NULL ? rules->topic->n_rules : 0;
	cover->rest = rules->rest;
	SEAL_TRY(json_scan(rules->topic != NULL ? rules->topic->paths : NULL, doc, &cover->protected, err));
	if (rules->allow != NULL)
		SEAL_TRY(json_scan(rules->allow, doc, &cover->allowed, err));
out:
	return rc;
}

/* The span that `at` lies in, or NULL. Paths from `n_paths` on do not count. */
static const struct json_hit *span_at(const struct json_scan *scan, size_t *from, size_t n_paths, size_t at)
{
	while (*from < scan->n_hits && (scan->hits[*from].end <= at || scan->hits[*from].path >= n_paths))
		(*from)++;
	return *from < scan->n_hits && scan->hits[*from].start <= at ? &scan->hits[*from] : NULL;
}

enum scan_cover cover_of(struct cover *cover, size_t at, uint32_t *rule)
{
	const struct json_hit *hit = span_at(&cover->protected, &cover->at_protected, cover->n_rules, at);

	*rule = 0;
	if (hit != NULL) {
		*rule = hit->path + 1;
		return SCAN_PROTECTED;
	}
	if (span_at(&cover->allowed, &cover->at_allowed, JSON_PATHS_MAX, at) != NULL)
		return SCAN_ALLOWED;
	return cover->rest;
}

void cover_clear(struct cover *cover)
{
	json_scan_clear(&cover->protected);
	json_scan_clear(&cover->allowed);
}
