/*
 * The shape of a policy as JSON Schema. It is a little wider than the compiler: what needs more than shape (names that
 * exist, paths that overlap) is left to `policy lint`.
 */
#include "policy/json_schema.h"

#include "policy/build.h"
#include "policy/write.h"

#define NAME_PATTERN "^[A-Za-z0-9_.-]{1,64}$"

/* {"type": …} with more members to come: the caller closes it. */
static void open_type(struct writer *w, const char *type)
{
	write_open(w, '{');
	write_member(w, "type", type);
}

static void write_ref(struct writer *w, const char *name, const char *to)
{
	write_name(w, name);
	write_open(w, '{');
	write_member(w, "$ref", to);
	write_close(w, '}');
}

static void write_string(struct writer *w, const char *name, const char *description)
{
	write_name(w, name);
	open_type(w, "string");
	write_member(w, "description", description);
	write_close(w, '}');
}

static void write_words(struct writer *w, const char *name, const char *const *words)
{
	write_name(w, name);
	write_open(w, '[');
	for (; *words != NULL; words++)
		write_str(w, *words);
	write_close(w, ']');
}

static void close_object(struct writer *w)
{
	write_name(w, "additionalProperties");
	write_bool(w, false);
	write_close(w, '}');
}

/* Option rows ---------------------------------------------------------------------------------------------- */

static void write_choices(struct writer *w, const char *choices)
{
	write_name(w, "enum");
	write_open(w, '[');
	while (choices != NULL) {
		const char *bar = strchr(choices, '|');

		write_text(w, bytes_of(choices, bar ? (size_t)(bar - choices) : strlen(choices)));
		choices = bar ? bar + 1 : NULL;
	}
	write_close(w, ']');
}

static void write_limits(struct writer *w, const struct opt_row *row)
{
	if (row->min == 0 && row->max == 0)
		return;
	write_name(w, "minimum");
	write_number(w, row->min);
	write_name(w, "maximum");
	write_number(w, row->max);
}

/* Text that may look like a number to an editor: hex, digits as an alphabet, sizes. */
static void write_any_scalar(struct writer *w)
{
	static const char *const types[] = {"string", "number", NULL};

	write_words(w, "type", types);
}

static void write_row_type(struct writer *w, const struct opt_row *row)
{
	static const char *const list_types[] = {"string", "array", NULL};

	switch (row->type) {
	case OPT_FLAG:
		write_member(w, "type", "boolean");
		break;
	case OPT_INT:
		write_member(w, "type", "integer");
		write_limits(w, row);
		break;
	case OPT_CHOICE:
		write_choices(w, row->choices);
		break;
	case OPT_LIST:
		write_words(w, "type", list_types);
		write_name(w, "items");
		open_type(w, "string");
		write_close(w, '}');
		break;
	case OPT_SIZE:
	case OPT_DURATION:
	case OPT_STRING:
	case OPT_HEX:
		write_any_scalar(w);
		break;
	}
}

static void write_row(struct writer *w, const struct opt_row *row, const char *name)
{
	write_name(w, name);
	write_open(w, '{');
	write_row_type(w, row);
	write_member(w, "description", row->help);
	write_close(w, '}');
}

/* The first row whose name has the same "keep." as this one opens the nested object for all of them. */
static bool is_first_of_group(const struct opt_row *rows, const struct opt_row *row, size_t group)
{
	for (; rows < row; rows++)
		if (strncmp(rows->name, row->name, group + 1) == 0)
			return false;
	return true;
}

static void write_group(struct writer *w, const struct opt_row *rows, const struct opt_row *first, size_t group)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)group, first->name);
	write_name(w, name);
	open_type(w, "object");
	write_name(w, "properties");
	write_open(w, '{');
	for (const struct opt_row *row = rows; row->name != NULL; row++)
		if (strncmp(row->name, first->name, group + 1) == 0)
			write_row(w, row, row->name + group + 1);
	write_close(w, '}');
	close_object(w);
}

static void write_rows(struct writer *w, const struct opt_row *rows)
{
	for (const struct opt_row *row = rows; row != NULL && row->name != NULL; row++) {
		size_t group = strcspn(row->name, ".");

		if (row->name[group] == '\0')
			write_row(w, row, row->name);
		else if (is_first_of_group(rows, row, group))
			write_group(w, rows, row, group);
	}
}

/* Methods -------------------------------------------------------------------------------------------------- */

static bool takes_key(const struct method_kind *kind)
{
	return (kind->flags & METHOD_ANY_KEY) != 0 && kind->own_key == NULL;
}

