/*
 * Runs one cryptographic operation a line, for tests that bring vectors in another language (wycheproof.py).
 *
 *     gcm-seal KEY NONCE AAD PLAIN          ▶ ciphertext and tag; so chacha-seal, xchacha-seal
 *     gcm-open KEY NONCE AAD CIPHER+TAG     ▶ plaintext; so chacha-open, xchacha-open
 *     kwp KEY MATERIAL                      ▶ AES-KWP
 *     hmac KEY MESSAGE                      ▶ HMAC-SHA-256
 *     hkdf KEY SALT INFO LENGTH             ▶ HKDF-SHA-256
 *     ff1-encrypt KEY TWEAK RADIX N,N,…     ▶ N,N,…
 *     ff1-decrypt KEY TWEAK RADIX N,N,…     ▶ N,N,…
 *     aead BACKEND | ff1 BACKEND | ff1-general on|off   ▶ ok
 *     backends                              ▶ those of AES-GCM
 *
 * Bytes are hex, "-" stands for none. Each line gives one line: the result, or "error CODE". A line that is not one of
 * these ends the program with status 64. No test by itself: what the answers must be is asserted by whoever asks.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/key_wrap.h"
#include "crypto/mac.h"
#include "vector.h"

#define FIELDS 5
#define ROOM 65536 /* bytes of a field */

static uint8_t room[FIELDS][ROOM];

static struct seal_bytes bytes_at(char **field, size_t i)
{
	return vector_hex_or_none(field[i], room[i], ROOM);
}

static void print_bytes(struct seal_bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", bytes.ptr[i]);
	printf(bytes.len ? "\n" : "-\n");
}

static void print_error(const struct seal_err *err)
{
	printf("error %s\n", seal_code_name(err->code));
}

static void aead_line(char **field, enum aead_cipher cipher, bool seal)
{
	static uint8_t out[ROOM + AEAD_TAG_LEN];
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes key = bytes_at(field, 1), nonce = bytes_at(field, 2), in = bytes_at(field, 4);
	struct aead_item item = {.nonce = nonce.ptr, .aad = bytes_at(field, 3), .in = in, .out = out};
	struct aead *aead = NULL;
	enum seal_status rc;

	if (nonce.len != aead_nonce_len(cipher) || (!seal && in.len < AEAD_TAG_LEN)) {
		printf("error length\n");
		return;
	}
	if (!seal)
		item.in.len -= AEAD_TAG_LEN;
	item.tag = seal ? out + in.len : room[4] + item.in.len;
	SEAL_TRY(aead_new_cipher(cipher, key, &aead, &err));
	SEAL_TRY(seal ? aead_seal_many(aead, &item, 1, &err) : aead_open_many(aead, &item, 1, &err));
	if (!seal && !item.ok)
		printf("error tampered\n");
	else
		print_bytes(bytes_of(out, seal ? in.len + AEAD_TAG_LEN : item.in.len));
out:
	if (rc != SEAL_OK)
		print_error(&err);
	aead_free(aead);
}

static void kwp_line(char **field)
{
	struct seal_bytes kek = bytes_at(field, 1), material = bytes_at(field, 2);
	struct seal_buf out = BUF_INIT(2 * KEY_WRAP_MATERIAL_MAX);
	struct seal_err err = SEAL_ERR_INIT;

	if (material.len == 0 || material.len > KEY_WRAP_MATERIAL_MAX)
		printf("error length\n");
	else if (key_wrap_kwp(kek, material, &out, &err) != SEAL_OK)
		print_error(&err);
	else
		print_bytes(buf_bytes(&out));
	buf_clear(&out);
}

static void hmac_line(char **field)
{
	struct seal_err err = SEAL_ERR_INIT;
	uint8_t out[SHA256_LEN];
	struct hmac_item item = {BYTES_EMPTY, bytes_at(field, 2), out};
	struct hmac *hmac = NULL;
	enum seal_status rc;

	SEAL_TRY(hmac_new(bytes_at(field, 1), &hmac, &err));
	SEAL_TRY(hmac_many(hmac, &item, 1, &err));
	print_bytes(bytes_of(out, sizeof(out)));
out:
	if (rc != SEAL_OK)
		print_error(&err);
	hmac_free(hmac);
}

