/*
 * Wrapping a key for somebody else's import (Transit's "bring your own key"): an ephemeral AES-256 key wraps the material
 * (AES-KWP, RFC 5649), and RSA-OAEP (RFC 8017, SHA-256 for hash and mask, empty label) wraps the ephemeral key.
 */
#ifndef CRYPTO_KEY_WRAP_H
#define CRYPTO_KEY_WRAP_H

#include "base/buf.h"
#include "base/err.h"

#define KEY_WRAP_MATERIAL_MAX 4096

/* AES-KWP of 1 … KEY_WRAP_MATERIAL_MAX bytes under a kek of 16, 24 or 32; appends to `out`. */
SEAL_MUST_USE enum seal_status key_wrap_kwp(struct seal_bytes kek, struct seal_bytes material, struct seal_buf *out,
					    struct seal_err *err);

/*
 * RSA-OAEP(ephemeral key) ‖ AES-KWP(material) for the RSA public key in `pem` (SubjectPublicKeyInfo); appends to `out`.
 * SEAL_DATA/SEAL_E_SYNTAX when it is no such key; one of less than 2048 bits is refused, too.
 */
SEAL_MUST_USE enum seal_status key_wrap_for(struct seal_bytes pem, struct seal_bytes material, struct seal_buf *out,
					    struct seal_err *err);

#endif
