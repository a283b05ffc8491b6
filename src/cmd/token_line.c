/* Lines of `token export`. See token_line.h. */
#include "cmd/token_line.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "cmd/token_use.h"
#include "json/string.h"
#include "methods/metadata.h"
#include "methods/text_form.h"

#define GROUP_LEN 8

enum member {
	MEMBER_TOKEN,
	MEMBER_SHAPED,
	MEMBER_KIND,
	MEMBER_VALUE,
	MEMBER_VALUE_BASE64,
	MEMBER_PLACE,
	MEMBER_CONVERGENT,
	MEMBER_CREATED,
	MEMBER_EXPIRES,
	MEMBER_METADATA,
	MEMBER_OTHER /* is an error */
};

static const char *const names[] = {"token", "shaped",	   "kind",	 "value",      "value_base64",
				    "place", "convergent", "created_ms", "expires_ms", "metadata"};

/* Writing ------------------------------------------------------------------------------------------------- */

static enum seal_status write_string(struct seal_buf *out, enum member member, struct seal_bytes text,
				     struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s\"%s\":", member == MEMBER_TOKEN ? "{" : ",", names[member]));
	SEAL_TRY(buf_reserve(out, json_string_written(text), err));
	out->len += json_string_write(text, out->ptr + out->len);
out:
	return rc;
}

static enum seal_status write_base64(struct seal_buf *out, enum member member, struct seal_bytes raw,
				     struct arena *arena, struct seal_err *err)
{
	char *text = arena_alloc(arena, BASE64_LEN(raw.len) + 1, 1);

	if (text == NULL)
		return err_memory(err);
	return write_string(out, member, bytes_of(text, base64url_encode(raw, text)), err);
}

static enum seal_status write_value(const struct token_record *record, struct arena *arena, struct seal_buf *out,
				    struct seal_err *err)
{
	if (utf8_valid(record->item.value))
		return write_string(out, MEMBER_VALUE, record->item.value, err);
	return write_base64(out, MEMBER_VALUE_BASE64, record->item.value, arena, err);
}

enum seal_status token_line_write(const struct token_record *record, struct arena *arena, struct seal_buf *out,
				  struct seal_err *err)
{
	const struct seal_bytes text = token_text(record, arena);
	char group[2 * GROUP_LEN];
	enum seal_status rc;

	if (text.ptr == NULL)
		return err_memory(err);
	SEAL_TRY(write_string(out, MEMBER_TOKEN, text, err));
	if (record->shaped) {
		SEAL_INVARIANT(record->item.group.len == GROUP_LEN);
		hex_encode(record->item.group, group);
		SEAL_TRY(write_string(out, MEMBER_SHAPED, bytes_of(group, sizeof(group)), err));
	}
	SEAL_TRY(write_string(out, MEMBER_KIND, bytes_str(token_kinds[record->item.kind]), err));
	SEAL_TRY(write_value(record, arena, out, err));
	if (record->item.place.len > 0)
		SEAL_TRY(write_base64(out, MEMBER_PLACE, record->item.place, arena, err));
	if (record->convergent)
		SEAL_TRY(buf_printf(out, err, ",\"convergent\":true"));
	SEAL_TRY(buf_printf(out, err, ",\"created_ms\":%llu", (unsigned long long)record->created_ms));
	if (record->expires_ms != 0)
		SEAL_TRY(buf_printf(out, err, ",\"expires_ms\":%llu", (unsigned long long)record->expires_ms));
	if (record->metadata.len > 0)
		SEAL_TRY(write_string(out, MEMBER_METADATA, record->metadata, err));
	rc = buf_append_str(out, "}\n", err);
out:
	return rc;
}

/* Reading ------------------------------------------------------------------------------------------------- */

enum seal_status token_reader_init(struct token_reader *reader, struct seal_err *err)
{
	struct json_path every;
	struct arena arena;
	enum seal_status rc;

	*reader = (struct token_reader){.scan = JSON_SCAN_INIT};
	arena_init(&arena, 0);
	SEAL_TRY(json_path_parse(BYTES_LIT("$.*"), &arena, &every, NULL, err));
	SEAL_TRY(json_paths_new(&every, 1, &reader->paths, err));
out:
	arena_clear(&arena);
	return rc;
}

void token_reader_clear(struct token_reader *reader)
{
	json_paths_free(reader->paths);
	json_scan_clear(&reader->scan);
	reader->paths = NULL;
}

static enum seal_status bad(enum member member, const char *want, struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "%s must be %s", names[member], want);
}

static enum seal_status read_token(struct seal_bytes text, struct arena *arena, struct token_record *record,
				   struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, TOKEN_LEN, 1);

	if (raw == NULL)
		return err_memory(err);
	record->item.token = text;
	text_form_strip_json(&text);
	if (text_form_token(text, raw))
		record->item.token = bytes_of(raw, TOKEN_LEN);
	else if (text.len == 0 || text_form_looks_protected(text))
		return bad(MEMBER_TOKEN, "seal:t1: and 22 characters, or a shaped text", err);
	return SEAL_OK;
}

