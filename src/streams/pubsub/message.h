/*
 * Records as messages of Pub/Sub, and back. Inside src/streams/pubsub only.
 *
 *   value     data; none: attribute seal.null, "true" for a tombstone, "false" for an empty value of a message with no other attribute
 *   key       orderingKey; one that is no text of 1 to 1024 bytes: hex SHA-256 of it there, base64 of it in the attribute seal.key
 *   headers   attributes; a value that is no text: base64 of it, and the name in the attribute seal.base64, a list with commas
 */
#ifndef STREAMS_PUBSUB_MESSAGE_H
#define STREAMS_PUBSUB_MESSAGE_H

#include "base/buf.h"
#include "json/value.h"
#include "streams/inbox.h"

#define MESSAGE_REQUEST_MAX 10000000u /* bytes of a publish request, as the service counts them */
#define MESSAGE_REQUEST_ROOM 1024u /* of it: the topic's name, and what surrounds messages */
#define MESSAGE_OVERHEAD_MAX                                                                                         \
	65536u /* what a message has beside its key, value and headers, at most: base64 of these, too */

/*
 * Bytes of it as the service counts them, rounded up. SEAL_DATA: what cannot be (a header twice, one without text for a name, values
 * that are too long …), so that message_append need not ask. `headers` false: they are left out.
 */
SEAL_MUST_USE enum seal_status message_measure(const struct record *record, bool headers, size_t *bytes,
					       struct seal_err *err);
/* Appends it as JSON. Only what message_measure takes. */
SEAL_MUST_USE enum seal_status message_append(const struct record *record, bool headers, struct seal_buf *out,
					      struct seal_err *err);

/*
 * One element of receivedMessages: record and handle, in `arena`. A message that cannot be read, or has a value of more than max_bytes,
 * is `broken`. SEAL_RETRY: it is no such element.
 */
SEAL_MUST_USE enum seal_status message_read(const struct json_value *received, size_t max_bytes, struct arena *arena,
					    struct inbox_message *out, struct seal_err *err);

#endif
