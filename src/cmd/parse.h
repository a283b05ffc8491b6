/*
 * The command line: words to options and arguments, by rows alone.
 *
 *   --name VALUE   --name=VALUE   --flag   --flag=false   -x VALUE   -xVALUE   -abc (flags)   --   -
 *
 * Options and arguments may stand in any order; "-" alone is an argument; after "--" everything is.
 */
#ifndef CMD_PARSE_H
#define CMD_PARSE_H

#include "cmd/command.h"

struct option_set {
	const struct opt_row *rows; /* may be NULL */
	void *options;
	bool *seen; /* by row; in the arena */
};

#define PARSE_PLATFORM_SETS 32
#define PARSE_SETS (4 + PARSE_PLATFORM_SETS)

struct parse {
	struct option_set sets
		[PARSE_SETS]; /* the command's own rows first: they win; then the global ones, then those of a key server and of the audit trail, then streams (platform.h) */
	const char *(*env)(const char *name); /* NULL: the process's */
	bool stop_at_argument; /* leave everything from the first argument on */
	struct arena *arena;
	const char **args; /* result, ended by NULL */
	size_t n_args;
};

/* Defaults, then flags from argv[0 … argc-1]. SEAL_USAGE/SEAL_E_USAGE names the option and the nearest valid one. */
SEAL_MUST_USE enum seal_status parse_words(struct parse *parse, int argc, char *const *argv, struct seal_err *err);
/* The environment, for rows that no flag has set. SEAL_USAGE/SEAL_E_CONFIG with the variable as its place. */
SEAL_MUST_USE enum seal_status parse_environment(struct parse *parse, struct seal_err *err);
/* Every required row must have been set. */
SEAL_MUST_USE enum seal_status parse_required(const struct parse *parse, struct seal_err *err);

/* The row that `row` is another name of, or itself. */
const struct opt_row *option_main_row(const struct opt_row *rows, const struct opt_row *row);
static inline bool option_is_alias(const struct opt_row *row)
{
	return row->help == NULL;
}

#endif
