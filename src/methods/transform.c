/*
 * transform: the Transform engine of Vault Enterprise does it: format-preserving encryption, masking, tokenization, as
 * its administrator set the role and the transformation up. Strings only.
 *
 *   tweak_source   sent with the value               the protected value
 *   internal       nothing                           the encoded value     (masking and tokenization, too)
 *   supplied       a tweak of the place, or `tweak`  the encoded value
 *   generated      nothing; the server draws one     seal:x1: base64url of the tweak : encoded value
 *
 * What the transformation is stands on the server alone. The key checks at start, where it may look, that the two agree;
 * an answer that shows that they don't stops everything: a value whose tweak was lost could never be revealed.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/mac.h"
#include "json/scan.h"
#include "methods/builtin.h"
#include "methods/metadata.h"
#include "methods/simple.h"
#include "methods/text_form.h"
#include "methods/tweak.h"

#define METADATA_MAX 4096
#define TWEAK_LEN_DEFAULT 7 /* FF3-1's: 56 bits */

struct transform_options {
	const char *mount, *role, *transformation, *decode_format, *expiration, *metadata;
	int tweak_source; /* enum key_tweak */
	int64_t tweak_bytes; /* 0: the default */
	struct seal_bytes tweak; /* ptr NULL: from the place */
	int64_t ttl_ms; /* 0: none */
	bool one_way;
};

#define AT(member) .offset = offsetof(struct transform_options, member)

static const struct opt_row rows[] = {
	{.name = "mount",
	 .help = "where the Transform engine is mounted; default transform",
	 .arg = "PATH",
	 .def = "transform",
	 .type = OPT_STRING,
	 AT(mount)},
	{.name = "role", .help = "the role", .arg = "NAME", .type = OPT_STRING, .required = true, AT(role)},
	{.name = "transformation",
	 .help = "one of the role's transformations; default: its only one",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 AT(transformation)},
	{.name = "tweak_source",
	 .help = "as the transformation's on the server: internal (the default; masking and tokenization, too), "
		 "supplied: made of what the value is bound to, generated: the server draws one, which is kept with "
		 "the value",
	 .arg = "SOURCE",
	 .def = "internal",
	 .choices = "internal|supplied|generated",
	 .type = OPT_CHOICE,
	 AT(tweak_source)},
	{.name = "tweak_bytes",
	 .help = "how many bytes a supplied tweak has; default 7, which FF3-1 wants",
	 .arg = "N",
	 .min = 1,
	 .max = SHA256_LEN,
	 .type = OPT_INT,
	 AT(tweak_bytes)},
	{.name = "tweak",
	 .help = "hex, verbatim, where the supplied tweak is not made of what the value is bound to",
	 .arg = "HEX",
	 .type = OPT_HEX,
	 AT(tweak)},
	{.name = "ttl",
	 .help = "tokenization: how long a token lives, like 42d; default: as the transformation says",
	 .arg = "DURATION",
	 .min = 1000,
	 .max = INT64_MAX,
	 .type = OPT_DURATION,
	 AT(ttl_ms)},
	{.name = "expiration",
	 .help = "tokenization: until when a token lives, like 2030-01-31T00:00:00Z; instead of ttl",
	 .arg = "TIME",
	 .type = OPT_STRING,
	 AT(expiration)},
	{.name = "metadata",
	 .help = "tokenization: kept with each token, like Department=Sales,Region=EU",
	 .arg = "K=V,K=V",
	 .type = OPT_STRING,
	 AT(metadata)},
	{.name = "decode_format",
	 .help = "reveal by this decode format of the template, which may give a part of the value",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 AT(decode_format)},
	{.name = "one_way",
	 .help = "true: masking; reveal leaves the values as they are",
	 .type = OPT_FLAG,
	 AT(one_way)},
	OPT_END,
};

struct transform_method {
	struct simple_method simple; /* first */
	struct key_transform how;
	char ttl[32];
};

static enum seal_status check_name(const char *option, const char *name, struct seal_err *err)
{
	if (name == NULL || bytes_is_name(bytes_str(name)))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "'%s' must be letters, digits, '_', and between these '-' or '.'", option);
}

