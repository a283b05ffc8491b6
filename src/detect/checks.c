/* Check digits that several detectors use. */
#include "detect/tests.h"

/* ISO/IEC 7812-1, annex B: from the right, every second digit doubled, the digits of all added. */
bool check_luhn(const uint8_t *digits, size_t n)
{
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (n - i) % 2 == 0 ? doubled[digits[i]] : digits[i];
	return sum % 10 == 0;
}
