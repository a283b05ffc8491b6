/*
 * fpe: format-preserving encryption. The characters of an alphabet become other characters of it, all others stay
 * where they are, so a 4-4-4-4 card stays a 4-4-4-4 card.
 *
 *   text       4 1 1 1 - 1 1 1 1 - 1 1 1 1 - 1 1 1 1      alphabet: digits, keep: {first: 6, last: 4}
 *   numerals   4 1 1 1   1 1 1 1   1 1 1 1   1 1 1 1
 *              └─ kept ────┘ └─ transformed ┘└─ kept ┘     domain 10^6 at least (SP 800-38G r1)
 *
 * A JSON integer without sign stays one: while the result has a leading zero it is transformed again (cycle walking:
 * as the transformation is a permutation, walking the same way backwards ends at the value that began).
 *
 * No integrity: a changed text reveals to another value. Equal values look equal within one place. A Luhn check digit
 * is transformed like every other digit, so whether the result passes Luhn's test is chance (one in ten).
 */
#include "base/mem.h"
#include "crypto/ff1.h"
#include "crypto/ff3_1.h"
#include "methods/alphabet.h"
#include "methods/builtin.h"
#include "methods/simple.h"
#include "methods/tweak.h"

#define TWEAK_LEN 8

enum algorithm { ALGORITHM_FF1, ALGORITHM_FF3_1 };

struct fpe_options {
	const char *alphabet;
	int64_t keep_first, keep_last;
	struct seal_bytes tweak; /* ptr NULL: from the place */
	int64_t version;
	int algorithm; /* enum algorithm */
};

static const struct opt_row rows[] = {
	{.name = "alphabet",
	 .help = "what is transformed, in order: digits, lower, upper, letters (a-zA-Z), alphanumeric (0-9a-zA-Z), "
		 "hex (0-9a-f), or the characters themselves",
	 .arg = "NAME|CHARACTERS",
	 .def = "digits",
	 .offset = offsetof(struct fpe_options, alphabet),
	 .type = OPT_STRING},
	{.name = "keep.first",
	 .help = "how many characters of the alphabet stay at the start; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = FF1_LENGTH_MAX,
	 .offset = offsetof(struct fpe_options, keep_first),
	 .type = OPT_INT},
	{.name = "keep.last",
	 .help = "how many characters of the alphabet stay at the end; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = FF1_LENGTH_MAX,
	 .offset = offsetof(struct fpe_options, keep_last),
	 .type = OPT_INT},
	{.name = "tweak",
	 .help = "hex, verbatim, for data that another FF1 made; default: derived from what the value is bound to",
	 .arg = "HEX",
	 .offset = offsetof(struct fpe_options, tweak),
	 .type = OPT_HEX},
	{.name = "version",
	 .help = "version of the key, fixed because the result cannot carry it; default 1",
	 .arg = "N",
	 .def = "1",
	 .min = 1,
	 .max = UINT32_MAX,
	 .offset = offsetof(struct fpe_options, version),
	 .type = OPT_INT},
	{.name = "algorithm",
	 .help = "ff1, or ff3-1 to reveal (only) what an older system made; default ff1",
	 .arg = "NAME",
	 .def = "ff1",
	 .choices = "ff1|ff3-1",
	 .offset = offsetof(struct fpe_options, algorithm),
	 .type = OPT_CHOICE},
	OPT_END,
};

struct fpe_method {
	struct simple_method simple; /* first */
	struct alphabet *alphabet;
	size_t keep; /* first + last */
	size_t n_min, n_max; /* how many characters can be transformed */
	bool digits; /* integers are taken, too */
};

/* A lot at work. walk[i] is the cell of items[i]. */
struct work {
	struct key_fpe_item *items;
	size_t *cell;
	size_t n;
	struct key_fpe_item *walking; /* items whose results have a leading zero */
};

