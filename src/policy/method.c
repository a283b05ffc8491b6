/*
 * Methods: the named ones under `methods`, and those written in line at a path. `type` names the kind, whose flags say
 * whether `key` and `bind` may stand here and whose option rows say what else may.
 *
 * Invariant: policy.methods never moves; its capacity is counted before the first method is built.
 */
#include "policy/build.h"
#include "policy/node.h"

#define DOMAIN_MAX 255
#define KINDS_MAX 64
#define OWN_KEY_MAX 1024 /* "scheme:reference" */
#define DEAD_LETTER_KIND "encrypt"
#define DEAD_LETTER_DOMAIN "dead-letter"

/* The keys that every method may have. */
struct common {
	const struct node *type, *key, *bind, *store;
};

static const struct method_kind *kind_find(struct build *build, struct seal_bytes name)
{
	for (const struct method_kind *const *kind = build->schema->methods; *kind != NULL; kind++)
		if (bytes_eq_str(name, (*kind)->name))
			return *kind;
	return NULL;
}

static void report_kind(struct build *build, const struct node *type)
{
	const char *words[KINDS_MAX + 1] = {NULL}, *near, *all = "";
	size_t n = 0;

	for (; build->schema->methods[n] != NULL && n < KINDS_MAX; n++)
		words[n] = build->schema->methods[n]->name;
	near = word_nearest(words, type->text);
	if (near != NULL) {
		build_error(build, type->mark, "unknown method type \"%.*s\"; did you mean \"%s\"?",
			    BYTES_FMT(type->text), near);
		return;
	}
	for (size_t i = 0; i < n && all != NULL; i++)
		all = arena_printf(&build->scratch, "%s%s%s", all, i ? ", " : "", words[i]);
	build_error(build, type->mark, "unknown method type \"%.*s\"; there are: %s", BYTES_FMT(type->text),
		    all ? all : "");
}

/* `type` is needed before the other keys can be judged. */
static const struct method_kind *read_kind(struct build *build, const struct node *at, const char *name)
{
	const struct method_kind *kind;
	const struct node *key = at->first;

	while (key != NULL && !bytes_eq_str(key->text, "type"))
		key = key->next;
	if (key == NULL) {
		build_error(build, at->mark, "method %s needs a type, like type: encrypt", name);
		return NULL;
	}
	if (key->value->kind != NODE_SCALAR) {
		if (key->value->kind != NODE_BAD)
			build_error(build, key->value->mark, "type in method %s must be text, not %s", name,
				    node_what(key->value));
		return NULL;
	}
	kind = kind_find(build, key->value->text);
	if (kind == NULL)
		report_kind(build, key->value);
	return kind;
}

/* Whether the row `name` ("keep.first") is set below `map`. */
static bool has_option(const struct node *map, const char *name)
{
	size_t len = strcspn(name, ".");

	for (const struct node *key = map->kind == NODE_MAP ? map->first : NULL; key != NULL; key = key->next)
		if (bytes_eq(key->text, bytes_of(name, len)))
			return name[len] == '\0' || has_option(key->value, name + len + 1);
	return false;
}

static bool read_key(struct build *build, const struct node *at, const struct node *key, struct policy_method *method)
{
	bool needs = (method->flags & METHOD_ANY_KEY) != 0 && method->kind->own_key == NULL;

	if (needs && key == NULL && !has_option(at, "key")) {
		build_error(build, at->mark, "method %s of type %s needs a key", method->name, method->kind->name);
		return false;
	}
	if (!needs && key != NULL) {
		build_error(build, key->mark, "type %s takes no key; remove it from method %s", method->kind->name,
			    method->name);
		return false;
	}
	if (key != NULL && key->kind == NODE_MAP)
		return build_per(build, key, method);
	if (key != NULL)
		method->key = build_key_find(build, key);
	return key == NULL || method->key != NULL;
}

static bool bind_domain(struct build *build, const struct node *domain, struct policy_bind *bind)
{
	if (domain->text.len == 0 || domain->text.len > DOMAIN_MAX) {
		build_error(build, domain->mark, "the domain of a bind has 1 to %d bytes", DOMAIN_MAX);
		return false;
	}
	bind->mode = BIND_DOMAIN;
	bind->domain = build_str(build, domain->text);
	return bind->domain != NULL;
}

static bool is_definite(const struct json_path *path)
{
	for (size_t i = 0; i < path->n_steps; i++)
		if (path->steps[i].kind == JSON_STEP_WILD || path->steps[i].kind == JSON_STEP_DEEP_NAME)
			return false;
	return path->n_steps > 0;
}

bool build_sibling_path(struct build *build, const struct node *text, const char *what, struct json_path *path)
{
	struct seal_err err = SEAL_ERR_INIT;
	size_t at = 0;

	if (json_path_parse(text->text, &build->policy->arena, path, &at, &err) != SEAL_OK) {
		build_fail(build, node_mark_at(text, at), &err);
		return false;
	}
	if (is_definite(path))
		return true;
	build_error(build, text->mark, "%s is one field, like $.order_id: no wildcards and not $ alone", what);
	return false;
}

