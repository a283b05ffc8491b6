/*
 * Tokens by client credentials.
 *
 *   POST /path HTTP/1.1                                 sasl.oauthbearer.token.endpoint.url
 *   Authorization: Basic base64(id ":" secret)          client.id, client.secret, as they are (not form-encoded), as librdkafka
 *                                                       and Java send them
 *   grant_type=client_credentials&scope=…               scope
 *
 *   {"access_token":"…","expires_in":3600}              else exp of the token itself, a JWT
 *
 * A refusal is known by its status: 400, 401 and 403 will not pass by asking again, 404 and redirects mean that the address is
 * wrong, all else is worth another try.
 */
#include "streams/kafka/oauth.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "http/token_answer.h"
#include "json/events.h"
#include "json/scan.h"

#define PREFIX "sasl.oauthbearer."
#define TRY_MS 5000
#define FETCH_MS 9000
#define ANSWER_MAX (256u << 10)
#define SKEW_MS 1000 /* a token that lives no longer is none */

struct oauth {
	struct http_client *client;
	const char *path; /* of the endpoint, from its first slash */
	const char *id, *secret; /* in the config */
	struct seal_buf body;
	struct arena arena; /* of the extensions and `path` */
	const char *extensions[2 * OAUTH_EXTENSIONS_MAX];
	size_t n_extensions;
};

static const char *const own_names[] = {PREFIX "method",
					PREFIX "client.id",
					PREFIX "client.secret",
					PREFIX "client.credentials.client.id",
					PREFIX "client.credentials.client.secret",
					PREFIX "scope",
					PREFIX "extensions",
					PREFIX "token.endpoint.url",
					PREFIX "grant.type",
					"https.ca.location",
					"https.ca.pem"};

bool oauth_is_own(const char *name)
{
	for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++)
		if (strcmp(own_names[i], name) == 0)
			return true;
	return false;
}

bool oauth_mechanism(const struct kafka_config *config, enum kafka_role role)
{
	const char *mechanism = kafka_config_get(config, role, "sasl.mechanism");

	if (mechanism == NULL)
		mechanism = kafka_config_get(config, role, "sasl.mechanisms");
	return mechanism != NULL && strcmp(mechanism, "OAUTHBEARER") == 0;
}

const char *oauth_client_id(const struct oauth *oauth)
{
	return oauth->id;
}

const char **oauth_extensions(struct oauth *oauth, size_t *n)
{
	*n = oauth->n_extensions;
	return oauth->extensions;
}

void oauth_token_clear(struct oauth_token *token)
{
	secret_clear(&token->text);
	token->lifetime_ms = 0;
}

/* ---- settings ---- */

static enum seal_status bad_setting(const char *name, const char *what, struct seal_err *err)
{
	err_place(err, "kafka login");
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s %s", name, what);
}

/* One of two names for the same, the older first. */
static enum seal_status need(const struct kafka_config *config, enum kafka_role role, const char *name,
			     const char *other, const char **out, struct seal_err *err)
{
	*out = kafka_config_get(config, role, name);
	if (*out == NULL && other != NULL)
		*out = kafka_config_get(config, role, other);
	if (*out == NULL || **out == '\0')
		return bad_setting(name, "is needed to log in with OAUTHBEARER and client credentials", err);
	return SEAL_OK;
}

/* https://host:port | /path?query, as http_config.base takes no query. */
static enum seal_status set_endpoint(struct oauth *oauth, const struct kafka_config *config, enum kafka_role role,
				     struct http_config *http, struct seal_err *err)
{
	const char *url, *host;
	size_t len;
	enum seal_status rc;

	SEAL_TRY(need(config, role, PREFIX "token.endpoint.url", NULL, &url, err));
	host = strstr(url, "://");
	host = host != NULL ? host + 3 : url;
	len = (size_t)(host - url) + strcspn(host, "/?#");
	if (strchr(host, '#') != NULL)
		return bad_setting(PREFIX "token.endpoint.url", "holds a \"#\"; leave it out", err);
	http->base = arena_strndup(&oauth->arena, url, len);
	oauth->path = arena_printf(&oauth->arena, "%s%s", url[len] == '/' ? "" : "/", url + len);
	if (http->base == NULL || oauth->path == NULL)
		return err_memory(err);
	if (strncasecmp(url, "http://", 7) != 0)
		goto out;
	/* In clear, on this machine, is not for the environment's proxy, which would be sent all of it. */
	if (http_is_loopback_url(host))
		http->proxy = "";
	else
		log_say(LOG_WARNING, PREFIX "token.endpoint.url is no https address: the client's secret and tokens "
					    "travel in the clear");
out:
	return rc;
}

