/* What a long run tells on stderr. */
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/output.h"

void progress_hide(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}

static void line_of(const struct progress *progress, const struct pump_counts *counts, char *out, size_t room)
{
	double seconds = (double)(clock_mono_ms() - progress->start_ms) / 1000;
	double rate = seconds > 0 ? (double)counts->records_in / seconds : 0;

	snprintf(out, room, "%llu records, %.1f MB, %.0f records/s, %llu failed",
		 (unsigned long long)counts->records_in, (double)counts->bytes_in / 1e6, rate,
		 (unsigned long long)counts->failed);
}

static void on_progress(void *arg, const struct pump_counts *counts)
{
	struct progress *progress = arg;
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

static void on_failed(void *arg, const struct record *record, const struct seal_err *why)
{
	progress_hide(arg);
	log_err(LOG_ERROR, why);
}

static void on_waiting(void *arg, const struct seal_err *why)
{
	progress_hide(arg);
	output_waiting(why);
}

static void on_resumed(void *arg, uint64_t waited_ms)
{
	progress_hide(arg);
	output_resumed(waited_ms);
}

void progress_tell_rewrapped(const struct pump_counts *counts)
{
	log_say(LOG_INFO, "%llu values rewrapped, %llu were under the newest version already",
		(unsigned long long)counts->fields, (unsigned long long)counts->kept);
}

void progress_attach(struct progress *progress, const struct global_options *global, bool prints,
		     struct pump_options *pump)
{
	progress->live = !global->quiet && isatty(STDERR_FILENO) && !(prints && isatty(STDOUT_FILENO));
	progress->shown = false;
	progress->start_ms = clock_mono_ms();
	pump->failed = on_failed;
	pump->progress = on_progress;
	pump->waiting = on_waiting;
	pump->resumed = on_resumed;
	pump->arg = progress;
}
