/* How a token is come by, and what a metadata server knows. One thread at a time. Inside src/google only. */
#ifndef GOOGLE_FETCH_H
#define GOOGLE_FETCH_H

#include "google/credentials.h"

struct google_fetch;

/* `credentials` (of kind SERVICE_ACCOUNT, USER or METADATA) and the strings outlive it. */
SEAL_MUST_USE enum seal_status google_fetch_new(const struct google_credentials *credentials, const char *audience,
						const char *scope, const char *ca_file, struct google_fetch **out,
						struct seal_err *err);
void google_fetch_free(struct google_fetch *fetch); /* accepts NULL */

/* As http_token_fetch; `arg` is the struct google_fetch. */
SEAL_MUST_USE enum seal_status google_fetch_token(void *arg, uint64_t deadline_ms, struct secret *header,
						  uint64_t *lifetime_s, struct seal_err *err);

/*
 * Is there a metadata server? Fills the credentials with its name and, where it knows one, the project. SEAL_DENIED: there is none, and why.
 */
SEAL_MUST_USE enum seal_status google_metadata_find(struct google_credentials *credentials, struct seal_err *err);

#endif
