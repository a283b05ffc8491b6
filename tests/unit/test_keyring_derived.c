/* keyring: derived and convergent keys of all types, rewrapping, data keys, and the keyring as a managed store. */
#include "keyring_fixture.h"

#include "base/encode.h"
#include "crypto/mac.h"
#include "keys/keyring_derived.h"
#include "keys/proof.h"

static const char *const types[] = {"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

struct use {
	struct fixture f;
	struct key *key;
	struct key_session *s;
};

static void use_begin(struct use *u, const char *type, bool derived, bool convergent)
{
	const struct key_admin_new how = {
		.type = type, .derived = derived, .convergent = convergent, .exportable = true};

	fixture_open(&u->f);
	OK(&u->f, keyring_create(u->f.keyring, BYTES_LIT("k"), &how, &u->f.err));
	u->key = fixture_key(&u->f, "k");
	u->s = fixture_session(&u->f, u->key);
}

static void use_end(struct use *u)
{
	u->s->ops->free(u->s);
	u->key->ops->free(u->key);
	fixture_close(&u->f);
}

static struct keyring_key_info info_of(struct fixture *f)
{
	struct keyring_key_info info;

	OK(f, keyring_info(f->keyring, BYTES_LIT("k"), &f->arena, &info, &f->err));
	return info;
}

static void contexts_are_keys(void **state)
{
	for (size_t t = 0; t < N_TYPES; t++) {
		const size_t overhead = strcmp(types[t], "xchacha20-poly1305") == 0 ? 40 : 28;
		const char *text, *other;
		struct key_info info;
		struct use u;

		use_begin(&u, types[t], true, false);
		OK(&u.f, u.key->ops->info(u.key, &info, &u.f.err));
		assert_true(info.derived && !info.convergent && info.uses == KEY_ENCRYPT);
		text = encrypt_text(&u.f, u.s, "1 High St", "place");
		other = encrypt_text(&u.f, u.s, "1 High St", "place");
		assert_string_not_equal(text, other);
		assert_int_equal(strlen(text), 9 + BASE64_LEN(9 + overhead));
		assert_string_equal(decrypt_text(&u.f, u.s, text, "place"), "1 High St");
		assert_null(decrypt_text(&u.f, u.s, text, "other place"));
		assert_int_equal(u.f.err.code, SEAL_E_TAMPERED);
		assert_null(decrypt_text(&u.f, u.s, text, ""));
		assert_int_equal(u.f.err.code, SEAL_E_CONFIG);
		assert_non_null(strstr(u.f.err.text, "needs a context"));
		use_end(&u);
	}
}

/* A derived key counts its uses like any other; a convergent one does not, and takes no block from its file. */
static void only_random_nonces_are_counted(void **state)
{
	struct keyring_change change = {.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = 1000};
	struct use u;

	use_begin(&u, "aes256-gcm96", true, false);
	assert_non_null(encrypt_text(&u.f, u.s, "a", "place"));
	assert_true(info_of(&u.f).counted && info_of(&u.f).auto_rotate == KEY_USES_ROTATE);
	assert_int_equal(info_of(&u.f).versions[0].uses, KEYRING_USES_BLOCK);
	use_end(&u);
	use_begin(&u, "aes256-gcm96", true, true);
	assert_non_null(encrypt_text(&u.f, u.s, "a", "place"));
	assert_true(!info_of(&u.f).counted && info_of(&u.f).auto_rotate == 0);
	assert_int_equal(info_of(&u.f).versions[0].uses, 0);
	FAILS(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "convergent and cannot rotate itself");
	use_end(&u);
}

static void equal_values_of_a_place_are_equal(void **state)
{
	for (size_t t = 0; t < N_TYPES; t++) {
		const char *first, *again, *other;
		struct use u;

		use_begin(&u, types[t], true, true);
		first = encrypt_text(&u.f, u.s, "a@example.com", "place");
		again = encrypt_text(&u.f, u.s, "a@example.com", "place");
		assert_string_equal(first, again);
		other = encrypt_text(&u.f, u.s, "a@example.com", "other place");
		assert_string_not_equal(first, other);
		other = encrypt_text(&u.f, u.s, "b@example.com", "place");
		assert_memory_not_equal(first + 9, other + 9, 12); /* another nonce */
		OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
		assert_string_equal(decrypt_text(&u.f, u.s, first, "place"), "a@example.com");
		use_end(&u);
	}
}

/* Lots in which contexts alternate, stand in runs longer than a chunk, are too long to be kept, or fail. */
static void lots_mix_contexts(void **state)
{
	enum { N = 700 };
	static char contexts[N][2 * DERIVED_CONTEXT_KEPT];

	for (size_t t = 0; t < N_TYPES; t++) {
		static struct key_item items[N];
		struct use u;

		use_begin(&u, types[t], true, t % 2 == 1);
		memset(items, 0, sizeof(items));
		for (size_t i = 0; i < N; i++) {
			size_t len = i % 50 == 3 ? 2 * DERIVED_CONTEXT_KEPT - 1 : 20;

			memset(contexts[i], 'a' + (int)(i % 3), len);
			contexts[i][0] = (char)('A' + (i < 200 ? 0 : i < 400 ? i % 20 : i % 7));
			contexts[i][1] = i < 650 ? 'x' : (char)i; /* more of them than the cache holds */
			items[i].aad = bytes_of(contexts[i], i == 77 ? 0 : len);
			items[i].in = bytes_of(contexts[i], i % 20);
		}
		OK(&u.f, u.s->ops->encrypt(u.s, items, N, &u.f.call, &u.f.err));
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(items[i].err != NULL, i == 77);
			items[i].in = i == 5 ? BYTES_LIT("vault:v1:AAAA") : items[i].out;
		}
		items[77].in = items[78].in;
		if (t == 0) /* two versions in one lot */
			OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
		OK(&u.f, u.s->ops->decrypt(u.s, items, N, &u.f.call, &u.f.err));
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(items[i].err != NULL, i == 77 || i == 5);
			if (items[i].err == NULL)
				assert_true(bytes_eq(items[i].out, bytes_of(contexts[i], i % 20)));
			else
				assert_int_equal(items[i].out.len, 0);
		}
		use_end(&u);
	}
}

