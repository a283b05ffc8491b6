/*
 * A connection: opened, its file recognised, its statements prepared.
 *
 *   empty file                      ──▶ the table is made, when that is wanted
 *   application_id "SEAL", version 1 ──▶ ours
 *   "SEAL", a later version          ──▶ made by a newer sealstream: refused
 *   anything else                    ──▶ another program's: refused, untouched
 *
 * The journal is a write-ahead log, so that readers and a writer don't wait for each other; every commit is on disk before it
 * is told. What is deleted is overwritten (secure_delete).
 */
#include "base/clock.h"
#include "base/mem.h"
#include "stores/check.h"
#include "stores/sqlite/work.h"

#define APPLICATION_ID 0x5345414c /* "SEAL" */
#define SCHEMA_VERSION 1
#define STEPS_PER_LOOK 4000 /* of SQLite's machine, between looks at the clock */

static const char *const texts[STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN",
	[STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_GET] = "SELECT value FROM sealstream_row WHERE space = ?1 AND key = ?2",
	[STATEMENT_INSERT] =
		"INSERT INTO sealstream_row (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
	[STATEMENT_UPDATE] = "UPDATE sealstream_row SET value = ?4 WHERE space = ?1 AND key = ?2 AND value = ?3",
	[STATEMENT_DELETE] = "DELETE FROM sealstream_row WHERE space = ?1 AND key = ?2 AND value = ?3",
	[STATEMENT_SCAN] =
		"SELECT value, key FROM sealstream_row WHERE space = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
	[STATEMENT_COUNT] = ("SELECT count(*) FROM (SELECT 1 FROM sealstream_row WHERE space = ?1 AND key >= ?2 AND "
			     "key < ?3 LIMIT ?4)"),
};

/* Numbers are those of APPLICATION_ID and SCHEMA_VERSION. */
static const char make_table[] =
	"CREATE TABLE sealstream_row (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "
	"PRIMARY KEY (space, key), CHECK (typeof(key) = 'blob' AND typeof(value) = 'blob')) WITHOUT ROWID;"
	"PRAGMA application_id = 1397047628;"
	"PRAGMA user_version = 1;";

/*
 * What every connection needs; nothing here touches the file. Rows of a lot are spread over all pages, as their keys are: when the log is
 * written back rarely (64 MiB), a page that many lots change is written once.
 */
static const char prepare_connection[] = "PRAGMA synchronous = FULL;"
					 "PRAGMA secure_delete = ON;"
					 "PRAGMA cache_size = -32768;"
					 "PRAGMA wal_autocheckpoint = 16384;"
					 "PRAGMA trusted_schema = OFF;";

/*
 * Waits a little longer each time, until the call's deadline. But not much longer: nobody is told that the lock is free, and who writes
 * lot after lot lets go of it for less than a millisecond; the more often others look, the sooner they get their turn.
 */
static int wait_for_lock(void *arg, int before)
{
	struct sqlite_session *session = arg;
	uint64_t now_ms = clock_mono_ms(), wait_ms = before < 2 ? 1u << before : 4;

	if (now_ms >= session->deadline_ms)
		return 0;
	if (wait_ms > session->deadline_ms - now_ms)
		wait_ms = session->deadline_ms - now_ms;
	sqlite3_sleep((int)wait_ms);
	return 1;
}

static int look_at_clock(void *arg)
{
	return clock_mono_ms() >= ((struct sqlite_session *)arg)->deadline_ms;
}

sqlite3_stmt *sqlite_prepared(struct sqlite_session *session, enum sqlite_statement which, struct seal_err *err)
{
	sqlite3_stmt **statement = &session->statements[which];

	if (*statement == NULL && sqlite3_prepare_v3(session->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
						     statement, NULL) != SQLITE_OK)
		(void)sqlite_fail(session, "read", err);
	return *statement;
}

static enum seal_status execute(struct sqlite_session *session, const char *text, struct seal_err *err)
{
	if (sqlite3_exec(session->db, text, NULL, NULL, NULL) == SQLITE_OK)
		return SEAL_OK;
	return sqlite_fail(session, "opened", err);
}

/* The one number that `text` asks for. */
static enum seal_status ask(struct sqlite_session *session, const char *text, int64_t *out, struct seal_err *err)
{
	sqlite3_stmt *statement = NULL;
	enum seal_status rc = SEAL_OK;

