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
#include "methods/builtin.h"
#include "methods/shape.h"
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
	struct shape shape;
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
	shape_clear(&method->shape);
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
	method->simple = (struct simple_method){
		.base = {&method_fpe}, .spec = spec, .key = needs->key, .session_ops = &session_ops};
	SEAL_TRY(key_has_version(needs->key, options->version, err));
	SEAL_TRY(shape_init(&method->shape, "fpe", options->alphabet, options->keep_first, options->keep_last,
			    FF1_LENGTH_MAX, err));
	if (options->algorithm == ALGORITHM_FF3_1)
		method->shape.n_max = ff3_1_longest(method->shape.alphabet->radix);
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

/* Numerals of one cell into a new item; a cell that can't be transformed is failed. */
static enum seal_status add_item(const struct fpe_method *method, struct lot *lot, size_t index, struct tweaks *cache,
				 struct work *work, struct seal_err *err)
{
	const struct fpe_options *options = method->simple.spec->options;
	struct key_fpe_item *item = &work->items[work->n];
	struct cell *cell = &lot->cells[index];
	struct shaped shaped;
	enum seal_status rc;

	SEAL_TRY(shape_read(&method->shape, lot, cell, &shaped, err));
	if (cell->err != NULL)
		goto out;
	item->numerals = shaped.free;
	item->n = shaped.n;
	item->radix = method->shape.alphabet->radix;
	work->cell[work->n++] = index;
	rc = tweak_of(options, cache, cell->place, lot->arena, &item->tweak, err);
out:
	return rc;
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
	if (options->keep_first > 0 || !method->shape.digits)
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
	enum seal_status rc;

	SEAL_TRY(shape_write(&method->shape, cell->in, item->numerals - method->shape.keep_first, lot->arena,
			     &cell->out, err));
	cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
out:
	return rc;
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
			.flags = METHOD_FPE_KEY | METHOD_BINDS | METHOD_STABLE,
			.options = rows,
			.options_size = sizeof(struct fpe_options),
			.check = check,
		},
	.open = fpe_open,
	.session = simple_session_new,
	.free = fpe_free,
};
