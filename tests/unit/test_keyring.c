/* keyring: keys are made, changed and found as the header says, and each failure is told apart from the others. */
#include "keyring_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/secret_file.h"
#include "crypto/random.h"
#include "keys/keyring_master.h"

static const uint8_t material_a[32] = {1, 2, 3}, material_b[32] = {4, 5, 6};

static struct keyring_key_info info_of(struct fixture *f, const char *name)
{
	struct keyring_key_info info;

	OK(f, keyring_info(f->keyring, bytes_str(name), &f->arena, &info, &f->err));
	return info;
}

static void names_have_a_rule(void **state)
{
	static const char *const good[] = {"a", "A-b_c.9", "-",
					   "0123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {
		"",    ".", "..",   ".hidden", "a/b",
		"a b", "ä", "a\nb", "a%b",     "01234567890123456789012345678901234567890123456789012345678901234"};
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(keyring_source.check(bytes_str(good[i]), &why));
	assert_null(why);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(keyring_source.check(bytes_str(bad[i]), &why));
	assert_non_null(strstr(why, "1 to 64"));
	assert_false(key_name_valid(bytes_of("a\0b", 3)));
}

static void first_use_makes_a_keyring(void **state)
{
	char path[128];
	struct fixture f;
	struct stat st;

	fixture_dir(&f);
	f.config.create = false;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "no keyring at");
	assert_null(f.keyring);
	f.config.create = true;
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	snprintf(path, sizeof(path), "%s/master.key", f.ring);
	assert_string_equal(keyring_master_made(f.keyring), path);
	assert_string_equal(keyring_path(f.keyring), f.ring);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_int_equal(stat(f.ring, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	keyring_close(f.keyring);
	f.config.create = false;
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_null(keyring_master_made(f.keyring));
	fixture_close(&f);
}

/* A file of the keyring, which must fill `out`. */
static void read_whole(const struct fixture *f, const char *name, uint8_t *out, size_t len)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->ring, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, out, len), len);
	close(fd);
}

