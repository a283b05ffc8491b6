/* crypto: FF1 and FF3-1 refuse what they must, change nothing when they do, and treat lots as single values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/ff1.h"
#include "crypto/ff3_1.h"

static const uint8_t key_bytes[64] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};

static struct ff1 *new_ff1(size_t key_len)
{
	struct ff1 *ff1;

	assert_int_equal(ff1_new(bytes_of(key_bytes, key_len), &ff1, NULL), SEAL_OK);
	return ff1;
}

static void ff1_key_lengths(void **state)
{
	for (size_t len = 0; len <= sizeof(key_bytes); len++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct ff1 *ff1 = (struct ff1 *)&err;
		enum seal_status rc = ff1_new(bytes_of(key_bytes, len), &ff1, &err);

		if (len == 16 || len == 24 || len == 32) {
			assert_int_equal(rc, SEAL_OK);
			ff1_free(ff1);
		} else {
			assert_int_equal(rc, SEAL_USAGE);
			assert_int_equal(err.code, SEAL_E_KEY_TYPE);
			assert_null(ff1);
		}
	}
	ff1_free(NULL);
}

/* Each radix with the least length whose domain reaches a million. 999^2 = 998001 and 1000^2 = 10^6 are neighbours. */
static void ff1_domain(void **state)
{
	static const struct {
		uint32_t radix;
		size_t least;
		const char *text;
	} rows[] = {{2, 20, "at least 20"},  {3, 13, "at least 13"},  {9, 7, "at least 7"},
		    {10, 6, "at least 6"},   {16, 5, "at least 5"},   {62, 4, "at least 4"},
		    {999, 3, "at least 3"},  {1000, 2, "at least 2"}, {65535, 2, "at least 2"},
		    {65536, 2, "at least 2"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t n = 0; n < rows[i].least; n++) {
			struct seal_err err = SEAL_ERR_INIT;

			assert_int_equal(ff1_check(rows[i].radix, n, &err), SEAL_DATA);
			assert_int_equal(err.code, SEAL_E_DOMAIN);
			assert_non_null(strstr(err.text, rows[i].text));
		}
		assert_int_equal(ff1_check(rows[i].radix, rows[i].least, NULL), SEAL_OK);
		assert_int_equal(ff1_check(rows[i].radix, FF1_LENGTH_MAX, NULL), SEAL_OK);
		assert_int_equal(ff1_check(rows[i].radix, FF1_LENGTH_MAX + 1, NULL), SEAL_DATA);
	}
}

static void ff1_radix(void **state)
{
	static const uint32_t bad[] = {0, 1, 65537, UINT32_MAX};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(ff1_check(bad[i], 20, &err), SEAL_USAGE);
		assert_int_equal(err.code, SEAL_E_CONFIG);
	}
}

#define LOT 33
#define N_MAX 80

struct lot {
	uint16_t value[LOT][N_MAX], was[LOT][N_MAX];
	uint8_t tweak[100];
	struct ff1_item items[LOT];
};

/* Lanes differ in radix, length and tweak; some values are too long for the short path. */
static void lot_init(struct lot *lot, size_t n)
{
	static const uint32_t radices[] = {10, 10, 62, 2, 65536, 10, 26, 255, 10, 1000};
	uint32_t seed = (uint32_t)n;

	for (size_t i = 0; i < sizeof(lot->tweak); i++)
		lot->tweak[i] = (uint8_t)(i * 37);
	for (size_t i = 0; i < n; i++) {
		uint32_t radix = radices[(i * 7 + n) % 10];
		uint32_t length = (radix == 2 ? 20 : 6) + (uint32_t)((i * 11 + n * 5) % (i % 5 == 0 ? 60 : 14));

		lot->items[i] = (struct ff1_item){lot->value[i], length, radix,
						  bytes_of(lot->tweak, (i * 13 + n) % (i % 3 == 0 ? 101 : 9))};
		for (size_t k = 0; k < length; k++) {
			seed = seed * 1664525 + 1013904223;
			lot->value[i][k] = (uint16_t)((seed >> 16) % radix);
		}
		memcpy(lot->was[i], lot->value[i], sizeof(lot->was[i]));
	}
}

static void one_by_one(struct ff1 *ff1, struct lot *lot, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ff1_encrypt_many(ff1, &lot->items[i], 1, NULL), SEAL_OK);
}

