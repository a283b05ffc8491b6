/*
 * The client: checks the configuration once, so that what a user got wrong is said at start.
 *
 * A certificate is verified for the name that is in the URL. Where that shall not be the host (`server_name`), the URL gets
 * the other name, CURLOPT_CONNECT_TO leads it to the host, and the Host header is set by hand:
 *
 *	base https://10.1.2.3:8200, server_name vault.example
 *	     URL https://vault.example:8200/…   connects to 10.1.2.3:8200   Host: 10.1.2.3:8200
 */
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/memory.h"
#include "http/retry.h"

#define CONNECTIONS_DEFAULT 4u
#define CONNECTIONS_MAX 64u
#define BREAKER_FAILURES_DEFAULT 5u
#define TIMEOUT_MS_DEFAULT 60000u
#define CONNECT_MS_DEFAULT 10000u
#define TIMEOUT_MS_MAX (24u * 3600 * 1000) /* libcurl counts in 32 bits on some systems */

/* The parts of `base`, from curl_url. */
struct address {
	CURLU *url;
	char *scheme, *host, *port, *path;
	char *explicit_port; /* NULL: the scheme's own */
};

static enum seal_status copy(struct http_client *client, const char *from, const char **to, struct seal_err *err)
{
	if (from == NULL)
		return SEAL_OK;
	*to = arena_strndup(&client->arena, from, strlen(from));
	return *to == NULL ? err_memory(err) : SEAL_OK;
}

static void address_clear(struct address *a)
{
	curl_free(a->scheme);
	curl_free(a->host);
	curl_free(a->port);
	curl_free(a->explicit_port);
	curl_free(a->path);
	curl_url_cleanup(a->url);
}

/* True when the URL has that part; the part may hold a password, so it is not kept. */
static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static enum seal_status part(CURLU *url, CURLUPart which, unsigned flags, char **out, struct seal_err *err)
{
	CURLUcode code = curl_url_get(url, which, out, flags);

	if (code == CURLUE_OUT_OF_MEMORY)
		return err_memory(err);
	if (code != CURLUE_OK && code != CURLUE_NO_PORT)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the server's address: %s; give it as https://host:port", curl_url_strerror(code));
	return SEAL_OK;
}

/* Nothing of a text that does not parse is shown: what is wrong with it may be a password in it. */
static enum seal_status address_parse(struct address *a, const char *base, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	CURLUcode code;

	a->url = curl_url();
	if (a->url == NULL)
		return err_memory(err);
	code = curl_url_set(a->url, CURLUPART_URL, base, 0);
	if (code == CURLUE_OUT_OF_MEMORY)
		return err_memory(err);
	if (code != CURLUE_OK)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the server's address: %s; give it as https://host:port", curl_url_strerror(code));
	if (has_part(a->url, CURLUPART_USER) || has_part(a->url, CURLUPART_PASSWORD))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the server's address holds a user or password; leave it out");
	if (has_part(a->url, CURLUPART_QUERY) || has_part(a->url, CURLUPART_FRAGMENT))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the server's address holds a \"?\" or \"#\"; leave it out");
	SEAL_TRY(part(a->url, CURLUPART_SCHEME, 0, &a->scheme, err));
	SEAL_TRY(part(a->url, CURLUPART_HOST, 0, &a->host, err));
	SEAL_TRY(part(a->url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &a->port, err));
	SEAL_TRY(part(a->url, CURLUPART_PORT, 0, &a->explicit_port, err));
	SEAL_TRY(part(a->url, CURLUPART_PATH, 0, &a->path, err));
	if (strcmp(a->scheme, "http") != 0 && strcmp(a->scheme, "https") != 0)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "the server's address begins with %.20s://; give https://host:port", a->scheme);
out:
	return rc;
}

/* Host names and addresses; a name goes into a URL, so nothing else may be in it. */
static bool is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return text[0] != '\0' && strlen(text) < 254 && text[strspn(text, allowed)] == '\0';
}

/* The name in the URL differs from the host. */
static enum seal_status set_server_name(struct http_client *client, const struct address *a, const char *server_name,
					struct seal_err *err)
{
	const char *list = getenv("no_proxy"), *colon = a->explicit_port == NULL ? "" : ":";
	const char *port = a->explicit_port == NULL ? "" : a->explicit_port;
	char *to;

	if (!is_name(server_name))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the server name for TLS is not a host name");
	client->base = arena_printf(&client->arena, "%s://%s:%s%s", a->scheme, server_name, a->port, a->path);
	client->host = arena_printf(&client->arena, "Host: %s%s%s", a->host, colon, port);
	to = arena_printf(&client->arena, "%s:%s:%s:%s", server_name, a->port, a->host, a->port);
	if (client->base == NULL || client->host == NULL || to == NULL)
		return err_memory(err);
	client->connect_to = curl_slist_append(NULL, to);
	if (client->connect_to == NULL)
		return err_memory(err);
	if (client->proxy == NULL) {
		client->no_proxy = "";
		if (no_proxy_names(list != NULL ? list : getenv("NO_PROXY"), bytes_str(a->host)))
			client->proxy = "";
	}
	return SEAL_OK;
}

static enum seal_status set_address(struct http_client *client, const struct http_config *config,
				    struct seal_err *err)
{
	struct address a = {0};
	enum seal_status rc;
	size_t len;
	char *base;

