/*
 * A file as the place of an audit trail.
 *
 *   enter   lock ─▶ is the name still this file? ─▶ its last line ─▶ link
 *   append  one write ─▶ fdatasync
 *
 * The lock is one of an open file description, on byte 0: it goes with its process, and keeps threads and programs apart. A
 * file that was renamed (logrotate) is left after its last line was read: the new one of its name goes on with the same chain.
 * A last line without a newline was cut by a crash while it was written; whoever wrote it never went on, so it is taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/target.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define LOCK_PAUSE_MS 10

struct file_target {
	struct audit_target base;
	int fd; /* -1: not open */
	bool locked;
	off_t seen; /* where the file ended when it was last looked at */
	char path[];
};

static struct file_target *of(struct audit_target *target)
{
	return (struct file_target *)target;
}

static enum seal_status fail_io(const struct file_target *t, const char *what, struct seal_err *err)
{
	return err_set_errno(err, errno == EACCES || errno == EPERM ? SEAL_DENIED : SEAL_FATAL, SEAL_E_IO, errno,
			     "cannot %s the audit trail %s", what, t->path);
}

static enum seal_status lock(struct file_target *t, struct seal_err *err)
{
	const struct timespec pause = {0, LOCK_PAUSE_MS * 1000000L};
	const uint64_t until_ms = clock_mono_ms() + AUDIT_WAIT_MS;
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	while (fcntl(t->fd, F_OFD_SETLK, &range) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return fail_io(t, "lock", err);
		if (clock_mono_ms() >= until_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
				       "the audit trail %s has been locked by another program for %d s", t->path,
				       AUDIT_WAIT_MS / 1000);
		(void)nanosleep(&pause, NULL);
	}
	t->locked = true;
	return SEAL_OK;
}

static void unlock(struct file_target *t)
{
	struct flock range = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_len = 1};

	if (t->locked)
		(void)fcntl(t->fd, F_OFD_SETLK, &range);
	t->locked = false;
}

/* A file that was just made must not be gone after a power cut. */
static enum seal_status sync_directory(const struct file_target *t, struct seal_err *err)
{
	char copy[PATH_MAX];
	bool synced;
	int fd;

	snprintf(copy, sizeof(copy), "%s", t->path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return synced ? SEAL_OK : fail_io(t, "sync the directory of", err);
}

/* The file of that name, in the place of the one that was open. */
static enum seal_status open_now(struct file_target *t, struct seal_err *err)
{
	int fd = open(t->path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;

	if (fd < 0)
		return fail_io(t, "open", err);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the audit trail %s is not a regular file", t->path);
	}
	if (t->fd >= 0)
		close(t->fd); /* its lock goes with it */
	t->fd = fd;
	t->locked = false;
	t->seen = 0;
	return st.st_size == 0 ? sync_directory(t, err) : SEAL_OK;
}

static enum seal_status damaged(const struct file_target *t, const char *what, struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
		       "the audit trail %s %s; keep it (sealstream audit verify says more) and name another file",
		       t->path, what);
}

/* The last `room` bytes before `end`, or all there are. */
static enum seal_status read_tail(const struct file_target *t, off_t end, uint8_t *out, size_t room, size_t *len,
				  struct seal_err *err)
{
	const off_t from = end > (off_t)room ? end - (off_t)room : 0;

	for (*len = 0; from + (off_t)*len < end;) {
		ssize_t n = pread(t->fd, out + *len, (size_t)(end - from) - *len, from + (off_t)*len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_io(t, "read", err);
		if (n == 0) /* it was longer a moment ago */
			return damaged(t, "has become shorter", err);
		*len += (size_t)n;
	}
	return SEAL_OK;
}

/* *link becomes what the line says. */
static enum seal_status take_line(const struct file_target *t, struct seal_bytes text, struct audit_link *link,
				  struct seal_err *err)
{
	struct audit_line line;
	enum audit_line_state state;
	enum seal_status rc;

