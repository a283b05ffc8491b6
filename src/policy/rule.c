/*
 * The rules of a topic entry: a path, its method, the place its values are bound to. What the engine needs of them is
 * made here once, so that a record costs only the scan.
 *
 * No two paths of an entry overlap, siblings of `bind: {record}` and `per` included: the scanner reports only the outer one of
 * two values that lie in each other.
 */
#include "base/buf.h"
#include "policy/build.h"
#include "policy/node.h"
#include "policy/place.h"

#define PATH_TEXT_MAX (64u << 10)

/* One entry while it is built. */
struct entry {
	struct build *build;
	struct policy_topic *topic;
	struct policy_rule *rules;
	struct json_path *paths; /* of rules, then of siblings */
	size_t n_rules, n_paths;
	bool good;
};

/* `value`: a method's name, or a method in line. */
static const struct policy_method *rule_method(struct build *build, const struct node *value, const char *path)
{
	const struct policy_method *method;

	if (value->kind == NODE_SCALAR)
		return build_method_find(build, value);
	if (value->kind == NODE_LIST) {
		build_error(build, value->mark, "%s gets one method: its name, or {type: ...}", path);
		return NULL;
	}
	method = build_method(build, path, value);
	if (method != NULL)
		build->method_used[method->index] = true;
	return method;
}

/* "deterministic, fpe, token": the types that may be METHOD_STABLE. */
static const char *stable_types(struct build *build)
{
	const char *all = "";

	for (const struct method_kind *const *kind = build->schema->methods; *kind != NULL && all != NULL; kind++)
		if ((*kind)->flags & METHOD_STABLE)
			all = arena_printf(&build->scratch, "%s%s%s", all, all[0] ? ", " : "", (*kind)->name);
	return all ? all : "";
}

/* What a method can't do to the keys and headers of records. */
static bool check_part(struct entry *entry, const struct node *value, const struct policy_method *method)
{
	const bool key = entry->topic->part == PART_KEY;
	const char *what = key ? "a record key" : "a header";
	struct build *build = entry->build;

	if (key && !(method->flags & METHOD_STABLE))
		build_error(build, value->mark,
			    "type %s%s can't protect record keys: equal keys must stay equal, and come back; types "
			    "that can: %s",
			    method->kind->name, method->kind->flags & METHOD_STABLE ? " with these options" : "",
			    stable_types(build));
	else if (method->kind->flags & METHOD_REMOVES)
		build_error(build, value->mark, "%s takes a field away and can't be used on %s", method->kind->name,
			    what);
	else if (method->flags & (METHOD_CARRIES | METHOD_BYTES_ONLY))
		build_error(build, value->mark,
			    "type %s with these options is for a record's value; %s is text that stands alone",
			    method->kind->name, what);
	else if (method->bind.mode == BIND_RECORD)
		build_error(build, value->mark,
			    "%s can't be bound to a field of the record's value: use bind: place or {domain: NAME}",
			    what);
	else if (method->per.text != NULL)
		build_error(build, value->mark, "%s can't have a key per field of the record's value", what);
	else
		return true;
	return false;
}

/* What a method can't do at this path. `at` is what names it. */
static bool check_rule(struct entry *entry, const struct node *at, const struct node *value,
		       const struct json_path *path, const struct policy_method *method)
{
	struct build *build = entry->build;
	const char *type = method->kind->name;

	if (entry->topic->part != PART_VALUE && !check_part(entry, value, method))
		return false;
	if (path->n_steps == 0 && method->kind->flags & METHOD_REMOVES)
		build_error(build, value->mark, "%s takes a field away and can't be used on $, the whole record",
			    type);
	else if (entry->topic->format == FORMAT_BYTES && path->n_steps != 0)
		build_error(build, at->mark, "with format: bytes the only path is $, the whole value");
	else if (entry->topic->format == FORMAT_BYTES && !(method->flags & METHOD_BYTES))
		build_error(build, value->mark, "%s can't take a whole payload (%s: bytes)", type,
			    entry->topic->part == PART_KEY ? "key_format" : "format");
	else if (entry->topic->format != FORMAT_BYTES && (method->flags & METHOD_BYTES_ONLY))
		build_error(build, value->mark,
			    "%s with these options makes bytes, which JSON can't hold: they are for format: bytes",
			    type);
	else if (entry->topic->format == FORMAT_BYTES && method->bind.mode == BIND_RECORD)
		build_error(build, value->mark, "with format: bytes there is no field to bind to");
	else if (entry->topic->format == FORMAT_BYTES && method->per.text != NULL)
		build_error(build, value->mark, "with format: bytes there is no field that says whose key it is");
	else
		return true;
	return false;
}

