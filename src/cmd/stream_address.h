/*
 * Addresses of streams, in one place:
 *
 *   purchases            a topic of Kafka, whose names hold no colon     kafka:purchases   the same
 *   file:out.ndjson      records in lines                                -                 standard input or output
 *   sqs:purchases        every scheme of the registry; what stands behind the colon is the stream's to read
 */
#ifndef CMD_STREAM_ADDRESS_H
#define CMD_STREAM_ADDRESS_H

#include "cmd/platform.h"

struct stream_address {
	const char *text; /* as it was given */
	struct platform *platform;
	const char *rest; /* behind the scheme; "-" for standard input and output */
};

/*
 * Reads `text` (kept), for one side: PLATFORM_SOURCE or PLATFORM_SINK. SEAL_USAGE: no such scheme, with the nearest and the list;
 * one that is only written, or only read; nothing behind the colon.
 */
SEAL_MUST_USE enum seal_status stream_address_parse(struct platform *platforms, int side, const char *text,
						    struct stream_address *out, struct seal_err *err);
bool stream_address_is(const struct stream_address *address, const char *scheme);
/* What policies call it: the queue's name of its URL. Empty for a file, which has no name of that kind. A view. */
struct seal_bytes stream_address_topic(const struct stream_address *address);

#endif
