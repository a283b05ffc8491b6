/*
 * FF1's back end for processors with AES instructions (and AVX and BMI2, which all of them since 2013 have). Eight
 * lanes keep the AES unit busy: a block alone waits out the latency of every round, eight interleaved hide it.
 * Owns the expanded key, in secret memory. AES instructions take the same time for all data; the key schedule uses
 * them too, so no table is ever looked up.
 */
#include <immintrin.h>

#include "crypto/ff1_lanes.h"

#define TARGET __attribute__((target("aes,avx,bmi2")))
#define INLINE static inline __attribute__((always_inline)) TARGET

static bool available(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx") && __builtin_cpu_supports("bmi2");
}

/* FIPS 197 §5.2: SubWord; RotWord is a rotation by 8 bits, since words are kept little-endian. */
TARGET static uint32_t sub_word(uint32_t w)
{
	__m128i x = _mm_set1_epi32((int)w);

	return (uint32_t)_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(x, 0));
}

/* FIPS 197 §5.2, figure 11. w has 4 * (rounds + 1) words. */
TARGET static void expand(uint32_t *w, struct seal_bytes key, unsigned rounds)
{
	unsigned nk = (unsigned)key.len / 4;
	uint32_t rcon = 1;

	memcpy(w, key.ptr, key.len);
	for (unsigned i = nk; i < 4 * (rounds + 1); i++) {
		uint32_t temp = w[i - 1];

		if (i % nk == 0) {
			temp = sub_word(temp >> 8 | temp << 24) ^ rcon;
			rcon = rcon << 1 ^ (rcon & 0x80 ? 0x11b : 0);
		} else if (nk > 6 && i % nk == 4) {
			temp = sub_word(temp);
		}
		w[i] = w[i - nk] ^ temp;
	}
}

static void close_aesni(struct ff1_cipher *cipher)
{
	secret_clear(&cipher->round_keys);
}

static enum seal_status open_aesni(struct seal_bytes key, struct ff1_cipher *cipher, struct seal_err *err)
{
	enum seal_status rc;

	cipher->rounds = (unsigned)key.len / 4 + 6;
	SEAL_TRY(secret_alloc(&cipher->round_keys, 16 * (cipher->rounds + 1), err));
	expand((uint32_t *)(void *)cipher->round_keys.ptr, key, cipher->rounds);
out:
	return rc;
}

/* Encrypts `count` blocks side by side; `count` and `rounds` are constants where it is inlined. */
INLINE void encrypt(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t count, unsigned rounds)
{
	const __m128i *key = (const __m128i *)(const void *)cipher->round_keys.ptr;
	const __m128i swap = _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
	__m128i x[FF1_LANES];

	FF1_UNROLL
	for (size_t l = 0; l < count; l++) {
		x[l] = _mm_set_epi64x((long long)blocks[l].lo, (long long)blocks[l].hi);
		x[l] = _mm_xor_si128(_mm_shuffle_epi8(x[l], swap), key[0]);
	}
	for (unsigned r = 1; r < rounds; r++)
		FF1_UNROLL
	for (size_t l = 0; l < count; l++)
		x[l] = _mm_aesenc_si128(x[l], key[r]);
	FF1_UNROLL
	for (size_t l = 0; l < count; l++) {
		x[l] = _mm_shuffle_epi8(_mm_aesenclast_si128(x[l], key[rounds]), swap);
		blocks[l].hi = (uint64_t)_mm_cvtsi128_si64(x[l]);
		blocks[l].lo = (uint64_t)_mm_extract_epi64(x[l], 1);
	}
}

INLINE void encrypt_128(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t count)
{
	encrypt(cipher, blocks, count, 10);
}

INLINE void encrypt_192(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t count)
{
	encrypt(cipher, blocks, count, 12);
}

INLINE void encrypt_256(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t count)
{
	encrypt(cipher, blocks, count, 14);
}

TARGET static void blocks_aesni(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t n)
{
	for (; n >= FF1_LANES; n -= FF1_LANES, blocks += FF1_LANES)
		encrypt(cipher, blocks, FF1_LANES, cipher->rounds);
	for (; n > 0; n--, blocks++)
		encrypt(cipher, blocks, 1, cipher->rounds);
}

#define LANES(bits, count)                                                                                           \
	TARGET static void lanes_##bits##_##count(const struct ff1_cipher *cipher, struct ff1_lane *lanes, bool enc) \
	{                                                                                                            \
		ff1_lanes_run(cipher, lanes, count, enc, encrypt_##bits);                                            \
	}

LANES(128, 1)
LANES(128, 4)
LANES(128, 8)
LANES(192, 1)
LANES(192, 4)
LANES(192, 8)
LANES(256, 1)
LANES(256, 4)
LANES(256, 8)

typedef void (*lanes_fn)(const struct ff1_cipher *cipher, struct ff1_lane *lanes, bool enc);

/* By key length (10, 12, 14 rounds) and width. */
static const lanes_fn kernels[3][3] = {
	{lanes_128_1, lanes_128_4, lanes_128_8},
	{lanes_192_1, lanes_192_4, lanes_192_8},
	{lanes_256_1, lanes_256_4, lanes_256_8},
};

/* Lanes left over repeat the first one: they read the same symbols and write the same result to the same place. */
static void lanes_aesni(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t n, bool enc)
{
	size_t width = n == 1 ? 1 : n <= 4 ? 4 : FF1_LANES;

	for (size_t l = n; l < width; l++)
		lanes[l] = lanes[0];
	kernels[(cipher->rounds - 10) / 2][width == 1 ? 0 : width == 4 ? 1 : 2](cipher, lanes, enc);
}

const struct ff1_ops ff1_aesni_ops = {
	.size = sizeof(struct ff1_ops),
	.name = "aes-ni",
	.available = available,
	.open = open_aesni,
	.close = close_aesni,
	.blocks = blocks_aesni,
	.lanes = lanes_aesni,
};