/* More contexts than the cache has room for, each found again or made anew, always the same key. */
static void the_cache_forgets_and_makes_anew(void **state)
{
	static const uint8_t material[32] = {9};
	const struct derived_from from = {keyring_type_by_name(BYTES_LIT("aes256-gcm96")),
					  bytes_of(material, sizeof(material)), 1, true};
	struct derived_cache *cache = NULL;
	struct fixture f;

	fixture_dir(&f);
	OK(&f, derived_cache_new(&cache, &f.err));
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 1000; i++) {
			uint8_t context[4], expected[SHA256_LEN], mac[SHA256_LEN];
			struct hmac_item item = {.in = BYTES_LIT("m"), .out = mac};
			const struct derived *got;
			struct derived fresh;

			be32_store(context, i);
			OK(&f, derived_cache_get(cache, &from, bytes_of(context, 4), &got, &f.err));
			OK(&f, hmac_many(got->nonces, &item, 1, &f.err));
			memcpy(expected, mac, sizeof(mac));
			OK(&f, derived_make(&from, bytes_of(context, 4), &fresh, &f.err));
			OK(&f, hmac_many(fresh.nonces, &item, 1, &f.err));
			assert_memory_equal(mac, expected, sizeof(mac));
			derived_clear(&fresh);
		}
		if (round == 1)
			derived_cache_clear(cache);
	}
	derived_cache_free(cache);
	fixture_close(&f);
}

