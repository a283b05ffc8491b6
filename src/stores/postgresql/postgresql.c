/*
 * The operations. A lot goes as arrays: one statement for up to CHUNK_ROWS rows or CHUNK_BYTES, more of them in one transaction.
 *
 *   insert   items ─ sorted by key ─▶ INSERT … ON CONFLICT DO NOTHING RETURNING key ─▶ those that were not returned are read
 *
 * Rows are inserted in the order of their keys, so that two lots with the same rows wait for each other and never both.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "stores/check.h"
#include "stores/postgresql/work.h"

#define CHUNK_ROWS 10000
#define CHUNK_BYTES ((size_t)16 << 20)
#define ARRAY_MAX (2 * CHUNK_BYTES)
#define ROUNDS 5 /* of inserting and reading, when rows go away in between */

/* OFFSET 0 keeps the look-up in the index, key by key: a table that was never analysed would be read whole. */
static const char get_rows[] = "SELECT t.n, r.value FROM unnest($2) WITH ORDINALITY AS t (key, n) CROSS JOIN LATERAL "
			       "(SELECT value FROM sealstream_row WHERE space = $1 AND key = t.key OFFSET 0) AS r";
static const char insert_rows[] =
	"INSERT INTO sealstream_row (space, key, value) SELECT $1, t.key, t.value "
	"FROM unnest($2, $3) WITH ORDINALITY AS t (key, value, n) ORDER BY n ON CONFLICT DO NOTHING RETURNING key";
static const char update_row[] = "UPDATE sealstream_row SET value = $4 WHERE space = $1 AND key = $2 AND value = $3";
static const char delete_row[] = "DELETE FROM sealstream_row WHERE space = $1 AND key = $2 AND value = $3";
static const char scan_rows[] =
	"SELECT key, value FROM sealstream_row WHERE space = $1 AND key > $2 ORDER BY key LIMIT $3";

/* Life ------------------------------------------------------------------------------------------------------------- */

static void session_free(struct store_session *base)
{
	struct postgresql_session *session = (struct postgresql_session *)base;

	if (session == NULL)
		return;
	postgresql_drop(session);
	buf_clear(&session->keys);
	buf_clear(&session->values);
	mem_free(session);
}

static enum seal_status session_new(struct store *base, struct store_session **out, struct seal_err *err)
{
	struct postgresql_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc;

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->base.ops = &postgresql_store;
	session->store = (const struct postgresql *)base;
	session->keys = session->values = (struct seal_buf)BUF_INIT(ARRAY_MAX);
	session->deadline_ms = clock_mono_ms() + STORE_OPEN_MS;
	SEAL_TRY(postgresql_connect(session, err));
	*out = &session->base;
	session = NULL;
out:
	if (session != NULL)
		session_free(&session->base);
	return rc;
}

static void postgresql_free(struct store *base)
{
	struct postgresql *store = (struct postgresql *)base;

	if (store == NULL)
		return;
	mem_free(store->address);
	mem_free(store->shown);
	mem_free(store);
}

