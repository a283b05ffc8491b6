/*
 * Topic entries: which topics, what to do with which path. The entries of dead-letter topics are made here, too,
 * and come first, so that no glob takes a dead letter for an ordinary record.
 *
 *   build.topics   [ free | dead letters (filled backwards) | entries as in the file ]
 *                           ^ policy.topics
 *
 * No two paths of an entry overlap, siblings of `bind: {record}` included: the scanner reports only the outer one of
 * two values that lie in each other.
 */
#include "base/buf.h"
#include "policy/build.h"
#include "policy/node.h"
#include "policy/pattern.h"
#include "policy/place.h"

#define PATH_TEXT_MAX (64u << 10)
#define TOPIC_NAME_MAX 1024

const struct opt_row policy_topic_rows[] = {
	{.name = "format",
	 .help = "what a record's value is: a JSON document, or bytes taken as a whole",
	 .def = "json",
	 .choices = "json|bytes",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, format)},
	{.name = "on_error",
	 .help = "a record that fails: stop with an error, send it encrypted to the dead-letter topic, or leave it "
		 "out",
	 .def = "reject",
	 .choices = "reject|dead_letter|drop",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, on.on_error)},
	{.name = "on_missing",
	 .help = "a record without the field: fine, or an error",
	 .def = "ignore",
	 .choices = "ignore|reject",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, on.on_missing)},
	{.name = "on_protected",
	 .help = "a value that is protected already when it is to be protected: an error, or kept as it is",
	 .def = "reject",
	 .choices = "reject|keep",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, on.on_protected)},
	{.name = "on_plaintext",
	 .help = "a value that is not protected when it is to be revealed: an error, or passed on",
	 .def = "reject",
	 .choices = "reject|pass",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, on.on_plaintext)},
	{.name = "on_null",
	 .help = "a JSON null: protected like any value, or kept as null",
	 .def = "protect",
	 .choices = "protect|keep",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, on.on_null)},
	OPT_END,
};

/* The texts of `choices` above are indices of these enums, in this order. */
_Static_assert(ON_ERROR_REJECT == 0 && ON_ERROR_DEAD_LETTER == 1 && ON_ERROR_DROP == 2, "on_error");
_Static_assert(ON_MISSING_IGNORE == 0 && ON_MISSING_REJECT == 1, "on_missing");
_Static_assert(ON_PROTECTED_REJECT == 0 && ON_PROTECTED_KEEP == 1, "on_protected");
_Static_assert(ON_PLAINTEXT_REJECT == 0 && ON_PLAINTEXT_PASS == 1, "on_plaintext");
_Static_assert(ON_NULL_PROTECT == 0 && ON_NULL_KEEP == 1, "on_null");
_Static_assert(FORMAT_JSON == 0 && FORMAT_BYTES == 1, "format");
_Static_assert(offsetof(struct topic_options, on) == 0, "on_... rows serve both structs");

/* One entry while it is built. */
struct entry {
	struct build *build;
	struct policy_topic *topic;
	struct policy_rule *rules;
	struct json_path *paths; /* of rules, then of siblings */
	size_t n_rules, n_paths;
	bool good;
};

/* Patterns ------------------------------------------------------------------------------------------------ */

static bool pattern_add(struct build *build, const struct node *at, struct topic_pattern *pattern)
{
	const char *why = NULL;

	if (at->kind != NODE_SCALAR || at->text.len == 0 || at->text.len > TOPIC_NAME_MAX) {
		if (at->kind != NODE_BAD)
			build_error(build, at->mark, "match must be a topic, a glob, a /regex/ or a list of these");
		return false;
	}
	pattern->kind = pattern_kind_of(at->text);
	pattern->text = build_str(build, at->text);
	if (pattern->kind == PATTERN_GLOB && !glob_check(at->text, &why)) {
		build_error(build, at->mark, "%s", why);
		return false;
	}
	if (pattern->kind == PATTERN_REGEX)
		pattern->regex = build_regex(build, at, 1, at->text.len - 2);
	return pattern->text != NULL && (pattern->kind != PATTERN_REGEX || pattern->regex != NULL);
}

