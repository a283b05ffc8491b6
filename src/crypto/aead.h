/*
 * Authenticated encryption of many small messages: one keyed context per key and thread, and calls that take a lot.
 *
 *   AES-GCM (SP 800-38D)                             key 16 or 32   nonce 12   tag 16
 *   ChaCha20-Poly1305 (RFC 8439)                     key 32         nonce 12   tag 16
 *   XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03)  key 32         nonce 24   tag 16
 *
 * Back ends for AES-GCM: OpenSSL's EVP, and Intel's multi-buffer library where the machine and the build have it;
 * chosen once at run time, equal byte for byte. The others have EVP alone.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/err.h"
#include "base/secret.h"

enum aead_cipher { AEAD_AES_GCM, AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305 };

#define AEAD_NONCE_LEN 12 /* all but XChaCha20 */
#define AEAD_XNONCE_LEN 24
#define AEAD_NONCE_MAX AEAD_XNONCE_LEN
#define AEAD_TAG_LEN 16
#define AEAD_MESSAGE_MAX (64u << 20) /* one message; far under GCM's own limit */

struct aead; /* a keyed context: belongs to one thread at a time */

/* AES-GCM; `key` has 16 or 32 bytes and is copied into secret memory. */
SEAL_MUST_USE enum seal_status aead_new(struct seal_bytes key, struct aead **out, struct seal_err *err);
/* Any cipher; SEAL_E_KEY_TYPE when the key's length does not fit it. */
SEAL_MUST_USE enum seal_status aead_new_cipher(enum aead_cipher cipher, struct seal_bytes key, struct aead **out,
					       struct seal_err *err);
size_t aead_nonce_len(enum aead_cipher cipher);
void aead_free(struct aead *aead);

/* One message. `out` never overlaps `in` unless equal. */
struct aead_item {
	const uint8_t *nonce; /* aead_nonce_len bytes */
	struct seal_bytes aad; /* may be empty */
	struct seal_bytes in; /* seal: plaintext; open: ciphertext without the tag */
	uint8_t *out; /* in.len bytes */
	uint8_t *tag; /* 16 bytes: seal writes, open reads */
	bool ok; /* open: authenticated; where false, out has been zeroed */
};

/*
 * Seals all, or fails as a whole: SEAL_FATAL, or SEAL_DATA/SEAL_E_LIMIT before anything is written when an `in` or `aad`
 * is longer than AEAD_MESSAGE_MAX.
 */
SEAL_MUST_USE enum seal_status aead_seal_many(struct aead *aead, struct aead_item *items, size_t n,
					      struct seal_err *err);
/* Opens all; each item's `ok` tells. SEAL_OK even where some do not authenticate. Fails as sealing does, none `ok`. */
SEAL_MUST_USE enum seal_status aead_open_many(struct aead *aead, struct aead_item *items, size_t n,
					      struct seal_err *err);

/* "openssl" or "ipsec-mb". Tests may force one; false when this machine or build lacks it. */
const char *aead_backend(void);
bool aead_backend_force(const char *name);
/* The names of all that can be forced here, ended by NULL. */
const char *const *aead_backends(void);

#endif
