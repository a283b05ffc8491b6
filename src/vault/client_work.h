/* What the files of the client share. Internal to client*.c. */
#ifndef VAULT_CLIENT_WORK_H
#define VAULT_CLIENT_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "vault/client.h"
#include "vault/login.h"

#define CLIENT_TARGETS_MAX 8 /* servers that redirects have led to */
#define CLIENT_BASE_MAX 256

/* Where a redirect led. */
struct client_target {
	char base[CLIENT_BASE_MAX];
	struct http_client *http;
};

struct vault_client {
	struct vault_options options; /* strings are the caller's or in `arena` */
	struct arena arena;
	struct http_config config;
	struct http_client *http;
	struct vault_tokens *tokens;
	const char *name;
	const struct key_metrics *metrics;
	atomic_size_t batch_limit, body_limit;
	pthread_mutex_t lock; /* guards the targets: added, never changed or removed */
	struct client_target targets[CLIENT_TARGETS_MAX];
	size_t n_targets;
};

/* One call on its way. */
struct flight {
	struct http_exchange exchange;
	struct http_header headers[3];
	struct vault_worker *worker;
	struct vault_call *call;
	struct vault_token *token; /* in use by it, or NULL */
	struct seal_buf path;
	uint64_t deadline_ms;
	uint64_t started_ns;
	bool followed; /* a redirect, to where the exchange went now */
	unsigned again; /* new tokens that were asked for, after refusals */
	struct seal_err refused; /* why there is no other token; status SEAL_OK: not asked, or there is one */
	struct flight *next; /* flying, or spare */
	struct flight *next_done;
};

struct vault_worker {
	struct vault_client *client;
	struct http_worker *http;
	struct http_worker *others[CLIENT_TARGETS_MAX]; /* by target; NULL: not used yet */
	struct flight *flying; /* started, not given back yet */
	struct flight *done, **done_tail; /* those of them whose answer came while another one was waited for */
	struct flight *spare;
};

/* Follows the redirect that the flight's exchange got; its exchange then holds the answer. SEAL_OK also when it cannot
 * be followed: the exchange is then as it was. */
SEAL_MUST_USE enum seal_status client_follow(struct vault_worker *worker, struct flight *flight,
					     struct seal_err *err);

/*
 * May a call of `path` ("/v1/…") to the server `from` follow a redirect to `location`? *base is then where that is: not from
 * https to http, to no other path, and nothing that could hide another host.
 */
bool client_may_follow(const char *from, const char *path, const char *location, char base[CLIENT_BASE_MAX]);

/* Waits until `call` is back; others that come are kept for vault_next. */
void client_wait(struct vault_worker *worker, const struct vault_call *call);

/*
 * vault_call_error for a call that is refused for good; `why` says what is the matter with the token (may be NULL).
 */
enum seal_status client_denied(const struct vault_client *client, const struct vault_call *call,
			       const struct seal_err *why, struct seal_err *err);

/* client_count.c: a call is over. */
void client_count(const struct vault_client *client, const struct vault_call *call, uint64_t started_ns);

/* A 500 that is the caller's mistake. */
bool vault_blames_caller(unsigned status, struct seal_bytes body);
/* http_config.retry. */
bool vault_worth_retrying(unsigned status, struct seal_bytes body);

#endif
