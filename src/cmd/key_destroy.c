/* `key destroy`: removes a key and with it everything that it protects. */
#include "cmd/key_use.h"

struct destroy_options {
	bool yes;
};

static const struct opt_row rows[] = {{.name = "yes",
				       .help = "yes, make everything unreadable that this key protects",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct destroy_options, yes)},
				      OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct destroy_options *options = call->options;
	struct managed_key key = {0};
	enum seal_status rc;

	if (!options->yes) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "everything that key %s protects would be lost for good; add --yes if that is meant",
			     call->args[0]);
		goto out;
	}
	SEAL_TRY(key_use_begin(call, false, &key, err));
	SEAL_TRY(key.ops->destroy(&key.on, key.reference, err));
	printf("%s destroyed\n", key.text);
out:
	key_use_end(&key);
	return rc;
}

const struct command command_key_destroy = {
	.name = "destroy",
	.usage = "NAME",
	.summary = "Remove a key for good (its deletion must be allowed)",
	.examples = "sealstream key config old --deletion-allowed true\n"
		    "sealstream key destroy old --yes\n",
	.options = rows,
	.options_size = sizeof(struct destroy_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
