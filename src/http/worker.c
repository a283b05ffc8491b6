/*
 * A worker: exchanges wait in a queue, run on one of a few handles (each keeps its connection alive), and end in a second
 * queue, from which http_next takes them.
 *
 *	http_start ─▶ waiting ──launch──▶ slot ──judge──▶ done ─▶ http_next
 *	                 ▲                           │
 *	                 └──── due after a pause ────┘ another try
 *
 * Invariants: an exchange under way has one flight, in `waiting`, in one slot, or in `done`. While it waits for another try
 * its result is that of the last one, so that it can end at any time.
 */
#include "http/worker.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/retry.h"

#define POLL_MAX_MS 60000u

static void list_init(struct flight_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_push(struct flight_list *list, struct flight *flight)
{
	flight->next = NULL;
	*list->end = flight;
	list->end = &flight->next;
}

/* `at` points to the link to the flight. */
static struct flight *list_take(struct flight_list *list, struct flight **at)
{
	struct flight *flight = *at;

	*at = flight->next;
	if (flight->next == NULL)
		list->end = at;
	flight->next = NULL;
	return flight;
}

static void flight_empty(struct flight *flight)
{
	curl_slist_free_all(flight->headers);
	flight->headers = NULL;
	buf_reset(&flight->url);
}

/* Back to the spare ones; the exchange is the caller's again. */
static void flight_end(struct http_worker *w, struct flight *flight)
{
	flight_empty(flight);
	flight->exchange->under_way = NULL;
	flight->exchange = NULL;
	flight->next = w->spare;
	w->spare = flight;
	w->under_way--;
}

static struct flight *flight_new(struct http_worker *w)
{
	struct flight *flight = w->spare;
	struct seal_buf url;

	if (flight == NULL)
		return mem_calloc(1, sizeof(*flight));
	w->spare = flight->next;
	url = flight->url;
	*flight = (struct flight){.url = url};
	return flight;
}

static uint32_t random32(void)
{
	uint32_t value = 0;

	/* Up to 256 bytes never come short (getrandom(2)); where the call is missing, the pause is not random. */
	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		value = UINT32_MAX / 2;
	return value;
}

/* ---- one try ---- */

static void tell_breaker(struct http_worker *w, const struct flight *flight, const struct outcome *o)
{
	struct breaker *breaker = &w->client->breaker;

	if (o->verdict == VERDICT_ALIVE)
		breaker_success(breaker);
	else if (o->verdict == VERDICT_AWAY)
		breaker_failure(breaker, flight->pass, clock_mono_ms(), o->why);
	else
		breaker_abandon(breaker, flight->pass, clock_mono_ms());
}

/* True when the flight gets another try: it is due at due_ms then. */
static bool again(struct flight *flight, const struct outcome *o, uint64_t now)
{
	const struct http_client *client = flight->worker->client;
	const struct http_exchange *ex = flight->exchange;
	uint64_t pause;

	if (o->stale && !ex->once && !flight->free_try) {
		flight->free_try = true;
		flight->fresh = true;
		flight->due_ms = now;
		return now < flight->deadline_ms;
	}
	if (flight->retries >= client->retries || (ex->once && !o->unsent))
		return false;
	if (o->answered ? !client->retry(ex->status, buf_bytes(&ex->answer)) : ex->err.status != SEAL_RETRY)
		return false;
	pause = o->asked ? o->after_ms : retry_pause_ms(flight->retries, random32());
	if (pause > RETRY_AFTER_MAX_MS || pause >= flight->deadline_ms - now)
		return false;
	flight->retries++;
	flight->due_ms = now + pause;
	return true;
}

/* A try has ended. */
static void judge(struct http_worker *w, struct flight *flight, CURLcode code)
{
	uint64_t now = clock_mono_ms();
	struct outcome o;

	outcome_read(flight, code, &o);
	tell_breaker(w, flight, &o);
	(void)curl_multi_remove_handle(w->multi, flight->easy);
	handle_release(flight->easy);
	for (unsigned i = 0; i < w->client->connections; i++)
		if (w->slots[i].flight == flight)
			w->slots[i].flight = NULL;
	flight->easy = NULL;
	flight->paid = false;
	list_push(now < flight->deadline_ms && again(flight, &o, now) ? &w->waiting : &w->done, flight);
}

/* Fills the slot with the flight, whose try begins. False: it is done instead. */
static bool launch(struct http_worker *w, struct slot *slot, struct flight *flight, uint64_t now)
{
	struct http_exchange *ex = flight->exchange;
	uint64_t left = flight->deadline_ms - now;

	ex->tries++;
	ex->status = 0;
	ex->location[0] = '\0';
	ex->date_s = 0;
	err_clear(&ex->err);
	buf_reset(&ex->answer);
	flight->limit_ms = left < w->client->timeout_ms ? left : w->client->timeout_ms;
	flight->easy = slot->easy;
	if (handle_aim(flight) && curl_multi_add_handle(w->multi, slot->easy) == CURLM_OK) {
		slot->flight = flight;
		return true;
	}
	handle_release(slot->easy);
	flight->easy = NULL;
	breaker_abandon(&w->client->breaker, flight->pass, now);
	err_memory(&ex->err);
	return false;
}

/* ---- the queue ---- */

enum gate { GATE_GO, GATE_WAIT, GATE_END };

/* What an exchange that has had no try hears; one that has keeps the result of its last. */
static enum gate end_with(struct flight *flight, const char *text)
{
	if (flight->exchange->tries == 0)
		error_set(flight, SEAL_RETRY, SEAL_E_TIMEOUT, &flight->exchange->err, "%s", text);
	return GATE_END;
}

static enum gate ask_breaker(struct http_worker *w, struct flight *flight, uint64_t now)
{
	struct http_exchange *ex = flight->exchange;
	char why[BREAKER_WHY_MAX];
	uint64_t wait = 0;

	flight->pass = breaker_ask(&w->client->breaker, now, &wait, why);
	if (flight->pass != BREAKER_STOP)
		return GATE_GO;
	if (ex->tries == 0)
		error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, &ex->err,
			  "not sent, since the last tries all failed (%s); the next one may go in %llu ms", why,
			  (unsigned long long)wait);
	return GATE_END;
}

