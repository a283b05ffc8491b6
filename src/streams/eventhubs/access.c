/*
 * Who logs in to which hub.
 *
 *   Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=…;EntityPath=purchases
 *
 * Invariant: nothing of a connection string but its host, its entity and the names of its parts is ever shown.
 */
#include "streams/eventhubs/eventhubs.h"

#include <stdlib.h>

#include "base/secret_file.h"
#include "http/http.h"

#define CONNECTION_STRING_MAX 8192
#define DOMAIN ".servicebus.windows.net"
#define AUTHORITY "https://login.microsoftonline.com"
#define VARIABLE "AZURE_EVENTHUB_CONNECTION_STRING"

static enum seal_status bad_address(const char *address, const char *why, struct seal_err *err)
{
	err_place(err, "eventhubs:%.200s", address);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s", why);
}

static const char *env(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? text : NULL;
}

/* ---- address ---- */

struct seal_bytes eventhubs_topic(const char *address)
{
	const char *slash = strrchr(address, '/');

	return bytes_str(slash != NULL ? slash + 1 : address);
}

static bool is_word(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= '0' && text[i] <= '9') || strchr(more, text[i]) != NULL))
			return false;
	return len > 0 && len <= 256;
}

static enum seal_status take_address(struct eventhubs_access *a, const char *address, struct seal_err *err)
{
	const char *slash = strchr(address, '/');
	const size_t len = slash != NULL ? (size_t)(slash - address) : 0;

	if (!is_word(address, len, ".-") || !is_word(slash + 1, strlen(slash + 1), "._-"))
		return bad_address(address, "must be NAMESPACE/HUB, such as eventhubs:shop/purchases", err);
	a->hub = arena_strndup(&a->arena, slash + 1, strlen(slash + 1));
	a->host = arena_printf(&a->arena, "%.*s%s", (int)len, address, memchr(address, '.', len) ? "" : DOMAIN);
	return a->hub != NULL && a->host != NULL ? SEAL_OK : err_memory(err);
}

/* ---- connection string ---- */

struct parts {
	char *endpoint, *entity, *emulator; /* in the secret's memory, as those of `access` */
};

static enum seal_status bad_string(const char *why, struct seal_err *err)
{
	err_place(err, "Event Hubs' connection string");
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
}

/* One "Name=value"; both end with a zero byte. Names that are not known are somebody's else. */
static void take_part(struct eventhubs_access *a, struct parts *parts, char *name, char *value)
{
	if (strcasecmp(name, "Endpoint") == 0)
		parts->endpoint = value;
	else if (strcasecmp(name, "EntityPath") == 0)
		parts->entity = value;
	else if (strcasecmp(name, "UseDevelopmentEmulator") == 0)
		parts->emulator = value;
	else if (strcasecmp(name, "SharedAccessKeyName") == 0)
		a->key_name = value;
	else if (strcasecmp(name, "SharedAccessKey") == 0)
		a->key = value;
	else if (strcasecmp(name, "SharedAccessSignature") == 0)
		a->signature = value;
}

/* Cuts `text` in place. */
static enum seal_status cut(struct eventhubs_access *a, char *text, struct parts *parts, struct seal_err *err)
{
	while (*text != '\0') {
		char *end = text + strcspn(text, ";"), *equals = strchr(text, '=');
		const bool last = *end == '\0';

		if (end == text) {
			text++;
			continue;
		}
		if (equals == NULL || equals > end)
			return bad_string("has a part without \"=\"; copy the whole of it from the portal", err);
		*end = *equals = '\0';
		take_part(a, parts, text, equals + 1);
		text = last ? end : end + 1;
	}
	if (parts->endpoint == NULL)
		return bad_string("has no Endpoint; copy the whole of it from the portal", err);
	if (a->signature == NULL && (a->key == NULL || a->key_name == NULL))
		return bad_string("needs SharedAccessKeyName and SharedAccessKey", err);
	return SEAL_OK;
}

/* Without TLS the key, and all records, can be read on the way, so there must be none. */
static enum seal_status check_emulator(struct eventhubs_access *a, const char *host, size_t len, struct seal_err *err)
{
	if (a->endpoint == NULL)
		a->endpoint = arena_printf(&a->arena, "%.*s:9092", (int)len, host);
	if (a->endpoint == NULL)
		return err_memory(err);
	if (http_is_loopback_url(a->endpoint) && strpbrk(a->endpoint, ",@") == NULL)
		return SEAL_OK;
	err_place(err, "eventhubs:%s/%s", a->host, a->hub);
	return err_set(
		err, SEAL_USAGE, SEAL_E_CONFIG,
		"UseDevelopmentEmulator has no TLS, so the key would travel to %.200s in the clear; an emulator "
		"is reached on this machine alone, such as by localhost:9092",
		a->endpoint);
}

