/*
 * An outbox at work; inside src/streams only.
 *
 *   outbox.c         what callers see: write, poll, flush, tickets, memory
 *   outbox_queue.c   targets, lanes, what a request may take
 *   outbox_worker.c  threads: wait for a request, send it, deal with its results
 *
 * One lock guards everything; it is never held while something is sent, copied or measured.
 *
 *   target (a topic) ─┬─ loose: records without a lane ────────────────┐
 *                     └─ lanes that have records, none of them out ────┴──▶ a request
 *                            │ waiting: its records, oldest first
 *
 * A lane exists as long as a record of it does. It stands in its target's list exactly when it has waiting records and none of
 * it is with a worker. All steps take a time that does not depend on how many records or lanes there are.
 */
#ifndef STREAMS_OUTBOX_WORK_H
#define STREAMS_OUTBOX_WORK_H

#include <pthread.h>

#include "base/table.h"
#include "crypto/siphash.h"
#include "streams/outbox.h"
#include "streams/pause.h"
#include "streams/silence.h"

#define OUTBOX_TARGETS_MAX 64

/* A record that is not yet done; its bytes stand behind it. */
struct outbox_entry {
	struct outbox_item item; /* .record points to `record` */
	struct record record;
	struct outbox_entry *next; /* in its queue */
	struct outbox_lane *lane; /* NULL: none */
	struct outbox_target *target;
	uint64_t slot; /* its ticket's */
	uint64_t due_ms; /* goes out now, even in a request that is not full */
	size_t size; /* of this allocation */
};

struct outbox_queue {
	struct outbox_entry *first, *last;
	size_t n, bytes; /* as the service counts them */
};

struct outbox_lane {
	struct table_node node; /* first */
	struct outbox_target *target;
	struct outbox_lane *older, *newer; /* in the target's list */
	struct outbox_queue waiting;
	size_t users; /* records of it, whether waiting or out */
	bool busy; /* records of it are out */
	size_t key_len;
	uint8_t key[];
};

struct outbox_target {
	struct outbox_target *next;
	struct outbox_lane *first, *last; /* lanes that can send */
	struct outbox_queue loose;
	size_t n, bytes; /* what requests could take now */
	size_t name_len;
	uint8_t name[];
};

/* Acknowledged when nothing is left of it and of all before. */
struct outbox_slot {
	uint64_t ticket;
	size_t left;
};

struct outbox_thread {
	struct outbox *outbox;
	pthread_t thread;
	void *worker;
	struct outbox_item **items; /* of the request that is out */
	size_t n;
	uint64_t began_ms;
};

struct outbox {
	struct outbox_config config;
	char *name;
	const struct outbox_service *service;
	void *arg;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t work, changed; /* for workers; for callers */
	bool has_work, has_changed; /* these were made */

	uint8_t hash_key[SIPHASH_KEY_LEN];
	struct table lanes;
	struct outbox_target *targets, *turn; /* turn: whose requests were looked at last */
	size_t n, used; /* records that are not done; their memory */
	uint64_t numbers;
	struct outbox_slot *slots; /* a ring of n_slots, a power of two */
	size_t n_slots;
	uint64_t first_slot, last_slot;
	uint64_t acknowledged, told;

	struct pause pause;
	struct seal_err away; /* status SEAL_OK: it answers */
	struct silence silence; /* … or does not: while requests are out */
	unsigned out;
	struct seal_err broken; /* for good */
	uint64_t repeated;
	unsigned hurries; /* callers that wait: no lingering */
	unsigned polling, flushing; /* callers that wait: for what is acknowledged; until nothing is left */
	size_t room; /* the writer waits until so many bytes fit; 0: it does not */
	bool stopping;

	struct outbox_thread *threads;
	unsigned n_threads, n_started; /* started: have a worker, or failed to */
};

/* The memory of entries and lanes is wiped as it is freed. */
static inline struct outbox_entry *outbox_entry_of(struct outbox_item *item)
{
	return (struct outbox_entry *)((char *)item - offsetof(struct outbox_entry, item));
}

/* ---- outbox_queue.c, all under lock but outbox_entry_new ---- */

/* A copy of the record that is in no queue; target and slot are the caller's. No lock. */
SEAL_MUST_USE enum seal_status outbox_entry_new(struct outbox *o, const struct record *record,
						struct outbox_entry **out, struct seal_err *err);
void outbox_entry_free(struct outbox_entry *entry); /* of no lane any more */
/* Bytes of memory that a record takes. */
size_t outbox_cost(const struct record *record);
/* Finds target and lane, or makes them. Undone by outbox_leave. */
SEAL_MUST_USE enum seal_status outbox_join(struct outbox *o, struct outbox_entry *entry, struct seal_err *err);
void outbox_leave(struct outbox *o, struct outbox_entry *entry);
/* Behind all others of its lane. */
void outbox_put(struct outbox *o, struct outbox_entry *entry);
/* A request that is due now: fills thread->items and n. False: none; *until_ms: when one will be. */
bool outbox_take(struct outbox *o, struct outbox_thread *thread, uint64_t now_ms, uint64_t *until_ms);
/* What a request did not get rid of goes back, in front of all that came later; the lanes of a request may send again. */
void outbox_give_back(struct outbox *o, struct outbox_entry *entry);
void outbox_lane_done(struct outbox *o, struct outbox_lane *lane);
void outbox_queue_clear(struct outbox *o);

/* ---- outbox_worker.c ---- */

SEAL_MUST_USE enum seal_status outbox_start(struct outbox *o, struct seal_err *err);
/* Waits for what is out, for a while. */
void outbox_stop(struct outbox *o);

/* ---- outbox.c ---- */

/* Under lock: the record is safe; it is freed. */
void outbox_done(struct outbox *o, struct outbox_entry *entry);
/* Under lock: wakes callers if one of them has what it waits for. One that waits for hundreds of requests is woken once. */
void outbox_tell(struct outbox *o);

#endif
