/*
 * Connections: made by the deadline, looked at before each call, dropped when they are of no use. The table is recognised by its
 * comment, on every new connection.
 *
 *   no table                             ──▶ made, when that is wanted; two that make it at once take turns
 *   comment "sealstream store, version 1" ──▶ ours
 *   a later version                       ──▶ made by a newer sealstream: refused
 *   any other comment, or none            ──▶ somebody else's: refused
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stores/postgresql/work.h"

#define SCHEMA_VERSION 1
#define COMMENT "sealstream store, version "

/*
 * Table and comment of one snapshot: to_regclass sees what others commit while the query runs, the catalogues' rows do not, and a
 * table that has just been made would be one without its comment.
 */
static const char recognise_table[] =
	"SELECT c.oid IS NOT NULL, convert_to(coalesce(d.description, ''), 'UTF8') "
	"FROM (SELECT to_regclass('sealstream_row')::oid AS oid) t LEFT JOIN pg_class c ON c.oid = t.oid "
	"LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0";

/* One transaction. The number is "SEAL". */
static const char make_table[] =
	"SELECT pg_advisory_xact_lock(1397047628);"
	"CREATE TABLE IF NOT EXISTS sealstream_row (space text COLLATE \"C\" NOT NULL, key bytea NOT NULL, "
	"value bytea NOT NULL, PRIMARY KEY (space, key));"
	"COMMENT ON TABLE sealstream_row IS '" COMMENT "1'";

void postgresql_drop(struct postgresql_session *session)
{
	PQfinish(session->conn);
	session->conn = NULL;
}

enum seal_status postgresql_wait(struct postgresql_session *session, short events, struct seal_err *err)
{
	struct pollfd fd = {.fd = PQsocket(session->conn), .events = events};
	uint64_t now_ms = clock_mono_ms(), left_ms;
	int n;

	do {
		now_ms = clock_mono_ms();
		left_ms = now_ms < session->deadline_ms ? session->deadline_ms - now_ms : 0;
		n = poll(&fd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return SEAL_OK;
	postgresql_drop(session);
	return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "the store %s did not answer in time; try again",
		       session->store->shown);
}

static void no_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static enum seal_status establish(struct postgresql_session *session, struct seal_err *err)
{
	static const char *const names[] = {"dbname", "fallback_application_name", NULL};
	const char *const values[] = {session->store->address, "sealstream", NULL};
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	enum seal_status rc = SEAL_OK;

	session->conn = PQconnectStartParams(names, values, 1);
	if (session->conn == NULL)
		return err_memory(err);
	PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(session->conn, no_notice, NULL);
	while (PQstatus(session->conn) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
	       next != PGRES_POLLING_FAILED) {
		SEAL_TRY(postgresql_wait(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, err));
		next = PQconnectPoll(session->conn);
	}
	if (next != PGRES_POLLING_OK || PQsetnonblocking(session->conn, 1) != 0)
		rc = postgresql_fail_connect(session, err);
out:
	if (rc != SEAL_OK)
		postgresql_drop(session);
	return rc;
}

/* The comment of the table that is there. */
static enum seal_status check_comment(const struct postgresql_session *session, struct seal_bytes comment,
				      struct seal_err *err)
{
	uint64_t version = 0;

	if (bytes_starts(comment, BYTES_LIT(COMMENT)) &&
	    bytes_to_u64(bytes_skip(comment, sizeof(COMMENT) - 1), UINT32_MAX, &version) && version == SCHEMA_VERSION)
		return SEAL_OK;
	if (version > SCHEMA_VERSION)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"the store %s was made by a newer sealstream (version %llu of its tables; this one knows "
			"%d); update this one",
			session->store->shown, (unsigned long long)version, SCHEMA_VERSION);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "the store %s has a table sealstream_row that is not ours; name another data base or schema",
		       session->store->shown);
}

static enum seal_status recognise(struct postgresql_session *session, bool *missing, struct seal_err *err)
{
	const struct query query = {.text = recognise_table};
	struct seal_bytes comment = BYTES_EMPTY;
	PGresult *result = NULL;
	enum seal_status rc;

	SEAL_TRY(postgresql_run(session, &query, &result, err));
	if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != 1 ||
	    !postgresql_bytes(result, 0, 1, STORE_VALUE_MAX, &comment)) {
		rc = err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "the store %s does not answer as PostgreSQL does",
			     session->store->shown);
		goto out;
	}
	*missing = PQgetvalue(result, 0, 0)[0] == 0;
	if (!*missing)
		rc = check_comment(session, comment, err);
out:
	PQclear(result);
	return rc;
}

static enum seal_status find_table(struct postgresql_session *session, struct seal_err *err)
{
	bool missing = false;
	enum seal_status rc;

	SEAL_TRY(recognise(session, &missing, err));
	if (!missing)
		return SEAL_OK;
	if (!session->create)
		return err_set(
			err, SEAL_USAGE, SEAL_E_NO_INPUT,
			"the store %s has no table: what protects makes it, and so does `sealstream store init`",
			session->store->shown);
	SEAL_TRY(postgresql_do(session, make_table, err));
out:
	return rc;
}

/* A connection that the server has closed since is readable, and reading finds that out. */
static bool is_live(struct postgresql_session *session)
{
	struct pollfd fd = {.events = POLLIN};

	if (session->conn == NULL)
		return false;
	fd.fd = PQsocket(session->conn);
	if (fd.fd >= 0 && poll(&fd, 1, 0) == 0)
		return true;
	return PQconsumeInput(session->conn) && PQstatus(session->conn) == CONNECTION_OK;
}

enum seal_status postgresql_connect(struct postgresql_session *session, struct seal_err *err)
{
	enum seal_status rc;

	if (is_live(session))
		return SEAL_OK;
	postgresql_drop(session);
	SEAL_TRY(establish(session, err));
	rc = find_table(session, err);
	if (rc != SEAL_OK)
		postgresql_drop(session);
out:
	return rc;
}
