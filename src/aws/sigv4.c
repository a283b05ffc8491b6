/*
 * AWS Signature Version 4.
 *
 *   canonical request ──SHA-256──▶ string to sign ──HMAC──▶ signature
 *   secret key ─HMAC date─HMAC region─HMAC service─HMAC "aws4_request"──▶ signing key ──┘
 */
#include "aws/sigv4.h"

#include <ctype.h>
#include <strings.h>

#include "base/encode.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define CANONICAL_MAX (1u << 20)
#define DATE_LEN 8 /* of the time: 20150830 */

void sigv4_time(int64_t unix_s, char out[SIGV4_TIME_SIZE])
{
	time_t seconds = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(out, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		snprintf(out, SIGV4_TIME_SIZE, "19700101T000000Z");
}

/* Indexes of the headers in the order of their names; equal names stay in theirs. */
static void sort_headers(const struct sigv4_request *r, size_t order[SIGV4_HEADERS_MAX])
{
	for (size_t i = 0; i < r->n_headers; i++) {
		size_t at = i;

		while (at > 0 && strcasecmp(r->headers[order[at - 1]].name, r->headers[i].name) > 0) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
	}
}

static enum seal_status append_lower(struct seal_buf *out, const char *text, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (; *text != '\0' && rc == SEAL_OK; text++)
		rc = buf_append_u8(out, (uint8_t)tolower((unsigned char)*text), err);
	return rc;
}

/* Without white space around it, and with one space for each run of it. */
static enum seal_status append_trimmed(struct seal_buf *out, const char *text, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool space = false, any = false;

	for (; *text != '\0' && rc == SEAL_OK; text++) {
		if (*text == ' ' || *text == '\t') {
			space = any;
			continue;
		}
		if (space)
			rc = buf_append_u8(out, ' ', err);
		if (rc == SEAL_OK)
			rc = buf_append_u8(out, (uint8_t)*text, err);
		space = false;
		any = true;
	}
	return rc;
}

static bool same_name(const struct sigv4_request *r, size_t a, size_t b)
{
	return strcasecmp(r->headers[a].name, r->headers[b].name) == 0;
}

static enum seal_status append_headers(struct seal_buf *out, const struct sigv4_request *r, const size_t *order,
				       struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_headers; i++) {
		bool more = i > 0 && same_name(r, order[i - 1], order[i]);

		if (!more) {
			if (i > 0)
				SEAL_TRY(buf_append_u8(out, '\n', err));
			SEAL_TRY(append_lower(out, r->headers[order[i]].name, err));
		}
		SEAL_TRY(buf_append_u8(out, more ? ',' : ':', err));
		SEAL_TRY(append_trimmed(out, r->headers[order[i]].value, err));
	}
	SEAL_TRY(buf_append_u8(out, '\n', err));
out:
	return rc;
}

static enum seal_status append_names(struct seal_buf *out, const struct sigv4_request *r, const size_t *order,
				     struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_headers; i++) {
		if (i > 0 && same_name(r, order[i - 1], order[i]))
			continue;
		if (i > 0)
			SEAL_TRY(buf_append_u8(out, ';', err));
		SEAL_TRY(append_lower(out, r->headers[order[i]].name, err));
	}
out:
	return rc;
}

static enum seal_status append_hash(struct seal_buf *out, struct seal_bytes of, struct seal_err *err)
{
	uint8_t hash[SHA256_LEN];
	char hex[2 * SHA256_LEN];
	enum seal_status rc = sha256(of, hash, err);

	if (rc != SEAL_OK)
		return rc;
	hex_encode(bytes_of(hash, sizeof(hash)), hex);
	return buf_append(out, bytes_of(hex, sizeof(hex)), err);
}

static enum seal_status canonical_request(const struct sigv4_request *r, const size_t *order, struct seal_buf *out,
					  struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s\n%s\n%s\n", r->method, r->path, r->query));
	SEAL_TRY(append_headers(out, r, order, err));
	SEAL_TRY(buf_append_u8(out, '\n', err));
	SEAL_TRY(append_names(out, r, order, err));
	SEAL_TRY(buf_append_u8(out, '\n', err));
	SEAL_TRY(append_hash(out, r->body, err));
out:
	return rc;
}

static enum seal_status keyed_hash(struct hmac *hmac, struct seal_bytes in, uint8_t out[SHA256_LEN],
				   struct seal_err *err)
{
	struct hmac_item item = {.in = in, .out = out};

