/* What a long run tells on stderr. */
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

void progress_init(struct progress *progress, const struct global_options *global)
{
	progress->live = !global->quiet && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	progress->shown = false;
	progress->start_ms = clock_mono_ms();
}

static void line_of(const struct progress *progress, const struct pump_counts *counts, char *out, size_t room)
{
	double seconds = (double)(clock_mono_ms() - progress->start_ms) / 1000;
	double rate = seconds > 0 ? (double)counts->records_in / seconds : 0;

	snprintf(out, room, "%llu records, %.1f MB, %.0f records/s, %llu failed",
		 (unsigned long long)counts->records_in, (double)counts->bytes_in / 1e6, rate,
		 (unsigned long long)counts->failed);
}

void progress_update(struct progress *progress, const struct pump_counts *counts)
{
	char line[160];
	bool asked = stop_progress_asked();

	if (!progress->live && !asked)
		return;
	line_of(progress, counts, line, sizeof(line));
	if (asked) {
		progress_hide(progress);
		log_say(LOG_INFO, "%s", line);
	}
	if (progress->live) {
		fprintf(stderr, "\r\033[K%s", line);
		fflush(stderr);
		progress->shown = true;
	}
}

void progress_hide(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
