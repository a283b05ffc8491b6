/*
 * Keyrings of every released format, and what their keys made, for ever. keyring-1/ was made by 0.1.0: raw/ opens with
 * the file `master`, phrase/ with the file `passphrase`. The material of every version is known, too:
 * SHA-256 of "aes256 raw 1", "aes128 raw 2" (16 bytes), "ff1 raw 1" … keyring-2/ has key files of format 2, made by
 * 0.1.0, too; their material is SHA-256 of "derived 1" …, cut to the key's length.
 */
#include "golden.h"

#include "base/encode.h"
#include "crypto/mac.h"

static const struct {
	const char *ring, *key, *plain, *aad, *text;
} texts[] = {
	{"raw", "pii", "1 High St ä", "", "vault:v1:Du454vju+nVjLjVx4TZc7OzzQA//v+M6K92yBJ5int7CNLOYcJu0GQ=="},
	{"raw", "pii", "", "place", "vault:v1:sKxXyprBvMMCpqrRrysT56LsCNQ0ZhykaR6Uyg=="},
	{"raw", "pii", "1 High St ä", "", "vault:v2:feaNbwFfx9ZtvMklUdNCd4LPEaDFjPWLXbb0QvO4dBgf5uicQChjnQ=="},
	{"raw", "pii", "", "place", "vault:v2:sah4g6KCuuT7znwyQ+aE3Wl9tKo9E9HcZk8W8w=="},
	{"raw", "pii", "1 High St ä", "", "vault:v3:Rrc5KuMa9Qa7/1V2kT3Sd9RkKzsrC4Vwkbni+y5tH0v2s7yefc1WhQ=="},
	{"raw", "pii", "", "place", "vault:v3:rNgUXsXZub/uBHMwNEZm2DLhlP/XxRAvQ/D+yg=="},
	{"raw", "small", "1 High St ä", "", "vault:v2:RGHek3wTKzbJy9K1ivR2ODPvcAcjBf4ia1NdzQ4LLKPUNcvN5bruvg=="},
	{"raw", "small", "", "place", "vault:v2:ApHpIG6XEon7VUouiQJCAtqe70LLlfoR5bUH2w=="},
	{"phrase", "pii", "1 High St ä", "", "vault:v1:ng1+qDaO8zS4X+REvChGiaxvhJhPn4suDVegdQ3qtOAClMh6TBPRjQ=="},
	{"phrase", "pii", "", "place", "vault:v1:34ZqKXHA/va3ouIhTKq3NPvFF870qKu/Q+vagA=="},
	{"phrase", "pii", "1 High St ä", "", "vault:v2:W/B4y3oy2RD7ldmf7uXzEB9ntc4nY3DCkzZPffmYWBbxJI2Rz5amGg=="},
	{"phrase", "pii", "", "place", "vault:v2:Afnfk3czoEhXOUpvUBSbCpTLZUj+BPpwrn9Kjg=="},
	{"phrase", "pii", "1 High St ä", "", "vault:v3:icHKqzHugBc0A2E6566X1Tu+wf9MznpBaNjByMhPW96jk8pjBI4+pw=="},
	{"phrase", "pii", "", "place", "vault:v3:OwE4FAdS8a+3DiZnt4g8/swlHIVa8Eg8/m3Kuw=="},
};

/* A copy with the modes that a checkout does not keep; f->config.create is off: nothing new may be needed. */
static void open_ring(struct fixture *f, const char *ring, char secret[100])
{
	static const char *const files[] = {"keyring.head", "pii.skey", "small.skey", "cards.skey", "mac.skey"};
	bool raw = strcmp(ring, "raw") == 0;

	fixture_dir(f);
	assert_int_equal(mkdir(f->ring, 0700), 0);
	for (size_t i = 0; i < (raw ? 5 : 2); i++) {
		char from[64], to[64];

		snprintf(from, sizeof(from), "%s/%s", ring, files[i]);
		snprintf(to, sizeof(to), "ring/%s", files[i]);
		golden_copy(f, "keyring-1", from, to);
	}
	golden_copy(f, "keyring-1", raw ? "master" : "passphrase", "secret");
	snprintf(secret, 100, "%s/secret", f->dir);
	f->config.create = false;
	f->config.master_key_file = raw ? secret : NULL;
	f->config.passphrase_file = raw ? NULL : secret;
	OK(f, keyring_open(&f->config, &f->keyring, &f->err));
}

