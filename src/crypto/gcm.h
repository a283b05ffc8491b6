/* AES-GCM with nonces of other lengths than 96 bits, for reading what others made. New messages go through aead.h. */
#ifndef CRYPTO_GCM_H
#define CRYPTO_GCM_H

#include "base/bytes.h"
#include "base/err.h"

#define GCM_NONCE_MAX 128
#define GCM_TAG_LEN 16

/*
 * Opens one message (SP 800-38D §7.2) under a key of 16 or 32 bytes: a nonce of 1 … GCM_NONCE_MAX bytes, in.len bytes to `out`, which
 * may be in.ptr. SEAL_DATA: SEAL_E_LIMIT for lengths that cannot be, SEAL_E_TAMPERED and `out` zeroed when it does not
 * authenticate. For few messages: the key is set up anew.
 */
SEAL_MUST_USE enum seal_status gcm_open(struct seal_bytes key, struct seal_bytes nonce, struct seal_bytes aad,
					struct seal_bytes in, const uint8_t *tag, uint8_t *out, struct seal_err *err);

#endif
