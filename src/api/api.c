/* Structs that cross the library's border: their first member says how much of them the caller knows. */
#include "api/api.h"

#include <stdlib.h>

enum seal_status api_read_options(const void *from, void *to, size_t size, const char *name, struct seal_err *err)
{
	size_t given;

	memset(to, 0, size);
	if (from == NULL)
		return SEAL_OK;
	memcpy(&given, from, sizeof(given));
	if (given < sizeof(given))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "set 'size' of %s to its sizeof", name);
	for (size_t i = size; i < given; i++)
		if (((const uint8_t *)from)[i] != 0)
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
				       "%s has members that this version of the library (%s) does not know", name,
				       seal_version());
	memcpy(to, from, given < size ? given : size);
	return SEAL_OK;
}

void api_write_struct(const void *from, size_t size, void *to)
{
	const size_t own = sizeof(size_t);
	size_t room;

	memcpy(&room, to, sizeof(room));
	if (room > size) {
		memset((uint8_t *)to + size, 0, room - size);
		room = size;
	}
	if (room > own)
		memcpy((uint8_t *)to + own, (const uint8_t *)from + own, room - own);
}

static const char *or_variable(const char *given, const char *name)
{
	const char *set = given == NULL ? getenv(name) : NULL;

	return set != NULL && set[0] != '\0' ? set : given;
}

enum seal_status api_key_config(const struct seal_keyring_options *options, struct key_source_config *config,
				struct seal_err *err)
{
	struct seal_keyring_options known;
	enum seal_status rc;

	SEAL_TRY(api_read_options(options, &known, sizeof(known), "struct seal_keyring_options", err));
	if (known.dir == NULL) { /* the environment's keyring, or the default one: its master key is there, too */
		known.dir = or_variable(NULL, "SEALSTREAM_KEYRING");
		if (known.passphrase_file == NULL)
			known.master_key_file = or_variable(known.master_key_file, "SEALSTREAM_MASTER_KEY_FILE");
		if (known.master_key_file == NULL)
			known.passphrase_file = or_variable(known.passphrase_file, "SEALSTREAM_PASSPHRASE_FILE");
	}
	*config = (struct key_source_config){.keyring_dir = known.dir,
					     .master_key_file = known.master_key_file,
					     .passphrase_file = known.passphrase_file,
					     .create = known.create};
out:
	return rc;
}
