/*
 * `policy explain`: text is a heading for each entry and a table of its rules; JSON has the same facts.
 *
 *   topic purchases: the entry at policy.yaml:11, because it is named "purchases"
 *   namespace "shop", format json, on_error reject, …
 *
 *     PATH               METHOD  TYPE     KEY                BOUND TO   BACK  LEAKS
 *     $.credit_card      card    fpe      cards local:cards  its place  yes   equality
 *     key                card    fpe      cards local:cards  its place  yes   equality
 *     header:x-customer  secret  encrypt  pii local:pii      its place  yes   length
 */
#include "policy/explain.h"

#include "policy/build.h"
#include "policy/pattern.h"
#include "policy/write.h"

#define COLUMNS 7
#define PARTS_MAX (2 + POLICY_HEADERS_MAX)

/* One explanation. The first failure stays in `rc`, and what follows it does nothing. */
struct explain {
	const struct policy *policy;
	const char *file;
	struct seal_buf *out;
	struct seal_err *err;
	enum seal_status rc;
	struct arena arena; /* cells of tables */
};

#define SAY(x, ...)                                                                                                  \
	do {                                                                                                         \
		if ((x)->rc == SEAL_OK)                                                                              \
			(x)->rc = buf_printf((x)->out, (x)->err, __VA_ARGS__);                                       \
	} while (0)

/* One line of a table. */
struct row {
	const char *cells[COLUMNS];
};

static const struct row headings = {{"PATH", "METHOD", "TYPE", "KEY", "BOUND TO", "BACK", "LEAKS"}};

static bool is_reversible(const struct policy_rule *rule)
{
	return !(rule->method->flags & METHOD_ONE_WAY);
}

static const char *format_word(const struct policy_topic *topic)
{
	static const char *const words[] = {"json", "bytes", "text"};

	return words[topic->format];
}

static const char *leaks(const struct policy_rule *rule)
{
	return rule->method->kind->leaks ? rule->method->kind->leaks : "unknown";
}

/* Its name is its path then: the very same text, for `key` may be the name of another method. */
static bool is_in_line(const struct policy_rule *rule)
{
	return rule->method->name == rule->path_text;
}

/* The word of an on_… value or of the format: where it starts in its row's choices, and its length. */
static struct seal_bytes choice_word(const struct opt_row *row, const struct policy_topic *topic)
{
	struct topic_options options = {.on = topic->on, .format = topic->format};
	int index = *(const int *)(const void *)((const uint8_t *)&options + row->offset);
	const char *at = row->choices;

	while (index-- > 0)
		at = strchr(at, '|') + 1;
	return bytes_of(at, strcspn(at, "|"));
}

/* The entry itself, and those of its records' keys and headers. */
static size_t parts_of(const struct policy_topic *topic, const struct policy_topic *parts[PARTS_MAX])
{
	size_t n = 0;

	parts[n++] = topic;
	if (topic->key != NULL)
		parts[n++] = topic->key;
	for (size_t i = 0; topic->headers != NULL && topic->headers[i] != NULL; i++)
		parts[n++] = topic->headers[i];
	return n;
}

/* Text --------------------------------------------------------------------------------------------------- */

static const char *bound_to(const struct policy_bind *bind, struct arena *arena)
{
	switch (bind->mode) {
	case BIND_PLACE:
		return "its place";
	case BIND_NONE:
		return "nothing";
	case BIND_DOMAIN:
		return arena_printf(arena, "domain %s", bind->domain);
	case BIND_RECORD:
		return arena_printf(arena, "its place, %s", bind->record);
	}
	err_bug(__FILE__, __LINE__, "a bind mode without words");
}

/* "pii vault:transit/pii, one per $.customer_id in main"; "pii vault:transit/pii, values in main" */
static const char *key_used(const struct policy_method *method, struct arena *arena)
{
	const struct policy_key *key = method->key;

	if (key == NULL)
		return "-";
	if (key->own)
		return key->name;
	if (method->per.text == NULL)
		return arena_printf(arena, "%s %s:%.*s%s%s", key->name, key->scheme, BYTES_FMT(key->reference),
				    method->store ? ", values in " : "", method->store ? method->store->name : "");
	return arena_printf(arena, "%s %s:%.*s, one per %s in %s", key->name, key->scheme, BYTES_FMT(key->reference),
			    method->per.text, method->store->name);
}

