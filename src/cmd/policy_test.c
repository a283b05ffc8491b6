/*
 * `policy test`: runs the tests of a policy through the engine, under keys made for this run.
 *
 *   policy ─ stand-ins for its keys ─▶ keyring in a temporary directory ─▶ plan, engine ─▶ tests
 *          └ stand-ins for its stores ─▶ files in others
 *
 * No real key or store is opened and no key outlives the run; but Transform is done by the server, if there is one. What is printed
 * of a record is the test's own data.
 */
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/policy.h"
#include "cmd/policy_check.h"
#include "cmd/policy_test_keys.h"
#include "cmd/policy_test_stores.h"
#include "cmd/registry.h"
#include "cmd/temporary.h"

static const struct opt_row rows[] = {POLICY_ROW_FILE, POLICY_ROW_JSON, OPT_END};

/* A run of the tests, and how it went. */
struct run {
	const struct policy *policy;
	const char *file;
	bool json;
	const char *no_server; /* why tests of topics with `transform` are left out; NULL: they are not */
	size_t failed, left_out;
};

/* NULL: the test was left out. */
static void print_text(const struct run *run, const struct policy_test *test, const struct check_result *result)
{
	printf("%s %s:%u: %s%s%s%s\n",
	       result == NULL	    ? "-   "
	       : result->n_failures ? "FAIL"
				    : "ok  ",
	       run->file, test->mark.line, test->topic_name, test->name ? ": " : "", test->name ? test->name : "",
	       result == NULL ? " (left out: needs the server)" : "");
	for (const struct check_failure *one = result ? result->failures : NULL; one != NULL; one = one->next)
		printf("     %s:%u: %s\n", run->file, one->mark.line, one->text);
}

static void print_json(const struct run *run, const struct policy_test *test, const struct check_result *result,
		       bool first)
{
	printf("%s{\"line\":%u,\"topic\":", first ? "" : ",", test->mark.line);
	output_json_string(stdout, bytes_str(test->topic_name));
	printf(",\"name\":");
	if (test->name != NULL)
		output_json_string(stdout, bytes_str(test->name));
	else
		printf("null");
	if (result == NULL) {
		printf(",\"passed\":null,\"failures\":[],\"left_out\":");
		output_json_string(stdout, bytes_str(run->no_server));
		putchar('}');
		return;
	}
	printf(",\"passed\":%s,\"failures\":[", result->n_failures ? "false" : "true");
	for (const struct check_failure *one = result->failures; one != NULL; one = one->next) {
		printf("%s{\"line\":%u,\"text\":", one == result->failures ? "" : ",", one->mark.line);
		output_json_string(stdout, bytes_str(one->text));
		printf("}");
	}
	printf("]}");
}

static bool uses_server(const struct policy_topic *topic)
{
	for (size_t i = 0; i < topic->n_rules; i++)
		if ((topic->rules[i].method->flags & METHOD_TRANSFORM_KEY) != 0)
			return true;
	return false;
}

static bool needs_server(const struct policy_test *test)
{
	bool needs = uses_server(test->topic) || (test->key.topic != NULL && uses_server(test->key.topic));

	for (size_t i = 0; i < test->n_headers; i++)
		needs |= uses_server(test->headers[i].topic);
	return needs;
}

static enum seal_status run_test(struct run *run, struct engine *engine, const struct policy_test *test, bool first,
				 struct arena *arena, struct seal_err *err)
{
	const bool left_out = run->no_server != NULL && needs_server(test);
	struct check_result result;
	enum seal_status rc = SEAL_OK;

	if (left_out) {
		run->left_out++;
	} else {
		SEAL_TRY(check_test(engine, test, arena, &result, err));
		run->failed += result.n_failures > 0;
	}
	if (run->json)
		print_json(run, test, left_out ? NULL : &result, first);
	else
		print_text(run, test, left_out ? NULL : &result);
out:
	return rc;
}

