/* keyring: every allocation may fail; the keyring on disk stays whole and usable. */
#include "../unit/keyring_fixture.h"

#include "keys/keyring_master.h"
#include "keys/proof.h"
#include "oom.h"

static enum seal_status open_work(void *arg, struct seal_err *err)
{
	struct fixture *f = arg;
	struct keyring *k = NULL;
	enum seal_status rc = keyring_open(&f->config, &k, err);

	keyring_close(k);
	return rc;
}

/* A first use, each time in a directory that is not there yet. */
static enum seal_status make_work(void *arg, struct seal_err *err)
{
	struct fixture *f = arg;

	nftw(f->ring, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return open_work(f, err);
}

static void opening(void **state)
{
	struct fixture f;
	char path[100];

	fixture_dir(&f);
	assert_true(oom_each(make_work, &f) > 5);
	OK(&f, open_work(&f, &f.err));
	assert_true(oom_each(open_work, &f) > 3);
	nftw(f.ring, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	master_scrypt_cost(SCRYPT_LOG2_N_MIN);
	snprintf(path, sizeof(path), "%s/phrase", f.dir);
	fixture_write(path, "correct horse", 13, 0600);
	f.config.passphrase_file = path;
	assert_true(oom_each(make_work, &f) > 5);
	fixture_close(&f);
}

static enum seal_status change_work(void *arg, struct seal_err *err)
{
	static const struct key_admin_new how = {.type = "aes128-gcm96", .exportable = true};
	static const uint8_t material[16] = {7};
	struct keyring_change c = {.mask = KEYRING_SET_DELETION_ALLOWED, .deletion_allowed = true};
	struct secret out = SECRET_INIT;
	struct fixture *f = arg;
	struct keyring_key_info info;
	const char *const *names;
	struct seal_bytes name = BYTES_LIT("new");
	enum seal_status rc;
	size_t n;

	/* What an attempt before this one left. */
	rc = keyring_configure(f->keyring, name, &c, err);
	if (rc == SEAL_OK)
		rc = keyring_destroy(f->keyring, name, err);
	else if (rc == SEAL_USAGE && err->code == SEAL_E_KEY_UNKNOWN)
		rc = SEAL_OK;
	if (rc != SEAL_OK)
		goto out;
	err_clear(err);
	SEAL_TRY(keyring_create(f->keyring, name, &how, err));
	SEAL_TRY(keyring_rotate(f->keyring, name, NULL, err));
	SEAL_TRY(keyring_import(f->keyring, name, &how, bytes_of(material, 16), NULL, err));
	SEAL_TRY(keyring_names(f->keyring, &f->arena, &names, &n, err));
	SEAL_TRY(keyring_info(f->keyring, name, &f->arena, &info, err));
	SEAL_TRY(keyring_export(f->keyring, name, 3, &out, NULL, err));
	assert_int_equal(out.len, 16);
out:
	secret_clear(&out);
	arena_reset(&f->arena);
	return rc;
}

static void changing(void **state)
{
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	f.arena.keep = 0;
	assert_true(oom_each(change_work, &f) > 20);
	OK(&f, change_work(&f, &f.err));
	OK(&f, keyring_info(f.keyring, BYTES_LIT("new"), &f.arena, &info, &f.err));
	assert_int_equal(info.latest_version, 3);
	fixture_close(&f);
}

/* A key used both ways by a new session. Items that fail alone for want of memory count as failures of the work. */
static struct seal_bytes used = {(const uint8_t *)"k", 1}; /* the key's name */

static enum seal_status use_work(void *arg, struct seal_err *err)
{
	struct key_item items[70] = {0};
	struct key_session *s = NULL;
	struct fixture *f = arg;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(keyring_source.key(keyring_as_source(f->keyring), used, &key, err));
	SEAL_TRY(key->ops->session(key, &s, err));
	for (int i = 0; i < 70; i++) {
		items[i].in = BYTES_LIT("some plaintext");
		items[i].aad = bytes_of("abc", (size_t)(1 + i % 3));
	}
	SEAL_TRY(s->ops->encrypt(s, items, 70, &f->call, err));
	for (int i = 0; i < 70; i++)
		items[i].in = i == 69 ? BYTES_LIT("vault:v9:AAAA") : items[i].out;
	SEAL_TRY(s->ops->decrypt(s, items, 70, &f->call, err));
	for (int i = 0; i < 69; i++)
		assert_true(items[i].err == NULL && bytes_eq_str(items[i].out, "some plaintext"));
	assert_non_null(items[69].err);
	if (items[69].err->code == SEAL_E_MEMORY)
		rc = err_memory(err);
out:
	for (int i = 0; rc != SEAL_OK && s != NULL && i < 69; i++)
		assert_true(items[i].out.len == 0 || items[i].out.ptr != items[i].in.ptr);
	mem_set_hook(NULL, NULL); /* giving back the rest of the block is allowed to fail: see closing() */
	if (s != NULL)
		s->ops->free(s);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&f->arena);
	return rc;
}

/* Rewrapping and a data key. */
static enum seal_status renew_work(void *arg, struct seal_err *err)
{
	struct key_item item = {.in = BYTES_LIT("vault:v1:AAAA"), .aad = BYTES_LIT("a")};
	struct seal_bytes wrapped = BYTES_EMPTY;
	struct secret plain = SECRET_INIT;
	struct key_session *s = NULL;
	struct fixture *f = arg;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(keyring_source.key(keyring_as_source(f->keyring), used, &key, err));
	SEAL_TRY(key->ops->session(key, &s, err));
	SEAL_TRY(s->ops->data_key(s, 32, item.aad, &plain, &wrapped, &f->call, err));
	assert_int_equal(plain.len, 32);
	item.in = BYTES_LIT("nothing of ours");
	SEAL_TRY(s->ops->rewrap(s, &item, 1, &f->call, err));
	assert_non_null(item.err);
	if (item.err->code == SEAL_E_MEMORY)
		rc = err_memory(err);
out:
	if (rc != SEAL_OK && wrapped.len == 0)
		assert_null(plain.ptr);
	secret_clear(&plain);
	if (s != NULL)
		s->ops->free(s);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&f->arena);
	return rc;
}

