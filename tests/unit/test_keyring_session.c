/* keyring sessions: lots both ways, versions, use counts, and keeping in step with other processes. */
#include "keyring_fixture.h"

#include <sys/wait.h>

#include "base/encode.h"
#include "crypto/aead.h"

struct use {
	struct fixture f;
	struct key *key;
	struct key_session *s;
};

static void use_begin(struct use *u, const char *type)
{
	fixture_open(&u->f);
	fixture_create(&u->f, "k", type);
	u->key = fixture_key(&u->f, "k");
	u->s = fixture_session(&u->f, u->key);
}

static void use_end(struct use *u)
{
	u->s->ops->free(u->s);
	u->key->ops->free(u->key);
	fixture_close(&u->f);
}

static void rotate(struct fixture *f)
{
	OK(f, keyring_rotate(f->keyring, bytes_str("k"), NULL, &f->err));
}

static uint64_t uses_of(struct fixture *f, uint32_t version)
{
	struct keyring_key_info info;

	OK(f, keyring_info(f->keyring, bytes_str("k"), &f->arena, &info, &f->err));
	assert_true(version <= info.latest_version);
	return info.versions[version - 1].uses;
}

/* Crafts the file: the use count of the latest version, and the rotation limit. */
static void set_uses(struct fixture *f, uint64_t uses, uint64_t auto_rotate)
{
	struct key_file file;

	OK(f, keyring_load(f->keyring, "k", &file, NULL, NULL, &f->err));
	key_file_latest(&file)->uses = uses;
	file.auto_rotate = auto_rotate;
	OK(f, keyring_store(f->keyring, &file, &f->err));
	key_file_clear(&file);
}

static void round_trip(void **state)
{
	static const char *const types[] = {"aes256-gcm96", "aes128-gcm96"};

	for (int i = 0; i < 2; i++) {
		const char *text, *again;
		struct key_info info;
		struct use u;

		use_begin(&u, types[i]);
		OK(&u.f, u.key->ops->info(u.key, &info, &u.f.err));
		assert_string_equal(info.type, types[i]);
		assert_int_equal(info.uses, KEY_ENCRYPT);
		assert_int_equal(info.latest_version, 1);
		assert_null(u.s->ops->hmac);
		assert_null(u.s->ops->fpe);
		text = encrypt_text(&u.f, u.s, "1 High St", "place");
		again = encrypt_text(&u.f, u.s, "1 High St", "place");
		assert_memory_equal(text, "vault:v1:", 9);
		assert_int_equal(strlen(text), 9 + BASE64_LEN(9 + 28));
		assert_string_not_equal(text, again);
		assert_string_equal(decrypt_text(&u.f, u.s, text, "place"), "1 High St");
		assert_null(decrypt_text(&u.f, u.s, text, "other place"));
		assert_int_equal(u.f.err.status, SEAL_DATA);
		assert_int_equal(u.f.err.code, SEAL_E_TAMPERED);
		assert_string_equal(decrypt_text(&u.f, u.s, encrypt_text(&u.f, u.s, "", ""), ""), "");
		use_end(&u);
	}
}

/* Within a lot, across chunks and lots, and between sessions: one repeat would give a GCM key away. */
static void nonces_never_repeat(void **state)
{
	enum { LOT = 150, LOTS = 4, NONCE_TEXT = BASE64_LEN(12) };
	static char seen[LOT * LOTS][NONCE_TEXT];
	struct key_item items[LOT];
	struct use u;

	use_begin(&u, "aes256-gcm96");
	for (size_t lot = 0; lot < LOTS; lot++) {
		struct key_session *s = lot < LOTS / 2 ? u.s : fixture_session(&u.f, u.key);

		for (size_t i = 0; i < LOT; i++)
			items[i] = (struct key_item){.in = BYTES_LIT("same")};
		OK(&u.f, s->ops->encrypt(s, items, LOT, &u.f.call, &u.f.err));
		for (size_t i = 0; i < LOT; i++) {
			assert_null(items[i].err);
			memcpy(seen[lot * LOT + i], items[i].out.ptr + strlen("vault:v1:"), NONCE_TEXT);
		}
		if (s != u.s)
			s->ops->free(s);
	}
	for (size_t i = 0; i < LOT * LOTS; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], NONCE_TEXT);
	use_end(&u);
}

