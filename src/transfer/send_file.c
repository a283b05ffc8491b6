/*
 * One file, by one worker: from its name to its last chunk in the sink's hands.
 *
 *   open ─ fstat ─ claim ─ data key ─ ┌ buffer ─ read ─ fstat ─ seal in place ─ write ┐ ─ next
 *                                     └───────────────── each chunk ◀────────────────┘
 *
 * What is sent is a file that did not change between two fstats, the first before its first byte was read and the last after its
 * last one. As clocks of file systems tick, its last change must be older than a tick before the first one counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "files/media_type.h"
#include "transfer/send_work.h"

#define FS_TICK_MS 20
#define BUSY_AGAIN_MS 500 /* another sender has it: it may die */
#define CHANGED_AGAIN_MS 200
#define ID_TEXT_LEN (2 * (size_t)FILE_ID_LEN)

enum outcome {
	WRITTEN,
	SENT_BEFORE, /* by another sender, or run */
	TAKEN, /* another sender is at it */
	CHANGED, /* while it was sent */
	LATE, /* receivers may have given up what was sent of it */
	VANISHED,
	FAILED, /* this file */
	ENDED /* the run; the file is gone on with by the next */
};

struct sending {
	struct worker *worker;
	struct sender *sender;
	struct job *job;
	int fd;
	bool claimed, resumed;
	struct file_sealer *sealer;
	char id[ID_TEXT_LEN]; /* in hex */
	uint64_t first; /* the chunk to begin with */
	struct seal_err err;
};

/* ---- buffers ---- */

/* NULL: the run ends. */
static uint8_t *take_buffer(struct sender *s)
{
	uint8_t *buffer = NULL;
	uint64_t mine;

	pthread_mutex_lock(&s->lock);
	mine = s->buffers_wanted++;
	while (mine >= s->buffers_given + s->n_buffers && !sender_ends(s))
		pthread_cond_wait(&s->room, &s->lock);
	if (!sender_ends(s))
		buffer = s->buffers[--s->n_free];
	pthread_mutex_unlock(&s->lock);
	return buffer;
}

