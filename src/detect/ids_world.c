/* National ids of countries outside Europe. Their forms and check digits, as in ids_europe.c. */
#include "detect/checks.h"
#include "detect/scan.h"
#include "detect/tests.h"

#define D(v, at, n) value_number((v)->digits, (at), (n))

/* USA, SSN (SSA): area not 000, 666 or 900 and above, group not 00, number not 0000. */
static bool is_ssn_number(const struct value *v)
{
	const uint64_t area = D(v, 0, 3);

	return area != 0 && area != 666 && area < 900 && D(v, 3, 2) != 0 && D(v, 5, 4) != 0;
}

bool is_us_ssn(const struct value *v)
{
	return value_has_shape(v->text, "999 99 9999") && v->text.len == 11 && is_ssn_number(v);
}

static bool run_is_ssn(struct seal_bytes run)
{
	struct value v;

	value_of(run, &v);
	return value_has_shape(run, "999-99-9999") && run.len == 11 && is_us_ssn(&v);
}

bool has_us_ssn(const struct value *v)
{
	return scan_digits(v->text, "-", run_is_ssn);
}

/* Canada, SIN: Luhn; none starts with 0 or 8. */
bool is_ca_sin(const struct value *v)
{
	return value_has_shape(v->text, "999 999 999") && v->digits[0] != 0 && v->digits[0] != 8 &&
	       check_luhn(v->digits, 9);
}

/* Brazil, CPF: two check digits, weights mod 11. */
bool is_br_cpf(const struct value *v)
{
	static const uint8_t weights[] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2};
	unsigned first, second;

	if (!value_has_shape(v->text, "999 999 999 99") || check_all_same(v->digits, 11))
		return false;
	first = check_sum(v->digits, weights + 1, 9) * 10 % 11 % 10;
	second = check_sum(v->digits, weights, 10) * 10 % 11 % 10;
	return v->digits[9] == first && v->digits[10] == second;
}

/* Chile, RUT: weights 2 … 7 from the right, mod 11, 10 is K; the dash before it has to be there. */
bool is_cl_rut(const struct value *v)
{
	const size_t len = v->text.len;
	const uint8_t check = len > 2 ? value_upper(v->text.ptr[len - 1]) : 0;
	const size_t n = v->n_digits - (check != 'K');
	unsigned sum = 0;

	if (len < 9 || v->text.ptr[len - 2] != '-' || (n != 7 && n != 8) ||
	    !(value_has_shape(v->text, "99 999 999 *") || value_has_shape(v->text, "9 999 999 *")))
		return false;
	for (size_t i = 0; i < n; i++)
		sum += v->digits[n - 1 - i] * (2 + (unsigned)i % 6);
	return check == (sum % 11 == 1 ? 'K' : '0' + (11 - sum % 11) % 11);
}

/* Mexico, CURP (RENAPO): letters of the names, day of birth, sex, state, consonants; the last digit checks all. */
bool is_mx_curp(const struct value *v)
{
	unsigned sum = 0;

	if (!value_has_shape(v->text, "AAAA999999AAAAAA*9") || strchr("HMX", value_upper(v->text.ptr[10])) == NULL ||
	    !check_day(D(v, 0, 2), D(v, 2, 2), D(v, 4, 2)))
		return false;
	for (size_t i = 0; i < 17; i++) {
		const uint8_t c = value_upper(v->text.ptr[i]);
		/* 0 … 9, A … N, Ñ, O … Z */
		const unsigned n = value_is(c, HAS_DIGIT) ? 0u + c - '0' : 10u + c - 'A' + (c > 'N');

		sum += n * (18 - (unsigned)i);
	}
	return v->text.ptr[17] == '0' + (10 - sum % 10) % 10;
}

/* India, Aadhaar (UIDAI): none starts with 0 or 1, Verhoeff. */
bool is_in_aadhaar(const struct value *v)
{
	return value_has_shape(v->text, "9999 9999 9999") && v->digits[0] >= 2 && check_verhoeff(v->digits, 12);
}

