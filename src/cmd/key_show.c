/* `key show`: what is known about a key, never its material. */
#include "cmd/key_use.h"

struct show_options {
	bool json;
};

static const struct opt_row rows[] = {{.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct show_options, json)},
				      OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct show_options *options = call->options;
	struct key_admin_info info;
	struct managed_key key = {0};
	enum seal_status rc;

	SEAL_TRY(key_use_begin(call, false, &key, err));
	SEAL_TRY(key.ops->show(&key.on, key.reference, &info, err));
	if (options->json) {
		printf("{\"schema\":\"sealstream.key/1\",");
		key_use_json(stdout, &info);
		printf("}\n");
	} else {
		key_use_show(stdout, &info);
	}
out:
	key_use_end(&key);
	return rc;
}

const struct command command_key_show = {
	.name = "show",
	.usage = "NAME",
	.summary = "Show a key: its versions, minimums and use counts",
	.details =
		"A running process takes encryptions from the count in blocks of 1048576 and gives back what is left "
		"when it ends, so a count may be that much too high, but never too low.",
	.examples = "sealstream key show pii --json\n",
	.options = rows,
	.options_size = sizeof(struct show_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
