/* gcm_open: nonces that are not 96 bits long. McGrew and Viega, The Galois/Counter Mode of Operation, test cases 5, 6, 17, 18. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/encode.h"
#include "crypto/gcm.h"

#define KEY "feffe9928665731c6d6a8f9467308308"
#define PLAIN                                                                                                        \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa" \
	"0de657"                                                                                                     \
	"ba637b39"
#define AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define SHORT_NONCE "cafebabefacedbad"
#define LONG_NONCE                                                                                                   \
	"9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0" \
	"de6a57"                                                                                                     \
	"a637b39b"

struct vector {
	const char *key, *nonce, *in, *tag;
};

static const struct vector vectors[] = {
	{KEY, SHORT_NONCE,
	 "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1eba"
	 "c0f07"
	 "c23f4598",
	 "3612d2e79e3b0785561be14aaca2fccb"},
	{KEY, LONG_NONCE,
	 "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca"
	 "41703"
	 "4c34aee5",
	 "619cc5aefffe0bfa462af43c1699d050"},
	{KEY KEY, SHORT_NONCE,
	 "c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0feb582d33934a4f0954cc2363bc73f7862ac430e64a"
	 "be499"
	 "f47c9b1f",
	 "3a337dbf46a792c45e454913fe2ea8f2"},
	{KEY KEY, LONG_NONCE,
	 "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cdea2418997200"
	 "ef82e"
	 "44ae7e3f",
	 "a44a8266ee1c8eb0c8b5d4cf5ae9f19a"},
};

static struct seal_bytes unhex(const char *hex, uint8_t *out)
{
	assert_true(hex_decode(bytes_str(hex), out));
	return bytes_of(out, strlen(hex) / 2);
}

static void test_vectors(void **state)
{
	uint8_t key[32], nonce[64], aad[20], in[60], plain[60], tag[16], out[60];

	unhex(PLAIN, plain);
	unhex(AAD, aad);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct seal_bytes k = unhex(v->key, key), n = unhex(v->nonce, nonce), c = unhex(v->in, in);

		unhex(v->tag, tag);
		assert_int_equal(gcm_open(k, n, bytes_of(aad, sizeof(aad)), c, tag, out, NULL), SEAL_OK);
		assert_memory_equal(out, plain, sizeof(plain));
		for (int bit = 0; bit < 128; bit++) {
			tag[bit / 8] ^= 1 << bit % 8;
			assert_int_equal(gcm_open(k, n, bytes_of(aad, sizeof(aad)), c, tag, out, NULL), SEAL_DATA);
			for (size_t b = 0; b < sizeof(out); b++)
				assert_int_equal(out[b], 0);
			tag[bit / 8] ^= 1 << bit % 8;
		}
		nonce[0] ^= 1;
		assert_int_equal(gcm_open(k, n, bytes_of(aad, sizeof(aad)), c, tag, out, NULL), SEAL_DATA);
		nonce[0] ^= 1;
		assert_int_equal(gcm_open(k, n, bytes_of(aad, 19), c, tag, out, NULL), SEAL_DATA);
		/* in place */
		assert_int_equal(gcm_open(k, n, bytes_of(aad, sizeof(aad)), c, tag, in, NULL), SEAL_OK);
		assert_memory_equal(in, plain, sizeof(plain));
	}
}

static void test_lengths(void **state)
{
	const uint8_t zeros[GCM_NONCE_MAX + 1] = {0};
	struct seal_err err = SEAL_ERR_INIT;
	uint8_t out[1];

	assert_int_equal(
		gcm_open(bytes_of(zeros, 24), bytes_of(zeros, 12), BYTES_EMPTY, BYTES_EMPTY, zeros, out, &err),
		SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(gcm_open(bytes_of(zeros, 32), BYTES_EMPTY, BYTES_EMPTY, BYTES_EMPTY, zeros, out, NULL),
			 SEAL_DATA);
	assert_int_equal(gcm_open(bytes_of(zeros, 32), bytes_of(zeros, GCM_NONCE_MAX + 1), BYTES_EMPTY, BYTES_EMPTY,
				  zeros, out, NULL),
			 SEAL_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_lengths)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
