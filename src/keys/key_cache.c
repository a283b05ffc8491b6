/*
 * The cache of data keys.
 *
 *   buckets ──▶ entry ──▶ entry       by SipHash under a key of the cache's own: names come from records
 *   by_use      oldest use … newest   entries with a key; the first goes when there are too many
 *   by_age      oldest … newest       the same entries; those past max_age go when anybody seeks
 *   flight      of an entry without key: one thread asks, the others wait for `done`
 *
 * Invariants: `lock` guards all, and is never held while somebody is asked. An entry has either a key or a flight. One with
 * a flight is in no list and is not counted: those who made it bound their number. A failure is in its flight alone, so it
 * is forgotten when the last of those who waited has read it.
 */
#include "keys/key_cache.h"

#include <pthread.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "crypto/siphash.h"
#include "keys/item_err.h"

#define BUCKETS_MIN 16

struct key_flight {
	unsigned refs; /* seeks that look at it */
	bool done;
	bool keep; /* false: dropped meanwhile */
	struct data_key *key; /* done: a reference, or NULL */
	struct seal_err *why; /* done without a key; NULL: there was no memory for it */
};

struct key_entry {
	struct key_entry *next; /* in its bucket */
	TAILQ_ENTRY(key_entry) use, age;
	uint64_t hash, asked_ms;
	struct data_key *key; /* a reference, or NULL and … */
	struct key_flight *flight;
	size_t name_len;
	uint8_t name[];
};

TAILQ_HEAD(entry_list, key_entry);

struct key_cache {
	pthread_mutex_t lock;
	pthread_cond_t settled;
	struct key_entry **buckets;
	size_t mask; /* buckets less one: they are a power of two */
	struct entry_list by_use, by_age;
	size_t max, count;
	uint64_t max_age_ms;
	uint8_t hash_key[SIPHASH_KEY_LEN];
};

static uint64_t (*clock_now_ms)(void) = clock_mono_ms;

uint64_t key_cache_now_ms(void)
{
	return clock_now_ms();
}

void key_cache_test_clock(uint64_t (*now_ms)(void))
{
	clock_now_ms = now_ms != NULL ? now_ms : clock_mono_ms;
}

enum seal_status key_cache_new(size_t max, uint64_t max_age_ms, struct key_cache **out, struct seal_err *err)
{
	struct key_cache *cache = mem_calloc(1, sizeof(*cache));
	size_t buckets = BUCKETS_MIN;
	enum seal_status rc;

	SEAL_INVARIANT(max > 0);
	*out = NULL;
	if (cache == NULL)
		return err_memory(err);
	while (buckets < max)
		buckets *= 2;
	cache->mask = buckets - 1;
	cache->max = max;
	cache->max_age_ms = max_age_ms;
	TAILQ_INIT(&cache->by_use);
	TAILQ_INIT(&cache->by_age);
	cache->buckets = mem_calloc(buckets, sizeof(struct key_entry *));
	if (cache->buckets == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(random_bytes(cache->hash_key, sizeof(cache->hash_key), err));
	if (!cond_init(&cache->settled)) {
		rc = err_memory(err);
		goto out;
	}
	pthread_mutex_init(&cache->lock, NULL);
	*out = cache;
	return SEAL_OK;
out:
	mem_free(cache->buckets);
	mem_free(cache);
	return rc;
}

static struct key_entry **place_of(struct key_cache *cache, uint64_t hash, struct seal_bytes name)
{
	struct key_entry **at = &cache->buckets[hash & cache->mask];

