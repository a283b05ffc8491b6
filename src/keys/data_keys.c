/*
 * Data keys of one KEK.
 *
 *   writer   current {key, left, asked}   replaced by one thread (`making`); the others wait for the end of its round
 *   reader   a key_cache by wrapped bytes; whoever misses a name asks the KEK for it, all names of a call together
 *
 * In the last tenth of a key's age one writer asks for the next one, briefly, while all go on with the current one. So a KEK that
 * is away is known of before keys run out: the key is `late` then, until there is a new one.
 *
 * Invariants: `lock` guards the writer's members and is never held while the KEK is asked. Uses are counted before the key is
 * given out. Age counts from when the KEK was asked, not from its answer.
 */
#include "keys/data_keys.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "keys/item_err.h"
#include "keys/kek.h"
#include "keys/key_cache.h"

#define EARLY_WAIT_MS 1000 /* for the next key, while the current one is good still */

struct data_keys {
	struct data_keys_options options;
	struct key_cache *readers;
	pthread_mutex_t lock;
	pthread_cond_t made;
	struct data_key *current; /* a reference, or NULL */
	uint64_t left, asked_ms; /* of the current key */
	uint64_t early_ms; /* when to ask for the next one */
	bool late; /* that was asked for, and did not come */
	bool making;
	uint64_t rounds; /* ended so far */
	struct seal_err failure; /* of the last round; SEAL_OK: it went well */
};

void data_keys_defaults(struct data_keys_options *options)
{
	if (options->max_uses == 0)
		options->max_uses = DATA_KEYS_MAX_USES_DEFAULT;
	if (options->max_age_ms == 0)
		options->max_age_ms = DATA_KEYS_MAX_AGE_DEFAULT_MS;
	if (options->readers == 0)
		options->readers = DATA_KEYS_READERS_DEFAULT;
	if (options->metrics == NULL)
		options->metrics = &key_metrics_none;
	SEAL_INVARIANT(options->max_uses <= DATA_KEYS_MAX_USES_LIMIT);
}

enum seal_status data_keys_new(const struct data_keys_options *options, struct data_keys **out, struct seal_err *err)
{
	struct data_keys *keys = mem_calloc(1, sizeof(*keys));
	enum seal_status rc;

	*out = NULL;
	if (keys == NULL)
		return err_memory(err);
	keys->options = *options;
	data_keys_defaults(&keys->options);
	SEAL_TRY(key_cache_new(keys->options.readers, keys->options.max_age_ms, &keys->readers, err));
	if (!cond_init(&keys->made)) {
		rc = err_memory(err);
		goto out;
	}
	pthread_mutex_init(&keys->lock, NULL);
	*out = keys;
	return SEAL_OK;
out:
	key_cache_free(keys->readers);
	mem_free(keys);
	return rc;
}

static void tell_late(struct data_keys *keys, bool late)
{
	atomic_uint *all = keys->options.metrics->data_keys_late;

	if (all != NULL && late != keys->late)
		atomic_fetch_add(all, late ? 1u : -1u);
	keys->late = late;
}

void data_keys_free(struct data_keys *keys)
{
	if (keys == NULL)
		return;
	tell_late(keys, false);
	data_key_unref(keys->current);
	key_cache_free(keys->readers);
	pthread_cond_destroy(&keys->made);
	pthread_mutex_destroy(&keys->lock);
	mem_free(keys);
}

/* With the lock held, as the next two. */
static bool take_current(struct data_keys *keys, uint64_t uses, struct data_key **out)
{
	if (keys->current == NULL || keys->left < uses ||
	    key_cache_now_ms() - keys->asked_ms >= keys->options.max_age_ms)
		return false;
	keys->left -= uses;
	*out = data_key_ref(keys->current);
	return true;
}

/* Until the round that is under way has ended; fails as that did. */
static enum seal_status wait_for_round(struct data_keys *keys, uint64_t deadline_ms, struct seal_err *err)
{
	const uint64_t seen = keys->rounds;

	while (keys->rounds == seen) {
		if (clock_mono_ms() >= deadline_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT,
				       "no data key came in time: another thread is asking for it still");
		cond_wait_until(&keys->made, &keys->lock, deadline_ms);
	}
	if (keys->failure.status != SEAL_OK && err != NULL)
		*err = keys->failure;
	return keys->failure.status;
}

/* `key`: the one that was made, of which `uses` are the maker's own; NULL: none was, and `why` tells. */
static void end_round(struct data_keys *keys, struct data_key *key, uint64_t asked_ms, uint64_t uses,
		      const struct seal_err *why)
{
	keys->making = false;
	keys->rounds++;
	keys->failure = *why;
	pthread_cond_broadcast(&keys->made);
	if (key == NULL)
		return;
	data_key_unref(keys->current);
	keys->current = data_key_ref(key);
	keys->left = keys->options.max_uses - uses;
	keys->asked_ms = asked_ms;
	keys->early_ms = asked_ms + keys->options.max_age_ms - keys->options.max_age_ms / 10;
	tell_late(keys, false);
	metric_set(keys->options.metrics->data_key_made, (double)(clock_unix_ms() / 1000));
}

static enum seal_status make(struct data_keys *keys, struct key_session *session, const struct key_call *call,
			     struct data_key **out, struct seal_err *err)
{
	const struct kek kek = {session, keys->options.derived};
	enum seal_status rc;

	SEAL_TRY(kek_make(&kek, call, out, err));
	SEAL_TRY(key_cache_put(keys->readers, data_key_wrapped(*out), *out, err));
out:
	if (rc != SEAL_OK) {
		data_key_unref(*out);
		*out = NULL;
	}
	return rc;
}