/* RFC 3339, section 5.6: date-time with a full offset. 'd' stands for a digit. */
static bool is_time(struct seal_bytes text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd", offset[] = "+dd:dd";
	const size_t n = sizeof(shape) - 1;
	size_t i = 0;

#define FITS(c, want) ((want) == 'd' ? (c) >= '0' && (c) <= '9' : (c) == (want))
	for (; i < n && i < text.len; i++)
		if (!FITS(text.ptr[i], shape[i]))
			return false;
	if (i < n || i == text.len)
		return false;
	text = bytes_skip(text, n);
	if (text.ptr[0] == '.')
		for (text = bytes_skip(text, 1); text.len > 1 && FITS(text.ptr[0], 'd'); text = bytes_skip(text, 1))
			;
	if (text.len != sizeof(offset) - 1)
		return bytes_eq_str(text, "Z");
	for (i = 1; i < text.len; i++)
		if (!FITS(text.ptr[i], offset[i]))
			return false;
	return text.ptr[0] == '+' || text.ptr[0] == '-';
#undef FITS
}

static enum seal_status check_tokens(const struct transform_options *options, struct seal_err *err)
{
	if (options->ttl_ms != 0 && options->expiration != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'ttl' and 'expiration' exclude each other");
	if (options->ttl_ms % 1000 != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'ttl' must be whole seconds");
	if (options->expiration != NULL && !is_time(bytes_str(options->expiration)))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'expiration' must be a time of RFC 3339, like 2030-01-31T00:00:00Z");
	if (options->metadata != NULL && !metadata_is_valid(bytes_str(options->metadata), METADATA_MAX))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'metadata' must be like Department=Sales,Region=EU, at most %d bytes", METADATA_MAX);
	if (options->tweak_source != KEY_TWEAK_INTERNAL &&
	    (options->ttl_ms != 0 || options->expiration != NULL || options->metadata != NULL))
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"'ttl', 'expiration' and 'metadata' are for tokenization, which has no tweak: leave out "
			"'tweak_source'");
	return SEAL_OK;
}

static enum seal_status check_tweaks(const struct transform_options *options, struct seal_err *err)
{
	const bool supplied = options->tweak_source == KEY_TWEAK_SUPPLIED;

