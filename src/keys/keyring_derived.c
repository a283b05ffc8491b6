/*
 * Derivation as Transit does it:
 *
 *   HKDF-SHA-256(input = material, no salt, info = context) ──▶ key 16 or 32 │ nonce key 32 (convergent)
 *   convergent nonce = HMAC-SHA-256(nonce key, plaintext), first 12 (24) bytes
 *
 * The key comes first in HKDF's output, so a derived and a convergent key of the same material open each other's texts.
 *
 *   cache   SETS × WAYS, the set by a hash of version and context; a full set gives up its oldest. Contexts that were
 *           chosen to fall into one set cost derivations, nothing else.
 */
#include "keys/keyring_derived.h"

#include "base/mem.h"

#define SETS 64
#define WAYS 4
#define NONCE_KEY_LEN 32

struct entry {
	uint32_t version; /* 0: free */
	uint8_t *context; /* NULL for one that is not kept */
	size_t context_len;
	struct derived key;
};

struct derived_cache {
	struct entry sets[SETS][WAYS];
	uint8_t next[SETS]; /* the way to give up next */
	struct entry unkept; /* of a context too long to keep */
};

void derived_clear(struct derived *derived)
{
	aead_free(derived->aead);
	hmac_free(derived->nonces);
	*derived = (struct derived){NULL, NULL};
}

enum seal_status derived_make(const struct derived_from *from, struct seal_bytes context, struct derived *out,
			      struct seal_err *err)
{
	const size_t key_len = from->material.len;
	struct secret okm = SECRET_INIT;
	enum seal_status rc;

	*out = (struct derived){NULL, NULL};
	SEAL_TRY(hkdf_sha256(from->material, BYTES_EMPTY, context, key_len + (from->convergent ? NONCE_KEY_LEN : 0),
			     &okm, err));
	SEAL_TRY(aead_new_cipher(from->type->cipher, bytes_of(okm.ptr, key_len), &out->aead, err));
	if (from->convergent)
		SEAL_TRY(hmac_new(bytes_of(okm.ptr + key_len, NONCE_KEY_LEN), &out->nonces, err));
out:
	if (rc != SEAL_OK)
		derived_clear(out);
	secret_clear(&okm);
	return rc;
}

static void forget(struct entry *e)
{
	if (e->context != NULL)
		mem_wipe(e->context, e->context_len); /* it may hold a value of a record */
	mem_free(e->context);
	derived_clear(&e->key);
	*e = (struct entry){0};
}

enum seal_status derived_cache_new(struct derived_cache **out, struct seal_err *err)
{
	*out = mem_calloc(1, sizeof(**out));
	return *out != NULL ? SEAL_OK : err_memory(err);
}

void derived_cache_clear(struct derived_cache *cache)
{
	for (size_t set = 0; set < SETS; set++)
		for (size_t way = 0; way < WAYS; way++)
			if (cache->sets[set][way].version != 0)
				forget(&cache->sets[set][way]);
	forget(&cache->unkept);
}

void derived_cache_free(struct derived_cache *cache)
{
	if (cache == NULL)
		return;
	derived_cache_clear(cache);
	mem_free(cache);
}

/* FNV-1a; spreads, protects nothing. */
static size_t set_of(uint32_t version, struct seal_bytes context)
{
	uint64_t h = 14695981039346656037u ^ version;

	for (size_t i = 0; i < context.len; i++)
		h = (h ^ context.ptr[i]) * 1099511628211u;
	return (h ^ h >> 32) % SETS;
}

/* Fills a free entry; on failure it stays free. */
static enum seal_status fill(struct entry *e, const struct derived_from *from, struct seal_bytes context, bool keep,
			     struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(derived_make(from, context, &e->key, err));
	e->version = from->version;
	if (keep) {
		e->context = mem_dup(context.ptr, context.len);
		e->context_len = context.len;
		if (e->context == NULL)
			rc = err_memory(err);
	}
out:
	if (rc != SEAL_OK)
		forget(e);
	return rc;
}

enum seal_status derived_cache_get(struct derived_cache *cache, const struct derived_from *from,
				   struct seal_bytes context, const struct derived **out, struct seal_err *err)
{
	const size_t set = set_of(from->version, context);
	struct entry *e = &cache->unkept;
	bool keep = context.len <= DERIVED_CONTEXT_KEPT;
	enum seal_status rc;

	for (size_t way = 0; keep && way < WAYS; way++) {
		e = &cache->sets[set][way];
		if (e->version == from->version && bytes_eq(bytes_of(e->context, e->context_len), context)) {
			*out = &e->key;
			return SEAL_OK;
		}
	}
	if (keep)
		e = &cache->sets[set][cache->next[set]++ % WAYS];
	forget(e);
	SEAL_TRY(fill(e, from, context, keep, err));
	*out = &e->key;
out:
	return rc;
}
