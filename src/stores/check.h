/* What all stores do alike: limits, and results in the caller's arena. Only stores use it. */
#ifndef STORES_CHECK_H
#define STORES_CHECK_H

#include "stores/store.h"

#define STORE_OPEN_MS 15000 /* how long opening waits for others */

/* What `open` gives when its first session ended with `why`; a store that is missing, and may be, is marked so. */
SEAL_MUST_USE enum seal_status store_open_end(struct store *store, const struct store_config *config,
					      const struct seal_err *why, struct seal_err *err);
/* Spaces are constants of this program: anything else is a bug. */
void store_check_space(const char *space);
/* Keys have 1 … STORE_KEY_MAX bytes, values at most STORE_VALUE_MAX. `values`: look at those, too. SEAL_USAGE/SEAL_E_LIMIT. */
SEAL_MUST_USE enum seal_status store_check_items(const struct store_item *items, size_t n, bool values,
						 struct seal_err *err);
SEAL_MUST_USE enum seal_status store_check_changes(const struct store_change *changes, size_t n,
						   struct seal_err *err);
/* What an insertion's guard (NULL: none) is at first, and what it tells when its row is another one; `shown` names the store. */
SEAL_MUST_USE enum seal_status store_guard_begin(struct store_guard *guard, struct seal_err *err);
enum seal_status store_guard_fail(struct store_guard *guard, const char *shown, struct seal_err *err);
/* The first key, in order, after all that start with `prefix`; a view of `end`. */
struct seal_bytes store_prefix_end(struct seal_bytes prefix, uint8_t end[STORE_KEY_MAX + 1]);
/* A copy in the call's arena; its ptr is never NULL, even when it is empty. */
SEAL_MUST_USE enum seal_status store_copy(const struct store_call *call, const void *ptr, size_t len,
					  struct seal_bytes *out, struct seal_err *err);

#endif