/* docs/FORMAT-keyring.md: new kinds are format 2, all others stay what older programs read. */
static void formats_are_as_old_as_they_can_be(void **state)
{
	static const struct {
		const char *type;
		bool derived, convergent;
		uint8_t format, flags;
	} kinds[] = {
		{"aes256-gcm96", false, false, 1, 0},
		{"ff1", false, false, 1, 0},
		{"hmac", false, false, 1, 0},
		{"aes128-gcm96", true, false, 2, 8},
		{"aes256-gcm96", true, true, 2, 24},
		{"chacha20-poly1305", false, false, 2, 0},
		{"xchacha20-poly1305", true, true, 2, 24},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct key_admin_new how = {
			.type = kinds[i].type, .derived = kinds[i].derived, .convergent = kinds[i].convergent};
		struct seal_buf bytes = BUF_INIT(1000);
		struct seal_bytes signed_part, mac;
		struct key_file file, again;
		struct fixture f;

		fixture_open(&f);
		OK(&f, keyring_create(f.keyring, BYTES_LIT("k"), &how, &f.err));
		OK(&f, keyring_load(f.keyring, "k", &file, NULL, NULL, &f.err));
		OK(&f, key_file_write(&file, &bytes, &f.err));
		assert_int_equal(bytes.ptr[7], kinds[i].format);
		assert_int_equal(bytes.ptr[9], kinds[i].flags);
		OK(&f, buf_append(&bytes, bytes_of((uint8_t[KEY_FILE_MAC_LEN]){0}, KEY_FILE_MAC_LEN), &f.err));
		/* … and nothing else is taken for it. */
		bytes.ptr[7] ^= 3;
		FAILS(&f, key_file_parse(buf_bytes(&bytes), &again, &signed_part, &mac, &f.err), SEAL_DATA,
		      SEAL_E_KEY_FILE, "format does not fit");
		bytes.ptr[7] = 3;
		FAILS(&f, key_file_parse(buf_bytes(&bytes), &again, &signed_part, &mac, &f.err), SEAL_DATA,
		      SEAL_E_KEY_FILE, "key file format 3 is not known here");
		bytes.ptr[7] = kinds[i].format;
		bytes.ptr[9] = 16;
		FAILS(&f, key_file_parse(buf_bytes(&bytes), &again, &signed_part, &mac, &f.err), SEAL_DATA,
		      SEAL_E_KEY_FILE, "convergent but not derived");
		bytes.ptr[9] = 32;
		FAILS(&f, key_file_parse(buf_bytes(&bytes), &again, &signed_part, &mac, &f.err), SEAL_DATA,
		      SEAL_E_KEY_FILE, "unknown flags");
		bytes.ptr[8] = 3;
		bytes.ptr[9] = 8;
		FAILS(&f, key_file_parse(buf_bytes(&bytes), &again, &signed_part, &mac, &f.err), SEAL_DATA,
		      SEAL_E_KEY_FILE, "cannot be derived");
		buf_clear(&bytes);
		key_file_clear(&file);
		fixture_close(&f);
	}
}

