/* A file or standard input to read from: blocks that are full but for the last one, and, where the system allows, any place. */
#ifndef FILES_FILE_INPUT_H
#define FILES_FILE_INPUT_H

#include "base/err.h"

struct file_input {
	int fd;
	const char *path; /* for messages; the caller's */
	bool regular; /* has a size and can be read at any place */
	uint64_t start, size; /* regular: where it stood when it was opened, and bytes from there; else 0 */
	int64_t mtime_ns; /* Unix time; INT64_MIN: not a regular file */
	int (*stop)(void); /* non-zero ends a read with SEAL_RETRY; may be NULL */
};

/* "-" is standard input. SEAL_E_NO_INPUT, SEAL_E_DENIED. */
SEAL_MUST_USE enum seal_status file_input_open(const char *path, int (*stop)(void), struct file_input *in,
					       struct seal_err *err);
void file_input_close(struct file_input *in); /* accepts one that was zeroed */

/* `len` bytes, or fewer at the end. SEAL_E_IO. */
SEAL_MUST_USE enum seal_status file_input_read(struct file_input *in, uint8_t *to, size_t len, size_t *got,
					       struct seal_err *err);
/* The same at an offset, counted from `start`, of a regular file; moves nothing. */
SEAL_MUST_USE enum seal_status file_input_read_at(struct file_input *in, uint64_t offset, uint8_t *to, size_t len,
						  size_t *got, struct seal_err *err);

#endif