static void texts_decrypt(void **state)
{
	static const char *const rings[] = {"raw", "phrase"};

	for (int r = 0; r < 2; r++) {
		struct fixture f;
		char secret[100];
		int n = 0;

		open_ring(&f, rings[r], secret);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			struct key_session *s;
			const char *plain;
			struct key *key;

			if (strcmp(texts[i].ring, rings[r]) != 0)
				continue;
			key = fixture_key(&f, texts[i].key);
			s = fixture_session(&f, key);
			plain = decrypt_text(&f, s, texts[i].text, texts[i].aad);
			if (plain == NULL)
				fail_msg("%s: %s", texts[i].text, f.err.text);
			assert_string_equal(plain, texts[i].plain);
			s->ops->free(s);
			key->ops->free(key);
			n++;
		}
		assert_true(n >= 6);
		fixture_close(&f);
	}
}

static void material_is_the_same(void **state)
{
	static const char *const rings[] = {"raw", "phrase"};

	for (int r = 0; r < 2; r++) {
		for (uint32_t version = 1; version <= 3; version++) {
			struct secret out = SECRET_INIT;
			uint8_t expected[SHA256_LEN];
			char label[32], secret[100];
			struct fixture f;

			open_ring(&f, rings[r], secret);
			snprintf(label, sizeof(label), "aes256 %s %u", rings[r], version);
			OK(&f, sha256(bytes_str(label), expected, &f.err));
			OK(&f, keyring_export(f.keyring, BYTES_LIT("pii"), version, &out, NULL, &f.err));
			assert_int_equal(out.len, sizeof(expected));
			assert_memory_equal(out.ptr, expected, sizeof(expected));
			secret_clear(&out);
			fixture_close(&f);
		}
	}
}

static void settings_are_kept(void **state)
{
	struct keyring_key_info info;
	struct fixture f;
	char secret[100];

	open_ring(&f, "raw", secret);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("small"), &f.arena, &info, &f.err));
	assert_string_equal(info.type, "aes128-gcm96");
	assert_int_equal(info.latest_version, 2);
	assert_int_equal(info.min_decryption_version, 2);
	assert_int_equal(info.min_encryption_version, 2);
	assert_int_equal(info.auto_rotate, 1000000);
	assert_true(info.deletion_allowed && info.imported && !info.exportable);
	/* … and a file of format 1 can still be changed. */
	OK(&f, keyring_rotate(f.keyring, BYTES_LIT("small"), NULL, &f.err));
	fixture_close(&f);
}

