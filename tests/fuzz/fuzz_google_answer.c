/* What Google's servers answer: any bytes give a token that is one, a code and a message on one line, or nothing. */
#include "fuzz.h"
#include "google/answer.h"
#include "http/token_answer.h"

static void check_token(struct seal_bytes body)
{
	struct secret header = SECRET_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t lifetime_s = 0;
	enum seal_status rc = token_answer_read(body, &header, &lifetime_s, &err);

	CHECK(rc == SEAL_OK || rc == SEAL_RETRY);
	CHECK((rc == SEAL_OK) == (header.ptr != NULL) && (rc == SEAL_OK) == (lifetime_s != 0));
	CHECK(lifetime_s <= TOKEN_ANSWER_LIFETIME_MAX_S);
	if (rc == SEAL_OK) {
		CHECK(strlen((const char *)header.ptr) + 1 == header.len && header.len > sizeof("Bearer "));
		CHECK(strchr((const char *)header.ptr, '\r') == NULL &&
		      strchr((const char *)header.ptr, '\n') == NULL);
	}
	secret_clear(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char code[GOOGLE_CODE_MAX], message[ANSWER_MESSAGE_MAX];
	struct seal_bytes body = bytes_of(data, size);

	check_token(body);
	(void)token_answer_error(body);
	answer_error(body, code, message);
	CHECK(strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(code) && strlen(code) < GOOGLE_CODE_MAX);
	CHECK(strlen(message) < ANSWER_MESSAGE_MAX && strchr(message, '\n') == NULL &&
	      strchr(message, '\x1b') == NULL);
	return 0;
}
