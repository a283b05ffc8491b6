/* The scanner with AVX2: thirty-two bytes at a time, so that most strings take one step. */
#include <immintrin.h>

#include "json/walk.h"

/* Bit i: byte i is a quote, a backslash, below 0x20 or (being negative) above 0x7f. */
static inline uint32_t stops16(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	__m128i stop = _mm_or_si128(
		_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
		_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

	return (uint32_t)_mm_movemask_epi8(stop);
}

static inline uint32_t stops32(const uint8_t *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	__m256i stop = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v),
				       _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
						       _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'))));

	return (uint32_t)_mm256_movemask_epi8(stop);
}

static inline const uint8_t *string_run(const uint8_t *doc, const uint8_t *p, const uint8_t *end)
{
	uint32_t stops;

	/* Most strings are short, and a short look has the shorter latency. */
	if (end - p >= 16) {
		stops = stops16(p);
		if (stops != 0)
			return p + __builtin_ctz(stops);
		p += 16;
	}
	for (; end - p >= 32; p += 32) {
		stops = stops32(p);
		if (stops != 0)
			return p + __builtin_ctz(stops);
	}
	/* The last bytes are seen through the document's last thirty-two, so nothing behind it is read. */
	if (p < end && end - doc >= 32) {
		stops = stops32(end - 32) >> (32 - (end - p));
		return stops != 0 ? p + __builtin_ctz(stops) : end;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
		p++;
	return p;
}

static inline const uint8_t *space_run(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 32; p += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)p);
		__m256i blank = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(' ')),
								_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n'))),
						_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\r')),
								_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t'))));
		uint32_t other = ~(uint32_t)_mm256_movemask_epi8(blank);

		if (other != 0)
			return p + __builtin_ctz(other);
	}
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#include "json/scan_core.inc"

static bool usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

const struct walk_backend walk_avx2 = {"avx2", walk, usable};
