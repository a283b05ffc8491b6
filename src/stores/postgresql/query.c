/*
 * Statements: sent with their parameters, never put together of them; answers taken in as they come, until the deadline. Nothing here
 * blocks but poll.
 *
 *   bytea[] as it is sent:  1 | 0 (no NULLs) | 17 (bytea) | n | 1 (first index) | n times: length, bytes      all be32
 */
#include <poll.h>

#include "stores/postgresql/work.h"

#define LOCKS 0x5345414c /* "SEAL": the upper half of the numbers of our locks */

static void add(struct query *query, Oid type, const void *value, size_t len)
{
	SEAL_INVARIANT(query->n < PARAMS_MAX);
	query->types[query->n] = type;
	query->values[query->n] = value;
	query->lengths[query->n++] = (int)len;
}

void query_text(struct query *query, const char *text)
{
	add(query, OID_TEXT, text, strlen(text));
}

/* A NULL pointer would be SQL's NULL. */
void query_bytes(struct query *query, struct seal_bytes bytes)
{
	add(query, OID_BYTEA, bytes.len > 0 ? (const void *)bytes.ptr : "", bytes.len);
}

void query_number(struct query *query, const uint8_t number[8])
{
	add(query, OID_INT8, number, 8);
}

void query_array(struct query *query, const struct seal_buf *array)
{
	add(query, OID_BYTEA_ARRAY, array->ptr, array->len);
}

enum seal_status array_begin(struct seal_buf *array, size_t n, struct seal_err *err)
{
	const uint32_t head[] = {1, 0, OID_BYTEA, (uint32_t)n, 1};
	enum seal_status rc = SEAL_OK;

	buf_reset(array);
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		SEAL_TRY(buf_append_be32(array, head[i], err));
out:
	return rc;
}

enum seal_status array_add(struct seal_buf *array, struct seal_bytes bytes, struct seal_err *err)
{
	return buf_append_lp32(array, bytes, err);
}

/* Everything is on its way, and an answer is there. */
static enum seal_status exchange(struct postgresql_session *session, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	int unsent = PQflush(session->conn);

	while (unsent > 0 || (unsent == 0 && PQisBusy(session->conn))) {
		SEAL_TRY(postgresql_wait(session, unsent > 0 ? POLLIN | POLLOUT : POLLIN, err));
		if (!PQconsumeInput(session->conn))
			break;
		unsent = PQflush(session->conn);
	}
	if (unsent < 0 || PQstatus(session->conn) != CONNECTION_OK)
		rc = postgresql_fail_lost(session, err);
out:
	return rc;
}

/* All answers are taken, so that the next statement can go; the first failure counts, else the last answer. */
static enum seal_status collect(struct postgresql_session *session, PGresult **out, struct seal_err *err)
{
	enum seal_status rc, failed = SEAL_OK;
	PGresult *result;

	for (;;) {
		SEAL_TRY(exchange(session, err));
		result = PQgetResult(session->conn);
		if (result == NULL)
			break;
		if (failed == SEAL_OK && PQresultStatus(result) != PGRES_TUPLES_OK &&
		    PQresultStatus(result) != PGRES_COMMAND_OK)
			failed = postgresql_fail_result(session, result, err);
		PQclear(*out);
		*out = result;
	}
	rc = failed;
out:
	if (rc != SEAL_OK || *out == NULL) {
		PQclear(*out);
		*out = NULL;
		if (rc == SEAL_OK)
			rc = postgresql_fail_lost(session, err);
	}
	if (session->conn != NULL && PQstatus(session->conn) != CONNECTION_OK)
		postgresql_drop(session);
	return rc;
}

enum seal_status postgresql_run(struct postgresql_session *session, const struct query *query, PGresult **out,
				struct seal_err *err)
{
	static const int binary[PARAMS_MAX] = {1, 1, 1, 1};

	*out = NULL;
	if (PQsendQueryParams(session->conn, query->text, query->n, query->types, query->values, query->lengths,
			      binary, 1))
		return collect(session, out, err);
	postgresql_drop(session);
	return postgresql_fail_lost(session, err);
}

enum seal_status postgresql_do(struct postgresql_session *session, const char *text, struct seal_err *err)
{
	PGresult *result = NULL;
	enum seal_status rc;

	if (!PQsendQuery(session->conn, text)) {
		postgresql_drop(session);
		return postgresql_fail_lost(session, err);
	}
	rc = collect(session, &result, err);
	PQclear(result);
	return rc;
}

/* FNV-1a. What it gives is agreed upon by all programs that share a store, so it stays. */
static uint32_t lock_of(const char *space, struct seal_bytes key)
{
	const struct seal_bytes parts[] = {bytes_of(space, strlen(space) + 1), key};
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < parts[i].len; j++)
			hash = (hash ^ parts[i].ptr[j]) * 16777619;
	return hash;
}

enum seal_status postgresql_begin_locked(struct postgresql_session *session, const char *space, struct seal_bytes key,
					 bool shared, struct seal_err *err)
{
	const uint64_t number = (uint64_t)LOCKS << 32 | lock_of(space, key);
	char text[sizeof(BEGIN) + 80];

	snprintf(text, sizeof(text), BEGIN "; SELECT pg_advisory_xact_lock%s(%llu)", shared ? "_shared" : "",
		 (unsigned long long)number);
	return postgresql_do(session, text, err);
}

enum seal_status postgresql_begin_by_index(struct postgresql_session *session, struct seal_err *err)
{
	return postgresql_do(session,
			     BEGIN "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
				   "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;"
				   "SET LOCAL enable_sort = off",
			     err);
}

void postgresql_roll_back(struct postgresql_session *session)
{
	struct seal_err ignored = SEAL_ERR_INIT;

	if (session->conn != NULL && postgresql_do(session, "ROLLBACK", &ignored) != SEAL_OK)
		postgresql_drop(session);
}

bool postgresql_bytes(const PGresult *result, int row, int column, size_t max, struct seal_bytes *out)
{
	if (PQftype(result, column) != OID_BYTEA || PQgetisnull(result, row, column))
		return false;
	*out = bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
	return out->len <= max;
}

bool postgresql_number(const PGresult *result, int row, int column, uint64_t *out)
{
	if (PQftype(result, column) != OID_INT8 || PQgetlength(result, row, column) != 8)
		return false;
	*out = be64_load((const uint8_t *)PQgetvalue(result, row, column));
	return *out <= INT64_MAX;
}
