/*
 * vectors: FF1 and AES-GCM against implementations that share no code with this one. The files were made by
 * tests/vectors/gen (Rust crates fpe and aes-gcm); their heads say what a line holds. Every back end, both FF1 paths.
 *
 * Usage: test_vectors_independent FF1-FILE GCM-FILE
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "vector.h"

#define FIELDS 5
#define LINE_MAX_LEN 8192

static const char *ff1_file, *gcm_file;

/* Parts a line in place; false for a comment. Aborts when it has not FIELDS fields. */
static bool parse(char *line, char *field[FIELDS])
{
	char *save = NULL;

	if (line[0] == '#')
		return false;
	for (size_t i = 0; i < FIELDS; i++) {
		field[i] = strtok_r(i ? NULL : line, " \n", &save);
		SEAL_INVARIANT(field[i] != NULL);
	}
	SEAL_INVARIANT(strtok_r(NULL, " \n", &save) == NULL);
	return true;
}

/* Runs `check` on each line; returns how many. */
static size_t each_line(const char *path, void (*check)(char *field[FIELDS]))
{
	static char line[LINE_MAX_LEN];
	FILE *file = fopen(path, "r");
	char *field[FIELDS];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (!parse(line, field))
			continue;
		check(field);
		n++;
	}
	fclose(file);
	return n;
}

static uint32_t hex_numerals(const char *text, uint16_t *out, size_t room)
{
	static uint8_t raw[LINE_MAX_LEN];
	struct seal_bytes bytes = vector_hex(text, raw, sizeof(raw));

	SEAL_INVARIANT(bytes.len / 2 <= room);
	for (size_t i = 0; i < bytes.len / 2; i++)
		out[i] = (uint16_t)(raw[2 * i] << 8 | raw[2 * i + 1]);
	return (uint32_t)(bytes.len / 2);
}

static void check_ff1(char *field[FIELDS])
{
	uint8_t key[32], tweak[64];
	uint16_t value[300], plain[300], cipher[300];
	struct ff1_item item = {.numerals = value,
				.n = hex_numerals(field[3], plain, 300),
				.radix = (uint32_t)strtoul(field[2], NULL, 10),
				.tweak = vector_hex_or_none(field[1], tweak, sizeof(tweak))};
	size_t size = item.n * sizeof(value[0]);
	struct ff1 *ff1;

	assert_int_equal(hex_numerals(field[4], cipher, 300), item.n);
	assert_int_equal(ff1_new(vector_hex(field[0], key, sizeof(key)), &ff1, NULL), SEAL_OK);
	memcpy(value, plain, size);
	assert_int_equal(ff1_encrypt_many(ff1, &item, 1, NULL), SEAL_OK);
	assert_memory_equal(value, cipher, size);
	assert_int_equal(ff1_decrypt_many(ff1, &item, 1, NULL), SEAL_OK);
	assert_memory_equal(value, plain, size);
	ff1_free(ff1);
}

static void ff1_vectors(void **state)
{
	const char *was = ff1_backend();
	const char *const backends[] = {was, "openssl"};

	for (size_t b = 0; b < 2; b++)
		for (int general = 0; general <= 1; general++) {
			assert_true(ff1_backend_force(backends[b]));
			ff1_force_general(general);
			assert_true(each_line(ff1_file, check_ff1) > 300);
			ff1_force_general(false);
		}
	assert_true(ff1_backend_force(was));
}

static void check_gcm(char *field[FIELDS])
{
	static uint8_t key[32], nonce[12], raw_aad[512], raw_plain[1024], raw_sealed[1024], out[1024], tag[16];
	struct seal_bytes plain = vector_hex_or_none(field[3], raw_plain, sizeof(raw_plain));
	struct seal_bytes sealed = vector_hex(field[4], raw_sealed, sizeof(raw_sealed));
	struct aead_item item = {.nonce = nonce,
				 .aad = vector_hex_or_none(field[2], raw_aad, sizeof(raw_aad)),
				 .in = plain,
				 .out = out,
				 .tag = tag};
	struct aead *aead;

	assert_int_equal(vector_hex(field[1], nonce, sizeof(nonce)).len, AEAD_NONCE_LEN);
	assert_int_equal(sealed.len, plain.len + AEAD_TAG_LEN);
	assert_int_equal(aead_new(vector_hex(field[0], key, sizeof(key)), &aead, NULL), SEAL_OK);
	assert_int_equal(aead_seal_many(aead, &item, 1, NULL), SEAL_OK);
	assert_memory_equal(out, sealed.ptr, plain.len);
	assert_memory_equal(tag, sealed.ptr + plain.len, AEAD_TAG_LEN);
	item.in.ptr = out;
	assert_int_equal(aead_open_many(aead, &item, 1, NULL), SEAL_OK);
	assert_true(item.ok);
	assert_memory_equal(out, plain.ptr, plain.len);
	aead_free(aead);
}

static void gcm_vectors(void **state)
{
	const char *was = aead_backend();

	for (const char *const *name = aead_backends(); *name != NULL; name++) {
		assert_true(aead_backend_force(*name));
		assert_true(each_line(gcm_file, check_gcm) > 100);
	}
	assert_true(aead_backend_force(was));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ff1_vectors),
		cmocka_unit_test(gcm_vectors),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: test_vectors_independent FF1-FILE GCM-FILE\n");
		return 64;
	}
	ff1_file = argv[1];
	gcm_file = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
