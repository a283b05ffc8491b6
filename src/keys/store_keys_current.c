/*
 * The current store key and the pepper.
 *
 *   first use of a store     one insertion: store key, pepper sealed under it, current = {store key, 1 use}
 *   take                     current.uses += block (compare and swap); what is reserved and not used is lost with the process
 *   max_uses reached         a new store key's row, then current = {new key, block} (compare and swap); a key whose process
 *                            lost that race goes away again
 *
 * Invariants: `current` in the store is never below what was wrapped. A store that has a store key has a pepper: where it
 * does not, the pepper was lost, and no new one is made, since under that every person would be somebody new, forgotten
 * ones too.
 */
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "crypto/random.h"
#include "keys/store_keys_work.h"

/* The first reservation is as large as what is wanted; each is twice the one before, up to this. */
#define BLOCK_MAX 16384
#define RENEW_MAX 64 /* rows looked at in one go */
/* Races lost one after the other before it is time to say so. */
#define TRIES 100

static enum seal_status take_turn(struct store_keys *keys, uint64_t deadline_ms, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&keys->lock);
	while (keys->taken && clock_mono_ms() < deadline_ms)
		cond_wait_until(&keys->given, &keys->lock, deadline_ms);
	if (keys->taken)
		rc = err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT,
			     "no store key came in time: another thread is asking for it still");
	else
		keys->taken = true;
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

static void give_turn(struct store_keys *keys)
{
	pthread_mutex_lock(&keys->lock);
	keys->taken = false;
	pthread_cond_signal(&keys->given);
	pthread_mutex_unlock(&keys->lock);
}

/* All below is done by who has the turn. */
static enum seal_status make_store_key(struct store_keys *keys, const struct store_keys_use *use,
				       struct data_key **out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(kek_make(&use->kek, use->call, out, err));
	store_keys_hear(keys, data_key_wrapped(*out));
	SEAL_TRY(key_cache_put(keys->opened, bytes_of(data_key_commitment(*out), ROW_ID_LEN), *out, err));
out:
	if (rc != SEAL_OK) {
		data_key_unref(*out);
		*out = NULL;
	}
	return rc;
}

static struct row store_key_row(const struct data_key *key)
{
	return (struct row){
		.kind = ROW_STORE_KEY, .commitment = data_key_commitment(key), .wrapped = data_key_wrapped(key)};
}

static struct row current_row(const struct data_key *key, uint64_t uses)
{
	return (struct row){.kind = ROW_CURRENT, .store_key = data_key_commitment(key), .number = uses};
}

static enum seal_status insert_one(const struct store_keys_use *use, const struct row_name *name,
				   const struct row *row, bool *inserted, struct seal_err *err)
{
	uint8_t bytes[ROW_STORE_KEY_MAX];
	struct store_item item = {.key = row_name_bytes(name), .value = bytes_of(bytes, row_write(row, bytes))};
	const struct store_call call = store_call_of(use);
	enum seal_status rc = use->store->ops->insert(use->store, STORE_KEYS_SPACE, &item, 1, &call, err);

	*inserted = rc == SEAL_OK && item.inserted;
	return rc;
}

/* The row `name` from `from` to `to`; NULL: none, it goes away. */
static enum seal_status swap_row(const struct store_keys_use *use, const struct row_name *name,
				 const struct row *from, const struct row *to, bool *swapped, struct seal_err *err)
{
	uint8_t before[ROW_STORE_KEY_MAX], after[ROW_STORE_KEY_MAX];
	const struct store_call call = store_call_of(use);

	return use->store->ops->swap(
		use->store, STORE_KEYS_SPACE, row_name_bytes(name), bytes_of(before, row_write(from, before)),
		to != NULL ? bytes_of(after, row_write(to, after)) : BYTES_EMPTY, false, swapped, &call, err);
}

