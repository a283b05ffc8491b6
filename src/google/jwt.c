/*
 * JWTs (RFC 7515, RFC 7519): base64url(header) "." base64url(claims) "." base64url(RSASSA-PKCS1-v1_5 of what stands before).
 */
#include "google/jwt.h"

#include "base/encode.h"
#include "json/string.h"

#define PART_MAX (16u << 10)

static enum seal_status member(struct seal_buf *out, const char *name, const char *text, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s\"%s\":", out->len == 0 ? "{" : ",", name));
	SEAL_TRY(json_string_append(out, bytes_str(text), err));
out:
	return rc;
}

static enum seal_status append_base64url(struct seal_buf *out, struct seal_bytes bytes, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(out, BASE64_LEN(bytes.len), err);

	if (rc == SEAL_OK)
		out->len += base64url_encode(bytes, (char *)out->ptr + out->len);
	return rc;
}

static enum seal_status append_head(struct seal_buf *out, const char *key_id, struct seal_err *err)
{
	struct seal_buf json = BUF_INIT(PART_MAX);
	enum seal_status rc;

	SEAL_TRY(member(&json, "alg", "RS256", err));
	SEAL_TRY(member(&json, "typ", "JWT", err));
	if (key_id != NULL)
		SEAL_TRY(member(&json, "kid", key_id, err));
	SEAL_TRY(buf_append_u8(&json, '}', err));
	SEAL_TRY(append_base64url(out, buf_bytes(&json), err));
out:
	buf_clear(&json);
	return rc;
}

static enum seal_status append_claims(struct seal_buf *out, const char *email, const char *audience,
				      const char *scope, int64_t now_s, struct seal_err *err)
{
	const long long from = (long long)now_s - JWT_BACKDATE_S;
	struct seal_buf json = BUF_INIT(PART_MAX);
	enum seal_status rc;

	SEAL_TRY(member(&json, "iss", email, err));
	SEAL_TRY(member(&json, "sub", email, err));
	SEAL_TRY(member(&json, audience != NULL ? "aud" : "scope", audience != NULL ? audience : scope, err));
	SEAL_TRY(buf_printf(&json, err, ",\"iat\":%lld,\"exp\":%lld}", from, from + JWT_LIFETIME_S));
	SEAL_TRY(append_base64url(out, buf_bytes(&json), err));
out:
	buf_clear(&json);
	return rc;
}

/* `text`: "Bearer HEADER.CLAIMS"; the signature is over what follows the first word. */
static enum seal_status append_signature(struct seal_buf *text, const struct rsa_key *key, struct seal_err *err)
{
	const struct seal_bytes message = bytes_skip(buf_bytes(text), sizeof("Bearer ") - 1);
	uint8_t signature[RSA_SIGNATURE_MAX];
	size_t len;
	enum seal_status rc;

	SEAL_TRY(rsa_sign_sha256(key, message, signature, &len, err));
	SEAL_TRY(buf_append_u8(text, '.', err));
	SEAL_TRY(append_base64url(text, bytes_of(signature, len), err));
out:
	return rc;
}

enum seal_status jwt_make(const struct google_credentials *c, const char *audience, const char *scope, int64_t now_s,
			  struct secret *header, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(4 * PART_MAX);
	enum seal_status rc;

	SEAL_INVARIANT(audience != NULL || scope != NULL);
	SEAL_TRY(buf_append_str(&text, "Bearer ", err));
	SEAL_TRY(append_head(&text, c->key_id, err));
	SEAL_TRY(buf_append_u8(&text, '.', err));
	SEAL_TRY(append_claims(&text, c->email, audience, scope, now_s, err));
	SEAL_TRY(append_signature(&text, &c->key, err));
	SEAL_TRY(buf_append_u8(&text, '\0', err));
	SEAL_TRY(secret_copy(header, buf_bytes(&text), err));
out:
	buf_clear(&text);
	return rc;
}
