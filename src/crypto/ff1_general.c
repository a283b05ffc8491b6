/*
 * FF1 for any radix and length: SP 800-38G r1, algorithms 7 and 8, with halves of up to 512 limbs. Owns its scratch
 * memory, of fixed size for the longest value, and in it the two moduli of the last (radix, n) seen.
 *
 *     P | Q: T … T | T 0 0 i B … | B … B |        R is the CBC-MAC of P || Q (algorithm 6, PRF);
 *     \___ head __/ \______ tail _______/         the head is the same in all rounds and is done once
 *
 * Invariant: outside ff1_general_run the scratch holds no trace of a value: what was used of it is wiped.
 */
#include "base/mem.h"
#include "crypto/ff1_ops.h"
#include "crypto/limbs.h"

#define HALF_MAX (FF1_LENGTH_MAX / 2)
#define B_MAX (HALF_MAX * 2) /* bytes: radix 65536 has 16 bits a symbol */
#define D_MAX (B_MAX + 4)
#define LIMBS_MAX (B_MAX / 8 + 3) /* 65536^2048 = 2^32768 takes 513; one more for y, one to shift into */
#define TAIL_MAX (B_MAX / 16 + 2) /* blocks */

struct ff1_general {
	uint32_t radix, n; /* of the moduli; 0 at first */
	struct limbs_modulus mod[2]; /* radix^u for even rounds, radix^v for odd ones */
	uint64_t power[2][LIMBS_MAX], shifted[2][LIMBS_MAX];
	uint32_t b, d;
	size_t half_limbs, y_limbs; /* of radix^v; of d bytes */
	struct ff1_block head; /* CBC state after the head */
	size_t tail_blocks, number_at; /* where in the tail the byte i stands */
	/* from here on: secret */
	uint64_t half[3][LIMBS_MAX]; /* A, B and y in turn */
	uint8_t tail[16 * TAIL_MAX];
	struct ff1_block s[D_MAX / 16 + 1];
};

enum seal_status ff1_general_new(struct ff1_general **out, struct seal_err *err)
{
	*out = mem_calloc(1, sizeof(**out));
	return *out != NULL ? SEAL_OK : err_memory(err);
}

void ff1_general_free(struct ff1_general *general)
{
	if (general != NULL)
		mem_wipe(general, sizeof(*general));
	mem_free(general);
}

static void set_moduli(struct ff1_general *g, const struct ff1_shape *shape)
{
	const uint32_t m[2] = {shape->u, shape->v};
	bool power_of_two = (shape->radix.radix & (shape->radix.radix - 1)) == 0;

	for (size_t i = 0; i < 2; i++) {
		size_t n = limbs_power(g->power[i], LIMBS_MAX, &shape->radix, m[i]);

		limbs_modulus_init(&g->mod[i], g->power[i], n, g->shifted[i]);
	}
	/*
	 * Step 3: b = ceil(ceil(v * LOG(radix)) / 8). The inner value is the bit length of radix^v - 1, which is that
	 * of radix^v, or one less for a power of two. Never by floating point: v = 29, radix 256 gives b = 29, not 30.
	 */
	g->b = (uint32_t)((g->mod[1].bits - (power_of_two ? 1 : 0) + 7) / 8);
	g->d = 4 * ((g->b + 3) / 4) + 4; /* step 4: d = 4 * ceil(b / 4) + 4 */
	g->half_limbs = g->mod[1].n;
	g->y_limbs = LIMBS_FOR_BITS(8 * (size_t)g->d);
	g->radix = shape->radix.radix;
	g->n = shape->n;
}

static void absorb(const struct ff1_cipher *cipher, struct ff1_block *state, struct ff1_block next)
{
	state->hi ^= next.hi;
	state->lo ^= next.lo;
	cipher->ops->blocks(cipher, state, 1);
}

/* Encrypts the head and lays out the tail: T's end and zeros; i and B are filled in each round. */
static void begin(struct ff1_general *g, const struct ff1_cipher *cipher, const struct ff1_shape *shape,
		  struct seal_bytes tweak)
{
	size_t q_len = (tweak.len + g->b + 1 + 15) / 16 * 16; /* step 6.i: T || 0^((-t-b-1) mod 16) || i || B */
	size_t number_at = q_len - g->b - 1, head_len = number_at / 16 * 16;

