/*
 * Writes lines in large blocks. A regular file is written beside its name and takes it only when the run was whole
 * (finish), so that nobody ever sees half an output; pipes, devices and stdout are written to as they are, and so is a
 * file with `direct` or `append`: for a source that is told what is safe, and that would not give it again. A pipe is never waited for
 * longer than asked: its reader may have stopped, and the pump must see a stop request.
 *
 *   write ─▶ out (up to OUT_BYTES) ─▶ write(2) ─▶ temporary file ─ finish: fsync, rename, fsync of the directory
 *
 * What poll acknowledges has left the process; of a file with `append` it is on disk, as its source may delete it then. The buffer may
 * hold plaintext and is wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "streams/ndjson/line.h"
#include "streams/ndjson/ndjson.h"

#define OUT_BYTES (256u << 10)
#define OUT_MAX (3u << 30)
#define TEMPORARIES_MAX 1000

struct options {
	int layout;
	bool direct, append;
};

static const struct opt_row rows[] = {
	{.name = "layout",
	 .help = "value: the value and a newline; source: as the line that a file source read; envelope: as kcat -J",
	 .choices = "value|source|envelope",
	 .arg = "LAYOUT",
	 .def = "value",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct options, layout)},
	{.name = "direct",
	 .help = "write to the file itself, not to one beside it that takes its name when all is written",
	 .type = OPT_FLAG,
	 .internal = true,
	 .offset = offsetof(struct options, direct)},
	{.name = "append",
	 .help = "direct, behind what the file holds",
	 .type = OPT_FLAG,
	 .internal = true,
	 .offset = offsetof(struct options, append)},
	OPT_END};

struct file_sink {
	struct sink base;
	int fd;
	bool close_fd;
	bool syncs; /* a regular file with `append` */
	bool may_block; /* a pipe, a socket, a terminal: whoever reads it may stop doing so */
	size_t pipe_bytes; /* what an empty pipe takes; 0: no pipe */
	struct options options;
	char *name; /* for messages */
	char *path; /* of a regular file, else NULL */
	char *temporary; /* beside path; NULL once it is gone */
	struct seal_buf out;
	size_t sent; /* of out */
	uint64_t taken, written; /* tickets: handed in; out of the process */
};

/* An envelope that was read keeps what has not changed. */
static enum seal_status file_check(struct sink *sink, const struct record *record, struct seal_err *err)
{
	const struct file_sink *s = (const struct file_sink *)sink;
	const struct ndjson_line *line = s->options.layout == NDJSON_LAYOUT_SOURCE ? record->native : NULL;

	if (s->options.layout == NDJSON_LAYOUT_ENVELOPE)
		return envelope_check(record, err);
	if (line != NULL && line->payload_end != 0)
		return envelope_check_splice(line, record, err);
	return SEAL_OK;
}

static enum seal_status put(struct file_sink *s, const struct record *record, struct seal_err *err)
{
	const struct ndjson_line *line = s->options.layout == NDJSON_LAYOUT_SOURCE ? record->native : NULL;
	enum seal_status rc;

	if (s->options.layout == NDJSON_LAYOUT_ENVELOPE)
		rc = envelope_write(record, &s->out, err);
	else if (line != NULL && line->payload_end != 0)
		rc = envelope_splice(line, record, &s->out, err);
	else
		rc = buf_append(&s->out, line && !record->value.ptr ? line->text : record->value, err);
	if (rc == SEAL_OK && (line == NULL || !line->unterminated))
		rc = buf_append_u8(&s->out, '\n', err);
	return rc;
}

/*
 * After poll said so: PIPE_BUF bytes fit without blocking (pipe(7)), into an empty pipe as many as it has. O_NONBLOCK would
 * do, too, but belongs to everybody who shares the descriptor.
 */
static enum seal_status write_some(struct file_sink *s, struct seal_err *err)
{
	size_t left = s->out.len - s->sent, room = PIPE_BUF;
	int held = 0;
	ssize_t n;

	if (left > room && s->pipe_bytes > room && ioctl(s->fd, FIONREAD, &held) == 0 && held == 0)
		room = s->pipe_bytes;
	n = write(s->fd, s->out.ptr + s->sent, left < room ? left : room);

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_set_errno(err, SEAL_FATAL, errno == EPIPE ? SEAL_E_PIPE : SEAL_E_IO, errno,
				     "cannot write %s", s->name);
	s->sent += n > 0 ? (size_t)n : 0;
	return SEAL_OK;
}

