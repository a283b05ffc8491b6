/*
 * The one sink of all files.
 *
 *   workers ─ put ─▶ turn ─▶ sink.write(ticket) ─▶ flights: [5: a.csv 3] [6: b.png 1] [7: a.csv 4] …
 *                                                     ▲
 *   coordinator ─ look ─▶ turn ─▶ sink.poll ──────────┘  all up to the acknowledged ticket land
 *
 * Tickets grow in the order of writes, and each file's chunks are written in order: so what has landed of a file is always its
 * first chunks. A turn goes to whoever asked first, so that files interleave and none starves.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "transfer/send_work.h"

#define WRITE_TICK_MS 20
#define PROGRESS_MS 100
#define FLIGHTS_FIRST 64

void turn_init(struct turn *turn)
{
	pthread_mutex_init(&turn->lock, NULL);
	pthread_cond_init(&turn->changed, NULL);
	turn->next = turn->serving = 0;
}

void turn_clear(struct turn *turn)
{
	pthread_mutex_destroy(&turn->lock);
	pthread_cond_destroy(&turn->changed);
}

static void turn_take(struct turn *turn)
{
	uint64_t mine;

	pthread_mutex_lock(&turn->lock);
	mine = turn->next++;
	while (turn->serving != mine)
		pthread_cond_wait(&turn->changed, &turn->lock);
	pthread_mutex_unlock(&turn->lock);
}

static void turn_give(struct turn *turn)
{
	pthread_mutex_lock(&turn->lock);
	turn->serving++;
	pthread_cond_broadcast(&turn->changed);
	pthread_mutex_unlock(&turn->lock);
}

/* ---- flights ---- */

/* Room for one more. Under lock. */
static enum seal_status make_room(struct sender *s, struct seal_err *err)
{
	size_t room = s->room_flights ? 2 * s->room_flights : FLIGHTS_FIRST;
	struct flight *grown;

	if (s->n_flights < s->room_flights)
		return SEAL_OK;
	grown = mem_alloc(room * sizeof(*grown));
	if (grown == NULL)
		return err_memory(err);
	for (size_t i = 0; i < s->n_flights; i++)
		grown[i] = *flight_at(s, i);
	mem_free(s->flights);
	s->flights = grown;
	s->first_flight = 0;
	s->room_flights = room;
	return SEAL_OK;
}

/* Under lock. */
static void add_flight(struct sender *s, struct job *job, uint64_t end)
{
	if (s->n_flights == 0) {
		s->answered_ms = clock_mono_ms();
		sender_wake(s);
	}
	*flight_at(s, s->n_flights++) = (struct flight){job, s->ticket, end, job->attempt};
	job->flights++;
}

void job_check_finished(struct sender *s, struct job *job)
{
	if (job->state == JOB_FLYING && job->transfer.acknowledged >= job->chunks)
		job_set(s, job, JOB_FINISHED);
}

/* Under lock. */
static void land(struct sender *s, const struct flight *flight, uint64_t now)
{
	struct job *job = flight->job;

	job->flights--;
	if (job->state == JOB_DEAD) {
		if (job->flights == 0)
			mem_free(job);
		return;
	}
	if (flight->attempt != job->attempt || (job->state != JOB_ACTIVE && job->state != JOB_FLYING))
		return;
	job->late = job_is_late(job);
	job->transfer.heard_s = clock_unix_ms() / 1000;
	job->transfer.acknowledged = flight->end;
	s->counts->chunks++;
	if (now - job->told_ms >= PROGRESS_MS && flight->end < job->chunks) {
		job->told_ms = now;
		sender_event(s, job, TRANSFER_PROGRESS, NULL);
	}
	job_check_finished(s, job);
}

/* ---- a sink that is away ---- */

/* Under lock: it did something. */
static void sink_answers(struct sender *s, uint64_t now)
{
	s->answered_ms = now;
	if (s->sink_waits)
		sender_tell_resumed(s, true);
	s->sink_waits = false;
}

/* Under lock: it is away. SEAL_RETRY: for longer than it is waited for. */
static enum seal_status check_away(struct sender *s, uint64_t now, const struct seal_err *why, struct seal_err *err)
{
	const uint64_t away_ms = now - s->answered_ms;