/* The rule's path as messages have it: in a record key "key.id", where "$.id" is written. */
static const char *path_text(struct entry *entry, struct seal_bytes written)
{
	const char *text;

	if (entry->topic->part == PART_VALUE || written.len == 0)
		return build_str(entry->build, written);
	text = arena_printf(&entry->build->policy->arena, "%s%.*s", entry->topic->root, (int)written.len - 1,
			    (const char *)written.ptr + 1);
	entry->build->no_memory |= text == NULL;
	return text;
}

static void report_path(struct build *build, const struct node *key, size_t at, const struct seal_err *err)
{
	const bool part = bytes_eq_str(key->text, "key") || bytes_starts(key->text, BYTES_LIT("header:"));

	if (part && err->code != SEAL_E_MEMORY)
		build_error(build, key->mark,
			    "\"%.*s\" is no path of the value: key: METHOD and headers: {NAME: METHOD} stand beside "
			    "protect",
			    BYTES_FMT(key->text));
	else
		build_fail(build, node_mark_at(key, at), err);
}

static bool add_rule(struct entry *entry, const struct node *key)
{
	struct build *build = entry->build;
	struct policy_rule *rule = &entry->rules[entry->n_rules];
	struct json_path *path = &entry->paths[entry->n_rules];
	struct seal_err err = SEAL_ERR_INIT;
	const struct policy_method *method;
	size_t at = 0;

	rule->path_text = path_text(entry, key->text);
	if (rule->path_text == NULL)
		return false;
	method = rule_method(build, key->value, rule->path_text);
	if (json_path_parse(key->text, &build->policy->arena, path, &at, &err) != SEAL_OK) {
		report_path(build, key, at, &err);
		return false;
	}
	rule->method = method;
	rule->mark = key->mark;
	rule->record_path = rule->per_path = UINT32_MAX;
	entry->n_paths = ++entry->n_rules;
	return method != NULL && (method->kind == NULL || check_rule(entry, key, key->value, path, method));
}

static bool check_overlaps(struct entry *entry)
{
	bool good = true;

	for (size_t i = 1; i < entry->n_rules; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!json_path_overlaps(&entry->paths[i], &entry->paths[j]))
				continue;
			build_error(entry->build, entry->rules[i].mark,
				    "%s and %s (line %u) can name the same value or one inside the other",
				    entry->rules[i].path_text, entry->rules[j].path_text, entry->rules[j].mark.line);
			good = false;
			break;
		}
	}
	return good;
}

static bool path_equal(const struct json_path *a, const struct json_path *b)
{
	if (a->n_steps != b->n_steps)
		return false;
	for (size_t i = 0; i < a->n_steps; i++)
		if (a->steps[i].kind != b->steps[i].kind || a->steps[i].index != b->steps[i].index ||
		    !bytes_eq(a->steps[i].name, b->steps[i].name))
			return false;
	return true;
}

/* A field beside a value that the rule looks at. */
struct sibling {
	const struct json_path *path;
	const char *text; /* as written */
	const char *role; /* for messages: what the value is to the field */
	uint32_t *index; /* set */
};

