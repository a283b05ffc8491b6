/*
 * The `tests` of a policy: read and checked here, so that lint finds what is wrong with them; run by `policy test`.
 *
 *   - name: cards keep their ends          optional
 *     topic: purchases
 *     in:  {credit_card: "4111…"}          the record; text for format: bytes
 *     out: {credit_card: {like: "…"}}      exact value | {like: regex} | {not: value} | {absent: true}
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

/* A member of the root by its name, or a path. */
static bool set_path(struct build *build, const struct node *key, struct policy_expect *expect)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct json_path_step *step;
	size_t at = 0;

	expect->name = build_str(build, key->text);
	if (key->text.len == 0 || key->text.ptr[0] != '$') {
		step = build_alloc(build, 1, sizeof(*step));
		if (step == NULL || expect->name == NULL)
			return false;
		*step = (struct json_path_step){.kind = JSON_STEP_NAME, .name = bytes_str(expect->name)};
		expect->path = (struct json_path){step, 1};
		return true;
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
			build_error(build, like->mark, "like must be a regular expression, not %s",
				    node_kind_name(like->kind));
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

static void set_expects(struct build *build, const struct node *out, struct policy_test *test)
{
	struct policy_expect *expects = build_alloc(build, out->n, sizeof(*expects));

	test->expects = expects;
	for (const struct node *key = out->first; expects != NULL && key != NULL; key = key->next) {
		struct policy_expect *expect = &expects[test->n_expects++];

		expect->mark = key->mark;
		if (!set_path(build, key, expect))
			continue;
		if (test->topic != NULL && test->topic->format == FORMAT_BYTES && expect->path.n_steps > 0)
			build_error(build, key->mark, "with format: bytes the only path is $, the whole value");
		if (is_condition(key->value))
			set_condition(build, key->value->first, expect);
		else
			keep_json(build, key->value, &expect->value);
	}
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

static void set_in(struct build *build, const struct node *in, struct policy_test *test)
{
	if (test->topic == NULL || test->topic->format == FORMAT_JSON) {
		keep_json(build, in, &test->in);
		return;
	}
	if (in->kind != NODE_SCALAR) {
		build_error(build, in->mark, "in must be text, not %s: the topic has format: bytes",
			    node_kind_name(in->kind));
		return;
	}
	test->in = arena_copy(&build->policy->arena, in->text);
	build->no_memory |= test->in.ptr == NULL;
}

static void set_round_trip(struct build *build, const struct node *at, struct policy_test *test)
{
	test->round_trip = bytes_eq_str(at->text, "true");
	if (!test->round_trip && !bytes_eq_str(at->text, "false"))
		build_error(build, at->mark, "round_trip must be true or false");
}

static void check_complete(struct build *build, const struct node *at, const struct node *out,
			   const struct node *error, const struct node *round_trip)
{
	if (out == NULL && error == NULL && (round_trip == NULL || bytes_eq_str(round_trip->text, "false")))
		build_error(build, at->mark, "the test checks nothing: give it out, error or round_trip: true");
	else if (error != NULL && (out != NULL || round_trip != NULL))
		build_error(build, at->mark, "a test with error has no result: remove out and round_trip");
}

static void build_test(struct build *build, const struct node *at, struct policy_test *test)
{
	const struct node *name = NULL, *topic = NULL, *in = NULL, *out = NULL, *error = NULL, *round_trip = NULL;
	const struct map_field fields[] = {
		{"name", 1 << NODE_SCALAR, &name},
		{"topic", 1 << NODE_SCALAR, &topic},
		{"in", 0, &in},
		{"out", 1 << NODE_MAP, &out},
		{"error", 1 << NODE_SCALAR, &error},
		{"round_trip", 1 << NODE_SCALAR, &round_trip},
		{NULL, 0, NULL},
	};
	struct map_spec spec = {.what = "a test", .fields = fields};
	bool good = map_read(build, at, &spec);

	test->mark = at->mark;
	if (name != NULL)
		test->name = build_str(build, name->text);
	if (topic != NULL)
		set_topic(build, topic, test);
	if (in != NULL)
		set_in(build, in, test);
	if (out != NULL)
		set_expects(build, out, test);
	if (error != NULL)
		set_error(build, error, test);
	if (round_trip != NULL)
		set_round_trip(build, round_trip, test);
	if (good && (topic == NULL || in == NULL))
		build_error(build, at->mark, "a test needs topic and in");
	else if (good)
		check_complete(build, at, out, error, round_trip);
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
