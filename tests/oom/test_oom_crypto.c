/* oom: every allocation of src/crypto may fail; none may leak or leave half an object behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/key_wrap.h"
#include "crypto/mac.h"
#include "oom.h"

static const uint8_t key[32] = {1};

static enum seal_status aead_work(void *arg, struct seal_err *err)
{
	const enum aead_cipher *cipher = arg;
	struct aead *aead = NULL;
	uint8_t nonce[AEAD_NONCE_MAX] = {0}, tag[AEAD_TAG_LEN], out[5];
	struct aead_item item = {.nonce = nonce, .in = BYTES_LIT("plain"), .out = out, .tag = tag};
	enum seal_status rc;

	SEAL_TRY(aead_new_cipher(*cipher, bytes_of(key, sizeof(key)), &aead, err));
	SEAL_TRY(aead_seal_many(aead, &item, 1, err));
out:
	if (rc != SEAL_OK)
		assert_null(aead);
	aead_free(aead);
	return rc;
}

static void aead_each(void **state)
{
	enum aead_cipher cipher = AEAD_AES_GCM;
	const char *was = aead_backend();

	for (const char *const *name = aead_backends(); *name != NULL; name++) {
		assert_true(aead_backend_force(*name));
		assert_true(oom_each(aead_work, &cipher) > 0);
	}
	assert_true(aead_backend_force(was));
	for (cipher = AEAD_CHACHA20_POLY1305; cipher <= AEAD_XCHACHA20_POLY1305; cipher++)
		assert_true(oom_each(aead_work, &cipher) > 0);
}

/* 2048 bits, made for this test. */
static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxJpG3Jf9dFv9WcDKzFDA\n"
				 "6vocm81//TNs4r5jMkXvASambw7oCBqKwBRirzC5URznT3cxSnGlIjByENicihF4\n"
				 "rR7oSa2UhCuwgfUWiiAarigNSbB41KZtsjq+nJFOC/YfFwseCufszEUopsj/9aMq\n"
				 "cRgGDeSZmFn5oiHVaiT1tcTgA7jdj4lcvqprqzThY5x26HhywrMcwwOMzRM2E1ZH\n"
				 "+c58rAn3vi/Df9Vg7jaE6MlJZ1bvSNgiZOJQ3X72DN/FVqF+gqSQyExPmQM9nN+J\n"
				 "XZ2xmWul2erLCX0NjgQ6fNBFYWumakkwAFSB+Jwzq6Vj7M7QLlx9eKfsR0cfsqS8\n"
				 "4QIDAQAB\n"
				 "-----END PUBLIC KEY-----\n";

static enum seal_status wrap_work(void *arg, struct seal_err *err)
{
	struct seal_buf out = BUF_INIT(1000);
	enum seal_status rc = key_wrap_for(bytes_str(public_key), bytes_of(key, sizeof(key)), &out, err);

	assert_int_equal(out.len, rc == SEAL_OK ? 256 + 40 : 0);
	buf_clear(&out);
	return rc;
}

static void wrap_each(void **state)
{
	assert_true(oom_each(wrap_work, NULL) > 1);
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

/* No room for messages side by side, which is made when it is first needed: then one goes after the other. First of all tests. */
static void mac_lot_without_room(void **state)
{
	struct oom_plan plan = {.fail_at = 1, .stay = true};
	uint8_t out[2][8][SHA256_LEN];
	struct hmac_item items[8];
	struct hmac *hmac;

	assert_int_equal(hmac_new(bytes_of(key, sizeof(key)), &hmac, NULL), SEAL_OK);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 8; i++)
			items[i] = (struct hmac_item){BYTES_EMPTY, bytes_of(key, i), out[round][i]};
		if (round == 0)
			mem_set_hook(oom_allow, &plan);
		assert_int_equal(hmac_many(hmac, items, 8, NULL), SEAL_OK);
		mem_set_hook(NULL, NULL);
	}
	assert_memory_equal(out[0], out[1], sizeof(out[0]));
	hmac_free(hmac);
}

static void mac_each(void **state)
{
	assert_true(oom_each(mac_work, NULL) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mac_lot_without_room),
		cmocka_unit_test(aead_each),
		cmocka_unit_test(wrap_each),
		cmocka_unit_test(ff1_each),
		cmocka_unit_test(mac_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
