/*
 * What only a field's name tells, with what its values must look like at least: names of people, days of birth, numbers of customers
 * and papers. By themselves such values say nothing.
 */
#include "base/utf8.h"
#include "detect/checks.h"
#include "detect/tests.h"

#define NAME_WORDS_MAX 7
#define YEAR_MIN 1850
#define YEAR_MAX 2099

/* Words of names that are written small: "van der Berg", "de la Cruz". */
static bool is_particle(struct seal_bytes word)
{
	static const char *const particles[] = {"von", "vom",  "zu",  "zur",   "van", "der", "den", "de", "het",
						"ter", "ten",  "la",  "le",    "du",  "des", "di",  "da", "do",
						"dos", "das",  "del", "della", "y",   "e",   "i",   "al", "el",
						"bin", "bint", "ibn", "af",    "av",  "und"};

	for (size_t i = 0; i < sizeof(particles) / sizeof(particles[0]); i++)
		if (bytes_eq_str(word, particles[i]))
			return true;
	return false;
}

/* Letters and what stands in names between them; each word with a capital first, or in a script without any. */
bool is_name_like(const struct value *v)
{
	const struct seal_bytes text = v->text;
	size_t words = 0, capitals = 0;

	for (size_t at = 0; at < text.len; words++) {
		size_t end = at;

		while (end < text.len && !value_is(text.ptr[end], HAS_SPACE)) {
			const uint8_t c = text.ptr[end++];

			if (!value_is(c, HAS_LETTER | HAS_HIGH | HAS_DASH | HAS_DOT) && c != '\'' && c != ',' &&
			    c != '`')
				return false;
		}
		capitals += value_is(text.ptr[at], HAS_UPPER | HAS_HIGH);
		if (value_is(text.ptr[at], HAS_LOWER) && !is_particle(bytes_of(text.ptr + at, end - at)) &&
		    !(end - at > 2 && text.ptr[at + 1] == '\'')) /* "d'Arc" */
			return false;
		at = end + (end < text.len);
	}
	return words <= NAME_WORDS_MAX && capitals > 0;
}

static bool is_birth_day(uint64_t year, uint64_t month, uint64_t day)
{
	return year >= YEAR_MIN && year <= YEAR_MAX && check_day(year, month, day);
}

/* The number of a month's name, English or German, short or long; 0: it is none. */
static unsigned month_of(struct seal_bytes word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (unsigned m = 0; m < 12 && word.len >= 3; m++)
		if ((word.ptr[0] | 0x20) == names[m * 3] && (word.ptr[1] | 0x20) == names[m * 3 + 1] &&
		    (word.ptr[2] | 0x20) == names[m * 3 + 2])
			return m + 1;
	return 0;
}

/* "12 March 1980", "March 12, 1980", "12-Mar-80" */
static bool is_worded_date(const struct value *v)
{
	size_t from = 0, to;
	uint64_t day, year;
	unsigned month;

	while (from < v->text.len && !value_is(v->text.ptr[from], HAS_LETTER))
		from++;
	for (to = from; to < v->text.len && value_is(v->text.ptr[to], HAS_LETTER); to++)
		;
	month = month_of(bytes_of(v->text.ptr + from, to - from));
	for (size_t i = to; i < v->text.len; i++)
		if (value_is(v->text.ptr[i], HAS_LETTER))
			return false;
	if (month == 0 || v->n_digits < 3 || v->n_digits > 6)
		return false;
	/* Day, one or two digits; year, two or four. */
	day = value_number(v->digits, 0, v->n_digits % 2 == 0 ? 2 : 1);
	year = value_number(v->digits, v->n_digits % 2 == 0 ? 2 : 1, v->n_digits - (v->n_digits % 2 == 0 ? 2 : 1));
	return year < 100 ? check_day(year, month, day) : is_birth_day(year, month, day);
}

/* Days as people and programs write them: by themselves any date. */
bool is_birth_date(const struct value *v)
{
	struct seal_bytes text = v->text;
	const uint8_t *d = v->digits;

	if (v->has & HAS_LETTER && text.len > 11 && text.ptr[10] == 'T')
		text.len = 10; /* RFC 3339 */
	if (value_has_shape(text, "9999 99 99") || value_has_shape(text, "9999/99/99"))
		return is_birth_day(value_number(d, 0, 4), value_number(d, 4, 2), value_number(d, 6, 2)) ||
		       (text.len == 8 &&
			is_birth_day(value_number(d, 4, 4), value_number(d, 2, 2), value_number(d, 0, 2)));
	if (value_has_shape(text, "99 99 9999") || value_has_shape(text, "99/99/9999")) {
		const uint64_t a = value_number(d, 0, 2), b = value_number(d, 2, 2), year = value_number(d, 4, 4);

		return is_birth_day(year, b, a) || is_birth_day(year, a, b);
	}
	if (value_has_shape(text, "9999"))
		return value_number(d, 0, 4) >= YEAR_MIN && value_number(d, 0, 4) <= YEAR_MAX;
	return is_worded_date(v);
}

/* Some digits, perhaps letters and separators: a number that somebody was given. */
bool is_number_like(const struct value *v)
{
	return v->n_digits * 3 >= v->text.len;
}
