/*
 * What SQLite says, as a class that callers can act on. Only its constant texts are shown, never a row.
 *
 *   busy, locked, interrupted at the deadline, disk full   SEAL_RETRY
 *   not allowed by the file system                         SEAL_DENIED
 *   damaged, or no data base                               SEAL_FATAL, SEAL_E_KEY_FILE
 *   the rest                                               SEAL_FATAL
 */
#include "stores/sqlite/work.h"

enum seal_status sqlite_fail(struct sqlite_session *session, const char *doing, struct seal_err *err)
{
	const char *path = session->path;
	int code = sqlite3_extended_errcode(session->db);

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return err_memory(err);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			       "the store %s is busy: another process writes; try again", path);
	case SQLITE_INTERRUPT:
		return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "the store %s was not %s in time; try again", path,
			       doing);
	case SQLITE_FULL:
		return err_set(err, SEAL_RETRY, SEAL_E_IO, "the store %s cannot be %s: the disk is full; make room",
			       path, doing);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "the store %s cannot be %s (%s): this user needs to read and write it and its "
			       "directory",
			       path, doing, sqlite3_errstr(code));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table that is not as ours: somebody changed it */
	case SQLITE_SCHEMA:
		return err_set(err, SEAL_FATAL, SEAL_E_KEY_FILE,
			       "the store %s is damaged (%s); bring it back from a backup", path,
			       sqlite3_errstr(code));
	default:
		return err_set(err, SEAL_FATAL, SEAL_E_IO, "the store %s cannot be %s: %s", path, doing,
			       sqlite3_errstr(code));
	}
}
