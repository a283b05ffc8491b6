/*
 * Where tokens come from:
 *
 *   a service account    signed here (jwt.c), nobody is asked
 *   a user               POST token_uri   grant_type=refresh_token&client_id=…&client_secret=…&refresh_token=…   (RFC 6749, section 6)
 *   metadata             GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
 *                        Metadata-Flavor: Google
 *
 * The metadata server is on this machine's own link, so no proxy is asked; GCE_METADATA_HOST names another.
 */
#include "google/fetch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "google/jwt.h"
#include "http/http.h"
#include "http/token_answer.h"

#define TRY_MS 5000
#define METADATA_TRY_MS 3000
#define METADATA_FIND_MS 6000
#define BODY_MAX (256u << 10)
#define METADATA_HOST "metadata.google.internal"
#define METADATA "/computeMetadata/v1"

struct google_fetch {
	const struct google_credentials *credentials;
	const char *audience, *scope;
	struct http_client *client; /* NULL: nobody is asked */
	struct arena arena;
	const char *path;
};

/* ---- asking ---- */

static enum seal_status refused(const struct google_fetch *f, const struct http_exchange *ex, struct seal_err *err)
{
	const char *code = token_answer_error(buf_bytes(&ex->answer)), *gap = *code != '\0' ? " " : "";
	const char *remedy = f->credentials->kind == CREDENTIALS_METADATA
				     ? "give this machine a service account that may use the service"
				     : "log in again with `gcloud auth application-default login`";

	if (ex->status == 429 || ex->status >= 500)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "no token by %s: it answers with status %u",
			       f->credentials->source, ex->status);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "no token by %s: refused with status %u%s%s; %s",
		       f->credentials->source, ex->status, gap, code, remedy);
}

static enum seal_status ask_token(struct google_fetch *f, struct http_exchange *ex, uint64_t deadline_ms,
				  struct secret *header, uint64_t *lifetime_s, struct seal_err *err)
{
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc = http_ask(f->client, ex, deadline_ms, &own);

	if (rc == SEAL_OK && ex->status != 200)
		return refused(f, ex, err);
	if (rc == SEAL_OK)
		rc = token_answer_read(buf_bytes(&ex->answer), header, lifetime_s, &own);
	if (rc != SEAL_OK)
		err_set(err, rc, own.code, "no token by %s: %s", f->credentials->source, own.text);
	return rc;
}

static enum seal_status by_metadata(struct google_fetch *f, uint64_t deadline_ms, struct secret *header,
				    uint64_t *lifetime_s, struct seal_err *err)
{
	static const struct http_header flavor = {"Metadata-Flavor", "Google"};
	struct http_exchange ex = {.method = "GET", .path = f->path, .headers = &flavor, .n_headers = 1};
	enum seal_status rc = ask_token(f, &ex, deadline_ms, header, lifetime_s, err);

	http_exchange_clear(&ex);
	return rc;
}

static struct seal_bytes text_of(const struct secret *secret)
{
	return bytes_str((const char *)secret->ptr);
}

static enum seal_status by_refresh_token(struct google_fetch *f, uint64_t deadline_ms, struct secret *header,
					 uint64_t *lifetime_s, struct seal_err *err)
{
	static const struct http_header type = {"Content-Type", "application/x-www-form-urlencoded"};
	struct http_exchange ex = {.method = "POST", .path = f->path, .headers = &type, .n_headers = 1};
	struct seal_buf body = BUF_INIT(BODY_MAX);
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&body, "grant_type=refresh_token", err));
	SEAL_TRY(http_form_append(&body, "client_id", bytes_str(f->credentials->client_id), err));
	SEAL_TRY(http_form_append(&body, "client_secret", text_of(&f->credentials->client_secret), err));
	SEAL_TRY(http_form_append(&body, "refresh_token", text_of(&f->credentials->refresh_token), err));
	ex.body = buf_bytes(&body);
	SEAL_TRY(ask_token(f, &ex, deadline_ms, header, lifetime_s, err));
out:
	buf_clear(&body);
	http_exchange_clear(&ex);
	return rc;
}

static enum seal_status by_signature(struct google_fetch *f, struct secret *header, uint64_t *lifetime_s,
				     struct seal_err *err)
{
	*lifetime_s = JWT_LIFETIME_S - JWT_BACKDATE_S;
	return jwt_make(f->credentials, f->audience, f->scope, clock_unix_ms() / 1000, header, err);
}

enum seal_status google_fetch_token(void *arg, uint64_t deadline_ms, struct secret *header, uint64_t *lifetime_s,
				    struct seal_err *err)
{
	struct google_fetch *f = arg;

	if (f->credentials->kind == CREDENTIALS_SERVICE_ACCOUNT)
		return by_signature(f, header, lifetime_s, err);
	if (f->credentials->kind == CREDENTIALS_USER)
		return by_refresh_token(f, deadline_ms, header, lifetime_s, err);
	SEAL_INVARIANT(f->credentials->kind == CREDENTIALS_METADATA);
	return by_metadata(f, deadline_ms, header, lifetime_s, err);
}

/* ---- whom to ask ---- */

static enum seal_status metadata_client(unsigned retries, struct http_client **out, const char **host,
					struct seal_err *err)
{
	struct http_config http = {.proxy = "",
				   .user_agent = "sealstream",
				   .connections = 1,
				   .retries = retries,
				   .timeout_ms = METADATA_TRY_MS,
				   .connect_ms = METADATA_TRY_MS,
				   .http1_first = true,
				   .max_response = BODY_MAX};
	struct seal_buf base = BUF_INIT(1024);
	enum seal_status rc;

