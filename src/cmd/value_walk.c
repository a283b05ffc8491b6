/* All strings of a JSON document. In a valid one, a string with a colon after it is a name, and any other a value. */
#include "cmd/value_walk.h"

#include "base/err.h"

void value_walk_init(struct value_walk *walk, struct seal_bytes doc)
{
	walk->doc = doc;
	walk->at = 0;
	walk->n_steps = 0;
}

static void enter(struct value_walk *walk)
{
	SEAL_INVARIANT(walk->n_steps < JSON_DEPTH_MAX + 1);
	walk->steps[walk->n_steps++] = (struct json_step){JSON_NO_NAME, JSON_NO_NAME, false};
}

static void leave(struct value_walk *walk)
{
	SEAL_INVARIANT(walk->n_steps > 0);
	walk->n_steps--;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From the opening quote to behind the closing one. */
static struct json_step string(struct value_walk *walk)
{
	struct json_step span = {.start = (uint32_t)walk->at + 1};
	size_t at = walk->at + 1;

	for (; at < walk->doc.len && walk->doc.ptr[at] != '"'; at++) {
		if (walk->doc.ptr[at] != '\\')
			continue;
		span.escaped = true;
		at++;
	}
	span.end = (uint32_t)at;
	walk->at = at + 1;
	return span;
}

/* True, and behind it, when a colon comes next. */
static bool colon(struct value_walk *walk)
{
	while (walk->at < walk->doc.len && is_space(walk->doc.ptr[walk->at]))
		walk->at++;
	if (walk->at >= walk->doc.len || walk->doc.ptr[walk->at] != ':')
		return false;
	walk->at++;
	return true;
}

bool value_walk_next(struct value_walk *walk, struct seal_bytes *raw, bool *escaped)
{
	while (walk->at < walk->doc.len) {
		uint8_t c = walk->doc.ptr[walk->at];
		struct json_step span;

		if (c == '{' || c == '[')
			enter(walk);
		else if (c == '}' || c == ']')
			leave(walk);
		if (c != '"') {
			walk->at++;
			continue;
		}
		span = string(walk);
		if (colon(walk)) {
			walk->steps[walk->n_steps - 1] = span;
			continue;
		}
		*raw = bytes_of(walk->doc.ptr + span.start, span.end - span.start);
		*escaped = span.escaped;
		return true;
	}
	return false;
}