/* A new store key becomes current in the place of `old` (kind ROW_BAD: there is none), with `block` uses taken. */
static enum seal_status replace(struct store_keys *keys, const struct store_keys_use *use, const struct row *old,
				uint64_t block, bool *done, struct seal_err *err)
{
	const struct row_name current = row_name(keys, 'c', NULL);
	struct data_key *key = NULL;
	struct row_name name;
	enum seal_status rc;
	struct row row, next;
	bool ours;

	SEAL_TRY(make_store_key(keys, use, &key, err));
	row = store_key_row(key);
	next = current_row(key, block);
	name = row_name(keys, 'k', data_key_commitment(key));
	SEAL_TRY(insert_one(use, &name, &row, &ours, err));
	if (old->kind == ROW_BAD)
		SEAL_TRY(insert_one(use, &current, &next, done, err));
	else
		SEAL_TRY(swap_row(use, &current, old, &next, done, err));
	if (*done)
		memcpy(keys->current, data_key_commitment(key), ROW_ID_LEN);
	else
		SEAL_TRY(swap_row(use, &name, &row, NULL, &ours, err));
out:
	data_key_unref(key);
	return rc;
}

/* `block` more uses of the current key. */
static enum seal_status extend(struct store_keys *keys, const struct store_keys_use *use, const struct row *old,
			       uint64_t block, bool *done, struct seal_err *err)
{
	const struct row_name name = row_name(keys, 'c', NULL);
	struct row next = *old;
	enum seal_status rc;

	next.number += block;
	SEAL_TRY(swap_row(use, &name, old, &next, done, err));
	if (*done)
		memcpy(keys->current, old->store_key, ROW_ID_LEN);
out:
	return rc;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static enum seal_status try_reserve(struct store_keys *keys, const struct store_keys_use *use, uint64_t wanted,
				    uint64_t *block, bool *done, struct seal_err *err)
{
	const uint64_t max = keys->options.max_uses;
	const struct row_name name = row_name(keys, 'c', NULL);
	const struct store_call call = store_call_of(use);
	struct store_item item = {.key = row_name_bytes(&name)};
	enum seal_status rc;
	struct row old;

	SEAL_TRY(use->store->ops->get(use->store, STORE_KEYS_SPACE, &item, 1, &call, err));
	old = row_parse(item.value);
	if (item.value.ptr != NULL && old.kind != ROW_CURRENT) {
		rc = store_keys_damaged("the count of a store key", err);
		goto out;
	}
	*block = wanted > keys->block ? wanted : keys->block;
	if (old.kind == ROW_CURRENT && old.number < max) {
		*block = least(*block, max - old.number);
		rc = extend(keys, use, &old, *block, done, err);
	} else {
		*block = least(*block, max);
		rc = replace(keys, use, &old, *block, done, err);
	}
out:
	return rc;
}

static enum seal_status reserve(struct store_keys *keys, const struct store_keys_use *use, uint64_t wanted,
				struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool done = false;
	uint64_t block = 0;

	for (int i = 0; i < TRIES && !done; i++)
		SEAL_TRY(try_reserve(keys, use, wanted, &block, &done, err));
	if (!done) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			     "too many processes count uses of one store key; try again");
		goto out;
	}
	keys->left = block;
	keys->block = least(block * 2, BLOCK_MAX);
out:
	return rc;
}

enum seal_status store_keys_take(struct store_keys *keys, const struct store_keys_use *use, uint64_t wanted,
				 struct data_key **key, uint64_t *got, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_INVARIANT(wanted > 0);
	*key = NULL;
	rc = take_turn(keys, use->call->deadline_ms, err);
	if (rc != SEAL_OK)
		return rc;
	if (keys->left == 0)
		SEAL_TRY(reserve(keys, use, wanted, err));
	SEAL_TRY(store_keys_open_one(keys, use, keys->current, key, err));
	*got = least(wanted, keys->left);
	keys->left -= *got;
out:
	give_turn(keys);
	return rc;
}

/* The first use of a store: all three rows, or those of another process. */
static enum seal_status begin_store(struct store_keys *keys, const struct store_keys_use *use, struct seal_err *err)
{
	uint8_t key_bytes[ROW_STORE_KEY_MAX], pepper_bytes[ROW_PEPPER_LEN], current_bytes[ROW_CURRENT_LEN];
	struct row key_row, current, pepper = {.kind = ROW_PEPPER};
	struct row_name names[3] = {row_name(keys, 'p', NULL), row_name(keys, 'c', NULL)};
	const struct row_owner owner = {keys->scope, NULL};
	const struct store_call call = store_call_of(use);
	struct secret_slot fresh = SECRET_SLOT_INIT;
	uint8_t sealed[ROW_SEALED_LEN];
	struct data_key *key = NULL;
	struct aead *aead = NULL;
	struct store_item items[3] = {0};
	enum seal_status rc;

