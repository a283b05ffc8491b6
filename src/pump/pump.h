/*
 * The pump: source → engine → sink, by one or more workers, output in input order.
 *
 *        source.read (one at a time, numbered)
 *             │ batch k
 *             ▼
 *        worker: engine_run            several at once
 *             │
 *             ▼ turnstile: batch k waits for k-1
 *        sink.write(ticket k+1) ── acknowledged ──▶ source.commit(batch k) ──▶ source.release
 *
 * At least once: a batch is committed only when the sink has acknowledged every record of it and of all before it. At most
 * `max_batches` are on their way, so memory is bounded and a slow sink stops the source. A record that fails goes where
 * the topic's on_error says: reject stops the pump after everything before it is safe (or, with keep_going, counts it and
 * leaves it out), dead_letter sends it encrypted to the dead-letter topic, drop counts it. Nothing leaves unprotected.
 *
 * Exactly once (`exactly_once`): the same, but batches go into a transaction of the sink, dead letters with them, and the
 * position of the source too; see transaction.h.
 */
#ifndef PUMP_PUMP_H
#define PUMP_PUMP_H

#include "engine/engine.h"
#include "streams/stream.h"

struct pump_counts {
	uint64_t records_in, records_out, failed, dead_letters, dropped, fields;
	uint64_t kept; /* ENGINE_REWRAP: values that were under the newest version already */
	uint64_t bytes_in, bytes_out;
	/* exactly_once: all of the above are of transactions that were committed */
	uint64_t transactions, aborted;
};

struct pump_options {
	const struct plan *plan;
	const struct policy_topic *topic; /* the rules */
	enum engine_direction direction;
	bool plain; /* transform nothing (consume --plain) */
	struct source *source;
	struct sink *sink;
	struct engine_options engine;
	unsigned threads; /* 1 … 64 */
	size_t batch_records; /* 0: STREAM_BATCH_RECORDS */
	unsigned max_batches; /* 0: 4 + 2 * threads */
	uint64_t max_records; /* 0: until the source ends; kcat's -c */
	bool end_when_idle; /* kcat's -e: READ_IDLE ends it once the source has caught up */
	bool keep_going; /* on_error reject: report, leave out, go on (files) */
	bool all_or_nothing; /* where a record failed the sink is not finished: what stood there stays */
	bool no_dead_letters; /* the sink has no topics (a file): on_error dead_letter acts as reject */
	bool bare; /* the sink keeps no headers: a dead letter there cannot hold a key that has rules */
	bool headers; /* records have headers where it matters: in the sink to protect, in the source to reveal */
	bool keep_partition; /* … unless ENGINE_REWRAP has changed the key */
	bool keep_topic; /* records keep the topic that they came from; else they go to the sink's own */
	uint64_t
		retry_ms; /* how long SEAL_RETRY of the source, the engine or the sink is waited out; 0: for ever. A stop request
			    * ends a wait for the first two at once: what waited is not committed, and the run ends well. What is
			    * with the sink is drained */
	bool exactly_once; /* the source has `stage`, the sink `begin`; both of one service */
	/* A transaction ends at the first of these; 0: 100 ms, 50,000 records, 16 MiB of output. */
	unsigned transaction_ms;
	size_t transaction_records, transaction_bytes;
	int drain_ms; /* after a stop request; 0: 30 s */
	int (*stop)(void); /* non-zero: drain and return; may be NULL */
	/* One failed record: where it came from and why. Called in order, by one thread at a time. May be NULL. */
	void (*failed)(void *arg, const struct record *record, const struct seal_err *why);
	/* About ten times a second, by one thread at a time. May be NULL. */
	void (*progress)(void *arg, const struct pump_counts *counts);
	/*
	 * About ten times a second as long as the run gets on: batches go out, there is none to work on, or it waits for what
	 * `waiting` or the sink has named. Not called while a batch is stuck somewhere: what a watchdog wants to know. One
	 * thread at a time. May be NULL.
	 */
	void (*alive)(void *arg);
	/* A service is away and will be asked again: told once, until it answers. One thread at a time. May be NULL. */
	void (*waiting)(void *arg, const struct seal_err *why);
	void (*resumed)(void *arg, uint64_t waited_ms); /* told once when it does, and the run goes on. May be NULL */
	/* A transaction was aborted, and its records are read again. One thread at a time. May be NULL. */
	void (*aborted)(void *arg, const struct seal_err *why);
	/*
	 * Asked about ten times a second, by one thread at a time: true when another plan and topic are to be used from now on.
	 * What was read goes out under the old ones; then, when nothing uses them any more and the new ones have been tried,
	 * `reloaded` is called: `why` NULL, or the reason why the run goes on with the old ones. Both may be NULL.
	 */
	bool (*reload)(void *arg, const struct plan **plan, const struct policy_topic **topic);
	void (*reloaded)(void *arg, const struct seal_err *why);
	void *arg;
};

/*
 * Runs until the source ends, a stop request is drained, or something fails. SEAL_OK also when records failed (counts tell).
 * Only when the source ended, or max_records or end_when_idle ended the run, does it call the sink's finish. Source and
 * sink stay the caller's to close. With `end_when_idle` the first READ_IDLE ends the run: a source that has not caught up
 * yet waits inside read. commit and read of the source are never called at the same time, nor are two calls of the sink.
 * Record keys and headers go through the rules that the topic has for them (policy_topic.key, headers), each part through an
 * engine of its own; a record fails with any of its parts. Names of headers on a dead letter: seal-error (code), seal-topic,
 * seal-partition, seal-offset, and seal-record-key: the encrypted key, where keys have rules. Reading a dead-letter topic
 * with ENGINE_REVEAL puts that key back.
 */
SEAL_MUST_USE enum seal_status pump_run(const struct pump_options *options, struct pump_counts *counts,
					struct seal_err *err);

/* Where a record came from, for messages: "in.json:17", "topic/partition/offset". */
void pump_place_of(struct source *source, const struct record *record, char *out, size_t room);

#endif
