/*
 * FF1's short path: values whose halves stay below 2^62, `count` of them side by side, so that the processor works on
 * one lane's AES while it waits for another's. Included by each back end, which gives its own block function; all of it
 * is inlined there with `count` known.
 *
 * With halves that short, b <= 8 and d <= 12 (SP 800-38G r1, algorithm 7, steps 3 and 4). So one block R gives all of S,
 * and of Q only the last block changes from round to round:
 *
 *     P | Q: T ........ 0 0 0 | .. T 0 0 i B B B B B B B |
 *     \____ the same in all ten rounds ____/ \_ b + 1 _/
 *
 * What comes before the last block is encrypted once (CBC chaining makes it one block), the rest is one AES call a
 * round. Lanes may differ in radix, length and tweak; only these public things are branched on.
 *
 * Decryption (algorithm 8) is the same loop with the halves' roles swapped: `a` starts as B and `b` as A, rounds run from
 * 9 down, and y is subtracted.
 */
#ifndef CRYPTO_FF1_LANES_H
#define CRYPTO_FF1_LANES_H

#include "base/mem.h"
#include "crypto/ff1_ops.h"

typedef void (*ff1_blocks_fn)(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t n);

#define FF1_INLINE static inline __attribute__((always_inline))

/* How many blocks of Q hold nothing but tweak and zeros. Step 6.i: Q has t + (-t-b-1) mod 16 + 1 + b bytes. */
FF1_INLINE size_t ff1_tweak_only(const struct ff1_lane *lane)
{
	return (lane->tweak.len + lane->shape->b + 1 + 15) / 16 - 1;
}

/* Encrypts P and the blocks of Q that never change. */
FF1_INLINE void ff1_lanes_begin(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t count,
				ff1_blocks_fn blocks)
{
	struct ff1_block x[FF1_LANES], last;
	size_t longest = 0;

	for (size_t l = 0; l < count; l++) {
		size_t only = ff1_tweak_only(&lanes[l]);

		longest = only > longest ? only : longest;
		x[l] = ff1_p_block(lanes[l].shape, lanes[l].tweak.len);
	}
	blocks(cipher, x, count);
	for (size_t l = 0; l < count; l++)
		lanes[l].constant = x[l];
	for (size_t k = 0; k < longest; k++) {
		for (size_t l = 0; l < count; l++) {
			last = ff1_tweak_block(lanes[l].tweak, 16 * k);
			x[l].hi = lanes[l].constant.hi ^ last.hi;
			x[l].lo = lanes[l].constant.lo ^ last.lo;
		}
		blocks(cipher, x, count);
		for (size_t l = 0; l < count; l++)
			if (k < ff1_tweak_only(&lanes[l]))
				lanes[l].constant = x[l];
	}
	for (size_t l = 0; l < count; l++) {
		uint32_t b = lanes[l].shape->b;

		last = ff1_tweak_block(lanes[l].tweak, 16 * ff1_tweak_only(&lanes[l]));
		lanes[l].constant.hi ^= last.hi;
		lanes[l].constant.lo ^= last.lo;
		lanes[l].round_hi = b < 8 ? 0 : 1;
		lanes[l].round_lo = b < 8 ? 1ull << 8 * b : 0;
	}
}

/* Steps 6.iii and 6.iv: y = NUM(S), S the first d bytes of R; then c = (NUM(A) ± y) mod radix^m. */
FF1_INLINE uint64_t ff1_lane_c(const struct ff1_lane *lane, const struct modulus *mod, struct ff1_block r,
			       bool encrypt)
{
	bool wide = lane->shape->d > 8;
	uint64_t y_hi = wide ? r.hi >> 32 : 0, y_lo = wide ? r.hi << 32 | r.lo >> 32 : r.hi;
	uint64_t y = modulus_reduce(mod, y_hi, y_lo);

	if (encrypt)
		return ct_sub_if_ge(lane->a + y, mod->m);
	return ct_add_if_negative(lane->a - y, mod->m);
}

FF1_INLINE void ff1_lanes_rounds(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t count, bool encrypt,
				 ff1_blocks_fn blocks)
{
	struct ff1_block x[FF1_LANES];

	for (unsigned step = 0; step < FF1_ROUNDS; step++) {
		uint64_t i = encrypt ? step : FF1_ROUNDS - 1 - step;

		FF1_UNROLL
		for (size_t l = 0; l < count; l++) {
			/* step 6.i: Q ends with [i]^1 || [NUM_radix(B)]^b; step 6.ii: R = PRF(P || Q) */
			x[l].hi = lanes[l].constant.hi ^ i * lanes[l].round_hi;
			x[l].lo = lanes[l].constant.lo ^ i * lanes[l].round_lo ^ lanes[l].b;
		}
		blocks(cipher, x, count);
		FF1_UNROLL
		for (size_t l = 0; l < count; l++) {
			/* step 6.v: m = u in even rounds, v in odd ones; then A = B, B = C */
			uint64_t c = ff1_lane_c(&lanes[l], &lanes[l].shape->mod[i & 1], x[l], encrypt);

			lanes[l].a = lanes[l].b;
			lanes[l].b = c;
		}
	}
	mem_wipe(x, count * sizeof(x[0]));
}

FF1_INLINE void ff1_lanes_run(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t count, bool encrypt,
			      ff1_blocks_fn blocks)
{
	ff1_lanes_begin(cipher, lanes, count, blocks);
	for (size_t l = 0; l < count; l++) {
		const struct ff1_shape *s = lanes[l].shape;
		uint64_t head = numeral_num(&s->radix, lanes[l].numerals, s->u);
		uint64_t tail = numeral_num(&s->radix, lanes[l].numerals + s->u, s->v);

		lanes[l].a = encrypt ? head : tail;
		lanes[l].b = encrypt ? tail : head;
	}
	ff1_lanes_rounds(cipher, lanes, count, encrypt, blocks);
	for (size_t l = 0; l < count; l++) {
		const struct ff1_shape *s = lanes[l].shape;

		numeral_str(&s->radix, encrypt ? lanes[l].a : lanes[l].b, lanes[l].numerals, s->u);
		numeral_str(&s->radix, encrypt ? lanes[l].b : lanes[l].a, lanes[l].numerals + s->u, s->v);
	}
}

#endif
