/*
 * Arithmetic on secrets without branches or table look-ups. A mask is all ones or all zeros. The barrier keeps the
 * compiler from seeing that a mask has two values only and making a branch of it; tests/ct checks what came out.
 */
#ifndef CRYPTO_CT_H
#define CRYPTO_CT_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 uint128;

static inline uint64_t ct_barrier(uint64_t x)
{
	__asm__("" : "+r"(x));
	return x;
}

/* All ones when the lowest bit is 1. */
static inline uint64_t ct_mask(uint64_t bit)
{
	return ~(ct_barrier(bit & 1) - 1);
}

/* The sum and difference with carry or borrow (0 or 1) in and out. */
static inline uint64_t ct_add(uint64_t a, uint64_t b, uint64_t *carry)
{
	uint128 sum = (uint128)a + b + *carry;

	*carry = (uint64_t)(sum >> 64);
	return (uint64_t)sum;
}

static inline uint64_t ct_sub(uint64_t a, uint64_t b, uint64_t *borrow)
{
	uint128 diff = (uint128)a - b - *borrow;

	*borrow = (uint64_t)(diff >> 64) & 1;
	return (uint64_t)diff;
}

/* 1 when a < b. */
static inline uint64_t ct_less(uint64_t a, uint64_t b)
{
	uint64_t borrow = 0;

	ct_sub(a, b, &borrow);
	return borrow;
}

/* x where it is not negative (two's complement), else x + m. */
static inline uint64_t ct_add_if_negative(uint64_t x, uint64_t m)
{
	return x + (m & ct_barrier((uint64_t)((int64_t)x >> 63)));
}

/* x - m when x >= m, else x. m < 2^63 and x < m + 2^63. */
static inline uint64_t ct_sub_if_ge(uint64_t x, uint64_t m)
{
	return ct_add_if_negative(x - m, m);
}

/*
 * For tests/ct, which compiles these sources with SEAL_CT_CHECK and runs them under valgrind with keys and numerals
 * marked undefined: says that the outcome of a check on secrets is public from here on.
 */
#ifdef SEAL_CT_CHECK
#include <valgrind/memcheck.h>
#define ct_declassify(ptr, size) (void)VALGRIND_MAKE_MEM_DEFINED((ptr), (size))
#else
#define ct_declassify(ptr, size) ((void)(ptr), (void)(size))
#endif

#endif
