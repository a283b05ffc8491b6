/* Reading of published vectors: hex, and numeral strings over a written alphabet. Aborts on a malformed table. */
#ifndef TESTS_VECTOR_H
#define TESTS_VECTOR_H

#include "base/encode.h"
#include "base/err.h"

#define DIGITS36 "0123456789abcdefghijklmnopqrstuvwxyz"
#define DIGITS DIGITS36
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define BASE64 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/"

/* Decodes `text` into `room` bytes and returns the view of it. */
static inline struct seal_bytes vector_hex(const char *text, uint8_t *out, size_t room)
{
	size_t len = strlen(text);

	SEAL_INVARIANT(len / 2 <= room && hex_decode(bytes_of(text, len), out));
	return bytes_of(out, len / 2);
}

/* The same, with "-" for nothing. */
static inline struct seal_bytes vector_hex_or_none(const char *text, uint8_t *out, size_t room)
{
	return strcmp(text, "-") == 0 ? bytes_of(out, 0) : vector_hex(text, out, room);
}

static inline size_t vector_numerals(const char *alphabet, const char *text, uint16_t *out, size_t room)
{
	size_t n = strlen(text);

	SEAL_INVARIANT(n <= room);
	for (size_t i = 0; i < n; i++) {
		const char *at = strchr(alphabet, text[i]);

		SEAL_INVARIANT(at != NULL);
		out[i] = (uint16_t)(at - alphabet);
	}
	return n;
}

#endif
