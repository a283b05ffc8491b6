/*
 * How full groups of shaped tokens are. Counting costs as much as there are rows, so a group is counted only when a token that was
 * drawn is taken already, and then not at once again: what was counted is remembered for a moment. A full group stays so, and not every
 * value of it is drawn for in vain. One that has room may meet so many taken tokens as come with a quarter of what is free of
 * its half: of n that are drawn where `taken` of `room` are, n * taken / room.
 */
#include "base/clock.h"
#include "tokens/work.h"

#define KNOWN_MS 10000

/* What is known of a group; under the lock. NULL: nothing, or no more. */
static struct known_group *find(struct tokens *tokens, const uint8_t *hash)
{
	const uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < TOKEN_GROUPS_MAX; i++)
		if (tokens->groups[i].until_ms > now_ms && memcmp(tokens->groups[i].hash, hash, TOKEN_GROUP_LEN) == 0)
			return &tokens->groups[i];
	return NULL;
}

bool token_group_is_full(struct tokens *tokens, const uint8_t hash[TOKEN_GROUP_LEN])
{
	const struct known_group *group;
	bool full;

	pthread_mutex_lock(&tokens->lock);
	group = find(tokens, hash);
	full = group != NULL && group->full;
	pthread_mutex_unlock(&tokens->lock);
	return full;
}

/* False: it has to be counted. */
static bool has_room(struct tokens *tokens, const uint8_t *hash)
{
	struct known_group *group;
	bool room;

	pthread_mutex_lock(&tokens->lock);
	group = find(tokens, hash);
	room = group != NULL && group->meetings > 0;
	if (room)
		group->meetings--;
	pthread_mutex_unlock(&tokens->lock);
	return room;
}

static void remember(struct tokens *tokens, const uint8_t *hash, uint64_t taken, uint64_t room)
{
	const bool full = taken >= room / 2;
	struct known_group *group;

	pthread_mutex_lock(&tokens->lock);
	group = find(tokens, hash);
	if (group == NULL)
		group = &tokens->groups[tokens->next_group++ % TOKEN_GROUPS_MAX];
	group->until_ms = clock_mono_ms() + KNOWN_MS;
	group->full = full;
	group->meetings = full ? 0 : (uint64_t)((double)taken * (double)(room / 2 - taken) / (double)room / 4);
	memcpy(group->hash, hash, TOKEN_GROUP_LEN);
	pthread_mutex_unlock(&tokens->lock);
}

/* How many there are in both generations, while one is being left. */
static enum seal_status count(struct token_work *w, const struct token_seek *seek, uint64_t max, uint64_t *taken,
			      struct seal_err *err)
{
	const struct store_call call = token_store_call(w);
	struct token_seek named = *seek, *of = &named;
	enum seal_status rc = SEAL_OK;

	*taken = 0;
	for (unsigned g = 0; g < GENERATIONS && *taken < max; g++) {
		struct seal_bytes key;
		uint64_t n;

		if (w->generations[g] == NULL)
			continue;
		SEAL_TRY(token_name(w, g, &of, 1, err));
		key = token_key_bytes(&named.key);
		SEAL_TRY(w->use.store->ops->count(w->use.store, TOKENS_SPACE,
						  bytes_of(key.ptr, key.len - TOKEN_NAME_LEN), max - *taken, &n,
						  &call, err));
		*taken += n;
	}
out:
	return rc;
}

enum seal_status token_group_check(struct token_work *w, const struct token_seek *seek, uint64_t room, bool *full,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	uint64_t taken;

	*full = false;
	if (room == UINT64_MAX || has_room(w->tokens, seek->group))
		return SEAL_OK;
	SEAL_TRY(count(w, seek, room / 2, &taken, err));
	*full = taken >= room / 2;
	remember(w->tokens, seek->group, taken, room);
out:
	return rc;
}
