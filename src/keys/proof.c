/*
 * Proving that a store's key is the one whose material is at hand:
 *
 *   encryption   material ──text──▶ store opens it          the other way round for the latest version, which is the
 *                store    ──text──▶ material opens it       only one that a store encrypts with
 *   hmac, ff1    store(probe) = material(probe)
 *
 * The probe is random. Invariant: nothing of the material leaves but texts under it.
 */
#include "keys/proof.h"

#include "base/encode.h"
#include "crypto/ff1.h"
#include "crypto/random.h"
#include "keys/keyring_derived.h"
#include "keys/keyring_text.h"

#define PROBE_LEN 16
#define RAW_MAX (AEAD_NONCE_MAX + PROBE_LEN + AEAD_TAG_LEN)
/* Associated data, or a derived key's context. */
#define PROBE_PLACE BYTES_LIT("sealstream key proof")

struct proof {
	const struct key_material *material;
	const struct keyring_type *type;
	struct key_session *session;
	struct key_info info;
	struct key_call call;
	uint8_t probe[PROBE_LEN];
};

static enum seal_status other_key(const struct proof *p, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
		       "version %u there is another key than the one at hand; nothing more was changed",
		       p->material->version);
}

static enum seal_status open_material(const struct proof *p, struct derived *out, struct seal_err *err)
{
	const struct key_material *m = p->material;
	const struct derived_from from = {p->type, m->bytes, m->version, m->convergent};

	if (m->derived)
		return derived_make(&from, PROBE_PLACE, out, err);
	return aead_new_cipher(p->type->cipher, m->bytes, &out->aead, err);
}

static enum seal_status make_text(const struct proof *p, const struct derived *key, struct seal_bytes *text,
				  struct seal_err *err)
{
	const size_t nonce_len = aead_nonce_len(p->type->cipher);
	char *to = arena_alloc(p->call.arena, TEXT_PREFIX_MAX + BASE64_LEN(RAW_MAX), 1);
	uint8_t raw[RAW_MAX], mac[SHA256_LEN];
	struct aead_item item = {
		.nonce = raw,
		.aad = p->material->derived ? BYTES_EMPTY : PROBE_PLACE,
		.in = bytes_of(p->probe, PROBE_LEN),
		.out = raw + nonce_len,
		.tag = raw + nonce_len + PROBE_LEN,
	};
	struct hmac_item nonce = {.in = item.in, .out = mac};
	enum seal_status rc;
	size_t len;

	if (to == NULL)
		return err_memory(err);
	SEAL_TRY(random_bytes(raw, nonce_len, err));
	if (p->material->convergent) {
		SEAL_TRY(hmac_many(key->nonces, &nonce, 1, err));
		memcpy(raw, mac, nonce_len);
	}
	SEAL_TRY(aead_seal_many(key->aead, &item, 1, err));
	len = text_prefix(p->material->version, to);
	len += base64_encode(bytes_of(raw, nonce_len + PROBE_LEN + AEAD_TAG_LEN), to + len);
	*text = bytes_of(to, len);
out:
	return rc;
}

/* Does `text`, which the store made, open with the material, and is it `ours` where it is convergent? */
static enum seal_status open_text(const struct proof *p, const struct derived *key, struct seal_bytes ours,
				  struct seal_bytes text, bool *same, struct seal_err *err)
{
	const size_t nonce_len = aead_nonce_len(p->type->cipher);
	uint8_t raw[BASE64_RAW_MAX(BASE64_LEN(RAW_MAX))];
	struct aead_item item;
	struct seal_bytes base64;
	enum seal_status rc;
	uint32_t version;
	size_t len;

	*same = false;
	if (text_split(text, &version, &base64) != TEXT_FINE)
		return SEAL_OK;
	if (version > p->material->version) { /* rotated a moment ago: it opened our text, that must do */
		*same = true;
		return SEAL_OK;
	}
	if (version != p->material->version || base64.len > BASE64_LEN(RAW_MAX) ||
	    !base64_decode(base64, raw, &len) || len != nonce_len + PROBE_LEN + AEAD_TAG_LEN)
		return SEAL_OK;
	item = (struct aead_item){
		.nonce = raw,
		.aad = p->material->derived ? BYTES_EMPTY : PROBE_PLACE,
		.in = bytes_of(raw + nonce_len, PROBE_LEN),
		.out = raw + nonce_len,
		.tag = raw + nonce_len + PROBE_LEN,
	};
	SEAL_TRY(aead_open_many(key->aead, &item, 1, err));
	*same = item.ok && memcmp(item.out, p->probe, PROBE_LEN) == 0 &&
		(!p->material->convergent || bytes_eq(text, ours));
out:
	return rc;
}

/* An item's own error says too little here: what did not authenticate is another key. */
static enum seal_status item_failed(const struct proof *p, const struct key_item *item, struct seal_err *err)
{
	if (item->err->code == SEAL_E_TAMPERED)
		return other_key(p, err);
	return err_set(err, item->err->status, item->err->code, "%s", item->err->text);
}

