/* Connections to a store that nobody uses just now: a session belongs to one thread at a time, but not always to the same. Thread-safe. */
#ifndef KEYS_STORE_POOL_H
#define KEYS_STORE_POOL_H

#include "stores/store.h"

struct store_pool;

/* `store` outlives it. */
SEAL_MUST_USE enum seal_status store_pool_new(struct store *store, struct store_pool **out, struct seal_err *err);
void store_pool_free(struct store_pool *pool); /* accepts NULL; all sessions are back */

SEAL_MUST_USE enum seal_status store_pool_take(struct store_pool *pool, struct store_session **out,
					       struct seal_err *err);
/* What protects calls this first: makes a store that was missing when it was opened. */
SEAL_MUST_USE enum seal_status store_pool_make(struct store_pool *pool, struct seal_err *err);
/* `good` false: something failed on it, so it is closed; the next one connects anew. Accepts NULL sessions. */
void store_pool_give(struct store_pool *pool, struct store_session *session, bool good);

#endif
