/* What a key encryption key (KEK) does for data keys: makes them and unwraps them. */
#ifndef KEYS_KEK_H
#define KEYS_KEK_H

#include "keys/data_key.h"
#include "keys/key.h"

/* How a KEK is used; the same for all its sessions. */
struct kek {
	struct key_session *session;
	bool derived; /* key_info.derived: it gets DATA_KEYS_CONTEXT */
};

/* A new data key, in one call of the KEK. SEAL_USAGE/SEAL_E_KEY_TYPE when it is of a kind that wraps nothing. */
SEAL_MUST_USE enum seal_status kek_make(const struct kek *kek, const struct key_call *call, struct data_key **out,
					struct seal_err *err);

struct kek_item {
	struct seal_bytes wrapped;
	struct data_key *key; /* out: a reference of the caller's, or NULL with err set */
	const struct seal_err *err; /* in the arena of the call */
};

/* Unwraps a lot in one call. Fails as key_session_ops.decrypt; then no item has a key. */
SEAL_MUST_USE enum seal_status kek_unwrap(const struct kek *kek, struct kek_item *items, size_t n,
					  const struct key_call *call, struct seal_err *err);

/* The context or associated data under which a KEK wraps data keys. */
struct seal_bytes kek_context(bool derived);

/*
 * One wrapped key's bytes, whatever is to be derived of them: moved to secret memory, and wiped where they came. They are as many as
 * were wrapped; *raw is empty where these cannot be a key's. `what` is put before an item's own error; NULL: nothing.
 */
SEAL_MUST_USE enum seal_status kek_unwrap_raw(const struct kek *kek, struct seal_bytes wrapped, const char *what,
					      const struct key_call *call, struct secret *raw, struct seal_err *err);

/* Text under an older version becomes text under the newest: in the arena, empty where that failed. The call fails as rewrap. */
SEAL_MUST_USE enum seal_status kek_rewrap(const struct kek *kek, struct seal_bytes *texts, size_t n,
					  const struct key_call *call, struct seal_err *err);

#endif
