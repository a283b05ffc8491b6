/* What manual, CONFIGURATION.md and completion need to walk through the tables. */
#ifndef CMD_DOCS_H
#define CMD_DOCS_H

#include <stdio.h>

#include "cmd/command.h"

/* Calls `visit` for every command that is not hidden, a group before its subs. `path` is "key rotate". */
void docs_each_command(const struct command *const *commands,
		       void (*visit)(void *arg, const struct command *command, const char *path), void *arg);

struct exit_code_row {
	int code;
	const char *name; /* as in sysexits.h and systemd, or "" */
	const char *text;
};

extern const struct exit_code_row exit_code_rows[]; /* ended by a row without text */

/* Writes the words of `text` between `before` and `after`: "a|b" → "a b". */
void docs_words(FILE *to, const char *choices, const char *before, const char *after);

#endif
