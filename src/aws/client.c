/*
 * Clients, workers and their calls.
 *
 *   call ─▶ keys of the provider ─▶ signed at our time + skew ─▶ sent ─┬─ 200: done
 *             ▲                        ▲                               ├─ refused for the clock: skew = the server's, once more
 *             └────────────────────────┴───────────────────────────────┼─ refused for the credentials: new ones, once more
 *                                                                      └─ else: told, in our classes
 */
#include <stdatomic.h>

#include "aws/answer.h"
#include "aws/endpoint.h"
#include "aws/provider.h"
#include "aws/sign.h"
#include "base/clock.h"
#include "base/mem.h"

#define START_MS 30000
#define RETRIES 3
#define TRIES 3 /* of a call, each with another clock or other keys */
#define SKEW_MIN_S 60 /* a clock that is less off is not what was meant */
#define OPERATION_MAX 64

struct aws_client {
	struct aws_service service;
	char name[32], region[AWS_REGION_MAX], endpoint[AWS_ENDPOINT_MAX];
	struct http_client *http;
	struct aws_provider *provider;
	_Atomic int64_t skew_s; /* the server's clock is so far ahead of ours */
};

struct aws_worker {
	struct aws_client *client;
	struct http_worker *http;
	struct sigv4_signer signer;
};

/* Is an answer worth another try at once? Not one that asks for less. */
static bool is_worth(unsigned status, struct seal_bytes body)
{
	struct aws_error error;

	if (status < 500 || status == 501 || aws_error_read(body, &error, NULL) != SEAL_OK)
		return false;
	return aws_failure_of(status, error.code) == AWS_AWAY;
}

static enum seal_status open_http(struct aws_client *c, const struct aws_config *config, const char *ca_file,
				  struct seal_err *err)
{
	struct http_config http = {.base = c->endpoint,
				   .ca_file = ca_file,
				   .user_agent = "sealstream/" SEALSTREAM_VERSION,
				   .connections = config->connections > 0 ? config->connections : 1,
				   .http1_first = true,
				   .retries = RETRIES,
				   .retry = is_worth};
	size_t len = strlen(c->endpoint);

	while (len > 0 && c->endpoint[len - 1] == '/')
		c->endpoint[--len] = '\0';
	return http_client_new(&http, &c->http, err);
}

static enum seal_status find_endpoint(struct aws_client *c, const struct aws_config *config,
				      const struct aws_files *files, const char *profile, struct seal_err *err)
{
	char host[AWS_HOST_MAX];
	int len = 0;

	if (config->endpoint != NULL) {
		len = snprintf(c->endpoint, sizeof(c->endpoint), "%s", config->endpoint);
	} else if (!aws_endpoint_configured(files, profile, c->name, c->endpoint, sizeof(c->endpoint))) {
		aws_service_host(c->name, c->region, host, sizeof(host));
		len = snprintf(c->endpoint, sizeof(c->endpoint), "https://%s", host);
	}
	if (len >= (int)sizeof(c->endpoint))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the endpoint of %s is too long", c->name);
	c->service.name = c->name;
	c->service.region = c->region;
	return aws_service_at(c->endpoint, &c->service, err);
}

enum seal_status aws_client_new(const struct aws_config *config, struct aws_client **out, struct seal_err *err)
{
	const char *profile = config->profile != NULL ? config->profile : aws_variable("AWS_PROFILE");
	const uint64_t deadline_ms = clock_mono_ms() + START_MS;
	struct aws_client *c = mem_calloc(1, sizeof(*c));
	struct aws_want want = {.profile = config->profile};
	char bundle[AWS_PATH_MAX];
	struct aws_files files;
	struct seal_bytes text;
	enum seal_status rc;