static void hkdf_line(char **field)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct secret out = SECRET_INIT;
	size_t len = strtoul(field[4], NULL, 10);

	if (len < 1 || len > 255 * SHA256_LEN)
		printf("error length\n");
	else if (hkdf_sha256(bytes_at(field, 1), bytes_at(field, 2), bytes_at(field, 3), len, &out, &err) != SEAL_OK)
		print_error(&err);
	else
		print_bytes(secret_bytes(&out));
	secret_clear(&out);
}

/* False when there are too many or one is no 16-bit number. */
static bool read_numerals(const char *text, uint16_t *out, uint32_t *n)
{
	char *end;

	for (*n = 0; strcmp(text, "-") != 0; text = end + 1) {
		long value = strtol(text, &end, 10);

		if (end == text || value < 0 || value > 65535 || *n == FF1_LENGTH_MAX)
			return false;
		out[(*n)++] = (uint16_t)value;
		if (*end == '\0')
			break;
	}
	return true;
}

static void ff1_line(char **field, bool encrypt)
{
	static uint16_t numerals[FF1_LENGTH_MAX];
	struct seal_err err = SEAL_ERR_INIT;
	struct ff1_item item = {
		.numerals = numerals, .radix = (uint32_t)strtoul(field[3], NULL, 10), .tweak = bytes_at(field, 2)};
	struct ff1 *ff1 = NULL;
	enum seal_status rc;

	if (!read_numerals(field[4], numerals, &item.n)) {
		printf("error symbol\n");
		return;
	}
	SEAL_TRY(ff1_new(bytes_at(field, 1), &ff1, &err));
	SEAL_TRY(ff1_check(item.radix, item.n, &err));
	SEAL_TRY(encrypt ? ff1_encrypt_many(ff1, &item, 1, &err) : ff1_decrypt_many(ff1, &item, 1, &err));
	for (uint32_t i = 0; i < item.n; i++)
		printf("%u%c", numerals[i], i + 1 < item.n ? ',' : '\n');
out:
	if (rc != SEAL_OK)
		print_error(&err);
	ff1_free(ff1);
}

static void answer(bool ok)
{
	printf(ok ? "ok\n" : "error backend\n");
}

/* False when the line is none that this program knows. */
static bool settings_line(char **field, size_t n)
{
	if (n == 2 && strcmp(field[0], "aead") == 0)
		answer(aead_backend_force(field[1]));
	else if (n == 2 && strcmp(field[0], "ff1") == 0)
		answer(ff1_backend_force(field[1]));
	else if (n == 2 && strcmp(field[0], "ff1-general") == 0) {
		ff1_force_general(strcmp(field[1], "on") == 0);
		answer(true);
	} else if (n == 1 && strcmp(field[0], "backends") == 0) {
		for (const char *const *name = aead_backends(); *name != NULL; name++)
			printf("%s%c", *name, name[1] ? ' ' : '\n');
	} else {
		return false;
	}
	return true;
}

/* "gcm-seal", … */
static bool cipher_line(char **field, size_t n)
{
	static const char *const names[] = {"gcm-", "chacha-", "xchacha-"}; /* enum aead_cipher */

	for (size_t i = 0; n == 5 && i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t len = strlen(names[i]);
		const char *what = field[0] + len;

		if (strncmp(field[0], names[i], len) != 0 || (strcmp(what, "seal") != 0 && strcmp(what, "open") != 0))
			continue;
		aead_line(field, (enum aead_cipher)i, strcmp(what, "seal") == 0);
		return true;
	}
	return false;
}

static bool line_do(char **field, size_t n)
{
	if (cipher_line(field, n))
		return true;
	if (n == 3 && strcmp(field[0], "kwp") == 0)
		kwp_line(field);
	else if (n == 3 && strcmp(field[0], "hmac") == 0)
		hmac_line(field);
	else if (n == 5 && strcmp(field[0], "hkdf") == 0)
		hkdf_line(field);
	else if (n == 5 && strcmp(field[0], "ff1-encrypt") == 0)
		ff1_line(field, true);
	else if (n == 5 && strcmp(field[0], "ff1-decrypt") == 0)
		ff1_line(field, false);
	else
		return settings_line(field, n);
	return true;
}

int main(void)
{
	static char line[FIELDS * 2 * ROOM];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *field[FIELDS], *save = NULL, *word = strtok_r(line, " \n", &save);
		size_t n = 0;

		for (; word != NULL && n < FIELDS; word = strtok_r(NULL, " \n", &save))
			field[n++] = word;
		if (word != NULL || !line_do(field, n))
			return 64;
		fflush(stdout);
	}
	return 0;
}
