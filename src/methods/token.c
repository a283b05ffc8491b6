/*
 * token: a random stand-in for the value, which is kept in a store, encrypted (tokens/tokens.h).
 *
 *   shape: text    seal:t1: base64url of 16 random bytes      strings; other JSON behind "json+"; payloads
 *   shape: keep    4111-1148-2073-1111                        text and integers; what the alphabet has not, and what `keep` says,
 *                                                             stays; never the value itself
 *
 * Methods of one plan with the same store and key share their tokens: what those remember, they remember once.
 */
#include "base/ckd.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "json/scan.h"
#include "methods/builtin.h"
#include "methods/metadata.h"
#include "methods/shape.h"
#include "methods/simple.h"
#include "methods/text_form.h"
#include "methods/token.h"
#include "tokens/tokens.h"

_Static_assert(TEXT_FORM_TOKEN_LEN == TOKEN_LEN, "the form of a token");
_Static_assert((int)TOKEN_STRING == (int)CELL_STRING && (int)TOKEN_JSON == (int)CELL_JSON &&
		       (int)TOKEN_BYTES == (int)CELL_BYTES,
	       "kinds of tokens are those of cells");

#define SHAPED "'shape: keep'" /* for messages */

enum form { FORM_OF_TEXT, FORM_OF_VALUE };

struct token_options {
	int shape; /* enum form */
	const char *alphabet; /* NULL: digits */
	int64_t keep_first, keep_last;
	bool convergent;
	int64_t ttl_ms; /* 0: for ever */
	const char *metadata; /* NULL: none */
};

#define AT(member) .offset = offsetof(struct token_options, member)

static const struct opt_row rows[] = {
	{.name = "shape",
	 .help = "text: seal:t1: and 22 characters, the default; keep: the token looks like the value",
	 .arg = "SHAPE",
	 .def = "text",
	 .choices = "text|keep",
	 .type = OPT_CHOICE,
	 AT(shape)},
	{.name = "alphabet",
	 .help = "shape: keep: what is replaced: digits (the default), lower, upper, letters, alphanumeric, hex, or "
		 "the "
		 "characters themselves",
	 .arg = "NAME|CHARACTERS",
	 .type = OPT_STRING,
	 AT(alphabet)},
	{.name = "keep.first",
	 .help = "shape: keep: how many characters of the alphabet stay at the start; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = TOKEN_SHAPED_MAX,
	 .type = OPT_INT,
	 AT(keep_first)},
	{.name = "keep.last",
	 .help = "shape: keep: how many characters of the alphabet stay at the end; default 0",
	 .arg = "N",
	 .def = "0",
	 .max = TOKEN_SHAPED_MAX,
	 .type = OPT_INT,
	 AT(keep_last)},
	{.name = "convergent",
	 .help = "true: the same value that is bound to the same gets the same token; default: each time another",
	 .type = OPT_FLAG,
	 AT(convergent)},
	{.name = "ttl",
	 .help = "how long a token lives, like 30d; a convergent one lives on when it is used again; default: for "
		 "ever",
	 .arg = "DURATION",
	 .min = 1000,
	 .max = INT64_MAX / 1000,
	 .type = OPT_DURATION,
	 AT(ttl_ms)},
	{.name = "metadata",
	 .help = "kept with each token, encrypted, like purpose=billing,team=web",
	 .arg = "K=V,K=V",
	 .type = OPT_STRING,
	 AT(metadata)},
	OPT_END,
};

struct token_method {
	struct simple_method simple; /* first */
	struct store *store;
	struct tokens *tokens;
	bool borrowed; /* `tokens` is an earlier method's of the same plan */
	struct shape shape; /* shape: keep; else all zero */
	struct token_terms terms;
};

/* A lot at work: cell[i] is the cell of items[i]. */
struct work {
	struct token_item *items;
	size_t *cell;
	size_t n;
};

static unsigned flags_of(const void *base)
{
	const struct token_options *options = base;
	unsigned flags = method_token.kind.flags;

	if (options->shape == FORM_OF_VALUE)
		flags &= ~(unsigned)(METHOD_TEXT_FORM | METHOD_BYTES);
	/* After its time a value gets another token. */
	if (!options->convergent || options->ttl_ms != 0)
		flags &= ~(unsigned)METHOD_STABLE;
	return flags;
}

static const char *alphabet_of(const struct token_options *options)
{
	return options->alphabet != NULL ? options->alphabet : "digits";
}

static enum seal_status check(const void *base, struct seal_err *err)
{
	const struct token_options *options = base;
	const bool keeps = options->keep_first > 0 || options->keep_last > 0;
	struct alphabet *alphabet = NULL;
	enum seal_status rc;

