/* A token bucket: so many requests a second for all workers together. It holds one second's worth. Thread-safe. */
#ifndef HTTP_RATE_H
#define HTTP_RATE_H

#include <pthread.h>

#include "base/err.h"

struct rate {
	pthread_mutex_t lock; /* guards the two last */
	double per_ms; /* 0: no limit */
	double burst;
	double tokens; /* below 0: taken in advance by those who wait */
	uint64_t at_ms; /* when `tokens` was right */
};

/* `per_second` 0: no limit. Full at `now_ms`. */
void rate_init(struct rate *r, double per_second, uint64_t now_ms);
void rate_destroy(struct rate *r);
/*
 * Takes one token, which may be used in *wait_ms from now. False when that is longer than `max_wait_ms`; then none was
 * taken.
 */
bool rate_take(struct rate *r, uint64_t now_ms, uint64_t max_wait_ms, uint64_t *wait_ms);

#endif
