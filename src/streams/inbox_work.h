/*
 * An inbox at work; inside src/streams only.
 *
 *   inbox.c         what callers see: read, commit, release, close
 *   inbox_lent.c    messages: queues, the order in which their time ends, memory
 *   inbox_worker.c  threads: receivers, and keepers that extend, acknowledge and give back
 *
 *   WAITING ──read──▶ READ ──commit──▶ COMMITTED ──acknowledged──▶ gone
 *      │               │
 *      │ stale, close  │ close
 *      └───────────────┴──▶ BACK ──given back──▶ gone
 *
 * Stale: its time was over before it was read, or that of one before it in its receive. What is lent to us no more is not given back:
 * it came back by itself, and its handle may be that of a message which another reader has by now.
 *
 * One lock guards everything; no call to the service is made under it. A message that a keeper extends (`extending`) is in no
 * list of times, and its state may change meanwhile: inbox_settle then does what the state asks for.
 *
 *   parcel   the memory of one receive, until all records of it have been released
 *   lent     a message until it is acknowledged or given back; its handle and id stand behind it
 */
#ifndef STREAMS_INBOX_WORK_H
#define STREAMS_INBOX_WORK_H

#include <pthread.h>

#include "streams/inbox.h"
#include "streams/pause.h"

struct inbox_parcel {
	struct arena arena;
	size_t users; /* records that are waiting or with the caller */
	bool broken_up; /* a record of it was dropped: those behind it might be of its group, and must not overtake it */
};

enum inbox_state { INBOX_WAITING, INBOX_READ, INBOX_COMMITTED, INBOX_BACK };

struct inbox_lent {
	struct inbox_message message; /* of the record only the id: what acknowledge and extend see */
	struct record record; /* views of the parcel, until it is read */
	struct inbox_parcel *parcel; /* NULL once read */
	struct inbox_lent *next; /* in the queue of its state */
	struct inbox_lent *sooner, *later; /* by until_ms */
	enum inbox_state state;
	bool timed; /* in the list of times */
	bool extending;
	bool lost; /* the service does not know the handle any more */
	bool late; /* counted */
	uint64_t since_ms, until_ms; /* lent */
	uint64_t number; /* READ and later: 1, 2, 3 … */
	size_t bytes;
};

struct inbox_queue {
	struct inbox_lent *first, *last;
	size_t n;
};

/* What a batch holds, in the batch's arena. */
struct inbox_held {
	uint64_t first; /* number of its first record */
	size_t n;
	struct inbox_parcel *parcels[];
};

struct inbox_thread {
	struct inbox *inbox;
	pthread_t thread;
	bool keeps; /* else: receives */
	bool calling; /* the service, under no lock */
	void *worker;
	struct inbox_message *messages; /* a receiver's: of one receive */
	struct inbox_lent **lents; /* of one call */
	struct inbox_message **asked;
	size_t n;
	uint64_t began_ms;
	int wait_ms; /* a receiver's */
};

struct inbox {
	struct inbox_config config;
	char *name;
	const struct inbox_service *service;
	void *arg;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t fetch, keep, changed; /* for receivers, keepers, callers */
	unsigned n_conds; /* how many of them were made, in this order */

	struct inbox_queue waiting, read, committed, back;
	struct inbox_lent *soonest, *latest; /* whose time ends first, last */
	size_t waiting_bytes;
	size_t n_lent; /* in any state */
	size_t n_committed; /* not yet acknowledged, whether queued or on their way */
	uint64_t numbers, late;

	unsigned receiving; /* receives under way */
	bool found; /* the last one found something */
	uint64_t quiet_ms; /* no receive before: a server that does not wait has nothing */
	uint64_t empty_ms; /* nothing was found since; 0: something was, or it is not known */
	uint64_t looked_ms; /* when a receive began last that has come back */
	uint64_t
		gone_ms; /* when a message was got rid of last: what the service kept back behind it may come from then on */
	struct pause fetch_pause, keep_pause;
	struct seal_err away; /* of receives; status SEAL_OK: it answers */
	bool keep_away;
	struct seal_err read_broken, keep_broken; /* for good */
	bool syncing; /* a caller waits for acknowledgements */
	bool stopping; /* no receives */
	bool closing; /* keepers end once there is nothing to say any more, */
	uint64_t closing_ms; /* or it is so late */

	struct inbox_thread *threads;
	unsigned n_threads, n_started;
	unsigned running[2]; /* receivers, keepers that have not ended */
};

/* ---- inbox_lent.c, under lock but for inbox_wrap and inbox_parcel_free ---- */

struct inbox_parcel *inbox_parcel_new(void); /* NULL: no memory */
void inbox_parcel_free(struct inbox_parcel *parcel); /* wipes */
/* True: it was the last user, and the parcel is the caller's to free. */
bool inbox_parcel_leave(struct inbox_parcel *parcel);

/* Makes lents of a receive's messages, in no queue yet. No lock. */
SEAL_MUST_USE enum seal_status inbox_wrap(struct inbox *inbox, struct inbox_parcel *parcel,
					  const struct inbox_message *messages, size_t n, uint64_t now_ms,
					  struct inbox_lent **out, struct seal_err *err);
void inbox_lent_free(struct inbox_lent *lent);
void inbox_push(struct inbox_queue *queue, struct inbox_lent *lent);
void inbox_push_front(struct inbox_queue *queue, struct inbox_lent *lent);
struct inbox_lent *inbox_pop(struct inbox_queue *queue);
/* Into and out of the list of times. */
void inbox_time(struct inbox *inbox, struct inbox_lent *lent, bool in_front);
void inbox_time_sorted(struct inbox *inbox, struct inbox_lent *lent);
void inbox_untime(struct inbox *inbox, struct inbox_lent *lent);
/* Counted once: it comes again. */
void inbox_count_late(struct inbox *inbox, struct inbox_lent *lent);
/* It is in no queue, and no keeper extends it: it is done with. */
void inbox_drop(struct inbox *inbox, struct inbox_lent *lent);
/* It is in no queue: a keeper gives it back, once none extends it. Drops it where it is lent to us no more. */
void inbox_give_back(struct inbox *inbox, struct inbox_lent *lent);
/* A keeper has done with it: into the list of times, or to where its state belongs. */
void inbox_settle(struct inbox *inbox, struct inbox_lent *lent, bool in_front);
/* All READ ones before `number` are to be acknowledged. */
void inbox_commit_before(struct inbox *inbox, uint64_t number);
/* What was never committed is to be given back. */
void inbox_return_all(struct inbox *inbox);
void inbox_lents_clear(struct inbox *inbox);

/* ---- inbox_worker.c ---- */

/* Nothing is there, and for so long nothing came that the end is here; receives are not begun any more then. */
bool inbox_is_idle(const struct inbox *inbox);
/* Is there room for one more receive, and reason for it? Who makes it so wakes a receiver; that one wakes the next. */
bool inbox_wants_more(const struct inbox *inbox);

SEAL_MUST_USE enum seal_status inbox_start(struct inbox *inbox, struct seal_err *err);
/* `clean`: says what there is to say to the service, as long as it answers. Again: nothing. */
void inbox_stop(struct inbox *inbox, bool clean);

#endif
