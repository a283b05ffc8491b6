/* A store of PostgreSQL at work, shared by the files of this folder. */
#ifndef STORES_POSTGRESQL_WORK_H
#define STORES_POSTGRESQL_WORK_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "stores/postgresql/postgresql.h"

/* Of the server's catalogue; fixed for ever. */
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_TEXT 25
#define OID_BYTEA_ARRAY 1001

/* Of a statement; an array is sent as a whole. */
#define CHUNK_ROWS 10000
#define CHUNK_BYTES ((size_t)16 << 20)
#define ARRAY_MAX (2 * CHUNK_BYTES)
/* Whatever the server's default is. */
#define BEGIN "BEGIN ISOLATION LEVEL READ COMMITTED"

#define STATE_LEN 5 /* characters of an SQLSTATE */

struct postgresql {
	struct store base;
	char *address;
	char *shown; /* the address up to its parameters, for messages */
	bool create;
};

struct postgresql_session {
	struct store_session base;
	const struct postgresql *store;
	bool create; /* the table, where it is missing */
	PGconn *conn; /* NULL: none, or lost */
	uint64_t deadline_ms; /* of the current call */
	struct seal_buf keys, values; /* arrays as they are sent */
};

/* A statement with its parameters, all binary. */
#define PARAMS_MAX 4
struct query {
	const char *text;
	int n;
	Oid types[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX];
};

void query_text(struct query *query, const char *text);
void query_bytes(struct query *query, struct seal_bytes bytes);
/* `number` in network order, of the caller's. */
void query_number(struct query *query, const uint8_t number[8]);
void query_array(struct query *query, const struct seal_buf *array);

/* An array of bytea, as it is sent: begun, n times added to. */
SEAL_MUST_USE enum seal_status array_begin(struct seal_buf *array, size_t n, struct seal_err *err);
SEAL_MUST_USE enum seal_status array_add(struct seal_buf *array, struct seal_bytes bytes, struct seal_err *err);

/* A live connection to a server that has our table, by the session's deadline; nothing to do when there is one. */
SEAL_MUST_USE enum seal_status postgresql_connect(struct postgresql_session *session, struct seal_err *err);
/* Waits for the socket: POLLIN, POLLOUT. Past the deadline the connection is dropped. */
SEAL_MUST_USE enum seal_status postgresql_wait(struct postgresql_session *session, short events,
					       struct seal_err *err);
void postgresql_drop(struct postgresql_session *session);

/* Runs it; *out is the caller's to PQclear. The connection is one of postgresql_connect. */
SEAL_MUST_USE enum seal_status postgresql_run(struct postgresql_session *session, const struct query *query,
					      PGresult **out, struct seal_err *err);
/* The same for statements without parameters or results. */
SEAL_MUST_USE enum seal_status postgresql_do(struct postgresql_session *session, const char *text,
					     struct seal_err *err);
/*
 * Begins a transaction in which what a statement waited for is seen by the next one, with a row's lock until its end: `shared` by
 * insertions that it guards, or alone for who swaps it. Locks are given in the order in which they are asked for, so nobody waits
 * for ever. The row need not be there.
 */
SEAL_MUST_USE enum seal_status postgresql_begin_locked(struct postgresql_session *session, const char *space,
						       struct seal_bytes key, bool shared, struct seal_err *err);
/*
 * Begins a transaction whose statements go by the index, row by row: of a table that was never analysed the server thinks that it is
 * small, and of a large lot that reading all of the table is cheaper.
 */
SEAL_MUST_USE enum seal_status postgresql_begin_by_index(struct postgresql_session *session, struct seal_err *err);
/* Ends a transaction that failed; without a word. */
void postgresql_roll_back(struct postgresql_session *session);
/* The column of a result, a view of it. False: no bytea of at most `max` bytes. */
bool postgresql_bytes(const PGresult *result, int row, int column, size_t max, struct seal_bytes *out);

/* The begin of a call: checks what is asked, notes until when, and points to all items, so that they can be put in order. */
SEAL_MUST_USE enum seal_status postgresql_begin(struct postgresql_session *session, const char *space,
						struct store_item *items, size_t n, bool with_values,
						const struct store_call *call, struct store_item ***all,
						struct seal_err *err);
/* Reads up to CHUNK_ROWS rows. */
SEAL_MUST_USE enum seal_status postgresql_get_chunk(struct postgresql_session *session, const char *space,
						    struct store_item **items, size_t n,
						    const struct store_call *call, struct seal_err *err);

/* The operations of stores/store.h. */
enum seal_status postgresql_get(struct store_session *base, const char *space, struct store_item *items, size_t n,
				const struct store_call *call, struct seal_err *err);
enum seal_status postgresql_insert(struct store_session *base, const char *space, struct store_item *items, size_t n,
				   const struct store_call *call, struct seal_err *err);
enum seal_status postgresql_swap(struct store_session *base, const char *space, struct seal_bytes key,
				 struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
				 const struct store_call *call, struct seal_err *err);
enum seal_status postgresql_change(struct store_session *base, const char *space, struct store_change *changes,
				   size_t n, const struct store_call *call, struct seal_err *err);
enum seal_status postgresql_count(struct store_session *base, const char *space, struct seal_bytes prefix,
				  uint64_t max, uint64_t *n, const struct store_call *call, struct seal_err *err);
enum seal_status postgresql_scan(struct store_session *base, const char *space, struct seal_bytes after, size_t max,
				 struct store_item **items, size_t *n, const struct store_call *call,
				 struct seal_err *err);

/* The same for a number that is not negative. */
bool postgresql_number(const PGresult *result, int row, int column, uint64_t *out);

/* What a failed result, or a connection that was not made, means; fills err. */
enum seal_status postgresql_damaged(const struct postgresql_session *session, struct seal_err *err);
enum seal_status postgresql_fail_result(struct postgresql_session *session, const PGresult *result,
					struct seal_err *err);
enum seal_status postgresql_fail_connect(struct postgresql_session *session, struct seal_err *err);
enum seal_status postgresql_fail_lost(struct postgresql_session *session, struct seal_err *err);

#endif