static void give_buffer(struct sender *s, uint8_t *buffer)
{
	pthread_mutex_lock(&s->lock);
	s->buffers[s->n_free++] = buffer;
	s->buffers_given++;
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the file ---- */

static bool is_same(const struct journal_file *file, const struct stat *st)
{
	struct journal_file now = {.size = 0};

	journal_file_set(&now, st);
	return now.size == file->size && now.mtime_ns == file->mtime_ns && now.ctime_ns == file->ctime_ns;
}

/* The run cannot go on, or ends anyway. */
static enum outcome end_run(struct sending *g, enum seal_status rc)
{
	if (rc != SEAL_RETRY)
		sender_fail(g->sender, &g->err);
	return ENDED;
}

static enum outcome open_failed(struct sending *g, int code)
{
	if (code == ENOENT && !g->job->named)
		return VANISHED;
	if (code == ELOOP)
		(void)err_set(&g->err, SEAL_USAGE, SEAL_E_NO_INPUT, "is a symbolic link, which is not followed");
	else
		(void)err_set_errno(&g->err, code == EACCES || code == EPERM ? SEAL_DENIED : SEAL_USAGE,
				    code == EACCES || code == EPERM ? SEAL_E_DENIED : SEAL_E_NO_INPUT, code,
				    "cannot open it");
	return FAILED;
}

/* Changed in this tick of the clock: another change in it would not show. */
static bool is_fresh(const struct journal_file *file)
{
	int64_t age_ms = clock_unix_ms() - file->mtime_ns / 1000000;

	return age_ms >= 0 && age_ms < FS_TICK_MS;
}

static enum outcome look_inside(struct sending *g)
{
	struct journal_file file = g->job->file;
	struct stat st;

	g->fd = openat(g->sender->directory, g->job->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (g->fd < 0)
		return open_failed(g, errno);
	if (fstat(g->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)err_set(&g->err, SEAL_USAGE, SEAL_E_NO_INPUT, "is not a regular file");
		return FAILED;
	}
	journal_file_set(&file, &st);
	if (is_fresh(&file)) {
		nanosleep(&(struct timespec){.tv_nsec = FS_TICK_MS * 1000000}, NULL);
		if (fstat(g->fd, &st) != 0 || !is_same(&file, &st))
			return CHANGED;
	}
	pthread_mutex_lock(&g->sender->lock);
	g->sender->counts->bytes_known += file.size - g->job->file.size;
	g->job->file = file;
	g->job->chunks = file_chunks(file.size, g->sender->o->chunk_size);
	pthread_mutex_unlock(&g->sender->lock);
	if (g->job->chunks > (uint64_t)UINT32_MAX + 1) {
		(void)err_set(&g->err, SEAL_DATA, SEAL_E_LIMIT,
			      "%" PRIu64 " bytes are more than 2^32 chunks; raise --chunk-size", file.size);
		return FAILED;
	}
	return WRITTEN;
}

static enum outcome claim(struct sending *g)
{
	struct sender *s = g->sender;
	struct job *job = g->job;
	struct journal_transfer transfer = {.acknowledged = 0};
	enum journal_claim claim = JOURNAL_BUSY;
	enum seal_status rc = journal_take(s->journal, &job->file, s->o->chunk_size, &claim, &transfer, &g->err);

	if (rc != SEAL_OK)
		return end_run(g, SEAL_FATAL);
	if (claim == JOURNAL_SENT || claim == JOURNAL_BUSY)
		return claim == JOURNAL_SENT ? SENT_BEFORE : TAKEN;
	g->claimed = true;
	g->resumed = claim == JOURNAL_RESUME;
	hex_encode(bytes_of(transfer.id, FILE_ID_LEN), g->id);
	pthread_mutex_lock(&s->lock);
	if (transfer.acknowledged > job->chunks)
		transfer.acknowledged = job->chunks;
	g->first = transfer.acknowledged;
	job->transfer = transfer;
	job->late = false;
	job->noted = transfer.acknowledged;
	sender_event(s, job, transfer.acknowledged > 0 ? TRANSFER_RESUMED : TRANSFER_STARTED, NULL);
	pthread_mutex_unlock(&s->lock);
	return WRITTEN;
}

/* ---- the data key ---- */

static enum seal_status ask_key(struct sending *g)
{
	struct worker *w = g->worker;
	const struct send_options *o = g->sender->o;
	const struct journal_file *file = &g->job->file;
	const struct key_call call = {.arena = &w->arena, .deadline_ms = clock_mono_ms() + SEND_KEY_TIMEOUT_MS};
	struct file_meta meta = {.name = file->name,
				 .media_type = bytes_str(media_type_of(file->name)),
				 .size = file->size,
				 .mtime_ns = file->mtime_ns,
				 .chunk_size = o->chunk_size};
	enum seal_status rc;

	arena_reset(&w->arena);
	memcpy(meta.id, g->job->transfer.id, FILE_ID_LEN);
	if (w->kek == NULL)
		SEAL_TRY(o->key->ops->session(o->key, &w->kek, &g->err));
	SEAL_TRY(file_sealer_new(&meta, w->kek, o->key_derived, &call, &g->sealer, &g->err));
out:
	return rc;
}

static enum outcome make_sealer(struct sending *g)
{
	struct send_wait wait = {.since_ms = 0};
	enum seal_status rc;

	do {
		err_clear(&g->err);
		rc = ask_key(g);
	} while (rc == SEAL_RETRY && sender_wait(g->sender, &wait, &g->err));
	sender_wait_over(g->sender, &wait, rc == SEAL_OK);
	if (rc == SEAL_OK)
		rc = journal_sync(g->sender->journal, &g->err);
	return rc == SEAL_OK ? WRITTEN : end_run(g, SEAL_FATAL);
}

/* ---- chunks ---- */

struct chunk {
	uint32_t index;
	bool last;
	size_t len;
	uint8_t *buffer; /* container header, index and last, chunk, tag */
};

/* Reads it to where it is sealed. */
static enum outcome read_chunk(struct sending *g, const struct chunk *chunk, uint8_t *to)
{
	off_t at = (off_t)chunk->index * g->sender->o->chunk_size;
	struct stat st;
	size_t have = 0;

	while (have < chunk->len) {
		ssize_t n = pread(g->fd, to + have, chunk->len - have, at + (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_set_errno(&g->err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read it");
			return FAILED;
		}
		if (n == 0)
			return CHANGED;
		have += (size_t)n;
	}
	if (fstat(g->fd, &st) != 0 || !is_same(&g->job->file, &st))
		return CHANGED;
	return WRITTEN;
}

static enum outcome write_chunk(struct sending *g, const struct chunk *chunk, size_t value_len)
{
	struct sender *s = g->sender;
	char index[24], count[24];
	struct record_header headers[] = {
		{BYTES_LIT(TRANSFER_HEADER_KEY), file_sealer_wrapped(g->sealer)},
		{BYTES_LIT(TRANSFER_HEADER_ID), bytes_of(g->id, sizeof(g->id))},
		{BYTES_LIT(TRANSFER_HEADER_INDEX), bytes_of(index, 0)},
		{BYTES_LIT(TRANSFER_HEADER_COUNT), bytes_of(count, 0)},
		{BYTES_LIT(TRANSFER_HEADER_NAME), g->job->file.name},
	};
	const struct record record = {
		.key = bytes_of(g->id, sizeof(g->id)),
		.value = bytes_of(chunk->buffer, value_len),
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]) - (s->o->hide_names ? 1 : 0),
		.partition = -1,
	};
	const struct sink_ops *ops = s->o->sink->ops;
	enum seal_status rc;

	headers[2].value.len = (size_t)snprintf(index, sizeof(index), "%" PRIu32, chunk->index);
	headers[3].value.len = (size_t)snprintf(count, sizeof(count), "%" PRIu64, g->job->chunks);
	rc = ops->check != NULL ? ops->check(s->o->sink, &record, &g->err) : SEAL_OK;
	if (rc == SEAL_DATA)
		return FAILED;
	if (rc == SEAL_OK)
		rc = sink_put(s, g->job, &record, (uint64_t)chunk->index + 1, &g->err);
	return rc == SEAL_OK ? WRITTEN : end_run(g, rc);
}

static enum outcome send_chunk(struct sending *g, const struct chunk *chunk)
{
	struct seal_bytes header = file_sealer_header(g->sealer);
	uint8_t *part = chunk->buffer + header.len, *plain = part + FILE_PART_HEADER_LEN;
	enum outcome outcome;

	memcpy(chunk->buffer, header.ptr, header.len);
	be32_store(part, chunk->index);
	part[4] = chunk->last;
	outcome = read_chunk(g, chunk, plain);
	if (outcome != WRITTEN)
		return outcome;
	if (file_seal(g->sealer, chunk->index, chunk->last, bytes_of(plain, chunk->len), plain, &g->err) != SEAL_OK)
		return end_run(g, SEAL_FATAL);
	return write_chunk(g, chunk, (size_t)(plain - chunk->buffer) + chunk->len + FILE_TAG_LEN);
}

static bool is_late(struct sending *g)
{
	bool late;

	pthread_mutex_lock(&g->sender->lock);
	late = job_is_late(g->job);
	pthread_mutex_unlock(&g->sender->lock);
	return late;
}

static enum outcome send_chunks(struct sending *g)
{
	const uint32_t chunk_size = g->sender->o->chunk_size;
	const uint64_t size = g->job->file.size, n = g->job->chunks;
	enum outcome outcome = WRITTEN;

	for (uint64_t i = g->first; i < n && outcome == WRITTEN; i++) {
		struct chunk chunk = {.index = (uint32_t)i,
				      .last = i == n - 1,
				      .len = i < n - 1 ? chunk_size : (size_t)(size - i * chunk_size),
				      .buffer = take_buffer(g->sender)};

		if (chunk.buffer == NULL)
			return ENDED;
		outcome = is_late(g) ? LATE : send_chunk(g, &chunk);
		give_buffer(g->sender, chunk.buffer);
	}
	return outcome;
}

/* ---- the whole ---- */

static enum outcome send_file(struct sending *g)
{
	enum outcome outcome = look_inside(g);

	if (outcome == WRITTEN)
		outcome = claim(g);
	if (outcome != WRITTEN || g->first == g->job->chunks)
		return outcome;
	(void)posix_fadvise(g->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	outcome = make_sealer(g);
	if (!g->resumed) { /* nobody waits for it yet, however long the key server was away */
		pthread_mutex_lock(&g->sender->lock);
		g->job->transfer.heard_s = clock_unix_ms() / 1000;
		pthread_mutex_unlock(&g->sender->lock);
	}
	return outcome == WRITTEN ? send_chunks(g) : outcome;
}

static void is_changing(struct sending *g)
{
	(void)err_set(&g->err, SEAL_RETRY, SEAL_E_BUSY,
		      "it changes while it is being sent, %u times now; send it when whoever writes it is done",
		      g->job->tries);
}

/* Under lock. */
static void conclude(struct sending *g, enum outcome outcome)
{
	struct sender *s = g->sender;
	struct job *job = g->job;
	uint64_t now = clock_mono_ms();

	switch (outcome) {
	case WRITTEN:
		job_set(s, job, JOB_FLYING);
		job_check_finished(s, job);
		break;
	case SENT_BEFORE:
		s->counts->before++;
		job_drop(s, job);
		break;
	case VANISHED:
		job_drop(s, job);
		break;
	case TAKEN:
		job_later(s, job, now + BUSY_AGAIN_MS);
		break;
	case CHANGED:
		if (s->once && ++job->tries == SEND_TRIES_MAX) {
			is_changing(g);
			job_fail(s, job, &g->err);
		} else {
			job_later(s, job, now + (s->once ? CHANGED_AGAIN_MS : s->o->settle_ms));
		}
		break;
	case LATE:
		job_restart(s, job);
		break;
	case FAILED:
		job_fail(s, job, &g->err);
		break;
	case ENDED:
		/* What is on its way still lands, and is noted. */
		job_set(s, job, JOB_FLYING);
		break;
	}
	sender_wake(s);
}

static void run_job(struct worker *w, struct job *job)
{
	struct sender *s = w->sender;
	struct sending g = {.worker = w, .sender = s, .job = job, .fd = -1, .err = SEAL_ERR_INIT};
	struct journal_file file;
	enum outcome outcome = send_file(&g);

	file = job->file;
	if ((outcome == CHANGED || outcome == LATE) && g.claimed &&
	    journal_note_gone(s->journal, job->transfer.id, &g.err) != SEAL_OK)
		outcome = end_run(&g, SEAL_FATAL);
	if (g.claimed && outcome != WRITTEN && outcome != ENDED)
		journal_release(s->journal, &file);
	file_sealer_free(g.sealer);
	if (g.fd >= 0)
		close(g.fd);
	pthread_mutex_lock(&s->lock);
	if (outcome == CHANGED && g.claimed)
		sender_event(s, job, TRANSFER_ABANDONED, NULL);
	conclude(&g, outcome);
	pthread_mutex_unlock(&s->lock);
}

/* NULL: there will be no more. */
static struct job *next_job(struct sender *s)
{
	struct job *job;

	pthread_mutex_lock(&s->lock);
	while (s->queue == NULL && !s->over && !sender_ends(s))
		pthread_cond_wait(&s->changed, &s->lock);
	job = sender_ends(s) ? NULL : s->queue;
	if (job != NULL) {
		s->queue = job->next;
		if (s->queue == NULL)
			s->queue_tail = &s->queue;
		job_set(s, job, JOB_ACTIVE);
		job->attempt++;
		job->again = false;
		job->transfer = (struct journal_transfer){.acknowledged = 0};
		job->noted = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return job;
}

void worker_run(struct worker *w)
{
	struct job *job;

	while ((job = next_job(w->sender)) != NULL)
		run_job(w, job);
}