	SEAL_TRY(secret_slot_alloc(&fresh, err));
	SEAL_TRY(random_bytes(fresh.ptr, ROW_SECRET_LEN, err));
	SEAL_TRY(make_store_key(keys, use, &key, err));
	SEAL_TRY(aead_new(data_key_cipher_key(key), &aead, err));
	SEAL_TRY(row_seal(aead, &owner, fresh.ptr, sealed, err));
	pepper.store_key = data_key_commitment(key);
	pepper.sealed = sealed;
	current = current_row(key, 1);
	key_row = store_key_row(key);
	names[2] = row_name(keys, 'k', data_key_commitment(key));
	items[0].value = bytes_of(pepper_bytes, row_write(&pepper, pepper_bytes));
	items[1].value = bytes_of(current_bytes, row_write(&current, current_bytes));
	items[2].value = bytes_of(key_bytes, row_write(&key_row, key_bytes));
	for (int i = 0; i < 3; i++)
		items[i].key = row_name_bytes(&names[i]);
	SEAL_TRY(use->store->ops->insert(use->store, STORE_KEYS_SPACE, items, 3, &call, err));
	if (!items[0].inserted && !items[1].inserted)
		SEAL_TRY(swap_row(use, &names[2], &key_row, NULL, &items[2].inserted, err));
out:
	secret_slot_clear(&fresh);
	data_key_unref(key);
	aead_free(aead);
	return rc;
}

static enum seal_status open_pepper(struct store_keys *keys, const struct store_keys_use *use, const struct row *row,
				    struct secret_slot *out, struct seal_err *err)
{
	const struct row_owner owner = {keys->scope, NULL};
	struct data_key *key = NULL;
	struct aead *aead = NULL;
	enum seal_status rc;

	SEAL_TRY(store_keys_open_one(keys, use, row->store_key, &key, err));
	SEAL_TRY(aead_new(data_key_cipher_key(key), &aead, err));
	SEAL_TRY(secret_slot_alloc(out, err));
	SEAL_TRY(row_open(aead, &owner, row->sealed, out->ptr, err));
out:
	if (rc != SEAL_OK)
		secret_slot_clear(out);
	data_key_unref(key);
	aead_free(aead);
	return rc;
}

/* Rows of the scope's store keys: those after the one named `after` (empty: from the first), `max` at most. */
static enum seal_status scan_store_keys(struct store_keys *keys, const struct store_keys_use *use,
					struct seal_bytes after, size_t max, struct store_item **items, size_t *n,
					struct seal_err *err)
{
	const struct row_name before = row_name(keys, 'k', NULL);
	const struct store_call call = store_call_of(use);
	enum seal_status rc;
	size_t found = 0;

	*n = 0;
	SEAL_TRY(use->store->ops->scan(use->store, STORE_KEYS_SPACE, after.len > 0 ? after : row_name_bytes(&before),
				       max, items, &found, &call, err));
	while (*n < found && bytes_starts((*items)[*n].key, row_name_bytes(&before)))
		(*n)++;
out:
	return rc;
}

/* *there: a row of the pepper, or one that never is without. */
static enum seal_status get_pepper(struct store_keys *keys, const struct store_keys_use *use, struct row *row,
				   bool *there, struct seal_err *err)
{
	const struct row_name names[2] = {row_name(keys, 'p', NULL), row_name(keys, 'c', NULL)};
	struct store_item items[2] = {{.key = row_name_bytes(&names[0])}, {.key = row_name_bytes(&names[1])}};
	const struct store_call call = store_call_of(use);
	enum seal_status rc;

	SEAL_TRY(use->store->ops->get(use->store, STORE_KEYS_SPACE, items, 2, &call, err));
	*row = row_parse(items[0].value);
	*there = items[0].value.ptr != NULL || items[1].value.ptr != NULL;
out:
	return rc;
}

/* The pepper's row, ROW_BAD where the store is a new one. */
static enum seal_status find_pepper(struct store_keys *keys, const struct store_keys_use *use, struct row *row,
				    struct seal_err *err)
{
	struct store_item *items;
	bool there = false;
	enum seal_status rc;
	size_t n = 0;

