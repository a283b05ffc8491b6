/* Questions for `doctor`, one call each. */
#include "vault/probe.h"

#include "base/mem.h"
#include "http/http.h"
#include "vault/client.h"

/* Any state answers 200, so that the body tells. */
static const char health_path[] = "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200"
				  "&drsecondarycode=200";

struct vault_probe {
	struct vault_client *client;
	struct vault_worker *worker;
};

enum seal_status vault_probe_new(const struct vault_options *options, struct vault_probe **out, struct seal_err *err)
{
	struct vault_probe *probe = mem_calloc(1, sizeof(*probe));
	enum seal_status rc;

	*out = NULL;
	if (probe == NULL)
		return err_memory(err);
	SEAL_TRY(vault_client_new(options, &probe->client, err));
	SEAL_TRY(vault_worker_new(probe->client, &probe->worker, err));
out:
	if (rc != SEAL_OK)
		vault_probe_free(probe);
	else
		*out = probe;
	return rc;
}

void vault_probe_free(struct vault_probe *probe)
{
	if (probe == NULL)
		return;
	vault_worker_free(probe->worker);
	vault_client_free(probe->client);
	mem_free(probe);
}

/* Without user and password. */
static const char *shown_proxy(const char *proxy, struct arena *arena)
{
	const char *at = proxy != NULL ? strrchr(proxy, '@') : NULL;
	const char *slashes = at != NULL ? strstr(proxy, "://") : NULL;

	if (at == NULL)
		return proxy != NULL && proxy[0] != '\0' ? proxy : NULL;
	return arena_printf(arena, "%.*s%s", slashes != NULL && slashes < at ? (int)(slashes + 3 - proxy) : 0, proxy,
			    at + 1);
}

enum seal_status vault_probe_address(const struct vault_options *options, struct arena *arena,
				     struct vault_address *out, struct seal_err *err)
{
	struct http_config config = {.base = NULL};
	enum seal_status rc;

	SEAL_TRY(vault_settings_read(options, arena, &config, err));
	*out = (struct vault_address){
		.base = config.base,
		.unix_socket = config.unix_socket,
		.authorities = config.ca_file != NULL  ? config.ca_file
			       : config.ca_pem != NULL ? "VAULT_CACERT_BYTES"
						       : config.ca_path,
		.proxy = shown_proxy(config.proxy, arena),
		.tls = strncmp(config.base, "http://", 7) != 0,
		.checked = !config.insecure,
		.client_certificate = config.client_cert != NULL,
	};
	if (config.proxy != NULL && config.proxy[0] != '\0' && out->proxy == NULL)
		rc = err_memory(err);
out:
	return rc;
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

enum seal_status vault_probe_health(struct vault_probe *probe, uint64_t deadline_ms, struct vault_health *out,
				    struct seal_err *err)
{
	struct vault_call call = {.method = "GET", .path = health_path, .anonymous = true, .look = true};
	json_t *health = NULL;
	const char *version;
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	SEAL_TRY(vault_start(probe->worker, &call, deadline_ms, err));
	SEAL_INVARIANT(vault_next(probe->worker) == &call);
	rc = call.err.status;
	if (rc != SEAL_OK && err != NULL)
		*err = call.err;
	out->status = call.status;
	if (rc == SEAL_OK && call.answer.len > 0)
		health = vault_json_load(call.answer, NULL);
	out->known = json_is_boolean(json_object_get(health, "sealed"));
	out->initialized = is_true(health, "initialized");
	out->sealed = is_true(health, "sealed");
	out->standby = is_true(health, "standby");
	out->performance_standby = is_true(health, "performance_standby");
	version = json_string_value(json_object_get(health, "version"));
	snprintf(out->version, sizeof(out->version), "%s", version != NULL ? version : "unknown");
	json_decref(health);
	vault_call_clear(&call);
out:
	return rc;
}

/* The texts of a list, joined; NULL: no memory. */
static const char *join(struct arena *arena, const json_t *words)
{
	const json_t *word;
	const char *all = "";
	size_t i;

	json_array_foreach(words, i, word)
	{
		all = arena_printf(arena, "%s%s%s", all, i ? ", " : "",
				   json_is_string(word) ? json_string_value(word) : "?");
		if (all == NULL)
			break;
	}
	return all;
}

enum seal_status vault_probe_token(struct vault_probe *probe, struct arena *arena, uint64_t deadline_ms,
				   struct vault_token_facts *out, struct seal_err *err)
{
	json_t *data = NULL;
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	SEAL_TRY(vault_ask(probe->worker, "GET", "auth/token/lookup-self", "read", NULL, deadline_ms, &data, err));
	out->policies = join(arena, json_object_get(data, "policies"));
	out->ttl_s = json_integer_value(json_object_get(data, "ttl"));
	out->renewable = is_true(data, "renewable");
	if (out->policies == NULL)
		rc = err_memory(err);
out:
	vault_json_free(data);
	return rc;
}

enum vault_right vault_probe_right(struct vault_probe *probe, const char *path, const char *capability,
				   uint64_t deadline_ms, bool *creates)
{
	json_t *body = json_pack("{s:[s]}", "paths", path), *data = NULL;
	enum vault_right right = VAULT_RIGHT_UNKNOWN;
	struct seal_err ignored = SEAL_ERR_INIT;
	const json_t *word;
	bool may_create = false;
	size_t i;

	if (body != NULL && vault_ask(probe->worker, "POST", "sys/capabilities-self", "update", body, deadline_ms,
				      &data, &ignored) == SEAL_OK) {
		right = VAULT_RIGHT_NONE;
		json_array_foreach(json_object_get(data, path), i, word)
		{
			const char *text = json_is_string(word) ? json_string_value(word) : "";

			if (strcmp(text, capability) == 0 || strcmp(text, "root") == 0)
				right = VAULT_RIGHT_YES;
			may_create |= strcmp(text, "create") == 0;
		}
	}
	if (creates != NULL)
		*creates = may_create;
	vault_json_free(data);
	json_decref(body);
	return right;
}

enum seal_status vault_probe_list(struct vault_probe *probe, const char *path, const char *member,
				  struct arena *arena, uint64_t deadline_ms, const char **out, struct seal_err *err)
{
	json_t *data = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(vault_ask(probe->worker, "GET", path, "read", NULL, deadline_ms, &data, err));
	*out = join(arena, json_object_get(data, member));
	if (*out == NULL)
		rc = err_memory(err);
out:
	vault_json_free(data);
	return rc;
}
