/*
 * People's keys.
 *
 *   person ── HMAC(pepper) ──▶ id ──▶ cache ──▶ found
 *                                       └─▶ mine: person_find.c
 *
 * Invariants: readers and writers have caches of their own, since a writer makes what a reader does not find. No failure and no
 * mark is remembered. What is remembered needs neither store nor KEK.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "keys/item_err.h"
#include "keys/person_work.h"

#define TRIES 100 /* races lost one after the other before it is time to say so */

static uint64_t real_unix_ms(void)
{
	return (uint64_t)clock_unix_ms();
}

static uint64_t (*unix_now_ms)(void) = real_unix_ms;

void person_keys_test_clock(uint64_t (*unix_ms)(void))
{
	unix_now_ms = unix_ms != NULL ? unix_ms : real_unix_ms;
}

enum seal_status person_scope_write(const struct person_scope *scope, struct seal_buf *out, struct seal_err *err)
{
	const size_t scheme = strlen(scope->scheme);
	enum seal_status rc;

	SEAL_TRY(buf_append_lp32(out, bytes_str(scope->namespace_), err));
	SEAL_TRY(buf_append_be32(out, (uint32_t)(scheme + 1 + scope->reference.len), err));
	SEAL_TRY(buf_append(out, bytes_of(scope->scheme, scheme), err));
	SEAL_TRY(buf_append_u8(out, ':', err));
	SEAL_TRY(buf_append(out, scope->reference, err));
out:
	return rc;
}

enum seal_status person_keys_new(struct store *store, const struct person_scope *scope,
				 const struct data_keys_options *options, struct person_keys **out,
				 struct seal_err *err)
{
	struct data_keys_options filled = *options;
	struct person_keys *people = mem_calloc(1, sizeof(*people));
	struct seal_buf text = BUF_INIT(PERSON_SCOPE_MAX);
	enum seal_status rc;

	*out = NULL;
	if (people == NULL)
		return err_memory(err);
	data_keys_defaults(&filled);
	people->derived = filled.derived;
	people->max_age_ms = filled.max_age_ms;
	SEAL_TRY(person_scope_write(scope, &text, err));
	SEAL_TRY(store_pool_new(store, &people->pool, err));
	SEAL_TRY(store_keys_new(buf_bytes(&text), &filled, &people->store_keys, err));
	SEAL_TRY(key_cache_new(filled.readers, filled.max_age_ms, &people->writers, err));
	SEAL_TRY(key_cache_new(filled.readers, filled.max_age_ms, &people->readers, err));
	*out = people;
	people = NULL;
out:
	buf_clear(&text);
	person_keys_free(people);
	return rc;
}

void person_keys_free(struct person_keys *people)
{
	if (people == NULL)
		return;
	key_cache_free(people->writers);
	key_cache_free(people->readers);
	store_keys_free(people->store_keys);
	store_pool_free(people->pool);
	mem_free(people);
}

static struct person_work begin(struct person_keys *people, struct key_session *kek, const struct key_call *call)
{
	return (struct person_work){people, {.kek = {kek, people->derived}, .call = call}, call->arena, NULL};
}

enum seal_status person_connect(struct person_work *w, struct seal_err *err)
{
	return w->use.store != NULL ? SEAL_OK : store_pool_take(w->people->pool, &w->use.store, err);
}

enum seal_status person_disconnect(struct person_work *w, enum seal_status rc)
{
	store_pool_give(w->people->pool, w->use.store, rc == SEAL_OK);
	w->use.store = NULL;
	return rc;
}

/* Keys of the people whose ids the seeks name. Afterwards each seek has a key or an error. */
static enum seal_status seek_people(struct person_work *w, struct key_cache *cache, struct key_seek *seeks, size_t n,
				    bool make, struct seal_err *err)
{
	const struct seal_err *failure;
	enum seal_status rc;

	SEAL_TRY(key_cache_seek(cache, seeks, n, err));
	person_find_mine(w, cache, seeks, n, make);
	key_cache_wait(cache, seeks, n, w->use.call);
	failure = key_seeks_failure(seeks, n);
	if (failure != NULL) {
		rc = err_set(err, failure->status, failure->code, "%s", failure->text);
		key_seeks_release(seeks, n);
	}
out:
	return rc;
}

/* HMAC under the pepper. */
static enum seal_status pepper(struct person_work *w, struct hmac **out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(store_keys_pepper_known(w->people->store_keys, out, err));
	if (*out != NULL)
		return SEAL_OK;
	SEAL_TRY(person_connect(w, err));
	SEAL_TRY(store_keys_pepper(w->people->store_keys, &w->use, true, out, err));
out:
	return rc;
}

