/* The constants of numeral.h. Only public values (radix, lengths) pass here, so plain division serves. */
#include "crypto/numeral.h"

void radix_init(struct radix *r, uint32_t radix)
{
	r->radix = radix;
	r->shift = 0;
	while ((1ull << r->shift) < radix)
		r->shift++;
	r->inverse = (uint64_t)(((uint128)1 << (62 + r->shift)) / radix) + 1;
	r->group = 0;
	r->group_value = 1;
	while (r->group_value <= (NUMERAL_LIMIT - 1) / radix) {
		r->group_value *= radix;
		r->group++;
	}
}

uint64_t radix_power(uint32_t radix, uint32_t m)
{
	uint64_t power = 1;

	for (uint32_t i = 0; i < m; i++) {
		if (power > (NUMERAL_LIMIT - 1) / radix)
			return NUMERAL_LIMIT;
		power *= radix;
	}
	return power;
}

void modulus_init(struct modulus *mod, uint64_t m, unsigned y_bits)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(m);

	mod->m = m;
	mod->shift_in = bits - 1;
	mod->shift_out = 97 - bits;
	if (y_bits == 96 && m > 1ull << 32) {
		mod->form = MODULUS_WIDE;
		mod->inverse = (uint64_t)(((uint128)1 << 96) / m);
	} else {
		mod->form = y_bits == 96 ? MODULUS_TWO_STEPS : MODULUS_ONE_STEP;
		mod->inverse = UINT64_MAX / m;
	}
}
