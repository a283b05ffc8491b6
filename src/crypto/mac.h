/* SHA-256, HMAC-SHA-256 (RFC 2104, FIPS 198-1), HKDF-SHA-256 (RFC 5869), scrypt (RFC 7914). */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include "base/err.h"
#include "base/secret.h"

#define SHA256_LEN 32

SEAL_MUST_USE enum seal_status sha256(struct seal_bytes in, uint8_t out[SHA256_LEN], struct seal_err *err);

struct hmac; /* a keyed HMAC-SHA-256 context: belongs to one thread at a time */

SEAL_MUST_USE enum seal_status hmac_new(struct seal_bytes key, struct hmac **out, struct seal_err *err);
void hmac_free(struct hmac *hmac);

struct hmac_item {
	struct seal_bytes prefix; /* hashed before `in`; may be empty */
	struct seal_bytes in;
	uint8_t *out; /* 32 bytes */
};

SEAL_MUST_USE enum seal_status hmac_many(struct hmac *hmac, struct hmac_item *items, size_t n, struct seal_err *err);

/* What makes lots from now on, for tests: "ipsec-mb" (side by side) or "openssl". False where it does not run here. */
bool hmac_backend_force(const char *name);

/* `out` is allocated with `len` bytes (1 … 8160). */
SEAL_MUST_USE enum seal_status hkdf_sha256(struct seal_bytes key, struct seal_bytes salt, struct seal_bytes info,
					   size_t len, struct secret *out, struct seal_err *err);

/* The same into memory of the caller's, which must be as secret as the result is. On failure `out` is wiped. */
SEAL_MUST_USE enum seal_status hkdf_sha256_into(struct seal_bytes key, struct seal_bytes salt, struct seal_bytes info,
						uint8_t *out, size_t len, struct seal_err *err);

/* N = 2^log2_n. `out` is allocated with `len` bytes. SEAL_DATA/SEAL_E_LIMIT for parameters that need over 1 GiB. */
SEAL_MUST_USE enum seal_status scrypt_derive(struct seal_bytes passphrase, struct seal_bytes salt, unsigned log2_n,
					     unsigned r, unsigned p, size_t len, struct secret *out,
					     struct seal_err *err);

#endif
