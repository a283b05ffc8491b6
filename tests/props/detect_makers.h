/*
 * Values for detectors, made up from a seed: of each kind as its specification builds it, check digits calculated by code of its own,
 * and what is no such thing. Nothing here is of a person.
 */
#ifndef TESTS_DETECT_MAKERS_H
#define TESTS_DETECT_MAKERS_H

#include <stdbool.h>
#include <string.h>

#include "prop.h"

#define MADE_MAX 512

static const char upper_case[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", lower_case[] = "abcdefghijklmnopqrstuvwxyz",
		  ten_digits[] = "0123456789", hex_digits[] = "0123456789abcdef",
		  base62[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		  base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Appends `n` characters of `set`; the end. */
static char *put_of(struct prop_random *r, char *p, const char *set, size_t n)
{
	const uint32_t size = (uint32_t)strlen(set);

	for (size_t i = 0; i < n; i++)
		*p++ = set[prop_below(r, size)];
	*p = '\0';
	return p;
}

static char *put_digits(struct prop_random *r, char *p, size_t n)
{
	return put_of(r, p, ten_digits, n);
}

static char *put(char *p, const char *text)
{
	const size_t len = strlen(text);

	memcpy(p, text, len + 1);
	return p + len;
}

/* One of the words of `list`, '|' between them. */
static char *put_word(struct prop_random *r, char *p, const char *list)
{
	uint32_t n = 1, take;

	for (const char *c = list; *c != '\0'; c++)
		n += *c == '|';
	for (take = prop_below(r, n); take > 0; take--)
		list = strchr(list, '|') + 1;
	while (*list != '\0' && *list != '|')
		*p++ = *list++;
	*p = '\0';
	return p;
}

static uint32_t between(struct prop_random *r, uint32_t from, uint32_t to)
{
	return from + prop_below(r, to - from + 1);
}

/* `value` in `width` digits. */
static char *put_number(char *p, uint64_t value, size_t width)
{
	for (size_t i = width; i > 0; i--) {
		p[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	p[width] = '\0';
	return p + width;
}

/* A day: Y (four digits), y, m, d stand for its parts, what else is there for itself. */
static char *put_day(struct prop_random *r, char *p, const char *format)
{
	const uint32_t year = between(r, 1930, 2012), month = between(r, 1, 12), day = between(r, 1, 28);

	*p = '\0';
	for (; *format != '\0'; format++) {
		if (*format == 'Y')
			p = put_number(p, year, 4);
		else if (*format == 'y' || *format == 'm' || *format == 'd')
			p = put_number(p, *format == 'y' ? year % 100 : *format == 'm' ? month : day, 2);
		else
			p = put(p, (char[]){*format, '\0'});
	}
	return p;
}

static unsigned digit(const char *p)
{
	return (unsigned)(*p - '0');
}

/* Number of the digits from `p`. */
static uint64_t number_of(const char *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 10 + digit(p + i);
	return sum;
}

/* Digit × weight, summed; a weight's letter counts from 'a' = 0. */
static unsigned weighed(const char *p, const char *weights)
{
	unsigned sum = 0;

	for (; *weights != '\0'; weights++, p++)
		sum += digit(p) * (unsigned)(*weights - 'a');
	return sum;
}

/* Luhn, in words: double every second from the right, a ten counts as one and a rest. */
static char *put_luhn(char *start, char *p)
{
	unsigned sum = 0;
	bool twice = true;

	for (char *at = p; at > start; twice = !twice) {
		const unsigned d = digit(--at) * (twice ? 2 : 1);

		sum += d / 10 + d % 10;
	}
	return put_number(p, (10 - sum % 10) % 10, 1);
}

/* Lays compact text out: 'x' takes its next character. Layouts that take another number of them don't fit: as it is. */
static void lay_out(const char *compact, const char *layout, char *out)
{
	char made[MADE_MAX];
	size_t n = 0;

	for (const char *l = layout; *l != '\0'; l++)
		n += *l == 'x';
	if (n != strlen(compact)) {
		put(out, compact);
		return;
	}
	for (n = 0; *layout != '\0'; layout++)
		made[n++] = *layout == 'x' ? *compact++ : *layout;
	made[n] = '\0';
	put(out, made);
}

/* Other characters of the same kinds in the same places: what looks alike, and is right by accident at most. */
static void make_alike(struct prop_random *r, const char *text, char *out)
{
	for (; *text != '\0'; text++, out++)
		*out = strchr(ten_digits, *text)   ? ten_digits[prop_below(r, 10)]
		       : strchr(upper_case, *text) ? upper_case[prop_below(r, 26)]
		       : strchr(lower_case, *text) ? lower_case[prop_below(r, 26)]
						   : *text;
	*out = '\0';
}

#endif
