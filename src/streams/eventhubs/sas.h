/* Shared access signatures of Service Bus and Event Hubs. */
#ifndef STREAMS_EVENTHUBS_SAS_H
#define STREAMS_EVENTHUBS_SAS_H

#include "base/secret.h"

/*
 * What an Authorization header says for `uri` ("https://HOST/HUB") until `expires_s` (since 1970), as text that ends with a zero byte.
 * `key` is used as it stands in a connection string, not decoded.
 */
SEAL_MUST_USE enum seal_status sas_make(const char *uri, const char *key_name, const char *key, int64_t expires_s,
					struct secret *out, struct seal_err *err);

#endif
