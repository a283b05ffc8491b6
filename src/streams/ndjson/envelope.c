/*
 * kcat's -J envelopes. Reading is one scan with a few paths, and one of the headers; writing back is a splice of one span,
 * or of more where key or headers have changed:
 *
 *   {"topic":"t","partition":0,"offset":7,"headers":["a","1"],"key":null,"payload":"{\"a\":1}"}
 *                                         │         │               │              ╰── payload_start … payload_end
 *                                         │         │               ╰── key_start … key_end
 *                                         │         ╰── headers_start … headers_end
 *                                         ╰── headers_item
 */
#include "json/path.h"
#include "json/splice.h"
#include "json/string.h"
#include "streams/ndjson/line.h"

#include "base/mem.h"
#include "base/utf8.h"

enum member { PAYLOAD, KEY, TOPIC, PARTITION, OFFSET, TIMESTAMP, HEADERS, MEMBERS };

static const char *const member_paths[MEMBERS] = {
	[PAYLOAD] = "$.payload", [KEY] = "$.key",      [TOPIC] = "$.topic",	[PARTITION] = "$.partition",
	[OFFSET] = "$.offset",	 [TIMESTAMP] = "$.ts", [HEADERS] = "$.headers",
};

enum seal_status envelope_reader_init(struct envelope_reader *reader, struct seal_err *err)
{
	struct json_path paths[MEMBERS], element;
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	*reader = (struct envelope_reader){.scan = JSON_SCAN_INIT};
	arena_init(&arena, 0);
	for (size_t i = 0; i < MEMBERS; i++)
		SEAL_TRY(json_path_parse(bytes_str(member_paths[i]), &arena, &paths[i], NULL, err));
	SEAL_TRY(json_path_parse(BYTES_LIT("$[*]"), &arena, &element, NULL, err));
	SEAL_TRY(json_paths_new(paths, MEMBERS, &reader->members, err));
	rc = json_paths_new(&element, 1, &reader->elements, err);
out:
	arena_clear(&arena);
	return rc;
}

void envelope_reader_clear(struct envelope_reader *reader)
{
	json_paths_free(reader->members);
	json_paths_free(reader->elements);
	json_scan_clear(&reader->scan);
}

static struct seal_bytes span(struct seal_bytes text, uint32_t start, uint32_t end)
{
	return bytes_of(text.ptr + start, end - start);
}

/* The decoded text of a string, or the exact text of any other value. null: ptr NULL. `what`: for the message. */
static enum seal_status value_of(struct seal_bytes text, const struct json_hit *hit, const char *what,
				 struct arena *arena, struct seal_bytes *out, struct seal_err *err)
{
	if (hit->type == JSON_NULL) {
		*out = BYTES_EMPTY;
		return SEAL_OK;
	}
	*out = span(text, hit->start, hit->end);
	if (hit->type != JSON_STRING)
		return SEAL_OK;
	if (!json_string_decode(bytes_of(out->ptr + 1, out->len - 2), arena, out))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "%s of the envelope has a lone surrogate: it is no text", what);
	return out->ptr ? SEAL_OK : err_memory(err);
}

/* A whole number that is not negative; anything else leaves *out alone. */
static void number_of(struct seal_bytes text, const struct json_hit *hit, int64_t max, int64_t *out)
{
	uint64_t value;

	if (hit->type == JSON_NUMBER && bytes_to_u64(span(text, hit->start, hit->end), (uint64_t)max, &value))
		*out = (int64_t)value;
}

/* Two would leave one of them as it is, whatever becomes of the other. */
static enum seal_status take_key(struct ndjson_line *line, const struct json_hit *hit, struct arena *arena,
				 struct record *record, struct seal_err *err)
{
	enum seal_status rc;

	if (line->key_end != 0)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the envelope has two keys");
	line->key_start = hit->start;
	line->key_end = hit->end;
	line->key_is_text = hit->type == JSON_STRING || hit->type == JSON_NULL;
	rc = value_of(line->text, hit, member_paths[KEY], arena, &record->key, err);
	line->key = record->key;
	return rc;
}

