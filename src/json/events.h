/*
 * A document as events, one after the other: each name, each value, each end of a container. For who must see every value;
 * who wants some of them uses json/scan.h. Only for documents that json_scan has accepted; reads no byte outside, never recurses,
 * copies and allocates nothing.
 *
 *   {"a": [1, "x"]}   VALUE object, NAME a, VALUE array, VALUE number, VALUE string, LEAVE, LEAVE, END
 */
#ifndef JSON_EVENTS_H
#define JSON_EVENTS_H

#include "json/scan.h"

enum json_event { JSON_EVENT_END, JSON_EVENT_NAME, JSON_EVENT_VALUE, JSON_EVENT_LEAVE };

struct json_events {
	struct seal_bytes doc;
	/* The last event's: a name's or string's raw text without quotes, a number's or literal's text; a container's first byte. */
	size_t start, end;
	enum json_type type; /* JSON_EVENT_VALUE */
	bool escaped; /* a name or string with at least one backslash */
	/* The rest is the walk's own. */
	size_t at;
	uint32_t depth;
	bool name_next;
	bool object[JSON_DEPTH_MAX + 1]; /* by depth: an object, no array */
};

void json_events_init(struct json_events *events, struct seal_bytes doc);
enum json_event json_events_next(struct json_events *events);
/* After the JSON_EVENT_VALUE of a container: all up to its JSON_EVENT_LEAVE, which is the last event then. Quicker than to take each. */
void json_events_skip(struct json_events *events);

/* The span of the last event. */
static inline struct seal_bytes json_events_text(const struct json_events *events)
{
	return bytes_of(events->doc.ptr + events->start, events->end - events->start);
}

#endif
