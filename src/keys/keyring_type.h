/* The types of key that the keyring knows: one table, in the order of their numbers in a key file. */
#ifndef KEYS_KEYRING_TYPE_H
#define KEYS_KEYRING_TYPE_H

#include "base/bytes.h"
#include "crypto/aead.h"

#define KEY_MATERIAL_MAX 64

struct keyring_type {
	const char *name; /* Transit's spelling where Transit has it */
	unsigned uses; /* enum key_use, or'ed */
	uint8_t id; /* in key files; never changes */
	uint8_t fresh_len; /* bytes of new material */
	uint8_t min_len, max_len, step; /* bytes that material from elsewhere may have */
	enum aead_cipher cipher; /* KEY_ENCRYPT */
};

/* NULL when there is no such type. Static; any thread. */
const struct keyring_type *keyring_type_by_id(uint8_t id);
const struct keyring_type *keyring_type_by_name(struct seal_bytes name);

/* All names, ended by NULL, for the nearest word. */
extern const char *const keyring_type_names[];
/* The same as a list of choices for an option row. */
#define KEYRING_TYPE_CHOICES "aes256-gcm96|aes128-gcm96|ff1|hmac|chacha20-poly1305|xchacha20-poly1305"
/* … and for people. */
#define KEYRING_TYPE_LIST "aes256-gcm96, aes128-gcm96, ff1, hmac, chacha20-poly1305 and xchacha20-poly1305"

bool keyring_type_takes(const struct keyring_type *type, size_t len);

#endif
