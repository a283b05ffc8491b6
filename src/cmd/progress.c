/* What a long run tells, on stderr and to the service manager. */
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/output.h"
#include "cmd/service.h"

#define STATUS_MS 5000
#define RATE_MS 1000

void progress_hide(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}

/* Of the last second or so; at first since the start. */
static double rate_of(struct progress *progress, uint64_t records)
{
	const uint64_t now = clock_mono_ms(), past_ms = now - progress->rate_ms;

	if (past_ms >= RATE_MS) {
		progress->rate = (double)(records - progress->rate_records) * 1000 / (double)past_ms;
		progress->rate_ms = now;
		progress->rate_records = records;
	}
	if (progress->rate_ms == progress->start_ms && past_ms > 0)
		return (double)records * 1000 / (double)past_ms;
	return progress->rate;
}

/* Of all partitions together, and the time of the one that is most behind; -1: of none it is known. */
static struct source_lag lag_of(const struct progress *progress)
{
	static const size_t most = 1024;
	struct source *source = progress->source;
	struct source_lag *rows, all = {.records = -1, .ms = -1};
	size_t n;

	if (source == NULL || source->ops->lag == NULL)
		return all;
	rows = mem_calloc(most, sizeof(*rows));
	n = rows != NULL ? source->ops->lag(source, rows, most) : 0;
	for (size_t i = 0; i < n && i < most; i++) {
		if (rows[i].records >= 0)
			all.records = (all.records > 0 ? all.records : 0) + rows[i].records;
		if (rows[i].ms > all.ms)
			all.ms = rows[i].ms;
	}
	mem_free(rows);
	return all;
}

static void line_of(struct progress *progress, const struct pump_counts *counts, char *out, size_t room)
{
	const struct source_lag lag = lag_of(progress);
	char behind[40] = "";

	if (lag.records >= 0)
		snprintf(behind, sizeof(behind), "lag %lld, ", (long long)lag.records);
	else if (lag.ms >= 0)
		snprintf(behind, sizeof(behind), "%.1f s behind, ", (double)lag.ms / 1000);
	snprintf(out, room, "%llu records, %.1f MB, %.0f records/s, %s%llu failed",
		 (unsigned long long)counts->records_in, (double)counts->bytes_in / 1e6,
		 rate_of(progress, counts->records_in), behind, (unsigned long long)counts->failed);
}

static void tell_left_out(struct progress *progress, bool end)
{
	const uint64_t n = log_limit_left_out(&progress->failures, clock_mono_ms(), end);

	if (n == 0)
		return;
	progress_hide(progress);
	log_say_with(LOG_ERROR, (const struct log_field[]){{"left_out", NULL, (int64_t)n}, {NULL, NULL, 0}},
		     "%llu more record%s failed and %s not told one by one (--log-level debug tells all)",
		     (unsigned long long)n, plural_s(n), n == 1 ? "was" : "were");
}

void progress_tell_left_out(struct progress *progress)
{
	tell_left_out(progress, true);
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
	tell_left_out(progress, false);
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
	struct progress *progress = arg;
	char topic[256];
	const struct log_field fields[] = {{"topic", topic, 0},
					   {"partition", NULL, record->partition},
					   {"offset", NULL, record->offset},
					   {NULL, NULL, 0}};

	progress->not_json += why->code == SEAL_E_SYNTAX;
	if (progress->few_failures && !log_enabled(LOG_DEBUG) &&
	    !log_limit_take(&progress->failures, clock_mono_ms()))
		return;
	progress_hide(progress);
	snprintf(topic, sizeof(topic), "%.*s", BYTES_FMT(record->topic));
	log_err_with(LOG_ERROR, record->partition >= 0 ? fields : NULL, why);
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
	progress->rate_ms = progress->start_ms;
	progress->live = !global->quiet && global->log_format == LOG_TEXT && isatty(STDERR_FILENO) &&
			 !(prints && isatty(STDOUT_FILENO));
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
