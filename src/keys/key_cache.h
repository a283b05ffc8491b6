/*
 * Data keys by name (wrapped bytes, or a person's id), remembered for a while: bounded in number and age, and asked for once even
 * when many threads want the same one.
 *
 *   seek ──▶ found: a reference
 *        ├─▶ mine: the caller gets it from where it is kept, and `settle`s; all others wait meanwhile
 *        └─▶ somebody else's: `wait` for what they settle
 *
 * Who has names of its own settles them before it waits for others': so no two callers wait for each other. Thread-safe.
 */
#ifndef KEYS_KEY_CACHE_H
#define KEYS_KEY_CACHE_H

#include "keys/data_key.h"
#include "keys/key.h"

struct key_cache;
struct key_entry;
struct key_flight;

struct key_seek {
	struct seal_bytes name; /* in */
	struct data_key *key; /* out: a reference of the caller's */
	const struct seal_err *err; /* out: why there is none */
	bool mine; /* out: the caller settles it */
	struct key_entry *entry; /* the rest is the cache's */
	struct key_flight *flight;
	uint64_t hash;
};

/* At most `max` keys (at least 1); each for `max_age_ms` from when its seek began. */
SEAL_MUST_USE enum seal_status key_cache_new(size_t max, uint64_t max_age_ms, struct key_cache **out,
					     struct seal_err *err);
void key_cache_free(struct key_cache *cache); /* accepts NULL; nobody uses it any more */

/* All names of a lot at once; a name may repeat. On failure nothing is sought any more. */
SEAL_MUST_USE enum seal_status key_cache_seek(struct key_cache *cache, struct key_seek *seeks, size_t n,
					      struct seal_err *err);
/*
 * What came of a seek of the caller's own: `key`, of which seek->key becomes a reference, or NULL and `why`, which seek->err
 * becomes. Every one is settled, whatever happens.
 */
void key_cache_settle(struct key_cache *cache, struct key_seek *seek, struct data_key *key,
		      const struct seal_err *why);
/*
 * Afterwards all have a key or an error, which is in the arena of the call: that of who settled it, or
 * SEAL_RETRY/SEAL_E_TIMEOUT. The caller's own ones are settled already.
 */
void key_cache_wait(struct key_cache *cache, struct key_seek *seeks, size_t n, const struct key_call *call);
/* For calls that fail only when nothing could be done: none has a key, and this is the first failure that is not SEAL_DATA. */
const struct seal_err *key_seeks_failure(const struct key_seek *seeks, size_t n);
/* Unrefs the keys of seeks that nobody has taken. */
void key_seeks_release(struct key_seek *seeks, size_t n);

/* Remembers a key that came by another way. */
SEAL_MUST_USE enum seal_status key_cache_put(struct key_cache *cache, struct seal_bytes name, struct data_key *key,
					     struct seal_err *err);
/* Forgets a name now; one that is on its way is not remembered when it comes. */
void key_cache_drop(struct key_cache *cache, struct seal_bytes name);
/* Keys remembered now. */
size_t key_cache_count(struct key_cache *cache);

/* The clock of ages. Tests may set another one (NULL: clock_mono_ms) while no other thread runs. */
uint64_t key_cache_now_ms(void);
void key_cache_test_clock(uint64_t (*now_ms)(void));

#endif
