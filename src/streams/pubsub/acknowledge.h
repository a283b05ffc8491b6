/* What a subscription says to acknowledgement ids. Inside src/streams/pubsub only. */
#ifndef STREAMS_PUBSUB_ACKNOWLEDGE_H
#define STREAMS_PUBSUB_ACKNOWLEDGE_H

#include "base/buf.h"
#include "streams/inbox.h"

#define ACKNOWLEDGE_BODY_MAX 500000u /* the service takes requests of 512 KiB */

/*
 * {"ackIds":[…]} of as many messages as fit, at least one; with `seconds` not NULL "ackDeadlineSeconds", too. Returns how many in *taken.
 */
SEAL_MUST_USE enum seal_status acknowledge_write(struct inbox_message *const *messages, size_t n,
						 const unsigned *seconds, struct seal_buf *out, size_t *taken,
						 struct seal_err *err);

/*
 * The body of a failure: of an exactly-once subscription it says of each id that failed how (google.rpc.ErrorInfo). False: it names
 * none of these. Else those that failed for good are `refused`, and those to ask for again come first in `messages`: *again of them.
 * `passing`: the failure as a whole is one for the time being.
 */
bool acknowledge_failures(struct seal_bytes body, bool passing, struct inbox_message **messages, size_t n,
			  size_t *again);

#endif