static bool set_patterns(struct build *build, const struct node *match, struct policy_topic *topic)
{
	size_t n = match->kind == NODE_LIST ? match->n : 1;
	struct topic_pattern *patterns = build_alloc(build, n, sizeof(*patterns));
	const char **texts = build_alloc(build, n + 1, sizeof(*texts));
	const struct node *item = match->kind == NODE_LIST ? match->first : match;
	bool good = n > 0;

	if (patterns == NULL || texts == NULL)
		return false;
	if (n == 0)
		build_error(build, match->mark, "match names no topic");
	for (size_t i = 0; i < n; i++, item = item->next) {
		good &= pattern_add(build, item, &patterns[i]);
		texts[i] = patterns[i].text;
	}
	if (!good)
		return false;
	topic->patterns = patterns;
	topic->n_patterns = n;
	topic->matches = texts;
	return true;
}

/* Rules --------------------------------------------------------------------------------------------------- */

static const struct policy_method *rule_method(struct build *build, const struct node *key, const char *path)
{
	const struct policy_method *method;

	if (key->value->kind == NODE_SCALAR)
		return build_method_find(build, key->value);
	if (key->value->kind == NODE_LIST) {
		build_error(build, key->value->mark, "%s gets one method: its name, or {type: ...}", path);
		return NULL;
	}
	method = build_method(build, path, key->value);
	if (method != NULL)
		build->method_used[method->index] = true;
	return method;
}

/* What a method can't do at this path. */
static bool check_rule(struct entry *entry, const struct node *key, const struct json_path *path,
		       const struct policy_method *method)
{
	struct build *build = entry->build;
	const char *type = method->kind->name;

	if (path->n_steps == 0 && method->kind->flags & METHOD_REMOVES)
		build_error(build, key->value->mark, "%s takes a field away and can't be used on $, the whole record",
			    type);
	else if (entry->topic->format == FORMAT_BYTES && path->n_steps != 0)
		build_error(build, key->mark, "with format: bytes the only path is $, the whole value");
	else if (entry->topic->format == FORMAT_BYTES && !(method->kind->flags & METHOD_BYTES))
		build_error(build, key->value->mark, "%s can't take a whole payload (format: bytes)", type);
	else if (entry->topic->format == FORMAT_BYTES && method->bind.mode == BIND_RECORD)
		build_error(build, key->value->mark, "with format: bytes there is no field to bind to");
	else
		return true;
	return false;
}

