/* What manual, CONFIGURATION.md and completion need to walk through the tables. */
#ifndef CMD_DOCS_H
#define CMD_DOCS_H

#include <stdio.h>

#include "cmd/command.h"
#include "cmd/program.h"

/* Calls `visit` for every command that is not hidden, a group before its subs. `path` is "key rotate". */
void docs_each_command(const struct command *const *commands,
		       void (*visit)(void *arg, const struct command *command, const char *path), void *arg);

/* For visits that show options of streams, too. */
struct docs {
	const struct program *program;
	struct arena *arena;
	struct seal_err *err;
	enum seal_status rc; /* of the first visit that failed */
};

/* All options of streams that a command takes, one list; without any when it takes none, or after a failure. */
const struct opt_row *docs_stream_rows(struct docs *docs, const struct command *command);

struct exit_code_row {
	int code;
	const char *name; /* as in sysexits.h and systemd, or "" */
	const char *text;
};

extern const struct exit_code_row exit_code_rows[]; /* ended by a row without text */

/* Writes the words of `text` between `before` and `after`: "a|b" → "a b". */
void docs_words(FILE *to, const char *choices, const char *before, const char *after);

#endif
