/*
 * Opening a keyring, and the one way to read and write a key's file.
 *
 *   open:   directory ▶ head ▶ master key ▶ derived keys ▶ check value
 *   change: lock ▶ load ▶ edit ▶ store ▶ unlock          (keyring_admin.c, keyring_key.c)
 *   read:   load, without the lock: a rename replaces files whole
 *
 * Invariant: a key_file that came from keyring_load has been authenticated and carries the name it was asked for.
 */
#include "keys/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "keys/keyring_dir.h"
#include "keys/keyring_impl.h"
#include "keys/keyring_master.h"

/* Reads `name` of the keyring; SEAL_USAGE/SEAL_E_NO_INPUT when it is not there. With `keep` the file stays open. */
static enum seal_status read_file(int dirfd, const char *dir, const char *name, struct seal_buf *out, int *keep,
				  struct seal_err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_MAX];
	enum seal_status rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (fd < 0 && errno == ENOENT)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot open %s", path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno,
				     "cannot open %s; it must be readable for this user", path);
	if (fd < 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot open %s", path);
	rc = file_read_fd(fd, path, out, err);
	if (rc == SEAL_DATA) {
		err_clear(err);
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "%s is damaged (too long); restore it from a backup of the keyring", path);
	}
	if (rc == SEAL_OK && keep != NULL)
		*keep = fd;
	else
		close(fd);
	return rc;
}

static enum seal_status read_head(const struct keyring *k, struct keyring_head *head, struct seal_err *err)
{
	struct seal_buf bytes = BUF_INIT(4096);
	enum seal_status rc;

	SEAL_TRY(read_file(k->dirfd, k->path, HEAD_FILE, &bytes, NULL, err));
	SEAL_TRY(keyring_head_parse(buf_bytes(&bytes), head, err));
out:
	if (rc == SEAL_DATA)
		err_place(err, "%s/%s", k->path, HEAD_FILE);
	buf_clear(&bytes);
	return rc;
}

/* A head that is gone while keys are there is a loss to be told, not a new keyring. */
static enum seal_status refuse_orphans(const struct keyring *k, struct seal_err *err)
{
	const char *const *names;
	struct arena arena;
	enum seal_status rc;
	size_t n;

	arena_init(&arena, 0);
	rc = keyring_dir_names(k->dirfd, k->path, &arena, &names, &n, err);
	if (rc == SEAL_OK && n > 0)
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "%s/" HEAD_FILE
			     " is missing but %zu keys are there; restore it from a backup of the keyring",
			     k->path, n);
	arena_clear(&arena);
	return rc;
}

static enum seal_status write_head(struct keyring *k, struct keyring_head *head, struct seal_err *err)
{
	uint8_t bytes[KEYRING_HEAD_LEN];
	char path[PATH_MAX];
	enum seal_status rc;

	SEAL_TRY(keyring_check_value(&k->keys, head, head->check, err));
	SEAL_TRY(keyring_head_write(head, bytes, err));
	snprintf(path, sizeof(path), "%s/" HEAD_FILE, k->path);
	SEAL_TRY(file_replace_at(k->dirfd, HEAD_FILE, bytes_of(bytes, sizeof(bytes)), 0600, path, err));
out:
	return rc;
}

/* The lock is held and there is no head. The master key is durable before the head that needs it. */
static enum seal_status make(struct keyring *k, const struct key_source_config *config, struct seal_err *err)
{
	struct keyring_head head = {.created_ms = (uint64_t)clock_unix_ms()};
	struct secret master = SECRET_INIT;
	enum seal_status rc;
	bool beside;

