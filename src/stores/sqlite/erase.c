/*
 * Erasing: that an old value stands in no file any more.
 *
 *   row replaced ──▶ its page in the log ──▶ log written back and cut ──▶ is the value still in the file? ──▶ VACUUM
 *
 * SQLite overwrites what is deleted (secure_delete), but a tool that writes to the file without that leaves copies. So the file is
 * searched, and made anew when one is found.
 *
 * The file is read through SQLite's own handle: another one, when closed, would take away the process's locks (POSIX).
 */
#include "base/clock.h"
#include "base/mem.h"
#include "stores/sqlite/work.h"

#define CHUNK ((size_t)1 << 20)
#define PROBE_MAX                                                                                                    \
	256 /* bytes of the value that are looked for: what stands in a page, and no overflow page, which are wiped */

/* The log's old pages; readers of older states hold that up. */
static enum seal_status empty_log(struct sqlite_session *session, struct seal_err *err)
{
	int code = sqlite3_wal_checkpoint_v2(session->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	return code == SQLITE_OK ? SEAL_OK : sqlite_fail(session, "written", err);
}

static enum seal_status file_has(struct sqlite_session *session, struct seal_bytes probe, bool *has,
				 struct seal_err *err)
{
	const size_t overlap = probe.len - 1;
	uint8_t *chunk = mem_calloc(1, CHUNK + overlap);
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	enum seal_status rc = SEAL_OK;

	*has = false;
	if (chunk == NULL)
		return err_memory(err);
	if (sqlite3_file_control(session->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		rc = sqlite_fail(session, "read", err);
	for (sqlite3_int64 at = 0; rc == SEAL_OK && !*has && at < size; at += (sqlite3_int64)CHUNK) {
		size_t len = CHUNK + overlap;
		int code;

		if ((sqlite3_int64)len > size - at)
			len = (size_t)(size - at);
		code = file->pMethods->xRead(file, chunk, (int)len, at);
		if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) /* short: another process cut the file */
			rc = err_set(err, SEAL_FATAL, SEAL_E_IO, "the store %s cannot be read: %s", session->path,
				     sqlite3_errstr(code));
		*has = memmem(chunk, len, probe.ptr, probe.len) != NULL;
	}
	mem_free(chunk);
	return rc;
}

static enum seal_status make_anew(struct sqlite_session *session, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (sqlite3_exec(session->db, "VACUUM", NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_fail(session, "written", err);
	SEAL_TRY(empty_log(session, err));
out:
	return rc;
}

enum seal_status sqlite_erase(struct sqlite_session *session, struct seal_bytes old, bool all, struct seal_err *err)
{
	const struct seal_bytes probe = bytes_of(old.ptr, old.len < PROBE_MAX ? old.len : PROBE_MAX);
	bool has = all;
	enum seal_status rc;

	SEAL_TRY(empty_log(session, err));
	if (!all && probe.len > 0)
		SEAL_TRY(file_has(session, probe, &has, err));
	if (has)
		SEAL_TRY(make_anew(session, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "the row is replaced, but its old value may still be in the file, so do it again");
	return rc;
}