	SEAL_TRY(alphabet_new(bytes_str(alphabet_of(options)), &alphabet, err));
	if (options->shape == FORM_OF_TEXT && (options->alphabet != NULL || keeps))
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'%s' goes with 'shape: keep' only",
			     keeps ? "keep" : "alphabet");
	else if (options->metadata != NULL && !metadata_is_valid(bytes_str(options->metadata), TOKEN_METADATA_MAX))
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "'metadata' must be like purpose=billing,team=web, at most %d bytes",
			     TOKEN_METADATA_MAX);
out:
	alphabet_free(alphabet);
	return rc;
}

/* Shaped tokens ------------------------------------------------------------------------------------------- */

/* Numerals below `radix`, each as likely as any other. */
static enum seal_status draw_numerals(uint32_t radix, uint16_t *numerals, size_t n, struct seal_err *err)
{
	const uint32_t limit = (UINT32_C(65536) / radix) * radix;
	uint16_t pool[64];
	size_t left = 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n;) {
		if (left == 0) {
			left = sizeof(pool) / sizeof(pool[0]);
			if (left > 2 * (n - i))
				left = 2 * (n - i);
			SEAL_TRY(random_bytes((uint8_t *)pool, left * sizeof(pool[0]), err));
		}
		if (pool[--left] < limit)
			numerals[i++] = (uint16_t)(pool[left] % radix);
	}
out:
	return rc;
}

/* An integer that begins with a free digit begins with one of nine. */
static enum seal_status draw_free(const struct shape *shape, bool leads, uint16_t *numerals, size_t n,
				  struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(draw_numerals(shape->alphabet->radix, numerals + leads, n - leads, err));
	if (!leads)
		goto out;
	SEAL_TRY(draw_numerals(shape->alphabet->radix - 1, numerals, 1, err));
	numerals[0]++;
out:
	return rc;
}

/* token_terms.draw: `arg` is the shape; the value fits it. */
static enum seal_status draw(const void *arg, const struct token_item *item, struct arena *arena,
			     struct seal_bytes *token, struct seal_err *err)
{
	const struct shape *shape = arg;
	uint16_t *numerals = arena_alloc(arena, (item->value.len + 1) * sizeof(*numerals), _Alignof(uint16_t));
	enum seal_status rc;
	size_t n;

	if (numerals == NULL)
		return err_memory(err);
	n = alphabet_read(shape->alphabet, item->value, numerals, item->value.len);
	n -= shape->keep_first + shape->keep_last;
	do {
		SEAL_TRY(draw_free(shape, shape_leads(shape, item->kind == TOKEN_JSON), numerals + shape->keep_first,
				   n, err));
		SEAL_TRY(shape_write(shape, item->value, numerals, arena, token, err));
	} while (bytes_eq(*token, item->value));
out:
	return rc;
}

static uint64_t room_of(const struct shape *shape, bool leads, size_t n)
{
	const uint64_t radix = shape->alphabet->radix;
	uint64_t room = leads ? radix - 1 : 1;

	for (size_t i = leads; i < n; i++)
		if (ckd_mul(&room, room, radix))
			return UINT64_MAX;
	return room;
}

/* What all tokens share that can be drawn for this value: it, or one of them, with the free characters all the same. */
static enum seal_status set_group(const struct shape *shape, struct lot *lot, struct cell *cell,
				  struct token_item *item, struct seal_err *err)
{
	const bool json = cell->kind == CELL_JSON;
	struct shaped shaped;
	enum seal_status rc;

	SEAL_TRY(shape_read(shape, lot, cell, &shaped, err));
	if (cell->err != NULL)
		goto out;
	memset(shaped.free, 0, shaped.n * sizeof(*shaped.free));
	SEAL_TRY(shape_write(shape, cell->in, shaped.numerals, lot->arena, &item->group, err));
	item->room = room_of(shape, shape_leads(shape, json), shaped.n);
out:
	return rc;
}

enum seal_status token_group(const struct policy_method *spec, enum cell_kind kind, struct seal_bytes token,
			     struct arena *arena, struct seal_bytes *group, struct seal_err *err)
{
	const struct token_options *options = spec->options;
	struct cell cell = {.in = token, .kind = kind, .json_type = JSON_NUMBER};
	struct lot lot = {.cells = &cell, .n = 1, .arena = arena};
	struct token_item item = {.room = 0};
	struct shape shape = {.method = NULL};
	enum seal_status rc = SEAL_OK;

