/* `key`: the group of commands about the local keyring. */
#include "cmd/commands.h"
#include "cmd/key_use.h"

static const struct command *const subs[] = {
	&command_key_create, &command_key_list,	   &command_key_show,
	&command_key_rotate, &command_key_config,  &command_key_export,
	&command_key_import, &command_key_destroy, NULL,
};

const struct command command_key = {
	.name = "key",
	.usage = "COMMAND",
	.summary = "Make and manage the keys of the local keyring",
	.details =
		"The keyring is a directory (--keyring) with one file a key. Each version of a key is wrapped under "
		"a "
		"master key: raw bytes (--master-key-file), a passphrase (--passphrase-file), or a file that the "
		"first "
		"`key create` makes in the directory. Old versions decrypt until the minimum decryption version is "
		"raised; a key file that was changed by anything else is refused.",
	.subs = subs,
};
