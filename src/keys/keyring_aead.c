/*
 * Sessions of encryption keys: lots of plaintext to `vault:vN:` texts and back. The hot path of the project.
 *
 *   encrypt  64 messages at a time: nonces, seal ──▶ raw (small, stays in cache) ──base64──▶ the lot's one block
 *   decrypt  split all texts, base64 ──▶ the lot's one block; then open it in place, version by version
 *
 * A derived key's item brings a context in `aad`: messages of one context that stand together are a run, sealed or opened
 * at once under the context's key, and nothing is authenticated besides.
 *
 * Invariants: every message takes a fresh random nonce and is counted before it is sealed, or (convergent) a nonce that
 * comes from it and its context alone; no plaintext is handed out that did not authenticate.
 */
#include "keys/by_encryption.h"
#include "keys/keyring_session.h"

#include "base/ckd.h"
#include "base/encode.h"
#include "crypto/aead.h"
#include "keys/keyring_text.h"

#define CHUNK 64 /* messages on their way at once */
#define CHUNK_BYTES ((size_t)64 << 10) /* a chunk ends where it holds more than this */

static enum seal_status make_context(const struct keyring_type *type, struct seal_bytes material, void **out,
				     struct seal_err *err)
{
	struct aead *aead = NULL;
	enum seal_status rc = aead_new_cipher(type->cipher, material, &aead, err);

	*out = aead;
	return rc;
}

static void free_context(void *context)
{
	aead_free(context);
}

const struct context_ops aead_context_ops = {make_context, free_context};

/* Counts `n` encryptions of the newest version, which is then the session's. */
static enum seal_status take_uses(struct keyring_session *s, size_t n, uint64_t deadline_ms, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (n > UINT32_MAX / 2)
		return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "a lot of %zu messages is too large", n);
	while (!keyring_key_take(s->key, s->state->file.n, (uint32_t)n)) {
		SEAL_TRY(keyring_key_reserve(s->key, (uint32_t)n, deadline_ms, err));
		SEAL_TRY(session_sync(s, false, err));
	}
out:
	return rc;
}

/* The version to encrypt `n` messages under. Uses of older ones are not counted, so only keys that need no count have a choice. */
static enum seal_status choose_version(struct keyring_session *s, size_t n, const struct key_call *call,
				       uint32_t *version, struct seal_err *err)
{
	enum seal_status rc;

	*version = call->version;
	if (s->convergent)
		return session_version(s, version, true, err);
	if (*version != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "key %s encrypts under its newest version only; a convergent key can be held to one",
			       s->key->name);
	SEAL_TRY(take_uses(s, n, call->deadline_ms, err));
	*version = s->state->file.n;
out:
	return rc;
}

/* False for an item without the context that a derived key needs; it then has its error. */
static bool context_given(struct keyring_session *s, struct key_item *item, struct arena *arena)
{
	if (s->derived == NULL || item->aad.len > 0)
		return true;
	session_item_fail(s, item, arena, SEAL_E_CONFIG,
			  "key %s is derived and needs a context; bind the field to something other than none",
			  s->key->name);
	return false;
}

/* The one allocation of a lot: all its texts, back to back. Refuses messages that are too large, each alone. */
static enum seal_status allocate_texts(struct keyring_session *s, struct key_item *items, size_t n, size_t prefix_len,
				       struct arena *arena, uint8_t **texts, struct seal_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		items[i].err = NULL;
		if (!context_given(s, &items[i], arena))
			continue;
		if (items[i].in.len > AEAD_MESSAGE_MAX) {
			session_item_fail(s, &items[i], arena, SEAL_E_LIMIT,
					  "larger than %u bytes, the most one value can have", AEAD_MESSAGE_MAX);
			continue;
		}
		if (ckd_add(&total, total, prefix_len + BASE64_LEN(items[i].in.len + s->overhead)))
			return err_memory(err);
	}
	*texts = arena_alloc(arena, total, 1);
	return *texts != NULL ? SEAL_OK : err_memory(err);
}

struct seal_chunk {
	struct aead_item messages[CHUNK];
	struct key_item *items[CHUNK];
	uint8_t *raw[CHUNK]; /* nonce | ciphertext | tag */
	size_t n;
};

