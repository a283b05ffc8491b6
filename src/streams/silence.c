/* Since when nothing was heard; see silence.h. */
#include "streams/silence.h"

#include "base/clock.h"

void silence_end(struct silence *silence)
{
	silence->since_ms = clock_mono_ms();
}

enum seal_status silence_check(const struct silence *silence, size_t owed, const char *place, struct seal_err *err)
{
	const uint64_t silent_ms = clock_mono_ms() - silence->since_ms;

	if (owed == 0 || silent_ms < SILENCE_MS)
		return SEAL_OK;
	err_place(err, "%s", place);
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
		       "has acknowledged nothing for %.0f s: %zu record%s unacknowledged; check that it is there and "
		       "answers",
		       (double)silent_ms / 1000, owed, owed == 1 ? " is" : "s are");
}
