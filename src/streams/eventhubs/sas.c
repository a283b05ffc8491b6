/*
 *   SharedAccessSignature sr=URI&sig=SIGNATURE&se=EXPIRES&skn=NAME      all percent-encoded
 *
 *   SIGNATURE = base64(HMAC-SHA-256(key, URI "\n" EXPIRES))             URI percent-encoded here, too
 */
#include "streams/eventhubs/sas.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/encode.h"
#include "crypto/mac.h"
#include "http/http.h"

#define PARTS_MAX 4096

static enum seal_status sign(const char *key, struct seal_bytes text, char out[BASE64_LEN(SHA256_LEN)],
			     struct seal_err *err)
{
	struct hmac *hmac = NULL;
	uint8_t mac[SHA256_LEN];
	struct hmac_item item = {.prefix = BYTES_EMPTY, .in = text, .out = mac};
	enum seal_status rc;

	SEAL_TRY(hmac_new(bytes_str(key), &hmac, err));
	SEAL_TRY(hmac_many(hmac, &item, 1, err));
	base64_encode(bytes_of(mac, sizeof(mac)), out);
out:
	hmac_free(hmac);
	return rc;
}

enum seal_status sas_make(const char *uri, const char *key_name, const char *key, int64_t expires_s,
			  struct secret *out, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(PARTS_MAX), all = BUF_INIT(PARTS_MAX);
	char signature[BASE64_LEN(SHA256_LEN)], expires[24];
	enum seal_status rc;

	snprintf(expires, sizeof(expires), "%lld", (long long)expires_s);
	SEAL_TRY(http_path_append(&text, bytes_str(uri), err));
	SEAL_TRY(buf_append_str(&all, "SharedAccessSignature sr=", err));
	SEAL_TRY(buf_append(&all, buf_bytes(&text), err));
	SEAL_TRY(buf_append_str(&text, "\n", err));
	SEAL_TRY(buf_append_str(&text, expires, err));
	SEAL_TRY(sign(key, buf_bytes(&text), signature, err));
	SEAL_TRY(buf_append_str(&all, "&sig=", err));
	SEAL_TRY(http_path_append(&all, bytes_of(signature, sizeof(signature)), err));
	SEAL_TRY(buf_append_str(&all, "&se=", err));
	SEAL_TRY(buf_append_str(&all, expires, err));
	SEAL_TRY(buf_append_str(&all, "&skn=", err));
	SEAL_TRY(http_path_append(&all, bytes_str(key_name), err));
	SEAL_TRY(buf_append_u8(&all, 0, err));
	SEAL_TRY(secret_copy(out, buf_bytes(&all), err));
out:
	buf_clear(&all);
	buf_clear(&text);
	return rc;
}
