/* Control calls: JSON trees in and out, waited for. Their texts may be tokens and passwords: all is wiped. */
#include "base/mem.h"
#include "vault/client_work.h"

#define BODY_MAX (1u << 20)
#define ANSWER_MAX (8u << 20) /* a list of 100,000 keys */

/* Strings that nobody else holds. */
static void wipe(json_t *json)
{
	const char *name;
	json_t *value;
	size_t i;

	if (json == NULL || json->refcount != 1)
		return;
	if (json_is_string(json)) /* jansson's own copy, and about to be freed */
		mem_wipe((void *)(uintptr_t)json_string_value(json), json_string_length(json));
	json_array_foreach(json, i, value) wipe(value);
	json_object_foreach(json, name, value) wipe(value);
}

json_t *vault_json_load(struct seal_bytes text, json_error_t *why)
{
	if (text.len > ANSWER_MAX) {
		if (why != NULL)
			memset(why, 0, sizeof(*why));
		return NULL;
	}
	return json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, why);
}

void vault_json_free(json_t *json)
{
	wipe(json);
	json_decref(json);
}

struct dump {
	struct seal_buf *to;
	enum seal_status rc;
	struct seal_err *err;
};

static int dump_more(const char *text, size_t len, void *arg)
{
	struct dump *dump = arg;

	dump->rc = buf_append(dump->to, bytes_of(text, len), dump->err);
	return dump->rc == SEAL_OK ? 0 : -1;
}

static enum seal_status write_body(const json_t *body, struct seal_buf *out, struct seal_err *err)
{
	struct dump dump = {out, SEAL_OK, err};

	if (body == NULL || json_dump_callback(body, dump_more, &dump, JSON_COMPACT) == 0)
		return SEAL_OK;
	return dump.rc != SEAL_OK ? dump.rc : err_memory(err);
}

/* The whole answer; NULL when it has no body. */
static enum seal_status read_answer(const struct vault_client *client, const struct vault_call *call, json_t **out,
				    struct seal_err *err)
{
	json_error_t why;

	*out = NULL;
	if (call->status == 204 || call->answer.len == 0)
		return SEAL_OK;
	*out = vault_json_load(call->answer, &why);
	if (json_is_object(*out))
		return SEAL_OK;
	vault_json_free(*out);
	*out = NULL;
	if (json_error_code(&why) == json_error_out_of_memory)
		return err_memory(err);
	return vault_call_nonsense(client, call,
				   call->answer.len > ANSWER_MAX ? "it is far too large" : "not a JSON object", err);
}

static enum seal_status ask(struct vault_worker *worker, struct vault_call *call, const json_t *body,
			    uint64_t deadline_ms, json_t **out, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(BODY_MAX);
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(write_body(body, &text, err));
	if (body != NULL)
		call->body = buf_bytes(&text);
	SEAL_TRY(vault_start(worker, call, deadline_ms, err));
	client_wait(worker, call);
	rc = call->err.status;
	if (rc == SEAL_DATA) { /* nothing that is asked for is so large */
		rc = SEAL_RETRY;
		call->err.status = rc;
	}
	if (rc != SEAL_OK && err != NULL)
		*err = call->err;
	if (rc == SEAL_OK)
		rc = read_answer(worker->client, call, out, err);
	vault_call_clear(call);
out:
	buf_clear(&text);
	return rc;
}

enum seal_status vault_ask(struct vault_worker *worker, const char *method, const char *path, const char *capability,
			   json_t *body, uint64_t deadline_ms, json_t **out, struct seal_err *err)
{
	struct vault_call call = {
		.method = method,
		.path = path,
		.capability = capability,
		.once = strcmp(method, "GET") != 0,
	};
	enum seal_status rc = ask(worker, &call, body, deadline_ms, out, err);
	json_t *data = rc == SEAL_OK && *out != NULL ? json_object_get(*out, "data") : NULL;

	if (json_is_object(data)) {
		json_incref(data);
		vault_json_free(*out);
		*out = data;
	}
	return rc;
}

enum seal_status vault_ask_login(struct vault_worker *worker, const char *path, json_t *body, const char *token,
				 uint64_t deadline_ms, json_t **out, struct seal_err *err)
{
	struct vault_call call = {
		.method = body != NULL ? "POST" : "GET",
		.path = path,
		.once = body != NULL,
		.anonymous = token == NULL,
		.token = token,
	};

	return ask(worker, &call, body, deadline_ms, out, err);
}
