/*
 * What a change of a policy means for data; see diff.h.
 *
 *   name ─┬─ entry of the old policy ─┬─ format, on_…
 *         └─ entry of the new one ────┴─ rules by part and canonical path ── kind, key, store, binding, options
 *
 * A pair of entries is compared once, however many names lead to it.
 */
#include "policy/diff.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/pattern.h"

/* One comparison. */
struct compare {
	const struct policy *was, *is;
	struct policy_diff *diff;
	bool *seen; /* by index of the old entry and of the new one */
	bool no_memory;
	/* where it stands */
	const char *topic;
	const struct policy_topic *new_entry;
};

void policy_diff_init(struct policy_diff *diff)
{
	*diff = (struct policy_diff){.tail = &diff->first};
	arena_init(&diff->arena, 0);
}

void policy_diff_clear(struct policy_diff *diff)
{
	arena_clear(&diff->arena);
}

const char *change_kind_name(enum change_kind kind)
{
	static const char *const names[CHANGE_KINDS] = {"loses", "exposes", "differs"};

	return names[kind];
}

__attribute__((format(printf, 6, 7))) static void add(struct compare *c, enum change_kind kind, const char *path,
						      struct policy_mark was, struct policy_mark is, const char *fmt,
						      ...)
{
	struct policy_change *change = ARENA_NEW(&c->diff->arena, struct policy_change);
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (change == NULL) {
		c->no_memory = true;
		return;
	}
	*change = (struct policy_change){.kind = kind, .topic = c->topic, .path = path, .was = was, .is = is};
	change->text = arena_strndup(&c->diff->arena, text, strlen(text));
	if (change->text == NULL) {
		c->no_memory = true;
		return;
	}
	*c->diff->tail = change;
	c->diff->tail = &change->next;
	c->diff->n[kind]++;
}

/* Options ------------------------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const struct opt_list *a, const struct opt_list *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (strcmp(a->text, b->text) != 0)
			return false;
	return a == b;
}

static bool same_option(const struct opt_row *row, const void *was, const void *is)
{
	const void *a = (const uint8_t *)was + row->offset, *b = (const uint8_t *)is + row->offset;

	switch (row->type) {
	case OPT_FLAG:
		return *(const bool *)a == *(const bool *)b;
	case OPT_CHOICE:
		return *(const int *)a == *(const int *)b;
	case OPT_STRING:
		return same_text(*(const char *const *)a, *(const char *const *)b);
	case OPT_HEX:
		return bytes_eq(*(const struct seal_bytes *)a, *(const struct seal_bytes *)b);
	case OPT_INT:
	case OPT_SIZE:
	case OPT_DURATION:
		return *(const int64_t *)a == *(const int64_t *)b;
	case OPT_LIST:
		return same_list(*(const struct opt_list *const *)a, *(const struct opt_list *const *)b);
	}
	err_bug(__FILE__, __LINE__, "a type of option that cannot be compared");
}

static bool only_writes(const struct method_kind *kind, const struct opt_row *row)
{
	for (const char *const *name = kind->write_options; name != NULL && *name != NULL; name++)
		if (strcmp(*name, row->name) == 0)
			return true;
	return false;
}

/* Rules -------------------------------------------------------------------------------------------------- */

static bool is_one_way(const struct policy_rule *rule)
{
	return (rule->method->flags & METHOD_ONE_WAY) != 0;
}

static bool same_key(const struct policy_key *a, const struct policy_key *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a->scheme, b->scheme) == 0 && bytes_eq(a->reference, b->reference);
}

static bool same_place(const struct compare *c, const struct policy_rule *was, const struct policy_rule *is)
{
	const struct policy_bind *a = &was->method->bind, *b = &is->method->bind;

	if (a->mode != b->mode)
		return false;
	if (a->mode == BIND_NONE)
		return true;
	return strcmp(c->was->namespace_, c->is->namespace_) == 0 && same_text(a->domain, b->domain) &&
	       same_text(a->record, b->record);
}

static const char *kind_of(const struct policy_rule *rule)
{
	return rule->method->kind->name;
}

/* "local:pii", in the diff's memory; "none". */
static const char *key_name(struct compare *c, const struct policy_key *key)
{
	const char *name;

	if (key == NULL)
		return "none";
	name = arena_printf(&c->diff->arena, "%s:%.*s", key->scheme, BYTES_FMT(key->reference));
	c->no_memory |= name == NULL;
	return name != NULL ? name : "";
}

static void compare_bindings(struct compare *c, enum change_kind kind, const struct policy_rule *was,
			     const struct policy_rule *is)
{
	if (same_place(c, was, is))
		return;
	if (was->method->bind.mode == is->method->bind.mode && strcmp(c->was->namespace_, c->is->namespace_) != 0)
		add(c, kind, was->path_text, was->method->mark, is->method->mark,
		    "the namespace that values are bound to was \"%.100s\" and is \"%.100s\"", c->was->namespace_,
		    c->is->namespace_);
	else
		add(c, kind, was->path_text, was->method->mark, is->method->mark,
		    "values were bound to something else (bind)");
}

