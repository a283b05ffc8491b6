/*
 * Events of a valid document. What comes next is told by one byte and by whether the innermost container is an object: there
 * a string after '{' or ',' is a name.
 */
#include "json/events.h"

void json_events_init(struct json_events *events, struct seal_bytes doc)
{
	events->doc = doc;
	events->at = 0;
	events->depth = 0;
	events->name_next = false;
	events->object[0] = false;
}

/* The index of the quote that ends the string whose text starts at `from`. */
static size_t string_end(const struct json_events *e, size_t from, bool *escaped)
{
	const uint8_t *text = e->doc.ptr + from, *quote = memchr(text, '"', e->doc.len - from);
	size_t at = from;

	SEAL_INVARIANT(quote != NULL);
	*escaped = memchr(text, '\\', (size_t)(quote - text)) != NULL;
	if (!*escaped)
		return from + (size_t)(quote - text);
	while (e->doc.ptr[at] != '"') {
		at += e->doc.ptr[at] == '\\' ? 2 : 1;
		SEAL_INVARIANT(at < e->doc.len);
	}
	return at;
}

static enum json_event string(struct json_events *e)
{
	bool name = e->name_next;

	e->start = e->at + 1;
	e->end = string_end(e, e->start, &e->escaped);
	e->at = e->end + 1;
	e->type = JSON_STRING;
	e->name_next = false;
	return name ? JSON_EVENT_NAME : JSON_EVENT_VALUE;
}

static enum json_event enter(struct json_events *e, bool object)
{
	SEAL_INVARIANT(e->depth < JSON_DEPTH_MAX);
	e->object[++e->depth] = object;
	e->name_next = object;
	e->type = object ? JSON_OBJECT : JSON_ARRAY;
	e->start = e->at++;
	e->end = e->at;
	e->escaped = false;
	return JSON_EVENT_VALUE;
}

static enum json_event leave(struct json_events *e)
{
	SEAL_INVARIANT(e->depth > 0);
	e->depth--;
	e->name_next = false;
	e->start = e->at++;
	e->end = e->at;
	return JSON_EVENT_LEAVE;
}

/* A number or a literal: all up to what may stand after it. */
static enum json_event other(struct json_events *e, uint8_t first)
{
	e->start = e->at;
	while (e->at < e->doc.len && e->doc.ptr[e->at] > ' ' && e->doc.ptr[e->at] != ',' &&
	       e->doc.ptr[e->at] != ']' && e->doc.ptr[e->at] != '}')
		e->at++;
	e->end = e->at;
	e->escaped = false;
	e->type = first == 'n' ? JSON_NULL : first == 't' ? JSON_TRUE : first == 'f' ? JSON_FALSE : JSON_NUMBER;
	return JSON_EVENT_VALUE;
}

enum json_event json_events_next(struct json_events *e)
{
	for (; e->at < e->doc.len; e->at++) {
		uint8_t c = e->doc.ptr[e->at];

		if (c == '"')
			return string(e);
		if (c == '{' || c == '[')
			return enter(e, c == '{');
		if (c == '}' || c == ']')
			return leave(e);
		if (c == ',')
			e->name_next = e->object[e->depth];
		else if (c > ' ' && c != ':')
			return other(e, c);
	}
	return JSON_EVENT_END;
}

void json_events_skip(struct json_events *e)
{
	uint32_t open = 1;
	size_t at = e->at;

	for (bool escaped; open > 0; at++) {
		SEAL_INVARIANT(at < e->doc.len);
		switch (e->doc.ptr[at]) {
		case '"':
			at = string_end(e, at + 1, &escaped);
			break;
		case '{':
		case '[':
			open++;
			break;
		case '}':
		case ']':
			open--;
			break;
		default:
			break;
		}
	}
	e->at = at - 1;
	(void)leave(e);
}
