/*
 * A data key for each person (or order, tenant: whatever `per:` names), kept in a store, so that one of them can be forgotten:
 * crypto-shredding.
 *
 *   KEK (Vault, keyring) ──wraps──▶ store key (few) ──wraps, AES-256-GCM, locally──▶ a person's data key (millions)
 *
 *   store, space "keys"    id of a store key           ──▶ its wrapped form
 *          space "people"  id = HMAC(pepper, person)   ──▶ live: store key id, sealed data key, commitment
 *                                                          forgotten: when, and nothing else
 *
 * So a million people cost the KEK one call. The id (16 bytes) stands in the envelope, and is not the person's name: the pepper, an
 * HMAC key of its own, is wrapped under a store key, too. A forgotten person's row stays as a mark: no later record makes a
 * key for them again (SEAL_E_KEY_FORGOTTEN), unless they are admitted anew. Keys are remembered for max_age_ms, so that
 * other processes obey within that time. Thread-safe; it opens sessions of the store for itself.
 */
#ifndef KEYS_PERSON_KEYS_H
#define KEYS_PERSON_KEYS_H

#include "base/buf.h"
#include "keys/data_keys.h"
#include "stores/store.h"

#define PERSON_ID_LEN 16
#define PERSON_NAME_MAX 1024

struct person_keys;

/* What keeps policies apart that share a store. */
struct person_scope {
	const char *namespace_; /* the policy's */
	const char *scheme; /* of the KEK: "vault" */
	struct seal_bytes reference;
};

#define PERSON_SCOPE_MAX (1u << 20)
/* Appends LP(namespace) ‖ LP("scheme:reference"). */
SEAL_MUST_USE enum seal_status person_scope_write(const struct person_scope *scope, struct seal_buf *out,
						  struct seal_err *err);

/*
 * `options` as for data keys: max_age_ms and readers bound the memory; max_uses bounds what one store key wraps. `store`
 * outlives it.
 */
SEAL_MUST_USE enum seal_status person_keys_new(struct store *store, const struct person_scope *scope,
					       const struct data_keys_options *options, struct person_keys **out,
					       struct seal_err *err);
void person_keys_free(struct person_keys *people); /* accepts NULL */

struct person_want {
	struct seal_bytes person; /* writers: who; 1 … PERSON_NAME_MAX bytes, else SEAL_E_DOMAIN */
	uint8_t id[PERSON_ID_LEN]; /* readers: from the envelope; writers: set */
	const uint8_t *commitment; /* readers: as in data_key_want */
	struct data_key *key; /* out: a reference of the caller's, or NULL with err set */
	const struct seal_err *err; /* in the arena of the call: SEAL_E_KEY_FORGOTTEN, SEAL_E_KEY_UNKNOWN … */
};

/* Writers: keys that are missing are made. All wants in at most one query and one insertion. Fails as data_keys_open. */
SEAL_MUST_USE enum seal_status person_keys_writer(struct person_keys *people, struct key_session *kek,
						  struct person_want *wants, size_t n, const struct key_call *call,
						  struct seal_err *err);
SEAL_MUST_USE enum seal_status person_keys_open(struct person_keys *people, struct key_session *kek,
						struct person_want *wants, size_t n, const struct key_call *call,
						struct seal_err *err);

enum person_state { PERSON_UNKNOWN, PERSON_LIVE, PERSON_FORGOTTEN };

/*
 * The person's key is wiped from the store, and a mark stays; also for a person that has no key yet. *was: what it was before.
 * `key forget`.
 */
SEAL_MUST_USE enum seal_status person_keys_forget(struct person_keys *people, struct key_session *kek,
						  struct seal_bytes person, enum person_state *was,
						  const struct key_call *call, struct seal_err *err);
/*
 * Takes the mark away: later records get a new key; older ones stay unreadable. SEAL_RETRY/SEAL_E_BUSY until max_age_ms after
 * they were forgotten: writers elsewhere may hold the old key.
 */
SEAL_MUST_USE enum seal_status person_keys_admit(struct person_keys *people, struct key_session *kek,
						 struct seal_bytes person, enum person_state *was,
						 const struct key_call *call, struct seal_err *err);

/* What looking at the rows of a store has found. Forgotten people's are not counted. */
struct person_tally {
	uint64_t opened, bad; /* under this policy's store keys: good ones; changed, moved or damaged ones */
	uint64_t others; /* under other policies' */
};
/*
 * Opens the next rows after *cursor (empty at first; in the arena of the call), about `max`, and adds to the tally; *end: there are no
 * more. `store check`.
 */
SEAL_MUST_USE enum seal_status person_keys_check(struct person_keys *people, struct key_session *kek,
						 struct seal_bytes *cursor, size_t max, struct person_tally *tally,
						 bool *end, const struct key_call *call, struct seal_err *err);

#endif
