/*
 * Calls: a token and headers on top of an HTTP exchange, and what comes back made into a class of failure.
 *
 *   vault_start ──▶ flying ──http_next──▶ settle ─┬─ redirect ──▶ followed at once (client_redirect.c)
 *                      ▲                          ├─ 403 ──▶ new token ──▶ flying again
 *                      └──────────────────────────┘
 *                                                 └─ given back by vault_next, or by vault_ask to itself
 *
 * While vault_ask waits for its own answer, others that come are put into `done`: logging in in the middle of a lot loses
 * nothing. Invariants: a flight is in `flying` from start until it is given back; a call that is given back keeps its
 * flight, which holds the answer, until vault_call_clear.
 */
#include "vault/client_work.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "vault/answer.h"

#define BODY_LIMIT (4u << 20)
#define BODY_LIMIT_LEAST (64u << 10)
/* Where the options say nothing, as in the rows. */
#define BATCH_DEFAULT 1920
/* Just below what OpenBao's 1,000 JSON strings allow without associated data, and with it. */
#define OPENBAO_PLAIN 480
#define OPENBAO_BOUND 240
#define CONNECTIONS_DEFAULT 2
#define AGAIN_MAX 3 /* tokens that a call tries after its first one */

static enum seal_status setup(struct vault_client *client, const struct vault_options *options, struct seal_err *err)
{
	const int64_t batch = options->batch, connections = options->connections;
	enum seal_status rc;

	client->options = *options;
	client->metrics = &key_metrics_none;
	SEAL_TRY(vault_settings_read(&client->options, &client->arena, &client->config, err));
	client->config.user_agent = "sealstream/" SEALSTREAM_VERSION;
	client->config.connections = connections > 0 ? (unsigned)connections : CONNECTIONS_DEFAULT;
	client->config.retry = vault_worth_retrying;
	client->config.http1_first = true; /* costs the server less: docs/DESIGN.md */
	client->name = client->config.base;
	if (client->config.unix_socket != NULL)
		client->name = arena_printf(&client->arena, "unix://%s", client->config.unix_socket);
	if (client->name == NULL) {
		rc = err_memory(err);
		goto out;
	}
	atomic_init(&client->batch_limit, batch > 0 ? (size_t)batch : BATCH_DEFAULT);
	atomic_init(&client->body_limit, BODY_LIMIT);
	SEAL_TRY(http_client_new(&client->config, &client->http, err));
	SEAL_TRY(vault_tokens_new(client, &client->options, &client->tokens, err));
out:
	return rc;
}

enum seal_status vault_client_new(const struct vault_options *options, struct vault_client **out,
				  struct seal_err *err)
{
	struct vault_client *client = mem_calloc(1, sizeof(*client));
	enum seal_status rc;

	*out = NULL;
	if (client == NULL)
		return err_memory(err);
	arena_init(&client->arena, 0);
	SEAL_INVARIANT(pthread_mutex_init(&client->lock, NULL) == 0);
	rc = setup(client, options, err);
	if (rc != SEAL_OK)
		vault_client_free(client);
	else
		*out = client;
	return rc;
}

void vault_client_free(struct vault_client *client)
{
	if (client == NULL)
		return;
	vault_tokens_free(client->tokens);
	for (size_t i = 0; i < client->n_targets; i++)
		http_client_free(client->targets[i].http);
	http_client_free(client->http);
	pthread_mutex_destroy(&client->lock);
	arena_clear(&client->arena);
	mem_free(client);
}

const char *vault_client_name(const struct vault_client *client)
{
	return client->name;
}

size_t vault_batch_limit(const struct vault_client *client)
{
	return atomic_load_explicit(&client->batch_limit, memory_order_relaxed);
}

/* Lowers *limit to `to` unless it is lower already. */
static void lower(atomic_size_t *limit, size_t to)
{
	size_t now = atomic_load(limit);

	while (now > to && !atomic_compare_exchange_weak(limit, &now, to))
		;
}

void vault_batch_refused(struct vault_client *client, size_t items)
{
	if (items <= 1)
		return;
	lower(&client->batch_limit, items > OPENBAO_PLAIN   ? OPENBAO_PLAIN
				    : items > OPENBAO_BOUND ? OPENBAO_BOUND
							    : items / 2);
}

size_t vault_body_limit(const struct vault_client *client)
{
	return atomic_load_explicit(&client->body_limit, memory_order_relaxed);
}

void vault_body_refused(struct vault_client *client, size_t bytes)
{
	if (bytes / 2 < BODY_LIMIT_LEAST)
		return;
	lower(&client->body_limit, bytes / 2);
}

