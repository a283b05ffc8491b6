/* `policy explain`: what happens to which field, and why. */
#include "cmd/policy.h"
#include "policy/explain.h"

#define OUTPUT_MAX (256u << 20)

struct explain_options {
	struct policy_options policy;
	const char *topic;
};

static const struct opt_row rows[] = {POLICY_ROW_FILE,
				      {.name = "topic",
				       .letter = 't',
				       .help = "the topic to explain; default: every entry of the policy",
				       .arg = "TOPIC",
				       .type = OPT_STRING,
				       .offset = offsetof(struct explain_options, topic)},
				      POLICY_ROW_JSON,
				      OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct explain_options *options = call->options;
	struct seal_buf text = BUF_INIT(OUTPUT_MAX);
	struct policy *policy = NULL;
	const char *file;
	enum seal_status rc;

	SEAL_TRY(policy_command_file(call, &file, err));
	SEAL_TRY(policy_command_load(file, &policy, err));
	if (options->policy.json)
		SEAL_TRY(explain_json(policy, file, options->topic, &text, err));
	else
		SEAL_TRY(explain_text(policy, file, options->topic, &text, err));
	SEAL_TRY(policy_command_print(&text, err));
out:
	buf_clear(&text);
	policy_free(policy);
	return rc;
}

const struct command command_policy_explain = {
	.name = "explain",
	.usage = "[FILE]",
	.summary = "Tell which rule applies to which path, and why",
	.details =
		"For a topic: which entry of the policy it gets and why, and for each path the method, the key, what "
		"results are bound to, whether they can be revealed and what they still show to who has no key.",
	.examples = "sealstream policy explain policy.yaml --topic purchases\n",
	.options = rows,
	.options_size = sizeof(struct explain_options),
	.args_max = 1,
	.run = run,
};
