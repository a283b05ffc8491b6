/*
 * Rewrapping by the local keyring: text of the version asked for (the newest) stays as it is, text of another one is decrypted and
 * encrypted again under that (a fresh nonce, or the convergent one).
 */
#include "keys/by_encryption.h"
#include "keys/keyring_session.h"
#include "keys/keyring_text.h"

static bool is_of(uint32_t wanted, struct seal_bytes text)
{
	struct seal_bytes base64;
	uint32_t version;

	return text_split(text, &version, &base64) == TEXT_FINE && version == wanted;
}

enum seal_status session_rewrap(struct key_session *base, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	struct key_item **other = arena_alloc(call->arena, n * sizeof(*other), _Alignof(struct key_item *));
	struct key_item *lot = arena_alloc(call->arena, n * sizeof(*lot), _Alignof(struct key_item));
	uint32_t wanted = call->version;
	enum seal_status rc;
	size_t count = 0;

	if (other == NULL || lot == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(session_version(s, &wanted, true, err));
	for (size_t i = 0; i < n; i++) {
		items[i].err = NULL;
		items[i].out = items[i].in;
		if (!is_of(wanted, items[i].in))
			other[count++] = &items[i];
	}
	if (count > 0)
		SEAL_TRY(key_renew(base, other, lot, count, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].out = BYTES_EMPTY;
	return rc;
}
