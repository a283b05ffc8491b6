/* A bucket of lines that fills by itself. */
#include "base/log_limit.h"

#define REFILL_MS (1000 / LOG_LIMIT_A_SECOND)

static void refill(struct log_limit *limit, uint64_t now_ms)
{
	const uint64_t lines = (now_ms - limit->refilled_ms) / REFILL_MS;

	if (limit->spent == 0 || lines >= limit->spent) {
		limit->spent = 0;
		limit->refilled_ms = now_ms;
		return;
	}
	limit->spent -= (unsigned)lines;
	limit->refilled_ms += lines * REFILL_MS;
}

bool log_limit_take(struct log_limit *limit, uint64_t now_ms)
{
	refill(limit, now_ms);
	if (limit->spent < LOG_LIMIT_AT_ONCE) {
		limit->spent++;
		return true;
	}
	if (limit->left_out++ == 0 && limit->told_ms == 0)
		limit->told_ms = now_ms;
	return false;
}

uint64_t log_limit_left_out(struct log_limit *limit, uint64_t now_ms, bool end)
{
	const uint64_t n = limit->left_out;

	if (n == 0 || (!end && now_ms - limit->told_ms < LOG_LIMIT_TELL_MS))
		return 0;
	limit->left_out = 0;
	limit->told_ms = now_ms;
	return n;
}
