/*
 * A small HTTP server for health and metrics: GET and HEAD of a few pages, one thread of its own, nothing that changes anything.
 * The only place that knows libmicrohttpd.
 */
#ifndef LISTEN_LISTEN_H
#define LISTEN_LISTEN_H

#include "base/buf.h"

#define LISTEN_ADDRESS_MAX 80

struct listener;

struct listen_answer {
	unsigned status; /* 200 unless set */
	const char *type; /* Content-Type; static. Plain text unless set */
	struct seal_buf body;
};

struct listen_page {
	const char *path; /* "/metrics"; NULL ends a list */
	/* `verbose`: the query has that word. Called by the listener's thread; a failure becomes 500 without the text. */
	enum seal_status (*answer)(void *arg, bool verbose, struct listen_answer *answer, struct seal_err *err);
};

/*
 * `address`: HOST:PORT, [IPv6]:PORT; port 0: one that is free. At a loopback address requests for another host's name get 403. Every page is served from now on; `pages` and `arg` must stay. Errors:
 * SEAL_E_USAGE for what is no address, SEAL_E_CREATE where it cannot listen there.
 */
SEAL_MUST_USE enum seal_status listener_open(const char *address, const struct listen_page *pages, void *arg,
					     struct listener **out, struct seal_err *err);
/* Where it listens: "127.0.0.1:9464". */
const char *listener_address(const struct listener *listener);
void listener_close(struct listener *listener); /* accepts NULL; no page is being answered any more */

#endif
