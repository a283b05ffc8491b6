/*
 * base64 and hex by table: 6 bits at a time when encoding, one table look-up a character when decoding, all checks of
 * a group in one OR. Where the processor can shuffle bytes, sixteen characters are made or read at once without a table.
 * bench/base64.c compares it with OpenSSL's and with copying.
 */
#include "base/encode.h"

#if defined(__x86_64__)
#include <tmmintrin.h>
#endif

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of each character, 0xff where it has none. */
#define ROW(c62, c63)                                                                                                \
	{                                                                                                            \
		[0 ... 255] = 0xff, ['A'] = 0, ['B'] = 1, ['C'] = 2, ['D'] = 3, ['E'] = 4, ['F'] = 5, ['G'] = 6,     \
		       ['H'] = 7, ['I'] = 8, ['J'] = 9, ['K'] = 10, ['L'] = 11, ['M'] = 12, ['N'] = 13, ['O'] = 14,  \
		       ['P'] = 15, ['Q'] = 16, ['R'] = 17, ['S'] = 18, ['T'] = 19, ['U'] = 20, ['V'] = 21,           \
		       ['W'] = 22, ['X'] = 23, ['Y'] = 24, ['Z'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28,           \
		       ['d'] = 29, ['e'] = 30, ['f'] = 31, ['g'] = 32, ['h'] = 33, ['i'] = 34, ['j'] = 35,           \
		       ['k'] = 36, ['l'] = 37, ['m'] = 38, ['n'] = 39, ['o'] = 40, ['p'] = 41, ['q'] = 42,           \
		       ['r'] = 43, ['s'] = 44, ['t'] = 45, ['u'] = 46, ['v'] = 47, ['w'] = 48, ['x'] = 49,           \
		       ['y'] = 50, ['z'] = 51, ['0'] = 52, ['1'] = 53, ['2'] = 54, ['3'] = 55, ['4'] = 56,           \
		       ['5'] = 57, ['6'] = 58, ['7'] = 59, ['8'] = 60, ['9'] = 61, [c62] = 62, [c63] = 63            \
	}

#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
static const uint8_t std_values[256] = ROW('+', '/');
static const uint8_t url_values[256] = ROW('-', '_');
#pragma GCC diagnostic pop

#if defined(__x86_64__)
/* Twelve bytes into sixteen characters, as long as sixteen can be read; returns how many bytes were taken. */
__attribute__((target("ssse3"))) static size_t encode_wide(struct seal_bytes in, char *out, const char *alphabet)
{
	/* Each 32 bits get the three bytes of a group in the order 1 0 2 1, where two multiplications move its four times 6 bits apart. */
	const __m128i groups = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* What is added to a value, by its kind: 0 a-z, 1 … 10 digits, 11 and 12 the last two, 13 A-Z. */
	const __m128i shifts = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
					     '0' - 52, '0' - 52, '0' - 52, '0' - 52, (char)(alphabet[62] - 62),
					     (char)(alphabet[63] - 63), 'A', 0, 0);
	size_t at = 0;

	for (; in.len - at >= 16; at += 12, out += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(in.ptr + at)), kind;

		v = _mm_shuffle_epi8(v, groups);
		v = _mm_or_si128(
			_mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040)),
			_mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010)));
		kind = _mm_or_si128(_mm_subs_epu8(v, _mm_set1_epi8(51)),
				    _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), v), _mm_set1_epi8(13)));
		v = _mm_add_epi8(v, _mm_shuffle_epi8(shifts, kind));
		_mm_storeu_si128((__m128i *)(void *)out, v);
	}
	return at;
}

/* Where a character is in a range, `add`. */
__attribute__((target("ssse3"))) static __m128i if_between(__m128i v, char first, char last, char add)
{
	const __m128i in = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8((char)(first - 1))),
					 _mm_cmpgt_epi8(_mm_set1_epi8((char)(last + 1)), v));

	return _mm_and_si128(in, _mm_set1_epi8(add));
}

/*
 * Sixteen characters into twelve bytes, as long as sixteen can be written into the room of what is left; returns how many were taken. Stops
 * where one is none of the alphabet. What is written never passes what was read, so that both may begin at the same place.
 */
__attribute__((target("ssse3"))) static size_t decode_wide(struct seal_bytes in, uint8_t *out, const char *alphabet)
{
	const __m128i bytes = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	const char c62 = alphabet[62], c63 = alphabet[63];
	size_t at = 0;

	for (; in.len - at >= 24; at += 16, out += 12) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(in.ptr + at));
		__m128i shift, values;

		shift = _mm_or_si128(if_between(v, 'A', 'Z', -'A'), if_between(v, 'a', 'z', 26 - 'a'));
		shift = _mm_or_si128(shift, if_between(v, '0', '9', 52 - '0'));
		shift = _mm_or_si128(shift, if_between(v, c62, c62, (char)(62 - c62)));
		shift = _mm_or_si128(shift, if_between(v, c63, c63, (char)(63 - c63)));
		if (_mm_movemask_epi8(_mm_cmpeq_epi8(shift, _mm_setzero_si128())) != 0) /* none is its own value */
			break;
		values = _mm_add_epi8(v, shift);
		values = _mm_maddubs_epi16(values, _mm_set1_epi32(0x01400140));
		values = _mm_madd_epi16(values, _mm_set1_epi32(0x00011000));
		_mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(values, bytes));
	}
	return at;
}
#endif