static void what_cannot_be_derived_is_refused(void **state)
{
	struct key_admin_new how = {.type = "ff1", .derived = true};
	static const uint8_t material[32] = {1};
	struct fixture f;

	fixture_open(&f);
	FAILS(&f, keyring_create(f.keyring, BYTES_LIT("k"), &how, &f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "only encryption keys can");
	how = (struct key_admin_new){.convergent = true};
	FAILS(&f, keyring_create(f.keyring, BYTES_LIT("k"), &how, &f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "must be derived, too");
	how.derived = true;
	OK(&f, keyring_create(f.keyring, BYTES_LIT("k"), &how, &f.err));
	how.convergent = false;
	FAILS(&f, keyring_import(f.keyring, BYTES_LIT("k"), &how, bytes_of(material, 32), NULL, &f.err), SEAL_USAGE,
	      SEAL_E_KEY_TYPE, "key k is convergent");
	fixture_close(&f);
}

/* A session outlives its key: what takes the name must be of the same kind. */
static void replaced_keys_are_noticed(void **state)
{
	struct keyring_change change = {.mask = KEYRING_SET_DELETION_ALLOWED, .deletion_allowed = true};
	const struct key_admin_new plain = {.type = "aes256-gcm96"};
	struct use u;

	use_begin(&u, "aes256-gcm96", true, true);
	OK(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err));
	OK(&u.f, keyring_destroy(u.f.keyring, BYTES_LIT("k"), &u.f.err));
	OK(&u.f, keyring_create(u.f.keyring, BYTES_LIT("k"), &plain, &u.f.err));
	/* The text's version makes it look at the file at once. */
	assert_null(decrypt_text(&u.f, u.s, "vault:v9:AAAA", "place"));
	assert_int_equal(u.f.err.status, SEAL_DENIED);
	assert_non_null(strstr(u.f.err.text, "replaced by one that is neither derived nor convergent"));
	use_end(&u);
}

static void rewrap_moves_to_the_newest(void **state)
{
	for (int kind = 0; kind < 3; kind++) {
		struct key_item items[5] = {{.aad = BYTES_LIT("place")}};
		const char *old, *newest;
		struct use u;

		use_begin(&u, types[kind + 1], kind > 0, kind > 1);
		old = encrypt_text(&u.f, u.s, "1 High St", "place");
		OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
		u.s->ops->free(u.s);
		u.key->ops->free(u.key);
		u.key = fixture_key(&u.f, "k");
		u.s = fixture_session(&u.f, u.key);
		newest = encrypt_text(&u.f, u.s, "2 High St", "place");
		items[0].in = bytes_str(old);
		items[1] = (struct key_item){.in = bytes_str(newest), .aad = BYTES_LIT("place")};
		items[2] = (struct key_item){.in = bytes_str(old), .aad = BYTES_LIT("elsewhere")};
		items[3] = (struct key_item){.in = BYTES_LIT("plain text"), .aad = BYTES_LIT("place")};
		items[4] = items[0];
		OK(&u.f, u.s->ops->rewrap(u.s, items, 5, &u.f.call, &u.f.err));
		assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v2:")));
		assert_string_equal(
			decrypt_text(&u.f, u.s,
				     arena_strndup(&u.f.arena, (const char *)items[0].out.ptr, items[0].out.len),
				     "place"),
			"1 High St");
		assert_ptr_equal(items[1].out.ptr, newest);
		assert_int_equal(items[2].err->code, SEAL_E_TAMPERED);
		assert_int_equal(items[3].err->code, SEAL_E_PLAINTEXT);
		assert_true(items[2].out.len == 0 && items[3].out.len == 0);
		assert_null(items[4].err);
		assert_int_equal(bytes_eq(items[4].out, items[0].out), kind == 2);
		OK(&u.f, u.s->ops->rewrap(u.s, items, 0, &u.f.call, &u.f.err));
		use_end(&u);
	}
}

static const char *rewrap_text(struct fixture *f, struct key_session *s, const char *text, const char *aad)
{
	struct key_item item = {.in = bytes_str(text), .aad = bytes_str(aad)};

	OK(f, s->ops->rewrap(s, &item, 1, &f->call, &f->err));
	assert_null(item.err);
	return arena_strndup(&f->arena, (const char *)item.out.ptr, item.out.len);
}

/* Equal values stay equal through a rotation when the call says under which version, and rewrap goes to it from both sides. */
static void convergent_versions_are_pinned(void **state)
{
	for (size_t t = 0; t < N_TYPES; t++) {
		const char *first, *second;
		struct use u, other;

		use_begin(&u, types[t], true, true);
		first = encrypt_text(&u.f, u.s, "a@example.com", "place");
		OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
		u.f.call.version = 2; /* not seen yet by this session */
		second = encrypt_text(&u.f, u.s, "a@example.com", "place");
		assert_true(bytes_starts(bytes_str(second), BYTES_LIT("vault:v2:")));
		u.f.call.version = 1;
		assert_string_equal(encrypt_text(&u.f, u.s, "a@example.com", "place"), first);
		assert_string_equal(rewrap_text(&u.f, u.s, second, "place"), first);
		assert_string_equal(rewrap_text(&u.f, u.s, first, "place"), first);
		assert_string_equal(decrypt_text(&u.f, u.s, second, "place"), "a@example.com");
		u.f.call.version = 2;
		assert_string_equal(rewrap_text(&u.f, u.s, first, "place"), second);
		u.f.call.version = 0;
		assert_string_equal(rewrap_text(&u.f, u.s, first, "place"), second);
		assert_string_equal(encrypt_text(&u.f, u.s, "a@example.com", "place"), second);
		use_begin(&other, types[t], true, true);
		assert_string_not_equal(encrypt_text(&other.f, other.s, "a@example.com", "place"), first);
		use_end(&other);
		use_end(&u);
	}
}

static void versions_that_cannot_be_are_refused(void **state)
{
	struct key_item item = {.in = BYTES_LIT("a"), .aad = BYTES_LIT("place")};
	struct keyring_change change = {.mask = KEYRING_SET_MIN_ENCRYPTION, .min_encryption_version = 2};
	struct secret plain = SECRET_INIT;
	struct use u;

	use_begin(&u, "aes256-gcm96", true, true);
	u.f.call.version = 2;
	FAILS(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_USAGE, SEAL_E_KEY_VERSION,
	      "has no version 2");
	FAILS(&u.f, u.s->ops->rewrap(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_USAGE, SEAL_E_KEY_VERSION,
	      "has no version 2");
	assert_int_equal(item.out.len, 0);
	OK(&u.f, u.s->ops->data_key(u.s, 32, item.aad, &plain, &item.out, &u.f.call, &u.f.err)); /* takes no notice */
	secret_clear(&plain);
	OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
	OK(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err));
	OK(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err));
	u.f.call.version = 1;
	FAILS(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_DENIED, SEAL_E_KEY_MINIMUM,
	      "below its minimum encryption version 2");
	/* What nobody could read again is not made. */
	change = (struct keyring_change){.mask = KEYRING_SET_MIN_ENCRYPTION | KEYRING_SET_MIN_DECRYPTION,
					 .min_decryption_version = 2};
	OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
	OK(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err));
	u.f.call.version = 3; /* makes the session look at the file */
	OK(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err));
	u.f.call.version = 1;
	FAILS(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_DENIED, SEAL_E_KEY_MINIMUM,
	      "below its minimum decryption version 2");
	use_end(&u);
	/* One that counts its uses counts those of its newest version only. */
	use_begin(&u, "aes256-gcm96", true, false);
	u.f.call.version = 1;
	FAILS(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "newest version only");
	use_end(&u);
}

