/*
 * The `tests` of a policy: read and checked here, so that lint finds what is wrong with them; run by `policy test`.
 *
 *   - name: cards keep their ends          optional
 *     topic: purchases
 *     in:  {credit_card: "4111…"}          the record; text for format: bytes
 *     out: {credit_card: {like: "…"}}      exact value | {like: regex} | {not: value} | {absent: true}
 *     key: {in: c-17, out: {not: c-17}}    the same for its key; `out` as above where keys are JSON
 *     headers: {x: {in: c-17, out: …}}     … and for headers
 *     error: domain                        instead of out: the error that protecting ends in
 *     round_trip: true                     reveal gives `in` again
 */
#include "policy/tests.h"

#include "policy/build.h"
#include "policy/node.h"
#include "policy/node_json.h"

#define CODES_MAX 64

static bool keep_json(struct build *build, const struct node *node, struct seal_bytes *out)
{
	struct seal_buf json = BUF_INIT(8 * POLICY_FILE_MAX);
	bool good = node_to_json(build, node, &json);

	if (good) {
		*out = arena_copy(&build->policy->arena, buf_bytes(&json));
		build->no_memory |= out->ptr == NULL;
	}
	buf_clear(&json);
	return good && out->ptr != NULL;
}

/* The names of errors a test may expect, ended by NULL. */
static void error_names(const char *names[CODES_MAX + 1])
{
	size_t n = 0;

	for (int code = 1; code < CODES_MAX; code++)
		if (strcmp(seal_code_name((enum seal_code)code), "unknown") != 0)
			names[n++] = seal_code_name((enum seal_code)code);
	names[n] = NULL;
}

static void set_error(struct build *build, const struct node *error, struct policy_test *test)
{
	const char *names[CODES_MAX + 1], *near;

	error_names(names);
	for (size_t i = 0; names[i] != NULL; i++)
		if (bytes_eq_str(error->text, names[i]))
			test->error = names[i];
	if (test->error != NULL)
		return;
	near = word_nearest(names, error->text);
	build_error(build, error->mark, "unknown error \"%.*s\"%s%s%s", BYTES_FMT(error->text),
		    near ? "; did you mean \"" : ", such as domain, type, protected or missing", near ? near : "",
		    near ? "\"?" : "");
}

/* For messages: as written; in a key with "key" before it. */
static const char *expect_name(struct build *build, const struct policy_topic *topic, struct seal_bytes written)
{
	const bool is_path = written.len > 0 && written.ptr[0] == '$';
	const char *name;

	if (topic == NULL || topic->part == PART_VALUE)
		return build_str(build, written);
	name = arena_printf(&build->policy->arena, "%s%s%.*s", topic->root, is_path ? "" : ".",
			    BYTES_FMT(bytes_skip(written, is_path)));
	build->no_memory |= name == NULL;
	return name;
}

/* A member of the root by its name, or a path. */
static bool set_path(struct build *build, const struct policy_topic *topic, const struct node *key,
		     struct policy_expect *expect)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct json_path_step *step;
	size_t at = 0;

	expect->name = expect_name(build, topic, key->text);
	if (key->text.len == 0 || key->text.ptr[0] != '$') {
		step = build_alloc(build, 1, sizeof(*step));
		if (step == NULL)
			return false;
		*step = (struct json_path_step){.kind = JSON_STEP_NAME,
						.name = bytes_str(build_str(build, key->text) ?: "")};
		expect->path = (struct json_path){step, 1};
		return !build->no_memory;
	}
	if (json_path_parse(key->text, &build->policy->arena, &expect->path, &at, &err) == SEAL_OK)
		return true;
	build_fail(build, node_mark_at(key, at), &err);
	return false;
}

static bool set_like(struct build *build, const struct node *like, struct policy_expect *expect)
{
	if (like->kind != NODE_SCALAR) {
		if (like->kind != NODE_BAD)
			build_error(build, like->mark, "like must be a regular expression, not %s", node_what(like));
		return false;
	}
	expect->kind = EXPECT_LIKE;
	expect->value = arena_copy(&build->policy->arena, like->text);
	build->no_memory |= expect->value.ptr == NULL;
	expect->regex = build_regex(build, like, 0, like->text.len);
	return expect->regex != NULL;
}

/* {like: …}, {not: …}, {absent: true}: a map with one of these words as its only key is a condition. */
static bool set_condition(struct build *build, const struct node *key, struct policy_expect *expect)
{
	if (bytes_eq_str(key->text, "like"))
		return set_like(build, key->value, expect);
	if (bytes_eq_str(key->text, "not")) {
		expect->kind = EXPECT_NOT;
		return keep_json(build, key->value, &expect->value);
	}
	expect->kind = EXPECT_ABSENT;
	if (key->value->kind == NODE_SCALAR && bytes_eq_str(key->value->text, "true"))
		return true;
	build_error(build, key->value->mark, "absent can only be true");
	return false;
}

