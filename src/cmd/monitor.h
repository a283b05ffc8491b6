/*
 * What --listen serves of a run: /livez, /readyz and /startupz (with ?verbose check by check), and /metrics.
 *
 *   stream_job, file_watch ── monitor_* ──▶ monitor ◀── pages ── listener (its thread)
 *
 * All functions accept NULL, for runs that nobody watches, and are thread-safe.
 */
#ifndef CMD_MONITOR_H
#define CMD_MONITOR_H

#include "base/metrics.h"
#include "cmd/command.h"
#include "cmd/file_progress.h"
#include "pump/pump.h"

struct monitor;

#define LISTEN_ROW(owner, member)                                                                                    \
	{                                                                                                            \
		.name = "listen", .arg = "HOST:PORT", .type = OPT_STRING, .env = "SEALSTREAM_LISTEN",                \
		.offset = offsetof(owner, member),                                                                   \
		.help = "serve /livez, /readyz, /startupz and /metrics (Prometheus) there, for example "             \
			"127.0.0.1:9464; "                                                                           \
			"port 0 takes a free one and says which"                                                     \
	}

/* What is watched. */
struct monitor_run {
	const char *address; /* NULL: *out is NULL */
	const char *command; /* "pump" */
	const char *
		files; /* a transfer of files: "sent", "received"; then monitor_start_files, monitor_files. NULL: a pump */
};

struct monitor_transfer {
	struct seal_bytes topic;
	struct source *source; /* NULL: files are sent */
	struct key *key; /* … that wraps the files' keys */
	const char *key_name; /* "local:pii" */
};

/* Serves from now on: alive, not started. */
SEAL_MUST_USE enum seal_status monitor_open(const struct monitor_run *run, struct monitor **out,
					    struct seal_err *err);
/* Where key sources count, until monitor_close. */
const struct key_metrics *monitor_keys(const struct monitor *monitor);
/* Nothing is served any more, and nothing that was given to it is in use. Keys may still count. */
void monitor_stop(struct monitor *monitor);
void monitor_close(struct monitor *monitor);

/* The plan that is used from now on. Counts go on where those of the one before stood, which must still be there. */
void monitor_plan(struct monitor *monitor, const struct plan *plan);
/* Policy and streams are open and work begins. All must stay until monitor_stop. `topic` may be empty. */
void monitor_start(struct monitor *monitor, const struct pump_options *pump, struct seal_bytes topic);
void monitor_start_files(struct monitor *monitor, const struct monitor_transfer *transfer);
/* The transfer gets on, and has done so much. */
void monitor_files(struct monitor *monitor, const struct file_numbers *numbers);
/* Of the pump's callbacks; waiting and resumed of transfers, too. */
void monitor_counts(struct monitor *monitor, const struct pump_counts *counts);
void monitor_alive(struct monitor *monitor);
void monitor_waiting(struct monitor *monitor, const struct seal_err *why);
void monitor_resumed(struct monitor *monitor);
void monitor_reloaded(struct monitor *monitor, bool good);

#endif
