/* What several tests need: check digits, and dates inside of numbers. Internal to src/detect. Digits are 0 … 9. */
#ifndef DETECT_CHECKS_H
#define DETECT_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of `n` digits, the last of them the check digit. */
bool check_luhn(const uint8_t *digits, size_t n); /* ISO/IEC 7812-1, annex B */
bool check_mod11_10(const uint8_t *digits, size_t n); /* ISO 7064 MOD 11,10 */
bool check_verhoeff(const uint8_t *digits, size_t n);

/* Sum of digit × weight over `n` digits. */
unsigned check_sum(const uint8_t *digits, const uint8_t *weights, size_t n);
/* All the same? No number that anybody was given. */
bool check_all_same(const uint8_t *digits, size_t n);

/* Is there such a day? Year 0: in some year. */
bool check_day(uint64_t year, uint64_t month, uint64_t day);

#endif