/* sb://HOST[:PORT][/] against the address. */
static enum seal_status check_parts(struct eventhubs_access *a, const struct parts *parts, struct seal_err *err)
{
	const char *host = strstr(parts->endpoint, "://");
	size_t len;
	enum seal_status rc = SEAL_OK;

	host = host != NULL ? host + 3 : parts->endpoint;
	len = strcspn(host, ":/");
	a->emulator = parts->emulator != NULL && strcasecmp(parts->emulator, "true") == 0;
	if (a->emulator)
		SEAL_TRY(check_emulator(a, host, len, err));
	else if (strncasecmp(host, a->host, len) != 0 || a->host[len] != '\0') {
		err_place(err, "eventhubs:%s/%s", a->host, a->hub);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the connection string is for another namespace, %.*s; name that one, or give its own",
			       (int)(len < 200 ? len : 200), host);
	}
	if (parts->entity != NULL && *parts->entity != '\0' && strcasecmp(parts->entity, a->hub) != 0) {
		err_place(err, "eventhubs:%s/%s", a->host, a->hub);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the connection string is for another hub, %.200s; name that one, or give its own",
			       parts->entity);
	}
out:
	return rc;
}

static bool is_visible(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

static enum seal_status take_string(struct eventhubs_access *a, struct seal_bytes raw, struct seal_err *err)
{
	struct parts parts = {0};
	struct secret text = SECRET_INIT;
	size_t len;
	enum seal_status rc;

	SEAL_TRY(secret_text(raw, SECRET_SPACE, "Event Hubs' connection string", &text, err));
	/* The whole, then its pieces. */
	len = text.len;
	SEAL_TRY(secret_alloc(&a->connection_string, 2 * len, err));
	memcpy(a->connection_string.ptr, text.ptr, len);
	memcpy(a->connection_string.ptr + len, text.ptr, len);
	if (!is_visible((const char *)text.ptr)) {
		rc = bad_string("holds characters that it cannot have; copy the whole of it from the portal", err);
		goto out;
	}
	SEAL_TRY(cut(a, (char *)a->connection_string.ptr + len, &parts, err));
	SEAL_TRY(check_parts(a, &parts, err));
out:
	secret_clear(&text);
	return rc;
}

/* ---- who ---- */

static enum seal_status take_application(struct eventhubs_access *a, struct seal_err *err)
{
	a->tenant = env("AZURE_TENANT_ID");
	a->client_id = env("AZURE_CLIENT_ID");
	a->client_secret = env("AZURE_CLIENT_SECRET");
	a->authority = env("AZURE_AUTHORITY_HOST");
	if (a->authority == NULL)
		a->authority = AUTHORITY;
	err_place(err, "eventhubs:%s/%s", a->host, a->hub);
	if (a->tenant == NULL || a->client_id == NULL || a->client_secret == NULL)
		return err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"nothing to log in with: --eventhubs-connection-string-file and " VARIABLE
			" are not set, nor are all of AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET");
	if (strchr(a->authority, '@') != NULL ||
	    (strncmp(a->authority, "https://", 8) != 0 &&
	     (strncmp(a->authority, "http://", 7) != 0 || !http_is_loopback_url(a->authority + 7))))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "AZURE_AUTHORITY_HOST is no https address, so AZURE_CLIENT_SECRET would travel in the "
			       "clear");
	if (!is_word(a->tenant, strlen(a->tenant), ".-_"))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "AZURE_TENANT_ID must be a tenant's id or domain");
	err_clear(err);
	return SEAL_OK;
}

enum seal_status eventhubs_access_open(const char *address, const struct eventhubs_settings *settings,
				       struct eventhubs_access *out, struct seal_err *err)
{
	struct secret file = SECRET_INIT;
	enum seal_status rc;

	*out = (struct eventhubs_access){
		.endpoint = settings->endpoint, .ca_file = settings->ca_file, .event_bytes = settings->event_bytes};
	arena_init(&out->arena, 0);
	SEAL_TRY(take_address(out, address, err));
	if (settings->connection_string_file != NULL) {
		SEAL_TRY(secret_read_file(settings->connection_string_file, CONNECTION_STRING_MAX, true, &file, err));
		rc = take_string(out, secret_bytes(&file), err);
	} else if (env(VARIABLE) != NULL) {
		rc = take_string(out, bytes_str(env(VARIABLE)), err);
	} else {
		rc = take_application(out, err);
	}
out:
	secret_clear(&file);
	return rc;
}

void eventhubs_access_clear(struct eventhubs_access *access)
{
	secret_clear(&access->connection_string);
	arena_clear(&access->arena);
	*access = (struct eventhubs_access){0};
	arena_init(&access->arena, 0);
}