/* Empties the buffer; SEAL_RETRY when whoever reads has not taken all of it in time. */
static enum seal_status drain(struct file_sink *s, int timeout_ms, struct seal_err *err)
{
	struct pollfd on = {.fd = s->fd, .events = POLLOUT};
	uint64_t start = clock_mono_ms(), spent = 0;
	enum seal_status rc = SEAL_OK;

	if (!s->may_block) {
		rc = file_write_all(s->fd, buf_bytes(&s->out), s->name, err);
		s->out.len = 0; /* also after a failure, so that no byte goes out twice */
		return rc;
	}
	while (s->sent < s->out.len) {
		if (poll(&on, 1, spent < (uint64_t)timeout_ms ? timeout_ms - (int)spent : 0) > 0) {
			SEAL_TRY(write_some(s, err));
			continue;
		}
		spent = clock_mono_ms() - start;
		if (spent >= (uint64_t)timeout_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "%s takes no more for now", s->name);
	}
	s->out.len = s->sent = 0;
out:
	return rc;
}

static enum seal_status put_all(struct file_sink *s, const struct record *records, size_t n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		size_t before = s->out.len;

		rc = put(s, &records[i], err);
		if (rc != SEAL_OK) {
			s->out.len = before; /* half a line is none */
			return rc;
		}
		if (!s->may_block && s->out.len >= OUT_BYTES)
			SEAL_TRY(drain(s, 0, err));
	}
out:
	return rc;
}

static enum seal_status file_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;
	enum seal_status rc;

	/* Without room none is taken; with room all are, and go out as fast as they can. */
	if (s->out.len - s->sent >= OUT_BYTES)
		SEAL_TRY(drain(s, timeout_ms, err));
	if (s->sent > 0) {
		s->out.len -= s->sent;
		memmove(s->out.ptr, s->out.ptr + s->sent, s->out.len);
		s->sent = 0;
	}
	SEAL_TRY(put_all(s, records, n, err));
	s->taken = ticket;
	if (s->may_block) {
		rc = drain(s, timeout_ms, err);
		if (rc == SEAL_RETRY) {
			err_clear(err);
			rc = SEAL_OK;
		}
	}
out:
	return rc;
}

/* All that was handed in, as far as whoever reads it takes it in time (SEAL_RETRY). */
static enum seal_status write_rest(struct file_sink *s, int timeout_ms, struct seal_err *err)
{
	enum seal_status rc = drain(s, timeout_ms, err);

	if (rc != SEAL_OK)
		return rc;
	if (s->syncs && s->written != s->taken && fdatasync(s->fd) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot sync %s", s->name);
	s->written = s->taken;
	return SEAL_OK;
}

static enum seal_status file_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = write_rest(s, timeout_ms, &why);

	*acknowledged = s->written;
	if (rc == SEAL_OK || rc == SEAL_RETRY) /* whoever reads a pipe may take its time */
		return SEAL_OK;
	if (err != NULL && err->status == SEAL_OK)
		*err = why;
	return rc;
}

static enum seal_status file_flush(struct sink *sink, int timeout_ms, struct seal_err *err)
{
	return write_rest((struct file_sink *)sink, timeout_ms, err);
}

