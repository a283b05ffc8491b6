/*
 * Compare and swap: one row, for which insertions that it guards are waited for; and lots.
 *
 *   swap     BEGIN with the row's lock, alone ─▶ UPDATE or DELETE ─▶ COMMIT
 *   change   BEGIN ─▶ rows that are as they are known, locked in the order of their keys ─▶ UPDATE those ─▶ DELETE those ─▶ COMMIT
 */
#include <stdlib.h>

#include "base/mem.h"
#include "stores/check.h"
#include "stores/postgresql/work.h"

static const char update_row[] = "UPDATE sealstream_row SET value = $4 WHERE space = $1 AND key = $2 AND value = $3";
static const char delete_row[] = "DELETE FROM sealstream_row WHERE space = $1 AND key = $2 AND value = $3";
/* As get_rows of read.c. */
static const char lock_rows[] =
	"SELECT t.n FROM unnest($2, $3) WITH ORDINALITY AS t (key, value, n) CROSS JOIN LATERAL "
	"(SELECT 1 FROM sealstream_row WHERE space = $1 AND key = t.key AND value = t.value OFFSET 0 FOR UPDATE) AS "
	"r";
/* Rows that are locked stay where they are (ctid). */
#define FIND "CROSS JOIN LATERAL (SELECT ctid FROM sealstream_row WHERE space = $1 AND key = t.key OFFSET 0) AS at"
static const char update_rows[] =
	"UPDATE sealstream_row AS r SET value = found.value FROM (SELECT at.ctid AS id, t.value "
	"FROM unnest($2, $3) AS t (key, value) " FIND ") AS found WHERE r.ctid = found.id";
static const char delete_rows[] = "DELETE FROM sealstream_row AS r USING (SELECT at.ctid AS id "
				  "FROM unnest($2) AS t (key) " FIND ") AS found WHERE r.ctid = found.id";

/* As far as it goes: docs/STORES.md says what the server still has. That it has to wait, or may not, is no failure of the swap. */
static void clean(struct postgresql_session *session)
{
	struct seal_err ignored = SEAL_ERR_INIT;

	if (postgresql_do(session, "VACUUM sealstream_row", &ignored) != SEAL_OK && session->conn != NULL)
		postgresql_drop(session);
}

static enum seal_status swap_row(struct postgresql_session *session, const char *space, struct seal_bytes key,
				 struct seal_bytes from, struct seal_bytes to, bool *swapped, struct seal_err *err)
{
	struct query query = {.text = to.ptr != NULL ? update_row : delete_row};
	PGresult *result = NULL;
	enum seal_status rc;

	query_text(&query, space);
	query_bytes(&query, key);
	query_bytes(&query, from);
	if (to.ptr != NULL)
		query_bytes(&query, to);
	SEAL_TRY(postgresql_begin_locked(session, space, key, false, err));
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	SEAL_TRY(postgresql_do(session, "COMMIT", err));
	*swapped = strcmp(PQcmdTuples(result), "1") == 0;
out:
	if (rc != SEAL_OK)
		postgresql_roll_back(session);
	PQclear(result);
	return rc;
}

enum seal_status postgresql_swap(struct store_session *base, const char *space, struct seal_bytes key,
				 struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
				 const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	const struct store_item items[] = {{.key = key, .value = from}, {.key = key, .value = to}};
	enum seal_status rc;

	store_check_space(space);
	*swapped = false;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, 2, true, err));
	SEAL_TRY(postgresql_connect(session, err));
	SEAL_TRY(swap_row(session, space, key, from, to, swapped, err));
	if (*swapped && erase)
		clean(session);
out:
	return rc;
}

/* Lots --------------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return bytes_cmp((*(struct store_change *const *)a)->key, (*(struct store_change *const *)b)->key);
}

/* How many of the changes go into one statement. */
static size_t chunk_of(struct store_change **changes, size_t n)
{
	size_t bytes = 0, i = 0;

	while (i < n && i < CHUNK_ROWS && bytes < CHUNK_BYTES) {
		bytes += changes[i]->key.len + changes[i]->from.len + changes[i]->to.len;
		i++;
	}
	return i;
}

/* Locks the rows that are as they are known, and marks those changes. */
static enum seal_status lock_chunk(struct postgresql_session *session, const char *space,
				   struct store_change **changes, size_t n, struct seal_err *err)
{
	struct query query = {.text = lock_rows};
	PGresult *result = NULL;
	enum seal_status rc;

	SEAL_TRY(array_begin(&session->keys, n, err));
	SEAL_TRY(array_begin(&session->values, n, err));
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(array_add(&session->keys, changes[i]->key, err));
		SEAL_TRY(array_add(&session->values, changes[i]->from, err));
	}
	query_text(&query, space);
	query_array(&query, &session->keys);
	query_array(&query, &session->values);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	for (int i = 0; i < PQntuples(result); i++) {
		uint64_t at;

		if (!postgresql_number(result, i, 0, &at) || at == 0 || at > n) {
			rc = postgresql_damaged(session, err);
			goto out;
		}
		changes[at - 1]->changed = true;
	}
out:
	PQclear(result);
	return rc;
}

/* Those of the marked ones that are replaced, or those that go away. */
static enum seal_status apply(struct postgresql_session *session, const char *space, struct store_change **changes,
			      size_t n, bool replaced, struct seal_err *err)
{
	struct query query = {.text = replaced ? update_rows : delete_rows};
	PGresult *result = NULL;
	size_t wanted = 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		wanted += changes[i]->changed && (changes[i]->to.ptr != NULL) == replaced;
	if (wanted == 0)
		return SEAL_OK;
	SEAL_TRY(array_begin(&session->keys, wanted, err));
	SEAL_TRY(array_begin(&session->values, wanted, err));
	for (size_t i = 0; i < n; i++) {
		if (!changes[i]->changed || (changes[i]->to.ptr != NULL) != replaced)
			continue;
		SEAL_TRY(array_add(&session->keys, changes[i]->key, err));
		SEAL_TRY(array_add(&session->values, changes[i]->to, err));
	}
	query_text(&query, space);
	query_array(&query, &session->keys);
	if (replaced)
		query_array(&query, &session->values);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
out:
	PQclear(result);
	return rc;
}

static enum seal_status change_all(struct postgresql_session *session, const char *space, struct store_change **all,
				   size_t n, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(postgresql_begin_by_index(session, err));
	for (size_t at = 0, len; at < n; at += len) {
		len = chunk_of(all + at, n - at);
		SEAL_TRY(lock_chunk(session, space, all + at, len, err));
		SEAL_TRY(apply(session, space, all + at, len, true, err));
		SEAL_TRY(apply(session, space, all + at, len, false, err));
	}
	SEAL_TRY(postgresql_do(session, "COMMIT", err));
out:
	if (rc != SEAL_OK)
		postgresql_roll_back(session);
	return rc;
}

enum seal_status postgresql_change(struct store_session *base, const char *space, struct store_change *changes,
				   size_t n, const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct store_change **all;
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_changes(changes, n, err));
	all = arena_alloc(call->arena, n * sizeof(*all), _Alignof(struct store_change *));
	if (all == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		changes[i].changed = false;
		all[i] = &changes[i];
	}
	qsort(all, n, sizeof(*all), compare);
	SEAL_TRY(postgresql_connect(session, err));
	SEAL_TRY(change_all(session, space, all, n, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		changes[i].changed = false;
	return rc;
}
