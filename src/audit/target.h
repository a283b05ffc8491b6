/*
 * Where an audit trail is kept: a plug point of src/audit. Each kind is a file of this folder.
 *
 *   file     a file that is only added to; several programs may share it, and the chain goes on from run to run
 *   syslog   a datagram a line to the system's log; each run is a chain
 *   topic    a record a line to a topic, through any sink; each run is a chain
 *
 * One thread at a time.
 */
#ifndef AUDIT_TARGET_H
#define AUDIT_TARGET_H

#include "audit/line.h"
#include "streams/stream.h"

#define AUDIT_WAIT_MS 60000 /* how long a target that is away or locked is waited for */

struct audit_target {
	const struct audit_target_ops *ops;
};

struct audit_target_ops {
	const char *name;
	/*
	 * Nobody else adds a line until `leave`; *link becomes what the trail says now. Where nothing is there yet it stays as it
	 * is. *cut: bytes of a last line that was not whole and has been taken away. NULL: nobody else writes there. To be ended
	 * by `leave`, also when it fails.
	 */
	enum seal_status (*enter)(struct audit_target *target, struct audit_link *link, uint64_t *cut,
				  struct seal_err *err);
	/* Returns once the line (with its newline) is as safe as the target can make it. *link: where the chain then stands. */
	enum seal_status (*append)(struct audit_target *target, const struct audit_link *link, struct seal_bytes line,
				   struct seal_err *err);
	void (*leave)(struct audit_target *target); /* NULL with `enter` */
	void (*close)(struct audit_target *target); /* accepts NULL */
};

/* `path` of a regular file, made with mode 0600 if it is not there. */
SEAL_MUST_USE enum seal_status audit_file_open(const char *path, struct audit_target **out, struct seal_err *err);

#define AUDIT_SYSLOG_SOCKET "/dev/log"
#define AUDIT_SYSLOG_TAG "sealstream-audit"
/* `path`: the socket of the log daemon. */
SEAL_MUST_USE enum seal_status audit_syslog_open(const char *path, struct audit_target **out, struct seal_err *err);

/* `sink` is the target's from now on, also on failure; `topic` is for messages. */
SEAL_MUST_USE enum seal_status audit_topic_open(struct sink *sink, const char *topic, struct audit_target **out,
						struct seal_err *err);

#endif
