/* `key rotate`: a new version with fresh material. */
#include "cmd/key_use.h"

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct seal_bytes name = bytes_str(call->args[0]);
	struct keyring *keyring = NULL;
	struct keyring_key_info info;
	enum seal_status rc;
	uint32_t version;

	SEAL_TRY(key_use_open(call, false, &keyring, err));
	SEAL_TRY(keyring_rotate(keyring, name, &version, err));
	printf("%s version %u\n", call->args[0], version);
	SEAL_TRY(keyring_info(keyring, name, call->arena, &info, err));
	key_use_tell_fixed(&info);
out:
	keyring_close(keyring);
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
