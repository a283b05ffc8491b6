/* `key`: the group of commands about keys, in the local keyring or another store. */
#include "cmd/commands.h"
#include "cmd/key_use.h"

static const struct command *const subs[] = {
	&command_key_create,
	&command_key_list,
	&command_key_show,
	&command_key_rotate,
	&command_key_config,
	&command_key_export,
	&command_key_import,
	&command_key_copy,
	&command_key_destroy,
	&command_key_forget,
	NULL,
};

const struct command command_key = {
	.name = "key",
	.usage = "COMMAND",
	.summary = "Make and manage keys: of the local keyring, or of Transit",
	.details =
		"The keyring is a directory (--keyring) with one file a key. Each version of a key is wrapped under "
		"a "
		"master key: raw bytes (--master-key-file), a passphrase (--passphrase-file), or a file that the "
		"first "
		"`key create` makes in the directory. Old versions decrypt until the minimum decryption version is "
		"raised; a key file that was changed by anything else is refused. A NAME with a colon says which "
		"store it means: local:pii is pii, vault:transit/pii is a key of Vault's or OpenBao's Transit.",
	.subs = subs,
};
