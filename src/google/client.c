/*
 * Calls.
 *
 *   worker ──▶ token (tokens.c) ──▶ exchange (src/http: connections, retries, breaker) ──▶ 200: answer
 *                  ▲                                     │
 *                  └────── a new one, once ◀── 401 ──────┤
 *                                                        └──▶ google.rpc.Status ──▶ class (answer.c)
 *
 * With an emulator there are neither credentials nor tokens.
 */
#include "google/google.h"

#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "google/answer.h"
#include "google/credentials.h"
#include "google/fetch.h"
#include "http/tokens.h"
#include "http/http.h"

#define WAIT_MS 60000u
#define HELD_MS 120000u /* beside what the server is asked to hold a call at most: should it not listen to that */
#define TRY_MS 600000u /* deadlines are the calls' own */
#define RETRIES 3
#define TARGET_MAX 8192
#define ANSWER_MAX (160u << 20) /* ten messages of 10 MB in base64 */
#define NEVER_OPENS UINT_MAX /* the breaker: a pull that brings nothing ends with 504; callers pause by themselves */

struct google_client {
	struct arena arena;
	const char *endpoint;
	struct google_credentials credentials; /* kind NONE: an emulator */
	struct google_fetch *fetch;
	struct http_tokens *tokens; /* NULL: an emulator */
	const char *project, *quota_project; /* NULL: none */
	struct http_client *http;
};

struct google_worker {
	struct google_client *client;
	struct http_worker *http;
	struct seal_buf target; /* of the call that runs */
};

/* Not where the time that the call had is over. */
static bool is_away(unsigned status, struct seal_bytes body)
{
	char code[GOOGLE_CODE_MAX], message[ANSWER_MESSAGE_MAX];

	if (status != 500 && status != 502 && status != 503 && status != 504)
		return false;
	answer_error(body, code, message);
	return strcmp(code, "DEADLINE_EXCEEDED") != 0;
}

/* ---- where to ---- */

static enum seal_status set_emulator(struct google_client *c, const char *emulator, struct seal_err *err)
{
	c->endpoint = strstr(emulator, "://") != NULL ? arena_strndup(&c->arena, emulator, strlen(emulator))
						      : arena_printf(&c->arena, "http://%s", emulator);
	return c->endpoint != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status set_endpoint(struct google_client *c, const char *endpoint, struct seal_err *err)
{
	const bool clear = strncmp(endpoint, "http://", 7) == 0;

	if (!clear && strncmp(endpoint, "https://", 8) != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the endpoint %s does not begin with https://",
			       endpoint);
	if (clear && !http_is_loopback_url(endpoint + 7))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the endpoint %s is no https address, so tokens would travel in the clear; an "
			       "emulator has an "
			       "option of its own",
			       endpoint);
	c->endpoint = arena_strndup(&c->arena, endpoint, strlen(endpoint));
	return c->endpoint != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status set_http(struct google_client *c, const char *ca_file, struct seal_err *err)
{
	const struct http_config http = {
		.base = c->endpoint,
		.ca_file = ca_file,
		.proxy = strncmp(c->endpoint, "http://", 7) == 0 && http_is_loopback_url(c->endpoint + 7) ? "" : NULL,
		.user_agent = "sealstream",
		.connections = 1,
		.retries = RETRIES,
		.breaker_failures = NEVER_OPENS,
		.max_response = ANSWER_MAX,
		.timeout_ms = TRY_MS,
		.retry = is_away};

	return http_client_new(&http, &c->http, err);
}

/* ---- who we are ---- */

static enum seal_status find_credentials(struct google_client *c, const char *file, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	char places[CREDENTIALS_PLACES_MAX];
	enum seal_status rc;

	SEAL_TRY(credentials_find(file, &c->credentials, places, err));
	if (c->credentials.kind != CREDENTIALS_NONE)
		goto out;
	rc = google_metadata_find(&c->credentials, &why);
	if (rc == SEAL_DENIED)
		rc = err_set(err, rc, why.code,
			     "no Google credentials: %s, and %s; log in with `gcloud auth application-default login` "
			     "or name a "
			     "key file",
			     places, why.text);
	else if (rc != SEAL_OK && err != NULL)
		*err = why;
out:
	return rc;
}

static enum seal_status set_tokens(struct google_client *c, const struct google_config *config, struct seal_err *err)
{
	const char *audience = NULL, *scope = NULL;
	enum seal_status rc;

