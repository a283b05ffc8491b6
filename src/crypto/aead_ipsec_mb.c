/*
 * AES-GCM by Intel's multi-buffer library: its one-call functions, without the job manager. The library picks its
 * code (AES-NI, AVX2, AVX-512 with VAES) by the processor's features. The manager is a table of functions, made once
 * for the process and only read afterwards; the expanded key and the working context lie in secret memory.
 */
#include "crypto/aead_ops.h"

#include <intel-ipsec-mb.h>

#include "base/mem.h"

#define NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

struct aead_ipsec_mb {
	struct aead aead;
	struct secret memory; /* a struct keyed */
	aes_gcm_enc_dec_t encrypt, decrypt;
};

struct keyed {
	struct gcm_key_data key;
	struct gcm_context_data work;
	uint8_t tag[AEAD_TAG_LEN];
};

static IMB_MGR *manager; /* set by available(), which runs once */

/* It checks itself against known answers when it starts, where it was built to. */
static bool sound(const IMB_MGR *m)
{
	bool passed = !(m->features & IMB_FEATURE_SELF_TEST) || (m->features & IMB_FEATURE_SELF_TEST_PASS);

	return passed && m->gcm256_enc != NULL && m->gcm256_dec != NULL && m->gcm128_enc != NULL &&
	       m->gcm128_dec != NULL;
}

static bool available(void)
{
	IMB_ARCH arch;

	manager = alloc_mb_mgr(0);
	if (manager == NULL)
		return false;
	if ((manager->features & NEEDED) == NEEDED) {
		init_mb_mgr_auto(manager, &arch);
		if (imb_get_errno(manager) == 0 && sound(manager))
			return true;
	}
	free_mb_mgr(manager);
	manager = NULL;
	return false;
}

static void close_ipsec_mb(struct aead *aead)
{
	struct aead_ipsec_mb *self = (struct aead_ipsec_mb *)aead;

	secret_clear(&self->memory);
	mem_free(self);
}

static enum seal_status open_ipsec_mb(struct seal_bytes key, struct aead **out, struct seal_err *err)
{
	struct aead_ipsec_mb *self = mem_calloc(1, sizeof(*self));
	struct keyed *keyed;
	enum seal_status rc;

	if (self == NULL)
		return err_memory(err);
	self->aead.ops = &aead_ipsec_mb_ops;
	SEAL_TRY(secret_alloc(&self->memory, sizeof(struct keyed), err));
	keyed = (struct keyed *)self->memory.ptr;
	if (key.len == 32) {
		self->encrypt = manager->gcm256_enc;
		self->decrypt = manager->gcm256_dec;
		IMB_AES256_GCM_PRE(manager, key.ptr, &keyed->key);
	} else {
		self->encrypt = manager->gcm128_enc;
		self->decrypt = manager->gcm128_dec;
		IMB_AES128_GCM_PRE(manager, key.ptr, &keyed->key);
	}
	*out = &self->aead;
	return SEAL_OK;
out:
	close_ipsec_mb(&self->aead);
	return rc;
}

/* The library refuses NULL even where the length is 0. */
static const uint8_t *or_empty(struct seal_bytes bytes)
{
	static const uint8_t empty[1];

	return bytes.len ? bytes.ptr : empty;
}

static enum seal_status seal_ipsec_mb(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_ipsec_mb *self = (struct aead_ipsec_mb *)aead;
	struct keyed *keyed = (struct keyed *)self->memory.ptr;

	for (size_t i = 0; i < n; i++) {
		struct aead_item *it = &items[i];

		self->encrypt(&keyed->key, &keyed->work, it->in.len ? it->out : keyed->tag, or_empty(it->in),
			      it->in.len, it->nonce, or_empty(it->aad), it->aad.len, it->tag, AEAD_TAG_LEN);
	}
	return SEAL_OK;
}

static enum seal_status unseal_ipsec_mb(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	struct aead_ipsec_mb *self = (struct aead_ipsec_mb *)aead;
	struct keyed *keyed = (struct keyed *)self->memory.ptr;

	for (size_t i = 0; i < n; i++) {
		struct aead_item *it = &items[i];

		self->decrypt(&keyed->key, &keyed->work, it->in.len ? it->out : keyed->tag, or_empty(it->in),
			      it->in.len, it->nonce, or_empty(it->aad), it->aad.len, keyed->tag, AEAD_TAG_LEN);
		it->ok = ct_equal(keyed->tag, it->tag, AEAD_TAG_LEN);
	}
	return SEAL_OK;
}

const struct aead_ops aead_ipsec_mb_ops = {
	.size = sizeof(struct aead_ops),
	.name = "ipsec-mb",
	.available = available,
	.open = open_ipsec_mb,
	.close = close_ipsec_mb,
	.seal = seal_ipsec_mb,
	.unseal = unseal_ipsec_mb,
};