static void no_two_keyrings_are_alike(void **state)
{
	struct keyring_head heads[4];
	uint8_t masters[4][32], bytes[KEYRING_HEAD_LEN];

	master_scrypt_cost(SCRYPT_LOG2_N_MIN);
	for (size_t i = 0; i < 4; i++) { /* two with a master key of their own, two with the same passphrase */
		char path[100];
		struct fixture f;

		fixture_dir(&f);
		snprintf(path, sizeof(path), "%s/phrase", f.dir);
		fixture_write(path, "correct horse\n", 14, 0600);
		f.config.passphrase_file = i < 2 ? NULL : path;
		OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
		read_whole(&f, HEAD_FILE, bytes, sizeof(bytes));
		OK(&f, keyring_head_parse(bytes_of(bytes, sizeof(bytes)), &heads[i], &f.err));
		if (i < 2)
			read_whole(&f, MASTER_FILE, masters[i], sizeof(masters[i]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(heads[i].id, heads[k].id, sizeof(heads[i].id));
		fixture_close(&f);
	}
	assert_memory_not_equal(masters[0], masters[1], sizeof(masters[0]));
	assert_memory_not_equal(heads[2].salt, heads[3].salt, sizeof(heads[2].salt));
}

/* All material is wrapped under one key: a nonce that came twice would give its authentication away. */
static void each_material_has_its_nonce(void **state)
{
	enum { KEYS = 3, VERSIONS = 4 };
	uint8_t seen[KEYS * VERSIONS][KEY_WRAP_NONCE_LEN];
	struct fixture f;
	size_t n = 0;

	fixture_open(&f);
	for (size_t i = 0; i < KEYS; i++) {
		const char name[] = {(char)('a' + i), '\0'};
		struct key_file file;

		fixture_create(&f, name, i == 0 ? "ff1" : "aes256-gcm96");
		for (size_t v = 1; v < VERSIONS; v++)
			OK(&f, keyring_rotate(f.keyring, bytes_str(name), NULL, &f.err));
		OK(&f, keyring_load(f.keyring, name, &file, NULL, NULL, &f.err));
		assert_int_equal(file.n, VERSIONS);
		for (size_t v = 0; v < VERSIONS; v++, n++) {
			memcpy(seen[n], file.versions[v].nonce, sizeof(seen[n]));
			for (size_t k = 0; k < n; k++)
				assert_memory_not_equal(seen[n], seen[k], sizeof(seen[n]));
		}
		key_file_clear(&file);
	}
	fixture_close(&f);
}

static void the_default_place(void **state)
{
	char deep[100], expected[160];
	struct fixture f;

	fixture_dir(&f);
	f.config.keyring_dir = NULL;
	snprintf(deep, sizeof(deep), "%s/x/y", f.dir);
	snprintf(expected, sizeof(expected), "%s/sealstream/keyring", deep);
	setenv("XDG_DATA_HOME", deep, 1);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_string_equal(keyring_path(f.keyring), expected);
	keyring_close(f.keyring);
	setenv("XDG_DATA_HOME", "relative is ignored", 1);
	setenv("HOME", deep, 1);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	snprintf(expected, sizeof(expected), "%s/.local/share/sealstream/keyring", deep);
	assert_string_equal(keyring_path(f.keyring), expected);
	keyring_close(f.keyring);
	unsetenv("HOME");
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_USAGE, "--keyring");
	unsetenv("XDG_DATA_HOME");
	fixture_close(&f);
}

static void life_of_a_key(void **state)
{
	struct keyring_key_info info;
	const char *const *names;
	uint32_t version = 0;
	struct fixture f;
	size_t n;

	fixture_open(&f);
	fixture_create(&f, "pii", "aes256-gcm96");
	fixture_create(&f, "cards", "ff1");
	FAILS(&f, keyring_create(f.keyring, bytes_str("pii"), &(struct key_admin_new){.type = "hmac"}, &f.err),
	      SEAL_USAGE, SEAL_E_KEY_EXISTS, "key rotate pii");
	FAILS(&f, keyring_create(f.keyring, bytes_str("x"), &(struct key_admin_new){.type = "aes265-gcm96"}, &f.err),
	      SEAL_USAGE, SEAL_E_KEY_TYPE, "did you mean aes256-gcm96?");
	FAILS(&f, keyring_create(f.keyring, bytes_str("a/b"), &(struct key_admin_new){.type = "hmac"}, &f.err),
	      SEAL_USAGE, SEAL_E_USAGE, "not a key name");
	OK(&f, keyring_rotate(f.keyring, bytes_str("pii"), &version, &f.err));
	assert_int_equal(version, 2);
	info = info_of(&f, "pii");
	assert_string_equal(info.type, "aes256-gcm96");
	assert_int_equal(info.latest_version, 2);
	assert_int_equal(info.min_decryption_version, 1);
	assert_int_equal(info.min_encryption_version, 0);
	assert_true(info.auto_rotate == UINT64_C(1) << 31);
	assert_false(info.exportable || info.imported || info.deletion_allowed);
	assert_true(info.versions[1].created_ms >= info.versions[0].created_ms && info.versions[0].created_ms > 0);
	OK(&f, keyring_names(f.keyring, &f.arena, &names, &n, &f.err));
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "cards");
	assert_string_equal(names[1], "pii");
	assert_null(names[2]);
	FAILS(&f, keyring_rotate(f.keyring, bytes_str("card"), NULL, &f.err), SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
	      "did you mean cards?");
	FAILS(&f, keyring_info(f.keyring, bytes_str("elsewhere"), &f.arena, &info, &f.err), SEAL_USAGE,
	      SEAL_E_KEY_UNKNOWN, "key create elsewhere");
	fixture_close(&f);
}

static enum seal_status change(struct fixture *f, unsigned mask, uint32_t decryption, uint32_t encryption)
{
	struct keyring_change c = {
		.mask = mask, .min_decryption_version = decryption, .min_encryption_version = encryption};

	err_clear(&f->err);
	return keyring_configure(f->keyring, bytes_str("k"), &c, &f->err);
}