static bool add_rule(struct entry *entry, const struct node *key)
{
	struct build *build = entry->build;
	struct policy_rule *rule = &entry->rules[entry->n_rules];
	struct json_path *path = &entry->paths[entry->n_rules];
	struct seal_err err = SEAL_ERR_INIT;
	const struct policy_method *method;
	size_t at = 0;

	rule->path_text = build_str(build, key->text);
	if (rule->path_text == NULL)
		return false;
	method = rule_method(build, key, rule->path_text);
	if (json_path_parse(key->text, &build->policy->arena, path, &at, &err) != SEAL_OK) {
		build_fail(build, node_mark_at(key, at), &err);
		return false;
	}
	rule->method = method;
	rule->mark = key->mark;
	rule->record_path = UINT32_MAX;
	entry->n_paths = ++entry->n_rules;
	return method != NULL && (method->kind == NULL || check_rule(entry, key, path, method));
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

/* Gives the rule its sibling: one that another rule has already, or a new one that overlaps nothing. */
static bool add_sibling(struct entry *entry, struct policy_rule *rule)
{
	const struct policy_bind *bind = &rule->method->bind;

	for (size_t i = entry->n_rules; i < entry->n_paths; i++) {
		if (path_equal(&entry->paths[i], &bind->path)) {
			rule->record_path = (uint32_t)i;
			return true;
		}
	}
	for (size_t i = 0; i < entry->n_paths; i++) {
		if (!json_path_overlaps(&entry->paths[i], &bind->path))
			continue;
		build_error(
			entry->build, rule->mark,
			i < entry->n_rules
				? "%s is bound to the field %s, which %s can change: bind to one that stays in clear"
				: "%s is bound to the field %s, which lies in or around another one that is bound "
				  "to%s",
			rule->path_text, bind->record, i < entry->n_rules ? entry->rules[i].path_text : "");
		return false;
	}
	rule->record_path = (uint32_t)entry->n_paths;
	entry->paths[entry->n_paths++] = bind->path;
	return true;
}

static bool add_siblings(struct entry *entry)
{
	bool good = true;

	for (size_t i = 0; i < entry->n_rules; i++)
		if (entry->rules[i].method->bind.mode == BIND_RECORD)
			good &= add_sibling(entry, &entry->rules[i]);
	return good;
}

/* Places -------------------------------------------------------------------------------------------------- */

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

static enum seal_status make_places(struct build *build, struct policy_rule *rule, const struct json_path *path,
				    struct seal_buf *buf, struct seal_err *err)
{
	enum bind_mode mode = rule->method->bind.mode;
	enum seal_status rc;

	SEAL_TRY(json_path_canonical(path, buf, err));
	SEAL_TRY(keep_bytes(build, buf, &rule->path, err));
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
		SEAL_TRY(make_places(entry->build, &entry->rules[i], &entry->paths[i], &buf, &err));
	SEAL_TRY(json_paths_new(entry->paths, entry->n_paths, &topic->paths, &err));
	topic->rules = entry->rules;
	topic->n_rules = entry->n_rules;
out:
	if (rc != SEAL_OK)
		build_fail(entry->build, topic->mark, &err);
	buf_clear(&buf);
}

static void build_rules(struct build *build, const struct node *protect, struct policy_topic *topic)
{
	struct entry entry = {.build = build, .topic = topic, .good = true};

	if (protect->n == 0 || protect->n > POLICY_RULES_MAX / 2) {
		build_error(build, protect->mark,
			    "protect has 1 to %d paths: a topic without any would pass in clear",
			    POLICY_RULES_MAX / 2);
		return;
	}
	entry.rules = build_alloc(build, protect->n, sizeof(*entry.rules));
	entry.paths = build_scratch(build, 2 * protect->n, sizeof(*entry.paths));
	if (entry.rules == NULL || entry.paths == NULL)
		return;
	for (const struct node *key = protect->first; key != NULL && !build->no_memory; key = key->next)
		entry.good &= add_rule(&entry, key);
	if (build->no_memory)
		return;
	entry.good &= check_overlaps(&entry);
	if (entry.good && add_siblings(&entry) && build->findings->errors == 0)
		finish_rules(&entry);
}

/* Dead letters -------------------------------------------------------------------------------------------- */

/* The entry for a dead-letter topic: whole values, encrypted, bound to the domain "dead-letter". */
static struct policy_topic *new_dead_letter(struct build *build, const char *name, const struct policy_key *key,
					    struct policy_mark mark)
{
	struct policy_topic *topic = build->first_topic - 1;
	struct topic_pattern *pattern = build_alloc(build, 1, sizeof(*pattern));
	const char **matches = build_alloc(build, 2, sizeof(*matches));
	struct policy_rule *rule = build_alloc(build, 1, sizeof(*rule));
	struct json_path *root = build_scratch(build, 1, sizeof(*root));
	struct entry entry = {
		.build = build, .topic = topic, .rules = rule, .paths = root, .n_rules = 1, .n_paths = 1};

	if (pattern == NULL || matches == NULL || rule == NULL || root == NULL)
		return NULL;
	*rule = (struct policy_rule){.path_text = "$", .record_path = UINT32_MAX, .mark = mark};
	rule->method = build_dead_letter_method(build, key, mark);
	if (rule->method == NULL)
		return NULL;
	*pattern = (struct topic_pattern){.kind = PATTERN_EXACT, .text = name};
	matches[0] = name;
	*topic = (struct policy_topic){.matches = matches, .patterns = pattern, .n_patterns = 1, .mark = mark};
	topic->format = FORMAT_BYTES;
	topic->on = build->defaults;
	topic->on.on_error = ON_ERROR_REJECT;
	topic->is_dead_letter = true;
	topic->dead_letter_method = rule->method;
	build->first_topic = topic;
	finish_rules(&entry);
	return topic;
}

static struct policy_topic *find_dead_letter(struct build *build, const char *name)
{
	for (struct policy_topic *topic = build->first_topic; topic < build->topics; topic++)
		if (strcmp(topic->matches[0], name) == 0)
			return topic;
	return NULL;
}

static void build_dead_letter(struct build *build, const struct node *map, struct policy_topic *topic)
{
	const struct node *name = NULL, *key_name = NULL;
	const struct map_field fields[] = {
		{"topic", 1 << NODE_SCALAR, &name},
		{"key", 1 << NODE_SCALAR, &key_name},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "dead_letter", .fields = fields};
	const struct policy_key *key;
	struct policy_topic *letters;

	if (!map_read(build, map, &spec))
		return;
	if (name == NULL || key_name == NULL || pattern_kind_of(name->text) != PATTERN_EXACT || name->text.len == 0) {
		build_error(build, map->mark, "dead_letter needs both, like {topic: purchases_dlq, key: NAME}");
		return;
	}
	key = build_key_find(build, key_name);
	topic->dead_letter_topic = build_str(build, name->text);
	if (key == NULL || topic->dead_letter_topic == NULL)
		return;
	letters = find_dead_letter(build, topic->dead_letter_topic);
	if (letters == NULL)
		letters = new_dead_letter(build, topic->dead_letter_topic, key, map->mark);
	else if (letters->dead_letter_method->key != key)
		build_error(build, key_name->mark, "dead letters in %s have the key %s already (line %u)",
			    topic->dead_letter_topic, letters->dead_letter_method->key->name, letters->mark.line);
	if (letters != NULL)
		topic->dead_letter_method = letters->dead_letter_method;
}

/* Entries ------------------------------------------------------------------------------------------------- */

static void build_topic(struct build *build, const struct node *at, struct policy_topic *topic)
{
	const struct node *match = NULL, *protect = NULL, *dead_letter = NULL;
	const struct map_field fields[] = {
		{"match", 1 << NODE_SCALAR | 1 << NODE_LIST, &match},
		{"protect", 1 << NODE_MAP, &protect},
		{"dead_letter", 1 << NODE_MAP, &dead_letter},
		{NULL, 0, NULL},
	};
	struct topic_options options = {.on = build->defaults, .format = FORMAT_JSON};
	struct map_spec spec = {.what = "a topic", .fields = fields, .rows = policy_topic_rows, .options = &options};
	bool good = map_read(build, at, &spec);

	topic->mark = at->mark;
	topic->on = options.on;
	topic->format = options.format;
	if (match != NULL)
		set_patterns(build, match, topic);
	else if (good)
		build_error(build, at->mark, "the topic needs match, like match: purchases");
	if (dead_letter != NULL)
		build_dead_letter(build, dead_letter, topic);
	else if (good && topic->on.on_error == ON_ERROR_DEAD_LETTER)
		build_error(build, at->mark,
			    "on_error: dead_letter needs dead_letter: {topic: NAME, key: NAME} in this topic");
	if (dead_letter != NULL && topic->on.on_error != ON_ERROR_DEAD_LETTER)
		build_warning(build, dead_letter->mark, "dead_letter has no effect without on_error: dead_letter");
	if (protect != NULL)
		build_rules(build, protect, topic);
	else if (good)
		build_error(build, at->mark, "the topic needs protect: a map from paths to methods");
}

/* The first of `topics` that takes `name`, with the pattern that does. */
static const struct policy_topic *first_match(const struct policy_topic *topics, size_t n, struct seal_bytes name,
					      const struct topic_pattern **by)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < topics[i].n_patterns; j++) {
			enum regex_result found = pattern_match(&topics[i].patterns[j], name);

			if (found == REGEX_LIMIT)
				return NULL; /* can't be told: better no rules than the wrong ones */
			*by = &topics[i].patterns[j];
			if (found == REGEX_YES)
				return &topics[i];
		}
	}
	return NULL;
}

