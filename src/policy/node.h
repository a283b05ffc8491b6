/*
 * A YAML document as a small tree of marked nodes: text, maps and lists, nothing else. Scalars stay text; what a
 * scalar means is decided by who reads it.
 */
#ifndef POLICY_NODE_H
#define POLICY_NODE_H

#include "policy/build.h"

#define NODE_DEPTH_MAX 32

enum node_kind {
	NODE_SCALAR,
	NODE_MAP,
	NODE_LIST,
	NODE_BAD /* a mistake that is reported already; readers pass over it */
};

struct node {
	struct node *next; /* the next item of a list, the next key of a map */
	struct node *first; /* NODE_LIST: its items; NODE_MAP: its keys, all of them NODE_SCALAR */
	struct node *value; /* of a key; never NULL there */
	size_t n; /* items or keys */
	struct seal_bytes text; /* NODE_SCALAR: UTF-8 without zero bytes */
	struct policy_mark mark;
	enum node_kind kind;
	bool plain; /* written without quotes */
	bool verbatim; /* stands in one line as it is: byte i of an ASCII text is i columns on */
};

/*
 * Reads one document. Anchors, aliases, tags, duplicate keys, a second document and nesting deeper than
 * NODE_DEPTH_MAX are findings. NULL: nothing to go on with (reported), or no memory.
 */
struct node *node_read(struct build *build, struct seal_bytes text);

/* Where byte `offset` of a scalar's text stands; the node's own mark where that can't be told. */
struct policy_mark node_mark_at(const struct node *scalar, size_t offset);

/* What it is, after "must be …, not": "text", "a map", "a list", or that it is empty. */
const char *node_what(const struct node *node);

#endif
