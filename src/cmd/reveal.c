/* `reveal`: see transform.c. */
#include "cmd/commands.h"
#include "cmd/transform.h"

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	return transform_run(call, ENGINE_REVEAL, exit_code, err);
}

const struct command command_reveal = {
	.name = "reveal",
	.usage = TRANSFORM_ARGUMENTS,
	.summary = "Give protected fields back in clear",
	.details = TRANSFORM_DETAILS_COMMON,
	.examples = "sealstream reveal -p policy.yaml protected.ndjson -o purchases.ndjson\n"
		    "kcat -C -b broker:9092 -t purchases_encrypted -e -J |\n"
		    "    sealstream reveal -p policy.yaml -t purchases_encrypted -J\n",
	.options = transform_rows,
	.options_size = sizeof(struct transform_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
