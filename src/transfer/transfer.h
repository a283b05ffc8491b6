/*
 * Files over a stream: a sender that turns the files of a directory into records, a receiver that turns them back. Both see only
 * streams/stream.h; the program hands them a Kafka sink or source.
 *
 *   record of chunk i    key      transfer id, 32 hex digits: all chunks of a file are in one partition, in order
 *                        value    container header, index, last, chunk (files/container.h): all that counts is in here
 *                        headers  X-encryptionkey  the wrapped key            for people and other tools; what they say is
 *                                 X-filename       the name (unless hidden)   not believed
 *                                 seal-transfer, seal-index, seal-count
 *
 * Sender       DIR/.sealstream/sent       what was sent and what is under way, one line each; files are claimed with locks, so
 *                                         several senders may share a directory. Interrupted: goes on after the last
 *                                         acknowledged chunk, same transfer id, under a new data key (a nonce never comes
 *                                         twice, even if the file changed), provided that the file has not changed, and that it is not
 *                                         long ago (TRANSFER_RESUME_MAX_S).
 * Receiver     DIR/.sealstream/ID.part    what has come, verified; ID.state which chunks; renamed when whole
 *              DIR/.sealstream/received   ids that are whole: what comes again is dropped
 *              Offsets of a partition are committed up to the first record of the oldest transfer under way there: a new
 *              owner reads again what it needs, whatever directory it has. Records that the key does not open are
 *              passed over only when it has opened something in this run: a wrong key loses nothing.
 *              A queue's messages (source_lends) are taken as soon as they are in the part and its state, since a queue may hold
 *              back what comes after them: whoever goes on needs the same directory then.
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "files/container.h"
#include "streams/stream.h"

#define TRANSFER_STATE_DIR ".sealstream"
/* Of a record besides its chunk, at most: headers of container and record with the longest names and wrapped keys there are. */
#define TRANSFER_RECORD_ROOM 2048
/*
 * A transfer of which nothing was heard for longer is not gone on with: it begins anew, as another one. Receivers forget what they
 * gave up (file receive --transfer-timeout, 1 h), and would never have the first half of it. In seconds.
 */
#define TRANSFER_RESUME_MAX_S (30 * 60)
#define TRANSFER_HEADER_KEY "X-encryptionkey"
#define TRANSFER_HEADER_NAME "X-filename"
#define TRANSFER_HEADER_ID "seal-transfer"
#define TRANSFER_HEADER_INDEX "seal-index"
#define TRANSFER_HEADER_COUNT "seal-count"

/* One file's progress, or its end. Strings live during the call. */
struct transfer_event {
	enum {
		TRANSFER_STARTED,
		TRANSFER_PROGRESS, /* at most ten times a second for each file */
		TRANSFER_DONE, /* sender: acknowledged; receiver: under its final name */
		TRANSFER_FAILED, /* `why` says; others go on */
		TRANSFER_RESUMED, /* after a restart; `bytes` are there already */
		TRANSFER_ABANDONED /* sender: the file changed meanwhile, or it took too long; it begins anew, as another transfer. Receiver: another
				     * one goes on with it, or has finished it */
	} what;
	const char *name; /* safe to print: as it is (sender), or as it will be (receiver) in the directory */
	uint8_t id[FILE_ID_LEN];
	uint64_t bytes, size; /* size may be FILE_SIZE_UNKNOWN */
	const struct seal_err *why;
};

struct transfer_counts {
	uint64_t files, failed, bytes; /* done */
	uint64_t chunks; /* acknowledged, or verified and written, by this run */
	uint64_t files_known, bytes_known; /* done or not: what the total's bar is measured against */
	uint64_t foreign; /* receiver: records that are no part of any transfer */
	uint64_t
		unopened; /* of them: under keys that --key did not open, while it has opened nothing; they come again */
	uint64_t before; /* sender: files that had been sent already by earlier runs, or are by another sender */
};

/* How both are called back, by one thread at a time. All may be NULL but stop. */
struct transfer_watch {
	int (*stop)(void); /* non-zero: end soon, keeping what can be gone on with */
	void (*event)(void *arg, const struct transfer_event *event);
	void (*waiting)(void *arg, const struct seal_err *why); /* a service is away; told once, until it answers */
	void (*resumed)(void *arg, uint64_t waited_ms);
	void *arg;
	/*
	 * Receiver: a record that is no part of a transfer (not a container, tampered, under a key that does not open it). Further
	 * records under a header that was refused already are only counted. `why` has topic/partition/offset as its place.
	 */
	void (*foreign)(void *arg, const struct seal_err *why);
};

struct send_options {
	const char *directory; /* scanned; regular files, not hidden ones, no links, not below */
	const char *const *files; /* instead: these, ended by NULL; NULL: the directory */
	const char *state; /* directory for `sent` and locks; NULL: directory/.sealstream */
	const char *target; /* where they go, for `sent`: what went to another topic has not been sent; NULL: "" */
	bool once; /* end when everything that was there has been sent; else watch (inotify) */
	bool hide_names; /* no X-filename */
	unsigned parallel; /* files at once, 1 … 64 */
	uint32_t chunk_size;
	uint64_t settle_ms; /* watching: a file must have been closed, or unchanged for so long */
	uint64_t retry_ms; /* how long a service that is away is waited for; 0: for ever */
	struct sink *sink;
	struct key *key;
	bool key_derived;
	struct transfer_watch watch;
};

/*
 * SEAL_OK also when single files failed (counts tell; they are tried again by the next run). Fails as a whole when the
 * directory cannot be read or the sink or the key is gone for longer than retry_ms.
 */
SEAL_MUST_USE enum seal_status transfer_send(const struct send_options *options, struct transfer_counts *counts,
					     struct seal_err *err);

struct receive_options {
	const char *directory; /* made (0700) if missing */
	const char *state; /* NULL: directory/.sealstream; must be on the same file system */
	bool overwrite; /* a file of the same name is replaced; else the new one is numbered */
	uint64_t max_files; /* end after so many; 0: never */
	uint64_t timeout_ms; /* a transfer to which nothing came for so long is given up; 0: never */
	uint64_t max_file_bytes; /* larger ones are refused; 0: no limit */
	uint64_t retry_ms;
	struct source *source;
	bool source_lends; /* struct stream_traits */
	struct key *key;
	bool key_derived;
	struct transfer_watch watch;
};

/*
 * Until the source ends, enough files have come, or a stop request. SEAL_OK also when single transfers failed (counts). What is
 * under way at the end stays for the next run. A full disk is
 * waited for (watch.waiting) as a service that is away.
 */
SEAL_MUST_USE enum seal_status transfer_receive(const struct receive_options *options, struct transfer_counts *counts,
						struct seal_err *err);

#endif
