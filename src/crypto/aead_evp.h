/* One message by an EVP context: what the ciphers that EVP does have in common. Inside src/crypto only. */
#ifndef CRYPTO_AEAD_EVP_H
#define CRYPTO_AEAD_EVP_H

#include "crypto/aead.h"
#include "crypto/libcrypto.h"

/* `key` NULL: the one that `ctx` has. `nonce` is the cipher's own, whatever the item says. False: libcrypto failed. */
bool aead_evp_seal(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, const struct aead_item *item);
/* The same; a wrong tag is no failure but leaves item->ok false. */
bool aead_evp_open(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, struct aead_item *item);

#endif
