/*
 * The other parts of a topic's records: `key:`, `headers:`, and what is in clear by intent, `allow:`.
 *
 *   key: METHOD               the whole key, as text or bytes      place "key"
 *   key: {$.id: METHOD}       the key is JSON                      place "key['id']"
 *   headers: {NAME: METHOD}   each header of that name, as text    place "header:NAME"
 *
 * Each key, and each header's name, becomes an entry of its own in policy.topics, which the engine runs like any other.
 */
#include "policy/build.h"
#include "policy/node.h"

#define HEADER_ROOT "header:"
#define HEADER_OWN "seal-" /* headers that sealstream makes itself */

size_t build_parts_count(const struct node *topics)
{
	size_t n = 0;

	for (const struct node *topic = topics ? topics->first : NULL; topic != NULL; topic = topic->next) {
		for (const struct node *key = topic->kind == NODE_MAP ? topic->first : NULL; key; key = key->next) {
			if (bytes_eq_str(key->text, "key"))
				n++;
			else if (bytes_eq_str(key->text, "headers") && key->value->kind == NODE_MAP)
				n += key->value->n;
		}
	}
	return n;
}

/* An entry for a part of what `topic` is for. What fails fails as there. */
static struct policy_topic *add_part(struct build *build, enum record_part which, const char *root,
				     struct policy_mark mark, const struct policy_topic *topic)
{
	static const char *const no_matches[] = {NULL};
	struct policy_topic *part = build->next_part++;

	SEAL_INVARIANT(part < build->end_parts);
	*part = (struct policy_topic){.matches = no_matches,
				      .format = FORMAT_TEXT,
				      .on = topic->on,
				      .dead_letter_topic = topic->dead_letter_topic,
				      .dead_letter_method = topic->dead_letter_method,
				      .part = which,
				      .root = root,
				      .mark = mark};
	return part;
}

void build_key_part(struct build *build, const struct node *key, int format, struct policy_topic *topic)
{
	struct policy_topic *part = add_part(build, PART_KEY, "key", key->mark, topic);

	topic->key = part;
	part->format = format;
	if (key->kind == NODE_MAP && key->n == 0) {
		build_error(build, key->mark,
			    "key needs a method: its name, {type: ...}, or for keys that are JSON {$.id: METHOD}");
	} else if (key->kind == NODE_MAP && key->first->text.len > 0 && key->first->text.ptr[0] == '$') {
		part->format = FORMAT_JSON;
		build_rules(build, key, NULL, false, part);
	} else {
		build_whole_rule(build, key, part);
	}
}

/* Headers -------------------------------------------------------------------------------------------------- */

static bool check_header(struct build *build, const struct node *name)
{
	bool good = name->text.len > 0 && name->text.len <= POLICY_HEADER_NAME_MAX;

	for (size_t i = 0; good && i < name->text.len; i++)
		good = name->text.ptr[i] >= 0x20 && name->text.ptr[i] != 0x7f;
	if (!good)
		build_error(build, name->mark, "a header's name has 1 to %d bytes and no control characters",
			    POLICY_HEADER_NAME_MAX);
	else if (bytes_starts(name->text, BYTES_LIT(HEADER_OWN)))
		build_error(build, name->mark,
			    "headers that begin with " HEADER_OWN " are sealstream's own and can't be protected");
	else
		return true;
	return false;
}

static struct policy_topic *build_header(struct build *build, const struct node *name, struct policy_topic *topic)
{
	struct policy_topic *part;
	const char *root;

	if (!check_header(build, name))
		return NULL;
	root = arena_printf(&build->policy->arena, HEADER_ROOT "%.*s", (int)name->text.len,
			    (const char *)name->text.ptr);
	build->no_memory |= root == NULL;
	if (root == NULL)
		return NULL;
	part = add_part(build, PART_HEADER, root, name->mark, topic);
	part->header = root + strlen(HEADER_ROOT);
	build_whole_rule(build, name->value, part);
	return part;
}

void build_header_parts(struct build *build, const struct node *headers, struct policy_topic *topic)
{
	const struct policy_topic **list;
	size_t n = 0;

	if (headers->n == 0 || headers->n > POLICY_HEADERS_MAX) {
		build_error(build, headers->mark, "headers has 1 to %d names", POLICY_HEADERS_MAX);
		return;
	}
	list = build_alloc(build, headers->n + 1, sizeof(*list));
	if (list == NULL)
		return;
	topic->headers = list;
	for (const struct node *name = headers->first; name != NULL && !build->no_memory; name = name->next) {
		list[n] = build_header(build, name, topic);
		n += list[n] != NULL;
	}
}