/* Is a try of this worker on its way that tells whether the server is back? The others wait for how it goes. */
static bool probing(const struct http_worker *w)
{
	for (unsigned i = 0; i < w->client->connections; i++)
		if (w->slots[i].flight != NULL && w->slots[i].flight->pass == BREAKER_PROBE)
			return true;
	return false;
}

/* May the flight be launched now? It waits for its pause, the rate limit, then a slot; the breaker is asked last. */
static enum gate gate(struct http_worker *w, struct flight *flight, bool slot_free, uint64_t now)
{
	uint64_t wait;

	if (now >= flight->deadline_ms)
		return end_with(flight,
				"not sent in time: the connections were busy; give more time or more connections");
	if (flight->due_ms > now)
		return GATE_WAIT;
	if (!flight->paid) {
		if (!rate_take(&w->client->rate, now, flight->deadline_ms - now, &wait))
			return end_with(flight, "not sent in time: the limit of requests a second is reached");
		flight->paid = true;
		flight->due_ms = now + wait;
		if (wait > 0)
			return GATE_WAIT;
	}
	return slot_free && !probing(w) ? ask_breaker(w, flight, now) : GATE_WAIT;
}

static struct slot *free_slot(struct http_worker *w)
{
	for (unsigned i = 0; i < w->client->connections; i++)
		if (w->slots[i].flight == NULL)
			return &w->slots[i];
	return NULL;
}

static void serve_queue(struct http_worker *w)
{
	struct flight **at = &w->waiting.first;
	uint64_t now = clock_mono_ms();

	while (*at != NULL) {
		struct slot *slot = free_slot(w);
		enum gate answer = gate(w, *at, slot != NULL, now);
		struct flight *flight;

		if (answer == GATE_WAIT) {
			at = &(*at)->next;
			continue;
		}
		flight = list_take(&w->waiting, at);
		if (answer == GATE_END || !launch(w, slot, flight, now))
			list_push(&w->done, flight);
	}
}

/* libcurl itself cannot go on: all that runs ends. */
static void fail_all(struct http_worker *w, CURLMcode code)
{
	for (unsigned i = 0; i < w->client->connections; i++)
		if (w->slots[i].flight != NULL)
			judge(w, w->slots[i].flight,
			      code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_RECV_ERROR);
}

/* Sends and receives what can be without waiting, and judges what has ended. */
static void work(struct http_worker *w)
{
	struct flight *flight;
	CURLMcode code;
	CURLMsg *msg;
	int running, left;

	serve_queue(w);
	code = curl_multi_perform(w->multi, &running);
	if (code != CURLM_OK)
		fail_all(w, code);
	while ((msg = curl_multi_info_read(w->multi, &left)) != NULL) {
		CURLcode result = msg->data.result;

		if (msg->msg == CURLMSG_DONE &&
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&flight) == CURLE_OK)
			judge(w, flight, result);
	}
	serve_queue(w); /* slots have come free, and what is due again at once must not wait for the network */
}

