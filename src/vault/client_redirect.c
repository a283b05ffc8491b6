/*
 * Redirects: a standby that does not forward sends callers to the active node. One is followed, with the same method, body
 * and token, when it leads to the same path of the API and not from https to http. It is waited for: redirects are the
 * exception, and the calls that are under way lose nothing but time.
 */
#include <stdio.h>

#include "vault/client_work.h"

/* "https://host:8200/prefix/v1/a/b?q" into base and what follows it; false when the base does not end before "/v1/". */
static bool split(const char *location, char base[CLIENT_BASE_MAX], const char **path)
{
	const char *at = strstr(location, "://");

	at = at != NULL ? strstr(at + 3, "/v1/") : NULL;
	if (at == NULL || (size_t)(at - location) >= CLIENT_BASE_MAX)
		return false;
	memcpy(base, location, (size_t)(at - location));
	base[at - location] = '\0';
	*path = at;
	return true;
}

static bool is_https(const char *base)
{
	return strncmp(base, "https://", 8) == 0;
}

bool client_may_follow(const char *from, const char *path, const char *location, char base[CLIENT_BASE_MAX])
{
	const char *led_to;

	if (!split(location, base, &led_to) || strcmp(led_to, path) != 0)
		return false;
	if (strpbrk(base, "@?#") != NULL)
		return false;
	return is_https(base) || (strncmp(base, "http://", 7) == 0 && !is_https(from));
}

/* The target's number; CLIENT_TARGETS_MAX: there are too many. Called with the lock held. */
static enum seal_status find_target(struct vault_client *client, const char *base, size_t *index,
				    struct seal_err *err)
{
	struct http_config config = client->config;
	struct client_target *target;
	enum seal_status rc;

	for (*index = 0; *index < client->n_targets; (*index)++)
		if (strcmp(client->targets[*index].base, base) == 0)
			return SEAL_OK;
	if (*index == CLIENT_TARGETS_MAX)
		return SEAL_OK;
	target = &client->targets[*index];
	config.base = base;
	config.unix_socket = NULL;
	config.connections = 1;
	rc = http_client_new(&config, &target->http, err);
	if (rc != SEAL_OK)
		return rc;
	snprintf(target->base, sizeof(target->base), "%s", base);
	client->n_targets++;
	return SEAL_OK;
}

static enum seal_status worker_for(struct vault_worker *worker, const char *base, struct http_worker **out,
				   struct seal_err *err)
{
	struct vault_client *client = worker->client;
	enum seal_status rc;
	size_t index;

	*out = NULL;
	pthread_mutex_lock(&client->lock);
	rc = find_target(client, base, &index, err);
	pthread_mutex_unlock(&client->lock);
	if (rc != SEAL_OK || index == CLIENT_TARGETS_MAX)
		return rc;
	if (worker->others[index] == NULL)
		rc = http_worker_new(client->targets[index].http, &worker->others[index], err);
	*out = worker->others[index];
	return rc;
}

enum seal_status client_follow(struct vault_worker *worker, struct flight *flight, struct seal_err *err)
{
	struct http_exchange *exchange = &flight->exchange, next;
	struct http_worker *http = NULL;
	char base[CLIENT_BASE_MAX];
	enum seal_status rc = SEAL_OK;

	if (exchange->status != 301 && exchange->status != 302 && exchange->status != 307)
		return SEAL_OK;
	if (worker->client->options.no_redirects ||
	    !client_may_follow(worker->client->config.base, (const char *)flight->path.ptr, exchange->location, base))
		return SEAL_OK;
	SEAL_TRY(worker_for(worker, base, &http, err));
	if (http == NULL)
		return SEAL_OK;
	next = (struct http_exchange){
		.method = exchange->method,
		.path = exchange->path,
		.headers = exchange->headers,
		.n_headers = exchange->n_headers,
		.body = exchange->body,
		.once = exchange->once,
		.user = flight,
	};
	http_exchange_clear(exchange);
	*exchange = next;
	SEAL_TRY(http_start(http, exchange, flight->deadline_ms, err));
	SEAL_INVARIANT(http_next(http) == exchange);
	flight->followed = true;
out:
	return rc;
}