static enum seal_status id_of(struct hmac *hmac, struct seal_bytes person, uint8_t id[PERSON_ID_LEN],
			      struct seal_err *err)
{
	uint8_t code[SHA256_LEN];
	struct hmac_item item = {.in = person, .out = code};
	enum seal_status rc = hmac_many(hmac, &item, 1, err);

	if (rc == SEAL_OK)
		memcpy(id, code, PERSON_ID_LEN);
	return rc;
}

static bool is_person(struct seal_bytes person)
{
	return person.len > 0 && person.len <= PERSON_NAME_MAX;
}

static enum seal_status not_a_person(struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_DOMAIN, "whose key it is must be named in 1 to %d bytes",
		       PERSON_NAME_MAX);
}

/* The ids of those that can be people; `good` are these, *count how many. */
static enum seal_status name_people(struct person_work *w, struct person_want *wants, size_t n,
				    struct person_want **good, size_t *count, struct seal_err *err)
{
	struct seal_err bad = SEAL_ERR_INIT;
	struct hmac *hmac = NULL;
	enum seal_status rc;

	(void)not_a_person(&bad);
	SEAL_TRY(pepper(w, &hmac, err));
	for (size_t i = 0; i < n; i++) {
		wants[i].err = NULL;
		if (!is_person(wants[i].person)) {
			wants[i].err = item_err_share(w->arena, &bad, &w->last);
			continue;
		}
		SEAL_TRY(id_of(hmac, wants[i].person, wants[i].id, err));
		good[(*count)++] = &wants[i];
	}
out:
	hmac_free(hmac);
	return person_disconnect(w, rc);
}

enum seal_status person_keys_writer(struct person_keys *people, struct key_session *kek, struct person_want *wants,
				    size_t n, const struct key_call *call, struct seal_err *err)
{
	struct key_seek *seeks = arena_alloc(call->arena, n * sizeof(*seeks), _Alignof(struct key_seek));
	struct person_want **good = arena_alloc(call->arena, n * sizeof(*good), _Alignof(struct person_want *));
	struct person_work w = begin(people, kek, call);
	enum seal_status rc;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		wants[i].key = NULL;
	if (seeks == NULL || good == NULL)
		return err_memory(err);
	SEAL_TRY(store_pool_make(people->pool, err));
	SEAL_TRY(name_people(&w, wants, n, good, &count, err));
	for (size_t i = 0; i < count; i++)
		seeks[i].name = bytes_of(good[i]->id, PERSON_ID_LEN);
	SEAL_TRY(seek_people(&w, people->writers, seeks, count, true, err));
	for (size_t i = 0; i < count; i++) {
		good[i]->key = seeks[i].key;
		good[i]->err = seeks[i].err;
	}
out:
	return rc;
}

/* Gives out what was found, if it is the key that the value was protected under. */
static void hand_out(struct person_want *wants, struct key_seek *seeks, size_t n, struct person_work *w)
{
	struct seal_err other = SEAL_ERR_INIT;

	(void)err_set(&other, SEAL_DATA, SEAL_E_TAMPERED,
		      "this person has another key now: the value was changed, or is from before they were forgotten "
		      "and admitted anew");
	for (size_t i = 0; i < n; i++) {
		wants[i].key = NULL;
		wants[i].err = seeks[i].err;
		if (seeks[i].key == NULL)
			continue;
		if (data_key_has(seeks[i].key, wants[i].commitment))
			wants[i].key = data_key_ref(seeks[i].key);
		else
			wants[i].err = item_err_share(w->arena, &other, &w->last);
	}
	key_seeks_release(seeks, n);
}

