/*
 * Messages out.
 *
 *   {"data":"…","attributes":{"name":"value",…},"orderingKey":"…"}
 *
 * What attributes a record needs is worked out in one place (each_attribute), for measuring and for writing. Limits are those of
 * cloud.google.com/pubsub/quotas: 100 attributes, 256 bytes a name, 1024 a value, 1024 an ordering key; names must not begin with "goog".
 */
#include "streams/pubsub/message.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "crypto/mac.h"
#include "json/string.h"
#include "streams/pubsub/attributes.h"

#define COUNT_MAX 100
#define NAME_MAX_BYTES 256
#define VALUE_MAX 1024
#define KEY_MAX 1024
#define PER_ATTRIBUTE 12 /* of a message's encoding: tags and lengths, at most */
#define PER_MESSAGE 32

/* One attribute; `raw`: what goes in is base64 of the value. */
typedef enum seal_status (*attribute_visit)(void *arg, struct seal_bytes name, struct seal_bytes value, bool raw,
					    struct seal_err *err);

static bool is_text(struct seal_bytes bytes)
{
	return bytes.len == 0 || utf8_valid(bytes);
}

/* Is the key the ordering key as it is? */
static bool is_plain_key(struct seal_bytes key)
{
	return key.len > 0 && key.len <= KEY_MAX && utf8_valid(key);
}

static struct seal_bytes value_of(const struct record_header *header)
{
	return header->value.ptr != NULL ? header->value : BYTES_EMPTY;
}

/* Names of headers whose values are no text, parted by commas; *len > VALUE_MAX: more than fits. */
static void list_raw(const struct record *r, char out[VALUE_MAX], size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < r->n_headers && *len <= VALUE_MAX; i++) {
		const struct record_header *header = &r->headers[i];
		const size_t gap = *len > 0, n = header->name.len;

		if (is_text(value_of(header)))
			continue;
		if (*len + gap + n > VALUE_MAX) {
			*len = VALUE_MAX + 1;
			return;
		}
		if (gap)
			out[*len] = ',';
		if (n > 0)
			memcpy(out + *len + gap, header->name.ptr, n);
		*len += gap + n;
	}
}

/* SEAL_DATA/SEAL_E_LIMIT where the list of raw ones does not fit. */
static enum seal_status each_attribute(const struct record *r, bool headers, attribute_visit visit, void *arg,
				       struct seal_err *err)
{
	const bool keyed = r->key.ptr != NULL && !is_plain_key(r->key);
	char raw[VALUE_MAX];
	size_t raw_len = 0;
	enum seal_status rc = SEAL_OK;

	if (headers) {
		list_raw(r, raw, &raw_len);
		if (raw_len > VALUE_MAX)
			return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
				       "too many headers have values that are no text for Pub/Sub's attributes; use "
				       "--pubsub-headers drop");
		for (size_t i = 0; i < r->n_headers; i++)
			SEAL_TRY(visit(arg, r->headers[i].name, value_of(&r->headers[i]),
				       !is_text(value_of(&r->headers[i])), err));
	}
	if (raw_len > 0)
		SEAL_TRY(visit(arg, BYTES_LIT(ATTRIBUTE_BASE64), bytes_of(raw, raw_len), false, err));
	if (keyed)
		SEAL_TRY(visit(arg, BYTES_LIT(ATTRIBUTE_KEY), r->key, true, err));
	if (r->value.ptr == NULL)
		SEAL_TRY(visit(arg, BYTES_LIT(ATTRIBUTE_NULL), BYTES_LIT("true"), false, err));
	else if (r->value.len == 0 && !keyed && (!headers || r->n_headers == 0))
		SEAL_TRY(visit(arg, BYTES_LIT(ATTRIBUTE_NULL), BYTES_LIT("false"), false, err));
out:
	return rc;
}

/* ---- measuring ---- */

struct measure {
	size_t n, bytes;
};

static enum seal_status measure_attribute(void *arg, struct seal_bytes name, struct seal_bytes value, bool raw,
					  struct seal_err *err)
{
	struct measure *m = arg;
	const size_t len = raw ? BASE64_LEN(value.len) : value.len;

	if (len > VALUE_MAX && bytes_eq_str(name, ATTRIBUTE_KEY))
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "a key of %zu bytes is too long for Pub/Sub: 1024 bytes where it is text, 768 where "
			       "it is not",
			       value.len);
	if (len > VALUE_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "header \"%.*s\" is too long for an attribute of Pub/Sub, which has at most %d bytes "
			       "(base64 where "
			       "it is no text); use --pubsub-headers drop",
			       BYTES_FMT(name), VALUE_MAX);
	if (++m->n > COUNT_MAX)
		return err_set(
			err, SEAL_DATA, SEAL_E_LIMIT,
			"more than the %d attributes that a message of Pub/Sub can have; use --pubsub-headers drop",
			COUNT_MAX);
	m->bytes += name.len + len + PER_ATTRIBUTE;
	return SEAL_OK;
}

