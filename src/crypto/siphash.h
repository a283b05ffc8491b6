/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables whose names somebody else chooses. Without the key nobody
 * finds names that share a bucket. No cipher, no commitment.
 */
#ifndef CRYPTO_SIPHASH_H
#define CRYPTO_SIPHASH_H

#include "base/bytes.h"

#define SIPHASH_KEY_LEN 16

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], struct seal_bytes in);

#endif
