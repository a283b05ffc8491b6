/*
 * Sets of chunk indexes.
 *
 * Invariant: at[i].from < at[i].to < at[i + 1].from: ranges that touch are one.
 */
#include "transfer/ranges.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

/* The first range that ends behind `index`, or n. */
static size_t find(const struct ranges *set, uint64_t index)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->at[middle].to > index)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool ranges_has(const struct ranges *set, uint64_t index)
{
	size_t i = find(set, index);

	return i < set->n && set->at[i].from <= index;
}

static enum seal_status insert(struct ranges *set, size_t i, struct range range, struct seal_err *err)
{
	if (set->n == RANGES_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "its chunks come too far from their order (more than %d gaps)", RANGES_MAX);
	if (set->n == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 4;
		struct range *grown = mem_realloc_array(set->at, cap, sizeof(*grown));

		if (grown == NULL)
			return err_memory(err);
		set->at = grown;
		set->cap = cap;
	}
	memmove(&set->at[i + 1], &set->at[i], (set->n - i) * sizeof(*set->at));
	set->at[i] = range;
	set->n++;
	return SEAL_OK;
}

enum seal_status ranges_add(struct ranges *set, uint64_t index, struct seal_err *err)
{
	size_t i = find(set, index);
	bool before = i > 0 && set->at[i - 1].to == index;
	bool behind = i < set->n && set->at[i].from == index + 1;

	if (i < set->n && set->at[i].from <= index)
		return SEAL_OK;
	if (before && behind) {
		set->at[i - 1].to = set->at[i].to;
		set->n--;
		memmove(&set->at[i], &set->at[i + 1], (set->n - i) * sizeof(*set->at));
		return SEAL_OK;
	}
	if (before)
		set->at[i - 1].to++;
	else if (behind)
		set->at[i].from--;
	else
		return insert(set, i, (struct range){index, index + 1}, err);
	return SEAL_OK;
}

enum seal_status ranges_append(struct ranges *set, uint64_t from, uint64_t to, struct seal_err *err)
{
	SEAL_INVARIANT(from < to && ranges_end(set) <= from);
	if (set->n > 0 && set->at[set->n - 1].to == from) {
		set->at[set->n - 1].to = to;
		return SEAL_OK;
	}
	return insert(set, set->n, (struct range){from, to}, err);
}

uint64_t ranges_count(const struct ranges *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += set->at[i].to - set->at[i].from;
	return count;
}

uint64_t ranges_end(const struct ranges *set)
{
	return set->n > 0 ? set->at[set->n - 1].to : 0;
}

/* Adds from … to - 1; to 0: from there on. False where it has no room, and "…" stands there. */
static bool put(char *out, size_t room, size_t *at, uint64_t from, uint64_t to)
{
	static const char more[] = "…";
	const char *comma = *at > 0 ? ", " : "";
	char text[64];
	size_t len;

	if (to == 0)
		snprintf(text, sizeof(text), "%s%" PRIu64 "-", comma, from);
	else if (to - from == 1)
		snprintf(text, sizeof(text), "%s%" PRIu64, comma, from);
	else
		snprintf(text, sizeof(text), "%s%" PRIu64 "-%" PRIu64, comma, from, to - 1);
	len = strlen(text);
	if (*at + len + 2 + sizeof(more) > room) {
		if (*at + 2 + sizeof(more) <= room)
			snprintf(out + *at, room - *at, "%s%s", comma, more);
		return false;
	}
	memcpy(out + *at, text, len + 1);
	*at += len;
	return true;
}

void ranges_missing_text(const struct ranges *set, uint64_t total, char *out, size_t room)
{
	uint64_t next = 0;
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < set->n; i++) {
		if (set->at[i].from > next && !put(out, room, &at, next, set->at[i].from))
			return;
		next = set->at[i].to;
	}
	if (total == 0 || next < total)
		(void)put(out, room, &at, next, total);
}

void ranges_clear(struct ranges *set)
{
	mem_free(set->at);
	*set = (struct ranges){0};
}
