/*
 * Maps of a policy taken apart against what they may hold: fields, which the compiler handles, and option rows, which
 * opt_set handles. "keep: {first: 6}" is the row "keep.first": a nested map is a prefix.
 */
#include "policy/build.h"
#include "policy/node.h"

#define WORDS_MAX 64
#define PREFIX_MAX 64

/* The words that may stand as keys at one level. */
struct words {
	const char *list[WORDS_MAX + 1];
	size_t n;
	struct arena *arena;
};

static void words_add(struct words *words, struct seal_bytes word)
{
	const char *text;

	for (size_t i = 0; i < words->n; i++)
		if (bytes_eq_str(word, words->list[i]))
			return;
	text = arena_strndup(words->arena, (const char *)word.ptr, word.len);
	if (text != NULL && words->n < WORDS_MAX)
		words->list[words->n++] = text;
}

/* The part of a row's name after `prefix` and up to the next dot; empty when it is not below the prefix. */
static struct seal_bytes segment(const struct opt_row *row, const char *prefix)
{
	struct seal_bytes name = bytes_str(row->name);
	const uint8_t *dot;

	if (!bytes_starts(name, bytes_str(prefix)))
		return BYTES_EMPTY;
	name = bytes_skip(name, strlen(prefix));
	dot = name.len ? memchr(name.ptr, '.', name.len) : NULL;
	return dot ? bytes_of(name.ptr, (size_t)(dot - name.ptr)) : name;
}

static void words_collect(struct words *words, const struct map_spec *spec, const char *prefix)
{
	if (prefix[0] == '\0')
		for (const struct map_field *field = spec->fields; field->name != NULL; field++)
			words_add(words, bytes_str(field->name));
	for (const struct opt_row *row = spec->rows; row != NULL && row->name != NULL; row++)
		if (segment(row, prefix).len != 0)
			words_add(words, segment(row, prefix));
}

static const char *words_join(const struct words *words)
{
	const char *all = "";

	for (size_t i = 0; i < words->n && all != NULL; i++)
		all = arena_printf(words->arena, "%s%s%s", all, i ? ", " : "", words->list[i]);
	return all;
}

static void report_unknown(struct build *build, const struct node *key, const struct map_spec *spec,
			   const char *prefix)
{
	struct words words = {.arena = &build->scratch};
	const char *near, *all;

	words_collect(&words, spec, prefix);
	near = word_nearest(words.list, key->text);
	all = words_join(&words);
	if (near != NULL)
		build_error(build, key->mark, "unknown key \"%.*s\" in %s; did you mean \"%s\"?",
			    BYTES_FMT(key->text), spec->what, near);
	else
		build_error(build, key->mark, "unknown key \"%.*s\" in %s; it may have: %s", BYTES_FMT(key->text),
			    spec->what, all ? all : "");
}

/* The nearest of "a|b|c", or NULL. */
static const char *choice_nearest(struct build *build, const char *choices, struct seal_bytes text)
{
	struct words words = {.arena = &build->scratch};

	while (choices != NULL) {
		const char *bar = strchr(choices, '|');

		words_add(&words, bytes_of(choices, bar ? (size_t)(bar - choices) : strlen(choices)));
		choices = bar ? bar + 1 : NULL;
	}
	return word_nearest(words.list, text);
}

static bool set_scalar(struct build *build, const struct opt_row *row, const struct node *value,
		       const struct map_spec *spec)
{
	struct seal_err err = SEAL_ERR_INIT;
	const char *near;

	if (value->kind == NODE_BAD)
		return false;
	if (value->kind != NODE_SCALAR) {
		build_error(build, value->mark, "%s in %s must be text, not %s", row->name, spec->what,
			    node_what(value));
		return false;
	}
	if (opt_set(row, spec->options, value->text, &build->policy->arena, &err) == SEAL_OK)
		return true;
	near = row->type == OPT_CHOICE ? choice_nearest(build, row->choices, value->text) : NULL;
	if (near != NULL && err.code != SEAL_E_MEMORY)
		build_error(build, value->mark, "%s in %s; did you mean \"%s\"?", err.text, spec->what, near);
	else
		build_fail(build, value->mark, &err);
	return false;
}

static bool set_row(struct build *build, const struct opt_row *row, const struct node *value,
		    const struct map_spec *spec)
{
	bool good = true;

	if (row->type != OPT_LIST || value->kind != NODE_LIST)
		return set_scalar(build, row, value, spec);
	for (const struct node *item = value->first; item != NULL; item = item->next)
		good &= set_scalar(build, row, item, spec);
	return good;
}

static bool set_nested(struct build *build, const struct node *key, const struct map_spec *spec, const char *prefix);

/* `key` below `prefix`: a row of exactly that name, or the prefix of longer ones. */
static bool set_option(struct build *build, const struct node *key, const struct map_spec *spec, const char *prefix)
{
	for (const struct opt_row *row = spec->rows; row != NULL && row->name != NULL; row++) {
		struct seal_bytes name = segment(row, prefix);

		if (name.len == 0 || !bytes_eq(name, key->text))
			continue;
		if (strlen(row->name) == strlen(prefix) + name.len)
			return set_row(build, row, key->value, spec);
		return set_nested(build, key, spec, prefix);
	}
	report_unknown(build, key, spec, prefix);
	return false;
}

static bool set_nested(struct build *build, const struct node *key, const struct map_spec *spec, const char *prefix)
{
	const struct node *map = key->value;
	char deeper[PREFIX_MAX];
	bool good = true;

	if (map->kind != NODE_MAP) {
		if (map->kind != NODE_BAD)
			build_error(build, map->mark, "%.*s in %s must be a map, not %s", BYTES_FMT(key->text),
				    spec->what, node_what(map));
		return false;
	}
	snprintf(deeper, sizeof(deeper), "%s%.*s.", prefix, BYTES_FMT(key->text));
	for (const struct node *inner = map->first; inner != NULL; inner = inner->next)
		good &= set_option(build, inner, spec, deeper);
	return good;
}

static bool set_field(struct build *build, const struct map_field *field, const struct node *value,
		      const struct map_spec *spec)
{
	static const char *const shapes[] = {"text",   "text",		 "a map",	   "text or a map",
					     "a list", "text or a list", "a map or a list"};

	if (value->kind == NODE_BAD)
		return false;
	if (field->kinds != 0 && !(field->kinds & 1u << value->kind)) {
		build_error(build, value->mark, "%s in %s must be %s, not %s", field->name, spec->what,
			    shapes[field->kinds & 7], node_what(value));
		return false;
	}
	*field->to = value;
	return true;
}

static const struct map_field *field_find(const struct map_field *field, struct seal_bytes name)
{
	for (; field->name != NULL; field++)
		if (bytes_eq_str(name, field->name))
			return field;
	return NULL;
}

bool map_read(struct build *build, const struct node *map, const struct map_spec *spec)
{
	bool good = true;

	if (map->kind != NODE_MAP) {
		if (map->kind != NODE_BAD)
			build_error(build, map->mark, "%s must be a map, not %s", spec->what, node_what(map));
		return false;
	}
	for (const struct node *key = map->first; key != NULL; key = key->next) {
		const struct map_field *field = field_find(spec->fields, key->text);

		good &= field ? set_field(build, field, key->value, spec) : set_option(build, key, spec, "");
	}
	return good;
}
