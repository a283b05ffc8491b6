/* Whole files: bounded reads, atomic replacement. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_TRIES 10000

static enum seal_status fail_open(const char *path, int code, struct seal_err *err)
{
	if (code == EACCES || code == EPERM)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, code, "cannot open %s", path);
	return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, code, "cannot open %s", path);
}

enum seal_status file_read_fd(int fd, const char *path, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (;;) {
		uint8_t block[16384];
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EISDIR) {
			rc = err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT, "%s is a directory; name a file", path);
			break;
		}
		if (n < 0) {
			rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s", path);
			break;
		}
		if (n == 0)
			break;
		rc = buf_append(out, bytes_of(block, (size_t)n), err);
		explicit_bzero(block, (size_t)n);
		if (rc != SEAL_OK) {
			err_prefix(err, "%s", path);
			break;
		}
	}
	if (rc != SEAL_OK)
		buf_clear(out);
	return rc;
}

enum seal_status file_read(const char *path, struct seal_buf *out, struct seal_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum seal_status rc;

	if (fd < 0)
		return fail_open(path, errno, err);
	rc = file_read_fd(fd, path, out, err);
	close(fd);
	return rc;
}

enum seal_status file_write_all(int fd, struct seal_bytes bytes, const char *path, struct seal_err *err)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, SEAL_FATAL, errno == EPIPE ? SEAL_E_PIPE : SEAL_E_IO, errno,
					     "cannot write %s", path);
		bytes = bytes_skip(bytes, (size_t)n);
	}
	return SEAL_OK;
}

enum seal_status file_temporary_at(int dirfd, const char *name, unsigned mode, const char *path,
				   char temporary[FILE_TEMPORARY_MAX], int *fd, struct seal_err *err)
{
	static atomic_uint serial;
	unsigned tries = 0;

	/* Another process of this number (in a container it is always 1) may have died and left some. */
	do {
		snprintf(temporary, FILE_TEMPORARY_MAX, ".%.200s.%ld.%u.tmp", name, (long)getpid(),
			 atomic_fetch_add(&serial, 1));
		*fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	} while (*fd < 0 && errno == EEXIST && ++tries < TEMPORARY_TRIES);
	if (*fd < 0)
		return err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, errno,
				     "cannot create a file beside %s", path);
	return SEAL_OK;
}

static int rename_new(int dirfd, const char *from, const char *to)
{
	if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	/* A file system that cannot tell; who comes in between loses. */
	if (faccessat(dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? renameat(dirfd, from, dirfd, to) : -1;
}

enum seal_status file_publish_at(int dirfd, int fd, const char *temporary, const char *name, bool replace,
				 const char *path, struct seal_err *err)
{
	if (fsync(fd) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot sync %s", path);
	if ((replace ? renameat(dirfd, temporary, dirfd, name) : rename_new(dirfd, temporary, name)) != 0) {
		if (!replace && errno == EEXIST)
			return err_set(err, SEAL_USAGE, SEAL_E_CREATE, "%s is there already", path);
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot replace %s", path);
	}
	if (fsync(dirfd) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot sync the directory of %s", path);
	return SEAL_OK;
}

enum seal_status file_replace_at(int dirfd, const char *name, struct seal_bytes bytes, unsigned mode,
				 const char *path, struct seal_err *err)
{
	enum seal_status rc;
	char temporary[FILE_TEMPORARY_MAX];
	int fd;

	rc = file_temporary_at(dirfd, name, mode, path, temporary, &fd, err);
	if (rc != SEAL_OK)
		return rc;
	SEAL_TRY(file_write_all(fd, bytes, path, err));
	SEAL_TRY(file_publish_at(dirfd, fd, temporary, name, true, path, err));
out:
	close(fd);
	if (rc != SEAL_OK)
		unlinkat(dirfd, temporary, 0);
	return rc;
}

/* One directory, with its entry in the parent on disk. */
static bool make_one(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	bool synced;
	int fd;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST;
	snprintf(parent, sizeof(parent), "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1, slash ? path : ".");
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return synced;
}

enum seal_status file_make_dirs(const char *path, struct seal_err *err)
{
	char part[PATH_MAX];

	if (path[0] == '\0' || strlen(path) >= sizeof(part))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "a directory's path is empty or too long");
	for (size_t i = 1;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (!make_one(part))
			return err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, errno,
					     "cannot make the directory %s", part);
		if (path[i] == '\0')
			return SEAL_OK;
	}
}