static enum seal_status run_tests(struct run *run, struct engine *engine, struct seal_err *err)
{
	const size_t n = run->policy->n_tests;
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 1 << 20);
	if (run->json) {
		printf("{\"schema\":\"sealstream.policy.test/1\",\"file\":");
		output_json_string(stdout, bytes_str(run->file));
		printf(",\"tests\":[");
	}
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(run_test(run, engine, &run->policy->tests[i], i == 0, &arena, err));
		arena_reset(&arena);
	}
	if (run->json)
		printf("],\"passed\":%zu,\"failed\":%zu,\"left_out\":%zu}\n", n - run->failed - run->left_out,
		       run->failed, run->left_out);
	else if (run->left_out > 0)
		printf("%zu passed, %zu failed, %zu left out\n", n - run->failed - run->left_out, run->failed,
		       run->left_out);
	else
		printf("%zu passed, %zu failed\n", n - run->failed, run->failed);
	if (run->left_out > 0)
		log_say(LOG_WARNING, "%zu of %zu tests were left out: %s", run->left_out, n, run->no_server);
out:
	arena_clear(&arena);
	return rc;
}

/* Where Transform may be: what the program was given; NULL: no address was. */
static enum seal_status find_server(const struct command_call *call, struct vault_options *options,
				    const struct vault_options **out, struct seal_err *err)
{
	enum seal_status rc;

	*options = call->global->vault;
	SEAL_TRY(vault_options_env(options, call->arena, err));
	*out = options->addr != NULL ? options : NULL;
out:
	return rc;
}

static enum seal_status run_in(const char *directory, const struct vault_options *server, struct run *run,
			       struct seal_err *err)
{
	const struct engine_registry stand_ins = {registry.methods, test_keys_sources, test_stores};
	struct key_source_config config;
	struct seal_err why = SEAL_ERR_INIT;
	struct plan *plan = NULL;
	struct engine *engine = NULL;
	enum seal_status rc;

	SEAL_TRY(test_keys_make(run->policy, directory, server, &config, &why, err));
	run->no_server = why.status != SEAL_OK ? why.text : NULL;
	SEAL_TRY(plan_new(run->policy, &stand_ins, &config, &plan, err));
	SEAL_TRY(engine_new(plan, NULL, &engine, err));
	SEAL_TRY(run_tests(run, engine, err));
out:
	engine_free(engine);
	plan_free(plan);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct policy_options *options = call->options;
	struct vault_options vault;
	const struct vault_options *server = NULL;
	struct policy *policy = NULL;
	char *directory = NULL;
	struct run tests = {.json = options->json};
	enum seal_status rc;

	SEAL_TRY(policy_command_file(call, &tests.file, err));
	SEAL_TRY(policy_command_load(tests.file, &policy, err));
	if (policy->n_tests == 0)
		log_say(LOG_WARNING, "%s has no tests; docs/POLICY.md shows how to write them", tests.file);
	tests.policy = policy;
	SEAL_TRY(find_server(call, &vault, &server, err));
	SEAL_TRY(temporary_make(call->arena, &directory, err));
	SEAL_TRY(run_in(directory, server, &tests, err));
	*exit_code = tests.failed > 0;
out:
	temporary_remove(directory);
	policy_free(policy);
	return rc;
}

const struct command command_policy_test = {
	.name = "test",
	.usage = "[FILE]",
	.summary = "Run the tests that a policy brings along",
	.details = "Each test protects its record and compares the result with what it expects; with round_trip the "
		   "result is revealed, too. Keys are made for the run in a temporary directory, so no real key is "
		   "needed, wherever the policy's keys live, and no store is touched. Only the server does "
		   "transform: tests of topics with "
		   "such a "
		   "rule are done by the one that VAULT_ADDR or --vault-addr names, and are left out where there is "
		   "none. "
		   "Ends with 1 when a test fails.",
	.examples = "sealstream policy test policy.yaml\n",
	.options = rows,
	.options_size = sizeof(struct policy_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
