/*
 * From the text of a policy to the policy: the top level, keys, and what the parts share.
 *
 *   text ─ node_read ─▶ nodes ─ map_read ─▶ keys, stores ─▶ methods ─▶ topics ─▶ tests ─▶ what nobody uses
 *
 * Each part needs only those before it. Nothing of a policy with an error is handed out.
 */
#include <stdarg.h>

#include "base/file.h"
#include "base/mem.h"
#include "policy/build.h"
#include "policy/finding.h"
#include "policy/node.h"
#include "base/regex.h"

#define NAMESPACE_MAX 255
#define NAME_MAX_LEN 64

void build_error(struct build *build, struct policy_mark mark, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!finding_add(build->findings, mark, false, fmt, args))
		build->no_memory = true;
	va_end(args);
}

void build_warning(struct build *build, struct policy_mark mark, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!finding_add(build->findings, mark, true, fmt, args))
		build->no_memory = true;
	va_end(args);
}

void build_fail(struct build *build, struct policy_mark mark, const struct seal_err *err)
{
	if (err->code == SEAL_E_MEMORY)
		build->no_memory = true;
	else
		build_error(build, mark, "%s", err->text);
}

static void *zeroed(struct build *build, struct arena *arena, size_t count, size_t size)
{
	size_t all;
	void *memory = NULL;

	if (!__builtin_mul_overflow(count, size, &all))
		memory = arena_alloc(arena, all ? all : 1, _Alignof(max_align_t));
	if (memory == NULL)
		build->no_memory = true;
	else
		memset(memory, 0, all);
	return memory;
}

void *build_alloc(struct build *build, size_t count, size_t size)
{
	return zeroed(build, &build->policy->arena, count, size);
}

void *build_scratch(struct build *build, size_t count, size_t size)
{
	return zeroed(build, &build->scratch, count, size);
}

const char *build_str(struct build *build, struct seal_bytes text)
{
	const char *copy = arena_strndup(&build->policy->arena, (const char *)text.ptr, text.len);

	if (copy == NULL)
		build->no_memory = true;
	return copy;
}

struct regex *build_regex(struct build *build, const struct node *scalar, size_t skip, size_t len)
{
	struct policy_regex *entry = build_alloc(build, 1, sizeof(*entry));
	struct seal_err err = SEAL_ERR_INIT;
	size_t at = 0;

	if (entry == NULL)
		return NULL;
	if (regex_new(bytes_of(scalar->text.ptr + skip, len), &entry->regex, &at, &err) != SEAL_OK) {
		build_fail(build, node_mark_at(scalar, skip + at), &err);
		return NULL;
	}
	entry->next = build->policy->regexes;
	build->policy->regexes = entry;
	return entry->regex;
}

bool build_count_check(struct build *build, const struct node *at, size_t n, const char *what)
{
	if (n <= POLICY_NAMES_MAX)
		return true;
	build_error(build, at->mark, "more than %d %s", POLICY_NAMES_MAX, what);
	return false;
}

bool build_name_check(struct build *build, const struct node *name, const char *what)
{
	bool good = name->text.len > 0 && name->text.len <= NAME_MAX_LEN;

	for (size_t i = 0; good && i < name->text.len; i++) {
		uint8_t c = name->text.ptr[i];

		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		       c == '-' || c == '.';
	}
	if (!good)
		build_error(build, name->mark, "the name of %s has 1 to %d letters, digits, '_', '-' or '.'", what,
			    NAME_MAX_LEN);
	return good;
}

const struct key_scheme *build_scheme_find(struct build *build, const struct node *at, struct seal_bytes name,
					   const struct key_scheme *schemes, const char *what)
{
	const char *words[17] = {NULL}, *near;
	size_t n = 0;

	for (const struct key_scheme *scheme = schemes; scheme != NULL && scheme->name != NULL; scheme++) {
		if (bytes_eq_str(name, scheme->name))
			return scheme;
		if (n < 16)
			words[n++] = scheme->name;
	}
	near = word_nearest(words, name);
	build_error(build, at->mark, "unknown place of %s \"%.*s:\"; %s \"%s:\"%s", what, BYTES_FMT(name),
		    near ? "did you mean" : "there is",
		    near ? near
		    : n	 ? words[0]
			 : "none",
		    near ? "?" : "");
	return NULL;
}

