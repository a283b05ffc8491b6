/*
 * Arithmetic on limbs without branches on their values. Division is schoolbook (Knuth 4.3.1, algorithm D) with the
 * 2-by-1 step of Möller and Granlund, "Improved division by invariant integers" (2011), algorithm 4; both corrections
 * are always computed and added under a mask.
 */
#include "crypto/limbs.h"

#include <string.h>

#include "base/err.h"

static void divisor_init(struct limbs_divisor *div, uint64_t d)
{
	div->shift = (unsigned)__builtin_clzll(d);
	div->d = d << div->shift;
	div->reciprocal = (uint64_t)(~(uint128)0 / div->d); /* minus 2^64 by truncation */
}

/* floor((hi * 2^64 + lo) / d), hi < d; the remainder goes to *rest. */
static uint64_t divide(const struct limbs_divisor *div, uint64_t hi, uint64_t lo, uint64_t *rest)
{
	uint128 q = (uint128)div->reciprocal * hi + ((uint128)hi << 64 | lo);
	uint64_t q1 = (uint64_t)(q >> 64) + 1, r = lo - q1 * div->d, mask;

	mask = ct_mask(ct_less((uint64_t)q, r));
	q1 += mask;
	r += div->d & mask;
	mask = ct_mask(1 ^ ct_less(r, div->d));
	q1 -= mask;
	*rest = r - (div->d & mask);
	return q1;
}

/* x = x * factor + add; returns the limb that is carried out. */
static uint64_t mul_add(uint64_t *x, size_t n, uint64_t factor, uint64_t add)
{
	for (size_t i = 0; i < n; i++) {
		uint128 t = (uint128)x[i] * factor + add;

		x[i] = (uint64_t)t;
		add = (uint64_t)(t >> 64);
	}
	return add;
}

size_t limbs_power(uint64_t *out, size_t room, const struct radix *r, uint32_t m)
{
	size_t n = 1;

	out[0] = 1;
	while (m > 0) {
		uint32_t step = m < r->group ? m : r->group;
		uint64_t carry = mul_add(out, n, radix_power(r->radix, step), 0);

		if (carry != 0) {
			SEAL_INVARIANT(n < room);
			out[n++] = carry;
		}
		m -= step;
	}
	return n;
}

void limbs_modulus_init(struct limbs_modulus *mod, const uint64_t *m, size_t n, uint64_t *shifted)
{
	unsigned shift = (unsigned)__builtin_clzll(m[n - 1]);

	mod->n = n;
	mod->bits = 64 * n - shift;
	mod->m = m;
	mod->shifted = shifted;
	for (size_t i = n; i-- > 0;)
		shifted[i] = m[i] << shift | (shift && i ? m[i - 1] >> (64 - shift) : 0);
	divisor_init(&mod->top, shifted[n - 1]);
	mod->top.shift = shift;
}

/* How many limbs a value of `bits` bits takes, at least 1 and at most n. */
static size_t limbs_used(size_t bits, size_t n)
{
	size_t used = LIMBS_FOR_BITS(bits);

	return used < 1 ? 1 : used > n ? n : used;
}

void limbs_num(uint64_t *out, size_t n, const struct radix *r, const uint16_t *x, uint32_t m)
{
	uint32_t first = m % r->group;
	unsigned group_bits = 64 - (unsigned)__builtin_clzll(r->group_value);
	size_t bits = group_bits;

	memset(out, 0, n * sizeof(*out));
	out[0] = numeral_num(r, x, first);
	for (uint32_t at = first; at < m; at += r->group) {
		bits += group_bits;
		mul_add(out, limbs_used(bits, n), r->group_value, numeral_num(r, x + at, r->group));
	}
}

/* value = floor(value / d); returns the remainder. */
static uint64_t divide_limbs(uint64_t *value, size_t n, const struct limbs_divisor *div)
{
	unsigned s = div->shift; /* group values are below 2^62, so at least 2 */
	uint64_t rest = value[n - 1] >> (64 - s);

	for (size_t i = n; i-- > 0;)
		value[i] = divide(div, rest, value[i] << s | (i ? value[i - 1] >> (64 - s) : 0), &rest);
	return rest >> s;
}

void limbs_str(uint64_t *value, size_t n, const struct radix *r, uint16_t *x, uint32_t m)
{
	struct limbs_divisor group;
	unsigned group_bits = 63 - (unsigned)__builtin_clzll(r->group_value); /* rounded down */
	size_t bits = 64 * n;

	divisor_init(&group, r->group_value);
	while (m > r->group) {
		m -= r->group;
		numeral_str(r, divide_limbs(value, limbs_used(bits, n), &group), x + m, r->group);
		bits = bits > group_bits ? bits - group_bits : 0;
	}
	numeral_str(r, value[0], x, m);
}

/* x = x - q * m over n + 1 limbs of x. */
static void sub_mul(uint64_t *x, const uint64_t *m, size_t n, uint64_t q)
{
	uint64_t carry = 0, borrow = 0;

	for (size_t i = 0; i < n; i++) {
		uint128 t = (uint128)m[i] * q + carry;

		carry = (uint64_t)(t >> 64);
		x[i] = ct_sub(x[i], (uint64_t)t, &borrow);
	}
	x[n] = ct_sub(x[n], carry, &borrow);
}

/* x = x + (m & mask) over n limbs; returns the carry. */
static uint64_t add_masked(uint64_t *x, const uint64_t *m, size_t n, uint64_t mask)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = ct_add(x[i], m[i] & mask, &carry);
	return carry;
}

static void sub_masked(uint64_t *x, const uint64_t *m, size_t n, uint64_t mask)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = ct_sub(x[i], m[i] & mask, &borrow);
}

void limbs_reduce(uint64_t *x, size_t nx, const struct limbs_modulus *mod)
{
	size_t n = mod->n;
	unsigned s = mod->top.shift;

	x[nx] = 0;
	if (nx < n) {
		memset(x + nx, 0, (n - nx) * sizeof(*x));
		return;
	}
	for (size_t i = nx + 1; s && i-- > 0;)
		x[i] = x[i] << s | (i ? x[i - 1] >> (64 - s) : 0);
	for (size_t j = nx - n + 1; j-- > 0;) {
		uint64_t hi = x[j + n], rest, over = ct_mask(1 ^ ct_less(hi, mod->top.d)), q;

		q = divide(&mod->top, hi & ~over, x[j + n - 1], &rest) | over;
		sub_mul(x + j, mod->shifted, n, q);
		/* q was at most 2 too large: add back while negative */
		for (int twice = 0; twice < 2; twice++)
			x[j + n] += add_masked(x + j, mod->shifted, n, ct_mask(x[j + n] >> 63));
	}
	for (size_t i = 0; s && i < n; i++)
		x[i] = x[i] >> s | x[i + 1] << (64 - s);
}

void limbs_add_mod(uint64_t *x, const uint64_t *a, const struct limbs_modulus *mod)
{
	uint64_t carry = add_masked(x, a, mod->n, ~0ull), borrow = 0;

	for (size_t i = 0; i < mod->n; i++)
		ct_sub(x[i], mod->m[i], &borrow);
	sub_masked(x, mod->m, mod->n, ct_mask(carry | (borrow ^ 1)));
}

void limbs_sub_from_mod(uint64_t *x, const uint64_t *a, const struct limbs_modulus *mod)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < mod->n; i++)
		x[i] = ct_sub(a[i], x[i], &borrow);
	add_masked(x, mod->m, mod->n, ct_mask(borrow));
}