static void write_required(struct writer *w, const struct method_kind *kind)
{
	write_name(w, "required");
	write_open(w, '[');
	write_str(w, "type");
	if (takes_key(kind))
		write_str(w, "key");
	for (const struct opt_row *row = kind->options; row != NULL && row->name != NULL; row++)
		if (row->required && strchr(row->name, '.') == NULL)
			write_str(w, row->name);
	write_close(w, ']');
}

/* {"if": {type is this kind}, "then": {its keys}} */
static void write_kind(struct writer *w, const struct method_kind *kind)
{
	write_open(w, '{');
	write_name(w, "if");
	write_open(w, '{');
	write_name(w, "properties");
	write_open(w, '{');
	write_name(w, "type");
	write_open(w, '{');
	write_member(w, "const", kind->name);
	write_close(w, '}');
	write_close(w, '}');
	write_close(w, '}');
	write_name(w, "then");
	write_open(w, '{');
	write_name(w, "properties");
	write_open(w, '{');
	write_name(w, "type");
	write_bool(w, true);
	if (takes_key(kind))
		write_ref(w, "key", kind->flags & METHOD_PER ? "#/$defs/key" : "#/$defs/name");
	if (kind->flags & METHOD_BINDS)
		write_ref(w, "bind", kind->flags & METHOD_CONVERGENT_KEY ? "#/$defs/bound" : "#/$defs/bind");
	if (kind->flags & METHOD_STORE)
		write_ref(w, "store", "#/$defs/name");
	write_rows(w, kind->options);
	write_close(w, '}');
	write_required(w, kind);
	close_object(w);
	write_close(w, '}');
}

static void write_methods(struct writer *w, const struct policy_schema *schema)
{
	write_name(w, "method");
	open_type(w, "object");
	write_name(w, "required");
	write_open(w, '[');
	write_str(w, "type");
	write_close(w, ']');
	write_name(w, "properties");
	write_open(w, '{');
	write_name(w, "type");
	write_open(w, '{');
	write_name(w, "enum");
	write_open(w, '[');
	for (const struct method_kind *const *kind = schema->methods; *kind != NULL; kind++)
		write_str(w, (*kind)->name);
	write_close(w, ']');
	write_close(w, '}');
	write_close(w, '}');
	write_name(w, "allOf");
	write_open(w, '[');
	for (const struct method_kind *const *kind = schema->methods; *kind != NULL; kind++)
		write_kind(w, *kind);
	write_close(w, ']');
	write_close(w, '}');
}

/* {"type": "object", "required": [name], "properties": {name: {"type": "string"}}}: one form of `bind`. */
static void write_bind_form(struct writer *w, const char *name, const char *description)
{
	const char *const required[] = {name, NULL};

	open_type(w, "object");
	write_words(w, "required", required);
	write_name(w, "properties");
	write_open(w, '{');
	write_string(w, name, description);
	write_close(w, '}');
	close_object(w);
}

/* `words`: the forms that are a word; a method that must bind has no "none". */
static void write_bind(struct writer *w, const char *name, const char *const *words)
{
	write_name(w, name);
	write_open(w, '{');
	write_member(w, "description", "what a protected value is bound to: it can't be revealed anywhere else");
	write_name(w, "oneOf");
	write_open(w, '[');
	write_open(w, '{');
	write_words(w, "enum", words);
	write_close(w, '}');
	write_bind_form(w, "domain", "a name in the place's stead, so that equal values stay equal across fields");
	write_bind_form(w, "record", "the path of a field of the same record whose value counts, too");
	write_close(w, ']');
	write_close(w, '}');
}

/* The name of a key, or a key for each value of a field. */
static void write_key_per(struct writer *w)
{
	static const char *const required[] = {"name", "per", NULL};

	write_name(w, "key");
	write_open(w, '{');
	write_name(w, "oneOf");
	write_open(w, '[');
	write_open(w, '{');
	write_member(w, "$ref", "#/$defs/name");
	write_close(w, '}');
	open_type(w, "object");
	write_words(w, "required", required);
	write_name(w, "properties");
	write_open(w, '{');
	write_ref(w, "name", "#/$defs/name");
	write_string(w, "per",
		     "the path of a field of the same record: each of its values gets a data key of its own");
	write_ref(w, "store", "#/$defs/name");
	write_close(w, '}');
	close_object(w);
	write_close(w, ']');
	write_close(w, '}');
}

/* Topics and tests ------------------------------------------------------------------------------------------ */

static void write_match(struct writer *w)
{
	write_name(w, "match");
	write_open(w, '{');
	write_member(w, "description",
		     "a topic, a glob, a /regex/, or a list of these; the first entry that matches counts");
	write_name(w, "oneOf");
	write_open(w, '[');
	open_type(w, "string");
	write_close(w, '}');
	open_type(w, "array");
	write_name(w, "minItems");
	write_number(w, 1);
	write_name(w, "items");
	open_type(w, "string");
	write_close(w, '}');
	write_close(w, '}');
	write_close(w, ']');
	write_close(w, '}');
}

