/* `key import`: material from elsewhere becomes the next version of a key. */
#include "cmd/key_use.h"

struct import_options {
	int type;
	const char *material;
	bool exportable;
};

#define AT(member) .offset = offsetof(struct import_options, member)
static const struct opt_row rows[] = {
	{.name = "type",
	 .letter = 't',
	 .help = "the type of the key",
	 .arg = "TYPE",
	 .choices = KEYRING_TYPE_CHOICES,
	 .type = OPT_CHOICE,
	 .required = true,
	 AT(type)},
	{.name = "material",
	 .help = "file with the raw bytes: 16 or 32 for aes…, 16, 24 or 32 for ff1, 32 to 64 for hmac",
	 .arg = "FILE",
	 .type = OPT_STRING,
	 .required = true,
	 AT(material)},
	{.name = "exportable",
	 .help = "let `key export` show a key that is new; cannot be changed later",
	 .type = OPT_FLAG,
	 AT(exportable)},
	OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct import_options *options = call->options;
	struct seal_bytes name = bytes_str(call->args[0]);
	struct secret material = SECRET_INIT;
	struct keyring *keyring = NULL;
	struct keyring_key_info info;
	enum seal_status rc;
	uint32_t version;

	SEAL_TRY(keyring_read_secret(options->material, 4096, false, &material, err));
	SEAL_TRY(key_use_check_name(call->args[0], err));
	SEAL_TRY(key_use_open(call, true, &keyring, err));
	SEAL_TRY(keyring_import(
		keyring, name,
		&(struct key_admin_new){.type = keyring_type_names[options->type], .exportable = options->exportable},
		secret_bytes(&material), &version, err));
	printf("%s version %u (%s)\n", call->args[0], version, keyring_type_names[options->type]);
	SEAL_TRY(keyring_info(keyring, name, call->arena, &info, err));
	if (version > 1)
		key_use_tell_fixed(&info);
out:
	secret_clear(&material);
	keyring_close(keyring);
	return rc;
}

const struct command command_key_import = {
	.name = "import",
	.usage = "NAME",
	.summary = "Make a key, or its next version, from raw bytes that came from elsewhere",
	.details = "Import all versions in order to read what another system made with them. A key that was imported "
		   "does "
		   "not rotate itself unless told to (`key config --auto-rotate`), since the other side would not "
		   "have the new version.",
	.examples = "sealstream key import pii --type aes256-gcm96 --material pii.1.raw\n",
	.options = rows,
	.options_size = sizeof(struct import_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
