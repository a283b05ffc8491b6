/* `key import`: material from elsewhere becomes the next version of a key. */
#include "base/secret_file.h"
#include "cmd/key_use.h"
#include "keys/keyring.h"

struct import_options {
	int type;
	const char *material;
	bool exportable, derived, convergent;
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
	 .help = "file with the raw bytes: 16 or 32 for aes…, 32 for …chacha20…, 16, 24 or 32 for ff1, 32 to 64 for "
		 "hmac",
	 .arg = "FILE",
	 .type = OPT_STRING,
	 .required = true,
	 AT(material)},
	{.name = "exportable",
	 .help = "let `key export` show a key that is new; cannot be changed later",
	 .type = OPT_FLAG,
	 AT(exportable)},
	{.name = "derived", .help = "the key is derived", .type = OPT_FLAG, AT(derived)},
	{.name = "convergent", .help = "the key is convergent, and so derived", .type = OPT_FLAG, AT(convergent)},
	OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct import_options *options = call->options;
	const struct key_admin_new how = {
		.type = keyring_type_names[options->type],
		.derived = options->derived || options->convergent,
		.convergent = options->convergent,
		.exportable = options->exportable,
	};
	struct secret material = SECRET_INIT;
	char type[KEY_TYPE_TEXT_MAX];
	struct key_admin_info info;
	struct managed_key key = {0};
	enum seal_status rc;
	uint32_t version;

	SEAL_TRY(secret_read_file(options->material, 4096, false, &material, err));
	SEAL_TRY(key_use_begin(call, true, &key, err));
	SEAL_TRY(key.ops->import(&key.on, key.reference, &how, secret_bytes(&material), &version, err));
	key_use_type(how.type, how.derived, how.convergent, type);
	printf("%s version %u (%s)\n", key.text, version, type);
	SEAL_TRY(key.ops->show(&key.on, key.reference, &info, err));
	if (version > 1)
		key_use_tell_fixed(&info);
out:
	secret_clear(&material);
	key_use_end(&key);
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
