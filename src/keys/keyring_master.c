/*
 * Master keys. Invariant: their bytes are read straight into secret memory, never through a buffer of another kind.
 */
#include "keys/keyring_master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret_file.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "keys/keyring.h"

/* 128 * N * r = 128 MiB: the cost OWASP names for interactive use. */
#define SCRYPT_R 8
#define SCRYPT_P 1
#define LINE_END_MAX 2 /* CR LF behind a passphrase */
static unsigned scrypt_log2_n = 17;

void master_scrypt_cost(unsigned log2_n)
{
	SEAL_INVARIANT(log2_n >= SCRYPT_LOG2_N_MIN && log2_n <= SCRYPT_LOG2_N_MAX);
	scrypt_log2_n = log2_n;
}

enum seal_status master_config_check(const struct key_source_config *config, struct seal_err *err)
{
	if (config->master_key_file != NULL && config->passphrase_file != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "both a master key file and a passphrase file are given; give one of them");
	return SEAL_OK;
}

static enum seal_status raw_file(const char *path, struct secret *out, struct seal_err *err)
{
	enum seal_status rc = secret_read_file(path, MASTER_LEN + 1, true, out, err);

	if (rc == SEAL_OK && out->len == MASTER_LEN)
		return SEAL_OK;
	if (rc == SEAL_OK || rc == SEAL_DATA) {
		err_clear(err);
		rc = err_set(err, SEAL_DENIED, SEAL_E_MASTER,
			     "%s is not a master key; it must hold exactly %d raw bytes (`head -c 32 /dev/urandom`)",
			     path, MASTER_LEN);
	}
	secret_clear(out);
	return rc;
}

/* The file without one line end, if it has one. */
static enum seal_status passphrase(const char *path, struct secret *out, struct seal_err *err)
{
	struct secret all = SECRET_INIT;
	struct seal_bytes text;
	enum seal_status rc;

	SEAL_TRY(secret_read_file(path, PASSPHRASE_MAX + LINE_END_MAX, true, &all, err));
	text = secret_bytes(&all);
	if (text.ptr[text.len - 1] == '\n') {
		text.len--;
		if (text.len > 0 && text.ptr[text.len - 1] == '\r')
			text.len--;
	}
	if (text.len < PASSPHRASE_MIN || text.len > PASSPHRASE_MAX) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_MASTER, "the passphrase in %s is %s than %d bytes", path,
			     text.len < PASSPHRASE_MIN ? "shorter" : "longer",
			     text.len < PASSPHRASE_MIN ? PASSPHRASE_MIN : PASSPHRASE_MAX);
		goto out;
	}
	SEAL_TRY(secret_copy(out, text, err));
out:
	secret_clear(&all);
	return rc;
}

static enum seal_status from_passphrase(const char *path, const struct keyring_head *head, struct secret *out,
					struct seal_err *err)
{
	struct secret phrase = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(passphrase(path, &phrase, err));
	SEAL_TRY(scrypt_derive(secret_bytes(&phrase), bytes_of(head->salt, KEYRING_SALT_LEN), head->log2_n, head->r,
			       head->p, MASTER_LEN, out, err));
out:
	secret_clear(&phrase);
	return rc;
}

static enum seal_status default_path(const char *dir, char out[PATH_MAX], struct seal_err *err)
{
	if (snprintf(out, PATH_MAX, "%s/" MASTER_FILE, dir) >= PATH_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the keyring's path is too long");
	return SEAL_OK;
}

enum seal_status master_load(const struct key_source_config *config, const char *dir, const struct keyring_head *head,
			     struct secret *out, struct seal_err *err)
{
	char path[PATH_MAX];
	enum seal_status rc;

	if (head->kdf == KEYRING_SCRYPT && config->passphrase_file == NULL)
		return err_set(err, SEAL_DENIED, SEAL_E_MASTER,
			       "keyring %s opens with a passphrase; name its file (--passphrase-file)", dir);
	if (head->kdf == KEYRING_SCRYPT)
		return from_passphrase(config->passphrase_file, head, out, err);
	if (config->passphrase_file != NULL)
		return err_set(err, SEAL_DENIED, SEAL_E_MASTER,
			       "keyring %s opens with a master key file, not with a passphrase (--master-key-file)",
			       dir);
	if (config->master_key_file != NULL)
		return raw_file(config->master_key_file, out, err);
	rc = default_path(dir, path, err);
	if (rc != SEAL_OK)
		return rc;
	rc = raw_file(path, out, err);
	if (rc == SEAL_USAGE) {
		err_clear(err);
		return err_set(
			err, SEAL_DENIED, SEAL_E_MASTER,
			"%s is not there; name the master key (--master-key-file) or restore it from its backup",
			path);
	}
	return rc;
}

static enum seal_status make_file(int dirfd, const char *path, struct secret *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(secret_alloc(out, MASTER_LEN, err));
	SEAL_TRY(random_bytes(out->ptr, MASTER_LEN, err));
	SEAL_TRY(file_replace_at(dirfd, MASTER_FILE, secret_bytes(out), 0600, path, err));
out:
	if (rc != SEAL_OK)
		secret_clear(out);
	return rc;
}

enum seal_status master_make(const struct key_source_config *config, int dirfd, const char *dir,
			     struct keyring_head *head, struct secret *out, bool *beside, struct seal_err *err)
{
	char path[PATH_MAX];
	enum seal_status rc;

	head->kdf = config->passphrase_file != NULL ? KEYRING_SCRYPT : KEYRING_RAW;
	*beside = head->kdf == KEYRING_RAW && config->master_key_file == NULL;
	if (head->kdf == KEYRING_SCRYPT) {
		head->log2_n = (uint8_t)scrypt_log2_n;
		head->r = SCRYPT_R;
		head->p = SCRYPT_P;
		SEAL_TRY(random_bytes(head->salt, sizeof(head->salt), err));
	}
	SEAL_TRY(default_path(dir, path, err));
	if (*beside && faccessat(dirfd, MASTER_FILE, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		SEAL_TRY(make_file(dirfd, path, out, err));
	else
		SEAL_TRY(master_load(config, dir, head, out, err));
out:
	return rc;
}