	*out = NULL;
	memset(&files, 0, sizeof(files));
	if (c == NULL)
		return err_memory(err);
	profile = profile != NULL ? profile : "default";
	snprintf(c->name, sizeof(c->name), "%s", config->service);
	want.ca_file = config->ca_file != NULL ? config->ca_file : aws_variable("AWS_CA_BUNDLE");
	SEAL_TRY(aws_files_read(&files, err));
	text = aws_files_value(&files, AWS_SECTION_PROFILE, profile, "ca_bundle", NULL);
	if (want.ca_file == NULL && text.len > 0 && text.len < sizeof(bundle)) {
		snprintf(bundle, sizeof(bundle), "%.*s", (int)text.len, (const char *)text.ptr);
		want.ca_file = bundle;
	}
	SEAL_TRY(aws_region_find(&files, profile, config->region, deadline_ms, c->region, err));
	SEAL_TRY(find_endpoint(c, config, &files, profile, err));
	SEAL_TRY(open_http(c, config, want.ca_file, err));
	want.region = c->region;
	SEAL_TRY(aws_provider_new(&want, deadline_ms, &c->provider, err));
	*out = c;
	c = NULL;
out:
	aws_files_clear(&files);
	aws_client_free(c);
	return rc;
}

void aws_client_free(struct aws_client *c)
{
	if (c == NULL)
		return;
	aws_provider_free(c->provider);
	http_client_free(c->http);
	mem_free(c);
}

const char *aws_client_region(const struct aws_client *c)
{
	return c->region;
}

const char *aws_client_endpoint(const struct aws_client *c)
{
	return c->endpoint;
}

enum seal_status aws_worker_new(struct aws_client *client, struct aws_worker **out, struct seal_err *err)
{
	struct aws_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	*out = NULL;
	if (w == NULL)
		return err_memory(err);
	w->client = client;
	rc = http_worker_new(client->http, &w->http, err);
	if (rc != SEAL_OK) {
		mem_free(w);
		return rc;
	}
	*out = w;
	return SEAL_OK;
}

void aws_worker_free(struct aws_worker *w)
{
	if (w == NULL)
		return;
	http_worker_free(w->http);
	sigv4_signer_clear(&w->signer);
	mem_free(w);
}

void aws_worker_stop(struct aws_worker *w)
{
	http_worker_stop(w->http);
}

/* "sqs SendMessageBatch": of the target, or of the form's Action. */
static void name_of(const struct aws_client *c, const struct aws_call *call, char *out, size_t room)
{
	static const char action[] = "Action=";
	const char *dot = call->target != NULL ? strrchr(call->target, '.') : NULL;
	struct seal_bytes name = BYTES_EMPTY;
	const uint8_t *end;

	if (call->target != NULL) {
		name = bytes_str(dot != NULL ? dot + 1 : call->target);
	} else if (bytes_starts(call->body, BYTES_LIT("Action="))) {
		name = bytes_skip(call->body, sizeof(action) - 1);
		end = memchr(name.ptr, '&', name.len);
		name.len = end != NULL ? (size_t)(end - name.ptr) : name.len;
	}
	snprintf(out, room, "%s %.*s", c->name, (int)(name.len < OPERATION_MAX ? name.len : OPERATION_MAX),
		 name.len > 0 ? (const char *)name.ptr : "");
}

/* Sends it once, with http's own retries; the answer is in `ex`. Fails for want of memory, or of the exchange's own error. */
static enum seal_status send_once(struct aws_worker *w, const struct aws_call *call, const struct aws_keys *keys,
				  uint64_t deadline_ms, struct http_exchange *ex, struct seal_err *err)
{
	const struct aws_post post = {.content_type = call->content_type, .target = call->target, .body = call->body};
	struct aws_signed headers = {.authorization = BUF_INIT(0)};
	const int64_t now_s = clock_unix_ms() / 1000 + atomic_load(&w->client->skew_s);
	enum seal_status rc;

	SEAL_TRY(aws_sign(&w->signer, &w->client->service, &keys->credentials, &post, now_s, &headers, err));
	ex->method = "POST";
	ex->path = "/";
	ex->headers = headers.headers;
	ex->n_headers = headers.n;
	ex->body = call->body;
	ex->once = call->once;
	ex->reuse =
		true; /* who repeats these calls counts them; a connection for each would cost more than the call */
	SEAL_TRY(http_start(w->http, ex, deadline_ms, err));
	SEAL_INVARIANT(http_next(w->http) == ex);
out:
	aws_signed_clear(&headers);
	return rc;
}

