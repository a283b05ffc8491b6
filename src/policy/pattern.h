/*
 * Which topics an entry is for: an exact name, a glob, or a regular expression between slashes.
 *
 *   purchases      this topic
 *   shop.*         glob: * any characters, ? one, [a-z] one of a set, [!a-z] one of the others, \x just x
 *   /shop\.\d+/    PCRE2, matches the whole name
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "base/bytes.h"
#include "base/regex.h"

enum pattern_kind { PATTERN_EXACT, PATTERN_GLOB, PATTERN_REGEX };

struct topic_pattern {
	enum pattern_kind kind;
	const char *text; /* as written */
	const struct regex *regex; /* PATTERN_REGEX */
};

enum pattern_kind pattern_kind_of(struct seal_bytes text);
/* "exact", "glob", "regex". */
const char *pattern_kind_name(enum pattern_kind kind);

/* True when each '[' has its ']' and no '\' stands last; else *why says what is wrong. */
bool glob_check(struct seal_bytes glob, const char **why);
/* Time is at most proportional to both lengths multiplied. */
bool glob_match(struct seal_bytes glob, struct seal_bytes name);

/* Topics of the broker's own ("__consumer_offsets", "_schemas"): only an exact pattern matches them. */
bool topic_is_internal(struct seal_bytes topic);
enum regex_result pattern_match(const struct topic_pattern *pattern, struct seal_bytes topic);

#endif
