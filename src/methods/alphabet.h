/*
 * Alphabets of format-preserving encryption: the characters that are transformed, in the order of their numerals. All
 * other characters of a value stay where they are. Characters are code points; nothing is normalised or case-folded.
 *
 *   digits 0-9 · lower a-z · upper A-Z · letters a-zA-Z · alphanumeric 0-9a-zA-Z · hex 0-9a-f · or the characters themselves
 */
#ifndef METHODS_ALPHABET_H
#define METHODS_ALPHABET_H

#include "base/bytes.h"
#include "base/err.h"

#define ALPHABET_TOO_LONG SIZE_MAX

struct alphabet_symbol {
	uint32_t code_point;
	uint32_t numeral;
};

struct alphabet {
	uint32_t radix;
	bool ascii; /* all characters below U+0080: then bytes are enough */
	uint16_t of_byte[256]; /* ascii: the numeral, or UINT16_MAX */
	uint32_t *code_points; /* by numeral */
	struct alphabet_symbol *sorted; /* by code point */
};

/* `spec` is one of the names above, or 2 … 65536 different characters as text. */
SEAL_MUST_USE enum seal_status alphabet_new(struct seal_bytes spec, struct alphabet **out, struct seal_err *err);
void alphabet_free(struct alphabet *alphabet);

/*
 * The numerals of `text` (valid UTF-8) in order. Returns their number, or ALPHABET_TOO_LONG when there are more than
 * `max`. `numerals` has room for the lesser of max and text.len.
 */
size_t alphabet_read(const struct alphabet *alphabet, struct seal_bytes text, uint16_t *numerals, size_t max);

/* The most bytes that alphabet_write needs. */
size_t alphabet_write_max(const struct alphabet *alphabet, struct seal_bytes text);
/* `text` with its characters of the alphabet replaced by `numerals`, as many as alphabet_read gave. Returns the length. */
size_t alphabet_write(const struct alphabet *alphabet, struct seal_bytes text, const uint16_t *numerals,
		      uint8_t *out);

#endif
