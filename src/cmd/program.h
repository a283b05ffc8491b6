/* One run of the program: finds the command, parses, runs it, says what went wrong. main() without the process. */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "cmd/command.h"
#include "streams/stream.h"

struct program {
	const struct command *const *commands; /* ended by NULL */
	const struct source_ops *const *sources; /* streams that addresses may name, ended by NULL; NULL: none */
	const struct sink_ops *const *sinks;
	/* Runs a command that opens keys, whose name is `path` ("key rotate"); NULL: nothing but its `run`. */
	enum seal_status (*run_with_keys)(struct command_call *call, struct global_options *global, const char *path,
					  int *exit_code, struct seal_err *err);
};

/* Returns the exit code. */
int program_run(const struct program *program, int argc, char *const *argv);

/*
 * Finds the command that the words name ("key", "rotate"); *used of them were its name. `path` (COMMAND_PATH_MAX) gets the
 * name as in help. Unknown: SEAL_E_USAGE with the nearest word.
 */
SEAL_MUST_USE enum seal_status program_find(const struct command *const *commands, const char *const *words,
					    size_t *used, const struct command **out, char *path,
					    struct seal_err *err);

#endif