	while (*at != NULL && ((*at)->hash != hash || !bytes_eq(bytes_of((*at)->name, (*at)->name_len), name)))
		at = &(*at)->next;
	return at;
}

static void unlink_entry(struct key_cache *cache, struct key_entry *entry)
{
	struct key_entry **at = &cache->buckets[entry->hash & cache->mask];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
}

/* Takes an entry with a key out of everything. */
static void forget(struct key_cache *cache, struct key_entry *entry)
{
	unlink_entry(cache, entry);
	TAILQ_REMOVE(&cache->by_use, entry, use);
	TAILQ_REMOVE(&cache->by_age, entry, age);
	cache->count--;
	data_key_unref(entry->key);
	mem_free(entry);
}

void key_cache_free(struct key_cache *cache)
{
	if (cache == NULL)
		return;
	while (!TAILQ_EMPTY(&cache->by_use))
		forget(cache, TAILQ_FIRST(&cache->by_use));
	pthread_cond_destroy(&cache->settled);
	pthread_mutex_destroy(&cache->lock);
	mem_wipe(cache->hash_key, sizeof(cache->hash_key));
	mem_free(cache->buckets);
	mem_free(cache);
}

static bool too_old(const struct key_cache *cache, const struct key_entry *entry, uint64_t now)
{
	return now - entry->asked_ms >= cache->max_age_ms;
}

/* The list is in the order of settling, and nearly in that of age; what it misses, `look_up` sees. */
static void forget_old(struct key_cache *cache, uint64_t now)
{
	while (!TAILQ_EMPTY(&cache->by_age) && too_old(cache, TAILQ_FIRST(&cache->by_age), now))
		forget(cache, TAILQ_FIRST(&cache->by_age));
}

static void flight_leave(struct key_seek *seek)
{
	struct key_flight *flight = seek->flight;

	seek->flight = NULL;
	if (--flight->refs > 0)
		return;
	data_key_unref(flight->key);
	mem_free(flight->why);
	mem_free(flight);
}

static enum seal_status start_flight(struct key_cache *cache, struct key_seek *seek, uint64_t now,
				     struct key_entry **at, struct seal_err *err)
{
	struct key_entry *entry = mem_calloc(1, sizeof(*entry) + seek->name.len);
	struct key_flight *flight = mem_calloc(1, sizeof(*flight));

	if (entry == NULL || flight == NULL) {
		mem_free(entry);
		mem_free(flight);
		return err_memory(err);
	}
	flight->refs = 1;
	flight->keep = true;
	entry->hash = seek->hash;
	entry->asked_ms = now;
	entry->flight = flight;
	entry->name_len = seek->name.len;
	if (seek->name.len > 0)
		memcpy(entry->name, seek->name.ptr, seek->name.len);
	*at = entry;
	seek->mine = true;
	seek->entry = entry;
	seek->flight = flight;
	return SEAL_OK;
}

static enum seal_status look_up(struct key_cache *cache, struct key_seek *seek, uint64_t now, struct seal_err *err)
{
	struct key_entry **at = place_of(cache, seek->hash, seek->name), *entry = *at;

	if (entry != NULL && entry->key != NULL && too_old(cache, entry, now)) {
		forget(cache, entry);
		at = place_of(cache, seek->hash, seek->name);
		entry = NULL;
	}
	if (entry == NULL)
		return start_flight(cache, seek, now, at, err);
	if (entry->key != NULL) {
		seek->key = data_key_ref(entry->key);
		TAILQ_REMOVE(&cache->by_use, entry, use);
		TAILQ_INSERT_TAIL(&cache->by_use, entry, use);
		return SEAL_OK;
	}
	seek->flight = entry->flight;
	seek->flight->refs++;
	return SEAL_OK;
}

/* With the lock held. The key's entry stays where the cache is to remember it. */
static void land(struct key_cache *cache, struct key_seek *seek, struct data_key *key, const struct seal_err *why)
{
	struct key_entry *entry = seek->entry;
	struct key_flight *flight = seek->flight;

	flight->done = true;
	if (key != NULL) {
		flight->key = data_key_ref(key);
		seek->key = data_key_ref(key);
	} else {
		flight->why = flight->refs > 1 ? mem_dup(why, sizeof(*why)) : NULL;
		seek->err = why;
	}
	entry->flight = NULL;
	if (key != NULL && flight->keep) {
		entry->key = data_key_ref(key);
		TAILQ_INSERT_TAIL(&cache->by_use, entry, use);
		TAILQ_INSERT_TAIL(&cache->by_age, entry, age);
		if (++cache->count > cache->max)
			forget(cache, TAILQ_FIRST(&cache->by_use));
	} else {
		unlink_entry(cache, entry);
		mem_free(entry);
	}
	seek->mine = false;
	seek->entry = NULL;
	flight_leave(seek);
	pthread_cond_broadcast(&cache->settled);
}

static void give_up(struct key_cache *cache, struct key_seek *seeks, size_t n)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_memory(&why);
	for (size_t i = 0; i < n; i++) {
		if (seeks[i].mine)
			land(cache, &seeks[i], NULL, &why);
		else if (seeks[i].flight != NULL)
			flight_leave(&seeks[i]);
	}
	key_seeks_release(seeks, n);
}