static enum seal_status take(struct ndjson_line *line, const struct json_hit *hit, struct arena *arena,
			     struct record *record, struct seal_err *err)
{
	const char *what = member_paths[hit->path];
	int64_t partition = record->partition;

	switch ((enum member)hit->path) {
	case PAYLOAD:
		if (line->payload_end != 0)
			return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the envelope has two payloads");
		line->payload_start = hit->start;
		line->payload_end = hit->end;
		line->payload_item = hit->item_start;
		line->payload_is_string = hit->type == JSON_STRING;
		return value_of(line->text, hit, what, arena, &record->value, err);
	case KEY:
		return take_key(line, hit, arena, record, err);
	case TOPIC:
		return value_of(line->text, hit, what, arena, &record->topic, err);
	case PARTITION:
		number_of(line->text, hit, INT32_MAX, &partition);
		record->partition = (int32_t)partition;
		return SEAL_OK;
	case OFFSET:
		number_of(line->text, hit, INT64_MAX, &record->offset);
		return SEAL_OK;
	case TIMESTAMP:
		number_of(line->text, hit, INT64_MAX, &record->timestamp_ms);
		if (record->timestamp_ms > 0)
			record->timestamp_type = TIMESTAMP_CREATE;
		return SEAL_OK;
	case HEADERS:
		if (line->headers_end != 0)
			return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the envelope has two lists of headers");
		if (hit->type != JSON_ARRAY && hit->type != JSON_NULL)
			return err_set(err, SEAL_DATA, SEAL_E_TYPE, "headers of the envelope are not a list");
		line->headers_start = hit->start;
		line->headers_end = hit->end;
		line->headers_item = hit->item_start;
		return SEAL_OK;
	case MEMBERS:
		break;
	}
	err_bug(__FILE__, __LINE__, "a hit of a path that was not asked for");
}

/* "headers":["name","value","name",null]: names and values by turns. */
static enum seal_status take_headers(struct envelope_reader *reader, struct ndjson_line *line, struct arena *arena,
				     struct record *record, struct seal_err *err)
{
	const struct seal_bytes text = span(line->text, line->headers_start, line->headers_end);
	struct record_header *headers = NULL;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(json_scan(reader->elements, text, &reader->scan, err));
	n = reader->scan.n_hits;
	if (n == 0)
		return SEAL_OK;
	if (n % 2 != 0)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "headers of the envelope are not pairs of name and value");
	headers = arena_alloc(arena, n / 2 * sizeof(*headers), _Alignof(struct record_header));
	if (headers == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct json_hit *hit = &reader->scan.hits[i];

		if (hit->type != JSON_STRING && (i % 2 == 0 || hit->type != JSON_NULL))
			return err_set(err, SEAL_DATA, SEAL_E_TYPE, "a header of the envelope is no text");
		SEAL_TRY(value_of(text, hit, member_paths[HEADERS], arena,
				  i % 2 ? &headers[i / 2].value : &headers[i / 2].name, err));
	}
	line->headers = record->headers = headers;
	record->n_headers = n / 2;
out:
	return rc;
}

enum seal_status envelope_read(struct envelope_reader *reader, struct ndjson_line *line, struct arena *arena,
			       struct record *record, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(json_scan(reader->members, line->text, &reader->scan, err));
	for (size_t i = 0; i < reader->scan.n_hits; i++)
		SEAL_TRY(take(line, &reader->scan.hits[i], arena, record, err));
	if (line->headers_end != 0)
		SEAL_TRY(take_headers(reader, line, arena, record, err));
	if (line->payload_end == 0)
		rc = err_set(err, SEAL_DATA, SEAL_E_MISSING, "no payload: this is not an envelope of kcat -J");
out:
	return rc;
}

static enum seal_status check_text(const char *what, struct seal_bytes text, struct seal_err *err)
{
	if (utf8_valid(text))
		return SEAL_OK;
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
		       "its %s is not UTF-8 and does not fit into a JSON envelope; do without -J", what);
}