	g->head = ff1_p_block(shape, tweak.len);
	cipher->ops->blocks(cipher, &g->head, 1);
	for (size_t at = 0; at < head_len; at += 16)
		absorb(cipher, &g->head, ff1_tweak_block(tweak, at));
	g->tail_blocks = (q_len - head_len) / 16;
	g->number_at = number_at - head_len;
	memset(g->tail, 0, 16);
	if (tweak.len > head_len)
		memcpy(g->tail, tweak.ptr + head_len, tweak.len - head_len);
}

/* Steps 6.i to 6.iii: S for round i, in g->s. */
static void prf(struct ff1_general *g, const struct ff1_cipher *cipher, unsigned i, const uint64_t *half)
{
	uint8_t *number = g->tail + g->number_at + 1;
	struct ff1_block r = g->head;
	size_t more = (g->d + 15) / 16 - 1;

	g->tail[g->number_at] = (uint8_t)i;
	for (size_t k = 0; k < g->b; k++)
		number[g->b - 1 - k] = (uint8_t)(half[k / 8] >> 8 * (k % 8));
	for (size_t k = 0; k < g->tail_blocks; k++)
		absorb(cipher, &r, (struct ff1_block){be64_load(g->tail + 16 * k), be64_load(g->tail + 16 * k + 8)});
	/* S = R || CIPH(R xor [1]^16) || CIPH(R xor [2]^16) … */
	g->s[0] = r;
	for (size_t j = 1; j <= more; j++)
		g->s[j] = (struct ff1_block){r.hi, r.lo ^ j};
	if (more > 0)
		cipher->ops->blocks(cipher, g->s + 1, more);
	mem_wipe(&r, sizeof(r));
}

/* Step 6.iv: y = NUM(S), the first d bytes. */
static void load_y(const struct ff1_general *g, uint64_t *y)
{
	memset(y, 0, g->y_limbs * sizeof(*y));
	for (size_t k = 0; k < g->d; k++) {
		size_t at = g->d - 1 - k;
		uint64_t word = at % 16 < 8 ? g->s[at / 16].hi : g->s[at / 16].lo;

		y[k / 8] |= (word >> 8 * (7 - at % 8) & 0xff) << 8 * (k % 8);
	}
}

/* Ten rounds; *a and *b point to the halves and are swapped as they go. Decryption: see ff1_lanes.h. */
static void rounds(struct ff1_general *g, const struct ff1_cipher *cipher, bool encrypt, uint64_t **a, uint64_t **b)
{
	uint64_t *c = g->half[2];

	for (unsigned step = 0; step < FF1_ROUNDS; step++) {
		unsigned i = encrypt ? step : FF1_ROUNDS - 1 - step;
		const struct limbs_modulus *mod = &g->mod[i & 1]; /* step 6.v: m */
		uint64_t *old = *a;

		prf(g, cipher, i, *b);
		load_y(g, c);
		limbs_reduce(c, g->y_limbs, mod);
		if (encrypt) /* steps 6.vi, algorithms 7 and 8 */
			limbs_add_mod(c, *a, mod);
		else
			limbs_sub_from_mod(c, *a, mod);
		*a = *b;
		*b = c;
		c = old;
	}
}

static void wipe(struct ff1_general *g)
{
	for (size_t i = 0; i < 3; i++)
		mem_wipe(g->half[i], (g->y_limbs + 1) * sizeof(g->half[i][0]));
	mem_wipe(g->tail, 16 * g->tail_blocks);
	mem_wipe(g->s, (g->d + 15) / 16 * sizeof(g->s[0]));
	mem_wipe(&g->head, sizeof(g->head));
}

void ff1_general_run(struct ff1_general *g, const struct ff1_cipher *cipher, const struct ff1_shape *shape,
		     const struct ff1_item *item, bool encrypt)
{
	uint64_t *head = g->half[0], *tail = g->half[1];

	if (g->radix != item->radix || g->n != item->n)
		set_moduli(g, shape);
	begin(g, cipher, shape, item->tweak);
	limbs_num(head, g->half_limbs, &shape->radix, item->numerals, shape->u);
	limbs_num(tail, g->half_limbs, &shape->radix, item->numerals + shape->u, shape->v);
	if (encrypt)
		rounds(g, cipher, true, &head, &tail);
	else
		rounds(g, cipher, false, &tail, &head);
	limbs_str(head, g->mod[0].n, &shape->radix, item->numerals, shape->u);
	limbs_str(tail, g->mod[1].n, &shape->radix, item->numerals + shape->u, shape->v);
	wipe(g);
}
