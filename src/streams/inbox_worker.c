/*
 * The threads of an inbox.
 *
 *   receivers   wait for room ──▶ service.receive ──▶ waiting
 *   keepers     whose time is half over ──▶ service.extend ──▶ again in the list of times, or lost
 *               committed ──▶ service.acknowledge ──▶ gone, or late
 *               at close: back ──▶ service.extend by 0 ──▶ gone
 *
 * While nothing comes a single receiver asks; as soon as one finds something all of them do.
 */
#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "streams/inbox_work.h"

#define RECEIVE_MS 2000 /* the longest a close waits for a receive */
#define EMPTY_MS 100 /* between receives of a server that does not wait */
#define CLOSE_MS 5000 /* … for receives that last longer than they should, and for keepers */

static void break_for_good(struct inbox *inbox, struct seal_err *broken, enum seal_status status,
			   const struct seal_err *why)
{
	if (broken->status == SEAL_OK) {
		*broken = *why;
		broken->status = status;
		err_place(broken, "%s", inbox->name);
	}
	pthread_cond_broadcast(&inbox->fetch);
	pthread_cond_broadcast(&inbox->keep);
	pthread_cond_broadcast(&inbox->changed);
}

/* ---- receivers ---- */

bool inbox_wants_more(const struct inbox *inbox)
{
	const struct inbox_config *c = &inbox->config;

	return (inbox->receiving == 0 || inbox->found) &&
	       inbox->waiting.n + (inbox->receiving + 1) * c->fetch <= c->ahead &&
	       inbox->waiting_bytes < c->ahead_bytes;
}

/* By what receives have seen: time in which none was begun says nothing. */
bool inbox_is_idle(const struct inbox *inbox)
{
	const size_t kept = inbox->config.look ? inbox->read.n : 0;

	return inbox->config.exit_when_empty && inbox->n_lent == kept && inbox->empty_ms != 0 &&
	       inbox->looked_ms >= inbox->empty_ms + inbox->config.idle_ms;
}

/* Under lock: how long a receive may wait for something; not beyond the end, where a last one looks once more. */
static int wait_of(const struct inbox *inbox, uint64_t now_ms)
{
	const struct inbox_config *c = &inbox->config;
	const uint64_t since_ms = inbox->empty_ms != 0 ? now_ms - inbox->empty_ms : 0;
	const uint64_t left_ms = since_ms < c->idle_ms ? c->idle_ms - since_ms : 1;

	return c->exit_when_empty && left_ms < RECEIVE_MS ? (int)left_ms : RECEIVE_MS;
}

/* Under lock: waits until a receive is due. False: the thread is to end. */
static bool wait_to_receive(struct inbox *inbox)
{
	while (!inbox->stopping && inbox->read_broken.status == SEAL_OK) {
		const uint64_t now = clock_mono_ms();
		uint64_t until = DEADLINE_NONE;

		if (inbox_wants_more(inbox) && !inbox_is_idle(inbox)) {
			const uint64_t pause_ms = inbox->fetch_pause.until_ms;

			until = pause_ms > inbox->quiet_ms ? pause_ms : inbox->quiet_ms;
			if (until <= now) {
				pause_start(&inbox->fetch_pause, now);
				return true;
			}
		}
		cond_wait_until(&inbox->fetch, &inbox->lock, until);
	}
	return false;
}

