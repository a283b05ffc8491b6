/*
 * Messages in.
 *
 *   {"ackId":"…","message":{"data":"…","attributes":{…},"messageId":"…","publishTime":"2014-10-02T15:01:23.045Z","orderingKey":"…"}}
 *
 * Base64 is decoded straight from the answer into the batch's memory; all other text is copied there.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "json/string.h"
#include "streams/pubsub/attributes.h"
#include "streams/pubsub/message.h"

enum { DATA, ATTRIBUTES, MESSAGE_ID, PUBLISH_TIME, ORDERING_KEY, MEMBERS };

static const char *const members[MEMBERS] = {"data", "attributes", "messageId", "publishTime", "orderingKey"};

/* What our own attributes say. */
struct marks {
	struct seal_bytes key, raw; /* ptr NULL: not there */
	bool null;
	size_t n; /* of all attributes */
};

/* Above what was said of a part of it: the answer as a whole is none. */
static enum seal_status no_message(struct seal_err *err)
{
	err_clear(err);
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the answer of a pull has no messages of Pub/Sub's form");
}

/* A string's text, in the arena; ptr NULL where it is none. */
static enum seal_status take_text(const struct json_value *value, struct arena *arena, struct seal_bytes *out,
				  struct seal_err *err)
{
	enum seal_status rc = json_value_string(value, arena, out, err);

	if (rc != SEAL_OK || out->ptr == NULL || !json_value_is(value, JSON_STRING) || value->escaped)
		return rc;
	*out = arena_copy(arena, *out);
	return out->ptr != NULL ? SEAL_OK : err_memory(err);
}

/* SEAL_DATA: it is no base64. */
static enum seal_status decode(struct seal_bytes text, struct arena *arena, struct seal_bytes *out,
			       struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(text.len), 1);
	size_t len;

	*out = BYTES_EMPTY;
	if (raw == NULL)
		return err_memory(err);
	if (!base64_decode(text, raw, &len))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "what should be base64 is none");
	arena_shrink(arena, raw + BASE64_RAW_MAX(text.len), raw + len);
	*out = bytes_of(raw, len);
	return SEAL_OK;
}

static enum seal_status take_data(const struct json_value *data, size_t max_bytes, struct arena *arena,
				  struct seal_bytes *out, struct seal_err *err)
{
	struct seal_bytes text = data->text;
	enum seal_status rc;

	*out = bytes_of("", 0);
	if (!json_value_is(data, JSON_STRING) || text.len == 0)
		return SEAL_OK;
	if (data->escaped)
		SEAL_TRY(json_value_string(data, arena, &text, err));
	if (text.len / 4 * 3 > max_bytes + 2)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "a value of about %zu bytes is longer than --max-record-bytes", text.len / 4 * 3);
	SEAL_TRY(decode(text, arena, out, err));
out:
	return rc;
}

/* ---- attributes ---- */

static bool is_listed(struct seal_bytes list, struct seal_bytes name)
{
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.ptr, ',', list.len);
		const size_t len = comma != NULL ? (size_t)(comma - list.ptr) : list.len;

		if (bytes_eq(bytes_of(list.ptr, len), name))
			return true;
		list = bytes_skip(list, len + (comma != NULL));
	}
	return false;
}

static enum seal_status find_marks(const struct json_value *attributes, struct arena *arena, struct marks *out,
				   struct seal_err *err)
{
	static const char *const names[] = {ATTRIBUTE_KEY, ATTRIBUTE_BASE64, ATTRIBUTE_NULL};
	struct json_value values[3], value;
	struct json_items items;
	struct seal_bytes null;
	enum seal_status rc;

	*out = (struct marks){.n = 0};
	json_members(attributes, names, 3, values);
	SEAL_TRY(take_text(&values[0], arena, &out->key, err));
	SEAL_TRY(take_text(&values[1], arena, &out->raw, err));
	SEAL_TRY(json_value_string(&values[2], arena, &null, err));
	out->null = bytes_eq_str(null, "true");
	json_items(attributes, &items);
	while (json_item_next(&items, &value))
		out->n++;
out:
	return rc;
}

