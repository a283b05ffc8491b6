/*
 * Which files there are: a scan, then what inotify tells. A file is ready when whoever wrote it has closed it or moved it here; one
 * that was there before, or is kept open, when it has not changed for settle_ms. Once in a while the directory is scanned again,
 * for what inotify does not tell: a change through a network file system, a queue that ran over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "transfer/send_work.h"

#define EVENTS_LEN 16384
#define NAMES_MAX ((size_t)1 << 30)
#define LOOK_AGAIN_MS 50 /* those that are due are gathered for so long */

/* ---- one file ---- */

/* Not written to for settle_ms, by the file's own clock. */
static bool is_settled(const struct sender *s, const struct journal_file *file)
{
	int64_t age_ms = clock_unix_ms() - file->mtime_ns / 1000000;

	return age_ms >= 0 && (uint64_t)age_ms >= s->o->settle_ms;
}

static bool is_same(const struct journal_file *a, const struct journal_file *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

/* Under lock. It is no file that can be sent. */
static void not_there(struct sender *s, struct job *job, const char *why, int code)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (job->state != JOB_LATER && job->state != JOB_FAILED)
		return; /* the worker finds out */
	if (!job->named) {
		if (job->state == JOB_FAILED)
			s->counts->failed--;
		job_drop(s, job);
	} else if (job->state == JOB_LATER) {
		if (code != 0)
			(void)err_set_errno(&err, SEAL_USAGE, SEAL_E_NO_INPUT, code, "cannot look at it");
		else
			(void)err_set(&err, SEAL_USAGE, SEAL_E_NO_INPUT, "%s", why);
		job_fail(s, job, &err);
	}
}

/* Under lock: a waiting one is moved on when its time has come. */
static void move_on(struct sender *s, struct job *job, const struct journal_file *file, bool closed)
{
	uint64_t now = clock_mono_ms();
	struct journal_file old = job->file;

	if (job->state == JOB_FAILED) {
		if (is_same(&old, file))
			return;
		s->counts->failed--;
	} else if (job->state != JOB_LATER) {
		job->again = true;
		return;
	} else if (!closed && job->due_ms > now) {
		return;
	}
	s->counts->bytes_known += file->size - old.size;
	job->file = *file;
	job->file.name = old.name;
	if (s->once || closed || is_same(&old, file))
		job_set(s, job, JOB_QUEUED);
	else
		job_later(s, job, now + s->o->settle_ms);
}