static bool is_letters(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] | 32) < 'a' || (text.ptr[i] | 32) > 'z')
			return false;
	return text.len > 0;
}

static bool is_visible(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < ' ' || text.ptr[i] > '~')
			return false;
	return true;
}

/* name=value,name=value (RFC 7628, section 3.1): names are letters, "auth" is the token's own. */
static enum seal_status set_extensions(struct oauth *oauth, const char *text, struct seal_err *err)
{
	static const char wrong[] = "must be name=value,name=value, with names of letters other than auth";

	while (text != NULL && *text != '\0') {
		struct seal_bytes item = bytes_of(text, strcspn(text, ",")), name, value;
		const char *at;

		text += item.len + (text[item.len] == ',');
		at = item.len > 0 ? memchr(item.ptr, '=', item.len) : NULL;
		name = bytes_of(item.ptr, at ? (size_t)(at - (const char *)item.ptr) : 0);
		value = bytes_skip(item, name.len + 1);
		if (!is_letters(name) || !is_visible(value) || bytes_eq_str(name, "auth") ||
		    oauth->n_extensions == 2 * OAUTH_EXTENSIONS_MAX)
			return bad_setting(PREFIX "extensions", wrong, err);
		at = arena_strndup(&oauth->arena, (const char *)name.ptr, name.len);
		oauth->extensions[oauth->n_extensions++] = at;
		oauth->extensions[oauth->n_extensions++] =
			arena_strndup(&oauth->arena, (const char *)value.ptr, value.len);
		if (at == NULL || oauth->extensions[oauth->n_extensions - 1] == NULL)
			return err_memory(err);
	}
	return SEAL_OK;
}

static enum seal_status set_body(struct oauth *oauth, const char *scope, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append(&oauth->body, BYTES_LIT("grant_type=client_credentials"), err));
	if (scope != NULL && *scope != '\0')
		SEAL_TRY(http_form_append(&oauth->body, "scope", bytes_str(scope), err));
out:
	return rc;
}

static enum seal_status set_client(struct oauth *oauth, const struct kafka_config *config, enum kafka_role role,
				   struct seal_err *err)
{
	struct http_config http = {.user_agent = "sealstream",
				   .ca_file = kafka_config_get(config, role, "https.ca.location"),
				   .ca_pem = kafka_config_get(config, role, "https.ca.pem"),
				   .connections = 1,
				   .retries = 2,
				   .timeout_ms = TRY_MS,
				   .connect_ms = TRY_MS,
				   .max_response = ANSWER_MAX};
	enum seal_status rc;

	if (http.ca_file != NULL && (http.ca_file[0] == '\0' || strcmp(http.ca_file, "probe") == 0))
		http.ca_file = NULL;
	SEAL_TRY(set_endpoint(oauth, config, role, &http, err));
	rc = http_client_new(&http, &oauth->client, err);
	if (rc != SEAL_OK)
		err_prefix(err, PREFIX "token.endpoint.url");
out:
	return rc;
}