static enum seal_status prove_work(void *arg, struct seal_err *err)
{
	struct key_material m = {"xchacha20-poly1305", true, true, 1, BYTES_EMPTY};
	struct secret material = SECRET_INIT;
	struct fixture *f = arg;
	enum seal_status rc;

	SEAL_TRY(keyring_export(f->keyring, used, 1, &material, NULL, err));
	m.bytes = secret_bytes(&material);
	SEAL_TRY(key_prove(keyring_as_source(f->keyring), used, &m, DEADLINE_NONE, err));
out:
	secret_clear(&material);
	return rc;
}

static enum seal_status hmac_work(void *arg, struct seal_err *err)
{
	struct key_item item = {.in = BYTES_LIT("message")};
	struct key_session *s = NULL;
	struct fixture *f = arg;
	struct key *key = NULL;
	enum seal_status rc;

	SEAL_TRY(keyring_source.key(keyring_as_source(f->keyring), BYTES_LIT("h"), &key, err));
	SEAL_TRY(key->ops->session(key, &s, err));
	SEAL_TRY(s->ops->hmac(s, 1, &item, 1, &f->call, err));
	assert_int_equal(item.out.len, 32);
out:
	assert_true(rc == SEAL_OK || item.out.len == 0);
	if (s != NULL)
		s->ops->free(s);
	if (key != NULL)
		key->ops->free(key);
	arena_clear(&f->arena);
	return rc;
}

static void using(void **state)
{
	static const struct key_admin_new derived = {
		.type = "xchacha20-poly1305", .derived = true, .convergent = true, .exportable = true};
	struct fixture f;

	fixture_open(&f);
	arena_clear(&f.arena);
	arena_init(&f.arena, 0);
	fixture_create(&f, "k", "aes256-gcm96");
	fixture_create(&f, "h", "hmac");
	assert_true(oom_each(use_work, &f) > 10);
	OK(&f, keyring_create(f.keyring, BYTES_LIT("d"), &derived, &f.err));
	used = BYTES_LIT("d");
	assert_true(oom_each(use_work, &f) > 20);
	assert_true(oom_each(renew_work, &f) > 20);
	assert_true(oom_each(prove_work, &f) > 10);
	assert_true(oom_each(hmac_work, &f) > 5);
	fixture_close(&f);
}

static bool refuse(void *arg, size_t size)
{
	return false;
}

/* A key that cannot give back its block leaves the count too high, never too low. */
static void closing(void **state)
{
	struct keyring_key_info info;
	struct key_session *s;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	key = fixture_key(&f, "k");
	s = fixture_session(&f, key);
	assert_non_null(encrypt_text(&f, s, "a", ""));
	s->ops->free(s);
	mem_set_hook(refuse, NULL);
	key->ops->free(key);
	mem_set_hook(NULL, NULL);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	assert_int_equal(info.versions[0].uses, KEYRING_USES_BLOCK);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(changing),
		cmocka_unit_test(using),
		cmocka_unit_test(closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