static bool same_text_before(const struct policy_topic *topics, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < topics[i].n_patterns; j++)
			if (strcmp(topics[i].patterns[j].text, text) == 0 ||
			    strcmp(topics[i].patterns[j].text, "*") == 0)
				return true;
	return false;
}

/* Entries that no topic can reach because an earlier one takes it. */
static void warn_shadowed(struct build *build, const struct policy_topic *topic, size_t n_before)
{
	const struct topic_pattern *by = NULL;

	for (size_t i = 0; i < topic->n_patterns; i++) {
		const struct topic_pattern *pattern = &topic->patterns[i];
		const struct policy_topic *first = NULL;

		if (pattern->kind == PATTERN_EXACT)
			first = first_match(build->topics, n_before, bytes_str(pattern->text), &by);
		if (first != NULL)
			build_warning(build, topic->mark, "topic %s is taken by \"%s\" (line %u), which comes first",
				      pattern->text, by->text, first->mark.line);
		else if (pattern->kind != PATTERN_EXACT && same_text_before(build->topics, n_before, pattern->text))
			build_warning(build, topic->mark, "\"%s\" is never reached: an earlier topic takes all of it",
				      pattern->text);
	}
}

static void check_own_entry(struct build *build, const struct policy_topic *topic)
{
	for (size_t i = 0; i < topic->n_patterns; i++)
		if (topic->patterns[i].kind == PATTERN_EXACT && find_dead_letter(build, topic->patterns[i].text))
			build_error(build, topic->mark,
				    "%s is a dead-letter topic and can't have an entry of its own",
				    topic->patterns[i].text);
}

