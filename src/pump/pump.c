/*
 * The run: who reads, whose turn it is to write, what may be committed. One thread or many run the same loop; with one,
 * no lock is ever contended and no thread is switched.
 *
 *   batches   0 … committed … acknowledged … turn … next_read … (at most max_batches between the ends)
 *             │ released    │ safe          │ with the sink  │ with workers
 *
 * Invariants: committed <= acknowledged <= turn <= next_read <= committed + max_batches. A batch counts as turned only when
 * all of it was handed to the sink; of one that stopped the run only the records before the one that failed are committed.
 */
#include "pump/pump.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pump/work.h"

#define THREADS_MAX 64
#define TICK_MS 100 /* how long anything blocks before it looks around */
#define PROGRESS_MS 100
#define DRAIN_MS 30000
#define RETRY_FIRST_MS 50
#define RETRY_LONGEST_MS 2000

/* Under `lock`: keeps the first failure. */
static void fail(struct pump *p, const struct seal_err *why)
{
	if (!p->failed)
		p->err = *why;
	p->failed = p->ended = true;
	pthread_cond_broadcast(&p->changed);
}

static void fail_locked(struct pump *p, const struct seal_err *why)
{
	pthread_mutex_lock(&p->lock);
	fail(p, why);
	pthread_mutex_unlock(&p->lock);
}

/* Under `lock`: true once a stop was requested. */
static bool stopping(struct pump *p)
{
	if (p->stop_ms == 0 && p->options->stop != NULL && p->options->stop() != 0) {
		p->stop_ms = clock_mono_ms();
		p->ended = true;
	}
	return p->stop_ms != 0;
}

/* Under `lock`: true when a stop was requested so long ago that waiting ends. */
static bool drain_is_over(struct pump *p)
{
	uint64_t drain_ms = p->options->drain_ms > 0 ? (uint64_t)p->options->drain_ms : DRAIN_MS;

	return stopping(p) && clock_mono_ms() - p->stop_ms >= drain_ms;
}

/* Under `lock`. */
static void tell_progress(struct pump *p)
{
	uint64_t now = clock_mono_ms();

	if (p->options->progress == NULL || now - p->progress_ms < PROGRESS_MS)
		return;
	p->progress_ms = now;
	p->options->progress(p->options->arg, &p->counts);
}

/* Under `lock`: serves the sink and counts the batches that are safe. */
static void poll_sink(struct pump *p, int timeout_ms)
{
	struct sink *sink = p->options->sink;
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t ticket = 0;
	enum seal_status rc;

	if (p->sink_failed)
		return;
	rc = sink->ops->poll(sink, timeout_ms, &ticket, &err);
	if (rc != SEAL_OK && rc != SEAL_RETRY) {
		p->sink_failed = true;
		fail(p, &err);
		return;
	}
	while (p->acknowledged < p->turn && p->slots[p->acknowledged % p->max_batches].ticket <= ticket)
		p->acknowledged++;
}

static void release(struct pump *p, struct slot *slot)
{
	struct source *source = p->options->source;

	source->ops->release(source, &slot->batch);
	arena_reset(&slot->batch.arena);
	slot->batch.n = 0;
}

/*
 * Under read_lock: commits and releases what is safe. `safe` may be older than what another thread has committed since it was
 * looked up: then there is nothing to do. A commit that has to wait is made with a later one.
 */
static void commit(struct pump *p, uint64_t safe)
{
	struct source *source = p->options->source;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;

	if (safe <= p->committed || p->commit_failed)
		return;
	if (source->ops->commit != NULL)
		rc = source->ops->commit(source, &p->slots[(safe - 1) % p->max_batches].batch, &err);
	if (rc == SEAL_RETRY)
		return;
	if (rc != SEAL_OK) {
		p->commit_failed = true;
		fail_locked(p, &err);
		return;
	}
	for (; p->committed < safe; p->committed++)
		release(p, &p->slots[p->committed % p->max_batches]);
}

