/* The encoding of places. Never changes: what was encrypted under it must stay readable. */
#include "policy/place.h"

#define PLACE_VERSION 1

enum seal_status place_encode(const struct place *place, struct seal_buf *out, struct seal_err *err)
{
	size_t len_before = out->len;
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, PLACE_VERSION, err));
	SEAL_TRY(buf_append_u8(out, (uint8_t)place->bound, err));
	SEAL_TRY(buf_append_lp32(out, place->namespace_, err));
	SEAL_TRY(buf_append_lp32(out, place->name, err));
	SEAL_TRY(buf_append_u8(out, (uint8_t)place->kind, err));
	if (place->bound == PLACE_RECORD) {
		SEAL_TRY(buf_append_u8(out, (uint8_t)place->sibling_kind, err));
		SEAL_TRY(buf_append_lp32(out, place->sibling, err));
	}
out:
	if (rc != SEAL_OK)
		out->len = len_before;
	return rc;
}

static bool parse_kind(struct cursor *cursor, enum place_kind *kind)
{
	uint8_t byte;

	if (!cursor_u8(cursor, &byte) || byte < PLACE_STRING || byte > PLACE_BYTES)
		return false;
	*kind = (enum place_kind)byte;
	return true;
}

bool place_parse(struct seal_bytes text, struct place *place)
{
	struct cursor cursor = {text};
	uint8_t version, bound;

	*place = (struct place){.bound = PLACE_PATH};
	if (!cursor_u8(&cursor, &version) || version != PLACE_VERSION || !cursor_u8(&cursor, &bound) ||
	    bound < PLACE_PATH || bound > PLACE_RECORD || !cursor_lp32(&cursor, text.len, &place->namespace_) ||
	    !cursor_lp32(&cursor, text.len, &place->name) || !parse_kind(&cursor, &place->kind))
		return false;
	place->bound = (enum place_bound)bound;
	if (place->bound == PLACE_RECORD &&
	    (!parse_kind(&cursor, &place->sibling_kind) || !cursor_lp32(&cursor, text.len, &place->sibling)))
		return false;
	return cursor.rest.len == 0;
}
