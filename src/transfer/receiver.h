/*
 * A receiver at work; inside src/transfer only.
 *
 *   receive.c         the run: reads, offsets, waits, what is due from time to time
 *   receive_record.c  one record: which transfer, which chunk
 *   receive_legacy.c  one record of the original script's form
 *   incoming.c        transfers: known, open, parked, given up
 *   finish.c          whole files get their names
 *
 *   a transfer    ──first record──▶ open ──last chunk──▶ whole ──finish──▶ a file
 *                                   │  ▲
 *                            parked ▼  │   too many at once: saved, and out of memory but for this struct
 *
 * All but the arena's content belongs to the one thread that runs.
 */
#ifndef TRANSFER_RECEIVER_H
#define TRANSFER_RECEIVER_H

#include "transfer/partial.h"
#include "transfer/place.h"
#include "transfer/received.h"
#include "base/table.h"
#include "transfer/transfer.h"
#include "transfer/wait.h"

#define INCOMING_OPEN_MAX 256 /* in memory with keys and a file descriptor */
#define INCOMING_KNOWN_MAX 32768 /* parked ones included; the one untouched for longest is given up for another */
#define INCOMING_WHOLE_MAX 64 /* get their names together */
#define INCOMING_HOLDS_MAX 4 /* partitions of one transfer (it has one, unless partitions were added) */
#define INCOMING_OPENERS_MAX 4 /* headers of one transfer: a sender that resumed takes another data key */
#define REFUSED_MAX 1024
#define REFUSED_LEN 16

/* What keeps the offset of a partition back. */
struct hold {
	int32_t partition;
	int64_t offset; /* of the first record */
};

struct opened {
	struct file_opener *opener;
	uint8_t header[SHA256_LEN];
};

/* The part of a transfer that parking takes out of memory. */
struct incoming_work {
	struct opened openers[INCOMING_OPENERS_MAX];
	size_t n_openers;
	struct partial part;
	uint64_t told_ms, saved_ms;
	struct seal_buf placed; /* its final name, once it has it */
};

struct incoming {
	struct table_node node; /* first */
	struct incoming *older, *newer; /* in the order in which something came last */
	uint8_t id[FILE_ID_LEN];
	uint8_t meta[SHA256_LEN]; /* of what the header says; every header of the transfer must say it */
	char *name; /* safe */
	uint64_t size; /* FILE_SIZE_UNKNOWN until the last chunk came */
	uint64_t bytes; /* that have come */
	int64_t mtime_ns;
	uint32_t chunk_size;
	uint64_t touched_ms; /* the receiver's clock */
	struct hold holds[INCOMING_HOLDS_MAX];
	size_t n_holds;
	bool save_always; /* something came from where nothing holds it back */
	struct incoming_work *work; /* NULL: parked */
	bool whole;
};

/* Of one partition. */
struct lane {
	uint64_t assignment; /* 0: nothing of it was read, or it is not ours */
	int64_t position; /* behind the last record that was dealt with */
	int64_t marked;
	int64_t unopened; /* the first record that the key did not open, where has_unopened */
	bool has_unopened;
};

struct receiver {
	const struct receive_options *options;
	struct transfer_counts *counts;
	struct place place;
	struct received *received;
	struct key_session *kek;
	struct arena arena; /* of key calls */
	struct seal_buf plain; /* scratch: one chunk in clear */
	struct opened
		asked; /* a key that was unwrapped and belongs to no transfer yet, since there is no room for it */

	struct table table; /* of all that is known */
	struct incoming *oldest, *newest;
	struct incoming *open[INCOMING_OPEN_MAX];
	size_t n_open;
	struct incoming *whole[INCOMING_WHOLE_MAX]; /* a subset of open */
	size_t n_whole;

	/* What is not asked again: ids that were given up, headers that no key opens. A ring. */
	uint8_t refused[REFUSED_MAX][REFUSED_LEN];
	size_t n_refused, next_refused;

