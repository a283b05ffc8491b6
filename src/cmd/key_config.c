/* `key config`: minimum versions, deletion, self-rotation. */
#include "cmd/key_use.h"

struct config_options {
	int64_t min_decryption; /* 0: not given */
	const char *min_encryption, *deletion_allowed, *auto_rotate, *exportable; /* NULL: not given */
};

#define AT(member) .offset = offsetof(struct config_options, member)
static const struct opt_row rows[] = {
	{.name = "min-decryption-version",
	 .help = "refuse to decrypt what older versions made",
	 .arg = "N",
	 .min = 1,
	 .max = UINT32_MAX,
	 .type = OPT_INT,
	 AT(min_decryption)},
	{.name = "min-encryption-version",
	 .help = "refuse to protect with older versions where a policy names one",
	 .arg = "N|latest",
	 .type = OPT_STRING,
	 AT(min_encryption)},
	{.name = "deletion-allowed",
	 .help = "whether `key destroy` may remove the key",
	 .arg = "true|false",
	 .type = OPT_STRING,
	 AT(deletion_allowed)},
	{.name = "auto-rotate",
	 .help = "rotate after so many encryptions, 2147483648 unless told otherwise; off: refuse after 4294967296. "
		 "On a "
		 "server: after so many seconds",
	 .arg = "N|off",
	 .type = OPT_STRING,
	 AT(auto_rotate)},
	{.name = "exportable",
	 .help = "let `key export` show the raw key; on a server, where it cannot be taken back",
	 .arg = "true",
	 .type = OPT_STRING,
	 AT(exportable)},
	OPT_END};

#define AUTO_ROTATE_MAX (UINT64_C(1) << 32)

/* A number from 1 to `max`, or `word`, which is 0. */
static enum seal_status number_or(const char *option, const char *text, const char *word, uint64_t max, uint64_t *out,
				  struct seal_err *err)
{
	if (strcmp(text, word) == 0)
		*out = 0;
	else if (!bytes_to_u64(bytes_str(text), max, out) || *out == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--%s takes a number from 1 to %llu, or %s", option,
			       (unsigned long long)max, word);
	return SEAL_OK;
}

static enum seal_status change_of(const struct config_options *options, struct key_admin_change *change,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	uint64_t version;

	if (options->min_decryption != 0) {
		change->mask |= KEY_SET_MIN_DECRYPTION;
		change->min_decryption_version = (uint32_t)options->min_decryption;
	}
	if (options->min_encryption != NULL) {
		SEAL_TRY(number_or("min-encryption-version", options->min_encryption, "latest", UINT32_MAX, &version,
				   err));
		change->mask |= KEY_SET_MIN_ENCRYPTION;
		change->min_encryption_version = (uint32_t)version;
	}
	if (options->deletion_allowed != NULL) {
		change->mask |= KEY_SET_DELETION_ALLOWED;
		change->deletion_allowed = strcmp(options->deletion_allowed, "true") == 0;
		if (!change->deletion_allowed && strcmp(options->deletion_allowed, "false") != 0) {
			rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--deletion-allowed takes true or false");
			goto out;
		}
	}
	if (options->auto_rotate != NULL) {
		SEAL_TRY(number_or("auto-rotate", options->auto_rotate, "off", AUTO_ROTATE_MAX, &change->auto_rotate,
				   err));
		change->mask |= KEY_SET_AUTO_ROTATE;
	}
	if (options->exportable != NULL) {
		change->mask |= KEY_SET_EXPORTABLE;
		change->exportable = true;
		if (strcmp(options->exportable, "true") != 0) {
			rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
				     "--exportable takes true; a key that was exportable once stays so");
			goto out;
		}
	}
	if (change->mask == 0)
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "nothing to change; see sealstream key config --help");
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct key_admin_change change = {0};
	struct key_admin_info info;
	struct managed_key key = {0};
	enum seal_status rc;

	SEAL_TRY(change_of(call->options, &change, err));
	SEAL_TRY(key_use_begin(call, false, &key, err));
	SEAL_TRY(key.ops->configure(&key.on, key.reference, &change, err));
	SEAL_TRY(key.ops->show(&key.on, key.reference, &info, err));
	key_use_show(stdout, &info);
out:
	key_use_end(&key);
	return rc;
}

const struct command command_key_config = {
	.name = "config",
	.usage = "NAME",
	.summary = "Set a key's minimum versions, whether it may be deleted, when it rotates itself",
	.details =
		"Raising the minimum decryption version disables what older versions made; lowering it again brings "
		"that back.",
	.examples = "sealstream key config pii --min-decryption-version 2\n"
		    "sealstream key config vault:transit/pii --min-decryption-version 2\n",
	.options = rows,
	.options_size = sizeof(struct config_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
