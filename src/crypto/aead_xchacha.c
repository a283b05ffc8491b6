/*
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3): ChaCha20-Poly1305 under a key of each message's own.
 *
 *   nonce 24 = 16 ──HChaCha20(key)──▶ the message's key
 *              8  ──0^4 before it────▶ its nonce
 *
 * HChaCha20 is what ChaCha20's block function does before it adds the state to itself. libcrypto has the block function
 * only, so the addition is undone:
 *
 *   keystream of zeros = permuted state + state       words 0-3 and 12-15 of the permuted state are the result
 */
#include "crypto/hchacha.h"

#include "base/mem.h"
#include "base/secret.h"
#include "crypto/aead_evp.h"
#include "crypto/aead_ops.h"

#define BLOCK 64

struct hchacha {
	struct secret key;
	EVP_CIPHER_CTX *block; /* ChaCha20, keyed */
};

struct aead_xchacha {
	struct aead aead;
	struct hchacha *derive;
	EVP_CIPHER_CTX *seal, *open;
};

static uint32_t le32_load(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void le32_store(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

enum seal_status hchacha_new(struct seal_bytes key, struct hchacha **out, struct seal_err *err)
{
	struct hchacha *h = mem_calloc(1, sizeof(*h));
	enum seal_status rc;

	*out = NULL;
	if (h == NULL)
		return err_memory(err);
	SEAL_INVARIANT(key.len == HCHACHA_KEY_LEN);
	SEAL_TRY(secret_copy(&h->key, key, err));
	h->block = EVP_CIPHER_CTX_new();
	if (libcrypto_chacha20() == NULL || h->block == NULL ||
	    EVP_EncryptInit_ex2(h->block, libcrypto_chacha20(), h->key.ptr, NULL, NULL) != 1) {
		rc = libcrypto_failed(err, "ChaCha20 key set-up");
		goto out;
	}
	*out = h;
	h = NULL;
out:
	hchacha_free(h);
	return rc;
}

void hchacha_free(struct hchacha *h)
{
	if (h == NULL)
		return;
	EVP_CIPHER_CTX_free(h->block);
	secret_clear(&h->key);
	mem_free(h);
}

enum seal_status hchacha_derive(struct hchacha *h, const uint8_t nonce[HCHACHA_NONCE_LEN],
				uint8_t out[HCHACHA_KEY_LEN], struct seal_err *err)
{
	static const uint8_t sigma[17] = "expand 32-byte k", zeros[BLOCK];
	uint8_t sum[BLOCK];
	int len;

	memset(out, 0, HCHACHA_KEY_LEN);
	/* libcrypto's 16 bytes of IV are the state's last four words: counter and nonce */
	if (EVP_EncryptInit_ex2(h->block, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(h->block, sum, &len, zeros, BLOCK) != 1 || len != BLOCK)
		return libcrypto_failed(err, "HChaCha20");
	for (size_t i = 0; i < 16; i += 4) {
		le32_store(out + i, le32_load(sum + i) - le32_load(sigma + i));
		le32_store(out + 16 + i, le32_load(sum + 48 + i) - le32_load(nonce + i));
	}
	mem_wipe(sum, sizeof(sum));
	return SEAL_OK;
}

static bool available(void)
{
	return true;
}

static void close_xchacha(struct aead *aead)
{
	struct aead_xchacha *self = (struct aead_xchacha *)aead;

	EVP_CIPHER_CTX_free(self->seal);
	EVP_CIPHER_CTX_free(self->open);
	hchacha_free(self->derive);
	mem_free(self);
}

static enum seal_status open_xchacha(struct seal_bytes key, struct aead **out, struct seal_err *err)
{
	const EVP_CIPHER *cipher = libcrypto_chacha20_poly1305();
	struct aead_xchacha *self = mem_calloc(1, sizeof(*self));
	enum seal_status rc;

	if (self == NULL)
		return err_memory(err);
	self->aead.ops = &aead_xchacha_ops;
	SEAL_TRY(hchacha_new(key, &self->derive, err));
	self->seal = EVP_CIPHER_CTX_new();
	self->open = EVP_CIPHER_CTX_new();
	if (cipher == NULL || self->seal == NULL || self->open == NULL ||
	    EVP_EncryptInit_ex2(self->seal, cipher, NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(self->open, cipher, NULL, NULL, NULL) != 1) {
		rc = libcrypto_failed(err, "cipher key set-up");
		goto out;
	}
	*out = &self->aead;
out:
	if (rc != SEAL_OK)
		close_xchacha(&self->aead);
	return rc;
}

/* The message's own key and nonce. */
static enum seal_status derive(struct aead_xchacha *self, const uint8_t *nonce, uint8_t key[HCHACHA_KEY_LEN],
			       uint8_t inner[AEAD_NONCE_LEN], struct seal_err *err)
{
	memset(inner, 0, 4);
	memcpy(inner + 4, nonce + HCHACHA_NONCE_LEN, AEAD_NONCE_LEN - 4);
	return hchacha_derive(self->derive, nonce, key, err);
}

static enum seal_status seal_xchacha(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_xchacha *self = (struct aead_xchacha *)aead;
	uint8_t key[HCHACHA_KEY_LEN], inner[AEAD_NONCE_LEN];
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(derive(self, items[i].nonce, key, inner, err));
		if (!aead_evp_seal(self->seal, key, inner, &items[i])) {
			rc = libcrypto_failed(err, "authenticated encryption");
			goto out;
		}
	}
out:
	mem_wipe(key, sizeof(key));
	return rc;
}

static enum seal_status unseal_xchacha(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_xchacha *self = (struct aead_xchacha *)aead;
	uint8_t key[HCHACHA_KEY_LEN], inner[AEAD_NONCE_LEN];
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(derive(self, items[i].nonce, key, inner, err));
		if (!aead_evp_open(self->open, key, inner, &items[i])) {
			rc = libcrypto_failed(err, "authenticated encryption");
			goto out;
		}
	}
out:
	mem_wipe(key, sizeof(key));
	return rc;
}

const struct aead_ops aead_xchacha_ops = {
	.size = sizeof(struct aead_ops),
	.name = "openssl",
	.available = available,
	.open = open_xchacha,
	.close = close_xchacha,
	.seal = seal_xchacha,
	.unseal = unseal_xchacha,
};
