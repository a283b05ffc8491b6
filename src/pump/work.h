/* Shared by the files of this folder: the run, its slots, and what one worker owns. */
#ifndef PUMP_WORK_H
#define PUMP_WORK_H

#include <pthread.h>

#include "pump/dead.h"
#include "pump/part.h"
#include "pump/pump.h"
#include "pump/wait.h"

#define ARENA_KEEP (1u << 20)

/* A batch on its way. */
struct slot {
	struct batch batch;
	uint64_t ticket; /* the sink's last one when this batch was written */
};

#define PUMP_TICK_MS 100 /* how long anything blocks before it looks around */

enum transaction_state { TRANSACTION_NONE, TRANSACTION_OPEN, TRANSACTION_ENDING };

/* Exactly once: the sink's transaction; see transaction.h. */
struct transaction {
	enum transaction_state state;
	bool driven; /* a thread is in sink.end */
	bool stale; /* one was aborted and the source has not yet rewound: nothing that was read may go out */
	uint64_t fresh; /* batches before this one were read before the last rewind */
	uint64_t began_ms;
	struct pump_wait wait; /* while the sink puts its begin or end off */
	unsigned aborts; /* in a row */
	uint64_t aborting_ms; /* since the first of them */
	uint64_t again_ms; /* when it is tried again */
	struct seal_err why; /* of the last one */
	struct pump_counts counts; /* of what is in it */
};

struct pump {
	const struct pump_options *options; /* now */
	struct pump_options now; /* the caller's, but for what was reloaded */
	size_t batch_records;
	unsigned max_batches;
	struct slot *slots; /* batch k is in slots[k % max_batches] */

	/* Guards the source's read and commit, commit_failed, and those below; taken before `lock`. */
	pthread_mutex_t read_lock;
	uint64_t next_read; /* batches read so far */
	uint64_t committed; /* batches committed and released */
	uint64_t records_read;
	int read_ms; /* how long a read may wait */
	struct pump_wait commit_wait;

	/* Guards the sink and all below. */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* turn or state */
	uint64_t turn; /* batches wholly handed to the sink: the next one to write is this */
	uint64_t acknowledged; /* batches that are safe */
	uint64_t ticket; /* of the last write */
	struct pump_counts counts;
	struct transaction transaction;
	bool reloading; /* nothing more is read until plan and topic have changed */
	uint64_t reload_ms; /* when it was asked for last */
	const struct plan *new_plan;
	const struct policy_topic *new_topic;
	uint64_t progress_ms; /* when progress was last told */
	uint64_t seen_read, alive_turn; /* next_read as last looked at; turn when the run was last called alive */
	bool put_off; /* the sink has just said that it takes nothing now */
	struct pump_wait sink_wait; /* its service is away */
	struct seal_err sink_why; /* … why */
	bool write_away; /* … as the last write has said, whatever poll says */
	uint64_t stop_ms; /* when a stop request was first seen; 0: not yet */
	bool ended; /* nothing more is read */
	bool failed; /* nothing more is written; err says why */
	bool sink_failed; /* … nor flushed */
	bool sink_given_up; /* … nor waited for: its service was away for too long */
	bool commit_failed; /* nothing more is committed */
	bool read_failed; /* nothing more is read; what was read still goes out, then err says why */
	unsigned waiting; /* waits for services that are away; told when it becomes 1, and 0 again */
	uint64_t waiting_ms; /* since when */
	uint64_t abandoned; /* a stop request came while this batch's keys were away: nothing from it on is written */
	struct slot *cut; /* the batch that stopped the run, NULL when none did; its first n_cut records went out */
	size_t n_cut;
	struct seal_err err;
};

/* Under `lock`: keeps the first failure. */
void pump_fail(struct pump *p, const struct seal_err *why);
void pump_add_counts(struct pump_counts *to, const struct pump_counts *from);

/* One failed record of a batch. */
struct failure {
	const struct record *record;
	struct seal_err *why; /* place filled; in the worker's arena */
};

/* What one thread owns. */
struct worker {
	struct pump *pump;
	struct part *parts; /* of the records; none with `plain` */
	size_t n_parts;
	const struct seal_err **why; /* by record of the batch: NULL, or why it fails */
	struct dead_letters dead;
	/* What goes to the sink, in order; failures beside it. */
	struct record *out;
	size_t n_out;
	struct failure *failures;
	size_t n_failures;
	bool stop_after; /* the last failure stops the run */
	size_t n_before; /* then: records of the batch before it, which go out as usual */
	struct pump_counts counts; /* of this batch */
	struct arena arena; /* of this try of a batch: its failures, and headers that are new */
	pthread_t thread;
};

SEAL_MUST_USE enum seal_status worker_init(struct worker *worker, struct pump *pump, struct seal_err *err);
void worker_clear(struct worker *worker);

/*
 * Transforms a batch: fills out, failures, stop_after and counts. Fails only as engine_run does; the caller may call
 * again after SEAL_RETRY.
 */
SEAL_MUST_USE enum seal_status worker_transform(struct worker *worker, struct batch *batch, struct seal_err *err);

#endif
