/*
 * Values of a document, picked by name: for answers of services, of which a few members count. No tree, no copy, no allocation.
 *
 *   json_value_of(doc) ─▶ object ─▶ json_members(object, names) ─▶ array ─▶ json_items, json_item_next ─▶ …
 */
#ifndef JSON_VALUE_H
#define JSON_VALUE_H

#include "base/arena.h"
#include "json/events.h"

/* ptr NULL: there is none. Else a string's raw text without quotes, a container's with its brackets, other values as they stand. */
struct json_value {
	struct seal_bytes text;
	enum json_type type;
	bool escaped; /* a string with at least one backslash */
};

static inline bool json_value_is(const struct json_value *value, enum json_type type)
{
	return value->text.ptr != NULL && value->type == type;
}

/* Checks `doc` with json_scan. SEAL_DATA/SEAL_E_SYNTAX. */
SEAL_MUST_USE enum seal_status json_value_of(struct seal_bytes doc, struct json_value *out, struct seal_err *err);

/*
 * The members of those names, in one pass: out[i] is names[i]'s, the last one where a name stands there twice; none for null. A
 * name that is written with escapes is another name. All of `out` is empty where `object` is none.
 */
void json_members(const struct json_value *object, const char *const *names, size_t n, struct json_value *out);

/* The elements of an array, or the members of an object, one after the other. */
struct json_items {
	struct json_events events;
	struct json_value name; /* of the member */
};
void json_items(const struct json_value *container, struct json_items *out);
bool json_item_next(struct json_items *items, struct json_value *out);

/*
 * For long arrays of small objects, in one walk: what json_events has come to.
 *
 *   while (json_events_next(e) == JSON_EVENT_NAME)
 *           json_take_member(e, slots, n);
 */
struct json_slot {
	struct seal_bytes name;
	struct json_value *value;
};
/* The last event was a value: all of it, and the walk is behind it. */
struct json_value json_take(struct json_events *events);
/* The last event was a name: its value goes to the slot of that name, as json_members has it, and the walk is behind it. */
void json_take_member(struct json_events *events, const struct json_slot *slots, size_t n);

/*
 * A string's text without its escapes: a view of it, or in `arena`; empty where it is no string. SEAL_DATA/SEAL_E_SYNTAX: it has a
 * lone surrogate.
 */
SEAL_MUST_USE enum seal_status json_value_string(const struct json_value *value, struct arena *arena,
						 struct seal_bytes *out, struct seal_err *err);

#endif
