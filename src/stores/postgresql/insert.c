/*
 * Inserting. A lot goes as arrays: one statement for up to CHUNK_ROWS rows or CHUNK_BYTES, more of them in one transaction.
 *
 *   insert   items ─ sorted by key ─▶ INSERT … ON CONFLICT DO NOTHING RETURNING key ─▶ those that were not returned are read
 *
 *   guarded  BEGIN with the guard's lock, shared ─▶ guard's row read ─▶ as above ─▶ COMMIT, which gives the lock back
 *
 * Rows are inserted in the order of their keys, so that two lots with the same rows wait for each other and never both. The lock
 * comes in a statement of its own, as a statement sees the rows of when it began: what it waited for, it would not see.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "stores/check.h"
#include "stores/postgresql/work.h"

#define ROUNDS 5 /* of inserting and reading, when rows go away in between */

static const char insert_rows[] =
	"INSERT INTO sealstream_row (space, key, value) SELECT $1, t.key, t.value "
	"FROM unnest($2, $3) WITH ORDINALITY AS t (key, value, n) ORDER BY n ON CONFLICT DO NOTHING RETURNING key";
static const char guard_row[] = "SELECT 1 FROM sealstream_row WHERE space = $1 AND key = $2 AND value = $3";

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
			rc = postgresql_damaged(session, err);
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
			SEAL_TRY(postgresql_get_chunk(session, space, items, n, call, err));
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

/* Begins a transaction until whose end nobody swaps the guard's row, which is as it should be. */
static enum seal_status begin_guarded(struct postgresql_session *session, const char *space,
				      struct store_guard *guard, struct seal_err *err)
{
	struct query query = {.text = guard_row};
	PGresult *result = NULL;
	enum seal_status rc;

	SEAL_TRY(postgresql_begin_locked(session, space, guard->key, true, err));
	query_text(&query, space);
	query_bytes(&query, guard->key);
	query_bytes(&query, guard->value);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	if (PQntuples(result) != 1)
		rc = store_guard_fail(guard, session->store->shown, err);
out:
	PQclear(result);
	return rc;
}

static enum seal_status insert_all(struct postgresql_session *session, const char *space, struct store_item **all,
				   size_t n, const struct store_call *call, struct seal_err *err)
{
	const bool several = chunk_of(all, n) < n || call->guard != NULL;
	enum seal_status rc = SEAL_OK;

	if (call->guard != NULL)
		SEAL_TRY(begin_guarded(session, space, call->guard, err));
	else if (several)
		SEAL_TRY(postgresql_do(session, BEGIN, err));
	for (size_t at = 0, len; at < n; at += len) {
		len = chunk_of(all + at, n - at);
		SEAL_TRY(insert_chunk(session, space, all + at, len, call, err));
	}
	if (several)
		SEAL_TRY(postgresql_do(session, "COMMIT", err));
out:
	if (rc != SEAL_OK && several)
		postgresql_roll_back(session);
	return rc;
}

enum seal_status postgresql_insert(struct store_session *base, const char *space, struct store_item *items, size_t n,
				   const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct store_item **all;
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		items[i].inserted = false;
	SEAL_TRY(store_guard_begin(call->guard, err));
	SEAL_TRY(postgresql_begin(session, space, items, n, true, call, &all, err));
	qsort(all, n, sizeof(struct store_item *), compare);
	SEAL_TRY(postgresql_connect(session, err));
	SEAL_TRY(insert_all(session, space, all, n, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].inserted = false;
	return rc;
}
