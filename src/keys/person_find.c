/*
 * From ids to keys: what a call does for the people that nobody else is about.
 *
 *   one query ─┬─ live ──▶ store key ──▶ opened
 *              ├─ forgotten, damaged ──▶ an error
 *              └─ none: writers make keys, one insertion; what another process inserted first counts, and is opened instead
 *
 * Invariant: what stands in the store under an id is agreed on by all processes before the first message.
 */
#include "base/mem.h"
#include "base/secret_slot.h"
#include "crypto/random.h"
#include "keys/item_err.h"
#include "keys/person_work.h"

_Static_assert(PERSON_ID_LEN == ROW_ID_LEN && DATA_KEY_LEN == ROW_SECRET_LEN && DATA_KEY_LEN == SECRET_SLOT_LEN,
	       "one length");

/* One person on the way to a key. */
struct job {
	struct key_seek *seek; /* its name is the id */
	struct seal_bytes value; /* what stands in the store; ptr NULL: nothing */
	struct row row;
	struct data_key *key; /* a reference, when it is there */
	const struct seal_err *err;
};

static void job_fails(struct person_work *w, struct job *job, enum seal_code code, const char *text)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, code, "%s", text);
	job->err = item_err_share(w->arena, &why, &w->last);
}

/* In the order of ids, so that processes which insert the same people don't block each other crosswise. */
static int by_id(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return memcmp(x->seek->name.ptr, y->seek->name.ptr, PERSON_ID_LEN);
}

static enum seal_status read_rows(struct person_work *w, struct job *jobs, size_t n, struct seal_err *err)
{
	struct store_item *items = arena_alloc(w->arena, n * sizeof(*items), _Alignof(struct store_item));
	const struct store_call call = person_store_call(w);
	enum seal_status rc;

	if (items == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct store_item){.key = jobs[i].seek->name};
	SEAL_TRY(w->use.store->ops->get(w->use.store, PEOPLE_SPACE, items, n, &call, err));
	for (size_t i = 0; i < n; i++)
		jobs[i].value = items[i].value;
out:
	return rc;
}

/* A new key for `job`, sealed by `aead` under `store_key`; the row goes to `item`. */
static enum seal_status make_one(struct person_work *w, struct job *job, const struct data_key *store_key,
				 struct aead *aead, struct secret_slot *raw, struct store_item *item,
				 struct seal_err *err)
{
	const struct row_owner owner = {store_keys_scope(w->people->store_keys), job->seek->name.ptr};
	uint8_t *bytes = arena_alloc(w->arena, ROW_LIVE_LEN, 1), sealed[ROW_SEALED_LEN];
	enum seal_status rc;
	struct row row;

	if (bytes == NULL)
		return err_memory(err);
	SEAL_TRY(random_bytes(raw->ptr, DATA_KEY_LEN, err));
	SEAL_TRY(data_key_new(bytes_of(raw->ptr, DATA_KEY_LEN), BYTES_EMPTY, &job->key, err));
	SEAL_TRY(row_seal(aead, &owner, raw->ptr, sealed, err));
	row = (struct row){.kind = ROW_LIVE,
			   .store_key = data_key_commitment(store_key),
			   .sealed = sealed,
			   .commitment = data_key_commitment(job->key)};
	*item = (struct store_item){.key = job->seek->name, .value = bytes_of(bytes, row_write(&row, bytes))};
out:
	return rc;
}

/* Keys for as many of `jobs` as the current store key has uses left; *made says how many. */
static enum seal_status make_some(struct person_work *w, struct job **jobs, size_t n, struct store_item *items,
				  size_t *made, struct seal_err *err)
{
	struct secret_slot raw = SECRET_SLOT_INIT;
	struct data_key *store_key = NULL;
	struct aead *aead = NULL;
	enum seal_status rc;
	uint64_t got = 0;

	SEAL_TRY(store_keys_take(w->people->store_keys, &w->use, n, &store_key, &got, err));
	SEAL_TRY(aead_new(data_key_cipher_key(store_key), &aead, err));
	SEAL_TRY(secret_slot_alloc(&raw, err));
	for (size_t i = 0; i < got; i++)
		SEAL_TRY(make_one(w, jobs[i], store_key, aead, &raw, &items[i], err));
	*made = (size_t)got;
out:
	secret_slot_clear(&raw);
	aead_free(aead);
	data_key_unref(store_key);
	return rc;
}

/* Makes and inserts keys of people that have none; of those that another process was faster with, the value is taken. */
static enum seal_status make_missing(struct person_work *w, struct job *jobs, size_t n, struct seal_err *err)
{
	struct job **missing = arena_alloc(w->arena, n * sizeof(*missing), _Alignof(struct job *));
	struct store_item *items = arena_alloc(w->arena, n * sizeof(*items), _Alignof(struct store_item));
	const struct store_call call = person_store_call(w);
	enum seal_status rc = SEAL_OK;
	size_t count = 0, made = 0;

