/*
 * What went wrong, from the status and the body of an answer: one class and one line, which names the server and the
 * path, quotes the server, and says what to do.
 */
#include <stdio.h>

#include "vault/answer.h"
#include "vault/client_work.h"

/* A call in the words of a message. */
struct told {
	const char *server, *method;
	char path[200]; /* without the query */
	char quote[VAULT_QUOTE_MAX + 40]; /* ": \"…\"", or what is known of the body without words of the server's */
	char text[VAULT_QUOTE_MAX + 1]; /* the server's words alone */
};

static enum seal_status tell(const struct vault_client *client, const struct vault_call *call, struct told *told)
{
	const size_t len = strcspn(call->path, "?");
	const enum seal_status rc = vault_answer_errors(call->answer, told->text);

	told->server = vault_client_name(client);
	told->method = call->method;
	snprintf(told->path, sizeof(told->path), "%.*s", (int)(len < 199 ? len : 199), call->path);
	if (told->text[0] != '\0')
		snprintf(told->quote, sizeof(told->quote), ": \"%s\"", told->text);
	else
		snprintf(told->quote, sizeof(told->quote), "%s",
			 rc != SEAL_OK && call->answer.len > 0
				 ? ", and the answer is not JSON; is a proxy in between?"
				 : "");
	return rc == SEAL_FATAL ? SEAL_FATAL : SEAL_OK;
}

static bool says(const struct told *told, const char *part)
{
	return strstr(told->text, part) != NULL;
}

enum seal_status client_denied(const struct vault_client *client, const struct vault_call *call,
			       const struct seal_err *why, struct seal_err *err)
{
	const char *space = client->options.namespace_;
	struct told told;
	char in[120] = "";

	if (tell(client, call, &told) != SEAL_OK)
		return err_memory(err);
	if (strcmp(told.text, "permission denied") == 0)
		told.quote[0] = '\0';
	if (call->anonymous && told.quote[0] == '\0' && strncmp(told.path, "auth/", 5) == 0)
		snprintf(told.quote, sizeof(told.quote),
			 ", as also where no way to log in is enabled (--vault-auth-mount)");
	if (call->anonymous || call->capability == NULL)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "%s refuses %s %s%s", told.server, told.method,
			       told.path, told.quote);
	if (space != NULL && space[0] != '\0')
		snprintf(in, sizeof(in), " in namespace %.90s", space);
	return err_set(
		err, SEAL_DENIED, SEAL_E_DENIED,
		"%s refuses %s %s%s%s%.200s; a policy of the token must have: path \"%s\" { capabilities = [\"%s\"] "
		"}%s",
		told.server, told.method, told.path, told.quote, why != NULL ? ": " : "",
		why != NULL ? why->text : "", told.path, call->capability, in);
}

static enum seal_status not_there(const struct told *told, struct seal_err *err)
{
	if (says(told, "no handler for route"))
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
			"nothing is mounted on %s where %s leads; correct the mount in the reference, or enable the "
			"engine there",
			told->server, told->path);
	if (says(told, "namespace not found"))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "%s has no such namespace for %s; correct --vault-namespace", told->server,
			       told->path);
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "%s has nothing at %s%s", told->server, told->path,
		       told->quote);
}

/* Vault's errors are JSON objects, also where they say nothing. */
static bool is_vaults(const struct vault_call *call)
{
	json_t *root = call->answer.len > 0 ? vault_json_load(call->answer, NULL) : NULL;
	const bool is = json_is_object(root);

	json_decref(root);
	return is;
}

static enum seal_status away(unsigned status, const struct told *told, struct seal_err *err)
{
	const char *what = "is overloaded or not ready";

	if (says(told, "sealed"))
		what = "is sealed; it works again once it is unsealed";
	else if (says(told, "standby") || says(told, "active node") || says(told, "leader"))
		what = "is a standby and knows no active node";
	else if (status == 502 || status == 504)
		what = "is not reached by the gateway in front of it";
	else if (status == 501 || says(told, "not initialized"))
		what = "is not initialised; `vault operator init` does it";
	else if (status == 500)
		what = "has trouble of its own";
	else if (status == 472)
		what = "is a disaster-recovery secondary; address the active cluster";
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "%s %s (%s %s answered %u%s)", told->server, what,
		       told->method, told->path, status, told->quote);
}

