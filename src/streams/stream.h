/*
 * Streams: where records come from and go to. One folder each; a source and a sink are vtables with option rows.
 *
 *   source.read    a batch of records, views of memory that the batch owns
 *   source.commit  all records up to and including this batch are done: never called before their output is safe
 *   sink.write     takes records; may hold them back (time limit) but never drops one
 *   sink.flush     until all that was written is acknowledged, or failed
 *
 * Records of one partition leave a sink in the order in which they were written.
 *
 * Exactly once, where source and sink are of one service that has transactions:
 *
 *   sink.begin ── sink.write, source.stage ── sink.write, source.stage ── sink.end(source) ─┬─ committed: records and position
 *                                                                                           └─ aborted: source.rewind
 */
#ifndef STREAMS_STREAM_H
#define STREAMS_STREAM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"

struct record_header {
	struct seal_bytes name;
	struct seal_bytes value; /* ptr NULL: null */
};

enum timestamp_type { TIMESTAMP_NONE, TIMESTAMP_CREATE, TIMESTAMP_LOG_APPEND };

struct record {
	struct seal_bytes key; /* ptr NULL: null */
	struct seal_bytes value; /* ptr NULL: a tombstone */
	const struct record_header *headers;
	size_t n_headers;
	int64_t timestamp_ms;
	enum timestamp_type timestamp_type;
	struct seal_bytes topic; /* where it came from, or (sink) where to if not the sink's own; may be empty */
	int32_t partition; /* -1: none, or the sink's choice */
	int64_t offset; /* in its partition; the line number for files, from 1; -1: the service has none */
	struct seal_bytes
		id; /* the service's own name of it (message id, sequence number); empty: partition and offset are it */
	void *native; /* the stream's own handle on it (a kcat envelope's line …), or NULL */
	struct seal_err *broken; /* set by a source that could frame but not read it (an envelope that is not
				  * JSON): counts as failed, is never transformed; in the batch's arena */
};

/* So long a sink's service may be away untold: some throttle a little all the time. */
#define STREAM_AWAY_TELL_MS 1000

#define STREAM_BATCH_RECORDS 8192
#define STREAM_BATCH_BYTES (1u << 20)

/* Owned by the pump, filled by the source; reused. */
struct batch {
	struct record *records;
	size_t n, cap;
	struct arena arena; /* memory of its records, unless `native` holds it */
	void *native; /* the source's: what must live until release */
	uint64_t sequence; /* the pump's: 0, 1, 2 … in reading order */
};

/*
 * What a platform keeps of a record, one row of docs/PLATFORMS.md: commands say at start what is lost between a source and a
 * sink. All strings are static.
 */
enum stream_order { STREAM_ORDER_NONE, STREAM_ORDER_KEY, STREAM_ORDER_PARTITION };

struct stream_traits {
	const char *title; /* "Amazon SQS" */
	const char *address; /* what stands behind "sqs:": "QUEUE, or its URL or ARN" */
	const char *key; /* where the key goes: "MessageGroupId (FIFO), else the attribute seal.key"; NULL: lost */
	const char *headers; /* "message attributes, at most 10"; NULL: lost */
	const char *timestamp; /* "SentTimestamp, the service's own"; NULL: none */
	const char *null; /* what a tombstone becomes: "refused"; NULL: kept */
	const char *limit; /* "1 MiB with attributes" */
	enum stream_order order;
	bool text; /* bodies are Unicode text: others travel as base64 */
	bool lends; /* what was read and is not yet committed may keep others away (a FIFO queue's group, an ordering key): users that hold
		     * records back commit as soon as they have them safe */
	bool keeps_timestamp; /* the writer's own */
	/* Streams of the platform that keep something else, and whether the one at `address` (behind the scheme) is such a one. NULL: none. */
	const struct stream_traits *special;
	bool (*is_special)(const char *address);
};

