/* Amazon Kinesis Data Streams, as a source and as a sink. */
#ifndef STREAMS_KINESIS_KINESIS_H
#define STREAMS_KINESIS_KINESIS_H

#include "stores/store.h"
#include "streams/stream.h"

/* Of both; a sink has no use for those of the second half. */
struct kinesis_options {
	const char *region, *profile, *endpoint, *ca_file;
	int64_t requests; /* at once */
	int64_t memory;
	/* of a source */
	const char *group; /* the application's name: what checkpoints and leases stand under */
	const char *start; /* where there is no checkpoint: trim-horizon, latest, or a time */
	const char *checkpoint; /* "file:PATH", "sqlite:FILE", "postgresql://…"; NULL: none */
	int64_t lease_ms;
	bool keep_foreign; /* aggregates with keys of other shards are read, too */
	bool exit_at_end;
	bool look;
	const struct store_ops *const *stores; /* ended by NULL */
};

extern const struct source_ops kinesis_source_ops;
extern const struct sink_ops kinesis_sink_ops;

#endif