static void minimums_follow_transit(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = KEY_USES_MAX + 1};
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "aes128-gcm96");
	for (int i = 0; i < 3; i++)
		OK(&f, keyring_rotate(f.keyring, bytes_str("k"), NULL, &f.err));
	OK(&f, change(&f, KEYRING_SET_MIN_DECRYPTION, 3, 0));
	FAILS(&f, change(&f, KEYRING_SET_MIN_DECRYPTION, 5, 0), SEAL_USAGE, SEAL_E_USAGE, "1 to 4");
	FAILS(&f, change(&f, KEYRING_SET_MIN_DECRYPTION, 0, 0), SEAL_USAGE, SEAL_E_USAGE, "1 to 4");
	FAILS(&f, change(&f, KEYRING_SET_MIN_ENCRYPTION, 0, 2), SEAL_USAGE, SEAL_E_USAGE,
	      "below its minimum decryption");
	FAILS(&f, change(&f, KEYRING_SET_MIN_ENCRYPTION, 0, 5), SEAL_USAGE, SEAL_E_USAGE, "1 to 4");
	OK(&f, change(&f, KEYRING_SET_MIN_ENCRYPTION, 0, 3));
	FAILS(&f, change(&f, KEYRING_SET_MIN_DECRYPTION, 4, 0), SEAL_USAGE, SEAL_E_USAGE, "raise it too");
	OK(&f, change(&f, KEYRING_SET_MIN_DECRYPTION | KEYRING_SET_MIN_ENCRYPTION, 1, 0));
	FAILS(&f, keyring_configure(f.keyring, bytes_str("k"), &c, &f.err), SEAL_USAGE, SEAL_E_USAGE, "4294967296");
	fixture_create(&f, "fixed", "hmac");
	c.auto_rotate = 1;
	FAILS(&f, keyring_configure(f.keyring, bytes_str("fixed"), &c, &f.err), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "cannot rotate itself");
	assert_int_equal(info_of(&f, "fixed").auto_rotate, 0);
	c.auto_rotate = 0;
	OK(&f, keyring_configure(f.keyring, bytes_str("k"), &c, &f.err));
	info = info_of(&f, "k");
	assert_int_equal(info.min_decryption_version, 1);
	assert_int_equal(info.auto_rotate, 0);
	fixture_close(&f);
}

static void deletion_must_be_allowed(void **state)
{
	struct keyring_change c = {.mask = KEYRING_SET_DELETION_ALLOWED, .deletion_allowed = true};
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	FAILS(&f, keyring_destroy(f.keyring, bytes_str("k"), &f.err), SEAL_DENIED, SEAL_E_DENIED,
	      "--deletion-allowed true");
	OK(&f, keyring_configure(f.keyring, bytes_str("k"), &c, &f.err));
	OK(&f, keyring_destroy(f.keyring, bytes_str("k"), &f.err));
	FAILS(&f, keyring_destroy(f.keyring, bytes_str("k"), &f.err), SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "no key k");
	fixture_close(&f);
}

static enum seal_status import(struct fixture *f, const char *name, const char *type, struct seal_bytes material,
			       uint32_t *version)
{
	err_clear(&f->err);
	return keyring_import(f->keyring, bytes_str(name), &(struct key_admin_new){.type = type, .exportable = true},
			      material, version, &f->err);
}

