/* The tests of the table: is this value one? Each may rely on the row's gate. Internal to src/detect. */
#ifndef DETECT_TESTS_H
#define DETECT_TESTS_H

#include "detect/value.h"

/* checks.c: check digits, over `n` digits 0 … 9, the last of them the check digit. */
bool check_luhn(const uint8_t *digits, size_t n);

/* account.c */
bool is_card(const struct value *v);
bool has_card(const struct value *v);
bool is_iban(const struct value *v);
bool has_iban(const struct value *v);

/* contact.c */
bool is_email(const struct value *v);
bool has_email(const struct value *v);
bool is_phone(const struct value *v);
bool is_ipv4(const struct value *v);
bool is_ipv6(const struct value *v);

/* ids.c: national ids. */
bool is_us_ssn(const struct value *v);

#endif
