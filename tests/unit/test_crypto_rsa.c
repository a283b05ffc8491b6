/*
 * crypto/rsa: the signature of RFC 7515, appendix A.2; and that nothing but such a key is taken. crypto/certificate: that libcrypto asks
 * nobody about a certificate which somebody else has sent.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto/certificate.h"
#include "crypto/rsa.h"
#include "rsa_fixture.h"

static void signs_as_the_rfc_does(void **state)
{
	static const char *const ends[] = {"\n", "\r\n", ""};

	for (size_t i = 0; i < 3; i++) {
		struct seal_buf pem = BUF_INIT(8192);
		struct rsa_key key = RSA_KEY_INIT;
		uint8_t signature[RSA_SIGNATURE_MAX];
		char text[BASE64_LEN(RSA_SIGNATURE_MAX)];
		size_t len;

		rsa_pem(&pem, ends[i]);
		assert_int_equal(rsa_key_read(buf_bytes(&pem), &key, NULL), SEAL_OK);
		assert_int_equal(rsa_sign_sha256(&key, BYTES_LIT(RSA_MESSAGE), signature, &len, NULL), SEAL_OK);
		assert_int_equal(len, 256);
		len = base64url_encode(bytes_of(signature, len), text);
		assert_true(bytes_eq_str(bytes_of(text, len), RSA_SIGNATURE));
		rsa_key_clear(&key);
		assert_null(key.der.ptr);
		buf_clear(&pem);
	}
}

static void another_message_has_another_signature(void **state)
{
	struct seal_buf pem = BUF_INIT(8192);
	struct rsa_key key = RSA_KEY_INIT;
	uint8_t one[RSA_SIGNATURE_MAX], other[RSA_SIGNATURE_MAX];
	size_t len;

	rsa_pem(&pem, "\n");
	assert_int_equal(rsa_key_read(buf_bytes(&pem), &key, NULL), SEAL_OK);
	assert_int_equal(rsa_sign_sha256(&key, BYTES_LIT("a"), one, &len, NULL), SEAL_OK);
	assert_int_equal(rsa_sign_sha256(&key, BYTES_LIT("b"), other, &len, NULL), SEAL_OK);
	assert_memory_not_equal(one, other, 256);
	rsa_key_clear(&key);
	buf_clear(&pem);
}

static void refused(const char *what, struct seal_bytes pem)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct rsa_key key;

	if (rsa_key_read(pem, &key, &err) != SEAL_USAGE)
		fail_msg("taken: %s", what);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_non_null(strstr(err.text, "PKCS #8"));
	assert_null(key.der.ptr);
}

static void other_texts_are_refused(void **state)
{
	struct seal_buf key = BUF_INIT(4096), der = BUF_INIT(8192), pem = BUF_INIT(16384);

	der_rsa(&key);
	pem_put(&pem, "RSA PRIVATE KEY", buf_bytes(&key), "\n");
	refused("PKCS #1", buf_bytes(&pem));
	buf_reset(&pem);
	pem_put(&pem, "PRIVATE KEY", buf_bytes(&key), "\n");
	refused("PKCS #1 under the other name", buf_bytes(&pem));
	buf_reset(&pem);
	der_pkcs8(&der, BYTES_LIT("\x06\x03\x2b\x65\x70"), buf_bytes(&key)); /* Ed25519, RFC 8410 */
	pem_put(&pem, "PRIVATE KEY", buf_bytes(&der), "\n");
	refused("another algorithm", buf_bytes(&pem));
	buf_reset(&pem);
	buf_reset(&der);
	der_pkcs8(&der, OID_RSA, buf_bytes(&key));
	assert_int_equal(buf_append_u8(&der, 0, NULL), SEAL_OK);
	pem_put(&pem, "PRIVATE KEY", buf_bytes(&der), "\n");
	refused("a byte too many", buf_bytes(&pem));
	refused("nothing", BYTES_EMPTY);
	refused("one line", BYTES_LIT("-----BEGIN PRIVATE KEY-----"));
	refused("two lines", BYTES_LIT("-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----"));
	refused("no base64", BYTES_LIT("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----"));
	refused("white space", BYTES_LIT("-----BEGIN PRIVATE KEY-----\n \n-----END PRIVATE KEY-----"));
	buf_clear(&key);
	buf_clear(&der);
	buf_clear(&pem);
}

/* A text cut anywhere is none, but where only its last line end is missing. */
static void every_cut_is_refused(void **state)
{
	struct seal_buf pem = BUF_INIT(8192);

	rsa_pem(&pem, "\n");
	for (size_t len = 0; len + 1 < pem.len; len += 7)
		refused("a part", bytes_of(pem.ptr, len));
	buf_clear(&pem);
}

/* PEM text may say that it is encrypted. Without a terminal (setsid) libcrypto would read the password from standard input. */
static void an_encrypted_certificate_asks_nobody(void **state)
{
	static const char said[] = "a line of the program's input\n";
	const int was = dup(0);
	char left[sizeof(said)] = "";
	int ends[2];

	(void)setsid();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], 0), 0);
	assert_int_equal(write(ends[1], said, sizeof(said) - 1), sizeof(said) - 1);
	assert_int_equal(certificate_verify(BYTES_LIT("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
						      "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
						      "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n"),
					    CERTIFICATE_SHA256, BYTES_LIT("a"), BYTES_LIT("b"), NULL),
			 SEAL_DATA);
	assert_int_equal(fcntl(0, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(0, left, sizeof(left)), sizeof(said) - 1);
	assert_string_equal(left, said);
	assert_int_equal(dup2(was, 0), 0);
	close(was);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_encrypted_certificate_asks_nobody),
		cmocka_unit_test(signs_as_the_rfc_does),
		cmocka_unit_test(another_message_has_another_signature),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
