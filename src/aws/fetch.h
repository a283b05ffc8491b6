/* One request to a giver of credentials: the machine's own endpoints, STS, SSO. A client of its own, gone after it. */
#ifndef AWS_FETCH_H
#define AWS_FETCH_H

#include "http/http.h"

/* Of endpoints that are local to the machine: no proxy, and little patience, as where there are none nobody answers. */
struct http_config aws_fetch_local(const char *base);
/* Of services; `ca_file` may be NULL. */
struct http_config aws_fetch_remote(const char *base, const char *ca_file);

/*
 * Its answer, with a zero byte behind it that does not count. Throttled or in trouble is SEAL_RETRY/SEAL_E_BUSY, another answer than
 * 200 SEAL_DENIED, with the service's own code and message.
 */
SEAL_MUST_USE enum seal_status aws_fetch(const struct http_config *config, struct http_exchange *exchange,
					 uint64_t deadline_ms, struct seal_err *err);

/* Appends "NAME=VALUE" of a form or a query, as forms are encoded (a space is '+'), behind '&' where something stands there. Not as
 * http_form_append: who checks a signature may encode the form anew, and so. */
SEAL_MUST_USE enum seal_status aws_form_add(struct seal_buf *out, const char *name, struct seal_bytes value,
					    struct seal_err *err);

#endif