	if (away_ms >= STREAM_AWAY_TELL_MS && !s->sink_waits) {
		s->sink_waits = true;
		sender_tell_waiting(s, why);
	}
	if (s->o->retry_ms == 0 || away_ms < s->o->retry_ms)
		return SEAL_OK;
	*err = *why;
	err_prefix(err, "given up after %.1f s", (double)away_ms / 1000);
	return SEAL_RETRY;
}

enum seal_status sink_look(struct sender *s, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	uint64_t acknowledged = 0, now;
	enum seal_status rc;

	turn_take(&s->turn);
	rc = s->o->sink->ops->poll(s->o->sink, 0, &acknowledged, &why);
	turn_give(&s->turn);
	now = clock_mono_ms();
	pthread_mutex_lock(&s->lock);
	while (s->n_flights > 0 && flight_at(s, 0)->ticket <= acknowledged) {
		struct flight flight = *flight_at(s, 0);

		s->first_flight++;
		s->n_flights--;
		sink_answers(s, now);
		land(s, &flight, now);
	}
	if (rc == SEAL_OK && s->n_flights == 0 && s->blocked > 0) {
		why = s->sink_why; /* it takes nothing at all */
		rc = SEAL_RETRY;
	}
	if (rc == SEAL_OK)
		sink_answers(s, now);
	else if (rc == SEAL_RETRY)
		rc = check_away(s, now, &why, err);
	else
		*err = why;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- writing ---- */

/* One try. */
static enum seal_status write_once(struct sender *s, struct job *job, const struct record *record, uint64_t end,
				   struct seal_err *err)
{
	enum seal_status rc;

	turn_take(&s->turn);
	pthread_mutex_lock(&s->lock);
	rc = make_room(s, err);
	pthread_mutex_unlock(&s->lock);
	SEAL_TRY(rc);
	SEAL_TRY(s->o->sink->ops->write(s->o->sink, record, 1, s->ticket + 1, WRITE_TICK_MS, err));
	pthread_mutex_lock(&s->lock);
	s->ticket++;
	add_flight(s, job, end);
	pthread_mutex_unlock(&s->lock);
out:
	turn_give(&s->turn);
	return rc;
}

enum seal_status sink_put(struct sender *s, struct job *job, const struct record *record, uint64_t end,
			  struct seal_err *err)
{
	bool blocked = false, ends = false;
	enum seal_status rc;

	do {
		err_clear(err);
		rc = write_once(s, job, record, end, err);
		pthread_mutex_lock(&s->lock);
		s->blocked += (size_t)(rc == SEAL_RETRY) - (size_t)blocked;
		blocked = rc == SEAL_RETRY;
		if (blocked)
			s->sink_why = *err;
		ends = sender_ends(s);
		pthread_mutex_unlock(&s->lock);
		if (rc == SEAL_RETRY) /* a sink that is away may say so at once */
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	} while (rc == SEAL_RETRY && !ends);
	if (blocked) {
		pthread_mutex_lock(&s->lock);
		s->blocked--;
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

/* ---- at start ---- */

enum seal_status sink_check_room(struct sender *s, struct seal_err *err)
{
	struct sink *sink = s->o->sink;
	size_t max = 0, needed = (size_t)s->o->chunk_size + TRANSFER_RECORD_ROOM;
	struct send_wait wait = {.since_ms = 0};
	const char *flag = NULL, *raise = ", or raise ";
	enum seal_status rc;

	if (sink->ops->record_max == NULL)
		return SEAL_OK;
	do {
		err_clear(err);
		rc = sink->ops->record_max(sink, &max, &flag, err);
	} while (rc == SEAL_RETRY && sender_wait(s, &wait, err));
	sender_wait_over(s, &wait, rc == SEAL_OK);
	if (rc != SEAL_OK || needed <= max)
		return rc;
	if (max < FILE_CHUNK_MIN + TRANSFER_RECORD_ROOM)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "%s takes records of at most %zu bytes, too few for any chunk; raise %s",
			       sink->ops->name, max, flag != NULL ? flag : "that");
	if (flag == NULL)
		flag = raise = "";
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "%s takes records of at most %zu bytes, and a chunk of %u makes one of up to %zu; set "
		       "--chunk-size %zu%s%s",
		       sink->ops->name, max, s->o->chunk_size, needed, (max - TRANSFER_RECORD_ROOM) / 1024 * 1024,
		       raise, flag);
}
