/*
 * Values, picked. A container's text is found by walking over what is in it, so that a member is looked for in one pass over its
 * object, and nested objects cost one pass for each level that is looked into.
 */
#include "json/value.h"

#include "json/string.h"

struct json_value json_take(struct json_events *e)
{
	struct json_value value = {json_events_text(e), e->type, e->escaped};

	if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
		return value;
	json_events_skip(e);
	value.text.len = (size_t)(e->doc.ptr + e->end - value.text.ptr);
	return value;
}

enum seal_status json_value_of(struct seal_bytes doc, struct json_value *out, struct seal_err *err)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_events events;
	enum seal_status rc = json_scan(NULL, doc, &scan, err);

	json_scan_clear(&scan);
	*out = (struct json_value){BYTES_EMPTY, JSON_NULL, false};
	if (rc != SEAL_OK)
		return rc;
	json_events_init(&events, doc);
	(void)json_events_next(&events);
	*out = (struct json_value){json_events_text(&events), events.type, events.escaped};
	if (out->type == JSON_OBJECT ||
	    out->type == JSON_ARRAY) { /* only white space is behind it: no need to walk */
		while (doc.ptr[doc.len - 1] <= ' ')
			doc.len--;
		out->text.len = doc.len - events.start;
	}
	return SEAL_OK;
}

void json_take_member(struct json_events *e, const struct json_slot *slots, size_t n)
{
	const struct seal_bytes name = json_events_text(e);
	const bool escaped = e->escaped;
	struct json_value value;

	(void)json_events_next(e);
	value = json_take(e);
	if (value.type == JSON_NULL)
		value.text = BYTES_EMPTY;
	for (size_t i = 0; i < n && !escaped; i++)
		if (bytes_eq(name, slots[i].name))
			*slots[i].value = value;
}

void json_items(const struct json_value *container, struct json_items *out)
{
	const bool any = json_value_is(container, JSON_OBJECT) || json_value_is(container, JSON_ARRAY);

	out->name = (struct json_value){BYTES_EMPTY, JSON_NULL, false};
	json_events_init(&out->events, any ? container->text : BYTES_EMPTY);
	if (any)
		(void)json_events_next(&out->events);
}

bool json_item_next(struct json_items *items, struct json_value *out)
{
	enum json_event event = json_events_next(&items->events);

	if (event == JSON_EVENT_NAME) {
		items->name =
			(struct json_value){json_events_text(&items->events), JSON_STRING, items->events.escaped};
		event = json_events_next(&items->events);
	}
	if (event != JSON_EVENT_VALUE)
		return false;
	*out = json_take(&items->events);
	return true;
}

void json_members(const struct json_value *object, const char *const *names, size_t n, struct json_value *out)
{
	struct json_items items;
	struct json_value value;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct json_value){BYTES_EMPTY, JSON_NULL, false};
	if (!json_value_is(object, JSON_OBJECT))
		return;
	json_items(object, &items);
	while (json_item_next(&items, &value))
		for (size_t i = 0; i < n; i++)
			if (!items.name.escaped && bytes_eq_str(items.name.text, names[i]))
				out[i] = value.type == JSON_NULL ? (struct json_value){BYTES_EMPTY, JSON_NULL, false}
								 : value;
}

enum seal_status json_value_string(const struct json_value *value, struct arena *arena, struct seal_bytes *out,
				   struct seal_err *err)
{
	*out = BYTES_EMPTY;
	if (!json_value_is(value, JSON_STRING))
		return SEAL_OK;
	if (!json_string_decode(value->text, arena, out))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a string of the answer has a lone surrogate");
	return out->ptr != NULL ? SEAL_OK : err_memory(err);
}