static void compare_options(struct compare *c, const struct policy_rule *was, const struct policy_rule *is)
{
	const struct method_kind *kind = was->method->kind;
	const struct opt_row *row = kind->options;

	for (; row != NULL && row->name != NULL; row++) {
		if (same_option(row, was->method->options, is->method->options))
			continue;
		if (only_writes(kind, row) || is_one_way(was))
			add(c, CHANGE_DIFFERS, was->path_text, was->method->mark, is->method->mark,
			    "%s changes how new values are made; those of before stay what they are", row->name);
		else
			add(c, CHANGE_LOSES, was->path_text, was->method->mark, is->method->mark,
			    "%s of %s differs, so that values of before are not recognised, or come back wrong",
			    row->name, kind->name);
	}
}

/* Of one kind. What is one-way has nothing to lose. */
static void compare_methods(struct compare *c, const struct policy_rule *was, const struct policy_rule *is)
{
	const struct policy_method *a = was->method, *b = is->method;
	const enum change_kind kind = is_one_way(was) ? CHANGE_DIFFERS : CHANGE_LOSES;

	if (!same_key(a->key, b->key))
		add(c, kind, was->path_text, a->mark, b->mark,
		    "its key was %.100s and is %.100s; to change keys, rotate, or pump from the old policy to the "
		    "new",
		    key_name(c, a->key), key_name(c, b->key));
	if (!same_text(a->per.text, b->per.text))
		add(c, kind, was->path_text, a->mark, b->mark,
		    "it has other keys of its own (per: %.100s, then %.100s)", a->per.text ? a->per.text : "none",
		    b->per.text ? b->per.text : "none");
	if (!same_text(a->store ? a->store->address : NULL, b->store ? b->store->address : NULL))
		add(c, kind, was->path_text, a->mark, b->mark, "its store was %.100s and is %.100s",
		    a->store ? a->store->name : "none", b->store ? b->store->name : "none");
	compare_bindings(c, kind, was, is);
	compare_options(c, was, is);
}

/* A path that has come under a reversible method: what was there in plain, or as a one-way method left it. */
static void compare_plain(struct compare *c, const struct policy_rule *rule, struct policy_mark was)
{
	if (is_one_way(rule))
		add(c, CHANGE_DIFFERS, rule->path_text, was, rule->mark,
		    "%s from now on; values of before stay as they are", kind_of(rule));
	else if ((rule->method->flags & METHOD_TEXT_FORM) == 0)
		add(c, CHANGE_LOSES, rule->path_text, was, rule->mark,
		    "values of before were not under %s, and reveal would turn them into others, as nothing marks "
		    "them; "
		    "use another topic for the new ones",
		    kind_of(rule));
	else if (c->new_entry->on.on_plaintext == ON_PLAINTEXT_PASS)
		add(c, CHANGE_DIFFERS, rule->path_text, was, rule->mark,
		    "%s from now on; values of before pass as they are (on_plaintext: pass)", kind_of(rule));
	else
		add(c, CHANGE_LOSES, rule->path_text, was, rule->mark,
		    "records of before hold it unprotected, and reveal refuses them; on_plaintext: pass lets them "
		    "through");
}

static bool removes(const struct policy_rule *rule)
{
	return (rule->method->flags & METHOD_REMOVES) != 0;
}

/* A rule for what records of before need not have. */
static void compare_missing(struct compare *c, const struct policy_rule *rule, struct policy_mark was)
{
	if (c->new_entry->on.on_missing == ON_MISSING_REJECT && !removes(rule))
		add(c, CHANGE_LOSES, rule->path_text, was, rule->mark,
		    "records of before that do not have this field are refused (on_missing: reject)");
}

static void compare_rules(struct compare *c, const struct policy_rule *was, const struct policy_rule *is)
{
	if (removes(was) && !removes(is))
		compare_missing(c, is, was->mark);
	if (is_one_way(was) && !is_one_way(is))
		compare_plain(c, is, was->mark);
	else if (was->method->kind == is->method->kind)
		compare_methods(c, was, is);
	else
		add(c, is_one_way(was) ? CHANGE_DIFFERS : CHANGE_LOSES, was->path_text, was->mark, is->mark,
		    "was %s and is %s, which does not give back values of before", kind_of(was), kind_of(is));
}

static const struct policy_rule *rule_at(const struct policy_topic *entry, struct seal_bytes path)
{
	for (size_t i = 0; entry != NULL && i < entry->n_rules; i++)
		if (bytes_eq(entry->rules[i].path, path))
			return &entry->rules[i];
	return NULL;
}

