/*
 * RSA signatures over libcrypto. Invariant: a struct rsa_key holds DER that libcrypto has read once, as an RSA key of a size that we take.
 *
 *   text ──lines joined, base64──▶ DER (secret memory) ──one signature──▶ EVP_PKEY, freed and wiped by libcrypto
 */
#include "crypto/rsa.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypto/libcrypto.h"

#define BITS_MIN 2048
#define BITS_MAX (8 * RSA_SIGNATURE_MAX)
#define TEXT_MAX (64u << 10)

static enum seal_status no_key(struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "the private key is no RSA key of %d to %d bits in PKCS #8 text (-----BEGIN PRIVATE KEY-----)",
		       BITS_MIN, BITS_MAX);
}

/* What stands between the two lines of RFC 7468, section 10. */
static bool find_body(struct seal_bytes pem, struct seal_bytes *body)
{
	static const char begin[] = "-----BEGIN PRIVATE KEY-----", end[] = "-----END PRIVATE KEY-----";
	const uint8_t *from = pem.len > 0 ? memmem(pem.ptr, pem.len, begin, sizeof(begin) - 1) : NULL, *to;

	if (from == NULL || pem.len > TEXT_MAX)
		return false;
	*body = bytes_skip(pem, (size_t)(from - pem.ptr) + sizeof(begin) - 1);
	to = body->len > 0 ? memmem(body->ptr, body->len, end, sizeof(end) - 1) : NULL;
	if (to == NULL || to == body->ptr)
		return false;
	body->len = (size_t)(to - body->ptr);
	return true;
}

static enum seal_status read_text(struct seal_bytes pem, struct rsa_key *key, struct seal_err *err)
{
	struct secret text = SECRET_INIT;
	struct seal_bytes body;
	size_t len = 0;
	enum seal_status rc;

	if (!find_body(pem, &body))
		return no_key(err);
	SEAL_TRY(secret_alloc(&text, body.len, err));
	for (size_t i = 0; i < body.len; i++)
		if (memchr(" \t\r\n", body.ptr[i], 4) == NULL)
			text.ptr[len++] = body.ptr[i];
	SEAL_TRY(secret_alloc(&key->der, BASE64_RAW_MAX(len), err));
	if (!base64_decode(bytes_of(text.ptr, len), key->der.ptr, &key->len) || key->len == 0)
		rc = no_key(err);
out:
	secret_clear(&text);
	return rc;
}

/* NULL: it is none that we take; libcrypto's queue is empty. */
static EVP_PKEY *open_key(const struct rsa_key *key)
{
	const uint8_t *at = key->der.ptr;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)key->len);
	EVP_PKEY *pkey = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
	bool whole = at == key->der.ptr + key->len;

	PKCS8_PRIV_KEY_INFO_free(info);
	if (pkey != NULL && whole && EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= BITS_MIN &&
	    EVP_PKEY_get_bits(pkey) <= BITS_MAX)
		return pkey;
	EVP_PKEY_free(pkey);
	(void)libcrypto_failed(NULL, "reading a private key");
	return NULL;
}

enum seal_status rsa_key_read(struct seal_bytes pem, struct rsa_key *out, struct seal_err *err)
{
	struct rsa_key key = RSA_KEY_INIT;
	EVP_PKEY *pkey;
	enum seal_status rc;

	*out = (struct rsa_key)RSA_KEY_INIT;
	SEAL_TRY(read_text(pem, &key, err));
	pkey = open_key(&key);
	if (pkey == NULL) {
		rc = no_key(err);
		goto out;
	}
	EVP_PKEY_free(pkey);
	*out = key;
	key = (struct rsa_key)RSA_KEY_INIT;
out:
	rsa_key_clear(&key);
	return rc;
}

void rsa_key_clear(struct rsa_key *key)
{
	secret_clear(&key->der);
	key->len = 0;
}

enum seal_status rsa_sign_sha256(const struct rsa_key *key, struct seal_bytes message, uint8_t out[RSA_SIGNATURE_MAX],
				 size_t *len, struct seal_err *err)
{
	EVP_PKEY *pkey = open_key(key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *params = NULL;
	enum seal_status rc = SEAL_OK;

	*len = RSA_SIGNATURE_MAX;
	if (pkey == NULL || ctx == NULL || EVP_DigestSignInit(ctx, &params, libcrypto_sha256(), NULL, pkey) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PADDING) != 1 ||
	    EVP_DigestSign(ctx, out, len, message.ptr, message.len) != 1) {
		*len = 0;
		rc = libcrypto_failed(err, "an RSA signature");
	}
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return rc;
}
