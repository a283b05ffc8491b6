/* `key create`: a new key, and on first use the keyring and its master key. */
#include "cmd/key_use.h"
#include "keys/keyring_type.h"

struct create_options {
	int type;
	bool exportable, derived, convergent;
};

#define AT(member) .offset = offsetof(struct create_options, member)
static const struct opt_row rows[] = {
	{.name = "type",
	 .letter = 't',
	 .help = "what the key is for: encryption (aes…, chacha20…), format-preserving encryption (ff1), or hashing "
		 "(hmac)",
	 .arg = "TYPE",
	 .choices = KEYRING_TYPE_CHOICES,
	 .def = "aes256-gcm96",
	 .type = OPT_CHOICE,
	 AT(type)},
	{.name = "exportable",
	 .help = "let `key export` show the raw key; cannot be changed later",
	 .type = OPT_FLAG,
	 AT(exportable)},
	{.name = "derived",
	 .help = "make another key of each field that the key is used for",
	 .type = OPT_FLAG,
	 AT(derived)},
	{.name = "convergent",
	 .help = "equal values of a field give equal texts, which shows that they are equal; the key is derived, too",
	 .type = OPT_FLAG,
	 AT(convergent)},
	OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct create_options *options = call->options;
	const struct key_admin_new how = {
		.type = keyring_type_names[options->type],
		.derived = options->derived || options->convergent,
		.convergent = options->convergent,
		.exportable = options->exportable,
	};
	char type[KEY_TYPE_TEXT_MAX];
	struct managed_key key = {0};
	enum seal_status rc;

	SEAL_TRY(key_use_begin(call, true, &key, err));
	SEAL_TRY(key.ops->create(&key.on, key.reference, &how, err));
	key_use_type(how.type, how.derived, how.convergent, type);
	printf("%s version 1 (%s)\n", key.text, type);
out:
	key_use_end(&key);
	return rc;
}

const struct command command_key_create = {
	.name = "create",
	.usage = "NAME",
	.summary = "Make a key",
	.details = "The first key makes the keyring, too. Where no master key is named, one is made in its directory "
		   "with mode 0600: back that file up. NAME may name a store: vault:MOUNT/NAME makes the key in "
		   "Transit.",
	.examples = "sealstream key create pii\n"
		    "sealstream key create cards --type ff1\n"
		    "sealstream key create vault:transit/emails --convergent\n",
	.options = rows,
	.options_size = sizeof(struct create_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