/* One that another rule has already, or a new one that overlaps nothing. */
static bool add_sibling(struct entry *entry, const struct policy_rule *rule, const struct sibling *sibling)
{
	for (size_t i = entry->n_rules; i < entry->n_paths; i++) {
		if (path_equal(&entry->paths[i], sibling->path)) {
			*sibling->index = (uint32_t)i;
			return true;
		}
	}
	for (size_t i = 0; i < entry->n_paths; i++) {
		if (!json_path_overlaps(&entry->paths[i], sibling->path))
			continue;
		build_error(entry->build, rule->mark,
			    i < entry->n_rules
				    ? "%s %s the field %s, which %s can change: name one that stays in clear"
				    : "%s %s the field %s, which lies in or around another one that counts, too%s",
			    rule->path_text, sibling->role, sibling->text,
			    i < entry->n_rules ? entry->rules[i].path_text : "");
		return false;
	}
	if (entry->n_paths == JSON_PATHS_MAX) {
		build_error(entry->build, rule->mark, "paths and the fields beside them that count are more than %d",
			    JSON_PATHS_MAX);
		return false;
	}
	*sibling->index = (uint32_t)entry->n_paths;
	entry->paths[entry->n_paths++] = *sibling->path;
	return true;
}

static bool add_siblings(struct entry *entry)
{
	bool good = true;

	for (size_t i = 0; i < entry->n_rules; i++) {
		struct policy_rule *rule = &entry->rules[i];
		const struct policy_bind *bind = &rule->method->bind;
		const struct policy_per *per = &rule->method->per;

		if (bind->mode == BIND_RECORD)
			good &= add_sibling(
				entry, rule,
				&(struct sibling){&bind->path, bind->record, "is bound to", &rule->record_path});
		if (per->text != NULL)
			good &= add_sibling(entry, rule,
					    &(struct sibling){&per->path, per->text, "has a key for each value of",
							      &rule->per_path});
	}
	return good;
}

/* A copy of the buffer in the policy's arena; the buffer is emptied. */
static enum seal_status keep_bytes(struct build *build, struct seal_buf *buf, struct seal_bytes *out,
				   struct seal_err *err)
{
	*out = arena_copy(&build->policy->arena, buf_bytes(buf));
	buf->len = 0;
	return out->ptr ? SEAL_OK : err_memory(err);
}

static enum seal_status make_place(struct build *build, const struct policy_rule *rule, enum place_kind kind,
				   struct seal_buf *buf, struct seal_bytes *out, struct seal_err *err)
{
	const struct policy_bind *bind = &rule->method->bind;
	struct place place = {.bound = bind->mode == BIND_DOMAIN ? PLACE_DOMAIN : PLACE_PATH,
			      .namespace_ = bytes_str(build->policy->namespace_),
			      .name = bind->mode == BIND_DOMAIN ? bytes_str(bind->domain) : rule->path,
			      .kind = kind};
	enum seal_status rc = place_encode(&place, buf, err);

	return rc == SEAL_OK ? keep_bytes(build, buf, out, err) : rc;
}

static enum seal_status make_places(struct entry *entry, struct policy_rule *rule, const struct json_path *path,
				    struct seal_buf *buf, struct seal_err *err)
{
	enum bind_mode mode = rule->method->bind.mode;
	struct build *build = entry->build;
	enum seal_status rc;

	SEAL_TRY(json_path_canonical(path, buf, err));
	SEAL_TRY(keep_bytes(build, buf, &rule->path, err));
	rule->path = policy_path(entry->topic, rule->path, &build->policy->arena);
	if (rule->path.ptr == NULL)
		return err_memory(err);
	rule->dynamic = json_path_is_dynamic(path) && (mode == BIND_PLACE || mode == BIND_RECORD);
	if (rule->dynamic || mode == BIND_NONE || mode == BIND_RECORD)
		return SEAL_OK;
	SEAL_TRY(make_place(build, rule, PLACE_STRING, buf, &rule->place_string, err));
	SEAL_TRY(make_place(build, rule, PLACE_JSON, buf, &rule->place_json, err));
	SEAL_TRY(make_place(build, rule, PLACE_BYTES, buf, &rule->place_bytes, err));
out:
	return rc;
}

