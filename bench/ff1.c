/*
 * FF1 of 16 decimal digits under AES-256 with an 8-byte tweak, alone and in a lot, against the same by the standard's text
 * on EVP with 64-bit halves: what a C programmer writes who has read SP 800-38G.
 */
#include "bench.h"

#include <openssl/evp.h>

#include "crypto/ff1.h"

#define LOT 256
#define DIGITS 16

static const uint8_t key[32] = {1, 2, 3, 4, 5, 6, 7, 8}, tweak[8] = {9, 8, 7, 6, 5, 4, 3, 2};
static uint16_t numerals[LOT][DIGITS];
static struct ff1_item items[LOT];

static void alone(void *arg)
{
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < LOT; i++)
		bench_check(ff1_encrypt_many(arg, &items[i], 1, &err), &err);
}

static void lot(void *arg)
{
	struct seal_err err = SEAL_ERR_INIT;

	bench_check(ff1_encrypt_many(arg, items, LOT, &err), &err);
}

/* One AES block, in place. */
static void aes(EVP_CIPHER_CTX *context, uint8_t block[16])
{
	int n;

	if (EVP_EncryptUpdate(context, block, &n, block, 16) != 1)
		abort();
}

/* SP 800-38G r1, algorithm 7, for radix 10, n = 16, t = 8: u = v = 8, b = 4, d = 8. */
static void straight_one(EVP_CIPHER_CTX *context, uint16_t *x)
{
	uint8_t p[16] = {1, 2, 1, 0, 0, 10, 10, DIGITS / 2, 0, 0, 0, DIGITS, 0, 0, 0, sizeof tweak}, block[16];
	uint64_t a = 0, b = 0, y, c;

	for (unsigned i = 0; i < 8; i++) {
		a = a * 10 + x[i];
		b = b * 10 + x[i + 8];
	}
	for (unsigned round = 0; round < 10; round++) {
		memcpy(block, p, 16);
		aes(context, block);
		for (unsigned i = 0; i < 8; i++) /* Q = T || 0^3 || round || B as 4 bytes */
			block[i] ^= tweak[i];
		block[11] ^= (uint8_t)round;
		for (unsigned i = 0; i < 4; i++)
			block[12 + i] ^= (uint8_t)(b >> (24 - 8 * i));
		aes(context, block);
		y = 0;
		for (unsigned i = 0; i < 8; i++)
			y = y << 8 | block[i];
		c = (a + y % 100000000) % 100000000;
		a = b;
		b = c;
	}
	for (unsigned i = 8; i-- > 0; a /= 10, b /= 10) {
		x[i] = (uint16_t)(a % 10);
		x[i + 8] = (uint16_t)(b % 10);
	}
}

static void straight(void *context)
{
	for (size_t i = 0; i < LOT; i++)
		straight_one(context, numerals[i]);
}

/* Both must say the same, or the comparison is worth nothing. */
static void agree(struct ff1 *ff1, EVP_CIPHER_CTX *context)
{
	struct seal_err err = SEAL_ERR_INIT;
	uint16_t mine[DIGITS], other[DIGITS];
	struct ff1_item item = {mine, DIGITS, 10, bytes_of(tweak, sizeof tweak)};

	for (unsigned i = 0; i < DIGITS; i++)
		mine[i] = other[i] = (uint16_t)(i * 7 % 10);
	bench_check(ff1_encrypt_many(ff1, &item, 1, &err), &err);
	straight_one(context, other);
	if (memcmp(mine, other, sizeof mine) != 0) {
		fprintf(stderr, "bench: the two FF1 differ\n");
		exit(70);
	}
}

void bench_add_ff1(struct bench *bench)
{
	static const char *const reference = "FF1 straight on EVP, 16 digits";
	struct seal_err err = SEAL_ERR_INIT;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	struct ff1 *ff1;

	if (context == NULL || EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), NULL, key, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(context, 0) != 1)
		abort();
	for (size_t i = 0; i < LOT; i++) {
		for (unsigned k = 0; k < DIGITS; k++)
			numerals[i][k] = (uint16_t)((i * 31 + k * 7) % 10);
		items[i] = (struct ff1_item){numerals[i], DIGITS, 10, bytes_of(tweak, sizeof tweak)};
	}
	bench_check(ff1_new(bytes_of(key, sizeof key), &ff1, &err), &err);
	agree(ff1, context);
	bench_add(bench, (struct bench_case){.name = reference, .run = straight, .arg = context, .ops = LOT});
	bench_add(bench, (struct bench_case){.name = "FF1 alone, 16 digits",
					     .run = alone,
					     .arg = ff1,
					     .ops = LOT,
					     .reference = reference,
					     .most_ns = 450});
	bench_add(bench, (struct bench_case){.name = "FF1 in a lot, 16 digits",
					     .run = lot,
					     .arg = ff1,
					     .ops = LOT,
					     .reference = reference,
					     .most_ns = 120});
}