/* Sizes around the chunk, messages around its bytes. */
static void lots_of_every_size(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 1000};
	static uint8_t plain[200000];
	struct use u;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7 + i / 256);
	use_begin(&u, "aes256-gcm96");
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct key_item *items = calloc(sizes[k] + 1, sizeof(*items));

		for (size_t i = 0; i < sizes[k]; i++) {
			items[i].in = bytes_of(plain + i, i % 50 == 49 ? 150000 : i * 3 % 100);
			items[i].aad = bytes_of(plain, i % 5);
		}
		OK(&u.f, u.s->ops->encrypt(u.s, items, sizes[k], &u.f.call, &u.f.err));
		for (size_t i = 0; i < sizes[k]; i++)
			items[i].in = items[i].out;
		OK(&u.f, u.s->ops->decrypt(u.s, items, sizes[k], &u.f.call, &u.f.err));
		for (size_t i = 0; i < sizes[k]; i++) {
			assert_null(items[i].err);
			assert_int_equal(items[i].out.len, i % 50 == 49 ? 150000 : i * 3 % 100);
			assert_memory_equal(items[i].out.ptr, plain + i, items[i].out.len);
		}
		free(items);
		arena_reset(&u.f.arena);
	}
	use_end(&u);
}

/* Hundreds of thousands of bad values must not make as many errors; what failed otherwise has its own. */
static void items_that_fail_alike_share_an_error(void **state)
{
	struct key_item items[5] = {{.in = BYTES_LIT("vault:v1:!")},
				    {.in = BYTES_LIT("vault:v1:!!")},
				    {.in = BYTES_LIT("vault:v7:AAAA")},
				    {.in = BYTES_LIT("vault:v8:AAAA")},
				    {.in = BYTES_LIT("vault:v8:AAAA")}};
	struct arena first;
	struct use u;

	use_begin(&u, "aes256-gcm96");
	arena_init(&first, 0);
	for (int call = 0; call < 2; call++) {
		const struct key_call own = {.arena = &first, .deadline_ms = u.f.call.deadline_ms};

		OK(&u.f, u.s->ops->decrypt(u.s, items, 5, call == 0 ? &own : &u.f.call, &u.f.err));
		assert_ptr_equal(items[0].err, items[1].err);
		assert_ptr_not_equal(items[1].err, items[2].err);
		assert_non_null(strstr(items[2].err->text, "version 7"));
		assert_non_null(strstr(items[3].err->text, "version 8"));
		assert_ptr_equal(items[3].err, items[4].err);
		arena_clear(&first); /* nothing of it may be used by the next call */
	}
	assert_int_equal(items[0].err->code, SEAL_E_TAMPERED);
	use_end(&u);
}

