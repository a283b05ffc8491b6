/* What the `file` subcommands share: the key that wraps the data keys. */
#ifndef CMD_FILE_USE_H
#define CMD_FILE_USE_H

#include "cmd/audit_use.h"
#include "cmd/key_use.h"
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
/* An event of a transfer under the struct file_key `key`, for the audit trail. */
void file_key_count(void *key, const struct transfer_event *event);
/* For one question to the key, from now. */
struct key_call file_key_call(const struct command_call *call);

extern const struct command command_file_protect, command_file_receive, command_file_reveal, command_file_send;

#endif
