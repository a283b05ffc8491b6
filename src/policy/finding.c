/*
 * Findings: what is wrong or odd in a policy, each one line with its place. They are collected in the order in which
 * compiling meets them and sorted by place at its end. FINDINGS_MAX bounds what is kept; the counts go on.
 */
#include "policy/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

#define FINDINGS_MAX 1000
#define FINDING_TEXT_MAX 500

void policy_findings_init(struct policy_findings *findings)
{
	memset(findings, 0, sizeof(*findings));
	findings->tail = &findings->first;
	arena_init(&findings->arena, 0);
}

void policy_findings_clear(struct policy_findings *findings)
{
	arena_clear(&findings->arena);
	policy_findings_init(findings);
}

/* One line of valid UTF-8, whatever names the policy has: control characters and cut ones become '?'. */
static void make_line(char *text)
{
	struct seal_bytes all = bytes_str(text);
	size_t at = 0;

	while (at < all.len) {
		size_t from = at;
		uint32_t code_point;

		if (!utf8_next(all, &at, &code_point)) {
			text[from] = '?';
			at = from + 1;
		} else if (code_point < 0x20 || code_point == 0x7f) {
			text[from] = '?';
		}
	}
}

bool finding_add(struct policy_findings *findings, struct policy_mark mark, bool warning, const char *fmt,
		 va_list args)
{
	char text[FINDING_TEXT_MAX];
	struct policy_finding *finding;

	if (findings->errors + findings->warnings < FINDINGS_MAX) {
		vsnprintf(text, sizeof(text), fmt, args);
		make_line(text);
		finding = ARENA_NEW(&findings->arena, struct policy_finding);
		if (finding == NULL)
			return false;
		*finding = (struct policy_finding){.mark = mark, .warning = warning};
		finding->text = arena_strndup(&findings->arena, text, strlen(text));
		if (finding->text == NULL)
			return false;
		*findings->tail = finding;
		findings->tail = &finding->next;
	}
	if (warning)
		findings->warnings++;
	else
		findings->errors++;
	return true;
}

static bool stands_before(const struct policy_finding *a, const struct policy_finding *b)
{
	if (a->mark.line != b->mark.line)
		return a->mark.line < b->mark.line;
	return a->mark.column < b->mark.column;
}

/* Insertion keeps the order of findings at one place; at most FINDINGS_MAX of them. */
void finding_sort(struct policy_findings *findings)
{
	struct policy_finding *rest = findings->first, **at;

	findings->first = NULL;
	while (rest != NULL) {
		struct policy_finding *one = rest;

		rest = rest->next;
		for (at = &findings->first; *at != NULL && !stands_before(one, *at);)
			at = &(*at)->next;
		one->next = *at;
		*at = one;
	}
	findings->tail = &findings->first;
	while (*findings->tail != NULL)
		findings->tail = &(*findings->tail)->next;
}

const struct policy_finding *finding_first_error(const struct policy_findings *findings)
{
	const struct policy_finding *finding = findings->first;

	while (finding != NULL && finding->warning)
		finding = finding->next;
	return finding;
}
