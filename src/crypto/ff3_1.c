/*
 * FF3-1 as the 2019 draft of SP 800-38G r1 had it (algorithms 9 and 10), for reading old data. Numerals are least
 * significant first here ("REV" in the text), so the halves are kept as integers and turned over only at the ends.
 * Nothing is kept between calls: speed does not matter, wiping does.
 */
#include "crypto/ff3_1.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "crypto/libcrypto.h"
#include "crypto/limbs.h"

#define ROUNDS 8
#define DOMAIN_MIN 1000000
#define LENGTH_MAX 192 /* radix 2: 2 * 96 */
#define LIMBS 2

struct ff3_1 {
	EVP_CIPHER_CTX *ctx;
	struct radix radix;
	struct limbs_modulus mod[2]; /* radix^u, radix^v */
	uint64_t power[2][LIMBS], shifted[2][LIMBS];
	uint8_t right[4], left[4]; /* the tweak's halves */
	/* secret */
	uint64_t a[LIMBS], b[LIMBS];
	uint16_t turned[LENGTH_MAX];
};

/* 2 * floor(log_radix 2^96), by integers. */
static size_t length_max(uint32_t radix)
{
	uint128 power = radix, limit = (uint128)1 << 96;
	size_t n = 0;

	for (; power <= limit; power *= radix)
		n++;
	return 2 * n;
}

static enum seal_status check(size_t key_len, uint32_t radix, size_t n, struct seal_err *err)
{
	uint64_t domain = 1;

	if (key_len != 16 && key_len != 24 && key_len != 32)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "an FF3-1 key has 16, 24 or 32 bytes, not %zu",
			       key_len);
	if (radix < 2 || radix > 65536)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "FF3-1 takes an alphabet of 2 to 65536 symbols, not %u", radix);
	for (size_t i = 0; i < n && domain < DOMAIN_MIN; i++)
		domain *= radix;
	if (n < 2 || domain < DOMAIN_MIN)
		return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
			       "%zu symbols of an alphabet of %u are too few for FF3-1: a million values must be "
			       "possible",
			       n, radix);
	if (n > length_max(radix))
		return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
			       "%zu symbols are too many for FF3-1: at most %zu of an alphabet of %u", n,
			       length_max(radix), radix);
	return SEAL_OK;
}

/* Algorithm 9, step 3: T_L = T[0..27] || 0^4, T_R = T[32..55] || T[28..31] || 0^4. The key is REVB(K). */
static enum seal_status begin(struct ff3_1 *f, struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN],
			      uint32_t radix, size_t u, size_t v, struct seal_err *err)
{
	const size_t m[2] = {u, v};
	uint8_t turned[32];
	int ok;

	memcpy(f->left, tweak, 4);
	f->left[3] &= 0xf0;
	memcpy(f->right, tweak + 4, 3);
	f->right[3] = (uint8_t)(tweak[3] << 4);
	radix_init(&f->radix, radix);
	for (size_t i = 0; i < 2; i++)
		limbs_modulus_init(&f->mod[i], f->power[i],
				   limbs_power(f->power[i], LIMBS, &f->radix, (uint32_t)m[i]), f->shifted[i]);
	for (size_t i = 0; i < key.len; i++)
		turned[i] = key.ptr[key.len - 1 - i];
	f->ctx = EVP_CIPHER_CTX_new();
	ok = f->ctx != NULL && EVP_EncryptInit_ex2(f->ctx, libcrypto_aes_ecb(key.len), turned, NULL, NULL) == 1 &&
	     EVP_CIPHER_CTX_set_padding(f->ctx, 0) == 1;
	mem_wipe(turned, sizeof(turned));
	return ok ? SEAL_OK : libcrypto_failed(err, "AES key set-up");
}

/*
 * y of round i. Steps 4.ii to 4.iv: P = W xor [i]^4 || [NUM(REV(B))]^12, S = REVB(CIPH(REVB(P))), y = NUM(S). Reversed
 * bytes of big-endian numbers are little-endian ones, so nothing needs turning but W.
 */
