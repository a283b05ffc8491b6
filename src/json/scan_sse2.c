/* The scanner with SSE2, which every x86-64 has: sixteen bytes at a time. */
#include <emmintrin.h>

#include "json/walk.h"

/* Bit i: byte i is a quote, a backslash, below 0x20 or (being negative) above 0x7f. */
static inline uint32_t string_stops(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	__m128i stop = _mm_or_si128(
		_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
		_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

	return (uint32_t)_mm_movemask_epi8(stop);
}

static inline const uint8_t *string_run(const uint8_t *doc, const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 16; p += 16) {
		uint32_t stops = string_stops(p);

		if (stops != 0)
			return p + __builtin_ctz(stops);
	}
	/* The last bytes are seen through the document's last sixteen, so nothing behind it is read. */
	if (p < end && end - doc >= 16) {
		uint32_t stops = string_stops(end - 16) >> (16 - (end - p));

		return stops != 0 ? p + __builtin_ctz(stops) : end;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
		p++;
	return p;
}

static inline const uint8_t *space_run(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i blank = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'))),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'))));
		uint32_t other = ~(uint32_t)_mm_movemask_epi8(blank) & 0xffff;

		if (other != 0)
			return p + __builtin_ctz(other);
	}
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#include "json/scan_core.inc"

static bool always(void)
{
	return true;
}

const struct walk_backend walk_sse2 = {"sse2", walk, always};
