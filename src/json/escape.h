/*
 * Reading the raw text between a string's quotes, character by character. Internal to src/json.
 *
 * The text has passed the scanner, so an escape is complete and UTF-8 is valid; only lone surrogates are left to
 * tell apart.
 */
#ifndef JSON_ESCAPE_H
#define JSON_ESCAPE_H

#include "base/bytes.h"

/* A code point, or a lone surrogate (0xd800 … 0xdfff), which has no UTF-8. */
static inline bool escape_is_lone(uint32_t character)
{
	return character >= 0xd800 && character <= 0xdfff;
}

/* Reads the escape whose backslash is at *at and moves *at behind it (behind both halves of a surrogate pair). */
uint32_t escape_read(struct seal_bytes raw, size_t *at);

/*
 * Decodes `raw` to UTF-8 in `out`, which has room for `room` bytes; *len is how many were written. false: a lone
 * surrogate, or not enough room. The text never grows: room for raw.len bytes is always enough.
 */
bool escape_decode(struct seal_bytes raw, uint8_t *out, size_t room, size_t *len);

#endif
