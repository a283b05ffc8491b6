/*
 * Is an audit trail whole and unchanged? Lines go in one after the other, chains may be mixed (a topic has one of each run, and
 * several partitions); what is wrong with each line comes out.
 *
 *   changed, missing, repeated, moved, foreign lines; chains that don't begin at their first line; expected lines that are not there
 *
 * What it cannot tell: lines that were taken from the end of a chain, or a whole chain, unless a later hash was noted elsewhere and
 * is expected; and a chain that somebody who may write it has made anew from some line on, for the same reason.
 */
#ifndef AUDIT_CHECK_H
#define AUDIT_CHECK_H

#include "audit/ids.h"

#define AUDIT_EXPECT_MAX 64

struct audit_chain {
	struct audit_id id; /* first */
	uint64_t lines, first_seq, last_seq;
	uint8_t last[SHA256_LEN];
	char first_time[AUDIT_TIME_LEN + 1], last_time[AUDIT_TIME_LEN + 1];
};

struct audit_run {
	struct audit_id id; /* first */
	bool stopped;
};

struct audit_check_options {
	const uint8_t (*expect)[SHA256_LEN]; /* hashes that lines must have */
	size_t n_expect; /* at most AUDIT_EXPECT_MAX */
	const uint8_t *
		after; /* SHA256_LEN bytes: one chain begins behind the line with this hash; NULL: all at their first */
	/* One fault: `what` is one line. May be NULL. */
	void (*fault)(void *arg, const char *place, const char *what);
	void *arg;
};

struct audit_check {
	struct audit_check_options options;
	struct audit_ids chains, runs; /* struct audit_chain, struct audit_run; those that began last come first */
	uint64_t unfinished; /* runs without a `stop`: under way, or killed */
	uint64_t lines, faults;
	bool found[AUDIT_EXPECT_MAX]; /* by expected hash */
	bool goes_on; /* a chain begins behind `after` */
};

void audit_check_init(struct audit_check *check, const struct audit_check_options *options);
void audit_check_clear(struct audit_check *check);
/* `text` without its newline; `place` says where it stands. Fails only without memory. */
SEAL_MUST_USE enum seal_status audit_check_line(struct audit_check *check, struct seal_bytes text, const char *place,
						struct seal_err *err);
/* After the last line. */
void audit_check_end(struct audit_check *check);

#endif
