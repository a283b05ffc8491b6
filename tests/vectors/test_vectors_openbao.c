/*
 * The keyring against all that a running OpenBao made (tests/vault/openbao.json, argument 1): every captured key is
 * imported version by version, every ciphertext opens, the convergent ones are made again byte for byte, data keys
 * unwrap, HMACs agree as far as they are SHA-256.
 *
 * Transit lets associated data be given besides a context; the keyring's sessions don't (docs/DESIGN.md). Those
 * ciphertexts are opened with what the session is made of: the derivation, and the cipher under it.
 */
#include "../unit/keyring_fixture.h"

#include <jansson.h>

#include "base/encode.h"
#include "crypto/aead.h"
#include "keys/keyring_derived.h"
#include "keys/keyring_text.h"

static const char *path;

struct counts {
	int opened, beside, converged, hmacs, other_hmacs, data_keys;
};

struct run {
	struct fixture f;
	json_t *doc;
	struct counts did;
};

/* One captured key, imported under its own name. */
struct captured {
	const json_t *json;
	const char *name, *type;
	struct key_admin_new how;
	struct key *key;
	struct key_session *session;
};

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static struct seal_bytes raw_of(struct run *r, const json_t *object, const char *member)
{
	const char *text = text_of(object, member);
	uint8_t *raw;
	size_t len;

	if (text == NULL)
		return BYTES_EMPTY;
	raw = arena_alloc(&r->f.arena, BASE64_RAW_MAX(strlen(text)), 1);
	assert_non_null(raw);
	assert_true(base64_decode(bytes_str(text), raw, &len));
	return bytes_of(raw, len);
}

static const json_t *find_key(const struct run *r, const char *name)
{
	size_t i;
	json_t *key;

	json_array_foreach(json_object_get(r->doc, "keys"), i,
			   key) if (strcmp(text_of(key, "name"), name) == 0) return key;
	fail_msg("no captured key %s", name);
	return NULL;
}

/* The material of a version; `which` is "encryption_keys" or "hmac_keys". */
static struct seal_bytes material_of(struct run *r, const json_t *key, const char *which, uint32_t version)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", version);
	return raw_of(r, json_object_get(key, which), number);
}

/* Imports the key, once. */
static void captured_open(struct run *r, const char *name, const char *as, const char *type, const char *which,
			  struct captured *c)
{
	struct key_info info;

	memset(c, 0, sizeof(*c));
	c->json = find_key(r, name);
	c->name = as;
	c->type = type != NULL ? type : text_of(c->json, "type");
	c->how = (struct key_admin_new){
		.type = c->type,
		.derived = type == NULL && json_is_true(json_object_get(c->json, "derived")),
		.convergent = type == NULL && json_is_true(json_object_get(c->json, "convergent")),
	};
	for (uint32_t v = 1; v <= json_object_size(json_object_get(c->json, which)); v++) {
		enum seal_status rc = keyring_import(r->f.keyring, bytes_str(as), &c->how,
						     material_of(r, c->json, which, v), NULL, &r->f.err);

		if (rc != SEAL_OK && r->f.err.code != SEAL_E_KEY_EXISTS)
			fail_msg("%s: %s", name, r->f.err.text);
		err_clear(&r->f.err);
	}
	c->key = fixture_key(&r->f, as);
	OK(&r->f, c->key->ops->info(c->key, &info, &r->f.err));
	assert_true(info.derived == c->how.derived && info.convergent == c->how.convergent);
	c->session = fixture_session(&r->f, c->key);
}

static void captured_close(struct captured *c)
{
	c->session->ops->free(c->session);
	c->key->ops->free(c->key);
}

/* Nonce, ciphertext and tag of a text, in the arena; its version. */
static struct seal_bytes unpack(struct run *r, const char *text, uint32_t *version)
{
	struct seal_bytes base64;
	uint8_t *raw;
	size_t len;

	assert_int_equal(text_split(bytes_str(text), version, &base64), TEXT_FINE);
	raw = arena_alloc(&r->f.arena, BASE64_RAW_MAX(base64.len), 1);
	assert_non_null(raw);
	assert_true(base64_decode(base64, raw, &len));
	return bytes_of(raw, len);
}

