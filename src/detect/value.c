/* One pass over a value's bytes, so that most detectors are ruled out before they read any. */
#include "detect/value.h"

#define U HAS_UPPER
#define L HAS_LOWER
#define D HAS_DIGIT
#define S HAS_SPACE
#define O HAS_OTHER
#define X HAS_UNDER
#define P HAS_PAREN
#define H8 HAS_HIGH, HAS_HIGH, HAS_HIGH, HAS_HIGH, HAS_HIGH, HAS_HIGH, HAS_HIGH, HAS_HIGH
#define H64 H8, H8, H8, H8, H8, H8, H8, H8

/* clang-format off */
const uint16_t value_kinds[256] = {
	O, O, O, O, O, O, O, O, O, S, S, O, O, S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	S, O, O, O, O, O, O, O, P, P, O, HAS_PLUS, O, HAS_DASH, HAS_DOT, HAS_SLASH,
	D, D, D, D, D, D, D, D, D, D, HAS_COLON, O, O, X, O, O,
	HAS_AT, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, O, O, O, O, X,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, X, O,
	H64, H64
};
/* clang-format on */

void value_of(struct seal_bytes text, struct value *v)
{
	const uint8_t *p = text.ptr;
	size_t len = text.len, n = 0;
	uint32_t has = 0;

	while (len > 0 && value_is(p[len - 1], HAS_SPACE))
		len--;
	while (len > 0 && value_is(*p, HAS_SPACE)) {
		p++;
		len--;
	}
	len = len > VALUE_MAX ? VALUE_MAX : len;
	for (size_t i = 0; i < len; i++) {
		const uint16_t kind = value_kinds[p[i]];

		has |= kind;
		v->digits[n < VALUE_DIGITS_MAX ? n : VALUE_DIGITS_MAX - 1] = (uint8_t)(p[i] - '0');
		n += kind == HAS_DIGIT;
	}
	v->text = bytes_of(p, len);
	v->has = has;
	v->n_digits = n;
}

bool value_has_shape(struct seal_bytes text, const char *shape)
{
	size_t at = 0;

	for (; *shape != '\0'; shape++) {
		const uint8_t c = at < text.len ? text.ptr[at] : 0;

		if (*shape == ' ') {
			at += c == ' ' || c == '.' || c == '-';
			continue;
		}
		if (*shape == '9'   ? !value_is(c, HAS_DIGIT)
		    : *shape == 'A' ? !value_is(c, HAS_LETTER)
		    : *shape == '*' ? !value_is(c, HAS_LETTER | HAS_DIGIT)
				    : c != (uint8_t)*shape)
			return false;
		at++;
	}
	return at == text.len;
}

uint64_t value_number(const uint8_t *digits, size_t at, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = at; i < at + n; i++)
		sum = sum * 10 + digits[i];
	return sum;
}
