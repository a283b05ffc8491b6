/*
 * An application logs in with its secret (RFC 6749, section 4.4):
 *
 *   POST AUTHORITY/TENANT/oauth2/v2.0/token     grant_type=client_credentials&client_id=…&client_secret=…&scope=…
 */
#include "streams/eventhubs/application.h"

#include "base/mem.h"
#include "http/http.h"
#include "http/token_answer.h"

#define SCOPE "https://eventhubs.azure.net/.default" /* one for all namespaces and clouds */
#define TRY_MS 5000
#define BODY_MAX (64u << 10)
#define ANSWER_MAX (256u << 10)

struct application {
	const struct eventhubs_access *access;
	struct http_client *client;
	const char *path; /* of the access's arena */
};

enum seal_status application_new(struct eventhubs_access *access, struct application **out, struct seal_err *err)
{
	struct http_config http = {.base = access->authority,
				   .ca_file = access->ca_file,
				   .proxy = strncmp(access->authority, "http://", 7) == 0 ? "" : NULL, /* loopback */
				   .user_agent = "sealstream",
				   .connections = 1,
				   .retries = 2,
				   .timeout_ms = TRY_MS,
				   .connect_ms = TRY_MS,
				   .max_response = ANSWER_MAX};
	struct application *a = mem_calloc(1, sizeof(*a));
	enum seal_status rc;

	*out = NULL;
	if (a == NULL)
		return err_memory(err);
	a->access = access;
	a->path = arena_printf(&access->arena, "/%s/oauth2/v2.0/token", access->tenant);
	rc = a->path != NULL ? http_client_new(&http, &a->client, err) : err_memory(err);
	if (rc == SEAL_USAGE)
		err_prefix(err, "AZURE_AUTHORITY_HOST");
	if (rc != SEAL_OK)
		application_free(a);
	else
		*out = a;
	return rc;
}

void application_free(struct application *a)
{
	if (a == NULL)
		return;
	http_client_free(a->client);
	mem_free(a);
}

static enum seal_status refused(const struct http_exchange *ex, struct seal_err *err)
{
	const char *code = token_answer_error(buf_bytes(&ex->answer)), *gap = *code != '\0' ? " " : "";

	if (ex->status == 408 || ex->status == 429 || ex->status >= 500)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "Entra ID answers with status %u", ex->status);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "Entra ID refuses the application with status %u%s%s; check AZURE_TENANT_ID, AZURE_CLIENT_ID "
		       "and AZURE_CLIENT_SECRET",
		       ex->status, gap, code);
}

enum seal_status application_fetch(void *arg, uint64_t deadline_ms, struct secret *header, uint64_t *lifetime_s,
				   struct seal_err *err)
{
	static const struct http_header type = {"Content-Type", "application/x-www-form-urlencoded"};
	struct application *a = arg;
	struct http_exchange ex = {.method = "POST", .path = a->path, .headers = &type, .n_headers = 1};
	struct seal_buf body = BUF_INIT(BODY_MAX);
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&body, "grant_type=client_credentials", err));
	SEAL_TRY(http_form_append(&body, "client_id", bytes_str(a->access->client_id), err));
	SEAL_TRY(http_form_append(&body, "client_secret", bytes_str(a->access->client_secret), err));
	SEAL_TRY(http_form_append(&body, "scope", bytes_str(SCOPE), err));
	ex.body = buf_bytes(&body);
	SEAL_TRY(http_ask(a->client, &ex, deadline_ms, err));
	if (ex.status != 200) {
		rc = refused(&ex, err);
		goto out;
	}
	SEAL_TRY(token_answer_read(buf_bytes(&ex.answer), header, lifetime_s, err));
out:
	buf_clear(&body);
	http_exchange_clear(&ex);
	return rc;
}