	*host = getenv("GCE_METADATA_HOST");
	if (*host == NULL || **host == '\0')
		*host = METADATA_HOST;
	SEAL_TRY(buf_printf(&base, err, "http://%s", *host));
	SEAL_TRY(buf_append_u8(&base, '\0', err));
	http.base = (const char *)base.ptr;
	rc = http_client_new(&http, out, err);
	if (rc != SEAL_OK)
		err_prefix(err, "GCE_METADATA_HOST");
out:
	buf_clear(&base);
	return rc;
}

static enum seal_status set_metadata(struct google_fetch *f, struct seal_err *err)
{
	struct seal_buf path = BUF_INIT(1024);
	const char *host;
	enum seal_status rc;

	SEAL_TRY(metadata_client(3, &f->client, &host, err));
	SEAL_TRY(buf_append_str(&path, METADATA "/instance/service-accounts/default/token", err));
	if (f->scope != NULL) {
		SEAL_TRY(buf_append_str(&path, "?scopes=", err));
		SEAL_TRY(http_path_append(&path, bytes_str(f->scope), err));
	}
	f->path = arena_strndup(&f->arena, (const char *)path.ptr, path.len);
	if (f->path == NULL)
		rc = err_memory(err);
out:
	buf_clear(&path);
	return rc;
}

/* https://host:port | /path */
static enum seal_status set_token_uri(struct google_fetch *f, const char *ca_file, struct seal_err *err)
{
	const char *uri = f->credentials->token_uri, *host = strstr(uri, "://"), *path;
	struct http_config http = {.user_agent = "sealstream",
				   .ca_file = ca_file,
				   .connections = 1,
				   .retries = 3,
				   .timeout_ms = TRY_MS,
				   .connect_ms = TRY_MS,
				   .max_response = BODY_MAX};
	enum seal_status rc;

	host = host != NULL ? host + 3 : uri;
	path = host + strcspn(host, "/?#");
	if (strncmp(uri, "https://", 8) != 0 && (strncmp(uri, "http://", 7) != 0 || !http_is_loopback_url(host)))
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"%s: its \"token_uri\" is no https address, so the refresh token would travel in the clear",
			f->credentials->source);
	if (strchr(path, '#') != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: its \"token_uri\" holds a \"#\"; leave it out",
			       f->credentials->source);
	if (uri[4] == ':')
		http.proxy = "";
	http.base = arena_strndup(&f->arena, uri, (size_t)(path - uri));
	f->path = arena_printf(&f->arena, "%s%s", *path == '/' ? "" : "/", path);
	if (http.base == NULL || f->path == NULL)
		return err_memory(err);
	rc = http_client_new(&http, &f->client, err);
	if (rc == SEAL_USAGE)
		err_prefix(err, "%s: \"token_uri\"", f->credentials->source);
	return rc;
}

enum seal_status google_fetch_new(const struct google_credentials *credentials, const char *audience,
				  const char *scope, const char *ca_file, struct google_fetch **out,
				  struct seal_err *err)
{
	struct google_fetch *f = mem_calloc(1, sizeof(*f));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (f == NULL)
		return err_memory(err);
	arena_init(&f->arena, 0);
	f->credentials = credentials;
	f->audience = audience;
	f->scope = scope;
	if (credentials->kind == CREDENTIALS_METADATA)
		SEAL_TRY(set_metadata(f, err));
	else if (credentials->kind == CREDENTIALS_USER)
		SEAL_TRY(set_token_uri(f, ca_file, err));
	*out = f;
	f = NULL;
out:
	google_fetch_free(f);
	return rc;
}

void google_fetch_free(struct google_fetch *f)
{
	if (f == NULL)
		return;
	http_client_free(f->client);
	arena_clear(&f->arena);
	mem_free(f);
}

/* ---- is there one? ---- */

/* 6 to 30 small letters, digits and '-'; "example.com:project" is an old form. */
static bool is_project(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (memchr("abcdefghijklmnopqrstuvwxyz0123456789-.:", text.ptr[i], 39) == NULL)
			return false;
	return text.len > 0 && text.len <= 100;
}

static enum seal_status found(struct google_credentials *c, const char *host, const struct http_exchange *ex,
			      struct seal_err *err)
{
	const struct seal_bytes project = ex->status == 200 ? buf_bytes(&ex->answer) : BYTES_EMPTY;

	if (ex->status != 200 && ex->status != 404)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the metadata server %s answers with status %u", host,
			       ex->status);
	c->kind = CREDENTIALS_METADATA;
	c->source = arena_printf(&c->arena, "the metadata server %s", host);
	if (is_project(project)) {
		c->project = arena_strndup(&c->arena, (const char *)project.ptr, project.len);
		if (c->project == NULL)
			return err_memory(err);
	}
	return c->source != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status google_metadata_find(struct google_credentials *c, struct seal_err *err)
{
	static const struct http_header flavor = {"Metadata-Flavor", "Google"};
	struct http_exchange ex = {
		.method = "GET", .path = METADATA "/project/project-id", .headers = &flavor, .n_headers = 1};
	struct http_client *client = NULL;
	struct seal_err own = SEAL_ERR_INIT;
	const char *host;
	enum seal_status rc;

	SEAL_TRY(metadata_client(1, &client, &host, err));
	rc = http_ask(client, &ex, clock_mono_ms() + METADATA_FIND_MS, &own);
	if (rc == SEAL_OK)
		rc = found(c, host, &ex, err);
	else if (own.code == SEAL_E_MEMORY)
		rc = err_memory(err);
	else
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the metadata server %s does not answer (%s)", host,
			     own.text);
out:
	http_exchange_clear(&ex);
	http_client_free(client);
	return rc;
}
