/*
 * What a server says, as a class that callers can act on.
 *
 *   not reachable, shutting down, full, overloaded, busy, a deadlock   SEAL_RETRY
 *   login, rights, a server that only reads                            SEAL_DENIED
 *   no such data base, a wrong address                                 SEAL_USAGE
 *   the rest                                                           SEAL_FATAL
 *
 * Shown are the SQLSTATE and the message's first line. Its details, which may quote rows, are not; a password is in none of them.
 */
#include "stores/postgresql/work.h"

struct class_of_state {
	const char *prefix; /* of the SQLSTATE; the first that fits counts */
	enum seal_status status;
	enum seal_code code;
	const char *hint;
};

static const struct class_of_state classes[] = {
	{"08", SEAL_RETRY, SEAL_E_SERVICE, "try again"},
	{"53100", SEAL_RETRY, SEAL_E_SERVICE, "make room on the server's disk"},
	{"53", SEAL_RETRY, SEAL_E_SERVICE, "the server is short of connections or memory; try again"},
	{"57014", SEAL_RETRY, SEAL_E_TIMEOUT, "try again"},
	{"57P", SEAL_RETRY, SEAL_E_SERVICE, "the server starts or stops; try again"},
	{"40", SEAL_RETRY, SEAL_E_BUSY, "try again"},
	{"55P03", SEAL_RETRY, SEAL_E_BUSY, "try again"},
	{"28", SEAL_DENIED, SEAL_E_DENIED,
	 "look at the user, at PGPASSFILE or PGPASSWORD, and at the server's pg_hba.conf"},
	{"42501", SEAL_DENIED, SEAL_E_DENIED, "docs/STORES.md says which rights are needed"},
	{"25006", SEAL_DENIED, SEAL_E_DENIED, "this server only reads; name the one that writes"},
	{"3D000", SEAL_USAGE, SEAL_E_CONFIG, "create it, or correct the address"},
	{"3F000", SEAL_USAGE, SEAL_E_CONFIG, "create a schema, or set the user's search_path"},
	{"42", SEAL_FATAL, SEAL_E_KEY_FILE, "its table is not as this program made it"},
	{"XX", SEAL_FATAL, SEAL_E_KEY_FILE, "bring the data base back from a backup"},
	{"", SEAL_FATAL, SEAL_E_IO, "look at the server's log"},
};

static enum seal_status fail(struct postgresql_session *session, const char *state, const char *message,
			     struct seal_err *err)
{
	const struct class_of_state *class = classes;

	while (strncmp(state, class->prefix, strlen(class->prefix)) != 0)
		class ++;
	return err_set(err, class->status, class->code, "the store %s: %.*s (%.5s); %s", session->store->shown,
		       (int)strcspn(message, "\n"), message, state, class->hint);
}

enum seal_status postgresql_fail_result(struct postgresql_session *session, const PGresult *result,
					struct seal_err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL || message == NULL) /* libpq's own: the connection broke */
		return postgresql_fail_lost(session, err);
	return fail(session, state, message, err);
}

enum seal_status postgresql_fail_lost(struct postgresql_session *session, struct seal_err *err)
{
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the store %s: the connection was lost; try again",
		       session->store->shown);
}

/*
 * A server that refuses a connection says why in a message alone; in its verbose form that has the SQLSTATE:
 * "…: FATAL:  28P01: password authentication failed …".
 */
static const char *find_state(const char *message)
{
	static const char state_letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  "))
		if (strspn(at + 3, state_letters) == STATE_LEN && at[3 + STATE_LEN] == ':')
			return at + 3;
	return NULL;
}

enum seal_status postgresql_fail_connect(struct postgresql_session *session, struct seal_err *err)
{
	const char *message = PQerrorMessage(session->conn), *state = find_state(message);

	if (state != NULL)
		return fail(session, state, state + STATE_LEN + 2, err);
	if (PQconnectionNeedsPassword(session->conn))
		return err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"the store %s wants a password: put one into the file of PGPASSFILE (~/.pgpass) or into "
			"PGPASSWORD",
			session->store->shown);
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the store %s is not reachable: %.*s", session->store->shown,
		       (int)strcspn(message, "\n"), message);
}