/* Under lock: what a receive that began at began_ms has brought. */
static void received(struct inbox *inbox, struct inbox_thread *thread, enum seal_status rc,
		     const struct seal_err *why)
{
	const uint64_t now = clock_mono_ms();
	const struct inbox_lent *soonest = inbox->soonest;

	inbox->found = rc == SEAL_OK && thread->n > 0;
	if (rc == SEAL_OK) {
		pause_shorter(&inbox->fetch_pause);
		err_clear(&inbox->away);
	} else if (rc == SEAL_RETRY) {
		pause_longer(&inbox->fetch_pause, thread->began_ms, now);
		inbox->away = *why;
		err_place(&inbox->away, "%s", inbox->name);
	} else {
		break_for_good(inbox, &inbox->read_broken, rc, why);
	}
	if (rc != SEAL_OK || thread->n > 0)
		inbox->empty_ms = 0;
	else if (inbox->empty_ms == 0 && thread->began_ms > inbox->gone_ms)
		inbox->empty_ms = thread->began_ms;
	inbox->looked_ms = thread->began_ms;
	inbox->quiet_ms = rc == SEAL_OK && thread->n == 0 ? thread->began_ms + EMPTY_MS : 0;
	for (size_t i = 0; i < thread->n; i++) {
		struct inbox_lent *lent = thread->lents[i];

		inbox->n_lent++;
		inbox->waiting_bytes += lent->bytes;
		inbox_push(&inbox->waiting, lent);
		inbox_time_sorted(inbox, lent);
	}
	if (inbox->soonest != soonest) /* an extension is due earlier than keepers know */
		pthread_cond_signal(&inbox->keep);
	thread->n = 0;
}

/* One receive, without the lock. */
static enum seal_status receive(struct inbox_thread *thread, struct seal_err *err)
{
	struct inbox *inbox = thread->inbox;
	const struct inbox_config *c = &inbox->config;
	struct inbox_parcel *parcel = inbox_parcel_new();
	size_t n = 0;
	enum seal_status rc;

	if (parcel == NULL)
		return err_memory(err);
	for (size_t i = 0; i < c->fetch; i++)
		thread->messages[i] = (struct inbox_message){.record = {.partition = -1}};
	SEAL_TRY(inbox->service->receive(thread->worker, &parcel->arena, thread->messages, c->fetch, thread->wait_ms,
					 &n, err));
	SEAL_INVARIANT(n <= c->fetch);
	SEAL_TRY(inbox_wrap(inbox, parcel, thread->messages, n, clock_mono_ms(), thread->lents, err));
	thread->n = n;
out:
	if (thread->n == 0)
		inbox_parcel_free(parcel);
	return rc;
}

static void receive_all(struct inbox_thread *thread)
{
	struct inbox *inbox = thread->inbox;

	while (wait_to_receive(inbox)) {
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc;

		thread->began_ms = clock_mono_ms();
		thread->wait_ms = wait_of(inbox, thread->began_ms);
		inbox->receiving++;
		if (inbox_wants_more(inbox))
			pthread_cond_signal(&inbox->fetch);
		thread->calling = true;
		pthread_mutex_unlock(&inbox->lock);
		rc = receive(thread, &err);
		pthread_mutex_lock(&inbox->lock);
		thread->calling = false;
		inbox->receiving--;
		received(inbox, thread, rc, &err);
		pthread_cond_broadcast(&inbox->changed);
	}
}

/* ---- keepers ---- */

enum task { TASK_END, TASK_EXTEND, TASK_ACKNOWLEDGE, TASK_BACK };

/* How much longer it may be lent from now on, at most a time of lend_s; 0: no longer. */
static unsigned seconds_for(const struct inbox *inbox, const struct inbox_lent *lent, uint64_t now_ms)
{
	const struct inbox_config *c = &inbox->config;
	const uint64_t end_ms = lent->since_ms + c->lend_max_s * 1000ull;

	if (c->lend_max_s == 0)
		return c->lend_s;
	if (end_ms < lent->until_ms + 1000 || end_ms < now_ms + 1000)
		return 0;
	return end_ms - now_ms >= c->lend_s * 1000ull ? c->lend_s : (unsigned)((end_ms - now_ms) / 1000);
}

/* When it is to be extended: half of its time is left for that. */
static uint64_t due_ms(const struct inbox *inbox, const struct inbox_lent *lent)
{
	return lent->until_ms - inbox->config.lend_s * 500ull;
}

