/*
 * Events over HTTPS, for places where port 9093 is shut.
 *
 *   POST /HUB/messages?timeout=60&api-version=2014-01
 *   Authorization: SharedAccessSignature …                            of the hub, for an hour, made anew after 45 minutes
 *                  Bearer …                                           of an application, renewed before its end, and once after a 401
 *   Content-Type: application/vnd.microsoft.servicebus.json           [{"Body":…}, …]; without it one event, as it is
 *
 * Events of a request are of one key, as the service wants it (OUTBOX_ALONE). 201 says that all of them are there; any other answer
 * that none is. Where there was no answer nobody knows, and they go again: at least once.
 */
#include "streams/eventhubs/eventhubs.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"
#include "http/tokens.h"
#include "streams/eventhubs/application.h"
#include "streams/eventhubs/event.h"
#include "streams/eventhubs/sas.h"
#include "streams/outbox.h"

#define TOKEN_S 3600
#define TOKEN_RENEW_S 2700
#define EVENTS 500 /* of a request */
#define REQUESTS 4 /* at once */
#define FRAME 2 /* brackets */
#define HUB_MAX 300 /* with a zero byte; hubs have names of up to 256 characters */
#define DETAIL_MAX 160
#define JSON_EVENTS "application/vnd.microsoft.servicebus.json"
#define BYTES_EVENT "application/octet-stream"

struct https_sink {
	struct outbox_sink base;
	struct eventhubs_access access;
	struct http_client *client;
	struct application *application; /* NULL: a connection string */
	struct http_tokens *tokens; /* of it */
	bool with_headers;
	char name[300];
};

struct https_worker {
	struct https_sink *sink;
	struct http_worker *http;
	struct secret token; /* of `hub`, until then */
	char hub[HUB_MAX];
	int64_t renew_s;
	struct seal_buf body;
	struct arena arena; /* of one request */
};

static struct https_sink *of(struct sink *sink)
{
	return (struct https_sink *)((char *)sink - offsetof(struct https_sink, base));
}

/* ---- authorization ---- */

/* *token: NULL, or whose text *out is; released by the caller. */
static enum seal_status authorize(struct https_worker *w, const char *hub, uint64_t deadline_ms, const char **out,
				  struct http_token **token, struct seal_err *err)
{
	const struct eventhubs_access *a = &w->sink->access;
	const int64_t now_s = clock_unix_ms() / 1000;
	char uri[700];
	enum seal_status rc = SEAL_OK;

	*token = NULL;
	*out = a->signature;
	if (a->signature != NULL)
		return SEAL_OK;
	if (w->sink->tokens != NULL) {
		SEAL_TRY(http_token_get(w->sink->tokens, deadline_ms, token, err));
		*out = http_token_header(*token);
		goto out;
	}
	if (w->token.ptr == NULL || now_s >= w->renew_s || strcmp(w->hub, hub) != 0) {
		secret_clear(&w->token);
		snprintf(uri, sizeof(uri), "https://%s/%s", a->host, hub);
		SEAL_TRY(sas_make(uri, a->key_name, a->key, now_s + TOKEN_S, &w->token, err));
		snprintf(w->hub, sizeof(w->hub), "%s", hub);
		w->renew_s = now_s + TOKEN_RENEW_S;
	}
	*out = (const char *)w->token.ptr;
out:
	return rc;
}

/* ---- answers ---- */

/* What stands in <Detail> of an error; "" when nothing does. */
static void detail_of(struct seal_bytes answer, char out[DETAIL_MAX])
{
	static const char start[] = "<Detail>";
	const uint8_t *at = answer.len > 0 ? memmem(answer.ptr, answer.len, start, sizeof(start) - 1) : NULL;
	size_t n = 0;

	for (at = at != NULL ? at + sizeof(start) - 1 : NULL;
	     at != NULL && at < answer.ptr + answer.len && *at != '<' && n < DETAIL_MAX - 1; at++)
		out[n++] = *at >= ' ' && *at < 0x7f ? (char)*at : ' ';
	out[n] = '\0';
}

static enum seal_status refused(const struct https_worker *w, const struct http_exchange *ex, struct seal_err *err)
{
	char detail[DETAIL_MAX];
	const char *gap;

	detail_of(buf_bytes(&ex->answer), detail);
	gap = detail[0] != '\0' ? ": " : "";
	err_place(err, "%s", w->sink->name);
	switch (ex->status) {
	case 401:
	case 403:
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "Event Hubs refuses the login with status %u%s%s; the %s", ex->status, gap, detail,
			       w->sink->tokens != NULL ? "application needs the role Azure Event Hubs Data Sender"
						       : "policy needs the right Send");
	case 404:
	case 410:
		return err_set(err, SEAL_USAGE, SEAL_E_CREATE,
			       "there is no such hub (status %u)%s%s; create it, or check its name", ex->status, gap,
			       detail);
	case 413:
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "the namespace takes no request of this length%s%s; lower --eventhubs-event-bytes "
			       "(262144 in the tier Basic)",
			       gap, detail);
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "Event Hubs answers with status %u%s%s", ex->status,
			       gap, detail);
	default:
		return err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "Event Hubs answers with status %u%s%s", ex->status,
			       gap, detail);
	}
}

