/* `key rotate`: a new version with fresh material. */
#include "cmd/key_use.h"

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct key_admin_info info;
	struct managed_key key = {0};
	enum seal_status rc;
	uint32_t version;

	SEAL_TRY(key_use_begin(call, false, &key, err));
	SEAL_TRY(key.ops->rotate(&key.on, key.reference, &version, err));
	printf("%s version %u\n", key.text, version);
	SEAL_TRY(key.ops->show(&key.on, key.reference, &info, err));
	key_use_tell_fixed(&info);
out:
	key_use_end(&key);
	return rc;
}

const struct command command_key_rotate = {
	.name = "rotate",
	.usage = "NAME",
	.summary = "Give a key a new version; old ones go on decrypting",
	.details = "Running processes notice within a second. What ff1 and hmac keys make carries no version, so "
		   "policies go on with version 1 until they name the new one.",
	.examples = "sealstream key rotate pii\n",
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
