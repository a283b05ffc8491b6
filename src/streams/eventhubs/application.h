/* Tokens of an application of Entra ID. Inside src/streams/eventhubs only. */
#ifndef STREAMS_EVENTHUBS_APPLICATION_H
#define STREAMS_EVENTHUBS_APPLICATION_H

#include "streams/eventhubs/eventhubs.h"

struct application;

/* `access`, which has a tenant, outlives it. SEAL_USAGE: its authority is no address. */
SEAL_MUST_USE enum seal_status application_new(struct eventhubs_access *access, struct application **out,
					       struct seal_err *err);
void application_free(struct application *application); /* accepts NULL */

/* As http_token_fetch (http/tokens.h); `arg` is the struct application. */
SEAL_MUST_USE enum seal_status application_fetch(void *arg, uint64_t deadline_ms, struct secret *header,
						 uint64_t *lifetime_s, struct seal_err *err);

#endif