static bool is_condition(const struct node *value)
{
	static const char *const words[] = {"like", "not", "absent"};

	for (size_t i = 0; value->kind == NODE_MAP && value->n == 1 && i < 3; i++)
		if (bytes_eq_str(value->first->text, words[i]))
			return true;
	return false;
}

static void set_value(struct build *build, const struct node *value, struct policy_expect *expect)
{
	if (is_condition(value))
		set_condition(build, value->first, expect);
	else
		keep_json(build, value, &expect->value);
}

/* A map from members or paths to what they must be. */
static void set_expects(struct build *build, const struct node *out, struct policy_test_part *part)
{
	struct policy_expect *expects = build_alloc(build, out->n, sizeof(*expects));

	part->expects = expects;
	for (const struct node *key = out->first; expects != NULL && key != NULL; key = key->next) {
		struct policy_expect *expect = &expects[part->n_expects++];

		expect->mark = key->mark;
		if (!set_path(build, part->topic, key, expect))
			continue;
		if (part->topic != NULL && part->topic->format == FORMAT_BYTES && expect->path.n_steps > 0)
			build_error(build, key->mark, "with format: bytes the only path is $, the whole value");
		set_value(build, key->value, expect);
	}
}

/* What a whole key or header must be. */
static void set_whole_expect(struct build *build, const struct node *out, struct policy_test_part *part)
{
	struct policy_expect *expect = build_alloc(build, 1, sizeof(*expect));

	if (expect == NULL)
		return;
	*expect = (struct policy_expect){.name = part->topic->root, .mark = out->mark};
	part->expects = expect;
	part->n_expects = 1;
	set_value(build, out, expect);
}

static void set_topic(struct build *build, const struct node *topic, struct policy_test *test)
{
	test->topic_name = build_str(build, topic->text);
	if (!build->topics_sound || build->no_memory)
		return; /* entries may be missing because of mistakes that are reported */
	test->topic = policy_topic_find(build->policy, topic->text);
	if (test->topic == NULL)
		build_error(build, topic->mark, "no topic entry matches %.*s", BYTES_FMT(topic->text));
}

static void set_in(struct build *build, const struct node *in, struct policy_test_part *part)
{
	if (part->topic == NULL || part->topic->format == FORMAT_JSON) {
		keep_json(build, in, &part->in);
		return;
	}
	if (in->kind != NODE_SCALAR) {
		if (in->kind != NODE_BAD)
			build_error(build, in->mark, "in must be text, not %s: %s", node_what(in),
				    part->topic->part == PART_VALUE ? "the topic has format: bytes"
								    : "it is taken as a whole");
		return;
	}
	part->in = arena_copy(&build->policy->arena, in->text);
	build->no_memory |= part->in.ptr == NULL;
}

/* {in: …, out: …} of a key or header whose rules are `topic`. */
static void set_part(struct build *build, const struct node *map, const char *what, const struct policy_topic *topic,
		     struct policy_test_part *part)
{
	const struct node *in = NULL, *out = NULL;
	const struct map_field fields[] = {{"in", 0, &in}, {"out", 0, &out}, {NULL, 0, NULL}};
	struct map_spec spec = {.what = what, .fields = fields};

	part->topic = topic;
	if (!map_read(build, map, &spec))
		return;
	if (in == NULL)
		build_error(build, map->mark, "%s of a test needs in, like {in: c-17, out: {not: c-17}}", what);
	else
		set_in(build, in, part);
	if (out != NULL && topic->format != FORMAT_JSON)
		set_whole_expect(build, out, part);
	else if (out != NULL && out->kind == NODE_MAP)
		set_expects(build, out, part);
	else if (out != NULL && out->kind != NODE_BAD)
		build_error(build, out->mark,
			    "out of %s must be a map from members or paths, not %s: the key is JSON", what,
			    node_what(out));
}

static void set_key(struct build *build, const struct node *key, struct policy_test *test)
{
	if (test->topic == NULL)
		return; /* reported */
	if (test->topic->key != NULL)
		set_part(build, key, "key", test->topic->key, &test->key);
	else
		build_error(build, key->mark,
			    "the topic entry (line %u) has no key: its record keys stay as they are",
			    test->topic->mark.line);
}

