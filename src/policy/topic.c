/*
 * Topic entries: which topics, what to do with which path. The entries of dead-letter topics are made here, too,
 * and come first, so that no glob takes a dead letter for an ordinary record. Those for keys and headers (part.c) come
 * last, and no topic's name matches them.
 *
 *   build.topics   [ free | dead letters (filled backwards) | entries as in the file | keys and headers ]
 *                           ^ policy.topics                                            ^ policy.n_entries
 */
#include "policy/build.h"
#include "policy/node.h"
#include "policy/pattern.h"

#define TOPIC_NAME_MAX 1024

const struct opt_row policy_topic_rows[] = {
	{.name = "key_format",
	 .help = "what a record key is that is protected as a whole: UTF-8 text, or bytes; text unless said",
	 .choices = "text|bytes",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct topic_options, key_format)},
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
	build->n_patterns += n;
	if (n == 0)
		build_error(build, match->mark, "match names no topic");
	if (!build_count_check(build, match, build->n_patterns, "topics to match"))
		return false;
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

/* Dead letters -------------------------------------------------------------------------------------------- */

/* The entry for a dead-letter topic: whole values, encrypted, bound to the domain "dead-letter". */
static struct policy_topic *new_dead_letter(struct build *build, const char *name, const struct policy_key *key,
					    struct policy_mark mark)
{
	struct policy_topic *topic = build->first_topic - 1;
	struct topic_pattern *pattern = build_alloc(build, 1, sizeof(*pattern));
	const char **matches = build_alloc(build, 2, sizeof(*matches));
	const struct policy_method *method = build_dead_letter_method(build, key, mark);

	if (pattern == NULL || matches == NULL || method == NULL)
		return NULL;
	*pattern = (struct topic_pattern){.kind = PATTERN_EXACT, .text = name};
	matches[0] = name;
	*topic = (struct policy_topic){
		.matches = matches, .patterns = pattern, .n_patterns = 1, .root = "$", .mark = mark};
	topic->format = FORMAT_BYTES;
	topic->on = build->defaults;
	topic->on.on_error = ON_ERROR_REJECT;
	topic->is_dead_letter = true;
	topic->dead_letter_method = method;
	build->first_topic = topic;
	return build_dead_letter_rule(build, topic, method, mark) ? topic : NULL;
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

/* The parts of an entry's map that are no option rows. */
struct topic_nodes {
	const struct node *match, *protect, *dead_letter, *key, *headers, *allow;
};

static void build_on_error(struct build *build, const struct node *at, const struct node *dead_letter, bool good,
			   struct policy_topic *topic)
{
	if (dead_letter != NULL)
		build_dead_letter(build, dead_letter, topic);
	else if (good && topic->on.on_error == ON_ERROR_DEAD_LETTER)
		build_error(build, at->mark,
			    "on_error: dead_letter needs dead_letter: {topic: NAME, key: NAME} in this topic");
	if (dead_letter != NULL && topic->on.on_error != ON_ERROR_DEAD_LETTER)
		build_warning(build, dead_letter->mark, "dead_letter has no effect without on_error: dead_letter");
}

/* After the dead letters: keys and headers have them, too. */
static void build_parts(struct build *build, const struct node *at, const struct topic_nodes *nodes, int key_format,
			struct policy_topic *topic)
{
	if (nodes->key != NULL)
		build_key_part(build, nodes->key, key_format == 1 ? FORMAT_BYTES : FORMAT_TEXT, topic);
	if (key_format >= 0 && (nodes->key == NULL || (topic->key != NULL && topic->key->format == FORMAT_JSON)))
		build_error(build, at->mark,
			    "key_format says how a key is taken as a whole: it needs key: METHOD in this topic");
	if (nodes->headers != NULL)
		build_header_parts(build, nodes->headers, topic);
}

static void build_topic(struct build *build, const struct node *at, struct policy_topic *topic)
{
	struct topic_nodes nodes = {NULL, NULL, NULL, NULL, NULL, NULL};
	const struct map_field fields[] = {
		{"match", 1 << NODE_SCALAR | 1 << NODE_LIST, &nodes.match},
		{"protect", 1 << NODE_MAP, &nodes.protect},
		{"key", 1 << NODE_SCALAR | 1 << NODE_MAP, &nodes.key},
		{"headers", 1 << NODE_MAP, &nodes.headers},
		{"allow", 1 << NODE_LIST, &nodes.allow},
		{"dead_letter", 1 << NODE_MAP, &nodes.dead_letter},
		{NULL, 0, NULL},
	};
	struct topic_options options = {.on = build->defaults, .format = FORMAT_JSON, .key_format = -1};
	struct map_spec spec = {.what = "a topic", .fields = fields, .rows = policy_topic_rows, .options = &options};
	bool good = map_read(build, at, &spec);

	topic->mark = at->mark;
	topic->on = options.on;
	topic->format = options.format;
	topic->root = "$";
	if (nodes.match != NULL)
		set_patterns(build, nodes.match, topic);
	else if (good)
		build_error(build, at->mark, "the topic needs match, like match: purchases");
	build_on_error(build, at, nodes.dead_letter, good, topic);
	build_parts(build, at, &nodes, options.key_format, topic);
	if (nodes.protect != NULL)
		build_rules(build, nodes.protect, nodes.allow, nodes.key != NULL || nodes.headers != NULL, topic);
	else if (good)
		build_error(build, at->mark, "the topic needs protect: a map from paths to methods%s",
			    nodes.key != NULL || nodes.headers != NULL ? ", or {}: values pass in clear" : "");
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

/* Dead letters grow down from `topics`, keys and headers up from `parts`. */
static void set_topics(struct build *build, size_t done)
{
	struct policy *policy = build->policy;

	policy->topics = build->first_topic;
	policy->n_entries = (size_t)(build->topics - build->first_topic) + done;
	policy->n_topics = (size_t)(build->next_part - build->first_topic);
	for (size_t i = 0; i < policy->n_topics; i++)
		build->first_topic[i].index = (uint32_t)i;
}

void build_topics(struct build *build, const struct node *topics)
{
	const size_t n = topics ? topics->n : 0, n_parts = build_parts_count(topics);
	struct policy_topic *all = build_alloc(build, 2 * n + n_parts, sizeof(*all));
	size_t done = 0;

	if (all == NULL || n == 0)
		return;
	build->topics = build->first_topic = all + n;
	build->parts = build->next_part = build->topics + n;
	build->end_parts = build->parts + n_parts;
	for (const struct node *at = topics->first; at != NULL && !build->no_memory; at = at->next)
		build_topic(build, at, &build->topics[done++]);
	set_topics(build, done);
	for (size_t i = 0; i < done && !build->no_memory; i++) {
		check_own_entry(build, &build->topics[i]);
		warn_shadowed(build, &build->topics[i], i);
	}
}

const struct policy_topic *policy_topic_match(const struct policy *policy, struct seal_bytes topic,
					      const struct topic_pattern **by)
{
	return first_match(policy->topics, policy->n_entries, topic, by);
}

const struct policy_topic *policy_topic_find(const struct policy *policy, struct seal_bytes topic)
{
	const struct topic_pattern *by = NULL;

	return first_match(policy->topics, policy->n_entries, topic, &by);
}

const struct policy_topic *policy_topic_only(const struct policy *policy)
{
	const struct policy_topic *only = NULL;

	for (size_t i = 0; i < policy->n_entries; i++) {
		if (policy->topics[i].is_dead_letter)
			continue;
		if (only != NULL)
			return NULL;
		only = &policy->topics[i];
	}
	return only;
}