/*
 * Takes "scheme:reference" apart, which has a colon. `at` is for messages; where its text is the reference's own, they
 * point into it.
 */
static bool read_where(struct build *build, const struct node *at, struct seal_bytes where, const char *name,
		       struct policy_key *key)
{
	const uint8_t *colon = memchr(where.ptr, ':', where.len);
	struct seal_bytes reference = bytes_skip(where, (size_t)(colon - where.ptr) + 1);
	const struct key_scheme *scheme = build_scheme_find(
		build, at, bytes_of(where.ptr, where.len - reference.len - 1), build->schema->schemes, "keys");
	const char *why = "it is not well-formed";

	if (scheme == NULL)
		return false;
	if (scheme->check != NULL && !scheme->check(reference, &why)) {
		build_error(build, at->text.ptr == where.ptr ? node_mark_at(at, where.len - reference.len) : at->mark,
			    "key %s: %s", name, why);
		return false;
	}
	key->scheme = scheme->name;
	key->reference = bytes_str(build_str(build, reference) ?: "");
	return !build->no_memory;
}

static void build_key(struct build *build, const struct node *name, struct policy_key *key)
{
	const struct node *where = name->value;

	if (!build_name_check(build, name, "a key") || where->kind == NODE_BAD)
		return;
	if (where->kind == NODE_SCALAR && memchr(where->text.ptr, ':', where->text.len) != NULL) {
		read_where(build, where, where->text, key->name, key);
		return;
	}
	build_error(build, where->mark, "key %.*s must say where it lives, like local:%.*s", BYTES_FMT(name->text),
		    BYTES_FMT(name->text));
}

const struct policy_key *build_key_own(struct build *build, const struct node *method, struct seal_bytes where)
{
	struct policy_key *key = build->keys, *end = build->keys + build->policy->n_keys;

	for (; key < end; key++)
		if (key->own && bytes_eq_str(where, key->name))
			return key->scheme != NULL ? key : NULL;
	SEAL_INVARIANT(build->policy->n_keys < build->keys_cap);
	key->index = (uint32_t)build->policy->n_keys;
	key->mark = method->mark;
	key->own = true;
	key->name = build_str(build, where);
	if (key->name == NULL)
		return NULL;
	build->key_used[build->policy->n_keys++] = true;
	return read_where(build, method, where, key->name, key) ? key : NULL;
}

/* A key with a mistake keeps its place, so that what uses it is not reported, too. */
void build_keys(struct build *build, const struct node *keys, size_t methods)
{
	size_t n = keys ? keys->n : 0;

	build->keys_cap = n + methods;
	build->keys = build_alloc(build, build->keys_cap, sizeof(*build->keys));
	build->key_used = build_scratch(build, build->keys_cap, sizeof(bool));
	if (build->keys == NULL || build->key_used == NULL)
		return;
	build->policy->keys = build->keys;
	if (n == 0 || !build_count_check(build, keys, n, "keys"))
		return;
	for (const struct node *name = keys->first; name != NULL && !build->no_memory; name = name->next) {
		struct policy_key *key = &build->keys[build->policy->n_keys];

		key->index = (uint32_t)build->policy->n_keys++;
		key->mark = name->mark;
		key->name = build_str(build, name->text);
		build_key(build, name, key);
	}
}

const struct policy_key *build_key_find(struct build *build, const struct node *name)
{
	size_t n = build->policy->n_keys;
	const char **words, *near;

	while (n > 0 && build->keys[n - 1].own)
		n--;
	for (size_t i = 0; i < n; i++) {
		if (bytes_eq_str(name->text, build->keys[i].name)) {
			build->key_used[i] = true;
			return &build->keys[i];
		}
	}
	words = build_scratch(build, n + 1, sizeof(*words));
	for (size_t i = 0; words != NULL && i < n; i++)
		words[i] = build->keys[i].name;
	near = words ? word_nearest(words, name->text) : NULL;
	if (near != NULL)
		build_error(build, name->mark, "unknown key \"%.*s\"; did you mean \"%s\"?", BYTES_FMT(name->text),
			    near);
	else
		build_error(build, name->mark, "unknown key \"%.*s\"; add it under keys, like %.*s: local:%.*s",
			    BYTES_FMT(name->text), BYTES_FMT(name->text), BYTES_FMT(name->text));
	return NULL;
}

