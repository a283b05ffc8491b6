/*
 * Options of streams on command lines: the rows that a stream brings, as --SCHEME-NAME. A command that takes addresses takes those of
 * every stream that could stand there; what the stream is that does stand there, stream_use.h finds out.
 *
 *   rows of sqs: {"visibility-timeout", …}, {"exit", …}, {"look", internal}
 *     shown and parsed    --sqs-visibility-timeout
 *     filled from -e      exit: a name that commands have themselves (streams/stream.h)
 *     filled by commands  look
 *     of one side alone   --from-sqs-visibility-timeout, --to-…: parsed as the others, shown nowhere, above what both are told
 *
 * Kafka has none of these: its options are the commands' own.
 */
#ifndef CMD_PLATFORM_H
#define CMD_PLATFORM_H

#include "cmd/parse.h"
#include "cmd/program.h"
#include "streams/stream.h"

#define PLATFORM_KAFKA "kafka"
#define PLATFORM_FILE "file"

enum { PLATFORM_SOURCE, PLATFORM_SINK, PLATFORM_SIDES };

/* The options of one direction; a source and a sink that have the same rows share them. */
struct platform_side {
	const struct opt_row
		*all; /* the stream's own; NULL: there is no such side, or the command has no use for it */
	const struct opt_row *rows; /* those that users set here, under their long names; ended by OPT_END */
	void *options; /* what `open` takes; NULL before platforms_prepare */
	const bool *seen; /* by `rows` */
	const struct opt_row *own; /* those of this side alone: --from-sqs-…; ended by OPT_END, or NULL */
	void *own_options;
	const bool *own_seen; /* by `own` */
	const char *own_flag; /* one of them that stands on the command line; NULL: none does */
};

struct platform {
	const char *scheme; /* NULL ends a list */
	const struct source_ops *source; /* NULL: none */
	const struct sink_ops *sink;
	bool usable; /* here: the command reads and there is a source, or writes and there is a sink */
	const struct stream_traits *traits;
	const struct opt_row *rows; /* of both sides, for whoever shows them; ended by OPT_END */
	struct platform_side sides[PLATFORM_SIDES];
	const char *flag; /* an option of it that stands on the command line: "sqs-fifo"; NULL: none does */
};

/* Names of rows that commands have themselves, ended by NULL. */
extern const char *const platform_shared_rows[];

/* Every stream there is, in the order of the registry; none for a command that takes no addresses. In `arena`. */
SEAL_MUST_USE enum seal_status platforms_new(const struct program *program, const struct command *command,
					     struct arena *arena, struct platform **out, struct seal_err *err);
/* Makes the options, with their defaults, and hands them to the parser as its last sets. */
SEAL_MUST_USE enum seal_status platforms_prepare(struct platform *platforms, struct parse *parse,
						 struct seal_err *err);
/* After the command line: which of them stand there; *given, ended by NULL, gets the command's own ones of the shared names. */
SEAL_MUST_USE enum seal_status platforms_note(struct platform *platforms, const struct parse *parse,
					      const char *const **given, struct seal_err *err);
/* After the environment: what is said once fills all that it is for. */
void platforms_fill(struct platform *platforms, const struct parse *parse);

/* NULL: there is none of that scheme. */
struct platform *platform_find(struct platform *platforms, struct seal_bytes scheme);

/* The row of that short name of a side's own, if it was given; else NULL. */
const struct opt_row *platform_own(const struct platform *platform, int side, const char *name);
/* "Options for Amazon SQS" */
#define PLATFORM_TITLE_MAX 100
void platform_title(const struct platform *platform, char out[PLATFORM_TITLE_MAX]);
/* "sqs:QUEUE, or its URL or ARN", for lists of addresses. */
#define PLATFORM_ADDRESS_MAX 200
void platform_address(const struct platform *platform, char out[PLATFORM_ADDRESS_MAX]);

#endif
