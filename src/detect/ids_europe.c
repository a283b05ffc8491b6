/*
 * National ids of European countries. Each is written with or without its usual separators, and has check digits or, where it has
 * none, a form that little else has. d: digits, in order.
 */
#include "detect/checks.h"
#include "detect/tests.h"

#define D(v, at, n) value_number((v)->digits, (at), (n))

/* A day whose year has two digits: of any century. 00 was a leap year in one of them. */
static bool is_day(const struct value *v, size_t year, size_t month, size_t day)
{
	return check_day(D(v, year, 2), D(v, month, 2), D(v, day, 2));
}

/* The letter at `at` among the letters and digits, as a capital. */
static uint8_t letter(const struct value *v, size_t at)
{
	for (size_t i = 0; i < v->text.len; i++)
		if (value_is(v->text.ptr[i], HAS_LETTER | HAS_DIGIT) && at-- == 0)
			return value_upper(v->text.ptr[i]);
	return 0;
}

static bool is_one_of(uint8_t c, const char *letters)
{
	return c != 0 && strchr(letters, c) != NULL;
}

/* United Kingdom, National Insurance number (HMRC NIM39110). */
bool is_gb_nino(const struct value *v)
{
	static const char *const never[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
	const uint8_t first = letter(v, 0), second = letter(v, 1);

	if (!value_has_shape(v->text, "AA 99 99 99 A") || is_one_of(first, "DFIQUV") || is_one_of(second, "DFIOQUV"))
		return false;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (first == (uint8_t)never[i][0] && second == (uint8_t)never[i][1])
			return false;
	return is_one_of(letter(v, 8), "ABCD");
}

/* England and Wales, NHS number: weights 10 … 2, mod 11. */
bool is_gb_nhs(const struct value *v)
{
	static const uint8_t weights[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};

	return value_has_shape(v->text, "999 999 9999") && !check_all_same(v->digits, 10) &&
	       check_sum(v->digits, weights, 10) % 11 == 0;
}

/* Germany, Steuer-Identifikationsnummer (§ 139b AO): of ten digits one stands twice or three times, no other twice; MOD 11,10. */
bool is_de_tax_id(const struct value *v)
{
	uint8_t times[10] = {0};
	size_t more = 0;

	if (!value_has_shape(v->text, "99 999 999 999") || v->digits[0] == 0)
		return false;
	for (size_t i = 0; i < 10; i++)
		times[v->digits[i]]++;
	for (size_t i = 0; i < 10; i++) {
		if (times[i] > 3)
			return false;
		more += times[i] > 1;
	}
	return more == 1 && check_mod11_10(v->digits, 11);
}

/* France, NIR (INSEE): sex, year, month, department (2A and 2B on Corsica), commune, number; 97 - rest by 97. */
bool is_fr_nir(const struct value *v)
{
	const uint8_t island = letter(v, 6);
	uint64_t month, number;

	if (!value_has_shape(v->text, "9 99 99 9* 999 999 99"))
		return false;
	month = D(v, 3, 2);
	if (!is_one_of(letter(v, 0), "123478") || month == 0 || (month > 12 && month < 20) || month == 99)
		return false;
	if (island >= '0' && island <= '9')
		return D(v, 13, 2) == 97 - D(v, 0, 13) % 97;
	if (!is_one_of(island, "AB") || v->digits[5] != 2)
		return false;
	/* 2A counts as 19, 2B as 18. */
	number = (D(v, 0, 5) * 100 + (island == 'A' ? 19 : 18)) * 1000000 + D(v, 6, 6);
	return D(v, 12, 2) == 97 - number % 97;
}

/* Spain, DNI and NIE: the letter is the rest by 23; X, Y, Z of a NIE count as 0, 1, 2. */
bool is_es_dni(const struct value *v)
{
	static const char letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
	const uint8_t first = letter(v, 0);
	uint64_t number;

	if (value_has_shape(v->text, "99 999 999 A") || value_has_shape(v->text, "99999999 A"))
		number = D(v, 0, 8);
	else if (is_one_of(first, "XYZ") &&
		 (value_has_shape(v->text, "A 9999999 A") || value_has_shape(v->text, "A 9 999 999 A")))
		number = (uint64_t)(first - 'X') * 10000000 + D(v, 0, 7);
	else
		return false;
	return letter(v, 8) == (uint8_t)letters[number % 23];
}

/* A digit of a codice fiscale, or the letter that stands for it so that two people differ. */
static unsigned fiscal_digit(uint8_t c)
{
	static const char letters[] = "LMNPQRSTUV";

	return value_is(c, HAS_DIGIT) ? 0u + c - '0' : (unsigned)(strchr(letters, c) - letters);
}

/* Italy, codice fiscale (D.M. 12/3/1974): letters of the names, day of birth (40 more for women), town; the last letter checks. */
bool is_it_codice_fiscale(const struct value *v)
{
	static const char shape[] = "AAAAAA##M##A###A", digits[] = "0123456789LMNPQRSTUV", months[] = "ABCDEHLMPRST";
	static const uint8_t odd[26] = {1,  0,	5, 7, 9, 13, 15, 17, 19, 21, 2,	 4,  18,
					20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
	unsigned sum = 0, day;

	for (size_t i = 0; i < 16; i++) {
		const uint8_t c = value_upper(v->text.ptr[i]);
		const uint8_t n = value_is(c, HAS_DIGIT) ? (uint8_t)(c - '0') : (uint8_t)(c - 'A');

		if (shape[i] == 'A' ? !value_is(c, HAS_UPPER) : !is_one_of(c, shape[i] == 'M' ? months : digits))
			return false;
		if (i < 15)
			sum += i % 2 == 0 ? odd[n] : n;
	}
	day = fiscal_digit(value_upper(v->text.ptr[9])) * 10 + fiscal_digit(value_upper(v->text.ptr[10]));
	day -= day > 40 ? 40 : 0;
	return day >= 1 && day <= 31 && value_upper(v->text.ptr[15]) == 'A' + sum % 26;
}

/* Netherlands, BSN: the "11 test", last digit counted minus one. */
bool is_nl_bsn(const struct value *v)
{
	static const uint8_t weights[] = {9, 8, 7, 6, 5, 4, 3, 2, 10};

	return (value_has_shape(v->text, "999999999") || value_has_shape(v->text, "9999 99 999") ||
		value_has_shape(v->text, "999 999 999")) &&
	       !check_all_same(v->digits, 9) && check_sum(v->digits, weights, 9) % 11 == 0;
}

/* Belgium, national number: day of birth (month + 20 or 40 for others than citizens), 97 - rest by 97; from 2000 on a 2 before it. */
bool is_be_national(const struct value *v)
{
	const uint64_t number = D(v, 0, 9), month = D(v, 2, 2) % 20, day = D(v, 4, 2), check = D(v, 9, 2);

	if (!value_has_shape(v->text, "99 99 99 999 99") || D(v, 2, 2) > 52 || month > 12 || day > 31)
		return false;
	return check == 97 - number % 97 || check == 97 - (number + UINT64_C(2000000000)) % 97;
}

/* Sweden, personnummer: day of birth (60 more for a coordination number), Luhn; with or without the century. */
bool is_se_personnummer(const struct value *v)
{
	const struct seal_bytes text = v->text;
	const size_t at = v->n_digits == 12 ? 2 : 0;
	const uint64_t day = D(v, at + 4, 2);

	if (at == 2 && D(v, 0, 2) != 19 && D(v, 0, 2) != 20 && D(v, 0, 2) != 18)
		return false;
	if (!value_has_shape(text, "999999-9999") && !value_has_shape(text, "999999+9999") &&
	    !value_has_shape(text, "9999999999") && !value_has_shape(text, "99999999-9999") &&
	    !value_has_shape(text, "999999999999"))
		return false;
	return check_day(D(v, at, 2), D(v, at + 2, 2), day > 60 ? day - 60 : day) && check_luhn(v->digits + at, 10);
}

/* Finland, henkilötunnus: day of birth, a sign for the century, number, rest by 31. */
bool is_fi_hetu(const struct value *v)
{
	static const char checks[] = "0123456789ABCDEFHJKLMNPRSTUVWXY";
	const uint8_t century = value_upper(v->text.ptr[6]);

	if (!is_one_of(century, "+-ABCDEFUVWXY") || !is_day(v, 4, 2, 0) || v->n_digits < 9 ||
	    !value_has_shape(bytes_of(v->text.ptr, 6), "999999") || !value_has_shape(bytes_skip(v->text, 7), "999*"))
		return false;
	return value_upper(v->text.ptr[10]) == (uint8_t)checks[D(v, 0, 9) % 31];
}

/* Denmark, CPR number: day of birth and four digits that check nothing since 2007, so the dash has to be there. */
bool is_dk_cpr(const struct value *v)
{
	return value_has_shape(v->text, "999999-9999") && v->text.len == 11 && is_day(v, 4, 2, 0);
}

/* Norway, fødselsnummer: day of birth (40 more in a D number), two check digits mod 11. */
bool is_no_fodselsnummer(const struct value *v)
{
	static const uint8_t first[] = {3, 7, 6, 1, 8, 9, 4, 5, 2, 1}, second[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1};
	const uint64_t day = D(v, 0, 2);

	return value_has_shape(v->text, "999999 99999") &&
	       check_day(D(v, 4, 2), D(v, 2, 2), day > 40 ? day - 40 : day) &&
	       check_sum(v->digits, first, 10) % 11 == 0 && check_sum(v->digits, second, 11) % 11 == 0;
}

/* Poland, PESEL: day of birth (the month tells the century: + 80, 0, 20, 40, 60), weights mod 10. */
bool is_pl_pesel(const struct value *v)
{
	static const uint8_t weights[] = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};

	return value_has_shape(v->text, "99999999999") && check_day(D(v, 0, 2), D(v, 2, 2) % 20, D(v, 4, 2)) &&
	       check_sum(v->digits, weights, 11) % 10 == 0;
}

/*
 * Czechia and Slovakia, rodné číslo: day of birth (month + 50 for women, + 20 when a day has no number left); the last digit is the
 * rest by 11, a rest of 10 counts as 0 (until 1985).
 */
bool is_cz_rodne_cislo(const struct value *v)
{
	const uint64_t month = D(v, 2, 2) % 50;

	return (value_has_shape(v->text, "999999/9999") || value_has_shape(v->text, "9999999999")) &&
	       check_day(D(v, 0, 2), month > 20 ? month - 20 : month, D(v, 4, 2)) &&
	       D(v, 0, 9) % 11 % 10 == v->digits[9];
}

/* Romania, CNP: sex and century, day of birth, county, number; weights mod 11, 10 counts as 1. */
bool is_ro_cnp(const struct value *v)
{
	static const uint8_t weights[] = {2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9};
	unsigned check;

	if (!value_has_shape(v->text, "9999999999999") || v->digits[0] == 0 || !is_day(v, 1, 3, 5))
		return false;
	check = check_sum(v->digits, weights, 12) % 11;
	return v->digits[12] == (check == 10 ? 1 : check);
}

/* Croatia, OIB: MOD 11,10. */
bool is_hr_oib(const struct value *v)
{
	return value_has_shape(v->text, "99999999999") && !check_all_same(v->digits, 11) &&
	       check_mod11_10(v->digits, 11);
}

/* Switzerland, AHV number: 756 and the check digit of EAN-13. */
bool is_ch_ahv(const struct value *v)
{
	static const uint8_t weights[] = {1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1};

	return value_has_shape(v->text, "756 9999 9999 99") && check_sum(v->digits, weights, 13) % 10 == 0;
}

/* Austria, Sozialversicherungsnummer: number, check digit (weights mod 11), day of birth (months past 12 when a day is full). */
bool is_at_svnr(const struct value *v)
{
	static const uint8_t weights[] = {3, 7, 9, 0, 5, 8, 4, 2, 1, 6};
	const uint64_t month = D(v, 6, 2);

	return (value_has_shape(v->text, "9999 999999") || value_has_shape(v->text, "9999 99 99 99")) &&
	       v->digits[0] != 0 && check_day(D(v, 8, 2), month > 12 && month < 16 ? 1 : month, D(v, 4, 2)) &&
	       check_sum(v->digits, weights, 10) % 11 == v->digits[3];
}

/* Portugal, NIF of a person (first digit 1, 2, 3): weights mod 11. */
bool is_pt_nif(const struct value *v)
{
	static const uint8_t weights[] = {9, 8, 7, 6, 5, 4, 3, 2};
	unsigned rest;

	if (!value_has_shape(v->text, "999 999 999") || v->digits[0] < 1 || v->digits[0] > 3)
		return false;
	rest = check_sum(v->digits, weights, 8) % 11;
	return v->digits[8] == (rest < 2 ? 0 : 11 - rest);
}

/* Ireland, PPS number: seven digits, the letter is the sum by 23, a further letter counts nine times. */
bool is_ie_pps(const struct value *v)
{
	static const uint8_t weights[] = {8, 7, 6, 5, 4, 3, 2};
	const uint8_t more = letter(v, 8);
	unsigned sum;

	if (!value_has_shape(v->text, "9999999A") && !value_has_shape(v->text, "9999999AA"))
		return false;
	/* W, T and X: given to wives and widowers until 2000; they count nothing. */
	if (more != 0 && !is_one_of(more, "ABCDEFGHIWTX"))
		return false;
	sum = check_sum(v->digits, weights, 7) + (more >= 'A' && more <= 'I' ? (more - 'A' + 1u) * 9 : 0);
	return letter(v, 7) == (sum % 23 == 0 ? 'W' : 'A' + sum % 23 - 1);
}
