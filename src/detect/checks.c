/* Check digits and days, as several numbers have them. */
#include "detect/checks.h"

bool check_luhn(const uint8_t *digits, size_t n)
{
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (n - i) % 2 == 0 ? doubled[digits[i]] : digits[i];
	return sum % 10 == 0;
}

bool check_mod11_10(const uint8_t *digits, size_t n)
{
	unsigned product = 10;

	for (size_t i = 0; i + 1 < n; i++) {
		unsigned sum = (digits[i] + product) % 10;

		product = (sum == 0 ? 10 : sum) * 2 % 11;
	}
	return (product + digits[n - 1]) % 10 == 1;
}

/* J. Verhoeff, Error Detecting Decimal Codes (1969): the dihedral group D5, and a permutation by position. */
bool check_verhoeff(const uint8_t *digits, size_t n)
{
	static const uint8_t step[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = digits[n - 1 - i];

		for (size_t k = i % 8; k > 0; k--)
			d = step[d];
		/* 0 … 4 turn, 5 … 9 mirror. */
		if (sum < 5)
			sum = d < 5 ? (sum + d) % 5 : 5 + (sum + d - 5) % 5;
		else
			sum = d < 5 ? 5 + (sum - 5 + 5 - d) % 5 : (sum - 5 + 5 - (d - 5)) % 5;
	}
	return sum == 0;
}

unsigned check_sum(const uint8_t *digits, const uint8_t *weights, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned)digits[i] * weights[i];
	return sum;
}

bool check_all_same(const uint8_t *digits, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (digits[i] != digits[0])
			return false;
	return true;
}

bool check_day(uint64_t year, uint64_t month, uint64_t day)
{
	static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || leap;
}
