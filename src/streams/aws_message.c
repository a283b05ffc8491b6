/*
 * Records and messages. Sizes are counted as SQS and SNS do: the bytes of the body as it is sent, and of each attribute its name, its
 * type ("String", "Binary") and its value.
 */
#include "streams/aws_message.h"

#include <strings.h>

#include "base/encode.h"
#include "base/utf8.h"
#include "crypto/mac.h"
#include "crypto/random.h"

#define KEY_NAME "seal.key"
#define ENCODING_NAME "seal.encoding"
#define ENCODING "base64"
#define NAME_MAX_LEN 256
#define TYPE_LEN 6 /* of "String" and "Binary" */
/* seal.encoding, and types and the name of the key: what a record does not count itself. */
#define OVERHEAD 256

/* #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF: XML's characters, as SQS's documentation has them. */
static bool is_text(struct seal_bytes text)
{
	static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	size_t at = 0;

	while (at < text.len) {
		uint32_t c = text.ptr[at];
		uint64_t eight;

		if (text.len - at >= 8) { /* eight of ' ' … '~' and DEL at once */
			memcpy(&eight, text.ptr + at, 8);
			if (((eight | (eight - ones * 0x20)) & tops) == 0) {
				at += 8;
				continue;
			}
		}
		if (c < 0x80)
			at++;
		else if (!utf8_next(text, &at, &c))
			return false;
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe || c == 0xffff)
			return false;
	}
	return true;
}

bool aws_name_is_fifo(struct seal_bytes name)
{
	return name.len > 5 && memcmp(name.ptr + name.len - 5, ".fifo", 5) == 0;
}

bool aws_name_is_good(struct seal_bytes name, size_t max)
{
	const size_t stem = name.len - (aws_name_is_fifo(name) ? 5 : 0);

	for (size_t i = 0; i < stem; i++)
		if ((name.ptr[i] < 'a' || name.ptr[i] > 'z') && (name.ptr[i] < 'A' || name.ptr[i] > 'Z') &&
		    (name.ptr[i] < '0' || name.ptr[i] > '9') && name.ptr[i] != '_' && name.ptr[i] != '-')
			return false;
	return stem > 0 && name.len <= max;
}

/* Letters, digits and punctuation: ASCII without the space. */
static bool is_group(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f)
			return false;
	return text.len > 0 && text.len <= AWS_GROUP_MAX;
}

static bool has_prefix(struct seal_bytes name, const char *prefix)
{
	size_t len = strlen(prefix);

	return name.len >= len && strncasecmp((const char *)name.ptr, prefix, len) == 0;
}

static bool is_name(struct seal_bytes name)
{
	bool dot = true; /* none at the start, none behind another */

	for (size_t i = 0; i < name.len; i++) {
		const uint8_t c = name.ptr[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' &&
		    (c != '.' || dot))
			return false;
		dot = c == '.';
	}
	return name.len > 0 && name.len <= NAME_MAX_LEN && !dot && !has_prefix(name, "AWS.") &&
	       !has_prefix(name, "Amazon.");
}

bool aws_is_binary(struct seal_bytes type)
{
	return bytes_starts(type, BYTES_LIT("Binary"));
}

enum seal_status aws_attribute_decode(struct aws_attribute *attribute, struct arena *arena, bool *good,
				      struct seal_err *err)
{
	uint8_t *raw;

	attribute->binary = aws_is_binary(attribute->type);
	*good = attribute->value.ptr != NULL;
	if (!attribute->binary || !*good)
		return SEAL_OK;
	raw = arena_alloc(arena, BASE64_RAW_MAX(attribute->value.len), 1);
	if (raw == NULL)
		return err_memory(err);
	*good = base64_decode(attribute->value, raw, &attribute->value.len);
	attribute->value.ptr = raw;
	return SEAL_OK;
}

static enum seal_status add(struct aws_message *m, struct seal_bytes name, struct seal_bytes value, bool binary,
			    struct seal_err *err)
{
	if (m->n == AWS_ATTRIBUTES_MAX)
		return err_set(
			err, SEAL_DATA, SEAL_E_LIMIT,
			"the record has more headers than a message can have attributes (%d, with those for its "
			"key and its encoding)",
			AWS_ATTRIBUTES_MAX);
	for (size_t i = 0; i < m->n; i++)
		if (bytes_eq(m->attributes[i].name, name))
			return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
				       "the record has the header %.*s twice, which attributes cannot",
				       BYTES_FMT(name));
	m->attributes[m->n++] =
		(struct aws_attribute){name, value, binary, binary ? BYTES_LIT("Binary") : BYTES_LIT("String")};
	m->bytes += name.len + TYPE_LEN + value.len;
	return SEAL_OK;
}

static enum seal_status add_headers(const struct record *record, struct aws_message *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers && rc == SEAL_OK; i++) {
		const struct record_header *h = &record->headers[i];

		if (!is_name(h->name) || bytes_eq_str(h->name, KEY_NAME) || bytes_eq_str(h->name, ENCODING_NAME))
			return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
				       "the header %.*s cannot be the name of an attribute", BYTES_FMT(h->name));
		if (h->value.len == 0)
			return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
				       "the header %.*s is empty, which an attribute cannot be", BYTES_FMT(h->name));
		rc = add(out, h->name, h->value, !is_text(h->value), err);
	}
	return rc;
}

