/*
 *   {"Body":"…","BrokerProperties":{"PartitionKey":"…"},"UserProperties":{"name":"value","seal.key":"base64"}}
 *
 * or, where the body is no text:
 *
 *   BrokerProperties: {"PartitionKey":"…"}
 *   name: "value"                              a string of JSON; ASCII, and a name that is none of HTTP's own
 *   seal.key: "base64"
 *
 * A key of up to 128 characters of text is the PartitionKey; of any other the hex SHA-256 is, and the key goes beside it. So equal keys
 * meet in one partition in either case.
 */
#include "streams/eventhubs/event.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/utf8.h"
#include "crypto/mac.h"
#include "json/string.h"

#define KEY_MAX 128
#define KEY_PROPERTY "seal.key"
#define FRAME 128 /* at least all names and signs around the values */
#define HEADERS_MAX 1024 /* each name is held against the others */
#define ALONE_MAX 8192 /* bytes of HTTP headers beside a body: the service's servers take 16 KiB with the login */

static enum seal_status not_here(struct seal_err *err, struct seal_bytes name, const char *why)
{
	return err_set(err, SEAL_DATA, SEAL_E_TYPE, "header %.*s %s; --eventhubs-headers drop leaves headers out",
		       (int)(name.len < 80 ? name.len : 80), name.len ? (const char *)name.ptr : "", why);
}

static bool is_text(struct seal_bytes bytes)
{
	return utf8_valid(bytes);
}

bool event_is_alone(const struct record *record)
{
	return !is_text(record->value);
}

static bool is_own_key(struct seal_bytes key)
{
	size_t at = 0, characters = 0;
	uint32_t c;

	while (at < key.len && characters <= KEY_MAX && utf8_next(key, &at, &c) && !utf8_steers(c))
		characters++;
	return key.len > 0 && at == key.len && characters <= KEY_MAX;
}

/* ---- what can be ---- */

/* RFC 9110, section 5.6.2; and nothing that HTTP, a proxy or the service itself reads. */
static bool is_free_name(struct seal_bytes name)
{
	static const char *const taken[] = {
		"accept",     "authorization", "brokerproperties", "connection", "content-",	 "cookie",
		"date",	      "expect",	       "forwarded",	   "from",	 "host",	 "if-",
		"keep-alive", "max-forwards",  "proxy-",	   "range",	 "te",		 "trailer",
		"transfer-",  "upgrade",       "user-agent",	   "via",	 "x-forwarded-", "x-ms-"};

	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name.ptr[i]) != NULL)
			return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		const size_t len = strlen(taken[i]);

		if (name.len >= len && strncasecmp((const char *)name.ptr, taken[i], len) == 0 &&
		    (taken[i][len - 1] == '-' || name.len == len))
			return false;
	}
	return true;
}

static bool is_ascii(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] >= 0x7f)
			return false;
	return true;
}

/* Names of HTTP's headers are equal whatever their case. */
static bool is_same(struct seal_bytes a, struct seal_bytes b, bool alone)
{
	return a.len == b.len &&
	       (alone ? strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0 : bytes_eq(a, b));
}

static enum seal_status check_header(const struct record *record, size_t i, bool alone, struct seal_err *err)
{
	const struct record_header *h = &record->headers[i];

	if (h->name.len == 0 || !is_text(h->name))
		return not_here(err, BYTES_LIT("without a name of text"), "cannot be a property");
	if (h->value.ptr == NULL || !is_text(h->value))
		return not_here(err, h->name, "is no text, as properties are");
	if (is_same(h->name, BYTES_LIT(KEY_PROPERTY), alone))
		return not_here(err, h->name, "has the name of the property for keys");
	for (size_t j = 0; j < i; j++)
		if (is_same(h->name, record->headers[j].name, alone))
			return not_here(err, h->name, "is there twice");
	if (alone && (!is_free_name(h->name) || !is_ascii(h->value)))
		return not_here(err, h->name, "cannot go beside a value that is no text, as a header of HTTP");
	return SEAL_OK;
}

