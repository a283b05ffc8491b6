/*
 * AES-GCM and ChaCha20-Poly1305 by EVP. Two contexts, one a direction, keyed once; each message resets the nonce only
 * (EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL)): half the cost of keying anew. The key schedules lie on
 * libcrypto's heap, which cleanses them on free.
 */
#include "crypto/aead_evp.h"

#include "base/mem.h"
#include "crypto/aead_ops.h"
#include "crypto/libcrypto.h"

struct aead_openssl {
	struct aead aead;
	EVP_CIPHER_CTX *seal, *open;
};

static bool available(void)
{
	return true;
}

static void close_openssl(struct aead *aead)
{
	struct aead_openssl *self = (struct aead_openssl *)aead;

	EVP_CIPHER_CTX_free(self->seal);
	EVP_CIPHER_CTX_free(self->open);
	mem_free(self);
}

static enum seal_status open_cipher(const struct aead_ops *ops, const EVP_CIPHER *cipher, struct seal_bytes key,
				    struct aead **out, struct seal_err *err)
{
	struct aead_openssl *self = mem_calloc(1, sizeof(*self));

	if (self == NULL)
		return err_memory(err);
	self->aead.ops = ops;
	self->seal = EVP_CIPHER_CTX_new();
	self->open = EVP_CIPHER_CTX_new();
	if (cipher == NULL || self->seal == NULL || self->open == NULL ||
	    EVP_EncryptInit_ex2(self->seal, cipher, key.ptr, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(self->open, cipher, key.ptr, NULL, NULL) != 1) {
		close_openssl(&self->aead);
		return libcrypto_failed(err, "cipher key set-up");
	}
	*out = &self->aead;
	return SEAL_OK;
}

static enum seal_status open_openssl(struct seal_bytes key, struct aead **out, struct seal_err *err)
{
	return open_cipher(&aead_openssl_ops, libcrypto_aes_gcm(key.len), key, out, err);
}

static enum seal_status open_chacha(struct seal_bytes key, struct aead **out, struct seal_err *err)
{
	return open_cipher(&aead_chacha_ops, libcrypto_chacha20_poly1305(), key, out, err);
}

bool aead_evp_seal(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, const struct aead_item *item)
{
	uint8_t none[16];
	int len;

	return EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL) == 1 &&
	       (item->aad.len == 0 || EVP_EncryptUpdate(ctx, NULL, &len, item->aad.ptr, (int)item->aad.len) == 1) &&
	       (item->in.len == 0 || EVP_EncryptUpdate(ctx, item->out, &len, item->in.ptr, (int)item->in.len) == 1) &&
	       EVP_EncryptFinal_ex(ctx, none, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, item->tag) == 1;
}

static enum seal_status seal_openssl(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_openssl *self = (struct aead_openssl *)aead;

	for (size_t i = 0; i < n; i++)
		if (!aead_evp_seal(self->seal, NULL, items[i].nonce, &items[i]))
			return libcrypto_failed(err, "authenticated encryption");
	return SEAL_OK;
}

bool aead_evp_open(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, struct aead_item *item)
{
	uint8_t none[16];
	int len;

	if (EVP_DecryptInit_ex2(ctx, NULL, key, nonce, NULL) != 1 ||
	    (item->aad.len != 0 && EVP_DecryptUpdate(ctx, NULL, &len, item->aad.ptr, (int)item->aad.len) != 1) ||
	    (item->in.len != 0 && EVP_DecryptUpdate(ctx, item->out, &len, item->in.ptr, (int)item->in.len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, item->tag) != 1)
		return false;
	item->ok = EVP_DecryptFinal_ex(ctx, none, &len) == 1;
	return true;
}

static enum seal_status unseal_openssl(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_openssl *self = (struct aead_openssl *)aead;

	for (size_t i = 0; i < n; i++)
		if (!aead_evp_open(self->open, NULL, items[i].nonce, &items[i]))
			return libcrypto_failed(err, "authenticated encryption");
	return SEAL_OK;
}

const struct aead_ops aead_openssl_ops = {
	.size = sizeof(struct aead_ops),
	.name = "openssl",
	.available = available,
	.open = open_openssl,
	.close = close_openssl,
	.seal = seal_openssl,
	.unseal = unseal_openssl,
};

const struct aead_ops aead_chacha_ops = {
	.size = sizeof(struct aead_ops),
	.name = "openssl",
	.available = available,
	.open = open_chacha,
	.close = close_openssl,
	.seal = seal_openssl,
	.unseal = unseal_openssl,
};
