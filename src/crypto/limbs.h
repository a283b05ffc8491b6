/*
 * Non-negative integers of many limbs, least significant limb first, for numeral strings of any length. Time depends on
 * the limb counts and on the radix or modulus (public), never on the integers. The caller owns all memory.
 */
#ifndef CRYPTO_LIMBS_H
#define CRYPTO_LIMBS_H

#include "crypto/numeral.h"

#define LIMBS_FOR_BITS(bits) (((bits) + 63) / 64)

/* A divisor of one limb, shifted left until its top bit is set, and its reciprocal. */
struct limbs_divisor {
	uint64_t d;
	uint64_t reciprocal; /* floor((2^128 - 1) / d) - 2^64 */
	unsigned shift;
};

/* A modulus of n limbs; its top limb is not 0. */
struct limbs_modulus {
	size_t n;
	size_t bits;
	const uint64_t *m;
	uint64_t *shifted; /* n limbs: m moved left until the top bit is set */
	struct limbs_divisor top; /* made from the top limb of `shifted` */
};

/* Writes radix^m to `out` (room for `room` limbs, enough) and returns how many limbs it takes. */
size_t limbs_power(uint64_t *out, size_t room, const struct radix *r, uint32_t m);

/* `m` has n limbs, the top one not 0, and stays where it is; `shifted` has room for n. */
void limbs_modulus_init(struct limbs_modulus *mod, const uint64_t *m, size_t n, uint64_t *shifted);

/* NUM_radix of m symbols, in n limbs (enough). */
void limbs_num(uint64_t *out, size_t n, const struct radix *r, const uint16_t *x, uint32_t m);
/* STR_radix^m of the n limbs, which are used up. */
void limbs_str(uint64_t *value, size_t n, const struct radix *r, uint16_t *x, uint32_t m);

/* x = x mod m. x has nx limbs and room for nx + 1; the result has mod->n limbs, all above it within nx + 1 are 0. */
void limbs_reduce(uint64_t *x, size_t nx, const struct limbs_modulus *mod);
/* x = (a + x) mod m and x = (a - x) mod m; a and x below m, mod->n limbs each. */
void limbs_add_mod(uint64_t *x, const uint64_t *a, const struct limbs_modulus *mod);
void limbs_sub_from_mod(uint64_t *x, const uint64_t *a, const struct limbs_modulus *mod);

#endif