enum seal_status key_cache_seek(struct key_cache *cache, struct key_seek *seeks, size_t n, struct seal_err *err)
{
	uint64_t now = clock_now_ms();
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		seeks[i] = (struct key_seek){.name = seeks[i].name, .hash = siphash(cache->hash_key, seeks[i].name)};
	pthread_mutex_lock(&cache->lock);
	forget_old(cache, now);
	for (size_t i = 0; rc == SEAL_OK && i < n; i++)
		rc = look_up(cache, &seeks[i], now, err);
	if (rc != SEAL_OK)
		give_up(cache, seeks, n);
	pthread_mutex_unlock(&cache->lock);
	return rc;
}

void key_cache_settle(struct key_cache *cache, struct key_seek *seek, struct data_key *key,
		      const struct seal_err *why)
{
	SEAL_INVARIANT(seek->mine && (key != NULL || why->status != SEAL_OK));
	pthread_mutex_lock(&cache->lock);
	land(cache, seek, key, why);
	pthread_mutex_unlock(&cache->lock);
}

/* With the lock held. */
static void wait_one(struct key_cache *cache, struct key_seek *seek, const struct key_call *call,
		     const struct seal_err **last)
{
	struct seal_err why = SEAL_ERR_INIT;

	while (!seek->flight->done && clock_mono_ms() < call->deadline_ms)
		cond_wait_until(&cache->settled, &cache->lock, call->deadline_ms);
	if (!seek->flight->done) {
		(void)err_set(&why, SEAL_RETRY, SEAL_E_TIMEOUT,
			      "no data key came in time: another thread is asking for it still");
		seek->err = item_err_share(call->arena, &why, last);
	} else if (seek->flight->key != NULL) {
		seek->key = data_key_ref(seek->flight->key);
	} else {
		(void)err_memory(&why);
		seek->err = item_err_share(call->arena, seek->flight->why != NULL ? seek->flight->why : &why, last);
	}
	flight_leave(seek);
}

void key_cache_wait(struct key_cache *cache, struct key_seek *seeks, size_t n, const struct key_call *call)
{
	const struct seal_err *last = NULL;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < n; i++) {
		SEAL_INVARIANT(!seeks[i].mine);
		if (seeks[i].flight != NULL)
			wait_one(cache, &seeks[i], call, &last);
	}
	pthread_mutex_unlock(&cache->lock);
}

const struct seal_err *key_seeks_failure(const struct key_seek *seeks, size_t n)
{
	const struct seal_err *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (seeks[i].key != NULL)
			return NULL;
		if (first == NULL && seeks[i].err->status != SEAL_DATA)
			first = seeks[i].err;
	}
	return first;
}

void key_seeks_release(struct key_seek *seeks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		data_key_unref(seeks[i].key);
		seeks[i].key = NULL;
	}
}

enum seal_status key_cache_put(struct key_cache *cache, struct seal_bytes name, struct data_key *key,
			       struct seal_err *err)
{
	struct key_seek seek = {.name = name};
	enum seal_status rc = key_cache_seek(cache, &seek, 1, err);

	if (rc != SEAL_OK)
		return rc;
	pthread_mutex_lock(&cache->lock);
	if (seek.mine)
		land(cache, &seek, key, NULL);
	else if (seek.flight != NULL)
		flight_leave(&seek);
	pthread_mutex_unlock(&cache->lock);
	key_seeks_release(&seek, 1);
	return SEAL_OK;
}

void key_cache_drop(struct key_cache *cache, struct seal_bytes name)
{
	struct key_entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = *place_of(cache, siphash(cache->hash_key, name), name);
	if (entry != NULL && entry->key != NULL)
		forget(cache, entry);
	else if (entry != NULL)
		entry->flight->keep = false;
	pthread_mutex_unlock(&cache->lock);
}

size_t key_cache_count(struct key_cache *cache)
{
	size_t n;

	pthread_mutex_lock(&cache->lock);
	n = cache->count;
	pthread_mutex_unlock(&cache->lock);
	return n;
}
