/*
 * The audit trail of a run: who used which key for what, as lines that are chained by their hashes. Never a value, a key or a
 * secret; names of keys, topics, files and methods, and counts.
 *
 *   start    who (user, host, process), version, command           first
 *   policy   a policy was loaded: its hash and file                again, as `reload`, when it was replaced while running
 *   key      a key was opened by its name
 *   use      what was done under one key since the last line about it: every interval, and at the end
 *   stop     how the run ended
 *
 * It fails closed: a line that the target does not take within AUDIT_WAIT_MS makes every later call fail, and `failed` is called, so
 * that whoever uses keys stops.
 *
 *   audit_append ──▶ enter ─▶ line ─▶ append ─▶ leave      one line at a time, by any thread
 *        ▲
 *   meters, asked by a thread of its own every interval
 *
 * Thread-safe.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/target.h"

struct audit;

struct audit_options {
	uint64_t interval_ms; /* how often meters are read */
	/* The trail could not be written: called once, by any thread, perhaps inside a call of this header. */
	void (*failed)(void *arg);
	void *arg;
};

/* What counts uses. Embedded in something larger, that lives until audit_meter_remove. */
struct audit_meter {
	struct audit_meter *next; /* the audit's */
	/* Appends a `use` line for each thing that has been used since the last call; by one thread at a time. What fails is the trail's failure. */
	enum seal_status (*read)(struct audit_meter *meter, struct audit *audit, struct seal_err *err);
};

/* `target` is the audit's from now on, also on failure. Nothing is written yet. */
SEAL_MUST_USE enum seal_status audit_new(struct audit_target *target, const struct audit_options *options,
					 struct audit **out, struct seal_err *err);
/* Writes nothing any more. Accepts NULL. No meter may be left. */
void audit_free(struct audit *audit);

/*
 * One line; returns when it is safe. `members` from audit_put_text and audit_put_number. Once it has failed, all later calls fail
 * in the same way.
 */
SEAL_MUST_USE enum seal_status audit_append(struct audit *audit, const char *event, struct seal_bytes members,
					    struct seal_err *err);
/*
 * A line is lost before it got here, for want of memory: as if it had not been written. Only the first failure counts; what
 * audit_append has returned may be given to it, too.
 */
void audit_fail(struct audit *audit, const struct seal_err *why);
/* What the first failure was: SEAL_OK while there was none. */
enum seal_status audit_failure(struct audit *audit, struct seal_err *err);

/* From now on the meter is read every interval. */
void audit_meter_add(struct audit *audit, struct audit_meter *meter);
/* Reads it a last time, and forgets it. */
SEAL_MUST_USE enum seal_status audit_meter_remove(struct audit *audit, struct audit_meter *meter,
						  struct seal_err *err);

/* Where the chain stands after the last line of this run; seq 0: there is none. */
struct audit_link audit_end(struct audit *audit);

#endif
