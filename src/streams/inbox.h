/*
 * What sources on services that lend messages for a time have in common (SQS, Pub/Sub): a few threads fetch ahead, a keeper extends
 * what is being worked on, and a message is deleted only after the pump has committed it.
 *
 *   service.receive ──▶ waiting ──▶ source.read ──▶ with the pump ──▶ source.commit ──▶ service.acknowledge
 *                          └──────────── service.extend, before the time is over ────────┘
 *
 * A message that is never committed is given back when the source closes (extend by 0 s), so that another reader gets it at once; so
 * is what a partial commit leaves. One that could not be extended or acknowledged in time comes again: at least once, counted.
 */
#ifndef STREAMS_INBOX_H
#define STREAMS_INBOX_H

#include "streams/stream.h"

/* A message that is lent to us. */
struct inbox_message {
	struct record record; /* its memory is `arena`'s; .id is the service's name of the message */
	struct seal_bytes handle; /* receipt handle, ack id; in the arena */
	uint64_t until_ms; /* of a receive: lent until then, as clock_mono_ms() goes; 0: for lend_s from now on */
	bool refused; /* out of acknowledge and extend: the service does not know the handle any more */
	bool done; /* out of an acknowledge that fails: this one was dealt with all the same */
};

struct inbox_service {
	enum seal_status (*worker_new)(void *arg, void **worker, struct seal_err *err);
	void (*worker_free)(void *worker);
	/* From another thread, while a call of it is under way, which is to end as soon as it can, with SEAL_RETRY. NULL: calls are short. */
	void (*worker_stop)(void *worker);
	/* Up to `max` messages, waiting up to wait_ms for the first; *n may be 0. SEAL_RETRY: away or throttled. Blocks. */
	enum seal_status (*receive)(void *worker, struct arena *arena, struct inbox_message *messages, size_t max,
				    int wait_ms, size_t *n, struct seal_err *err);
	/*
	 * At most `lot` at a time; of each, `refused`. They have handle and record.id, and nothing else. SEAL_RETRY: ask again for
	 * those that are not `done`.
	 */
	enum seal_status (*acknowledge)(void *worker, struct inbox_message *const *messages, size_t n,
					struct seal_err *err);
	/* Lends them for `seconds` from now; 0: gives them back. */
	enum seal_status (*extend)(void *worker, struct inbox_message *const *messages, size_t n, unsigned seconds,
				   struct seal_err *err);
};

struct inbox_config {
	const char *name; /* "sqs:purchases" */
	size_t fetch, lot; /* messages of a receive, and of the others */
	unsigned lend_s; /* how long a message is lent at first, and by each extension */
	unsigned lend_max_s; /* … and in all; 0: no limit */
	unsigned requests; /* receives at once, each a thread; 1 … 16 */
	size_t ahead, ahead_bytes; /* fetched and not yet read; 0: 4 * fetch * requests, 16 MiB */
	bool exit_when_empty; /* READ_END once receives have found nothing for idle_ms and nothing is lent (-e) */
	unsigned idle_ms;
	bool look; /* nothing is committed, whatever is said: what was read is lent until the inbox closes, and is no reason to wait at the end */
};

struct inbox;

SEAL_MUST_USE enum seal_status inbox_new(const struct inbox_config *config, const struct inbox_service *service,
					 void *arg, struct inbox **out, struct seal_err *err);
/* As the source's operations of these names. */
SEAL_MUST_USE enum seal_status inbox_read(struct inbox *inbox, struct batch *batch, size_t max_records,
					  int timeout_ms, enum read_result *result, struct seal_err *err);
SEAL_MUST_USE enum seal_status inbox_commit(struct inbox *inbox, const struct batch *batch, struct seal_err *err);
/* As source.mark of partition 0, whose assignment is 1 for ever: records have offsets 1, 2, 3 … in reading order. */
SEAL_MUST_USE enum seal_status inbox_mark(struct inbox *inbox, int64_t offset, struct seal_err *err);
SEAL_MUST_USE enum seal_status inbox_sync(struct inbox *inbox, struct seal_err *err);
void inbox_release(struct inbox *inbox, struct batch *batch);
bool inbox_away(struct inbox *inbox);
/* Acknowledged too late or not at all, as far as known: these come again. */
uint64_t inbox_late(const struct inbox *inbox);
void inbox_close(struct inbox *inbox, bool clean); /* accepts NULL */

/* What a source that is an inbox begins with; its operations of these names. */
struct inbox_source {
	struct source source;
	struct inbox *inbox;
};
enum seal_status inbox_source_read(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				   enum read_result *result, struct seal_err *err);
enum seal_status inbox_source_commit(struct source *source, const struct batch *batch, struct seal_err *err);
enum seal_status inbox_source_sync(struct source *source, struct seal_err *err);
void inbox_source_release(struct source *source, struct batch *batch);
uint64_t inbox_source_assignment(struct source *source, int32_t partition);
enum seal_status inbox_source_mark(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				   struct seal_err *err);
bool inbox_source_away(struct source *source);
/* inbox_close, and before it what came too late is told. */
void inbox_source_close(struct inbox_source *source, bool clean);

#endif