/* Under read_lock: serves the sink, commits; waits a tick where there is no room for another batch. True: go on reading. */
static bool look_around(struct pump *p, bool *room)
{
	bool go_on;
	uint64_t safe;

	pthread_mutex_lock(&p->lock);
	*room = p->next_read - p->committed < p->max_batches;
	/* Without room: wait for the sink, or for the workers if they still have a batch. */
	if (!*room && p->turn < p->next_read && !p->ended) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
	}
	poll_sink(p, !*room && p->turn == p->next_read && p->acknowledged == p->committed ? TICK_MS : 0);
	tell_progress(p);
	go_on = !stopping(p) && !p->ended;
	safe = p->acknowledged;
	pthread_mutex_unlock(&p->lock);
	commit(p, safe);
	*room = p->next_read - p->committed < p->max_batches;
	return go_on;
}

static void nap(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

/*
 * What went out before a wait becomes safe, and is committed, while it lasts: a process that is killed hours later must not
 * repeat it. Whoever holds read_lock commits; that may be this thread, when it waits for the source.
 */
static bool look_after_others(struct pump *p)
{
	uint64_t safe;
	bool go_on;

	pthread_mutex_lock(&p->lock);
	poll_sink(p, 0);
	tell_progress(p);
	go_on = !stopping(p) && !p->failed;
	safe = p->acknowledged;
	pthread_mutex_unlock(&p->lock);
	if (pthread_mutex_trylock(&p->read_lock) == 0) {
		commit(p, safe);
		pthread_mutex_unlock(&p->read_lock);
	}
	return go_on;
}

/* Sleeps in ticks, so that nothing else waits for it. False at a stop request or a failure. */
static bool pause_between(struct pump *p, int ms)
{
	bool go_on = true;

	for (; ms > 0 && go_on; ms -= TICK_MS) {
		nap(ms < TICK_MS ? ms : TICK_MS);
		go_on = look_after_others(p);
	}
	return go_on;
}

/* A wait of one thread for something that answers SEAL_RETRY. */
struct wait {
	uint64_t since_ms; /* 0: not waiting */
	int pause_ms;
};

/*
 * After SEAL_RETRY: the first thread that waits tells so; waits, doubles the pause. False when it is time to give up: a stop
 * request, a failure elsewhere, or the wait has lasted retry_ms.
 */
static bool wait_to_retry(struct pump *p, const struct seal_err *why, struct wait *wait)
{
	const uint64_t now = clock_mono_ms(), limit_ms = p->options->retry_ms;
	bool go_on;

	pthread_mutex_lock(&p->lock);
	if (wait->since_ms == 0) {
		*wait = (struct wait){.since_ms = now, .pause_ms = RETRY_FIRST_MS};
		if (p->waiting++ == 0) {
			p->waiting_ms = now;
			if (p->options->waiting != NULL)
				p->options->waiting(p->options->arg, why);
		}
	}
	go_on = !stopping(p) && !p->failed && (limit_ms == 0 || now - wait->since_ms < limit_ms);
	pthread_mutex_unlock(&p->lock);
	if (!go_on || !pause_between(p, wait->pause_ms))
		return false;
	wait->pause_ms = wait->pause_ms * 2 > RETRY_LONGEST_MS ? RETRY_LONGEST_MS : wait->pause_ms * 2;
	return true;
}

/* The wait was as long as it may be: the error says so. */
static void tell_given_up(const struct pump *p, const struct wait *wait, struct seal_err *err)
{
	if (wait->since_ms != 0 && p->options->retry_ms > 0 &&
	    clock_mono_ms() - wait->since_ms >= p->options->retry_ms)
		err_prefix(err, "given up after %.1f s", (double)(clock_mono_ms() - wait->since_ms) / 1000);
}

/* The wait is over. `answer`: because it was answered; the last thread that waited tells so. */
static void end_wait(struct pump *p, struct wait *wait, bool answer)
{
	if (wait->since_ms == 0)
		return;
	wait->since_ms = 0;
	pthread_mutex_lock(&p->lock);
	if (--p->waiting == 0 && answer && p->options->resumed != NULL)
		p->options->resumed(p->options->arg, clock_mono_ms() - p->waiting_ms);
	pthread_mutex_unlock(&p->lock);
}

/* Under read_lock: how many records the next batch may have; 0 when max_records have been read. */
static size_t records_wanted(const struct pump *p)
{
	uint64_t max = p->options->max_records;

	if (max > 0 && max - p->records_read < p->batch_records)
		return (size_t)(max - p->records_read);
	return p->batch_records;
}

/* `why`: NULL at the end of the source. What was read before still goes out. */
static void end_reading(struct pump *p, const struct seal_err *why)
{
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	if (why != NULL && !p->failed && !p->read_failed) {
		p->read_failed = true;
		p->err = *why;
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Under read_lock: one read. *got tells whether `slot` has a batch now. */
static enum seal_status read_slot(struct pump *p, struct slot *slot, bool *got, struct seal_err *err)
{
	struct source *source = p->options->source;
	enum read_result result = READ_END;
	size_t wanted = records_wanted(p);
	enum seal_status rc = SEAL_OK;

	*got = false;
	slot->batch.n = 0;
	if (wanted > 0)
		rc = source->ops->read(source, &slot->batch, wanted, TICK_MS, &result, err);
	if (rc != SEAL_OK)
		return rc;
	if (result == READ_END || (result == READ_IDLE && p->options->end_when_idle))
		end_reading(p, NULL);
	*got = result == READ_SOME;
	return SEAL_OK;
}

static bool stop_was_asked(struct pump *p)
{
	bool asked;

	pthread_mutex_lock(&p->lock);
	asked = stopping(p);
	pthread_mutex_unlock(&p->lock);
	return asked;
}

/* The next batch to work on, or NULL when there is none any more. */
static struct slot *take(struct pump *p)
{
	struct slot *slot = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	struct wait wait = {.since_ms = 0};
	bool room, got = false;

	pthread_mutex_lock(&p->read_lock);
	while (look_around(p, &room)) {
		enum seal_status rc;

		if (!room)
			continue;
		slot = &p->slots[p->next_read % p->max_batches];
		err_clear(&err);
		rc = read_slot(p, slot, &got, &err);
		if (rc == SEAL_OK) {
			end_wait(p, &wait, true);
		} else if (rc != SEAL_RETRY || (!wait_to_retry(p, &err, &wait) && !stop_was_asked(p))) {
			tell_given_up(p, &wait, &err);
			end_reading(p, &err);
		}
		if (got)
			break;
	}
	end_wait(p, &wait, false);
	if (got) {
		slot->batch.sequence = p->next_read++;
		p->records_read += slot->batch.n;
	}
	pthread_mutex_unlock(&p->read_lock);
	return got ? slot : NULL;
}

/*
 * Transforms, waiting out what can be waited out: a key server that is away fails no record. *abandoned: a stop request came
 * while it was away; the batch is left undone and uncommitted, so that the next run starts with it.
 */
static enum seal_status transform(struct worker *worker, struct slot *slot, bool *abandoned, struct seal_err *err)
{
	struct wait wait = {.since_ms = 0};
	enum seal_status rc;

	*abandoned = false;
	while ((rc = worker_transform(worker, &slot->batch, err)) == SEAL_RETRY) {
		if (!wait_to_retry(worker->pump, err, &wait)) {
			*abandoned = stop_was_asked(worker->pump);
			tell_given_up(worker->pump, &wait, err);
			break;
		}
		err_clear(err);
	}
	end_wait(worker->pump, &wait, rc == SEAL_OK);
	return rc;
}

/* Under `lock`, in turn: hands the records over, however long the sink takes. */
static enum seal_status write_out(struct worker *worker, struct seal_err *err)
{
	struct pump *p = worker->pump;
	struct sink *sink = p->options->sink;
	enum seal_status rc = SEAL_OK;

	while (worker->n_out > 0) {
		rc = sink->ops->write(sink, worker->out, worker->n_out, p->ticket + 1, TICK_MS, err);
		if (rc != SEAL_RETRY)
			break;
		err_clear(err);
		if (drain_is_over(p))
			return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "the target took no more records");
		poll_sink(p, 0);
		tell_progress(p);
		if (p->failed)
			return SEAL_FATAL; /* p->err has the reason */
	}
	if (rc != SEAL_OK)
		p->sink_failed = true;
	else if (worker->n_out > 0)
		p->ticket++;
	return rc;
}

static void add_counts(struct pump_counts *to, const struct pump_counts *from)
{
	to->records_in += from->records_in;
	to->records_out += from->records_out;
	to->failed += from->failed;
	to->dead_letters += from->dead_letters;
	to->dropped += from->dropped;
	to->fields += from->fields;
	to->kept += from->kept;
	to->bytes_in += from->bytes_in;
	to->bytes_out += from->bytes_out;
}

/* Under `lock`, in turn: the batch goes out, its failures are told. */
static void deliver(struct worker *worker, struct slot *slot, enum seal_status rc, struct seal_err *err)
{
	struct pump *p = worker->pump;

	if (rc == SEAL_OK)
		rc = write_out(worker, err);
	if (rc != SEAL_OK) {
		fail(p, err);
		return;
	}
	add_counts(&p->counts, &worker->counts);
	for (size_t i = 0; i < worker->n_failures && p->options->failed != NULL; i++)
		if (!worker->stop_after || i + 1 < worker->n_failures)
			p->options->failed(p->options->arg, worker->failures[i].record, worker->failures[i].why);
	if (worker->stop_after) {
		p->cut = slot;
		p->n_cut = worker->n_before;
		fail(p, worker->failures[worker->n_failures - 1].why);
		return;
	}
	slot->ticket = p->ticket;
	p->turn++;
	poll_sink(p, 0);
	tell_progress(p);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct pump *p = worker->pump;
	struct slot *slot;

	while ((slot = take(p)) != NULL) {
		const uint64_t sequence = slot->batch.sequence;
		struct seal_err err = SEAL_ERR_INIT;
		bool abandoned;
		enum seal_status rc = transform(worker, slot, &abandoned, &err);

		pthread_mutex_lock(&p->lock);
		if (abandoned && sequence < p->abandoned)
			p->abandoned = sequence;
		pthread_cond_broadcast(&p->changed);
		while (p->turn != sequence && !p->failed && sequence < p->abandoned)
			pthread_cond_wait(&p->changed, &p->lock);
		if (!p->failed && sequence < p->abandoned)
			deliver(worker, slot, rc, &err);
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

/* All was acknowledged: a rejected record's batch is committed up to it, so that a next run starts with that record. */
static void commit_cut(struct pump *p)
{
	struct source *source = p->options->source;
	struct seal_err err = SEAL_ERR_INIT;
	struct batch before;

	if (p->cut == NULL || p->n_cut == 0 || source->ops->commit == NULL)
		return;
	before = p->cut->batch;
	before.n = p->n_cut;
	if (source->ops->commit(source, &before, &err) != SEAL_OK)
		log_err(LOG_DEBUG, &err); /* the rejected record is the error to tell; these few will come twice */
}

/* All threads are gone: what was written becomes safe, and is committed. */
static void settle(struct pump *p)
{
	struct sink *sink = p->options->sink;
	uint64_t limit_ms = p->options->drain_ms > 0 ? (uint64_t)p->options->drain_ms : DRAIN_MS;
	uint64_t failed_ms = clock_mono_ms();

	while (!p->sink_failed) {
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc = sink->ops->flush(sink, TICK_MS, &err);
		bool over = drain_is_over(p) || (p->failed && clock_mono_ms() - failed_ms >= limit_ms);

		poll_sink(p, 0);
		commit(p, p->acknowledged);
		tell_progress(p);
		if (rc == SEAL_OK && p->commit_failed)
			break;
		/* A commit may have to wait, too. */
		if (rc == SEAL_OK && p->committed == p->turn) {
			commit_cut(p);
			break;
		}
		if (rc != SEAL_OK && rc != SEAL_RETRY) {
			p->sink_failed = true;
			fail(p, &err);
		} else if (over) {
			err_set(&err, SEAL_RETRY, SEAL_E_TIMEOUT, "not all records were acknowledged in time");
			fail(p, &err);
			break;
		} else if (rc == SEAL_OK) {
			nap(RETRY_FIRST_MS);
		}
	}
}

static enum seal_status init(struct pump *p, const struct pump_options *options, struct seal_err *err)
{
	pthread_condattr_t monotonic;

	*p = (struct pump){.options = options, .abandoned = UINT64_MAX};
	p->batch_records = options->batch_records ? options->batch_records : STREAM_BATCH_RECORDS;
	p->max_batches = options->max_batches ? options->max_batches : 4 + 2 * options->threads;
	pthread_mutex_init(&p->read_lock, NULL);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	p->slots = mem_calloc(p->max_batches, sizeof(*p->slots));
	if (p->slots == NULL)
		return err_memory(err);
	for (unsigned i = 0; i < p->max_batches; i++) {
		struct batch *batch = &p->slots[i].batch;

		arena_init(&batch->arena, ARENA_KEEP);
		batch->records = mem_calloc(p->batch_records, sizeof(*batch->records));
		if (batch->records == NULL)
			return err_memory(err);
		batch->cap = p->batch_records;
	}
	return SEAL_OK;
}

static void clear(struct pump *p)
{
	/* What was never committed goes back to the source all the same. */
	for (; p->committed < p->next_read; p->committed++)
		release(p, &p->slots[p->committed % p->max_batches]);
	for (unsigned i = 0; p->slots != NULL && i < p->max_batches; i++) {
		arena_clear(&p->slots[i].batch.arena);
		mem_free(p->slots[i].batch.records);
	}
	mem_free(p->slots);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->read_lock);
}

/* Worker 0 is the caller's thread. */
static enum seal_status run_workers(struct pump *p, struct worker *workers, unsigned n, struct seal_err *err)
{
	unsigned ready = 0, started = 1;
	enum seal_status rc = SEAL_OK;

	for (; ready < n; ready++)
		SEAL_TRY(worker_init(&workers[ready], p, err));
	for (; started < n; started++) {
		int code = pthread_create(&workers[started].thread, NULL, work, &workers[started]);

		if (code != 0) {
			rc = err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start thread %u", started);
			fail_locked(p, err);
			break;
		}
	}
	work(&workers[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	settle(p);
out:
	for (unsigned i = 0; i < ready; i++)
		worker_clear(&workers[i]);
	return rc;
}

enum seal_status pump_run(const struct pump_options *options, struct pump_counts *counts, struct seal_err *err)
{
	unsigned n = options->threads ? options->threads : 1;
	struct worker *workers = NULL;
	struct pump p;
	enum seal_status rc;

	SEAL_INVARIANT(n <= THREADS_MAX);
	*counts = (struct pump_counts){0};
	SEAL_TRY(init(&p, options, err));
	workers = mem_calloc(n, sizeof(*workers));
	if (workers == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(run_workers(&p, workers, n, err));
	*counts = p.counts;
	if (p.failed || p.read_failed) {
		rc = p.err.status;
		if (err != NULL)
			*err = p.err;
		goto out;
	}
	if (p.stop_ms == 0 && options->sink->ops->finish != NULL && !(options->all_or_nothing && counts->failed > 0))
		SEAL_TRY(options->sink->ops->finish(options->sink, err));
	if (options->source->ops->sync != NULL)
		rc = options->source->ops->sync(options->source, err);
out:
	mem_free(workers);
	clear(&p);
	return rc;
}
