/*
 * One value as the tests see it: trimmed, with what one pass over its bytes says of it. Internal to src/detect.
 */
#ifndef DETECT_VALUE_H
#define DETECT_VALUE_H

#include "base/bytes.h"

#define VALUE_MAX 4096 /* bytes that are looked at */
#define VALUE_DIGITS_MAX 64 /* digits that are kept */

/* Kinds of bytes. A gate says which must and which may stand in a value (table.h). */
enum {
	HAS_DIGIT = 1 << 0,
	HAS_UPPER = 1 << 1,
	HAS_LOWER = 1 << 2,
	HAS_HIGH = 1 << 3, /* 0x80 and above */
	HAS_SPACE = 1 << 4,
	HAS_DASH = 1 << 5,
	HAS_DOT = 1 << 6,
	HAS_COLON = 1 << 7,
	HAS_SLASH = 1 << 8,
	HAS_AT = 1 << 9,
	HAS_PLUS = 1 << 10,
	HAS_PAREN = 1 << 11,
	HAS_UNDER = 1 << 12, /* and '=' and '~': with letters, digits, '-', '.', '/', '+' the bytes of encoded keys */
	HAS_OTHER = 1 << 13, /* other ASCII */
	HAS_LETTER = HAS_UPPER | HAS_LOWER,
	HAS_KINDS = 14,
	HAS_ALL = (1 << HAS_KINDS) - 1
};

struct value {
	struct seal_bytes text; /* without ASCII white space around it, at most VALUE_MAX bytes */
	uint32_t has; /* kinds of its bytes */
	size_t n_digits; /* ASCII digits in it */
	uint8_t digits[VALUE_DIGITS_MAX]; /* the first of them: 0 … 9 */
};

/* Kind of each byte: one bit. */
extern const uint16_t value_kinds[256];

void value_of(struct seal_bytes text, struct value *v);

static inline bool value_is(uint8_t c, uint32_t kinds)
{
	return (value_kinds[c] & kinds) != 0;
}

static inline uint8_t value_upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

/*
 * Does `text` have this shape? '9' stands for a digit, 'A' for a letter of either case, '*' for either, ' ' for at most one space, dot
 * or dash, anything else for itself. For forms that are written with and without separators: "999 99 9999".
 */
bool value_has_shape(struct seal_bytes text, const char *shape);
/* Number of the `n` digits (at most 18) from `at`. */
uint64_t value_number(const uint8_t *digits, size_t at, size_t n);

#endif
