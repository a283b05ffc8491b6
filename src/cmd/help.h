/*
 * Help from the tables. The layout is fixed (tests compare it): options and commands start in column 3, what they do in
 * column 31, lines end before column 80.
 */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include <stdio.h>

#include "cmd/command.h"

#define COMMAND_PATH_MAX 128

/* Help of the program. */
void help_program(FILE *to, const struct command *const *commands);
struct platform;

/*
 * Help of a command or group; `path` is how it is called, without the program: "key rotate". `platforms`: as platforms_new has made
 * them for it; they are listed, with their options elsewhere.
 */
void help_command(FILE *to, const struct command *command, const char *path, const struct platform *platforms);
/* The options of one of them. */
void help_platform(FILE *to, const struct platform *platform, const char *path);

/* "-p, --policy FILE" with all other names of the row. Returns the length, cut to `room`. */
size_t help_option_label(const struct opt_row *rows, const struct opt_row *row, char *out, size_t room);
/* What is known besides the help text: "default: 4", "environment: X" …; "" when nothing. */
size_t help_option_notes(const struct opt_row *row, char *out, size_t room);
/* What the value is called: FILE, "a|b|c"; NULL for a flag. */
const char *help_option_arg(const struct opt_row *row);

/* `text` from `column` on, wrapped; later lines start at `indent`. Ends the line. */
void help_wrap(FILE *to, const char *text, int column, int indent);

#endif