static enum seal_status postgresql_open(const char *address, const struct store_config *config, struct store **out,
					struct seal_err *err)
{
	struct postgresql *store = NULL;
	struct store_session *session = NULL;
	const char *why;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (!postgresql_address_check(bytes_str(address), &why))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
	store = mem_calloc(1, sizeof(*store));
	if (store == NULL || (store->address = mem_strdup(address)) == NULL ||
	    (store->shown = mem_strndup(address, strcspn(address, "?"))) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	store->base.ops = &postgresql_store;
	store->create = config->create;
	SEAL_TRY(session_new(&store->base, &session, err)); /* what is wrong is said at start */
	session_free(session);
	*out = &store->base;
	store = NULL;
out:
	if (store != NULL)
		postgresql_free(&store->base);
	return rc;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

static enum seal_status damaged(const struct postgresql_session *session, struct seal_err *err)
{
	return err_set(err, SEAL_FATAL, SEAL_E_KEY_FILE,
		       "the store %s is damaged (a row that is none of ours); bring it back from a backup",
		       session->store->shown);
}

/* Rows of a get: which key of the chunk, and the value. */
static enum seal_status take_rows(struct postgresql_session *session, const PGresult *result,
				  struct store_item **items, size_t n, const struct store_call *call,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (int i = 0; i < PQntuples(result); i++) {
		struct seal_bytes value;
		uint64_t at;

		if (PQftype(result, 0) != OID_INT8 || PQgetlength(result, i, 0) != 8 ||
		    !postgresql_bytes(result, i, 1, STORE_VALUE_MAX, &value))
			return damaged(session, err);
		at = be64_load((const uint8_t *)PQgetvalue(result, i, 0));
		if (at == 0 || at > n)
			return damaged(session, err);
		SEAL_TRY(store_copy(call, value.ptr, value.len, &items[at - 1]->value, err));
	}
out:
	return rc;
}

static enum seal_status get_chunk(struct postgresql_session *session, const char *space, struct store_item **items,
				  size_t n, const struct store_call *call, struct seal_err *err)
{
	struct query query = {.text = get_rows};
	PGresult *result = NULL;
	enum seal_status rc;

	SEAL_TRY(array_begin(&session->keys, n, err));
	for (size_t i = 0; i < n; i++) {
		items[i]->value = BYTES_EMPTY;
		SEAL_TRY(array_add(&session->keys, items[i]->key, err));
	}
	query_text(&query, space);
	query_array(&query, &session->keys);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	SEAL_TRY(take_rows(session, result, items, n, call, err));
out:
	PQclear(result);
	return rc;
}

/* The begin of a call: checks what is asked, notes until when, and points to all items, so that they can be put in order. */
static enum seal_status begin(struct postgresql_session *session, const char *space, struct store_item *items,
			      size_t n, bool with_values, const struct store_call *call, struct store_item ***all,
			      struct seal_err *err)
{
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, n, with_values, err));
	*all = arena_alloc(call->arena, n * sizeof(struct store_item *), _Alignof(struct store_item *));
	if (*all == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		(*all)[i] = &items[i];
out:
	return rc;
}

static enum seal_status postgresql_get(struct store_session *base, const char *space, struct store_item *items,
				       size_t n, const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct store_item **all;
	enum seal_status rc;

	SEAL_TRY(begin(session, space, items, n, false, call, &all, err));
	SEAL_TRY(postgresql_connect(session, err));
	for (size_t at = 0; at < n; at += CHUNK_ROWS)
		SEAL_TRY(get_chunk(session, space, all + at, n - at < CHUNK_ROWS ? n - at : CHUNK_ROWS, call, err));
out:
	return rc;
}

/* Inserting ---------------------------------------------------------------------------------------------------------- */

/* By key; equal ones as they came. */
static int compare(const void *a, const void *b)
{
	const struct store_item *first = *(struct store_item *const *)a, *second = *(struct store_item *const *)b;
	int order = bytes_cmp(first->key, second->key);

	return order != 0 ? order : first < second ? -1 : 1;
}

/* How many of the items go into one statement. */
static size_t chunk_of(struct store_item **items, size_t n)
{
	size_t bytes = 0, i = 0;

	while (i < n && i < CHUNK_ROWS && bytes < CHUNK_BYTES) {
		bytes += items[i]->key.len + items[i]->value.len;
		i++;
	}
	return i;
}

/* Marks the first item of that key. */
static bool mark_inserted(struct store_item **items, size_t n, struct seal_bytes key)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes_cmp(items[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == n || !bytes_eq(items[low]->key, key))
		return false;
	items[low]->inserted = true;
	return true;
}

/* One statement. Those that are there already are moved to the front of `items`, *left of them. */
static enum seal_status try_chunk(struct postgresql_session *session, const char *space, struct store_item **items,
				  size_t n, size_t *left, struct seal_err *err)
{
	struct query query = {.text = insert_rows};
	PGresult *result = NULL;
	struct seal_bytes key;
	enum seal_status rc;

	SEAL_TRY(array_begin(&session->keys, n, err));
	SEAL_TRY(array_begin(&session->values, n, err));
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(array_add(&session->keys, items[i]->key, err));
		SEAL_TRY(array_add(&session->values, items[i]->value, err));
	}
	query_text(&query, space);
	query_array(&query, &session->keys);
	query_array(&query, &session->values);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	for (int i = 0; rc == SEAL_OK && i < PQntuples(result); i++)
		if (!postgresql_bytes(result, i, 0, STORE_KEY_MAX, &key) || !mark_inserted(items, n, key))
			rc = damaged(session, err);
	*left = 0;
	for (size_t i = 0; i < n; i++)
		if (!items[i]->inserted)
			items[(*left)++] = items[i];
out:
	PQclear(result);
	return rc;
}

/* `items` are sorted; their order is used up. */
static enum seal_status insert_chunk(struct postgresql_session *session, const char *space, struct store_item **items,
				     size_t n, const struct store_call *call, struct seal_err *err)
{
	struct seal_bytes *values = arena_alloc(call->arena, n * sizeof(*values), _Alignof(struct seal_bytes));
	enum seal_status rc = SEAL_OK;

	if (values == NULL)
		return err_memory(err);
	for (int round = 0; n > 0; round++) {
		size_t gone = 0;

		if (round == ROUNDS)
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
				       "the store %s: its rows come and go too fast; try again",
				       session->store->shown);
		SEAL_TRY(try_chunk(session, space, items, n, &n, err));
		for (size_t i = 0; i < n; i++)
			values[i] = items[i]->value;
		if (n > 0)
			SEAL_TRY(get_chunk(session, space, items, n, call, err));
		for (size_t i = 0; i < n; i++) {
			if (items[i]->value.ptr != NULL)
				continue;
			items[gone] = items[i]; /* deleted since: once more */
			items[gone++]->value = values[i];
		}
		n = gone;
	}