static enum seal_status redirected(const struct vault_call *call, const struct told *told, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "%s redirects %s %s (%u) where it cannot be followed: from https to http, to another path, or "
		       "nowhere; give the active node's address",
		       told->server, told->method, told->path, call->status);
}

/* What Go's servers and nginx say, in text or HTML. */
static bool wants_tls(const struct vault_call *call)
{
	static const char *const words[] = {"HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port"};

	for (size_t i = 0; call->status == 400 && call->answer.len > 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(call->answer.ptr, call->answer.len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

enum seal_status vault_call_error(const struct vault_client *client, const struct vault_call *call,
				  struct seal_err *err)
{
	const unsigned status = call->status;
	struct told told;

	if (tell(client, call, &told) != SEAL_OK)
		return err_memory(err);
	switch (status) {
	case 401:
	case 403:
		return client_denied(client, call, NULL, err);
	case 404:
		if (!is_vaults(call)) /* of a portal, or of another server: nothing is known of what is there */
			return vault_call_nonsense(client, call, "404, without JSON", err);
		return not_there(&told, err);
	case 412:
		if (says(&told, "X-Vault-Request"))
			break;
		return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			       "%s has not caught up with the cluster yet (%s %s answered 412%s)", told.server,
			       told.method, told.path, told.quote);
	case 413:
		return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "%s takes no body of this size for %s %s%s",
			       told.server, told.method, told.path, told.quote);
	case 429:
		return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "%s throttles %s %s%s", told.server, told.method,
			       told.path, told.quote);
	case 472:
		return away(status, &told, err);
	default:
		break;
	}
	if (status >= 300 && status < 400 && client->options.no_redirects)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"%s redirects %s %s (%u), and VAULT_DISABLE_REDIRECTS forbids to follow; give the active "
			"node's address",
			told.server, told.method, told.path, status);
	if (status >= 300 && status < 400)
		return redirected(call, &told, err);
	if (wants_tls(call))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "%s speaks https on this port; begin VAULT_ADDR (--vault-addr) with https://",
			       told.server);
	if (status >= 500 && !vault_blames_caller(status, call->answer))
		return away(status, &told, err);
	return err_set(err, SEAL_USAGE, SEAL_E_SERVICE, "%s refuses %s %s (%u)%s", told.server, told.method,
		       told.path, status, told.quote);
}

enum seal_status vault_call_nonsense(const struct vault_client *client, const struct vault_call *call,
				     const char *what, struct seal_err *err)
{
	struct told told;

	if (tell(client, call, &told) != SEAL_OK)
		return err_memory(err);
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
		       "what %s answers to %s %s is not what Vault gives: %s; is a proxy in between?", told.server,
		       told.method, told.path, what);
}

/* A 500 that is the caller's mistake: another try would be the same. */
bool vault_blames_caller(unsigned status, struct seal_bytes body)
{
	static const char *const marks[] = {
		"batch_results",     "failed to parse batch input",
		"illegal base64",    "not supported",
		"already exists",    "does not exist",
		"permission denied", "disallowed",
		"no key found",	     "does not allow",
		"cannot be used",    "invalid key size",
		"unknown hash",	     "no client certificate",
		"exceeds allowed",   "invalid username or password",
		"invalid secret id", "failed to bind as user",
	};

	for (size_t i = 0; status == 500 && body.len > 0 && i < sizeof(marks) / sizeof(marks[0]); i++)
		if (memmem(body.ptr, body.len, marks[i], strlen(marks[i])) != NULL)
			return true;
	return false;
}

bool vault_worth_retrying(unsigned status, struct seal_bytes body)
{
	static const char agent[] = "X-Vault-Request";

	switch (status) {
	case 412:
		return body.len == 0 || memmem(body.ptr, body.len, agent, sizeof(agent) - 1) == NULL;
	case 429:
	case 502:
	case 503:
	case 504:
		return true;
	case 500:
		return !vault_blames_caller(status, body);
	default:
		return false;
	}
}
