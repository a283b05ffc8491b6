/*
 * Store keys by id: from memory, or from the store and the KEK, once for all threads that ask.
 *
 *   id ──▶ row {commitment, wrapped} ──▶ KEK ──▶ key, if it has the commitment and that has the id
 *                    │
 *                    └─ under an older version of the KEK: wrapped anew, compared and swapped. Data does not wait for it and
 *                       does not fail of it: whoever may not write to the store, or not rewrap, goes on reading.
 */
#include "base/buf.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/item_err.h"
#include "keys/keyring_text.h"
#include "keys/store_keys_work.h"

#define SCOPE_LABEL "sealstream people v1"

/* One row on its way to a key. */
struct load {
	struct key_seek *seek;
	struct row row;
	struct kek_item *opened; /* NULL: the row is none */
	const struct seal_err *err;
};

static enum seal_status scope_id(struct seal_bytes scope, uint8_t out[ROW_ID_LEN], struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(sizeof(SCOPE_LABEL) + scope.len);
	uint8_t digest[SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&text, SCOPE_LABEL, err));
	SEAL_TRY(buf_append(&text, scope, err));
	SEAL_TRY(sha256(buf_bytes(&text), digest, err));
	memcpy(out, digest, ROW_ID_LEN);
out:
	buf_clear(&text);
	return rc;
}

enum seal_status store_keys_new(struct seal_bytes scope, const struct data_keys_options *options,
				struct store_keys **out, struct seal_err *err)
{
	struct store_keys *keys = mem_calloc(1, sizeof(*keys));
	enum seal_status rc;

	*out = NULL;
	if (keys == NULL)
		return err_memory(err);
	keys->options = *options;
	atomic_init(&keys->known_version, options->latest_version);
	SEAL_TRY(scope_id(scope, keys->scope, err));
	SEAL_TRY(key_cache_new(options->readers, options->max_age_ms, &keys->opened, err));
	if (!cond_init(&keys->given)) {
		rc = err_memory(err);
		goto out;
	}
	pthread_mutex_init(&keys->lock, NULL);
	*out = keys;
	return SEAL_OK;
out:
	key_cache_free(keys->opened);
	mem_free(keys);
	return rc;
}

void store_keys_free(struct store_keys *keys)
{
	if (keys == NULL)
		return;
	secret_slot_clear(&keys->pepper);
	key_cache_free(keys->opened);
	pthread_cond_destroy(&keys->given);
	pthread_mutex_destroy(&keys->lock);
	mem_free(keys);
}

const uint8_t *store_keys_scope(const struct store_keys *keys)
{
	return keys->scope;
}

struct row_name row_name(const struct store_keys *keys, char letter, const uint8_t *id)
{
	struct row_name name = {.len = ROW_ID_LEN + 1};

	memcpy(name.bytes, keys->scope, ROW_ID_LEN);
	name.bytes[ROW_ID_LEN] = (uint8_t)letter;
	if (id != NULL) {
		memcpy(name.bytes + name.len, id, ROW_ID_LEN);
		name.len += ROW_ID_LEN;
	}
	return name;
}

enum seal_status store_keys_damaged(const char *what, struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
		       "%s in the store is not what was written there: the store was changed or damaged; restore it",
		       what);
}

static uint32_t version_of(struct seal_bytes wrapped)
{
	struct seal_bytes base64;
	uint32_t version;

	return text_split(wrapped, &version, &base64) == TEXT_FINE ? version : UINT32_MAX;
}

void store_keys_hear(struct store_keys *keys, struct seal_bytes wrapped)
{
	uint32_t version = version_of(wrapped), known = atomic_load(&keys->known_version);

	while (version != UINT32_MAX && version > known)
		if (atomic_compare_exchange_weak(&keys->known_version, &known, version))
			break;
}

bool store_keys_is_older(struct store_keys *keys, struct seal_bytes wrapped)
{
	return version_of(wrapped) < atomic_load(&keys->known_version);
}

