/* Keys that a derived key makes of contexts (Transit's KDF 1), kept ready for use: one place, one derivation. */
#ifndef KEYS_KEYRING_DERIVED_H
#define KEYS_KEYRING_DERIVED_H

#include "crypto/aead.h"
#include "crypto/mac.h"
#include "keys/keyring_type.h"

/* Longer contexts are derived anew each time, so that what a record holds cannot fill memory. */
#define DERIVED_CONTEXT_KEPT 1024

struct derived {
	struct aead *aead;
	struct hmac *nonces; /* convergent: nonces are the first bytes of the plaintext's HMAC; else NULL */
};

/* What contexts are combined with. */
struct derived_from {
	const struct keyring_type *type;
	struct seal_bytes material;
	uint32_t version; /* not 0 */
	bool convergent;
};

SEAL_MUST_USE enum seal_status derived_make(const struct derived_from *from, struct seal_bytes context,
					    struct derived *out, struct seal_err *err);
void derived_clear(struct derived *derived);

struct derived_cache; /* belongs to one session */

SEAL_MUST_USE enum seal_status derived_cache_new(struct derived_cache **out, struct seal_err *err);
/* Accepts NULL. */
void derived_cache_free(struct derived_cache *cache);
/* Forgets all. */
void derived_cache_clear(struct derived_cache *cache);
/* The key of `context`; valid until the next call. */
SEAL_MUST_USE enum seal_status derived_cache_get(struct derived_cache *cache, const struct derived_from *from,
						 struct seal_bytes context, const struct derived **out,
						 struct seal_err *err);

#endif
