/* Sources and sinks by name, from the registry; their options by name, from their rows. */
#ifndef CMD_STREAM_OPEN_H
#define CMD_STREAM_OPEN_H

#include "base/arena.h"
#include "streams/stream.h"

/* The option row of every command that reads records. */
#define MAX_RECORD_BYTES_ROW(owner, member)                                                                          \
	{                                                                                                            \
		.name = "max-record-bytes", .help = "longest record; a longer one fails", .arg = "SIZE",             \
		.def = "16MiB", .min = 1, .max = 1 << 30, .env = "SEALSTREAM_MAX_RECORD_BYTES", .type = OPT_SIZE,    \
		.offset = offsetof(owner, member)                                                                    \
	}

/* The option row of every command that may have to wait for keys. `of`: the default. */
#define RETRY_FOR_ROW(owner, member, of)                                                                             \
	{                                                                                                            \
		.name = "retry-for", .arg = "TIME",                                                                  \
		.help = "how long to wait for a key server, a source or a target that is away, before the run "      \
			"ends with 69 or 75; 0: for ever",                                                           \
		.def = of, .min = 0, .max = INT64_MAX, .env = "SEALSTREAM_RETRY_FOR", .type = OPT_DURATION,          \
		.offset = offsetof(owner, member)                                                                    \
	}

struct stream_setting {
	const char *name; /* of an option row; NULL ends a list */
	const char *value; /* NULL: leave its default */
};

/* By name. One that is not in the registry is a bug. */
const struct source_ops *stream_source_ops(const char *stream);
const struct sink_ops *stream_sink_ops(const char *stream);

/* A name that is not in the registry or among the rows is a bug. Memory of the options comes from `arena`. */
SEAL_MUST_USE enum seal_status stream_open_source(const char *stream, const char *address,
						  const struct stream_setting *settings, struct arena *arena,
						  struct source **out, struct seal_err *err);
SEAL_MUST_USE enum seal_status stream_open_sink(const char *stream, const char *address,
						const struct stream_setting *settings, struct arena *arena,
						struct sink **out, struct seal_err *err);

#endif
