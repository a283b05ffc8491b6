/*
 * Records that Amazon's producer library (KPL) has put together into one: what is in them.
 *
 *   F3 89 9A C2 │ AggregatedRecord (protobuf) │ its MD5, 16 bytes
 *               └ 1: partition key* (text)    2: explicit hash key*    3: Record*
 *                                                                       └ 1: index of its key   2: … of its hash key   3: data
 *
 * Whoever may write to the stream writes these: how much one may become is bounded here. Records in it are not looked into again.
 * Only the tables of keys take memory, its records are views that are made one after the other.
 */
#ifndef STREAMS_KINESIS_AGGREGATE_H
#define STREAMS_KINESIS_AGGREGATE_H

#include "base/arena.h"
#include "base/err.h"

#define AGGREGATE_RECORDS_MAX (1u << 17) /* in one; 1 MiB of the smallest that producers write have fewer */
#define AGGREGATE_KEYS_MAX (1u << 16) /* of each table */
#define AGGREGATE_KEY_BYTES 1024 /* a key: 256 characters, as of any record */

#define HASH_KEY_LEN 16

/* Hash keys (128 bits, big-endian) that a shard has: from first up to last. */
struct hash_range {
	uint8_t first[HASH_KEY_LEN], last[HASH_KEY_LEN];
};

/* A hash key in decimals. False: it is none. */
bool hash_key_read(struct seal_bytes text, uint8_t out[HASH_KEY_LEN]);

struct aggregate_key;

struct aggregate {
	struct cursor rest; /* its message, from behind the next one */
	const struct aggregate_key *keys, *hash_keys;
	size_t n, at; /* of its records; at: the next one that is this shard's, n: there is none */
	size_t foreign; /* of them, whose keys are another shard's */
	struct seal_bytes key, data; /* of the next one */
};

enum aggregate_kind {
	AGGREGATE_NONE, /* no magic, a wrong MD5, not that protobuf: a record of its own, as for Amazon's consumer library */
	AGGREGATE_HERE,
	AGGREGATE_FOREIGN /* all of its records are another shard's */
};

/*
 * What `data` is. Records whose keys are another shard's are passed over: it was made for shards that were split or merged meanwhile,
 * and its producer sends these again, and these alone. `range`: of the shard that it was read from, NULL: not known, so that nothing is
 * foreign. `out` is a view of `data`, its keys are in `arena`. SEAL_DATA/SEAL_E_LIMIT: one that would become too much.
 */
SEAL_MUST_USE enum seal_status aggregate_open(struct seal_bytes data, const struct hash_range *range,
					      struct arena *arena, struct aggregate *out, enum aggregate_kind *kind,
					      struct seal_err *err);

/* Its next record that is this shard's; false: there are no more. */
bool aggregate_next(struct aggregate *aggregate, struct seal_bytes *key, struct seal_bytes *data);

#endif