	SEAL_TRY(get_pepper(keys, use, row, &there, err));
	if (!there) {
		SEAL_TRY(scan_store_keys(keys, use, BYTES_EMPTY, 1, &items, &n, err));
		if (n > 0) /* made between the two looks, or what it came with was taken away */
			SEAL_TRY(get_pepper(keys, use, row, &there, err));
	}
	if (row->kind != ROW_PEPPER && (there || n > 0))
		rc = store_keys_damaged("the key that makes ids of rows", err);
out:
	return rc;
}

/* Those of `items` that are under an older version of the KEK are opened, which renews them. */
static enum seal_status renew_some(struct store_keys *keys, const struct store_keys_use *use,
				   const struct store_item *items, size_t n, struct seal_err *err)
{
	struct store_key_want wants[RENEW_MAX];
	enum seal_status rc = SEAL_OK;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row row = row_parse(items[i].value);

		if (row.kind == ROW_STORE_KEY && items[i].key.len == ROW_NAME_MAX &&
		    store_keys_is_older(keys, row.wrapped))
			wants[count++] = (struct store_key_want){.id = items[i].key.ptr + ROW_ID_LEN + 1};
	}
	if (count > 0)
		SEAL_TRY(store_keys_open(keys, use, wants, count, err));
	for (size_t i = 0; i < count; i++)
		data_key_unref(wants[i].key);
out:
	return rc;
}

/*
 * After a rotation of the KEK all store keys come under its newest version, those of people nobody asks about, too: else the
 * old version could never be retired. As far as this process may; data does not wait for it.
 */
static void renew_all(struct store_keys *keys, const struct store_keys_use *use)
{
	struct seal_err why = SEAL_ERR_INIT;
	struct seal_bytes after = BYTES_EMPTY;
	struct store_item *items;
	enum seal_status rc = SEAL_OK;
	size_t n = RENEW_MAX;

	if (atomic_load(&keys->known_version) < 2)
		return;
	while (rc == SEAL_OK && n == RENEW_MAX) {
		rc = scan_store_keys(keys, use, after, RENEW_MAX, &items, &n, &why);
		if (rc == SEAL_OK)
			rc = renew_some(keys, use, items, n, &why);
		if (n > 0)
			after = items[n - 1].key;
	}
	if (rc != SEAL_OK)
		log_say(LOG_DEBUG, "not all store keys were looked at: %s", why.text);
}

static enum seal_status load_pepper(struct store_keys *keys, const struct store_keys_use *use, bool make,
				    struct seal_err *err)
{
	struct secret_slot loaded = SECRET_SLOT_INIT, old;
	uint64_t asked_ms = key_cache_now_ms();
	enum seal_status rc;
	struct row row;

	SEAL_TRY(find_pepper(keys, use, &row, err));
	if (row.kind == ROW_BAD && make) {
		SEAL_TRY(begin_store(keys, use, err));
		SEAL_TRY(find_pepper(keys, use, &row, err));
	}
	if (row.kind != ROW_PEPPER) {
		rc = store_keys_damaged("the key that makes ids of rows", err);
		goto out;
	}
	SEAL_TRY(open_pepper(keys, use, &row, &loaded, err));
	pthread_mutex_lock(&keys->lock);
	old = keys->pepper;
	keys->pepper = loaded;
	keys->pepper_asked_ms = asked_ms;
	pthread_mutex_unlock(&keys->lock);
	secret_slot_clear(&old);
	renew_all(keys, use);
out:
	return rc;
}

enum seal_status store_keys_pepper_known(struct store_keys *keys, struct hmac **out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&keys->lock);
	if (keys->pepper.ptr != NULL && key_cache_now_ms() - keys->pepper_asked_ms < keys->options.max_age_ms)
		rc = hmac_new(bytes_of(keys->pepper.ptr, ROW_SECRET_LEN), out, err);
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

enum seal_status store_keys_pepper(struct store_keys *keys, const struct store_keys_use *use, bool make,
				   struct hmac **out, struct seal_err *err)
{
	enum seal_status rc = take_turn(keys, use->call->deadline_ms, err);

	*out = NULL;
	if (rc != SEAL_OK)
		return rc;
	SEAL_TRY(store_keys_pepper_known(keys, out, err)); /* another thread may have been here first */
	if (*out == NULL) {
		SEAL_TRY(load_pepper(keys, use, make, err));
		SEAL_TRY(hmac_new(bytes_of(keys->pepper.ptr, ROW_SECRET_LEN), out, err));
	}
out:
	give_turn(keys);
	return rc;
}
