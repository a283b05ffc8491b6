/* A store of SQLite at work, shared by the files of this folder. */
#ifndef STORES_SQLITE_WORK_H
#define STORES_SQLITE_WORK_H

#include <sqlite3.h>

#include "stores/sqlite/sqlite.h"

enum sqlite_statement {
	STATEMENT_BEGIN,
	STATEMENT_BEGIN_WRITE,
	STATEMENT_COMMIT,
	STATEMENT_GET,
	STATEMENT_INSERT,
	STATEMENT_UPDATE,
	STATEMENT_DELETE,
	STATEMENT_SCAN,
	STATEMENT_COUNT,
	STATEMENTS
};

struct sqlite_session {
	struct store_session base;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS]; /* prepared at their first use */
	uint64_t deadline_ms; /* of the current call */
};

/* Opens a connection to the file, which exists. With `create`, an empty one gets its table. */
SEAL_MUST_USE enum seal_status sqlite_session_open(const char *path, bool create, struct sqlite_session **out,
						   struct seal_err *err);
void sqlite_session_free(struct store_session *session);

/* One that is ready for binding, or NULL: err is set. */
sqlite3_stmt *sqlite_prepared(struct sqlite_session *session, enum sqlite_statement which, struct seal_err *err);

/* The operations of stores/store.h. */
enum seal_status sqlite_get(struct store_session *base, const char *space, struct store_item *items, size_t n,
			    const struct store_call *call, struct seal_err *err);
enum seal_status sqlite_insert(struct store_session *base, const char *space, struct store_item *items, size_t n,
			       const struct store_call *call, struct seal_err *err);
enum seal_status sqlite_swap(struct store_session *base, const char *space, struct seal_bytes key,
			     struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
			     const struct store_call *call, struct seal_err *err);
enum seal_status sqlite_change(struct store_session *base, const char *space, struct store_change *changes, size_t n,
			       const struct store_call *call, struct seal_err *err);
enum seal_status sqlite_count(struct store_session *base, const char *space, struct seal_bytes prefix, uint64_t max,
			      uint64_t *n, const struct store_call *call, struct seal_err *err);
enum seal_status sqlite_scan(struct store_session *base, const char *space, struct seal_bytes after, size_t max,
			     struct store_item **items, size_t *n, const struct store_call *call,
			     struct seal_err *err);

/*
 * After a row with the value `old` was replaced: that this value is in no file any more. `all`: nor any other that was replaced
 * before. Until the call's deadline.
 */
SEAL_MUST_USE enum seal_status sqlite_erase(struct sqlite_session *session, struct seal_bytes old, bool all,
					    struct seal_err *err);

/* Fills err from what the connection's last call gave; `doing` is for the text: "read", "written". */
enum seal_status sqlite_fail(struct sqlite_session *session, const char *doing, struct seal_err *err);

#endif
