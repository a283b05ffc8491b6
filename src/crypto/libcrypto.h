/* What every file that calls libcrypto needs: its error as ours, and algorithms fetched once for the process. */
#ifndef CRYPTO_LIBCRYPTO_H
#define CRYPTO_LIBCRYPTO_H

#include <openssl/evp.h>

#include "base/err.h"

/* SEAL_FATAL/SEAL_E_INTERNAL (or SEAL_E_MEMORY where that was the reason) with libcrypto's own words. */
enum seal_status libcrypto_failed(struct seal_err *err, const char *what);

/*
 * Fetching an algorithm costs more than using it on a short message, so each is fetched at most once and kept for
 * the life of the process. NULL where this libcrypto lacks it. Any thread.
 */
const EVP_MD *libcrypto_sha256(void);
const EVP_MD *libcrypto_md5(void);
/* key_len 16 or 32 (GCM); 16, 24 or 32 (ECB); else NULL. */
const EVP_CIPHER *libcrypto_aes_gcm(size_t key_len);
const EVP_CIPHER *libcrypto_aes_ecb(size_t key_len);
const EVP_CIPHER *libcrypto_chacha20_poly1305(void);
const EVP_CIPHER *libcrypto_chacha20(void);

#endif