/*
 * Option rows of a stream. Users see them as --SCHEME-NAME, and a source and a sink of one scheme may have rows of the same name,
 * which are then one option. They have no letters; a
 * row without `env` has SEALSTREAM_SCHEME_NAME; `required` holds where the stream is used. Rows of these names get what the
 * command's own option says, and no long name but `offset`, where the command has no such option: group, offset, partition, exit, member, max-record-bytes, keep-partition. Commands set these `internal`
 * rows, where a stream has them:
 *
 *   look              flag, source: nothing will be committed; a message that was released counts as lent no more
 *   memory            size: what may wait, instead of the stream's own bound
 *   record-bytes      size, sink: the longest record that will come
 *   exactly-once      flag, source; transactional-id, text, and named, flag, sink: as struct kafka_source_options and
 *                     kafka_sink_options have them
 */
struct source {
	const struct source_ops *ops;
};

struct store_ops;

/* One partition that is ours. */
struct source_lag {
	int32_t partition;
	int64_t records; /* behind its end, as last heard of; -1: not known (yet, or of this service) */
	int64_t ms; /* the same as time, for services that tell that; -1: not known */
};

enum read_result { READ_SOME, READ_IDLE, READ_END };

struct source_ops {
	size_t size;
	const char
		*name; /* "kafka", "file": the scheme of addresses, and on command lines the prefix of its options */
	const char *help;
	const struct stream_traits *traits;
	const struct opt_row *options;
	size_t options_size;
	/*
	 * What policies call the stream at `address` (behind the scheme): the queue's name of its URL. A view of the address; NULL: the
	 * address itself. For the command line, without I/O.
	 */
	struct seal_bytes (*topic)(const char *address);
	enum seal_status (*open)(const char *address, const void *options, struct source **out, struct seal_err *err);
	/*
	 * Fills an empty batch with up to max_records; *result READ_IDLE: none within timeout_ms; READ_END: there will never
	 * be one. SEAL_RETRY: the service is away, ask again. SEAL_DATA: cannot be framed, cannot go on.
	 */
	enum seal_status (*read)(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				 enum read_result *result, struct seal_err *err);
	/*
	 * All up to and including `batch` (in reading order) are safe in the sink; when its n is less than what was read,
	 * only its first n. NULL: nothing to remember.
	 */
	enum seal_status (*commit)(struct source *source, const struct batch *batch, struct seal_err *err);
	/*
	 * The run is over: returns once all that commit was told is remembered, or why it is not. Not called while other
	 * calls are under way. NULL: commit remembers at once.
	 */
	enum seal_status (*sync)(struct source *source, struct seal_err *err);
	/* The batch's memory may go; called once for each read that gave records, in any order. Thread-safe. */
	void (*release)(struct source *source, struct batch *batch);
	/* `clean`: last commits are sent before it leaves. Accepts NULL. */
	void (*close)(struct source *source, bool clean);
	/*
	 * For users that hold records back longer than a batch: which assignment `partition` has now (a number that grows with
	 * each; 0: not ours, what was read of it is another's to read again), and all before `offset` of it is safe.
	 * `commit` is then not used. A mark of an older assignment is ignored. Called by the thread that reads. NULL: none.
	 */
	uint64_t (*assignment)(struct source *source, int32_t partition);
	enum seal_status (*mark)(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				 struct seal_err *err);
	/*
	 * Exactly once, instead of `commit`: all up to and including `batch` (its first n, as there) has been written in the
	 * transaction that is open. Called in reading order, also while another thread is in `read`. NULL: this source cannot.
	 */
	enum seal_status (*stage)(struct source *source, const struct batch *batch, struct seal_err *err);
	/*
	 * A transaction was aborted: the next read begins where the last one that was committed ended, as the service knows
	 * it; nothing is staged any more. SEAL_RETRY: the service is away, ask again. Not called while other calls are under
	 * way, but for release.
	 */
	enum seal_status (*rewind)(struct source *source, struct seal_err *err);
	/* How much of it is not yet read: fills up to max rows, returns how many there are. Thread-safe, asks nobody. NULL: not known. */
	size_t (*lag)(struct source *source, struct source_lag *out, size_t max);
	/* Does the service not answer now? Thread-safe, asks nobody. NULL: not known. */
	bool (*away)(struct source *source);
	/* Where a record came from, for messages ("in.json:17"). NULL: topic/partition/offset says it. Thread-safe. */
	void (*place)(struct source *source, const struct record *record, char *out, size_t room);
	/* Puts the stores that there are (ended by NULL) into the options, before `open`: for one that keeps its place there. NULL: it has none. */
	void (*set_stores)(void *options, const struct store_ops *const *stores);
};

