/*
 * vectors: AES-GCM against the test cases of McGrew and Viega, "The Galois/Counter Mode of Operation" (those with
 * 96-bit nonces and keys of 128 and 256 bits), on every back end, in both directions, alone and as one lot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/aead.h"
#include "vector.h"

#define ZERO16 "00000000000000000000000000000000"
#define KEY16 "feffe9928665731c6d6a8f9467308308"
#define PLAIN60                                                                                                      \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa" \
	"0de657ba637b39"
#define CIPHER128                                                                                                    \
	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a" \
	"0aac973d58e091"
#define CIPHER256                                                                                                    \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393" \
	"ba7a0abcc9f662"
#define NONCE "cafebabefacedbaddecaf888"
#define AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"

static const struct vector {
	const char *key, *nonce, *aad, *plain, *cipher, *tag;
} vectors[] = {
	/* test cases 1 to 4 */
	{ZERO16, "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{ZERO16, "000000000000000000000000", "", ZERO16, "0388dace60b6a392f328c2b971b2fe78",
	 "ab6e47d42cec13bdf53a67b21257bddf"},
	{KEY16, NONCE, "", PLAIN60 "1aafd255", CIPHER128 "473f5985", "4d5c2af327cd64a62cf35abd2ba6fab4"},
	{KEY16, NONCE, AAD, PLAIN60, CIPHER128, "5bc94fbc3221a5db94fae95ae7121a47"},
	/* test cases 13 to 16 */
	{ZERO16 ZERO16, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{ZERO16 ZERO16, "000000000000000000000000", "", ZERO16, "cea7403d4d606b6e074ec5d3baf39d18",
	 "d0d1c8a799996bf0265b98b5d48ab919"},
	{KEY16 KEY16, NONCE, "", PLAIN60 "1aafd255", CIPHER256 "898015ad", "b094dac5d93471bdec1a502270e3cc6c"},
	{KEY16 KEY16, NONCE, AAD, PLAIN60, CIPHER256, "76fc6ece0f4e1768cddf8853bb2d551b"},
};

#define COPIES 5 /* the same message several times in one lot */

static void check(const struct vector *v)
{
	uint8_t raw_key[32], nonce[12], raw_aad[32], raw_plain[64], raw_cipher[64], raw_tag[16];
	uint8_t out[COPIES][64], tag[COPIES][16];
	struct seal_bytes aad = vector_hex(v->aad, raw_aad, sizeof(raw_aad));
	struct seal_bytes plain = vector_hex(v->plain, raw_plain, sizeof(raw_plain));
	struct seal_bytes cipher = vector_hex(v->cipher, raw_cipher, sizeof(raw_cipher));
	struct aead_item items[COPIES];
	struct aead *aead;

	assert_int_equal(vector_hex(v->nonce, nonce, sizeof(nonce)).len, AEAD_NONCE_LEN);
	assert_int_equal(vector_hex(v->tag, raw_tag, sizeof(raw_tag)).len, AEAD_TAG_LEN);
	assert_int_equal(aead_new(vector_hex(v->key, raw_key, sizeof(raw_key)), &aead, NULL), SEAL_OK);
	for (size_t i = 0; i < COPIES; i++)
		items[i] = (struct aead_item){.nonce = nonce, .aad = aad, .in = plain, .out = out[i], .tag = tag[i]};
	assert_int_equal(aead_seal_many(aead, items, COPIES, NULL), SEAL_OK);
	for (size_t i = 0; i < COPIES; i++) {
		assert_memory_equal(out[i], cipher.ptr, cipher.len);
		assert_memory_equal(tag[i], raw_tag, sizeof(raw_tag));
		items[i].in = bytes_of(out[i], cipher.len); /* in place */
	}
	assert_int_equal(aead_open_many(aead, items, COPIES, NULL), SEAL_OK);
	for (size_t i = 0; i < COPIES; i++) {
		assert_true(items[i].ok);
		assert_memory_equal(out[i], plain.ptr, plain.len);
	}
	aead_free(aead);
}

static void mcgrew_viega(void **state)
{
	const char *was = aead_backend();

	for (const char *const *name = aead_backends(); *name != NULL; name++) {
		assert_true(aead_backend_force(*name));
		assert_string_equal(aead_backend(), *name);
		for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
			check(&vectors[i]);
	}
	assert_true(aead_backend_force(was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mcgrew_viega),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