static void round_y(struct ff3_1 *f, unsigned i, const uint64_t b[LIMBS], uint64_t y[LIMBS + 1])
{
	const uint8_t *w = i % 2 == 0 ? f->right : f->left;
	uint8_t block[16];
	int len;

	for (size_t k = 0; k < 12; k++)
		block[k] = (uint8_t)(b[k / 8] >> 8 * (k % 8));
	for (size_t k = 0; k < 4; k++)
		block[15 - k] = w[k];
	block[12] ^= (uint8_t)i;
	/* one whole block, no padding, in place: nothing is left that could fail */
	SEAL_INVARIANT(EVP_EncryptUpdate(f->ctx, block, &len, block, 16) == 1);
	memset(y, 0, (LIMBS + 1) * sizeof(*y));
	for (size_t k = 0; k < 16; k++)
		y[k / 8] |= (uint64_t)block[k] << 8 * (k % 8);
	mem_wipe(block, sizeof(block));
}

/* Algorithm 9 steps 4 to 6; algorithm 10 is the same with a and b swapped, rounds downwards and y subtracted. */
static void rounds(struct ff3_1 *f, bool encrypt, uint64_t *a, uint64_t *b)
{
	uint64_t y[LIMBS + 1];

	for (unsigned step = 0; step < ROUNDS; step++) {
		unsigned i = encrypt ? step : ROUNDS - 1 - step;
		const struct limbs_modulus *mod = &f->mod[i % 2]; /* step 4.i: m = u in even rounds, else v */

		round_y(f, i, b, y);
		limbs_reduce(y, LIMBS, mod);
		if (encrypt)
			limbs_add_mod(y, a, mod);
		else
			limbs_sub_from_mod(y, a, mod);
		memcpy(a, b, LIMBS * sizeof(*a));
		memcpy(b, y, LIMBS * sizeof(*b));
	}
	mem_wipe(y, sizeof(y));
}

static void turn(struct ff3_1 *f, const uint16_t *x, size_t m)
{
	for (size_t i = 0; i < m; i++)
		f->turned[i] = x[m - 1 - i];
}

static void load(struct ff3_1 *f, const uint16_t *x, size_t m, uint64_t *half)
{
	turn(f, x, m);
	limbs_num(half, LIMBS, &f->radix, f->turned, (uint32_t)m);
}

static void store(struct ff3_1 *f, uint64_t *half, uint16_t *x, size_t m)
{
	limbs_str(half, LIMBS, &f->radix, x, (uint32_t)m);
	turn(f, x, m);
	memcpy(x, f->turned, m * sizeof(*x));
}

static enum seal_status numerals_valid(const uint16_t *numerals, size_t n, uint32_t radix, struct seal_err *err)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad |= (radix - 1 - numerals[i]) >> 31;
	ct_declassify(&bad, sizeof(bad));
	return bad == 0 ? SEAL_OK
			: err_set(err, SEAL_FATAL, SEAL_E_INTERNAL,
				  "FF3-1 was given a symbol outside its alphabet of %u", radix);
}

static enum seal_status run(struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN], uint32_t radix,
			    uint16_t *numerals, size_t n, bool encrypt, struct seal_err *err)
{
	struct ff3_1 f = {0};
	size_t u = (n + 1) / 2, v = n - u; /* algorithm 9, step 1: u = ceil(n / 2) */
	enum seal_status rc;

	SEAL_TRY(check(key.len, radix, n, err));
	SEAL_TRY(numerals_valid(numerals, n, radix, err));
	SEAL_TRY(begin(&f, key, tweak, radix, u, v, err));
	load(&f, numerals, u, f.a);
	load(&f, numerals + u, v, f.b);
	if (encrypt)
		rounds(&f, true, f.a, f.b);
	else
		rounds(&f, false, f.b, f.a);
	store(&f, f.a, numerals, u);
	store(&f, f.b, numerals + u, v);
out:
	EVP_CIPHER_CTX_free(f.ctx);
	mem_wipe(&f, sizeof(f));
	return rc;
}

enum seal_status ff3_1_decrypt(struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN], uint32_t radix,
			       uint16_t *numerals, size_t n, struct seal_err *err)
{
	return run(key, tweak, radix, numerals, n, false, err);
}

enum seal_status ff3_1_encrypt_legacy(struct seal_bytes key, const uint8_t tweak[FF3_1_TWEAK_LEN], uint32_t radix,
				      uint16_t *numerals, size_t n, struct seal_err *err)
{
	return run(key, tweak, radix, numerals, n, true, err);
}
