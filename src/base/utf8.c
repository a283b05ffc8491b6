/* UTF-8 by RFC 3629's table of well-formed byte sequences. */
#include "base/utf8.h"

bool utf8_next(struct seal_bytes text, size_t *at, uint32_t *code_point)
{
	const uint8_t *p = text.ptr + *at;
	size_t left = text.len - *at;
	uint32_t cp, min;
	size_t n;

	if (p[0] < 0x80) {
		*code_point = p[0];
		*at += 1;
		return true;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return false;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < n)
		return false;
	cp = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	min = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return false;
	*code_point = cp;
	*at += n;
	return true;
}

bool utf8_valid(struct seal_bytes text)
{
	size_t at = 0;
	uint32_t cp;

	while (at < text.len) {
		uint64_t eight;

		if (text.len - at >= 8) {
			memcpy(&eight, text.ptr + at, 8);
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				at += 8;
				continue;
			}
		}
		if (!utf8_next(text, &at, &cp))
			return false;
	}
	return true;
}

void utf8_keep_to_one_line(char *text, size_t len)
{
	const struct seal_bytes bytes = bytes_of(text, len);
	uint32_t c;

	for (size_t at = 0, from = 0; at < len; from = at) {
		if (!utf8_next(bytes, &at, &c))
			at = from + 1;
		else if (!utf8_steers(c))
			continue;
		memset(text + from, '?', at - from);
	}
}

size_t utf8_put(uint32_t code_point, uint8_t out[4])
{
	if (code_point < 0x80) {
		out[0] = (uint8_t)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (uint8_t)(0xc0 | code_point >> 6);
		out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code_point >> 12);
		out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | code_point >> 18);
	out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
	return 4;
}

bool utf8_steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}
