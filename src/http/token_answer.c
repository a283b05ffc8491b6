/*
 * Answers of token servers (RFC 6749, sections 5.1 and 5.2):
 *
 *   {"access_token":"…","expires_in":3599,"token_type":"Bearer"}     a token
 *   {"error":"invalid_grant","error_description":…}                  why there is none
 *
 * Anything may arrive in their place (a proxy's page of HTML). Of an error only the known words are repeated.
 */
#include "http/token_answer.h"

#include "json/value.h"

#define TOKEN_MAX (64u << 10)

static enum seal_status no_token(const char *why, struct seal_err *err)
{
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the answer of the token server %s", why);
}

enum seal_status token_answer_read(struct seal_bytes body, struct secret *header, uint64_t *lifetime_s,
				   struct seal_err *err)
{
	static const char *const names[] = {"access_token", "expires_in"}, bearer[] = "Bearer ";
	struct json_value document, values[2];
	uint64_t seconds;
	enum seal_status rc;

	*lifetime_s = 0;
	rc = json_value_of(body, &document, NULL);
	if (rc == SEAL_DATA)
		return no_token("is no JSON", err);
	if (rc != SEAL_OK)
		return err_memory(err);
	json_members(&document, names, 2, values);
	if (!json_value_is(&values[0], JSON_STRING) || !bytes_is_bearer(values[0].text, TOKEN_MAX))
		return no_token("has no access_token", err);
	if (!json_value_is(&values[1], JSON_NUMBER) || !bytes_to_u64(values[1].text, UINT32_MAX, &seconds))
		return no_token("does not say in expires_in how long its token lives", err);
	if (seconds == 0)
		return no_token("is a token that has run out already", err);
	SEAL_TRY(secret_alloc(header, sizeof(bearer) + values[0].text.len, err));
	memcpy(header->ptr, bearer, sizeof(bearer) - 1);
	memcpy(header->ptr + sizeof(bearer) - 1, values[0].text.ptr, values[0].text.len);
	*lifetime_s = seconds < TOKEN_ANSWER_LIFETIME_MAX_S ? seconds : TOKEN_ANSWER_LIFETIME_MAX_S;
out:
	return rc;
}

const char *token_answer_error(struct seal_bytes body)
{
	static const char *const known[] = {"invalid_request",	   "invalid_client",	     "invalid_grant",
					    "unauthorized_client", "unsupported_grant_type", "invalid_scope",
					    "access_denied"};
	static const char *const names[] = {"error"};
	struct json_value document, error = {BYTES_EMPTY, JSON_NULL, false};

	if (body.len > 0 && json_value_of(body, &document, NULL) == SEAL_OK)
		json_members(&document, names, 1, &error);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (json_value_is(&error, JSON_STRING) && bytes_eq_str(error.text, known[i]))
			return known[i];
	return "";
}
