/* `protect`: see transform.c. */
#include "cmd/commands.h"
#include "cmd/transform.h"

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	return transform_run(call, ENGINE_PROTECT, exit_code, err);
}

const struct command command_protect = {
	.name = "protect",
	.usage = TRANSFORM_ARGUMENTS,
	.summary = "Protect the fields of records that a policy names",
	.details = TRANSFORM_DETAILS_COMMON,
	.examples = "sealstream protect -p policy.yaml purchases.ndjson > protected.ndjson\n"
		    "kcat -C -b broker:9092 -t purchases -e -J |\n"
		    "    sealstream protect -p policy.yaml -t purchases -J > protected.ndjson\n",
	.options = transform_rows,
	.options_size = sizeof(struct transform_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
