/* What property tests share: a seeded generator, so that a failure can be repeated. Include after cmocka.h. */
#ifndef TESTS_PROP_H
#define TESTS_PROP_H

#include <stdint.h>

struct prop_random {
	uint64_t state; /* never 0 */
};

/* Any seed; neighbours give unrelated sequences (the mixer of splitmix64). */
static inline struct prop_random prop_seed(uint64_t seed)
{
	uint64_t z = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (struct prop_random){z ^ (z >> 31) ? z ^ (z >> 31) : 1};
}

/* xorshift64*. */
static inline uint64_t prop_u64(struct prop_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 … n - 1. */
static inline uint32_t prop_below(struct prop_random *r, uint32_t n)
{
	return (uint32_t)((prop_u64(r) >> 32) * n >> 32);
}

#endif