	if (config->audience != NULL)
		audience = arena_strndup(&c->arena, config->audience, strlen(config->audience));
	if (config->scope != NULL)
		scope = arena_strndup(&c->arena, config->scope, strlen(config->scope));
	if ((config->audience != NULL && audience == NULL) || (config->scope != NULL && scope == NULL))
		return err_memory(err);
	SEAL_TRY(find_credentials(c, config->credentials, err));
	SEAL_TRY(google_fetch_new(&c->credentials, audience, scope, config->ca_file, &c->fetch, err));
	SEAL_TRY(http_tokens_new(google_fetch_token, c->fetch, &c->tokens, err));
out:
	return rc;
}

/* What a variable says, else the credentials. */
static enum seal_status set_project(struct google_client *c, const char *variable, const char *own, const char **out,
				    struct seal_err *err)
{
	const char *named = getenv(variable);

	*out = own;
	if (named == NULL || *named == '\0')
		return SEAL_OK;
	*out = arena_strndup(&c->arena, named, strlen(named));
	return *out != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status google_client_new(const struct google_config *config, struct google_client **out,
				   struct seal_err *err)
{
	struct google_client *c = mem_calloc(1, sizeof(*c));
	enum seal_status rc;

	*out = NULL;
	if (c == NULL)
		return err_memory(err);
	arena_init(&c->arena, 0);
	credentials_init(&c->credentials);
	if (config->emulator != NULL && *config->emulator != '\0') {
		SEAL_TRY(set_emulator(c, config->emulator, err));
	} else {
		SEAL_TRY(set_endpoint(c, config->endpoint, err));
		SEAL_TRY(set_tokens(c, config, err));
	}
	SEAL_TRY(set_project(c, "GOOGLE_CLOUD_PROJECT", c->credentials.project, &c->project, err));
	SEAL_TRY(set_project(c, "GOOGLE_CLOUD_QUOTA_PROJECT", c->credentials.quota_project, &c->quota_project, err));
	SEAL_TRY(set_http(c, config->ca_file, err));
	*out = c;
	c = NULL;
out:
	google_client_free(c);
	return rc;
}

void google_client_free(struct google_client *c)
{
	if (c == NULL)
		return;
	http_client_free(c->http);
	http_tokens_free(c->tokens);
	google_fetch_free(c->fetch);
	credentials_clear(&c->credentials);
	arena_clear(&c->arena);
	mem_free(c);
}

const char *google_client_project(const struct google_client *c)
{
	return c->project;
}

/* ---- workers ---- */

enum seal_status google_worker_new(struct google_client *client, struct google_worker **out, struct seal_err *err)
{
	struct google_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	*out = NULL;
	if (w == NULL)
		return err_memory(err);
	w->client = client;
	w->target = (struct seal_buf)BUF_INIT(TARGET_MAX);
	rc = http_worker_new(client->http, &w->http, err);
	if (rc != SEAL_OK)
		mem_free(w);
	else
		*out = w;
	return rc;
}

void google_worker_free(struct google_worker *w)
{
	if (w == NULL)
		return;
	http_worker_free(w->http);
	buf_clear(&w->target);
	mem_free(w);
}

void google_worker_stop(struct google_worker *w)
{
	http_worker_stop(w->http);
}

/* ---- calls ---- */

static enum seal_status failed(struct google_client *c, struct google_call *call, struct seal_err *err)
{
	char message[ANSWER_MESSAGE_MAX];
	struct answer_class class;
	const char *whose = "";

	answer_error(buf_bytes(&call->answer), call->code, message);
	class = answer_classify(call->status, call->code);
	call->failure = class.failure;
	if (class.failure == GOOGLE_DENIED && c->credentials.source != NULL)
		whose = c->credentials.source;
	return err_set(err, class.status, class.code, "%s %s%s: %u%s%s%s%s%s%s", call->method, c->endpoint,
		       call->path, call->status, call->code[0] != '\0' ? " " : "", call->code,
		       message[0] != '\0' ? ": " : "", message,
		       *whose != '\0' ? "; the credentials are those of " : "", whose);
}

/* The service indents its answers unless it is told not to; an emulator need not know that. */
static enum seal_status set_target(struct google_worker *w, const char *path, const char **out, struct seal_err *err)
{
	enum seal_status rc;

