/*
 * Writes lines in large blocks. A regular file is written beside its name and takes it only when the run was whole
 * (finish), so that nobody ever sees half an output; pipes, devices and stdout are written to as they are, and so is a
 * file with `direct`: for a source that is told what is safe, and that would not give it again.
 *
 *   write ─▶ out (up to OUT_BYTES) ─▶ write(2) ─▶ temporary file ─ finish: fsync, rename, fsync of the directory
 *
 * What poll acknowledges has left the process. The buffer may hold plaintext and is wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "streams/ndjson/line.h"
#include "streams/ndjson/ndjson.h"

#define OUT_BYTES (256u << 10)
#define OUT_MAX (3u << 30)

enum layout { LAYOUT_VALUE, LAYOUT_SOURCE, LAYOUT_ENVELOPE };

struct options {
	int layout;
	bool direct;
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
	 .offset = offsetof(struct options, direct)},
	OPT_END};

struct file_sink {
	struct sink base;
	int fd;
	bool close_fd;
	struct options options;
	char *name; /* for messages */
	char *path; /* of a regular file, else NULL */
	char *temporary; /* beside path; NULL once it is gone */
	struct seal_buf out;
	uint64_t taken, written; /* tickets: handed in; out of the process */
};

static enum seal_status put(struct file_sink *s, const struct record *record, struct seal_err *err)
{
	const struct ndjson_line *line = s->options.layout == LAYOUT_SOURCE ? record->native : NULL;
	enum seal_status rc;

	if (s->options.layout == LAYOUT_ENVELOPE)
		rc = envelope_write(record, &s->out, err);
	else if (line != NULL && line->payload_end != 0)
		rc = envelope_splice(line, record->value, &s->out, err);
	else
		rc = buf_append(&s->out, line && !record->value.ptr ? line->text : record->value, err);
	if (rc == SEAL_OK && (line == NULL || !line->unterminated))
		rc = buf_append_u8(&s->out, '\n', err);
	return rc;
}

static enum seal_status drain(struct file_sink *s, struct seal_err *err)
{
	enum seal_status rc = file_write_all(s->fd, buf_bytes(&s->out), s->name, err);

	s->out.len = 0;
	return rc;
}

static enum seal_status file_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(put(s, &records[i], err));
		if (s->out.len >= OUT_BYTES)
			SEAL_TRY(drain(s, err));
	}
	s->taken = ticket;
out:
	return rc;
}

static enum seal_status file_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	struct file_sink *s = (struct file_sink *)sink;
	enum seal_status rc = drain(s, err);

	if (rc == SEAL_OK)
		s->written = s->taken;
	*acknowledged = s->written;
	return rc;
}

static enum seal_status file_flush(struct sink *sink, int timeout_ms, struct seal_err *err)
{
	uint64_t acknowledged;

	return file_poll(sink, timeout_ms, &acknowledged, err);
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
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", s->path, (long)getpid()) >=
	    sizeof(temporary))
		return cannot_create(s, ENAMETOOLONG, err);
	s->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, old ? 0600 : 0666);
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

static enum seal_status open_fd(struct file_sink *s, const char *address, struct seal_err *err)
{
	struct stat old;
	bool exists;

	s->fd = STDOUT_FILENO;
	if (strcmp(address, "-") == 0)
		return SEAL_OK;
	exists = stat(address, &old) == 0;
	if (!s->options.direct && (!exists || S_ISREG(old.st_mode)))
		return open_beside(s, exists ? &old : NULL, err);
	s->fd = open(address, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->fd < 0)
		return cannot_create(s, errno, err);
	s->close_fd = true;
	return SEAL_OK;
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
	.help = "records in lines: a path, or - for stdout",
	.options = rows,
	.options_size = sizeof(struct options),
	.open = file_open,
	.write = file_write,
	.poll = file_poll,
	.flush = file_flush,
	.close = file_close,
	.finish = file_finish,
};
