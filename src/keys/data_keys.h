/*
 * Data keys of one key encryption key (KEK): made, unwrapped, and remembered for a while. Thread-safe; one for each KEK and
 * set of options, shared by all sessions of a plan.
 *
 *   writer side   one current key; replaced after max_uses messages, or in the last tenth of max_age_ms, and not used beyond that
 *   reader side   a bounded table, keyed by the wrapped bytes; an entry goes max_age_ms after it was unwrapped
 *
 * One call of the KEK per key even when many threads ask at once: the others wait for its answer (and get its error). With
 * the KEK away, keys that are still young enough go on working; after that calls fail as the KEK does (SEAL_RETRY). A failed
 * unwrap is not remembered longer than the call.
 */
#ifndef KEYS_DATA_KEYS_H
#define KEYS_DATA_KEYS_H

#include "keys/data_key.h"
#include "keys/key.h"

#define DATA_KEYS_MAX_USES_DEFAULT 1000000
#define DATA_KEYS_MAX_USES_LIMIT (1ull << 31)
#define DATA_KEYS_MAX_AGE_DEFAULT_MS (10ull * 60 * 1000)
#define DATA_KEYS_READERS_DEFAULT 4096

/* The context under a derived KEK; other KEKs get no associated data, so that Transit's `datakey` makes the key. */
#define DATA_KEYS_CONTEXT "sealstream data key v1"

struct data_keys_options {
	uint64_t max_uses; /* 0: the default */
	uint64_t max_age_ms; /* 0: the default */
	size_t readers; /* keys kept for reading; 0: the default */
	const struct key_metrics *metrics; /* NULL: nothing is counted */
	bool derived; /* of the KEK, key_info.derived */
	uint32_t
		latest_version; /* of the KEK, key_info's; people's store keys under an older one are rewrapped. 0: none */
};

/* Puts the defaults where there is a 0. */
void data_keys_defaults(struct data_keys_options *options);

struct data_keys;

SEAL_MUST_USE enum seal_status data_keys_new(const struct data_keys_options *options, struct data_keys **out,
					     struct seal_err *err);
void data_keys_free(struct data_keys *keys); /* accepts NULL; keys that are still referenced live on */

/*
 * The current key, with room for `uses` more messages (1 … max_uses: a longer lot is the caller's to part), which are counted at
 * once; made by `kek`, the caller's session, where there is none. The caller unrefs it. A key is also in the reader's table from its start.
 */
SEAL_MUST_USE enum seal_status data_keys_writer(struct data_keys *keys, struct key_session *kek, uint64_t uses,
						const struct key_call *call, struct data_key **out,
						struct seal_err *err);

struct data_key_want {
	struct seal_bytes wrapped; /* text "vault:vN:…" */
	const uint8_t *commitment; /* DATA_KEY_COMMITMENT_LEN bytes: the key must have it, else SEAL_E_TAMPERED */
	struct data_key *key; /* out: a reference of the caller's, or NULL with err set */
	const struct seal_err *err; /* in the arena of the call */
};

/* All wants in at most one call of the KEK. The call fails only when nothing could be done, and then no want has a key. */
SEAL_MUST_USE enum seal_status data_keys_open(struct data_keys *keys, struct key_session *kek,
					      struct data_key_want *wants, size_t n, const struct key_call *call,
					      struct seal_err *err);

#endif
