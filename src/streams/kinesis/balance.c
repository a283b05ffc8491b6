/*
 * Who should have which shard: every reader has its share, the shards that can be read divided by those who read, rounded up. Free
 * ones are taken; where there are none, one is taken from who has most, one at a time, until nobody has two more than another.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "streams/kinesis/source.h"

#define OWNERS_MAX 256

bool kinesis_is_free(const struct kinesis_source *k, const struct shard *shard, uint64_t now_ms)
{
	return !k->shared || shard->lease.owner[0] == '\0' || now_ms - shard->line_ms >= k->lease_ms;
}

/* Listed, not at its end, and with nothing before it that must be read first. */
static bool is_readable(const struct kinesis_source *k, const struct shard *shard)
{
	return shard->listed && !shard->lease.ended && shard->line.len > 0 && shard_may_start(k, shard);
}

struct share {
	const char *owner;
	size_t n;
};

/* Readers other than this one with their shards; more than OWNERS_MAX count as none. */
static size_t count_owners(const struct kinesis_source *k, uint64_t now_ms, struct share owners[OWNERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < k->n_shards; i++) {
		const struct shard *shard = k->shards[i];
		size_t at = 0;

		if (!is_readable(k, shard) || shard->assignment != 0 || kinesis_is_free(k, shard, now_ms))
			continue;
		while (at < n && strcmp(owners[at].owner, shard->lease.owner) != 0)
			at++;
		if (at == OWNERS_MAX)
			continue;
		if (at == n)
			owners[n++] = (struct share){shard->lease.owner, 0};
		owners[at].n++;
	}
	return n;
}

/* One shard of the owner with the most, if that is two more than `mine`. */
static void steal(const struct kinesis_source *k, const struct share *owners, size_t n, size_t mine, bool *take)
{
	const struct share *most = NULL;

	for (size_t i = 0; i < n; i++)
		if (most == NULL || owners[i].n > most->n)
			most = &owners[i];
	if (most == NULL || most->n < mine + 2)
		return;
	for (size_t i = 0; i < k->n_shards; i++) {
		const struct shard *shard = k->shards[i];

		if (is_readable(k, shard) && shard->assignment == 0 && strcmp(shard->lease.owner, most->owner) == 0) {
			take[i] = true;
			return;
		}
	}
}

void kinesis_balance(const struct kinesis_source *k, uint64_t now_ms, bool *take)
{
	struct share owners[OWNERS_MAX];
	size_t mine = 0, readable = 0, taken = 0, n = count_owners(k, now_ms, owners), share;

	for (size_t i = 0; i < k->n_shards; i++) {
		readable += is_readable(k, k->shards[i]);
		mine += k->shards[i]->assignment != 0 && is_readable(k, k->shards[i]) &&
			!shard_is_drained(k->shards[i]);
	}
	share = (readable + n) / (n + 1);
	for (size_t i = 0; i < k->n_shards && mine + taken < share; i++) {
		const struct shard *shard = k->shards[i];

		take[i] = is_readable(k, shard) && shard->assignment == 0 && kinesis_is_free(k, shard, now_ms);
		taken += take[i];
	}
	if (taken == 0 && mine < share)
		steal(k, owners, n, mine, take);
}
