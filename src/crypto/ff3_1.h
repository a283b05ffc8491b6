/*
 * FF3-1 (SP 800-38G r1 of 2019, withdrawn in 2025): only for reading data that an older system made. NIST dropped
 * it for a weakness in its tweak schedule; never use it for new data.
 */
#ifndef CRYPTO_FF3_1_H
#define CRYPTO_FF3_1_H

#include "base/err.h"
#include "base/secret.h"

#define FF3_1_TWEAK_LEN 7

/*
 * Decrypts or encrypts `numerals` in place. `key` has 16, 24 or 32 bytes. radix 2 … 65536, radix^n >= 10^6,
 * n <= 2 * floor(log_radix 2^96), else SEAL_DATA/SEAL_E_DOMAIN. Encryption is for tests and migration checks.
 */
SEAL_MUST_USE enum seal_status ff3_1_decrypt(struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN],
					     uint32_t radix, uint16_t *numerals, size_t n, struct seal_err *err);
SEAL_MUST_USE enum seal_status ff3_1_encrypt_legacy(struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN],
						    uint32_t radix, uint16_t *numerals, size_t n,
						    struct seal_err *err);

#endif