	SEAL_TRY(refuse_orphans(k, err));
	SEAL_TRY(random_bytes(head.id, sizeof(head.id), err));
	SEAL_TRY(master_make(config, k->dirfd, k->path, &head, &master, &beside, err));
	SEAL_TRY(keyring_keys_derive(secret_bytes(&master), head.id, &k->keys, err));
	if (beside) {
		size_t size = strlen(k->path) + sizeof("/" MASTER_FILE);

		k->master_made = mem_alloc(size);
		if (k->master_made == NULL) {
			rc = err_memory(err);
			goto out;
		}
		snprintf(k->master_made, size, "%s/" MASTER_FILE, k->path);
	}
	SEAL_TRY(write_head(k, &head, err));
out:
	secret_clear(&master);
	return rc;
}

static enum seal_status unlock_keys(struct keyring *k, const struct key_source_config *config, struct seal_err *err)
{
	uint8_t check[KEYRING_CHECK_LEN];
	struct secret master = SECRET_INIT;
	struct keyring_head head;
	enum seal_status rc;

	SEAL_TRY(read_head(k, &head, err));
	SEAL_TRY(master_load(config, k->path, &head, &master, err));
	SEAL_TRY(keyring_keys_derive(secret_bytes(&master), head.id, &k->keys, err));
	SEAL_TRY(keyring_check_value(&k->keys, &head, check, err));
	if (!ct_equal(check, head.check, sizeof(check)))
		rc = err_set(err, SEAL_DENIED, SEAL_E_MASTER, "this is not the master key of keyring %s; give the %s",
			     k->path,
			     head.kdf == KEYRING_SCRYPT ? "passphrase it was made with"
							: "key file it was made with (--master-key-file)");
out:
	secret_clear(&master);
	return rc;
}

static enum seal_status make_or_unlock(struct keyring *k, const struct key_source_config *config,
				       struct seal_err *err)
{
	struct keyring_lock lock = KEYRING_LOCK_INIT;
	enum seal_status rc;

	if (faccessat(k->dirfd, HEAD_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return unlock_keys(k, config, err);
	if (!config->create) {
		rc = refuse_orphans(k, err);
		return rc != SEAL_OK ? rc
				     : err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT,
					       "no keyring in %s; `sealstream key create NAME` makes one", k->path);
	}
	SEAL_TRY(keyring_lock(k->dirfd, k->path, UINT64_MAX, &lock, err));
	if (faccessat(k->dirfd, HEAD_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		SEAL_TRY(unlock_keys(k, config, err)); /* another process was faster */
	else
		SEAL_TRY(make(k, config, err));
out:
	keyring_unlock(&lock);
	return rc;
}

enum seal_status keyring_open(const struct key_source_config *config, struct keyring **out, struct seal_err *err)
{
	struct keyring *k = mem_calloc(1, sizeof(*k));
	enum seal_status rc;

	*out = NULL;
	if (k == NULL)
		return err_memory(err);
	k->source.ops = &keyring_source;
	k->dirfd = -1;
	SEAL_TRY(master_config_check(config, err));
	SEAL_TRY(keyring_dir_path(config->keyring_dir, &k->path, err));
	SEAL_TRY(keyring_dir_open(k->path, config->create, &k->dirfd, err));
	SEAL_TRY(make_or_unlock(k, config, err));
	*out = k;
out:
	if (rc != SEAL_OK)
		keyring_close(k);
	return rc;
}

void keyring_close(struct keyring *k)
{
	if (k == NULL)
		return;
	keyring_keys_clear(&k->keys);
	if (k->dirfd >= 0)
		close(k->dirfd);
	mem_free(k->master_made);
	mem_free(k->path);
	mem_free(k);
}

const char *keyring_path(const struct keyring *k)
{
	return k->path;
}

const char *keyring_master_made(const struct keyring *k)
{
	return k->master_made;
}

struct key_source *keyring_as_source(struct keyring *k)
{
	return &k->source;
}

void keyring_file_name(const char *name, char out[KEY_FILE_NAME_MAX])
{
	snprintf(out, KEY_FILE_NAME_MAX, "%s" KEY_SUFFIX, name);
}

enum seal_status keyring_name(struct seal_bytes name, char out[KEY_NAME_MAX + 1], struct seal_err *err)
{
	if (!key_name_valid(name))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "not a key name; it has " KEY_NAME_RULE);
	memcpy(out, name.ptr, name.len);
	out[name.len] = '\0';
	return SEAL_OK;
}

static enum seal_status fail_unknown(const struct keyring *k, const char *name, struct seal_err *err)
{
	const char *const *names = NULL;
	const char *nearest = NULL;
	struct arena arena;
	enum seal_status rc;
	size_t n;

	arena_init(&arena, 0);
	if (keyring_dir_names(k->dirfd, k->path, &arena, &names, &n, NULL) == SEAL_OK)
		nearest = word_nearest(names, bytes_str(name));
	if (nearest != NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "no key %s in keyring %s; did you mean %s?", name,
			     k->path, nearest);
	else
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
			     "no key %s in keyring %s; `sealstream key create %s` makes it (for fpe with --type ff1, "
			     "for hash with --type hmac, for deterministic with --convergent)",
			     name, k->path, name);
	arena_clear(&arena);
	return rc;
}

static enum seal_status check_file(const struct keyring *k, const char *name, const struct key_file *file,
				   struct seal_bytes signed_part, struct seal_bytes mac, struct seal_err *err)
{
	uint8_t expected[KEY_FILE_MAC_LEN];
	enum seal_status rc;

