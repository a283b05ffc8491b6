/* Conditions on the monotonic clock. */
#include "base/cond.h"

#include <time.h>

#include "base/clock.h"

bool cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	bool good = pthread_condattr_init(&attr) == 0;

	if (good) {
		good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attr) == 0;
		pthread_condattr_destroy(&attr);
	}
	return good;
}

void cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ms)
{
	struct timespec at = {.tv_sec = (time_t)(deadline_ms / 1000),
			      .tv_nsec = (long)(deadline_ms % 1000) * 1000000};

	if (deadline_ms == DEADLINE_NONE)
		pthread_cond_wait(cond, lock);
	else
		pthread_cond_timedwait(cond, lock, &at);
}
