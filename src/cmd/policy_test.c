/*
 * `policy test`: runs the tests of a policy through the engine, under keys made for this run.
 *
 *   policy ─ keys of the types its methods ask for ─▶ keyring in a temporary directory ─▶ plan, engine ─▶ tests
 *
 * No real key is opened and no key outlives the run. What is printed of a record is the test's own data.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/output.h"
#include "cmd/policy.h"
#include "cmd/policy_check.h"
#include "cmd/registry.h"
#include "keys/keyring.h"

#define VERSIONS_MADE_MAX 100
#define TEMPLATE "/sealstream-test.XXXXXX"

static const struct opt_row rows[] = {POLICY_ROW_FILE, POLICY_ROW_JSON, OPT_END};

/* A directory of our own; its path is in the call's arena. */
static enum seal_status make_directory(struct arena *arena, char **out, struct seal_err *err)
{
	const char *base = getenv("TMPDIR");
	char *path = arena_printf(arena, "%s" TEMPLATE, base != NULL && base[0] == '/' ? base : "/tmp");

	if (path == NULL)
		return err_memory(err);
	if (mkdtemp(path) == NULL)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot make the temporary directory %s",
				     path);
	*out = path;
	return SEAL_OK;
}

static void remove_directory(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

static const char *key_type_of(unsigned flags)
{
	if (flags & METHOD_FPE_KEY)
		return "ff1";
	return flags & METHOD_HMAC_KEY ? "hmac" : "aes256-gcm96";
}

/* The version of its key that a method is fixed to: 1 when it has no such option. */
static int64_t key_version_of(const struct policy_method *method)
{
	const struct opt_row *row =
		method->kind->options ? opt_find(method->kind->options, BYTES_LIT("version")) : NULL;
	const void *member = row ? (const uint8_t *)method->options + row->offset : NULL;

	return row != NULL && row->type == OPT_INT ? *(const int64_t *)member : 1;
}

/* Makes the method's key, unless another method has made it. */
static enum seal_status make_key(struct keyring *keyring, const struct policy_method *method, struct seal_err *err)
{
	int64_t versions = key_version_of(method);
	const struct key_admin_new how = {.type = key_type_of(method->flags)};
	struct seal_err there = SEAL_ERR_INIT;
	uint32_t version = 1;
	enum seal_status rc = keyring_create(keyring, method->key->reference, &how, &there);

	if (rc != SEAL_OK && there.code != SEAL_E_KEY_EXISTS) {
		*err = there;
		return rc;
	}
	rc = SEAL_OK;
	if (versions > VERSIONS_MADE_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "policy test makes at most %d versions of key %s",
			       VERSIONS_MADE_MAX, method->key->name);
	if (versions > 1 && there.code != SEAL_E_KEY_EXISTS)
		while (rc == SEAL_OK && version < versions)
			rc = keyring_rotate(keyring, method->key->reference, &version, err);
	return rc;
}

static enum seal_status make_keys(const struct policy *policy, const struct key_source_config *config,
				  struct seal_err *err)
{
	struct keyring *keyring = NULL;
	enum seal_status rc;

	SEAL_TRY(keyring_open(config, &keyring, err));
	for (size_t i = 0; i < policy->n_methods; i++)
		if (policy->methods[i].key != NULL)
			SEAL_TRY(make_key(keyring, &policy->methods[i], err));
out:
	keyring_close(keyring);
	return rc;
}

static void print_text(const char *file, const struct policy_test *test, const struct check_result *result)
{
	printf("%s %s:%u: %s%s%s\n", result->n_failures ? "FAIL" : "ok  ", file, test->mark.line, test->topic_name,
	       test->name ? ": " : "", test->name ? test->name : "");
	for (const struct check_failure *one = result->failures; one != NULL; one = one->next)
		printf("     %s:%u: %s\n", file, one->mark.line, one->text);
}

static void print_json(const struct policy_test *test, const struct check_result *result, bool first)
{
	printf("%s{\"line\":%u,\"topic\":", first ? "" : ",", test->mark.line);
	output_json_string(stdout, bytes_str(test->topic_name));
	printf(",\"name\":");
	if (test->name != NULL)
		output_json_string(stdout, bytes_str(test->name));
	else
		printf("null");
	printf(",\"passed\":%s,\"failures\":[", result->n_failures ? "false" : "true");
	for (const struct check_failure *one = result->failures; one != NULL; one = one->next) {
		printf("%s{\"line\":%u,\"text\":", one == result->failures ? "" : ",", one->mark.line);
		output_json_string(stdout, bytes_str(one->text));
		printf("}");
	}
	printf("]}");
}

static enum seal_status run_tests(struct engine *engine, const struct policy *policy, const char *file, bool json,
				  size_t *failed, struct seal_err *err)
{
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 1 << 20);
	if (json) {
		printf("{\"schema\":\"sealstream.policy.test/1\",\"file\":");
		output_json_string(stdout, bytes_str(file));
		printf(",\"tests\":[");
	}
	for (size_t i = 0; i < policy->n_tests; i++) {
		struct check_result result;

		SEAL_TRY(check_test(engine, &policy->tests[i], &arena, &result, err));
		*failed += result.n_failures > 0;
		if (json)
			print_json(&policy->tests[i], &result, i == 0);
		else
			print_text(file, &policy->tests[i], &result);
		arena_reset(&arena);
	}
	printf(json ? "],\"passed\":%zu,\"failed\":%zu}\n" : "%zu passed, %zu failed\n", policy->n_tests - *failed,
	       *failed);
out:
	arena_clear(&arena);
	return rc;
}

static enum seal_status run_in(const char *directory, const struct policy *policy, const char *file, bool json,
			       size_t *failed, struct seal_err *err)
{
	const struct key_source_config config = {.keyring_dir = directory, .create = true};
	struct plan *plan = NULL;
	struct engine *engine = NULL;
	enum seal_status rc;

	SEAL_TRY(make_keys(policy, &config, err));
	SEAL_TRY(plan_new(policy, &registry, &config, &plan, err));
	SEAL_TRY(engine_new(plan, NULL, &engine, err));
	SEAL_TRY(run_tests(engine, policy, file, json, failed, err));
out:
	engine_free(engine);
	plan_free(plan);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct policy_options *options = call->options;
	struct policy *policy = NULL;
	char *directory = NULL;
	const char *file;
	size_t failed = 0;
	enum seal_status rc;

	SEAL_TRY(policy_command_file(call, &file, err));
	SEAL_TRY(policy_command_load(file, &policy, err));
	if (policy->n_tests == 0)
		log_say(LOG_WARNING, "%s has no tests; docs/POLICY.md shows how to write them", file);
	SEAL_TRY(make_directory(call->arena, &directory, err));
	SEAL_TRY(run_in(directory, policy, file, options->json, &failed, err));
	*exit_code = failed > 0;
out:
	remove_directory(directory);
	policy_free(policy);
	return rc;
}

const struct command command_policy_test = {
	.name = "test",
	.usage = "[FILE]",
	.summary = "Run the tests that a policy brings along",
	.details = "Each test protects its record and compares the result with what it expects; with round_trip the "
		   "result is revealed, too. Keys are made for the run in a temporary directory, so no real key is "
		   "needed. Ends with 1 when a test fails.",
	.examples = "sealstream policy test policy.yaml\n",
	.options = rows,
	.options_size = sizeof(struct policy_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
