/*
 * A table by hash: nodes stand in what they find, and the owner compares. Chained, so that nodes never move; it grows with
 * what is in it. One thread at a time.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/bytes.h"
#include "base/err.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **heads;
	size_t n, slots; /* slots: 0 or a power of two */
};

#define TABLE_SEED 14695981039346656037ull
/* FNV-1a; `seed`: TABLE_SEED, or the hash of what stands before. */
uint64_t table_hash(uint64_t seed, struct seal_bytes bytes);

SEAL_MUST_USE enum seal_status table_add(struct table *table, struct table_node *node, uint64_t hash,
					 struct seal_err *err);
void table_remove(struct table *table, struct table_node *node);
/* The first node with that hash after `after` (NULL: from the start), or NULL. */
struct table_node *table_find(const struct table *table, uint64_t hash, const struct table_node *after);
/* All nodes in no order: NULL gives the first. The one given must still be in the table. */
struct table_node *table_next(const struct table *table, const struct table_node *node);
/* Forgets the nodes, which are the owner's. */
void table_clear(struct table *table);

#endif
