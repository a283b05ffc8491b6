/*
 * crypto: the arithmetic below FF1 against slow and obvious arithmetic: every radix, and limbs of the kind that make a
 * quotient estimate err (zeros, ones, a lone top bit), which random input never meets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crypto/limbs.h"

static uint64_t state_now = 1;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = state_now += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* STR by division, to compare with. */
static void expect_str(const struct radix *r, uint64_t value, uint32_t m)
{
	uint16_t x[64];

	numeral_str(r, value, x, m);
	assert_int_equal(numeral_num(r, x, m), value);
	for (uint32_t i = m; i-- > 0; value /= r->radix)
		assert_int_equal(x[i], value % r->radix);
	assert_int_equal(value, 0);
}

static void numerals_of_every_radix(void **state)
{
	struct radix r;

	for (uint32_t radix = 2; radix <= 65536; radix++) {
		radix_init(&r, radix);
		assert_true(r.group_value < NUMERAL_LIMIT && r.group_value > (NUMERAL_LIMIT - 1) / radix);
		assert_int_equal(radix_power(radix, r.group), r.group_value);
		assert_int_equal(radix_power(radix, r.group + 1), NUMERAL_LIMIT);
		expect_str(&r, 0, r.group);
		expect_str(&r, r.group_value - 1, r.group);
		expect_str(&r, r.group_value - r.group_value / radix, r.group);
		expect_str(&r, next() % r.group_value, r.group);
	}
}

static void expect_reduce(uint64_t m, unsigned bits, uint64_t hi, uint64_t lo)
{
	struct modulus mod;

	modulus_init(&mod, m, bits);
	if (modulus_reduce(&mod, hi, lo) != (uint64_t)(((uint128)hi << 64 | lo) % m))
		fail_msg("%llx:%llx mod %llx", (unsigned long long)hi, (unsigned long long)lo, (unsigned long long)m);
}

/* Values next to multiples of m, the largest, and random ones. */
static void reduce_around(uint64_t m, unsigned bits)
{
	uint64_t hi_max = bits == 96 ? 0xffffffff : 0;
	uint128 largest = ((uint128)hi_max << 64 | UINT64_MAX) / m * m;

	expect_reduce(m, bits, 0, 0);
	expect_reduce(m, bits, 0, m - 1);
	expect_reduce(m, bits, 0, m);
	expect_reduce(m, bits, 0, m + 1);
	expect_reduce(m, bits, hi_max, UINT64_MAX);
	expect_reduce(m, bits, (uint64_t)(largest >> 64), (uint64_t)largest);
	expect_reduce(m, bits, (uint64_t)((largest - 1) >> 64), (uint64_t)(largest - 1));
	for (int i = 0; i < 4; i++)
		expect_reduce(m, bits, next() & hi_max, next());
}

static void reduction(void **state)
{
	for (uint32_t radix = 2; radix <= 65536; radix += radix < 300 ? 1 : 61)
		for (uint64_t m = radix; m <= (NUMERAL_LIMIT - 1) / radix; m *= radix) {
			reduce_around(m, 96);
			if (m <= 1ull << 32) /* d = 8 means b <= 4 */
				reduce_around(m, 64);
		}
	reduce_around(NUMERAL_LIMIT - 1, 96);
	reduce_around(1ull << 61, 96);
	reduce_around((1ull << 32) + 1, 96);
	reduce_around(1ull << 32, 96);
	reduce_around((1ull << 32) - 1, 64);
}

#define LIMBS 4
#define WIDE 7

/* x mod m, a bit at a time. */
static void slow_mod(uint64_t *rest, const uint64_t *x, size_t nx, const uint64_t *m, size_t n)
{
	memset(rest, 0, (n + 1) * sizeof(*rest));
	for (size_t bit = 64 * nx; bit-- > 0;) {
		uint64_t carry = x[bit / 64] >> bit % 64 & 1, borrow = 0, less[LIMBS + 1];

		for (size_t i = 0; i <= n; i++) {
			uint64_t top = rest[i] >> 63;

			rest[i] = rest[i] << 1 | carry;
			carry = top;
		}
		for (size_t i = 0; i <= n; i++)
			less[i] = ct_sub(rest[i], i < n ? m[i] : 0, &borrow);
		if (!borrow)
			memcpy(rest, less, (n + 1) * sizeof(*rest));
	}
}

static uint64_t nasty(void)
{
	static const uint64_t kinds[] = {
		0, 1, UINT64_MAX, 1ull << 63, (1ull << 63) - 1, (1ull << 63) + 1, UINT64_MAX - 1};
	uint64_t which = next() % 9;

	return which < 7 ? kinds[which] : which == 7 ? next() : next() >> next() % 64;
}

static void limbs_against_slow(void **state)
{
	for (int round = 0; round < 60000; round++) {
		size_t n = 1 + next() % LIMBS, nx = 1 + next() % (WIDE - 1);
		uint64_t m[LIMBS], shifted[LIMBS], x[WIDE + 1], a[LIMBS + 1], want[LIMBS + 1];
		struct limbs_modulus mod;

		for (size_t i = 0; i < n; i++)
			m[i] = nasty();
		if (m[n - 1] == 0)
			m[n - 1] = 1;
		for (size_t i = 0; i < nx; i++)
			x[i] = nasty();
		limbs_modulus_init(&mod, m, n, shifted);
		slow_mod(want, x, nx, m, n);
		limbs_reduce(x, nx, &mod);
		assert_memory_equal(x, want, n * sizeof(x[0]));
		for (size_t i = n; i <= nx; i++)
			assert_int_equal(x[i], 0);
		/* (a - (a + x)) mod m is m - x */
		memcpy(a, x, sizeof(a));
		limbs_add_mod(x, a, &mod);
		limbs_sub_from_mod(x, a, &mod);
		limbs_add_mod(x, a, &mod);
		memset(want, 0, sizeof(want));
		assert_memory_equal(x, want, n * sizeof(x[0]));
	}
}

static void limbs_numerals(void **state)
{
	static const uint32_t radices[] = {2, 3, 10, 62, 255, 256, 65535, 65536};
	static uint16_t in[900], out[900];
	static uint64_t value[240], power[240];

	for (size_t r = 0; r < 8; r++) {
		struct radix radix;

		radix_init(&radix, radices[r]);
		for (uint32_t m = 1; m <= 900; m += m < 40 ? 1 : 43) {
			size_t n = limbs_power(power, 240, &radix, m);

			for (int kind = 0; kind < 3; kind++) {
				for (uint32_t i = 0; i < m; i++)
					in[i] = (uint16_t)(kind == 0   ? 0
							   : kind == 1 ? radices[r] - 1
								       : next() % radices[r]);
				limbs_num(value, n, &radix, in, m);
				if (kind == 1) { /* radix^m - 1 */
					uint64_t borrow = 1;

					for (size_t i = 0; i < n; i++)
						assert_true(value[i] == ct_sub(power[i], 0, &borrow));
				}
				limbs_str(value, n, &radix, out, m);
				assert_memory_equal(in, out, m * sizeof(in[0]));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numerals_of_every_radix),
		cmocka_unit_test(reduction),
		cmocka_unit_test(limbs_against_slow),
		cmocka_unit_test(limbs_numerals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
