/* What a token server answers: any bytes give a token that is one, or an error. */
#include "fuzz.h"
#include "streams/kafka/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oauth_token token = OAUTH_TOKEN_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = oauth_answer_read(bytes_of(data, size), 1000, &token, &err);

	CHECK((rc == SEAL_OK) == (token.text.ptr != NULL));
	CHECK((rc == SEAL_OK) == (token.lifetime_ms != 0));
	if (rc == SEAL_OK) {
		size_t len = token.text.len - 1;

		CHECK(token.text.ptr[len] == '\0' && strlen((const char *)token.text.ptr) == len);
		CHECK(len > 0 && len <= OAUTH_TOKEN_MAX && len < size);
		CHECK(token.lifetime_ms <= OAUTH_LIFETIME_MAX_S * 1000ull);
	}
	oauth_token_clear(&token);
	return 0;
}
