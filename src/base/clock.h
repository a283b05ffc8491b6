/* Time. Deadlines are absolute, on the monotonic clock, in milliseconds; DEADLINE_NONE never passes. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define DEADLINE_NONE UINT64_MAX

uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
/* Since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);

#endif
