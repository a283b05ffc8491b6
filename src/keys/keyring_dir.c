/*
 * The keyring's directory. Nothing here knows of keys' contents.
 *
 * Invariant: whoever writes holds the flock of DIR/lock. It belongs to an open file description of its own, so that
 * it works between threads as well as between processes, and the kernel drops it when its holder dies.
 */
#include "keys/keyring_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "keys/keyring_impl.h"

#define UNDER_HOME "/.local/share/sealstream/keyring"
#define UNDER_XDG "/sealstream/keyring"

enum seal_status keyring_dir_path(const char *given, char **out, struct seal_err *err)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME"), *base = given, *rest = "";
	size_t size;

	if (base == NULL && xdg != NULL && xdg[0] == '/') {
		base = xdg;
		rest = UNDER_XDG;
	} else if (base == NULL && home != NULL && home[0] == '/') {
		base = home;
		rest = UNDER_HOME;
	}
	if (base == NULL || base[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "no place for the keyring: HOME is not set; name a directory (--keyring)");
	size = strlen(base) + strlen(rest) + 1;
	if (size > PATH_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the keyring's path is too long");
	*out = mem_alloc(size);
	if (*out == NULL)
		return err_memory(err);
	snprintf(*out, size, "%s%s", base, rest);
	return SEAL_OK;
}

static bool is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool empty = dir != NULL;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir != NULL)
		closedir(dir);
	return empty;
}

static enum seal_status check_mode(int fd, const char *path, bool create, struct seal_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot examine %s", path);
	if ((st.st_mode & 077) == 0 || (create && is_empty(fd) && fchmod(fd, 0700) == 0))
		return SEAL_OK;
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "keyring %s is open to others (mode %03o); take it away from them with `chmod 700`", path,
		       (unsigned)st.st_mode & 0777);
}

enum seal_status keyring_dir_open(const char *path, bool create, int *fd, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT && create) {
		SEAL_TRY(file_make_dirs(path, err));
		*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (*fd < 0 && errno == ENOENT) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT,
			     "no keyring at %s; `sealstream key create NAME` makes one, --keyring names another",
			     path);
		goto out;
	}
	if (*fd < 0) {
		bool denied = errno == EACCES || errno == EPERM;

		rc = err_set_errno(err, denied ? SEAL_DENIED : SEAL_USAGE, denied ? SEAL_E_DENIED : SEAL_E_NO_INPUT,
				   errno, "cannot open the keyring %s", path);
		goto out;
	}
	SEAL_TRY(check_mode(*fd, path, create, err));
out:
	if (rc != SEAL_OK && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

/* The part before KEY_SUFFIX, or an empty view when this is no key file. */
static struct seal_bytes key_of(const char *file)
{
	struct seal_bytes name = bytes_str(file);
	size_t suffix = strlen(KEY_SUFFIX);

	if (name.len <= suffix || strcmp(file + name.len - suffix, KEY_SUFFIX) != 0)
		return BYTES_EMPTY;
	name.len -= suffix;
	return key_name_valid(name) ? name : BYTES_EMPTY;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct name_node {
	struct name_node *next;
	const char *name;
};

static enum seal_status collect(DIR *dir, struct arena *arena, struct name_node **list, size_t *n,
				struct seal_err *err)
{
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		struct seal_bytes name = key_of(entry->d_name);
		struct name_node *node;

		if (name.len == 0)
			continue;
		node = ARENA_NEW(arena, struct name_node);
		if (node == NULL)
			return err_memory(err);
		node->name = arena_strndup(arena, (const char *)name.ptr, name.len);
		if (node->name == NULL)
			return err_memory(err);
		node->next = *list;
		*list = node;
		(*n)++;
	}
	return SEAL_OK;
}

enum seal_status keyring_dir_names(int dirfd, const char *path, struct arena *arena, const char *const **out,
				   size_t *n, struct seal_err *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct name_node *list = NULL;
	const char **names;
	enum seal_status rc;

	*n = 0;
	if (dir == NULL) {
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot list the keyring %s", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	SEAL_TRY(collect(dir, arena, &list, n, err));
	names = arena_alloc(arena, (*n + 1) * sizeof(*names), _Alignof(const char *));
	if (names == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (size_t i = 0; list != NULL; list = list->next)
		names[i++] = list->name;
	names[*n] = NULL;
	qsort(names, *n, sizeof(*names), by_text);
	*out = names;
out:
	closedir(dir);
	return rc;
}

/* file_replace_at's temporary files are ".NAME.PID.N.tmp"; a killed writer leaves one. */
static bool is_leftover(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

void keyring_dir_sweep(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL && fd >= 0)
		close(fd);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (is_leftover(entry->d_name))
			(void)unlinkat(dirfd, entry->d_name, 0);
	closedir(dir);
}

enum seal_status keyring_lock(int dirfd, const char *path, uint64_t deadline_ms, struct keyring_lock *lock,
			      struct seal_err *err)
{
	uint64_t now = clock_mono_ms(), limit = now + LOCK_WAIT_MS;
	struct timespec pause = {0, 1000000};

	lock->fd = openat(dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock->fd < 0) {
		bool denied = errno == EACCES || errno == EPERM || errno == EROFS;

		return err_set_errno(err, denied ? SEAL_DENIED : SEAL_FATAL, denied ? SEAL_E_DENIED : SEAL_E_CREATE,
				     errno, "cannot lock the keyring %s for a change", path);
	}
	if (deadline_ms < limit)
		limit = deadline_ms;
	while (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			enum seal_status rc =
				err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot lock the keyring %s", path);

			keyring_unlock(lock);
			return rc;
		}
		if (clock_mono_ms() >= limit) {
			keyring_unlock(lock);
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
				       "another process has held the lock of keyring %s for too long; try again",
				       path);
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 16000000)
			pause.tv_nsec *= 2;
	}
	keyring_dir_sweep(dirfd);
	return SEAL_OK;
}

void keyring_unlock(struct keyring_lock *lock)
{
	if (lock->fd >= 0) {
		/* Not by close alone: a child of fork() may hold the same description. */
		(void)flock(lock->fd, LOCK_UN);
		close(lock->fd);
	}
	lock->fd = -1;
}