static void data_keys_unwrap(void **state)
{
	static const size_t lens[] = {16, 32, 64};

	for (size_t i = 0; i < 3; i++) {
		struct secret plain = SECRET_INIT, none = SECRET_INIT;
		struct seal_bytes wrapped, again;
		struct key_item item = {.aad = BYTES_LIT("file")};
		struct use u;

		use_begin(&u, types[i], i > 0, i > 1);
		OK(&u.f, u.s->ops->data_key(u.s, lens[i], item.aad, &plain, &wrapped, &u.f.call, &u.f.err));
		assert_int_equal(plain.len, lens[i]);
		item.in = wrapped;
		OK(&u.f, u.s->ops->decrypt(u.s, &item, 1, &u.f.call, &u.f.err));
		assert_true(item.err == NULL && bytes_eq(item.out, secret_bytes(&plain)));
		OK(&u.f, u.s->ops->data_key(u.s, lens[i], item.aad, NULL, &again, &u.f.call, &u.f.err));
		assert_false(bytes_eq(wrapped, again));
		if (i > 0) {
			FAILS(&u.f, u.s->ops->data_key(u.s, 32, BYTES_EMPTY, &none, &again, &u.f.call, &u.f.err),
			      SEAL_DATA, SEAL_E_CONFIG, "needs a context");
			assert_true(none.ptr == NULL && again.len == 0);
		}
		secret_clear(&plain);
		use_end(&u);
	}
}

