/*
 * Splicing: a document written anew with some spans replaced or removed; every other byte is copied as it was.
 * A removed member or element takes one comma beside it along, so that the result is valid JSON.
 */
#ifndef JSON_SPLICE_H
#define JSON_SPLICE_H

#include "base/buf.h"

struct json_edit {
	uint32_t start, end; /* what is replaced; when `remove`: from item_start on */
	uint32_t item_start; /* as in json_hit */
	struct seal_bytes with; /* its new text; ignored when `remove` */
	bool quote; /* put quotes around `with` (which then needs no escape) */
	bool remove;
};

/* How long the result is at most. */
size_t json_splice_max(struct seal_bytes doc, const struct json_edit *edits, size_t n);

/*
 * Writes `doc` with `edits` (in document order, not overlapping) to `out`, which has json_splice_max bytes;
 * returns the length written.
 */
size_t json_splice(struct seal_bytes doc, const struct json_edit *edits, size_t n, uint8_t *out);

#endif