enum seal_status envelope_check(const struct record *record, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(check_text("key", record->key, err));
	SEAL_TRY(check_text("value", record->value, err));
	for (size_t i = 0; i < record->n_headers; i++) {
		SEAL_TRY(check_text("header's name", record->headers[i].name, err));
		SEAL_TRY(check_text("header's value", record->headers[i].value, err));
	}
out:
	return rc;
}

/* Appends `text` as a JSON string. */
static enum seal_status put_string(struct seal_bytes text, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = check_text("text", text, err);

	if (rc != SEAL_OK)
		return rc;
	rc = buf_reserve(out, json_string_written(text), err);
	if (rc == SEAL_OK)
		out->len += json_string_write(text, out->ptr + out->len);
	return rc;
}

static enum seal_status put_nullable(const char *before, struct seal_bytes text, struct seal_buf *out,
				     struct seal_err *err)
{
	enum seal_status rc = buf_append_str(out, before, err);

	if (rc != SEAL_OK)
		return rc;
	return text.ptr ? put_string(text, out, err) : buf_append_str(out, "null", err);
}

/* The list with its brackets. */
static enum seal_status put_headers(const struct record *record, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers; i++) {
		SEAL_TRY(put_nullable(i ? "," : "[", record->headers[i].name, out, err));
		SEAL_TRY(put_nullable(",", record->headers[i].value, out, err));
	}
	rc = buf_append_str(out, "]", err);
out:
	return rc;
}

static enum seal_status put_payload(const struct ndjson_line *line, struct seal_bytes value, struct seal_buf *out,
				    struct seal_err *err)
{
	if (value.ptr == NULL)
		return buf_append_str(out, "null", err);
	return line->payload_is_string ? put_string(value, out, err) : buf_append(out, value, err);
}

/* A key that was no string (kcat -s key=…) stays what it was as long as it is JSON; a protected one may be text. */
static enum seal_status put_key(const struct ndjson_line *line, struct seal_bytes key, struct seal_buf *out,
				struct seal_err *err)
{
	struct json_scan scan = JSON_SCAN_INIT;
	bool is_text = line->key_is_text;

	if (key.ptr == NULL)
		return buf_append_str(out, "null", err);
	if (!is_text)
		is_text = json_scan(NULL, key, &scan, NULL) != SEAL_OK;
	json_scan_clear(&scan);
	return is_text ? put_string(key, out, err) : buf_append(out, key, err);
}

/* A change of an envelope, and the memory of its new text. */
struct change {
	struct json_edit edit;
	struct seal_buf with;
};

/* Members that the envelope does not have come before its payload. */
static struct json_edit edit_of(const struct ndjson_line *line, uint32_t start, uint32_t end)
{
	if (end != 0)
		return (struct json_edit){.start = start, .end = end, .item_start = start};
	return (struct json_edit){
		.start = line->payload_item, .end = line->payload_item, .item_start = line->payload_item};
}

static enum seal_status change_key(const struct ndjson_line *line, struct seal_bytes key, struct change *change,
				   struct seal_err *err)
{
	const bool is_new = line->key_end == 0;
	enum seal_status rc = SEAL_OK;

	change->edit = edit_of(line, line->key_start, line->key_end);
	if (is_new)
		SEAL_TRY(buf_append_str(&change->with, "\"key\":", err));
	SEAL_TRY(put_key(line, key, &change->with, err));
	if (is_new)
		SEAL_TRY(buf_append_u8(&change->with, ',', err));
out:
	return rc;
}

/* What becomes of the headers: a list in the old one's place, a new member, or nothing. */
static enum seal_status change_headers(const struct ndjson_line *line, const struct record *record,
				       struct change *change, struct seal_err *err)
{
	const bool is_new = line->headers_end == 0;
	enum seal_status rc = SEAL_OK;

	change->edit = edit_of(line, line->headers_start, line->headers_end);
	if (record->n_headers == 0) {
		change->edit.item_start = line->headers_item;
		change->edit.remove = true;
		return SEAL_OK;
	}
	if (is_new)
		SEAL_TRY(buf_append_str(&change->with, "\"headers\":", err));
	SEAL_TRY(put_headers(record, &change->with, err));
	if (is_new)
		SEAL_TRY(buf_append_u8(&change->with, ',', err));
out:
	return rc;
}