	if (sqlite3_prepare_v2(session->db, text, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		rc = sqlite_fail(session, "opened", err);
	else
		*out = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc;
}

/* *empty: nobody has used the file yet. */
static enum seal_status recognise(struct sqlite_session *session, bool *empty, struct seal_err *err)
{
	int64_t id = 0, version = 0, tables = 0;
	enum seal_status rc;

	SEAL_TRY(ask(session, "PRAGMA application_id", &id, err));
	SEAL_TRY(ask(session, "PRAGMA user_version", &version, err));
	SEAL_TRY(ask(session, "SELECT count(*) FROM sqlite_schema", &tables, err));
	*empty = id == 0 && version == 0 && tables == 0;
	if (*empty || (id == APPLICATION_ID && version == SCHEMA_VERSION))
		return SEAL_OK;
	if (id == APPLICATION_ID && version > SCHEMA_VERSION)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"the store %s was made by a newer sealstream (version %lld of its tables; this one knows "
			"%d); update this one",
			session->path, (long long)version, SCHEMA_VERSION);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "%s is another program's data base and no store; name another file", session->path);
out:
	return rc;
}

/* Others may do the same now: who comes second finds the table. */
static enum seal_status make(struct sqlite_session *session, struct seal_err *err)
{
	bool empty = false;
	enum seal_status rc;

	SEAL_TRY(execute(session, texts[STATEMENT_BEGIN_WRITE], err));
	SEAL_TRY(recognise(session, &empty, err));
	if (empty)
		SEAL_TRY(execute(session, make_table, err));
	SEAL_TRY(execute(session, texts[STATEMENT_COMMIT], err));
out:
	return rc;
}

/* The change to a write-ahead log needs the file for itself, and does not wait by itself. */
static enum seal_status use_wal(struct sqlite_session *session, struct seal_err *err)
{
	sqlite3_stmt *statement = NULL;
	enum seal_status rc = SEAL_OK;
	int done, tries = 0;

	if (sqlite3_prepare_v2(session->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL) != SQLITE_OK)
		return sqlite_fail(session, "opened", err);
	do {
		done = sqlite3_step(statement);
		if (done == SQLITE_BUSY)
			(void)sqlite3_reset(statement);
	} while (done == SQLITE_BUSY && wait_for_lock(session, tries++));
	if (done != SQLITE_ROW)
		rc = sqlite_fail(session, "opened", err);
	else if (sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0)
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"the store %s is on a file system that cannot share it (a network's?); use a local disk, or "
			"postgresql",
			session->path);
	sqlite3_finalize(statement);
	return rc;
}

static void set_up(struct sqlite_session *session)
{
	sqlite3_extended_result_codes(session->db, 1);
	sqlite3_busy_handler(session->db, wait_for_lock, session);
	sqlite3_progress_handler(session->db, STEPS_PER_LOOK, look_at_clock, session);
	sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* What stands in a file that somebody else could write to does nothing here. */
	sqlite3_db_config(session->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(session->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

static enum seal_status open_file(struct sqlite_session *session, bool create, struct seal_err *err)
{
	bool empty = false;
	enum seal_status rc = SEAL_OK;

	if (sqlite3_open_v2(session->path, &session->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return session->db == NULL ? err_memory(err) : sqlite_fail(session, "opened", err);
	set_up(session);
	SEAL_TRY(execute(session, prepare_connection, err));
	SEAL_TRY(execute(session, texts[STATEMENT_BEGIN],
			 err)); /* somebody else may make the table between two questions */
	SEAL_TRY(recognise(session, &empty, err));
	SEAL_TRY(execute(session, texts[STATEMENT_COMMIT], err));
	if (empty && !create)
		return err_set(
			err, SEAL_USAGE, SEAL_E_NO_INPUT,
			"the store %s is empty: what protects makes its table, and so does `sealstream store init`",
			session->path);
	SEAL_TRY(use_wal(session, err));
	if (empty)
		SEAL_TRY(make(session, err));
	for (int i = 0; i < STATEMENTS && rc == SEAL_OK; i++)
		if (sqlite_prepared(session, i, err) == NULL)
			rc = err != NULL && err->status != SEAL_OK ? err->status : SEAL_FATAL;
out:
	return rc;
}

enum seal_status sqlite_session_open(const char *path, bool create, struct sqlite_session **out, struct seal_err *err)
{
	struct sqlite_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (session == NULL || (session->path = mem_strdup(path)) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	session->base.ops = &sqlite_store;
	session->deadline_ms = clock_mono_ms() + STORE_OPEN_MS;
	SEAL_TRY(open_file(session, create, err));
	*out = session;
	session = NULL;
out:
	if (session != NULL)
		sqlite_session_free(&session->base);
	return rc;
}

void sqlite_session_free(struct store_session *base)
{
	struct sqlite_session *session = (struct sqlite_session *)base;

	if (session == NULL)
		return;
	session->deadline_ms = clock_mono_ms() + STORE_OPEN_MS; /* the last one out empties the log */
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(session->statements[i]);
	sqlite3_close(session->db);
	mem_free(session->path);
	mem_free(session);
}
