/*
 * Finding what to protect: records in, a table of paths out, with what the values looked like and what a policy says of them.
 * A scanner is one thread's; tables of several are merged at the end (scan/table.h).
 *
 *   record ─┬─ value ───┐  cover: which spans a policy protects or allows
 *           ├─ key ─────┼─▶ each value ─ detect ─▶ counts of its path
 *           └─ headers ─┘
 */
#ifndef SCAN_SCAN_H
#define SCAN_SCAN_H

#include "scan/cover.h"
#include "streams/stream.h"

/* What all scanners share. */
struct scan_rules {
	struct cover_rules value, key;
	struct cover_rules *headers; /* of policy->headers, in its order */
	size_t n_headers;
	const char *const *allow_headers; /* the policy's; NULL: none */
	bool text; /* values are text or bytes: not looked into */
};

/* `topic`: rules for these records; NULL: none. It must outlive them. `text`: without a topic, values are text. */
SEAL_MUST_USE enum seal_status scan_rules_init(struct scan_rules *rules, const struct policy_topic *topic, bool text,
					       struct seal_err *err);
void scan_rules_clear(struct scan_rules *rules);

struct scan_totals {
	uint64_t records; /* all */
	uint64_t tombstones, failed; /* of these */
	uint64_t bytes; /* of keys and values */
};

struct scanner {
	const struct scan_rules *rules;
	struct detect *detect;
	struct scan_table *table;
	struct scan_totals totals;
	struct arena scratch; /* of one record */
	struct cover cover;
};

SEAL_MUST_USE enum seal_status scanner_init(struct scanner *scanner, const struct scan_rules *rules,
					    struct seal_err *err);
void scanner_clear(struct scanner *scanner); /* a zeroed one, too */

/*
 * Counts `record`, the `number`-th of all. SEAL_DATA: it cannot be read (and is counted as failed): key or value is not
 * JSON; what can be read of it is counted. Other errors: the table is of no use any more.
 */
SEAL_MUST_USE enum seal_status scanner_record(struct scanner *scanner, const struct record *record, uint64_t number,
					      struct seal_err *err);

/* Adds all that `from` counted. */
SEAL_MUST_USE enum seal_status scanner_merge(struct scanner *scanner, struct scanner *from, struct seal_err *err);

#endif
