/* `version`: the program's, and what it was built from. */
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/output.h"

struct version_options {
	bool json;
};

static const struct opt_row rows[] = {{.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct version_options, json)},
				      OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct version_options *options = call->options;

	if (!options->json) {
		printf("sealstream %s\n", seal_version());
		return SEAL_OK;
	}
	printf("{\"schema\":\"sealstream.version/1\",\"version\":");
	output_json_string(stdout, bytes_str(seal_version()));
	printf(",\"compiler\":");
	output_json_string(stdout, BYTES_LIT(__VERSION__));
	printf(",\"architecture\":\"%s\"}\n", SEALSTREAM_ARCH);
	return SEAL_OK;
}

const struct command command_version = {
	.name = "version",
	.usage = "",
	.summary = "Print the version",
	.examples = "sealstream version --json\n",
	.options = rows,
	.options_size = sizeof(struct version_options),
	.run = run,
};