static enum seal_status prove_encryption(struct proof *p, struct seal_err *err)
{
	struct key_item item = {.aad = PROBE_PLACE};
	struct derived key = {NULL, NULL};
	struct seal_bytes ours = BYTES_EMPTY;
	enum seal_status rc;
	bool same = true;

	SEAL_TRY(open_material(p, &key, err));
	SEAL_TRY(make_text(p, &key, &ours, err));
	item.in = ours;
	SEAL_TRY(p->session->ops->decrypt(p->session, &item, 1, &p->call, err));
	if (item.err != NULL)
		rc = item_failed(p, &item, err);
	else if (!bytes_eq(item.out, bytes_of(p->probe, PROBE_LEN)))
		rc = other_key(p, err);
	if (rc != SEAL_OK || p->info.latest_version != p->material->version)
		goto out;
	item = (struct key_item){.in = bytes_of(p->probe, PROBE_LEN), .aad = PROBE_PLACE};
	SEAL_TRY(p->session->ops->encrypt(p->session, &item, 1, &p->call, err));
	if (item.err != NULL)
		rc = item_failed(p, &item, err);
	else
		SEAL_TRY(open_text(p, &key, ours, item.out, &same, err));
	if (!same)
		rc = other_key(p, err);
out:
	derived_clear(&key);
	return rc;
}

static enum seal_status prove_hmac(struct proof *p, struct seal_err *err)
{
	struct key_item item = {.in = bytes_of(p->probe, PROBE_LEN)};
	struct hmac *hmac = NULL;
	uint8_t mac[SHA256_LEN];
	struct hmac_item ours = {.in = item.in, .out = mac};
	enum seal_status rc;

	SEAL_TRY(hmac_new(p->material->bytes, &hmac, err));
	SEAL_TRY(hmac_many(hmac, &ours, 1, err));
	SEAL_TRY(p->session->ops->hmac(p->session, p->material->version, &item, 1, &p->call, err));
	if (item.err != NULL)
		rc = item_failed(p, &item, err);
	else if (!bytes_eq(item.out, bytes_of(mac, sizeof(mac))))
		rc = other_key(p, err);
out:
	hmac_free(hmac);
	return rc;
}

static enum seal_status prove_ff1(struct proof *p, struct seal_err *err)
{
	uint16_t ours[PROBE_LEN], theirs[PROBE_LEN];
	struct ff1_item mine = {.numerals = ours, .n = PROBE_LEN, .radix = 256, .tweak = PROBE_PLACE};
	struct key_fpe_item other = {.numerals = theirs, .n = PROBE_LEN, .radix = 256, .tweak = PROBE_PLACE};
	struct ff1 *ff1 = NULL;
	enum seal_status rc;

	for (size_t i = 0; i < PROBE_LEN; i++)
		ours[i] = theirs[i] = p->probe[i];
	SEAL_TRY(ff1_new(p->material->bytes, &ff1, err));
	SEAL_TRY(ff1_encrypt_many(ff1, &mine, 1, err));
	SEAL_TRY(p->session->ops->fpe(p->session, p->material->version, false, &other, 1, &p->call, err));
	if (memcmp(ours, theirs, sizeof(ours)) != 0)
		rc = other_key(p, err);
out:
	ff1_free(ff1);
	return rc;
}

static enum seal_status prove_with(struct proof *p, struct seal_err *err)
{
	const struct key_session_ops *ops = p->session->ops;

	if ((p->type->uses & KEY_ENCRYPT) && ops->encrypt != NULL && ops->decrypt != NULL)
		return prove_encryption(p, err);
	if (!(p->type->uses & KEY_ENCRYPT) && p->material->version < p->info.min_encryption_version)
		return SEAL_OK;
	if ((p->type->uses & KEY_HMAC) && ops->hmac != NULL)
		return prove_hmac(p, err);
	if ((p->type->uses & KEY_FPE) && ops->fpe != NULL)
		return prove_ff1(p, err);
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "a key of type %s is not what %s keys are used for there",
		       p->info.type, p->type->name);
}

enum seal_status key_prove(struct key_source *source, struct seal_bytes reference,
			   const struct key_material *material, uint64_t deadline_ms, struct seal_err *err)
{
	struct proof p = {.material = material, .type = keyring_type_by_name(bytes_str(material->type))};
	struct key *key = NULL;
	struct arena arena;
	enum seal_status rc;

	SEAL_INVARIANT(p.type != NULL && keyring_type_takes(p.type, material->bytes.len));
	arena_init(&arena, 0);
	p.call = (struct key_call){.arena = &arena, .deadline_ms = deadline_ms};
	SEAL_TRY(random_bytes(p.probe, sizeof(p.probe), err));
	SEAL_TRY(source->ops->key(source, reference, &key, err));
	SEAL_TRY(key->ops->info(key, &p.info, err));
	SEAL_TRY(key->ops->session(key, &p.session, err));
	SEAL_TRY(prove_with(&p, err));
out:
	if (p.session != NULL)
		p.session->ops->free(p.session);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&arena);
	return rc;
}
