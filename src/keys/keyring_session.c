/*
 * Sessions: one thread's use of a key. The normal call takes no lock: it compares a generation number, and only when that
 * has moved takes the new state. Contexts belong to a state's material, so they go when it goes.
 */
#include "keys/keyring_session.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "keys/item_err.h"

/* A block of small messages, or one of the largest. */
#define RAW_MAX ((size_t)256 << 20)

static void drop_contexts(struct keyring_session *s)
{
	for (size_t i = 0; i < SESSION_CONTEXTS; i++) {
		if (s->slots[i].version != 0)
			s->contexts->free(s->slots[i].context);
		s->slots[i].version = 0;
		s->slots[i].context = NULL;
	}
	if (s->derived != NULL)
		derived_cache_clear(s->derived);
}

enum seal_status session_sync(struct keyring_session *s, bool now, struct seal_err *err)
{
	enum seal_status rc = keyring_key_refresh(s->key, now, err);

	if (rc != SEAL_OK)
		return rc;
	if (atomic_load(&s->key->generation) != s->generation) {
		drop_contexts(s);
		keyring_state_put(s->state);
		s->state = keyring_state_get(s->key, &s->generation);
	}
	if (s->state->file.type != s->type)
		return err_set(err, SEAL_DENIED, SEAL_E_KEY_TYPE,
			       "key %s was replaced by one of type %s; start again to use it", s->key->name,
			       s->state->file.type->name);
	if (s->state->file.derived != (s->derived != NULL) || s->state->file.convergent != s->convergent)
		return err_set(err, SEAL_DENIED, SEAL_E_KEY_TYPE,
			       "key %s was replaced by one that is %s; start again to use it", s->key->name,
			       key_kind_words(s->state->file.derived, s->state->file.convergent));
	return SEAL_OK;
}

enum seal_status session_version(struct keyring_session *s, uint32_t *version, bool fresh, struct seal_err *err)
{
	const struct key_file *file;
	enum seal_status rc;

	SEAL_TRY(session_sync(s, false, err));
	if (*version > s->state->file.n)
		SEAL_TRY(session_sync(s, true, err)); /* rotated elsewhere a moment ago */
	file = &s->state->file;
	if (*version == 0)
		*version = file->n;
	if (*version > file->n)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_VERSION,
			     "key %s has no version %u, its latest is %u; correct the version in the policy or "
			     "rotate the key",
			     s->key->name, *version, file->n);
	else if (*version < file->min_decryption_version)
		rc = err_set(err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			     "version %u of key %s is below its minimum decryption version %u", *version,
			     s->key->name, file->min_decryption_version);
	else if (fresh && *version < file->min_encryption_version)
		rc = err_set(err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			     "version %u of key %s is below its minimum encryption version %u", *version,
			     s->key->name, file->min_encryption_version);
out:
	return rc;
}

enum seal_status session_context(struct keyring_session *s, uint32_t version, void **out, struct seal_err *err)
{
	void *made = NULL;
	enum seal_status rc;
	unsigned i;

	for (i = 0; i < SESSION_CONTEXTS; i++) {
		if (s->slots[i].version == version) {
			*out = s->slots[i].context;
			return SEAL_OK;
		}
	}
	SEAL_TRY(s->contexts->make(s->type, keyring_state_material(s->state, version), &made, err));
	i = s->next_slot++ % SESSION_CONTEXTS;
	if (s->slots[i].version != 0)
		s->contexts->free(s->slots[i].context);
	s->slots[i].version = version;
	s->slots[i].context = made;
	*out = made;
out:
	return rc;
}

void session_item_fail(struct keyring_session *s, struct key_item *item, struct arena *arena, enum seal_code code,
		       const char *fmt, ...)
{
	struct seal_err e = {.status = SEAL_DATA, .code = code};
	va_list args;

	va_start(args, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, args);
	va_end(args);
	item->out = BYTES_EMPTY;
	item->err = item_err_share(arena, &e, &s->failed);
}

void session_free(struct key_session *base)
{
	struct keyring_session *s = (struct keyring_session *)base;

	if (s == NULL)
		return;
	drop_contexts(s);
	derived_cache_free(s->derived);
	keyring_state_put(s->state);
	random_pool_clear(&s->nonces);
	buf_clear(&s->raw);
	mem_free(s);
}

enum seal_status keyring_session_new(struct key *key, struct key_session **out, struct seal_err *err)
{
	struct keyring_session *s = mem_calloc(1, sizeof(*s));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->key = (struct keyring_key *)key;
	s->state = keyring_state_get(s->key, &s->generation);
	s->type = s->state->file.type;
	random_pool_init(&s->nonces);
	s->raw.max = RAW_MAX;
	if (s->type->uses & KEY_ENCRYPT) {
		s->base.ops = &aead_session_ops;
		s->contexts = &aead_context_ops;
		s->convergent = s->state->file.convergent;
		s->nonce_len = aead_nonce_len(s->type->cipher);
		s->overhead = s->nonce_len + AEAD_TAG_LEN;
		if (s->state->file.derived)
			SEAL_TRY(derived_cache_new(&s->derived, err));
	} else if (s->type->uses & KEY_FPE) {
		s->base.ops = &ff1_session_ops;
		s->contexts = &ff1_context_ops;
	} else {
		s->base.ops = &hmac_session_ops;
		s->contexts = &hmac_context_ops;
	}
	*out = &s->base;
out:
	if (rc != SEAL_OK)
		session_free(&s->base);
	return rc;
}
