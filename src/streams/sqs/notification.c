/*
 * Wrapped notifications (docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages"). What is signed is
 *
 *   Message\n…\nMessageId\n…\n[Subject\n…\n]Timestamp\n…\nTopicArn\n…\nType\n…\n
 *
 * with SHA-1 (SignatureVersion 1) or SHA-256 (2), by the key of a certificate at SigningCertURL. Whose certificate that is is known by
 * where it lies alone: HTTPS, at a host of SNS's.
 */
#include "streams/sqs/notification.h"

#include <time.h>

#include "aws/answer.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/certificate.h"
#include "http/http.h"
#include "json/value.h"

#define URL_MAX 512
#define PEM_MAX 65536
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define CERTIFICATES_MAX 32 /* distinct addresses; more are fetched each time */
#define FETCH_MS 20000
#define AGAIN_MS 30000

struct sqs_certificate {
	struct sqs_certificate *next;
	char url[URL_MAX];
	struct seal_buf pem;
	struct seal_err
		why; /* … or, where that is empty, why it could not be had; status SEAL_OK: nobody knows yet */
	uint64_t failed_ms; /* when */
};

/* ---- certificates ---- */

/* sns.REGION.amazonaws.com, .com.cn */
static bool is_host(struct seal_bytes host)
{
	static const char *const tails[] = {".amazonaws.com", ".amazonaws.com.cn"};
	struct seal_bytes region;

	if (!bytes_starts(host, BYTES_LIT("sns.")))
		return false;
	region = bytes_skip(host, 4);
	for (size_t i = 0; i < 2; i++) {
		const size_t len = strlen(tails[i]);

		if (region.len > len + 2 && memcmp(region.ptr + region.len - len, tails[i], len) == 0) {
			region.len -= len;
			for (size_t k = 0; k < region.len; k++)
				if ((region.ptr[k] < 'a' || region.ptr[k] > 'z') &&
				    (region.ptr[k] < '0' || region.ptr[k] > '9') && region.ptr[k] != '-')
					return false;
			return true;
		}
	}
	return false;
}

bool sqs_certificate_url(struct seal_bytes url)
{
	const uint8_t *slash;
	struct seal_bytes host;

	if (!bytes_starts(url, BYTES_LIT("https://")) || url.len >= URL_MAX ||
	    memcmp(url.ptr + url.len - 4, ".pem", 4) != 0)
		return false;
	for (size_t i = 0; i < url.len; i++)
		if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || memchr("?#@\\", url.ptr[i], 4) != NULL)
			return false;
	host = bytes_skip(url, 8);
	slash = memchr(host.ptr, '/', host.len);
	return slash != NULL && is_host(bytes_of(host.ptr, (size_t)(slash - host.ptr)));
}

/* Does an answer that is no 200 say that there is no such certificate, now and later? */
static bool is_missing(unsigned status)
{
	return status < 500 && status != 408 && status != 429;
}

static enum seal_status fetch_https(const char *url, struct seal_buf *out, struct seal_err *err)
{
	const char *path = strchr(url + 8, '/');
	struct http_exchange exchange = {.method = "GET", .path = path};
	struct http_config config = {
		.user_agent = "sealstream/" SEALSTREAM_VERSION, .retries = 2, .max_response = PEM_MAX};
	struct http_client *client = NULL;
	char base[URL_MAX];
	enum seal_status rc;

	snprintf(base, sizeof(base), "%.*s", (int)(path - url), url);
	config.base = base;
	SEAL_TRY(http_client_new(&config, &client, err));
	rc = http_ask(client, &exchange, clock_mono_ms() + FETCH_MS, err);
	if (rc != SEAL_OK && rc != SEAL_FATAL) { /* whatever was in the way: the record is not to blame */
		if (err != NULL)
			err->status = SEAL_RETRY;
		rc = SEAL_RETRY;
	} else if (rc == SEAL_OK && exchange.status == 200) {
		rc = buf_append(out, buf_bytes(&exchange.answer), err);
	} else if (rc == SEAL_OK) {
		rc = err_set(err, is_missing(exchange.status) ? SEAL_DATA : SEAL_RETRY, SEAL_E_SERVICE,
			     "the certificate %s: answer %u", url, exchange.status);
	}
out:
	http_exchange_clear(&exchange);
	http_client_free(client);
	return rc;
}

void sqs_trust_init(struct sqs_trust *trust)
{
	pthread_mutex_init(&trust->lock, NULL);
	trust->first = NULL;
	trust->n = 0;
	trust->again_ms = AGAIN_MS;
	trust->fetch = fetch_https;
}

