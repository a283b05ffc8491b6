/* `policy lint`: every mistake of a policy with its place. */
#include "cmd/output.h"
#include "cmd/policy.h"

#define EXIT_MISTAKES 78 /* EX_CONFIG */

static const struct opt_row rows[] = {POLICY_ROW_FILE, POLICY_ROW_JSON, OPT_END};

static void print_text(const char *file, const struct policy_findings *findings)
{
	size_t shown = 0;

	for (const struct policy_finding *one = findings->first; one != NULL; one = one->next, shown++)
		printf("%s:%u:%u: %s: %s\n", file, one->mark.line, one->mark.column,
		       one->warning ? "warning" : "error", one->text);
	if (shown < findings->errors + findings->warnings)
		printf("%s: %zu more\n", file, findings->errors + findings->warnings - shown);
}

static void print_json(const char *file, const struct policy_findings *findings)
{
	printf("{\"schema\":\"sealstream.policy.lint/1\",\"file\":");
	output_json_string(stdout, bytes_str(file));
	printf(",\"errors\":%zu,\"warnings\":%zu,\"findings\":[", findings->errors, findings->warnings);
	for (const struct policy_finding *one = findings->first; one != NULL; one = one->next) {
		printf("%s{\"line\":%u,\"column\":%u,\"severity\":\"%s\",\"text\":",
		       one == findings->first ? "" : ",", one->mark.line, one->mark.column,
		       one->warning ? "warning" : "error");
		output_json_string(stdout, bytes_str(one->text));
		printf("}");
	}
	printf("]}\n");
}

static void print_summary(const char *file, const struct policy *policy)
{
	size_t keys = 0, entries = 0, rules = 0;

	for (size_t i = 0; i < policy->n_keys; i++)
		keys += !policy->keys[i].own; /* as they stand in the file */

	for (size_t i = 0; i < policy->n_topics; i++) {
		entries += !policy->topics[i].is_dead_letter && policy->topics[i].part == PART_VALUE;
		rules += policy->topics[i].is_dead_letter ? 0 : policy->topics[i].n_rules;
	}
	printf("%s: no errors (keys: %zu, topic entries: %zu, paths: %zu, tests: %zu)\n", file, keys, entries, rules,
	       policy->n_tests);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct policy_options *options = call->options;
	struct policy_findings findings;
	struct policy *policy = NULL;
	struct seal_err first = SEAL_ERR_INIT; /* the findings say it, too */
	const char *file;
	enum seal_status rc;

	policy_findings_init(&findings);
	SEAL_TRY(policy_command_file(call, &file, err));
	rc = policy_command_read(file, &findings, &policy, &first);
	if (rc != SEAL_OK && findings.errors == 0) {
		*err = first; /* it couldn't be read */
		goto out;
	}
	if (options->json)
		print_json(file, &findings);
	else
		print_text(file, &findings);
	if (policy != NULL && !options->json && !call->global->quiet)
		print_summary(file, policy);
	*exit_code = policy != NULL ? 0 : EXIT_MISTAKES;
	rc = SEAL_OK;
out:
	policy_free(policy);
	policy_findings_clear(&findings);
	return rc;
}

const struct command command_policy_lint = {
	.name = "lint",
	.usage = "[FILE]",
	.summary = "Report every mistake in a policy",
	.details = "Each line is FILE:LINE:COLUMN, error or warning, what is wrong and the nearest valid word. No "
		   "key is "
		   "opened. Ends with 78 when there is an error; warnings alone are 0.",
	.examples = "sealstream policy lint policy.yaml\n",
	.options = rows,
	.options_size = sizeof(struct policy_options),
	.args_max = 1,
	.run = run,
};