	if (missing == NULL || items == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		if (jobs[i].value.ptr == NULL)
			missing[count++] = &jobs[i];
	for (size_t done = 0; done < count; done += made)
		SEAL_TRY(make_some(w, missing + done, count - done, items + done, &made, err));
	if (count > 0)
		SEAL_TRY(w->use.store->ops->insert(w->use.store, PEOPLE_SPACE, items, count, &call, err));
	for (size_t i = 0; i < count; i++) {
		if (items[i].inserted)
			continue;
		data_key_unref(missing[i]->key);
		missing[i]->key = NULL;
		missing[i]->value = items[i].value;
	}
out:
	return rc;
}

/* What the value says; true when there is a key to open. */
static bool look_at(struct person_work *w, struct job *job)
{
	struct seal_err damaged = SEAL_ERR_INIT;

	if (job->key != NULL || job->err != NULL)
		return false;
	job->row = row_parse(job->value);
	if (job->row.kind == ROW_LIVE)
		return true;
	if (job->value.ptr == NULL) {
		job_fails(w, job, SEAL_E_KEY_UNKNOWN,
			  "the store has no key of this person: is it the store that the value was protected with?");
	} else if (job->row.kind == ROW_FORGOTTEN) {
		job_fails(
			w, job, SEAL_E_KEY_FORGOTTEN,
			"this person's key was forgotten on purpose: their values stay unreadable, and new ones are "
			"refused until they are admitted (`sealstream key forget --admit`)");
	} else {
		(void)store_keys_damaged("a person's key", &damaged);
		job->err = item_err_share(w->arena, &damaged, &w->last);
	}
	return false;
}

static void open_one(struct person_work *w, struct job *job, struct aead *aead, struct secret_slot *raw)
{
	const struct row_owner owner = {store_keys_scope(w->people->store_keys), job->seek->name.ptr};
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_TRY(row_open(aead, &owner, job->row.sealed, raw->ptr, &why));
	SEAL_TRY(data_key_new(bytes_of(raw->ptr, DATA_KEY_LEN), BYTES_EMPTY, &job->key, &why));
	if (!data_key_has(job->key, job->row.commitment)) {
		data_key_unref(job->key);
		job->key = NULL;
		rc = store_keys_damaged("a person's key", &why);
	}
out:
	if (rc != SEAL_OK)
		job->err = item_err_share(w->arena, &why, &w->last);
}

/* `jobs` are ordered by store key, so that each is keyed once. */
static enum seal_status open_sorted(struct person_work *w, struct job **jobs, const struct store_key_want *wants,
				    size_t n, struct seal_err *err)
{
	struct secret_slot raw = SECRET_SLOT_INIT;
	const struct data_key *keyed = NULL;
	struct aead *aead = NULL;
	enum seal_status rc;

	SEAL_TRY(secret_slot_alloc(&raw, err));
	for (size_t i = 0; i < n; i++) {
		jobs[i]->err = wants[i].err;
		if (wants[i].key == NULL)
			continue;
		if (wants[i].key != keyed) {
			aead_free(aead);
			aead = NULL;
			SEAL_TRY(aead_new(data_key_cipher_key(wants[i].key), &aead, err));
			keyed = wants[i].key;
		}
		open_one(w, jobs[i], aead, &raw);
	}
out:
	secret_slot_clear(&raw);
	aead_free(aead);
	return rc;
}

static int by_store_key(const void *a, const void *b)
{
	const struct job *const *x = a, *const *y = b;

	return memcmp((*x)->row.store_key, (*y)->row.store_key, ROW_ID_LEN);
}

/* Opens what stands in the store and is not opened yet. */
static enum seal_status open_rows(struct person_work *w, struct job *jobs, size_t n, struct seal_err *err)
{
	struct job **live = arena_alloc(w->arena, n * sizeof(*live), _Alignof(struct job *));
	struct store_key_want *wants = arena_alloc(w->arena, n * sizeof(*wants), _Alignof(struct store_key_want));
	enum seal_status rc = SEAL_OK;
	size_t count = 0;

	if (live == NULL || wants == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		if (look_at(w, &jobs[i]))
			live[count++] = &jobs[i];
	if (count == 0)
		return SEAL_OK;
	qsort(live, count, sizeof(*live), by_store_key);
	for (size_t i = 0; i < count; i++)
		wants[i] = (struct store_key_want){.id = live[i]->row.store_key};
	SEAL_TRY(store_keys_open(w->people->store_keys, &w->use, wants, count, err));
	rc = open_sorted(w, live, wants, count, err);
	for (size_t i = 0; i < count; i++)
		data_key_unref(wants[i].key);
out:
	return rc;
}

static enum seal_status find(struct person_work *w, struct job *jobs, size_t n, bool make, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(person_connect(w, err));
	SEAL_TRY(read_rows(w, jobs, n, err));
	if (make)
		SEAL_TRY(make_missing(w, jobs, n, err));
	SEAL_TRY(open_rows(w, jobs, n, err));
out:
	return rc;
}

/* Finds and settles the people that this call has to. */
void person_find_mine(struct person_work *w, struct key_cache *cache, struct key_seek *seeks, size_t n, bool make)
{
	struct job *jobs = arena_alloc(w->arena, n * sizeof(*jobs), _Alignof(struct job));
	const struct seal_err *failed = NULL, *last = NULL;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;
	size_t count = 0;

	for (size_t i = 0; jobs != NULL && i < n; i++)
		if (seeks[i].mine)
			jobs[count++] = (struct job){.seek = &seeks[i]};
	if (jobs == NULL) {
		rc = err_memory(&why);
	} else if (count > 0) {
		qsort(jobs, count, sizeof(*jobs), by_id);
		rc = person_disconnect(w, find(w, jobs, count, make, &why));
	}
	if (rc != SEAL_OK)
		failed = item_err_share(w->arena, &why, &last);
	for (size_t i = 0; i < count; i++) {
		key_cache_settle(cache, jobs[i].seek, failed == NULL ? jobs[i].key : NULL,
				 failed == NULL ? jobs[i].err : failed);
		data_key_unref(jobs[i].key);
	}
	for (size_t i = 0; i < n; i++)
		if (seeks[i].mine)
			key_cache_settle(cache, &seeks[i], NULL, failed);
}