	*group = BYTES_EMPTY;
	if (spec->kind != &method_token.kind || options->shape != FORM_OF_VALUE)
		goto out;
	SEAL_TRY(shape_init(&shape, SHAPED, alphabet_of(options), options->keep_first, options->keep_last,
			    TOKEN_SHAPED_MAX, err));
	SEAL_TRY(set_group(&shape, &lot, &cell, &item, err));
	*group = item.group;
out:
	shape_clear(&shape);
	return rc;
}

/* Both ways ----------------------------------------------------------------------------------------------- */

/* A token has no more than TOKEN_SHAPED_MAX bytes whatever is drawn; four a character where the alphabet has long ones. */
static bool fits_shaped(const struct shape *shape, struct lot *lot, struct cell *cell)
{
	if (alphabet_write_max(shape->alphabet, cell->in) <= TOKEN_SHAPED_MAX)
		return true;
	cell_fail(lot, cell, SEAL_E_LIMIT,
		  "the value is too long for 'shape: keep': at most %d bytes, or use 'shape: text'",
		  TOKEN_SHAPED_MAX / (shape->alphabet->ascii ? 1 : 4));
	return false;
}

static enum seal_status add_value(const struct token_method *method, struct lot *lot, struct cell *cell,
				  struct token_item *item, struct seal_err *err)
{
	item->value = cell->in;
	if (method->shape.alphabet == NULL || !fits_shaped(&method->shape, lot, cell))
		return SEAL_OK;
	return set_group(&method->shape, lot, cell, item, err);
}

static enum seal_status add_token(const struct token_method *method, struct lot *lot, struct cell *cell,
				  struct token_item *item, struct seal_err *err)
{
	uint8_t *token;

	if (method->shape.alphabet != NULL) {
		item->token = cell->in;
		return set_group(&method->shape, lot, cell, item, err);
	}
	token = arena_alloc(lot->arena, TOKEN_LEN, 1);
	if (token == NULL)
		return err_memory(err);
	if (text_form_token(cell->in, token))
		item->token = bytes_of(token, TOKEN_LEN);
	else
		cell_fail(lot, cell, SEAL_E_SYNTAX,
			  "the value is not a token (" TEXT_FORM_TOKEN
			  " and 22 characters); it is damaged, or was protected by another method");
	return SEAL_OK;
}

typedef enum seal_status (*add_cell)(const struct token_method *method, struct lot *lot, struct cell *cell,
				     struct token_item *item, struct seal_err *err);

/* One item a cell; a cell that failed has none. */
static enum seal_status prepare(const struct token_method *method, struct lot *lot, add_cell add, struct work *work,
				struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	work->n = 0;
	work->items = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->items), _Alignof(struct token_item));
	work->cell = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->cell), _Alignof(size_t));
	if (work->items == NULL || work->cell == NULL)
		return err_memory(err);
	for (size_t i = 0; i < lot->n; i++) {
		struct cell *cell = &lot->cells[i];

		work->items[work->n] = (struct token_item){.place = cell->place, .kind = (enum token_kind)cell->kind};
		SEAL_TRY(add(method, lot, cell, &work->items[work->n], err));
		if (cell->err == NULL)
			work->cell[work->n++] = i;
	}
out:
	return rc;
}

/* "seal:t1:…", with "json+" before it where that belongs. */
static enum seal_status take_text(struct lot *lot, const struct token_item *item, struct cell *cell,
				  struct seal_err *err)
{
	const size_t prefix = cell->kind == CELL_JSON ? sizeof(TEXT_FORM_JSON) - 1 : 0;
	char *text = arena_alloc(lot->arena, prefix + TEXT_FORM_TOKEN_TEXT_LEN, 1);

	if (text == NULL)
		return err_memory(err);
	memcpy(text, TEXT_FORM_JSON, prefix);
	text_form_token_write(item->token.ptr, text + prefix);
	cell->out = bytes_of(text, prefix + TEXT_FORM_TOKEN_TEXT_LEN);
	cell->form = FORM_ASCII;
	return SEAL_OK;
}

static enum seal_status protect(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	const struct token_method *method = (const struct token_method *)session->method;
	const struct key_call call = {.arena = lot->arena, .deadline_ms = lot->deadline_ms};
	struct work work;
	enum seal_status rc;

	SEAL_TRY(prepare(method, lot, add_value, &work, err));
	if (work.n > 0)
		SEAL_TRY(
			tokens_protect(method->tokens, session->key, &method->terms, work.items, work.n, &call, err));
	for (size_t i = 0; i < work.n; i++) {
		const struct token_item *item = &work.items[i];
		struct cell *cell = &lot->cells[work.cell[i]];

		if (item->err != NULL) {
			cell_fail_err(cell, item->err);
		} else if (method->shape.alphabet == NULL) {
			SEAL_TRY(take_text(lot, item, cell, err));
		} else {
			cell->out = item->token;
			cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
		}
	}
out:
	return rc;
}