unsigned vault_in_flight(const struct vault_client *client)
{
	return client->config.connections;
}

enum seal_status vault_worker_new(struct vault_client *client, struct vault_worker **out, struct seal_err *err)
{
	struct vault_worker *worker = mem_calloc(1, sizeof(*worker));
	enum seal_status rc;

	*out = NULL;
	if (worker == NULL)
		return err_memory(err);
	worker->client = client;
	worker->done_tail = &worker->done;
	SEAL_TRY(http_worker_new(client->http, &worker->http, err));
	*out = worker;
out:
	if (rc != SEAL_OK)
		mem_free(worker);
	return rc;
}

/* Out of the list that starts at *list. */
static void unlink_flight(struct flight **list, struct flight *flight)
{
	while (*list != NULL && *list != flight)
		list = &(*list)->next;
	SEAL_INVARIANT(*list == flight);
	*list = flight->next;
}

/* Back to the spare ones, with nothing left in it. */
static void recycle(struct vault_worker *worker, struct flight *flight)
{
	if (flight->token != NULL)
		vault_token_release(worker->client->tokens, flight->token);
	http_exchange_clear(&flight->exchange);
	buf_reset(&flight->path);
	flight->token = NULL;
	flight->call = NULL;
	flight->next = worker->spare;
	worker->spare = flight;
}

void vault_worker_free(struct vault_worker *worker)
{
	if (worker == NULL)
		return;
	vault_drop(worker);
	http_worker_free(worker->http);
	for (size_t i = 0; i < CLIENT_TARGETS_MAX; i++)
		http_worker_free(worker->others[i]);
	while (worker->spare != NULL) {
		struct flight *flight = worker->spare;

		worker->spare = flight->next;
		buf_clear(&flight->path);
		mem_free(flight);
	}
	mem_free(worker);
}

static void add_header(struct flight *flight, const char *name, const char *value)
{
	flight->headers[flight->exchange.n_headers++] = (struct http_header){name, value};
}

/* Takes a token where one is needed, and sends. */
static enum seal_status launch(struct vault_worker *worker, struct flight *flight, struct seal_err *err)
{
	const struct vault_client *client = worker->client;
	const char *space = client->options.namespace_;
	struct vault_call *call = flight->call;
	const char *token = call->token;
	enum seal_status rc;

	if (!call->anonymous && token == NULL) {
		SEAL_TRY(vault_token_get(client->tokens, worker, flight->deadline_ms, &flight->token, err));
		token = vault_token_text(flight->token);
	}
	flight->exchange = (struct http_exchange){
		.method = call->method,
		.path = (const char *)flight->path.ptr,
		.headers = flight->headers,
		.body = call->body,
		.once = call->once,
		.user = flight,
	};
	add_header(flight, "X-Vault-Request", "true");
	if (token != NULL && token[0] != '\0')
		add_header(flight, "X-Vault-Token", token);
	if (space != NULL && space[0] != '\0')
		add_header(flight, "X-Vault-Namespace", space);
	SEAL_TRY(http_start(worker->http, &flight->exchange, flight->deadline_ms, err));
out:
	return rc;
}

static enum seal_status take_flight(struct vault_worker *worker, struct flight **out, struct seal_err *err)
{
	struct flight *flight = worker->spare;

	if (flight != NULL) {
		worker->spare = flight->next;
	} else {
		flight = mem_calloc(1, sizeof(*flight));
		if (flight == NULL)
			return err_memory(err);
		flight->path = (struct seal_buf)BUF_INIT(4096);
	}
	*out = flight;
	return SEAL_OK;
}

enum seal_status vault_start(struct vault_worker *worker, struct vault_call *call, uint64_t deadline_ms,
			     struct seal_err *err)
{
	struct flight *flight = NULL;
	enum seal_status rc;

	err_clear(&call->err);
	call->status = 0;
	call->answer = BYTES_EMPTY;
	call->under_way = NULL;
	SEAL_TRY(take_flight(worker, &flight, err));
	flight->worker = worker;
	flight->call = call;
	flight->deadline_ms = deadline_ms;
	flight->started_ns = clock_mono_ns();
	flight->followed = false;
	flight->again = 0;
	err_clear(&flight->refused);
	SEAL_TRY(buf_append_str(&flight->path, "/v1/", err));
	SEAL_TRY(buf_append(&flight->path, bytes_of(call->path, strlen(call->path) + 1), err));
	SEAL_TRY(launch(worker, flight, err));
	call->under_way = flight;
	flight->next = worker->flying;
	worker->flying = flight;
out:
	if (rc != SEAL_OK && flight != NULL)
		recycle(worker, flight);
	return rc;
}

