/*
 * vectors: SHA-256 (FIPS 180-4 examples), HMAC-SHA-256 (RFC 4231 §4), HKDF-SHA-256 (RFC 5869 appendix A) and scrypt
 * (RFC 7914 §12, without the one that takes 1 GiB).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/mac.h"
#include "vector.h"

#define TIMES4(x) x x x x
#define TIMES20(x) TIMES4(x) TIMES4(x) TIMES4(x) TIMES4(x) TIMES4(x)
#define TIMES50(x) TIMES20(x) TIMES20(x) TIMES4(x) TIMES4(x) x x
#define TIMES131(x) TIMES50(x) TIMES50(x) TIMES20(x) TIMES4(x) TIMES4(x) x x x

static void assert_hex(const uint8_t *got, const char *expected)
{
	uint8_t raw[128];
	struct seal_bytes want = vector_hex(expected, raw, sizeof(raw));

	assert_memory_equal(got, want.ptr, want.len);
}

static void sha256_examples(void **state)
{
	uint8_t out[SHA256_LEN];

	assert_int_equal(sha256(BYTES_EMPTY, out, NULL), SEAL_OK);
	assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(sha256(BYTES_LIT("abc"), out, NULL), SEAL_OK);
	assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256(BYTES_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out, NULL),
			 SEAL_OK);
	assert_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static const struct {
	const char *key, *data;
	const char *mac;
} rfc4231[] = {
	/* §4.2 to §4.8; §4.6 gives 128 bits only. Data as text, keys as bytes. */
	{TIMES20("\x0b"), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{TIMES20("\xaa"), TIMES50("\xdd"), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
	 TIMES50("\xcd"), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{TIMES20("\x0c"), "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"},
	{TIMES131("\xaa"), "Test Using Larger Than Block-Size Key - Hash Key First",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{TIMES131("\xaa"),
	 "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
	 "hashed before being used by the HMAC algorithm.",
	 "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

/* Each message at every split between prefix and rest, all in one lot, so that re-keying is exercised. */
static void check_rfc4231(void)
{
	for (size_t i = 0; i < sizeof(rfc4231) / sizeof(rfc4231[0]); i++) {
		struct seal_bytes data = bytes_str(rfc4231[i].data);
		struct hmac_item items[256];
		uint8_t out[256][SHA256_LEN];
		struct hmac *hmac;

		assert_true(data.len < 256);
		for (size_t k = 0; k <= data.len; k++)
			items[k] = (struct hmac_item){bytes_of(data.ptr, k), bytes_skip(data, k), out[k]};
		assert_int_equal(hmac_new(bytes_str(rfc4231[i].key), &hmac, NULL), SEAL_OK);
		assert_int_equal(hmac_many(hmac, items, data.len + 1, NULL), SEAL_OK);
		for (size_t k = 0; k <= data.len; k++)
			assert_hex(out[k], rfc4231[i].mac);
		hmac_free(hmac);
	}
}

static void hmac_rfc4231(void **state)
{
	assert_true(hmac_backend_force("openssl"));
	check_rfc4231();
	if (hmac_backend_force("ipsec-mb"))
		check_rfc4231();
}

static struct seal_bytes counting(uint8_t *out, uint8_t first, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
	return bytes_of(out, len);
}

static void hkdf_rfc5869(void **state)
{
	uint8_t key[80], salt[80], info[80];
	struct seal_bytes ikm = BYTES_LIT(TIMES20("\x0b") "\x0b\x0b");
	struct secret out = SECRET_INIT;

	/* A.1 */
	assert_int_equal(hkdf_sha256(ikm, counting(salt, 0, 13), counting(info, 0xf0, 10), 42, &out, NULL), SEAL_OK);
	assert_hex(out.ptr, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	secret_clear(&out);
	/* A.2 */
	assert_int_equal(
		hkdf_sha256(counting(key, 0, 80), counting(salt, 0x60, 80), counting(info, 0xb0, 80), 82, &out, NULL),
		SEAL_OK);
	assert_hex(out.ptr,
		   "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e"
		   "590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	secret_clear(&out);
	/* A.3 */
	assert_int_equal(hkdf_sha256(ikm, BYTES_EMPTY, BYTES_EMPTY, 42, &out, NULL), SEAL_OK);
	assert_hex(out.ptr, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
	secret_clear(&out);
}

static const struct {
	const char *passphrase, *salt;
	unsigned log2_n, r, p;
	const char *key;
} rfc7914[] = {
	{"", "", 4, 1, 1,
	 "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0"
	 "d"
	 "3628cf35e20c38d18906"},
	{"password", "NaCl", 10, 8, 16,
	 "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a8"
	 "3"
	 "ee6d8360cbdfa2cc0640"},
	{"pleaseletmein", "SodiumChloride", 14, 8, 1,
	 "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d6"
	 "5"
	 "1e40dfcf017b45575887"},
};

static void scrypt_rfc7914(void **state)
{
	for (size_t i = 0; i < sizeof(rfc7914) / sizeof(rfc7914[0]); i++) {
		struct secret out = SECRET_INIT;

		assert_int_equal(scrypt_derive(bytes_str(rfc7914[i].passphrase), bytes_str(rfc7914[i].salt),
					       rfc7914[i].log2_n, rfc7914[i].r, rfc7914[i].p, 64, &out, NULL),
				 SEAL_OK);
		assert_hex(out.ptr, rfc7914[i].key);
		secret_clear(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_examples),
		cmocka_unit_test(hmac_rfc4231),
		cmocka_unit_test(hkdf_rfc5869),
		cmocka_unit_test(scrypt_rfc7914),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