static void fixed_results_are_the_same(void **state)
{
	static const uint16_t expected[2][16] = {{5, 8, 9, 8, 2, 2, 0, 5, 4, 9, 5, 4, 3, 4, 9, 4},
						 {1, 3, 1, 0, 3, 3, 0, 4, 9, 8, 6, 5, 7, 3, 1, 6}};
	static const char mac[] = "89edccbf5bf6c2d999a419b9773aec5d3efc2f62d70f34104259523fbd13ddf1";
	struct key_item message = {.in = BYTES_LIT("value"), .aad = BYTES_LIT("place")};
	struct key_session *s;
	struct fixture f;
	char secret[100], hex[65] = {0};
	struct key *key;

	open_ring(&f, "raw", secret);
	key = fixture_key(&f, "cards");
	s = fixture_session(&f, key);
	for (uint32_t version = 1; version <= 2; version++) {
		uint16_t card[16] = {4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
		struct key_fpe_item item = {.numerals = card, .n = 16, .radix = 10, .tweak = BYTES_LIT("tweak")};

		OK(&f, s->ops->fpe(s, version, false, &item, 1, &f.call, &f.err));
		assert_memory_equal(card, expected[version - 1], sizeof(card));
	}
	s->ops->free(s);
	key->ops->free(key);
	key = fixture_key(&f, "mac");
	s = fixture_session(&f, key);
	OK(&f, s->ops->hmac(s, 1, &message, 1, &f.call, &f.err));
	hex_encode(message.out, hex);
	assert_string_equal(hex, mac);
	s->ops->free(s);
	key->ops->free(key);
	fixture_close(&f);
}

/* "1 High St ä" bound to the domain "d", as the program made it. */
static const struct {
	const char *key;
	bool derived, convergent;
	const char *texts[2];
} format_2[] = {
	{"derived",
	 true,
	 false,
	 {"vault:v1:2+5B1DvWA4d0t0PBzsi0nhRm83s3o9OvyZWUsKtj9l883LNB4rTmqw==",
	  "vault:v2:1KMJXlqhVPMChblrcgKkZgM1Xs12CSgiaTUEyk1965xJZZm/Ehkv9Q=="}},
	{"convergent",
	 true,
	 true,
	 {"vault:v1:XK8n0G2kYfUXqD8otlkuSmWDLXndV4qNrsoXBY9Wj0RvGeOmSDyC2Q==",
	  "vault:v2:CeU83jrK+q91VyrHF4iLuoHal+qs+NOIiZQkaRZDQgEZpYWjUcCW+Q=="}},
	{"chacha",
	 false,
	 false,
	 {"vault:v1:HBoSqE8ilyHClrievjwSZ8CY1dmcvHy0WlYVFj5TMnhSGtY2yxvEyg==",
	  "vault:v2:zx9/QEjPZNnig2B+24ok4bAp8aMnpv/geni4RItPENnW7QfwgIbBtg=="}},
	{"xchacha",
	 true,
	 true,
	 {"vault:v1:z1mzdNt3cL86Ccrm1NbOADI8of6Y5aL+uS+vKdS8zHppfbIAHbUyBO04uSde/ktrLjY5hg==",
	  "vault:v2:rPH5jjMfrD/Qr3U0J+EDZidDiiKk1DMNPB+ww8hAzBOJy8V0jGU/6KCHYiIIzk+elcG6kw=="}},
};

static void format_2_opens(void **state)
{
	static const uint8_t place[] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 'd', 1};
	char secret[100];
	struct fixture f;

	fixture_dir(&f);
	assert_int_equal(mkdir(f.ring, 0700), 0);
	golden_copy(&f, "keyring-2", "raw/keyring.head", "ring/keyring.head");
	golden_copy(&f, "keyring-2", "master", "secret");
	snprintf(secret, sizeof(secret), "%s/secret", f.dir);
	f.config = (struct key_source_config){.keyring_dir = f.ring, .master_key_file = secret};
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	for (size_t i = 0; i < sizeof(format_2) / sizeof(format_2[0]); i++) {
		struct seal_bytes aad = bytes_of(place, sizeof(place));
		struct key_session *s;
		struct key_info info;
		char from[64], to[64];
		struct key *key;

		snprintf(from, sizeof(from), "raw/%s.skey", format_2[i].key);
		snprintf(to, sizeof(to), "ring/%s.skey", format_2[i].key);
		golden_copy(&f, "keyring-2", from, to);
		key = fixture_key(&f, format_2[i].key);
		OK(&f, key->ops->info(key, &info, &f.err));
		assert_true(info.derived == format_2[i].derived && info.convergent == format_2[i].convergent);
		s = fixture_session(&f, key);
		for (int v = 0; v < 2; v++) {
			struct key_item item = {.in = bytes_str(format_2[i].texts[v]), .aad = aad};

			OK(&f, s->ops->decrypt(s, &item, 1, &f.call, &f.err));
			if (item.err != NULL)
				fail_msg("%s: %s", format_2[i].key, item.err->text);
			assert_true(bytes_eq_str(item.out, "1 High St ä"));
		}
		if (format_2[i].convergent) {
			struct key_item item = {.in = BYTES_LIT("1 High St ä"), .aad = aad};

			OK(&f, s->ops->encrypt(s, &item, 1, &f.call, &f.err));
			assert_true(bytes_eq_str(item.out, format_2[i].texts[1]));
		}
		s->ops->free(s);
		key->ops->free(key);
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_decrypt),     cmocka_unit_test(material_is_the_same),
		cmocka_unit_test(settings_are_kept), cmocka_unit_test(fixed_results_are_the_same),
		cmocka_unit_test(format_2_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