static void one_bad_item_fails_alone(void **state)
{
	static const struct {
		const char *text;
		enum seal_code code;
	} bad[] = {
		{"", SEAL_E_PLAINTEXT},
		{"1 High St", SEAL_E_PLAINTEXT},
		{"vault:", SEAL_E_PLAINTEXT},
		{"vault:v", SEAL_E_TAMPERED},
		{"vault:v1", SEAL_E_TAMPERED},
		{"vault:v:AAAA", SEAL_E_TAMPERED},
		{"vault:v0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_TAMPERED},
		{"vault:v01:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_TAMPERED},
		{"vault:v+1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_TAMPERED},
		{"vault:v4294967296:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_TAMPERED},
		{"vault:v00000000000000000001:AAAA", SEAL_E_TAMPERED},
		{"vault:v1:", SEAL_E_TAMPERED},
		{"vault:v1:!", SEAL_E_TAMPERED},
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SEAL_E_TAMPERED}, /* 27 bytes */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB==", SEAL_E_TAMPERED}, /* stray bits */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SEAL_E_TAMPERED}, /* no padding */
		{"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_TAMPERED},
		{"vault:v2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_KEY_VERSION},
		{"vault:v4294967295:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_KEY_VERSION},
		{"json+vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", SEAL_E_PLAINTEXT},
	};
	enum { N = sizeof(bad) / sizeof(bad[0]) };
	struct key_item items[2 * N + 1];
	const char *good;
	struct use u;

	use_begin(&u, "aes256-gcm96");
	good = encrypt_text(&u.f, u.s, "good", "");
	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < 2 * N + 1; i++)
		items[i].in = bytes_str(i % 2 == 0 ? good : bad[i / 2].text);
	OK(&u.f, u.s->ops->decrypt(u.s, items, 2 * N + 1, &u.f.call, &u.f.err));
	for (size_t i = 0; i < 2 * N + 1; i++) {
		if (i % 2 == 0) {
			assert_null(items[i].err);
			assert_true(bytes_eq_str(items[i].out, "good"));
			continue;
		}
		if (items[i].err == NULL || items[i].err->code != bad[i / 2].code)
			fail_msg("\"%s\": %s", bad[i / 2].text,
				 items[i].err ? seal_code_name(items[i].err->code) : "accepted");
		assert_int_equal(items[i].err->status, SEAL_DATA);
		assert_int_equal(items[i].out.len, 0);
		assert_null(strstr(items[i].err->text, "High"));
	}
	use_end(&u);
}

static void messages_have_a_limit(void **state)
{
	uint8_t *large = calloc(1, AEAD_MESSAGE_MAX + 1);
	struct key_item items[3] = {
		{.in = BYTES_LIT("a")}, {.in = bytes_of(large, AEAD_MESSAGE_MAX + 1)}, {.in = BYTES_LIT("b")}};
	struct use u;

	assert_non_null(large);
	use_begin(&u, "aes256-gcm96");
	OK(&u.f, u.s->ops->encrypt(u.s, items, 3, &u.f.call, &u.f.err));
	assert_int_equal(items[1].err->code, SEAL_E_LIMIT);
	assert_int_equal(items[1].out.len, 0);
	assert_int_equal(items[0].out.len, items[2].out.len);
	assert_int_equal(items[0].out.len, 9 + BASE64_LEN(29));
	use_end(&u);
	free(large);
}

/* More versions in one lot than a session keeps contexts for. */
static void many_versions_in_one_lot(void **state)
{
	enum { VERSIONS = 23, N = 200 };
	struct key_item items[N] = {0};
	const char *texts[VERSIONS];
	char plain[16];
	struct use u;

	use_begin(&u, "aes256-gcm96");
	for (int v = 0; v < VERSIONS; v++) {
		struct key *key = fixture_key(&u.f, "k");
		struct key_session *s = fixture_session(&u.f, key);

		snprintf(plain, sizeof(plain), "version %d", v + 1);
		texts[v] = encrypt_text(&u.f, s, plain, "");
		s->ops->free(s);
		key->ops->free(key);
		if (v + 1 < VERSIONS)
			rotate(&u.f);
	}
	for (int i = 0; i < N; i++)
		items[i].in = bytes_str(texts[i * 7 % VERSIONS]);
	OK(&u.f, u.s->ops->decrypt(u.s, items, N, &u.f.call, &u.f.err));
	for (int i = 0; i < N; i++) {
		snprintf(plain, sizeof(plain), "version %d", i * 7 % VERSIONS + 1);
		assert_null(items[i].err);
		assert_true(bytes_eq_str(items[i].out, plain));
	}
	use_end(&u);
}

static void minimum_decryption_version_holds(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_MIN_DECRYPTION, .min_decryption_version = 2};
	struct key_session *s;
	const char *text;
	struct key *key;
	struct use u;

	use_begin(&u, "aes256-gcm96");
	text = encrypt_text(&u.f, u.s, "old", "");
	rotate(&u.f);
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	key = fixture_key(&u.f, "k");
	s = fixture_session(&u.f, key);
	assert_null(decrypt_text(&u.f, s, text, ""));
	assert_int_equal(u.f.err.code, SEAL_E_KEY_MINIMUM);
	assert_non_null(strstr(u.f.err.text, "below its minimum decryption version 2"));
	c.min_decryption_version = 1;
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	usleep(1100000); /* s learns of it when it looks again */
	assert_string_equal(decrypt_text(&u.f, s, text, ""), "old");
	s->ops->free(s);
	key->ops->free(key);
	use_end(&u);
}

static void rotation_elsewhere_is_noticed(void **state)
{
	struct key_session *theirs;
	const char *text;
	struct key *key;
	struct use u;

	use_begin(&u, "aes256-gcm96");
	assert_memory_equal(encrypt_text(&u.f, u.s, "a", ""), "vault:v1:", 9);
	rotate(&u.f);
	key = fixture_key(&u.f, "k"); /* as another process would have it */
	theirs = fixture_session(&u.f, key);
	text = encrypt_text(&u.f, theirs, "new", "");
	assert_memory_equal(text, "vault:v2:", 9);
	/* Reading: at once. */
	assert_string_equal(decrypt_text(&u.f, u.s, text, ""), "new");
	rotate(&u.f);
	/* Writing: within a second. */
	usleep(1100000);
	assert_memory_equal(encrypt_text(&u.f, u.s, "a", ""), "vault:v3:", 9);
	theirs->ops->free(theirs);
	key->ops->free(key);
	use_end(&u);
}

static void a_key_that_goes_stops_its_sessions(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_DELETION_ALLOWED, .deletion_allowed = true};
	const char *text;
	char path[128];
	struct use u;

	use_begin(&u, "aes256-gcm96");
	text = encrypt_text(&u.f, u.s, "a", "");
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	OK(&u.f, keyring_destroy(u.f.keyring, bytes_str("k"), &u.f.err));
	usleep(1100000);
	assert_null(encrypt_text(&u.f, u.s, "a", ""));
	assert_int_equal(u.f.err.code, SEAL_E_KEY_UNKNOWN);
	assert_null(decrypt_text(&u.f, u.s, text, "")); /* not only at the first look */
	assert_int_equal(u.f.err.code, SEAL_E_KEY_UNKNOWN);
	fixture_create(&u.f, "k", "hmac");
	assert_null(encrypt_text(&u.f, u.s, "a", ""));
	assert_int_equal(u.f.err.code, SEAL_E_KEY_TYPE);
	assert_null(encrypt_text(&u.f, u.s, "a", ""));
	assert_int_equal(u.f.err.code, SEAL_E_KEY_TYPE);
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	OK(&u.f, keyring_destroy(u.f.keyring, bytes_str("k"), &u.f.err));
	fixture_create(&u.f, "k", "aes256-gcm96");
	usleep(1100000);
	assert_non_null(encrypt_text(&u.f, u.s, "a", ""));
	assert_null(decrypt_text(&u.f, u.s, text, "")); /* another key of that name */
	assert_int_equal(u.f.err.code, SEAL_E_TAMPERED);
	snprintf(path, sizeof(path), "%s/k.skey", u.f.ring);
	assert_int_equal(truncate(path, 50), 0);
	usleep(1100000);
	assert_null(encrypt_text(&u.f, u.s, "a", ""));
	assert_int_equal(u.f.err.code, SEAL_E_KEY_FILE);
	assert_non_null(strstr(u.f.err.place, "k.skey"));
	use_end(&u);
}

static void uses_are_counted_in_the_file(void **state)
{
	struct key_item items[100] = {0};
	struct key_session *s;
	struct key *key;
	struct use u;

	use_begin(&u, "aes256-gcm96");
	assert_int_equal(uses_of(&u.f, 1), 0);
	encrypt_text(&u.f, u.s, "a", "");
	assert_int_equal(uses_of(&u.f, 1), 1 << 20);
	OK(&u.f, u.s->ops->encrypt(u.s, items, 100, &u.f.call, &u.f.err));
	assert_int_equal(uses_of(&u.f, 1), KEYRING_USES_BLOCK);
	key = fixture_key(&u.f, "k");
	s = fixture_session(&u.f, key);
	decrypt_text(&u.f, s, "vault:v1:AAAA", "");
	assert_int_equal(uses_of(&u.f, 1), KEYRING_USES_BLOCK); /* reading is free */
	OK(&u.f, s->ops->encrypt(s, items, 10, &u.f.call, &u.f.err));
	assert_int_equal(uses_of(&u.f, 1), 2 * KEYRING_USES_BLOCK);
	/* What was not used goes back when a key is closed. */
	s->ops->free(s);
	key->ops->free(key);
	assert_int_equal(uses_of(&u.f, 1), KEYRING_USES_BLOCK + 10);
	rotate(&u.f);
	u.s->ops->free(u.s);
	u.key->ops->free(u.key);
	assert_int_equal(uses_of(&u.f, 1), KEYRING_USES_BLOCK + 10); /* its version is not the latest any more */
	assert_int_equal(uses_of(&u.f, 2), 0);
	u.key = fixture_key(&u.f, "k");
	u.s = fixture_session(&u.f, u.key);
	use_end(&u);
}

static void a_child_has_no_part_in_its_parents_block(void **state)
{
	struct use u;
	int status;
	pid_t pid;

	use_begin(&u, "aes256-gcm96");
	encrypt_text(&u.f, u.s, "a", "");
	pid = fork();
	if (pid == 0)
		_exit(encrypt_text(&u.f, u.s, "a", "") == NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(uses_of(&u.f, 1), 2 * KEYRING_USES_BLOCK);
	use_end(&u);
}

static void it_rotates_itself(void **state)
{
	struct key_item items[64] = {0};
	struct use u;

	use_begin(&u, "aes256-gcm96");
	set_uses(&u.f, KEY_USES_ROTATE - 70, KEY_USES_ROTATE);
	OK(&u.f, u.s->ops->encrypt(u.s, items, 64, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v1:")));
	assert_true(uses_of(&u.f, 1) == KEY_USES_ROTATE); /* a block never goes past the limit */
	OK(&u.f, u.s->ops->encrypt(u.s, items, 6, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[5].out, BYTES_LIT("vault:v1:")));
	OK(&u.f, u.s->ops->encrypt(u.s, items, 1, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v2:")));
	assert_int_equal(uses_of(&u.f, 2), KEYRING_USES_BLOCK);
	/* A lot larger than the limit itself still goes under one version. */
	u.s->ops->free(u.s);
	u.key->ops->free(u.key);
	set_uses(&u.f, 5, 10);
	u.key = fixture_key(&u.f, "k");
	u.s = fixture_session(&u.f, u.key);
	OK(&u.f, u.s->ops->encrypt(u.s, items, 64, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v3:")));
	assert_true(bytes_starts(items[63].out, BYTES_LIT("vault:v3:")));
	OK(&u.f, u.s->ops->encrypt(u.s, items, 1, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v4:")));
	use_end(&u);
}

static void it_refuses_past_the_last_use(void **state)
{
	struct key_item items[64] = {0};
	struct use u;

	use_begin(&u, "aes256-gcm96");
	set_uses(&u.f, KEY_USES_MAX - 64, 0);
	OK(&u.f, u.s->ops->encrypt(u.s, items, 64, &u.f.call, &u.f.err));
	assert_true(uses_of(&u.f, 1) == KEY_USES_MAX);
	FAILS(&u.f, u.s->ops->encrypt(u.s, items, 1, &u.f.call, &u.f.err), SEAL_DENIED, SEAL_E_KEY_EXHAUSTED,
	      "key rotate k");
	assert_int_equal(items[0].out.len, 0);
	rotate(&u.f);
	OK(&u.f, u.s->ops->encrypt(u.s, items, 1, &u.f.call, &u.f.err));
	assert_true(bytes_starts(items[0].out, BYTES_LIT("vault:v2:")));
	use_end(&u);
}

static void encrypting_needs_a_place_to_count(void **state)
{
	struct keyring_lock lock = KEYRING_LOCK_INIT;
	struct key_item item = {.in = BYTES_LIT("a")};
	struct use u;

	use_begin(&u, "aes256-gcm96");
	OK(&u.f, keyring_lock(u.f.keyring->dirfd, u.f.ring, DEADLINE_NONE, &lock, &u.f.err));
	u.f.call.deadline_ms = clock_mono_ms() + 30;
	FAILS(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err), SEAL_RETRY, SEAL_E_BUSY, "try again");
	assert_int_equal(item.out.len, 0);
	keyring_unlock(&lock);
	OK(&u.f, u.s->ops->encrypt(u.s, &item, 1, &u.f.call, &u.f.err));
	use_end(&u);
}

/* As a user without rights to write, which root must first become. */
static int read_only_use(struct fixture *f, const char *text)
{
	struct key_session *s = NULL;
	struct key *key = NULL;

	if (geteuid() == 0 && setuid(65534) != 0)
		return 2;
	if (keyring_open(&f->config, &f->keyring, NULL) != SEAL_OK ||
	    keyring_source.key(keyring_as_source(f->keyring), BYTES_LIT("k"), &key, NULL) != SEAL_OK ||
	    key->ops->session(key, &s, NULL) != SEAL_OK)
		return 3;
	if (decrypt_text(f, s, text, "") == NULL)
		return 4;
	if (encrypt_text(f, s, "a", "") != NULL || f->err.status != SEAL_DENIED || f->err.code != SEAL_E_DENIED)
		return 5;
	return strstr(f->err.text, "cannot count what key k encrypts") != NULL ? 0 : 6;
}

static void a_read_only_keyring_decrypts(void **state)
{
	static const char *const files[] = {"keyring.head", "master.key", "k.skey", "lock", ""};
	char path[128];
	const char *text;
	struct use u;
	int status;
	pid_t pid;

	use_begin(&u, "aes256-gcm96");
	text = encrypt_text(&u.f, u.s, "a", "");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", u.f.ring, files[i]);
		assert_int_equal(chmod(path, files[i][0] ? 0400 : 0500), 0);
		if (geteuid() == 0)
			assert_int_equal(chown(path, 65534, 65534), 0);
	}
	assert_int_equal(chmod(u.f.dir, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(read_only_use(&u.f, text));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(u.f.ring, 0700), 0);
	use_end(&u);
}

/* NIST's FF1 sample 7: AES-256, radix 10, no tweak. */
static void ff1_by_version(void **state)
{
	static const uint8_t material[32] = {0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15,
					     0x88, 0x09, 0xCF, 0x4F, 0x3C, 0xEF, 0x43, 0x59, 0xD8, 0xD5, 0x80,
					     0xAA, 0x4F, 0x7F, 0x03, 0x6D, 0x6F, 0x04, 0xFC, 0x6A, 0x94};
	static const uint16_t plain[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, cipher[10] = {6, 6, 5, 7, 6, 6, 7, 0, 0, 9};
	enum { N = 100 };
	uint16_t numerals[N][10];
	struct key_fpe_item items[N];
	struct key_session *s;
	struct key_info info;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	OK(&f, keyring_import(f.keyring, bytes_str("k"), &(struct key_admin_new){.type = "ff1"},
			      bytes_of(material, 32), NULL, &f.err));
	rotate(&f);
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	OK(&f, key->ops->info(key, &info, &f.err));
	assert_int_equal(info.uses, KEY_FPE);
	for (int i = 0; i < N; i++) {
		memcpy(numerals[i], plain, sizeof(plain));
		items[i] = (struct key_fpe_item){.numerals = numerals[i], .n = 10, .radix = 10};
	}
	OK(&f, s->ops->fpe(s, 1, false, items, N, &f.call, &f.err));
	for (int i = 0; i < N; i++)
		assert_memory_equal(numerals[i], cipher, sizeof(cipher));
	OK(&f, s->ops->fpe(s, 1, true, items, N, &f.call, &f.err));
	assert_memory_equal(numerals[N - 1], plain, sizeof(plain));
	OK(&f, s->ops->fpe(s, 0, false, items, 1, &f.call, &f.err)); /* the latest is version 2 */
	assert_memory_not_equal(numerals[0], cipher, sizeof(cipher));
	OK(&f, s->ops->fpe(s, 2, true, items, 1, &f.call, &f.err));
	assert_memory_equal(numerals[0], plain, sizeof(plain));
	FAILS(&f, s->ops->fpe(s, 3, false, items, 1, &f.call, &f.err), SEAL_USAGE, SEAL_E_KEY_VERSION,
	      "no version 3");
	rotate(&f);
	OK(&f, s->ops->fpe(s, 3, false, items, 1, &f.call, &f.err)); /* looks at once */
	items[0].tweak = BYTES_LIT("6 only");
	FAILS(&f, s->ops->fpe_legacy_decrypt(s, 1, items, 1, &f.call, &f.err), SEAL_USAGE, SEAL_E_DOMAIN, "7 bytes");
	items[0].tweak = BYTES_LIT("1234567");
	OK(&f, s->ops->fpe_legacy_decrypt(s, 1, items, 1, &f.call, &f.err));
	s->ops->free(s);
	key->ops->free(key);
	fixture_close(&f);
}

static void fixed_versions_respect_minimums(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_MIN_ENCRYPTION, .min_encryption_version = 2};
	struct key_item items[2] = {{.in = BYTES_LIT("b"), .aad = BYTES_LIT("a")}, {.in = BYTES_LIT("ab")}};
	struct key_session *s;
	struct key *key;
	struct use u;

	use_begin(&u, "hmac");
	rotate(&u.f);
	OK(&u.f, u.s->ops->hmac(u.s, 1, items, 2, &u.f.call, &u.f.err));
	assert_int_equal(items[0].out.len, 32);
	assert_true(bytes_eq(items[0].out, items[1].out)); /* the place goes in front */
	assert_null(u.s->ops->encrypt);
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	key = fixture_key(&u.f, "k");
	s = fixture_session(&u.f, key);
	FAILS(&u.f, s->ops->hmac(s, 1, items, 2, &u.f.call, &u.f.err), SEAL_DENIED, SEAL_E_KEY_MINIMUM,
	      "minimum encryption version 2");
	assert_int_equal(items[0].out.len, 0);
	OK(&u.f, s->ops->hmac(s, 2, items, 2, &u.f.call, &u.f.err));
	c.mask = KEYRING_SET_MIN_DECRYPTION;
	c.min_decryption_version = 2;
	OK(&u.f, keyring_configure(u.f.keyring, bytes_str("k"), &c, &u.f.err));
	usleep(1100000);
	FAILS(&u.f, s->ops->hmac(s, 1, items, 2, &u.f.call, &u.f.err), SEAL_DENIED, SEAL_E_KEY_MINIMUM,
	      "minimum decryption version 2");
	s->ops->free(s);
	key->ops->free(key);
	use_end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(nonces_never_repeat),
		cmocka_unit_test(lots_of_every_size),
		cmocka_unit_test(one_bad_item_fails_alone),
		cmocka_unit_test(items_that_fail_alike_share_an_error),
		cmocka_unit_test(messages_have_a_limit),
		cmocka_unit_test(many_versions_in_one_lot),
		cmocka_unit_test(minimum_decryption_version_holds),
		cmocka_unit_test(rotation_elsewhere_is_noticed),
		cmocka_unit_test(a_key_that_goes_stops_its_sessions),
		cmocka_unit_test(uses_are_counted_in_the_file),
		cmocka_unit_test(a_child_has_no_part_in_its_parents_block),
		cmocka_unit_test(it_rotates_itself),
		cmocka_unit_test(it_refuses_past_the_last_use),
		cmocka_unit_test(encrypting_needs_a_place_to_count),
		cmocka_unit_test(a_read_only_keyring_decrypts),
		cmocka_unit_test(ff1_by_version),
		cmocka_unit_test(fixed_versions_respect_minimums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
