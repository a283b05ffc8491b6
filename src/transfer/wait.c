/* Waits, in steps short enough for a stop request. */
#include "transfer/wait.h"

#include "base/clock.h"

#define FIRST_MS 50
#define LONGEST_MS 2000
#define TICK_MS 50

static bool sleep_for(uint64_t ms, const struct transfer_watch *watch)
{
	const uint64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until) {
		struct timespec tick = {0, TICK_MS * 1000000L};

		if (watch->stop() != 0)
			return false;
		nanosleep(&tick, NULL);
	}
	return watch->stop() == 0;
}

bool wait_again(struct wait *wait, const struct transfer_watch *watch, uint64_t limit_ms, struct seal_err *err)
{
	const uint64_t now = clock_mono_ms();

	if (wait->since_ms == 0) {
		*wait = (struct wait){now, FIRST_MS};
		if (watch->waiting != NULL)
			watch->waiting(watch->arg, err);
	}
	if (limit_ms > 0 && now - wait->since_ms >= limit_ms) {
		err_prefix(err, "given up after %.1f s", (double)(now - wait->since_ms) / 1000);
		return false;
	}
	if (!sleep_for(wait->pause_ms, watch))
		return false;
	wait->pause_ms = wait->pause_ms * 2 > LONGEST_MS ? LONGEST_MS : wait->pause_ms * 2;
	err_clear(err);
	return true;
}

uint64_t wait_end(struct wait *wait, const struct transfer_watch *watch, bool answered)
{
	uint64_t waited;

	if (wait->since_ms == 0)
		return 0;
	waited = clock_mono_ms() - wait->since_ms;
	wait->since_ms = 0;
	if (answered && watch->resumed != NULL)
		watch->resumed(watch->arg, waited);
	return waited;
}