out:
	return rc;
}

static enum seal_status insert_all(struct postgresql_session *session, const char *space, struct store_item **all,
				   size_t n, const struct store_call *call, struct seal_err *err)
{
	const bool several = chunk_of(all, n) < n;
	enum seal_status rc = SEAL_OK;

	if (several)
		SEAL_TRY(postgresql_do(session, "BEGIN", err));
	for (size_t at = 0, len; at < n; at += len) {
		len = chunk_of(all + at, n - at);
		SEAL_TRY(insert_chunk(session, space, all + at, len, call, err));
	}
	if (several)
		SEAL_TRY(postgresql_do(session, "COMMIT", err));
out:
	if (rc != SEAL_OK && several)
		postgresql_drop(session); /* which rolls back */
	return rc;
}

static enum seal_status postgresql_insert(struct store_session *base, const char *space, struct store_item *items,
					  size_t n, const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct store_item **all;
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		items[i].inserted = false;
	SEAL_TRY(begin(session, space, items, n, true, call, &all, err));
	qsort(all, n, sizeof(struct store_item *), compare);
	SEAL_TRY(postgresql_connect(session, err));
	SEAL_TRY(insert_all(session, space, all, n, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].inserted = false;
	return rc;
}

/* The rest ------------------------------------------------------------------------------------------------------------ */

/* As far as it goes: docs/STORES.md says what the server still has. That it has to wait, or may not, is no failure of the swap. */
static void clean(struct postgresql_session *session)
{
	struct seal_err ignored = SEAL_ERR_INIT;

	if (postgresql_do(session, "VACUUM sealstream_row", &ignored) != SEAL_OK && session->conn != NULL)
		postgresql_drop(session);
}

static enum seal_status postgresql_swap(struct store_session *base, const char *space, struct seal_bytes key,
					struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
					const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	const struct store_item items[] = {{.key = key, .value = from}, {.key = key, .value = to}};
	struct query query = {.text = to.ptr != NULL ? update_row : delete_row};
	PGresult *result = NULL;
	enum seal_status rc;

	store_check_space(space);
	*swapped = false;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, 2, true, err));
	SEAL_TRY(postgresql_connect(session, err));
	query_text(&query, space);
	query_bytes(&query, key);
	query_bytes(&query, from);
	if (to.ptr != NULL)
		query_bytes(&query, to);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	*swapped = strcmp(PQcmdTuples(result), "1") == 0;
	if (*swapped && erase)
		clean(session);
out:
	PQclear(result);
	return rc;
}

static enum seal_status take_scan(struct postgresql_session *session, const PGresult *result,
				  struct store_item **items, size_t *n, const struct store_call *call,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*items = arena_alloc(call->arena, (size_t)PQntuples(result) * sizeof(**items), _Alignof(struct store_item));
	if (*items == NULL)
		return err_memory(err);
	for (int i = 0; i < PQntuples(result); i++) {
		struct store_item *item = &(*items)[i];
		struct seal_bytes key, value;

		if (!postgresql_bytes(result, i, 0, STORE_KEY_MAX, &key) ||
		    !postgresql_bytes(result, i, 1, STORE_VALUE_MAX, &value))
			return damaged(session, err);
		item->inserted = false;
		SEAL_TRY(store_copy(call, key.ptr, key.len, &item->key, err));
		SEAL_TRY(store_copy(call, value.ptr, value.len, &item->value, err));
	}
	*n = (size_t)PQntuples(result);
out:
	return rc;
}

static enum seal_status postgresql_scan(struct store_session *base, const char *space, struct seal_bytes after,
					size_t max, struct store_item **items, size_t *n,
					const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct query query = {.text = scan_rows};
	PGresult *result = NULL;
	uint8_t limit[8];
	enum seal_status rc;

	store_check_space(space);
	*n = 0;
	*items = NULL;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(postgresql_connect(session, err));
	be64_store(limit, max);
	query_text(&query, space);
	query_bytes(&query, after);
	query_number(&query, limit);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	SEAL_TRY(take_scan(session, result, items, n, call, err));
out:
	PQclear(result);
	return rc;
}

const struct store_ops postgresql_store = {
	.size = sizeof(struct store_ops),
	.name = "postgresql",
	.help = "a server that many machines share: postgresql://host:5432/name",
	.check = postgresql_address_check,
	.open = postgresql_open,
	.session = session_new,
	.get = postgresql_get,
	.insert = postgresql_insert,
	.swap = postgresql_swap,
	.scan = postgresql_scan,
	.session_free = session_free,
	.free = postgresql_free,
};
