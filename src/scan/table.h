/*
 * What was seen where: a tree of paths with counts, in bounded memory. Holds names of members and numbers, never a value.
 *
 *   top ─┬─ $ ─┬─ customer ─┬─ email
 *        │     │            └─ phones ── [*]
 *        │     └─ by_id ── .* ── total           a map: too many different names, or names that are data themselves
 *        ├─ key
 *        └─ headers ── x-customer
 *
 * Elements of an array share one node. When a member gets more than SCAN_NAMES_MAX different names, all of them become one
 * node, and so do those of which one looks like data (an e-mail address as a name), so that no report shows it. When the table
 * is full, what stands below a node is counted at that node (`below`). The tree does not depend on the order of records, nor on
 * how they were parted among tables that are then merged, until the table is full.
 */
#ifndef SCAN_TABLE_H
#define SCAN_TABLE_H

#include "base/buf.h"
#include "detect/detect.h"

#define SCAN_PATHS_MAX 4096 /* nodes of a table */
#define SCAN_NAMES_MAX 1000 /* different names in one object */
#define SCAN_PATH_BYTES_MAX 4096 /* of all names of a path: reports have them once a node */
#define SCAN_DEPTH_MAX 60 /* steps; a policy's path has at most JSON_PATH_STEPS_MAX */

enum scan_step {
	SCAN_TOP, /* above all parts of records */
	SCAN_VALUE, /* $ */
	SCAN_KEY, /* key */
	SCAN_HEADERS, /* its members are headers by name */
	SCAN_MEMBER,
	SCAN_ELEMENT, /* [*] */
	SCAN_ANY /* .* */
};

enum scan_type { SCAN_NULL, SCAN_BOOLEAN, SCAN_NUMBER, SCAN_STRING, SCAN_BYTES, SCAN_ARRAY, SCAN_OBJECT, SCAN_TYPES };

/* What the policy says of a value. */
enum scan_cover { SCAN_CLEAR, SCAN_ALLOWED, SCAN_PROTECTED, SCAN_COVERS };

struct scan_counts {
	uint64_t types[SCAN_TYPES];
	uint64_t below; /* values below that have no node of their own */
	uint64_t by_cover[SCAN_COVERS]; /* of values and of `below` */
	uint64_t names[2]; /* SCAN_ANY: names that look like data; in clear, covered */
	struct detect_counts looks[2]; /* of what is in clear; of what is allowed or protected */
};

struct scan_node {
	struct scan_node *parent; /* NULL: free */
	struct scan_node *children, *last, *next; /* next: the sibling after it */
	struct scan_node *element, *any; /* the children of these steps, or NULL; in the list, too */
	struct scan_node *bucket; /* the next one of its hash; of free ones the next free one */
	struct scan_node *follower; /* the sibling that came after it last time: mostly comes again */
	struct scan_node *leader; /* the child that came first last time */
	struct seal_bytes name; /* SCAN_MEMBER, decoded; owned */
	enum scan_step step;
	uint32_t depth;
	uint32_t path_len; /* bytes of the names on the way here */
	uint32_t n_names; /* children of step SCAN_MEMBER */
	uint64_t first; /* when it was first seen: children are sorted by it at the end */
	uint32_t rule; /* 1 + the index of a rule that protects values here; 0: none does */
	struct scan_counts counts;
};

struct scan_table;

/* `detect` tells names that are data; must outlive the table. */
SEAL_MUST_USE enum seal_status scan_table_new(struct detect *detect, struct scan_table **out, struct seal_err *err);
void scan_table_free(struct scan_table *table); /* accepts NULL */

struct scan_node *scan_table_top(const struct scan_table *table);
/* SCAN_VALUE, SCAN_KEY or SCAN_HEADERS. */
struct scan_node *scan_table_part(const struct scan_table *table, enum scan_step part);

/*
 * The child for a member's name (decoded, UTF-8) or for elements. `previous`: the child of the same object that was asked for
 * before, or NULL. `covered`: the policy protects or allows all of the object. `at`: for scan_node.first. NULL: out of memory;
 * `node` itself: it has no room for a node, so count below it.
 */
struct scan_node *scan_table_member(struct scan_table *table, struct scan_node *node, struct scan_node *previous,
				    struct seal_bytes name, bool covered, uint64_t at);
struct scan_node *scan_table_element(struct scan_table *table, struct scan_node *node, uint64_t at);

/* Adds all of `from`, which then only may be freed. */
SEAL_MUST_USE enum seal_status scan_table_merge(struct scan_table *table, struct scan_table *from,
						struct seal_err *err);
/*
 * When all was counted: objects whose names hardly repeat become maps, children are sorted by when they were first seen, and
 * counts know the detectors of their names. Then only reading.
 */
SEAL_MUST_USE enum seal_status scan_table_finish(struct scan_table *table, struct seal_err *err);

/* Nodes in use, the parts themselves included. */
size_t scan_table_paths(const struct scan_table *table);

/* The next node after `node` in the tree, parents first; NULL at the end. Starts with scan_table_top. */
struct scan_node *scan_node_next(const struct scan_node *node);
/* The next one that is not below `node`. */
struct scan_node *scan_node_skip(const struct scan_node *node);
/* Appends "$.items[*].note", "key", "key.id", "header:x-customer". */
SEAL_MUST_USE enum seal_status scan_node_path(const struct scan_node *node, struct seal_buf *out,
					      struct seal_err *err);
/* Values that stood here, without those below. */
uint64_t scan_node_values(const struct scan_node *node);

#endif