static bool bind_record(struct build *build, const struct node *record, struct policy_bind *bind)
{
	if (!build_sibling_path(build, record, "the record of a bind", &bind->path))
		return false;
	bind->mode = BIND_RECORD;
	bind->record = build_str(build, record->text);
	return bind->record != NULL;
}

static bool bind_map(struct build *build, const struct node *map, struct policy_method *method)
{
	const struct node *domain = NULL, *record = NULL;
	const struct map_field fields[] = {
		{"domain", 1 << NODE_SCALAR, &domain},
		{"record", 1 << NODE_SCALAR, &record},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "bind", .fields = fields};

	if (!map_read(build, map, &spec))
		return false;
	if ((domain == NULL) == (record == NULL)) {
		build_error(build, map->mark, "bind takes one of domain and record");
		return false;
	}
	return domain ? bind_domain(build, domain, &method->bind) : bind_record(build, record, &method->bind);
}

static bool bind_word(struct build *build, const struct node *word, struct policy_method *method)
{
	static const char *const words[] = {"place", "none", "domain", "record", NULL};
	const char *near = word_nearest(words, word->text);

	if (bytes_eq_str(word->text, "place")) {
		method->bind.mode = BIND_PLACE;
		return true;
	}
	if (bytes_eq_str(word->text, "none") && (method->flags & METHOD_CONVERGENT_KEY) != 0) {
		build_error(build, word->mark,
			    "type %s needs something to bind to: place, {domain: NAME} or {record: PATH}",
			    method->kind->name);
		return false;
	}
	if (bytes_eq_str(word->text, "none")) {
		method->bind.mode = BIND_NONE;
		return true;
	}
	build_error(build, word->mark,
		    "bind in method %s must be place, none, {domain: NAME} or {record: PATH}%s%s%s", method->name,
		    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return false;
}

static bool read_bind(struct build *build, const struct node *bind, struct policy_method *method)
{
	bool binds = method->flags & METHOD_BINDS;

	method->bind.mode = binds ? BIND_PLACE : BIND_NONE;
	if (bind == NULL)
		return true;
	if (!binds) {
		build_error(build, bind->mark, "type %s binds to nothing%s; remove bind from method %s",
			    method->kind->name, method->kind->flags & METHOD_BINDS ? " with these options" : "",
			    method->name);
		return false;
	}
	return bind->kind == NODE_MAP ? bind_map(build, bind, method) : bind_word(build, bind, method);
}

static bool check_required(struct build *build, const struct node *at, const struct policy_method *method)
{
	const struct opt_row *row = method->kind->options;
	bool good = true;

	for (; row != NULL && row->name != NULL; row++) {
		if (!row->required || has_option(at, row->name))
			continue;
		build_error(build, at->mark, "method %s of type %s needs %s: %s", method->name, method->kind->name,
			    row->name, row->help);
		good = false;
	}
	return good;
}

static bool default_options(struct build *build, const struct method_kind *kind, void *options,
			    struct policy_mark mark)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (kind->options == NULL || opt_defaults(kind->options, options, &build->policy->arena, &err) == SEAL_OK)
		return true;
	build_fail(build, mark, &err);
	return false;
}

static bool read_options(struct build *build, const struct node *at, struct policy_method *method, void *options,
			 struct common *common)
{
	const struct map_field fields[] = {
		{"type", 1 << NODE_SCALAR, &common->type},
		{"key", 1 << NODE_SCALAR | 1 << NODE_MAP, &common->key},
		{"bind", 1 << NODE_SCALAR | 1 << NODE_MAP, &common->bind},
		{method->kind->flags & METHOD_STORE ? "store" : NULL, 1 << NODE_SCALAR, &common->store},
		{NULL, 0, NULL},
	};
	const char *what = arena_printf(&build->scratch, "method %s", method->name);
	struct map_spec spec = {.what = what ? what : "a method",
				.fields = fields,
				.rows = method->kind->options,
				.options = options};

	return default_options(build, method->kind, options, at->mark) && map_read(build, at, &spec);
}

static bool check_options(struct build *build, const struct node *at, const struct policy_method *method)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (method->kind->check == NULL || method->kind->check(method->options, &err) == SEAL_OK)
		return true;
	err_prefix(&err, "method %s", method->name);
	build_fail(build, at->mark, &err);
	return false;
}

/* The key of a kind that has no `key:`. Options that are wrong are reported by their check. */
static bool read_own_key(struct build *build, const struct node *at, struct policy_method *method)
{
	struct seal_buf where = BUF_INIT(OWN_KEY_MAX);
	struct seal_err err = SEAL_ERR_INIT;

	if (method->kind->own_key == NULL)
		return true;
	if (method->kind->own_key(method->options, &where, &err) == SEAL_OK)
		method->key = build_key_own(build, at, buf_bytes(&where));
	else
		build_fail(build, at->mark, &err);
	buf_clear(&where);
	return method->key != NULL;
}

