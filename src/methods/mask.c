/*
 * mask: characters hidden by one character; some at the start and the end may stay. One-way; takes strings.
 *
 *   keep: {last: 4}                    4111-1111-1111-1111  →  ***************1111
 *   keep: {last: 4}, separators: true  4111-1111-1111-1111  →  ****-****-****-1111
 *
 * A value that has no more characters than are kept is hidden whole: a short value never passes as it is.
 */
#include "base/utf8.h"
#include "methods/builtin.h"
#include "methods/simple.h"

struct mask_options {
	int64_t keep_first, keep_last;
	const char *character;
	bool separators;
};

static const struct opt_row rows[] = {
	{.name = "keep.first",
	 .help = "how many characters at the start stay; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = 4096,
	 .offset = offsetof(struct mask_options, keep_first),
	 .type = OPT_INT},
	{.name = "keep.last",
	 .help = "how many characters at the end stay; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = 4096,
	 .offset = offsetof(struct mask_options, keep_last),
	 .type = OPT_INT},
	{.name = "char",
	 .help = "the one character that stands for each hidden one; default *",
	 .arg = "CHARACTER",
	 .def = "*",
	 .offset = offsetof(struct mask_options, character),
	 .type = OPT_STRING},
	{.name = "separators",
	 .help = "true: ASCII characters that are neither letters nor digits stay and don't count; default false",
	 .offset = offsetof(struct mask_options, separators),
	 .type = OPT_FLAG},
	OPT_END,
};

static enum seal_status check(const void *base, struct seal_err *err)
{
	const struct mask_options *options = base;
	struct seal_bytes with = bytes_str(options->character);
	uint32_t code_point;
	size_t at = 0;

	if (with.len == 0 || !utf8_next(with, &at, &code_point) || at != with.len)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'char' must be exactly one character");
	return SEAL_OK;
}

static bool stays(const struct mask_options *options, uint32_t c)
{
	if (!options->separators || c >= 0x80)
		return false;
	return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

/* How many characters of `text` (valid UTF-8) count. */
static size_t count(const struct mask_options *options, struct seal_bytes text)
{
	size_t n = 0;
	uint32_t c;

	for (size_t at = 0; at < text.len;) {
		SEAL_INVARIANT(utf8_next(text, &at, &c));
		n += !stays(options, c);
	}
	return n;
}

static enum seal_status mask_one(const struct mask_options *options, struct lot *lot, struct cell *cell,
				 struct seal_err *err)
{
	const struct seal_bytes with = bytes_str(options->character), text = cell->in;
	const size_t n = count(options, text), first = (size_t)options->keep_first, last = (size_t)options->keep_last;
	const bool keeps = first + last < n;
	uint8_t *start = arena_alloc(lot->arena, text.len * with.len + 1, 1), *out = start;
	size_t nth = 0;
	uint32_t c;

	if (start == NULL)
		return err_memory(err);
	for (size_t at = 0; at < text.len;) {
		const size_t from = at;
		bool shown;

		SEAL_INVARIANT(utf8_next(text, &at, &c));
		shown = stays(options, c);
		if (!shown) {
			shown = keeps && (nth < first || nth >= n - last);
			nth++;
		}
		if (shown) {
			memcpy(out, text.ptr + from, at - from);
			out += at - from;
		} else {
			memcpy(out, with.ptr, with.len);
			out += with.len;
		}
	}
	arena_shrink(lot->arena, start + text.len * with.len + 1, out);
	cell->out = bytes_of(start, (size_t)(out - start));
	cell->form = FORM_STRING;
	return SEAL_OK;
}

static enum seal_status protect(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	const struct mask_options *options = simple_options(session);
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < lot->n; i++) {
		if (lot->cells[i].kind != CELL_STRING)
			cell_fail(lot, &lot->cells[i], SEAL_E_TYPE,
				  "mask takes strings; use redact or remove for other values");
		else
			SEAL_TRY(mask_one(options, lot, &lot->cells[i], err));
	}
out:
	return rc;
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.free = simple_session_free,
};

static enum seal_status mask_open(const struct policy_method *spec, const struct method_needs *needs,
				  struct method **out, struct seal_err *err)
{
	return simple_open(&method_mask, &session_ops, spec, needs, out, err);
}

/* No more characters show than are kept, and none where nothing is hidden. Which ones cannot be told: `char` may be kept, too. */
static bool could_be(const void *base, bool string, struct seal_bytes text)
{
	const struct mask_options *options = base;
	uint64_t shown = 0, masked = 0;
	uint32_t c, hidden;
	size_t at = 0;

	if (!string || !utf8_next(bytes_str(options->character), &at, &hidden))
		return false;
	for (at = 0; at < text.len;) {
		if (!utf8_next(text, &at, &c))
			return false;
		masked += c == hidden;
		shown += c != hidden && !stays(options, c);
	}
	return shown == 0 || (masked > 0 && shown <= (uint64_t)(options->keep_first + options->keep_last));
}

const struct method_ops method_mask = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "mask",
			.summary = "characters hidden by one character, some may stay; one-way; strings",
			.leaks = "what is kept, length",
			.flags = METHOD_ONE_WAY,
			.options = rows,
			.options_size = sizeof(struct mask_options),
			.check = check,
			.could_be = could_be,
		},
	.open = mask_open,
	.session = simple_session_new,
	.free = simple_free,
};