/* With the general path's one-at-a-time answer as the yardstick. */
static void lots_on(const char *backend)
{
	static struct lot lot, yard;
	const char *was = ff1_backend();
	struct ff1 *ff1;

	if (!ff1_backend_force(backend))
		skip();
	ff1 = new_ff1(32);
	for (size_t n = 0; n <= LOT; n++) {
		lot_init(&lot, n);
		lot_init(&yard, n);
		ff1_force_general(true);
		one_by_one(ff1, &yard, n);
		ff1_force_general(false);
		assert_int_equal(ff1_encrypt_many(ff1, lot.items, n, NULL), SEAL_OK);
		for (size_t i = 0; i < n; i++) {
			size_t size = lot.items[i].n * sizeof(uint16_t);

			assert_memory_equal(lot.value[i], yard.value[i], size);
			assert_memory_not_equal(lot.value[i], lot.was[i], size);
		}
		assert_int_equal(ff1_decrypt_many(ff1, lot.items, n, NULL), SEAL_OK);
		for (size_t i = 0; i < n; i++)
			assert_memory_equal(lot.value[i], lot.was[i], lot.items[i].n * sizeof(uint16_t));
	}
	ff1_free(ff1);
	assert_true(ff1_backend_force(was));
}

static void ff1_lots_openssl(void **state)
{
	lots_on("openssl");
}

static void ff1_lots_aesni(void **state)
{
	lots_on("aes-ni");
}

/* More shapes in one lot than are remembered. */
static void ff1_many_shapes(void **state)
{
	static uint16_t value[200][208];
	struct ff1_item items[200];
	struct ff1 *ff1 = new_ff1(16);

	for (size_t i = 0; i < 200; i++)
		items[i] = (struct ff1_item){value[i], 6 + (uint32_t)i % 31, 10 + (uint32_t)i % 7, BYTES_EMPTY};
	for (size_t i = 0; i < 200; i++)
		for (size_t k = 0; k < items[i].n; k++)
			value[i][k] = (uint16_t)((i + k) % 10);
	assert_int_equal(ff1_encrypt_many(ff1, items, 200, NULL), SEAL_OK);
	for (size_t i = 200; i-- > 0;)
		assert_int_equal(ff1_decrypt_many(ff1, &items[i], 1, NULL), SEAL_OK);
	for (size_t i = 0; i < 200; i++)
		for (size_t k = 0; k < items[i].n; k++)
			assert_int_equal(value[i][k], (i + k) % 10);
	ff1_free(ff1);
}

/* The last item is bad: the lot is refused and no other item has changed. */
static void expect_refused(struct ff1 *ff1, struct lot *lot)
{
	for (int decrypt = 0; decrypt <= 1; decrypt++) {
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc = decrypt ? ff1_decrypt_many(ff1, lot->items, LOT, &err)
					      : ff1_encrypt_many(ff1, lot->items, LOT, &err);

		assert_int_equal(rc, SEAL_FATAL);
		assert_int_equal(err.code, SEAL_E_INTERNAL);
		for (size_t i = 0; i < LOT - 1; i++)
			assert_memory_equal(lot->value[i], lot->was[i], sizeof(lot->was[i]));
	}
}

static void ff1_bad_items(void **state)
{
	static struct lot lot;
	struct ff1 *ff1 = new_ff1(32);
	struct ff1_item *last = &lot.items[LOT - 1];

	for (uint32_t at = 0; at < 6; at += 5) {
		lot_init(&lot, LOT);
		last->radix = 10;
		memset(lot.value[LOT - 1], 0, sizeof(lot.value[LOT - 1]));
		lot.value[LOT - 1][at] = 10;
		expect_refused(ff1, &lot);
		lot.value[LOT - 1][at] = 65535;
		expect_refused(ff1, &lot);
	}
	lot_init(&lot, LOT);
	last->n = 5;
	last->radix = 10;
	expect_refused(ff1, &lot);
	lot_init(&lot, LOT);
	last->n = 0;
	expect_refused(ff1, &lot);
	lot_init(&lot, LOT);
	last->radix = 65537;
	expect_refused(ff1, &lot);
	lot_init(&lot, LOT);
	last->radix = 0;
	expect_refused(ff1, &lot);
	lot_init(&lot, LOT);
	last->tweak.len = FF1_TWEAK_MAX + 1;
	expect_refused(ff1, &lot);
	ff1_free(ff1);
}

