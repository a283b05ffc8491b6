/* What token servers answer. */
#ifndef HTTP_TOKEN_ANSWER_H
#define HTTP_TOKEN_ANSWER_H

#include "base/secret.h"

#define TOKEN_ANSWER_LIFETIME_MAX_S (7u * 24 * 3600) /* what lives longer is fetched anew after that */

/*
 * A token (RFC 6749, section 5.1). *header: "Bearer " and the token, with a zero byte; empty on failure. SEAL_RETRY: it is none.
 */
SEAL_MUST_USE enum seal_status token_answer_read(struct seal_bytes body, struct secret *header, uint64_t *lifetime_s,
						 struct seal_err *err);

/* The error ("invalid_grant"), if it is one of the known ones, else "". Static. */
const char *token_answer_error(struct seal_bytes body);

#endif