static bool is_ours(struct seal_bytes name)
{
	return bytes_eq_str(name, ATTRIBUTE_KEY) || bytes_eq_str(name, ATTRIBUTE_BASE64) ||
	       bytes_eq_str(name, ATTRIBUTE_NULL);
}

static enum seal_status check_name(const struct record *r, size_t at, struct seal_err *err)
{
	const struct record_header *header = &r->headers[at];
	const struct seal_bytes name = header->name;
	const char *why = NULL;

	if (name.len == 0 || name.len > NAME_MAX_BYTES)
		why = "has no 1 to 256 bytes";
	else if (!utf8_valid(name))
		why = "is no text";
	else if (bytes_starts(name, BYTES_LIT("goog")))
		why = "begins with \"goog\", which Pub/Sub keeps to itself";
	else if (is_ours(name))
		why = "is one that sealstream uses itself";
	else if (memchr(name.ptr, ',', name.len) != NULL && !is_text(value_of(header)))
		why = "has a comma, and its value is no text";
	for (size_t i = 0; i < at && why == NULL; i++)
		if (bytes_eq(r->headers[i].name, name))
			why = "stands there twice";
	if (why == NULL)
		return SEAL_OK;
	return err_set(err, SEAL_DATA, SEAL_E_TYPE,
		       "the name of header %zu cannot be an attribute of Pub/Sub: it %s; use --pubsub-headers drop",
		       at + 1, why);
}

enum seal_status message_measure(const struct record *r, bool headers, size_t *bytes, struct seal_err *err)
{
	struct measure m = {.n = 0};
	enum seal_status rc = SEAL_OK;

	*bytes = 0;
	for (size_t i = 0; headers && i < r->n_headers && i <= COUNT_MAX; i++)
		SEAL_TRY(check_name(r, i, err));
	SEAL_TRY(each_attribute(r, headers, measure_attribute, &m, err));
	*bytes = PER_MESSAGE + r->value.len + m.bytes;
	if (r->key.len > 0)
		*bytes += is_plain_key(r->key) ? r->key.len : (size_t)2 * SHA256_LEN;
	if (*bytes > MESSAGE_REQUEST_MAX - MESSAGE_REQUEST_ROOM)
		rc = err_set(err, SEAL_DATA, SEAL_E_LIMIT, "%zu bytes are more than the 10 MB that Pub/Sub takes",
			     *bytes);
out:
	return rc;
}

/* ---- writing ---- */

struct writer {
	struct seal_buf *out;
	size_t n;
};

static enum seal_status write_attribute(void *arg, struct seal_bytes name, struct seal_bytes value, bool raw,
					struct seal_err *err)
{
	struct writer *w = arg;
	enum seal_status rc;

	SEAL_TRY(buf_append_str(w->out, w->n++ == 0 ? "\"attributes\":{" : ",", err));
	SEAL_TRY(json_string_append(w->out, name, err));
	SEAL_TRY(buf_append_u8(w->out, ':', err));
	SEAL_TRY(raw ? json_base64_append(w->out, value, err) : json_string_append(w->out, value, err));
out:
	return rc;
}

static enum seal_status write_key(struct seal_bytes key, struct seal_buf *out, struct seal_err *err)
{
	uint8_t hash[SHA256_LEN];
	char hex[2 * SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "\"orderingKey\":", err));
	if (is_plain_key(key))
		return json_string_append(out, key, err);
	SEAL_TRY(sha256(key, hash, err));
	hex_encode(bytes_of(hash, sizeof(hash)), hex);
	SEAL_TRY(json_string_append(out, bytes_of(hex, sizeof(hex)), err));
out:
	return rc;
}

enum seal_status message_append(const struct record *r, bool headers, struct seal_buf *out, struct seal_err *err)
{
	struct writer w = {out, 0};
	const char *gap = "";
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '{', err));
	if (r->value.len > 0) {
		SEAL_TRY(buf_append_str(out, "\"data\":", err));
		SEAL_TRY(json_base64_append(out, r->value, err));
		gap = ",";
	}
	if (r->key.len > 0) {
		SEAL_TRY(buf_append_str(out, gap, err));
		SEAL_TRY(write_key(r->key, out, err));
		gap = ",";
	}
	SEAL_TRY(buf_append_str(out, gap, err));
	SEAL_TRY(each_attribute(r, headers, write_attribute, &w, err));
	if (w.n > 0)
		SEAL_TRY(buf_append_u8(out, '}', err));
	else
		out->len -= strlen(gap);
	SEAL_TRY(buf_append_u8(out, '}', err));
out:
	return rc;
}
