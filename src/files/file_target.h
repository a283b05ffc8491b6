/*
 * Where a file is written: a temporary file (mode 0600) beside its final name, which it gets when it is whole; or standard output,
 * where what was written cannot be taken back.
 */
#ifndef FILES_FILE_TARGET_H
#define FILES_FILE_TARGET_H

#include "base/file.h"

struct file_target {
	int fd, dirfd; /* dirfd -1: standard output */
	const char *path; /* the caller's */
	char *name; /* last component of path */
	char temporary[FILE_TEMPORARY_MAX]; /* "": there is none (any more) */
	bool replace;
	uint64_t written;
};

/*
 * "-" is standard output. SEAL_E_CREATE when it cannot be made, when it is there and not to be replaced, or when something is there
 * that is no regular file.
 */
SEAL_MUST_USE enum seal_status file_target_open(const char *path, bool replace, struct file_target *target,
						struct seal_err *err);
SEAL_MUST_USE enum seal_status file_target_write(struct file_target *target, struct seal_bytes bytes,
						 struct seal_err *err);
/* Whole: synced, and under its final name. mtime_ns INT64_MIN: now. */
SEAL_MUST_USE enum seal_status file_target_keep(struct file_target *target, int64_t mtime_ns, struct seal_err *err);
/* Always, and last: what was not kept goes away. */
void file_target_close(struct file_target *target);

/* Can what was written still go away? */
static inline bool file_target_is_file(const struct file_target *target)
{
	return target->dirfd >= 0;
}

#endif
