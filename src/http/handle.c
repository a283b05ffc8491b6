/*
 * libcurl's handles: what each one may do and, above all, what it may not: no redirects, cookies, .netrc, other protocols,
 * unverified or old TLS. Custom headers go to the server alone, never to a proxy that only opens a tunnel.
 */
#include "http/worker.h"

#include <strings.h>

#define URL_MAX (64u << 10)
#define HEADER_MAX (128u << 10) /* a large JWT in a token's header fits */
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_INTERVAL_S 10L
/* Below the idle limits of common servers and balancers (60 s and more), so that requests seldom meet a closing door. */
#define IDLE_MAX_S 50L
#define CA_CACHE_S 300L
#define RECEIVE_BYTES (64L << 10)
#define BODY_AT_ONCE (16 << 20)

struct setup {
	CURL *easy;
	CURLcode code; /* the first failure */
};

static void set_long(struct setup *s, CURLoption option, long value)
{
	if (s->code == CURLE_OK)
		s->code = curl_easy_setopt(s->easy, option, value);
}

static void set_ptr(struct setup *s, CURLoption option, const void *value)
{
	if (s->code == CURLE_OK)
		s->code = curl_easy_setopt(s->easy, option, value);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct flight *flight = arg;
	struct seal_buf *answer = &flight->exchange->answer;
	struct seal_err err = SEAL_ERR_INIT;
	curl_off_t expected = -1;

	(void)size;
	if (answer->len == 0)
		(void)curl_easy_getinfo(flight->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
	if (expected > 0 && (uint64_t)expected > answer->max) {
		flight->stop = STOP_BODY;
		return 0;
	}
	/* All of it at once, if it is not much to promise: growing copies, and wipes what it leaves. */
	if (expected > 0 && expected <= BODY_AT_ONCE && buf_reserve(answer, (size_t)expected, &err) != SEAL_OK) {
		flight->stop = STOP_MEMORY;
		return 0;
	}
	if (buf_append(answer, bytes_of(data, count), &err) != SEAL_OK) {
		flight->stop = err.code == SEAL_E_LIMIT ? STOP_BODY : STOP_MEMORY;
		return 0;
	}
	return count;
}

/* Line by line. Each block, interim answers (1xx) included, begins with a status line and ends with an empty one. */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct flight *flight = arg;
	struct seal_bytes line = bytes_of(data, count);

	(void)size;
	flight->header_bytes += count;
	if (flight->header_bytes > HTTP_HEADERS_MAX) {
		flight->stop = STOP_HEADERS;
		return 0;
	}
	if (bytes_starts(line, BYTES_LIT("HTTP/")))
		flight->headers_done = false;
	else if (bytes_eq_str(line, "\r\n") || bytes_eq_str(line, "\n"))
		flight->headers_done = true;
	return count;
}