static void check_version(struct build *build, const struct node *root, const struct node *version)
{
	if (version == NULL)
		build_error(build, root->mark, "version is missing; a policy starts with version: 1");
	else if (!bytes_eq_str(version->text, "1"))
		build_error(build, version->mark, "this sealstream reads policies of version 1 only");
}

static void build_namespace(struct build *build, const struct node *namespace_)
{
	build->policy->namespace_ = "";
	if (namespace_ == NULL)
		return;
	if (namespace_->text.len > NAMESPACE_MAX)
		build_error(build, namespace_->mark, "a namespace has at most %d bytes", NAMESPACE_MAX);
	build->policy->namespace_ = build_str(build, namespace_->text);
}

static void build_defaults(struct build *build, const struct node *defaults)
{
	static const struct map_field none[] = {{NULL, 0, NULL}};
	struct map_spec spec = {
		.what = "defaults", .fields = none, .rows = policy_on_rows, .options = &build->defaults};
	struct seal_err err = SEAL_ERR_INIT;

	if (opt_defaults(policy_on_rows, &build->defaults, &build->scratch, &err) != SEAL_OK)
		build->no_memory = true;
	if (defaults != NULL)
		map_read(build, defaults, &spec);
}

static void warn_unused(struct build *build)
{
	for (size_t i = 0; i < build->policy->n_keys; i++)
		if (!build->key_used[i])
			build_warning(build, build->keys[i].mark, "key %s is not used", build->keys[i].name);
	for (size_t i = 0; i < build->policy->n_stores; i++)
		if (!build->store_used[i])
			build_warning(build, build->stores[i].mark, "store %s is not used", build->stores[i].name);
	for (size_t i = 0; i < build->policy->n_methods; i++)
		if (!build->method_used[i])
			build_warning(build, build->methods[i].mark, "method %s is not used", build->methods[i].name);
}

static bool same_key(const struct policy_key *a, const struct policy_key *b)
{
	return a != NULL && b != NULL && strcmp(a->scheme, b->scheme) == 0 && bytes_eq(a->reference, b->reference);
}

/* Does what `method` encrypts look like a wrapped data key of the same key? Both are bound to nothing. */
static bool makes_wrapped_keys(const struct policy_method *method, const struct policy_key *key)
{
	return (method->flags & (METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS)) == METHOD_ENCRYPT_KEY &&
	       method->bind.mode == BIND_NONE && same_key(method->key, key);
}

static void warn_shared_keys(struct build *build)
{
	for (size_t i = 0; i < build->policy->n_methods; i++) {
		const struct policy_method *wraps = &build->methods[i];
		size_t j = 0;

		if ((wraps->flags & METHOD_DATA_KEYS) == 0)
			continue;
		while (j < build->policy->n_methods && !makes_wrapped_keys(&build->methods[j], wraps->key))
			j++;
		if (j < build->policy->n_methods)
			build_warning(
				build, wraps->mark,
				"method %s wraps data keys under the key of method %s, which has bind: none: who "
				"chooses a value there chooses a data key here; give one of them another key",
				wraps->name, build->methods[j].name);
	}
}

/* `topics`: NULL also where what stands there is no list, which was told then. */
static void check_topics(struct build *build, const struct node *root, const struct node *topics)
{
	bool there = false;

	for (const struct node *key = root->first; key != NULL; key = key->next)
		there |= bytes_eq_str(key->text, "topics");
	if (!there)
		build_error(build, root->mark, "topics is missing: it says what to protect where");
	else if (topics != NULL && topics->n == 0)
		build_error(build, topics->mark, "topics is empty: it says what to protect where");
}

