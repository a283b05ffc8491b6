/* Inside src/http: a worker, its exchanges under way, and how the parts of the folder see them. */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H

#include <stdatomic.h>

#include "http/client.h"

/* Bytes of all header lines of one try, interim answers included. */
#define HTTP_HEADERS_MAX (256u << 10)

/* Why a body was not taken to its end by us. */
enum flight_stop { STOP_NONE, STOP_BODY, STOP_HEADERS, STOP_MEMORY };

/* An exchange under way. */
struct flight {
	struct flight *next; /* in one of the worker's lists */
	struct http_exchange *exchange;
	struct http_worker *worker;
	struct seal_buf url;
	struct curl_slist *headers;
	uint64_t deadline_ms;
	uint64_t due_ms; /* not before */
	unsigned retries; /* made */
	bool paid; /* the rate limit has let the next try pass */
	bool fresh; /* the next try takes a new connection */
	bool free_try; /* the one that a dying kept-alive connection is worth has been made */
	/* The try under way, or the last one. */
	CURL *easy; /* NULL: none under way */
	enum breaker_pass pass;
	uint64_t limit_ms; /* it may take so long */
	bool sent; /* a connection has been given to it */
	size_t header_bytes;
	bool headers_done;
	enum flight_stop stop;
	char reason[CURL_ERROR_SIZE]; /* libcurl's own words */
};

struct flight_list {
	struct flight *first, **end;
};

/* A connection's worth of libcurl; flight NULL: idle. */
struct slot {
	CURL *easy;
	struct flight *flight;
};

struct http_worker {
	struct http_client *client;
	CURLM *multi;
	_Atomic(CURLM *) ready; /* the same, once all of it is made: what another thread may wake */
	struct slot *slots; /* client->connections */
	struct flight_list waiting, done;
	struct flight *spare;
	size_t under_way; /* all that http_next has not given back */
	pid_t pid; /* whose connections these are */
	atomic_bool stopped; /* by another thread */
};

/* handle.c: a handle with all that never changes. NULL: no memory. */
CURL *handle_new(const struct http_client *client);
/* handle.c: checks the request and makes URL and headers of it. What is wrong with the request is SEAL_USAGE. */
SEAL_MUST_USE enum seal_status handle_request(struct flight *flight, struct seal_err *err);
/* handle.c: gives flight->easy the flight's next try; false: no memory. */
bool handle_aim(struct flight *flight);
/* handle.c: takes from the handle all that is the caller's. */
void handle_release(CURL *easy);

/* What a try says about the server. */
enum verdict { VERDICT_NONE, VERDICT_ALIVE, VERDICT_AWAY };

/* What a try came to. */
struct outcome {
	bool answered; /* exchange->status and answer hold; else its err does */
	bool unsent; /* the server cannot have seen anything of it */
	bool stale; /* a kept-alive connection died under it, without a byte of an answer */
	enum verdict verdict;
	const char *why; /* VERDICT_AWAY: in a few words */
	bool asked; /* the server named a pause */
	uint64_t after_ms; /* … this one */
};

/* outcome.c: reads from flight->easy how the try ended and fills the exchange's result. */
void outcome_read(struct flight *flight, CURLcode code, struct outcome *out);

/* error.c: fills the exchange's err from what libcurl says; returns the reason in a few words. */
const char *error_fill(const struct flight *flight, CURLcode code, struct seal_err *err);
/* error.c: err_set with "METHOD https://host:port/path: " before the text. */
enum seal_status error_set(const struct flight *flight, enum seal_status status, enum seal_code code,
			   struct seal_err *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