	SEAL_TRY(keyring_file_mac(&k->keys, signed_part, expected, err));
	if (!ct_equal(expected, mac.ptr, sizeof(expected)))
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "the key file is damaged, was edited, or belongs to another keyring; restore it from a "
			     "backup of this keyring");
	else if (strcmp(file->name, name) != 0)
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "this is the file of key %s under another name; give it its name back", file->name);
out:
	return rc;
}

enum seal_status keyring_load(const struct keyring *k, const char *name, struct key_file *file, int *keep,
			      struct stat *st, struct seal_err *err)
{
	struct seal_buf bytes = BUF_INIT(KEY_FILE_BYTES_MAX);
	struct seal_bytes signed_part, mac;
	char file_name[KEY_FILE_NAME_MAX];
	enum seal_status rc;
	int fd = -1;

	memset(file, 0, sizeof(*file));
	keyring_file_name(name, file_name);
	rc = read_file(k->dirfd, k->path, file_name, &bytes, &fd, err);
	if (rc == SEAL_USAGE) {
		err_clear(err);
		rc = fail_unknown(k, name, err);
	}
	if (rc != SEAL_OK)
		goto out;
	SEAL_TRY(key_file_parse(buf_bytes(&bytes), file, &signed_part, &mac, err));
	SEAL_TRY(check_file(k, name, file, signed_part, mac, err));
	if (st != NULL && fstat(fd, st) != 0)
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot examine %s/%s", k->path, file_name);
out:
	if (rc == SEAL_DATA)
		err_place(err, "%s/%s", k->path, file_name);
	if (rc == SEAL_OK && keep != NULL)
		*keep = fd;
	else if (fd >= 0)
		close(fd);
	if (rc != SEAL_OK)
		key_file_clear(file);
	buf_clear(&bytes);
	return rc;
}

enum seal_status keyring_store(const struct keyring *k, const struct key_file *file, struct seal_err *err)
{
	struct seal_buf bytes = BUF_INIT(KEY_FILE_BYTES_MAX);
	char name[KEY_FILE_NAME_MAX], path[PATH_MAX];
	uint8_t mac[KEY_FILE_MAC_LEN];
	enum seal_status rc;

	keyring_file_name(file->name, name);
	snprintf(path, sizeof(path), "%s/%s", k->path, name);
	SEAL_TRY(key_file_write(file, &bytes, err));
	SEAL_TRY(keyring_file_mac(&k->keys, buf_bytes(&bytes), mac, err));
	SEAL_TRY(buf_append(&bytes, bytes_of(mac, sizeof(mac)), err));
	SEAL_TRY(file_replace_at(k->dirfd, name, buf_bytes(&bytes), 0600, path, err));
out:
	buf_clear(&bytes);
	return rc;
}
