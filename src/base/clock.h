/* Time. Deadlines are absolute, on the monotonic clock, in milliseconds; DEADLINE_NONE never passes. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/bytes.h"

#define DEADLINE_NONE UINT64_MAX

uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
/* Since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);
/* A date-time of RFC 3339, section 5.6, with T and Z in capitals, of the years 1970 to 9999: in milliseconds since 1970 UTC, rounded down. */
bool clock_of_rfc3339(struct seal_bytes text, int64_t *unix_ms);

#endif