static void material_comes_and_goes(void **state)
{
	struct secret out = SECRET_INIT;
	struct keyring_key_info info;
	uint32_t version = 0;
	struct fixture f;

	fixture_open(&f);
	OK(&f, import(&f, "k", "aes256-gcm96", bytes_of(material_a, 32), &version));
	assert_int_equal(version, 1);
	OK(&f, import(&f, "k", "aes256-gcm96", bytes_of(material_b, 32), &version));
	assert_int_equal(version, 2);
	FAILS(&f, import(&f, "k", "aes256-gcm96", bytes_of(material_a, 32), &version), SEAL_USAGE, SEAL_E_KEY_EXISTS,
	      "version 1");
	FAILS(&f, import(&f, "k", "hmac", bytes_of(material_a, 32), &version), SEAL_USAGE, SEAL_E_KEY_TYPE,
	      "aes256-gcm96, not hmac");
	FAILS(&f, import(&f, "n", "aes256-gcm96", bytes_of(material_a, 31), &version), SEAL_USAGE, SEAL_E_DOMAIN,
	      "31 bytes");
	FAILS(&f, import(&f, "n", "ff1", bytes_of(material_a, 20), &version), SEAL_USAGE, SEAL_E_DOMAIN,
	      "16, 24 or 32");
	OK(&f, import(&f, "n", "ff1", bytes_of(material_a, 24), &version));
	OK(&f, keyring_export(f.keyring, bytes_str("k"), 1, &out, &version, &f.err));
	assert_int_equal(version, 1);
	assert_int_equal(out.len, 32);
	assert_memory_equal(out.ptr, material_a, 32);
	secret_clear(&out);
	OK(&f, keyring_export(f.keyring, bytes_str("k"), 0, &out, &version, &f.err));
	assert_memory_equal(out.ptr, material_b, 32);
	secret_clear(&out);
	FAILS(&f, keyring_export(f.keyring, bytes_str("k"), 3, &out, NULL, &f.err), SEAL_USAGE, SEAL_E_KEY_VERSION,
	      "latest is 2");
	OK(&f, change(&f, KEYRING_SET_MIN_DECRYPTION, 2, 0));
	FAILS(&f, keyring_export(f.keyring, bytes_str("k"), 1, &out, NULL, &f.err), SEAL_DENIED, SEAL_E_KEY_MINIMUM,
	      "below");
	info = info_of(&f, "k");
	assert_true(info.imported && info.exportable);
	assert_int_equal(info.auto_rotate, 0);
	fixture_create(&f, "own", "hmac");
	FAILS(&f, keyring_export(f.keyring, bytes_str("own"), 1, &out, NULL, &f.err), SEAL_DENIED, SEAL_E_DENIED,
	      "not exportable");
	assert_null(out.ptr);
	fixture_close(&f);
}

static void master_key_files(void **state)
{
	char path[100], other[100];
	struct fixture f;

	fixture_dir(&f);
	snprintf(path, sizeof(path), "%s/master", f.dir);
	snprintf(other, sizeof(other), "%s/other", f.dir);
	f.config.master_key_file = path;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "cannot read");
	fixture_write(path, material_a, 31, 0600);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "exactly 32 raw bytes");
	fixture_write(path, material_a, 32, 0640);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_DENIED, "chmod 600");
	fixture_write(path, material_a, 32, 0600);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_null(keyring_master_made(f.keyring));
	fixture_create(&f, "k", "hmac");
	keyring_close(f.keyring);
	fixture_write(other, material_b, 32, 0600);
	f.config.master_key_file = other;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "not the master key");
	f.config.master_key_file = NULL;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "master.key is not there");
	f.config.passphrase_file = other;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "not with a passphrase");
	f.config.master_key_file = path;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_USAGE, "give one");
	f.config.passphrase_file = NULL;
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_string_equal(info_of(&f, "k").type, "hmac");
	fixture_close(&f);
}

/* 8 to 1024 bytes without the line end. */
static void passphrases_have_limits(void **state)
{
	static const struct {
		size_t len;
		const char *end;
		const char *why; /* NULL: fits */
	} rows[] = {{7, "\n", "shorter than 8"},
		    {8, "", NULL},
		    {8, "\r\n", NULL},
		    {1024, "", NULL},
		    {1024, "\n", NULL},
		    {1024, "\r\n", NULL},
		    {1025, "", "longer than 1024"},
		    {1024, "\r", "longer"},
		    {1025, "\n", "longer"},
		    {0, "\n", "shorter"},
		    {0, "\r\n", "shorter"}};
	char path[100], phrase[1100];
	struct fixture f;

	master_scrypt_cost(SCRYPT_LOG2_N_MIN);
	memset(phrase, 'p', sizeof(phrase));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t end = strlen(rows[i].end);

		fixture_dir(&f);
		snprintf(path, sizeof(path), "%s/phrase", f.dir);
		f.config.passphrase_file = path;
		memcpy(phrase + rows[i].len, rows[i].end, end);
		fixture_write(path, phrase, rows[i].len + end, 0600);
		memset(phrase + rows[i].len, 'p', end);
		if (rows[i].why == NULL)
			OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
		else
			FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER,
			      rows[i].why);
		fixture_close(&f);
	}
}