static void ask(struct inbox_thread *thread, struct inbox_lent *lent)
{
	thread->lents[thread->n] = lent;
	thread->asked[thread->n++] = &lent->message;
}

/* Fills thread with messages that are due and can be lent for equally long. */
static unsigned take_due(struct inbox *inbox, struct inbox_thread *thread, uint64_t now_ms, uint64_t *until_ms)
{
	unsigned seconds = 0;

	*until_ms = DEADLINE_NONE;
	while (thread->n < inbox->config.lot && inbox->soonest != NULL) {
		struct inbox_lent *lent = inbox->soonest;
		const unsigned its = seconds_for(inbox, lent, now_ms);

		if (due_ms(inbox, lent) > now_ms) {
			*until_ms = due_ms(inbox, lent);
			break;
		}
		if (thread->n > 0 && its != 0 && its != seconds)
			break;
		inbox_untime(inbox, lent);
		if (its == 0) /* its time will be over, which is seen when it is read or committed */
			continue;
		lent->extending = true;
		seconds = its;
		ask(thread, lent);
	}
	return seconds;
}

static void take_queue(struct inbox *inbox, struct inbox_thread *thread, struct inbox_queue *queue)
{
	while (thread->n < inbox->config.lot && queue->n > 0)
		ask(thread, inbox_pop(queue));
}

/* Under lock: what a keeper can do now; TASK_END and *until_ms: nothing, wait. */
static enum task find_task(struct inbox *inbox, struct inbox_thread *thread, unsigned *seconds, uint64_t *until_ms)
{
	const uint64_t now = clock_mono_ms();

	thread->n = 0;
	*until_ms = inbox->keep_pause.until_ms;
	if (*until_ms > now)
		return TASK_END;
	*seconds = take_due(inbox, thread, now, until_ms);
	if (thread->n > 0)
		return TASK_EXTEND;
	take_queue(inbox, thread, &inbox->committed);
	if (thread->n > 0)
		return TASK_ACKNOWLEDGE;
	*seconds = 0;
	take_queue(inbox, thread, &inbox->back);
	return thread->n > 0 ? TASK_BACK : TASK_END;
}

/* Under lock: waits for something to do. TASK_END: the thread is to end. */
static enum task next_task(struct inbox *inbox, struct inbox_thread *thread, unsigned *seconds)
{
	while (inbox->keep_broken.status == SEAL_OK) {
		uint64_t until;
		enum task task;

		if (inbox->closing && clock_mono_ms() >= inbox->closing_ms)
			break;
		task = find_task(inbox, thread, seconds, &until);
		if (task != TASK_END) {
			thread->began_ms = clock_mono_ms();
			pause_start(&inbox->keep_pause, thread->began_ms);
			if (inbox->soonest != NULL || inbox->committed.n > 0 || inbox->back.n > 0)
				pthread_cond_signal(&inbox->keep);
			return task;
		}
		if (inbox->closing && inbox->committed.n == 0 && inbox->back.n == 0)
			break;
		if (inbox->closing && until > inbox->closing_ms)
			until = inbox->closing_ms;
		cond_wait_until(&inbox->keep, &inbox->lock, until);
	}
	thread->n = 0;
	return TASK_END;
}

static void extended(struct inbox *inbox, struct inbox_lent *lent, bool good, uint64_t until_ms)
{
	if (good && lent->message.refused) {
		lent->lost = true;
		if (lent->state != INBOX_WAITING && lent->state != INBOX_BACK)
			inbox_count_late(inbox, lent);
	} else if (good) {
		lent->until_ms = until_ms;
	}
	inbox_settle(inbox, lent, !good);
}

static void acknowledged(struct inbox *inbox, struct inbox_lent *lent, bool good)
{
	if (!good) {
		inbox_push_front(&inbox->committed, lent);
		return;
	}
	if (lent->message.refused)
		inbox_count_late(inbox, lent);
	inbox_drop(inbox, lent);
}

