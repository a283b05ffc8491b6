/*
 * The HTTP client: the only place with libcurl. Knows nothing of who is called.
 *
 *   http_client   where to, TLS, limits, the circuit breaker      thread-safe, shared
 *   http_worker   kept-alive connections, exchanges under way     one thread at a time
 *   http_exchange one request and its answer                      the caller's
 *
 * An exchange is started, then comes back from http_next, in the order in which they finish: the caller builds the next
 * request while the server works on the last one. Retries happen inside: connection failures, 429 and what
 * `http_config.retry` says, with full jitter (a random pause of 0 … min(cap, base * 2^try)), or `Retry-After` where the
 * server gave one. After `retries` the last answer, or the error, is the result.
 *
 * The breaker: `breaker_failures` failures in a row (no connection, no answer in time, 502, 503, 504) open it; exchanges
 * then fail at once (SEAL_RETRY) until a pause is over, which doubles each time; then one of them tries (half open), and
 * its success closes it. What the same worker has started besides waits for how that one goes.
 *
 * Neither a header nor a body nor a query is ever logged or put into an error: these name the method, the host and the
 * path. Answers may hold plaintext: their buffers are wiped.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#define HTTP_RESPONSE_MAX_DEFAULT (64u << 20)

/* All strings are copied; NULL: none. */
struct http_config {
	const char *base; /* "https://host:8200", "http://127.0.0.1:8200/prefix"; a slash at its end is dropped */
	const char *unix_socket; /* connects there; `base` still gives scheme and Host */
	const char *ca_file, *ca_path; /* PEM; NULL: the system's */
	const char *ca_pem; /* PEM text instead of a file */
	const char *client_cert, *client_key; /* PEM files; both or none */
	const char *server_name; /* SNI, and the name that the certificate must have; NULL: the host */
	const char *proxy; /* for all requests, NO_PROXY is not asked; NULL: http_proxy, https_proxy, no_proxy */
	const char *user_agent;
	bool insecure; /* the certificate is not verified. Whoever sets it warns */
	bool http1_first; /* HTTP/2 only with a server that answers nothing else */
	unsigned connections; /* at once and worker, 1 … 64; 0: 4 */
	unsigned retries; /* after the first try */
	unsigned breaker_failures; /* 0: 5 */
	uint64_t timeout_ms; /* for one try, connecting included; 0: 60 s */
	uint64_t connect_ms; /* 0: 10 s */
	size_t max_response; /* bytes of a body; 0: HTTP_RESPONSE_MAX_DEFAULT */
	double rate; /* requests a second of all workers together; 0: no limit */
	/* Is an answer with this status worth another try? NULL: 429 and all of 5xx but 501. */
	bool (*retry)(unsigned status, struct seal_bytes body);
};

struct http_client;
struct http_worker;

struct http_header {
	const char *name, *value;
};

/* Zero it, fill the request; all that it points to must live until http_next gives it back. */
struct http_exchange {
	const char *method; /* "GET", "POST", "PUT", "DELETE" */
	const char *path; /* after the base: "/v1/sys/health?standbyok=true" */
	const struct http_header *headers;
	size_t n_headers;
	struct seal_bytes body; /* ptr NULL: none */
	bool once; /* not repeatable: another try only when the server cannot have seen the first */
	bool reuse; /* with `once`: not on a new connection each; where the one that was there has just died, there is no answer */
	/* The result. `status` 0: there was no answer, `err` says why. */
	unsigned status;
	struct seal_buf answer; /* the body; http_exchange_clear wipes and frees it */
	int64_t date_s; /* since 1970, as the server says in Date; 0: it does not */
	char location[256]; /* of a redirect, which is never followed; "" otherwise or when longer */
	struct seal_err err; /* SEAL_RETRY: SEAL_E_SERVICE, SEAL_E_TIMEOUT. SEAL_DENIED: a certificate that is not
			      * trusted. SEAL_USAGE/SEAL_E_CONFIG: a host or proxy name that cannot be. SEAL_DATA/SEAL_E_LIMIT: body too
			      * large */
	unsigned tries;
	void *user; /* the caller's */
	void *under_way; /* the worker's */
};

SEAL_MUST_USE enum seal_status http_client_new(const struct http_config *config, struct http_client **out,
					       struct seal_err *err);
/* After all its workers. */
void http_client_free(struct http_client *client);

SEAL_MUST_USE enum seal_status http_worker_new(struct http_client *client, struct http_worker **out,
					       struct seal_err *err);
/* Drops what is still under way. */
void http_worker_free(struct http_worker *worker);
/*
 * From any thread, before it is freed: what is under way comes back from http_next at once, as does all that is started later: SEAL_RETRY,
 * SEAL_E_TIMEOUT.
 */
void http_worker_stop(struct http_worker *worker);

/*
 * Queues the exchange and sends as much as can be sent without waiting. It ends by `deadline_ms` (clock_mono_ms) at the
 * latest, retries included. Fails for want of memory alone; all else is the exchange's result.
 */
SEAL_MUST_USE enum seal_status http_start(struct http_worker *worker, struct http_exchange *exchange,
					  uint64_t deadline_ms, struct seal_err *err);
/* Waits for the next exchange that is done; NULL when none is under way. */
struct http_exchange *http_next(struct http_worker *worker);
/* Gives up all that is under way; those exchanges are the caller's again, without result. */
void http_drop(struct http_worker *worker);

void http_exchange_clear(struct http_exchange *exchange);

/* One exchange, by a worker of its own. SEAL_OK: there was an answer, whatever its status; else the exchange's error. */
SEAL_MUST_USE enum seal_status http_ask(struct http_client *client, struct http_exchange *exchange,
					uint64_t deadline_ms, struct seal_err *err);

/* Is it this machine: "localhost", 127.0.0.0/8, ::1 (without brackets)? */
bool http_is_loopback(const char *host);
/* The same of a host as it stands in a URL, with what follows it. */
bool http_is_loopback_url(const char *host);

/* Percent-encodes all but unreserved characters (RFC 3986 §2.3), as values of forms and queries want it; appends to `out`. */
SEAL_MUST_USE enum seal_status http_percent_append(struct seal_buf *out, struct seal_bytes text,
						   struct seal_err *err);

/* Appends "NAME=VALUE" of a form or a query, behind '&' where something stands there; `name` as it is. */
SEAL_MUST_USE enum seal_status http_form_append(struct seal_buf *out, const char *name, struct seal_bytes value,
						struct seal_err *err);

/* http_percent_append for one segment of a path, which is not empty and no "." or "..": these are SEAL_USAGE. */
SEAL_MUST_USE enum seal_status http_path_append(struct seal_buf *out, struct seal_bytes segment,
						struct seal_err *err);

#endif
