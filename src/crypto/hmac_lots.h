/* HMAC-SHA-256 of several messages side by side, where a library and the processor have it. Inside src/crypto only. */
#ifndef CRYPTO_HMAC_LOTS_H
#define CRYPTO_HMAC_LOTS_H

#include "crypto/mac.h"

struct hmac_lots; /* the room for one lot: belongs to who took it */

#ifdef SEAL_HAVE_IPSEC_MB
/* NULL where this machine has none, or all are taken: then the caller hashes one message after the other. Never waits. */
struct hmac_lots *hmac_lots_take(void);
void hmac_lots_give(struct hmac_lots *lots);

/*
 * `inner` and `outer`: SHA-256's states (eight words) after the key's padded blocks, in secret memory. Returns how many items from
 * the first on are done; 0 means that the first is one for the caller (empty, or long).
 */
size_t hmac_lots_run(struct hmac_lots *lots, const uint8_t *inner, const uint8_t *outer,
		     const struct hmac_item *items, size_t n);
#else
static inline struct hmac_lots *hmac_lots_take(void)
{
	return NULL;
}

static inline void hmac_lots_give(struct hmac_lots *lots)
{
}

static inline size_t hmac_lots_run(struct hmac_lots *lots, const uint8_t *inner, const uint8_t *outer,
				   const struct hmac_item *items, size_t n)
{
	return 0;
}
#endif

#endif
