/* A container becomes the file again, in constant memory: two chunks, whatever its size. Only verified bytes are written. */
#ifndef FILES_FILE_REVEAL_H
#define FILES_FILE_REVEAL_H

#include "files/container.h"
#include "files/file_input.h"
#include "files/file_target.h"

struct file_reveal {
	struct file_input *in;
	struct file_target *out; /* the caller keeps it when this succeeds */
	struct key_session *kek;
	bool derived; /* of the KEK, key_info.derived */
	const struct key_call *call;
	bool part; /* only these bytes; `in` must be a regular file, of which only their chunks are read */
	uint64_t offset, length; /* what lies beyond the end is left out; an offset beyond it is SEAL_USAGE */
};

/*
 * *mtime_ns is the file's, or INT64_MIN. SEAL_DATA when the container is cut, changed, or followed by anything; what was
 * written until then is verified, but not the whole file.
 */
SEAL_MUST_USE enum seal_status file_reveal(const struct file_reveal *how, int64_t *mtime_ns, struct seal_err *err);

#endif
