/*
 * What the book says of a shard: a line of JSON. Pure functions.
 *
 *   {"owner":"host-17-5f0c…","counter":12,"from":"trim-horizon","at":"4963…","done":0,"ended":false}
 *
 *   owner    who reads it; empty: nobody. A line that has not changed for the time of a lease belongs to nobody any more.
 *   at       all up to and including this sequence number is done; empty: nothing, begin as `from` says
 *   done     not 0: of the record `at`, which holds several, only so many are
 */
#ifndef STREAMS_KINESIS_LEASE_H
#define STREAMS_KINESIS_LEASE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define SEQUENCE_MAX 160 /* characters; they have 56 */
#define OWNER_MAX 128

enum shard_from { FROM_TRIM_HORIZON, FROM_LATEST, FROM_TIME };

struct position {
	char at[SEQUENCE_MAX];
	uint64_t done;
};

struct lease {
	char owner[OWNER_MAX];
	uint64_t counter;
	enum shard_from from;
	int64_t from_ms; /* FROM_TIME: since 1970 */
	struct position position;
	bool ended; /* all of it is done, and there will be no more */
};

SEAL_MUST_USE enum seal_status lease_write(const struct lease *lease, struct seal_buf *out, struct seal_err *err);
/* SEAL_DATA/SEAL_E_SYNTAX: it is none. */
SEAL_MUST_USE enum seal_status lease_read(struct seal_bytes text, struct lease *out, struct seal_err *err);
/* "trim-horizon", "latest", or a time: seconds since 1970 (with a fraction), or as 2026-11-22T10:00:00Z. SEAL_USAGE. */
SEAL_MUST_USE enum seal_status lease_read_from(const char *text, enum shard_from *from, int64_t *from_ms,
					       struct seal_err *err);

#endif
