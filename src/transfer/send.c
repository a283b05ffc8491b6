/*
 * A sender: one coordinator, the caller's thread, and as many workers as files are sent at once.
 *
 *   scan, inotify ─▶ jobs ─ queue ─▶ workers ─ chunks ─▶ sink
 *        coordinator  ▲                                   │
 *        journal ◀────┴──────── acknowledged ◀────────────┘
 *
 * Memory: BUFFERS_BYTES of chunks at most (one chunk at least), what the sink holds, and some hundred bytes for each file that is to
 * be sent or was. Workers open a file, claim it and ask for its data key on their own, so that no file waits for another's;
 * the coordinator alone notes what was acknowledged.
 *
 * Order of locks: turn, lock, the journal's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "transfer/send_work.h"

#define BUFFERS_BYTES (8u << 20)
#define TICK_MS 10 /* while something is on its way */
#define IDLE_MS 200
#define NOTE_MS 1000 /* between notes of what is acknowledged */
#define RESCAN_MS 30000
#define DRAIN_MS 10000 /* after a stop request: for what is on its way */
#define RETRY_FIRST_MS 100
#define RETRY_LONGEST_MS 5000

/* ---- ends and waits ---- */

bool sender_ends(struct sender *s)
{
	if (!s->stopping && s->o->watch.stop() != 0) {
		s->stopping = true;
		pthread_cond_broadcast(&s->changed);
		pthread_cond_broadcast(&s->room);
	}
	return s->stopping || s->failed;
}

