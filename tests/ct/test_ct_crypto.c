/*
 * ct: does a secret steer a branch or an address? Keys, plaintexts and numerals are marked undefined; memcheck then
 * complains about every conditional jump and every memory access that depends on them. The sources under test are
 * compiled with SEAL_CT_CHECK, so that the one public verdict on secrets ("all symbols are in the alphabet") may be
 * branched on; nothing else differs from the library.
 *
 * Runs under valgrind only; elsewhere it is skipped. The last check leaks on purpose: a checker that sees nothing there
 * proves nothing above. Not covered, by design: base64, which looks its letters up in a table. It encodes ciphertext,
 * and exported keys for a person who asked to see them.
 */
#include <stdio.h>

#include <valgrind/memcheck.h>

#include "base/encode.h"
#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/ff3_1.h"
#include "crypto/mac.h"

#define SKIPPED 77

static int failed;

static void hide(void *ptr, size_t size)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, size);
}

static void show(void *ptr, size_t size)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(ptr, size);
}

static void assert_constant_time(const char *what, unsigned before, bool right)
{
	unsigned leaks = VALGRIND_COUNT_ERRORS - before;

	printf("%s: %s%s\n", what, leaks ? "LEAKS" : "constant time", right ? "" : ", WRONG RESULT");
	failed += leaks != 0 || !right;
}

/* FF1 there and back with key and numerals hidden. The tweak is public. */
static bool ff1_hidden(uint32_t radix, uint32_t n, size_t key_len)
{
	static uint16_t value[8][400], was[8][400];
	uint8_t key[32] = {42};
	struct ff1_item items[8];
	struct ff1 *ff1 = NULL;
	bool ok;

	for (size_t i = 0; i < 8; i++) {
		for (uint32_t k = 0; k < n; k++)
			value[i][k] = was[i][k] = (uint16_t)((i * 5 + k * 3) % radix);
		items[i] = (struct ff1_item){value[i], n, radix, BYTES_LIT("a public tweak of 29 symbols!")};
	}
	hide(key, sizeof(key));
	hide(value, sizeof(value));
	ok = ff1_new(bytes_of(key, key_len), &ff1, NULL) == SEAL_OK &&
	     ff1_encrypt_many(ff1, items, 8, NULL) == SEAL_OK && ff1_encrypt_many(ff1, items, 1, NULL) == SEAL_OK &&
	     ff1_decrypt_many(ff1, items, 1, NULL) == SEAL_OK && ff1_decrypt_many(ff1, items, 8, NULL) == SEAL_OK;
	show(value, sizeof(value));
	for (size_t i = 0; i < 8; i++)
		ok = ok && memcmp(value[i], was[i], n * sizeof(value[0][0])) == 0;
	ff1_free(ff1);
	return ok;
}

static void check_ff1(const char *backend)
{
	static const struct {
		uint32_t radix, n;
		size_t key_len;
	} rows[] = {{10, 16, 32},  {10, 16, 24}, {10, 16, 16}, {10, 19, 32},	{10, 36, 32}, {62, 12, 32},
		    {256, 13, 32}, {10, 60, 32}, {62, 40, 32}, {65536, 70, 32}, {256, 64, 16}};
	char what[100];

	if (!ff1_backend_force(backend)) {
		printf("FF1 %s: not on this machine\n", backend);
		return;
	}
	for (int general = 0; general <= 1; general++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			unsigned before = VALGRIND_COUNT_ERRORS;

			ff1_force_general(general);
			snprintf(what, sizeof(what), "FF1 %s%s, radix %u, %u symbols, %zu-bit key", backend,
				 general ? " (general path)" : "", rows[i].radix, rows[i].n, 8 * rows[i].key_len);
			assert_constant_time(what, before, ff1_hidden(rows[i].radix, rows[i].n, rows[i].key_len));
		}
	ff1_force_general(false);
}

static void check_ff3_1(void)
{
	static const uint8_t tweak[FF3_1_TWEAK_LEN] = {1, 2, 3, 4, 5, 6, 7};
	uint8_t key[32] = {42};
	uint16_t value[40] = {0}, zeros[40] = {0};
	unsigned before = VALGRIND_COUNT_ERRORS;
	bool ok;

	hide(key, sizeof(key));
	hide(value, sizeof(value));
	ok = ff3_1_encrypt_legacy(bytes_of(key, sizeof(key)), tweak, 10, value, 40, NULL) == SEAL_OK &&
	     ff3_1_decrypt(bytes_of(key, sizeof(key)), tweak, 10, value, 40, NULL) == SEAL_OK;
	show(value, sizeof(value));
	assert_constant_time("FF3-1", before, ok && memcmp(value, zeros, sizeof(value)) == 0);
}

struct aead_case {
	uint8_t key[32], plain[100], sealed[100], opened[100], tag[AEAD_TAG_LEN], nonce[AEAD_NONCE_LEN];
	struct aead_item item;
	struct aead *aead;
};

