/* A hash table of chains that doubles when it has as many as buckets. */
#include "audit/ids.h"

#include "base/mem.h"
#include "crypto/random.h"

#define BUCKETS_FIRST 64

static struct audit_id **bucket_of(const struct audit_ids *ids, const uint8_t *id)
{
	return &ids->buckets[siphash(ids->key, bytes_of(id, AUDIT_ID_LEN)) & (ids->n_buckets - 1)];
}

static void put(struct audit_ids *ids, struct audit_id *entry)
{
	struct audit_id **bucket = bucket_of(ids, entry->id);

	entry->bucket = *bucket;
	*bucket = entry;
}

static enum seal_status grow(struct audit_ids *ids, struct seal_err *err)
{
	const size_t n = ids->buckets != NULL ? 2 * ids->n_buckets : BUCKETS_FIRST;
	struct audit_id **buckets = mem_calloc(n, sizeof(*buckets));
	enum seal_status rc = SEAL_OK;

	if (buckets == NULL)
		return err_memory(err);
	if (ids->buckets == NULL)
		rc = random_bytes(ids->key, sizeof(ids->key), err);
	if (rc != SEAL_OK) {
		mem_free(buckets);
		return rc;
	}
	mem_free(ids->buckets);
	ids->buckets = buckets;
	ids->n_buckets = n;
	for (struct audit_id *entry = ids->last; entry != NULL; entry = entry->before)
		put(ids, entry);
	return SEAL_OK;
}

enum seal_status audit_ids_find(struct audit_ids *ids, const uint8_t id[AUDIT_ID_LEN], size_t size,
				struct audit_id **out, bool *added, struct seal_err *err)
{
	struct audit_id *entry = ids->buckets != NULL ? *bucket_of(ids, id) : NULL;
	enum seal_status rc = SEAL_OK;

	while (entry != NULL && memcmp(entry->id, id, AUDIT_ID_LEN) != 0)
		entry = entry->bucket;
	*out = entry;
	*added = entry == NULL;
	if (entry != NULL)
		return SEAL_OK;
	if (ids->n == ids->n_buckets)
		SEAL_TRY(grow(ids, err));
	entry = mem_calloc(1, size);
	if (entry == NULL)
		return err_memory(err);
	memcpy(entry->id, id, AUDIT_ID_LEN);
	entry->before = ids->last;
	ids->last = entry;
	ids->n++;
	put(ids, entry);
	*out = entry;
out:
	return rc;
}

void audit_ids_clear(struct audit_ids *ids)
{
	while (ids->last != NULL) {
		struct audit_id *before = ids->last->before;

		mem_free(ids->last);
		ids->last = before;
	}
	mem_free(ids->buckets);
	*ids = (struct audit_ids){.buckets = NULL};
}