/* In clear by intent --------------------------------------------------------------------------------------- */

/* `allow` while it is read. */
struct allow {
	struct build *build;
	struct policy_topic *topic;
	struct json_path *paths;
	const char **texts;
	const char **headers;
	size_t n, n_headers;
};

static void allow_path(struct allow *allow, const struct node *item, const struct policy_rule *rules,
		       const struct json_path *paths, size_t n)
{
	struct build *build = allow->build;
	struct json_path *path = &allow->paths[allow->n];
	struct seal_err err = SEAL_ERR_INIT;
	size_t at = 0;

	allow->texts[allow->n] = build_str(build, item->text);
	if (json_path_parse(item->text, &build->policy->arena, path, &at, &err) != SEAL_OK) {
		build_fail(build, node_mark_at(item, at), &err);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!json_path_overlaps(path, &paths[i]))
			continue;
		build_error(build, item->mark,
			    "%.*s is in clear by intent, but %s (line %u) protects it or something in or around it",
			    BYTES_FMT(item->text), rules[i].path_text, rules[i].mark.line);
		return;
	}
	allow->n++;
}

static void allow_header(struct allow *allow, const struct node *item)
{
	struct seal_bytes name = bytes_skip(item->text, strlen(HEADER_ROOT));

	for (const struct policy_topic *const *part = allow->topic->headers; part != NULL && *part != NULL; part++) {
		if (!bytes_eq_str(name, (*part)->header))
			continue;
		build_error(allow->build, item->mark, "%s is in clear by intent, but headers (line %u) protects it",
			    (*part)->root, (*part)->mark.line);
		return;
	}
	allow->headers[allow->n_headers++] = build_str(allow->build, name);
}

static void allow_key(struct allow *allow, const struct node *item)
{
	const struct policy_topic *key = allow->topic->key;

	if (key != NULL && key->format != FORMAT_JSON)
		build_error(allow->build, item->mark, "key is in clear by intent, but key (line %u) protects it",
			    key->mark.line);
	else
		allow->topic->allow_key = true;
}

static void allow_item(struct allow *allow, const struct node *item, const struct policy_rule *rules,
		       const struct json_path *paths, size_t n)
{
	const bool text = item->kind == NODE_SCALAR && item->text.len > 0;

	if (text && item->text.ptr[0] == '$' && allow->topic->format == FORMAT_JSON)
		allow_path(allow, item, rules, paths, n);
	else if (text && bytes_eq_str(item->text, "key"))
		allow_key(allow, item);
	else if (text && bytes_starts(item->text, BYTES_LIT(HEADER_ROOT)) && item->text.len > strlen(HEADER_ROOT))
		allow_header(allow, item);
	else if (item->kind != NODE_BAD)
		build_error(allow->build, item->mark, "allow takes %skey and " HEADER_ROOT "NAME",
			    allow->topic->format == FORMAT_JSON ? "paths like $.id, "
								: "no paths with format: bytes, but ");
}

/* Whoever looks for the allowed fields of a record compiles their paths; that they can be compiled is found here. */
static void check_compiles(struct build *build, const struct node *list, const struct allow *allow)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct json_paths *paths = NULL;

	if (allow->n > 0 && json_paths_new(allow->paths, allow->n, &paths, &err) != SEAL_OK)
		build_fail(build, list->mark, &err);
	json_paths_free(paths);
}

void build_allow(struct build *build, const struct node *list, const struct policy_rule *rules,
		 const struct json_path *paths, size_t n, struct policy_topic *topic)
{
	struct allow allow = {.build = build, .topic = topic};

	if (list->n > POLICY_RULES_MAX) {
		build_error(build, list->mark, "allow has at most %d paths", POLICY_RULES_MAX);
		return;
	}
	allow.paths = build_alloc(build, list->n, sizeof(*allow.paths));
	allow.texts = build_alloc(build, list->n, sizeof(*allow.texts));
	allow.headers = build_alloc(build, list->n + 1, sizeof(*allow.headers));
	if (allow.paths == NULL || allow.texts == NULL || allow.headers == NULL)
		return;
	for (const struct node *item = list->first; item != NULL && !build->no_memory; item = item->next)
		allow_item(&allow, item, rules, paths, n);
	check_compiles(build, list, &allow);
	topic->allow = allow.paths;
	topic->allow_text = allow.texts;
	topic->n_allow = allow.n;
	topic->allow_headers = allow.headers;
}
