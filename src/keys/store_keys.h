/*
 * The few keys between a KEK and a store: store keys, which wrap people's keys or seal rows of tokens, and the pepper, which makes
 * ids of people or names of tokens. One object for a store and a scope. Thread-safe.
 *
 * One store key is current. How often it was used is counted in the store, in blocks that processes reserve; past max_uses the
 * next one is made. What is unwrapped is remembered for max_age.
 */
#ifndef KEYS_STORE_KEYS_H
#define KEYS_STORE_KEYS_H

#include "crypto/mac.h"
#include "keys/data_keys.h"
#include "keys/kek.h"
#include "keys/person_row.h"
#include "stores/store.h"

struct store_keys;

/* Who asks, with what. */
struct store_keys_use {
	struct store_session *store;
	struct kek kek;
	const struct key_call *call;
};

/* `options` with its defaults filled in. */
SEAL_MUST_USE enum seal_status store_keys_new(struct seal_bytes scope, const struct data_keys_options *options,
					      struct store_keys **out, struct seal_err *err);
void store_keys_free(struct store_keys *keys); /* accepts NULL */
const uint8_t *store_keys_scope(const struct store_keys *keys); /* ROW_ID_LEN bytes */

/* A row that is not what it should be: SEAL_DATA/SEAL_E_TAMPERED. */
enum seal_status store_keys_damaged(const char *what, struct seal_err *err);

struct store_key_want {
	const uint8_t *id; /* ROW_ID_LEN bytes */
	struct data_key *key; /* out: a reference of the caller's, or NULL with err set */
	const struct seal_err *err; /* in the arena of the call */
};

/* In at most one query and one call of the KEK, and where the KEK has a newer version, a few more. Fails as data_keys_open. */
SEAL_MUST_USE enum seal_status store_keys_open(struct store_keys *keys, const struct store_keys_use *use,
					       struct store_key_want *wants, size_t n, struct seal_err *err);

/* The current store key, and for how many of `wanted` uses: 1 … wanted, counted at once. The caller unrefs it. */
SEAL_MUST_USE enum seal_status store_keys_take(struct store_keys *keys, const struct store_keys_use *use,
					       uint64_t wanted, struct data_key **key, uint64_t *got,
					       struct seal_err *err);

/* HMAC under the pepper, if that is remembered; else *out is NULL. The caller frees it. */
SEAL_MUST_USE enum seal_status store_keys_pepper_known(struct store_keys *keys, struct hmac **out,
						       struct seal_err *err);
/*
 * The same for one that is not remembered: loaded, or where there is none, made with the first store key; unless `make`, that
 * fails as damaged.
 */
SEAL_MUST_USE enum seal_status store_keys_pepper(struct store_keys *keys, const struct store_keys_use *use, bool make,
						 struct hmac **out, struct seal_err *err);

#endif
