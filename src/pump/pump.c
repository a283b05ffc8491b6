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
#include "pump/target.h"
#include "pump/transaction.h"

#define THREADS_MAX 64
#define PROGRESS_MS 100
#define DRAIN_MS 30000
#define RETRY_FIRST_MS 50
#define RETRY_LONGEST_MS 2000

void pump_fail(struct pump *p, const struct seal_err *why)
{
	if (!p->failed)
		p->err = *why;
	p->failed = p->ended = true;
	pthread_cond_broadcast(&p->changed);
}

static void fail_locked(struct pump *p, const struct seal_err *why)
{
	pthread_mutex_lock(&p->lock);
	pump_fail(p, why);
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

/* Under `lock`: a batch or a transaction is under way, nothing has moved, and nobody has said that it has to wait. */
static bool is_stuck(struct pump *p)
{
	const bool busy = p->turn < p->seen_read || p->transaction.state == TRANSACTION_ENDING;
	const bool moved = p->turn != p->alive_turn;

	p->alive_turn = p->turn;
	return busy && !moved && p->waiting == 0 && !p->put_off;
}

/* Under `lock`. */
static void tell_progress(struct pump *p)
{
	const struct pump_options *o = p->options;
	uint64_t now = clock_mono_ms();

	if (now - p->progress_ms < PROGRESS_MS)
		return;
	p->progress_ms = now;
	if (o->progress != NULL)
		o->progress(o->arg, &p->counts);
	if (o->alive != NULL && !is_stuck(p))
		o->alive(o->arg);
}

/* Under `lock`. */
static void ask_for_reload(struct pump *p)
{
	uint64_t now = clock_mono_ms();

	if (p->options->reload == NULL || p->reloading || now - p->reload_ms < PUMP_TICK_MS)
		return;
	p->reload_ms = now;
	p->reloading = p->options->reload(p->options->arg, &p->new_plan, &p->new_topic);
}

/* Under `lock`: serves the sink and counts the batches that are safe. */
static void poll_sink(struct pump *p, int timeout_ms)
{
	uint64_t ticket = 0;

	if (p->sink_failed)
		return;
	if (p->options->exactly_once) {
		transaction_drive(p, false);
		p->acknowledged = p->turn; /* what must be done again is read again */
		if (p->transaction.state == TRANSACTION_ENDING || p->sink_failed)
			return; /* another thread may be in the sink */
		timeout_ms = 0;
	}
	target_serve(p, timeout_ms, &ticket);
	if (!p->sink_failed)
		target_acknowledge(p, ticket);
}

static void release(struct pump *p, struct slot *slot)
{
	struct source *source = p->options->source;

	source->ops->release(source, &slot->batch);
	arena_reset(&slot->batch.arena);
	slot->batch.n = 0;
}

/* Under read_lock: after a commit. False: not now, or never. */
static bool committed_well(struct pump *p, enum seal_status rc, struct seal_err *err)
{
	if (rc == SEAL_OK && p->commit_wait.since_ms == 0)
		return true;
	pthread_mutex_lock(&p->lock);
	if (rc == SEAL_OK) {
		pump_wait_end(p, &p->commit_wait, true);
	} else if (rc != SEAL_RETRY || !pump_wait_on(p, &p->commit_wait, err, STREAM_AWAY_TELL_MS)) {
		if (rc == SEAL_RETRY)
			pump_wait_given_up(p, p->commit_wait.since_ms, err);
		p->commit_failed = true;
		pump_fail(p, err);
	}
	pthread_mutex_unlock(&p->lock);
	return rc == SEAL_OK;
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
	if (source->ops->commit != NULL && !p->options->exactly_once)
		rc = source->ops->commit(source, &p->slots[(safe - 1) % p->max_batches].batch, &err);
	if (!committed_well(p, rc, &err))
		return;
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
		until.tv_nsec += PUMP_TICK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
	}
	poll_sink(p, !*room && p->turn == p->next_read && p->acknowledged == p->committed ? PUMP_TICK_MS : 0);
	p->seen_read = p->next_read;
	tell_progress(p);
	ask_for_reload(p);
	go_on = !stopping(p) && !p->ended && !p->reloading;
	p->read_ms = p->options->exactly_once ? transaction_read_ms(p) : PUMP_TICK_MS;
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

	for (; ms > 0 && go_on; ms -= PUMP_TICK_MS) {
		nap(ms < PUMP_TICK_MS ? ms : PUMP_TICK_MS);
		go_on = look_after_others(p);
	}
	return go_on;
}

