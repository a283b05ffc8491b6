/*
 * The threads of an outbox.
 *
 *   wait for a request ──▶ service.send (no lock) ──▶ settle: done, given back, or broken ──▶ …
 *
 * A thread that takes a request wakes another one, which looks whether there is a second. A record that has failed for good
 * breaks the outbox: what is out comes back and counts, and nothing more goes out.
 */
#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "streams/outbox_work.h"

#define SEND_MS 30000
#define STOP_MS 5000 /* that a request may still take when all is to end */

static void break_for_good(struct outbox *o, enum seal_status status, const struct seal_err *why)
{
	if (o->broken.status != SEAL_OK)
		return;
	o->broken = *why;
	if (why->status == SEAL_OK) /* a service that gives no reason */
		(void)err_set(&o->broken, SEAL_FATAL, SEAL_E_SERVICE, "a record cannot be written");
	if (status != SEAL_OK)
		o->broken.status = status;
	if (o->broken.status == SEAL_RETRY)
		o->broken.status = SEAL_FATAL;
	err_place(&o->broken, "%s", o->name);
	pthread_cond_broadcast(&o->work);
}

/* ---- results ---- */

struct results {
	size_t done, retries, failed;
};

/* Where the whole call failed, the items did, too. */
static void spread(struct outbox_thread *thread, enum seal_status rc)
{
	if (rc == SEAL_OK)
		return;
	for (size_t i = 0; i < thread->n; i++) {
		struct outbox_item *item = thread->items[i];

		if (rc != SEAL_RETRY)
			item->result = OUTBOX_FAILED;
		else if (item->result != OUTBOX_RETRY)
			item->result = OUTBOX_UNSENT;
	}
}

static struct results count(const struct outbox_thread *thread)
{
	struct results results = {0};

	for (size_t i = 0; i < thread->n; i++) {
		const enum outbox_result result = thread->items[i]->result;

		results.done += result == OUTBOX_DONE;
		results.failed += result == OUTBOX_FAILED;
		results.retries += result != OUTBOX_DONE && result != OUTBOX_FAILED;
	}
	return results;
}

static void again(struct outbox *o, struct outbox_entry *entry)
{
	struct outbox_item *item = &entry->item;

	if (item->result == OUTBOX_DONE || (item->result == OUTBOX_UNSENT && !item->throttled))
		o->repeated++;
	item->tries++;
	item->copies += item->result == OUTBOX_DONE;
	outbox_give_back(o, entry);
}

/* Items from..to are of one lane, or one loose record: those before the first that is not done are. */
static void settle_run(struct outbox *o, struct outbox_thread *thread, size_t from, size_t to)
{
	struct outbox_lane *lane = outbox_entry_of(thread->items[from])->lane;
	size_t good = from;

	while (good < to && thread->items[good]->result == OUTBOX_DONE)
		good++;
	for (size_t i = to; i > good; i--)
		again(o, outbox_entry_of(thread->items[i - 1]));
	for (size_t i = from; i < good; i++)
		outbox_done(o, outbox_entry_of(thread->items[i]));
	if (lane != NULL)
		outbox_lane_done(o, lane);
}

/* Backwards, so that what goes back in front of its queues keeps its order. */
static void settle_items(struct outbox *o, struct outbox_thread *thread)
{
	size_t from, to;

	for (to = thread->n; to > 0; to = from) {
		const struct outbox_lane *lane = outbox_entry_of(thread->items[to - 1])->lane;

		from = to - 1;
		while (lane != NULL && from > 0 && outbox_entry_of(thread->items[from - 1])->lane == lane)
			from--;
		settle_run(o, thread, from, to);
	}
	thread->n = 0;
}

/* Under lock: what a request has come to. */
static void settle(struct outbox *o, struct outbox_thread *thread, enum seal_status rc, const struct seal_err *why)
{
	const uint64_t now = clock_mono_ms();
	struct results results;

	o->out--;
	spread(thread, rc);
	results = count(thread);
	if (results.failed > 0)
		break_for_good(o, rc, why);
	if (results.retries == 0)
		pause_shorter(&o->pause);
	else if (2 * results.retries > thread->n)
		pause_longer(&o->pause, thread->began_ms, now);
	else
		pause_keep(&o->pause, now);
	if (results.done > 0) {
		err_clear(&o->away);
		silence_end(&o->silence);
	} else if (results.retries > 0) {
		o->away = *why;
		(void)err_set(&o->away, SEAL_RETRY, SEAL_E_SERVICE, "takes no records for now");
		o->away.status = SEAL_RETRY;
		err_place(&o->away, "%s", o->name);
	}
	settle_items(o, thread);
	outbox_tell(o);
	if (o->stopping)
		pthread_cond_broadcast(&o->changed);
}

