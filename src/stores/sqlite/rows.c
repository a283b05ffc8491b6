/*
 * The operations. Each is one transaction; whatever fails in it, it is rolled back before the call returns.
 *
 * A transaction that writes has the file's one write lock from its begin, so what it reads (a guard) stays so until its end.
 *
 * Invariant: between calls no transaction is open and no statement holds a row, so that a log can always be emptied.
 */
#include "base/mem.h"
#include "stores/check.h"
#include "stores/sqlite/work.h"

/* An empty value is a blob, too: a NULL pointer would be SQL's NULL. */
static int bind(sqlite3_stmt *statement, int at, struct seal_bytes bytes)
{
	return sqlite3_bind_blob(statement, at, bytes.len > 0 ? (const void *)bytes.ptr : "", (int)bytes.len,
				 SQLITE_STATIC);
}

static void bind_row(sqlite3_stmt *statement, const char *space, struct seal_bytes key)
{
	sqlite3_bind_text(statement, 1, space, -1, SQLITE_STATIC);
	bind(statement, 2, key);
}

static void rest(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

static enum seal_status run(struct sqlite_session *session, enum sqlite_statement which, struct seal_err *err)
{
	sqlite3_stmt *statement = session->statements[which];
	enum seal_status rc = SEAL_OK;

	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = sqlite_fail(session, "used", err);
	sqlite3_reset(statement);
	return rc;
}

static void roll_back(struct sqlite_session *session)
{
	for (int i = 0; i < STATEMENTS; i++)
		rest(session->statements[i]);
	session->deadline_ms = UINT64_MAX; /* what is rolled back is not interrupted */
	if (!sqlite3_get_autocommit(session->db))
		sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL);
}

/* The column of the row that the statement stands at. */
static enum seal_status read_column(struct sqlite_session *session, sqlite3_stmt *statement, int column, size_t max,
				    const struct store_call *call, struct seal_bytes *out, struct seal_err *err)
{
	const void *ptr = sqlite3_column_blob(statement, column);
	size_t len = (size_t)sqlite3_column_bytes(statement, column);

	if (sqlite3_column_type(statement, column) != SQLITE_BLOB || len > max)
		return err_set(err, SEAL_FATAL, SEAL_E_KEY_FILE,
			       "the store %s is damaged (a row that is none of ours); bring it back from a backup",
			       session->path);
	if (ptr == NULL && len > 0)
		return err_memory(err);
	return store_copy(call, ptr, len, out, err);
}

static enum seal_status get_one(struct sqlite_session *session, const char *space, struct store_item *item,
				const struct store_call *call, struct seal_err *err)
{
	sqlite3_stmt *statement = session->statements[STATEMENT_GET];
	enum seal_status rc = SEAL_OK;
	int found;

	bind_row(statement, space, item->key);
	found = sqlite3_step(statement);
	item->value = BYTES_EMPTY;
	if (found == SQLITE_ROW)
		rc = read_column(session, statement, 0, STORE_VALUE_MAX, call, &item->value, err);
	else if (found != SQLITE_DONE)
		rc = sqlite_fail(session, "read", err);
	rest(statement);
	return rc;
}

enum seal_status sqlite_get(struct store_session *base, const char *space, struct store_item *items, size_t n,
			    const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, n, false, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(get_one(session, space, &items[i], call, err));
	SEAL_TRY(run(session, STATEMENT_COMMIT, err));
out:
	if (rc != SEAL_OK)
		roll_back(session);
	return rc;
}

static enum seal_status insert_one(struct sqlite_session *session, const char *space, struct store_item *item,
				   const struct store_call *call, struct seal_err *err)
{
	sqlite3_stmt *statement = session->statements[STATEMENT_INSERT];
	enum seal_status rc = SEAL_OK;

	bind_row(statement, space, item->key);
	bind(statement, 3, item->value);
	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = sqlite_fail(session, "written", err);
	rest(statement);
	if (rc != SEAL_OK)
		return rc;
	item->inserted = sqlite3_changes(session->db) == 1;
	return item->inserted ? SEAL_OK : get_one(session, space, item, call, err);
}

static enum seal_status check_guard(struct sqlite_session *session, const char *space, const struct store_call *call,
				    struct seal_err *err)
{
	struct store_item now = {.key = call->guard->key};
	enum seal_status rc;

	SEAL_TRY(get_one(session, space, &now, call, err));
	if (now.value.ptr == NULL || !bytes_eq(now.value, call->guard->value))
		rc = store_guard_fail(call->guard, session->path, err);
out:
	return rc;
}

