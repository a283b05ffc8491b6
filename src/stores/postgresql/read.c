/* Reading rows: by key, a lot with one statement for up to CHUNK_ROWS; all of a space; how many there are. */
#include "stores/check.h"
#include "stores/postgresql/work.h"

/* OFFSET 0 keeps the look-up in the index, key by key: a table that was never analysed would be read whole. */
static const char get_rows[] = "SELECT t.n, r.value FROM unnest($2) WITH ORDINALITY AS t (key, n) CROSS JOIN LATERAL "
			       "(SELECT value FROM sealstream_row WHERE space = $1 AND key = t.key OFFSET 0) AS r";
static const char scan_rows[] =
	"SELECT key, value FROM sealstream_row WHERE space = $1 AND key > $2 ORDER BY key LIMIT $3";
static const char count_rows[] =
	"SELECT count(*) FROM (SELECT 1 FROM sealstream_row WHERE space = $1 AND key >= $2 AND "
	"key < $3 LIMIT $4) AS r";

enum seal_status postgresql_damaged(const struct postgresql_session *session, struct seal_err *err)
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

		if (!postgresql_number(result, i, 0, &at) || at == 0 || at > n ||
		    !postgresql_bytes(result, i, 1, STORE_VALUE_MAX, &value))
			return postgresql_damaged(session, err);
		SEAL_TRY(store_copy(call, value.ptr, value.len, &items[at - 1]->value, err));
	}
out:
	return rc;
}

enum seal_status postgresql_get_chunk(struct postgresql_session *session, const char *space,
				      struct store_item **items, size_t n, const struct store_call *call,
				      struct seal_err *err)
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
enum seal_status postgresql_begin(struct postgresql_session *session, const char *space, struct store_item *items,
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

enum seal_status postgresql_get(struct store_session *base, const char *space, struct store_item *items, size_t n,
				const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	const bool several = n > CHUNK_ROWS; /* all of them see the rows of one moment */
	struct store_item **all;
	enum seal_status rc;

	SEAL_TRY(postgresql_begin(session, space, items, n, false, call, &all, err));
	SEAL_TRY(postgresql_connect(session, err));
	if (several)
		SEAL_TRY(postgresql_do(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
	for (size_t at = 0; at < n; at += CHUNK_ROWS)
		SEAL_TRY(postgresql_get_chunk(session, space, all + at, n - at < CHUNK_ROWS ? n - at : CHUNK_ROWS,
					      call, err));
	if (several)
		SEAL_TRY(postgresql_do(session, "COMMIT", err));
out:
	if (rc != SEAL_OK && several)
		postgresql_roll_back(session);
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
			return postgresql_damaged(session, err);
		item->inserted = false;
		SEAL_TRY(store_copy(call, key.ptr, key.len, &item->key, err));
		SEAL_TRY(store_copy(call, value.ptr, value.len, &item->value, err));
	}
	*n = (size_t)PQntuples(result);
out:
	return rc;
}

enum seal_status postgresql_scan(struct store_session *base, const char *space, struct seal_bytes after, size_t max,
				 struct store_item **items, size_t *n, const struct store_call *call,
				 struct seal_err *err)
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
	SEAL_TRY(postgresql_begin_by_index(session, err));
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	SEAL_TRY(postgresql_do(session, "COMMIT", err));
	SEAL_TRY(take_scan(session, result, items, n, call, err));
out:
	if (rc != SEAL_OK)
		postgresql_roll_back(session);
	PQclear(result);
	return rc;
}

enum seal_status postgresql_count(struct store_session *base, const char *space, struct seal_bytes prefix,
				  uint64_t max, uint64_t *n, const struct store_call *call, struct seal_err *err)
{
	struct postgresql_session *session = (struct postgresql_session *)base;
	struct query query = {.text = count_rows};
	uint8_t end[STORE_KEY_MAX + 1], limit[8];
	PGresult *result = NULL;
	enum seal_status rc;

	store_check_space(space);
	*n = 0;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(postgresql_connect(session, err));
	be64_store(limit, max < INT64_MAX ? max : INT64_MAX);
	query_text(&query, space);
	query_bytes(&query, prefix);
	query_bytes(&query, store_prefix_end(prefix, end));
	query_number(&query, limit);
	SEAL_TRY(postgresql_run(session, &query, &result, err));
	if (PQntuples(result) != 1 || !postgresql_number(result, 0, 0, n))
		rc = postgresql_damaged(session, err);
out:
	PQclear(result);
	return rc;
}