void sender_fail(struct sender *s, const struct seal_err *why)
{
	pthread_mutex_lock(&s->lock);
	/* What was still waited for when the stop request came is no failure. */
	if (!s->failed && !(s->stopping && why->status == SEAL_RETRY)) {
		s->failed = true;
		s->err = *why;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
	sender_wake(s);
}

void sender_wake(struct sender *s)
{
	const uint64_t one = 1;
	ssize_t n = write(s->wake, &one, sizeof(one));

	(void)n; /* full: it is awake */
}

void sender_tell_waiting(struct sender *s, const struct seal_err *why)
{
	if (s->waiting++ > 0)
		return;
	s->waiting_ms = clock_mono_ms();
	if (s->o->watch.waiting != NULL)
		s->o->watch.waiting(s->o->watch.arg, why);
}

void sender_tell_resumed(struct sender *s, bool answered)
{
	if (--s->waiting == 0 && answered && s->o->watch.resumed != NULL)
		s->o->watch.resumed(s->o->watch.arg, clock_mono_ms() - s->waiting_ms);
}

/* Under lock: for `ms`, or until the run ends. */
static void pause_for(struct sender *s, uint64_t ms)
{
	const uint64_t end = clock_mono_ms() + ms;
	const struct timespec until = {(time_t)(end / 1000), (long)(end % 1000) * 1000000};

	while (!sender_ends(s) && clock_mono_ms() < end)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
}

bool sender_wait(struct sender *s, struct send_wait *wait, struct seal_err *why)
{
	const uint64_t now = clock_mono_ms(), limit_ms = s->o->retry_ms;
	bool go_on;

	pthread_mutex_lock(&s->lock);
	if (wait->since_ms == 0) {
		*wait = (struct send_wait){now, RETRY_FIRST_MS};
		sender_tell_waiting(s, why);
	}
	go_on = limit_ms == 0 || now - wait->since_ms < limit_ms;
	if (go_on)
		pause_for(s, wait->pause_ms);
	else
		err_prefix(why, "given up after %.1f s", (double)(now - wait->since_ms) / 1000);
	go_on = go_on && !sender_ends(s);
	pthread_mutex_unlock(&s->lock);
	wait->pause_ms = wait->pause_ms * 2 > RETRY_LONGEST_MS ? RETRY_LONGEST_MS : wait->pause_ms * 2;
	return go_on;
}

void sender_wait_over(struct sender *s, struct send_wait *wait, bool answered)
{
	if (wait->since_ms == 0)
		return;
	wait->since_ms = 0;
	pthread_mutex_lock(&s->lock);
	sender_tell_resumed(s, answered);
	pthread_mutex_unlock(&s->lock);
}

/* ---- what is told ---- */

void sender_event(struct sender *s, const struct job *job, int what, const struct seal_err *why)
{
	struct transfer_event event = {.size = job->file.size, .why = why};
	char shown[JOB_SHOWN_MAX];

	if (s->o->watch.event == NULL)
		return;
	job_show(job, shown);
	event.name = shown;
	event.what = what;
	memcpy(event.id, job->transfer.id, FILE_ID_LEN);
	event.bytes = job->transfer.acknowledged * s->o->chunk_size;
	if (event.bytes > event.size)
		event.bytes = event.size;
	s->o->watch.event(s->o->watch.arg, &event);
}

/* ---- the journal ---- */

/* Under lock: takes a finished job out. */
static struct job *take_finished(struct sender *s)
{
	struct job *job = s->finished;

	if (job != NULL)
		s->finished = job->next;
	return job;
}

/* All is acknowledged, but too late to be sure that anybody still wanted the rest of it. */
static enum seal_status begin_anew(struct sender *s, struct job *job, struct seal_err *err)
{
	struct journal_file file = job->file;
	enum seal_status rc;

	SEAL_TRY(journal_note_gone(s->journal, job->transfer.id, err));
	journal_release(s->journal, &file);
	pthread_mutex_lock(&s->lock);
	job_restart(s, job);
	pthread_mutex_unlock(&s->lock);
out:
	return rc;
}

static enum seal_status finish_job(struct sender *s, struct job *job, struct seal_err *err)
{
	struct journal_file file = job->file;
	enum seal_status rc;
	char *path = NULL;
	bool again;

	if (job->late)
		return begin_anew(s, job, err);
	SEAL_TRY(journal_note_done(s->journal, job->transfer.id, err));
	journal_release(s->journal, &file);
	pthread_mutex_lock(&s->lock);
	s->counts->files++;
	s->counts->bytes += file.size;
	sender_event(s, job, TRANSFER_DONE, NULL);
	again = job->again;
	if (again)
		path = mem_strdup(job->path);
	job_remove(s, job);
	pthread_mutex_unlock(&s->lock);
	if (again && path == NULL)
		rc = err_memory(err);
	else if (again)
		rc = watch_look(s, path, false, true, err);
out:
	mem_free(path);
	return rc;
}

static enum seal_status finish_jobs(struct sender *s, struct seal_err *err)
{
	struct job *job;
	enum seal_status rc = SEAL_OK;

	do {
		pthread_mutex_lock(&s->lock);
		job = take_finished(s);
		pthread_mutex_unlock(&s->lock);
		if (job != NULL)
			rc = finish_job(s, job, err);
	} while (job != NULL && rc == SEAL_OK);
	return rc;
}

/* The next one of which more is acknowledged than noted; its id and how much. */
static bool find_unnoted(struct sender *s, struct table_node **at, struct journal_transfer *out)
{
	struct job *job = NULL;

	pthread_mutex_lock(&s->lock);
	while (job == NULL && (*at = table_next(&s->jobs, *at)) != NULL) {
		job = (struct job *)((char *)*at - offsetof(struct job, by_path));
		if ((job->state == JOB_ACTIVE || job->state == JOB_FLYING) &&
		    job->transfer.acknowledged > job->noted) {
			*out = job->transfer;
			job->noted = out->acknowledged;
		} else {
			job = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return job != NULL;
}

/* So that a sender that is killed does not begin from the start. A job that has chunks to be noted stays in the table meanwhile. */
static enum seal_status note_acknowledged(struct sender *s, struct seal_err *err)
{
	struct journal_transfer transfer;
	struct table_node *at = NULL;
	enum seal_status rc = SEAL_OK;

	while (rc == SEAL_OK && find_unnoted(s, &at, &transfer))
		rc = journal_note_acknowledged(s->journal, transfer.id, transfer.acknowledged, err);
	return rc;
}

/* ---- the coordinator ---- */

static bool is_done(struct sender *s)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	done = sender_ends(s) || (s->once && s->n_busy == 0 && s->n_later == 0);
	pthread_mutex_unlock(&s->lock);
	return done;
}

/* Until something happens, or a while. */
static void wait_for_news(struct sender *s)
{
	struct pollfd fds[] = {{s->wake, POLLIN, 0}, {s->events, POLLIN, 0}};
	uint64_t count, now = clock_mono_ms(), wait_ms = IDLE_MS;
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	if (s->n_flights > 0)
		wait_ms = TICK_MS;
	else if (s->n_later > 0 && s->next_due_ms < now + wait_ms)
		wait_ms = s->next_due_ms > now ? s->next_due_ms - now : 0;
	pthread_mutex_unlock(&s->lock);
	(void)poll(fds, 2, (int)wait_ms);
	n = read(s->wake, &count, sizeof(count));
	(void)n;
}

struct clocks {
	uint64_t note_ms, rescan_ms;
};

static enum seal_status look_around(struct sender *s, struct clocks *clocks, struct seal_err *err)
{
	uint64_t now = clock_mono_ms();
	enum seal_status rc;

	SEAL_TRY(sink_look(s, err));
	SEAL_TRY(finish_jobs(s, err));
	SEAL_TRY(watch_read(s, err));
	SEAL_TRY(watch_due(s, err));
	if (now >= clocks->note_ms) {
		SEAL_TRY(note_acknowledged(s, err));
		clocks->note_ms = now + NOTE_MS;
	}
	if (!s->once && now >= clocks->rescan_ms) {
		SEAL_TRY(watch_scan(s, err));
		SEAL_TRY(journal_tidy(s->journal, err));
		clocks->rescan_ms = clock_mono_ms() + RESCAN_MS;
	}
out:
	return rc;
}

static enum seal_status first_look(struct sender *s, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (s->o->files == NULL)
		rc = watch_scan(s, err);
	for (size_t i = 0; rc == SEAL_OK && s->o->files != NULL && s->o->files[i] != NULL; i++)
		rc = watch_look(s, s->o->files[i], true, true, err);
	pthread_mutex_lock(&s->lock);
	s->scanned = true;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void coordinate(struct sender *s)
{
	struct clocks clocks = {clock_mono_ms() + NOTE_MS, clock_mono_ms() + RESCAN_MS};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = first_look(s, &err);

	while (rc == SEAL_OK && !is_done(s)) {
		rc = look_around(s, &clocks, &err);
		if (rc == SEAL_OK && !is_done(s))
			wait_for_news(s);
	}
	if (rc != SEAL_OK)
		sender_fail(s, &err);
	pthread_mutex_lock(&s->lock);
	s->over = true;
	pthread_cond_broadcast(&s->changed);
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
}

/* Workers have ended: what is still on its way is waited for, unless the run has failed; what is known to be safe is noted. */
static enum seal_status drain(struct sender *s, struct seal_err *err)
{
	const uint64_t end = clock_mono_ms() + DRAIN_MS;
	struct seal_err noting = SEAL_ERR_INIT;
	enum seal_status rc;

	do {
		rc = sink_look(s, err);
		if (rc == SEAL_OK)
			rc = finish_jobs(s, err);
		if (s->n_flights > 0 && rc == SEAL_OK && !s->failed)
			wait_for_news(s);
	} while (s->n_flights > 0 && rc == SEAL_OK && !s->failed && clock_mono_ms() < end);
	if (note_acknowledged(s, &noting) != SEAL_OK && rc == SEAL_OK) {
		*err = noting;
		rc = noting.status;
	}
	return rc;
}

/* ---- workers ---- */

static void *worker_main(void *arg)
{
	worker_run(arg);
	return NULL;
}

/* As many as can be started; signals are the coordinator's. */
static enum seal_status start_workers(struct sender *s, struct worker *workers, unsigned *n, struct seal_err *err)
{
	sigset_t all, before;
	int code = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (*n = 0; *n < s->o->parallel && code == 0;) {
		struct worker *w = &workers[*n];

		w->sender = s;
		arena_init(&w->arena, 1 << 16);
		code = pthread_create(&w->thread, NULL, worker_main, w);
		if (code == 0)
			(*n)++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (*n > 0)
		return SEAL_OK;
	return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start a thread");
}

static void end_workers(struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		if (w->kek != NULL)
			w->kek->ops->free(w->kek);
		arena_clear(&w->arena);
	}
}

/* ---- start and end ---- */

static size_t buffer_len(const struct send_options *o)
{
	return FILE_HEADER_MAX + FILE_PART_HEADER_LEN + (size_t)o->chunk_size + FILE_TAG_LEN;
}

static enum seal_status make_buffers(struct sender *s, struct seal_err *err)
{
	size_t n = BUFFERS_BYTES / buffer_len(s->o);

	n = n < 1 ? 1 : n > s->o->parallel ? s->o->parallel : n;
	s->buffers = mem_calloc(n, sizeof(*s->buffers));
	if (s->buffers == NULL)
		return err_memory(err);
	for (; s->n_buffers < n; s->n_buffers++) {
		s->buffers[s->n_buffers] = mem_alloc(buffer_len(s->o));
		if (s->buffers[s->n_buffers] == NULL)
			return err_memory(err);
	}
	s->n_free = n;
	return SEAL_OK;
}

/* The directory of a path: "." for a name alone. The caller frees it. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(".");
	return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/* Files without --state: their directory, which must be the same for all. The caller frees it. */
static enum seal_status parent_of_all(const char *const *files, char **out, struct seal_err *err)
{
	struct stat first, other;
	enum seal_status rc = SEAL_OK;

	*out = parent_of(files[0]);
	if (*out == NULL)
		return err_memory(err);
	if (stat(*out, &first) != 0)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot look at %s", *out);
	for (size_t i = 1; files[i] != NULL && rc == SEAL_OK; i++) {
		char *parent = parent_of(files[i]);

		if (parent == NULL)
			rc = err_memory(err);
		else if (stat(parent, &other) != 0)
			rc = err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot look at %s", parent);
		else if (other.st_dev != first.st_dev || other.st_ino != first.st_ino)
			rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
				     "files of several directories: say with --state where to keep what was sent");
		mem_free(parent);
	}
	return rc;
}

static enum seal_status open_directory(int at, const char *path, int flags, int *out, struct seal_err *err)
{
	*out = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	if (*out >= 0)
		return SEAL_OK;
	return err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_USAGE,
			     errno == EACCES ? SEAL_E_DENIED : SEAL_E_NO_INPUT, errno, "cannot open directory %s",
			     path);
}

/* Whoever may write there could say of a file that it was sent, so that it never is. */
static enum seal_status check_state(const struct sender *s, const char *path, struct seal_err *err)
{
	struct stat st;

	if (fstat(s->state, &st) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot look at %s", path);
	if ((st.st_uid == geteuid() || st.st_uid == 0) && (st.st_mode & 002) == 0)
		return SEAL_OK;
	return err_set(
		err, SEAL_DENIED, SEAL_E_DENIED,
		"%s, where what was sent is kept, is another user's, or everybody may write to it (mode %03o); "
		"remove it, or name another place with --state",
		path, (unsigned)st.st_mode & 0777);
}

/* `base`: the directory that TRANSFER_STATE_DIR is made in, unless options name another state. */
static enum seal_status open_state(struct sender *s, const char *base, int base_fd, struct seal_err *err)
{
	const char *state = s->o->state;
	int at = state != NULL ? AT_FDCWD : base_fd;
	char *path = NULL;
	size_t room = strlen(base) + sizeof("/" TRANSFER_STATE_DIR);
	enum seal_status rc;

	path = state != NULL ? mem_strdup(state) : mem_alloc(room);
	if (path == NULL)
		return err_memory(err);
	if (state == NULL)
		snprintf(path, room, "%s/" TRANSFER_STATE_DIR, base);
	if (mkdirat(at, state ? state : TRANSFER_STATE_DIR, 0700) != 0 && errno != EEXIST) {
		rc = err_set_errno(err, SEAL_DENIED, SEAL_E_CREATE, errno,
				   "cannot make %s, where what was sent is kept; name another place with --state",
				   path);
		goto out;
	}
	SEAL_TRY(open_directory(at, state ? state : TRANSFER_STATE_DIR, O_NOFOLLOW, &s->state, err));
	SEAL_TRY(check_state(s, path, err));
	SEAL_TRY(journal_open(s->state, path, state == NULL ? base_fd : -1, s->o->target, &s->journal, err));
	SEAL_TRY(journal_tidy(s->journal, err));
out:
	mem_free(path);
	return rc;
}

/* *base_fd: where the journal finds the names; open as long as the journal. */
static enum seal_status open_places(struct sender *s, int *base_fd, struct seal_err *err)
{
	const struct send_options *o = s->o;
	char *base = NULL;
	enum seal_status rc = SEAL_OK;

	if (o->files == NULL)
		base = mem_strdup(o->directory);
	else if (o->state == NULL)
		SEAL_TRY(parent_of_all(o->files, &base, err));
	else
		base = mem_strdup(".");
	if (base == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(open_directory(AT_FDCWD, base, 0, base_fd, err));
	s->directory = o->files == NULL ? *base_fd : AT_FDCWD;
	SEAL_TRY(open_state(s, base, *base_fd, err));
	if (!s->once)
		SEAL_TRY(watch_open(s, err));
out:
	mem_free(base);
	return rc;
}

static enum seal_status check_options(const struct send_options *o, struct seal_err *err)
{
	SEAL_INVARIANT(o->watch.stop != NULL && o->sink != NULL && o->key != NULL);
	if (o->parallel < 1 || o->parallel > SEND_PARALLEL_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "1 to %d files can be sent at once", SEND_PARALLEL_MAX);
	if (o->chunk_size < FILE_CHUNK_MIN || o->chunk_size > FILE_CHUNK_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "a chunk has %u to %u bytes", FILE_CHUNK_MIN,
			       FILE_CHUNK_MAX);
	if (o->files != NULL ? o->files[0] == NULL : o->directory == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "neither a directory nor a file to send");
	return SEAL_OK;
}

static enum seal_status sender_init(struct sender *s, struct seal_err *err)
{
	pthread_condattr_t attributes;

	s->directory = s->state = s->events = -1;
	s->queue_tail = &s->queue;
	s->next_due_ms = UINT64_MAX;
	s->answered_ms = clock_mono_ms();
	turn_init(&s->turn);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attributes);
	pthread_cond_init(&s->room, &attributes);
	pthread_condattr_destroy(&attributes);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, errno, "cannot make an eventfd");
	return SEAL_OK;
}

static void sender_clear(struct sender *s)
{
	journal_close(s->journal);
	jobs_clear(s);
	mem_free(s->flights);
	for (size_t i = 0; i < s->n_buffers; i++) {
		mem_wipe(s->buffers[i], buffer_len(s->o));
		mem_free(s->buffers[i]);
	}
	mem_free(s->buffers);
	if (s->state >= 0)
		close(s->state);
	if (s->events >= 0)
		close(s->events);
	if (s->wake >= 0)
		close(s->wake);
	turn_clear(&s->turn);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	pthread_cond_destroy(&s->room);
}

/* From the first look to the last note. */
static enum seal_status run(struct sender *s, struct seal_err *err)
{
	struct worker workers[SEND_PARALLEL_MAX] = {{.sender = NULL}};
	struct seal_err late = SEAL_ERR_INIT;
	unsigned n = 0;
	enum seal_status rc;

	SEAL_TRY(sink_check_room(s, err));
	SEAL_TRY(make_buffers(s, err));
	SEAL_TRY(start_workers(s, workers, &n, err));
	coordinate(s);
	end_workers(workers, n);
	if (drain(s, &late) != SEAL_OK)
		sender_fail(s, &late);
	if (!s->failed && !s->stopping && s->o->sink->ops->finish != NULL)
		rc = s->o->sink->ops->finish(s->o->sink, err);
	if (s->failed) {
		*err = s->err;
		rc = s->err.status;
	}
out:
	return rc;
}

enum seal_status transfer_send(const struct send_options *options, struct transfer_counts *counts,
			       struct seal_err *err)
{
	struct sender s = {.o = options, .counts = counts, .once = options->once || options->files != NULL};
	struct seal_err own = SEAL_ERR_INIT;
	int base_fd = -1;
	enum seal_status rc;

	*counts = (struct transfer_counts){.files = 0};
	SEAL_TRY(sender_init(&s, &own));
	SEAL_TRY(check_options(options, &own));
	SEAL_TRY(open_places(&s, &base_fd, &own));
	SEAL_TRY(run(&s, &own));
out:
	sender_clear(&s);
	if (base_fd >= 0)
		close(base_fd);
	if (rc == SEAL_RETRY && s.stopping) /* stopped while it waited at the start */
		return SEAL_OK;
	if (rc != SEAL_OK && err != NULL)
		*err = own;
	return rc;
}