/*
 * After SEAL_RETRY of something that one thread wants: waits, doubles the pause. False when it is time to give up: a stop request,
 * a failure elsewhere, or the wait has lasted retry_ms.
 */
static bool wait_to_retry(struct pump *p, const struct seal_err *why, struct pump_wait *wait)
{
	bool go_on;

	pthread_mutex_lock(&p->lock);
	go_on = pump_wait_on(p, wait, why, 0) && !stopping(p) && !p->failed;
	pthread_mutex_unlock(&p->lock);
	if (!go_on)
		return false;
	wait->pause_ms = wait->pause_ms == 0 ? RETRY_FIRST_MS : wait->pause_ms * 2;
	if (wait->pause_ms > RETRY_LONGEST_MS)
		wait->pause_ms = RETRY_LONGEST_MS;
	return pause_between(p, wait->pause_ms);
}

static void end_wait(struct pump *p, struct pump_wait *wait, bool answered)
{
	if (wait->since_ms == 0)
		return;
	pthread_mutex_lock(&p->lock);
	pump_wait_end(p, wait, answered);
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
		rc = source->ops->read(source, &slot->batch, wanted, p->read_ms, &result, err);
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
	struct pump_wait wait = {.since_ms = 0};
	bool room, got = false;

	pthread_mutex_lock(&p->read_lock);
	while (look_around(p, &room)) {
		enum seal_status rc;

		if (!room)
			continue;
		slot = &p->slots[p->next_read % p->max_batches];
		err_clear(&err);
		rc = p->options->exactly_once ? transaction_rewind(p, &err) : SEAL_OK;
		if (rc == SEAL_OK)
			rc = read_slot(p, slot, &got, &err);
		if (rc == SEAL_OK) {
			end_wait(p, &wait, true);
		} else if (rc != SEAL_RETRY || (!wait_to_retry(p, &err, &wait) && !stop_was_asked(p))) {
			if (rc == SEAL_RETRY)
				pump_wait_given_up(p, wait.since_ms, &err);
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
	struct pump_wait wait = {.since_ms = 0};
	enum seal_status rc;

	*abandoned = false;
	while ((rc = worker_transform(worker, &slot->batch, err)) == SEAL_RETRY) {
		if (!wait_to_retry(worker->pump, err, &wait)) {
			*abandoned = stop_was_asked(worker->pump);
			pump_wait_given_up(worker->pump, wait.since_ms, err);
			break;
		}
		err_clear(err);
	}
	end_wait(worker->pump, &wait, rc == SEAL_OK);
	return rc;
}

/* Under `lock`, or alone. */
static void fail_late(struct pump *p)
{
	struct seal_err err = SEAL_ERR_INIT;

	(void)target_too_late(p, "not all records were acknowledged in time", &err);
	pump_fail(p, &err);
}

/*
 * Under `lock`, in turn: the sink has said SEAL_RETRY of a write (`why`), or of a begin (NULL). SEAL_OK: try again. Outside of
 * transactions others look around meanwhile, so that what is safe is committed; one that is open must not end before this batch
 * is in it.
 */
static enum seal_status wait_for_sink(struct pump *p, const struct seal_err *why, struct seal_err *err)
{
	uint64_t ticket;

	if (drain_is_over(p))
		return target_too_late(p, "the target took no more records", err);
	p->put_off = true;
	p->write_away = why != NULL && why->code != SEAL_E_BUSY;
	if (p->write_away)
		target_is_away(p, why);
	if (!p->options->exactly_once) {
		pthread_mutex_unlock(&p->lock);
		look_after_others(p);
		pthread_mutex_lock(&p->lock);
	} else if (why != NULL) {
		target_serve(p, 0, &ticket);
	}
	tell_progress(p);
	return p->failed ? SEAL_FATAL : SEAL_OK; /* p->err has the reason */
}

/* Under `lock`, in turn: hands the records over, however long the sink takes. */
static enum seal_status write_out(struct worker *worker, struct seal_err *err)
{
	struct pump *p = worker->pump;
	struct sink *sink = p->options->sink;
	enum seal_status rc = SEAL_OK;

	for (;;) {
		struct seal_err why = SEAL_ERR_INIT;
		bool begun;

		rc = p->options->exactly_once ? transaction_begin(p, &why) : SEAL_OK;
		begun = rc == SEAL_OK;
		if (begun && worker->n_out > 0)
			rc = sink->ops->write(sink, worker->out, worker->n_out, p->ticket + 1, PUMP_TICK_MS, &why);
		if (rc != SEAL_RETRY) {
			if (rc != SEAL_OK)
				*err = why;
			break;
		}
		rc = wait_for_sink(p, begun ? &why : NULL, err);
		if (rc != SEAL_OK)
			return rc;
	}
	p->put_off = p->write_away = false;
	if (rc != SEAL_OK)
		p->sink_failed = true;
	else if (worker->n_out > 0)
		p->ticket++;
	return rc;
}

void pump_add_counts(struct pump_counts *to, const struct pump_counts *from)
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

/*
 * Under `lock`, in turn: the first n records of the batch have been written and are counted. A stopped run's batch is committed
 * up to the record that stopped it.
 */
static enum seal_status written(struct worker *worker, struct slot *slot, size_t n, struct seal_err *err)
{
	struct pump *p = worker->pump;
	struct batch part = slot->batch;

	if (!p->options->exactly_once) {
		pump_add_counts(&p->counts, &worker->counts);
		return SEAL_OK;
	}
	part.n = n;
	return transaction_add(p, &part, &worker->counts, err);
}

static void tell_failures(const struct worker *worker)
{
	const struct pump_options *o = worker->pump->options;

	for (size_t i = 0; i < worker->n_failures && o->failed != NULL; i++)
		if (!worker->stop_after || i + 1 < worker->n_failures)
			o->failed(o->arg, worker->failures[i].record, worker->failures[i].why);
}

/* Under `lock`, in turn: the batch goes out, its failures are told. */
static void deliver(struct worker *worker, struct slot *slot, enum seal_status rc, struct seal_err *err)
{
	struct pump *p = worker->pump;

	if (rc == SEAL_OK)
		rc = write_out(worker, err);
	if (rc == SEAL_OK) {
		rc = written(worker, slot, worker->stop_after ? worker->n_before : slot->batch.n, err);
		p->sink_failed =
			p->sink_failed || rc != SEAL_OK; /* a transaction without its position must not end well */
	}
	if (rc != SEAL_OK) {
		pump_fail(p, err);
		return;
	}
	tell_failures(worker);
	if (worker->stop_after) {
		p->cut = slot;
		p->n_cut = worker->n_before;
		pump_fail(p, worker->failures[worker->n_failures - 1].why);
		return;
	}
	slot->ticket = p->ticket;
	p->turn++;
	poll_sink(p, 0);
	tell_progress(p);
}

/* Under `lock`: until it is the turn of this batch and the sink may be written to; or never, any more. */
static void wait_for_turn(struct pump *p, uint64_t sequence)
{
	while (!p->failed && sequence < p->abandoned) {
		const bool ending = p->transaction.state == TRANSACTION_ENDING;

		if (p->turn == sequence && !ending)
			break;
		if (ending && !p->transaction.driven) {
			if (drain_is_over(p)) {
				fail_late(p);
				break;
			}
			transaction_drive(p, false);
			tell_progress(p);
		} else {
			pthread_cond_wait(&p->changed, &p->lock);
		}
	}
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
		wait_for_turn(p, sequence);
		if (!p->failed && sequence < p->abandoned) {
			if (transaction_is_stale(p, sequence))
				p->turn++;
			else
				deliver(worker, slot, rc, &err);
		}
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

/* Under `lock`, or alone: a stop request's time is over, or a failed run's. */
static bool settled_in_time(struct pump *p, uint64_t since_ms)
{
	uint64_t limit_ms = p->options->drain_ms > 0 ? (uint64_t)p->options->drain_ms : DRAIN_MS;

	return !p->sink_given_up && !drain_is_over(p) && !(p->failed && clock_mono_ms() - since_ms >= limit_ms);
}

/* All threads are gone: what was written becomes safe, and is committed. */
static void settle(struct pump *p)
{
	struct sink *sink = p->options->sink;
	uint64_t since_ms = clock_mono_ms();

	while (!p->sink_failed) {
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc = sink->ops->flush(sink, PUMP_TICK_MS, &err);
		bool over = !settled_in_time(p, since_ms);

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
			pump_fail(p, &err);
		} else if (over) {
			fail_late(p);
			break;
		} else if (rc == SEAL_OK) {
			nap(RETRY_FIRST_MS);
		}
	}
}

/* The same where a transaction holds it. */
static void settle_transaction(struct pump *p)
{
	uint64_t since_ms = clock_mono_ms();

	pthread_mutex_lock(&p->lock);
	while (p->transaction.state != TRANSACTION_NONE && !p->sink_failed) {
		transaction_drive(p, true);
		tell_progress(p);
		if (p->transaction.state != TRANSACTION_NONE && !settled_in_time(p, since_ms)) {
			fail_late(p);
			break;
		}
	}
	p->acknowledged = p->turn;
	pthread_mutex_unlock(&p->lock);
	commit(p, p->acknowledged);
}

static enum seal_status init(struct pump *p, const struct pump_options *options, struct seal_err *err)
{
	pthread_condattr_t monotonic;

	*p = (struct pump){.now = *options, .abandoned = UINT64_MAX, .read_ms = PUMP_TICK_MS};
	p->options = &p->now;
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

static void clear_workers(struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		worker_clear(&workers[i]);
}

static enum seal_status init_workers(struct pump *p, struct worker *workers, unsigned n, struct seal_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		enum seal_status rc = worker_init(&workers[i], p, err);

		if (rc != SEAL_OK) {
			clear_workers(workers, i);
			return rc;
		}
	}
	return SEAL_OK;
}

/* Nobody works: workers under the plan and topic of now, or under the new ones where these can be used. */
static enum seal_status renew_workers(struct pump *p, struct worker *workers, unsigned n, struct seal_err *err)
{
	const struct pump_options before = p->now;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	if (!p->reloading)
		return init_workers(p, workers, n, err);
	p->reloading = false;
	p->now.plan = p->new_plan;
	p->now.topic = p->new_topic;
	rc = init_workers(p, workers, n, &why);
	if (rc != SEAL_OK)
		p->now = before;
	if (p->options->reloaded != NULL)
		p->options->reloaded(p->options->arg, rc == SEAL_OK ? NULL : &why);
	return rc == SEAL_OK ? SEAL_OK : init_workers(p, workers, n, err);
}

/* Worker 0 is the caller's thread. */
static enum seal_status run_workers(struct pump *p, struct worker *workers, unsigned n, struct seal_err *err)
{
	unsigned started = 1;
	enum seal_status rc = SEAL_OK;

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
	if (p->options->exactly_once)
		settle_transaction(p);
	else
		settle(p);
	return rc;
}

/* All is settled, but not over: other rules are to be used, or what was aborted last must be read again. */
static bool must_go_on(struct pump *p)
{
	if (p->failed || p->read_failed || stop_was_asked(p) || !(p->reloading || p->transaction.stale))
		return false;
	p->ended = false;
	return true;
}

static enum seal_status run(struct pump *p, struct worker *workers, unsigned n, struct seal_err *err)
{
	enum seal_status rc;

	do {
		SEAL_TRY(renew_workers(p, workers, n, err));
		rc = run_workers(p, workers, n, err);
		clear_workers(workers, n);
	} while (rc == SEAL_OK && must_go_on(p));
out:
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
	SEAL_TRY(run(&p, workers, n, err));
	*counts = p.counts;
	if (p.failed || p.read_failed) {
		rc = p.err.status;
		if (err != NULL)
			*err = p.err;
		goto out;
	}
	if (p.stop_ms == 0 && options->sink->ops->finish != NULL && !(options->all_or_nothing && counts->failed > 0))
		SEAL_TRY(options->sink->ops->finish(options->sink, err));
	if (options->source->ops->sync != NULL && !options->exactly_once)
		rc = options->source->ops->sync(options->source, err);
out:
	mem_free(workers);
	clear(&p);
	return rc;
}