/* How long nothing can change but by the network. */
static int patience(const struct http_worker *w)
{
	uint64_t now = clock_mono_ms(), until = now + POLL_MAX_MS;

	for (const struct flight *f = w->waiting.first; f != NULL; f = f->next) {
		if (f->due_ms > now && f->due_ms < until)
			until = f->due_ms;
		if (f->deadline_ms < until)
			until = f->deadline_ms;
	}
	return until > now ? (int)(until - now) : 0;
}

/* The try that is under way in the slot is given up. */
static struct flight *ground(struct http_worker *w, struct slot *slot)
{
	struct flight *flight = slot->flight;

	(void)curl_multi_remove_handle(w->multi, flight->easy);
	handle_release(flight->easy);
	breaker_abandon(&w->client->breaker, flight->pass, clock_mono_ms());
	slot->flight = NULL;
	flight->easy = NULL;
	return flight;
}

/* Somebody has stopped the worker: nothing is waited for. */
static void end_all(struct http_worker *w)
{
	for (unsigned i = 0; i < w->client->connections; i++)
		if (w->slots[i].flight != NULL)
			list_push(&w->waiting, ground(w, &w->slots[i]));
	while (w->waiting.first != NULL) {
		struct flight *flight = list_take(&w->waiting, &w->waiting.first);
		struct http_exchange *ex = flight->exchange;

		ex->status = 0;
		err_clear(&ex->err);
		buf_reset(&ex->answer);
		error_set(flight, SEAL_RETRY, SEAL_E_TIMEOUT, &ex->err, "given up, as the run ends");
		list_push(&w->done, flight);
	}
}

/* ---- public ---- */

static enum seal_status open_handles(struct http_worker *w, struct seal_err *err)
{
	const unsigned n = w->client->connections;
	enum seal_status rc = SEAL_OK;

	w->pid = getpid();
	w->multi = curl_multi_init();
	if (w->multi == NULL)
		return err_memory(err);
	/*
	 * Exchanges run side by side on connections of their own, in HTTP/2, too: one connection for all gained little with
	 * Vault (5 % at 100 values), and all would share one flow control window and one failure.
	 */
	if (curl_multi_setopt(w->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK ||
	    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)n) != CURLM_OK)
		rc = err_memory(err);
	for (unsigned i = 0; rc == SEAL_OK && i < n; i++)
		if ((w->slots[i].easy = handle_new(w->client)) == NULL)
			rc = err_memory(err);
	return rc;
}

static void close_handles(struct http_worker *w)
{
	for (unsigned i = 0; w->slots != NULL && i < w->client->connections; i++) {
		curl_easy_cleanup(w->slots[i].easy);
		w->slots[i].easy = NULL;
	}
	curl_multi_cleanup(w->multi);
	w->multi = NULL;
}

/*
 * True in a child of fork(): the connections are the parent's, whose answers must not be read here. Whatever libcurl does
 * with them, closing included, would speak on them, so its handles are left alone for good. What was under way is not here.
 */
static bool leave_to_parent(struct http_worker *w)
{
	if (w->pid == getpid())
		return false;
	w->multi = NULL;
	atomic_store(&w->ready, NULL);
	for (unsigned i = 0; w->slots != NULL && i < w->client->connections; i++) {
		if (w->slots[i].flight != NULL)
			list_push(&w->waiting, w->slots[i].flight);
		w->slots[i] = (struct slot){NULL, NULL};
	}
	while (w->waiting.first != NULL) {
		struct flight *flight = list_take(&w->waiting, &w->waiting.first);

		flight->easy = NULL;
		error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, &flight->exchange->err,
			  "the process has forked while the request was under way");
		list_push(&w->done, flight);
	}
	return true;
}

enum seal_status http_worker_new(struct http_client *client, struct http_worker **out, struct seal_err *err)
{
	struct http_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (w == NULL)
		return err_memory(err);
	w->client = client;
	list_init(&w->waiting);
	list_init(&w->done);
	w->slots = mem_calloc(client->connections, sizeof(*w->slots));
	rc = w->slots != NULL ? open_handles(w, err) : err_memory(err);
	if (rc != SEAL_OK) {
		http_worker_free(w);
		w = NULL;
	}
	*out = w;
	return rc;
}

