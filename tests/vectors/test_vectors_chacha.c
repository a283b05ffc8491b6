/*
 * ChaCha20-Poly1305 (RFC 8439, 2.8.2), HChaCha20 and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, 2.2.1 and A.3.1),
 * and that nothing changed opens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vector.h"

#include "crypto/aead.h"
#include "crypto/hchacha.h"

#define SUNSCREEN                                                                                                    \
	"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "     \
	"would "                                                                                                     \
	"be it."
#define LEN (sizeof(SUNSCREEN) - 1)

struct aead_vector {
	enum aead_cipher cipher;
	const char *key, *nonce, *aad, *sealed, *tag;
};

static const struct aead_vector vectors[] = {
	{AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	 "3ff4def08e4b7a9de576d26586cec64b6116",
	 "1ae10b594f09e26a7e902ecbd0600691"},
	{AEAD_XCHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 "404142434445464748494a4b4c4d4e4f5051525354555657", "50515253c0c1c2c3c4c5c6c7",
	 "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
	 "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
	 "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
	 "21f9664c97637da9768812f615c68b13b52e",
	 "c0875924c1c7987947deafd8780acf49"},
};

static void unhex(const char *hex, uint8_t *out)
{
	assert_true(hex_decode(bytes_str(hex), out));
}

static struct aead *keyed(const struct aead_vector *v)
{
	struct aead *aead = NULL;
	uint8_t key[32];

	unhex(v->key, key);
	assert_int_equal(aead_new_cipher(v->cipher, bytes_of(key, sizeof(key)), &aead, NULL), SEAL_OK);
	return aead;
}

static void seals_as_published(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct aead_vector *v = &vectors[i];
		uint8_t nonce[AEAD_NONCE_MAX], aad[12], out[LEN], tag[AEAD_TAG_LEN], expected[LEN];
		struct aead_item item = {.nonce = nonce,
					 .aad = bytes_of(aad, sizeof(aad)),
					 .in = BYTES_LIT(SUNSCREEN),
					 .out = out,
					 .tag = tag};
		struct aead *aead = keyed(v);

		assert_int_equal(strlen(v->nonce), 2 * aead_nonce_len(v->cipher));
		unhex(v->nonce, nonce);
		unhex(v->aad, aad);
		for (int again = 0; again < 2; again++) { /* the context can be used more than once */
			memset(out, 0, sizeof(out));
			assert_int_equal(aead_seal_many(aead, &item, 1, NULL), SEAL_OK);
			unhex(v->sealed, expected);
			assert_memory_equal(out, expected, LEN);
			unhex(v->tag, expected);
			assert_memory_equal(tag, expected, AEAD_TAG_LEN);
		}
		aead_free(aead);
	}
}

/* Each byte of nonce, associated data, ciphertext and tag counts. */
static void nothing_changed_opens(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct aead_vector *v = &vectors[i];
		const size_t nonce_len = aead_nonce_len(v->cipher), total = nonce_len + 12 + LEN + AEAD_TAG_LEN;
		uint8_t all[AEAD_NONCE_MAX + 12 + LEN + AEAD_TAG_LEN], out[LEN];
		struct aead_item item = {.nonce = all,
					 .aad = bytes_of(all + nonce_len, 12),
					 .in = bytes_of(all + nonce_len + 12, LEN),
					 .out = out,
					 .tag = all + total - AEAD_TAG_LEN};
		struct aead *aead = keyed(v);

		unhex(v->nonce, all);
		unhex(v->aad, all + nonce_len);
		unhex(v->sealed, all + nonce_len + 12);
		unhex(v->tag, all + total - AEAD_TAG_LEN);
		for (size_t at = 0; at <= total; at++) {
			if (at < total)
				all[at] ^= 1;
			assert_int_equal(aead_open_many(aead, &item, 1, NULL), SEAL_OK);
			assert_int_equal(item.ok, at == total);
			if (at < total)
				all[at] ^= 1;
		}
		assert_memory_equal(out, SUNSCREEN, LEN);
		aead_free(aead);
	}
}

static void hchacha_is_the_drafts(void **state)
{
	uint8_t key[HCHACHA_KEY_LEN], nonce[HCHACHA_NONCE_LEN], out[HCHACHA_KEY_LEN], expected[HCHACHA_KEY_LEN];
	struct hchacha *h = NULL;

	unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key);
	unhex("000000090000004a0000000031415927", nonce);
	unhex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", expected);
	assert_int_equal(hchacha_new(bytes_of(key, sizeof(key)), &h, NULL), SEAL_OK);
	assert_int_equal(hchacha_derive(h, nonce, out, NULL), SEAL_OK);
	assert_memory_equal(out, expected, sizeof(out));
	nonce[0] ^= 1;
	assert_int_equal(hchacha_derive(h, nonce, out, NULL), SEAL_OK);
	assert_memory_not_equal(out, expected, sizeof(out));
	hchacha_free(h);
}

static void keys_have_their_length(void **state)
{
	static const uint8_t key[33];

	for (size_t len = 0; len <= sizeof(key); len++) {
		struct aead *aead = NULL;

		for (int cipher = AEAD_CHACHA20_POLY1305; cipher <= AEAD_XCHACHA20_POLY1305; cipher++) {
			struct seal_err err = SEAL_ERR_INIT;

			assert_int_equal(aead_new_cipher(cipher, bytes_of(key, len), &aead, &err),
					 len == 32 ? SEAL_OK : SEAL_USAGE);
			assert_int_equal(err.code, len == 32 ? SEAL_E_NONE : SEAL_E_KEY_TYPE);
			assert_int_equal(aead != NULL, len == 32);
			aead_free(aead);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_as_published),
		cmocka_unit_test(nothing_changed_opens),
		cmocka_unit_test(hchacha_is_the_drafts),
		cmocka_unit_test(keys_have_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