/* A method's name, or a method in line. */
static void write_use(struct writer *w)
{
	write_name(w, "use");
	write_open(w, '{');
	write_name(w, "oneOf");
	write_open(w, '[');
	write_open(w, '{');
	write_member(w, "$ref", "#/$defs/name");
	write_close(w, '}');
	write_open(w, '{');
	write_member(w, "$ref", "#/$defs/method");
	write_close(w, '}');
	write_close(w, ']');
	write_close(w, '}');
}

/* {"type": "object"} whose names fit `pattern` and whose values are methods, `min` to `max` of them; the caller closes it. */
static void open_uses(struct writer *w, const char *pattern, int64_t min, int64_t max)
{
	open_type(w, "object");
	write_name(w, "minProperties");
	write_number(w, min);
	write_name(w, "maxProperties");
	write_number(w, max);
	write_name(w, "propertyNames");
	write_open(w, '{');
	write_member(w, "pattern", pattern);
	write_close(w, '}');
	write_ref(w, "additionalProperties", "#/$defs/use");
}

static void write_protect(struct writer *w)
{
	write_name(w, "protect");
	open_uses(w, "^\\$", 0, POLICY_RULES_MAX);
	write_member(w, "description", "which path gets which method");
	write_close(w, '}');
}

static void write_key_rules(struct writer *w)
{
	write_name(w, "key");
	write_open(w, '{');
	write_member(w, "description",
		     "the method of the record key, or for keys that are JSON which path gets which");
	write_name(w, "oneOf");
	write_open(w, '[');
	write_open(w, '{');
	write_member(w, "$ref", "#/$defs/use");
	write_close(w, '}');
	open_uses(w, "^\\$", 1, POLICY_RULES_MAX);
	write_close(w, '}');
	write_close(w, ']');
	write_close(w, '}');
}

static void write_headers(struct writer *w)
{
	write_name(w, "headers");
	open_uses(w, "^(?!seal-).+$", 1, POLICY_HEADERS_MAX);
	write_member(w, "description", "which header gets which method");
	write_close(w, '}');
}

static void write_allow(struct writer *w)
{
	write_name(w, "allow");
	open_type(w, "array");
	write_member(w, "description",
		     "paths, key and header:NAME that are in clear by intent: scan -p counts them so");
	write_name(w, "maxItems");
	write_number(w, POLICY_RULES_MAX);
	write_name(w, "items");
	open_type(w, "string");
	write_member(w, "pattern", "^(\\$.*|key|header:.+)$");
	write_close(w, '}');
	write_close(w, '}');
}

static void write_dead_letter(struct writer *w)
{
	static const char *const required[] = {"topic", "key", NULL};

	write_name(w, "dead_letter");
	open_type(w, "object");
	write_member(w, "description", "with on_error: dead_letter: where failed records go, encrypted whole");
	write_words(w, "required", required);
	write_name(w, "properties");
	write_open(w, '{');
	write_string(w, "topic", "the dead-letter topic");
	write_ref(w, "key", "#/$defs/name");
	write_close(w, '}');
	close_object(w);
}

/* Nothing in `protect` needs `key` or `headers`. */
static void write_empty_protect(struct writer *w)
{
	static const char *const key[] = {"key", NULL}, *const headers[] = {"headers", NULL};

	write_name(w, "anyOf");
	write_open(w, '[');
	write_open(w, '{');
	write_words(w, "required", key);
	write_close(w, '}');
	write_open(w, '{');
	write_words(w, "required", headers);
	write_close(w, '}');
	write_open(w, '{');
	write_name(w, "properties");
	write_open(w, '{');
	write_name(w, "protect");
	write_open(w, '{');
	write_name(w, "minProperties");
	write_number(w, 1);
	write_close(w, '}');
	write_close(w, '}');
	write_close(w, '}');
	write_close(w, ']');
}

static void write_topic(struct writer *w)
{
	static const char *const required[] = {"match", "protect", NULL};

	write_name(w, "topic");
	open_type(w, "object");
	write_words(w, "required", required);
	write_empty_protect(w);
	write_name(w, "properties");
	write_open(w, '{');
	write_match(w);
	write_rows(w, policy_topic_rows);
	write_dead_letter(w);
	write_protect(w);
	write_key_rules(w);
	write_headers(w);
	write_allow(w);
	write_close(w, '}');
	close_object(w);
}

static void write_anything(struct writer *w, const char *name, const char *description)
{
	write_name(w, name);
	write_open(w, '{');
	write_member(w, "description", description);
	write_close(w, '}');
}