/* Picks messages from *at on, gives them room and random nonces. */
static enum seal_status fill_chunk(struct keyring_session *s, struct seal_chunk *chunk, struct key_item *items,
				   size_t n, size_t *at, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	size_t bytes = 0;
	uint8_t *raw;

	chunk->n = 0;
	for (; *at < n && chunk->n < CHUNK && bytes < CHUNK_BYTES; (*at)++) {
		if (items[*at].err != NULL)
			continue;
		chunk->items[chunk->n++] = &items[*at];
		bytes += items[*at].in.len + s->overhead;
	}
	s->raw.len = 0;
	SEAL_TRY(buf_reserve(&s->raw, bytes, err));
	raw = s->raw.ptr;
	for (size_t i = 0; i < chunk->n; i++) {
		const struct key_item *item = chunk->items[i];

		if (!s->convergent)
			SEAL_TRY(random_pool_take(&s->nonces, raw, s->nonce_len, err));
		chunk->raw[i] = raw;
		chunk->messages[i] = (struct aead_item){
			.nonce = raw,
			.aad = s->derived == NULL ? item->aad : BYTES_EMPTY,
			.in = item->in,
			.out = raw + s->nonce_len,
			.tag = raw + s->nonce_len + item->in.len,
		};
		raw += item->in.len + s->overhead;
	}
out:
	return rc;
}

/* The key of a context; valid until the next call. */
static enum seal_status derived_context(struct keyring_session *s, uint32_t version, struct seal_bytes context,
					const struct derived **out, struct seal_err *err)
{
	const struct derived_from from = {
		.type = s->type,
		.material = keyring_state_material(s->state, version),
		.version = version,
		.convergent = s->convergent,
	};

	return derived_cache_get(s->derived, &from, context, out, err);
}

/* Messages of one rule mostly share the pointer. */
static bool same_context(struct seal_bytes a, struct seal_bytes b)
{
	return (a.ptr == b.ptr && a.len == b.len) || bytes_eq(a, b);
}

/* Nonces of messages from … end - 1 out of their plaintext. */
static enum seal_status converge(struct keyring_session *s, struct hmac *nonces, struct seal_chunk *chunk,
				 size_t from, size_t end, struct seal_err *err)
{
	uint8_t macs[CHUNK][SHA256_LEN];
	struct hmac_item items[CHUNK];
	enum seal_status rc;

	for (size_t i = from; i < end; i++)
		items[i - from] = (struct hmac_item){.in = chunk->items[i]->in, .out = macs[i - from]};
	SEAL_TRY(hmac_many(nonces, items, end - from, err));
	for (size_t i = from; i < end; i++)
		memcpy(chunk->raw[i], macs[i - from], s->nonce_len);
out:
	return rc;
}

static enum seal_status seal_messages(struct keyring_session *s, uint32_t version, struct seal_chunk *chunk,
				      struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	void *aead;

	if (s->derived == NULL) {
		SEAL_TRY(session_context(s, version, &aead, err));
		SEAL_TRY(aead_seal_many(aead, chunk->messages, chunk->n, err));
		goto out;
	}
	for (size_t from = 0, end; from < chunk->n; from = end) {
		const struct seal_bytes context = chunk->items[from]->aad;
		const struct derived *derived;

		end = from + 1;
		while (end < chunk->n && same_context(context, chunk->items[end]->aad))
			end++;
		SEAL_TRY(derived_context(s, version, context, &derived, err));
		if (s->convergent)
			SEAL_TRY(converge(s, derived->nonces, chunk, from, end, err));
		SEAL_TRY(aead_seal_many(derived->aead, chunk->messages + from, end - from, err));
	}
out:
	return rc;
}

/* Prefix and base64 of each; returns where the next text begins. */
static uint8_t *write_texts(const struct seal_chunk *chunk, size_t overhead, const char *prefix, size_t prefix_len,
			    uint8_t *to)
{
	for (size_t i = 0; i < chunk->n; i++) {
		struct key_item *item = chunk->items[i];
		struct seal_bytes raw = bytes_of(chunk->raw[i], item->in.len + overhead);

		memcpy(to, prefix, prefix_len);
		item->out = bytes_of(to, prefix_len + base64_encode(raw, (char *)to + prefix_len));
		to += item->out.len;
	}
	return to;
}

static void empty_results(struct key_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].out = BYTES_EMPTY;
}

