/* Structs that cross the library's border: their first member says how much of them the caller knows. */
#include "api/api.h"

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

enum seal_status api_key_config(const struct seal_keyring_options *options, struct key_source_config *config,
				struct seal_err *err)
{
	struct seal_keyring_options known;
	enum seal_status rc;

	SEAL_TRY(api_read_options(options, &known, sizeof(known), "struct seal_keyring_options", err));
	*config = (struct key_source_config){.keyring_dir = known.dir,
					     .master_key_file = known.master_key_file,
					     .passphrase_file = known.passphrase_file,
					     .create = known.create};
out:
	return rc;
}