	bool proved; /* the key has opened something in this run: what it does not open is not ours */
	struct lane *lanes; /* by partition */
	size_t n_lanes;
	uint64_t waited_ms; /* in waits: not counted against transfers */
	uint64_t start_ms, looked_ms, swept_ms;
	char *numbered_name; /* the last name that was taken, and */
	unsigned numbered; /* the number with which it was free */
};

/* Time that runs only while records could come. */
uint64_t receiver_now(const struct receiver *r);
struct key_call receiver_call(struct receiver *r);
void receiver_tell(const struct receiver *r, int what, const struct incoming *t, const char *name,
		   const struct seal_err *why);
bool receiver_has_refused(const struct receiver *r, const uint8_t *mark);
void receiver_refuse(struct receiver *r, const uint8_t *mark); /* REFUSED_LEN bytes */
/*
 * The key opened something, or did not open this record. Until it has opened something it may be the wrong one, and then what it
 * did not open is left for a run with the right one: it is read on, but not marked from there.
 */
void receiver_opened(struct receiver *r);
void receiver_unopened(struct receiver *r, const struct record *record);

/* ---- incoming.c ---- */

struct incoming *incoming_find(const struct receiver *r, const uint8_t *id);
/*
 * A new transfer, its part opened; *out NULL and SEAL_OK where it is one that cannot be (told and counted). SEAL_RETRY: no room
 * now. SEAL_DATA: another file's id.
 */
SEAL_MUST_USE enum seal_status incoming_begin(struct receiver *r, const struct file_meta *meta, const uint8_t *digest,
					      struct incoming **out, struct seal_err *err);
/* Something came for it; notes where. */
void incoming_touch(struct receiver *r, struct incoming *t, const struct record *record);
/* Opens it if it is parked; *gone: its part was lost meanwhile, and it has been given up. */
SEAL_MUST_USE enum seal_status incoming_unpark(struct receiver *r, struct incoming *t, bool *gone,
					       struct seal_err *err);
/* One verified chunk to disk. SEAL_OK also when the transfer turned out to be impossible (then it has been given up). */
SEAL_MUST_USE enum seal_status incoming_write(struct receiver *r, struct incoming *t, uint32_t index, bool last,
					      struct seal_bytes plain, struct seal_err *err);
/* It fails: told, counted, its part removed, not taken up again. */
void incoming_fail(struct receiver *r, struct incoming *t, const struct seal_err *why);
/* Another receiver's now: no longer counted, told, and forgotten. */
void incoming_abandon(struct receiver *r, struct incoming *t);
/* Out of memory; files stay. */
void incoming_forget(struct receiver *r, struct incoming *t);
/* All of a partition that was taken away, but for what comes from another one as well. */
void incoming_lose(struct receiver *r, int32_t partition);
/* The process was stopped for so long, or the disk, or had much to do: not counted against transfers. */
void incoming_forgive(struct receiver *r, uint64_t ms);
/* Gives up what has waited too long. */
void incoming_expire(struct receiver *r);
/* Saves what is due (`all`: everything), as far as there is room. SEAL_FATAL: memory. */
SEAL_MUST_USE enum seal_status incoming_save(struct receiver *r, bool all, struct seal_err *err);
/* Takes away parts that nobody will go on with. */
void incoming_sweep(struct receiver *r);
void incoming_clear(struct receiver *r);

/* ---- others ---- */

/* Deals with one record. SEAL_OK: it is done with, whatever it was. SEAL_RETRY: the same record again later. */
SEAL_MUST_USE enum seal_status receive_record(struct receiver *r, const struct record *record, struct seal_err *err);
/* The same for one that is not a container but may be the original script's. SEAL_DATA: it is not. */
SEAL_MUST_USE enum seal_status receive_legacy(struct receiver *r, const struct record *record, struct seal_err *err);
/* Everything that is whole gets its name. SEAL_RETRY: no room, or another receiver is at it; again later. */
SEAL_MUST_USE enum seal_status finish_whole(struct receiver *r, struct seal_err *err);
/* A failure that is about this record's key and no other's. */
bool receive_is_about_key(const struct seal_err *err);

#endif