	if (!supplied && (options->tweak.ptr != NULL || options->tweak_bytes != 0))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'%s' goes with 'tweak_source: supplied' only",
			       options->tweak.ptr != NULL ? "tweak" : "tweak_bytes");
	if (options->tweak.ptr != NULL && options->tweak_bytes != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'tweak' and 'tweak_bytes' exclude each other");
	if (options->tweak.ptr != NULL && (options->tweak.len == 0 || options->tweak.len > TEXT_FORM_TWEAK_MAX))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'tweak' has 1 to %d bytes", TEXT_FORM_TWEAK_MAX);
	if (options->one_way && options->tweak_source != KEY_TWEAK_INTERNAL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'one_way' is for masking, which has no tweak: leave out 'tweak_source'");
	if (options->one_way && options->decode_format != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'one_way' and 'decode_format' exclude each other");
	return SEAL_OK;
}

static enum seal_status check(const void *base, struct seal_err *err)
{
	const struct transform_options *options = base;
	enum seal_status rc;

	SEAL_TRY(check_name("role", options->role, err));
	SEAL_TRY(check_name("transformation", options->transformation, err));
	SEAL_TRY(check_name("decode_format", options->decode_format, err));
	SEAL_TRY(check_tokens(options, err));
	SEAL_TRY(check_tweaks(options, err));
out:
	return rc;
}

static enum seal_status own_key(const void *base, struct seal_buf *out, struct seal_err *err)
{
	const struct transform_options *options = base;

	return buf_printf(out, err, "vault:%s/role/%s", options->mount, options->role);
}

static unsigned flags_of(const void *base)
{
	const struct transform_options *options = base;
	unsigned flags = METHOD_TRANSFORM_KEY;

	if (options->tweak_source == KEY_TWEAK_SUPPLIED && options->tweak.ptr == NULL)
		flags |= METHOD_BINDS;
	if (options->tweak_source == KEY_TWEAK_GENERATED)
		flags |= METHOD_TEXT_FORM;
	return options->one_way ? flags | METHOD_ONE_WAY : flags;
}

static const struct method_session_ops session_ops;

/* Of a supplied tweak. */
static size_t tweak_len(const struct transform_options *options)
{
	if (options->tweak.ptr != NULL)
		return options->tweak.len;
	return options->tweak_bytes != 0 ? (size_t)options->tweak_bytes : TWEAK_LEN_DEFAULT;
}

static enum seal_status transform_open(const struct policy_method *spec, const struct method_needs *needs,
				       struct method **out, struct seal_err *err)
{
	const struct transform_options *options = spec->options;
	struct transform_method *method;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if ((spec->flags & METHOD_BINDS) != 0 && spec->bind.mode == BIND_NONE)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"with 'bind: none' there is nothing to make a tweak of; say which one with 'tweak: HEX'");
	method = mem_calloc(1, sizeof(*method));
	if (method == NULL)
		return err_memory(err);
	method->simple = (struct simple_method){
		.base = {&method_transform}, .spec = spec, .key = needs->key, .session_ops = &session_ops};
	snprintf(method->ttl, sizeof(method->ttl), "%llds", (long long)(options->ttl_ms / 1000));
	method->how = (struct key_transform){.transformation = options->transformation,
					     .ttl = options->ttl_ms != 0 ? method->ttl : NULL,
					     .expiration = options->expiration,
					     .metadata = options->metadata,
					     .decode_format = options->decode_format,
					     .tweak = (enum key_tweak)options->tweak_source,
					     .tweak_len = tweak_len(options)};
	if (needs->key->ops->transform_check != NULL)
		SEAL_TRY(needs->key->ops->transform_check(needs->key, &method->how, err));
	*out = &method->simple.base;
	method = NULL;
out:
	mem_free(method);
	return rc;
}

/* A lot at work: cell[i] is the cell of items[i]. */
struct work {
	struct key_transform_item *items;
	size_t *cell;
	size_t n;
	struct tweaks tweaks;
};

static bool type_fits(struct lot *lot, struct cell *cell)
{
	if (cell->kind == CELL_STRING)
		return true;
	cell_fail(lot, cell, SEAL_E_TYPE, "transform takes strings%s",
		  cell->json_type == JSON_NULL ? "; 'on_null: keep' lets null through"
					       : "; use encrypt for other values");
	return false;
}

static enum seal_status add_encode(const struct transform_options *options, struct lot *lot, struct cell *cell,
				   struct work *work, struct seal_err *err)
{
	struct key_transform_item *item = &work->items[work->n];
	enum seal_status rc = SEAL_OK;

	*item = (struct key_transform_item){.in = cell->in, .tweak = options->tweak};
	if (options->tweak_source == KEY_TWEAK_SUPPLIED && options->tweak.ptr == NULL)
		SEAL_TRY(tweak_of_place(&work->tweaks, cell->place, tweak_len(options), lot->arena, &item->tweak,
					err));
	work->cell[work->n++] = (size_t)(cell - lot->cells);
out:
	return rc;
}

/* Takes "seal:x1:" text apart. */
static enum seal_status add_generated(struct lot *lot, struct cell *cell, struct work *work, struct seal_err *err)
{
	struct key_transform_item *item = &work->items[work->n];
	struct text_form form;
	uint8_t *tweak;
	size_t len;

	if (!text_form_parse(cell->in, &form) || form.tweak.len == 0) {
		cell_fail(lot, cell, SEAL_E_TAMPERED,
			  "the value is not what transform makes with 'tweak_source: generated'");
		return SEAL_OK;
	}
	tweak = arena_alloc(lot->arena, BASE64_RAW_MAX(form.tweak.len), 1);
	if (tweak == NULL)
		return err_memory(err);
	SEAL_INVARIANT(base64url_decode(form.tweak, tweak, &len));
	*item = (struct key_transform_item){.in = form.value, .tweak = bytes_of(tweak, len)};
	work->cell[work->n++] = (size_t)(cell - lot->cells);
	return SEAL_OK;
}

static enum seal_status prepare(const struct transform_options *options, bool decode, struct lot *lot,
				struct work *work, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*work = (struct work){
		.items = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->items),
				     _Alignof(struct key_transform_item)),
		.cell = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*work->cell), _Alignof(size_t)),
	};
	if (work->items == NULL || work->cell == NULL)
		return err_memory(err);
	for (size_t i = 0; i < lot->n; i++) {
		if (!type_fits(lot, &lot->cells[i]))
			continue;
		if (decode && options->tweak_source == KEY_TWEAK_GENERATED)
			SEAL_TRY(add_generated(lot, &lot->cells[i], work, err));
		else
			SEAL_TRY(add_encode(options, lot, &lot->cells[i], work, err));
	}