static void passphrase_files(void **state)
{
	char path[100];
	struct fixture f;

	master_scrypt_cost(SCRYPT_LOG2_N_MIN);
	fixture_dir(&f);
	snprintf(path, sizeof(path), "%s/phrase", f.dir);
	f.config.passphrase_file = path;
	fixture_write(path, "short\n", 6, 0600);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "shorter than 8");
	fixture_write(path, "correct horse\n", 14, 0604);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_DENIED, "chmod 600");
	fixture_write(path, "correct horse\n", 14, 0600);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_null(keyring_master_made(f.keyring));
	fixture_create(&f, "k", "hmac");
	keyring_close(f.keyring);
	fixture_write(path, "correct horse\r\n", 15, 0400);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	assert_string_equal(info_of(&f, "k").name, "k");
	keyring_close(f.keyring);
	fixture_write(path, "correct horse\r", 14, 0600); /* no line end: its CR counts */
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "passphrase");
	fixture_write(path, "correct house", 13, 0600);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "passphrase");
	f.config.passphrase_file = NULL;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_MASTER, "--passphrase-file");
	fixture_close(&f);
}

static void directories_of_others_are_refused(void **state)
{
	struct fixture f;

	fixture_open(&f);
	keyring_close(f.keyring);
	assert_int_equal(chmod(f.ring, 0750), 0);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DENIED, SEAL_E_DENIED, "chmod 700");
	assert_int_equal(chmod(f.ring, 0700), 0);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	fixture_close(&f);
	/* An empty directory that the user has just made is taken, not refused. */
	fixture_dir(&f);
	assert_int_equal(mkdir(f.ring, 0755), 0);
	OK(&f, keyring_open(&f.config, &f.keyring, &f.err));
	fixture_close(&f);
}

static void paths_that_cannot_be(void **state)
{
	char file[100], under[120], empty[100];
	char *longest = mem_alloc(5000);
	struct secret out = SECRET_INIT;
	struct fixture f;

	fixture_dir(&f);
	snprintf(file, sizeof(file), "%s/file", f.dir);
	snprintf(under, sizeof(under), "%s/ring", file);
	snprintf(empty, sizeof(empty), "%s/empty", f.dir);
	fixture_write(file, "12345678", 8, 0600);
	fixture_write(empty, "", 0, 0600);
	f.config.keyring_dir = file;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "Not a directory");
	f.config.keyring_dir = under;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "Not a directory");
	f.config.keyring_dir = "/proc/no/such";
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_FATAL, SEAL_E_CREATE, "/proc/no");
	f.config.keyring_dir = "";
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_USAGE, "--keyring");
	assert_non_null(longest);
	memset(longest, 'x', 4999);
	longest[4999] = '\0';
	f.config.keyring_dir = longest;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_USAGE, SEAL_E_USAGE, "too long");
	mem_free(longest);
	FAILS(&f, secret_read_file(empty, 10, false, &out, &f.err), SEAL_DATA, SEAL_E_LIMIT, "is empty");
	FAILS(&f, secret_read_file(file, 7, false, &out, &f.err), SEAL_DATA, SEAL_E_LIMIT, "too long");
	FAILS(&f, secret_read_file(f.dir, 7, false, &out, &f.err), SEAL_FATAL, SEAL_E_IO, "cannot read");
	OK(&f, secret_read_file(file, 8, false, &out, &f.err));
	assert_int_equal(out.len, 8);
	secret_clear(&out);
	fixture_close(&f);
}

static void a_key_file_without_end_is_damaged(void **state)
{
	struct keyring_key_info info;
	struct fixture f;
	char path[128];

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	snprintf(path, sizeof(path), "%s/k.skey", f.ring);
	assert_int_equal(truncate(path, KEY_FILE_BYTES_MAX + 1), 0);
	FAILS(&f, keyring_info(f.keyring, bytes_str("k"), &f.arena, &info, &f.err), SEAL_DATA, SEAL_E_KEY_FILE,
	      "too long");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	FAILS(&f, keyring_info(f.keyring, bytes_str("k"), &f.arena, &info, &f.err), SEAL_FATAL, SEAL_E_IO, "k.skey");
	fixture_close(&f);
}

