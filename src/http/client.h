/* What all workers share: the checked configuration, the breaker, the rate. Immutable but for `http2` and the last two. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "http/breaker.h"
#include "http/http.h"
#include "http/rate.h"

struct http_client {
	struct arena arena; /* all strings below */
	const char *base; /* what paths are put behind; its host is server_name where there is one */
	const char *name; /* "https://host:8200", for messages */
	const char *host; /* "Host: host:8200", when `base` names another host; else NULL */
	struct curl_slist *connect_to; /* where to, then */
	bool https;
	const char *ca_file;
	struct seal_buf ca; /* PEM; empty: ca_file, or the system's */
	const char *client_cert, *client_key;
	const char *unix_socket;
	const char *proxy; /* "": none, whatever the environment says; NULL: as it says */
	const char *no_proxy; /* NULL: as the environment says */
	const char *user_agent;
	bool insecure;
	bool http1_first;
	_Atomic bool http2; /* HTTP/1.1 alone was not answered */
	unsigned connections, retries;
	uint64_t timeout_ms, connect_ms;
	size_t max_response;
	bool (*retry)(unsigned status, struct seal_bytes body);
	struct breaker breaker;
	struct rate rate;
};

/* ca.c: checks ca_file, or fills client->ca from a folder and a text. */
SEAL_MUST_USE enum seal_status ca_load(struct http_client *client, const struct http_config *config,
				       struct seal_err *err);

/*
 * no_proxy.c: does a list as in $no_proxy name the host? libcurl asks it about the name in the URL, which is not the host when
 * another name is verified. `list` may be NULL.
 */
bool no_proxy_names(const char *list, struct seal_bytes host);

#endif