enum seal_status person_keys_open(struct person_keys *people, struct key_session *kek, struct person_want *wants,
				  size_t n, const struct key_call *call, struct seal_err *err)
{
	struct key_seek *seeks = arena_alloc(call->arena, n * sizeof(*seeks), _Alignof(struct key_seek));
	struct person_work w = begin(people, kek, call);
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		wants[i].key = NULL;
	if (seeks == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		seeks[i].name = bytes_of(wants[i].id, PERSON_ID_LEN);
	SEAL_TRY(seek_people(&w, people->readers, seeks, n, false, err));
	hand_out(wants, seeks, n, &w);
out:
	return rc;
}

/* Ends where the row is as it shall be; *done: it is. `was` is what stood there before. */
static enum seal_status forget_once(struct person_work *w, const uint8_t *id, enum person_state *was, bool *done,
				    struct seal_err *err)
{
	uint8_t bytes[ROW_FORGOTTEN_LEN];
	const struct row mark = {.kind = ROW_FORGOTTEN, .number = unix_now_ms()};
	struct store_item item = {.key = bytes_of(id, PERSON_ID_LEN),
				  .value = bytes_of(bytes, row_write(&mark, bytes))};
	const struct store_call call = person_store_call(w);
	struct seal_bytes to = item.value;
	enum seal_status rc;

	SEAL_TRY(w->use.store->ops->insert(w->use.store, PEOPLE_SPACE, &item, 1, &call, err));
	*was = PERSON_UNKNOWN;
	*done = item.inserted;
	if (item.inserted)
		return SEAL_OK;
	*was = PERSON_LIVE;
	if (row_parse(item.value).kind == ROW_FORGOTTEN) {
		/* who forgot them may have been cut off before the old key was gone from the disk */
		*was = PERSON_FORGOTTEN;
		to = item.value;
	}
	SEAL_TRY(w->use.store->ops->swap(w->use.store, PEOPLE_SPACE, item.key, item.value, to, true, done, &call,
					 err));
out:
	return rc;
}

/*
 * Other processes may hold the key that was forgotten for max_age still, and protect under it. Values of somebody who was
 * admitted meanwhile would be lost without a word.
 */
static enum seal_status check_waited(const struct person_work *w, uint64_t forgotten_ms, struct seal_err *err)
{
	const uint64_t now_ms = unix_now_ms(), max_age_ms = w->people->max_age_ms;
	/* A mark from the future is another machine's clock: one that is far off must not keep them out for years. */
	const uint64_t since_ms = now_ms > forgotten_ms ? now_ms - forgotten_ms : forgotten_ms - now_ms;

	if (since_ms >= max_age_ms)
		return SEAL_OK;
	return err_set(
		err, SEAL_RETRY, SEAL_E_BUSY,
		"this person was forgotten a moment ago: processes that are running may still protect under the "
		"key that is gone, and what they make of somebody admitted now would be lost; try again in %llu "
		"s (max_age)",
		(unsigned long long)((max_age_ms - since_ms + 999) / 1000));
}

static enum seal_status admit_once(struct person_work *w, const uint8_t *id, enum person_state *was, bool *done,
				   struct seal_err *err)
{
	struct store_item item = {.key = bytes_of(id, PERSON_ID_LEN)};
	const struct store_call call = person_store_call(w);
	enum seal_status rc;
	struct row row;

	SEAL_TRY(w->use.store->ops->get(w->use.store, PEOPLE_SPACE, &item, 1, &call, err));
	row = row_parse(item.value);
	*was = item.value.ptr == NULL ? PERSON_UNKNOWN : row.kind == ROW_FORGOTTEN ? PERSON_FORGOTTEN : PERSON_LIVE;
	*done = *was != PERSON_FORGOTTEN;
	if (*done)
		goto out;
	SEAL_TRY(check_waited(w, row.number, err));
	SEAL_TRY(w->use.store->ops->swap(w->use.store, PEOPLE_SPACE, item.key, item.value, BYTES_EMPTY, false, done,
					 &call, err));
out:
	return rc;
}

typedef enum seal_status (*change_once)(struct person_work *w, const uint8_t *id, enum person_state *was, bool *done,
					struct seal_err *err);

/* Changes one person's row, however many others do the same. */
static enum seal_status change(struct person_keys *people, struct key_session *kek, struct seal_bytes person,
			       change_once once, enum person_state *was, const struct key_call *call,
			       struct seal_err *err)
{
	struct person_work w = begin(people, kek, call);
	uint8_t id[PERSON_ID_LEN];
	struct hmac *hmac = NULL;
	bool done = false;
	enum seal_status rc;

	if (!is_person(person))
		return not_a_person(err);
	SEAL_TRY(pepper(&w, &hmac, err));
	SEAL_TRY(id_of(hmac, person, id, err));
	SEAL_TRY(person_connect(&w, err));
	for (int i = 0; i < TRIES && !done; i++)
		SEAL_TRY(once(&w, id, was, &done, err));
	if (!done)
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			     "other processes keep changing this person's key; try again");
	key_cache_drop(people->writers, bytes_of(id, PERSON_ID_LEN));
	key_cache_drop(people->readers, bytes_of(id, PERSON_ID_LEN));
out:
	hmac_free(hmac);
	return person_disconnect(&w, rc);
}

enum seal_status person_keys_forget(struct person_keys *people, struct key_session *kek, struct seal_bytes person,
				    enum person_state *was, const struct key_call *call, struct seal_err *err)
{
	return change(people, kek, person, forget_once, was, call, err);
}

enum seal_status person_keys_admit(struct person_keys *people, struct key_session *kek, struct seal_bytes person,
				   enum person_state *was, const struct key_call *call, struct seal_err *err)
{
	return change(people, kek, person, admit_once, was, call, err);
}
