/* When to try again. Pure functions. */
#ifndef HTTP_RETRY_H
#define HTTP_RETRY_H

#include "base/bytes.h"

#define RETRY_BASE_MS 100u
#define RETRY_CAP_MS 10000u
/* A server that asks for a longer pause gets none: the caller hears the answer and decides. */
#define RETRY_AFTER_MAX_MS 300000u

/*
 * Full jitter: a pause of 0 … min(RETRY_CAP_MS, RETRY_BASE_MS * 2^tries) ms, both ends included, before the next try after
 * `tries` retries; `noise` is uniform over 32 bits.
 */
uint64_t retry_pause_ms(unsigned tries, uint32_t noise);

/* The value of a Retry-After header (RFC 9110 §10.2.3: seconds, or a date) seen at `now_s` since 1970; false when it is neither. */
bool retry_after_ms(const char *value, int64_t now_s, uint64_t *out);

/* An HTTP date (RFC 9110 §5.6.7), in seconds since 1970; 0: it is none. */
int64_t retry_date_s(const char *value);

/* The default of http_config.retry: 429 and all of 5xx but 501. */
bool retry_status(unsigned status, struct seal_bytes body);

#endif
