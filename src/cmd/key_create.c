/* `key create`: a new key, and on first use the keyring and its master key. */
#include "cmd/key_use.h"

struct create_options {
	int type;
	bool exportable;
};

#define AT(member) .offset = offsetof(struct create_options, member)
static const struct opt_row rows[] = {
	{.name = "type",
	 .letter = 't',
	 .help = "what the key is for: encryption (aes…), format-preserving encryption (ff1), or hashing (hmac)",
	 .arg = "TYPE",
	 .choices = KEYRING_TYPE_CHOICES,
	 .def = "aes256-gcm96",
	 .type = OPT_CHOICE,
	 AT(type)},
	{.name = "exportable",
	 .help = "let `key export` show the raw key; cannot be changed later",
	 .type = OPT_FLAG,
	 AT(exportable)},
	OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct create_options *options = call->options;
	const char *type = keyring_type_names[options->type];
	struct keyring *keyring = NULL;
	enum seal_status rc;

	SEAL_TRY(key_use_check_name(call->args[0], err));
	SEAL_TRY(key_use_open(call, true, &keyring, err));
	SEAL_TRY(keyring_create(keyring, bytes_str(call->args[0]),
				&(struct key_admin_new){.type = type, .exportable = options->exportable}, err));
	printf("%s version 1 (%s)\n", call->args[0], type);
out:
	keyring_close(keyring);
	return rc;
}

const struct command command_key_create = {
	.name = "create",
	.usage = "NAME",
	.summary = "Make a key",
	.details = "The first key makes the keyring, too. Where no master key is named, one is made in its directory "
		   "with mode 0600: back that file up.",
	.examples = "sealstream key create pii\n"
		    "sealstream key create cards --type ff1\n",
	.options = rows,
	.options_size = sizeof(struct create_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