void sqs_trust_clear(struct sqs_trust *trust)
{
	struct sqs_certificate *c;

	while ((c = trust->first) != NULL) {
		trust->first = c->next;
		buf_clear(&c->pem);
		mem_free(c);
	}
	pthread_mutex_destroy(&trust->lock);
}

/* Under lock. */
static struct sqs_certificate *find(const struct sqs_trust *trust, const char *url)
{
	struct sqs_certificate *c = trust->first;

	while (c != NULL && strcmp(c->url, url) != 0)
		c = c->next;
	return c;
}

/* Under lock: one more, or where there are many the place of one that could not be had. NULL: it will be fetched each time. */
static struct sqs_certificate *add(struct sqs_trust *trust, const char *url)
{
	struct sqs_certificate *c = trust->first;

	if (trust->n < CERTIFICATES_MAX) {
		c = mem_calloc(1, sizeof(*c));
		if (c == NULL)
			return NULL;
		c->pem.max = PEM_MAX;
		c->next = trust->first;
		trust->first = c;
		trust->n++;
	}
	while (c != NULL && c->pem.len > 0)
		c = c->next;
	if (c != NULL) {
		snprintf(c->url, sizeof(c->url), "%s", url);
		err_clear(&c->why);
	}
	return c;
}

/* What a fetch has come to: a certificate for good, a failure for a while. */
static enum seal_status remember(struct sqs_trust *trust, const char *url, const struct seal_buf *pem,
				 const struct seal_err *why, struct seal_err *err)
{
	struct sqs_certificate *c;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&trust->lock);
	c = find(trust, url);
	if (c == NULL)
		c = add(trust, url);
	if (c != NULL && c->pem.len == 0) { /* else another thread has had it meanwhile */
		c->why = *why;
		c->failed_ms = clock_mono_ms();
		if (why->status == SEAL_OK)
			rc = buf_append(&c->pem, buf_bytes(pem), err);
	}
	pthread_mutex_unlock(&trust->lock);
	return rc;
}

/* Is it known what comes of it? Then the certificate is appended to `pem`, or *rc says why there is none. */
static bool is_known(struct sqs_trust *trust, const char *url, struct seal_buf *pem, enum seal_status *rc,
		     struct seal_err *err)
{
	const struct sqs_certificate *c;
	bool known;

	pthread_mutex_lock(&trust->lock);
	c = find(trust, url);
	known = c != NULL &&
		(c->pem.len > 0 || (c->why.status != SEAL_OK && clock_mono_ms() - c->failed_ms < trust->again_ms));
	*rc = known ? c->why.status : SEAL_OK;
	if (known && *rc == SEAL_OK)
		*rc = buf_append(pem, buf_bytes(&c->pem), err);
	else if (known && err != NULL)
		*err = c->why;
	pthread_mutex_unlock(&trust->lock);
	return known;
}

/* Appends the certificate to `pem`. Several threads may fetch it at the same time: nobody waits for a server of no concern to him. */
static enum seal_status certificate(struct sqs_trust *trust, const char *url, struct seal_buf *pem,
				    struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	if (is_known(trust, url, pem, &rc, err))
		return rc;
	rc = trust->fetch(url, pem, &why);
	if (rc == SEAL_OK && memmem(pem->ptr, pem->len, PEM_BEGIN, sizeof(PEM_BEGIN) - 1) == NULL)
		rc = err_set(&why, SEAL_RETRY, SEAL_E_SERVICE, "what is at %s is no certificate", url);
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	if (rc == SEAL_OK || rc == SEAL_RETRY || rc == SEAL_DATA) {
		enum seal_status kept = remember(trust, url, pem, &why, err);

		rc = rc == SEAL_OK ? kept : rc;
	}
	return rc;
}

/* ---- notifications ---- */

enum part { MESSAGE, MESSAGE_ID, SUBJECT, TIMESTAMP, TOPIC, TYPE, VERSION, SIGNATURE, URL, PARTS };
static const char *const part_names[] = {
	"Message", "MessageId",	       "Subject",   "Timestamp",      "TopicArn",
	"Type",	   "SignatureVersion", "Signature", "SigningCertURL", "MessageAttributes"};

static enum seal_status signed_text(const struct seal_bytes *parts, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = MESSAGE; i <= TYPE; i++) {
		if (i == SUBJECT && parts[i].ptr == NULL)
			continue;
		SEAL_TRY(buf_printf(out, err, "%s\n", part_names[i]));
		SEAL_TRY(buf_append(out, parts[i], err));
		SEAL_TRY(buf_append_u8(out, '\n', err));
	}