static void a_lost_head_is_no_new_keyring(void **state)
{
	char path[128];
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	keyring_close(f.keyring);
	snprintf(path, sizeof(path), "%s/keyring.head", f.ring);
	assert_int_equal(truncate(path, 137), 0);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DATA, SEAL_E_KEY_FILE, "damaged");
	assert_non_null(strstr(f.err.place, "keyring.head"));
	assert_int_equal(unlink(path), 0);
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DATA, SEAL_E_KEY_FILE, "1 keys are there");
	f.config.create = false;
	FAILS(&f, keyring_open(&f.config, &f.keyring, &f.err), SEAL_DATA, SEAL_E_KEY_FILE, "1 keys are there");
	fixture_close(&f);
}

static void files_are_bound_to_name_and_keyring(void **state)
{
	struct keyring_key_info info;
	char from[128], to[128];
	struct fixture f, g;

	fixture_open(&f);
	fixture_open(&g);
	fixture_create(&f, "one", "hmac");
	fixture_create(&g, "two", "hmac");
	snprintf(from, sizeof(from), "%s/one.skey", f.ring);
	snprintf(to, sizeof(to), "%s/two.skey", f.ring);
	assert_int_equal(rename(from, to), 0);
	FAILS(&f, keyring_info(f.keyring, bytes_str("two"), &f.arena, &info, &f.err), SEAL_DATA, SEAL_E_KEY_FILE,
	      "file of key one");
	snprintf(from, sizeof(from), "%s/two.skey", g.ring);
	assert_int_equal(rename(from, to), 0);
	FAILS(&f, keyring_info(f.keyring, bytes_str("two"), &f.arena, &info, &f.err), SEAL_DATA, SEAL_E_KEY_FILE,
	      "another keyring");
	assert_non_null(strstr(f.err.place, "two.skey"));
	fixture_close(&f);
	fixture_close(&g);
}

static void unwrap_fails(struct fixture *f, const struct key_file *file)
{
	struct keyring_key_info info;
	struct key *key = NULL;

	OK(f, keyring_store(f->keyring, file, &f->err)); /* with a good code: whoever has the master key moved it */
	OK(f, keyring_info(f->keyring, bytes_str(file->name), &f->arena, &info, &f->err));
	FAILS(f, keyring_source.key(keyring_as_source(f->keyring), bytes_str(file->name), &key, &f->err), SEAL_DATA,
	      SEAL_E_KEY_FILE, "does not open");
	assert_non_null(strstr(f->err.place, ".skey"));
}

static void material_opens_in_its_place_only(void **state)
{
	struct key_file_version first;
	struct key_file file;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	OK(&f, keyring_rotate(f.keyring, bytes_str("k"), NULL, &f.err));
	OK(&f, keyring_load(f.keyring, "k", &file, NULL, NULL, &f.err));
	memcpy(file.name, "l", 2);
	unwrap_fails(&f, &file);
	memcpy(file.name, "k", 2);
	file.type = keyring_type_by_name(bytes_str("ff1"));
	unwrap_fails(&f, &file);
	file.type = keyring_type_by_name(bytes_str("aes256-gcm96"));
	first = file.versions[0];
	file.versions[0] = file.versions[1];
	file.versions[1] = first;
	unwrap_fails(&f, &file);
	key_file_clear(&file);
	fixture_close(&f);
}

