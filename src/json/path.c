/*
 * Paths as text: parsing, and the canonical form that ciphertext is bound to.
 *
 * The grammar is RFC 9535's with only the selectors that name one child, plus the wildcard and the descendant
 * segment with a name. What RFC 9535 has and policies do not (slices, filters, lists, indexes from the end) is
 * refused with a message of its own.
 */
#include "json/path.h"

#include "base/utf8.h"
#include "json/escape.h"

struct parser {
	struct seal_bytes text;
	size_t at;
	struct arena *arena;
	struct json_path_step *steps; /* JSON_PATH_STEPS_MAX */
	size_t n_steps;
	struct seal_err *err;
};

/* The byte at the parser's place, 0 at the end. */
static uint8_t peek(const struct parser *p)
{
	return p->at < p->text.len ? p->text.ptr[p->at] : 0;
}

static enum seal_status refuse(struct parser *p, size_t at, const char *what)
{
	p->at = at;
	return err_set(p->err, SEAL_USAGE, SEAL_E_CONFIG, "path: %s at byte %zu", what, at);
}

/* RFC 9535 §2.1.1: blank space may stand between segments and inside brackets. */
static void skip_blank(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
		p->at++;
}

static enum seal_status add_step(struct parser *p, size_t at, struct json_path_step step)
{
	if (p->n_steps == JSON_PATH_STEPS_MAX) {
		p->at = at;
		return err_set(p->err, SEAL_USAGE, SEAL_E_CONFIG, "path: more than %d steps", JSON_PATH_STEPS_MAX);
	}
	p->steps[p->n_steps++] = step;
	return SEAL_OK;
}

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

/* RFC 9535 §2.5.1.1: member-name-shorthand. */
static enum seal_status short_name(struct parser *p, struct seal_bytes *name)
{
	size_t from = p->at;
	uint8_t first = peek(p);

	if (!is_name_char(first) || (first >= '0' && first <= '9'))
		return refuse(p, from, "expected a name (other names than letters, digits and _ need ['...'])");
	while (p->at < p->text.len && is_name_char(peek(p)))
		p->at++;
	*name = bytes_of(p->text.ptr + from, p->at - from);
	if (name->len > JSON_PATH_NAME_MAX)
		return refuse(p, from, "name too long");
	return SEAL_OK;
}