/* A rule for what it is a part of: $['customer'] for $['customer']['name']. */
static bool is_covered(const struct policy_topic *entry, struct seal_bytes path)
{
	for (size_t i = 0; entry != NULL && i < entry->n_rules; i++) {
		const struct seal_bytes above = entry->rules[i].path;

		if (path.len > above.len && bytes_starts(path, above) && path.ptr[above.len] == '[')
			return true;
	}
	return false;
}

static void rule_is_gone(struct compare *c, const struct policy_rule *rule, const struct policy_topic *is)
{
	const struct policy_mark nowhere = {0, 0};

	if (!is_one_way(rule))
		add(c, CHANGE_LOSES, rule->path_text, rule->mark, nowhere,
		    "no rule any more: reveal leaves values of %s as they are", kind_of(rule));
	if (!is_covered(is, rule->path))
		add(c, CHANGE_EXPOSES, rule->path_text, rule->mark, nowhere,
		    "was %s and goes out in clear from now on", kind_of(rule));
}

/* Rules of one part. Either entry may have none for it: NULL. */
static void compare_part(struct compare *c, const struct policy_topic *was, const struct policy_topic *is)
{
	const struct policy_mark nowhere = {0, 0};

	for (size_t i = 0; was != NULL && i < was->n_rules; i++) {
		const struct policy_rule *now = rule_at(is, was->rules[i].path);

		if (now != NULL)
			compare_rules(c, &was->rules[i], now);
		else
			rule_is_gone(c, &was->rules[i], is);
	}
	for (size_t i = 0; is != NULL && i < is->n_rules; i++)
		if (rule_at(was, is->rules[i].path) == NULL) {
			compare_missing(c, &is->rules[i], nowhere);
			compare_plain(c, &is->rules[i], nowhere);
		}
}

/* Entries ------------------------------------------------------------------------------------------------ */

static const struct policy_topic *header_of(const struct policy_topic *entry, const char *name)
{
	for (const struct policy_topic *const *at = entry->headers; at != NULL && *at != NULL; at++)
		if (strcmp((*at)->header, name) == 0)
			return *at;
	return NULL;
}

static void compare_headers(struct compare *c, const struct policy_topic *was, const struct policy_topic *is)
{
	for (const struct policy_topic *const *at = was->headers; at != NULL && *at != NULL; at++)
		compare_part(c, *at, header_of(is, (*at)->header));
	for (const struct policy_topic *const *at = is->headers; at != NULL && *at != NULL; at++)
		if (header_of(was, (*at)->header) == NULL)
			compare_part(c, NULL, *at);
}

static void compare_settings(struct compare *c, const struct policy_topic *was, const struct policy_topic *is)
{
	const struct policy_defaults *a = &was->on, *b = &is->on;

	if (was->format != is->format)
		add(c, CHANGE_LOSES, NULL, was->mark, is->mark,
		    "format differs: records of before are read as something else");
	if (a->on_plaintext == ON_PLAINTEXT_PASS && b->on_plaintext == ON_PLAINTEXT_REJECT)
		add(c, CHANGE_LOSES, NULL, was->mark, is->mark,
		    "on_plaintext was pass and is reject: records of before that hold a protected field in plain are "
		    "refused");
	else if (a->on_plaintext != b->on_plaintext)
		add(c, CHANGE_DIFFERS, NULL, was->mark, is->mark,
		    "on_plaintext was reject and is pass: reveal lets unprotected values through");
	if (a->on_null == ON_NULL_KEEP && b->on_null == ON_NULL_PROTECT && b->on_plaintext == ON_PLAINTEXT_REJECT)
		add(c, CHANGE_LOSES, NULL, was->mark, is->mark,
		    "on_null was keep and is protect: records of before that hold null at a protected path are "
		    "refused");
	else if (a->on_null != b->on_null)
		add(c, CHANGE_DIFFERS, NULL, was->mark, is->mark, "on_null differs");
	if (a->on_missing == ON_MISSING_IGNORE && b->on_missing == ON_MISSING_REJECT)
		add(c, CHANGE_LOSES, NULL, was->mark, is->mark,
		    "on_missing was ignore and is reject: records of before that do not have a field are refused");
	if (a->on_error != b->on_error || a->on_missing != b->on_missing || a->on_protected != b->on_protected)
		add(c, CHANGE_DIFFERS, NULL, was->mark, is->mark,
		    "on_error, on_missing or on_protected differs: other records fail, or fail otherwise");
	if (!same_text(was->dead_letter_topic, is->dead_letter_topic))
		add(c, CHANGE_DIFFERS, NULL, was->mark, is->mark, "dead letters go to %.100s instead of %.100s",
		    is->dead_letter_topic ? is->dead_letter_topic : "no topic",
		    was->dead_letter_topic ? was->dead_letter_topic : "no topic");
}