/* Puts the new wrapped form in the old one's place, unless somebody else was faster. */
static void store_rewrapped(struct store_keys *keys, const struct store_keys_use *use, const struct load *load,
			    struct seal_bytes wrapped)
{
	uint8_t from[ROW_STORE_KEY_MAX], to[ROW_STORE_KEY_MAX];
	const struct row row = {.kind = ROW_STORE_KEY, .commitment = load->row.commitment, .wrapped = wrapped};
	const struct row_name name = row_name(keys, 'k', load->seek->name.ptr);
	const struct store_call call = store_call_of(use);
	struct seal_err why = SEAL_ERR_INIT;
	bool swapped;

	if (wrapped.len == 0 || wrapped.len > DATA_KEY_WRAPPED_MAX)
		return;
	store_keys_hear(keys, wrapped);
	if (use->store->ops->swap(use->store, STORE_KEYS_SPACE, row_name_bytes(&name),
				  bytes_of(from, row_write(&load->row, from)), bytes_of(to, row_write(&row, to)),
				  false, &swapped, &call, &why) != SEAL_OK)
		log_say(LOG_DEBUG, "a rewrapped key was not stored: %s", why.text);
}

static void rewrap_older(struct store_keys *keys, const struct store_keys_use *use, const struct load *loads,
			 size_t n)
{
	struct seal_bytes *texts = arena_alloc(use->call->arena, n * sizeof(*texts), _Alignof(struct seal_bytes));
	const struct load **of = arena_alloc(use->call->arena, n * sizeof(*of), _Alignof(struct load *));
	struct seal_err why = SEAL_ERR_INIT;
	size_t count = 0;

	for (size_t i = 0; texts != NULL && of != NULL && i < n; i++) {
		if (loads[i].err != NULL || !store_keys_is_older(keys, loads[i].row.wrapped))
			continue;
		texts[count] = loads[i].row.wrapped;
		of[count++] = &loads[i];
	}
	if (count == 0)
		return;
	if (kek_rewrap(&use->kek, texts, count, use->call, &why) != SEAL_OK) {
		log_say(LOG_DEBUG, "keys of a store stay under an older version: %s", why.text);
		return;
	}
	for (size_t i = 0; i < count; i++)
		store_rewrapped(keys, use, of[i], texts[i]);
}

/* The rows of `loads`; those that are there are put into `opened`. */
static enum seal_status read_rows(struct store_keys *keys, const struct store_keys_use *use, struct load *loads,
				  struct kek_item *opened, size_t n, size_t *count, struct seal_err *err)
{
	struct arena *arena = use->call->arena;
	struct store_item *items = arena_alloc(arena, n * sizeof(*items), _Alignof(struct store_item));
	struct row_name *names = arena_alloc(arena, n * sizeof(*names), _Alignof(struct row_name));
	const struct store_call call = store_call_of(use);
	const struct seal_err *last = NULL;
	struct seal_err lost = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;

	if (items == NULL || names == NULL)
		return err_memory(err);
	(void)store_keys_damaged("a store key", &lost);
	for (size_t i = 0; i < n; i++) {
		names[i] = row_name(keys, 'k', loads[i].seek->name.ptr);
		items[i] = (struct store_item){.key = row_name_bytes(&names[i])};
	}
	SEAL_TRY(use->store->ops->get(use->store, STORE_KEYS_SPACE, items, n, &call, err));
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		loads[i].row = row_parse(items[i].value);
		if (loads[i].row.kind == ROW_STORE_KEY) {
			loads[i].opened = &opened[(*count)++];
			loads[i].opened->wrapped = loads[i].row.wrapped;
		} else {
			loads[i].err = item_err_share(arena, &lost, &last);
		}
	}
out:
	return rc;
}

