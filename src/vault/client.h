/*
 * Calls of the Vault API: token, namespace, re-login, error classes. Only files of src/vault (and cmd's doctor) use it.
 *
 *   vault_client    server, http client, token, learned limits    thread-safe, shared
 *   vault_worker    connections; calls under way                  one thread at a time
 *
 * A call that is refused with 403 under a token that may have ended is made once more after a new login; the caller never
 * sees it. What comes back with an err is classified:
 *
 *   RETRY   away, slow, sealed, standby without active node, throttled (429, 5xx, no connection)
 *   DENIED  403 after that, login refused, certificate not trusted; the text has the policy line to grant
 *   USAGE   no such mount, no such key, a key that cannot do it
 *   DATA    never: what is wrong with one item is the caller's to find in the answer
 *
 * Texts name the server and the path, and quote the server's own message (one line, bounded); never a body or a token.
 */
#ifndef VAULT_CLIENT_H
#define VAULT_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/secret.h"
#include "keys/key.h"
#include "vault/options.h"

struct vault_client;
struct vault_worker;

SEAL_MUST_USE enum seal_status vault_client_new(const struct vault_options *options, struct vault_client **out,
						struct seal_err *err);
void vault_client_free(struct vault_client *client);
/* Counts from now on; before its first call. `metrics` outlives it; NULL: nothing is counted. */
void vault_client_watch(struct vault_client *client, const struct key_metrics *metrics);
/* "https://vault:8200", for messages. */
const char *vault_client_name(const struct vault_client *client);

SEAL_MUST_USE enum seal_status vault_worker_new(struct vault_client *client, struct vault_worker **out,
						struct seal_err *err);
void vault_worker_free(struct vault_worker *worker);

/* Zero it, fill the request; body and path must live until it comes back. */
struct vault_call {
	const char *method; /* "GET", "POST", "DELETE" */
	const char *path; /* after /v1/: "transit/encrypt/pii", segments percent-encoded */
	struct seal_bytes body; /* JSON; ptr NULL: none */
	const char *capability; /* what a policy must grant on path, for the message: "update" */
	bool once; /* not repeatable (rotate, create) */
	bool anonymous; /* no token: login, health */
	const char *token; /* another token than the client's (unwrapping) */
	unsigned ok_status; /* one more status that is no error besides 200 and 204 */
	bool look; /* an answer with any other status is no error either: the caller looks itself, and asks
		    * vault_call_error where it knows no better */
	/* The result: err.status SEAL_OK and the answer, or why not. */
	unsigned status;
	struct seal_bytes answer; /* the body; gone with vault_call_clear */
	struct seal_err err;
	void *user; /* the caller's */
	void *under_way; /* the worker's */
};

/* As http_start and http_next: calls come back in the order in which they finish. */
SEAL_MUST_USE enum seal_status vault_start(struct vault_worker *worker, struct vault_call *call, uint64_t deadline_ms,
					   struct seal_err *err);
struct vault_call *vault_next(struct vault_worker *worker);
/* Gives up all that is under way. */
void vault_drop(struct vault_worker *worker);
void vault_call_clear(struct vault_call *call);

/*
 * One control call, waited for: `body` (may be NULL) in, the answer's `data` member (or the whole of it where there is
 * none) in *out, the caller's to json_decref; NULL after 204. 404 is SEAL_USAGE/SEAL_E_KEY_UNKNOWN.
 */
SEAL_MUST_USE enum seal_status vault_ask(struct vault_worker *worker, const char *method, const char *path,
					 const char *capability, json_t *body, uint64_t deadline_ms, json_t **out,
					 struct seal_err *err);
/*
 * The same for logging in: with `token` or none instead of the client's, a GET where `body` is NULL and a POST where it is
 * not, and with the whole answer in *out. `body` stays the caller's.
 */
SEAL_MUST_USE enum seal_status vault_ask_login(struct vault_worker *worker, const char *path, json_t *body,
					       const char *token, uint64_t deadline_ms, json_t **out,
					       struct seal_err *err);

/*
 * The tree of a control call's answer, or NULL: it is not JSON, or larger than any honest one. A tree takes some 40 times
 * the memory of its text.
 */
json_t *vault_json_load(struct seal_bytes text, json_error_t *why);

/* json_decref for what may hold secrets: every string of the tree is wiped first. NULL is fine. */
void vault_json_free(json_t *json);

/*
 * Fills err from an answer with an error status; `call` gives method, path and capability. Used by vault_start/next
 * itself, and by callers that asked for ok_status.
 */
enum seal_status vault_call_error(const struct vault_client *client, const struct vault_call *call,
				  struct seal_err *err);

/*
 * An answer that is not what the API gives, with what is wrong with it: SEAL_RETRY/SEAL_E_SERVICE, since it is no
 * item's fault.
 */
enum seal_status vault_call_nonsense(const struct vault_client *client, const struct vault_call *call,
				     const char *what, struct seal_err *err);

/* Items a request may have: starts at --vault-batch; a server that refuses more teaches less (shared by all workers). */
size_t vault_batch_limit(const struct vault_client *client);
/* A request of `items` was refused as too complex: lowers the limit below it, to what OpenBao takes or by half. */
void vault_batch_refused(struct vault_client *client, size_t items);
/* The same for the bytes of a body: a server or a proxy may take less than Vault does by default. */
size_t vault_body_limit(const struct vault_client *client);
void vault_body_refused(struct vault_client *client, size_t bytes);
/* Requests that are worth having under way at once. */
unsigned vault_in_flight(const struct vault_client *client);

#endif
