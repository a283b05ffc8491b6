/* One run of the program: finds the command, parses, runs it, says what went wrong. main() without the process. */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "cmd/command.h"

/* Returns the exit code. `commands` is ended by NULL. */
int program_run(const struct command *const *commands, int argc, char *const *argv);

/*
 * Finds the command that the words name ("key", "rotate"); *used of them were its name. `path` (COMMAND_PATH_MAX) gets the
 * name as in help. Unknown: SEAL_E_USAGE with the nearest word.
 */
SEAL_MUST_USE enum seal_status program_find(const struct command *const *commands, const char *const *words,
					    size_t *used, const struct command **out, char *path,
					    struct seal_err *err);

#endif