/* A file size limit stands for a full disk: the write fails in the middle. */
static void a_failed_write_changes_nothing(void **state)
{
	struct rlimit old, small = {100, 100};
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	err_clear(&f.err);
	assert_int_equal(keyring_rotate(f.keyring, bytes_str("k"), NULL, &f.err), SEAL_FATAL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(f.err.code, SEAL_E_IO);
	assert_non_null(strstr(f.err.text, "k.skey"));
	info = info_of(&f, "k");
	assert_int_equal(info.latest_version, 1);
	fixture_close(&f);
}

/* Root may read everything, so another user must be asked. */
static void unreadable_files_say_so(void **state)
{
	struct fixture f;
	int status;
	pid_t pid;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	pid = fork();
	if (pid == 0) {
		struct keyring_key_info info;
		char path[128];
		bool good;

		snprintf(path, sizeof(path), "%s/k.skey", f.ring);
		if (geteuid() != 0)
			(void)!chmod(path, 0);
		else if (chmod(f.dir, 0755) != 0 || chmod(f.ring, 0755) != 0 || setuid(65534) != 0)
			_exit(2);
		good = keyring_info(f.keyring, bytes_str("k"), &f.arena, &info, &f.err) == SEAL_DENIED &&
		       f.err.code == SEAL_E_DENIED && strstr(f.err.text, "k.skey") != NULL;
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fixture_close(&f);
}

static void leftovers_of_killed_writers_go(void **state)
{
	char path[128];
	struct fixture f;

	fixture_open(&f);
	snprintf(path, sizeof(path), "%s/.k.skey.1.0.tmp", f.ring);
	fixture_write(path, "half", 4, 0600);
	fixture_create(&f, "k", "hmac");
	assert_int_equal(access(path, F_OK), -1);
	fixture_close(&f);
}

static void a_held_lock_is_busy(void **state)
{
	struct keyring_lock lock = KEYRING_LOCK_INIT, second = KEYRING_LOCK_INIT;
	uint64_t before = clock_mono_ms();
	struct fixture f;

	fixture_open(&f);
	OK(&f, keyring_lock(f.keyring->dirfd, f.ring, DEADLINE_NONE, &lock, &f.err));
	FAILS(&f, keyring_lock(f.keyring->dirfd, f.ring, clock_mono_ms() + 30, &second, &f.err), SEAL_RETRY,
	      SEAL_E_BUSY, "try again");
	assert_int_equal(second.fd, -1);
	assert_true(clock_mono_ms() - before < 5000);
	keyring_unlock(&lock);
	OK(&f, keyring_lock(f.keyring->dirfd, f.ring, DEADLINE_NONE, &second, &f.err));
	keyring_unlock(&second);
	fixture_close(&f);
}

static void versions_have_a_limit(void **state)
{
	struct key_file file;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	OK(&f, keyring_load(f.keyring, "k", &file, NULL, NULL, &f.err));
	while (file.n < KEY_VERSIONS_MAX) {
		struct key_file_version *v;

		OK(&f, key_file_add_version(&file, &v, &f.err));
	}
	for (uint32_t i = 1; i < file.n; i++)
		file.versions[i] = file.versions[0];
	OK(&f, keyring_store(f.keyring, &file, &f.err)); /* the largest file fits its limit */
	key_file_clear(&file);
	FAILS(&f, keyring_rotate(f.keyring, bytes_str("k"), NULL, &f.err), SEAL_DENIED, SEAL_E_LIMIT,
	      "10000 versions");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_a_rule),
		cmocka_unit_test(first_use_makes_a_keyring),
		cmocka_unit_test(no_two_keyrings_are_alike),
		cmocka_unit_test(each_material_has_its_nonce),
		cmocka_unit_test(the_default_place),
		cmocka_unit_test(life_of_a_key),
		cmocka_unit_test(minimums_follow_transit),
		cmocka_unit_test(deletion_must_be_allowed),
		cmocka_unit_test(material_comes_and_goes),
		cmocka_unit_test(master_key_files),
		cmocka_unit_test(passphrase_files),
		cmocka_unit_test(passphrases_have_limits),
		cmocka_unit_test(directories_of_others_are_refused),
		cmocka_unit_test(paths_that_cannot_be),
		cmocka_unit_test(a_key_file_without_end_is_damaged),
		cmocka_unit_test(a_lost_head_is_no_new_keyring),
		cmocka_unit_test(files_are_bound_to_name_and_keyring),
		cmocka_unit_test(material_opens_in_its_place_only),
		cmocka_unit_test(a_failed_write_changes_nothing),
		cmocka_unit_test(unreadable_files_say_so),
		cmocka_unit_test(leftovers_of_killed_writers_go),
		cmocka_unit_test(a_held_lock_is_busy),
		cmocka_unit_test(versions_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
