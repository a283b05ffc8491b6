/*
 * What the master key does: it never touches data itself, three keys derived from it and from the keyring's id do.
 * They wrap the material of key versions, authenticate key files, and make the head's check value.
 */
#ifndef KEYS_KEYRING_WRAP_H
#define KEYS_KEYRING_WRAP_H

#include "base/secret.h"
#include "keys/keyring_file.h"
#include "keys/keyring_head.h"

struct keyring_keys {
	struct secret all; /* wrap 32 | authenticate 32 | check 32 */
};

#define KEYRING_KEYS_INIT                                                                                            \
	{                                                                                                            \
		SECRET_INIT                                                                                          \
	}

SEAL_MUST_USE enum seal_status keyring_keys_derive(struct seal_bytes master, const uint8_t id[KEYRING_ID_LEN],
						   struct keyring_keys *out, struct seal_err *err);
void keyring_keys_clear(struct keyring_keys *keys);

/* The check value of `head`. */
SEAL_MUST_USE enum seal_status keyring_check_value(const struct keyring_keys *keys, const struct keyring_head *head,
						   uint8_t out[KEYRING_CHECK_LEN], struct seal_err *err);
/* The authentication code of a key file's bytes. */
SEAL_MUST_USE enum seal_status keyring_file_mac(const struct keyring_keys *keys, struct seal_bytes bytes,
						uint8_t out[KEY_FILE_MAC_LEN], struct seal_err *err);

/* Wraps `material` (a length that file->type takes) into version `number` of `file`. */
SEAL_MUST_USE enum seal_status keyring_wrap(const struct keyring_keys *keys, struct key_file *file, uint32_t number,
					    struct seal_bytes material, struct seal_err *err);

/*
 * Unwraps versions first … file->n; `out` gets KEY_MATERIAL_MAX bytes for each, its length is the version's
 * wrapped_len. SEAL_DATA/SEAL_E_KEY_FILE when one does not authenticate; `out` is then empty.
 */
SEAL_MUST_USE enum seal_status keyring_unwrap(const struct keyring_keys *keys, const struct key_file *file,
					      uint32_t first, struct secret *out, struct seal_err *err);

#endif