static void build_policy(struct build *build, const struct node *root)
{
	const struct node *version = NULL, *namespace_ = NULL, *defaults = NULL, *keys = NULL, *stores = NULL,
			  *methods = NULL, *topics = NULL, *tests = NULL;
	const struct map_field fields[] = {
		{"version", 1 << NODE_SCALAR, &version},
		{"namespace", 1 << NODE_SCALAR, &namespace_},
		{"defaults", 1 << NODE_MAP, &defaults},
		{"keys", 1 << NODE_MAP, &keys},
		{"stores", 1 << NODE_MAP, &stores},
		{"methods", 1 << NODE_MAP, &methods},
		{"topics", 1 << NODE_LIST, &topics},
		{"tests", 1 << NODE_LIST, &tests},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "a policy", .fields = fields};

	if (!map_read(build, root, &spec) && root->kind != NODE_MAP)
		return;
	check_version(build, root, version);
	build_namespace(build, namespace_);
	build_defaults(build, defaults);
	build_keys(build, keys, build_methods_count(methods, topics));
	if (!build->no_memory)
		build_stores(build, stores);
	if (!build->no_memory)
		build_methods(build, methods, topics);
	if (!build->no_memory)
		build_topics(build, topics);
	check_topics(build, root, topics);
	if (!build->no_memory)
		build_tests(build, tests);
	if (build->no_memory || build->findings->errors > 0)
		return;
	warn_unused(build);
	warn_shared_keys(build);
}

static enum seal_status finish(struct build *build, const char *file, struct seal_err *err)
{
	const struct policy_finding *first;

	if (build->no_memory)
		return err_memory(err);
	finding_sort(build->findings);
	if (build->findings->errors == 0)
		return SEAL_OK;
	first = finding_first_error(build->findings);
	if (build->findings->errors > 1)
		err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s (and %zu more; see: sealstream policy lint %s)",
			first ? first->text : "", build->findings->errors - 1, file);
	else
		err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", first ? first->text : "");
	if (first != NULL)
		err_place(err, "%s:%u:%u", file, first->mark.line, first->mark.column);
	return SEAL_USAGE;
}

enum seal_status policy_load(struct seal_bytes text, const char *file, const struct policy_schema *schema,
			     struct policy_findings *findings, struct policy **out, struct seal_err *err)
{
	struct policy_findings own;
	struct build build = {.schema = schema, .findings = findings ? findings : &own};
	struct policy *policy = mem_calloc(1, sizeof(*policy));
	const struct node *root = NULL;
	enum seal_status rc;

	*out = NULL;
	if (policy == NULL)
		return err_memory(err);
	policy_findings_init(&own);
	arena_init(&policy->arena, 0);
	arena_init(&build.scratch, 0);
	build.policy = policy;
	if (text.len > POLICY_FILE_MAX)
		build_error(&build, (struct policy_mark){1, 1}, "larger than %u MiB", POLICY_FILE_MAX >> 20);
	else
		root = node_read(&build, text);
	if (root != NULL)
		build_policy(&build, root);
	SEAL_TRY(finish(&build, file, err));
	SEAL_TRY(sha256(text, policy->sha256, err));
	*out = policy;
	policy = NULL;
out:
	arena_clear(&build.scratch);
	policy_findings_clear(&own);
	policy_free(policy);
	return rc;
}

enum seal_status policy_load_file(const char *file, const struct policy_schema *schema,
				  struct policy_findings *findings, struct policy **out, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(POLICY_FILE_MAX);
	enum seal_status rc;

	*out = NULL;
	rc = file_read(file, &text, err);
	if (rc == SEAL_DATA) {
		err_clear(err);
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is larger than %u MiB, too large for a policy", file,
			     POLICY_FILE_MAX >> 20);
	}
	SEAL_TRY(rc);
	SEAL_TRY(policy_load(buf_bytes(&text), file, schema, findings, out, err));
out:
	buf_clear(&text);
	return rc;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	for (size_t i = 0; i < policy->n_topics; i++)
		json_paths_free(policy->topics[i].paths);
	for (struct policy_regex *entry = policy->regexes; entry != NULL; entry = entry->next)
		regex_free(entry->regex);
	arena_clear(&policy->arena);
	mem_free(policy);
}
