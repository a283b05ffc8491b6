/*
 * Rewrapping and data keys, made of a session's own `encrypt` and `decrypt`: for stores that have no better way, or none
 * for some items (Vault rewraps nothing that is bound to associated data).
 */
#ifndef KEYS_BY_ENCRYPTION_H
#define KEYS_BY_ENCRYPTION_H

#include "keys/key.h"

/*
 * Decrypts and encrypts again the n items that `of` points to: out or err of each is set. `lot` is scratch for as many;
 * both arrays are changed. SEAL_OK also when items failed.
 */
SEAL_MUST_USE enum seal_status key_renew(struct key_session *session, struct key_item **of, struct key_item *lot,
					 size_t n, const struct key_call *call, struct seal_err *err);

/* key_session_ops.data_key: draws the key here and encrypts it. */
SEAL_MUST_USE enum seal_status key_data_key(struct key_session *session, size_t len, struct seal_bytes aad,
					    struct secret *plain, struct seal_bytes *wrapped,
					    const struct key_call *call, struct seal_err *err);

#endif
