/*
 * All records of a source, or a sample of them, through as many scanners as there are threads.
 *
 *   source ─ one thread at a time ─▶ batch ─▶ scanner of that thread ─┐
 *                                    batch ─▶ scanner of another ─────┴─ merged at the end
 *
 * The result does not depend on the number of threads: tables are sums, and where a path was first seen is the number of a
 * record, given while the source is locked.
 */
#ifndef SCAN_RUN_H
#define SCAN_RUN_H

#include "scan/scan.h"

struct scan_run_options {
	struct source *source; /* the caller's to close */
	const struct scan_rules *rules;
	size_t threads; /* from 1; where the system gives fewer, fewer do */
	uint64_t max_records; /* 0: until the source ends */
	int (*stop)(void); /* non-zero: what was read counts, no more is read; may be NULL */
	/* One record that cannot be read, and why. By one thread at a time. */
	void (*failed)(void *arg, const struct record *record, const struct seal_err *why);
	void *arg;
};

/*
 * On success `scanner` has the finished table and the totals, and is the caller's to clear; *more: max_records ended it.
 * Fails as the source's read does, and when memory is short.
 */
SEAL_MUST_USE enum seal_status scan_run(const struct scan_run_options *options, struct scanner *scanner, bool *more,
					struct seal_err *err);

#endif