static void compare_entries(struct compare *c, const char *name, const struct policy_topic *was,
			    const struct policy_topic *is)
{
	bool *seen = &c->seen[was->index * c->is->n_topics + is->index];

	if (*seen)
		return;
	*seen = true;
	c->topic = name;
	c->new_entry = is;
	c->diff->topics++;
	compare_settings(c, was, is);
	compare_part(c, was, is);
	compare_part(c, was->key, is->key);
	compare_headers(c, was, is);
}

static void compare_name(struct compare *c, const char *name)
{
	const struct policy_mark nowhere = {0, 0};
	const struct policy_topic *was = policy_topic_find(c->was, bytes_str(name));
	const struct policy_topic *is = policy_topic_find(c->is, bytes_str(name));

	if (was != NULL && is != NULL) {
		compare_entries(c, name, was, is);
		return;
	}
	c->topic = name;
	if (was != NULL)
		add(c, CHANGE_LOSES, NULL, was->mark, nowhere, "no entry is for this topic any more");
	else if (is != NULL)
		add(c, CHANGE_DIFFERS, NULL, nowhere, is->mark, "an entry for this topic is new");
}

/* How many characters every name that the pattern matches begins with. */
static size_t fixed_len(const char *pattern)
{
	return pattern_kind_of(bytes_str(pattern)) == PATTERN_REGEX ? 0 : strcspn(pattern, "*?[\\");
}

/* May there be a name that both match? */
static bool may_meet(const char *a, const char *b)
{
	const size_t a_len = fixed_len(a), b_len = fixed_len(b);

	return strncmp(a, b, a_len < b_len ? a_len : b_len) == 0;
}

static bool has_pattern(const struct policy_topic *entry, const char *pattern)
{
	for (const char *const *at = entry->matches; *at != NULL; at++)
		if (strcmp(*at, pattern) == 0)
			return true;
	return false;
}

/* Topics of `pattern` that went to `was` go to this earlier entry of the new policy now, unless one went first before, too. */
static void compare_earlier(struct compare *c, const struct policy_topic *was, const char *pattern,
			    const struct policy_topic *earlier)
{
	for (const char *const *at = earlier->matches; *at != NULL; at++) {
		bool first = false;

		for (size_t i = 0; i < c->was->n_entries && &c->was->topics[i] <= was; i++)
			first |= has_pattern(&c->was->topics[i], *at);
		if (!first && pattern_kind_of(bytes_str(*at)) != PATTERN_EXACT && may_meet(*at, pattern))
			compare_entries(c, *at, was, earlier);
	}
}

/* As it is written, in the other policy: who has the same pattern treats the same topics, but for what an earlier entry takes. */
static void compare_pattern(struct compare *c, const struct policy_topic *was, const char *pattern)
{
	const struct policy_mark nowhere = {0, 0};

	for (size_t i = 0; i < c->is->n_entries; i++) {
		if (has_pattern(&c->is->topics[i], pattern)) {
			compare_entries(c, pattern, was, &c->is->topics[i]);
			return;
		}
		compare_earlier(c, was, pattern, &c->is->topics[i]);
	}
	c->topic = pattern;
	add(c, CHANGE_LOSES, NULL, was->mark, nowhere,
	    "this pattern is no longer there; name the topics that it was for, to see what they get now (--topic)");
}

static void compare_all(struct compare *c, const char *const *topics)
{
	for (size_t i = 0; i < c->was->n_entries; i++)
		for (const char *const *at = c->was->topics[i].matches; *at != NULL; at++) {
			if (pattern_kind_of(bytes_str(*at)) == PATTERN_EXACT)
				compare_name(c, *at);
			else
				compare_pattern(c, &c->was->topics[i], *at);
		}
	for (size_t i = 0; i < c->is->n_entries; i++)
		for (const char *const *at = c->is->topics[i].matches; *at != NULL; at++)
			if (pattern_kind_of(bytes_str(*at)) == PATTERN_EXACT)
				compare_name(c, *at);
	for (; topics != NULL && *topics != NULL; topics++)
		compare_name(c, *topics);
}

enum seal_status policy_diff(const struct policy *was, const struct policy *is, const char *const *topics,
			     struct policy_diff *diff, struct seal_err *err)
{
	struct compare c = {.was = was, .is = is, .diff = diff};
	const size_t pairs = was->n_topics * is->n_topics + 1;

	c.seen = arena_alloc(&diff->arena, pairs, 1);
	if (c.seen == NULL)
		return err_memory(err);
	memset(c.seen, 0, pairs);
	compare_all(&c, topics);
	return c.no_memory ? err_memory(err) : SEAL_OK;
}