static const struct policy_topic *find_header(struct build *build, const struct node *name,
					      const struct policy_topic *topic)
{
	const char *names[POLICY_HEADERS_MAX + 1] = {NULL}, *near;

	for (size_t i = 0; topic->headers != NULL && topic->headers[i] != NULL; i++) {
		names[i] = topic->headers[i]->header;
		if (bytes_eq_str(name->text, names[i]))
			return topic->headers[i];
	}
	near = word_nearest(names, name->text);
	build_error(build, name->mark, "headers of the topic entry (line %u) has no \"%.*s\"%s%s%s", topic->mark.line,
		    BYTES_FMT(name->text), near ? "; did you mean \"" : ": it stays as it is", near ? near : "",
		    near ? "\"?" : "");
	return NULL;
}

static void set_headers(struct build *build, const struct node *headers, struct policy_test *test)
{
	struct policy_test_part *parts = build_alloc(build, headers->n, sizeof(*parts));

	test->headers = parts;
	if (test->topic == NULL || parts == NULL)
		return;
	for (const struct node *name = headers->first; name != NULL && !build->no_memory; name = name->next) {
		const struct policy_topic *topic = find_header(build, name, test->topic);

		if (topic != NULL)
			set_part(build, name->value, topic->root, topic, &parts[test->n_headers++]);
	}
}

static void set_round_trip(struct build *build, const struct node *at, struct policy_test *test)
{
	test->round_trip = bytes_eq_str(at->text, "true");
	if (!test->round_trip && !bytes_eq_str(at->text, "false"))
		build_error(build, at->mark, "round_trip must be true or false");
}

static void check_complete(struct build *build, const struct node *at, bool out, const struct node *error,
			   const struct node *round_trip)
{
	if (!out && error == NULL && (round_trip == NULL || bytes_eq_str(round_trip->text, "false")))
		build_error(build, at->mark, "the test checks nothing: give it out, error or round_trip: true");
	else if (error != NULL && (out || round_trip != NULL))
		build_error(build, at->mark, "a test with error has no result: remove out and round_trip");
}

/* The keys of a test's map. */
struct test_nodes {
	const struct node *name, *topic, *in, *out, *key, *headers, *error, *round_trip;
};

static bool has_out(const struct node *part)
{
	for (const struct node *key = part != NULL && part->kind == NODE_MAP ? part->first : NULL; key;
	     key = key->next)
		if (bytes_eq_str(key->text, "out"))
			return true;
	return false;
}

/* Does the test say what must come out of any part? */
static bool has_any_out(const struct test_nodes *nodes)
{
	bool has = nodes->out != NULL || has_out(nodes->key);

	for (const struct node *name = nodes->headers ? nodes->headers->first : NULL; name; name = name->next)
		has |= has_out(name->value);
	return has;
}

static void set_parts(struct build *build, const struct test_nodes *nodes, struct policy_test *test)
{
	test->value.topic = test->topic;
	if (nodes->in != NULL)
		set_in(build, nodes->in, &test->value);
	if (nodes->out != NULL)
		set_expects(build, nodes->out, &test->value);
	if (nodes->key != NULL)
		set_key(build, nodes->key, test);
	if (nodes->headers != NULL)
		set_headers(build, nodes->headers, test);
}

static void build_test(struct build *build, const struct node *at, struct policy_test *test)
{
	struct test_nodes nodes = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
	const struct map_field fields[] = {
		{"name", 1 << NODE_SCALAR, &nodes.name},
		{"topic", 1 << NODE_SCALAR, &nodes.topic},
		{"in", 0, &nodes.in},
		{"out", 1 << NODE_MAP, &nodes.out},
		{"key", 1 << NODE_MAP, &nodes.key},
		{"headers", 1 << NODE_MAP, &nodes.headers},
		{"error", 1 << NODE_SCALAR, &nodes.error},
		{"round_trip", 1 << NODE_SCALAR, &nodes.round_trip},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "a test", .fields = fields};
	bool good = map_read(build, at, &spec);

	test->mark = at->mark;
	if (nodes.name != NULL)
		test->name = build_str(build, nodes.name->text);
	if (nodes.topic != NULL)
		set_topic(build, nodes.topic, test);
	set_parts(build, &nodes, test);
	if (nodes.error != NULL)
		set_error(build, nodes.error, test);
	if (nodes.round_trip != NULL)
		set_round_trip(build, nodes.round_trip, test);
	if (good && (nodes.topic == NULL || nodes.in == NULL))
		build_error(build, at->mark, "a test needs topic and in");
	else if (good)
		check_complete(build, at, has_any_out(&nodes), nodes.error, nodes.round_trip);
}

void build_tests(struct build *build, const struct node *tests)
{
	size_t n = tests ? tests->n : 0;
	struct policy_test *all = build_alloc(build, n, sizeof(*all));

	if (all == NULL || n == 0)
		return;
	build->topics_sound = build->findings->errors == 0;
	build->policy->tests = all;
	for (const struct node *at = tests->first; at != NULL && !build->no_memory; at = at->next)
		build_test(build, at, &all[build->policy->n_tests++]);
}
