/*
 * Rewrapping by the local keyring: text of the newest version stays as it is, text of an older one is decrypted and
 * encrypted again under the newest (a fresh nonce, or the convergent one).
 */
#include "keys/by_encryption.h"
#include "keys/keyring_session.h"
#include "keys/keyring_text.h"

static bool is_newest(const struct keyring_session *s, struct seal_bytes text)
{
	struct seal_bytes base64;
	uint32_t version;

	return text_split(text, &version, &base64) == TEXT_FINE && version == s->state->file.n;
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
		SEAL_TRY(key_renew(base, older, lot, count, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].out = BYTES_EMPTY;
	return rc;
}