/* The longest value of the largest radix, the longest tweak, and there and back. */
static void ff1_extremes(void **state)
{
	static uint16_t value[FF1_LENGTH_MAX], was[FF1_LENGTH_MAX];
	static uint8_t tweak[FF1_TWEAK_MAX];
	static const uint32_t radices[] = {2, 10, 65535, 65536};
	struct ff1 *ff1 = new_ff1(24);

	memset(tweak, 0x5a, sizeof(tweak));
	for (size_t r = 0; r < 4; r++) {
		for (uint32_t n = FF1_LENGTH_MAX - 1; n <= FF1_LENGTH_MAX; n++) {
			struct ff1_item item = {value, n, radices[r], bytes_of(tweak, sizeof(tweak))};

			for (size_t i = 0; i < n; i++) /* all the largest symbol, then mixed */
				value[i] = (uint16_t)(i < n / 2 ? radices[r] - 1 : (i * 31) % radices[r]);
			memcpy(was, value, sizeof(was));
			assert_int_equal(ff1_encrypt_many(ff1, &item, 1, NULL), SEAL_OK);
			assert_memory_not_equal(value, was, n);
			for (size_t i = 0; i < n; i++)
				assert_true(value[i] < radices[r]);
			assert_int_equal(ff1_decrypt_many(ff1, &item, 1, NULL), SEAL_OK);
			assert_memory_equal(value, was, n * sizeof(value[0]));
		}
	}
	ff1_free(ff1);
}

static void ff1_backend_choice(void **state)
{
	const char *was = ff1_backend();

	assert_false(ff1_backend_force("no such thing"));
	assert_string_equal(ff1_backend(), was);
	assert_true(ff1_backend_force("openssl"));
	assert_string_equal(ff1_backend(), "openssl");
	assert_true(ff1_backend_force(was));
}

static void ff3_1_refuses(void **state)
{
	static const uint8_t tweak[FF3_1_TWEAK_LEN] = {1, 2, 3, 4, 5, 6, 7};
	static const struct {
		size_t key_len;
		uint32_t radix;
		size_t n;
		enum seal_status status;
		enum seal_code code;
	} rows[] = {
		{15, 10, 16, SEAL_USAGE, SEAL_E_KEY_TYPE}, {0, 10, 16, SEAL_USAGE, SEAL_E_KEY_TYPE},
		{16, 1, 16, SEAL_USAGE, SEAL_E_CONFIG},	   {16, 65537, 16, SEAL_USAGE, SEAL_E_CONFIG},
		{16, 10, 5, SEAL_DATA, SEAL_E_DOMAIN},	   {16, 10, 57, SEAL_DATA, SEAL_E_DOMAIN},
		{16, 999, 2, SEAL_DATA, SEAL_E_DOMAIN},	   {16, 2, 19, SEAL_DATA, SEAL_E_DOMAIN},
		{16, 2, 193, SEAL_DATA, SEAL_E_DOMAIN},	   {16, 65536, 13, SEAL_DATA, SEAL_E_DOMAIN},
		{16, 65536, 1, SEAL_DATA, SEAL_E_DOMAIN},
	};
	uint16_t value[200] = {0}, zeros[200] = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(ff3_1_decrypt(bytes_of(key_bytes, rows[i].key_len), tweak, rows[i].radix, value,
					       rows[i].n, &err),
				 rows[i].status);
		assert_int_equal(err.code, rows[i].code);
		assert_memory_equal(value, zeros, sizeof(value));
	}
	value[3] = 10;
	assert_int_equal(ff3_1_decrypt(bytes_of(key_bytes, 16), tweak, 10, value, 10, NULL), SEAL_FATAL);
}

static void ff3_1_round_trip(void **state)
{
	static const uint8_t tweak[FF3_1_TWEAK_LEN] = {1, 2, 3, 4, 5, 6, 7};
	static const struct {
		uint32_t radix;
		size_t least, most;
	} rows[] = {{2, 20, 192}, {10, 6, 56}, {62, 4, 32}, {1000, 2, 18}, {65535, 2, 12}, {65536, 2, 12}};
	uint16_t value[200], was[200];

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		for (size_t n = rows[r].least; n <= rows[r].most; n++) {
			for (size_t i = 0; i < n; i++)
				value[i] = was[i] = (uint16_t)(rows[r].radix - 1 - i % 2);
			assert_int_equal(
				ff3_1_encrypt_legacy(bytes_of(key_bytes, 32), tweak, rows[r].radix, value, n, NULL),
				SEAL_OK);
			assert_memory_not_equal(value, was, n * sizeof(value[0]));
			assert_int_equal(ff3_1_decrypt(bytes_of(key_bytes, 32), tweak, rows[r].radix, value, n, NULL),
					 SEAL_OK);
			assert_memory_equal(value, was, n * sizeof(value[0]));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ff1_key_lengths),    cmocka_unit_test(ff1_domain),
		cmocka_unit_test(ff1_radix),	      cmocka_unit_test(ff1_lots_openssl),
		cmocka_unit_test(ff1_lots_aesni),     cmocka_unit_test(ff1_many_shapes),
		cmocka_unit_test(ff1_bad_items),      cmocka_unit_test(ff1_extremes),
		cmocka_unit_test(ff1_backend_choice), cmocka_unit_test(ff3_1_refuses),
		cmocka_unit_test(ff3_1_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