static bool key_changed(const struct ndjson_line *line, const struct record *record)
{
	return (record->key.ptr == NULL) != (line->key.ptr == NULL) || !bytes_eq(record->key, line->key);
}

enum { CHANGES_MAX = 3 };

/* In document order; new members stand in front of the payload, which is an edit of its own. */
static void sort(const struct change *changes, size_t n, struct json_edit edits[CHANGES_MAX])
{
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && edits[at - 1].start > changes[i].edit.start; at--)
			edits[at] = edits[at - 1];
		edits[at] = changes[i].edit;
		edits[at].with = buf_bytes(&changes[i].with);
	}
}

static enum seal_status splice_all(const struct ndjson_line *line, const struct record *record, struct seal_buf *out,
				   struct seal_err *err)
{
	struct change changes[CHANGES_MAX] = {
		{.with = BUF_INIT(out->max)}, {.with = BUF_INIT(out->max)}, {.with = BUF_INIT(out->max)}};
	struct json_edit edits[CHANGES_MAX];
	enum seal_status rc = SEAL_OK;
	size_t n = 0;

	if (key_changed(line, record))
		SEAL_TRY(change_key(line, record->key, &changes[n++], err));
	if (record->headers != line->headers)
		SEAL_TRY(change_headers(line, record, &changes[n++], err));
	changes[n].edit = edit_of(line, line->payload_start, line->payload_end);
	SEAL_TRY(put_payload(line, record->value, &changes[n++].with, err));
	sort(changes, n, edits);
	SEAL_TRY(buf_reserve(out, json_splice_max(line->text, edits, n), err));
	out->len += json_splice(line->text, edits, n, out->ptr + out->len);
out:
	for (size_t i = 0; i < CHANGES_MAX; i++)
		buf_clear(&changes[i].with);
	return rc;
}

enum seal_status envelope_splice(const struct ndjson_line *line, const struct record *record, struct seal_buf *out,
				 struct seal_err *err)
{
	enum seal_status rc;

	if (record->headers != line->headers || key_changed(line, record))
		return splice_all(line, record, out, err);
	SEAL_TRY(buf_append(out, span(line->text, 0, line->payload_start), err));
	SEAL_TRY(put_payload(line, record->value, out, err));
	rc = buf_append(out, bytes_skip(line->text, line->payload_end), err);
out:
	return rc;
}

enum seal_status envelope_check_splice(const struct ndjson_line *line, const struct record *record,
				       struct seal_err *err)
{
	struct record changed = {.value = line->payload_is_string ? record->value : BYTES_EMPTY,
				 .key = key_changed(line, record) ? record->key : BYTES_EMPTY};

	if (record->headers != line->headers) {
		changed.headers = record->headers;
		changed.n_headers = record->n_headers;
	}
	return envelope_check(&changed, err);
}

enum seal_status envelope_write(const struct record *record, struct seal_buf *out, struct seal_err *err)
{
	static const char *const types[] = {
		[TIMESTAMP_NONE] = "unknown",
		[TIMESTAMP_CREATE] = "create",
		[TIMESTAMP_LOG_APPEND] = "logappend",
	};
	enum seal_status rc;

	SEAL_TRY(put_nullable("{\"topic\":", record->topic, out, err));
	SEAL_TRY(buf_printf(out, err, ",\"partition\":%d,\"offset\":%lld,\"tstype\":\"%s\",\"ts\":%lld",
			    (int)record->partition, (long long)record->offset, types[record->timestamp_type],
			    (long long)record->timestamp_ms));
	if (record->n_headers > 0) {
		SEAL_TRY(buf_append_str(out, ",\"headers\":", err));
		SEAL_TRY(put_headers(record, out, err));
	}
	SEAL_TRY(put_nullable(",\"key\":", record->key, out, err));
	SEAL_TRY(put_nullable(",\"payload\":", record->value, out, err));
	rc = buf_append_str(out, "}", err);
out:
	return rc;
}