/* A connection is there. libcurl sends again by itself what a kept-alive one took to its grave: not what must not be repeated. */
static int on_connection(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct flight *flight = arg;
	bool again = flight->sent && flight->exchange->once;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	flight->sent = true;
	return again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void limits(struct setup *s)
{
	set_long(s, CURLOPT_NOSIGNAL, 1);
	set_long(s, CURLOPT_QUICK_EXIT, 1); /* a name server that doesn't answer must not hold up the deadline */
	set_long(s, CURLOPT_FOLLOWLOCATION, 0);
	set_long(s, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	set_ptr(s, CURLOPT_PROTOCOLS_STR, "http,https");
	set_ptr(s, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	set_long(s, CURLOPT_PATH_AS_IS, 1);
	set_long(s, CURLOPT_HEADEROPT, CURLHEADER_SEPARATE);
	set_long(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_long(s, CURLOPT_TCP_NODELAY, 1);
	set_long(s, CURLOPT_TCP_KEEPALIVE, 1);
	set_long(s, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_long(s, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_long(s, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
	set_long(s, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
}

/* Whom to trust, for the server and for a proxy that speaks TLS. */
static void trust(struct setup *s, const struct http_client *client)
{
	struct curl_blob blob = {client->ca.ptr, client->ca.len, CURL_BLOB_NOCOPY};
	bool own = client->ca.len > 0 || client->ca_file != NULL;

	set_long(s, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_long(s, CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_long(s, CURLOPT_SSL_VERIFYPEER, client->insecure ? 0 : 1);
	set_long(s, CURLOPT_SSL_VERIFYHOST, client->insecure ? 0 : 2);
	set_long(s, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	if (!own || client->insecure)
		return;
	set_ptr(s, CURLOPT_CAPATH, NULL); /* else the system's count, too */
	set_ptr(s, CURLOPT_PROXY_CAPATH, NULL);
	set_ptr(s, CURLOPT_CAINFO, client->ca.len > 0 ? NULL : client->ca_file);
	set_ptr(s, CURLOPT_PROXY_CAINFO, client->ca.len > 0 ? NULL : client->ca_file);
	if (client->ca.len > 0) {
		set_ptr(s, CURLOPT_CAINFO_BLOB, &blob);
		set_ptr(s, CURLOPT_PROXY_CAINFO_BLOB, &blob);
	}
}

CURL *handle_new(const struct http_client *client)
{
	struct setup s = {curl_easy_init(), CURLE_OK};

	if (s.easy == NULL)
		return NULL;
	limits(&s);
	trust(&s, client);
	set_ptr(&s, CURLOPT_WRITEFUNCTION, (const void *)on_body);
	set_ptr(&s, CURLOPT_HEADERFUNCTION, (const void *)on_header);
	set_ptr(&s, CURLOPT_PREREQFUNCTION, (const void *)on_connection);
	if (client->client_cert != NULL) {
		set_ptr(&s, CURLOPT_SSLCERT, client->client_cert);
		set_ptr(&s, CURLOPT_SSLKEY, client->client_key);
		set_ptr(&s, CURLOPT_KEYPASSWD, ""); /* else OpenSSL would ask for one on the terminal, and wait */
	}
	if (client->connect_to != NULL)
		set_ptr(&s, CURLOPT_CONNECT_TO, client->connect_to);
	if (client->unix_socket != NULL)
		set_ptr(&s, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
	if (client->proxy != NULL)
		set_ptr(&s, CURLOPT_PROXY, client->proxy);
	if (client->no_proxy != NULL)
		set_ptr(&s, CURLOPT_NOPROXY, client->no_proxy);
	if (client->user_agent != NULL)
		set_ptr(&s, CURLOPT_USERAGENT, client->user_agent);
	if (s.code != CURLE_OK) {
		curl_easy_cleanup(s.easy);
		return NULL;
	}
	return s.easy;
}

static bool is_token(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

	return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

/* A line end in a value would be another header. */
static bool is_value(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

static bool is_path(const char *text)
{
	if (text == NULL || text[0] != '/')
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '#')
			return false;
	return true;
}

static enum seal_status add_line(struct flight *flight, const char *line, struct seal_err *err)
{
	struct curl_slist *grown = curl_slist_append(flight->headers, line);

	if (grown == NULL)
		return err_memory(err);
	flight->headers = grown;
	return SEAL_OK;
}

/* libcurl wants "Name;" for an empty value: "Name:" would leave the header out. */
static enum seal_status add_header(struct flight *flight, const struct http_header *header, struct seal_err *err)
{
	struct seal_buf line = BUF_INIT(HEADER_MAX);
	enum seal_status rc;

	if (!is_token(header->name) || !is_value(header->value))
		return error_set(flight, SEAL_USAGE, SEAL_E_USAGE, err,
				 "the header %.40s holds what no header may hold",
				 is_token(header->name) ? header->name : "");
	SEAL_TRY(buf_append_str(&line, header->name, err));
	SEAL_TRY(buf_append_str(&line, header->value[0] == '\0' ? ";" : ": ", err));
	SEAL_TRY(buf_append_str(&line, header->value, err));
	SEAL_TRY(buf_append_u8(&line, 0, err));
	SEAL_TRY(add_line(flight, (const char *)line.ptr, err));
out:
	buf_clear(&line);
	return rc;
}

static bool has_header(const struct http_exchange *ex, const char *name)
{
	for (size_t i = 0; i < ex->n_headers; i++)
		if (strcasecmp(ex->headers[i].name, name) == 0)
			return true;
	return false;
}

enum seal_status handle_request(struct flight *flight, struct seal_err *err)
{
	const struct http_client *client = flight->worker->client;
	const struct http_exchange *ex = flight->exchange;
	enum seal_status rc;

	if (!is_token(ex->method) || !is_path(ex->path))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "%.12s %s: the path must begin with \"/\" and be percent-encoded",
			       is_token(ex->method) ? ex->method : "request", client->name);
	flight->url.max = URL_MAX;
	SEAL_TRY(buf_append_str(&flight->url, client->base, err));
	SEAL_TRY(buf_append_str(&flight->url, ex->path, err));
	SEAL_TRY(buf_append_u8(&flight->url, 0, err));
	SEAL_TRY(add_line(flight, "Expect:", err)); /* no waiting for 100 Continue */
	if (client->host != NULL)
		SEAL_TRY(add_line(flight, client->host, err));
	if (!has_header(ex, "Content-Type")) /* libcurl's own would say that the body is a form */
		SEAL_TRY(add_line(flight, "Content-Type:", err));
	for (size_t i = 0; i < ex->n_headers; i++)
		SEAL_TRY(add_header(flight, &ex->headers[i], err));
out:
	if (rc == SEAL_DATA) { /* a buffer's limit */
		err_clear(err);
		rc = error_set(flight, SEAL_USAGE, SEAL_E_LIMIT, err, "the path, or a header, is too long");
	}
	return rc;
}

/* The method as libcurl knows it: with a body (POST), without (GET); the request line has the name itself. */
static void set_method(struct setup *s, const struct http_exchange *ex)
{
	bool body = ex->body.ptr != NULL || strcmp(ex->method, "POST") == 0 || strcmp(ex->method, "PUT") == 0;

	if (body) {
		set_long(s, CURLOPT_POST, 1);
		set_ptr(s, CURLOPT_POSTFIELDS, ex->body.ptr != NULL ? (const void *)ex->body.ptr : "");
		if (s->code == CURLE_OK)
			s->code = curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ex->body.len);
	} else {
		set_long(s, CURLOPT_HTTPGET, 1);
	}
	set_ptr(s, CURLOPT_CUSTOMREQUEST, ex->method);
}

bool handle_aim(struct flight *flight)
{
	const struct http_client *client = flight->worker->client;
	struct setup s = {flight->easy, CURLE_OK};
	uint64_t connect_ms = client->connect_ms < flight->limit_ms ? client->connect_ms : flight->limit_ms;

	flight->sent = false;
	flight->header_bytes = 0;
	flight->headers_done = false;
	flight->stop = STOP_NONE;
	flight->reason[0] = '\0';
	set_ptr(&s, CURLOPT_URL, flight->url.ptr);
	set_ptr(&s, CURLOPT_HTTPHEADER, flight->headers);
	set_method(&s, flight->exchange);
	set_ptr(&s, CURLOPT_WRITEDATA, flight);
	set_ptr(&s, CURLOPT_HEADERDATA, flight);
	set_ptr(&s, CURLOPT_PREREQDATA, flight);
	set_ptr(&s, CURLOPT_PRIVATE, flight);
	set_ptr(&s, CURLOPT_ERRORBUFFER, flight->reason);
	set_long(&s, CURLOPT_HTTP_VERSION,
		 client->http1_first && !atomic_load(&client->http2) ? CURL_HTTP_VERSION_1_1
								     : CURL_HTTP_VERSION_2TLS);
	set_long(&s, CURLOPT_TIMEOUT_MS, (long)flight->limit_ms);
	set_long(&s, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	set_long(&s, CURLOPT_FRESH_CONNECT, flight->fresh || (flight->exchange->once && !flight->exchange->reuse));
	return s.code == CURLE_OK;
}

void handle_release(CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
}
