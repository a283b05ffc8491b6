/*
 * The one place where algorithms are fetched from libcrypto. Invariant: after pthread_once the table is immutable, so
 * readers need no lock.
 */
#include "crypto/libcrypto.h"

#include <openssl/err.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
	EVP_MD *sha256, *md5;
	EVP_CIPHER *gcm128, *gcm256;
	EVP_CIPHER *ecb128, *ecb192, *ecb256;
	EVP_CIPHER *chacha20_poly1305, *chacha20;
} fetched;

static void fetch_all(void)
{
	fetched.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	fetched.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	fetched.gcm128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	fetched.gcm256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	fetched.ecb128 = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	fetched.ecb192 = EVP_CIPHER_fetch(NULL, "AES-192-ECB", NULL);
	fetched.ecb256 = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	fetched.chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	fetched.chacha20 = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
	ERR_clear_error();
}

enum seal_status libcrypto_failed(struct seal_err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	char reason[160] = "no reason given";

	if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
		ERR_clear_error();
		return err_memory(err);
	}
	if (code != 0)
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "libcrypto failed in %s: %s; check the OpenSSL installation",
		       what, reason);
}

const EVP_MD *libcrypto_sha256(void)
{
	pthread_once(&once, fetch_all);
	return fetched.sha256;
}

const EVP_MD *libcrypto_md5(void)
{
	pthread_once(&once, fetch_all);
	return fetched.md5;
}

const EVP_CIPHER *libcrypto_aes_gcm(size_t key_len)
{
	pthread_once(&once, fetch_all);
	return key_len == 16 ? fetched.gcm128 : key_len == 32 ? fetched.gcm256 : NULL;
}

const EVP_CIPHER *libcrypto_aes_ecb(size_t key_len)
{
	pthread_once(&once, fetch_all);
	switch (key_len) {
	case 16:
		return fetched.ecb128;
	case 24:
		return fetched.ecb192;
	case 32:
		return fetched.ecb256;
	default:
		return NULL;
	}
}

const EVP_CIPHER *libcrypto_chacha20_poly1305(void)
{
	pthread_once(&once, fetch_all);
	return fetched.chacha20_poly1305;
}

const EVP_CIPHER *libcrypto_chacha20(void)
{
	pthread_once(&once, fetch_all);
	return fetched.chacha20;
}