static enum seal_status take_header(const struct json_value *name, const struct json_value *value,
				    const struct marks *marks, struct arena *arena, struct record_header *out,
				    struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(take_text(name, arena, &out->name, err));
	SEAL_TRY(take_text(value, arena, &out->value, err));
	if (!json_value_is(value, JSON_STRING))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "attribute \"%.*s\" is no text", BYTES_FMT(out->name));
	if (is_listed(marks->raw, out->name))
		SEAL_TRY(decode(out->value, arena, &out->value, err));
out:
	return rc;
}

static bool is_mark(struct seal_bytes name)
{
	return bytes_eq_str(name, ATTRIBUTE_KEY) || bytes_eq_str(name, ATTRIBUTE_BASE64) ||
	       bytes_eq_str(name, ATTRIBUTE_NULL);
}

static enum seal_status take_headers(const struct json_value *attributes, const struct marks *marks,
				     struct arena *arena, struct record *record, struct seal_err *err)
{
	struct record_header *headers;
	struct json_items items;
	struct json_value value;
	size_t n = 0;
	enum seal_status rc = SEAL_OK;

	if (marks->n == 0)
		return SEAL_OK;
	headers = arena_alloc(arena, marks->n * sizeof(*headers), _Alignof(struct record_header));
	if (headers == NULL)
		return err_memory(err);
	json_items(attributes, &items);
	while (json_item_next(&items, &value)) {
		SEAL_TRY(take_header(&items.name, &value, marks, arena, &headers[n], err));
		n += !is_mark(headers[n].name);
	}
	record->headers = headers;
	record->n_headers = n;
out:
	return rc;
}

/* ---- messages ---- */

/* All that may be wrong with a message alone: SEAL_DATA. */
static enum seal_status take_record(const struct json_value *values, size_t max_bytes, struct arena *arena,
				    struct record *r, struct seal_err *err)
{
	struct seal_bytes ordering_key;
	struct marks marks;
	enum seal_status rc;

	SEAL_TRY(find_marks(&values[ATTRIBUTES], arena, &marks, err));
	SEAL_TRY(take_text(&values[ORDERING_KEY], arena, &ordering_key, err));
	if (marks.key.ptr != NULL)
		SEAL_TRY(decode(marks.key, arena, &r->key, err));
	else if (ordering_key.len > 0)
		r->key = ordering_key;
	SEAL_TRY(take_headers(&values[ATTRIBUTES], &marks, arena, r, err));
	SEAL_TRY(take_data(&values[DATA], max_bytes, arena, &r->value, err));
	if (r->value.len == 0 && marks.null)
		r->value = BYTES_EMPTY;
out:
	return rc;
}

/* What is wrong with it is kept with it. */
static enum seal_status break_record(struct record *r, const struct seal_err *why, struct arena *arena,
				     struct seal_err *err)
{
	r->broken = ARENA_NEW(arena, struct seal_err);
	if (r->broken == NULL)
		return err_memory(err);
	*r->broken = *why;
	r->value = BYTES_EMPTY;
	r->headers = NULL;
	r->n_headers = 0;
	return SEAL_OK;
}

enum seal_status message_read(const struct json_value *received, size_t max_bytes, struct arena *arena,
			      struct inbox_message *out, struct seal_err *err)
{
	static const char *const outer[] = {"ackId", "message"};
	struct json_value parts[2], values[MEMBERS];
	struct record *r = &out->record;
	struct seal_err why = SEAL_ERR_INIT;
	struct seal_bytes time;
	enum seal_status rc;

	*r = (struct record){.partition = -1, .offset = -1};
	json_members(received, outer, 2, parts);
	if (!json_value_is(&parts[0], JSON_STRING) || parts[0].text.len == 0 ||
	    !json_value_is(&parts[1], JSON_OBJECT))
		return no_message(err);
	SEAL_TRY(take_text(&parts[0], arena, &out->handle, err));
	json_members(&parts[1], members, MEMBERS, values);
	SEAL_TRY(take_text(&values[MESSAGE_ID], arena, &r->id, err));
	SEAL_TRY(json_value_string(&values[PUBLISH_TIME], arena, &time, err));
	if (clock_of_rfc3339(time, &r->timestamp_ms))
		r->timestamp_type = TIMESTAMP_LOG_APPEND;
	rc = take_record(values, max_bytes, arena, r, &why);
	if (rc == SEAL_DATA)
		rc = break_record(r, &why, arena, err);
	else if (rc != SEAL_OK && err != NULL)
		*err = why;
out:
	return rc == SEAL_DATA ? no_message(err) : rc;
}