/* All whole groups and the rest without padding. */
static size_t encode(struct seal_bytes in, char *out, const char *alphabet)
{
	const uint8_t *p = in.ptr;
	size_t n = in.len;
	char *o = out;

#if defined(__x86_64__)
	if (n >= 16 && __builtin_cpu_supports("ssse3")) {
		const size_t taken = encode_wide(in, out, alphabet);

		p += taken;
		n -= taken;
		o += taken / 3 * 4;
	}
#endif
	for (; n >= 3; n -= 3, p += 3, o += 4) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		o[0] = alphabet[v >> 18];
		o[1] = alphabet[v >> 12 & 63];
		o[2] = alphabet[v >> 6 & 63];
		o[3] = alphabet[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);

		*o++ = alphabet[v >> 18];
		*o++ = alphabet[v >> 12 & 63];
		if (n == 2)
			*o++ = alphabet[v >> 6 & 63];
	}
	return (size_t)(o - out);
}

/* `in` without padding. */
static bool decode(struct seal_bytes in, uint8_t *out, size_t *out_len, const uint8_t values[256],
		   const char *alphabet)
{
	const uint8_t *p = in.ptr;
	size_t n = in.len;
	uint8_t *o = out;

#if defined(__x86_64__)
	if (n >= 24 && __builtin_cpu_supports("ssse3")) {
		const size_t taken = decode_wide(in, out, alphabet);

		p += taken;
		n -= taken;
		o += taken / 4 * 3;
	}
#endif
	for (; n >= 4; n -= 4, p += 4, o += 3) {
		uint32_t a = values[p[0]], b = values[p[1]], c = values[p[2]], d = values[p[3]];
		uint32_t v = a << 18 | b << 12 | c << 6 | d;

		if ((a | b | c | d) & 0x80)
			return false;
		o[0] = (uint8_t)(v >> 16);
		o[1] = (uint8_t)(v >> 8);
		o[2] = (uint8_t)v;
	}
	if (n == 1)
		return false;
	if (n > 0) {
		uint32_t a = values[p[0]], b = values[p[1]], c = n == 3 ? values[p[2]] : 0;

		/* The bits that stand for nothing must be zero. */
		if (((a | b | c) & 0x80) || (n == 2 ? b & 15 : c & 3))
			return false;
		*o++ = (uint8_t)(a << 2 | b >> 4);
		if (n == 3)
			*o++ = (uint8_t)(b << 4 | c >> 2);
	}
	*out_len = (size_t)(o - out);
	return true;
}

size_t base64_encode(struct seal_bytes in, char *out)
{
	size_t n = encode(in, out, std_alphabet);

	while (n % 4 != 0)
		out[n++] = '=';
	return n;
}

bool base64_decode(struct seal_bytes in, uint8_t *out, size_t *out_len)
{
	if (in.len % 4 != 0)
		return false;
	if (in.len > 0 && in.ptr[in.len - 1] == '=') {
		in.len--;
		if (in.ptr[in.len - 1] == '=')
			in.len--;
	}
	return decode(in, out, out_len, std_values, std_alphabet);
}

/* Piece by piece. */
static bool is_canonical(struct seal_bytes text, size_t *raw,
			 bool (*to_bytes)(struct seal_bytes, uint8_t *, size_t *))
{
	uint8_t piece[BASE64_RAW_MAX(256)];
	size_t len;

	*raw = 0;
	while (text.len > 256) {
		if (!to_bytes(bytes_of(text.ptr, 256), piece, &len) || len != 192)
			return false;
		*raw += len;
		text = bytes_skip(text, 256);
	}
	if (!to_bytes(text, piece, &len))
		return false;
	*raw += len;
	return true;
}

bool base64_is_canonical(struct seal_bytes text, size_t *raw)
{
	return is_canonical(text, raw, base64_decode);
}

bool base64url_is_canonical(struct seal_bytes text, size_t *raw)
{
	return is_canonical(text, raw, base64url_decode);
}

size_t base64url_encode(struct seal_bytes in, char *out)
{
	return encode(in, out, url_alphabet);
}

bool base64url_decode(struct seal_bytes in, uint8_t *out, size_t *out_len)
{
	return decode(in, out, out_len, url_values, url_alphabet);
}

void hex_encode(struct seal_bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		out[2 * i] = digits[in.ptr[i] >> 4];
		out[2 * i + 1] = digits[in.ptr[i] & 15];
	}
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct seal_bytes in, uint8_t *out)
{
	if (in.len % 2 != 0)
		return false;
	for (size_t i = 0; i < in.len; i += 2) {
		int high = hex_value(in.ptr[i]), low = hex_value(in.ptr[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}