/* What is left when all rules of an entry are right: places and the automaton. */
static void finish_rules(struct entry *entry)
{
	struct seal_buf buf = BUF_INIT(PATH_TEXT_MAX);
	struct seal_err err = SEAL_ERR_INIT;
	struct policy_topic *topic = entry->topic;
	enum seal_status rc;

	for (size_t i = 0; i < entry->n_rules; i++)
		SEAL_TRY(make_places(entry, &entry->rules[i], &entry->paths[i], &buf, &err));
	SEAL_TRY(json_paths_new(entry->paths, entry->n_paths, &topic->paths, &err));
	topic->rules = entry->rules;
	topic->n_rules = entry->n_rules;
out:
	if (rc != SEAL_OK)
		build_fail(entry->build, topic->mark, &err);
	buf_clear(&buf);
}

struct seal_bytes policy_path(const struct policy_topic *topic, struct seal_bytes canonical, struct arena *arena)
{
	const size_t root = strlen(topic->root);
	uint8_t *path;

	if (topic->part == PART_VALUE)
		return canonical;
	path = arena_alloc(arena, root + canonical.len, 1);
	if (path == NULL)
		return BYTES_EMPTY;
	memcpy(path, topic->root, root);
	memcpy(path + root, canonical.ptr + 1, canonical.len - 1);
	return bytes_of(path, root + canonical.len - 1);
}

void build_rules(struct build *build, const struct node *protect, const struct node *allow, bool may_be_empty,
		 struct policy_topic *topic)
{
	struct entry entry = {.build = build, .topic = topic, .good = true};

	if ((protect->n == 0 && !may_be_empty) || protect->n > POLICY_RULES_MAX) {
		build_error(build, protect->mark,
			    topic->part == PART_KEY
				    ? "key has 1 to %d paths: without any it would pass in clear"
				    : "protect has 1 to %d paths: a topic without any would pass in clear, "
				      "which needs key: or headers: in it",
			    POLICY_RULES_MAX);
		return;
	}
	entry.rules = build_alloc(build, protect->n, sizeof(*entry.rules));
	entry.paths = build_scratch(build, 3 * protect->n, sizeof(*entry.paths));
	if (entry.rules == NULL || entry.paths == NULL)
		return;
	for (const struct node *key = protect->first; key != NULL && !build->no_memory; key = key->next)
		entry.good &= add_rule(&entry, key);
	if (build->no_memory)
		return;
	entry.good &= check_overlaps(&entry);
	if (allow != NULL)
		build_allow(build, allow, entry.rules, entry.paths, entry.n_rules, topic);
	if (entry.good && add_siblings(&entry) && build->findings->errors == 0)
		finish_rules(&entry);
}

/* The one rule of an entry whose documents are taken as a whole. */
static bool add_whole(struct build *build, struct policy_topic *topic, const struct policy_rule *whole)
{
	struct policy_rule *rule = build_alloc(build, 1, sizeof(*rule));
	struct json_path root = {NULL, 0};
	struct entry entry = {
		.build = build, .topic = topic, .rules = rule, .paths = &root, .n_rules = 1, .n_paths = 1};

	if (rule == NULL)
		return false;
	*rule = *whole;
	rule->record_path = rule->per_path = UINT32_MAX;
	finish_rules(&entry);
	return topic->paths != NULL;
}

bool build_dead_letter_rule(struct build *build, struct policy_topic *topic, const struct policy_method *method,
			    struct policy_mark mark)
{
	return add_whole(build, topic, &(struct policy_rule){.path_text = "$", .method = method, .mark = mark});
}

void build_whole_rule(struct build *build, const struct node *method, struct policy_topic *topic)
{
	static const struct json_path whole = {NULL, 0};
	struct entry entry = {.build = build, .topic = topic};
	struct policy_rule rule = {.path_text = topic->root, .mark = topic->mark};

	rule.method = rule_method(build, method, topic->root);
	if (rule.method == NULL || rule.method->kind == NULL ||
	    !check_rule(&entry, method, method, &whole, rule.method))
		return;
	if (build->findings->errors == 0)
		add_whole(build, topic, &rule);
}
