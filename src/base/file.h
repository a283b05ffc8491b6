/* Whole small files: read with a limit, write so that a reader sees the old or the new content, never a part. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/* Appends the file to `out`, whose maximum is the limit. SEAL_E_NO_INPUT, SEAL_E_DENIED, SEAL_E_IO, SEAL_E_LIMIT. */
SEAL_MUST_USE enum seal_status file_read(const char *path, struct seal_buf *out, struct seal_err *err);
/* The same from an open file, which stays open; `path` is for messages. */
SEAL_MUST_USE enum seal_status file_read_fd(int fd, const char *path, struct seal_buf *out, struct seal_err *err);

/* Writes all of `bytes`, going on after short writes and EINTR. SEAL_E_IO; SEAL_E_PIPE when the reader has gone. */
SEAL_MUST_USE enum seal_status file_write_all(int fd, struct seal_bytes bytes, const char *path,
					      struct seal_err *err);

/*
 * Replaces `name` in the open directory `dirfd`: a temporary file of mode `mode` beside it, written, fsynced,
 * renamed over it, directory fsynced. `path` is for messages.
 */
SEAL_MUST_USE enum seal_status file_replace_at(int dirfd, const char *name, struct seal_bytes bytes, unsigned mode,
					       const char *path, struct seal_err *err);

/*
 * The two halves of it, for content that is written piece by piece: a new file beside `name`, whose own name goes to `temporary`;
 * and what makes it `name`. Without `replace` a `name` that is there is SEAL_E_CREATE. Whatever fails, `fd` stays open and the
 * temporary file is the caller's to unlink.
 */
#define FILE_TEMPORARY_MAX 300
SEAL_MUST_USE enum seal_status file_temporary_at(int dirfd, const char *name, unsigned mode, const char *path,
						 char temporary[FILE_TEMPORARY_MAX], int *fd, struct seal_err *err);
SEAL_MUST_USE enum seal_status file_publish_at(int dirfd, int fd, const char *temporary, const char *name,
					       bool replace, const char *path, struct seal_err *err);

/* mkdir -p: what is made has mode 0700 and is on disk. SEAL_E_CREATE; SEAL_DENIED where that is the reason. */
SEAL_MUST_USE enum seal_status file_make_dirs(const char *path, struct seal_err *err);

#endif
