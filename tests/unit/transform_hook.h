/*
 * A Transform engine of a kind for the small server of vault_server.h: role `payments` with the transformations `card` (FPE,
 * the tweak as server.arg says), `tok` (tokens) and `mask`. Digits become their complement to 9; a value with an 'x' is
 * refused.
 */
#ifndef TESTS_TRANSFORM_HOOK_H
#define TESTS_TRANSFORM_HOOK_H

#include "vault_check.h"

static inline json_t *transform_one(const json_t *item, bool decode, bool *bad)
{
	char *value = strdup(server_text(item, "value"));
	json_t *result;

	if (strchr(value, 'x') != NULL) {
		*bad = true;
		result = json_pack("{s:s}", "error", "does not fit the template");
	} else {
		for (char *c = value; *c != '\0'; c++)
			if (*c >= '0' && *c <= '9')
				*c = (char)('9' - (*c - '0'));
		result = json_pack("{s:s}", decode ? "decoded_value" : "encoded_value", value);
	}
	if (!decode && strcmp(server_text(item, "transformation"), "drawn") == 0)
		json_object_set_new(result, "tweak", json_string("AQIDBAUGBw==\n"));
	free(value);
	return result;
}

static inline void transform_batch(struct server *s, const struct server_request *request, bool decode,
				   struct server_reply *reply)
{
	json_t *root = json_loadb(request->body, request->len, JSON_REJECT_DUPLICATES, NULL), *item;
	json_t *results = json_array();
	bool bad = false;
	size_t i;

	assert_non_null(root);
	s->posts++;
	json_array_foreach(json_object_get(root, "batch_input"), i, item)
		json_array_append_new(results, transform_one(item, decode, &bad));
	if (i > s->largest_lot)
		s->largest_lot = i;
	server_data(s, reply, bad ? 400 : 200, json_pack("{s:o}", "batch_results", results), NULL);
	json_decref(root);
}

static inline bool transform_hook(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	const char *path = request->path;

	if (strncmp(path, "/v1/transform/", 14) != 0 || strcmp(request->token, s->token) != 0)
		return false;
	path += 14;
	if (strcmp(path, "role/payments") == 0)
		server_data(s, reply, 200,
			    json_pack("{s:[s,s,s,s]}", "transformations", "card", "drawn", "tok", "mask"), NULL);
	else if (strcmp(path, "transformation/card") == 0 || strcmp(path, "transformation/drawn") == 0)
		server_data(s, reply, 200,
			    json_pack("{s:s,s:s,s:[s]}", "type", "fpe", "tweak_source",
				      strstr(path, "card") != NULL ? "internal" : "generated", "allowed_roles", "*"),
			    NULL);
	else if (strcmp(path, "transformation/tok") == 0)
		server_data(s, reply, 200, json_pack("{s:s,s:s}", "type", "tokenization", "max_ttl", "3600s"), NULL);
	else if (strcmp(path, "transformation/mask") == 0)
		server_data(s, reply, 200, json_pack("{s:s}", "type", "masking"), NULL);
	else if (strcmp(path, "encode/payments") == 0 || strcmp(path, "decode/payments") == 0)
		transform_batch(s, request, *path == 'd', reply);
	else
		server_fail(reply, 404, NULL);
	return true;
}

/* The role, looked at for `how`, and a session. */
static inline enum seal_status transform_open(struct key_source *source, const struct key_transform *how,
					      struct key **key, struct key_session **session, struct seal_err *err)
{
	enum seal_status rc;

	*session = NULL;
	SEAL_TRY(vault_source.key(source, text("transform/role/payments"), key, err));
	SEAL_TRY((*key)->ops->transform_check(*key, how, err));
	SEAL_TRY((*key)->ops->session(*key, session, err));
out:
	return rc;
}

static inline void transform_close(struct key *key, struct key_session *session)
{
	if (session != NULL)
		session->ops->free(session);
	if (key != NULL)
		key->ops->free(key);
}

#endif