static void proofs_tell_keys_apart(void **state)
{
	static const char *const all[] = {"aes256-gcm96",	"aes128-gcm96", "chacha20-poly1305",
					  "xchacha20-poly1305", "ff1",		"hmac"};

	for (size_t t = 0; t < sizeof(all) / sizeof(all[0]); t++) {
		for (int kind = 0; kind < (t < 4 ? 3 : 1); kind++) {
			struct secret material[2] = {SECRET_INIT, SECRET_INIT};
			struct key_material m = {all[t], kind > 0, kind > 1, 0, BYTES_EMPTY};
			struct key_source *source;
			struct use u;

			use_begin(&u, all[t], kind > 0, kind > 1);
			source = keyring_as_source(u.f.keyring);
			OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
			for (m.version = 1; m.version <= 2; m.version++) {
				struct secret *s = &material[m.version - 1];

				OK(&u.f, keyring_export(u.f.keyring, BYTES_LIT("k"), m.version, s, NULL, &u.f.err));
				m.bytes = secret_bytes(s);
				OK(&u.f, key_prove(source, BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err));
				s->ptr[7] ^= 1;
				FAILS(&u.f, key_prove(source, BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err),
				      SEAL_USAGE, SEAL_E_KEY_EXISTS, "another key");
				s->ptr[7] ^= 1;
			}
			m.version = 1; /* version 2's material as version 1 */
			FAILS(&u.f, key_prove(source, BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err), SEAL_USAGE,
			      SEAL_E_KEY_EXISTS, "another key");
			secret_clear(&material[0]);
			secret_clear(&material[1]);
			use_end(&u);
		}
	}
}

/* Plain, derived and convergent keys of one material are three keys. */
static void proofs_tell_kinds_apart(void **state)
{
	static const struct {
		bool derived, convergent, claimed_derived, claimed_convergent;
	} kinds[] = {{false, false, true, false}, {true, false, false, false}, {true, false, true, true}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct secret material = SECRET_INIT;
		struct key_material m = {"aes256-gcm96", kinds[i].claimed_derived, kinds[i].claimed_convergent, 1,
					 BYTES_EMPTY};
		struct use u;

		use_begin(&u, "aes256-gcm96", kinds[i].derived, kinds[i].convergent);
		OK(&u.f, keyring_export(u.f.keyring, BYTES_LIT("k"), 1, &material, NULL, &u.f.err));
		m.bytes = secret_bytes(&material);
		FAILS(&u.f, key_prove(keyring_as_source(u.f.keyring), BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err),
		      SEAL_USAGE, SEAL_E_KEY_EXISTS, "another key");
		secret_clear(&material);
		use_end(&u);
	}
}

/* A key that rotates itself just then: its new version says nothing of the old one. */
static void rotation_while_proving(void **state)
{
	struct keyring_change change = {.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = 1};
	struct secret material = SECRET_INIT;
	struct key_material m = {"aes256-gcm96", false, false, 1, BYTES_EMPTY};
	struct use u;

	use_begin(&u, "aes256-gcm96", false, false);
	OK(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err));
	assert_non_null(encrypt_text(&u.f, u.s, "a", "place"));
	OK(&u.f, keyring_export(u.f.keyring, BYTES_LIT("k"), 1, &material, NULL, &u.f.err));
	m.bytes = secret_bytes(&material);
	OK(&u.f, key_prove(keyring_as_source(u.f.keyring), BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err));
	assert_int_equal(info_of(&u.f).latest_version, 2);
	secret_clear(&material);
	use_end(&u);
}

/* … but what cannot be used any more cannot be proved. */
static void unusable_versions_pass(void **state)
{
	const struct keyring_change change = {.mask = KEYRING_SET_MIN_ENCRYPTION, .min_encryption_version = 2};
	static const uint8_t other[32] = {1};
	struct key_material m = {"hmac", false, false, 1, bytes_of(other, sizeof(other))};
	struct use u;

	use_begin(&u, "hmac", false, false);
	OK(&u.f, keyring_rotate(u.f.keyring, BYTES_LIT("k"), NULL, &u.f.err));
	OK(&u.f, keyring_configure(u.f.keyring, BYTES_LIT("k"), &change, &u.f.err));
	OK(&u.f, key_prove(keyring_as_source(u.f.keyring), BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err));
	m.version = 2;
	FAILS(&u.f, key_prove(keyring_as_source(u.f.keyring), BYTES_LIT("k"), &m, DEADLINE_NONE, &u.f.err),
	      SEAL_USAGE, SEAL_E_KEY_EXISTS, "another key");
	use_end(&u);
}

