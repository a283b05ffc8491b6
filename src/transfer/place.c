/* The two directories of a receiver. */
#include "transfer/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "transfer/transfer.h"

enum seal_status place_failed(int code, const char *what, const char *name, struct seal_err *err)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
		return err_set_errno(err, SEAL_RETRY, SEAL_E_IO, code, "cannot %s %s", what, name);
	case EFBIG:
		return err_set_errno(err, SEAL_DATA, SEAL_E_LIMIT, code, "cannot %s %s", what, name);
	case EACCES:
	case EPERM:
	case EROFS:
		return err_set_errno(err, SEAL_DENIED, SEAL_E_CREATE, code, "cannot %s %s", what, name);
	default:
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, code, "cannot %s %s", what, name);
	}
}

static enum seal_status open_files(const char *path, int *fd, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT) {
		SEAL_TRY(file_make_dirs(path, err));
		*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (*fd < 0)
		rc = err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, errno,
				   "cannot open the directory %s", path);
out:
	return rc;
}

/* The state directory inside: nobody's link, so that nothing is written where somebody else wants it. */
static enum seal_status open_inside(const struct place *place, int *fd, struct seal_err *err)
{
	if (mkdirat(place->files, TRANSFER_STATE_DIR, 0700) != 0 && errno != EEXIST)
		return err_set_errno(err, errno == EACCES || errno == EROFS ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE,
				     errno, "cannot make the directory %s/%s", place->path, TRANSFER_STATE_DIR);
	*fd = openat(place->files, TRANSFER_STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "%s/%s is not a directory; remove it, as this is where files are put together",
			       place->path, TRANSFER_STATE_DIR);
	if (*fd < 0)
		return err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, errno,
				     "cannot open the directory %s/%s", place->path, TRANSFER_STATE_DIR);
	return SEAL_OK;
}

static enum seal_status check(struct place *place, struct seal_err *err)
{
	struct stat files, state;
	struct statvfs system;

	if (fstat(place->files, &files) != 0 || fstat(place->state, &state) != 0 ||
	    fstatvfs(place->files, &system) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot examine %s", place->path);
	if (files.st_dev != state.st_dev)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"%s and its state directory are on different file systems, so that a whole file could not "
			"take its name at once; name another state directory",
			place->path);
	if ((state.st_mode & 077) != 0 || state.st_uid != geteuid())
		return err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"the state directory of %s is open to others (mode %03o) or another user's; take it away "
			"from them with `chmod 700`",
			place->path, (unsigned)state.st_mode & 0777);
	if (faccessat(place->files, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_CREATE, errno, "cannot write into %s", place->path);
	place->capacity = (uint64_t)system.f_blocks * system.f_frsize;
	if (place->capacity == 0) /* one that does not tell: ramfs, many in user space */
		place->capacity = UINT64_MAX;
	return SEAL_OK;
}

enum seal_status place_open(const char *path, const char *state, struct place *out, struct seal_err *err)
{
	enum seal_status rc;

	*out = (struct place){.path = path, .files = -1, .state = -1};
	SEAL_TRY(open_files(path, &out->files, err));
	SEAL_TRY(state != NULL ? open_files(state, &out->state, err) : open_inside(out, &out->state, err));
	SEAL_TRY(check(out, err));
out:
	if (rc != SEAL_OK)
		place_close(out);
	return rc;
}

void place_close(struct place *place)
{
	if (place->files >= 0)
		close(place->files);
	if (place->state >= 0)
		close(place->state);
	place->files = place->state = -1;
}
