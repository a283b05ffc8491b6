/* The keyring's inside: what its own files (and tests that craft key files) share. */
#ifndef KEYS_KEYRING_IMPL_H
#define KEYS_KEYRING_IMPL_H

#include <sys/stat.h>

#include "keys/keyring.h"
#include "keys/keyring_wrap.h"

#define HEAD_FILE "keyring.head"
#define LOCK_FILE "lock"
#define KEY_SUFFIX ".skey"
#define LOCK_WAIT_MS 10000

/* Immutable once open. */
struct keyring {
	struct key_source source; /* first: keyring_as_source */
	char *path;
	char *master_made;
	int dirfd;
	struct keyring_keys keys;
};

/* The lock of the whole directory, between threads and processes. Waits up to `deadline_ms` and LOCK_WAIT_MS. */
struct keyring_lock {
	int fd;
};

#define KEYRING_LOCK_INIT                                                                                            \
	{                                                                                                            \
		-1                                                                                                   \
	}

SEAL_MUST_USE enum seal_status keyring_lock(int dirfd, const char *path, uint64_t deadline_ms,
					    struct keyring_lock *lock, struct seal_err *err);
/* Accepts a lock that was never taken. */
void keyring_unlock(struct keyring_lock *lock);

/* "NAME.skey" in `out`. */
#define KEY_FILE_NAME_MAX (KEY_NAME_MAX + sizeof(KEY_SUFFIX))
void keyring_file_name(const char *name, char out[KEY_FILE_NAME_MAX]);

/* Checks the name and makes it NUL-terminated. */
SEAL_MUST_USE enum seal_status keyring_name(struct seal_bytes name, char out[KEY_NAME_MAX + 1], struct seal_err *err);

/*
 * Reads, authenticates and parses a key's file. With `keep` and `st` (both or neither NULL) the file stays open at *keep
 * and *st says which one it was. SEAL_E_KEY_UNKNOWN names the nearest key.
 */
SEAL_MUST_USE enum seal_status keyring_load(const struct keyring *keyring, const char *name, struct key_file *file,
					    int *keep, struct stat *st, struct seal_err *err);
/* Writes it back, durable on return. The caller holds the lock. */
SEAL_MUST_USE enum seal_status keyring_store(const struct keyring *keyring, const struct key_file *file,
					     struct seal_err *err);
/* Adds a version with fresh material to `file`. */
SEAL_MUST_USE enum seal_status keyring_add_fresh(const struct keyring *keyring, struct key_file *file,
						 struct seal_err *err);

/* One key of the source (keyring_key.c). */
SEAL_MUST_USE enum seal_status keyring_key_open(struct key_source *source, struct seal_bytes name, struct key **out,
						struct seal_err *err);

#endif
