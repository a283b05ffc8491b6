/* The scanner in plain C: eight bytes at a time in strings. What every machine has, and the reference for the rest. */
#include "json/walk.h"

static inline const uint8_t *string_run(const uint8_t *doc, const uint8_t *p, const uint8_t *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;

	while (end - p >= 8) {
		uint64_t v = paths_load64(p), quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');

		/* Some top bit is set exactly when a byte is below 0x20, a quote, a backslash or above 0x7f. */
		if ((v - ones * 0x20) & tops || ((quote - ones) | (slash - ones) | v) & tops)
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
		p++;
	return p;
}

static inline const uint8_t *space_run(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#include "json/scan_core.inc"

static bool always(void)
{
	return true;
}

const struct walk_backend walk_plain = {"plain", walk, always};