static bool aead_seal_hidden(struct aead_case *c, size_t key_len)
{
	c->item = (struct aead_item){.nonce = c->nonce,
				     .aad = BYTES_LIT("aad"),
				     .in = bytes_of(c->plain, sizeof(c->plain)),
				     .out = c->sealed,
				     .tag = c->tag};
	hide(c->key, sizeof(c->key));
	hide(c->plain, sizeof(c->plain));
	return aead_new(bytes_of(c->key, key_len), &c->aead, NULL) == SEAL_OK &&
	       aead_seal_many(c->aead, &c->item, 1, NULL) == SEAL_OK;
}

static bool aead_open_hidden(struct aead_case *c)
{
	bool ok;

	show(c->sealed, sizeof(c->sealed)); /* ciphertext and tag are public */
	show(c->tag, sizeof(c->tag));
	c->item.in.ptr = c->sealed;
	c->item.out = c->opened;
	ok = aead_open_many(c->aead, &c->item, 1, NULL) == SEAL_OK && c->item.ok;
	show(c->plain, sizeof(c->plain));
	show(c->opened, sizeof(c->opened));
	return ok && memcmp(c->plain, c->opened, sizeof(c->plain)) == 0;
}

static void check_aead_on(const char *name, size_t key_len)
{
	struct aead_case c = {.key = {42}, .plain = {1}};
	char what[100];
	unsigned before = VALGRIND_COUNT_ERRORS;
	bool ok = aead_seal_hidden(&c, key_len);

	snprintf(what, sizeof(what), "AES-GCM %s sealing, %zu-bit key", name, 8 * key_len);
	assert_constant_time(what, before, ok);
	before = VALGRIND_COUNT_ERRORS;
	ok = ok && aead_open_hidden(&c);
	snprintf(what, sizeof(what), "AES-GCM %s opening, %zu-bit key", name, 8 * key_len);
	/* libcrypto itself branches on whether the tag is right, which is public: once, and on nothing else */
	if (strcmp(name, "openssl") == 0)
		before = VALGRIND_COUNT_ERRORS - before <= 1 ? VALGRIND_COUNT_ERRORS : before;
	assert_constant_time(what, before, ok);
	aead_free(c.aead);
}

static void check_aead(void)
{
	for (const char *const *name = aead_backends(); *name != NULL; name++)
		for (size_t key_len = 16; key_len <= 32; key_len += 16)
			if (aead_backend_force(*name))
				check_aead_on(*name, key_len);
}

/* One alone and a lot, which a back end may hash side by side. */
static void check_hmac_on(const char *what)
{
	uint8_t key[32] = {42}, text[70] = {1}, alone[SHA256_LEN], out[5][SHA256_LEN];
	struct hmac_item items[5], item = {BYTES_EMPTY, bytes_of(text, 70), alone};
	struct hmac *hmac = NULL;
	unsigned before = VALGRIND_COUNT_ERRORS;
	bool ok;

	hide(key, sizeof(key));
	hide(text, sizeof(text));
	for (size_t i = 0; i < 5; i++)
		items[i] = (struct hmac_item){bytes_of(text, 10 * i), bytes_of(text + 10 * i, 70 - 10 * i), out[i]};
	ok = hmac_new(bytes_of(key, sizeof(key)), &hmac, NULL) == SEAL_OK &&
	     hmac_many(hmac, &item, 1, NULL) == SEAL_OK && hmac_many(hmac, items, 5, NULL) == SEAL_OK;
	show(alone, sizeof(alone));
	show(out, sizeof(out));
	for (size_t i = 0; i < 5; i++)
		ok = ok && memcmp(out[i], alone, sizeof(alone)) == 0;
	assert_constant_time(what, before, ok);
	hmac_free(hmac);
}

static void check_hmac(void)
{
	check_hmac_on("HMAC-SHA-256");
	if (hmac_backend_force("openssl"))
		check_hmac_on("HMAC-SHA-256 by openssl");
}

static void check_ct_equal(void)
{
	uint8_t a[32] = {1}, b[32] = {1};
	unsigned before = VALGRIND_COUNT_ERRORS;
	bool same, differ;

	hide(a, sizeof(a));
	same = ct_equal(a, b, sizeof(a));
	b[31] = 1;
	differ = !ct_equal(a, b, sizeof(a));
	show(&same, sizeof(same));
	show(&differ, sizeof(differ));
	assert_constant_time("ct_equal", before, same && differ);
}

/* A table look-up by a secret must be noticed. */
static void check_the_checker(void)
{
	uint8_t secret[3] = {1, 2, 3};
	char text[BASE64_LEN(3)];
	unsigned before = VALGRIND_COUNT_ERRORS;
	volatile int branched = 0;

	hide(secret, sizeof(secret));
	(void)base64_encode(bytes_of(secret, sizeof(secret)), text);
	if (secret[0] == 1)
		branched = 1;
	if (VALGRIND_COUNT_ERRORS == before || !branched) {
		printf("the checker saw no leak where there is one\n");
		failed++;
	}
}

int main(void)
{
	if (!RUNNING_ON_VALGRIND) {
		printf("skipped: not under valgrind\n");
		return SKIPPED;
	}
	check_ff1("aes-ni");
	check_ff1("openssl");
	check_ff3_1();
	check_aead();
	check_hmac();
	check_ct_equal();
	check_the_checker();
	printf("%d failed\n", failed);
	return failed != 0;
}
