/*
 * OAUTHBEARER with client credentials (RFC 6749, section 4.4): a token server is asked for a token, which brokers then take
 * as the login. Settings have librdkafka's names (sasl.oauthbearer.method=oidc …). Debian's librdkafka was built without its own
 * client for it; newer ones stop at the first failure. So tokens are fetched here, but for other grants, which are librdkafka's
 * where it has them. Inside src/streams/kafka only.
 *
 * The secret, and what is made of it, are never shown: errors name the server, its path, the status and the error code.
 */
#ifndef STREAMS_KAFKA_OAUTH_H
#define STREAMS_KAFKA_OAUTH_H

#include "base/secret.h"
#include "streams/kafka/config.h"

#define OAUTH_TOKEN_MAX (64u << 10)
#define OAUTH_EXTENSIONS_MAX 16
#define OAUTH_LIFETIME_MAX_S (30u * 24 * 3600) /* what is longer is asked for anew after that */

struct oauth_token {
	struct secret text; /* NUL-terminated */
	uint64_t lifetime_ms; /* from when it was asked for */
};

#define OAUTH_TOKEN_INIT                                                                                             \
	{                                                                                                            \
		SECRET_INIT, 0                                                                                       \
	}

struct oauth;

/* True for the settings that are taken here. */
bool oauth_is_own(const char *name);

/* Does a client of that role log in with OAUTHBEARER? */
bool oauth_mechanism(const struct kafka_config *config, enum kafka_role role);

/*
 * Checks the settings. *out NULL: the client of that role fetches no tokens here. `library_can`: librdkafka has its own client for
 * token servers. SEAL_USAGE/SEAL_E_CONFIG: what is missing or cannot be. `config` must outlive the result.
 */
SEAL_MUST_USE enum seal_status oauth_new(const struct kafka_config *config, enum kafka_role role, bool library_can,
					 struct oauth **out, struct seal_err *err);
void oauth_free(struct oauth *oauth); /* accepts NULL */

/*
 * Asks for a token; returns within ten seconds. SEAL_RETRY: the server is away, busy, or answers what is no token; SEAL_DENIED:
 * it refuses; SEAL_USAGE: the address or the scope is wrong. `token` is cleared first, and empty on failure.
 */
SEAL_MUST_USE enum seal_status oauth_fetch(struct oauth *oauth, struct oauth_token *token, struct seal_err *err);
void oauth_token_clear(struct oauth_token *token);

/* The name that the client goes by: its id. */
const char *oauth_client_id(const struct oauth *oauth);
/* Name, value, name, value … for the broker; *n counts both. */
const char **oauth_extensions(struct oauth *oauth, size_t *n);

/*
 * The server's answer (RFC 6749, section 5.1): the token, and how long it lives by expires_in, else by the JWT's own exp; `now_s`
 * is since 1970. SEAL_RETRY: it is none.
 */
SEAL_MUST_USE enum seal_status oauth_answer_read(struct seal_bytes answer, int64_t now_s, struct oauth_token *token,
						 struct seal_err *err);

#endif