void http_worker_free(struct http_worker *w)
{
	struct flight *flight;

	if (w == NULL)
		return;
	if (w->under_way > 0)
		http_drop(w);
	(void)leave_to_parent(w);
	while ((flight = w->spare) != NULL) {
		w->spare = flight->next;
		buf_clear(&flight->url);
		mem_free(flight);
	}
	close_handles(w);
	mem_free(w->slots);
	mem_free(w);
}

void http_worker_stop(struct http_worker *w)
{
	CURLM *ready;

	atomic_store(&w->stopped, true);
	ready = atomic_load(&w->ready);
	if (ready != NULL)
		(void)curl_multi_wakeup(ready);
}

enum seal_status http_start(struct http_worker *w, struct http_exchange *exchange, uint64_t deadline_ms,
			    struct seal_err *err)
{
	struct flight *flight;
	enum seal_status rc;

	SEAL_INVARIANT(exchange->under_way == NULL);
	if (w->multi == NULL || leave_to_parent(w)) {
		close_handles(w); /* those that an earlier call had no memory to complete */
		rc = open_handles(w, err);
		if (rc != SEAL_OK) {
			close_handles(w);
			return rc;
		}
		atomic_store(&w->ready, w->multi);
	}
	exchange->status = 0;
	exchange->tries = 0;
	exchange->location[0] = '\0';
	exchange->date_s = 0;
	err_clear(&exchange->err);
	buf_reset(&exchange->answer);
	exchange->answer.max = w->client->max_response;
	flight = flight_new(w);
	if (flight == NULL)
		return err_memory(err);
	flight->exchange = exchange;
	flight->worker = w;
	flight->deadline_ms = deadline_ms;
	exchange->under_way = flight;
	w->under_way++;
	rc = handle_request(flight, &exchange->err);
	if (rc == SEAL_FATAL) {
		flight_end(w, flight);
		err_clear(&exchange->err);
		return err_memory(err);
	}
	list_push(rc == SEAL_OK ? &w->waiting : &w->done, flight);
	work(w);
	return SEAL_OK;
}

struct http_exchange *http_next(struct http_worker *w)
{
	struct http_exchange *exchange;
	struct flight *flight;
	CURLMcode code;

	if (w->under_way == 0)
		return NULL;
	/* What is started has just been sent; only where nobody waits for the network must it be looked at here. */
	if (!leave_to_parent(w) && w->done.first != NULL)
		work(w);
	else
		serve_queue(w);
	while (w->done.first == NULL) {
		if (atomic_load(&w->stopped)) {
			end_all(w);
			break;
		}
		code = curl_multi_poll(w->multi, NULL, 0, patience(w), NULL);
		if (code != CURLM_OK)
			fail_all(w, code);
		work(w);
	}
	flight = list_take(&w->done, &w->done.first);
	exchange = flight->exchange;
	flight_end(w, flight);
	return exchange;
}

/* As if it had never been started. */
static void give_up(struct http_worker *w, struct flight *flight)
{
	struct http_exchange *ex = flight->exchange;

	ex->status = 0;
	ex->location[0] = '\0';
	err_clear(&ex->err);
	buf_reset(&ex->answer);
	flight_end(w, flight);
}

void http_drop(struct http_worker *w)
{
	(void)leave_to_parent(w);
	for (unsigned i = 0; i < w->client->connections; i++) {
		if (w->slots[i].flight != NULL)
			give_up(w, ground(w, &w->slots[i]));
	}
	while (w->waiting.first != NULL)
		give_up(w, list_take(&w->waiting, &w->waiting.first));
	while (w->done.first != NULL)
		give_up(w, list_take(&w->done, &w->done.first));
}

void http_exchange_clear(struct http_exchange *exchange)
{
	SEAL_INVARIANT(exchange->under_way == NULL);
	buf_clear(&exchange->answer);
	exchange->status = 0;
	exchange->location[0] = '\0';
	err_clear(&exchange->err);
}

enum seal_status http_ask(struct http_client *client, struct http_exchange *exchange, uint64_t deadline_ms,
			  struct seal_err *err)
{
	struct http_worker *worker = NULL;
	enum seal_status rc;

	SEAL_TRY(http_worker_new(client, &worker, err));
	SEAL_TRY(http_start(worker, exchange, deadline_ms, err));
	SEAL_INVARIANT(http_next(worker) == exchange);
	if (exchange->status == 0) {
		if (err != NULL)
			*err = exchange->err;
		rc = exchange->err.status;
	}
out:
	http_worker_free(worker);
	return rc;
}