/* ---- requests ---- */

/* headers[0] is Authorization. *again: a token was refused, and the next one may be taken. */
static enum seal_status attempt(struct https_worker *w, const char *hub, struct http_header *headers,
				struct http_exchange *ex, uint64_t deadline_ms, bool *again, struct seal_err *err)
{
	struct http_tokens *tokens = w->sink->tokens;
	struct http_token *token;
	enum seal_status rc;

	*again = false;
	SEAL_TRY(authorize(w, hub, deadline_ms, &headers[0].value, &token, err));
	rc = http_start(w->http, ex, deadline_ms, err);
	if (rc == SEAL_OK)
		(void)http_next(w->http);
	if (token != NULL && rc == SEAL_OK && ex->status == 401) {
		http_token_refused(tokens, token);
		*again = true;
	}
	if (token != NULL)
		http_token_release(tokens, token);
out:
	return rc;
}

static enum seal_status exchange(struct https_worker *w, const char *hub, const struct http_header *more,
				 size_t n_more, const char *type, struct seal_bytes body, uint64_t deadline_ms,
				 unsigned *status, struct seal_err *err)
{
	struct http_header *headers =
		arena_alloc(&w->arena, (n_more + 2) * sizeof(*headers), _Alignof(struct http_header));
	const char *path = arena_printf(&w->arena, "/%s/messages?timeout=60&api-version=2014-01", hub);
	const struct http_exchange request = {.method = "POST",
					      .path = path,
					      .headers = headers,
					      .n_headers = n_more + 2,
					      .body = body,
					      .once = true, /* the outbox sends it again, and counts that */
					      .reuse = true};
	struct http_exchange ex = request;
	bool again;
	enum seal_status rc;

	*status = 0;
	if (headers == NULL || path == NULL)
		return err_memory(err);
	headers[0] = (struct http_header){"Authorization", NULL};
	headers[1] = (struct http_header){"Content-Type", type};
	if (n_more > 0)
		memcpy(headers + 2, more, n_more * sizeof(*headers));
	SEAL_TRY(attempt(w, hub, headers, &ex, deadline_ms, &again, err));
	if (again) {
		http_exchange_clear(&ex);
		ex = request;
		SEAL_TRY(attempt(w, hub, headers, &ex, deadline_ms, &again, err));
	}
	*status = ex.status;
	if (ex.status == 0) {
		if (err != NULL && err->status == SEAL_OK)
			*err = ex.err;
		rc = ex.err.status;
	} else if (ex.status != 201) {
		rc = refused(w, &ex, err);
	}
out:
	http_exchange_clear(&ex);
	return rc;
}

static enum seal_status send_alone(struct https_worker *w, const char *hub, const struct record *record,
				   uint64_t deadline_ms, unsigned *status, struct seal_err *err)
{
	struct http_header *headers;
	size_t n;
	enum seal_status rc;

	SEAL_TRY(event_headers(record, w->sink->with_headers, &w->arena, &headers, &n, err));
	rc = exchange(w, hub, headers, n, BYTES_EVENT, record->value, deadline_ms, status, err);
out:
	return rc;
}

static enum seal_status send_several(struct https_worker *w, const char *hub, struct outbox_item *const *items,
				     size_t n, uint64_t deadline_ms, unsigned *status, struct seal_err *err)
{
	enum seal_status rc;

	buf_reset(&w->body);
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(buf_append_u8(&w->body, i == 0 ? '[' : ',', err));
		SEAL_TRY(event_append(&w->body, items[i]->record, w->sink->with_headers, err));
	}
	SEAL_TRY(buf_append_u8(&w->body, ']', err));
	rc = exchange(w, hub, NULL, 0, JSON_EVENTS, buf_bytes(&w->body), deadline_ms, status, err);
out:
	return rc;
}

/* All of them are there, or none. One that goes alone is the only one: see measure. */
static enum seal_status send_items(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
				   struct seal_err *err)
{
	struct https_worker *w = worker;
	const struct seal_bytes topic = items[0]->record->topic;
	char hub[HUB_MAX];
	unsigned status = 0;
	enum seal_status rc;

	snprintf(hub, sizeof(hub), "%.*s", (int)topic.len, topic.len > 0 ? (const char *)topic.ptr : "");
	if (topic.len == 0)
		snprintf(hub, sizeof(hub), "%s", w->sink->access.hub);
	arena_reset(&w->arena);
	if (event_is_alone(items[0]->record))
		rc = send_alone(w, hub, items[0]->record, deadline_ms, &status, err);
	else
		rc = send_several(w, hub, items, n, deadline_ms, &status, err);
	for (size_t i = 0; i < n && rc == SEAL_OK; i++)
		items[i]->result = OUTBOX_DONE;
	if (rc == SEAL_RETRY && (status == 429 || status == 503))
		outbox_throttled(items, n);
	return rc;
}

