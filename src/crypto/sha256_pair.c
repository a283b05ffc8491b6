/*
 * SHA-256 of two messages side by side. One block alone waits for the latency of every round; two hide it for each other, with the
 * SHA instructions of x86 (38 instead of 47 ns a block). Where a processor has none, libcrypto compresses one after the other. No
 * table is looked up by data, no branch depends on it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/sha256_pair.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static void one_by_one(uint32_t state[2][SHA256_STATE_WORDS], const uint8_t block[2][64])
{
	SHA256_CTX sha = {.num = 0};

	for (int lane = 0; lane < 2; lane++) {
		memcpy(sha.h, state[lane], sizeof(sha.h));
		SHA256_Transform(&sha, block[lane]);
		memcpy(state[lane], sha.h, sizeof(sha.h));
	}
	mem_wipe(&sha, sizeof(sha));
}

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>

#define SHA_BIT (1u << 29) /* of EBX, leaf 7 */

/* FIPS 180-4, section 4.2.2. */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* One message: the state as the instructions take it, and the last sixteen words of the schedule. */
struct lane {
	__m128i abef, cdgh, w[4];
};

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE void load(struct lane *lane, const uint32_t state[SHA256_STATE_WORDS], const uint8_t block[64])
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const void *)state), 0xb1);
	const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const void *)(state + 4)), 0x1b);

	lane->abef = _mm_alignr_epi8(badc, efgh, 8);
	lane->cdgh = _mm_blend_epi16(efgh, badc, 0xf0);
	for (int i = 0; i < 4; i++)
		lane->w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(block + 16 * i)), big_endian);
}

/* Rounds 4r … 4r + 3, and the words that rounds 4r + 16 … need. */
INLINE void four_rounds(struct lane *lane, int r)
{
	__m128i *w = lane->w;
	const __m128i wk = _mm_add_epi32(w[r & 3], _mm_loadu_si128((const void *)(k + 4 * r)));

	if (r < 12)
		w[r & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[r & 3], w[(r + 1) & 3]),
							      _mm_alignr_epi8(w[(r + 3) & 3], w[(r + 2) & 3], 4)),
						w[(r + 3) & 3]);
	lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, wk);
	lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* Adds what the rounds made to the state as it was. */
INLINE void add(const struct lane *lane, uint32_t state[SHA256_STATE_WORDS])
{
	const __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1b), dchg = _mm_shuffle_epi32(lane->cdgh, 0xb1);
	const __m128i dcba = _mm_blend_epi16(feba, dchg, 0xf0), hgfe = _mm_alignr_epi8(dchg, feba, 8);
	__m128i *to = (void *)state;

	_mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), dcba));
	_mm_storeu_si128(to + 1, _mm_add_epi32(_mm_loadu_si128(to + 1), hgfe));
}

TARGET static void side_by_side(uint32_t state[2][SHA256_STATE_WORDS], const uint8_t block[2][64])
{
	struct lane a, b;

	load(&a, state[0], block[0]);
	load(&b, state[1], block[1]);
#pragma GCC unroll 16
	for (int r = 0; r < 16; r++) {
		four_rounds(&a, r);
		four_rounds(&b, r);
	}
	add(&a, state[0]);
	add(&b, state[1]);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_sha;

static void look(void)
{
	unsigned a, b, c, d;

	has_sha = __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & SHA_BIT) != 0;
}

void sha256_pair(uint32_t state[2][SHA256_STATE_WORDS], const uint8_t block[2][64])
{
	pthread_once(&once, look);
	(has_sha ? side_by_side : one_by_one)(state, block);
}
#else
void sha256_pair(uint32_t state[2][SHA256_STATE_WORDS], const uint8_t block[2][64])
{
	one_by_one(state, block);
}
#endif