static enum seal_status check(const void *base, struct seal_err *err)
{
	const struct fpe_options *options = base;
	struct alphabet *alphabet = NULL;
	enum seal_status rc;

	SEAL_TRY(alphabet_new(bytes_str(options->alphabet), &alphabet, err));
	if (options->algorithm == ALGORITHM_FF3_1 && options->tweak.len != FF3_1_TWEAK_LEN)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "'algorithm: ff3-1' needs 'tweak:' with %d bytes (%d hex digits)", FF3_1_TWEAK_LEN,
			     2 * FF3_1_TWEAK_LEN);
	if (options->tweak.len > FF1_TWEAK_MAX)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'tweak' has more than %u bytes", FF1_TWEAK_MAX);
out:
	alphabet_free(alphabet);
	return rc;
}

/* The least n >= 2 with radix^n >= 10^6 (SP 800-38G r1, section 5.2). */
static size_t least_length(uint32_t radix)
{
	uint64_t domain = radix;
	size_t n = 1;

	while (n < 2 || domain < FF1_DOMAIN_MIN) {
		domain *= radix;
		n++;
	}
	return n;
}

/* SP 800-38G r1 (2019), section 5.2: maxlen = 2 * floor(log_radix(2^96)). */
static size_t ff3_1_longest(uint32_t radix)
{
	const unsigned __int128 limit = (unsigned __int128)1 << 96;
	unsigned __int128 power = 1;
	size_t n = 0;

	while (power * radix <= limit) {
		power *= radix;
		n++;
	}
	return 2 * n;
}

static void fpe_free(struct method *base)
{
	struct fpe_method *method = (struct fpe_method *)base;

	if (method == NULL)
		return;
	alphabet_free(method->alphabet);
	mem_free(method);
}

static const struct method_session_ops session_ops;

static enum seal_status fpe_open(const struct policy_method *spec, const struct method_needs *needs,
				 struct method **out, struct seal_err *err)
{
	const struct fpe_options *options = spec->options;
	struct fpe_method *method;
	enum seal_status rc;

	*out = NULL;
	method = mem_calloc(1, sizeof(*method));
	if (method == NULL)
		return err_memory(err);
	method->simple = (struct simple_method){{&method_fpe}, spec, needs->key, &session_ops};
	SEAL_TRY(key_has_version(needs->key, options->version, err));
	SEAL_TRY(alphabet_new(bytes_str(options->alphabet), &method->alphabet, err));
	method->keep = (size_t)(options->keep_first + options->keep_last);
	method->n_min = least_length(method->alphabet->radix);
	method->n_max = options->algorithm == ALGORITHM_FF1 ? FF1_LENGTH_MAX : ff3_1_longest(method->alphabet->radix);
	method->digits = bytes_eq_str(bytes_str(options->alphabet), "digits");
out:
	if (rc != SEAL_OK)
		fpe_free(&method->simple.base);
	else
		*out = &method->simple.base;
	return rc;
}

/* The first 8 bytes of SHA-256 of the place; nothing is bound: the empty tweak. */
static enum seal_status tweak_of(const struct fpe_options *options, struct tweaks *cache, struct seal_bytes place,
				 struct arena *arena, struct seal_bytes *tweak, struct seal_err *err)
{
	*tweak = options->tweak;
	if (options->tweak.ptr != NULL || place.len == 0)
		return SEAL_OK;
	return tweak_of_place(cache, place, TWEAK_LEN, arena, tweak, err);
}

static bool is_integer(struct seal_bytes json)
{
	for (size_t i = 0; i < json.len; i++)
		if (json.ptr[i] < '0' || json.ptr[i] > '9')
			return false;
	return true;
}