static bool make_row(struct explain *x, const struct policy_rule *rule, struct row *row)
{
	row->cells[0] = rule->path_text;
	row->cells[1] = is_in_line(rule) ? "(in line)" : rule->method->name;
	row->cells[2] = rule->method->kind->name;
	row->cells[3] = key_used(rule->method, &x->arena);
	row->cells[4] = bound_to(&rule->method->bind, &x->arena);
	row->cells[5] = is_reversible(rule) ? "yes" : "never";
	row->cells[6] = leaks(rule);
	return row->cells[3] != NULL && row->cells[4] != NULL;
}

/* Characters, for columns. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void say_row(struct explain *x, const struct row *row, const int *widths)
{
	SAY(x, " ");
	for (size_t i = 0; i < COLUMNS; i++)
		SAY(x, " %s%*s", row->cells[i], i + 1 < COLUMNS ? widths[i] - width_of(row->cells[i]) + 1 : 0, "");
	SAY(x, "\n");
}

/* A heading and the rules of all parts. NULL without memory. */
static struct row *make_rows(struct explain *x, const struct policy_topic *topic, size_t *n)
{
	const struct policy_topic *parts[PARTS_MAX];
	const size_t n_parts = parts_of(topic, parts);
	struct row *rows;

	*n = 1;
	for (size_t i = 0; i < n_parts; i++)
		*n += parts[i]->n_rules;
	rows = arena_alloc(&x->arena, *n * sizeof(*rows), _Alignof(struct row));
	if (rows == NULL)
		return NULL;
	rows[0] = headings;
	for (size_t i = 0, at = 1; i < n_parts; i++)
		for (size_t j = 0; j < parts[i]->n_rules; j++)
			if (!make_row(x, &parts[i]->rules[j], &rows[at++]))
				return NULL;
	return rows;
}