/* India, PAN (Income Tax Department): the fourth letter says what the holder is. */
bool is_in_pan(const struct value *v)
{
	return value_has_shape(v->text, "AAAAA9999A") && strchr("PCHFATBLJGK", value_upper(v->text.ptr[3])) != NULL;
}

/* China, GB 11643-1999: region, day of birth, number; ISO 7064 MOD 11-2. */
bool is_cn_resident(const struct value *v)
{
	static const uint8_t weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};

	return value_has_shape(v->text, "99999999999999999*") && v->digits[0] > 0 && D(v, 6, 4) >= 1880 &&
	       D(v, 6, 4) < 2100 && check_day(D(v, 6, 4), D(v, 10, 2), D(v, 12, 2)) &&
	       value_upper(v->text.ptr[17]) == "10X98765432"[check_sum(v->digits, weights, 17) % 11];
}

/* South Korea, resident number: day of birth, sex and century; what is given out since 2020 checks nothing, so the dash must be there. */
bool is_kr_resident(const struct value *v)
{
	return value_has_shape(v->text, "999999-9999999") && v->text.len == 14 &&
	       check_day(D(v, 0, 2), D(v, 2, 2), D(v, 4, 2)) && v->digits[6] >= 1 && v->digits[6] <= 8;
}

/* Japan, Individual Number: weights 2 … 7, 2 … 6 from the right, mod 11. */
bool is_jp_my_number(const struct value *v)
{
	static const uint8_t weights[] = {6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2};
	unsigned rest;

	if (!value_has_shape(v->text, "9999 9999 9999") || check_all_same(v->digits, 12))
		return false;
	rest = check_sum(v->digits, weights, 11) % 11;
	return v->digits[11] == (rest < 2 ? 0 : 11 - rest);
}

/* South Africa: day of birth, number, citizenship (0, 1, 2), Luhn. */
bool is_za_id(const struct value *v)
{
	return value_has_shape(v->text, "999999 9999 999") && check_day(D(v, 0, 2), D(v, 2, 2), D(v, 4, 2)) &&
	       v->digits[10] <= 2 && check_luhn(v->digits, 13);
}

/* Australia, tax file number: weights mod 11. */
bool is_au_tfn(const struct value *v)
{
	static const uint8_t weights[] = {1, 4, 3, 7, 5, 8, 6, 9, 10};

	return value_has_shape(v->text, "999 999 999") && !check_all_same(v->digits, 9) &&
	       check_sum(v->digits, weights, 9) % 11 == 0;
}

/* Türkiye, T.C. Kimlik No: the tenth digit checks nine, the eleventh ten. */
bool is_tr_kimlik(const struct value *v)
{
	static const uint8_t tenth[] = {7, 9, 7, 9, 7, 9, 7, 9, 7}, all[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	return value_has_shape(v->text, "99999999999") && v->digits[0] != 0 &&
	       check_sum(v->digits, tenth, 9) % 10 == v->digits[9] &&
	       check_sum(v->digits, all, 10) % 10 == v->digits[10];
}

/* Singapore, NRIC and FIN: weights mod 11, the letters by kind and century. */
bool is_sg_nric(const struct value *v)
{
	static const uint8_t weights[] = {2, 7, 6, 5, 4, 3, 2};
	const uint8_t kind = value_upper(v->text.ptr[0]);
	const char *letters = kind == 'S' || kind == 'T' ? "JZIHGFEDCBA"
			      : kind == 'M'		 ? "XWUTRQPNJLK"
							 : "XWUTRQPNMLK";
	unsigned sum;

	if (!value_has_shape(v->text, "A9999999A") || strchr("STFGM", kind) == NULL)
		return false;
	sum = check_sum(v->digits, weights, 7) + (kind == 'T' || kind == 'G' ? 4 : kind == 'M' ? 3 : 0);
	return value_upper(v->text.ptr[8]) == (uint8_t)letters[sum % 11];
}
