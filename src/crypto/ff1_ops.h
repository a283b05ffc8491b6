/*
 * Inside FF1: what a (radix, length) pair fixes, the lanes of the short path, and the back ends. Inside src/crypto only.
 */
#ifndef CRYPTO_FF1_OPS_H
#define CRYPTO_FF1_OPS_H

#include "crypto/ff1.h"
#include "crypto/numeral.h"

#define FF1_LANES 8
#define FF1_ROUNDS 10

/*
 * Before a loop over lanes: its body is small and, where it matters, its count is a constant, so that lanes can live in
 * registers. clang does this by itself, and warns where the count is none.
 */
#ifdef __clang__
#define FF1_UNROLL
#else
#define FF1_UNROLL _Pragma("GCC unroll 8")
#endif

/* An AES block as two big-endian words. */
struct ff1_block {
	uint64_t hi, lo;
};

/* Everything that depends on radix and n alone; nothing of it is secret. */
struct ff1_shape {
	uint32_t n; /* 0: unused slot */
	uint32_t u, v; /* algorithm 7, step 1: floor(n / 2) and n - u */
	uint32_t b, d; /* steps 3 and 4; only where `is_short` */
	bool is_short; /* radix^v < 2^62: the halves fit a word */
	struct radix radix;
	struct modulus mod[2]; /* where short: radix^u for even rounds, radix^v for odd ones */
};

/* One value in the short path. */
struct ff1_lane {
	const struct ff1_shape *shape;
	uint16_t *numerals;
	struct seal_bytes tweak;
	uint64_t a, b; /* NUM of the halves; see ff1_lanes.h for decryption */
	struct ff1_block constant; /* what is XORed with the round's number and half to make the last block */
	uint64_t round_hi, round_lo; /* 1 at the place of the round's number */
};

struct ff1_ops;

/* A keyed block cipher: AES in the forward direction, which is all that FF1 needs. */
struct ff1_cipher {
	const struct ff1_ops *ops;
	struct secret round_keys; /* aes-ni */
	unsigned rounds; /* aes-ni: 10, 12 or 14 */
	void *evp; /* openssl: EVP_CIPHER_CTX */
};

struct ff1_ops {
	size_t size;
	const char *name;
	/* Does this machine have what it takes? Cheap; any thread. */
	bool (*available)(void);
	/* `key` has 16, 24 or 32 bytes; `cipher` is zeroed. On failure the caller still calls close. */
	enum seal_status (*open)(struct seal_bytes key, struct ff1_cipher *cipher, struct seal_err *err);
	void (*close)(struct ff1_cipher *cipher);
	/* Encrypts n independent blocks in place. */
	void (*blocks)(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t n);
	/* Transforms 1 … FF1_LANES lanes. `lanes` has room for FF1_LANES; those past n may be written. */
	void (*lanes)(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t n, bool encrypt);
};

extern const struct ff1_ops ff1_openssl_ops;
extern const struct ff1_ops ff1_aesni_ops; /* x86-64 only */

/* The general path: its scratch memory, made at first use. */
struct ff1_general;

SEAL_MUST_USE enum seal_status ff1_general_new(struct ff1_general **out, struct seal_err *err);
/* Any allowed item. */
void ff1_general_run(struct ff1_general *general, const struct ff1_cipher *cipher, const struct ff1_shape *shape,
		     const struct ff1_item *item, bool encrypt);
void ff1_general_free(struct ff1_general *general);

/*
 * Algorithm 7, step 5: P = [1]^1 || [2]^1 || [1]^1 || [radix]^3 || [10]^1 || [u mod 256]^1 || [n]^4 || [t]^4
 */
static inline struct ff1_block ff1_p_block(const struct ff1_shape *shape, size_t t)
{
	struct ff1_block p;

	p.hi = 0x0102010000000000ull | (uint64_t)shape->radix.radix << 16 | 10 << 8 | (shape->u & 255);
	p.lo = (uint64_t)shape->n << 32 | (uint32_t)t;
	return p;
}

/* The 16 bytes of T || 0…0 that start at `at`. */
static inline struct ff1_block ff1_tweak_block(struct seal_bytes tweak, size_t at)
{
	uint8_t bytes[16] = {0};
	size_t left = at < tweak.len ? tweak.len - at : 0;

	if (left == 8) /* what a bound place gives: by far the most frequent */
		return (struct ff1_block){be64_load(tweak.ptr + at), 0};
	if (left > 0)
		memcpy(bytes, tweak.ptr + at, left < 16 ? left : 16);
	return (struct ff1_block){be64_load(bytes), be64_load(bytes + 8)};
}

#endif
