/* What the sessions of all key types share: the state in use, and cipher contexts for its versions. */
#ifndef KEYS_KEYRING_SESSION_H
#define KEYS_KEYRING_SESSION_H

#include "crypto/random.h"
#include "keys/keyring_derived.h"
#include "keys/keyring_key.h"

/* Keyed contexts kept at once; more versions than these in one stream take turns. */
#define SESSION_CONTEXTS 8

/* How a type makes its context of a version's material. */
struct context_ops {
	enum seal_status (*make)(const struct keyring_type *type, struct seal_bytes material, void **out,
				 struct seal_err *err);
	void (*free)(void *context);
};

struct keyring_session {
	struct key_session base; /* first */
	struct keyring_key *key;
	struct keyring_state *state; /* referenced */
	unsigned generation; /* of `state` */
	const struct keyring_type *type; /* of the key when the session began */
	struct derived_cache *derived; /* of a derived key, else NULL */
	bool convergent;
	size_t nonce_len, overhead; /* of an encryption key; `overhead` is nonce and tag */
	const struct context_ops *contexts;
	struct {
		uint32_t version; /* 0: free */
		void *context;
	} slots[SESSION_CONTEXTS];
	unsigned next_slot; /* the one to give up next */
	struct random_pool nonces;
	const struct seal_err *failed; /* the last item's error in the current call, or NULL */
	struct seal_buf raw; /* nonce, ciphertext and tag of a few messages on their way to base64 */
};

/* Goes on with the newest state; `now`: looks at the file at once. */
SEAL_MUST_USE enum seal_status session_sync(struct keyring_session *s, bool now, struct seal_err *err);
/*
 * The version meant (0: the newest), in step with the file, and allowed for new results (`fresh`) or for reading old ones.
 * SEAL_USAGE/SEAL_E_KEY_VERSION, SEAL_DENIED/SEAL_E_KEY_MINIMUM.
 */
SEAL_MUST_USE enum seal_status session_version(struct keyring_session *s, uint32_t *version, bool fresh,
					       struct seal_err *err);
/* The context of a version that `state` holds; valid until the next call. */
SEAL_MUST_USE enum seal_status session_context(struct keyring_session *s, uint32_t version, void **out,
					       struct seal_err *err);
void session_free(struct key_session *base);

/*
 * Sets item->err to an error in the arena of the call, with SEAL_DATA, and empties its result. Items that fail alike one
 * after the other share it: a hostile record has hundreds of thousands.
 */
void session_item_fail(struct keyring_session *s, struct key_item *item, struct arena *arena, enum seal_code code,
		       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* key_session_ops.rewrap (keyring_rewrap.c). */
SEAL_MUST_USE enum seal_status session_rewrap(struct key_session *base, struct key_item *items, size_t n,
					      const struct key_call *call, struct seal_err *err);

extern const struct key_session_ops aead_session_ops; /* keyring_aead.c */
extern const struct context_ops aead_context_ops;
extern const struct key_session_ops ff1_session_ops, hmac_session_ops; /* keyring_fixed.c */
extern const struct context_ops ff1_context_ops, hmac_context_ops;

#endif