static enum seal_status hex_of(struct seal_bytes key, char out[AWS_GROUP_MAX + 1], struct seal_err *err)
{
	uint8_t digest[SHA256_LEN];
	enum seal_status rc = sha256(key, digest, err);

	if (rc != SEAL_OK)
		return rc;
	hex_encode(bytes_of(digest, sizeof(digest)), out);
	out[sizeof(digest) * 2] = '\0';
	return SEAL_OK;
}

static enum seal_status add_key(const struct aws_message_rules *rules, struct seal_bytes key, struct aws_message *out,
				struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (key.ptr == NULL)
		return SEAL_OK;
	if (key.len == 0)
		return err_set(err, SEAL_DATA, SEAL_E_DOMAIN, "the record's key is empty, which cannot be sent");
	if (rules->fifo && is_group(key)) {
		snprintf(out->group, sizeof(out->group), "%.*s", (int)key.len, (const char *)key.ptr);
		return SEAL_OK;
	}
	if (rules->fifo)
		SEAL_TRY(hex_of(key, out->group, err));
	rc = add(out, BYTES_LIT(KEY_NAME), key, !is_text(key), err);
out:
	return rc;
}

enum seal_status aws_message_make(const struct aws_message_rules *rules, const struct record *record,
				  struct aws_message *out, struct seal_err *err)
{
	enum seal_status rc;

	out->n = 0;
	out->group[0] = '\0';
	out->value = record->value;
	if (record->value.len == 0)
		return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
			       "the record has no value, and a message cannot be empty");
	out->encoded = !is_text(record->value);
	out->bytes = out->encoded ? BASE64_LEN(record->value.len) : record->value.len;
	if (!rules->drop_headers)
		SEAL_TRY(add_headers(record, out, err));
	SEAL_TRY(add_key(rules, record->key, out, err));
	if (out->encoded)
		SEAL_TRY(add(out, BYTES_LIT(ENCODING_NAME), BYTES_LIT(ENCODING), false, err));
	if (out->bytes > rules->max_bytes)
		rc = err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			     "the record is too long: %zu bytes as a message with its attributes, and %s is %zu",
			     out->bytes, rules->limit, rules->max_bytes);
	else
		rc = SEAL_OK;
out:
	return rc;
}

size_t aws_message_record_max(size_t max_bytes)
{
	return max_bytes > OVERHEAD ? (max_bytes - OVERHEAD) / 4 * 3 : 0;
}

static enum seal_status broken(struct arena *arena, struct record *out, struct seal_err *err)
{
	out->broken = ARENA_NEW(arena, struct seal_err);
	if (out->broken == NULL)
		return err_memory(err);
	*out->broken = (struct seal_err)SEAL_ERR_INIT;
	(void)err_set(out->broken, SEAL_DATA, SEAL_E_SYNTAX, "the attribute %s says %s, and the body is not that",
		      ENCODING_NAME, ENCODING);
	return SEAL_OK;
}

static enum seal_status decode_body(struct arena *arena, struct record *out, struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(out->value.len), 1);
	size_t len;

	if (raw == NULL)
		return err_memory(err);
	if (!base64_decode(out->value, raw, &len))
		return broken(arena, out, err);
	out->value = bytes_of(raw, len);
	return SEAL_OK;
}

enum seal_status aws_message_read(struct seal_bytes body, const struct aws_attribute *attributes, size_t n,
				  struct seal_bytes group, struct arena *arena, struct record *out,
				  struct seal_err *err)
{
	struct record_header *headers =
		arena_alloc(arena, (n + 1) * sizeof(*headers), _Alignof(struct record_header));
	bool encoded = false;

	if (headers == NULL)
		return err_memory(err);
	out->value = body;
	out->key = group.len > 0 ? group : BYTES_EMPTY;
	out->headers = headers;
	out->n_headers = 0;
	for (size_t i = 0; i < n; i++) {
		const struct aws_attribute *a = &attributes[i];

		if (bytes_eq_str(a->name, KEY_NAME))
			out->key = a->value;
		else if (bytes_eq_str(a->name, ENCODING_NAME) && bytes_eq_str(a->value, ENCODING))
			encoded = true;
		else
			headers[out->n_headers++] = (struct record_header){a->name, a->value};
	}
	return encoded ? decode_body(arena, out, err) : SEAL_OK;
}

enum seal_status aws_run_new(char run[AWS_RUN_LEN + 1], struct seal_err *err)
{
	uint8_t raw[AWS_RUN_LEN / 2];
	enum seal_status rc = random_bytes(raw, sizeof(raw), err);

	if (rc != SEAL_OK)
		return rc;
	hex_encode(bytes_of(raw, sizeof(raw)), run);
	run[AWS_RUN_LEN] = '\0';
	return SEAL_OK;
}

void aws_message_name(struct aws_message *message, const char run[AWS_RUN_LEN + 1], uint64_t number, unsigned copies,
		      char deduplication[AWS_DEDUPLICATION_MAX])
{
	int len = snprintf(deduplication, AWS_DEDUPLICATION_MAX, "%s-%llu", run, (unsigned long long)number);

	if (message->group[0] == '\0')
		snprintf(message->group, sizeof(message->group), "%s", deduplication);
	if (copies > 0)
		snprintf(deduplication + len, AWS_DEDUPLICATION_MAX - (size_t)len, "-%u", copies);
}
