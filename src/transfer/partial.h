/*
 * A file that is being put together, in the state directory:
 *
 *   ID.part    what has come, verified, at its place; flocked by whoever writes it
 *   ID.state   which chunks of it are safe on disk; anything but a good one means none
 *
 *   sealstream part 1
 *   meta HEX              SHA-256 of what the header says, so that it is the same file
 *   end N                 chunks in all; 0: not known yet
 *   size N                bytes, or 18446744073709551615
 *   chunks FROM TO        one line a range, in order: FROM … TO - 1
 *   sum HEX               SHA-256 of all lines before
 *
 * Where another process holds ID.part, ID-1.part … ID-15.part are taken. A lock ends with its process, and whoever comes next
 * goes on with what it finds.
 */
#ifndef TRANSFER_PARTIAL_H
#define TRANSFER_PARTIAL_H

#include "crypto/mac.h"
#include "files/container.h"
#include "transfer/ranges.h"

#define PARTIAL_STEM_MAX 40 /* 32 hex digits, "-15", NUL */
#define PARTIAL_PART ".part"
#define PARTIAL_STATE ".state"

struct partial {
	int fd; /* locked; -1: closed */
	int dir; /* the state directory, the caller's */
	char stem[PARTIAL_STEM_MAX];
	uint8_t meta[SHA256_LEN];
	struct ranges have;
	uint64_t chunks; /* in all; 0: not known yet */
	uint64_t size; /* of the file, or FILE_SIZE_UNKNOWN */
	uint64_t unsaved; /* bytes written since the last save */
};

#define PARTIAL_INIT                                                                                                 \
	{                                                                                                            \
		.fd = -1                                                                                             \
	}

/*
 * Opens or makes the part of transfer `id`. `chunk_size`: of its file, to check that the part is as long as its state says. What
 * was there already is in `have`. SEAL_DATA/SEAL_E_TAMPERED: it is another file's, by `meta`. SEAL_RETRY: no room, or all
 * sixteen are held by others.
 */
SEAL_MUST_USE enum seal_status partial_open(int dir, const uint8_t *id, const uint8_t *meta, uint32_t chunk_size,
					    struct partial *out, struct seal_err *err);
/* At byte `offset`. SEAL_RETRY: no room; may be repeated. SEAL_DATA: no file can be so large there. */
SEAL_MUST_USE enum seal_status partial_write(const struct partial *partial, uint64_t offset, struct seal_bytes bytes,
					     struct seal_err *err);
/* What has come is safe, and known to be so, when it returns. */
SEAL_MUST_USE enum seal_status partial_save(struct partial *partial, struct seal_err *err);
/* The whole file is safe on disk: length, time (INT64_MIN: as it is), mode 0600. */
SEAL_MUST_USE enum seal_status partial_complete(const struct partial *partial, uint64_t size, int64_t mtime_ns,
						struct seal_err *err);
/* Lock and memory go, files stay. */
void partial_close(struct partial *partial);
/* Files go, too. */
void partial_remove(struct partial *partial);

/* True when `name` is one of a part, and then *id is its transfer. */
bool partial_name_parse(const char *name, uint8_t id[FILE_ID_LEN]);
/* Takes a part away that nobody holds, with its state; false where somebody does. `name` is its file's, "STEM.part". */
bool partial_discard(int dir, const char *name);

/* The text of a state, both ways; for tests and the fuzzer. False: not one, and `partial` has no chunks. */
SEAL_MUST_USE enum seal_status partial_state_write(const struct partial *partial, struct seal_buf *out,
						   struct seal_err *err);
bool partial_state_parse(struct seal_bytes text, struct partial *partial);

#endif
