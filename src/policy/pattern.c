/* Matching of topic names. Names come from the network; nothing here takes more than quadratic time. */
#include "policy/pattern.h"

enum pattern_kind pattern_kind_of(struct seal_bytes text)
{
	if (text.len >= 2 && text.ptr[0] == '/' && text.ptr[text.len - 1] == '/')
		return PATTERN_REGEX;
	for (size_t i = 0; i < text.len; i++)
		if (strchr("*?[\\", text.ptr[i]) != NULL)
			return PATTERN_GLOB;
	return PATTERN_EXACT;
}

const char *pattern_kind_name(enum pattern_kind kind)
{
	static const char *const names[] = {"exact", "glob", "regex"};

	return names[kind];
}

/*
 * The set that starts behind a '[' at `at`: where its ']' stands, or the length when there is none. A ']' that comes
 * first is a member.
 */
static size_t set_end(struct seal_bytes glob, size_t at)
{
	if (at < glob.len && (glob.ptr[at] == '!' || glob.ptr[at] == '^'))
		at++;
	if (at < glob.len && glob.ptr[at] == ']')
		at++;
	while (at < glob.len && glob.ptr[at] != ']')
		at++;
	return at;
}

static bool set_has(struct seal_bytes set, uint8_t c)
{
	bool negative = set.len && (set.ptr[0] == '!' || set.ptr[0] == '^'), found = false;
	size_t i = negative;

	while (i < set.len) {
		uint8_t low = set.ptr[i], high = low;

		if (i + 2 < set.len && set.ptr[i + 1] == '-') {
			high = set.ptr[i + 2];
			i += 2;
		}
		found |= c >= low && c <= high;
		i++;
	}
	return found != negative;
}

bool glob_check(struct seal_bytes glob, const char **why)
{
	size_t i = 0;

	while (i < glob.len) {
		uint8_t c = glob.ptr[i++];

		if (c == '\\' && i++ == glob.len) {
			*why = "a glob must not end in a backslash";
			return false;
		}
		if (c == '[' && (i = set_end(glob, i) + 1) > glob.len) {
			*why = "a set in a glob needs its closing ]";
			return false;
		}
	}
	return true;
}

/* Whether the element of the glob at *at (not a star) takes `c`; moves *at behind the element. */
static bool element_takes(struct seal_bytes glob, size_t *at, uint8_t c)
{
	uint8_t kind = glob.ptr[(*at)++];
	size_t end;

	switch (kind) {
	case '?':
		return true;
	case '[':
		end = set_end(glob, *at);
		kind = set_has(bytes_of(glob.ptr + *at, end - *at), c);
		*at = end + 1;
		return kind;
	case '\\':
		return glob.ptr[(*at)++] == c;
	default:
		return kind == c;
	}
}

bool glob_match(struct seal_bytes glob, struct seal_bytes name)
{
	size_t g = 0, n = 0, star = SIZE_MAX, star_n = 0;

	while (n < name.len) {
		size_t next = g;

		if (g < glob.len && glob.ptr[g] == '*') {
			star = ++g;
			star_n = n;
		} else if (g < glob.len && element_takes(glob, &next, name.ptr[n])) {
			g = next;
			n++;
		} else if (star != SIZE_MAX) {
			g = star; /* let the last star take one more */
			n = ++star_n;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.ptr[g] == '*')
		g++;
	return g == glob.len;
}

bool topic_is_internal(struct seal_bytes topic)
{
	return bytes_starts(topic, BYTES_LIT("__")) || bytes_eq_str(topic, "_schemas");
}

enum regex_result pattern_match(const struct topic_pattern *pattern, struct seal_bytes topic)
{
	if (pattern->kind == PATTERN_EXACT)
		return bytes_eq_str(topic, pattern->text) ? REGEX_YES : REGEX_NO;
	if (topic_is_internal(topic))
		return REGEX_NO;
	if (pattern->kind == PATTERN_GLOB)
		return glob_match(bytes_str(pattern->text), topic) ? REGEX_YES : REGEX_NO;
	return regex_match(pattern->regex, topic);
}
