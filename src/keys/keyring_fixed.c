/*
 * Sessions of keys whose results carry no version: ff1 and hmac. The policy says which version it means (0: the
 * latest, for uses where the result is not kept); a rotation changes nothing until the policy says so.
 */
#include "keys/keyring_session.h"

#include "crypto/ff1.h"
#include "crypto/ff3_1.h"
#include "crypto/mac.h"

#define CHUNK 64

static enum seal_status make_ff1(const struct keyring_type *type, struct seal_bytes material, void **out,
				 struct seal_err *err)
{
	struct ff1 *ff1 = NULL;
	enum seal_status rc = ff1_new(material, &ff1, err);

	*out = ff1;
	return rc;
}

static void free_ff1(void *context)
{
	ff1_free(context);
}

const struct context_ops ff1_context_ops = {make_ff1, free_ff1};

static enum seal_status make_hmac(const struct keyring_type *type, struct seal_bytes material, void **out,
				  struct seal_err *err)
{
	struct hmac *hmac = NULL;
	enum seal_status rc = hmac_new(material, &hmac, err);

	*out = hmac;
	return rc;
}

static void free_hmac(void *context)
{
	hmac_free(context);
}

const struct context_ops hmac_context_ops = {make_hmac, free_hmac};

static enum seal_status ff1_fpe(struct key_session *base, uint32_t version, bool decrypt, struct key_fpe_item *items,
				size_t n, const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	struct ff1_item lot[CHUNK];
	enum seal_status rc;
	void *ff1;

	SEAL_TRY(session_version(s, &version, !decrypt, err));
	SEAL_TRY(session_context(s, version, &ff1, err));
	for (size_t at = 0; at < n;) {
		size_t count = 0;

		for (; at < n && count < CHUNK; at++, count++)
			lot[count] = (struct ff1_item){
				.numerals = items[at].numerals,
				.n = items[at].n,
				.radix = items[at].radix,
				.tweak = items[at].tweak,
			};
		if (decrypt)
			SEAL_TRY(ff1_decrypt_many(ff1, lot, count, err));
		else
			SEAL_TRY(ff1_encrypt_many(ff1, lot, count, err));
	}
out:
	return rc;
}

static enum seal_status ff1_legacy_decrypt(struct key_session *base, uint32_t version, struct key_fpe_item *items,
					   size_t n, const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	enum seal_status rc;

	SEAL_TRY(session_version(s, &version, false, err));
	for (size_t i = 0; i < n; i++) {
		if (items[i].tweak.len != FF3_1_TWEAK_LEN) {
			rc = err_set(err, SEAL_USAGE, SEAL_E_DOMAIN, "FF3-1 takes a tweak of %d bytes, not %zu",
				     FF3_1_TWEAK_LEN, items[i].tweak.len);
			goto out;
		}
		SEAL_TRY(ff3_1_decrypt(keyring_state_material(s->state, version), items[i].tweak.ptr, items[i].radix,
				       items[i].numerals, items[i].n, err));
	}
out:
	return rc;
}

const struct key_session_ops ff1_session_ops = {
	.size = sizeof(ff1_session_ops),
	.fpe = ff1_fpe,
	.fpe_legacy_decrypt = ff1_legacy_decrypt,
	.free = session_free,
};

static enum seal_status hmac_lot(struct key_session *base, uint32_t version, struct key_item *items, size_t n,
				 const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	struct hmac_item lot[CHUNK];
	enum seal_status rc;
	uint8_t *results;
	void *hmac;

	SEAL_TRY(session_version(s, &version, true, err));
	SEAL_TRY(session_context(s, version, &hmac, err));
	results = arena_alloc(call->arena, n * SHA256_LEN, 1);
	if (results == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (size_t at = 0; at < n;) {
		size_t count = 0;

		for (; at < n && count < CHUNK; at++, count++) {
			items[at].err = NULL;
			items[at].out = bytes_of(results + at * SHA256_LEN, SHA256_LEN);
			lot[count] = (struct hmac_item){
				.prefix = items[at].aad,
				.in = items[at].in,
				.out = results + at * SHA256_LEN,
			};
		}
		SEAL_TRY(hmac_many(hmac, lot, count, err));
	}
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].out = BYTES_EMPTY;
	return rc;
}

const struct key_session_ops hmac_session_ops = {
	.size = sizeof(hmac_session_ops),
	.hmac = hmac_lot,
	.free = session_free,
};
