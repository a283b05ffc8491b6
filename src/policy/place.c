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