/* Is what the KEK gave the key that the row promised? */
static void check(struct load *load, struct arena *arena, const struct seal_err **last)
{
	struct seal_err other = SEAL_ERR_INIT;
	struct data_key *key;

	if (load->opened == NULL)
		return;
	load->err = load->opened->err;
	key = load->opened->key;
	if (key == NULL || (data_key_has(key, load->row.commitment) &&
			    ct_equal(data_key_commitment(key), load->seek->name.ptr, ROW_ID_LEN)))
		return;
	(void)store_keys_damaged("a store key", &other);
	load->err = item_err_share(arena, &other, last);
	data_key_unref(key);
	load->opened->key = NULL;
}

static enum seal_status load_all(struct store_keys *keys, const struct store_keys_use *use, struct load *loads,
				 size_t n, struct seal_err *err)
{
	struct arena *arena = use->call->arena;
	struct kek_item *opened = arena_alloc(arena, n * sizeof(*opened), _Alignof(struct kek_item));
	const struct seal_err *last = NULL;
	enum seal_status rc;
	size_t count = 0;

	if (opened == NULL)
		return err_memory(err);
	SEAL_TRY(read_rows(keys, use, loads, opened, n, &count, err));
	if (count > 0)
		SEAL_TRY(kek_unwrap(&use->kek, opened, count, use->call, err));
	for (size_t i = 0; i < n; i++)
		check(&loads[i], arena, &last);
	rewrap_older(keys, use, loads, n);
out:
	return rc;
}

/* Loads and settles what this call has to. */
static void open_mine(struct store_keys *keys, const struct store_keys_use *use, struct key_seek *seeks, size_t n)
{
	struct load *loads = arena_alloc(use->call->arena, n * sizeof(*loads), _Alignof(struct load));
	const struct seal_err *failed = NULL, *last = NULL;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;
	size_t count = 0;

	for (size_t i = 0; loads != NULL && i < n; i++)
		if (seeks[i].mine)
			loads[count++] = (struct load){.seek = &seeks[i]};
	if (loads == NULL)
		rc = err_memory(&why);
	else if (count > 0)
		rc = load_all(keys, use, loads, count, &why);
	if (rc != SEAL_OK)
		failed = item_err_share(use->call->arena, &why, &last);
	for (size_t i = 0; i < count && failed == NULL; i++) {
		struct data_key *key = loads[i].err == NULL ? loads[i].opened->key : NULL;

		key_cache_settle(keys->opened, loads[i].seek, key, loads[i].err);
		data_key_unref(key);
	}
	for (size_t i = 0; i < n; i++)
		if (seeks[i].mine)
			key_cache_settle(keys->opened, &seeks[i], NULL, failed);
}

enum seal_status store_keys_open(struct store_keys *keys, const struct store_keys_use *use,
				 struct store_key_want *wants, size_t n, struct seal_err *err)
{
	struct key_seek *seeks = arena_alloc(use->call->arena, n * sizeof(*seeks), _Alignof(struct key_seek));
	const struct seal_err *failure;
	enum seal_status rc = SEAL_OK;

	if (seeks == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		seeks[i].name = bytes_of(wants[i].id, ROW_ID_LEN);
	SEAL_TRY(key_cache_seek(keys->opened, seeks, n, err));
	open_mine(keys, use, seeks, n);
	key_cache_wait(keys->opened, seeks, n, use->call);
	failure = key_seeks_failure(seeks, n);
	if (failure != NULL) {
		rc = err_set(err, failure->status, failure->code, "%s", failure->text);
		key_seeks_release(seeks, n);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		wants[i].key = seeks[i].key;
		wants[i].err = seeks[i].err;
	}
out:
	return rc;
}

enum seal_status store_keys_open_one(struct store_keys *keys, const struct store_keys_use *use, const uint8_t *id,
				     struct data_key **out, struct seal_err *err)
{
	struct store_key_want want = {.id = id};
	enum seal_status rc = store_keys_open(keys, use, &want, 1, err);

	if (rc == SEAL_OK && want.key == NULL)
		rc = err_set(err, want.err->status, want.err->code, "%s", want.err->text);
	*out = want.key;
	return rc;
}
