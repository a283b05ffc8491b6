/* Conditions that wait until a deadline of base/clock.h. */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>

#include "base/err.h"

/* False: the system has no resources for it. */
SEAL_MUST_USE bool cond_init(pthread_cond_t *cond);
/* Waits until signalled, until `deadline_ms`, or for no reason: the caller looks again, as always with conditions. */
void cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ms);

#endif
