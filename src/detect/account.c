/*
 * Numbers of cards and bank accounts.
 *
 *   card   first digits of an issuer, one of its lengths, Luhn; written together or in the groups that are on the card
 *   IBAN   a country's length, ISO 7064 mod 97-10; written together or in groups of four
 */
#include "detect/checks.h"
#include "detect/scan.h"
#include "detect/tests.h"

#define CARD_MIN 14 /* in a text; alone 12, as some of Maestro's */
#define CARD_MAX 19
#define IBAN_MAX 34

/*
 * First six digits from … to, and the lengths in use (bit n: n digits). ISO/IEC 7812 ranges as the schemes publish them. None has 13:
 * Visa's are long gone, and everything else that is numbered has 13 digits (goods, books, milliseconds, South Africans).
 */
static const struct issuer {
	uint32_t from, to, lengths;
} issuers[] = {
#define LEN(n) (1u << (n))
#define MAESTRO (LEN(20) - LEN(14) + LEN(12))
	{180000, 180099, LEN(15)}, /* JCB, old */
	{213100, 213199, LEN(15)},
	{220000, 220499, LEN(16) | LEN(17) | LEN(18) | LEN(19)}, /* Mir */
	{222100, 272099, LEN(16)}, /* Mastercard */
	{300000, 305999, LEN(14) | LEN(16) | LEN(19)}, /* Diners Club */
	{309500, 309599, LEN(14) | LEN(16) | LEN(19)},
	{340000, 349999, LEN(15)}, /* American Express */
	{352800, 358999, LEN(16) | LEN(17) | LEN(18) | LEN(19)}, /* JCB */
	{360000, 369999, LEN(14) | LEN(16) | LEN(19)}, /* Diners Club */
	{370000, 379999, LEN(15)}, /* American Express */
	{380000, 399999, LEN(14) | LEN(16) | LEN(19)}, /* Diners Club */
	{400000, 499999, LEN(16) | LEN(19)}, /* Visa */
	{500000, 509999, MAESTRO}, /* Maestro, Elo, Verve */
	{510000, 559999, LEN(16)}, /* Mastercard */
	{560000, 589999, MAESTRO}, /* Maestro */
	{601100, 601199, LEN(16) | LEN(19)}, /* Discover */
	{604000, 609999, LEN(16)}, /* RuPay, Hipercard */
	{620000, 629999, LEN(16) | LEN(17) | LEN(18) | LEN(19)}, /* UnionPay */
	{630000, 639999, MAESTRO}, /* Maestro */
	{644000, 659999, LEN(16) | LEN(19)}, /* Discover, RuPay */
	{670000, 679999, MAESTRO}, /* Maestro */
	{810000, 817199, LEN(16) | LEN(17) | LEN(18) | LEN(19)}, /* UnionPay */
#undef MAESTRO
#undef LEN
};

