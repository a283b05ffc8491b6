/*
 * Transit keys and their sessions.
 *
 *   transit_key.c     reading a key at start and again, what it can do
 *   transit.c         sessions: encrypt, decrypt, hmac, rewrap
 *   transit_item.c    one item of a lot: its JSON, its result
 *   transit_error.c   the server's texts, and whose fault they are
 *   transit_rewrap.c, transit_data_key.c
 *
 * Internal to src/vault.
 */
#ifndef VAULT_TRANSIT_H
#define VAULT_TRANSIT_H

#include <stdatomic.h>

#include "vault/batch.h"
#include "vault/source.h"

enum transit_call {
	TRANSIT_ENCRYPT,
	TRANSIT_DECRYPT,
	TRANSIT_REWRAP,
	TRANSIT_HMAC,
	TRANSIT_DATA_KEY, /* datakey/plaintext */
	TRANSIT_WRAPPED_KEY, /* datakey/wrapped */
	TRANSIT_CALLS
};

struct transit_key {
	struct key base;
	struct vault_source *source;
	const char *name; /* "transit/pii", for messages */
	const char *paths[TRANSIT_CALLS]; /* "transit/encrypt/pii" … */
	const char *read_path, *list_path; /* "transit/keys/pii", "transit/keys?list=true" */
	const char *last; /* "pii" */
	struct arena arena; /* of the strings */
	struct key_info info; /* as read at start; what it can do never changes after that */
	pthread_mutex_t lock; /* guards `now` */
	struct key_info now; /* as read last: its versions */
	_Atomic uint32_t latest; /* the newest version seen, in the key or in what the server returned */
	_Atomic uint64_t read_ms; /* when the key was read last */
	size_t overhead; /* bytes that encryption adds */
	bool old; /* the server is older than Vault 1.11: it would ignore associated data, and not even say so */
};

struct transit_session {
	struct key_session base;
	struct transit_key *key;
	struct vault_batch *batch;
	struct vault_answer *answer; /* of data keys */
	const struct seal_err
		*failed; /* of the call under way: the last item's error, shared by items that fail alike */
};

/* A lot on its way through one kind of call. */
struct transit_lot {
	struct transit_session *session;
	const struct key_call *call;
	enum transit_call what;
	struct key_item **items; /* those that are sent */
	size_t n;
	bool bound; /* some item has associated data */
	uint32_t version; /* of the key, asked for; 0: the newest that may */
	struct seal_bytes aad; /* the last one that was written … */
	char aad_base64[512]; /* … and its text, if it fits */
	size_t aad_len;
};

SEAL_MUST_USE enum seal_status transit_session_new(struct key *key, struct key_session **out, struct seal_err *err);

/* Reads the key again if that was more than `age_ms` ago. */
SEAL_MUST_USE enum seal_status transit_key_refresh(struct transit_key *key, struct vault_worker *worker,
						   uint64_t age_ms, uint64_t deadline_ms, struct seal_err *err);
/* A version that the server has used. */
void transit_key_saw(struct transit_key *key, uint32_t version);

/* Members of vault_job; `arg` is a struct transit_lot. */
size_t transit_item_size(void *arg, size_t item);
uint8_t *transit_item_write(void *arg, size_t item, uint8_t *to);
enum seal_status transit_item_read(void *arg, size_t item, const struct vault_result *result, struct seal_err *err);
enum seal_status transit_item_refused(void *arg, size_t item, const struct seal_err *why, struct seal_err *err);
enum vault_blame transit_blame(void *arg, size_t first, size_t n, unsigned status, const char *text,
			       struct seal_err *err);

/* The version of a whole text, before it is sent; 0: it is damaged, and the item has its error. */
uint32_t transit_text_version(struct transit_lot *lot, struct key_item *item);
/* Not for secrets: is it a text of the server's making? Its version, or 0; *raw is how much base64 stands in it. */
uint32_t transit_text_check(struct seal_bytes text, size_t *raw);
/* Sets item->err to a copy in the call's arena, with SEAL_DATA. */
void transit_item_fail(struct transit_lot *lot, struct key_item *item, const struct seal_err *why);

/* An empty lot with room for n items; forgets the errors of the call before. */
SEAL_MUST_USE enum seal_status transit_lot_begin(struct transit_lot *lot, struct key_session *session,
						 enum transit_call what, size_t n, const struct key_call *call,
						 struct seal_err *err);
/* SEAL_USAGE: the key is derived, and the item has nothing to derive from. */
SEAL_MUST_USE enum seal_status transit_lot_add(struct transit_lot *lot, struct key_item *item, struct seal_err *err);
/* Sends the items of the lot and takes their results. */
SEAL_MUST_USE enum seal_status transit_lot_send(struct transit_lot *lot, struct seal_err *err);

enum seal_status transit_rewrap(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err);
enum seal_status transit_data_key(struct key_session *session, size_t len, struct seal_bytes aad,
				  struct secret *plain, struct seal_bytes *wrapped, const struct key_call *call,
				  struct seal_err *err);

/*
 * What `text` of the server means for the item (NULL: for the whole request), when version `asked` of the key was asked for (0:
 * none was); SEAL_OK: nothing that is known.
 */
enum seal_status transit_explain(const struct transit_key *key, enum transit_call what, uint32_t asked,
				 const struct key_item *item, const char *text, struct seal_err *err);

#endif
