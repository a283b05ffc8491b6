/* `policy schema`: for editors. */
#include "cmd/policy.h"
#include "cmd/registry.h"
#include "policy/json_schema.h"

#define OUTPUT_MAX (16u << 20)

static const struct opt_row rows[] = {OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(OUTPUT_MAX);
	enum seal_status rc;

	SEAL_TRY(json_schema_write(&registry_schema, &text, err));
	SEAL_TRY(policy_command_print(&text, err));
out:
	buf_clear(&text);
	return rc;
}

const struct command command_policy_schema = {
	.name = "schema",
	.usage = "",
	.summary = "Print a JSON Schema of policies, for editors",
	.details = "Draft 2020-12. With the YAML language server, a policy that starts with the line\n"
		   "# yaml-language-server: $schema=policy.schema.json\n"
		   "is completed and checked while it is written.",
	.examples = "sealstream policy schema > policy.schema.json\n",
	.options = rows,
	.run = run,
};
