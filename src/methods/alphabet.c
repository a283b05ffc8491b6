/* Alphabets: characters to numerals and back. ASCII alphabets work on bytes by a table, others on code points. */
#include "methods/alphabet.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define RADIX_MAX 65536

static const struct {
	const char *name, *characters;
} named[] = {
	{"digits", DIGITS},
	{"lower", LOWER},
	{"upper", UPPER},
	{"letters", LOWER UPPER},
	{"alphanumeric", DIGITS LOWER UPPER},
	{"hex", DIGITS "abcdef"},
};

static struct seal_bytes characters_of(struct seal_bytes spec)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (bytes_eq_str(spec, named[i].name))
			return bytes_str(named[i].characters);
	return spec;
}

static int by_code_point(const void *a, const void *b)
{
	const struct alphabet_symbol *x = a, *y = b;

	return (x->code_point > y->code_point) - (x->code_point < y->code_point);
}

/* Fills code_points and radix. */
static enum seal_status read_characters(struct alphabet *alphabet, struct seal_bytes text, struct seal_err *err)
{
	alphabet->code_points = mem_realloc_array(NULL, text.len + 1, sizeof(uint32_t));
	if (alphabet->code_points == NULL)
		return err_memory(err);
	for (size_t at = 0; at < text.len;) {
		if (alphabet->radix == RADIX_MAX)
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'alphabet' has more than %d characters",
				       RADIX_MAX);
		if (!utf8_next(text, &at, &alphabet->code_points[alphabet->radix++]))
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'alphabet' is not valid UTF-8");
	}
	if (alphabet->radix < 2)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'alphabet' needs at least 2 characters, or one of digits, lower, upper, letters, "
			       "alphanumeric, hex");
	return SEAL_OK;
}

/* Fills sorted, ascii and of_byte. */
static enum seal_status index_characters(struct alphabet *alphabet, struct seal_err *err)
{
	alphabet->sorted = mem_realloc_array(NULL, alphabet->radix, sizeof(*alphabet->sorted));
	if (alphabet->sorted == NULL)
		return err_memory(err);
	for (uint32_t i = 0; i < alphabet->radix; i++)
		alphabet->sorted[i] = (struct alphabet_symbol){alphabet->code_points[i], i};
	qsort(alphabet->sorted, alphabet->radix, sizeof(*alphabet->sorted), by_code_point);
	for (uint32_t i = 1; i < alphabet->radix; i++)
		if (alphabet->sorted[i].code_point == alphabet->sorted[i - 1].code_point)
			return err_set(
				err, SEAL_USAGE, SEAL_E_CONFIG,
				"'alphabet' has U+%04X twice (and is not one of digits, lower, upper, letters, "
				"alphanumeric, hex)",
				(unsigned)alphabet->sorted[i].code_point);
	alphabet->ascii = alphabet->sorted[alphabet->radix - 1].code_point < 0x80;
	memset(alphabet->of_byte, 0xff, sizeof(alphabet->of_byte));
	for (uint32_t i = 0; alphabet->ascii && i < alphabet->radix; i++)
		alphabet->of_byte[alphabet->code_points[i]] = (uint16_t)i;
	return SEAL_OK;
}

enum seal_status alphabet_new(struct seal_bytes spec, struct alphabet **out, struct seal_err *err)
{
	struct alphabet *alphabet = mem_calloc(1, sizeof(*alphabet));
	enum seal_status rc;

	*out = NULL;
	if (alphabet == NULL)
		return err_memory(err);
	SEAL_TRY(read_characters(alphabet, characters_of(spec), err));
	SEAL_TRY(index_characters(alphabet, err));
out:
	if (rc != SEAL_OK)
		alphabet_free(alphabet);
	else
		*out = alphabet;
	return rc;
}

void alphabet_free(struct alphabet *alphabet)
{
	if (alphabet == NULL)
		return;
	mem_free(alphabet->code_points);
	mem_free(alphabet->sorted);
	mem_free(alphabet);
}

/* False when the character is not in the alphabet. */
static bool numeral_of(const struct alphabet *alphabet, uint32_t code_point, uint16_t *numeral)
{
	const struct alphabet_symbol want = {code_point, 0};
	const struct alphabet_symbol *found =
		bsearch(&want, alphabet->sorted, alphabet->radix, sizeof(want), by_code_point);

	if (found != NULL)
		*numeral = (uint16_t)found->numeral;
	return found != NULL;
}

size_t alphabet_read(const struct alphabet *alphabet, struct seal_bytes text, uint16_t *numerals, size_t max)
{
	uint32_t code_point;
	uint16_t numeral;
	size_t n = 0, at = 0;

	if (alphabet->ascii) {
		for (; at < text.len; at++) {
			numeral = alphabet->of_byte[text.ptr[at]];
			if (numeral == UINT16_MAX)
				continue;
			if (n == max)
				return ALPHABET_TOO_LONG;
			numerals[n++] = numeral;
		}
		return n;
	}
	while (at < text.len) {
		SEAL_INVARIANT(utf8_next(text, &at, &code_point));
		if (!numeral_of(alphabet, code_point, &numeral))
			continue;
		if (n == max)
			return ALPHABET_TOO_LONG;
		numerals[n++] = numeral;
	}
	return n;
}

size_t alphabet_write_max(const struct alphabet *alphabet, struct seal_bytes text)
{
	return alphabet->ascii ? text.len : text.len * 4;
}

size_t alphabet_write(const struct alphabet *alphabet, struct seal_bytes text, const uint16_t *numerals, uint8_t *out)
{
	uint32_t code_point;
	uint16_t old;
	size_t n = 0, at = 0, written = 0;

	if (alphabet->ascii) {
		for (; at < text.len; at++)
			out[at] = alphabet->of_byte[text.ptr[at]] == UINT16_MAX
					  ? text.ptr[at]
					  : (uint8_t)alphabet->code_points[numerals[n++]];
		return text.len;
	}
	while (at < text.len) {
		const size_t from = at;

		SEAL_INVARIANT(utf8_next(text, &at, &code_point));
		if (numeral_of(alphabet, code_point, &old)) {
			written += utf8_put(alphabet->code_points[numerals[n++]], out + written);
		} else {
			memcpy(out + written, text.ptr + from, at - from);
			written += at - from;
		}
	}
	return written;
}