static enum seal_status aead_encrypt(struct key_session *base, struct key_item *items, size_t n,
				     const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	char prefix[TEXT_PREFIX_MAX];
	struct seal_chunk chunk;
	size_t prefix_len, at = 0;
	enum seal_status rc;
	uint32_t version;
	uint8_t *to;

	s->failed = NULL;
	SEAL_TRY(session_sync(s, false, err));
	if (n == 0)
		goto out;
	SEAL_TRY(choose_version(s, n, call, &version, err));
	prefix_len = text_prefix(version, prefix);
	SEAL_TRY(allocate_texts(s, items, n, prefix_len, call->arena, &to, err));
	while (at < n) {
		SEAL_TRY(fill_chunk(s, &chunk, items, n, &at, err));
		SEAL_TRY(seal_messages(s, version, &chunk, err));
		to = write_texts(&chunk, s->overhead, prefix, prefix_len, to);
	}
out:
	if (rc != SEAL_OK)
		empty_results(items, n);
	return rc;
}

/* One text of a lot on its way to plaintext. */
struct open_slot {
	uint32_t version; /* 0: done or failed */
	struct seal_bytes base64;
	uint8_t *raw; /* nonce | ciphertext | tag */
	size_t len;
};

/* Splits all texts; *needed is how many bytes their decoding may take. */
static void split_texts(struct keyring_session *s, struct key_item *items, struct open_slot *slots, size_t n,
			struct arena *arena, size_t *needed, uint32_t *newest)
{
	*needed = 0;
	*newest = 0;
	for (size_t i = 0; i < n; i++) {
		enum text_fault fault = text_split(items[i].in, &slots[i].version, &slots[i].base64);

		items[i].out = BYTES_EMPTY;
		items[i].err = NULL;
		if (fault == TEXT_FINE && !context_given(s, &items[i], arena)) {
			slots[i].version = 0;
			continue;
		}
		if (fault == TEXT_FINE) {
			*needed += BASE64_RAW_MAX(slots[i].base64.len);
			if (slots[i].version > *newest)
				*newest = slots[i].version;
			continue;
		}
		slots[i].version = 0;
		if (fault == TEXT_NOT_OURS)
			session_item_fail(s, &items[i], arena, SEAL_E_PLAINTEXT,
					  "not encrypted: the text does not begin with vault:v");
		else
			session_item_fail(s, &items[i], arena, SEAL_E_TAMPERED,
					  "damaged: no key version stands after vault:v");
	}
}

/* False when the version may not or cannot be used; the item then has its error. */
static bool version_allowed(struct keyring_session *s, uint32_t version, struct key_item *item, struct arena *arena)
{
	const struct key_file *file = &s->state->file;

	if (version > file->n)
		session_item_fail(
			s, item, arena, SEAL_E_KEY_VERSION,
			"key %s has no version %u here, its latest is %u; import it or use the keyring that made it",
			s->key->name, version, file->n);
	else if (version < file->min_decryption_version)
		session_item_fail(
			s, item, arena, SEAL_E_KEY_MINIMUM,
			"version %u of key %s is below its minimum decryption version %u; lower that to read "
			"old data (`sealstream key config`)",
			version, s->key->name, file->min_decryption_version);
	else
		return true;
	return false;
}

static void decode_texts(struct keyring_session *s, struct key_item *items, struct open_slot *slots, size_t n,
			 struct arena *arena, uint8_t *to)
{
	for (size_t i = 0; i < n; i++) {
		struct open_slot *slot = &slots[i];

		if (slot->version == 0)
			continue;
		slot->raw = to;
		if (!version_allowed(s, slot->version, &items[i], arena)) {
			slot->version = 0;
		} else if (!base64_decode(slot->base64, to, &slot->len) || slot->len < s->overhead ||
			   slot->len - s->overhead > AEAD_MESSAGE_MAX) {
			slot->version = 0;
			session_item_fail(
				s, &items[i], arena, SEAL_E_TAMPERED,
				"damaged: what stands after vault:vN: is not whole base64 of an encrypted value");
		} else {
			to += slot->len;
		}
	}
}

struct open_chunk {
	struct aead_item messages[CHUNK];
	struct key_item *items[CHUNK];
	size_t n;
};

/* Opens what the chunk holds and empties it. */
static enum seal_status open_chunk(struct keyring_session *s, struct aead *aead, struct open_chunk *chunk,
				   struct arena *arena, struct seal_err *err)
{
	enum seal_status rc = aead_open_many(aead, chunk->messages, chunk->n, err);

	if (rc != SEAL_OK)
		return rc;
	for (size_t i = 0; i < chunk->n; i++) {
		const struct aead_item *message = &chunk->messages[i];

		if (message->ok)
			chunk->items[i]->out = bytes_of(message->out, message->in.len);
		else
			session_item_fail(s, chunk->items[i], arena, SEAL_E_TAMPERED,
					  "does not authenticate under key %s: changed, moved from another place, or "
					  "encrypted with another key",
					  s->key->name);
	}
	chunk->n = 0;
	return SEAL_OK;
}

