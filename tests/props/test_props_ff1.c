/*
 * props: FF1 is a permutation that its inverse undoes, both paths and all back ends compute the same one, and key,
 * tweak and radix each matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/ff1.h"
#include "crypto/random.h"

#define N_MAX 200
#define LOT 24
#define ROUNDS 400

static uint32_t below(uint32_t limit)
{
	uint32_t r;

	assert_int_equal(random_bytes((uint8_t *)&r, sizeof(r), NULL), SEAL_OK);
	return r % limit;
}

/* Small radices, the usual ones, powers of two, the largest. */
static uint32_t any_radix(void)
{
	static const uint32_t usual[] = {2, 10, 10, 16, 26, 36, 52, 62, 64, 256, 65535, 65536};

	return below(2) ? usual[below(12)] : 2 + below(65535);
}

struct lot {
	uint8_t key[32], tweak[64];
	size_t key_len;
	uint16_t value[LOT][N_MAX];
	struct ff1_item items[LOT];
};

static void lot_init(struct lot *lot)
{
	assert_int_equal(random_bytes(lot->key, sizeof(lot->key), NULL), SEAL_OK);
	assert_int_equal(random_bytes(lot->tweak, sizeof(lot->tweak), NULL), SEAL_OK);
	lot->key_len = 16 + 8 * below(3);
	for (size_t i = 0; i < LOT; i++) {
		uint32_t radix = any_radix(), n = 2;

		while (ff1_check(radix, n, NULL) != SEAL_OK)
			n++;
		n += below(below(4) ? 20 : N_MAX - 20);
		lot->items[i] = (struct ff1_item){lot->value[i], n, radix, bytes_of(lot->tweak, below(65))};
		for (uint32_t k = 0; k < n; k++) /* the edges often: all zero, all largest */
			lot->value[i][k] = (uint16_t)(i % 8 == 0 ? 0 : i % 8 == 1 ? radix - 1 : below(radix));
	}
}

static void transform(struct lot *lot, const char *backend, bool general, bool encrypt)
{
	struct ff1 *ff1;

	assert_true(ff1_backend_force(backend));
	assert_int_equal(ff1_new(bytes_of(lot->key, lot->key_len), &ff1, NULL), SEAL_OK);
	ff1_force_general(general);
	assert_int_equal((encrypt ? ff1_encrypt_many : ff1_decrypt_many)(ff1, lot->items, LOT, NULL), SEAL_OK);
	ff1_force_general(false);
	ff1_free(ff1);
}

static void expect_same(const struct lot *lot, const uint16_t (*want)[N_MAX])
{
	for (size_t i = 0; i < LOT; i++) {
		for (uint32_t k = 0; k < lot->items[i].n; k++)
			assert_true(lot->value[i][k] < lot->items[i].radix);
		assert_memory_equal(lot->value[i], want[i], lot->items[i].n * sizeof(uint16_t));
	}
}

static void paths_and_back_ends_agree(void **state)
{
	static struct lot lot;
	static uint16_t plain[LOT][N_MAX], cipher[LOT][N_MAX];
	const char *was = ff1_backend();
	const char *const backends[] = {"openssl", was};

	for (int round = 0; round < ROUNDS; round++) {
		lot_init(&lot);
		memcpy(plain, lot.value, sizeof(plain));
		transform(&lot, "openssl", true, true);
		memcpy(cipher, lot.value, sizeof(cipher));
		for (size_t b = 0; b < 2; b++)
			for (int general = 0; general <= 1; general++) {
				transform(&lot, backends[b], general, false);
				expect_same(&lot, plain);
				transform(&lot, backends[b], general, true);
				expect_same(&lot, cipher);
			}
	}
	assert_true(ff1_backend_force(was));
}

/* The smallest domain allowed, radix 1000 and two symbols, in full: a million values, each met once. */
static void small_domain_is_permuted(void **state)
{
	static const uint8_t key[16] = {3, 1, 4};
	uint8_t *seen = mem_calloc(1000000, 1);
	struct ff1 *ff1;

	assert_non_null(seen);
	assert_int_equal(ff1_new(bytes_of(key, sizeof(key)), &ff1, NULL), SEAL_OK);
	for (uint32_t x = 0; x < 1000000; x += 8) {
		uint16_t value[8][2];
		struct ff1_item items[8];

		for (uint32_t i = 0; i < 8; i++) {
			value[i][0] = (uint16_t)((x + i) / 1000);
			value[i][1] = (uint16_t)((x + i) % 1000);
			items[i] = (struct ff1_item){value[i], 2, 1000, BYTES_LIT("t")};
		}
		assert_int_equal(ff1_encrypt_many(ff1, items, 8, NULL), SEAL_OK);
		for (uint32_t i = 0; i < 8; i++) {
			uint32_t y = value[i][0] * 1000u + value[i][1];

			if (value[i][0] >= 1000 || value[i][1] >= 1000 || seen[y]++)
				fail_msg("two values share an image");
		}
	}
	ff1_free(ff1);
	mem_free(seen);
}

/* The same symbols under another key, tweak (also a longer one that only adds a zero), radix or length differ. */
static void everything_matters(void **state)
{
	static const uint8_t keys[2][32] = {{1}, {2}}, zeros[2] = {0};
	const struct ff1_item base = {NULL, 16, 10, bytes_of(zeros, 1)};
	struct ff1_item variants[5] = {base, base, base, base, base};
	uint16_t value[5][17] = {{0}};
	struct ff1 *ff1[2];

	for (size_t k = 0; k < 2; k++)
		assert_int_equal(ff1_new(bytes_of(keys[k], 32), &ff1[k], NULL), SEAL_OK);
	variants[1].tweak.len = 2;
	variants[2].radix = 11;
	variants[3].n = 17;
	for (size_t i = 0; i < 5; i++) {
		variants[i].numerals = value[i];
		assert_int_equal(ff1_encrypt_many(ff1[i == 4], &variants[i], 1, NULL), SEAL_OK);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(value[i], value[j], 16 * sizeof(value[0][0]));
	}
	ff1_free(ff1[0]);
	ff1_free(ff1[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_and_back_ends_agree),
		cmocka_unit_test(small_domain_is_permuted),
		cmocka_unit_test(everything_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