/* Under lock: what the call for a task has come to. */
static void finish(struct inbox *inbox, struct inbox_thread *thread, enum task task, unsigned seconds,
		   enum seal_status rc, const struct seal_err *why)
{
	const bool good = rc == SEAL_OK;

	if (good)
		pause_shorter(&inbox->keep_pause);
	else if (rc == SEAL_RETRY)
		pause_longer(&inbox->keep_pause, thread->began_ms, clock_mono_ms());
	else
		break_for_good(inbox, &inbox->keep_broken, rc, why);
	inbox->keep_away = rc == SEAL_RETRY;
	for (size_t i = thread->n; i > 0; i--) { /* backwards: what goes in front of a queue keeps its order */
		struct inbox_lent *lent = thread->lents[good ? thread->n - i : i - 1];

		if (task == TASK_EXTEND)
			extended(inbox, lent, good, thread->began_ms + seconds * 1000ull);
		else if (task == TASK_ACKNOWLEDGE)
			acknowledged(inbox, lent, good || lent->message.done);
		else
			inbox_drop(inbox, lent); /* where it was not told it comes by itself, later */
	}
	if (!good || inbox->syncing) /* else nobody waits for that */
		pthread_cond_broadcast(&inbox->changed);
	if (inbox->closing)
		pthread_cond_broadcast(&inbox->keep);
}

static enum seal_status call(struct inbox_thread *thread, enum task task, unsigned seconds, struct seal_err *err)
{
	const struct inbox_service *service = thread->inbox->service;

	for (size_t i = 0; i < thread->n; i++)
		thread->asked[i]->refused = thread->asked[i]->done = false;
	return task == TASK_ACKNOWLEDGE ? service->acknowledge(thread->worker, thread->asked, thread->n, err)
					: service->extend(thread->worker, thread->asked, thread->n, seconds, err);
}

static void keep_all(struct inbox_thread *thread)
{
	struct inbox *inbox = thread->inbox;
	unsigned seconds;
	enum task task;

	while ((task = next_task(inbox, thread, &seconds)) != TASK_END) {
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc;

		/* Once more is not in time any more, however the call ends. */
		for (size_t i = 0; task == TASK_ACKNOWLEDGE && i < thread->n; i++)
			if (thread->lents[i]->until_ms <= thread->began_ms)
				inbox_count_late(inbox, thread->lents[i]);
		thread->calling = true;
		pthread_mutex_unlock(&inbox->lock);
		rc = call(thread, task, seconds, &err);
		pthread_mutex_lock(&inbox->lock);
		thread->calling = false;
		finish(inbox, thread, task, seconds, rc, &err);
	}
}

/* ---- threads ---- */

static void *run(void *arg)
{
	struct inbox_thread *thread = arg;
	struct inbox *inbox = thread->inbox;
	struct seal_err err = SEAL_ERR_INIT;
	const enum seal_status rc = inbox->service->worker_new(inbox->arg, &thread->worker, &err);

	pthread_mutex_lock(&inbox->lock);
	inbox->n_started++;
	inbox->running[thread->keeps]++;
	if (rc != SEAL_OK)
		break_for_good(inbox, &inbox->read_broken, rc, &err);
	pthread_cond_broadcast(&inbox->changed);
	if (rc == SEAL_OK && thread->keeps)
		keep_all(thread);
	else if (rc == SEAL_OK)
		receive_all(thread);
	inbox->running[thread->keeps]--;
	pthread_cond_broadcast(&inbox->changed);
	pthread_mutex_unlock(&inbox->lock);
	if (rc == SEAL_OK)
		inbox->service->worker_free(thread->worker);
	return NULL;
}

static enum seal_status start_one(struct inbox *inbox, struct inbox_thread *thread, bool keeps, struct seal_err *err)
{
	const struct inbox_config *c = &inbox->config;
	const size_t n = keeps ? c->lot : c->fetch;
	int code;

