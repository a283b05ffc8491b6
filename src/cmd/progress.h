/*
 * What a long run tells: on stderr a line that is rewritten on a terminal, a line for each SIGUSR1 anywhere; to the service
 * manager what it is doing, and that it gets on.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "base/log_limit.h"
#include "cmd/command.h"
#include "cmd/monitor.h"
#include "cmd/policy_reload.h"
#include "pump/pump.h"

struct progress {
	struct monitor *monitor; /* told, too; may be NULL */
	bool live; /* rewrite a line: stderr is a terminal, no records go to it, and not --quiet */
	bool shown; /* the line stands there now */
	uint64_t start_ms;
	struct source *source; /* whose lag is told; NULL: none */
	bool few_failures; /* of many that failed, only some are told: it may go on for months */
	struct log_limit failures;
	uint64_t not_json; /* failed records that were no JSON at all */
	uint64_t rate_ms, rate_records; /* when the rate was looked at last, and the records then */
	double rate; /* lately, records a second */
	uint64_t status_ms; /* when the service manager was told last */
	struct policy_reload *reload; /* NULL: the rules stay */
};

/*
 * Sets what the pump calls: about ten times a second, for each failed record, when it has to wait and when it goes on.
 * `prints`: records go to standard output, where a line that is rewritten would disturb them.
 */
void progress_attach(struct progress *progress, const struct global_options *global, bool prints,
		     struct pump_options *pump);
/* Takes the line away; call before anything else is said on stderr, and at the end. */
void progress_hide(struct progress *progress);
/* At the end: failed records that were not told one by one. */
void progress_tell_left_out(struct progress *progress);
/* At the end of an ENGINE_REWRAP. */
void progress_tell_rewrapped(const struct pump_counts *counts);

#endif
