/* Files that appear when they are whole. */
#include "files/file_target.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define NS_PER_S 1000000000

/* What is there now may stand in the way. It is looked at again, in one step with the renaming, when the file is whole. */
static enum seal_status check_place(const char *path, bool replace, struct seal_err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return SEAL_OK;
	if (!S_ISREG(st.st_mode))
		return err_set(
			err, SEAL_USAGE, SEAL_E_CREATE,
			"%s is no regular file and would not be written to, but replaced; use -o - and redirect",
			path);
	if (!replace)
		return err_set(err, SEAL_USAGE, SEAL_E_CREATE, "%s is there already; --force replaces it", path);
	return SEAL_OK;
}

static enum seal_status open_directory(struct file_target *target, struct seal_err *err)
{
	const char *slash = strrchr(target->path, '/');
	const char *name = slash != NULL ? slash + 1 : target->path;
	char *directory = slash == NULL		  ? mem_strdup(".")
			  : slash == target->path ? mem_strdup("/")
						  : mem_strndup(target->path, (size_t)(slash - target->path));
	enum seal_status rc = SEAL_OK;

	target->name = mem_strdup(name);
	if (directory == NULL || target->name == NULL)
		rc = err_memory(err);
	else if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CREATE, "\"%s\" is not the name of a file", target->path);
	else
		target->dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == SEAL_OK && target->dirfd < 0)
		rc = err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_USAGE, SEAL_E_CREATE, errno,
				   "cannot open the directory of %s", target->path);
	mem_free(directory);
	return rc;
}

enum seal_status file_target_open(const char *path, bool replace, struct file_target *target, struct seal_err *err)
{
	enum seal_status rc;

	*target = (struct file_target){.fd = -1, .dirfd = -1, .path = path, .replace = replace};
	if (strcmp(path, "-") == 0) {
		target->path = "standard output";
		target->fd = STDOUT_FILENO;
		return SEAL_OK;
	}
	SEAL_TRY(check_place(path, replace, err));
	SEAL_TRY(open_directory(target, err));
	SEAL_TRY(file_temporary_at(target->dirfd, target->name, 0600, path, target->temporary, &target->fd, err));
out:
	if (rc != SEAL_OK) {
		if (target->fd < 0)
			target->temporary[0] = '\0';
		file_target_close(target);
	}
	return rc;
}

enum seal_status file_target_write(struct file_target *target, struct seal_bytes bytes, struct seal_err *err)
{
	enum seal_status rc = file_write_all(target->fd, bytes, target->path, err);

	if (rc == SEAL_OK)
		target->written += bytes.len;
	return rc;
}

static enum seal_status set_mtime(struct file_target *target, int64_t mtime_ns, struct seal_err *err)
{
	int64_t seconds = mtime_ns / NS_PER_S, rest = mtime_ns % NS_PER_S;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	if (rest < 0) {
		seconds--;
		rest += NS_PER_S;
	}
	times[1] = (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
	if (futimens(target->fd, times) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot set the time of %s", target->path);
	return SEAL_OK;
}

enum seal_status file_target_keep(struct file_target *target, int64_t mtime_ns, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (!file_target_is_file(target))
		return SEAL_OK;
	if (mtime_ns != INT64_MIN)
		SEAL_TRY(set_mtime(target, mtime_ns, err));
	SEAL_TRY(file_publish_at(target->dirfd, target->fd, target->temporary, target->name, target->replace,
				 target->path, err));
	target->temporary[0] = '\0';
out:
	return rc;
}

void file_target_close(struct file_target *target)
{
	if (target->temporary[0] != '\0')
		unlinkat(target->dirfd, target->temporary, 0);
	if (target->fd >= 0 && file_target_is_file(target))
		close(target->fd);
	if (target->dirfd >= 0)
		close(target->dirfd);
	mem_free(target->name);
	*target = (struct file_target){.fd = -1, .dirfd = -1};
}
