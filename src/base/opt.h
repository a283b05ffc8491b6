/*
 * Option rows: the one description of everything a user can set. From the same rows come the parser, the
 * message about a wrong value, the nearest valid word, `--help`, the man pages, shell completion and
 * docs/CONFIGURATION.md. Methods, key sources and streams bring their rows; so does each subcommand.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "base/arena.h"
#include "base/err.h"

enum opt_type {
	OPT_FLAG, /* bool; no value on a command line, true|false in a file */
	OPT_INT, /* int64_t within min … max */
	OPT_SIZE, /* int64_t bytes: 4096, 64KiB, 16MiB, 1GiB */
	OPT_DURATION, /* int64_t milliseconds: 100ms, 30s, 5m, 1h, 7d */
	OPT_STRING, /* const char *, NUL-terminated, in the arena given */
	OPT_HEX, /* struct seal_bytes, decoded, in the arena given */
	OPT_CHOICE, /* int: index into `choices`, a list of words parted by '|' */
	OPT_LIST /* struct opt_list *: repeatable string, in order */
};

struct opt_row {
	const char *name; /* "max-record-bytes" on command lines, "keep.first" in policies */
	const char *help; /* one line, says unit and default where it matters */
	const char *arg; /* what the value is called in help: FILE, N, TOPIC; NULL for a flag */
	const char *def; /* default as text, parsed like a value; NULL: zeroed, see `required` */
	const char *choices; /* OPT_CHOICE */
	const char *env; /* environment variable that sets it, or NULL */
	int64_t min, max; /* OPT_INT, OPT_SIZE, OPT_DURATION; both 0: no limits but the type's */
	size_t offset; /* of the member in the options struct */
	enum opt_type type;
	char letter; /* short flag, or 0 */
	bool required;
	bool secret; /* never shown */
	bool internal; /* of a stream: commands set it, users don't see it */
};

#define OPT_END                                                                                                      \
	{                                                                                                            \
		.name = NULL                                                                                         \
	}

struct opt_list {
	struct opt_list *next;
	const char *text;
};

/* Fills `options` with the defaults. Strings and lists are allocated in `arena`. */
SEAL_MUST_USE enum seal_status opt_defaults(const struct opt_row *rows, void *options, struct arena *arena,
					    struct seal_err *err);

/* Sets one member from text. The error names the option and what it may be, never a secret's text. */
SEAL_MUST_USE enum seal_status opt_set(const struct opt_row *row, void *options, struct seal_bytes text,
				       struct arena *arena, struct seal_err *err);

/* The member of one row's struct into that of another one of the same type. Strings and lists are then shared. */
void opt_copy(const struct opt_row *from, const void *from_options, const struct opt_row *to, void *to_options);

/* The row of that name (or letter), or NULL. */
const struct opt_row *opt_find(const struct opt_row *rows, struct seal_bytes name);
const struct opt_row *opt_find_letter(const struct opt_row *rows, char letter);

/* The row with the nearest name (edit distance at most 1 + length/3), or NULL. */
const char *opt_nearest(const struct opt_row *rows, struct seal_bytes name);
/* The same over a list of words that ends with NULL. */
const char *word_nearest(const char *const *words, struct seal_bytes name);

#endif
