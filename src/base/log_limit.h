/*
 * For lines that may come once a record: a hundred at once, then ten a second, and now and then how many were left out. Not
 * thread-safe. Times are those of clock_mono_ms.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_AT_ONCE 100
#define LOG_LIMIT_A_SECOND 10
#define LOG_LIMIT_TELL_MS 10000

/* Zeroed at first. */
struct log_limit {
	unsigned spent; /* of the hundred */
	uint64_t refilled_ms;
	uint64_t left_out; /* since that was told last */
	uint64_t told_ms;
};

/* May this line be said? One that may not is counted. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms);
/* How many were left out since it last gave a number; 0: none, or it is too early to tell again (never at the `end`). */
uint64_t log_limit_left_out(struct log_limit *limit, uint64_t now_ms, bool end);

#endif
