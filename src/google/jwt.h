/* Self-signed tokens of service accounts (google.aip.dev/auth/4111). Inside src/google only. */
#ifndef GOOGLE_JWT_H
#define GOOGLE_JWT_H

#include "google/credentials.h"

#define JWT_LIFETIME_S 3600
#define JWT_BACKDATE_S 30 /* our clock may be ahead of the server's */

/*
 * "Bearer HEADER.CLAIMS.SIGNATURE" with a zero byte, good for `audience` (or, where that is NULL, for `scope`) until JWT_LIFETIME_S less
 * JWT_BACKDATE_S from `now_s`, in seconds since 1970.
 */
SEAL_MUST_USE enum seal_status jwt_make(const struct google_credentials *credentials, const char *audience,
					const char *scope, int64_t now_s, struct secret *header,
					struct seal_err *err);

#endif
