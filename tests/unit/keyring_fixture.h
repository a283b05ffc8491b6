/* A keyring in a directory of its own that goes away with the test, and lots of one message. */
#ifndef TESTS_KEYRING_FIXTURE_H
#define TESTS_KEYRING_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keys/keyring_impl.h"

struct fixture {
	char dir[64]; /* holds everything */
	char ring[80]; /* DIR/ring, the keyring */
	struct key_source_config config;
	struct keyring *keyring;
	struct arena arena;
	struct key_call call;
	struct seal_err err;
};

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

/* A directory, no keyring in it yet. */
static inline void fixture_dir(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "%s/sealkeysXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->ring, sizeof(f->ring), "%s/ring", f->dir);
	f->config = (struct key_source_config){.keyring_dir = f->ring, .create = true};
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = DEADLINE_NONE};
}

/* Fails the test with the error's text unless `status` is SEAL_OK. */
#define OK(f, status)                                                                                                \
	do {                                                                                                         \
		err_clear(&(f)->err);                                                                                \
		if ((status) != SEAL_OK)                                                                             \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, seal_code_name((f)->err.code), (f)->err.text); \
	} while (0)

/* `call` must fail with this status and code, and a text that has `part` in it. */
#define FAILS(f, call, want_status, want_code, part)                                                                 \
	do {                                                                                                         \
		err_clear(&(f)->err);                                                                                \
		assert_int_equal((call), (want_status));                                                             \
		assert_string_equal(seal_code_name((f)->err.code), seal_code_name(want_code));                       \
		if (strstr((f)->err.text, (part)) == NULL || strchr((f)->err.text, '\n') != NULL)                    \
			fail_msg("%s:%d: \"%s\" has no \"%s\"", __FILE__, __LINE__, (f)->err.text, (part));          \
	} while (0)

static inline void fixture_open(struct fixture *f)
{
	fixture_dir(f);
	OK(f, keyring_open(&f->config, &f->keyring, &f->err));
}

static inline void fixture_close(struct fixture *f)
{
	keyring_close(f->keyring);
	arena_clear(&f->arena);
	assert_int_equal(nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void fixture_write(const char *path, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline void fixture_create(struct fixture *f, const char *name, const char *type)
{
	OK(f, keyring_create(f->keyring, bytes_str(name), &(struct key_admin_new){.type = type}, &f->err));
}

/*
 * Who changes a keyring over and over leaves others little time for its lock; where disks are slow, they are told to try again. That is
 * what tests do that change one by several threads or processes.
 */
static inline bool fixture_is_busy(enum seal_status rc, const struct seal_err *err)
{
	return rc == SEAL_RETRY && err->code == SEAL_E_BUSY;
}

/* A rotation of `k`, whoever else has the lock. *version may be NULL. */
static inline enum seal_status fixture_rotate(struct keyring *keyring, uint32_t *version)
{
	struct seal_err err;
	enum seal_status rc;

	do {
		err_clear(&err);
		rc = keyring_rotate(keyring, BYTES_LIT("k"), version, &err);
	} while (fixture_is_busy(rc, &err));
	return rc;
}

/* The same of an encryption, which takes the lock where it counts. */
static inline enum seal_status fixture_encrypt(struct key_session *s, struct key_item *items, size_t n,
					       const struct key_call *call)
{
	struct seal_err err;
	enum seal_status rc;

	do {
		err_clear(&err);
		rc = s->ops->encrypt(s, items, n, call, &err);
	} while (fixture_is_busy(rc, &err));
	return rc;
}

static inline struct key *fixture_key(struct fixture *f, const char *name)
{
	struct key *key = NULL;

	OK(f, keyring_source.key(keyring_as_source(f->keyring), bytes_str(name), &key, &f->err));
	return key;
}

static inline struct key_session *fixture_session(struct fixture *f, struct key *key)
{
	struct key_session *session = NULL;

	OK(f, key->ops->session(key, &session, &f->err));
	return session;
}

/* The text of one message, or NULL with f->err set; in f->arena. */
static inline const char *encrypt_text(struct fixture *f, struct key_session *s, const char *plain, const char *aad)
{
	struct key_item item = {.in = bytes_str(plain), .aad = bytes_str(aad)};

	err_clear(&f->err);
	if (s->ops->encrypt(s, &item, 1, &f->call, &f->err) != SEAL_OK)
		return NULL;
	assert_null(item.err);
	return arena_strndup(&f->arena, (const char *)item.out.ptr, item.out.len);
}

/* The plaintext of one text, or NULL with f->err set from the call or the item. */
static inline const char *decrypt_text(struct fixture *f, struct key_session *s, const char *text, const char *aad)
{
	struct key_item item = {.in = bytes_str(text), .aad = bytes_str(aad)};

	err_clear(&f->err);
	if (s->ops->decrypt(s, &item, 1, &f->call, &f->err) != SEAL_OK)
		return NULL;
	if (item.err != NULL) {
		assert_int_equal(item.out.len, 0);
		f->err = *item.err;
		return NULL;
	}
	return arena_strndup(&f->arena, (const char *)item.out.ptr, item.out.len);
}

#endif
