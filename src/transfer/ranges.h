/*
 * A set of chunk indexes as ranges, in order and not touching each other. A file that comes in order is one range; the
 * number of ranges is bounded, so that a hostile order costs no memory.
 */
#ifndef TRANSFER_RANGES_H
#define TRANSFER_RANGES_H

#include "base/buf.h"

#define RANGES_MAX 4096

struct range {
	uint64_t from, to; /* from … to - 1 */
};

struct ranges {
	struct range *at;
	size_t n, cap;
};

bool ranges_has(const struct ranges *set, uint64_t index);
/* SEAL_DATA/SEAL_E_LIMIT past RANGES_MAX; the set is then as it was. */
SEAL_MUST_USE enum seal_status ranges_add(struct ranges *set, uint64_t index, struct seal_err *err);
/* The same for from … to - 1, which must lie behind all that is in the set. */
SEAL_MUST_USE enum seal_status ranges_append(struct ranges *set, uint64_t from, uint64_t to, struct seal_err *err);
uint64_t ranges_count(const struct ranges *set);
/* One past the highest index; 0 when empty. */
uint64_t ranges_end(const struct ranges *set);
/*
 * What of 0 … total - 1 is not in the set: "3-7, 9, 12-", cut with "…" where `room` ends. total 0: how many there are is not
 * known, so that what is missing goes on behind the last.
 */
void ranges_missing_text(const struct ranges *set, uint64_t total, char *out, size_t room);
void ranges_clear(struct ranges *set);

#endif