/* True where the server's clock, not the signature, is what was wrong: the skew is set then. */
static bool take_clock(struct aws_client *c, const struct http_exchange *ex, const char *code)
{
	int64_t skew = ex->date_s - clock_unix_ms() / 1000, was = atomic_load(&c->skew_s);

	if (ex->date_s == 0 || !aws_code_of_clock(code) || llabs(skew - was) < SKEW_MIN_S)
		return false;
	atomic_store(&c->skew_s, skew);
	return true;
}

/* What has come, as the caller hears it. */
static enum seal_status conclude(const struct aws_client *c, struct aws_call *call, const struct http_exchange *ex,
				 const struct aws_error *error, struct seal_err *err)
{
	static const struct {
		enum seal_status status;
		enum seal_code code;
	} classes[] = {{SEAL_OK, SEAL_E_NONE},
		       {SEAL_RETRY, SEAL_E_BUSY},
		       {SEAL_RETRY, SEAL_E_SERVICE},
		       {SEAL_DENIED, SEAL_E_DENIED},
		       {SEAL_USAGE, SEAL_E_USAGE}};
	char name[OPERATION_MAX + 40];

	call->status = ex->status;
	call->date_s = ex->date_s;
	if (ex->status == 200)
		return SEAL_OK;
	name_of(c, call, name, sizeof(name));
	if (ex->status == 0) {
		call->failure = ex->err.status == SEAL_RETRY ? AWS_AWAY : AWS_REFUSED;
		if (ex->err.status == SEAL_DENIED)
			call->failure = AWS_DENIED;
		if (err != NULL && err->status == SEAL_OK)
			*err = ex->err;
		err_prefix(err, "%s", name);
		return ex->err.status;
	}
	snprintf(call->code, sizeof(call->code), "%s", error->code);
	call->failure = aws_failure_of(ex->status, error->code);
	return err_set(err, classes[call->failure].status, classes[call->failure].code, "%s at %s: %s%s%s (%u)", name,
		       c->endpoint, error->code[0] != '\0' ? error->code : "refused",
		       error->message[0] != '\0' ? ": " : "", error->message, ex->status);
}

/* Was it refused for a clock or for keys that are better now? New keys are looked for once a call. */
static bool is_curable(struct aws_client *c, const struct http_exchange *ex, const char *code,
		       const struct aws_keys *keys, bool *renewed)
{
	if (take_clock(c, ex, code))
		return true;
	if (*renewed || !aws_code_of_credentials(code))
		return false;
	aws_provider_refuse(c->provider, keys);
	*renewed = true;
	return true;
}

enum seal_status aws_call_run(struct aws_worker *w, struct aws_call *call, uint64_t deadline_ms, struct seal_err *err)
{
	struct http_exchange ex = {.answer = call->answer};
	struct aws_client *c = w->client;
	bool renewed = false, again = true;
	struct aws_error error;
	enum seal_status rc = SEAL_OK;

	call->failure = AWS_NONE;
	call->code[0] = '\0';
	call->status = 0;
	call->date_s = 0;
	for (unsigned tries = 1; again; tries++) {
		struct aws_keys *keys;

		rc = aws_provider_get(c->provider, deadline_ms, &keys, err);
		if (rc != SEAL_OK) {
			call->failure = rc == SEAL_RETRY ? AWS_AWAY : AWS_DENIED;
			break;
		}
		rc = send_once(w, call, keys, deadline_ms, &ex, err);
		memset(&error, 0, sizeof(error));
		if (rc == SEAL_OK && ex.status != 0 && ex.status != 200)
			rc = aws_error_read(buf_bytes(&ex.answer), &error, err);
		again = rc == SEAL_OK && tries < TRIES && is_curable(c, &ex, error.code, keys, &renewed);
		aws_provider_put(c->provider, keys);
		if (rc == SEAL_OK && !again)
			rc = conclude(c, call, &ex, &error, err);
	}
	call->answer = ex.answer;
	return rc;
}

void aws_call_clear(struct aws_call *call)
{
	buf_clear(&call->answer);
}
