/*
 * What is known by an id, found at a cost that does not grow with how many there are: a trail of years has lines of hundreds of
 * thousands of runs. Ids come from files that somebody may have made up; the hash is keyed.
 */
#ifndef AUDIT_IDS_H
#define AUDIT_IDS_H

#include "audit/line.h"
#include "crypto/siphash.h"

/* First in whatever has an id. */
struct audit_id {
	struct audit_id *before; /* the one that was added before it */
	struct audit_id *bucket; /* the next one of its hash */
	uint8_t id[AUDIT_ID_LEN];
};

struct audit_ids {
	struct audit_id **buckets; /* n_buckets of them, a power of two; NULL: none yet */
	size_t n_buckets, n;
	struct audit_id *last; /* that was added; then by `before` */
	uint8_t key[SIPHASH_KEY_LEN];
};

/* The one with this id in *out. If there was none it is added, *added: `size` zero bytes that begin with a struct audit_id. */
SEAL_MUST_USE enum seal_status audit_ids_find(struct audit_ids *ids, const uint8_t id[AUDIT_ID_LEN], size_t size,
					      struct audit_id **out, bool *added, struct seal_err *err);
/* Frees all; zeroed ones, too. */
void audit_ids_clear(struct audit_ids *ids);

#endif