static bool hex4(struct parser *p, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, p->at++) {
		uint8_t c = peek(p), low = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - (uint32_t)'0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (low - (uint32_t)'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* RFC 9535 §2.3.1.1: hexchar; a surrogate only as half of a pair. */
static bool unicode_escape(struct parser *p, uint32_t *out)
{
	uint32_t high, low;

	if (!hex4(p, &high))
		return false;
	*out = high;
	if (!escape_is_lone(high))
		return true;
	if (high > 0xdbff || peek(p) != '\\')
		return false;
	p->at++;
	if (peek(p) != 'u')
		return false;
	p->at++;
	if (!hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* RFC 9535 §2.3.1.1: escapable, with the quote in use as the only quote that may be escaped. */
static bool read_escape(struct parser *p, uint8_t quote, uint32_t *out)
{
	static const char from[] = "bfnrt/\\", to[] = "\b\f\n\r\t/\\";
	uint8_t c = peek(p);
	const char *found = c != 0 ? strchr(from, c) : NULL;

	p->at++;
	if (c == 'u')
		return unicode_escape(p, out);
	if (c == quote) {
		*out = quote;
		return true;
	}
	if (found == NULL)
		return false;
	*out = (uint8_t)to[found - from];
	return true;
}

static enum seal_status quoted_name(struct parser *p, struct seal_bytes *name)
{
	uint8_t quote = peek(p), *out;
	size_t open = p->at++, used = 0, room = p->text.len - p->at;

	out = arena_alloc(p->arena, room + 1, 1);
	if (out == NULL)
		return err_memory(p->err);
	for (;;) {
		size_t at = p->at;
		uint32_t character;

		if (at == p->text.len)
			return refuse(p, open, "quote without its end");
		if (peek(p) == quote)
			break;
		if (peek(p) < 0x20)
			return refuse(p, at, "control character in a name (write it as an escape)");
		if (peek(p) == '\\') {
			p->at++;
			if (!read_escape(p, quote, &character))
				return refuse(p, at, "bad escape");
		} else {
			SEAL_INVARIANT(utf8_next(p->text, &p->at, &character)); /* parse() looked at all of it */
		}
		used += utf8_put(character, out + used);
	}
	p->at++;
	arena_shrink(p->arena, out + room + 1, out + used);
	*name = bytes_of(out, used);
	return used > JSON_PATH_NAME_MAX ? refuse(p, open, "name too long") : SEAL_OK;
}

static enum seal_status array_index(struct parser *p, uint32_t *index)
{
	size_t from = p->at;
	uint64_t v;

	while (peek(p) >= '0' && peek(p) <= '9')
		p->at++;
	if (peek(p) == ':')
		return refuse(p, p->at, "slices are not supported (use [*])");
	if (!bytes_to_u64(bytes_of(p->text.ptr + from, p->at - from), JSON_DOCUMENT_MAX, &v))
		return refuse(p, from, "bad index (decimal, no leading zero, at most 2^30)");
	*index = (uint32_t)v;
	return SEAL_OK;
}

/* What stands between [ and ], without blank space around it. */
static enum seal_status selector(struct parser *p, bool deep, struct json_path_step *step)
{
	uint8_t c = peek(p);

	*step = (struct json_path_step){.kind = deep ? JSON_STEP_DEEP_NAME : JSON_STEP_NAME};
	if (c == '\'' || c == '"')
		return quoted_name(p, &step->name);
	if (deep)
		return refuse(p, p->at, "after .. only a name is supported");
	if (c == '*') {
		step->kind = JSON_STEP_WILD;
		p->at++;
		return SEAL_OK;
	}
	if (c >= '0' && c <= '9') {
		step->kind = JSON_STEP_INDEX;
		return array_index(p, &step->index);
	}
	if (c == '-')
		return refuse(p, p->at, "indexes from the end are not supported");
	if (c == '?')
		return refuse(p, p->at, "filters are not supported");
	if (c == ':')
		return refuse(p, p->at, "slices are not supported (use [*])");
	return refuse(p, p->at, "expected 'name', \"name\", an index or *");
}

static enum seal_status bracketed(struct parser *p, bool deep)
{
	struct json_path_step step;
	enum seal_status rc;
	size_t open = p->at++;

	skip_blank(p);
	SEAL_TRY(selector(p, deep, &step));
	skip_blank(p);
	if (peek(p) == ',')
		return refuse(p, p->at, "lists are not supported (write one path for each)");
	if (peek(p) != ']')
		return refuse(p, p->at, "expected ]");
	p->at++;
	SEAL_TRY(add_step(p, open, step));
out:
	return rc;
}

/* One segment: [...], .name, .*, ..name or ..[...]. */
static enum seal_status segment(struct parser *p)
{
	struct json_path_step step = {.kind = JSON_STEP_NAME};
	enum seal_status rc;
	size_t from = p->at;

	if (peek(p) == '[')
		return bracketed(p, false);
	if (peek(p) != '.')
		return refuse(p, from, "expected . or [ (other names than letters, digits and _ need ['...'])");
	p->at++;
	if (peek(p) == '.') {
		p->at++;
		step.kind = JSON_STEP_DEEP_NAME;
		if (peek(p) == '[')
			return bracketed(p, true);
		if (peek(p) == '*')
			return refuse(p, p->at, "after .. only a name is supported");
	} else if (peek(p) == '*') {
		p->at++;
		step.kind = JSON_STEP_WILD;
		return add_step(p, from, step);
	}
	SEAL_TRY(short_name(p, &step.name));
	SEAL_TRY(add_step(p, from, step));
out:
	return rc;
}

static enum seal_status parse(struct parser *p)
{
	enum seal_status rc = SEAL_OK;
	size_t bad = 0;
	uint32_t character;

	while (bad < p->text.len)
		if (!utf8_next(p->text, &bad, &character))
			return refuse(p, bad, "invalid UTF-8");
	if (peek(p) != '$')
		return refuse(p, 0, "must start with $, as $.name does,");
	p->at++;
	while (p->at < p->text.len) {
		size_t from = p->at;

		skip_blank(p);
		if (p->at == p->text.len)
			return refuse(p, from, "blank space behind the path");
		SEAL_TRY(segment(p));
	}
out:
	return rc;
}

/* Moves the steps into the arena; names in shorthand are still views of the caller's text. */
static enum seal_status keep_steps(const struct parser *p, struct json_path *path)
{
	size_t size = p->n_steps * sizeof(*path->steps);
	struct json_path_step *steps = arena_alloc(p->arena, size ? size : 1, _Alignof(struct json_path_step));

	if (steps == NULL)
		return err_memory(p->err);
	for (size_t i = 0; i < p->n_steps; i++) {
		steps[i] = p->steps[i];
		steps[i].name = arena_copy(p->arena, p->steps[i].name);
		if (steps[i].name.ptr == NULL)
			return err_memory(p->err);
	}
	*path = (struct json_path){steps, p->n_steps};
	return SEAL_OK;
}

enum seal_status json_path_parse(struct seal_bytes text, struct arena *arena, struct json_path *path,
				 size_t *error_at, struct seal_err *err)
{
	struct json_path_step steps[JSON_PATH_STEPS_MAX];
	struct parser p = {text, 0, arena, steps, 0, err};
	enum seal_status rc;

	*path = (struct json_path){NULL, 0};
	SEAL_TRY(parse(&p));
	SEAL_TRY(keep_steps(&p, path));
out:
	if (error_at != NULL)
		*error_at = p.at;
	return rc;
}

bool json_path_is_dynamic(const struct json_path *path)
{
	for (size_t i = 0; i < path->n_steps; i++)
		if (path->steps[i].kind == JSON_STEP_WILD || path->steps[i].kind == JSON_STEP_DEEP_NAME)
			return true;
	return false;
}

/* RFC 9535 §2.7: normal-single-quoted. A lone surrogate, which RFC 9535 does not know, becomes \udxxx. */
static enum seal_status put_character(struct seal_buf *out, uint32_t character, struct seal_err *err)
{
	static const char *const shorts[0x20] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
	uint8_t utf8[4];

	if (character == '\'')
		return buf_append_str(out, "\\'", err);
	if (character == '\\')
		return buf_append_str(out, "\\\\", err);
	if (character < 0x20 && shorts[character] != NULL)
		return buf_append_str(out, shorts[character], err);
	if (character < 0x20 || escape_is_lone(character))
		return buf_printf(out, err, "\\u%04x", (unsigned)character);
	return buf_append(out, bytes_of(utf8, utf8_put(character, utf8)), err);
}

static enum seal_status put_name(struct seal_buf *out, struct seal_bytes name, bool escaped, struct seal_err *err)
{
	enum seal_status rc;
	uint32_t character;
	size_t at = 0;

	SEAL_TRY(buf_append_str(out, "['", err));
	while (at < name.len) {
		if (escaped && name.ptr[at] == '\\')
			character = escape_read(name, &at);
		else if (!utf8_next(name, &at, &character))
			return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a member name is not UTF-8");
		SEAL_TRY(put_character(out, character, err));
	}
	SEAL_TRY(buf_append_str(out, "']", err));
out:
	return rc;
}

static bool is_short(struct seal_bytes name)
{
	uint32_t character;
	size_t at = 0;

	while (at < name.len)
		if (!is_name_char(name.ptr[at]) || !utf8_next(name, &at, &character) || utf8_steers(character))
			return false;
	return name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
}

enum seal_status json_path_put_name(struct seal_bytes name, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;
	uint32_t character;
	size_t at = 0;

	if (is_short(name)) {
		rc = buf_append_u8(out, '.', err);
		return rc == SEAL_OK ? buf_append(out, name, err) : rc;
	}
	SEAL_TRY(buf_append_str(out, "['", err));
	while (at < name.len) {
		SEAL_INVARIANT(utf8_next(name, &at, &character));
		if (utf8_steers(character) && character >= 0x20 && character < 0x10000)
			SEAL_TRY(buf_printf(out, err, "\\u%04x", (unsigned)character));
		else
			SEAL_TRY(put_character(out, character, err));
	}
	SEAL_TRY(buf_append_str(out, "']", err));
out:
	return rc;
}

enum seal_status json_path_canonical(const struct json_path *path, struct seal_buf *out, struct seal_err *err)
{
	size_t was = out->len;
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '$', err));
	for (size_t i = 0; i < path->n_steps; i++) {
		const struct json_path_step *step = &path->steps[i];

		if (step->kind == JSON_STEP_INDEX || step->kind == JSON_STEP_WILD) {
			SEAL_TRY(buf_append_str(out, "[*]", err));
			continue;
		}
		if (step->kind == JSON_STEP_DEEP_NAME)
			SEAL_TRY(buf_append_str(out, "..", err));
		SEAL_TRY(put_name(out, step->name, false, err));
	}
out:
	if (rc != SEAL_OK)
		out->len = was;
	return rc;
}

enum seal_status json_steps_canonical(struct seal_bytes doc, const struct json_step *steps, size_t n,
				      struct seal_buf *out, struct seal_err *err)
{
	size_t was = out->len;
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '$', err));
	for (size_t i = 0; i < n; i++) {
		const struct json_step *step = &steps[i];

		if (step->start == JSON_NO_NAME)
			SEAL_TRY(buf_append_str(out, "[*]", err));
		else
			SEAL_TRY(put_name(out, bytes_of(doc.ptr + step->start, step->end - step->start),
					  step->escaped, err));
	}
out:
	if (rc != SEAL_OK)
		out->len = was;
	return rc;
}
