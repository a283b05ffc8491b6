/*
 * All strings of a JSON document, one after the other, with the way to each. Only for documents that json_scan has
 * accepted. Never recurses, copies nothing.
 */
#ifndef CMD_VALUE_WALK_H
#define CMD_VALUE_WALK_H

#include "json/events.h"

struct value_walk {
	struct json_events events;
	struct seal_bytes doc;
	struct json_step steps[JSON_DEPTH_MAX + 1]; /* the way to the current value: for json_steps_canonical */
	size_t n_steps;
};

void value_walk_init(struct value_walk *walk, struct seal_bytes doc);
/* The next string that is a value (no member name): its raw text between the quotes. False at the end. */
bool value_walk_next(struct value_walk *walk, struct seal_bytes *raw, bool *escaped);

#endif