	*out = path;
	if (w->client->tokens == NULL)
		return SEAL_OK;
	buf_reset(&w->target);
	SEAL_TRY(buf_append_str(&w->target, path, err));
	SEAL_TRY(buf_append_str(&w->target, "?prettyPrint=false", err));
	SEAL_TRY(buf_append_u8(&w->target, 0, err));
	*out = (const char *)w->target.ptr;
out:
	return rc;
}

/* One exchange. SEAL_OK: there was an answer, whatever it says. */
static enum seal_status exchange(struct google_worker *w, struct google_call *call, const char *authorization,
				 uint64_t deadline_ms, struct seal_err *err)
{
	const char *quota = w->client->quota_project;
	struct http_header headers[4] = {{"Content-Type", "application/json"}};
	char held_s[32];
	struct http_exchange ex = {.method = call->method,
				   .headers = headers,
				   .n_headers = 1,
				   .body = call->body,
				   .once = call->once,
				   .reuse = true};
	enum seal_status rc;

	SEAL_TRY(set_target(w, call->path, &ex.path, err));
	if (authorization != NULL)
		headers[ex.n_headers++] = (struct http_header){"Authorization", authorization};
	if (quota != NULL)
		headers[ex.n_headers++] = (struct http_header){"X-Goog-User-Project", quota};
	if (call->wait_ms > 0) {
		snprintf(held_s, sizeof(held_s), "%llu.%03u", (unsigned long long)(call->wait_ms / 1000),
			 (unsigned)(call->wait_ms % 1000));
		headers[ex.n_headers++] = (struct http_header){"X-Server-Timeout", held_s};
	}
	SEAL_TRY(http_start(w->http, &ex, deadline_ms, err));
	(void)http_next(w->http);
	call->status = ex.status;
	buf_clear(&call->answer);
	call->answer = ex.answer;
	ex.answer = (struct seal_buf)BUF_INIT(0);
	if (ex.status == 0) {
		rc = ex.err.status;
		call->failure = rc == SEAL_DENIED ? GOOGLE_DENIED : rc == SEAL_RETRY ? GOOGLE_AWAY : GOOGLE_REFUSED;
		if (err != NULL)
			*err = ex.err;
	}
out:
	http_exchange_clear(&ex);
	return rc;
}

/* With a token. */
static enum seal_status with_token(struct google_worker *w, struct google_call *call, uint64_t deadline_ms,
				   bool *again, struct seal_err *err)
{
	struct http_tokens *tokens = w->client->tokens;
	struct http_token *token = NULL;
	enum seal_status rc;

	*again = false;
	rc = http_token_get(tokens, deadline_ms, &token, err);
	if (rc != SEAL_OK) {
		call->status = 0;
		call->failure = rc == SEAL_DENIED ? GOOGLE_DENIED : GOOGLE_AWAY;
		return rc;
	}
	rc = exchange(w, call, http_token_header(token), deadline_ms, err);
	if (rc == SEAL_OK && call->status == 401) {
		http_token_refused(tokens, token);
		*again = true;
	}
	http_token_release(tokens, token);
	return rc;
}

enum seal_status google_call_run(struct google_worker *w, struct google_call *call, uint64_t deadline_ms,
				 struct seal_err *err)
{
	const uint64_t ends_ms = clock_mono_ms() + (call->wait_ms > 0 ? call->wait_ms + HELD_MS : WAIT_MS);
	bool again = false;
	enum seal_status rc;

	call->failure = GOOGLE_NONE;
	call->code[0] = '\0';
	if (ends_ms < deadline_ms)
		deadline_ms = ends_ms;
	if (w->client->tokens == NULL)
		rc = exchange(w, call, NULL, deadline_ms, err);
	else
		rc = with_token(w, call, deadline_ms, &again, err);
	if (rc == SEAL_OK && again)
		rc = with_token(w, call, deadline_ms, &again, err);
	if (rc == SEAL_OK && call->status != 200)
		rc = failed(w->client, call, err);
	return rc;
}

void google_call_clear(struct google_call *call)
{
	buf_clear(&call->answer);
}
