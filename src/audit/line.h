/*
 * One line of an audit trail, both ways. A JSON object of fixed order on one line:
 *
 *   {"v":1,"chain":"<32 hex>","seq":7,"prev":"<64 hex>","time":"2026-11-22T20:41:07.123Z","run":"<32 hex>","event":"use",
 *    … members of the event … ,"hash":"<64 hex>"}
 *
 *   hash   SHA-256 of the line's bytes before `,"hash"`
 *   prev   hash of the line before it in its chain; zeros in the first one, whose seq is 1
 */
#ifndef AUDIT_LINE_H
#define AUDIT_LINE_H

#include "base/buf.h"
#include "crypto/mac.h"

#define AUDIT_LINE_MAX 65536 /* without its newline */
#define AUDIT_TEXT_MAX 1024 /* bytes of a text in it; what is longer is cut, and ends in "..." */
#define AUDIT_ID_LEN 16
#define AUDIT_TIME_LEN 24

/* Where a chain stands: what the next line goes on from. */
struct audit_link {
	uint8_t chain[AUDIT_ID_LEN];
	uint64_t seq; /* of the last line; 0: there is none yet */
	uint8_t hash[SHA256_LEN]; /* of the last line */
};

/* Members of an event, to be put behind each other: `,"name":value`. `text` that is not UTF-8 gets '?' in its place. */
SEAL_MUST_USE enum seal_status audit_put_text(struct seal_buf *members, const char *name, const char *text,
					      struct seal_err *err);
SEAL_MUST_USE enum seal_status audit_put_number(struct seal_buf *members, const char *name, uint64_t value,
						struct seal_err *err);

/*
 * Appends the line that follows `link`, with its newline, and moves `link` to it. `members` as above, may be empty. On failure
 * `link` is as it was, and `out` may hold a part.
 */
SEAL_MUST_USE enum seal_status audit_line_write(struct seal_buf *out, struct audit_link *link,
						const uint8_t run[AUDIT_ID_LEN], int64_t now_ms, const char *event,
						struct seal_bytes members, struct seal_err *err);

enum audit_line_state {
	AUDIT_LINE_GOOD,
	AUDIT_LINE_FOREIGN, /* no line of an audit trail, or only a part of one */
	AUDIT_LINE_NEWER, /* of a version that is not known here */
	AUDIT_LINE_CHANGED /* its hash is of other bytes; what it says is in `out` all the same */
};

struct audit_line {
	uint8_t chain[AUDIT_ID_LEN], run[AUDIT_ID_LEN];
	uint64_t seq;
	uint8_t prev[SHA256_LEN], hash[SHA256_LEN];
	struct seal_bytes time, event; /* views of the text */
};

/* `text` without its newline. Fails only without memory; then *state is AUDIT_LINE_FOREIGN. */
SEAL_MUST_USE enum seal_status audit_line_parse(struct seal_bytes text, struct audit_line *out,
						enum audit_line_state *state, struct seal_err *err);

/* Could `text` be a line, or the beginning of one that was cut? An empty one could. */
bool audit_line_begins(struct seal_bytes text);

#endif
