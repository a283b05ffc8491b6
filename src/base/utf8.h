/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

bool utf8_valid(struct seal_bytes text);
/* Reads one code point at *at (< text.len) and moves *at; false when invalid. */
bool utf8_next(struct seal_bytes text, size_t *at, uint32_t *code_point);
/*
 * Whether showing it could break a line or steer a terminal: controls of both sets, line and paragraph separators, what turns
 * the direction of writing around.
 */
bool utf8_steers(uint32_t code_point);
/*
 * '?' for each byte of what steers or is no UTF-8: names may come from records, and may have been cut in the middle of a
 * character.
 */
void utf8_keep_to_one_line(char *text, size_t len);
/* Writes 1-4 bytes; `code_point` must be a valid scalar value. Returns the length. */
size_t utf8_put(uint32_t code_point, uint8_t out[4]);

#endif
