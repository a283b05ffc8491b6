/* Credentials that stay valid: found once, found anew before they expire. Thread-safe. */
#ifndef AWS_PROVIDER_H
#define AWS_PROVIDER_H

#include "aws/credentials.h"

struct aws_provider;

/* In use by somebody: goes when the last one has given it back. */
struct aws_keys {
	struct aws_credentials credentials;
	unsigned users; /* the provider's lock guards it */
};

/* `want` is copied. Finds the first ones, so that a mistake shows at start. */
SEAL_MUST_USE enum seal_status aws_provider_new(const struct aws_want *want, uint64_t deadline_ms,
						struct aws_provider **out, struct seal_err *err);
void aws_provider_free(struct aws_provider *provider); /* accepts NULL; after all keys are back */

/*
 * Valid keys. Who asks first within five minutes of their end (or within the last quarter of their life) finds new ones, while the
 * others go on with the old; once these are over, all wait.
 */
SEAL_MUST_USE enum seal_status aws_provider_get(struct aws_provider *provider, uint64_t deadline_ms,
						struct aws_keys **out, struct seal_err *err);
void aws_provider_put(struct aws_provider *provider, struct aws_keys *keys);

/* The service says that `keys` are not valid any more: they are not given out again, unless they are found again. */
void aws_provider_refuse(struct aws_provider *provider, const struct aws_keys *keys);

#endif