/* Moves a slot into the chunk. */
static void take_slot(struct keyring_session *s, struct open_chunk *chunk, struct open_slot *slot,
		      struct key_item *item)
{
	const size_t len = slot->len - s->overhead;

	slot->version = 0;
	chunk->items[chunk->n] = item;
	chunk->messages[chunk->n++] = (struct aead_item){
		.nonce = slot->raw,
		.aad = s->derived == NULL ? item->aad : BYTES_EMPTY,
		.in = bytes_of(slot->raw + s->nonce_len, len),
		.out = slot->raw + s->nonce_len,
		.tag = slot->raw + s->nonce_len + len,
	};
}

/* Opens the run of one version and context that begins at slot *at, and moves on to its end. */
static enum seal_status open_run(struct keyring_session *s, struct key_item *items, struct open_slot *slots,
				 size_t *at, size_t n, struct arena *arena, struct seal_err *err)
{
	const struct seal_bytes context = items[*at].aad;
	const uint32_t version = slots[*at].version;
	const struct derived *derived;
	struct open_chunk chunk;
	enum seal_status rc;

	chunk.n = 0;
	SEAL_TRY(derived_context(s, version, context, &derived, err));
	for (; *at < n && chunk.n < CHUNK && slots[*at].version == version && same_context(context, items[*at].aad);
	     (*at)++)
		take_slot(s, &chunk, &slots[*at], &items[*at]);
	SEAL_TRY(open_chunk(s, derived->aead, &chunk, arena, err));
out:
	return rc;
}

/* Opens all slots of one version, from `from` on. */
static enum seal_status open_version(struct keyring_session *s, uint32_t version, struct key_item *items,
				     struct open_slot *slots, size_t from, size_t n, struct arena *arena,
				     struct seal_err *err)
{
	struct open_chunk chunk;
	enum seal_status rc;
	void *aead;

	chunk.n = 0;
	SEAL_TRY(session_context(s, version, &aead, err));
	for (size_t i = from; i < n; i++) {
		if (slots[i].version != version)
			continue;
		take_slot(s, &chunk, &slots[i], &items[i]);
		if (chunk.n == CHUNK)
			SEAL_TRY(open_chunk(s, aead, &chunk, arena, err));
	}
	if (chunk.n > 0)
		SEAL_TRY(open_chunk(s, aead, &chunk, arena, err));
out:
	return rc;
}

static enum seal_status open_all(struct keyring_session *s, struct key_item *items, struct open_slot *slots, size_t n,
				 struct arena *arena, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n;) {
		if (slots[i].version == 0)
			i++;
		else if (s->derived != NULL)
			SEAL_TRY(open_run(s, items, slots, &i, n, arena, err));
		else
			SEAL_TRY(open_version(s, slots[i].version, items, slots, i, n, arena, err));
	}
out:
	return rc;
}

static enum seal_status aead_decrypt(struct key_session *base, struct key_item *items, size_t n,
				     const struct key_call *call, struct seal_err *err)
{
	struct keyring_session *s = (struct keyring_session *)base;
	struct open_slot *slots;
	enum seal_status rc;
	uint32_t newest;
	uint8_t *raw;
	size_t size;

	s->failed = NULL;
	SEAL_TRY(session_sync(s, false, err));
	slots = arena_alloc(call->arena, n * sizeof(*slots), _Alignof(struct open_slot));
	if (slots == NULL) {
		rc = err_memory(err);
		goto out;
	}
	split_texts(s, items, slots, n, call->arena, &size, &newest);
	if (newest > s->state->file.n)
		SEAL_TRY(session_sync(s, true, err)); /* rotated elsewhere a moment ago */
	raw = arena_alloc(call->arena, size, 1);
	if (raw == NULL) {
		rc = err_memory(err);
		goto out;
	}
	decode_texts(s, items, slots, n, call->arena, raw);
	SEAL_TRY(open_all(s, items, slots, n, call->arena, err));
out:
	if (rc != SEAL_OK)
		empty_results(items, n);
	return rc;
}

const struct key_session_ops aead_session_ops = {
	.size = sizeof(aead_session_ops),
	.encrypt = aead_encrypt,
	.decrypt = aead_decrypt,
	.rewrap = session_rewrap,
	.data_key = key_data_key,
	.free = session_free,
};
