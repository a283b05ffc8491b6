/* The directory of a keyring: finding it, making it, its lock and its listing. */
#ifndef KEYS_KEYRING_DIR_H
#define KEYS_KEYRING_DIR_H

#include "base/arena.h"
#include "base/err.h"

/* `given`, or $XDG_DATA_HOME/sealstream/keyring, or ~/.local/share/sealstream/keyring. From mem_alloc. */
SEAL_MUST_USE enum seal_status keyring_dir_path(const char *given, char **out, struct seal_err *err);

/*
 * Opens the directory; with `create` makes it (mode 0700) and its parents, and takes an empty one away from others. One
 * that others may enter is refused otherwise: SEAL_E_DENIED. SEAL_E_NO_INPUT when it is not there.
 */
SEAL_MUST_USE enum seal_status keyring_dir_open(const char *path, bool create, int *fd, struct seal_err *err);

/* The names of keys, sorted, ended by NULL. */
SEAL_MUST_USE enum seal_status keyring_dir_names(int dirfd, const char *path, struct arena *arena,
						 const char *const **out, size_t *n, struct seal_err *err);

/* Removes the temporary files that killed writers left. The caller holds the lock, so nobody is writing. */
void keyring_dir_sweep(int dirfd);

#endif