enum seal_status sqlite_insert(struct store_session *base, const char *space, struct store_item *items, size_t n,
			       const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_guard_begin(call->guard, err));
	SEAL_TRY(store_check_items(items, n, true, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN_WRITE, err));
	if (call->guard != NULL)
		SEAL_TRY(check_guard(session, space, call, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(insert_one(session, space, &items[i], call, err));
	SEAL_TRY(run(session, STATEMENT_COMMIT, err));
out:
	if (rc != SEAL_OK)
		roll_back(session);
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].inserted = false;
	return rc;
}

static enum seal_status change_one(struct sqlite_session *session, const char *space, struct seal_bytes key,
				   struct seal_bytes from, struct seal_bytes to, bool *changed, struct seal_err *err)
{
	sqlite3_stmt *statement = session->statements[to.ptr != NULL ? STATEMENT_UPDATE : STATEMENT_DELETE];
	enum seal_status rc = SEAL_OK;

	bind_row(statement, space, key);
	bind(statement, 3, from);
	if (to.ptr != NULL)
		bind(statement, 4, to);
	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = sqlite_fail(session, "written", err);
	rest(statement);
	*changed = rc == SEAL_OK && sqlite3_changes(session->db) == 1;
	return rc;
}

enum seal_status sqlite_swap(struct store_session *base, const char *space, struct seal_bytes key,
			     struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
			     const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	const struct store_item items[] = {{.key = key, .value = from}, {.key = key, .value = to}};
	enum seal_status rc;

	store_check_space(space);
	*swapped = false;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, 2, true, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN_WRITE, err));
	SEAL_TRY(change_one(session, space, key, from, to, swapped, err));
	rc = run(session, STATEMENT_COMMIT, err);
	if (rc == SEAL_OK && *swapped && erase)
		return sqlite_erase(session, from, bytes_eq(from, to), err);
out:
	if (rc != SEAL_OK) {
		*swapped = false;
		roll_back(session);
	}
	return rc;
}

enum seal_status sqlite_change(struct store_session *base, const char *space, struct store_change *changes, size_t n,
			       const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_changes(changes, n, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN_WRITE, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(change_one(session, space, changes[i].key, changes[i].from, changes[i].to,
				    &changes[i].changed, err));
	SEAL_TRY(run(session, STATEMENT_COMMIT, err));
out:
	if (rc != SEAL_OK)
		roll_back(session);
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		changes[i].changed = false;
	return rc;
}

static enum seal_status read_rows(struct sqlite_session *session, sqlite3_stmt *statement, struct store_item *items,
				  size_t *n, const struct store_call *call, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	int found;

	while ((found = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_item *item = &items[*n];

		item->inserted = false;
		SEAL_TRY(read_column(session, statement, 0, STORE_VALUE_MAX, call, &item->value, err));
		SEAL_TRY(read_column(session, statement, 1, STORE_KEY_MAX, call, &item->key, err));
		(*n)++;
	}
	if (found != SQLITE_DONE)
		rc = sqlite_fail(session, "read", err);
out:
	return rc;
}

enum seal_status sqlite_scan(struct store_session *base, const char *space, struct seal_bytes after, size_t max,
			     struct store_item **items, size_t *n, const struct store_call *call,
			     struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	sqlite3_stmt *statement = session->statements[STATEMENT_SCAN];
	enum seal_status rc;

	store_check_space(space);
	*n = 0;
	session->deadline_ms = call->deadline_ms;
	*items = arena_alloc(call->arena, max * sizeof(**items), _Alignof(struct store_item));
	if (*items == NULL)
		return err_memory(err);
	bind_row(statement, space, after);
	sqlite3_bind_int64(statement, 3, (int64_t)max);
	rc = read_rows(session, statement, *items, n, call, err);
	rest(statement);
	if (rc != SEAL_OK) {
		*n = 0;
		roll_back(session);
	}
	return rc;
}

enum seal_status sqlite_count(struct store_session *base, const char *space, struct seal_bytes prefix, uint64_t max,
			      uint64_t *n, const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	sqlite3_stmt *statement = session->statements[STATEMENT_COUNT];
	uint8_t end[STORE_KEY_MAX + 1];
	enum seal_status rc = SEAL_OK;

	store_check_space(space);
	*n = 0;
	session->deadline_ms = call->deadline_ms;
	bind_row(statement, space, prefix);
	bind(statement, 3, store_prefix_end(prefix, end));
	sqlite3_bind_int64(statement, 4, max < INT64_MAX ? (int64_t)max : INT64_MAX);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*n = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		rc = sqlite_fail(session, "read", err);
	rest(statement);
	if (rc != SEAL_OK)
		roll_back(session);
	return rc;
}
