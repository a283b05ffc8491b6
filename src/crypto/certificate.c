/* Signatures of certificates, over libcrypto. */
#include "crypto/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/libcrypto.h"

#define PEM_MAX 65536

/* PEM text may be encrypted: libcrypto would ask whoever sits at the terminal, or eat standard input. */
static int no_password(char *out, int room, int writing, void *arg)
{
	(void)out;
	(void)room;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *key_of(struct seal_bytes pem)
{
	BIO *bio = pem.len > 0 && pem.len <= PEM_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
	EVP_PKEY *key = certificate != NULL ? X509_get_pubkey(certificate) : NULL;

	X509_free(certificate);
	BIO_free(bio);
	if (key != NULL && EVP_PKEY_is_a(key, "RSA"))
		return key;
	EVP_PKEY_free(key);
	(void)libcrypto_failed(NULL, "reading a certificate");
	return NULL;
}

enum seal_status certificate_verify(struct seal_bytes pem, enum certificate_hash hash, struct seal_bytes message,
				    struct seal_bytes signature, struct seal_err *err)
{
	EVP_PKEY *key = key_of(pem);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = hash == CERTIFICATE_SHA1 ? EVP_sha1() : EVP_sha256();
	enum seal_status rc = SEAL_OK;

	if (ctx == NULL)
		rc = err_memory(err);
	else if (key == NULL)
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "this is no certificate of an RSA key");
	else if (EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1)
		rc = libcrypto_failed(err, "a check of a signature");
	else if (EVP_DigestVerify(ctx, signature.ptr, signature.len, message.ptr, message.len) != 1)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "the signature does not hold");
	if (rc == SEAL_DATA)
		(void)libcrypto_failed(NULL, "a check of a signature"); /* empties its queue of errors */
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}
