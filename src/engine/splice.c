/*
 * Step 4: each record is written anew into the arena. What a method gives back is checked here, where it becomes part
 * of a document: a revealed string must be UTF-8 and is escaped, a revealed JSON text must be exactly one value (who
 * can encrypt must not be able to inject members), and no result may be larger than a record may be.
 */
#include "base/utf8.h"
#include "engine/work.h"
#include "json/string.h"
#include "methods/text_form.h"

/* True when `text` can stand between quotes as it is: printable ASCII without quote and backslash. */
static bool is_plain(struct seal_bytes text)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t bad = 0, word;
	size_t i = 0;

	for (; i + 8 <= text.len; i += 8) {
		memcpy(&word, text.ptr + i, 8);
		/* A byte's high bit comes out set where: it is set; byte < 0x20; byte == '"'; byte == '\\'. */
		bad |= word | (word - 0x20 * ones) | ((word ^ ('"' * ones)) - ones) | ((word ^ ('\\' * ones)) - ones);
	}
	if ((bad & high) != 0)
		return false;
	for (; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] >= 0x80 || text.ptr[i] == '"' || text.ptr[i] == '\\')
			return false;
	return true;
}

/* A string with escapes where it needs them. SEAL_DATA: engine->err says why. */
static enum seal_status write_string(struct engine *engine, struct seal_bytes text, struct json_edit *edit,
				     struct seal_err *err)
{
	size_t length;
	uint8_t *out;

	edit->with = text;
	edit->quote = true;
	if (is_plain(text))
		return SEAL_OK;
	if (!utf8_valid(text))
		return err_set(&engine->err, SEAL_DATA, SEAL_E_SYNTAX,
			       "the value is not UTF-8 text, so it cannot stand in JSON; use 'format: bytes'");
	length = json_string_written(text);
	out = arena_alloc(&engine->arena, length, 1);
	if (out == NULL)
		return err_memory(err);
	edit->with = bytes_of(out, json_string_write(text, out));
	edit->quote = false;
	return SEAL_OK;
}

/* The method had done it, but what it gave back cannot stand where it must. */
static void count_refused(struct engine *engine, const struct spot *spot)
{
	--*engine_done(engine, spot->method);
	engine->use[spot->method].failed++;
}

/* One cell into an edit. SEAL_DATA: engine->err says why the record fails. */
static enum seal_status edit_of(struct engine *engine, const struct spot *spot, const struct cell *cell,
				struct json_edit *edit, struct seal_err *err)
{
	*edit = (struct json_edit){
		.start = spot->start, .end = spot->end, .item_start = spot->item_start, .with = cell->out};
	switch (cell->form) {
	case FORM_ASCII:
		edit->quote = true;
		return SEAL_OK;
	case FORM_STRING:
		return write_string(engine, cell->out, edit, err);
	case FORM_JSON:
		if (engine->direction == ENGINE_REVEAL && !json_is_value(cell->out, false))
			return err_set(&engine->err, SEAL_DATA, SEAL_E_SYNTAX,
				       "the value was protected as JSON but is not exactly one JSON value");
		return SEAL_OK;
	case FORM_REMOVE:
		edit->remove = true;
		return SEAL_OK;
	case FORM_KEEP:
	case FORM_UNSET:
		break;
	}
	err_bug(__FILE__, __LINE__, "a method left a cell without a result");
}

/*
 * A method could not do this cell: the record fails (SEAL_DATA). Or all of them when the value is not to blame: a store that
 * went away or refused in the middle of a lot says nothing about any record, and neither does missing memory.
 */
static enum seal_status fail_cell(struct engine *engine, size_t record, const struct spot *spot,
				  const struct seal_err *why, struct seal_err *err)
{
	enum seal_status rc;

	if (why->status != SEAL_DATA)
		return err_set(err, why->status, why->code, "%s", why->text);
	SEAL_TRY(engine_fail(engine, record, why, spot->path, err));
	rc = SEAL_DATA;
out:
	return rc;
}

/* The spots of a record into engine->edits. SEAL_DATA: the record has failed. */
static enum seal_status make_edits(struct engine *engine, size_t record, size_t *n_edits, struct seal_err *err)
{
	const struct record_spots *of = &engine->records[record];
	enum seal_status rc;

	*n_edits = 0;
	SEAL_TRY(engine_grow((void **)&engine->edits, &engine->cap_edits, of->n, sizeof(*engine->edits), err));
	for (size_t i = of->first; i < of->first + of->n; i++) {
		const struct spot *spot = &engine->spots[i];
		const struct cell *cell = &engine->lots[spot->method].cells[spot->cell];

		if (cell->err != NULL)
			return fail_cell(engine, record, spot, cell->err, err);
		if (cell->form == FORM_KEEP) {
			engine->results[record].kept += engine->direction == ENGINE_REWRAP;
			continue;
		}
		err_clear(&engine->err);
		rc = edit_of(engine, spot, cell, &engine->edits[*n_edits], err);
		if (rc == SEAL_DATA) {
			count_refused(engine, spot);
			return fail_cell(engine, record, spot, &engine->err, err);
		}
		SEAL_TRY(rc);
		(*n_edits)++;
	}
out:
	return rc;
}

