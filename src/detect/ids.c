/* National ids. */
#include "detect/tests.h"

/* SSA: area not 000, 666 or 900 and above; group not 00; serial not 0000. */
static bool is_ssn_number(const uint8_t *d)
{
	const uint64_t area = value_number(d, 0, 3);

	return area != 0 && area != 666 && area < 900 && value_number(d, 3, 2) != 0 && value_number(d, 5, 4) != 0;
}

bool is_us_ssn(const struct value *v)
{
	return value_has_shape(v->text, "999 99 9999") && v->text.len == 11 && is_ssn_number(v->digits);
}
