/*
 * AES-GCM with any nonce: where it is not 96 bits long, GHASH of it gives the first counter (SP 800-38D §7.1, step 2), which EVP
 * does once it knows the length.
 */
#include "crypto/gcm.h"

#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/libcrypto.h"

static bool run(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, struct seal_bytes key, struct seal_bytes nonce,
		struct seal_bytes aad, struct seal_bytes in, const uint8_t *tag, uint8_t *out, bool *good)
{
	uint8_t expected[GCM_TAG_LEN], none[16];
	int len;

	memcpy(expected, tag, sizeof(expected));
	if (EVP_DecryptInit_ex2(ctx, cipher, NULL, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce.len, NULL) != 1 ||
	    EVP_DecryptInit_ex2(ctx, NULL, key.ptr, nonce.ptr, NULL) != 1 ||
	    (aad.len != 0 && EVP_DecryptUpdate(ctx, NULL, &len, aad.ptr, (int)aad.len) != 1) ||
	    (in.len != 0 && EVP_DecryptUpdate(ctx, out, &len, in.ptr, (int)in.len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, expected) != 1)
		return false;
	*good = EVP_DecryptFinal_ex(ctx, none, &len) == 1;
	return true;
}

enum seal_status gcm_open(struct seal_bytes key, struct seal_bytes nonce, struct seal_bytes aad, struct seal_bytes in,
			  const uint8_t *tag, uint8_t *out, struct seal_err *err)
{
	const EVP_CIPHER *cipher = libcrypto_aes_gcm(key.len);
	EVP_CIPHER_CTX *ctx;
	enum seal_status rc = SEAL_OK;
	bool good = false;

	if ((key.len != 16 && key.len != 32) || nonce.len == 0 || nonce.len > GCM_NONCE_MAX ||
	    in.len > AEAD_MESSAGE_MAX || aad.len > AEAD_MESSAGE_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "an AES-GCM message has a key, a nonce or a length that cannot be");
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || cipher == NULL || !run(ctx, cipher, key, nonce, aad, in, tag, out, &good))
		rc = libcrypto_failed(err, "authenticated decryption");
	else if (!good)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			     "it does not authenticate: it was changed, or is under another key");
	if (rc != SEAL_OK)
		mem_wipe(out, in.len);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}
