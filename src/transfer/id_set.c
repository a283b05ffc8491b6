/* Open addressing with linear steps. Ids of honest senders are random; one who chooses them only slows down his own. */
#include "transfer/id_set.h"

#include "base/bytes.h"
#include "base/mem.h"

#define SLOTS_FIRST 64

static const uint8_t zeros[FILE_ID_LEN];

/* Where `id` is, or would be. There is always a free slot. */
static size_t slot_of(const struct id_set *set, const uint8_t *id)
{
	/* Both halves, so that ids which differ in one of them only are spread, too. */
	uint64_t hash = (be64_load(id) ^ be64_load(id + 8) * 0x9e3779b97f4a7c15ull);
	size_t at = (size_t)(hash ^ hash >> 32) & (set->n_slots - 1);

	while (memcmp(set->slots[at], zeros, FILE_ID_LEN) != 0 && memcmp(set->slots[at], id, FILE_ID_LEN) != 0)
		at = (at + 1) & (set->n_slots - 1);
	return at;
}

bool id_set_has(const struct id_set *set, const uint8_t *id)
{
	if (memcmp(id, zeros, FILE_ID_LEN) == 0)
		return set->zero;
	return set->n_slots > 0 && memcmp(set->slots[slot_of(set, id)], id, FILE_ID_LEN) == 0;
}

static enum seal_status grow(struct id_set *set, struct seal_err *err)
{
	struct id_set grown = {
		.n = set->n, .n_slots = set->n_slots ? 2 * set->n_slots : SLOTS_FIRST, .zero = set->zero};

	grown.slots = mem_calloc(grown.n_slots, FILE_ID_LEN);
	if (grown.slots == NULL)
		return err_memory(err);
	for (size_t i = 0; i < set->n_slots; i++)
		if (memcmp(set->slots[i], zeros, FILE_ID_LEN) != 0)
			memcpy(grown.slots[slot_of(&grown, set->slots[i])], set->slots[i], FILE_ID_LEN);
	mem_free(set->slots);
	*set = grown;
	return SEAL_OK;
}

enum seal_status id_set_add(struct id_set *set, const uint8_t *id, struct seal_err *err)
{
	size_t at;

	if (memcmp(id, zeros, FILE_ID_LEN) == 0) {
		set->zero = true;
		return SEAL_OK;
	}
	if ((set->n + 1) * 4 > set->n_slots * 3 && grow(set, err) != SEAL_OK)
		return SEAL_FATAL;
	at = slot_of(set, id);
	if (memcmp(set->slots[at], id, FILE_ID_LEN) != 0) {
		memcpy(set->slots[at], id, FILE_ID_LEN);
		set->n++;
	}
	return SEAL_OK;
}

void id_set_clear(struct id_set *set)
{
	mem_free(set->slots);
	*set = (struct id_set){0};
}