out:
	return rc;
}

/* Does the answer fit what the policy says of the tweak? If not, no value of it may be used. */
static enum seal_status check_answer(const struct simple_session *session, const struct key_transform_item *item,
				     struct seal_err *err)
{
	const struct transform_options *options = session->method->spec->options;
	const bool generated = options->tweak_source == KEY_TWEAK_GENERATED;

	if (generated == (item->out_tweak.len > 0) && item->out_tweak.len <= TEXT_FORM_TWEAK_MAX)
		return SEAL_OK;
	if (generated && item->out_tweak.len > 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "method '%s': the server's tweak has more than %d bytes", session->method->spec->name,
			       TEXT_FORM_TWEAK_MAX);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "method '%s': the server %s; set 'tweak_source' to what the transformation has on the server",
		       session->method->spec->name,
		       generated ? "draws no tweaks for this transformation"
				 : "draws the tweaks of this transformation, and what it made without keeping them "
				   "could not be revealed");
}

static enum seal_status write_generated(struct lot *lot, const struct key_transform_item *item, struct cell *cell,
					struct seal_err *err)
{
	const size_t prefix = sizeof(TEXT_FORM_TRANSFORM) - 1;
	const size_t room = prefix + BASE64_LEN(item->out_tweak.len) + 1 + item->out.len;
	char *text = arena_alloc(lot->arena, room, 1);
	size_t n = prefix;

	if (text == NULL)
		return err_memory(err);
	memcpy(text, TEXT_FORM_TRANSFORM, prefix);
	n += base64url_encode(item->out_tweak, text + n);
	text[n++] = ':';
	if (item->out.len > 0)
		memcpy(text + n, item->out.ptr, item->out.len);
	cell->out = bytes_of(text, n + item->out.len);
	return SEAL_OK;
}

static enum seal_status run(struct method_session *base, bool decode, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	const struct transform_method *method = (const struct transform_method *)session->method;
	const struct key_call call = {.arena = lot->arena, .deadline_ms = lot->deadline_ms};
	struct work work;
	enum seal_status rc;

	SEAL_TRY(prepare(simple_options(base), decode, lot, &work, err));
	if (work.n > 0)
		SEAL_TRY(session->key->ops->transform(session->key, &method->how, decode, work.items, work.n, &call,
						      err));
	for (size_t i = 0; i < work.n; i++) {
		struct cell *cell = &lot->cells[work.cell[i]];

		if (work.items[i].err != NULL) {
			cell_fail_err(cell, work.items[i].err);
			continue;
		}
		cell->out = work.items[i].out;
		cell->form = FORM_STRING;
		if (decode)
			continue;
		SEAL_TRY(check_answer(session, &work.items[i], err));
		if (work.items[i].out_tweak.len > 0)
			SEAL_TRY(write_generated(lot, &work.items[i], cell, err));
	}
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

/* The rest says how values are read, too. */
static const char *const write_options[] = {"ttl", "expiration", "metadata", NULL};

const struct method_ops method_transform = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "transform",
			.summary =
				"Vault Enterprise's Transform does it, as its role says: format-preserving, masking "
				"or tokens; strings. Needs no `key:`, it names its role",
			.leaks = "what the transformation shows",
			.flags = METHOD_TRANSFORM_KEY | METHOD_BINDS,
			.options = rows,
			.options_size = sizeof(struct transform_options),
			.write_options = write_options,
			.check = check,
			.own_key = own_key,
			.flags_of = flags_of,
		},
	.open = transform_open,
	.session = simple_session_new,
	.free = simple_free,
};
