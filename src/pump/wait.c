/* Waits; see wait.h. `waiting` of the run counts those that were told. */
#include "pump/wait.h"

#include "base/clock.h"
#include "pump/work.h"

static bool is_too_long(const struct pump *p, uint64_t since_ms)
{
	const uint64_t limit_ms = p->options->retry_ms;

	return limit_ms > 0 && clock_mono_ms() - since_ms >= limit_ms;
}

bool pump_wait_on(struct pump *p, struct pump_wait *wait, const struct seal_err *why, unsigned after_ms)
{
	const uint64_t now = clock_mono_ms();

	if (wait->since_ms == 0)
		*wait = (struct pump_wait){.since_ms = now};
	if (!wait->told && now - wait->since_ms >= after_ms) {
		wait->told = true;
		if (p->waiting++ == 0) {
			p->waiting_ms = wait->since_ms;
			if (p->options->waiting != NULL)
				p->options->waiting(p->options->arg, why);
		}
	}
	return !is_too_long(p, wait->since_ms);
}

void pump_wait_end(struct pump *p, struct pump_wait *wait, bool answered)
{
	const bool told = wait->told;

	*wait = (struct pump_wait){.since_ms = 0};
	if (told && --p->waiting == 0 && answered && p->options->resumed != NULL)
		p->options->resumed(p->options->arg, clock_mono_ms() - p->waiting_ms);
}

void pump_wait_given_up(const struct pump *p, uint64_t since_ms, struct seal_err *err)
{
	if (since_ms != 0 && is_too_long(p, since_ms))
		err_prefix(err, "given up after %.1f s", (double)(clock_mono_ms() - since_ms) / 1000);
}
