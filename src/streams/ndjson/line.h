/* What a line needs besides the record that is made of it; record.native of this folder's source. Most lines need none. */
#ifndef STREAMS_NDJSON_LINE_H
#define STREAMS_NDJSON_LINE_H

#include "base/buf.h"
#include "json/scan.h"
#include "streams/stream.h"

struct ndjson_line {
	struct seal_bytes text; /* the whole line, without its newline */
	uint64_t number; /* of the line in its file, from 1 */
	uint32_t payload_start, payload_end; /* in text; both 0: not an envelope */
	bool payload_is_string;
	bool unterminated; /* the file's last line, without newline */
};

/*
 * Reads the envelope `line->text` into `record`: payload, key, topic. `scan` is scratch, `paths` comes from
 * envelope_paths. Memory comes from `arena`. Not an envelope: SEAL_DATA.
 */
SEAL_MUST_USE enum seal_status envelope_read(const struct json_paths *paths, struct json_scan *scan,
					     struct ndjson_line *line, struct arena *arena, struct record *record,
					     struct seal_err *err);
SEAL_MUST_USE enum seal_status envelope_paths(struct json_paths **out, struct seal_err *err);

/* Appends the line with `value` in its payload's place. A value that is not UTF-8 cannot be a string: SEAL_DATA. */
SEAL_MUST_USE enum seal_status envelope_splice(const struct ndjson_line *line, struct seal_bytes value,
					       struct seal_buf *out, struct seal_err *err);
/* SEAL_DATA when the record cannot stand in an envelope: key, value or a header is not UTF-8. */
SEAL_MUST_USE enum seal_status envelope_check(const struct record *record, struct seal_err *err);
/* Appends a new envelope, as kcat -J writes it. */
SEAL_MUST_USE enum seal_status envelope_write(const struct record *record, struct seal_buf *out,
					      struct seal_err *err);

#endif