	*thread = (struct inbox_thread){.inbox = inbox, .keeps = keeps};
	thread->lents = mem_calloc(n, sizeof(struct inbox_lent *));
	if (keeps)
		thread->asked = mem_calloc(n, sizeof(struct inbox_message *));
	else
		thread->messages = mem_calloc(n, sizeof(*thread->messages));
	if (thread->lents == NULL || (keeps ? (void *)thread->asked : (void *)thread->messages) == NULL)
		return err_memory(err);
	code = pthread_create(&thread->thread, NULL, run, thread);
	return code == 0 ? SEAL_OK : err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start a thread");
}

static void free_thread(struct inbox_thread *thread)
{
	mem_free(thread->lents);
	mem_free(thread->asked);
	mem_free(thread->messages);
}

/* Waits until each thread has its worker, or one could not have it. */
static enum seal_status wait_for_workers(struct inbox *inbox, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_lock(&inbox->lock);
	while (inbox->n_started < inbox->n_threads)
		pthread_cond_wait(&inbox->changed, &inbox->lock);
	rc = inbox->read_broken.status;
	if (rc != SEAL_OK && err != NULL)
		*err = inbox->read_broken;
	pthread_mutex_unlock(&inbox->lock);
	return rc;
}

enum seal_status inbox_start(struct inbox *inbox, struct seal_err *err)
{
	const unsigned n = 2 * inbox->config.requests;

	inbox->threads = mem_calloc(n, sizeof(*inbox->threads));
	if (inbox->threads == NULL)
		return err_memory(err);
	for (; inbox->n_threads < n; inbox->n_threads++) {
		struct inbox_thread *thread = &inbox->threads[inbox->n_threads];
		const enum seal_status rc = start_one(inbox, thread, inbox->n_threads % 2 == 0, err);

		if (rc != SEAL_OK) {
			free_thread(thread);
			return rc;
		}
	}
	return wait_for_workers(inbox, err);
}

/* Under lock: waits for threads that were told to end; calls that still last at until_ms are ended. */
static void wait_for_end(struct inbox *inbox, bool keepers, uint64_t until_ms)
{
	while (inbox->running[keepers] > 0 && clock_mono_ms() < until_ms)
		cond_wait_until(&inbox->changed, &inbox->lock, until_ms);
	for (unsigned i = 0; i < inbox->n_threads; i++) {
		const struct inbox_thread *thread = &inbox->threads[i];

		if (thread->keeps == keepers && thread->calling && inbox->service->worker_stop != NULL)
			inbox->service->worker_stop(thread->worker);
	}
}

static void join(struct inbox *inbox, bool keepers)
{
	for (unsigned i = 0; i < inbox->n_threads; i++)
		if (inbox->threads[i].keeps == keepers)
			pthread_join(inbox->threads[i].thread, NULL);
}

void inbox_stop(struct inbox *inbox, bool clean)
{
	if (inbox->threads == NULL)
		return;
	pthread_mutex_lock(&inbox->lock);
	inbox->stopping = true;
	pthread_cond_broadcast(&inbox->fetch);
	wait_for_end(inbox, false, clean ? clock_mono_ms() + CLOSE_MS : 0);
	pthread_mutex_unlock(&inbox->lock);
	join(inbox, false);
	pthread_mutex_lock(&inbox->lock);
	inbox_return_all(inbox);
	inbox->closing = true;
	inbox->closing_ms = clean ? clock_mono_ms() + CLOSE_MS : 0;
	pthread_cond_broadcast(&inbox->keep);
	wait_for_end(inbox, true, inbox->closing_ms);
	pthread_mutex_unlock(&inbox->lock);
	join(inbox, true);
	for (unsigned i = 0; i < inbox->n_threads; i++)
		free_thread(&inbox->threads[i]);
	mem_free(inbox->threads);
	inbox->threads = NULL;
}