	SEAL_TRY(address_parse(&a, config->base, err));
	client->https = strcmp(a.scheme, "https") == 0;
	client->name =
		arena_printf(&client->arena, "%s://%s%s%s", a.scheme, a.host, a.explicit_port == NULL ? "" : ":",
			     a.explicit_port == NULL ? "" : a.explicit_port);
	if (client->name == NULL)
		rc = err_memory(err);
	else if (client->https && config->server_name != NULL)
		rc = set_server_name(client, &a, config->server_name, err);
	else
		rc = copy(client, config->base, &client->base, err);
	if (rc != SEAL_OK)
		goto out;
	len = strlen(client->base);
	while (len > 0 && client->base[len - 1] == '/')
		len--;
	base = arena_strndup(&client->arena, client->base, len);
	if (base == NULL)
		rc = err_memory(err);
	client->base = base;
out:
	address_clear(&a);
	return rc;
}

static enum seal_status set_proxy(struct http_client *client, const struct http_config *config, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	CURLUcode code;
	CURLU *url;

	if (config->unix_socket != NULL) {
		client->proxy = "";
		if (config->proxy != NULL)
			rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				     "both a Unix socket and a proxy are given; give one of them");
		return rc;
	}
	if (config->proxy == NULL || config->proxy[0] == '\0')
		return copy(client, config->proxy, &client->proxy, err);
	url = curl_url();
	if (url == NULL)
		return err_memory(err);
	code = curl_url_set(url, CURLUPART_URL, config->proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME);
	curl_url_cleanup(url);
	if (code == CURLUE_OUT_OF_MEMORY)
		return err_memory(err);
	if (code != CURLUE_OK)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the proxy's address: %s; give it as http://host:port",
			       curl_url_strerror(code));
	client->no_proxy = "";
	return copy(client, config->proxy, &client->proxy, err);
}

static enum seal_status readable(const char *path, const char *what, struct seal_err *err)
{
	if (path != NULL && access(path, R_OK) != 0)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot read the %s %s", what, path);
	return SEAL_OK;
}

static enum seal_status set_certificate(struct http_client *client, const struct http_config *config,
					struct seal_err *err)
{
	enum seal_status rc;

	if ((config->client_cert == NULL) != (config->client_key == NULL))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "a client certificate needs its key and the other way round; give both files");
	SEAL_TRY(readable(config->client_cert, "client certificate", err));
	SEAL_TRY(readable(config->client_key, "key of the client certificate", err));
	SEAL_TRY(copy(client, config->client_cert, &client->client_cert, err));
	SEAL_TRY(copy(client, config->client_key, &client->client_key, err));
	SEAL_TRY(copy(client, config->ca_file, &client->ca_file, err));
	if (!config->insecure)
		rc = ca_load(client, config, err);
out:
	return rc;
}

static uint64_t time_limit(uint64_t ms, uint64_t otherwise)
{
	if (ms == 0)
		return otherwise;
	return ms < TIMEOUT_MS_MAX ? ms : TIMEOUT_MS_MAX;
}

static enum seal_status set_numbers(struct http_client *client, const struct http_config *config,
				    struct seal_err *err)
{
	if (config->connections > CONNECTIONS_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%u connections at once; give 1 to %u",
			       config->connections, CONNECTIONS_MAX);
	client->insecure = config->insecure;
	client->http1_first = config->http1_first;
	client->connections = config->connections ? config->connections : CONNECTIONS_DEFAULT;
	client->retries = config->retries;
	client->timeout_ms = time_limit(config->timeout_ms, TIMEOUT_MS_DEFAULT);
	client->connect_ms = time_limit(config->connect_ms, CONNECT_MS_DEFAULT);
	client->max_response = config->max_response ? config->max_response : HTTP_RESPONSE_MAX_DEFAULT;
	client->retry = config->retry != NULL ? config->retry : retry_status;
	return SEAL_OK;
}

enum seal_status http_client_new(const struct http_config *config, struct http_client **out, struct seal_err *err)
{
	struct http_client *client;
	enum seal_status rc;

	*out = NULL;
	client = mem_calloc(1, sizeof(*client));
	if (client == NULL)
		return err_memory(err);
	arena_init(&client->arena, 0);
	breaker_init(&client->breaker,
		     config->breaker_failures ? config->breaker_failures : BREAKER_FAILURES_DEFAULT);
	rate_init(&client->rate, config->rate, clock_mono_ms());
	SEAL_TRY(memory_curl_init(err));
	SEAL_TRY(set_numbers(client, config, err));
	SEAL_TRY(set_proxy(client, config, err));
	SEAL_TRY(set_address(client, config, err));
	SEAL_TRY(copy(client, config->unix_socket, &client->unix_socket, err));
	SEAL_TRY(copy(client, config->user_agent, &client->user_agent, err));
	SEAL_TRY(set_certificate(client, config, err));
	*out = client;
	client = NULL;
out:
	http_client_free(client);
	return rc;
}

void http_client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	curl_slist_free_all(client->connect_to);
	buf_clear(&client->ca);
	rate_destroy(&client->rate);
	breaker_destroy(&client->breaker);
	arena_clear(&client->arena);
	mem_free(client);
}
