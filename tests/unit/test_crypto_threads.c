/*
 * crypto: threads that each own their contexts, sharing only what the library shares by itself (fetched algorithms, the
 * choice of back end, fork state). Worth most under ThreadSanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/ff3_1.h"
#include "crypto/mac.h"
#include "crypto/random.h"

#define THREADS 6
#define ROUNDS 200
#define LOT 100

static const uint8_t key[32] = {7, 7, 7};

static bool aead_round(struct aead *aead, struct random_pool *pool)
{
	uint8_t nonce[AEAD_NONCE_LEN], tag[AEAD_TAG_LEN], text[] = "a value that no other thread sees";
	uint8_t sealed[sizeof(text)], opened[sizeof(text)];
	struct aead_item item = {.nonce = nonce, .in = bytes_of(text, sizeof(text)), .out = sealed, .tag = tag};

	if (random_pool_take(pool, nonce, sizeof(nonce), NULL) != SEAL_OK ||
	    aead_seal_many(aead, &item, 1, NULL) != SEAL_OK)
		return false;
	item.in.ptr = sealed;
	item.out = opened;
	return aead_open_many(aead, &item, 1, NULL) == SEAL_OK && item.ok && memcmp(opened, text, sizeof(text)) == 0;
}

static bool fpe_round(struct ff1 *ff1, uint32_t n)
{
	uint16_t value[64] = {1, 2, 3}, was[64] = {1, 2, 3};
	struct ff1_item item = {value, n, 10, BYTES_LIT("tweak")};

	return ff1_encrypt_many(ff1, &item, 1, NULL) == SEAL_OK && memcmp(value, was, sizeof(was)) != 0 &&
	       ff1_decrypt_many(ff1, &item, 1, NULL) == SEAL_OK && memcmp(value, was, sizeof(was)) == 0;
}

/* More threads than there is room for lots side by side: some hash one after the other. */
static bool lot_round(struct hmac *hmac, const uint8_t alone[SHA256_LEN])
{
	uint8_t out[LOT][SHA256_LEN];
	struct hmac_item items[LOT];
	bool same = true;

	for (size_t i = 0; i < LOT; i++)
		items[i] = (struct hmac_item){i % 2 ? BYTES_LIT("x") : BYTES_EMPTY,
					      i % 2 ? BYTES_EMPTY : BYTES_LIT("x"), out[i]};
	if (hmac_many(hmac, items, LOT, NULL) != SEAL_OK)
		return false;
	for (size_t i = 0; i < LOT; i++)
		same = same && memcmp(out[i], alone, SHA256_LEN) == 0;
	return same;
}

static bool mac_round(struct hmac *hmac)
{
	static const uint8_t tweak[FF3_1_TWEAK_LEN];
	uint8_t first[SHA256_LEN], second[SHA256_LEN];
	uint16_t value[10] = {0};
	struct hmac_item item = {BYTES_EMPTY, BYTES_LIT("x"), first};

	if (hmac_many(hmac, &item, 1, NULL) != SEAL_OK || sha256(BYTES_LIT("x"), second, NULL) != SEAL_OK)
		return false;
	item.out = second;
	return hmac_many(hmac, &item, 1, NULL) == SEAL_OK && memcmp(first, second, SHA256_LEN) == 0 &&
	       lot_round(hmac, first) && ff3_1_decrypt(bytes_of(key, 16), tweak, 10, value, 10, NULL) == SEAL_OK;
}

/* Returns NULL when all went well. */
static void *work(void *arg)
{
	struct random_pool pool;
	struct aead *aead = NULL;
	struct ff1 *ff1 = NULL;
	struct hmac *hmac = NULL;
	bool ok;

	random_pool_init(&pool);
	ok = aead_new(bytes_of(key, 32), &aead, NULL) == SEAL_OK &&
	     ff1_new(bytes_of(key, 32), &ff1, NULL) == SEAL_OK && hmac_new(bytes_of(key, 32), &hmac, NULL) == SEAL_OK;
	for (int i = 0; ok && i < ROUNDS; i++)
		ok = aead_round(aead, &pool) && fpe_round(ff1, 16 + (uint32_t)i % 48) && mac_round(hmac) &&
		     aead_backend() != NULL && ff1_backend() != NULL;
	aead_free(aead);
	ff1_free(ff1);
	hmac_free(hmac);
	random_pool_clear(&pool);
	return ok ? NULL : arg;
}

static void all_at_once(void **state)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, thread), 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(thread[i], &result), 0);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