	return hmac_many(hmac, &item, 1, err);
}

/* The key of that day, region and service. */
static enum seal_status signing_key(struct seal_bytes secret_key, const char *time, const struct sigv4_request *r,
				    struct hmac **out, struct seal_err *err)
{
	const struct seal_bytes steps[] = {bytes_of(time, DATE_LEN), bytes_str(r->region), bytes_str(r->service),
					   BYTES_LIT("aws4_request")};
	struct secret first = SECRET_INIT, key = SECRET_INIT;
	struct hmac *hmac = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(secret_alloc(&first, 4 + secret_key.len, err));
	SEAL_TRY(secret_alloc(&key, SHA256_LEN, err));
	memcpy(first.ptr, "AWS4", 4);
	memcpy(first.ptr + 4, secret_key.ptr, secret_key.len);
	SEAL_TRY(hmac_new(secret_bytes(&first), &hmac, err));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		SEAL_TRY(keyed_hash(hmac, steps[i], key.ptr, err));
		hmac_free(hmac);
		SEAL_TRY(hmac_new(secret_bytes(&key), &hmac, err));
	}
	*out = hmac;
	hmac = NULL;
out:
	hmac_free(hmac);
	secret_clear(&first);
	secret_clear(&key);
	return rc;
}

void sigv4_signer_clear(struct sigv4_signer *signer)
{
	hmac_free(signer->hmac);
	signer->hmac = NULL;
	secret_clear(&signer->secret_key);
}

/* The signer has the key for that scope and that secret key. */
static enum seal_status aim(struct sigv4_signer *signer, const struct sigv4_request *r, const char *time,
			    const char *scope, struct seal_bytes secret_key, struct seal_err *err)
{
	enum seal_status rc;

	if (signer->hmac != NULL && strcmp(signer->scope, scope) == 0 && signer->secret_key.len == secret_key.len &&
	    ct_equal(signer->secret_key.ptr, secret_key.ptr, secret_key.len))
		return SEAL_OK;
	sigv4_signer_clear(signer);
	if (secret_key.len > 0)
		SEAL_TRY(secret_copy(&signer->secret_key, secret_key, err));
	snprintf(signer->scope, sizeof(signer->scope), "%s", scope);
	rc = signing_key(secret_key, time, r, &signer->hmac, err);
out:
	return rc;
}

enum seal_status sigv4_sign(struct sigv4_signer *signer, const struct sigv4_request *r, const char *access_key,
			    struct seal_bytes secret_key, struct seal_buf *authorization, struct seal_err *err)
{
	struct seal_buf canonical = BUF_INIT(CANONICAL_MAX), to_sign = BUF_INIT(CANONICAL_MAX);
	struct sigv4_signer once = SIGV4_SIGNER_INIT, *with = signer != NULL ? signer : &once;
	char hex[2 * SHA256_LEN], time[SIGV4_TIME_SIZE], scope[SIGV4_SCOPE_MAX];
	uint8_t signature[SHA256_LEN];
	size_t order[SIGV4_HEADERS_MAX];
	enum seal_status rc;

	SEAL_INVARIANT(r->n_headers <= SIGV4_HEADERS_MAX);
	sort_headers(r, order);
	sigv4_time(r->unix_s, time);
	snprintf(scope, sizeof(scope), "%.*s/%s/%s/aws4_request", DATE_LEN, time, r->region, r->service);
	SEAL_TRY(canonical_request(r, order, &canonical, err));
	SEAL_TRY(buf_printf(&to_sign, err, ALGORITHM "\n%s\n%s\n", time, scope));
	SEAL_TRY(append_hash(&to_sign, buf_bytes(&canonical), err));
	SEAL_TRY(aim(with, r, time, scope, secret_key, err));
	SEAL_TRY(keyed_hash(with->hmac, buf_bytes(&to_sign), signature, err));
	hex_encode(bytes_of(signature, sizeof(signature)), hex);
	SEAL_TRY(buf_printf(authorization, err, ALGORITHM " Credential=%s/%s, SignedHeaders=", access_key, scope));
	SEAL_TRY(append_names(authorization, r, order, err));
	SEAL_TRY(buf_printf(authorization, err, ", Signature=%.*s", (int)sizeof(hex), hex));
out:
	sigv4_signer_clear(&once);
	buf_clear(&canonical);
	buf_clear(&to_sign);
	return rc;
}