/* {in, out} of a test's key or header. */
static void write_test_part(struct writer *w)
{
	static const char *const required[] = {"in", NULL};

	write_name(w, "test_part");
	open_type(w, "object");
	write_words(w, "required", required);
	write_name(w, "properties");
	write_open(w, '{');
	write_anything(w, "in", "what it is");
	write_anything(w, "out",
		       "what it must become: an exact value, {like: regex} or {not: value}; where keys are JSON, "
		       "members or paths of it");
	write_close(w, '}');
	close_object(w);
}

static void write_test(struct writer *w)
{
	static const char *const required[] = {"topic", "in", NULL};

	write_name(w, "test");
	open_type(w, "object");
	write_words(w, "required", required);
	write_name(w, "properties");
	write_open(w, '{');
	write_string(w, "name", "what the test shows");
	write_string(w, "topic", "the topic that the record is of");
	write_anything(w, "in", "the record");
	write_name(w, "out");
	open_type(w, "object");
	write_member(w, "description",
		     "members or paths of the result: an exact value, {like: regex}, {not: value} or {absent: true}");
	write_close(w, '}');
	write_ref(w, "key", "#/$defs/test_part");
	write_name(w, "headers");
	open_type(w, "object");
	write_ref(w, "additionalProperties", "#/$defs/test_part");
	write_close(w, '}');
	write_string(w, "error", "the error that protecting ends in, such as domain or protected");
	write_name(w, "round_trip");
	open_type(w, "boolean");
	write_member(w, "description", "revealed again, the record is what it was");
	write_close(w, '}');
	write_close(w, '}');
	close_object(w);
}

/* The whole ------------------------------------------------------------------------------------------------ */

/* A map from names to "scheme:…". */
static void write_places(struct writer *w, const char *name, const char *description,
			 const struct key_scheme *schemes)
{
	char pattern[256] = "^(";
	size_t used = 2;

	for (const struct key_scheme *scheme = schemes; scheme->name != NULL && used < 200; scheme++)
		used += (size_t)snprintf(pattern + used, sizeof(pattern) - used, "%s%s", used > 2 ? "|" : "",
					 scheme->name);
	snprintf(pattern + used, sizeof(pattern) - used, "):");
	write_name(w, name);
	open_type(w, "object");
	write_member(w, "description", description);
	write_ref(w, "propertyNames", "#/$defs/name");
	write_name(w, "additionalProperties");
	open_type(w, "string");
	write_member(w, "pattern", pattern);
	write_close(w, '}');
	write_close(w, '}');
}

static void write_list_of(struct writer *w, const char *name, const char *item)
{
	write_name(w, name);
	open_type(w, "array");
	write_ref(w, "items", item);
	write_close(w, '}');
}

static void write_properties(struct writer *w, const struct policy_schema *schema)
{
	write_name(w, "properties");
	write_open(w, '{');
	write_name(w, "version");
	write_open(w, '{');
	write_name(w, "const");
	write_number(w, 1);
	write_close(w, '}');
	write_string(w, "namespace", "part of what protected values are bound to; default \"\"");
	write_name(w, "defaults");
	open_type(w, "object");
	write_name(w, "properties");
	write_open(w, '{');
	write_rows(w, policy_on_rows);
	write_close(w, '}');
	close_object(w);
	write_places(w, "keys", "names of keys and where they live", schema->schemes);
	if (schema->stores != NULL)
		write_places(w, "stores", "names of stores and their addresses", schema->stores);
	write_name(w, "methods");
	open_type(w, "object");
	write_ref(w, "propertyNames", "#/$defs/name");
	write_ref(w, "additionalProperties", "#/$defs/method");
	write_close(w, '}');
	write_list_of(w, "topics", "#/$defs/topic");
	write_list_of(w, "tests", "#/$defs/test");
	write_close(w, '}');
}

enum seal_status json_schema_write(const struct policy_schema *schema, struct seal_buf *out, struct seal_err *err)
{
	static const char *const required[] = {"version", "topics", NULL};
	struct writer w = {.out = out, .err = err};

	write_open(&w, '{');
	write_member(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	write_member(&w, "title", "sealstream policy");
	write_member(&w, "type", "object");
	write_words(&w, "required", required);
	write_properties(&w, schema);
	write_name(&w, "$defs");
	write_open(&w, '{');
	write_name(&w, "name");
	open_type(&w, "string");
	write_member(&w, "pattern", NAME_PATTERN);
	write_close(&w, '}');
	write_bind(&w, "bind", (const char *const[]){"place", "none", NULL});
	write_bind(&w, "bound", (const char *const[]){"place", NULL});
	write_key_per(&w);
	write_methods(&w, schema);
	write_use(&w);
	write_topic(&w);
	write_test_part(&w);
	write_test(&w);
	write_close(&w, '}');
	close_object(&w);
	return w.rc;
}
