/*
 * Rewrapping and data keys of the local keyring: both are encryptions of what a session decrypts or draws.
 *
 *   rewrap   text of the newest version: as it is
 *            text of an older one: decrypted ──▶ encrypted again under the newest (a fresh nonce, or the convergent one)
 *
 * Invariant: a text that does not authenticate is never written anew.
 */
#include "keys/keyring_session.h"
#include "keys/keyring_text.h"

static bool is_newest(const struct keyring_session *s, struct seal_bytes text)
{
	struct seal_bytes base64;
	uint32_t version;

	return text_split(text, &version, &base64) == TEXT_FINE && version == s->state->file.n;
}

/* What `from` failed of goes to `to`; true when there is something to fail of. */
static bool failed_too(struct key_item *to, const struct key_item *from)
{
	to->out = BYTES_EMPTY;
	to->err = from->err;
	return from->err != NULL;
}

/* Decrypts and encrypts the n items that `of` points to. `lot` has room for them. */
static enum seal_status renew(struct key_session *base, struct key_item **of, struct key_item *lot, size_t n,
			      const struct key_call *call, struct seal_err *err)
{
	enum seal_status rc;
	size_t opened = 0;

	for (size_t i = 0; i < n; i++)
		lot[i] = (struct key_item){.in = of[i]->in, .aad = of[i]->aad};
	SEAL_TRY(base->ops->decrypt(base, lot, n, call, err));
	for (size_t i = 0; i < n; i++) {
		if (failed_too(of[i], &lot[i]))
			continue;
		of[opened] = of[i];
		lot[opened++] = (struct key_item){.in = lot[i].out, .aad = lot[i].aad};
	}
	SEAL_TRY(base->ops->encrypt(base, lot, opened, call, err));
	for (size_t i = 0; i < opened; i++)
		if (!failed_too(of[i], &lot[i]))
			of[i]->out = lot[i].out;
out:
	return rc;
}

enum seal_status session_rewrap(struct key_session *base, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	struct key_item **older = arena_alloc(call->arena, n * sizeof(*older), _Alignof(struct key_item *));
	struct key_item *lot = arena_alloc(call->arena, n * sizeof(*lot), _Alignof(struct key_item));
	enum seal_status rc;
	size_t count = 0;

	if (older == NULL || lot == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(session_sync(s, false, err));
	for (size_t i = 0; i < n; i++) {
		items[i].err = NULL;
		items[i].out = items[i].in;
		if (!is_newest(s, items[i].in))
			older[count++] = &items[i];
	}
	if (count > 0)
		SEAL_TRY(renew(base, older, lot, count, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].out = BYTES_EMPTY;
	return rc;
}

enum seal_status session_data_key(struct key_session *base, size_t len, struct seal_bytes aad, struct secret *plain,
				  struct seal_bytes *wrapped, const struct key_call *call, struct seal_err *err)
{
	struct key_item item = {.aad = aad};
	struct secret fresh = SECRET_INIT;
	enum seal_status rc;

	SEAL_INVARIANT(len == 16 || len == 32 || len == 64);
	*wrapped = BYTES_EMPTY;
	SEAL_TRY(secret_alloc(&fresh, len, err));
	SEAL_TRY(random_bytes(fresh.ptr, fresh.len, err));
	item.in = secret_bytes(&fresh);
	SEAL_TRY(base->ops->encrypt(base, &item, 1, call, err));
	if (item.err != NULL) {
		rc = err_set(err, item.err->status, item.err->code, "%s", item.err->text);
		goto out;
	}
	*wrapped = item.out;
	if (plain != NULL) {
		*plain = fresh;
		fresh = (struct secret)SECRET_INIT;
	}
out:
	secret_clear(&fresh);
	return rc;
}