/* Lengths of IBANs, of the registry of ISO 13616 (SWIFT). */
static const struct country {
	char code[2];
	uint8_t len;
} countries[] = {
	{"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
	{"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
	{"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
	{"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28},
	{"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
	{"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22},
	{"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
	{"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
	{"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
	{"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
};

static bool is_card_number(const uint8_t *digits, size_t n)
{
	const uint64_t first = value_number(digits, 0, 6);

	for (size_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++)
		if (first >= issuers[i].from && first <= issuers[i].to)
			return (issuers[i].lengths >> n & 1) && check_luhn(digits, n);
	return false;
}

/*
 * Digits, or groups of them with the same separator, space or dash, between: none shorter than 3 (the last may have 1) or longer
 * than 7, as 4-4-4-4, 4-6-5, 4-6-4 and 6-13 … are printed. Separators elsewhere make it something else: a phone, a list.
 */
static bool has_card_groups(struct seal_bytes text)
{
	uint8_t separator = 0;
	size_t group = 0, groups = 0;

	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (value_is(c, HAS_DIGIT)) {
			group++;
			continue;
		}
		if ((c != ' ' && c != '-') || group < 4 || group > 6 || (separator != 0 && c != separator))
			return false;
		separator = c;
		group = 0;
		groups++;
	}
	return groups == 0 || (groups <= 4 && group >= 1 && group <= 6);
}

bool is_card(const struct value *v)
{
	return has_card_groups(v->text) && is_card_number(v->digits, v->n_digits);
}

/* One run of digits in a text, and the separators in it. */
static bool run_is_card(struct seal_bytes run)
{
	struct value v;

	value_of(run, &v);
	return v.n_digits >= CARD_MIN && v.n_digits <= CARD_MAX && is_card(&v);
}

static size_t digits_end(struct seal_bytes text, size_t at)
{
	while (at < text.len && value_is(text.ptr[at], HAS_DIGIT))
		at++;
	return at;
}

/* The groups on a card that begin at `at`, with other numbers around; 4 × 4 digits among more groups of four are a list. */
static bool has_printed_card_at(struct seal_bytes run, size_t at, bool after_four)
{
	static const char *const shapes[] = {"9999 9999 9999 9999", "9999 999999 99999", "9999 999999 9999"};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const size_t len = strlen(shapes[i]), end = at + len;

		if (end > run.len || digits_end(run, end) > end ||
		    (i == 0 && (after_four || digits_end(run, end + 1) == end + 5)))
			continue;
		if (value_has_shape(bytes_of(run.ptr + at, len), shapes[i]) &&
		    run_is_card(bytes_of(run.ptr + at, len)))
			return true;
	}
	return false;
}

/* A card with other numbers before or behind it: "2026-11-22 4111111111111111", "4111 1111 1111 1111 12/29". */
static bool run_has_card(struct seal_bytes run)
{
	bool after_four = false;

	if (run_is_card(run))
		return true;
	for (size_t at = 0, end; at < run.len; at = end + 1) {
		end = digits_end(run, at);
		if (run_is_card(bytes_of(run.ptr + at, end - at)) || has_printed_card_at(run, at, after_four))
			return true;
		after_four = end - at == 4;
	}
	return false;
}

bool has_card(const struct value *v)
{
	return scan_digits(v->text, " -", run_has_card);
}

/* ISO 13616: the first four go to the end, letters count 10 … 35, the remainder by 97 is 1. */
static bool is_iban_number(const uint8_t *text, size_t n)
{
	unsigned rest = 0;

	for (size_t i = 0; i < n; i++) {
		const uint8_t c = text[(i + 4) % n];

		rest = c <= '9' ? (rest * 10 + c - '0') % 97 : (rest * 100 + c - 'A' + 10) % 97;
	}
	return rest == 1;
}

static bool run_is_iban(struct seal_bytes run)
{
	uint8_t text[IBAN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < run.len; i++) {
		if (run.ptr[i] == ' ' && n % 4 == 0 && i > 0 && run.ptr[i - 1] != ' ')
			continue;
		if (!value_is(run.ptr[i], HAS_LETTER | HAS_DIGIT) || n == IBAN_MAX)
			return false;
		text[n++] = value_upper(run.ptr[i]);
	}
	if (n < 15 || !value_is(text[2], HAS_DIGIT) || !value_is(text[3], HAS_DIGIT))
		return false;
	for (size_t i = 0; i < sizeof(countries) / sizeof(countries[0]); i++)
		if (memcmp(text, countries[i].code, 2) == 0)
			return n == countries[i].len && is_iban_number(text, n);
	return false;
}

bool is_iban(const struct value *v)
{
	return run_is_iban(v->text);
}

/* In a text an IBAN starts a word; written in groups it ends where its length is reached. */
bool has_iban(const struct value *v)
{
	const struct seal_bytes text = v->text;

	for (size_t i = 0; i + 15 <= text.len; i++) {
		size_t n = 0, end;

		if ((i > 0 && value_is(text.ptr[i - 1], HAS_LETTER | HAS_DIGIT)) ||
		    !value_is(text.ptr[i], HAS_LETTER) || !value_is(text.ptr[i + 1], HAS_LETTER) ||
		    !value_is(text.ptr[i + 2], HAS_DIGIT) || !value_is(text.ptr[i + 3], HAS_DIGIT))
			continue;
		for (size_t c = 0; c < sizeof(countries) / sizeof(countries[0]) && n == 0; c++)
			if (value_upper(text.ptr[i]) == countries[c].code[0] &&
			    value_upper(text.ptr[i + 1]) == countries[c].code[1])
				n = countries[c].len;
		for (end = i; n > 0 && end < text.len; end++)
			n -= text.ptr[end] != ' ';
		if (end > i && n == 0 && (end == text.len || !value_is(text.ptr[end], HAS_LETTER | HAS_DIGIT)) &&
		    run_is_iban(bytes_of(text.ptr + i, end - i)))
			return true;
	}
	return false;
}