static enum seal_status sync_directory(const char *path, struct seal_err *err)
{
	char copy[PATH_MAX];
	int fd;
	enum seal_status rc = SEAL_OK;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot sync the directory of %s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static enum seal_status file_finish(struct sink *sink, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;

	if (s->temporary == NULL)
		return SEAL_OK;
	if (fsync(s->fd) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot sync %s", s->name);
	if (rename(s->temporary, s->path) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot replace %s", s->name);
	mem_free(s->temporary);
	s->temporary = NULL;
	return sync_directory(s->path, err);
}

static enum seal_status file_close(struct sink *sink, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;
	enum seal_status rc = SEAL_OK;

	if (s == NULL)
		return SEAL_OK;
	/* A network file system may tell of a failed write only here. */
	if (s->close_fd && close(s->fd) != 0)
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot close %s", s->name);
	if (s->temporary != NULL)
		unlink(s->temporary);
	buf_clear(&s->out);
	mem_free(s->temporary);
	mem_free(s->path);
	mem_free(s->name);
	mem_free(s);
	return rc;
}

static enum seal_status cannot_create(const struct file_sink *s, int code, struct seal_err *err)
{
	return err_set_errno(err, code == EACCES || code == EPERM ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, code,
			     "cannot create %s", s->name);
}

/* A temporary file with the permissions of the file that it will replace, or those of a new one. */
static enum seal_status open_beside(struct file_sink *s, const struct stat *old, struct seal_err *err)
{
	char temporary[PATH_MAX], real[PATH_MAX];

	/* Through a symbolic link the file that it names is replaced, not the link. */
	s->path = mem_strdup(old && realpath(s->name, real) ? real : s->name);
	if (s->path == NULL)
		return err_memory(err);
	/* A killed run may have left one; in a container its process id was the same. */
	for (unsigned i = 0; i < TEMPORARIES_MAX && s->fd < 0; i++) {
		if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld.%u.tmp", s->path, (long)getpid(), i) >=
		    sizeof(temporary))
			return cannot_create(s, ENAMETOOLONG, err);
		s->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, old ? 0600 : 0666);
		if (s->fd < 0 && errno != EEXIST)
			break;
	}
	if (s->fd < 0)
		return cannot_create(s, errno, err);
	s->close_fd = true;
	s->temporary = mem_strdup(temporary);
	if (s->temporary == NULL) {
		unlink(temporary);
		return err_memory(err);
	}
	if (old != NULL && fchmod(s->fd, old->st_mode & 07777) != 0)
		return cannot_create(s, errno, err);
	return SEAL_OK;
}

/* True when a regular file ends inside a line. */
static bool ends_in_a_line(const char *path, const struct stat *st)
{
	char last = '\n';
	int fd = S_ISREG(st->st_mode) && st->st_size > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	bool inside = fd >= 0 && pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';

	if (fd >= 0)
		close(fd);
	return inside;
}

static enum seal_status open_behind(struct file_sink *s, const char *address, bool exists, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	struct stat st;

	s->fd = open(address, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (s->fd < 0)
		return cannot_create(s, errno, err);
	s->close_fd = true;
	/* A killed run may have left half a line; its record comes again, on a line of its own. */
	if (fstat(s->fd, &st) == 0 && ends_in_a_line(address, &st))
		rc = file_write_all(s->fd, BYTES_LIT("\n"), s->name, err);
	return rc == SEAL_OK && !exists ? sync_directory(address, err) : rc;
}

static enum seal_status open_fd(struct file_sink *s, const char *address, struct seal_err *err)
{
	struct stat old;
	bool exists;

	s->fd = STDOUT_FILENO;
	if (strcmp(address, "-") == 0)
		return SEAL_OK;
	s->fd = -1;
	exists = stat(address, &old) == 0;
	if (s->options.append)
		return open_behind(s, address, exists, err);
	if (!s->options.direct && (!exists || S_ISREG(old.st_mode)))
		return open_beside(s, exists ? &old : NULL, err);
	s->fd = open(address, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->fd < 0)
		return cannot_create(s, errno, err);
	s->close_fd = true;
	return SEAL_OK;
}

static void look_at_fd(struct file_sink *s)
{
	struct stat st;
	int size;

	if (fstat(s->fd, &st) != 0)
		return;
	s->syncs = s->options.append && S_ISREG(st.st_mode);
	s->may_block = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(s->fd);
	size = S_ISFIFO(st.st_mode) ? fcntl(s->fd, F_GETPIPE_SZ) : 0;
	s->pipe_bytes = size > 0 ? (size_t)size : 0;
}

static enum seal_status file_open(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	struct file_sink *s = mem_calloc(1, sizeof(*s));
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.ops = &ndjson_sink_ops;
	s->options = *(const struct options *)options;
	s->out.max = OUT_MAX;
	s->name = mem_strdup(strcmp(address, "-") == 0 ? "stdout" : address);
	if (s->name == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(open_fd(s, address, err));
	look_at_fd(s);
	/* Its usual size at once: growing would copy. */
	rc = buf_reserve(&s->out, OUT_BYTES + OUT_BYTES / 4, err);
out:
	if (rc != SEAL_OK) {
		(void)file_close(&s->base, NULL);
		return rc;
	}
	*out = &s->base;
	return SEAL_OK;
}

const struct sink_ops ndjson_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "file",
	.traits = &ndjson_traits,
	.help = "records in lines: a path, or - for stdout",
	.options = rows,
	.options_size = sizeof(struct options),
	.open = file_open,
	.write = file_write,
	.poll = file_poll,
	.check = file_check,
	.flush = file_flush,
	.close = file_close,
	.finish = file_finish,
};
