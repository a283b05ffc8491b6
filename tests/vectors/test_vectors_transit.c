/*
 * The keyring against Transit: texts that a running OpenBao (built from tag v2.6.2) made, and the HMAC of its tests
 * (path_hmac_test.go), with the keys it made them under. Throw-away keys.
 */
#include "../unit/keyring_fixture.h"

#include "base/encode.h"

struct vector {
	const char *type;
	const char *keys[3]; /* versions 1, 2, 3, base64 */
	const char *plain; /* base64 */
	const char *aad; /* base64 */
	const char *text;
};

#define KEY_256                                                                                                      \
	{                                                                                                            \
		"UYTxSPtGi11Wd47+h3LDSEaKUH4Lz1YgbFraBgn1pMY=", "OWqMvIEB3Fps4wC8F4Do8Fm2Q+uCY1Gn/I6tOcSuPf8=",      \
			"LZv3pb2khGhsAR60Z1f6JDvopU2pG1fpmH4IOTVPJ3s="                                               \
	}
#define KEY_128                                                                                                      \
	{                                                                                                            \
		"rVSekg0iqBaSZetwQ4rmRg==", "oqf7pVJhCOxJFy5IqxlGfw==", "xbvKSIsISYJV4+7EU6tqWA=="                   \
	}
#define UTF8 "Wm/DqyBNw7xsbGVyLCBTdHJhw59lIDUsIOadseS6rCDwn5e8"

static const struct vector vectors[] = {
	{"aes256-gcm96", KEY_256, "", "", "vault:v1:wIU7P3++502cDROtQrwNHIyBA8UGmaLkdpVB6A=="},
	{"aes256-gcm96", KEY_256, "QQ==", "", "vault:v1:lId9B2L4+bAlh3gEerQyN2NHxXVN51lYB+2fhoM="},
	{"aes256-gcm96", KEY_256, UTF8, "",
	 "vault:v1:wHyyCn0PaL2kXcIllRRiGDAC+ZuSciCNx63+M81Y5C3io4swyESez+KbWz/h+8tbo6lLfGkZFXSPdFita9nH3A=="},
	{"aes256-gcm96", KEY_256, "", "aGVhZGVyLTE=", "vault:v2:GcEyF3kLJXuR4WgX64sTQSVWebvMQ1ijcnLrjw=="},
	{"aes256-gcm96", KEY_256, "QQ==", "aGVhZGVyLTE=", "vault:v2:Z1Jj7U5oDCNkEIW+151LKLEAHcodQwfiT/cVnEI="},
	{"aes256-gcm96", KEY_256, UTF8, "",
	 "vault:v3:sp89vIfOayEPIMfvpT0wZMIwZcnkLj/xWX9IycC3DwJrdVzitfzYIIglbmZljkWvUUKqLcTV7gv0rpT0h0+lZw=="},
	{"aes128-gcm96", KEY_128, "", "aGVhZGVyLTE=", "vault:v1:/xj2LCLpGn9TMEze+seN0E4KIJDfOU1xA0P1Xg=="},
	{"aes128-gcm96", KEY_128, "QQ==", "", "vault:v2:87mjK6BCwqt2wrlQI/zytIszmtg1ctLFjgo/D9U="},
	{"aes128-gcm96", KEY_128, UTF8, "aGVhZGVyLTE=",
	 "vault:v3:qGWKiw6T4SbZ5r/lHUSaNsT4DzXPToi0D66ZZN/7dVilbpnKkVAHtJFjCYfDGGOccSvQhrsaZiWLEI2+2BMhrA=="},
};

static struct seal_bytes decoded(struct arena *arena, const char *base64)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(strlen(base64)), 1);
	size_t len = 0;

	assert_non_null(raw);
	assert_true(base64_decode(bytes_str(base64), raw, &len));
	return bytes_of(raw, len);
}

static void opens_what_transit_made(void **state)
{
	struct fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct key_item item = {.in = bytes_str(v->text), .aad = decoded(&f.arena, v->aad)};
		struct key_session *session;
		struct key *key;
		char name[16];

		snprintf(name, sizeof(name), "k%zu", i);
		for (int version = 0; version < 3; version++)
			OK(&f, keyring_import(f.keyring, bytes_str(name), &(struct key_admin_new){.type = v->type},
					      decoded(&f.arena, v->keys[version]), NULL, &f.err));
		key = fixture_key(&f, name);
		session = fixture_session(&f, key);
		OK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
		assert_null(item.err);
		assert_true(bytes_eq(item.out, decoded(&f.arena, v->plain)));
		/* … and only so. */
		item.aad = BYTES_LIT("header-2");
		OK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
		assert_int_equal(item.err->code, SEAL_E_TAMPERED);
		session->ops->free(session);
		key->ops->free(key);
	}
	fixture_close(&f);
}

static void hmac_is_transits(void **state)
{
	static const char material[] = "01234567890123456789012345678901";
	struct key_item item = {.in = BYTES_LIT("the quick brown fox")};
	struct key_session *session;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	OK(&f, keyring_import(f.keyring, bytes_str("k"), &(struct key_admin_new){.type = "hmac"}, bytes_str(material),
			      NULL, &f.err));
	key = fixture_key(&f, "k");
	session = fixture_session(&f, key);
	OK(&f, session->ops->hmac(session, 1, &item, 1, &f.call, &f.err));
	assert_true(bytes_eq(item.out, decoded(&f.arena, "UcBvm5VskkukzZHlPgm3p5P/Yr/PV6xpuOGZISya3A4=")));
	session->ops->free(session);
	key->ops->free(key);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_transit_made),
		cmocka_unit_test(hmac_is_transits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