struct sink {
	const struct sink_ops *ops;
};

struct sink_ops {
	size_t size;
	const char *name;
	const char *help;
	const struct stream_traits *traits; /* as the source's */
	const struct opt_row *options;
	size_t options_size;
	struct seal_bytes (*topic)(const char *address); /* as the source's */
	enum seal_status (*open)(const char *address, const void *options, struct sink **out, struct seal_err *err);
	/*
	 * Takes all n records or none; copies what it keeps. `ticket` grows from call to call. Blocks while its buffer is
	 * full, up to timeout_ms, then SEAL_RETRY with nothing taken: SEAL_E_BUSY, and `poll` says whether it is full because
	 * the service is away; another code, and the service is away.
	 */
	enum seal_status (*write)(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				  int timeout_ms, struct seal_err *err);
	/*
	 * Serves callbacks for up to timeout_ms; *acknowledged: all tickets up to and including it are safe (0: none), also with
	 * SEAL_RETRY: the service is away. That is said, with who and why, as long as records wait for it and it takes none:
	 * from when it refuses or cannot be reached, or after it has said nothing for SILENCE_MS (silence.h). The sink
	 * goes on trying without end, the caller tells and gives up; SEAL_OK again: it takes some, or none wait. A sink whose reader
	 * is only slow (a pipe) says SEAL_OK. Other errors: a record can never be delivered, with topic and cause; the stream must then stop, as order is
	 * lost.
	 */
	enum seal_status (*poll)(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err);
	/*
	 * Whether `record` could be written at all: SEAL_DATA (too large, not expressible here) makes it the record's own
	 * failure, before anything of its batch is written. Thread-safe. NULL: every record could.
	 */
	enum seal_status (*check)(struct sink *sink, const struct record *record, struct seal_err *err);
	/*
	 * The longest record (key, value and headers) that can be written now: of the client's settings and, where it can be
	 * asked, the broker's. *flag: what to set to change it, static; NULL: nothing can. May block. NULL: no limit.
	 */
	enum seal_status (*record_max)(struct sink *sink, size_t *max, const char **flag, struct seal_err *err);
	/*
	 * Transactions: all that is written between `begin` and an `end` that commits becomes visible at once, together with
	 * what `source` has staged. NULL: the sink has none. SEAL_RETRY: the service is away, call it again (it has waited a
	 * little by itself).
	 * A transaction that fails goes on taking records, without keeping them; its end says so.
	 */
	enum seal_status (*begin)(struct sink *sink, struct seal_err *err);
	/*
	 * Ends it, in up to timeout_ms: commits, or with `source` NULL aborts. *committed false: nothing of it will ever be
	 * visible, err says why, and the next call is `begin`, after the source has rewound. Where the service leaves open
	 * which it was, *committed is false, too: the rewind finds out. SEAL_RETRY: not over yet, call it again with the same
	 * source, and nothing else. Other errors: the sink is of no more use, or a record can never be written (SEAL_DATA).
	 */
	enum seal_status (*end)(struct sink *sink, struct source *source, int timeout_ms, bool *committed,
				struct seal_err *err);
	/* Until all is acknowledged, without lingering, or the time is over: SEAL_RETRY, of which `poll` says whether it is away. */
	enum seal_status (*flush)(struct sink *sink, int timeout_ms, struct seal_err *err);
	/* Accepts NULL; flushes nothing, and aborts the transaction that is open. */
	enum seal_status (*close)(struct sink *sink, struct seal_err *err);
	/*
	 * The run is whole: its source has ended and all was acknowledged. A file takes its name only now. Not called
	 * after a failure or a stop request. NULL: nothing to do.
	 */
	enum seal_status (*finish)(struct sink *sink, struct seal_err *err);
};

#endif