static void say_rules(struct explain *x, const struct policy_topic *topic)
{
	int widths[COLUMNS] = {0};
	size_t n;
	struct row *rows = make_rows(x, topic, &n);

	if (rows == NULL) {
		if (x->rc == SEAL_OK)
			x->rc = err_memory(x->err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < COLUMNS; j++)
			if (width_of(rows[i].cells[j]) > widths[j])
				widths[j] = width_of(rows[i].cells[j]);
	for (size_t i = 0; i < n; i++)
		say_row(x, &rows[i], widths);
}

static void say_allowed(struct explain *x, const struct policy_topic *topic)
{
	const char *before = "  In clear by intent: ";

	for (size_t i = 0; i < topic->n_allow; i++, before = ", ")
		SAY(x, "%s%s", before, topic->allow_text[i]);
	if (topic->allow_key) {
		SAY(x, "%skey", before);
		before = ", ";
	}
	for (size_t i = 0; topic->allow_headers != NULL && topic->allow_headers[i] != NULL; i++, before = ", ")
		SAY(x, "%sheader:%s", before, topic->allow_headers[i]);
	if (before[0] == ',')
		SAY(x, ".\n");
}

static void say_matches(struct explain *x, const struct policy_topic *topic)
{
	for (size_t i = 0; i < topic->n_patterns; i++)
		SAY(x, "%s%s", i ? ", " : "", topic->patterns[i].text);
}

static void say_entry(struct explain *x, const struct policy_topic *topic)
{
	SAY(x, "namespace \"%s\"", x->policy->namespace_);
	for (const struct opt_row *row = policy_shown_rows; row->name != NULL; row++)
		SAY(x, ", %s %.*s", row->name, BYTES_FMT(choice_word(row, topic)));
	if (topic->key != NULL)
		SAY(x, ", key as %s", format_word(topic->key));
	if (topic->dead_letter_topic != NULL)
		SAY(x, ", dead letters to %s under key %s", topic->dead_letter_topic,
		    topic->dead_letter_method->key->name);
	SAY(x, "\n\n");
	say_rules(x, topic);
	SAY(x, "\n  %s\n",
	    topic->n_rules == 0		    ? "Values pass in clear (protect: {})."
	    : topic->format == FORMAT_BYTES ? "The value is taken as a whole."
					    : "Every other byte stays as it is.");
	say_allowed(x, topic);
}

/* The entries before the one that matched, and that they don't. */
static void say_passed_over(struct explain *x, const struct policy_topic *found)
{
	for (const struct policy_topic *topic = x->policy->topics; topic < found; topic++) {
		if (topic->is_dead_letter)
			continue;
		SAY(x, "not the entry at %s:%u: it is for ", x->file, topic->mark.line);
		say_matches(x, topic);
		SAY(x, "\n");
	}
}

static void say_topic(struct explain *x, const char *name, const struct policy_topic *topic,
		      const struct topic_pattern *by)
{
	static const char *const because[] = {"it is named", "its name fits the glob", "its name fits the regex"};

	say_passed_over(x, topic);
	SAY(x, "topic %s: the entry at %s:%u%s, because %s \"%s\"\n", name, x->file, topic->mark.line,
	    topic->is_dead_letter ? " (made for dead letters)" : "", because[by->kind], by->text);
	say_entry(x, topic);
}

static void say_all(struct explain *x)
{
	for (size_t i = 0; i < x->policy->n_entries; i++) {
		const struct policy_topic *topic = &x->policy->topics[i];

		SAY(x, "%s%s at %s:%u, for ", i ? "\n" : "", topic->is_dead_letter ? "dead letters" : "entry",
		    x->file, topic->mark.line);
		say_matches(x, topic);
		SAY(x, "\n");
		say_entry(x, topic);
	}
}

/* JSON --------------------------------------------------------------------------------------------------- */

static void write_bind(struct writer *w, const struct policy_bind *bind)
{
	static const char *const modes[] = {"place", "none", "domain", "record"};

	write_name(w, "bind");
	write_open(w, '{');
	write_member(w, "mode", modes[bind->mode]);
	if (bind->mode == BIND_DOMAIN)
		write_member(w, "domain", bind->domain);
	if (bind->mode == BIND_RECORD)
		write_member(w, "record", bind->record);
	write_close(w, '}');
}

static void write_key(struct writer *w, const struct policy_key *key)
{
	write_name(w, "key");
	if (key == NULL) {
		write_str(w, NULL);
		return;
	}
	write_open(w, '{');
	write_member(w, "name", key->own ? NULL : key->name);
	write_member(w, "scheme", key->scheme);
	write_name(w, "reference");
	write_text(w, key->reference);
	write_close(w, '}');
}

static void write_per(struct writer *w, const struct policy_method *method)
{
	if (method->per.text == NULL)
		return;
	write_name(w, "per");
	write_open(w, '{');
	write_member(w, "path", method->per.text);
	write_member(w, "store", method->store->name);
	write_member(w, "address", method->store->address);
	write_close(w, '}');
}

/* Where a method keeps its values. */
static void write_store(struct writer *w, const struct policy_method *method)
{
	if ((method->flags & METHOD_STORE) == 0)
		return;
	write_name(w, "store");
	write_open(w, '{');
	write_member(w, "name", method->store->name);
	write_member(w, "address", method->store->address);
	write_close(w, '}');
}

static void write_rule(struct writer *w, const struct policy_rule *rule)
{
	write_open(w, '{');
	write_member(w, "path", rule->path_text);
	write_name(w, "canonical_path");
	write_text(w, rule->path);
	write_name(w, "line");
	write_number(w, rule->mark.line);
	write_member(w, "method", is_in_line(rule) ? NULL : rule->method->name);
	write_member(w, "type", rule->method->kind->name);
	write_key(w, rule->method->key);
	write_per(w, rule->method);
	write_store(w, rule->method);
	write_bind(w, &rule->method->bind);
	write_name(w, "reversible");
	write_bool(w, is_reversible(rule));
	write_member(w, "leaks", leaks(rule));
	write_close(w, '}');
}

static void write_rules(struct writer *w, const struct policy_topic *topic)
{
	write_name(w, "rules");
	write_open(w, '[');
	for (size_t i = 0; i < topic->n_rules; i++)
		write_rule(w, &topic->rules[i]);
	write_close(w, ']');
}

static void write_key_rules(struct writer *w, const struct policy_topic *key)
{
	write_name(w, "key");
	if (key == NULL) {
		write_str(w, NULL);
		return;
	}
	write_open(w, '{');
	write_name(w, "line");
	write_number(w, key->mark.line);
	write_member(w, "format", format_word(key));
	write_rules(w, key);
	write_close(w, '}');
}

static void write_headers(struct writer *w, const struct policy_topic *const *headers)
{
	write_name(w, "headers");
	write_open(w, '[');
	for (; headers != NULL && *headers != NULL; headers++) {
		write_open(w, '{');
		write_member(w, "name", (*headers)->header);
		write_rules(w, *headers);
		write_close(w, '}');
	}
	write_close(w, ']');
}

static void write_allowed(struct writer *w, const struct policy_topic *topic)
{
	write_name(w, "allow");
	write_open(w, '{');
	write_name(w, "paths");
	write_open(w, '[');
	for (size_t i = 0; i < topic->n_allow; i++)
		write_str(w, topic->allow_text[i]);
	write_close(w, ']');
	write_name(w, "key");
	write_bool(w, topic->allow_key);
	write_name(w, "headers");
	write_open(w, '[');
	for (size_t i = 0; topic->allow_headers != NULL && topic->allow_headers[i] != NULL; i++)
		write_str(w, topic->allow_headers[i]);
	write_close(w, ']');
	write_close(w, '}');
}

static void write_match(struct writer *w, const struct policy_topic *topic, const struct topic_pattern *by)
{
	write_name(w, "match");
	write_open(w, '[');
	for (size_t i = 0; i < topic->n_patterns; i++)
		write_str(w, topic->patterns[i].text);
	write_close(w, ']');
	if (by == NULL)
		return;
	write_name(w, "matched_by");
	write_open(w, '{');
	write_member(w, "pattern", by->text);
	write_member(w, "kind", pattern_kind_name(by->kind));
	write_close(w, '}');
}

static void write_entry(struct writer *w, const struct policy_topic *topic, const struct topic_pattern *by)
{
	write_open(w, '{');
	write_name(w, "line");
	write_number(w, topic->mark.line);
	write_match(w, topic, by);
	for (const struct opt_row *row = policy_shown_rows; row->name != NULL; row++) {
		write_name(w, row->name);
		write_text(w, choice_word(row, topic));
	}
	write_name(w, "made_for_dead_letters");
	write_bool(w, topic->is_dead_letter);
	write_member(w, "dead_letter_topic", topic->dead_letter_topic);
	write_rules(w, topic);
	write_key_rules(w, topic->key);
	write_headers(w, topic->headers);
	write_allowed(w, topic);
	write_close(w, '}');
}

static void write_all(struct explain *x, const char *name, const struct policy_topic *only,
		      const struct topic_pattern *by)
{
	struct writer w = {.out = x->out, .err = x->err};

	write_open(&w, '{');
	write_member(&w, "schema", "sealstream.policy.explain/1");
	write_member(&w, "file", x->file);
	write_member(&w, "namespace", x->policy->namespace_);
	write_member(&w, "topic", name);
	write_name(&w, "entries");
	write_open(&w, '[');
	for (size_t i = 0; i < x->policy->n_entries; i++)
		if (only == NULL || only == &x->policy->topics[i])
			write_entry(&w, &x->policy->topics[i], by);
	write_close(&w, ']');
	write_close(&w, '}');
	x->rc = w.rc;
}

/* -------------------------------------------------------------------------------------------------------- */

static enum seal_status no_entry(const char *name, const char *file, struct seal_err *err)
{
	bool internal = topic_is_internal(bytes_str(name));

	err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "no entry under topics matches %s%s: its records are refused", name,
		internal ? " (a broker's own topic needs its exact name)" : "");
	err_place(err, "%s", file);
	return SEAL_USAGE;
}

static enum seal_status explain(const struct policy *policy, const char *file, const char *name, bool json,
				struct seal_buf *out, struct seal_err *err)
{
	struct explain x = {.policy = policy, .file = file, .out = out, .err = err};
	const struct policy_topic *topic = NULL;
	const struct topic_pattern *by = NULL;

	if (name != NULL) {
		topic = policy_topic_match(policy, bytes_str(name), &by);
		if (topic == NULL)
			return no_entry(name, file, err);
	}
	arena_init(&x.arena, 0);
	if (json)
		write_all(&x, name, topic, by);
	else if (topic != NULL)
		say_topic(&x, name, topic, by);
	else
		say_all(&x);
	arena_clear(&x.arena);
	return x.rc;
}

enum seal_status explain_text(const struct policy *policy, const char *file, const char *topic, struct seal_buf *out,
			      struct seal_err *err)
{
	return explain(policy, file, topic, false, out, err);
}

enum seal_status explain_json(const struct policy *policy, const char *file, const char *topic, struct seal_buf *out,
			      struct seal_err *err)
{
	return explain(policy, file, topic, true, out, err);
}
