/* The token bucket: filled by the time that went by whenever someone asks. */
#include "http/rate.h"

void rate_init(struct rate *r, double per_second, uint64_t now_ms)
{
	*r = (struct rate){.per_ms = per_second / 1000, .burst = per_second < 1 ? 1 : per_second, .at_ms = now_ms};
	r->tokens = r->burst;
	pthread_mutex_init(&r->lock, NULL);
}

void rate_destroy(struct rate *r)
{
	pthread_mutex_destroy(&r->lock);
}

bool rate_take(struct rate *r, uint64_t now_ms, uint64_t max_wait_ms, uint64_t *wait_ms)
{
	double tokens, wait = 0;
	bool may;

	*wait_ms = 0;
	if (!(r->per_ms > 0))
		return true;
	pthread_mutex_lock(&r->lock);
	tokens = r->tokens + (now_ms > r->at_ms ? (double)(now_ms - r->at_ms) * r->per_ms : 0);
	if (tokens > r->burst)
		tokens = r->burst;
	if (tokens < 1)
		wait = (1 - tokens) / r->per_ms;
	may = wait <= (double)max_wait_ms;
	r->tokens = may ? tokens - 1 : tokens;
	if (now_ms > r->at_ms)
		r->at_ms = now_ms;
	pthread_mutex_unlock(&r->lock);
	if (may) {
		*wait_ms = (uint64_t)wait;
		if ((double)*wait_ms < wait)
			(*wait_ms)++;
	}
	return may;
}
