/* Events as the HTTPS interface takes them: several in one JSON text, or one as a body of bytes with its properties beside it. */
#ifndef STREAMS_EVENTHUBS_EVENT_H
#define STREAMS_EVENTHUBS_EVENT_H

#include "base/buf.h"
#include "http/http.h"
#include "streams/stream.h"

/* Its value is no text, so that it cannot stand in a JSON text. */
bool event_is_alone(const struct record *record);
/*
 * Bytes that it takes, JSON's signs included. SEAL_DATA: it cannot be written: a tombstone, a header that is null, no text or there
 * twice, more than `max` bytes. `with_headers` false: they are left out.
 */
SEAL_MUST_USE enum seal_status event_measure(const struct record *record, bool with_headers, size_t max,
					     size_t *bytes, struct seal_err *err);
/* {"Body":…,"BrokerProperties":…,"UserProperties":…}; the record has been measured and is not alone. */
SEAL_MUST_USE enum seal_status event_append(struct seal_buf *out, const struct record *record, bool with_headers,
					    struct seal_err *err);
/* Those of a record that is alone; memory of `arena`, the array included. */
SEAL_MUST_USE enum seal_status event_headers(const struct record *record, bool with_headers, struct arena *arena,
					     struct http_header **out, size_t *n, struct seal_err *err);

#endif
