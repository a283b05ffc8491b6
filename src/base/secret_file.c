/*
 * Secrets from outside. Invariant: the bytes of a file are read straight into secret memory, never through a buffer of another kind.
 */
#include "base/secret_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum seal_status check_private(int fd, const char *path, struct seal_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot examine %s", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "%s can be read by others (mode %03o); take it away from them with `chmod 600`", path,
			       (unsigned)st.st_mode & 0777);
	return SEAL_OK;
}

static enum seal_status open_file(const char *path, int *fd, struct seal_err *err)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return SEAL_OK;
	if (errno == EACCES || errno == EPERM)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno, "cannot read %s", path);
	return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot read %s", path);
}

/* Reads to the end, at most `room` bytes. */
static enum seal_status read_into(int fd, const char *path, uint8_t *to, size_t room, size_t *len,
				  struct seal_err *err)
{
	*len = 0;
	while (*len < room) {
		ssize_t n = read(fd, to + *len, room - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s", path);
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return SEAL_OK;
}

enum seal_status secret_read_file(const char *path, size_t max, bool private_only, struct secret *out,
				  struct seal_err *err)
{
	struct secret all = SECRET_INIT;
	enum seal_status rc;
	size_t len;
	int fd = -1;

	SEAL_TRY(open_file(path, &fd, err));
	if (private_only)
		SEAL_TRY(check_private(fd, path, err));
	SEAL_TRY(secret_alloc(&all, max + 1, err));
	SEAL_TRY(read_into(fd, path, all.ptr, max + 1, &len, err));
	if (len > max || len == 0) {
		rc = err_set(err, SEAL_DATA, SEAL_E_LIMIT, "%s %s; give a file of 1 to %zu bytes", path,
			     len ? "is too long" : "is empty", max);
		goto out;
	}
	SEAL_TRY(secret_copy(out, bytes_of(all.ptr, len), err));
out:
	if (fd >= 0)
		close(fd);
	secret_clear(&all);
	return rc;
}

static struct seal_bytes trimmed(struct seal_bytes raw, enum secret_trim trim)
{
	if (trim == SECRET_LINE_END) {
		if (raw.len > 0 && raw.ptr[raw.len - 1] == '\n')
			raw.len--;
		if (raw.len > 0 && raw.ptr[raw.len - 1] == '\r')
			raw.len--;
		return raw;
	}
	while (raw.len > 0 && isspace(raw.ptr[raw.len - 1]))
		raw.len--;
	while (raw.len > 0 && isspace(raw.ptr[0]))
		raw = bytes_skip(raw, 1);
	return raw;
}

enum seal_status secret_text(struct seal_bytes raw, enum secret_trim trim, const char *what, struct secret *out,
			     struct seal_err *err)
{
	struct seal_bytes text = trimmed(raw, trim);
	enum seal_status rc;

	if (text.len == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is empty", what);
	if (memchr(text.ptr, 0, text.len) != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s holds a zero byte, so it is not a text", what);
	rc = secret_alloc(out, text.len + 1, err);
	if (rc == SEAL_OK)
		memcpy(out->ptr, text.ptr, text.len);
	return rc;
}

enum seal_status secret_token_check(const char *token, const char *what, struct seal_err *err)
{
	for (const char *at = token; *at != '\0'; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return err_set(
				err, SEAL_USAGE, SEAL_E_CONFIG,
				"%s holds characters that no token has (white space inside, control or beyond ASCII)",
				what);
	return SEAL_OK;
}
