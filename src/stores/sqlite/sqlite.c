/*
 * The operations. Each is one transaction; whatever fails in it, it is rolled back before the call returns.
 *
 * Invariant: between calls no transaction is open and no statement holds a row, so that a log can always be emptied.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "stores/check.h"
#include "stores/sqlite/work.h"

#define SCHEME "sqlite:"
#define PATH_MAX_LEN 4000

struct sqlite {
	struct store base;
	char *path;
	bool create;
};

bool sqlite_address_check(struct seal_bytes address, const char **why)
{
	struct seal_bytes path = bytes_skip(address, sizeof(SCHEME) - 1);

	*why = "a file stands after sqlite:, like sqlite:keys.db or sqlite:/var/lib/sealstream/keys.db";
	if (!bytes_starts(address, BYTES_LIT(SCHEME)) || path.len == 0 || memchr(path.ptr, '\0', path.len) != NULL)
		return false;
	if (path.ptr[path.len - 1] == '/' || bytes_starts(path, BYTES_LIT("//")))
		return false;
	if (path.ptr[0] == ':') {
		*why = "a store in memory would be gone with the program; name a file";
		return false;
	}
	*why = "the path of the file is too long";
	return path.len <= PATH_MAX_LEN;
}

/* Opening ----------------------------------------------------------------------------------------------------- */

/* With "./" before a relative path nothing of it has a meaning of its own for SQLite ("file:…", ":memory:"). */
static char *path_of(const char *address)
{
	const char *path = address + sizeof(SCHEME) - 1;
	size_t len = strlen(path);
	char *out = mem_alloc(len + 3);

	if (out != NULL)
		snprintf(out, len + 3, "%s%s", path[0] == '/' ? "" : "./", path);
	return out;
}

/* An empty file that only we may read. One that is there already is fine. */
static enum seal_status make_file(const char *path, struct seal_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno != EEXIST)
		return err_set_errno(err, errno == EACCES || errno == EROFS ? SEAL_DENIED : SEAL_USAGE,
				     errno == EACCES || errno == EROFS ? SEAL_E_DENIED : SEAL_E_CREATE, errno,
				     "cannot make the store %s, whose directory must exist", path);
	if (fd >= 0)
		close(fd);
	return SEAL_OK;
}

static enum seal_status find_file(const struct sqlite *store, bool create, struct seal_err *err)
{
	struct stat st;

	if (stat(store->path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return SEAL_OK;
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is no file, so no store", store->path);
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno, "cannot look at the store %s",
				     store->path);
	if (create)
		return make_file(store->path, err);
	return err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT, "there is no store %s: what protects makes it", store->path);
}

static void sqlite_free(struct store *base)
{
	struct sqlite *store = (struct sqlite *)base;

	if (store == NULL)
		return;
	mem_free(store->path);
	mem_free(store);
}

static enum seal_status sqlite_session(struct store *base, struct store_session **out, struct seal_err *err)
{
	const struct sqlite *store = (const struct sqlite *)base;
	struct sqlite_session *session = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(find_file(store, false, err));
	SEAL_TRY(sqlite_session_open(store->path, store->create, &session, err));
	*out = &session->base;
out:
	return rc;
}

static enum seal_status sqlite_open(const char *address, const struct store_config *config, struct store **out,
				    struct seal_err *err)
{
	struct sqlite *store = NULL;
	struct store_session *session = NULL;
	const char *why;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (!sqlite_address_check(bytes_str(address), &why))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
	store = mem_calloc(1, sizeof(*store));
	if (store == NULL || (store->path = path_of(address)) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	store->base.ops = &sqlite_store;
	store->create = config->create;
	SEAL_TRY(find_file(store, store->create, err));
	SEAL_TRY(sqlite_session(&store->base, &session, err)); /* what is wrong is said at start */
	sqlite_session_free(session);
	*out = &store->base;
	store = NULL;
out:
	if (store != NULL)
		sqlite_free(&store->base);
	return rc;
}

/* Operations --------------------------------------------------------------------------------------------------- */

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

static enum seal_status sqlite_get(struct store_session *base, const char *space, struct store_item *items, size_t n,
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

static enum seal_status sqlite_insert(struct store_session *base, const char *space, struct store_item *items,
				      size_t n, const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	enum seal_status rc;

	store_check_space(space);
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, n, true, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN_WRITE, err));
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

static enum seal_status sqlite_swap(struct store_session *base, const char *space, struct seal_bytes key,
				    struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
				    const struct store_call *call, struct seal_err *err)
{
	struct sqlite_session *session = (struct sqlite_session *)base;
	const struct store_item items[] = {{.key = key, .value = from}, {.key = key, .value = to}};
	sqlite3_stmt *statement = session->statements[to.ptr != NULL ? STATEMENT_UPDATE : STATEMENT_DELETE];
	enum seal_status rc;

	store_check_space(space);
	*swapped = false;
	session->deadline_ms = call->deadline_ms;
	SEAL_TRY(store_check_items(items, 2, true, err));
	SEAL_TRY(run(session, STATEMENT_BEGIN_WRITE, err));
	bind_row(statement, space, key);
	bind(statement, 3, from);
	if (to.ptr != NULL)
		bind(statement, 4, to);
	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = sqlite_fail(session, "written", err);
	rest(statement);
	SEAL_TRY(rc);
	*swapped = sqlite3_changes(session->db) == 1;
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

static enum seal_status sqlite_scan(struct store_session *base, const char *space, struct seal_bytes after,
				    size_t max, struct store_item **items, size_t *n, const struct store_call *call,
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

const struct store_ops sqlite_store = {
	.size = sizeof(struct store_ops),
	.name = "sqlite",
	.help = "a file, for programs on one machine: sqlite:keys.db",
	.check = sqlite_address_check,
	.open = sqlite_open,
	.session = sqlite_session,
	.get = sqlite_get,
	.insert = sqlite_insert,
	.swap = sqlite_swap,
	.scan = sqlite_scan,
	.session_free = sqlite_session_free,
	.free = sqlite_free,
};
