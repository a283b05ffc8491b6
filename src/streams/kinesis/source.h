/*
 * A reader of Kinesis at work; inside src/streams/kinesis only.
 *
 *   source.c   what callers see: read, commit, release, close
 *   shard.c    shards: what is listed, fetched and done of each
 *   page.c     what an answer of GetRecords holds
 *   fetch.c    threads that call GetRecords
 *   keeper.c   one thread: lists shards, takes and gives up leases, keeps places
 *   balance.c  which leases to take
 *
 *   GetRecords ──▶ pages of a shard ──read──▶ points (what is with the caller) ──commit──▶ shard.done ──keeper──▶ book
 *
 * A shard is read by one thread at a time, so that its records keep their order. A page is the memory of one answer, until all of
 * its records were released. `assignment` changes each time that a lease becomes ours: what belongs to an older one is
 * forgotten. A lease that was not renewed for as long as it lasts may be another reader's by now: until the book answers again,
 * nothing more is fetched or read of its shard.
 */
#ifndef STREAMS_KINESIS_SOURCE_H
#define STREAMS_KINESIS_SOURCE_H

#include <pthread.h>

#include "base/table.h"
#include "streams/kinesis/book.h"
#include "streams/kinesis/call.h"
#include "streams/kinesis/lease.h"
#include "streams/kinesis/page.h"
#include "streams/pause.h"

#define SHARD_ID_MAX 129
#define SHARDS_MAX 20000
#define SPARES 2

/* A record that is with the caller. */
struct point {
	struct point *next;
	uint64_t number; /* of all that were read */
	int64_t offset;
	struct position position; /* when it is done */
};

struct shard {
	struct table_node node; /* first; by id */
	char id[SHARD_ID_MAX];
	char parents[2][SHARD_ID_MAX]; /* "" : none */
	int32_t number; /* partition */
	bool listed, closed; /* as the service says */
	bool seen; /* in a list that is not at its end yet */
	bool has_range;
	struct hash_range range;
	/* The book's line. */
	struct lease lease;
	struct seal_buf line; /* as it was last seen; empty: not yet */
	uint64_t line_ms; /* … to have changed; our own: when it began to be written */
	bool renewed; /* it has, while another reader had it: that one lives */
	/* While it is ours. */
	uint64_t assignment; /* 0: it is not */
	bool latest; /* nobody has read it before: what comes from now on */
	struct position fetched; /* behind the last page */
	char *iterator; /* NULL: none yet */
	int64_t polled_ms; /* since 1970, by the service's clock; 0: never */
	int64_t behind_ms; /* the tip of the shard, as last heard; -1: not yet */
	bool busy; /* a thread fetches it */
	bool at_end; /* there is no more to fetch, ever */
	bool at_tip; /* the last answer was empty, and said that nothing is behind */
	uint64_t drained_pass; /* not 0: all was read when so many passes of the keeper had begun */
	uint64_t due_ms; /* of the next fetch */
	unsigned failures; /* in a row */
	struct pause pause;
	struct page *first_page, *last_page;
	size_t n_pages;
	struct point *first_point, *last_point;
	int64_t offsets;
	struct position done; /* committed */
	bool dirty; /* … and not in the book */
};

/* A batch's: in its arena. */
struct held {
	uint64_t first; /* number of its first record */
	size_t n_records, n;
	struct page *pages[];
};

struct kinesis_thread {
	struct kinesis_source *source;
	pthread_t thread;
	struct aws_worker *worker; /* under the source's lock, whoever ends its calls; NULL: none */
};

struct kinesis_source {
	struct source base;
	struct kinesis_address address;
	char name[160]; /* for messages */
	char owner[OWNER_MAX];
	char *prefix; /* of the book's keys */
	enum shard_from from;
	int64_t from_ms;
	uint64_t lease_ms;
	bool exit_at_end;
	bool keep_foreign;
	bool keeps, shared; /* there is a book that outlives the process; … that others may write in */
	struct aws_client *client;
	struct book *book; /* the keeper's */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t fetch, keep, changed; /* for fetchers, the keeper, callers */
	unsigned n_conds;
	struct shard **shards; /* grows only; each stays where it is */
	size_t n_shards, cap_shards;
	struct table by_id;
	size_t turn, fetch_turn; /* whose pages were read last; who was fetched last */
	size_t page_bytes, memory;
	struct page *spare[SPARES]; /* reset, for answers to come */
	size_t n_spare;
	uint64_t numbers, assignments;
	uint64_t asked_ms; /* when a save was asked for by sync; 0: it was not */
	uint64_t begun, pass; /* passes of the keeper; the last one that went well */
	bool list_now, pass_now;
	uint64_t stolen; /* leases that another reader took from us */
	uint64_t foreign; /* records in aggregates that were left out */
	int64_t clock_ms; /* the service's clock is so far ahead of ours, or a little more */
	struct seal_err away, broken; /* broken: for good */
	struct seal_err book_away; /* of the keeper */
	bool stopping, closing, clean;

	struct kinesis_thread *threads; /* fetchers, then the keeper */
	unsigned n_threads;
};

/* ---- shard.c, under lock ---- */

struct shard *shard_find(const struct kinesis_source *k, const char *id);
/* A new one, not ours. NULL: no memory. */
struct shard *shard_add(struct kinesis_source *k, const char *id);
/* It is ours from now on, from where its lease says. */
void shard_take(struct kinesis_source *k, struct shard *shard);
/* It is another's: what was read of it is forgotten. */
void shard_lose(struct kinesis_source *k, struct shard *shard);
/* All of it was fetched and read. */
bool shard_is_drained(const struct shard *shard);
/* … and committed, where that is of any use. */
bool shard_is_done(const struct shard *shard);
/* It is ours, but was not renewed for as long as it lasts: nobody knows whose it is. */
bool shard_is_stale(const struct kinesis_source *k, const struct shard *shard, uint64_t now_ms);
/* May it be read, as far as its parents go? */
bool shard_may_start(const struct kinesis_source *k, const struct shard *shard);
void shard_push_page(struct kinesis_source *k, struct shard *shard, struct page *page);
/* A record of the shard's first page goes to the caller. SEAL_FATAL: no memory. */
SEAL_MUST_USE enum seal_status shard_take_record(struct kinesis_source *k, struct shard *shard, struct record *record,
						 struct seal_err *err);
/* All points before this number (of all records), or of this offset (of the shard's), are done. */
void shard_commit_number(struct shard *shard, uint64_t number);
void shard_commit_offset(struct shard *shard, int64_t offset);
void shard_free(struct shard *shard);

/* ---- fetch.c ---- */

void *kinesis_fetch_run(void *thread); /* a struct kinesis_thread */

/* ---- keeper.c ---- */

void *kinesis_keeper_run(void *thread);
/*
 * One pass without the lock: list, leases, places. For the first one, before the threads start, too. *saved: leases and places are in
 * the book, also where the list could not be had.
 */
SEAL_MUST_USE enum seal_status kinesis_keeper_pass(struct kinesis_source *k, struct aws_worker *worker, bool list,
						   bool *saved, struct seal_err *err);

/* ---- balance.c ---- */

/*
 * Marks in `take` (one flag a shard) which leases this reader should take now: free and expired ones up to its share; else one of who
 * has most, where that is at least two more than it has itself.
 */
void kinesis_balance(const struct kinesis_source *k, uint64_t now_ms, bool *take);
/* Nobody's, or the lease's time is over. */
bool kinesis_is_free(const struct kinesis_source *k, const struct shard *shard, uint64_t now_ms);

#endif
