/* AES-KWP (RFC 5649, section 6), and that what was wrapped for an RSA key comes out with its private half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vector.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/key_wrap.h"

static void kwp_is_the_rfcs(void **state)
{
	static const struct {
		const char *material, *wrapped;
	} vectors[] = {
		{"c37b7e6492584340bed12207808941155068f738",
		 "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	};
	uint8_t kek[24];

	assert_true(hex_decode(BYTES_LIT("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"), kek));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = strlen(vectors[i].material) / 2, wrapped_len = strlen(vectors[i].wrapped) / 2;
		struct seal_buf out = BUF_INIT(1000);
		uint8_t material[32], expected[32];

		assert_true(hex_decode(bytes_str(vectors[i].material), material));
		assert_true(hex_decode(bytes_str(vectors[i].wrapped), expected));
		assert_int_equal(key_wrap_kwp(bytes_of(kek, 24), bytes_of(material, len), &out, NULL), SEAL_OK);
		assert_int_equal(out.len, wrapped_len);
		assert_memory_equal(out.ptr, expected, wrapped_len);
		buf_clear(&out);
	}
}

static struct seal_bytes public_pem(EVP_PKEY *key, BIO *bio)
{
	char *text;
	long len;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	len = BIO_get_mem_data(bio, &text);
	return bytes_of(text, (size_t)len);
}

/* What an importing server does, by libcrypto alone. */
static void unwrap(EVP_PKEY *key, struct seal_bytes blob, uint8_t *material, int *material_len)
{
	EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new(key, NULL);
	EVP_CIPHER_CTX *kwp = EVP_CIPHER_CTX_new();
	size_t rsa_len = (size_t)EVP_PKEY_get_size(key), len = 512;
	uint8_t ephemeral[512];

	assert_true(blob.len > rsa_len);
	assert_int_equal(EVP_PKEY_decrypt_init(rsa), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(rsa, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(rsa, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_decrypt(rsa, ephemeral, &len, blob.ptr, rsa_len), 1);
	assert_int_equal(len, 32);
	EVP_CIPHER_CTX_set_flags(kwp, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_DecryptInit_ex(kwp, EVP_aes_256_wrap_pad(), NULL, ephemeral, NULL), 1);
	assert_int_equal(
		EVP_DecryptUpdate(kwp, material, material_len, blob.ptr + rsa_len, (int)(blob.len - rsa_len)), 1);
	EVP_CIPHER_CTX_free(kwp);
	EVP_PKEY_CTX_free(rsa);
}

static void what_is_wrapped_comes_out(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t material[64], out[128];
	struct seal_buf blobs[2] = {BUF_INIT(2000), BUF_INIT(2000)};
	BIO *bio = BIO_new(BIO_s_mem());
	struct seal_bytes pem = public_pem(key, bio);
	int len;

	for (size_t i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)(i * 7);
	for (size_t n = 1; n <= sizeof(material); n += 7) {
		buf_reset(&blobs[0]);
		assert_int_equal(key_wrap_for(pem, bytes_of(material, n), &blobs[0], NULL), SEAL_OK);
		unwrap(key, buf_bytes(&blobs[0]), out, &len);
		assert_int_equal(len, n);
		assert_memory_equal(out, material, n);
	}
	/* The ephemeral key is a new one each time, and nothing of the material shows. */
	for (int i = 0; i < 2; i++) {
		buf_reset(&blobs[i]);
		assert_int_equal(key_wrap_for(pem, bytes_of(material, 32), &blobs[i], NULL), SEAL_OK);
		assert_null(memmem(blobs[i].ptr, blobs[i].len, material, 8));
	}
	assert_memory_not_equal(blobs[0].ptr + 256, blobs[1].ptr + 256, 40);
	buf_clear(&blobs[0]);
	buf_clear(&blobs[1]);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static void refused(struct seal_bytes pem)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_buf out = BUF_INIT(2000);

	assert_int_equal(key_wrap_for(pem, BYTES_LIT("material"), &out, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_SYNTAX);
	assert_non_null(strstr(err.text, "RSA public key"));
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

static void other_keys_are_refused(void **state)
{
	EVP_PKEY *others[2] = {EVP_RSA_gen(1024), EVP_EC_gen("P-256")};

	refused(BYTES_EMPTY);
	refused(BYTES_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
	for (int i = 0; i < 2; i++) {
		BIO *bio = BIO_new(BIO_s_mem());

		refused(public_pem(others[i], bio));
		BIO_free(bio);
		EVP_PKEY_free(others[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kwp_is_the_rfcs),
		cmocka_unit_test(what_is_wrapped_comes_out),
		cmocka_unit_test(other_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
