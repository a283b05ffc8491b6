/* Files and pipes to read from. */
#include "files/file_input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ckd.h"

#define NS_PER_S 1000000000

static int64_t mtime_of(const struct stat *st)
{
	int64_t ns;

	if (ckd_mul(&ns, (int64_t)st->st_mtim.tv_sec, NS_PER_S) || ckd_add(&ns, ns, (int64_t)st->st_mtim.tv_nsec))
		return INT64_MIN;
	return ns;
}

static enum seal_status look(struct file_input *in, struct seal_err *err)
{
	struct stat st;
	off_t at;

	if (fstat(in->fd, &st) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s", in->path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT, "%s is a directory", in->path);
	if (!S_ISREG(st.st_mode))
		return SEAL_OK;
	at = lseek(in->fd, 0, SEEK_CUR);
	in->regular = at >= 0;
	in->start = in->regular ? (uint64_t)at : 0;
	in->size = in->regular && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
	in->mtime_ns = mtime_of(&st);
	(void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only makes it faster */
	return SEAL_OK;
}

enum seal_status file_input_open(const char *path, int (*stop)(void), struct file_input *in, struct seal_err *err)
{
	const bool is_stdin = strcmp(path, "-") == 0;
	enum seal_status rc;

	*in = (struct file_input){
		.fd = STDIN_FILENO, .path = is_stdin ? "standard input" : path, .mtime_ns = INT64_MIN, .stop = stop};
	if (!is_stdin)
		in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 && (errno == EACCES || errno == EPERM))
		rc = err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno, "cannot open %s", path);
	else if (in->fd < 0)
		rc = err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot open %s", path);
	else
		rc = look(in, err);
	if (rc != SEAL_OK)
		file_input_close(in);
	return rc;
}

void file_input_close(struct file_input *in)
{
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
}

static enum seal_status read_full(struct file_input *in, const uint64_t *offset, uint8_t *to, size_t len, size_t *got,
				  struct seal_err *err)
{
	for (*got = 0; *got < len;) {
		ssize_t n;

		if (in->stop != NULL && in->stop() != 0)
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "stopped while reading %s", in->path);
		n = offset == NULL ? read(in->fd, to + *got, len - *got)
				   : pread(in->fd, to + *got, len - *got, (off_t)(*offset + *got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s", in->path);
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return SEAL_OK;
}

enum seal_status file_input_read(struct file_input *in, uint8_t *to, size_t len, size_t *got, struct seal_err *err)
{
	return read_full(in, NULL, to, len, got, err);
}

enum seal_status file_input_read_at(struct file_input *in, uint64_t offset, uint8_t *to, size_t len, size_t *got,
				    struct seal_err *err)
{
	offset += in->start;
	return read_full(in, &offset, to, len, got, err);
}
