/* A file becomes a container, in constant memory: two chunks, whatever its size. */
#ifndef FILES_FILE_PROTECT_H
#define FILES_FILE_PROTECT_H

#include "files/container.h"
#include "files/file_input.h"
#include "files/file_target.h"

struct file_protect {
	struct file_input *in;
	struct file_target *out; /* the caller keeps it when this succeeds */
	struct seal_bytes name, media_type; /* as in struct file_meta */
	uint32_t chunk_size;
	struct key_session *kek;
	bool derived; /* of the KEK, key_info.derived */
	const struct key_call *call;
};

SEAL_MUST_USE enum seal_status file_protect(const struct file_protect *how, struct seal_err *err);

#endif