/* False, and the cell failed, when its type is none for this method. */
static bool type_fits(const struct fpe_method *method, struct lot *lot, struct cell *cell)
{
	if (cell->kind == CELL_STRING)
		return true;
	if (cell->kind != CELL_JSON || cell->json_type != JSON_NUMBER)
		cell_fail(lot, cell, SEAL_E_TYPE, "fpe takes strings and integers; use encrypt for other values");
	else if (!method->digits)
		cell_fail(lot, cell, SEAL_E_TYPE, "fpe takes numbers only with 'alphabet: digits'");
	else if (!is_integer(cell->in))
		cell_fail(lot, cell, SEAL_E_TYPE,
			  "fpe takes integers without sign, fraction and exponent; use encrypt for other numbers");
	return cell->err == NULL;
}

/*
 * How many characters of the alphabet a value needs. An integer that walks needs one more: its domain lacks the tenth
 * that begins with 0, and 900,000 are too few.
 */
static size_t least_characters(const struct fpe_method *method, const struct cell *cell)
{
	const struct fpe_options *options = method->simple.spec->options;

	return method->n_min + method->keep + (cell->kind == CELL_JSON && options->keep_first == 0);
}

static void fail_length(const struct fpe_method *method, struct lot *lot, struct cell *cell, bool too_long)
{
	if (too_long)
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too long: at most %zu characters of the alphabet can be transformed",
			  method->n_max);
	else if (method->keep == 0)
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too short: at least %zu characters of the alphabet are needed "
			  "(a domain of 1,000,000)",
			  least_characters(method, cell));
	else
		cell_fail(lot, cell, SEAL_E_DOMAIN,
			  "the value is too short: at least %zu characters of the alphabet are needed, the %zu that "
			  "'keep' leaves among them (a domain of 1,000,000)",
			  least_characters(method, cell), method->keep);
}

/* Numerals of one cell into a new item; a cell that can't be transformed is failed. */
static enum seal_status add_item(const struct fpe_method *method, struct lot *lot, size_t index, struct tweaks *cache,
				 struct work *work, struct seal_err *err)
{
	const struct fpe_options *options = method->simple.spec->options;
	struct key_fpe_item *item = &work->items[work->n];
	struct cell *cell = &lot->cells[index];
	size_t room = method->n_max + method->keep, n;
	uint16_t *numerals;

	if (!type_fits(method, lot, cell))
		return SEAL_OK;
	if (room > cell->in.len)
		room = cell->in.len;
	numerals = arena_alloc(lot->arena, (room + 1) * sizeof(*numerals), _Alignof(uint16_t));
	if (numerals == NULL)
		return err_memory(err);
	n = alphabet_read(method->alphabet, cell->in, numerals, room);
	if (n == ALPHABET_TOO_LONG || n < least_characters(method, cell)) {
		fail_length(method, lot, cell, n == ALPHABET_TOO_LONG);
		return SEAL_OK;
	}
	arena_shrink(lot->arena, (uint8_t *)(numerals + room + 1), (uint8_t *)(numerals + n));
	item->numerals = numerals + options->keep_first;
	item->n = (uint32_t)(n - method->keep);
	item->radix = method->alphabet->radix;
	work->cell[work->n++] = index;
	return tweak_of(options, cache, cell->place, lot->arena, &item->tweak, err);
}

static enum seal_status prepare(const struct fpe_method *method, struct lot *lot, struct work *work,
				struct seal_err *err)
{
	struct tweaks cache = {{NULL}, {{NULL, 0}}};
	enum seal_status rc = SEAL_OK;

	work->items = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->items), _Alignof(struct key_fpe_item));
	work->cell = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->cell), _Alignof(size_t));
	if (work->items == NULL || work->cell == NULL)
		return err_memory(err);
	for (size_t i = 0; i < lot->n; i++)
		SEAL_TRY(add_item(method, lot, i, &cache, work, err));
out:
	return rc;
}

static enum seal_status call_key(struct simple_session *session, const struct fpe_options *options, bool decrypt,
				 struct key_fpe_item *items, size_t n, struct lot *lot, struct seal_err *err)
{
	const struct key_call call = {.arena = lot->arena, .deadline_ms = lot->deadline_ms};
	const uint32_t version = (uint32_t)options->version;
	const struct key_session_ops *ops = session->key->ops;

