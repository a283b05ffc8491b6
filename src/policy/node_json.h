/* YAML values as JSON text, for the tests of a policy. */
#ifndef POLICY_NODE_JSON_H
#define POLICY_NODE_JSON_H

#include "base/buf.h"
#include "policy/node.h"

/*
 * Appends `node` as JSON without white space. Text in quotes is a string; without, it is typed by YAML 1.2's core schema:
 * null, true, false, numbers (kept digit for digit), else a string. False: reported, or no memory.
 */
bool node_to_json(struct build *build, const struct node *node, struct seal_buf *out);

#endif
