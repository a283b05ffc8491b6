/*
 * The bytes of one key file (docs/FORMAT-keyring.md): parsing and writing, no disk and no keys. The material of each
 * version stays wrapped here; see keyring_wrap.h.
 */
#ifndef KEYS_KEYRING_FILE_H
#define KEYS_KEYRING_FILE_H

#include "base/buf.h"
#include "keys/key.h"
#include "keys/keyring_type.h"

#define KEY_NAME_MAX 64
#define KEY_VERSIONS_MAX 10000
#define KEY_FILE_BYTES_MAX (2u << 20)
#define KEY_FILE_MAC_LEN 32
#define KEY_WRAP_NONCE_LEN 12
#define KEY_WRAP_TAG_LEN 16

/* SP 800-38D, 8.3: at most 2^32 messages under one key with random nonces of 96 bits. */
#define KEY_USES_MAX (UINT64_C(1) << 32)
#define KEY_USES_ROTATE (UINT64_C(1) << 31)

struct key_file_version {
	uint64_t created_ms; /* Unix time */
	uint64_t uses; /* encryptions reserved so far, at most KEY_USES_MAX */
	uint8_t nonce[KEY_WRAP_NONCE_LEN];
	uint8_t wrapped[KEY_MATERIAL_MAX];
	uint8_t wrapped_len;
	uint8_t tag[KEY_WRAP_TAG_LEN];
};

struct key_file {
	const struct keyring_type *type;
	char name[KEY_NAME_MAX + 1];
	bool deletion_allowed, exportable, imported;
	bool derived; /* an encryption key that makes another one of each context */
	bool convergent; /* derived, too: equal plaintext and context give equal text */
	uint64_t created_ms;
	uint32_t min_decryption_version; /* 1 … n */
	uint32_t min_encryption_version; /* 0: the latest; else min_decryption_version … n */
	uint64_t auto_rotate; /* uses after which the key rotates itself; 0: never */
	struct key_file_version *versions; /* versions[i] is version i + 1 */
	uint32_t n; /* 1 … KEY_VERSIONS_MAX; the latest version */
};

/* [A-Za-z0-9._-]{1,64}, no dot first. */
bool key_name_valid(struct seal_bytes name);
#define KEY_NAME_RULE "1 to 64 letters, digits, '.', '_' or '-', no dot first"

/* All but the authentication code, which the caller appends. */
SEAL_MUST_USE enum seal_status key_file_write(const struct key_file *file, struct seal_buf *out,
					      struct seal_err *err);

/*
 * Parses a whole file. `*mac` is a view of its authentication code, `*signed_part` of what that covers: the caller
 * checks it before it trusts `file`. SEAL_DATA/SEAL_E_KEY_FILE when damaged; `file` is then empty.
 */
SEAL_MUST_USE enum seal_status key_file_parse(struct seal_bytes in, struct key_file *file,
					      struct seal_bytes *signed_part, struct seal_bytes *mac,
					      struct seal_err *err);

/* Room for one version more, zeroed; file->n counts it. SEAL_DENIED/SEAL_E_LIMIT at KEY_VERSIONS_MAX. */
SEAL_MUST_USE enum seal_status key_file_add_version(struct key_file *file, struct key_file_version **out,
						    struct seal_err *err);
void key_file_clear(struct key_file *file);

/*
 * Are uses counted? Where nonces are random: they may not repeat. A convergent key's come from the plaintext, and repeat
 * only with it (docs/DESIGN.md).
 */
static inline bool key_file_counted(const struct key_file *file)
{
	return (file->type->uses & KEY_ENCRYPT) && !file->convergent;
}

static inline struct key_file_version *key_file_latest(const struct key_file *file)
{
	return &file->versions[file->n - 1];
}

#endif
