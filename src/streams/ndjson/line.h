/* What a line needs besides the record that is made of it; record.native of this folder's source. Most lines need none. */
#ifndef STREAMS_NDJSON_LINE_H
#define STREAMS_NDJSON_LINE_H

#include "base/buf.h"
#include "json/scan.h"
#include "streams/stream.h"

struct ndjson_line {
	const struct record_header *headers; /* an envelope's, as they were read */
	struct seal_bytes text; /* the whole line, without its newline */
	uint64_t number; /* of the line in its file, from 1 */
	uint32_t payload_start, payload_end; /* in text; both 0: not an envelope */
	uint32_t payload_item; /* where its member starts */
	uint32_t headers_start, headers_end, headers_item; /* the same of headers; all 0: it has none */
	uint32_t key_start, key_end; /* the same of the key */
	struct seal_bytes key; /* as it was read */
	bool payload_is_string, key_is_text; /* … or null, which may become text */
	bool unterminated; /* the file's last line, without newline */
};

/* What reads envelopes: paths and scratch. */
struct envelope_reader {
	struct json_paths *members, *elements; /* of an envelope; of its headers */
	struct json_scan scan;
};

SEAL_MUST_USE enum seal_status envelope_reader_init(struct envelope_reader *reader, struct seal_err *err);
void envelope_reader_clear(struct envelope_reader *reader); /* a zeroed one, too */

/*
 * Reads the envelope `line->text` into `record`: payload, key, topic, headers. Memory comes from `arena`. Not an envelope:
 * SEAL_DATA.
 */
SEAL_MUST_USE enum seal_status envelope_read(struct envelope_reader *reader, struct ndjson_line *line,
					     struct arena *arena, struct record *record, struct seal_err *err);

/*
 * Appends the line with the record's value in its payload's place, and its key and headers where they are not the ones that
 * were read. What is not UTF-8 cannot be a string: SEAL_DATA.
 */
SEAL_MUST_USE enum seal_status envelope_splice(const struct ndjson_line *line, const struct record *record,
					       struct seal_buf *out, struct seal_err *err);
/* SEAL_DATA when the record cannot stand in an envelope: key, value or a header is not UTF-8. */
SEAL_MUST_USE enum seal_status envelope_check(const struct record *record, struct seal_err *err);
/* The same of what envelope_splice would write. */
SEAL_MUST_USE enum seal_status envelope_check_splice(const struct ndjson_line *line, const struct record *record,
						     struct seal_err *err);
/* Appends a new envelope, as kcat -J writes it. */
SEAL_MUST_USE enum seal_status envelope_write(const struct record *record, struct seal_buf *out,
					      struct seal_err *err);

#endif
