/*
 * How full groups of shaped tokens are. Counting costs as much as there are rows, so a group is counted only when a token that was
 * drawn is taken already, which in a group that is half full happens to every second one. What is full stays so for a moment,
 * so that not every value of it is drawn for in vain.
 */
#include "base/clock.h"
#include "tokens/work.h"

#define FULL_MS 10000

bool token_group_is_full(struct tokens *tokens, const uint8_t hash[TOKEN_GROUP_LEN])
{
	const uint64_t now_ms = clock_mono_ms();
	bool full = false;

	pthread_mutex_lock(&tokens->lock);
	for (size_t i = 0; i < TOKEN_FULL_MAX && !full; i++)
		full = tokens->full[i].until_ms > now_ms && memcmp(tokens->full[i].hash, hash, TOKEN_GROUP_LEN) == 0;
	pthread_mutex_unlock(&tokens->lock);
	return full;
}

static void remember(struct tokens *tokens, const uint8_t *hash)
{
	struct full_group *slot;

	pthread_mutex_lock(&tokens->lock);
	slot = &tokens->full[tokens->next_full++ % TOKEN_FULL_MAX];
	slot->until_ms = clock_mono_ms() + FULL_MS;
	memcpy(slot->hash, hash, TOKEN_GROUP_LEN);
	pthread_mutex_unlock(&tokens->lock);
}

enum seal_status token_group_check(struct token_work *w, const struct token_seek *seek, uint64_t room, bool *full,
				   struct seal_err *err)
{
	const struct seal_bytes key = token_key_bytes(&seek->key);
	const struct store_call call = token_store_call(w);
	enum seal_status rc = SEAL_OK;
	uint64_t taken = 0;

	*full = false;
	if (room == UINT64_MAX)
		return SEAL_OK;
	SEAL_TRY(w->use.store->ops->count(w->use.store, TOKENS_SPACE, bytes_of(key.ptr, key.len - TOKEN_NAME_LEN),
					  room / 2, &taken, &call, err));
	*full = taken >= room / 2;
	if (*full)
		remember(w->tokens, seek->group);
out:
	return rc;
}
