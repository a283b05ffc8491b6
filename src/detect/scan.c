/* Looking for one thing in a longer text. */
#include "detect/scan.h"

static bool is_word(uint8_t c)
{
	return value_is(c, HAS_LETTER | HAS_DIGIT | HAS_HIGH) || c == '_';
}

bool scan_digits(struct seal_bytes text, const char *separators, bool (*is)(struct seal_bytes run))
{
	size_t at = 0;

	while (at < text.len) {
		size_t end = at;

		if (!value_is(text.ptr[at], HAS_DIGIT)) {
			at++;
			continue;
		}
		while (end < text.len && (value_is(text.ptr[end], HAS_DIGIT) ||
					  (end + 1 < text.len && value_is(text.ptr[end + 1], HAS_DIGIT) &&
					   text.ptr[end] != '\0' && strchr(separators, text.ptr[end]) != NULL)))
			end++;
		if ((at == 0 || !is_word(text.ptr[at - 1])) && (end == text.len || !is_word(text.ptr[end])) &&
		    is(bytes_of(text.ptr + at, end - at)))
			return true;
		at = end;
	}
	return false;
}