	if (options->algorithm == ALGORITHM_FF1)
		return ops->fpe(session->key, version, decrypt, items, n, &call, err);
	if (!decrypt)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "method '%s': ff3-1 only reveals (NIST withdrew it); protect with 'algorithm: ff1'",
			       session->method->spec->name);
	if (ops->fpe_legacy_decrypt == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "method '%s': its key's store cannot do ff3-1",
			       session->method->spec->name);
	return ops->fpe_legacy_decrypt(session->key, version, items, n, &call, err);
}

/* Transforms all; then those that must not begin with 0 and do, until none does. */
static enum seal_status transform(struct simple_session *session, const struct fpe_method *method, bool decrypt,
				  struct lot *lot, struct work *work, struct seal_err *err)
{
	const struct fpe_options *options = method->simple.spec->options;
	size_t walking = 0;
	enum seal_status rc;

	SEAL_TRY(call_key(session, options, decrypt, work->items, work->n, lot, err));
	if (options->keep_first > 0 || !method->digits)
		goto out;
	for (size_t i = 0; i < work->n; i++) {
		if (lot->cells[work->cell[i]].kind != CELL_JSON || work->items[i].numerals[0] != 0)
			continue;
		if (walking == 0)
			work->walking = arena_alloc(lot->arena, work->n * sizeof(*work->walking),
						    _Alignof(struct key_fpe_item));
		if (work->walking == NULL) {
			rc = err_memory(err);
			goto out;
		}
		work->walking[walking++] = work->items[i];
	}
	while (walking > 0) {
		size_t n = walking;

		SEAL_TRY(call_key(session, options, decrypt, work->walking, n, lot, err));
		walking = 0;
		for (size_t i = 0; i < n; i++)
			if (work->walking[i].numerals[0] == 0)
				work->walking[walking++] = work->walking[i];
	}
out:
	return rc;
}

static enum seal_status write_cell(const struct fpe_method *method, struct lot *lot, const struct key_fpe_item *item,
				   struct cell *cell, struct seal_err *err)
{
	const struct fpe_options *options = method->simple.spec->options;
	const size_t room = alphabet_write_max(method->alphabet, cell->in);
	uint8_t *out = arena_alloc(lot->arena, room, 1);

	if (out == NULL)
		return err_memory(err);
	cell->out =
		bytes_of(out, alphabet_write(method->alphabet, cell->in, item->numerals - options->keep_first, out));
	cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
	arena_shrink(lot->arena, out + room, out + cell->out.len);
	return SEAL_OK;
}

static enum seal_status run(struct method_session *base, bool decrypt, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	const struct fpe_method *method = (const struct fpe_method *)session->method;
	struct work work = {NULL, NULL, 0, NULL};
	enum seal_status rc;

	SEAL_TRY(prepare(method, lot, &work, err));
	SEAL_TRY(transform(session, method, decrypt, lot, &work, err));
	for (size_t i = 0; i < work.n; i++)
		SEAL_TRY(write_cell(method, lot, &work.items[i], &lot->cells[work.cell[i]], err));
out:
	return rc;
}

static enum seal_status protect(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	return run(session, false, lot, err);
}

static enum seal_status reveal(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	return run(session, true, lot, err);
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.reveal = reveal,
	.free = simple_session_free,
};

const struct method_ops method_fpe = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "fpe",
			.summary = "FF1: the same shape, no integrity, equal values look equal; a Luhn check digit "
				   "is not "
				   "kept valid; strings, integers",
			.leaks = "equality, format, length",
			.flags = METHOD_FPE_KEY | METHOD_BINDS,
			.options = rows,
			.options_size = sizeof(struct fpe_options),
			.check = check,
		},
	.open = fpe_open,
	.session = simple_session_new,
	.free = fpe_free,
};