/* ---- the outbox's questions ---- */

static enum seal_status worker_new(void *arg, void **worker, struct seal_err *err)
{
	struct https_sink *sink = arg;
	struct https_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	*worker = NULL;
	if (w == NULL)
		return err_memory(err);
	w->sink = sink;
	w->body = (struct seal_buf)BUF_INIT(2 * (size_t)sink->access.event_bytes + FRAME);
	arena_init(&w->arena, 64 << 10);
	rc = http_worker_new(sink->client, &w->http, err);
	if (rc != SEAL_OK)
		mem_free(w);
	else
		*worker = w;
	return rc;
}

static void worker_stop(void *worker)
{
	http_worker_stop(((struct https_worker *)worker)->http);
}

static void worker_free(void *worker)
{
	struct https_worker *w = worker;

	if (w == NULL)
		return;
	http_worker_free(w->http);
	secret_clear(&w->token);
	buf_clear(&w->body);
	arena_clear(&w->arena);
	mem_free(w);
}

static enum seal_status measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	const struct https_sink *sink = arg;
	const size_t request = (size_t)sink->access.event_bytes - FRAME;
	enum seal_status rc;

	if (record->topic.len >= HUB_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_TYPE, "\"%.*s\" cannot be the name of a hub",
			       BYTES_FMT(record->topic));
	rc = event_measure(record, sink->with_headers, request, bytes, err);
	if (rc == SEAL_OK && event_is_alone(record))
		*bytes = request; /* there is no room for another one */
	return rc;
}

static const struct outbox_service service = {
	.worker_new = worker_new,
	.worker_free = worker_free,
	.worker_stop = worker_stop,
	.send = send_items,
	.measure = measure,
};

/* ---- the sink ---- */

static enum seal_status sink_record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err)
{
	(void)err;
	*max = (size_t)of(sink)->access.event_bytes - FRAME;
	*flag = "--eventhubs-event-bytes";
	return SEAL_OK;
}

static enum seal_status sink_close(struct sink *sink, struct seal_err *err)
{
	struct https_sink *s = sink != NULL ? of(sink) : NULL;

	(void)err;
	if (s == NULL)
		return SEAL_OK;
	outbox_sink_close(&s->base);
	http_client_free(s->client);
	http_tokens_free(s->tokens);
	application_free(s->application);
	eventhubs_access_clear(&s->access);
	mem_free(s);
	return SEAL_OK;
}

static const struct sink_ops https_ops = {
	.size = sizeof(struct sink_ops),
	.name = "eventhubs",
	.help = "a hub of Azure Event Hubs, over HTTPS",
	.write = outbox_sink_write,
	.poll = outbox_sink_poll,
	.check = outbox_sink_check,
	.record_max = sink_record_max,
	.flush = outbox_sink_flush,
	.close = sink_close,
};

static enum seal_status connect_client(struct https_sink *s, struct seal_err *err)
{
	struct eventhubs_access *a = &s->access;
	struct http_config config = {.ca_file = a->ca_file,
				     .user_agent = "sealstream",
				     .connections = 1,
				     .retries = 2,
				     .max_response = 64 << 10};
	enum seal_status rc;

	if (a->emulator) {
		err_place(err, "%s", s->name);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the emulator has no HTTPS; leave out --eventhubs-protocol");
	}
	config.base = arena_printf(&a->arena, "https://%s", a->endpoint != NULL ? a->endpoint : a->host);
	if (config.base == NULL)
		return err_memory(err);
	if (a->tenant != NULL) {
		SEAL_TRY(application_new(a, &s->application, err));
		SEAL_TRY(http_tokens_new(application_fetch, s->application, &s->tokens, err));
	}
	rc = http_client_new(&config, &s->client, err);
out:
	return rc;
}

enum seal_status eventhubs_https_open(const char *address, const struct eventhubs_settings *settings,
				      const struct eventhubs_https_options *options, struct sink **out,
				      struct seal_err *err)
{
	struct https_sink *s = mem_calloc(1, sizeof(*s));
	struct outbox_config config = {.order = OUTBOX_ALONE,
				       .records = EVENTS,
				       .bytes = (size_t)settings->event_bytes - FRAME,
				       .memory = (size_t)options->memory_bytes,
				       .requests = REQUESTS};
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.sink.ops = &https_ops;
	s->with_headers = !options->drop_headers;
	snprintf(s->name, sizeof(s->name), "eventhubs:%s", address);
	config.name = s->name;
	SEAL_TRY(eventhubs_access_open(address, settings, &s->access, err));
	SEAL_TRY(connect_client(s, err));
	SEAL_TRY(outbox_new(&config, &service, s, &s->base.outbox, err));
	*out = &s->base.sink;
	s = NULL;
out:
	(void)sink_close(s != NULL ? &s->base.sink : NULL, NULL);
	return rc;
}
