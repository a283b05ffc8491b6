/*
 * Files of records: one a line (newline-delimited JSON, or any text), or kcat's -J envelopes. Address: a path, or "-"
 * for stdin and stdout.
 *
 * Lines     A record is a line without its newline; a carriage return before it belongs to the record. An empty line
 *           (white space only) is no record: it passes as it is. A last line without newline stays without one.
 * Limits    A line longer than max-record-bytes is a broken record (SEAL_E_LIMIT); it is skipped without being held.
 * Envelopes (-J): {"topic":…,"partition":…,"offset":…,"key":…,"payload":…}, with
 *           "ts" and "headers" where there are any. The record is the decoded text of the
 *           payload, null is a tombstone; a payload that is JSON itself (kcat -s avro) is taken as it stands. The
 *           result takes the payload's place, all other bytes of the line stay.
 */
#ifndef STREAMS_NDJSON_NDJSON_H
#define STREAMS_NDJSON_NDJSON_H

#include "streams/stream.h"

/* What the sink's option `layout` says, by number. */
enum ndjson_layout { NDJSON_LAYOUT_VALUE, NDJSON_LAYOUT_SOURCE, NDJSON_LAYOUT_ENVELOPE };

/* Of lines, as a file is without options; of envelopes. */
extern const struct stream_traits ndjson_traits, ndjson_envelope_traits;
extern const struct source_ops ndjson_source_ops; /* "file" */
extern const struct sink_ops ndjson_sink_ops; /* "file" */

#endif
