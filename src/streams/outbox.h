/*
 * What sinks on services that take requests of several records have in common (Kinesis, SQS, SNS, Pub/Sub, Event Hubs over HTTPS):
 * records wait here, go out in requests by a few threads, and are acknowledged by ticket.
 *
 *   sink.write ──▶ copied, encoded size known ──▶ lanes by key ──▶ a request of up to `records` and `bytes`, or after `linger_ms`
 *                                                      ▲                    │ service.send, several at once
 *                                                      └── RETRY, jitter ───┤
 *                                                                           ├── DONE: its ticket counts down
 *                                                                           └── FAILED: sink.poll fails, nothing more goes out
 *
 * Order. Records of one lane never overtake each other: a lane has records in one request at a time, and where a record of it is
 * to be sent again, those behind it wait. Records without a key are in no lane, and go wherever there is room.
 *   OUTBOX_ANY     no lanes (a standard queue)
 *   OUTBOX_ONE     a request has at most one record of a lane (Kinesis: PutRecords promises no order within one)
 *   OUTBOX_SEVERAL a request may have several of a lane, in order, and of several lanes (FIFO queues: failures are by entry, and those
 *                  of the same lane behind a failed entry are sent again, too, under their own deduplication ids)
 *   OUTBOX_ALONE   a request has records of one lane only (Pub/Sub: one ordering key a request)
 *
 * Throttling slows all of it down (a pause that doubles up to 10 s, with jitter, and shrinks again). A service that refuses whole
 * requests, or says nothing (silence.h), is told by poll as SEAL_RETRY and waited for without end: how long is the pump's to say.
 * Memory is bounded by `memory`: write then blocks.
 */
#ifndef STREAMS_OUTBOX_H
#define STREAMS_OUTBOX_H

#include "streams/stream.h"

enum outbox_order { OUTBOX_ANY, OUTBOX_ONE, OUTBOX_SEVERAL, OUTBOX_ALONE };

enum outbox_result { OUTBOX_UNSENT, OUTBOX_DONE, OUTBOX_RETRY, OUTBOX_FAILED };

struct outbox_item {
	const struct record *record; /* copied, the outbox's; topic empty: the sink's own */
	struct seal_bytes lane; /* empty: none */
	size_t bytes; /* as the service counts them */
	uint64_t number; /* 0, 1, 2 … of this outbox */
	unsigned tries;
	unsigned
		copies; /* how often it was done, but is sent again, as one of its lane before it was not: what stands there is behind
			  * that one only where the service takes it for another record */
	/* What send fills. */
	enum outbox_result
		result; /* OUTBOX_RETRY: it is not there; OUTBOX_UNSENT: the same, but nobody knows whether it is */
	bool throttled; /* with either: it was refused, so it is not there */
};

/* Their request was turned away as one too many: none of them is there. */
void outbox_throttled(struct outbox_item *const *items, size_t n);

struct outbox_service {
	/* In its own thread: connections and buffers of it. */
	enum seal_status (*worker_new)(void *arg, void **worker, struct seal_err *err);
	void (*worker_free)(void *worker);
	/*
	 * Sends items (all for one topic) as one request and fills their results; err: why, of RETRY and FAILED. Where the whole call
	 * failed: its status, SEAL_RETRY for all of them again (DONE counts for nothing then), others fail. Blocks.
	 */
	enum seal_status (*send)(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
				 struct seal_err *err);
	/* Bytes of a record as the service counts them; SEAL_DATA: it cannot be written there, why. Thread-safe: sink.check, too. */
	enum seal_status (*measure)(void *arg, const struct record *record, size_t *bytes, struct seal_err *err);
	/* The lane of a record, a view of it. NULL: its key. */
	struct seal_bytes (*lane)(void *arg, const struct record *record);
	/* From another thread, while a send of it is under way, which is to end as soon as it can, with SEAL_RETRY. NULL: sends are short. */
	void (*worker_stop)(void *worker);
};

struct outbox_config {
	const char *name; /* for messages: "kinesis:purchases" */
	enum outbox_order order;
	size_t records, bytes; /* of a request */
	size_t memory; /* 0: 32 MiB */
	unsigned requests; /* at once, each a thread; 1 … 16 */
	unsigned linger_ms; /* a request that is not full waits so long for more; 0: 10 ms */
};

struct outbox;

SEAL_MUST_USE enum seal_status outbox_new(const struct outbox_config *config, const struct outbox_service *service,
					  void *arg, struct outbox **out, struct seal_err *err);
/* As the sink's operations of these names; a sink's vtable passes them on. */
SEAL_MUST_USE enum seal_status outbox_write(struct outbox *outbox, const struct record *records, size_t n,
					    uint64_t ticket, int timeout_ms, struct seal_err *err);
SEAL_MUST_USE enum seal_status outbox_poll(struct outbox *outbox, int timeout_ms, uint64_t *acknowledged,
					   struct seal_err *err);
SEAL_MUST_USE enum seal_status outbox_flush(struct outbox *outbox, int timeout_ms, struct seal_err *err);
/* What was sent again without knowing whether the first time had arrived: may stand there twice. */
uint64_t outbox_repeated(const struct outbox *outbox);
/* Stops the threads, and ends requests that are out for seconds more; what has not been sent is dropped. Accepts NULL. */
void outbox_free(struct outbox *outbox);

/* What a sink that is an outbox begins with; its operations of these names. */
struct outbox_sink {
	struct sink sink;
	struct outbox *outbox;
};
enum seal_status outbox_sink_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err);
enum seal_status outbox_sink_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err);
enum seal_status outbox_sink_check(struct sink *sink, const struct record *record, struct seal_err *err);
enum seal_status outbox_sink_flush(struct sink *sink, int timeout_ms, struct seal_err *err);
/* outbox_free; before it, how many may stand there twice is told. */
void outbox_sink_close(struct outbox_sink *sink);

#endif
