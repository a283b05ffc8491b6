/*
 * Which transfers are whole: `received` in the state directory. What comes again of them is dropped, by all receivers that share
 * the directory.
 *
 *   sealstream received 1
 *   take ID STEM NAME     is about to leave STEM.part and become a file
 *   done ID NAME          has become one; NAME is for people and may be left out
 *
 * Appended under the lock of `received.lock`, which its holder keeps from the first `take` to the last `done`. So a `take` without
 * `done` that somebody sees who has just got the lock is of a process that died: where the part is gone, the file has its name.
 *
 * Memory: 16 bytes an id, at most RECEIVED_MAX of them; then the older half is forgotten. (Ids only come again from behind the
 * committed offsets.) Belongs to one thread.
 */
#ifndef TRANSFER_RECEIVED_H
#define TRANSFER_RECEIVED_H

#include "base/buf.h"
#include "files/container.h"

#define RECEIVED_MAX (1u << 18)

struct received;

/* Opens or makes it. `dir`: the state directory, which stays the caller's. */
SEAL_MUST_USE enum seal_status received_open(int dir, struct received **out, struct seal_err *err);
void received_close(struct received *received); /* accepts NULL */

/* Looks at what others have added first. SEAL_RETRY: another process is giving it its name. */
SEAL_MUST_USE enum seal_status received_has(struct received *received, const uint8_t *id, bool *has,
					    struct seal_err *err);
size_t received_count(const struct received *received);

/* SEAL_RETRY/SEAL_E_BUSY while another process holds it. Ends what a dead process had begun. After it, received_has is exact until unlock. */
SEAL_MUST_USE enum seal_status received_lock(struct received *received, struct seal_err *err);
void received_unlock(struct received *received);

/* Under the lock: noted for the next flush. */
SEAL_MUST_USE enum seal_status received_take(struct received *received, const uint8_t *id, const char *stem,
					     struct seal_bytes name, struct seal_err *err);
SEAL_MUST_USE enum seal_status received_done(struct received *received, const uint8_t *id, struct seal_bytes name,
					     struct seal_err *err);
/* Under the lock: all that was noted is on disk, or (SEAL_RETRY: no room …) nothing of it is, and it is forgotten. */
SEAL_MUST_USE enum seal_status received_flush(struct received *received, struct seal_err *err);

/* Under the lock, with nothing noted: writes the log anew where most of it is needed by nobody, or it has too many ids; where it cannot, the
 * next one tries again. SEAL_FATAL: memory. */
SEAL_MUST_USE enum seal_status received_tidy(struct received *received, struct seal_err *err);

/* One line without its newline; for the fuzzer. `stem` and `name` are views. */
struct received_line {
	enum { RECEIVED_OTHER, RECEIVED_TAKE, RECEIVED_DONE } what;
	uint8_t id[FILE_ID_LEN];
	struct seal_bytes stem;
};
void received_line_parse(struct seal_bytes line, struct received_line *out);

#endif