static enum seal_status reveal(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	const struct token_method *method = (const struct token_method *)session->method;
	const struct key_call call = {.arena = lot->arena, .deadline_ms = lot->deadline_ms};
	struct work work;
	enum seal_status rc;

	SEAL_TRY(prepare(method, lot, add_token, &work, err));
	if (work.n > 0)
		SEAL_TRY(tokens_reveal(method->tokens, session->key, work.items, work.n, &call, err));
	for (size_t i = 0; i < work.n; i++) {
		struct cell *cell = &lot->cells[work.cell[i]];

		if (work.items[i].err != NULL) {
			cell_fail_err(cell, work.items[i].err);
			continue;
		}
		cell->out = work.items[i].value;
		cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
	}
out:
	return rc;
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.reveal = reveal,
	.free = simple_session_free,
};

/* Life ---------------------------------------------------------------------------------------------------- */

static void token_free(struct method *base)
{
	struct token_method *method = (struct token_method *)base;

	if (method == NULL)
		return;
	if (!method->borrowed)
		tokens_free(method->tokens);
	shape_clear(&method->shape);
	mem_free(method);
}

/* The tokens of an earlier method with the same store and key; NULL: there is none. */
static struct tokens *find_alike(const struct method_needs *needs)
{
	for (size_t i = 0; i < needs->n_before; i++) {
		const struct token_method *other = (const struct token_method *)needs->before[i];

		if (other->simple.base.ops == &method_token && other->store == needs->store &&
		    other->simple.key == needs->key)
			return other->tokens;
	}
	return NULL;
}

static enum seal_status open_tokens(struct token_method *method, const struct method_needs *needs,
				    struct seal_err *err)
{
	const struct policy_key *key = method->simple.spec->key;
	const struct person_scope scope = {needs->namespace_, key->scheme, key->reference};
	struct data_keys_options limits = {.max_uses = TOKENS_STORE_KEY_USES};
	struct key_info info;
	enum seal_status rc = SEAL_OK;

	method->tokens = find_alike(needs);
	method->borrowed = method->tokens != NULL;
	if (method->borrowed)
		goto out;
	SEAL_TRY(needs->key->ops->info(needs->key, &info, err));
	limits.derived = info.derived;
	limits.latest_version = info.latest_version;
	SEAL_TRY(tokens_new(needs->store, &scope, &limits, &method->tokens, err));
out:
	return rc;
}

static enum seal_status token_open(const struct policy_method *spec, const struct method_needs *needs,
				   struct method **out, struct seal_err *err)
{
	const struct token_options *options = spec->options;
	struct token_method *method = mem_calloc(1, sizeof(*method));
	enum seal_status rc;

	*out = NULL;
	if (method == NULL)
		return err_memory(err);
	method->simple = (struct simple_method){
		.base = {&method_token}, .spec = spec, .key = needs->key, .session_ops = &session_ops};
	method->store = needs->store;
	method->terms = (struct token_terms){.convergent = options->convergent,
					     .ttl_ms = (uint64_t)options->ttl_ms,
					     .metadata = options->metadata};
	if (options->shape == FORM_OF_VALUE) {
		SEAL_TRY(shape_init(&method->shape, SHAPED, alphabet_of(options), options->keep_first,
				    options->keep_last, TOKEN_SHAPED_MAX, err));
		method->terms.draw = draw;
		method->terms.arg = &method->shape;
	}
	SEAL_TRY(open_tokens(method, needs, err));
out:
	if (rc != SEAL_OK)
		token_free(&method->simple.base);
	else
		*out = &method->simple.base;
	return rc;
}

/* The rest says how values are read, too. */
static const char *const write_options[] = {"convergent", "ttl", "metadata", NULL};

const struct method_ops method_token = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "token",
			.summary = "a random stand-in, text or of the value's shape; the value is kept in a store, "
				   "encrypted; any value",
			.leaks = "nothing; convergent: equality; shape keep: format, length",
			.flags = METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS | METHOD_BINDS | METHOD_TEXT_FORM |
				 METHOD_BYTES | METHOD_STORE | METHOD_STABLE,
			.options = rows,
			.options_size = sizeof(struct token_options),
			.write_options = write_options,
			.check = check,
			.flags_of = flags_of,
		},
	.open = token_open,
	.session = simple_session_new,
	.free = token_free,
};
