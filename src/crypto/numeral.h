/*
 * Numeral strings and integers below 2^62: SP 800-38G r1's NUM_radix (algorithm 1) and STR_radix^m (algorithm 3)
 * without division, and reduction modulo radix^m. Inline, because they are the inner loops of FF1.
 */
#ifndef CRYPTO_NUMERAL_H
#define CRYPTO_NUMERAL_H

#include <stdbool.h>

#include "crypto/ct.h"

#define NUMERAL_LIMIT (1ull << 62)

/* A radix and what divides by it. */
struct radix {
	uint32_t radix;
	unsigned shift; /* ceil(log2 radix) */
	uint64_t inverse; /* floor(2^(62 + shift) / radix) + 1 */
	unsigned group; /* the most symbols whose value stays below 2^62 */
	uint64_t group_value; /* radix^group */
};

void radix_init(struct radix *r, uint32_t radix);

/* radix^m, or NUMERAL_LIMIT when it is not below that. */
uint64_t radix_power(uint32_t radix, uint32_t m);

/* NUM_radix(X): m <= r->group symbols, most significant first. */
static inline uint64_t numeral_num(const struct radix *r, const uint16_t *x, uint32_t m)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < m; i++)
		value = value * r->radix + x[i];
	return value;
}

/*
 * STR_radix^m(value). Division by a constant (Granlund and Montgomery 1994, theorem 4.2): 2^(62+s) < inverse * radix
 * <= 2^(62+s) + 2^s makes floor(value * inverse / 2^(62+s)) the exact quotient of every value below 2^62.
 */
static inline void numeral_str(const struct radix *r, uint64_t value, uint16_t *x, uint32_t m)
{
	for (uint32_t i = m; i-- > 0;) {
		uint64_t q = (uint64_t)((uint128)(value << 2) * r->inverse >> 64) >> r->shift;

		x[i] = (uint16_t)(value - q * r->radix);
		value = q;
	}
}

/*
 * Reduction of y = hi * 2^64 + lo modulo m < 2^62 by Barrett's method (Handbook of Applied Cryptography, 14.42). Which
 * of the three forms serves depends on m and on the length of y alone, both public.
 */
enum modulus_form {
	MODULUS_ONE_STEP, /* y < 2^64: inverse = floor((2^64 - 1) / m), the quotient is at most 1 too small */
	MODULUS_TWO_STEPS, /* y < 2^96, m <= 2^32: the same, 32 bits at a time */
	MODULUS_WIDE /* y < 2^96, m > 2^32: inverse = floor(2^96 / m), the quotient is at most 2 too small */
};

struct modulus {
	uint64_t m;
	uint64_t inverse;
	enum modulus_form form;
	unsigned shift_in, shift_out; /* MODULUS_WIDE: bitlen(m) - 1 and 97 - bitlen(m) */
};

/* 1 < m < 2^62; y_bits is 64 or 96. */
void modulus_init(struct modulus *mod, uint64_t m, unsigned y_bits);

static inline __attribute__((always_inline)) uint64_t modulus_step(const struct modulus *mod, uint64_t y)
{
	uint64_t q = (uint64_t)((uint128)y * mod->inverse >> 64);

	return ct_sub_if_ge(y - q * mod->m, mod->m);
}

static inline __attribute__((always_inline)) uint64_t modulus_reduce(const struct modulus *mod, uint64_t hi,
								     uint64_t lo)
{
	uint64_t q, y;

	switch (mod->form) {
	case MODULUS_ONE_STEP:
		return modulus_step(mod, lo);
	case MODULUS_TWO_STEPS:
		y = modulus_step(mod, hi << 32 | lo >> 32);
		return modulus_step(mod, y << 32 | (lo & 0xffffffff));
	case MODULUS_WIDE:
	default:
		q = (uint64_t)(((uint128)hi << 64 | lo) >> mod->shift_in);
		q = (uint64_t)((uint128)q * mod->inverse >> mod->shift_out);
		y = lo - q * mod->m; /* below 3m < 2^64 */
		return ct_sub_if_ge(ct_sub_if_ge(y, mod->m), mod->m);
	}
}

#endif
