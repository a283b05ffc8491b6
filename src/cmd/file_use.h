/* What the `file` subcommands share: the key that wraps the data keys. */
#ifndef CMD_FILE_USE_H
#define CMD_FILE_USE_H

#include "cmd/audit_use.h"
#include "cmd/file_progress.h"
#include "cmd/key_use.h"
#include "cmd/monitor.h"
#include "files/container.h"
#include "transfer/transfer.h"

/* The option row of every command that needs the key. */
#define FILE_KEY_ROW(owner, member)                                                                                  \
	{                                                                                                            \
		.name = "key", .letter = 'k',                                                                        \
		.help = "the key that wraps each file's own key: local:NAME or vault:MOUNT/NAME", .arg = "KEY",      \
		.env = "SEALSTREAM_KEY", .type = OPT_STRING, .required = true, .offset = offsetof(owner, member)     \
	}
#define FILE_CHUNK_SIZE_ROW(owner, member)                                                                           \
	{                                                                                                            \
		.name = "chunk-size", .help = "bytes that are encrypted, and verified, at once", .arg = "SIZE",      \
		.def = "512KiB", .min = FILE_CHUNK_MIN, .max = FILE_CHUNK_MAX, .env = "SEALSTREAM_CHUNK_SIZE",       \
		.type = OPT_SIZE, .offset = offsetof(owner, member)                                                  \
	}

/* Zero it first. */
struct file_key {
	struct managed_key store;
	struct key *key;
	struct key_session *session; /* of the calling thread; others take their own of `key` */
	bool derived;
	struct audit_files *audit; /* what it is used for; NULL: there is no audit trail */
};

/* Opens the store, the key and a session, to protect files or to reveal them. SEAL_E_KEY_TYPE for a key that does not encrypt. */
SEAL_MUST_USE enum seal_status file_key_open(const struct command_call *call, const char *text, bool reveal,
					     struct file_key *key, struct seal_err *err);
void file_key_close(struct file_key *key);
/* For one question to the key, from now. */
struct key_call file_key_call(const struct command_call *call);

/* A transfer, for whoever watches it: the audit trail of its key, and --listen. Zero it first. */
struct file_watch {
	struct monitor *monitor; /* NULL: nobody listens */
	struct global_options global;
	struct command_call call; /* the command's; keys that are opened by it count in the monitor */
	struct file_key key;
};

/* Listens, if `listen` is not NULL. Before the key is opened. `done`: what becomes of files, "sent" or "received". */
SEAL_MUST_USE enum seal_status file_watch_open(struct file_watch *watch, const struct command_call *call,
					       const char *listen, const char *done, struct seal_err *err);
/* All is open, and events come from `progress`. `source` NULL: files are sent. All stays until file_watch_end. */
void file_watch_start(struct file_watch *watch, struct file_progress *progress, const char *key, const char *topic,
		      struct source *source);
/* Nothing that was given to it is in use any more. */
void file_watch_end(struct file_watch *watch);
void file_watch_close(struct file_watch *watch); /* and its key; accepts one that is zero */

extern const struct command command_file_protect, command_file_receive, command_file_reveal, command_file_send;

#endif
