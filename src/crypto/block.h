/*
 * AES-256 (FIPS 197) as a permutation of blocks of 16 bytes, each for itself. For numbers that shall look random and be told again
 * (names); never for messages, in which equal blocks would show.
 */
#ifndef CRYPTO_BLOCK_H
#define CRYPTO_BLOCK_H

#include "base/err.h"

#define BLOCK_LEN 16
#define BLOCK_KEY_LEN 32

/* In place. `back` undoes it. */
SEAL_MUST_USE enum seal_status blocks_permute(const uint8_t key[BLOCK_KEY_LEN], bool back, uint8_t *blocks, size_t n,
					      struct seal_err *err);

#endif
