/* The system's clocks. */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_unix_ms(void)
{
	return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000);
}

/* Digits behind the character `before` (0: none), as a number of min … max; moves on. */
static bool take_digits(struct cursor *c, char before, size_t n, int min, int max, int *out)
{
	uint8_t byte;

	if (before != 0 && (!cursor_u8(c, &byte) || byte != (uint8_t)before))
		return false;
	for (*out = 0; n > 0; n--) {
		if (!cursor_u8(c, &byte) || byte < '0' || byte > '9')
			return false;
		*out = *out * 10 + (byte - '0');
	}
	return *out >= min && *out <= max;
}

/* ".123456", of which three digits count, or nothing. */
static bool take_fraction(struct cursor *c, int *ms)
{
	int unit = 100;
	size_t n = 0;

	*ms = 0;
	if (c->rest.len == 0 || c->rest.ptr[0] != '.')
		return true;
	for (c->rest = bytes_skip(c->rest, 1); c->rest.len > 0; c->rest = bytes_skip(c->rest, 1), unit /= 10, n++) {
		const uint8_t byte = c->rest.ptr[0];

		if (byte < '0' || byte > '9')
			break;
		*ms += unit * (byte - '0');
	}
	return n > 0;
}

/* "Z", "+01:00" or "-01:00", to the end. */
static bool take_zone(struct cursor *c, int *minutes)
{
	uint8_t sign;
	int hours, more;

	*minutes = 0;
	if (!cursor_u8(c, &sign))
		return false;
	if (sign == 'Z')
		return c->rest.len == 0;
	if ((sign != '+' && sign != '-') || !take_digits(c, 0, 2, 0, 23, &hours) ||
	    !take_digits(c, ':', 2, 0, 59, &more))
		return false;
	*minutes = (sign == '-' ? -1 : 1) * (60 * hours + more);
	return c->rest.len == 0;
}

bool clock_of_rfc3339(struct seal_bytes text, int64_t *unix_ms)
{
	struct cursor c = {text};
	struct tm tm = {0};
	int ms, zone;
	int64_t seconds;

	if (!take_digits(&c, 0, 4, 1970, 9999, &tm.tm_year) || !take_digits(&c, '-', 2, 1, 12, &tm.tm_mon) ||
	    !take_digits(&c, '-', 2, 1, 31, &tm.tm_mday) || !take_digits(&c, 'T', 2, 0, 23, &tm.tm_hour) ||
	    !take_digits(&c, ':', 2, 0, 59, &tm.tm_min) || !take_digits(&c, ':', 2, 0, 60, &tm.tm_sec) ||
	    !take_fraction(&c, &ms) || !take_zone(&c, &zone))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = (int64_t)timegm(&tm) - 60 * (int64_t)zone;
	*unix_ms = seconds * 1000 + ms;
	return seconds >= 0;
}