/* SEAL_DATA: the record has failed. */
static enum seal_status check_size(struct engine *engine, size_t record, size_t size, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (size <= engine->limit)
		return SEAL_OK;
	err_clear(&engine->err);
	err_set(&engine->err, SEAL_DATA, SEAL_E_LIMIT, "%s would have %zu bytes, more than the limit of %zu",
		engine_part(engine), size, engine->limit);
	SEAL_TRY(engine_fail(engine, record, &engine->err,
			     engine->topic->part == PART_VALUE ? BYTES_EMPTY : bytes_str(engine->topic->root), err));
	rc = SEAL_DATA;
out:
	return rc;
}

static enum seal_status splice_json(struct engine *engine, size_t record, struct seal_err *err)
{
	const struct seal_bytes doc = engine->values[record];
	struct engine_result *result = &engine->results[record];
	size_t n_edits, room;
	enum seal_status rc;
	uint8_t *out;

	SEAL_TRY(make_edits(engine, record, &n_edits, err));
	room = json_splice_max(doc, engine->edits, n_edits);
	out = arena_alloc(&engine->arena, room + 1, 8); /* CPython, for one, copies text from there by words */
	if (out == NULL) {
		rc = err_memory(err);
		goto out;
	}
	result->value = bytes_of(out, json_splice(doc, engine->edits, n_edits, out));
	result->cells = (uint32_t)n_edits;
	arena_shrink(&engine->arena, out + room + 1, out + result->value.len);
	rc = check_size(engine, record, result->value.len, err);
out:
	return rc;
}

/* What was revealed must be text where text is meant: a key or header goes to readers that count on it. */
static enum seal_status check_text(struct engine *engine, size_t record, const struct spot *spot,
				   const struct cell *cell, struct seal_err *err)
{
	enum seal_status rc;

	if (engine->topic->format != FORMAT_TEXT || utf8_valid(cell->out))
		return SEAL_OK;
	count_refused(engine, spot);
	err_clear(&engine->err);
	err_set(&engine->err, SEAL_DATA, SEAL_E_SYNTAX, "what is protected here is not UTF-8 text");
	SEAL_TRY(engine_fail(engine, record, &engine->err, spot->path, err));
	rc = SEAL_DATA;
out:
	return rc;
}

/* A whole payload, key or header: the method's result is the new one. */
static enum seal_status splice_whole(struct engine *engine, size_t record, struct seal_err *err)
{
	const struct record_spots *of = &engine->records[record];
	struct engine_result *result = &engine->results[record];
	struct seal_bytes value = engine->values[record];

	if (of->n == 1) {
		const struct spot *spot = &engine->spots[of->first];
		const struct cell *cell = &engine->lots[spot->method].cells[spot->cell];

		if (cell->err != NULL)
			return fail_cell(engine, record, spot, cell->err, err);
		SEAL_INVARIANT(cell->form != FORM_UNSET && cell->form != FORM_REMOVE);
		if (cell->form != FORM_KEEP) {
			enum seal_status rc = check_text(engine, record, spot, cell, err);

			if (rc != SEAL_OK)
				return rc;
			value = cell->out;
			result->cells = 1;
		} else {
			result->kept = engine->direction == ENGINE_REWRAP;
		}
	}
	result->value = arena_copy(&engine->arena, value);
	if (result->value.ptr == NULL)
		return err_memory(err);
	return check_size(engine, record, value.len, err);
}

/* Is one of the letters of "seal:e1:" (0x31 to 0x73) written as an escape somewhere? */
static bool has_escaped_letters(struct seal_bytes value)
{
	const struct seal_bytes escape = BYTES_LIT("u00");
	const uint8_t *at;

	while (value.len > 0 && (at = memchr(value.ptr, '\\', value.len)) != NULL) {
		value = bytes_skip(value, (size_t)(at - value.ptr) + 1);
		if (value.len > escape.len && bytes_starts(value, escape) && value.ptr[escape.len] >= '3' &&
		    value.ptr[escape.len] <= '7')
			return true;
	}
	return false;
}

/* May a value that was not revealed need the header? What could hide one counts, unread. */
static bool may_need_header(struct seal_bytes value)
{
	return text_form_has_envelope(value) || has_escaped_letters(value);
}

/* What the record's header must be now. After a reveal nobody needs it where no value under such a key is left. */
static struct seal_bytes key_header(const struct engine *engine, size_t record, bool used)
{
	const struct seal_bytes value = engine->results[record].value, header = engine->carriers[record].value;

	if (used && header.ptr != NULL && value.ptr != NULL && engine->direction == ENGINE_REVEAL &&
	    !may_need_header(value))
		return BYTES_EMPTY;
	return header;
}

enum seal_status engine_splice(struct engine *engine, struct seal_err *err)
{
	const bool used = engine->headers && engine_uses_key_header(engine->topic);
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < engine->n; i++) {
		if (engine->results[i].err != NULL)
			continue;
		if (engine->values[i].ptr == NULL) {
			if (engine->headers)
				engine->results[i].key_header = engine->carriers[i].value;
			continue;
		}
		rc = engine->whole ? splice_whole(engine, i, err) : splice_json(engine, i, err);
		if (rc == SEAL_DATA)
			continue;
		SEAL_TRY(rc);
		if (engine->headers)
			engine->results[i].key_header = key_header(engine, i, used);
	}
	rc = SEAL_OK;
out:
	return rc;
}
