/*
 * Signatures by RSA keys: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2), which JWTs call RS256. The key is kept as DER in
 * secret memory; libcrypto holds it, on its own heap, for one signature at a time only.
 */
#ifndef CRYPTO_RSA_H
#define CRYPTO_RSA_H

#include "base/err.h"
#include "base/secret.h"

#define RSA_SIGNATURE_MAX 1024 /* bytes: of a key of 8192 bits */

struct rsa_key {
	struct secret der; /* PKCS #8 */
	size_t len; /* of it */
};

#define RSA_KEY_INIT                                                                                                 \
	{                                                                                                            \
		SECRET_INIT, 0                                                                                       \
	}

/*
 * A private key of 2048 … 8192 bits, from its text (RFC 7468, section 10: "-----BEGIN PRIVATE KEY-----"). SEAL_USAGE/SEAL_E_CONFIG: it is
 * none. `out` is empty on failure.
 */
SEAL_MUST_USE enum seal_status rsa_key_read(struct seal_bytes pem, struct rsa_key *out, struct seal_err *err);
void rsa_key_clear(struct rsa_key *key);

/* *len: as many bytes as the key has. Thread-safe. */
SEAL_MUST_USE enum seal_status rsa_sign_sha256(const struct rsa_key *key, struct seal_bytes message,
					       uint8_t out[RSA_SIGNATURE_MAX], size_t *len, struct seal_err *err);

#endif
