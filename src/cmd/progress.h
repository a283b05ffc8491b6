/* What a long run tells on stderr: a line that is rewritten on a terminal, a line for each SIGUSR1 anywhere. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "cmd/command.h"
#include "pump/pump.h"

struct progress {
	bool live; /* rewrite a line: stderr is a terminal and stdout is not, and not --quiet */
	bool shown; /* the line stands there now */
	uint64_t start_ms;
};

void progress_init(struct progress *progress, const struct global_options *global);
/* For pump_options.progress: called about ten times a second. */
void progress_update(struct progress *progress, const struct pump_counts *counts);
/* Takes the line away; call before anything else is said on stderr, and at the end. */
void progress_hide(struct progress *progress);

#endif