static enum seal_status read_base64(enum member member, struct seal_bytes text, struct arena *arena,
				    struct seal_bytes *out, struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(text.len), 1);
	size_t len;

	if (raw == NULL)
		return err_memory(err);
	if (!base64url_decode(text, raw, &len))
		return bad(member, "base64url without padding", err);
	*out = bytes_of(raw, len);
	return SEAL_OK;
}

static enum seal_status read_group(struct seal_bytes text, struct arena *arena, struct token_record *record,
				   struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, GROUP_LEN, 1);

	if (raw == NULL)
		return err_memory(err);
	if (text.len != (size_t)2 * GROUP_LEN || !hex_decode(text, raw))
		return bad(MEMBER_SHAPED, "16 hexadecimal digits", err);
	record->item.group = bytes_of(raw, GROUP_LEN);
	record->shaped = true;
	return SEAL_OK;
}

static enum seal_status read_kind(struct seal_bytes text, struct token_record *record, struct seal_err *err)
{
	for (int kind = TOKEN_STRING; kind <= TOKEN_BYTES; kind++)
		if (bytes_eq_str(text, token_kinds[kind]))
			record->item.kind = (enum token_kind)kind;
	return record->item.kind != 0 ? SEAL_OK : bad(MEMBER_KIND, "string, json or bytes", err);
}

static enum seal_status read_string(enum member member, struct seal_bytes text, struct arena *arena,
				    struct token_record *record, struct seal_err *err)
{
	switch (member) {
	case MEMBER_TOKEN:
		return read_token(text, arena, record, err);
	case MEMBER_SHAPED:
		return read_group(text, arena, record, err);
	case MEMBER_KIND:
		return read_kind(text, record, err);
	case MEMBER_VALUE:
		record->item.value = text;
		return SEAL_OK;
	case MEMBER_METADATA:
		record->metadata = text;
		return text.len == 0 || metadata_is_valid(text, TOKEN_METADATA_MAX)
			       ? SEAL_OK
			       : bad(member, "parts like purpose=billing, with commas between", err);
	case MEMBER_VALUE_BASE64:
		return read_base64(member, text, arena, &record->item.value, err);
	case MEMBER_PLACE:
		return read_base64(member, text, arena, &record->item.place, err);
	case MEMBER_CONVERGENT:
	case MEMBER_CREATED:
	case MEMBER_EXPIRES:
	case MEMBER_OTHER:
		break;
	}
	return bad(member, "no text", err);
}

static enum member member_of(const struct token_reader *reader, const struct json_hit *hit, struct seal_bytes line)
{
	const struct json_step *step = &reader->scan.steps[hit->steps];

	for (size_t i = 0; step->start != JSON_NO_NAME && i < MEMBER_OTHER; i++)
		if (bytes_eq_str(bytes_of(line.ptr + step->start, step->end - step->start), names[i]))
			return (enum member)i;
	return MEMBER_OTHER;
}

static enum seal_status read_member(enum member member, const struct json_hit *hit, struct seal_bytes line,
				    struct arena *arena, struct token_record *record, struct seal_err *err)
{
	struct seal_bytes text = bytes_of(line.ptr + hit->start, hit->end - hit->start);

	if (member == MEMBER_OTHER)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "a member that lines of token export do not have; were they made by a newer version?");
	if (member == MEMBER_CREATED || member == MEMBER_EXPIRES) {
		uint64_t *to = member == MEMBER_CREATED ? &record->created_ms : &record->expires_ms;

		return bytes_to_u64(text, INT64_MAX, to) ? SEAL_OK : bad(member, "milliseconds since 1970", err);
	}
	if (member == MEMBER_CONVERGENT) {
		record->convergent = hit->type == JSON_TRUE;
		return hit->type == JSON_TRUE || hit->type == JSON_FALSE ? SEAL_OK
									 : bad(member, "true or false", err);
	}
	if (hit->type != JSON_STRING || !json_string_decode(bytes_of(text.ptr + 1, text.len - 2), arena, &text))
		return bad(member, "text", err);
	return text.ptr != NULL ? read_string(member, text, arena, record, err) : err_memory(err);
}

enum seal_status token_line_read(struct token_reader *reader, struct seal_bytes line, struct arena *arena,
				 struct token_record *record, struct seal_err *err)
{
	unsigned had = 0;
	enum seal_status rc;

	*record = (struct token_record){.created_ms = 0};
	SEAL_TRY(json_scan(reader->paths, line, &reader->scan, err));
	for (size_t i = 0; i < reader->scan.n_hits; i++) {
		const struct json_hit *hit = &reader->scan.hits[i];
		const enum member member = member_of(reader, hit, line);

		if ((had & 1u << member) != 0)
			return bad(member, "there once", err);
		had |= 1u << member;
		SEAL_TRY(read_member(member, hit, line, arena, record, err));
	}
	if ((had & (1u << MEMBER_TOKEN | 1u << MEMBER_KIND)) != (1u << MEMBER_TOKEN | 1u << MEMBER_KIND) ||
	    ((had >> MEMBER_VALUE & 1) == (had >> MEMBER_VALUE_BASE64 & 1)))
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			     "a token needs token, kind, and one of value and value_base64");
	else if (!record->shaped && record->item.token.len != TOKEN_LEN)
		rc = bad(MEMBER_TOKEN, "seal:t1: and 22 characters where 'shaped' is not there", err);
out:
	return rc;
}
