/* The table of key types. */
#include "keys/keyring_type.h"

#include "keys/key.h"

static const struct keyring_type types[] = {
	{"aes256-gcm96", KEY_ENCRYPT, 1, 32, 32, 32, 1, AEAD_AES_GCM},
	{"aes128-gcm96", KEY_ENCRYPT, 2, 16, 16, 16, 1, AEAD_AES_GCM},
	{"ff1", KEY_FPE, 3, 32, 16, 32, 8, 0},
	{"hmac", KEY_HMAC, 4, 32, 32, KEY_MATERIAL_MAX, 1, 0},
	{"chacha20-poly1305", KEY_ENCRYPT, 5, 32, 32, 32, 1, AEAD_CHACHA20_POLY1305},
	{"xchacha20-poly1305", KEY_ENCRYPT, 6, 32, 32, 32, 1, AEAD_XCHACHA20_POLY1305},
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

const char *const keyring_type_names[] = {"aes256-gcm96",      "aes128-gcm96",	     "ff1", "hmac",
					  "chacha20-poly1305", "xchacha20-poly1305", NULL};

const struct keyring_type *keyring_type_by_id(uint8_t id)
{
	return id >= 1 && id <= N_TYPES ? &types[id - 1] : NULL;
}

const struct keyring_type *keyring_type_by_name(struct seal_bytes name)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (bytes_eq_str(name, types[i].name))
			return &types[i];
	return NULL;
}

bool keyring_type_takes(const struct keyring_type *type, size_t len)
{
	return len >= type->min_len && len <= type->max_len && (len - type->min_len) % type->step == 0;
}
