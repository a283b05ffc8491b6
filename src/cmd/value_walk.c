/* All strings of a JSON document: its events without the other values. */
#include "cmd/value_walk.h"

void value_walk_init(struct value_walk *walk, struct seal_bytes doc)
{
	json_events_init(&walk->events, doc);
	walk->doc = doc;
	walk->n_steps = 0;
}

bool value_walk_next(struct value_walk *walk, struct seal_bytes *raw, bool *escaped)
{
	struct json_events *e = &walk->events;
	enum json_event event;

	while ((event = json_events_next(e)) != JSON_EVENT_END) {
		if (event == JSON_EVENT_LEAVE) {
			walk->n_steps--;
		} else if (event == JSON_EVENT_NAME) {
			walk->steps[walk->n_steps - 1] =
				(struct json_step){(uint32_t)e->start, (uint32_t)e->end, e->escaped};
		} else if (e->type == JSON_OBJECT || e->type == JSON_ARRAY) {
			walk->steps[walk->n_steps++] = (struct json_step){JSON_NO_NAME, JSON_NO_NAME, false};
		} else if (e->type == JSON_STRING) {
			*raw = json_events_text(e);
			*escaped = e->escaped;
			return true;
		}
	}
	return false;
}