/* ---- threads ---- */

/* Under lock: waits for a request. False: the thread is to end. */
static bool next_request(struct outbox *o, struct outbox_thread *thread)
{
	while (!o->stopping && o->broken.status == SEAL_OK) {
		uint64_t now = clock_mono_ms(), until = o->pause.until_ms;

		if (until <= now && outbox_take(o, thread, now, &until)) {
			thread->began_ms = now;
			if (o->out++ == 0)
				silence_end(&o->silence);
			pause_start(&o->pause, now);
			pthread_cond_signal(&o->work);
			return true;
		}
		cond_wait_until(&o->work, &o->lock, until);
	}
	return false;
}

static void send(struct outbox *o, struct outbox_thread *thread)
{
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc;

	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < thread->n; i++) {
		thread->items[i]->result = OUTBOX_UNSENT;
		thread->items[i]->throttled = false;
	}
	rc = o->service->send(thread->worker, thread->items, thread->n, thread->began_ms + SEND_MS, &err);
	pthread_mutex_lock(&o->lock);
	settle(o, thread, rc, &err);
}

static void *run(void *arg)
{
	struct outbox_thread *thread = arg;
	struct outbox *o = thread->outbox;
	struct seal_err err = SEAL_ERR_INIT;
	const enum seal_status rc = o->service->worker_new(o->arg, &thread->worker, &err);

	pthread_mutex_lock(&o->lock);
	o->n_started++;
	if (rc != SEAL_OK)
		break_for_good(o, rc, &err);
	pthread_cond_broadcast(&o->changed);
	while (rc == SEAL_OK && next_request(o, thread))
		send(o, thread);
	pthread_mutex_unlock(&o->lock);
	if (rc == SEAL_OK)
		o->service->worker_free(thread->worker);
	return NULL;
}

/* Waits until each thread has its worker, or one could not have it. */
static enum seal_status wait_for_workers(struct outbox *o, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_lock(&o->lock);
	while (o->n_started < o->n_threads)
		pthread_cond_wait(&o->changed, &o->lock);
	rc = o->broken.status;
	if (rc != SEAL_OK && err != NULL)
		*err = o->broken;
	pthread_mutex_unlock(&o->lock);
	return rc;
}

enum seal_status outbox_start(struct outbox *o, struct seal_err *err)
{
	o->threads = mem_calloc(o->config.requests, sizeof(*o->threads));
	if (o->threads == NULL)
		return err_memory(err);
	for (; o->n_threads < o->config.requests; o->n_threads++) {
		struct outbox_thread *thread = &o->threads[o->n_threads];
		int code;

		thread->outbox = o;
		thread->items = mem_alloc(o->config.records * sizeof(struct outbox_item *));
		if (thread->items == NULL)
			return err_memory(err);
		code = pthread_create(&thread->thread, NULL, run, thread);
		if (code != 0) {
			mem_free(thread->items);
			return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start a thread");
		}
	}
	return wait_for_workers(o, err);
}

/* Under lock: waits for what is out, and ends what takes too long. */
static void end_requests(struct outbox *o)
{
	const uint64_t until = clock_mono_ms() + STOP_MS;

	while (o->out > 0 && clock_mono_ms() < until)
		cond_wait_until(&o->changed, &o->lock, until);
	for (unsigned i = 0; i < o->n_threads && o->service->worker_stop != NULL; i++)
		if (o->threads[i].n > 0)
			o->service->worker_stop(o->threads[i].worker);
}

void outbox_stop(struct outbox *o)
{
	if (o->threads == NULL)
		return;
	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	pthread_cond_broadcast(&o->work);
	end_requests(o);
	pthread_mutex_unlock(&o->lock);
	for (unsigned i = 0; i < o->n_threads; i++) {
		pthread_join(o->threads[i].thread, NULL);
		mem_free(o->threads[i].items);
	}
	mem_free(o->threads);
}
