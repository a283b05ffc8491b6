/*
 * Transit's import format over libcrypto:
 *
 *   RSA-OAEP-SHA-256(public key, E) ‖ AES-256-KWP(E, material)        E: 32 fresh random bytes, never kept
 */
#include "crypto/key_wrap.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/secret.h"
#include "crypto/libcrypto.h"
#include "crypto/random.h"

#define EPHEMERAL_LEN 32
#define RSA_BITS_MIN 2048
#define KWP_OVERHEAD 16 /* RFC 5649, 4.1: an integrity block, and padding to 8 */

enum seal_status key_wrap_kwp(struct seal_bytes kek, struct seal_bytes material, struct seal_buf *out,
			      struct seal_err *err)
{
	const char *name = kek.len == 16   ? "AES-128-WRAP-PAD"
			   : kek.len == 24 ? "AES-192-WRAP-PAD"
					   : "AES-256-WRAP-PAD";
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	enum seal_status rc;
	int len = 0;

	SEAL_INVARIANT(material.len > 0 && material.len <= KEY_WRAP_MATERIAL_MAX);
	SEAL_INVARIANT(kek.len == 16 || kek.len == 24 || kek.len == 32);
	SEAL_TRY(buf_reserve(out, material.len + KWP_OVERHEAD, err));
	if (ctx != NULL)
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (cipher == NULL || ctx == NULL || EVP_EncryptInit_ex2(ctx, cipher, kek.ptr, NULL, NULL) != 1 ||
	    EVP_EncryptUpdate(ctx, out->ptr + out->len, &len, material.ptr, (int)material.len) != 1) {
		rc = libcrypto_failed(err, "AES key wrap");
		goto out;
	}
	out->len += (size_t)len;
out:
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return rc;
}

static enum seal_status read_public_key(struct seal_bytes pem, EVP_PKEY **out, struct seal_err *err)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (key != NULL && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN) {
		*out = key;
		return SEAL_OK;
	}
	EVP_PKEY_free(key);
	(void)libcrypto_failed(NULL, "reading a public key"); /* empties libcrypto's queue */
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
		       "not the PEM of an RSA public key of at least %d bits; nothing was wrapped with it",
		       RSA_BITS_MIN);
}

static enum seal_status oaep(EVP_PKEY *key, struct seal_bytes in, struct seal_buf *out, struct seal_err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t len = (size_t)EVP_PKEY_get_size(key);
	enum seal_status rc;

	SEAL_TRY(buf_reserve(out, len, err));
	if (ctx == NULL || EVP_PKEY_encrypt_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, libcrypto_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, libcrypto_sha256()) != 1 ||
	    EVP_PKEY_encrypt(ctx, out->ptr + out->len, &len, in.ptr, in.len) != 1) {
		rc = libcrypto_failed(err, "RSA-OAEP");
		goto out;
	}
	out->len += len;
out:
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

enum seal_status key_wrap_for(struct seal_bytes pem, struct seal_bytes material, struct seal_buf *out,
			      struct seal_err *err)
{
	struct secret ephemeral = SECRET_INIT;
	const size_t len_was = out->len;
	EVP_PKEY *key = NULL;
	enum seal_status rc;

	SEAL_TRY(read_public_key(pem, &key, err));
	SEAL_TRY(secret_alloc(&ephemeral, EPHEMERAL_LEN, err));
	SEAL_TRY(random_bytes(ephemeral.ptr, ephemeral.len, err));
	SEAL_TRY(oaep(key, secret_bytes(&ephemeral), out, err));
	SEAL_TRY(key_wrap_kwp(secret_bytes(&ephemeral), material, out, err));
out:
	if (rc != SEAL_OK)
		out->len = len_was;
	secret_clear(&ephemeral);
	EVP_PKEY_free(key);
	return rc;
}