static size_t key_size(struct seal_bytes key)
{
	if (key.ptr == NULL)
		return 0;
	return is_own_key(key) ? json_string_written(key)
			       : 2 * SHA256_LEN + BASE64_LEN(key.len) + sizeof(KEY_PROPERTY);
}

/* All of them, and what they take. */
static enum seal_status check_headers(const struct record *record, bool alone, size_t *bytes, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*bytes = 0;
	if (record->n_headers > HEADERS_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "%zu headers are more than the %d that are made properties; --eventhubs-headers drop "
			       "leaves headers out",
			       record->n_headers, HEADERS_MAX);
	for (size_t i = 0; i < record->n_headers; i++) {
		SEAL_TRY(check_header(record, i, alone, err));
		*bytes += json_string_written(record->headers[i].name) +
			  json_string_written(record->headers[i].value) + 2;
	}
out:
	return rc;
}

enum seal_status event_measure(const struct record *record, bool with_headers, size_t max, size_t *bytes,
			       struct seal_err *err)
{
	const bool alone = event_is_alone(record);
	size_t beside = 0;
	enum seal_status rc = SEAL_OK;

	*bytes = 0;
	if (record->value.ptr == NULL)
		return err_set(err, SEAL_DATA, SEAL_E_TYPE, "Event Hubs has no events without a value over HTTPS");
	if (with_headers)
		SEAL_TRY(check_headers(record, alone, &beside, err));
	beside += key_size(record->key);
	if (alone && beside > ALONE_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "its key and headers take %zu bytes, and beside a value that is no text there are %d: "
			       "headers of HTTP; --eventhubs-headers drop leaves headers out",
			       beside, ALONE_MAX);
	*bytes = FRAME + beside + (alone ? record->value.len : json_string_written(record->value));
	if (*bytes > max)
		rc = err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			     "takes %zu bytes of a request, more than the %zu of --eventhubs-event-bytes", *bytes,
			     max);
out:
	return rc;
}

/* ---- writing ---- */

/* Each behind a comma but for the first. */
struct members {
	struct seal_buf *out;
	bool more;
};

static enum seal_status add_member(struct members *m, struct seal_bytes name, struct seal_bytes value,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (m->more)
		SEAL_TRY(buf_append_u8(m->out, ',', err));
	m->more = true;
	SEAL_TRY(json_string_append(m->out, name, err));
	SEAL_TRY(buf_append_u8(m->out, ':', err));
	SEAL_TRY(json_string_append(m->out, value, err));
out:
	return rc;
}

/* {"PartitionKey":…} of a record that has a key. */
static enum seal_status append_broker_properties(struct seal_buf *out, struct seal_bytes key, struct seal_err *err)
{
	struct members members = {.out = out};
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '{', err));
	if (is_own_key(key)) {
		SEAL_TRY(add_member(&members, BYTES_LIT("PartitionKey"), key, err));
	} else {
		SEAL_TRY(sha256(key, digest, err));
		hex_encode(bytes_of(digest, sizeof(digest)), hex);
		SEAL_TRY(add_member(&members, BYTES_LIT("PartitionKey"), bytes_of(hex, sizeof(hex)), err));
	}
	SEAL_TRY(buf_append_u8(out, '}', err));
out:
	return rc;
}

/* Base64 of a key that is not the PartitionKey itself; ptr NULL with SEAL_OK: it is, or there is none. */
static enum seal_status key_beside(struct seal_bytes key, struct arena *arena, struct seal_bytes *out,
				   struct seal_err *err)
{
	char *text;

	*out = BYTES_EMPTY;
	if (key.ptr == NULL || is_own_key(key))
		return SEAL_OK;
	text = arena_alloc(arena, BASE64_LEN(key.len) + 1, 1);
	if (text == NULL)
		return err_memory(err);
	*out = bytes_of(text, base64_encode(key, text));
	return SEAL_OK;
}

static enum seal_status append_user_properties(struct seal_buf *out, const struct record *record, bool with_headers,
					       struct seal_err *err)
{
	struct members members = {.out = out};
	struct seal_bytes beside;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(buf_append_u8(out, '{', err));
	SEAL_TRY(key_beside(record->key, &arena, &beside, err));
	if (beside.ptr != NULL)
		SEAL_TRY(add_member(&members, BYTES_LIT(KEY_PROPERTY), beside, err));
	for (size_t i = 0; with_headers && i < record->n_headers; i++)
		SEAL_TRY(add_member(&members, record->headers[i].name, record->headers[i].value, err));
	SEAL_TRY(buf_append_u8(out, '}', err));
out:
	arena_clear(&arena);
	return rc;
}

