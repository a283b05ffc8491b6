/* What a long run tells, on stderr and to the service manager. */
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/service.h"

#define STATUS_MS 5000

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

/* What a stop request changes is told at once, the rest now and then. */
static bool status_is_due(struct progress *progress)
{
	uint64_t now = clock_mono_ms();

	if (stop_requested() != 0)
		service_stopping();
	if (!service_is_there() || now - progress->status_ms < STATUS_MS)
		return false;
	progress->status_ms = now;
	return true;
}

static void on_progress(void *arg, const struct pump_counts *counts)
{
	struct progress *progress = arg;
	char line[160];
	bool asked = stop_progress_asked(), status = status_is_due(progress);

	monitor_counts(progress->monitor, counts);
	if (!progress->live && !asked && !status)
		return;
	line_of(progress, counts, line, sizeof(line));
	if (status)
		service_status("%s", line);
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
	struct progress *progress = arg;

	progress_hide(progress);
	monitor_waiting(progress->monitor, why);
	output_waiting(why);
	service_status("waiting: %s", why->text);
}

static void on_resumed(void *arg, uint64_t waited_ms)
{
	struct progress *progress = arg;

	progress_hide(progress);
	monitor_resumed(progress->monitor);
	output_resumed(waited_ms);
	service_status("going on");
}

static void on_alive(void *arg)
{
	struct progress *progress = arg;

	service_alive();
	monitor_alive(progress->monitor);
}

static bool on_reload(void *arg, const struct plan **plan, const struct policy_topic **topic)
{
	struct progress *progress = arg;

	return progress->reload != NULL && policy_reload_poll(progress->reload, plan, topic);
}

static void on_reloaded(void *arg, const struct seal_err *why)
{
	struct progress *progress = arg;

	progress_hide(progress);
	policy_reload_done(progress->reload, why);
}

static void on_aborted(void *arg, const struct seal_err *why)
{
	progress_hide(arg);
	log_say(LOG_INFO, "a transaction was aborted, its records are read again: %s", why->text);
}

void progress_tell_rewrapped(const struct pump_counts *counts)
{
	log_say(LOG_INFO, "%llu values rewrapped, %llu were under the newest version already",
		(unsigned long long)counts->fields, (unsigned long long)counts->kept);
}

void progress_attach(struct progress *progress, const struct global_options *global, bool prints,
		     struct pump_options *pump)
{
	*progress = (struct progress){.start_ms = clock_mono_ms()};
	progress->live = !global->quiet && isatty(STDERR_FILENO) && !(prints && isatty(STDOUT_FILENO));
	pump->failed = on_failed;
	pump->progress = on_progress;
	pump->waiting = on_waiting;
	pump->resumed = on_resumed;
	pump->alive = on_alive;
	pump->reload = on_reload;
	pump->reloaded = on_reloaded;
	pump->aborted = on_aborted;
	pump->arg = progress;
}