out:
	return rc;
}

static enum seal_status verify(struct sqs_trust *trust, const struct seal_bytes *parts, struct seal_err *err)
{
	const bool sha1 = bytes_eq_str(parts[VERSION], "1");
	struct seal_buf text = BUF_INIT(8u << 20), pem = BUF_INIT(PEM_MAX);
	uint8_t signature[2048];
	char url[URL_MAX];
	size_t len = 0;
	enum seal_status rc;

	if (!sqs_certificate_url(parts[URL]))
		return err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			       "the notification names a certificate that does not lie at a host of SNS");
	if ((!sha1 && !bytes_eq_str(parts[VERSION], "2")) || parts[SIGNATURE].len > sizeof(signature) ||
	    !base64_decode(parts[SIGNATURE], signature, &len))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the notification's signature cannot be read");
	snprintf(url, sizeof(url), "%.*s", (int)parts[URL].len, (const char *)parts[URL].ptr);
	SEAL_TRY(certificate(trust, url, &pem, err));
	SEAL_TRY(signed_text(parts, &text, err));
	rc = certificate_verify(buf_bytes(&pem), sha1 ? CERTIFICATE_SHA1 : CERTIFICATE_SHA256, buf_bytes(&text),
				bytes_of(signature, len), err);
	if (rc != SEAL_OK)
		err_prefix(err, "the notification of SNS");
out:
	buf_clear(&text);
	buf_clear(&pem);
	return rc;
}

static enum seal_status read_attribute(const struct json_value *name, const struct json_value *value,
				       struct arena *arena, struct aws_attribute *out, bool *good,
				       struct seal_err *err)
{
	static const char *const names[] = {"Type", "Value"};
	struct json_value found[2];
	enum seal_status rc;

	*good = false;
	json_members(value, names, 2, found);
	SEAL_TRY(json_value_string(name, arena, &out->name, err));
	SEAL_TRY(json_value_string(&found[0], arena, &out->type, err));
	SEAL_TRY(json_value_string(&found[1], arena, &out->value, err));
	SEAL_TRY(aws_attribute_decode(out, arena, good, err));
out:
	return rc;
}

static enum seal_status read_attributes(const struct json_value *object, struct arena *arena,
					struct sqs_notification *out, struct seal_err *err)
{
	struct json_items items;
	struct json_value value;
	size_t n = 0;
	enum seal_status rc = SEAL_OK;

	json_items(object, &items);
	while (json_item_next(&items, &value))
		n++;
	out->attributes = arena_alloc(arena, (n + 1) * sizeof(*out->attributes), _Alignof(struct aws_attribute));
	if (out->attributes == NULL)
		return err_memory(err);
	json_items(object, &items);
	while (rc == SEAL_OK && json_item_next(&items, &value)) {
		bool good;

		rc = read_attribute(&items.name, &value, arena, &out->attributes[out->n], &good, err);
		out->n += good;
	}
	return rc;
}

enum seal_status sqs_notification_read(struct sqs_trust *trust, struct seal_bytes body, struct arena *arena, bool *is,
				       struct sqs_notification *out, struct seal_err *err)
{
	struct json_value root, found[PARTS + 1];
	struct seal_bytes parts[PARTS];
	enum seal_status rc;

	*is = false;
	memset(out, 0, sizeof(*out));
	if (body.len == 0 || memmem(body.ptr, body.len, "\"TopicArn\"", 10) == NULL ||
	    json_value_of(body, &root, NULL) != SEAL_OK)
		return SEAL_OK;
	json_members(&root, part_names, PARTS + 1, found);
	if (!json_value_is(&found[TYPE], JSON_STRING) || !bytes_eq_str(found[TYPE].text, "Notification") ||
	    !json_value_is(&found[MESSAGE], JSON_STRING) || !json_value_is(&found[MESSAGE_ID], JSON_STRING) ||
	    !json_value_is(&found[TOPIC], JSON_STRING))
		return SEAL_OK;
	*is = true;
	for (size_t i = 0; i < PARTS; i++)
		SEAL_TRY(json_value_string(&found[i], arena, &parts[i], err));
	if (trust != NULL)
		SEAL_TRY(verify(trust, parts, err));
	out->message = parts[MESSAGE];
	out->timestamp_ms = aws_time_of(parts[TIMESTAMP]) * 1000;
	SEAL_TRY(read_attributes(&found[PARTS], arena, out, err));
out:
	return rc;
}
