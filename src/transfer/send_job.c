/*
 * Jobs: one for each file that has not been seen to be sent.
 *
 *   LATER ⇄ QUEUED ─▶ ACTIVE ─▶ FLYING ─▶ FINISHED ─▶ gone, or LATER (written to meanwhile)
 *     ▲                 │
 *     └── changed ──────┴──▶ FAILED
 */
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "transfer/send_work.h"

static int64_t time_ns(struct timespec at)
{
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

void journal_file_set(struct journal_file *file, const struct stat *st)
{
	file->dev = (uint64_t)st->st_dev;
	file->inode = (uint64_t)st->st_ino;
	file->size = (uint64_t)st->st_size;
	file->mtime_ns = time_ns(st->st_mtim);
	file->ctime_ns = time_ns(st->st_ctim);
}

static struct job *job_of(struct table_node *node)
{
	return (struct job *)((char *)node - offsetof(struct job, by_path));
}

struct job *job_find(const struct sender *s, const char *path)
{
	uint64_t hash = table_hash(TABLE_SEED, bytes_str(path));
	struct table_node *node = NULL;

	while ((node = table_find(&s->jobs, hash, node)) != NULL)
		if (strcmp(job_of(node)->path, path) == 0)
			return job_of(node);
	return NULL;
}

/* What would command a terminal, or is no text, becomes '?'. */
void job_show(const struct job *job, char out[JOB_SHOWN_MAX])
{
	const struct seal_bytes name = job->file.name;
	size_t at = 0, len = 0;

	while (at < name.len && len + 5 < JOB_SHOWN_MAX) {
		uint32_t c = 0;
		size_t start = at;

		if (!utf8_next(name, &at, &c)) {
			at = start + 1;
			c = 0;
		}
		if (utf8_steers(c))
			c = '?';
		len += utf8_put(c, (uint8_t *)out + len);
	}
	out[len] = '\0';
}

enum seal_status job_new(struct sender *s, const char *path, bool named, const struct stat *st, struct job **out,
			 struct seal_err *err)
{
	size_t len = strlen(path);
	struct job *job = mem_calloc(1, sizeof(*job) + len + 1);
	const char *slash;
	enum seal_status rc;

	*out = NULL;
	if (job == NULL)
		return err_memory(err);
	memcpy(job->path, path, len + 1);
	slash = strrchr(job->path, '/');
	job->file.name = bytes_str(slash != NULL ? slash + 1 : job->path);
	journal_file_set(&job->file, st);
	rc = table_add(&s->jobs, &job->by_path, table_hash(TABLE_SEED, bytes_str(path)), err);
	if (rc != SEAL_OK) {
		mem_free(job);
		return rc;
	}
	job->named = named;
	s->n_later++;
	s->counts->files_known++;
	s->counts->bytes_known += job->file.size;
	*out = job;
	return SEAL_OK;
}

static bool is_busy(enum job_state state)
{
	return state == JOB_QUEUED || state == JOB_ACTIVE || state == JOB_FLYING || state == JOB_FINISHED;
}

void job_set(struct sender *s, struct job *job, enum job_state state)
{
	s->n_later += (size_t)(state == JOB_LATER) - (size_t)(job->state == JOB_LATER);
	s->n_busy += (size_t)is_busy(state) - (size_t)is_busy(job->state);
	job->state = state;
	if (state == JOB_QUEUED) {
		job->next = NULL;
		*s->queue_tail = job;
		s->queue_tail = &job->next;
		pthread_cond_broadcast(&s->changed);
	} else if (state == JOB_FINISHED) {
		job->next = s->finished;
		s->finished = job;
		sender_wake(s);
	}
}

void job_later(struct sender *s, struct job *job, uint64_t due_ms)
{
	job->due_ms = due_ms;
	if (due_ms < s->next_due_ms)
		s->next_due_ms = due_ms;
	job_set(s, job, JOB_LATER);
}

void job_remove(struct sender *s, struct job *job)
{
	table_remove(&s->jobs, &job->by_path);
	job_set(s, job, JOB_DEAD);
	if (job->flights == 0)
		mem_free(job);
}

void job_drop(struct sender *s, struct job *job)
{
	s->counts->files_known--;
	s->counts->bytes_known -= job->file.size;
	job_remove(s, job);
}

void job_fail(struct sender *s, struct job *job, const struct seal_err *why)
{
	s->counts->failed++;
	sender_event(s, job, TRANSFER_FAILED, why);
	job_set(s, job, JOB_FAILED);
}

bool job_is_late(const struct job *job)
{
	return job->late || clock_unix_ms() / 1000 - job->transfer.heard_s > TRANSFER_RESUME_MAX_S;
}

void job_restart(struct sender *s, struct job *job)
{
	sender_event(s, job, TRANSFER_ABANDONED, NULL);
	job_later(s, job, clock_mono_ms());
}

void jobs_clear(struct sender *s)
{
	struct table_node *node;

	for (size_t i = 0; i < s->n_flights; i++) {
		struct job *job = flight_at(s, i)->job;

		if (--job->flights == 0 && job->state == JOB_DEAD)
			mem_free(job);
	}
	s->n_flights = 0;
	while ((node = table_next(&s->jobs, NULL)) != NULL) {
		table_remove(&s->jobs, node);
		mem_free(job_of(node));
	}
	table_clear(&s->jobs);
}
