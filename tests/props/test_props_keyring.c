/*
 * Damage laws of the keyring: whatever byte of a key file, of the head or of a text changes, wherever one ends early
 * or late, there is a clear error and never another plaintext.
 */
#include "../unit/keyring_fixture.h"

#include "base/file.h"

/* In place: replacing a file thousands of times makes some file systems sync each time. */
static void overwrite(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

static void read_all(struct fixture *f, const char *path, struct seal_buf *out)
{
	OK(f, file_read(path, out, &f->err));
}

/* Opens key "k" and decrypts `text`; SEAL_OK only when that gives the plaintext. */
static enum seal_status try_key(struct fixture *f, const char *text)
{
	struct key_session *session = NULL;
	struct key *key = NULL;
	enum seal_status rc;
	const char *plain;

	err_clear(&f->err);
	rc = keyring_source.key(keyring_as_source(f->keyring), BYTES_LIT("k"), &key, &f->err);
	if (rc != SEAL_OK)
		return rc;
	session = fixture_session(f, key);
	plain = decrypt_text(f, session, text, "place");
	rc = plain == NULL ? f->err.status : SEAL_OK;
	if (plain != NULL)
		assert_string_equal(plain, "1 High St");
	session->ops->free(session);
	key->ops->free(key);
	return rc;
}

static void damaged(struct fixture *f, const char *path, const uint8_t *bytes, size_t len, const char *text)
{
	overwrite(path, bytes, len);
	if (try_key(f, text) != SEAL_DATA || f->err.code != SEAL_E_KEY_FILE || f->err.place[0] == '\0')
		fail_msg("%zu bytes: %s: %s", len, seal_code_name(f->err.code), f->err.text);
	arena_reset(&f->arena);
}

static void key_files(void **state)
{
	struct seal_buf file = BUF_INIT(KEY_FILE_BYTES_MAX);
	struct keyring_key_info info;
	char path[128], text[200];
	struct key_session *s;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	snprintf(text, sizeof(text), "%s", encrypt_text(&f, s, "1 High St", "place"));
	s->ops->free(s);
	key->ops->free(key);
	OK(&f, keyring_rotate(f.keyring, BYTES_LIT("k"), NULL, &f.err));
	snprintf(path, sizeof(path), "%s/k.skey", f.ring);
	read_all(&f, path, &file);
	assert_int_equal(try_key(&f, text), SEAL_OK);
	for (size_t i = 0; i < file.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			file.ptr[i] ^= (uint8_t)(1 << bit);
			damaged(&f, path, file.ptr, file.len, text);
			file.ptr[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t len = 0; len < file.len; len++)
		damaged(&f, path, file.ptr, len, text);
	OK(&f, buf_append_u8(&file, 0, &f.err));
	damaged(&f, path, file.ptr, file.len, text);
	/* No change may be made on top of damage either. */
	assert_int_equal(keyring_rotate(f.keyring, BYTES_LIT("k"), NULL, NULL), SEAL_DATA);
	overwrite(path, file.ptr, file.len - 1);
	assert_int_equal(try_key(&f, text), SEAL_OK);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	assert_int_equal(info.latest_version, 2);
	buf_clear(&file);
	fixture_close(&f);
}

static void damaged_head(struct fixture *f, const char *path, const uint8_t *bytes, size_t len)
{
	struct keyring *k = NULL;

	overwrite(path, bytes, len);
	err_clear(&f->err);
	assert_int_equal(keyring_open(&f->config, &k, &f->err), SEAL_DATA);
	assert_int_equal(f->err.code, SEAL_E_KEY_FILE);
	assert_null(k);
}

static void heads(void **state)
{
	struct seal_buf head = BUF_INIT(1000);
	struct keyring *k;
	struct fixture f;
	char path[128];

	fixture_open(&f);
	snprintf(path, sizeof(path), "%s/keyring.head", f.ring);
	read_all(&f, path, &head);
	assert_int_equal(head.len, KEYRING_HEAD_LEN);
	for (size_t i = 0; i < head.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			head.ptr[i] ^= (uint8_t)(1 << bit);
			damaged_head(&f, path, head.ptr, head.len);
			head.ptr[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t len = 0; len < head.len; len++)
		damaged_head(&f, path, head.ptr, len);
	overwrite(path, head.ptr, head.len);
	OK(&f, keyring_open(&f.config, &k, &f.err));
	keyring_close(k);
	buf_clear(&head);
	fixture_close(&f);
}

/* Any other character at any place, any cut: an error of the item, of a code that fits. */
static void texts_of(const struct key_admin_new *how)
{
	char text[200], changed[200];
	struct key_session *s;
	struct fixture f;
	struct key *key;
	size_t len;

	fixture_open(&f);
	OK(&f, keyring_create(f.keyring, BYTES_LIT("k"), how, &f.err));
	OK(&f, keyring_rotate(f.keyring, BYTES_LIT("k"), NULL, &f.err));
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	snprintf(text, sizeof(text), "%s", encrypt_text(&f, s, "1 High St", "place"));
	len = strlen(text);
	assert_string_equal(decrypt_text(&f, s, text, "place"), "1 High St");
	for (size_t i = 0; i < len; i++) {
		for (int c = 1; c < 256; c++) {
			memcpy(changed, text, len + 1);
			if ((char)c == text[i])
				continue;
			changed[i] = (char)c;
			assert_null(decrypt_text(&f, s, changed, "place"));
			assert_true(f.err.code == SEAL_E_TAMPERED || f.err.code == SEAL_E_PLAINTEXT ||
				    f.err.code == SEAL_E_KEY_VERSION);
			arena_reset(&f.arena);
		}
		memcpy(changed, text, len + 1);
		changed[i] = '\0';
		assert_null(decrypt_text(&f, s, changed, "place"));
	}
	s->ops->free(s);
	key->ops->free(key);
	fixture_close(&f);
}

static void texts(void **state)
{
	static const struct key_admin_new kinds[] = {
		{.type = "aes128-gcm96"},
		{.type = "aes256-gcm96", .derived = true},
		{.type = "xchacha20-poly1305", .derived = true, .convergent = true},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		texts_of(&kinds[i]);
}

/*
 * Equal exactly where plaintext and context are equal: random pairs of few values, so that both happen. Each text opens
 * under its own context alone.
 */
static void convergent_texts(void **state)
{
	static const struct key_admin_new how = {.type = "aes256-gcm96", .derived = true, .convergent = true};
	enum { N = 120 };
	struct key_item items[N], back[N];
	uint8_t plain[N][40];
	struct key_session *s;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	OK(&f, keyring_create(f.keyring, BYTES_LIT("k"), &how, &f.err));
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	for (uint32_t seed = 1; seed <= 20; seed++) {
		uint32_t x = seed * 2654435761u;

		for (size_t i = 0; i < N; i++) {
			x = x * 1664525u + 1013904223u;
			memset(plain[i], (int)(x >> 30), sizeof(plain[i]));
			items[i] = (struct key_item){.in = bytes_of(plain[i], (x >> 26) % 4),
						     .aad = bytes_of(&"abcdef"[(x >> 20) % 3], 1 + (x >> 16) % 2)};
		}
		OK(&f, s->ops->encrypt(s, items, N, &f.call, &f.err));
		for (size_t i = 0; i < N; i++) {
			assert_null(items[i].err);
			back[i] = (struct key_item){.in = items[i].out, .aad = items[(i + seed) % N].aad};
			for (size_t k = 0; k < i; k++)
				assert_int_equal(bytes_eq(items[i].out, items[k].out),
						 bytes_eq(items[i].in, items[k].in) &&
							 bytes_eq(items[i].aad, items[k].aad));
		}
		OK(&f, s->ops->decrypt(s, back, N, &f.call, &f.err));
		for (size_t i = 0; i < N; i++) {
			bool own = bytes_eq(back[i].aad, items[i].aad);

			assert_int_equal(back[i].err == NULL, own);
			if (own)
				assert_true(bytes_eq(back[i].out, items[i].in));
		}
		arena_reset(&f.arena);
	}
	s->ops->free(s);
	key->ops->free(key);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_files),
		cmocka_unit_test(heads),
		cmocka_unit_test(texts),
		cmocka_unit_test(convergent_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