/* A ciphertext with associated data besides a context, and made again where it is convergent. */
static void beside(struct run *r, const struct captured *c, const json_t *v, struct seal_bytes plain)
{
	const struct keyring_type *type = keyring_type_by_name(bytes_str(c->type));
	const size_t nonce_len = aead_nonce_len(type->cipher);
	struct derived_from from = {.type = type, .convergent = c->how.convergent};
	struct seal_bytes raw = unpack(r, text_of(v, "ciphertext"), &from.version);
	uint8_t *out = arena_alloc(&r->f.arena, plain.len + 1, 1), tag[AEAD_TAG_LEN];
	struct aead_item item = {
		.nonce = raw.ptr,
		.aad = raw_of(r, v, "associated_data"),
		.in = bytes_of(raw.ptr + nonce_len, raw.len - nonce_len - AEAD_TAG_LEN),
		.out = out,
		.tag = tag,
	};
	struct derived derived;

	assert_int_equal(raw.len, nonce_len + plain.len + AEAD_TAG_LEN);
	from.material = material_of(r, c->json, "encryption_keys", from.version);
	OK(&r->f, derived_make(&from, raw_of(r, v, "context"), &derived, &r->f.err));
	memcpy(tag, raw.ptr + raw.len - AEAD_TAG_LEN, sizeof(tag));
	OK(&r->f, aead_open_many(derived.aead, &item, 1, &r->f.err));
	assert_true(item.ok && bytes_eq(bytes_of(out, plain.len), plain));
	r->did.beside++;
	if (c->how.convergent) {
		uint8_t mac[SHA256_LEN];
		struct hmac_item nonce = {.in = plain, .out = mac};

		OK(&r->f, hmac_many(derived.nonces, &nonce, 1, &r->f.err));
		assert_memory_equal(mac, raw.ptr, nonce_len);
		item.in = plain;
		OK(&r->f, aead_seal_many(derived.aead, &item, 1, &r->f.err));
		assert_memory_equal(out, raw.ptr + nonce_len, plain.len);
		assert_memory_equal(tag, raw.ptr + nonce_len + plain.len, sizeof(tag));
		r->did.converged++;
	}
	derived_clear(&derived);
}

static void reveals(struct run *r, const struct captured *c, const char *text, struct seal_bytes aad,
		    struct seal_bytes plain)
{
	struct key_item item = {.in = bytes_str(text), .aad = aad};

	OK(&r->f, c->session->ops->decrypt(c->session, &item, 1, &r->f.call, &r->f.err));
	if (item.err != NULL)
		fail_msg("%s %s: %s", c->name, text, item.err->text);
	assert_true(bytes_eq(item.out, plain));
}

/* A session encrypts with the latest version: an older one is made the latest of a key of its own. */
static void converges(struct run *r, const struct captured *c, const json_t *v, struct seal_bytes plain)
{
	uint32_t version = (uint32_t)json_integer_value(json_object_get(v, "version"));
	struct key_item item = {.in = plain, .aad = raw_of(r, v, "context")};
	struct key_session *session;
	struct key *key;
	char name[KEY_NAME_MAX];

	snprintf(name, sizeof(name), "%s-%u", c->name, version);
	for (uint32_t i = 1; i <= version; i++) {
		enum seal_status rc = keyring_import(r->f.keyring, bytes_str(name), &c->how,
						     material_of(r, c->json, "encryption_keys", i), NULL, &r->f.err);

		assert_true(rc == SEAL_OK || r->f.err.code == SEAL_E_KEY_EXISTS);
		err_clear(&r->f.err);
	}
	key = fixture_key(&r->f, name);
	session = fixture_session(&r->f, key);
	OK(&r->f, session->ops->encrypt(session, &item, 1, &r->f.call, &r->f.err));
	assert_null(item.err);
	assert_true(bytes_eq_str(item.out, text_of(v, "ciphertext")));
	r->did.converged++;
	session->ops->free(session);
	key->ops->free(key);
}

static void texts(void **state)
{
	struct run *r = *state;
	struct captured c = {.name = NULL};
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(r->doc, "vectors"), i, v)
	{
		struct seal_bytes plain = raw_of(r, v, "plaintext"), context = raw_of(r, v, "context");
		struct seal_bytes data = raw_of(r, v, "associated_data");

		if (c.name == NULL || strcmp(c.name, text_of(v, "key")) != 0) {
			if (c.name != NULL)
				captured_close(&c);
			captured_open(r, text_of(v, "key"), text_of(v, "key"), NULL, "encryption_keys", &c);
		}
		assert_int_equal(context.len > 0, c.how.derived);
		if (c.how.derived && data.len > 0) {
			beside(r, &c, v, plain);
			continue;
		}
		reveals(r, &c, text_of(v, "ciphertext"), c.how.derived ? context : data, plain);
		r->did.opened++;
		if (c.how.convergent)
			converges(r, &c, v, plain);
	}
	captured_close(&c);
	assert_int_equal(r->did.opened + r->did.beside, 222);
	assert_int_equal(r->did.beside, 72);
	assert_int_equal(r->did.converged, 84);
}