/* Is it librdkafka's own unsecured token, for tests of brokers? */
static bool is_unsecured(const struct kafka_config *config, enum kafka_role role)
{
	const char *text = kafka_config_get(config, role, "enable.sasl.oauthbearer.unsecure.jwt");

	return text != NULL && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

/* Is it a way to get tokens that only librdkafka knows? */
static bool is_other_grant(const struct kafka_config *config, enum kafka_role role)
{
	const char *grant = kafka_config_get(config, role, PREFIX "grant.type");
	const char *metadata = kafka_config_get(config, role, PREFIX "metadata.authentication.type");

	return (grant != NULL && strcasecmp(grant, "client_credentials") != 0) ||
	       (metadata != NULL && strcasecmp(metadata, "none") != 0);
}

/* *ours: tokens are fetched here. */
static enum seal_status check_method(const struct kafka_config *config, enum kafka_role role, bool library_can,
				     bool *ours, struct seal_err *err)
{
	const char *method = kafka_config_get(config, role, PREFIX "method");
	bool fetched = method != NULL && strcasecmp(method, "oidc") == 0;

	*ours = fetched && !is_other_grant(config, role);
	if (fetched && !*ours && !library_can)
		return bad_setting(PREFIX "grant.type",
				   "other than client_credentials needs a librdkafka that is built with libcurl",
				   err);
	if (fetched || is_unsecured(config, role))
		return SEAL_OK;
	return bad_setting(
		"sasl.mechanism=OAUTHBEARER",
		"needs " PREFIX "method=oidc with " PREFIX "token.endpoint.url, client.id and client.secret", err);
}

enum seal_status oauth_new(const struct kafka_config *config, enum kafka_role role, bool library_can,
			   struct oauth **out, struct seal_err *err)
{
	struct oauth *oauth = NULL;
	bool ours = false;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (oauth_mechanism(config, role))
		SEAL_TRY(check_method(config, role, library_can, &ours, err));
	if (!ours)
		goto out;
	oauth = mem_calloc(1, sizeof(*oauth));
	if (oauth == NULL)
		return err_memory(err);
	arena_init(&oauth->arena, 0);
	oauth->body = (struct seal_buf)BUF_INIT(ANSWER_MAX);
	SEAL_TRY(need(config, role, PREFIX "client.id", PREFIX "client.credentials.client.id", &oauth->id, err));
	SEAL_TRY(need(config, role, PREFIX "client.secret", PREFIX "client.credentials.client.secret", &oauth->secret,
		      err));
	SEAL_TRY(set_extensions(oauth, kafka_config_get(config, role, PREFIX "extensions"), err));
	SEAL_TRY(set_body(oauth, kafka_config_get(config, role, PREFIX "scope"), err));
	SEAL_TRY(set_client(oauth, config, role, err));
	*out = oauth;
	oauth = NULL;
out:
	oauth_free(oauth);
	return rc;
}

void oauth_free(struct oauth *oauth)
{
	if (oauth == NULL)
		return;
	http_client_free(oauth->client);
	buf_clear(&oauth->body);
	arena_clear(&oauth->arena);
	mem_free(oauth);
}

/* ---- the answer ---- */

/* The raw text of a member of the outermost object (a string's without quotes); ptr NULL: not there, or not of that type. */
static struct seal_bytes member(struct seal_bytes doc, const char *name, enum json_type type)
{
	struct json_events events;
	struct seal_bytes found = BYTES_EMPTY;
	enum json_event event;
	bool here = false;

	json_events_init(&events, doc);
	while ((event = json_events_next(&events)) != JSON_EVENT_END) {
		if (event == JSON_EVENT_VALUE && here && events.type == type && !events.escaped)
			found = json_events_text(&events);
		here = event == JSON_EVENT_NAME && events.depth == 1 && bytes_eq_str(json_events_text(&events), name);
	}
	return found;
}

/* A number of seconds, also as a string, also with decimals. */
static bool seconds(struct seal_bytes doc, const char *name, uint64_t *out)
{
	struct seal_bytes text = member(doc, name, JSON_NUMBER);
	const uint8_t *dot;

	if (text.ptr == NULL)
		text = member(doc, name, JSON_STRING);
	dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
	if (dot != NULL)
		text.len = (size_t)(dot - text.ptr);
	return bytes_to_u64(text, INT64_MAX / 1000, out);
}

static bool is_json(struct seal_bytes text)
{
	return json_is_value(text, true);
}

/* The claims of a JWT: header.payload.signature, base64url each. Empty: it is none. */
static enum seal_status jwt_claims(struct seal_bytes token, struct secret *out, size_t *len, struct seal_err *err)
{
	const uint8_t *first = memchr(token.ptr, '.', token.len), *second;
	struct seal_bytes part;
	enum seal_status rc;

	*len = 0;
	if (first == NULL)
		return SEAL_OK;
	part = bytes_skip(token, (size_t)(first - token.ptr) + 1);
	second = part.len > 0 ? memchr(part.ptr, '.', part.len) : NULL;
	if (second == NULL || second == part.ptr)
		return SEAL_OK;
	part.len = (size_t)(second - part.ptr);
	SEAL_TRY(secret_alloc(out, BASE64_RAW_MAX(part.len), err));
	if (!base64url_decode(part, out->ptr, len) || !is_json(bytes_of(out->ptr, *len)))
		*len = 0;
out:
	return rc;
}

static enum seal_status no_token(const char *why, struct seal_err *err)
{
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the token server's answer %s", why);
}

/* By expires_in, else by the token's own exp. */
static enum seal_status lifetime(struct seal_bytes answer, struct seal_bytes text, int64_t now_s, uint64_t *lives_s,
				 struct seal_err *err)
{
	struct secret claims = SECRET_INIT;
	uint64_t end_s = 0;
	size_t len;
	enum seal_status rc = SEAL_OK;

	if (seconds(answer, "expires_in", lives_s))
		return SEAL_OK;
	SEAL_TRY(jwt_claims(text, &claims, &len, err));
	if (len == 0 || !seconds(bytes_of(claims.ptr, len), "exp", &end_s))
		rc = no_token("tells neither expires_in nor, in a JWT, exp; have the server say it", err);
	*lives_s = end_s > (uint64_t)now_s ? end_s - (uint64_t)now_s : 0;
out:
	secret_clear(&claims);
	return rc;
}

enum seal_status oauth_answer_read(struct seal_bytes answer, int64_t now_s, struct oauth_token *token,
				   struct seal_err *err)
{
	struct seal_bytes text;
	uint64_t lives_s = 0;
	enum seal_status rc;

	if (answer.len == 0 || !is_json(answer))
		return no_token("is not JSON; check " PREFIX "token.endpoint.url", err);
	text = member(answer, "access_token", JSON_STRING);
	if (!bytes_is_bearer(text, OAUTH_TOKEN_MAX))
		return no_token("holds no access_token; check " PREFIX "token.endpoint.url", err);
	SEAL_TRY(lifetime(answer, text, now_s, &lives_s, err));
	if (lives_s > OAUTH_LIFETIME_MAX_S)
		lives_s = OAUTH_LIFETIME_MAX_S;
	if (lives_s * 1000 <= SKEW_MS)
		return no_token("is a token that has run out already; check the clocks", err);
	SEAL_TRY(secret_alloc(&token->text, text.len + 1, err));
	memcpy(token->text.ptr, text.ptr, text.len);
	token->lifetime_ms = lives_s * 1000;
out:
	return rc;
}

/* ---- the request ---- */

/* "Basic …", NUL-terminated. */
static enum seal_status make_header(const struct oauth *oauth, struct secret *out, struct seal_err *err)
{
	size_t id_len = strlen(oauth->id), secret_len = strlen(oauth->secret), len = id_len + 1 + secret_len;
	struct secret pair = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(secret_alloc(&pair, len, err));
	memcpy(pair.ptr, oauth->id, id_len);
	pair.ptr[id_len] = ':';
	memcpy(pair.ptr + id_len + 1, oauth->secret, secret_len);
	SEAL_TRY(secret_alloc(out, sizeof("Basic ") + BASE64_LEN(len), err));
	memcpy(out->ptr, "Basic ", 6);
	base64_encode(secret_bytes(&pair), (char *)out->ptr + 6);
out:
	secret_clear(&pair);
	return rc;
}

static enum seal_status refused(const struct http_exchange *ex, struct seal_err *err)
{
	const char *code = token_answer_error(buf_bytes(&ex->answer)), *gap = *code ? " " : "";

	if (strcmp(code, "invalid_scope") == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the token server refuses with status %u%s%s; check " PREFIX "scope", ex->status, gap,
			       code);
	if (ex->status == 400 || ex->status == 401 || ex->status == 403)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "the token server refuses with status %u%s%s; check " PREFIX
			       "client.id and client.secret",
			       ex->status, gap, code);
	if ((ex->status >= 300 && ex->status < 400) || ex->status == 404 || ex->status == 405 || ex->status == 410)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the token server answers with status %u; check " PREFIX "token.endpoint.url",
			       ex->status);
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the token server answers with status %u", ex->status);
}