/* Under lock. */
static enum seal_status look(struct sender *s, const char *path, bool named, bool closed, struct seal_err *err)
{
	struct job *job = job_find(s, path);
	const char *slash = strrchr(path, '/');
	struct journal_file file = {.name = bytes_str(slash != NULL ? slash + 1 : path)};
	struct stat st = {0};
	int code = fstatat(s->directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
	bool there = code == 0 && S_ISREG(st.st_mode), ready;
	enum seal_status rc = SEAL_OK;

	journal_file_set(&file, &st);
	if (there && journal_has_sent(s->journal, &file)) {
		s->counts->before += !s->scanned;
		if (job != NULL && (job->state == JOB_LATER || job->state == JOB_FAILED))
			job_drop(s, job);
		return SEAL_OK;
	}
	if (job == NULL && (there || named)) {
		SEAL_TRY(job_new(s, path, named, &st, &job, err));
		ready = !there || s->once || closed || is_settled(s, &file);
		job_later(s, job, ready ? 0 : clock_mono_ms() + s->o->settle_ms);
	}
	if (job != NULL && there)
		move_on(s, job, &file, closed);
	else if (job != NULL)
		not_there(s, job,
			  S_ISLNK(st.st_mode) ? "is a symbolic link, which is not followed" : "is not a regular file",
			  code);
out:
	return rc;
}

enum seal_status watch_look(struct sender *s, const char *path, bool named, bool closed, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_lock(&s->lock);
	rc = look(s, path, named, closed, err);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum seal_status watch_due(struct sender *s, struct seal_err *err)
{
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;
	struct table_node *node, *after;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&s->lock);
	if (s->n_later == 0 || s->next_due_ms > now)
		goto out;
	s->next_due_ms = UINT64_MAX;
	for (node = table_next(&s->jobs, NULL); node != NULL; node = after) {
		struct job *job = (struct job *)((char *)node - offsetof(struct job, by_path));

		after = table_next(&s->jobs, node);
		if (job->state == JOB_LATER && job->due_ms <= now)
			SEAL_TRY(look(s, job->path, job->named, false, err));
		else if (job->state == JOB_LATER && job->due_ms < next)
			next = job->due_ms;
	}
	if (next < s->next_due_ms)
		s->next_due_ms = next;
	if (s->next_due_ms < now + LOOK_AGAIN_MS)
		s->next_due_ms = now + LOOK_AGAIN_MS;
out:
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- the directory ---- */

static enum seal_status fail_directory(const struct sender *s, struct seal_err *err)
{
	return err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s",
			     s->o->directory);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that may be files, each ended by NUL. */
static enum seal_status list(const struct sender *s, struct seal_buf *names, size_t *n, struct seal_err *err)
{
	int fd = openat(s->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	enum seal_status rc = SEAL_OK;

	*n = 0;
	if (dir == NULL) {
		rc = fail_directory(s, err);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
			continue;
		SEAL_TRY(buf_append(names, bytes_of(entry->d_name, strlen(entry->d_name) + 1), err));
		(*n)++;
	}
	if (errno != 0)
		rc = fail_directory(s, err);
out:
	closedir(dir);
	return rc;
}

enum seal_status watch_scan(struct sender *s, struct seal_err *err)
{
	struct seal_buf names = BUF_INIT(NAMES_MAX);
	const char **sorted = NULL;
	size_t n = 0;
	enum seal_status rc;

	SEAL_TRY(list(s, &names, &n, err));
	sorted = mem_calloc(n, sizeof(*sorted));
	if (sorted == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (size_t i = 0, at = 0; i < n; i++) {
		sorted[i] = (const char *)names.ptr + at;
		at += strlen(sorted[i]) + 1;
	}
	if (n > 1)
		qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(watch_look(s, sorted[i], false, false, err));
out:
	mem_free(sorted);
	buf_clear(&names);
	return rc;
}

/* ---- inotify ---- */

enum seal_status watch_open(struct sender *s, struct seal_err *err)
{
	s->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->events >= 0 && inotify_add_watch(s->events, s->o->directory,
						IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF |
							IN_MOVE_SELF | IN_ONLYDIR) >= 0)
		return SEAL_OK;
	return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno,
			     "cannot watch %s; see fs.inotify in sysctl, or run with --once again and again",
			     s->o->directory);
}

static enum seal_status gone(const struct sender *s, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT, "%s was removed or moved away while it was watched",
		       s->o->directory);
}

static enum seal_status take_event(struct sender *s, const struct inotify_event *event, bool *overflow,
				   struct seal_err *err)
{
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
		return gone(s, err);
	if (event->mask & IN_Q_OVERFLOW)
		*overflow = true;
	if (event->len == 0 || event->name[0] == '.' || (event->mask & IN_ISDIR))
		return SEAL_OK;
	return watch_look(s, event->name, false, (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0, err);
}

enum seal_status watch_read(struct sender *s, struct seal_err *err)
{
	_Alignas(struct inotify_event) char events[EVENTS_LEN];
	bool overflow = false;
	struct stat st;
	ssize_t n;
	enum seal_status rc = SEAL_OK;

	if (s->events < 0)
		return SEAL_OK;
	/* That it was removed is not told while we hold it open. */
	if (fstat(s->directory, &st) != 0 || st.st_nlink == 0)
		return gone(s, err);
	while ((n = read(s->events, events, sizeof(events))) > 0) {
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(void *)at;

			SEAL_TRY(take_event(s, event, &overflow, err));
			at += sizeof(*event) + event->len;
		}
	}
	if (overflow)
		SEAL_TRY(watch_scan(s, err));
out:
	return rc;
}