enum seal_status event_append(struct seal_buf *out, const struct record *record, bool with_headers,
			      struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "{\"Body\":", err));
	SEAL_TRY(json_string_append(out, record->value, err));
	if (record->key.ptr != NULL) {
		SEAL_TRY(buf_append_str(out, ",\"BrokerProperties\":", err));
		SEAL_TRY(append_broker_properties(out, record->key, err));
	}
	if ((with_headers && record->n_headers > 0) || (record->key.ptr != NULL && !is_own_key(record->key))) {
		SEAL_TRY(buf_append_str(out, ",\"UserProperties\":", err));
		SEAL_TRY(append_user_properties(out, record, with_headers, err));
	}
	SEAL_TRY(buf_append_u8(out, '}', err));
out:
	return rc;
}

/* ---- alone ---- */

static enum seal_status add_header(struct http_header *header, struct arena *arena, struct seal_bytes name,
				   struct seal_bytes value, struct seal_err *err)
{
	uint8_t *text = arena_alloc(arena, json_string_written(value) + 1, 1);

	header->name = arena_strndup(arena, (const char *)name.ptr, name.len);
	header->value = (const char *)text;
	if (text == NULL || header->name == NULL)
		return err_memory(err);
	text[json_string_write(value, text)] = '\0';
	return SEAL_OK;
}

/* JSON in ASCII, for a header of HTTP; NULL: no memory. */
static const char *in_ascii(struct arena *arena, struct seal_bytes json)
{
	char *text = arena_alloc(arena, 6 * json.len + 1, 1);
	size_t at = 0, len = 0;
	uint32_t c;

	while (text != NULL && at < json.len && utf8_next(json, &at, &c)) {
		const uint32_t high = 0xd800 + ((c - 0x10000) >> 10), low = 0xdc00 + ((c - 0x10000) & 0x3ff);

		if (c < 0x7f)
			text[len++] = (char)c;
		else if (c < 0x10000)
			len += (size_t)snprintf(text + len, 7, "\\u%04x", c);
		else
			len += (size_t)snprintf(text + len, 13, "\\u%04x\\u%04x", high, low);
	}
	if (text != NULL)
		text[len] = '\0';
	return text;
}

static enum seal_status add_key(const struct record *record, struct arena *arena, struct http_header *headers,
				size_t *n, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(8 * KEY_MAX + FRAME);
	struct seal_bytes beside;
	enum seal_status rc;

	SEAL_TRY(append_broker_properties(&text, record->key, err));
	headers[*n] = (struct http_header){"BrokerProperties", in_ascii(arena, buf_bytes(&text))};
	if (headers[(*n)++].value == NULL)
		rc = err_memory(err);
	SEAL_TRY(rc);
	SEAL_TRY(key_beside(record->key, arena, &beside, err));
	if (beside.ptr != NULL)
		SEAL_TRY(add_header(&headers[(*n)++], arena, BYTES_LIT(KEY_PROPERTY), beside, err));
out:
	buf_clear(&text);
	return rc;
}

enum seal_status event_headers(const struct record *record, bool with_headers, struct arena *arena,
			       struct http_header **out, size_t *n, struct seal_err *err)
{
	struct http_header *headers =
		arena_alloc(arena, (record->n_headers + 2) * sizeof(*headers), _Alignof(struct http_header));
	enum seal_status rc = SEAL_OK;

	*n = 0;
	*out = headers;
	if (headers == NULL)
		return err_memory(err);
	if (record->key.ptr != NULL)
		SEAL_TRY(add_key(record, arena, headers, n, err));
	for (size_t i = 0; with_headers && i < record->n_headers; i++)
		SEAL_TRY(add_header(&headers[(*n)++], arena, record->headers[i].name, record->headers[i].value, err));
out:
	return rc;
}