enum seal_status oauth_fetch(struct oauth *oauth, struct oauth_token *token, struct seal_err *err)
{
	struct secret authorization = SECRET_INIT;
	struct http_header headers[] = {{"Authorization", NULL},
					{"Content-Type", "application/x-www-form-urlencoded"},
					{"Accept", "application/json"}};
	struct http_exchange ex = {.method = "POST",
				   .path = oauth->path,
				   .headers = headers,
				   .n_headers = sizeof(headers) / sizeof(headers[0]),
				   .body = buf_bytes(&oauth->body)};
	struct seal_err own = SEAL_ERR_INIT;
	int64_t now_s = clock_unix_ms() / 1000;
	enum seal_status rc;

	oauth_token_clear(token);
	SEAL_TRY(make_header(oauth, &authorization, &own));
	headers[0].value = (const char *)authorization.ptr;
	SEAL_TRY(http_ask(oauth->client, &ex, clock_mono_ms() + FETCH_MS, &own));
	if (ex.status != 200) {
		rc = refused(&ex, &own);
		goto out;
	}
	SEAL_TRY(oauth_answer_read(buf_bytes(&ex.answer), now_s, token, &own));
out:
	http_exchange_clear(&ex);
	secret_clear(&authorization);
	if (rc != SEAL_OK) {
		err_place(err, "kafka login");
		return err_set(err, rc, own.code, "no OAUTHBEARER token: %s", own.text);
	}
	return rc;
}
