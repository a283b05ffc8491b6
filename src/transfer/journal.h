/*
 * What a sender remembers: which files were sent, which are under way and how far. One text file, only ever added to, shared by
 * all senders of a directory:
 *
 *   sealstream sent 1
 *   begin ID TARGET DEV INODE SIZE MTIME_NS CTIME_NS CHUNK_SIZE NAME TIME     before the first chunk leaves
 *   acked ID N TIME                                                           chunks 0 … N-1 are safe; now and then
 *   done ID                                                                   all are
 *   gone ID                                                                   given up: the file changed
 *
 * ID is 32 hex digits; TARGET and NAME are percent-encoded. A file that was sent is known by target, name, inode, size and
 * mtime; it is gone on with only if device and ctime are the same as well, and the last line about it is at most
 * TRANSFER_RESUME_MAX_S old (TIME is Unix time in seconds): receivers may have given it up since.
 *
 * DIR/sent.lock holds locks of open file descriptions, which go with their process: byte 0 for whoever reads or writes `sent`,
 * one byte further up for each file that is being sent. A last line that was cut is taken away; it never counted.
 *
 * Thread-safe.
 */
#ifndef TRANSFER_JOURNAL_H
#define TRANSFER_JOURNAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "files/container.h"

struct journal;

struct journal_file {
	struct seal_bytes name; /* without directories, any bytes but NUL */
	uint64_t dev, inode, size;
	int64_t mtime_ns, ctime_ns;
};

struct journal_transfer {
	uint8_t id[FILE_ID_LEN];
	uint64_t acknowledged; /* chunks that need not be sent again */
	int64_t heard_s; /* Unix time of the last line about it */
};

enum journal_claim {
	JOURNAL_NEW, /* ours; its beginning is noted */
	JOURNAL_RESUME, /* ours; was interrupted */
	JOURNAL_SENT, /* nothing to do, nothing is held */
	JOURNAL_BUSY /* another sender has it; nothing is held */
};

/*
 * `directory` (opened, stays the caller's): where `sent` is. `files`: the directory that all names are in, so that entries of
 * files that are not there any more can go; -1: not known. SEAL_DATA: not a journal, of a newer version, damaged. `path` is
 * for messages.
 */
SEAL_MUST_USE enum seal_status journal_open(int directory, const char *path, int files, const char *target,
					    struct journal **out, struct seal_err *err);
/* What has been noted is made safe from a power cut as well as it can be. Accepts NULL. */
void journal_close(struct journal *journal);

/* As far as was read: has it been sent? */
bool journal_has_sent(struct journal *journal, const struct journal_file *file);
/*
 * Reads what others have noted and takes the file, unless it is sent or taken. A begun transfer with another chunk size is not
 * gone on with. JOURNAL_NEW and JOURNAL_RESUME: journal_release it, later.
 */
SEAL_MUST_USE enum seal_status journal_take(struct journal *journal, const struct journal_file *file,
					    uint32_t chunk_size, enum journal_claim *claim,
					    struct journal_transfer *transfer, struct seal_err *err);
void journal_release(struct journal *journal, const struct journal_file *file);

/* Returns once all that was noted so far survives a power cut: before the first chunk leaves. */
SEAL_MUST_USE enum seal_status journal_sync(struct journal *journal, struct seal_err *err);
SEAL_MUST_USE enum seal_status journal_note_acknowledged(struct journal *journal, const uint8_t *id, uint64_t chunks,
							 struct seal_err *err);
SEAL_MUST_USE enum seal_status journal_note_done(struct journal *journal, const uint8_t *id, struct seal_err *err);
SEAL_MUST_USE enum seal_status journal_note_gone(struct journal *journal, const uint8_t *id, struct seal_err *err);

/* Writes it anew without what nobody needs, if that is most of it. */
SEAL_MUST_USE enum seal_status journal_tidy(struct journal *journal, struct seal_err *err);

#endif