void build_topics(struct build *build, const struct node *topics)
{
	size_t n = topics ? topics->n : 0, done = 0;
	struct policy_topic *all = build_alloc(build, 2 * n, sizeof(*all));

	if (all == NULL || n == 0)
		return;
	build->topics = build->first_topic = all + n;
	for (const struct node *at = topics->first; at != NULL && !build->no_memory; at = at->next)
		build_topic(build, at, &build->topics[done++]);
	build->policy->topics = build->first_topic;
	build->policy->n_topics = (size_t)(build->topics - build->first_topic) + done;
	for (size_t i = 0; i < build->policy->n_topics; i++)
		build->first_topic[i].index = (uint32_t)i;
	for (size_t i = 0; i < done && !build->no_memory; i++) {
		check_own_entry(build, &build->topics[i]);
		warn_shadowed(build, &build->topics[i], i);
	}
}

const struct policy_topic *policy_topic_match(const struct policy *policy, struct seal_bytes topic,
					      const struct topic_pattern **by)
{
	return first_match(policy->topics, policy->n_topics, topic, by);
}

const struct policy_topic *policy_topic_find(const struct policy *policy, struct seal_bytes topic)
{
	const struct topic_pattern *by = NULL;

	return first_match(policy->topics, policy->n_topics, topic, &by);
}

const struct policy_topic *policy_topic_only(const struct policy *policy)
{
	const struct policy_topic *only = NULL;

	for (size_t i = 0; i < policy->n_topics; i++) {
		if (policy->topics[i].is_dead_letter)
			continue;
		if (only != NULL)
			return NULL;
		only = &policy->topics[i];
	}
	return only;
}