	SEAL_TRY(audit_line_parse(text, &line, &state, err));
	if (state != AUDIT_LINE_GOOD) {
		rc = damaged(t,
			     state == AUDIT_LINE_NEWER ? "was written by a newer sealstream"
						       : "does not end with a whole, unchanged line",
			     err);
		goto out;
	}
	memcpy(link->chain, line.chain, sizeof(link->chain));
	memcpy(link->hash, line.hash, sizeof(link->hash));
	link->seq = line.seq;
out:
	return rc;
}

/* The last whole line of the tail that ends at `end`; what stands behind it was cut, and goes. */
static enum seal_status take_tail(struct file_target *t, struct seal_bytes tail, off_t end, struct audit_link *link,
				  uint64_t *cut, struct seal_err *err)
{
	const uint8_t *newline = memrchr(tail.ptr, '\n', tail.len), *start;
	const size_t whole = newline != NULL ? (size_t)(newline - tail.ptr) : 0;
	const struct seal_bytes rest = bytes_skip(tail, newline != NULL ? whole + 1 : 0);
	enum seal_status rc = SEAL_OK;

	if (!audit_line_begins(rest) || rest.len > AUDIT_LINE_MAX)
		return damaged(t, "is no audit trail", err);
	if (newline != NULL) {
		start = memrchr(tail.ptr, '\n', whole);
		start = start != NULL ? start + 1 : tail.ptr;
		SEAL_TRY(take_line(t, bytes_of(start, (size_t)(newline - start)), link, err));
	}
	*cut = rest.len;
	t->seen = end - (off_t)rest.len;
	if (rest.len > 0 && ftruncate(t->fd, t->seen) != 0)
		rc = fail_io(t, "take a line that was cut from the end of", err);
out:
	return rc;
}

static enum seal_status look(struct file_target *t, struct audit_link *link, uint64_t *cut, struct seal_err *err)
{
	const size_t room = 2 * (AUDIT_LINE_MAX + 1);
	uint8_t *tail;
	struct stat st;
	size_t len;
	enum seal_status rc;

	if (fstat(t->fd, &st) != 0)
		return fail_io(t, "look at", err);
	if (st.st_size < t->seen)
		return damaged(t, "has become shorter", err);
	if (st.st_size == 0)
		return SEAL_OK;
	tail = mem_alloc(room);
	if (tail == NULL)
		return err_memory(err);
	SEAL_TRY(read_tail(t, st.st_size, tail, room, &len, err));
	rc = take_tail(t, bytes_of(tail, len), st.st_size, link, cut, err);
out:
	mem_free(tail);
	return rc;
}

/* Does the path lead to the file that is open? */
static bool is_current(const struct file_target *t)
{
	struct stat mine, named;

	return fstat(t->fd, &mine) == 0 && lstat(t->path, &named) == 0 && mine.st_ino == named.st_ino &&
	       mine.st_dev == named.st_dev;
}

static enum seal_status file_enter(struct audit_target *target, struct audit_link *link, uint64_t *cut,
				   struct seal_err *err)
{
	struct file_target *t = of(target);
	enum seal_status rc;

	if (t->fd < 0)
		SEAL_TRY(open_now(t, err));
	for (;;) {
		SEAL_TRY(lock(t, err));
		SEAL_TRY(look(t, link, cut, err)); /* of a file that was renamed, too: the chain goes on from there */
		if (is_current(t))
			break;
		SEAL_TRY(open_now(t, err));
	}
out:
	return rc;
}

static enum seal_status file_append(struct audit_target *target, const struct audit_link *link,
				    struct seal_bytes line, struct seal_err *err)
{
	struct file_target *t = of(target);
	enum seal_status rc;

	rc = file_write_all(t->fd, line, t->path, err);
	if (rc != SEAL_OK) {
		/* A part of it may be there. If this fails as well, the next one who looks takes it away. */
		int ignored = ftruncate(t->fd, t->seen);

		(void)ignored;
		goto out;
	}
	if (fdatasync(t->fd) != 0)
		return fail_io(t, "write", err);
	t->seen += (off_t)line.len;
out:
	return rc;
}

static void file_leave(struct audit_target *target)
{
	unlock(of(target));
}

static void file_close(struct audit_target *target)
{
	struct file_target *t = of(target);

	if (t == NULL)
		return;
	if (t->fd >= 0)
		close(t->fd);
	mem_free(t);
}

static const struct audit_target_ops ops = {
	.name = "file", .enter = file_enter, .append = file_append, .leave = file_leave, .close = file_close};

enum seal_status audit_file_open(const char *path, struct audit_target **out, struct seal_err *err)
{
	const size_t len = strlen(path);
	struct file_target *t;
	enum seal_status rc;

	*out = NULL;
	if (len == 0 || len >= PATH_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the path of the audit trail is empty or too long");
	t = mem_calloc(1, sizeof(*t) + len + 1);
	if (t == NULL)
		return err_memory(err);
	t->base.ops = &ops;
	t->fd = -1;
	memcpy(t->path, path, len);
	rc = open_now(t, err);
	if (rc == SEAL_OK)
		*out = &t->base;
	else
		file_close(&t->base);
	return rc;
}