/*
 * A call that was refused under a token is sent again under another one; more than once, since that may be replaced while
 * the call is under way, but not for ever. True: it flies again.
 */
static bool fly_again(struct vault_worker *worker, struct flight *flight)
{
	struct vault_call *call = flight->call;
	bool by_policy = false;
	enum seal_status rc;

	if (call->anonymous || call->token != NULL || flight->again == AGAIN_MAX || flight->exchange.status != 403)
		return false;
	flight->again++;
	flight->followed = false;
	rc = vault_token_refused(worker->client->tokens, worker, flight->token, flight->deadline_ms, &by_policy,
				 &flight->refused);
	if (rc != SEAL_OK) {
		if (rc != SEAL_DENIED || !by_policy)
			call->err = flight->refused;
		return false;
	}
	vault_token_release(worker->client->tokens, flight->token);
	flight->token = NULL;
	http_exchange_clear(&flight->exchange);
	SEAL_TRY(launch(worker, flight, &call->err));
	return true;
out:
	return false;
}

/* What came back, into the call. */
static void fill(struct vault_worker *worker, struct flight *flight)
{
	const struct http_exchange *exchange = &flight->exchange;
	struct vault_call *call = flight->call;

	if (call->err.status != SEAL_OK)
		return;
	if (exchange->status == 0) {
		call->err = exchange->err;
		return;
	}
	call->status = exchange->status;
	call->answer = buf_bytes(&exchange->answer);
	if (flight->followed && call->status >= 300 && call->status < 400) { /* while they choose an active node */
		(void)err_set(&call->err, SEAL_RETRY, SEAL_E_SERVICE,
			      "%s redirects %s %s to a node that redirects it again: there is no active node yet",
			      worker->client->name, call->method, call->path);
		return;
	}
	if (call->status == 403 && flight->refused.status != SEAL_OK) {
		(void)client_denied(worker->client, call, &flight->refused, &call->err);
		return;
	}
	if (call->status == 200 || call->status == 204 || call->status == call->ok_status || call->look)
		return;
	(void)vault_call_error(worker->client, call, &call->err);
}

/* False: the call flies again. */
static bool settle(struct vault_worker *worker, struct flight *flight)
{
	if (client_follow(worker, flight, &flight->call->err) == SEAL_OK && fly_again(worker, flight))
		return false;
	fill(worker, flight);
	client_count(worker->client, flight->call, flight->started_ns);
	unlink_flight(&worker->flying, flight);
	flight->next = NULL;
	return true;
}

/* The next answer as it came: of those that came earlier, then of those under way. NULL: none. */
static struct flight *next_raw(struct vault_worker *worker)
{
	struct flight *flight = worker->done;
	struct http_exchange *exchange;

	if (flight != NULL) {
		worker->done = flight->next_done;
		if (worker->done == NULL)
			worker->done_tail = &worker->done;
		return flight;
	}
	exchange = http_next(worker->http);
	return exchange != NULL ? exchange->user : NULL;
}

struct vault_call *vault_next(struct vault_worker *worker)
{
	struct flight *flight;

	do {
		flight = next_raw(worker);
	} while (flight != NULL && !settle(worker, flight));
	return flight != NULL ? flight->call : NULL;
}

void client_wait(struct vault_worker *worker, const struct vault_call *call)
{
	for (;;) {
		const struct http_exchange *exchange = http_next(worker->http);
		struct flight *flight;

		SEAL_INVARIANT(exchange != NULL);
		flight = exchange->user;
		if (flight->call == call) {
			if (settle(worker, flight))
				return;
			continue;
		}
		flight->next_done = NULL;
		*worker->done_tail = flight;
		worker->done_tail = &flight->next_done;
	}
}

void vault_drop(struct vault_worker *worker)
{
	http_drop(worker->http);
	worker->done = NULL;
	worker->done_tail = &worker->done;
	while (worker->flying != NULL) {
		struct flight *flight = worker->flying;

		worker->flying = flight->next;
		flight->call->under_way = NULL;
		recycle(worker, flight);
	}
}

void vault_call_clear(struct vault_call *call)
{
	struct flight *flight = call->under_way;

	call->under_way = NULL;
	call->answer = BYTES_EMPTY;
	if (flight != NULL)
		recycle(flight->worker, flight);
}