/* The answers to datakey/…: what was wrapped comes out again; "wrapped" answers give no plaintext to compare with. */
static void data_keys(void **state)
{
	struct run *r = *state;
	size_t i;
	json_t *entry;

	json_array_foreach(json_object_get(r->doc, "datakey"), i, entry)
	{
		const json_t *data = json_object_get(entry, "data"), *request = json_object_get(entry, "request");
		const json_t *body = json_object_get(request, "body");
		struct seal_bytes plain = raw_of(r, data, "plaintext");
		struct seal_bytes aad = raw_of(r, body, "context");
		const char *name = strrchr(text_of(request, "path"), '/') + 1;
		struct captured c;

		if (aad.len == 0)
			aad = raw_of(r, body, "associated_data");
		if (plain.len == 0)
			continue;
		captured_open(r, name, name, NULL, "encryption_keys", &c);
		reveals(r, &c, text_of(data, "ciphertext"), aad, plain);
		captured_close(&c);
		r->did.data_keys++;
	}
	assert_int_equal(r->did.data_keys, 6);
}

/*
 * Transit's HMAC has a key of its own beside each version: imported as a key of type hmac it gives the same. The keyring
 * has SHA-256 only.
 */
static void hmacs(void **state)
{
	struct run *r = *state;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(r->doc, "hmac"), i, v)
	{
		uint32_t version = (uint32_t)json_integer_value(json_object_get(v, "version"));
		struct key_item item = {.in = raw_of(r, v, "input")};
		const char *expected = strrchr(text_of(v, "hmac"), ':') + 1;
		char name[KEY_NAME_MAX], base64[BASE64_LEN(SHA256_LEN) + 1] = "";
		struct captured c;

		if (strcmp(text_of(v, "algorithm"), "sha2-256") != 0) {
			r->did.other_hmacs++;
			continue;
		}
		snprintf(name, sizeof(name), "%s-mac", text_of(v, "key"));
		captured_open(r, text_of(v, "key"), name, "hmac", "hmac_keys", &c);
		OK(&r->f, c.session->ops->hmac(c.session, version, &item, 1, &r->f.call, &r->f.err));
		assert_int_equal(base64_encode(item.out, base64), BASE64_LEN(SHA256_LEN));
		assert_string_equal(base64, expected);
		captured_close(&c);
		r->did.hmacs++;
	}
	assert_int_equal(r->did.hmacs + r->did.other_hmacs, 24);
	assert_int_equal(r->did.hmacs, 5);
}

static void rewraps(void **state)
{
	struct run *r = *state;
	const json_t *entry = json_object_get(r->doc, "rewrap");
	const char *to = text_of(json_object_get(entry, "data"), "ciphertext");
	struct key_item items[2] = {{.in = bytes_str(text_of(entry, "from"))}, {.in = bytes_str(to)}};
	struct seal_bytes plain = raw_of(r, entry, "plaintext");
	struct captured c;

	captured_open(r, text_of(entry, "key"), text_of(entry, "key"), NULL, "encryption_keys", &c);
	reveals(r, &c, to, BYTES_EMPTY, plain);
	OK(&r->f, c.session->ops->rewrap(c.session, items, 2, &r->f.call, &r->f.err));
	assert_true(items[0].err == NULL && items[1].err == NULL);
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v3:")));
	reveals(r, &c, arena_strndup(&r->f.arena, (const char *)items[0].out.ptr, items[0].out.len), BYTES_EMPTY,
		plain);
	assert_true(bytes_eq_str(items[1].out, to));
	captured_close(&c);
}

static int setup(void **state)
{
	static struct run r;
	json_error_t why;

	fixture_open(&r.f);
	r.doc = json_load_file(path, 0, &why);
	if (r.doc == NULL)
		fail_msg("%s: %s", path, why.text);
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;

	json_decref(r->doc);
	fixture_close(&r->f);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(data_keys),
		cmocka_unit_test(hmacs),
		cmocka_unit_test(rewraps),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s openbao.json\n", argv[0]);
		return 2;
	}
	path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
