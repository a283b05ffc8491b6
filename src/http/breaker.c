/* The circuit breaker's states; become() alone changes them. Failures of tries that began before it opened count for nothing. */
#include "http/breaker.h"

#include <stdio.h>

void breaker_init(struct breaker *b, unsigned limit)
{
	SEAL_INVARIANT(limit > 0);
	*b = (struct breaker){.state = BREAKER_CLOSED, .limit = limit};
	pthread_mutex_init(&b->lock, NULL);
}

void breaker_destroy(struct breaker *b)
{
	pthread_mutex_destroy(&b->lock);
}

static void become(struct breaker *b, enum breaker_state state, uint64_t until_ms)
{
	b->state = state;
	b->until_ms = until_ms;
	if (state == BREAKER_CLOSED) {
		b->failures = 0;
		b->pause_ms = 0;
	}
}

/* Opens for the next longer pause. */
static void open_longer(struct breaker *b, uint64_t now_ms)
{
	b->pause_ms = b->pause_ms == 0 ? BREAKER_PAUSE_FIRST_MS : b->pause_ms * 2;
	if (b->pause_ms > BREAKER_PAUSE_MAX_MS)
		b->pause_ms = BREAKER_PAUSE_MAX_MS;
	become(b, BREAKER_OPEN, now_ms + b->pause_ms);
}

enum breaker_pass breaker_ask(struct breaker *b, uint64_t now_ms, uint64_t *wait_ms, char *why)
{
	enum breaker_pass pass = BREAKER_PASS;

	pthread_mutex_lock(&b->lock);
	if (b->state != BREAKER_CLOSED && now_ms >= b->until_ms) {
		become(b, BREAKER_HALF_OPEN, now_ms + BREAKER_PROBE_MAX_MS);
		pass = BREAKER_PROBE;
	} else if (b->state != BREAKER_CLOSED) {
		/* How long a probe takes is not known: ask again soon. */
		*wait_ms = b->state == BREAKER_OPEN ? b->until_ms - now_ms : BREAKER_PAUSE_FIRST_MS;
		memcpy(why, b->why, BREAKER_WHY_MAX);
		pass = BREAKER_STOP;
	}
	pthread_mutex_unlock(&b->lock);
	return pass;
}

void breaker_success(struct breaker *b)
{
	pthread_mutex_lock(&b->lock);
	become(b, BREAKER_CLOSED, 0);
	pthread_mutex_unlock(&b->lock);
}

void breaker_failure(struct breaker *b, enum breaker_pass pass, uint64_t now_ms, const char *why)
{
	pthread_mutex_lock(&b->lock);
	snprintf(b->why, sizeof(b->why), "%s", why);
	if (b->state == BREAKER_HALF_OPEN && pass == BREAKER_PROBE)
		open_longer(b, now_ms);
	else if (b->state == BREAKER_CLOSED && ++b->failures >= b->limit)
		open_longer(b, now_ms);
	pthread_mutex_unlock(&b->lock);
}

void breaker_abandon(struct breaker *b, enum breaker_pass pass, uint64_t now_ms)
{
	pthread_mutex_lock(&b->lock);
	if (b->state == BREAKER_HALF_OPEN && pass == BREAKER_PROBE)
		become(b, BREAKER_OPEN, now_ms);
	pthread_mutex_unlock(&b->lock);
}
