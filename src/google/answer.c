/*
 * Answers.
 *
 *   {"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}
 *
 * Anything may arrive in their place (a proxy's page of HTML): what is not of these forms is told by its status alone.
 */
#include "google/answer.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "json/value.h"

/* One member of a document; empty where it is none. */
static struct json_value member_of(struct seal_bytes body, const char *name)
{
	struct json_value document, value = {BYTES_EMPTY, JSON_NULL, false};

	if (body.len > 0 && json_value_of(body, &document, NULL) == SEAL_OK)
		json_members(&document, &name, 1, &value);
	return value;
}

/* NOT_FOUND: capitals, and '_' between them. */
static bool is_code(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] < 'A' || text.ptr[i] > 'Z') && text.ptr[i] != '_')
			return false;
	return text.len > 0 && text.len < GOOGLE_CODE_MAX;
}

/* One line, cut where it is too long. */
static void copy_message(struct seal_bytes text, char out[ANSWER_MESSAGE_MAX])
{
	size_t len = text.len < ANSWER_MESSAGE_MAX ? text.len : ANSWER_MESSAGE_MAX - 1;

	if (len > 0)
		memcpy(out, text.ptr, len);
	out[len] = '\0';
	utf8_keep_to_one_line(out, len);
}

void answer_error(struct seal_bytes body, char code[GOOGLE_CODE_MAX], char message[ANSWER_MESSAGE_MAX])
{
	static const char *const names[] = {"status", "message"};
	struct json_value error = member_of(body, "error"), values[2];
	struct seal_bytes text;
	struct arena arena;

	code[0] = message[0] = '\0';
	json_members(&error, names, 2, values);
	if (json_value_is(&values[0], JSON_STRING) && is_code(values[0].text)) {
		memcpy(code, values[0].text.ptr, values[0].text.len);
		code[values[0].text.len] = '\0';
	}
	arena_init(&arena, 0);
	if (json_value_string(&values[1], &arena, &text, NULL) == SEAL_OK)
		copy_message(text, message);
	arena_clear(&arena);
}

/* By name first: google.rpc.Code has more of them than HTTP has statuses. */
static const struct {
	const char *code;
	struct answer_class is;
} by_name[] = {
	{"RESOURCE_EXHAUSTED", {GOOGLE_THROTTLED, SEAL_RETRY, SEAL_E_BUSY}},
	{"ABORTED", {GOOGLE_AWAY, SEAL_RETRY, SEAL_E_SERVICE}},
	{"CANCELLED", {GOOGLE_AWAY, SEAL_RETRY, SEAL_E_SERVICE}},
	{"UNAVAILABLE", {GOOGLE_AWAY, SEAL_RETRY, SEAL_E_SERVICE}},
	{"DEADLINE_EXCEEDED", {GOOGLE_AWAY, SEAL_RETRY, SEAL_E_TIMEOUT}},
	{"UNAUTHENTICATED", {GOOGLE_DENIED, SEAL_DENIED, SEAL_E_DENIED}},
	{"PERMISSION_DENIED", {GOOGLE_DENIED, SEAL_DENIED, SEAL_E_DENIED}},
	{"FAILED_PRECONDITION", {GOOGLE_REFUSED, SEAL_USAGE, SEAL_E_CONFIG}},
	{"NOT_FOUND", {GOOGLE_REFUSED, SEAL_USAGE, SEAL_E_NO_INPUT}},
	{"UNIMPLEMENTED", {GOOGLE_REFUSED, SEAL_USAGE, SEAL_E_CONFIG}},
	{"INVALID_ARGUMENT", {GOOGLE_REFUSED, SEAL_DATA, SEAL_E_SYNTAX}},
	{"OUT_OF_RANGE", {GOOGLE_REFUSED, SEAL_DATA, SEAL_E_SYNTAX}},
};

struct answer_class answer_classify(unsigned status, const char *code)
{
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (strcmp(by_name[i].code, code) == 0)
			return by_name[i].is;
	if (status == 429)
		return (struct answer_class){GOOGLE_THROTTLED, SEAL_RETRY, SEAL_E_BUSY};
	if (status == 401 || status == 403 || status == 407)
		return (struct answer_class){GOOGLE_DENIED, SEAL_DENIED, SEAL_E_DENIED};
	if (status == 413)
		return (struct answer_class){GOOGLE_REFUSED, SEAL_DATA, SEAL_E_LIMIT};
	if (status == 501 || (status >= 300 && status < 500 && status != 408 && status != 499))
		return (struct answer_class){GOOGLE_REFUSED, SEAL_USAGE, SEAL_E_CONFIG};
	return (struct answer_class){GOOGLE_AWAY, SEAL_RETRY, SEAL_E_SERVICE};
}