/* Called and returns with the lock held; lets go of it meanwhile. */
static enum seal_status lead_round(struct data_keys *keys, struct key_session *session, uint64_t uses,
				   const struct key_call *call, struct data_key **out, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	uint64_t asked_ms = key_cache_now_ms();
	enum seal_status rc;

	keys->making = true;
	pthread_mutex_unlock(&keys->lock);
	rc = make(keys, session, call, out, &why);
	pthread_mutex_lock(&keys->lock);
	end_round(keys, *out, asked_ms, uses, &why);
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	return rc;
}

/* With the lock held. Whatever comes of it, the current key is good until its age ends. */
static void renew_early(struct data_keys *keys, struct key_session *kek, const struct key_call *call)
{
	const uint64_t now_ms = key_cache_now_ms(), enough_ms = clock_mono_ms() + EARLY_WAIT_MS;
	struct key_call brief = *call;
	struct data_key *key = NULL;

	if (keys->current == NULL || keys->making || now_ms < keys->early_ms ||
	    now_ms - keys->asked_ms >= keys->options.max_age_ms)
		return;
	if (brief.deadline_ms > enough_ms)
		brief.deadline_ms = enough_ms;
	if (lead_round(keys, kek, 0, &brief, &key, NULL) != SEAL_OK) {
		keys->early_ms = now_ms + keys->options.max_age_ms / 100;
		tell_late(keys, true);
	}
	data_key_unref(key);
}

static void count_use(const struct data_keys *keys, bool asked)
{
	metric_count(asked ? keys->options.metrics->cache_misses : keys->options.metrics->cache_hits, 1);
}

enum seal_status data_keys_writer(struct data_keys *keys, struct key_session *kek, uint64_t uses,
				  const struct key_call *call, struct data_key **out, struct seal_err *err)
{
	bool asked = false;
	enum seal_status rc = SEAL_OK;

	SEAL_INVARIANT(uses > 0 && uses <= keys->options.max_uses);
	*out = NULL;
	pthread_mutex_lock(&keys->lock);
	renew_early(keys, kek, call);
	while (rc == SEAL_OK && *out == NULL && !take_current(keys, uses, out)) {
		asked = !keys->making;
		if (keys->making)
			rc = wait_for_round(keys, call->deadline_ms, err);
		else
			rc = lead_round(keys, kek, uses, call, out, err);
	}
	pthread_mutex_unlock(&keys->lock);
	count_use(keys, asked);
	return rc;
}

/* Unwraps what this call has to, and settles it. */
static void unwrap_mine(struct data_keys *keys, struct key_session *session, struct key_seek *seeks, size_t n,
			const struct key_call *call)
{
	const struct kek kek = {session, keys->options.derived};
	struct kek_item *items = arena_alloc(call->arena, n * sizeof(*items), _Alignof(struct kek_item));
	const struct seal_err *failed = NULL, *last = NULL;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;
	size_t count = 0;

	for (size_t i = 0; items != NULL && i < n; i++)
		if (seeks[i].mine)
			items[count++] = (struct kek_item){.wrapped = seeks[i].name};
	if (items == NULL)
		rc = err_memory(&why);
	else if (count > 0)
		rc = kek_unwrap(&kek, items, count, call, &why);
	if (rc != SEAL_OK)
		failed = item_err_share(call->arena, &why, &last);
	for (size_t i = 0, at = 0; i < n; i++) {
		if (!seeks[i].mine)
			continue;
		key_cache_settle(keys->readers, &seeks[i], failed == NULL ? items[at].key : NULL,
				 failed == NULL ? items[at].err : failed);
		if (failed == NULL)
			data_key_unref(items[at++].key);
	}
}

/* Gives out what was found, if it is what the want says. */
static void hand_out(struct data_key_want *wants, struct key_seek *seeks, size_t n, struct arena *arena)
{
	const struct seal_err *last = NULL;
	struct seal_err other = SEAL_ERR_INIT;

	data_key_mismatch(&other);
	for (size_t i = 0; i < n; i++) {
		wants[i].key = NULL;
		wants[i].err = seeks[i].err;
		if (seeks[i].key == NULL)
			continue;
		if (!data_key_has(seeks[i].key, wants[i].commitment)) {
			wants[i].err = item_err_share(arena, &other, &last);
			continue;
		}
		wants[i].key = seeks[i].key;
		seeks[i].key = NULL;
	}
}

enum seal_status data_keys_open(struct data_keys *keys, struct key_session *kek, struct data_key_want *wants,
				size_t n, const struct key_call *call, struct seal_err *err)
{
	struct key_seek *seeks = arena_alloc(call->arena, n * sizeof(*seeks), _Alignof(struct key_seek));
	const struct seal_err *failure;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		wants[i].key = NULL;
	if (seeks == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		seeks[i].name = wants[i].wrapped;
	SEAL_TRY(key_cache_seek(keys->readers, seeks, n, err));
	for (size_t i = 0; i < n; i++)
		count_use(keys, seeks[i].mine);
	unwrap_mine(keys, kek, seeks, n, call);
	key_cache_wait(keys->readers, seeks, n, call);
	failure = key_seeks_failure(seeks, n);
	if (failure != NULL)
		rc = err_set(err, failure->status, failure->code, "%s", failure->text);
	else
		hand_out(wants, seeks, n, call->arena);
	key_seeks_release(seeks, n);
out:
	return rc;
}
