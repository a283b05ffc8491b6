/* oom: every allocation of src/crypto may fail; none may leak or leave half an object behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/mac.h"
#include "oom.h"

static const uint8_t key[32] = {1};

static enum seal_status aead_work(void *arg, struct seal_err *err)
{
	struct aead *aead = NULL;
	uint8_t nonce[AEAD_NONCE_LEN] = {0}, tag[AEAD_TAG_LEN], out[5];
	struct aead_item item = {.nonce = nonce, .in = BYTES_LIT("plain"), .out = out, .tag = tag};
	enum seal_status rc;

	SEAL_TRY(aead_new(bytes_of(key, sizeof(key)), &aead, err));
	SEAL_TRY(aead_seal_many(aead, &item, 1, err));
out:
	if (rc != SEAL_OK)
		assert_null(aead);
	aead_free(aead);
	return rc;
}

static void aead_each(void **state)
{
	const char *was = aead_backend();

	for (const char *const *name = aead_backends(); *name != NULL; name++) {
		assert_true(aead_backend_force(*name));
		assert_true(oom_each(aead_work, NULL) > 0);
	}
	assert_true(aead_backend_force(was));
}

/* A short and a long value: the long one needs scratch memory; where that fails neither has changed. */
static enum seal_status ff1_work(void *arg, struct seal_err *err)
{
	struct ff1 *ff1 = NULL;
	uint16_t brief[16] = {0}, lengthy[60] = {0}, zeros[60] = {0};
	struct ff1_item items[] = {{brief, 16, 10, BYTES_EMPTY}, {lengthy, 60, 10, BYTES_EMPTY}};
	enum seal_status rc;

	SEAL_TRY(ff1_new(bytes_of(key, sizeof(key)), &ff1, err));
	SEAL_TRY(ff1_encrypt_many(ff1, items, 2, err));
out:
	if (rc != SEAL_OK) {
		assert_memory_equal(brief, zeros, sizeof(brief));
		assert_memory_equal(lengthy, zeros, sizeof(lengthy));
	}
	ff1_free(ff1);
	return rc;
}

static void ff1_each(void **state)
{
	const char *was = ff1_backend();

	assert_true(oom_each(ff1_work, NULL) > 1);
	assert_true(ff1_backend_force("openssl"));
	assert_true(oom_each(ff1_work, NULL) > 1);
	assert_true(ff1_backend_force(was));
}

static enum seal_status mac_work(void *arg, struct seal_err *err)
{
	struct secret derived = SECRET_INIT, stretched = SECRET_INIT;
	struct hmac *hmac = NULL;
	enum seal_status rc;

	SEAL_TRY(hmac_new(bytes_of(key, sizeof(key)), &hmac, err));
	SEAL_TRY(hkdf_sha256(bytes_of(key, sizeof(key)), BYTES_EMPTY, BYTES_EMPTY, 64, &derived, err));
	SEAL_TRY(scrypt_derive(BYTES_LIT("p"), BYTES_LIT("s"), 4, 1, 1, 32, &stretched, err));
out:
	if (rc != SEAL_OK)
		assert_null(stretched.ptr);
	hmac_free(hmac);
	secret_clear(&derived);
	secret_clear(&stretched);
	return rc;
}

static void mac_each(void **state)
{
	assert_true(oom_each(mac_work, NULL) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aead_each),
		cmocka_unit_test(ff1_each),
		cmocka_unit_test(mac_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