static void the_keyring_is_managed(void **state)
{
	const struct key_admin_new how = {.type = "chacha20-poly1305", .derived = true, .exportable = true};
	struct key_admin_change change = {.mask = KEY_SET_MIN_DECRYPTION | KEY_SET_DELETION_ALLOWED,
					  .min_decryption_version = 2,
					  .deletion_allowed = true};
	const struct key_admin_ops *ops = keyring_source.admin;
	struct secret material = SECRET_INIT;
	const char *const *names;
	struct key_admin_info info;
	struct key_admin on;
	struct fixture f;
	uint32_t version;
	size_t n;

	fixture_open(&f);
	on = (struct key_admin){keyring_as_source(f.keyring), &f.arena, DEADLINE_NONE, false};
	assert_string_equal(ops->where(on.source), f.ring);
	assert_non_null(strstr(ops->made(on.source), "master.key"));
	OK(&f, ops->create(&on, BYTES_LIT("k"), &how, &f.err));
	OK(&f, ops->rotate(&on, BYTES_LIT("k"), &version, &f.err));
	assert_int_equal(version, 2);
	OK(&f, ops->configure(&on, BYTES_LIT("k"), &change, &f.err));
	OK(&f, ops->show(&on, BYTES_LIT("k"), &info, &f.err));
	assert_string_equal(info.type, "chacha20-poly1305");
	assert_true(info.derived && !info.convergent && info.exportable && info.deletion_allowed && info.counted);
	assert_true(info.n_versions == 2 && info.versions[1].version == 2 && info.min_decryption_version == 2);
	OK(&f, ops->export(&on, BYTES_LIT("k"), 0, &material, &version, &f.err));
	assert_true(version == 2 && material.len == 32);
	FAILS(&f, ops->import(&on, BYTES_LIT("k"), &how, secret_bytes(&material), &version, &f.err), SEAL_USAGE,
	      SEAL_E_KEY_EXISTS, "version 2 of key k has this material");
	OK(&f, ops->import(&on, BYTES_LIT("j"), &how, secret_bytes(&material), &version, &f.err));
	OK(&f, ops->list(&on, BYTES_EMPTY, &names, &n, &f.err));
	assert_true(n == 2 && strcmp(names[0], "j") == 0);
	FAILS(&f, ops->list(&on, BYTES_LIT("sub"), &names, &n, &f.err), SEAL_USAGE, SEAL_E_USAGE, "no folders");
	change = (struct key_admin_change){.mask = KEY_SET_EXPORTABLE, .exportable = true};
	FAILS(&f, ops->configure(&on, BYTES_LIT("k"), &change, &f.err), SEAL_USAGE, SEAL_E_USAGE, "--exportable");
	on.hmac_key = true;
	FAILS(&f, ops->export(&on, BYTES_LIT("k"), 0, &material, NULL, &f.err), SEAL_USAGE, SEAL_E_USAGE,
	      "no HMAC key");
	OK(&f, ops->destroy(&on, BYTES_LIT("k"), &f.err));
	FAILS(&f, ops->show(&on, BYTES_LIT("k"), &info, &f.err), SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "no key k");
	secret_clear(&material);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts_are_keys),
		cmocka_unit_test(only_random_nonces_are_counted),
		cmocka_unit_test(equal_values_of_a_place_are_equal),
		cmocka_unit_test(lots_mix_contexts),
		cmocka_unit_test(the_cache_forgets_and_makes_anew),
		cmocka_unit_test(formats_are_as_old_as_they_can_be),
		cmocka_unit_test(what_cannot_be_derived_is_refused),
		cmocka_unit_test(replaced_keys_are_noticed),
		cmocka_unit_test(rewrap_moves_to_the_newest),
		cmocka_unit_test(convergent_versions_are_pinned),
		cmocka_unit_test(versions_that_cannot_be_are_refused),
		cmocka_unit_test(data_keys_unwrap),
		cmocka_unit_test(proofs_tell_keys_apart),
		cmocka_unit_test(proofs_tell_kinds_apart),
		cmocka_unit_test(rotation_while_proving),
		cmocka_unit_test(unusable_versions_pass),
		cmocka_unit_test(the_keyring_is_managed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
