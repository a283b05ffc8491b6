/* A file of credentials: any bytes give ones that are whole, or an error and nothing. */
#include "fuzz.h"
#include "google/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct google_credentials c;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = credentials_read(bytes_of(data, size), "file", &c, &err);

	CHECK(rc == err.status);
	CHECK((rc == SEAL_OK) == (c.kind != CREDENTIALS_NONE));
	CHECK(strchr(err.text, '\n') == NULL);
	if (c.kind == CREDENTIALS_SERVICE_ACCOUNT) {
		CHECK(c.email != NULL && *c.email != '\0' && c.key.len > 0 && c.key.len <= c.key.der.len);
	} else if (c.kind == CREDENTIALS_USER) {
		CHECK(c.client_id != NULL && c.token_uri != NULL);
		CHECK(memchr(c.client_secret.ptr, '\0', c.client_secret.len) != NULL);
		CHECK(memchr(c.refresh_token.ptr, '\0', c.refresh_token.len) != NULL);
	} else {
		CHECK(c.kind == CREDENTIALS_NONE && c.key.der.ptr == NULL);
		CHECK(c.client_secret.ptr == NULL && c.refresh_token.ptr == NULL);
	}
	credentials_clear(&c);
	return 0;
}
