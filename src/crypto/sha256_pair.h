/* SHA-256's compression function (FIPS 180-4, section 6.2.2) for two messages at once. Inside src/crypto only. */
#ifndef CRYPTO_SHA256_PAIR_H
#define CRYPTO_SHA256_PAIR_H

#include <stdint.h>

#define SHA256_STATE_WORDS 8

/* Puts one block of 64 bytes into each state. */
void sha256_pair(uint32_t state[2][SHA256_STATE_WORDS], const uint8_t block[2][64]);

#endif
