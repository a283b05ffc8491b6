/*
 * Where a receiver puts files: the destination and, on the same file system, its state directory. Both are held open: all work
 * goes through the descriptors, so that renamed or planted directories change nothing.
 */
#ifndef TRANSFER_PLACE_H
#define TRANSFER_PLACE_H

#include "base/err.h"

struct place {
	const char *path; /* of the destination, for messages; the caller's */
	int files, state; /* directories; -1: closed */
	uint64_t capacity; /* bytes that the file system could ever hold; UINT64_MAX: not known */
};

#define PLACE_INIT                                                                                                   \
	{                                                                                                            \
		NULL, -1, -1, 0                                                                                      \
	}

/*
 * Makes what is missing (0700). `state` NULL: `path`/.sealstream, which must be a real directory. SEAL_DENIED where a directory is
 * not ours to write or the state is open to others; SEAL_USAGE where the two are on different file systems.
 */
SEAL_MUST_USE enum seal_status place_open(const char *path, const char *state, struct place *out,
					  struct seal_err *err);
void place_close(struct place *place);

/*
 * The error of a system call in one of them. SEAL_RETRY where there is no room (space, quota, descriptors): it may come back;
 * SEAL_DATA where a file would be larger than one can be there; SEAL_DENIED, SEAL_FATAL else.
 */
enum seal_status place_failed(int code, const char *what, const char *name, struct seal_err *err);

#endif
