/*
 * FF1 format-preserving encryption (NIST SP 800-38G r1): a numeral string to one of the same length and radix.
 * No integrity. Domains below one million are refused, as the standard demands.
 *
 * Two paths, equal on all input: short strings whose halves fit 64 bits (numeric cards …) with several values
 * interleaved where the machine has AES instructions, and a general one for any radix and length. Both run in time
 * that depends on lengths, radix and tweak, not on the key or the numerals.
 */
#ifndef CRYPTO_FF1_H
#define CRYPTO_FF1_H

#include "base/err.h"
#include "base/secret.h"

#define FF1_RADIX_MIN 2
#define FF1_RADIX_MAX 65536
#define FF1_LENGTH_MAX 4096
#define FF1_TWEAK_MAX (1u << 16)
#define FF1_DOMAIN_MIN 1000000

struct ff1; /* a keyed context: belongs to one thread at a time */

/* `key` has 16, 24 or 32 bytes. */
SEAL_MUST_USE enum seal_status ff1_new(struct seal_bytes key, struct ff1 **out, struct seal_err *err);
void ff1_free(struct ff1 *ff1);

/* One numeral string, transformed in place. */
struct ff1_item {
	uint16_t *numerals; /* each < radix; most significant first */
	uint32_t n; /* 2 … FF1_LENGTH_MAX, radix^n >= FF1_DOMAIN_MIN */
	uint32_t radix; /* 65536 is FF1_RADIX_MAX */
	struct seal_bytes tweak; /* may be empty */
};

/*
 * SEAL_OK when radix^n and n are allowed, else SEAL_DATA/SEAL_E_DOMAIN with the least n for this radix;
 * SEAL_USAGE/SEAL_E_CONFIG for a radix that no length makes right.
 */
SEAL_MUST_USE enum seal_status ff1_check(uint32_t radix, size_t n, struct seal_err *err);

/*
 * All items must pass ff1_check and have numerals < radix and tweaks of at most FF1_TWEAK_MAX bytes, else
 * SEAL_FATAL/SEAL_E_INTERNAL. On any failure (also SEAL_E_MEMORY) no item has changed.
 */
SEAL_MUST_USE enum seal_status ff1_encrypt_many(struct ff1 *ff1, struct ff1_item *items, size_t n,
						struct seal_err *err);
SEAL_MUST_USE enum seal_status ff1_decrypt_many(struct ff1 *ff1, struct ff1_item *items, size_t n,
						struct seal_err *err);

/* "aes-ni" or "openssl"; and for tests: only the general path, or only one back end. false: not here. */
const char *ff1_backend(void);
bool ff1_backend_force(const char *name);
void ff1_force_general(bool on);

#endif