static struct policy_method *next_method(struct build *build, const char *name, struct policy_mark mark)
{
	struct policy_method *method = &build->methods[build->policy->n_methods];

	SEAL_INVARIANT(build->policy->n_methods < build->methods_cap);
	method->index = (uint32_t)build->policy->n_methods++;
	method->name = name;
	method->mark = mark;
	return method;
}

const struct policy_method *build_method(struct build *build, const char *name, const struct node *at)
{
	struct policy_method *method = next_method(build, name, at->mark);
	struct common common = {NULL, NULL, NULL, NULL};
	void *options;
	bool good;

	if (at->kind != NODE_MAP) {
		if (at->kind != NODE_BAD)
			build_error(build, at->mark, "method %s must be a map, like {type: encrypt, key: NAME}",
				    name);
		return NULL;
	}
	method->kind = read_kind(build, at, name);
	if (method->kind == NULL)
		return NULL;
	options = build_alloc(build, 1, method->kind->options_size);
	if (options == NULL)
		return NULL;
	method->options = options;
	good = read_options(build, at, method, options, &common);
	if (!good && build->no_memory)
		return NULL;
	method->flags = method->kind->flags_of ? method->kind->flags_of(options) : method->kind->flags;
	good &= read_key(build, at, common.key, method);
	good &= read_bind(build, common.bind, method);
	if ((method->kind->flags & METHOD_STORE) != 0 && (common.store != NULL || !has_option(at, "store")))
		good &= build_method_store(build, common.store, at, method);
	good &= check_required(build, at, method);
	return good && check_options(build, at, method) && read_own_key(build, at, method) ? method : NULL;
}

size_t build_methods_count(const struct node *methods, const struct node *topics)
{
	size_t n = methods ? methods->n : 0;

	for (const struct node *topic = topics ? topics->first : NULL; topic != NULL; topic = topic->next) {
		n++;
		for (const struct node *key = topic->kind == NODE_MAP ? topic->first : NULL; key; key = key->next)
			if (key->value->kind == NODE_MAP)
				n += key->value->n;
	}
	return n;
}

void build_methods(struct build *build, const struct node *methods, const struct node *topics)
{
	build->methods_cap = build_methods_count(methods, topics);
	build->methods = build_alloc(build, build->methods_cap, sizeof(*build->methods));
	build->method_used = build_scratch(build, build->methods_cap, sizeof(bool));
	if (build->methods == NULL || build->method_used == NULL)
		return;
	build->policy->methods = build->methods;
	if (methods != NULL && !build_count_check(build, methods, methods->n, "methods"))
		return;
	for (const struct node *name = methods ? methods->first : NULL; name != NULL; name = name->next) {
		const char *text = build_str(build, name->text);

		build_name_check(build, name, "a method");
		if (text != NULL)
			build_method(build, text, name->value);
		if (build->no_memory)
			return;
		build->methods[build->policy->n_methods - 1].mark = name->mark;
		build->n_named = build->policy->n_methods;
	}
}

const struct policy_method *build_method_find(struct build *build, const struct node *name)
{
	const char **words = build_scratch(build, build->n_named + 1, sizeof(*words)), *near;

	for (size_t i = 0; words != NULL && i < build->n_named; i++) {
		if (bytes_eq_str(name->text, build->methods[i].name)) {
			build->method_used[i] = true;
			return &build->methods[i];
		}
		words[i] = build->methods[i].name;
	}
	near = words ? word_nearest(words, name->text) : NULL;
	if (near != NULL)
		build_error(build, name->mark, "unknown method \"%.*s\"; did you mean \"%s\"?", BYTES_FMT(name->text),
			    near);
	else
		build_error(build, name->mark,
			    "unknown method \"%.*s\"; add it under methods, or write {type: ...} here",
			    BYTES_FMT(name->text));
	return NULL;
}

const struct policy_method *build_dead_letter_method(struct build *build, const struct policy_key *key,
						     struct policy_mark mark)
{
	const struct method_kind *kind = kind_find(build, BYTES_LIT(DEAD_LETTER_KIND));
	struct policy_method *method;
	void *options;

	if (kind == NULL) {
		build_error(build, mark,
			    "dead letters need the method type " DEAD_LETTER_KIND ", which is not built in");
		return NULL;
	}
	options = build_alloc(build, 1, kind->options_size);
	if (options == NULL || !default_options(build, kind, options, mark))
		return NULL;
	method = next_method(build, "dead letter", mark);
	build->method_used[method->index] = true;
	method->kind = kind;
	method->flags = kind->flags;
	method->options = options;
	method->key = key;
	method->bind = (struct policy_bind){.mode = BIND_DOMAIN, .domain = DEAD_LETTER_DOMAIN};
	return method;
}
