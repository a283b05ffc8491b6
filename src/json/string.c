/*
 * Strings: raw text with escapes to UTF-8 and back (RFC 8259 §7).
 *
 * Decoding copies the runs between backslashes whole. Writing escapes only what §7 demands, so text goes through
 * in runs too.
 */
#include "json/string.h"

#include "base/encode.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/escape.h"

static unsigned hex_digit(uint8_t c)
{
	return c <= '9' ? (unsigned)c - '0' : (c | 0x20u) - 'a' + 10;
}

static uint32_t hex4(const uint8_t *p)
{
	return hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3]);
}

uint32_t escape_read(struct seal_bytes raw, size_t *at)
{
	const uint8_t *p = raw.ptr + *at;
	uint32_t high, low;

	if (p[1] != 'u') {
		*at += 2;
		switch (p[1]) {
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return p[1];
		}
	}
	high = hex4(p + 2);
	*at += 6;
	if (high < 0xd800 || high > 0xdbff || raw.len - *at < 6 || p[6] != '\\' || p[7] != 'u')
		return high;
	low = hex4(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return high;
	*at += 6;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

bool escape_decode(struct seal_bytes raw, uint8_t *out, size_t room, size_t *len)
{
	size_t at = 0, used = 0;

	while (at < raw.len) {
		const uint8_t *stop = memchr(raw.ptr + at, '\\', raw.len - at);
		size_t run = stop != NULL ? (size_t)(stop - raw.ptr) - at : raw.len - at;
		uint8_t utf8[4];
		uint32_t character;
		size_t n;

		if (run > room - used)
			return false;
		memcpy(out + used, raw.ptr + at, run);
		used += run;
		at += run;
		if (at == raw.len)
			break;
		character = escape_read(raw, &at);
		if (escape_is_lone(character))
			return false;
		n = utf8_put(character, utf8);
		if (n > room - used)
			return false;
		memcpy(out + used, utf8, n);
		used += n;
	}
	*len = used;
	return true;
}

bool json_string_decode(struct seal_bytes raw, struct arena *arena, struct seal_bytes *out)
{
	uint8_t *text;
	size_t len;

	if (raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL) {
		*out = raw.ptr != NULL ? raw : bytes_of("", 0);
		return true;
	}
	*out = BYTES_EMPTY;
	text = arena_alloc(arena, raw.len, 1);
	if (text == NULL)
		return true;
	if (!escape_decode(raw, text, raw.len, &len)) {
		mem_wipe(text, raw.len); /* the arena wipes only what it still counts */
		arena_shrink(arena, text + raw.len, text);
		return false;
	}
	arena_shrink(arena, text + raw.len, text + len);
	*out = bytes_of(text, len);
	return true;
}

bool json_string_decode_to(struct seal_bytes raw, uint8_t *out, size_t *len)
{
	return escape_decode(raw, out, raw.len, len);
}

/* The letter of a two-character escape, 'u' for the long form, 0 for bytes that stand for themselves. */
static const uint8_t escape_letter[256] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',		[0x10] = 'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

/* How many bytes from `at` on need no escape. */
static size_t plain_run(struct seal_bytes text, size_t at)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
	size_t from = at;

	while (text.len - at >= 8) {
		uint64_t v, quote, slash;

		memcpy(&v, text.ptr + at, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		if (((v - ones * 0x20) | (quote - ones) | (slash - ones)) & ~v & tops)
			break;
		at += 8;
	}
	while (at < text.len && escape_letter[text.ptr[at]] == 0)
		at++;
	return at - from;
}

size_t json_string_write(struct seal_bytes text, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = out;
	size_t at = 0;

	*to++ = '"';
	while (at < text.len) {
		size_t run = plain_run(text, at);
		uint8_t byte;

		memcpy(to, text.ptr + at, run);
		to += run;
		at += run;
		if (at == text.len)
			break;
		byte = text.ptr[at++];
		*to++ = '\\';
		*to++ = escape_letter[byte];
		if (escape_letter[byte] == 'u') {
			*to++ = '0';
			*to++ = '0';
			*to++ = (uint8_t)digits[byte >> 4];
			*to++ = (uint8_t)digits[byte & 15];
		}
	}
	*to++ = '"';
	return (size_t)(to - out);
}

size_t json_string_written(struct seal_bytes text)
{
	size_t len = text.len + 2;

	for (size_t at = 0; at < text.len; at++) {
		at += plain_run(text, at);
		if (at < text.len)
			len += escape_letter[text.ptr[at]] == 'u' ? 5 : 1;
	}
	return len;
}

enum seal_status json_string_append(struct seal_buf *out, struct seal_bytes text, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(out, json_string_written(text), err);

	if (rc == SEAL_OK)
		out->len += json_string_write(text, out->ptr + out->len);
	return rc;
}

enum seal_status json_base64_append(struct seal_buf *out, struct seal_bytes raw, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(out, BASE64_LEN(raw.len) + 2, err);

	if (rc != SEAL_OK)
		return rc;
	out->ptr[out->len++] = '"';
	out->len += base64_encode(raw, (char *)out->ptr + out->len);
	out->ptr[out->len++] = '"';
	return SEAL_OK;
}
