/*
 * Random bytes from OpenSSL's generator. random_pool is a per-thread buffer for nonces (a single RAND_bytes call of
 * 12 bytes costs more than a GCM seal); it refills itself, wipes what it gave out, and notices fork(): parent
 * and child never give out the same bytes.
 */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/err.h"

SEAL_MUST_USE enum seal_status random_bytes(uint8_t *out, size_t len, struct seal_err *err);

/* A fork() from now on waits until no thread draws. For others with such handlers whose locks are held by who draws: theirs come after it. */
void random_watch_fork(void);

struct random_pool {
	uint8_t bytes[4096];
	size_t used; /* bytes given out; sizeof bytes when empty */
	uint64_t fork_epoch;
};

void random_pool_init(struct random_pool *pool);
SEAL_MUST_USE enum seal_status random_pool_take(struct random_pool *pool, uint8_t *out, size_t len,
						struct seal_err *err);
void random_pool_clear(struct random_pool *pool);

#endif
