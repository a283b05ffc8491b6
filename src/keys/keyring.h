/*
 * The local keyring: a directory with one file a key, every version's material wrapped under a master key
 * (docs/FORMAT-keyring.md has the bytes). The semantics are Transit's: old versions decrypt until the minimum is
 * raised, `vault:vN:` text, and a key imported here and into Transit decrypts the same text on both sides.
 *
 *   DIR/             mode 0700
 *     keyring.head   which keyring this is, how its master key is found, a check value
 *     master.key     the master key, unless it comes from elsewhere
 *     NAME.skey      one key
 *     lock           flocked around every change
 *
 * The master key is 32 raw bytes in a file of mode 0600 (config.master_key_file), or derived from a passphrase file by
 * scrypt (config.passphrase_file), or DIR/master.key, which is made with the keyring when config.create says so.
 *
 * Changes are durable when a function returns, and a process that dies at any moment leaves the old or the new state.
 * Any number of threads and processes may use one keyring at once. A `struct keyring *` may be shared by threads.
 *
 * Errors: SEAL_E_NO_INPUT no keyring there · SEAL_E_DENIED permissions · SEAL_E_MASTER wrong or missing master key ·
 * SEAL_E_KEY_UNKNOWN no such key (names the nearest) · SEAL_E_KEY_FILE damaged file · SEAL_E_BUSY another process
 * holds the lock · SEAL_E_USAGE a name or number that cannot be.
 */
#ifndef KEYS_KEYRING_H
#define KEYS_KEYRING_H

#include "base/secret.h"
#include "keys/admin.h"
#include "keys/keyring_file.h"

struct keyring;

/* The key source of scheme "local". Its `open` is keyring_open. */
extern const struct key_source_ops keyring_source;
/* Its `admin`. */
extern const struct key_admin_ops keyring_admin;
/* Its `check`, for tables that must be constant. */
bool keyring_reference_check(struct seal_bytes reference, const char **why);

/* Opens DIR, or makes it where config->create says so. */
SEAL_MUST_USE enum seal_status keyring_open(const struct key_source_config *config, struct keyring **out,
					    struct seal_err *err);
void keyring_close(struct keyring *keyring);
/* The directory's path as given or found; belongs to the keyring. */
const char *keyring_path(const struct keyring *keyring);
/*
 * The path of the master key that keyring_open has just made, else NULL. Whoever sees it tells the user where it
 * lies, and that without a backup of it everything protected is lost.
 */
const char *keyring_master_made(const struct keyring *keyring);
/* The same keyring as a key source, as long as the keyring is open; and back. */
struct key_source *keyring_as_source(struct keyring *keyring);

struct keyring_version_info {
	uint32_t version;
	uint64_t created_ms; /* Unix time */
	uint64_t uses; /* encryptions; in steps of KEYRING_USES_BLOCK while processes run */
};

struct keyring_key_info {
	const char *name;
	const char *type;
	uint64_t created_ms;
	uint32_t latest_version;
	uint32_t min_decryption_version;
	uint32_t min_encryption_version; /* 0: the latest */
	uint64_t auto_rotate; /* uses; 0: never */
	bool deletion_allowed, exportable, imported, derived, convergent;
	bool counted; /* its encryptions are counted, and it can rotate itself */
	const struct keyring_version_info *versions; /* latest_version of them */
};

/* Encryptions that a process takes from a key's file at once. */
#define KEYRING_USES_BLOCK (UINT64_C(1) << 20)

/* The names of all keys, sorted, ended by NULL; in `arena`. Damaged files are listed, too. */
SEAL_MUST_USE enum seal_status keyring_names(struct keyring *keyring, struct arena *arena, const char *const **out,
					     size_t *n, struct seal_err *err);
/* What is known about a key; strings and versions in `arena`. */
SEAL_MUST_USE enum seal_status keyring_info(struct keyring *keyring, struct seal_bytes name, struct arena *arena,
					    struct keyring_key_info *out, struct seal_err *err);

/*
 * Makes version 1 with fresh material. SEAL_E_KEY_EXISTS, SEAL_E_KEY_TYPE (unknown type; names the nearest; or one that
 * cannot be derived).
 */
SEAL_MUST_USE enum seal_status keyring_create(struct keyring *keyring, struct seal_bytes name,
					      const struct key_admin_new *how, struct seal_err *err);
/* Adds a version with fresh material; *version (may be NULL) is its number. */
SEAL_MUST_USE enum seal_status keyring_rotate(struct keyring *keyring, struct seal_bytes name, uint32_t *version,
					      struct seal_err *err);

/*
 * Adds a version with material from elsewhere, making the key as `how` says when it is new. A key of imported
 * material does not rotate itself unless told to: the other side would not have the new version. SEAL_E_KEY_TYPE
 * when the key is of another type or kind, SEAL_E_DOMAIN when the length does not fit, SEAL_E_KEY_EXISTS when a version has
 * this material already.
 */
SEAL_MUST_USE enum seal_status keyring_import(struct keyring *keyring, struct seal_bytes name,
					      const struct key_admin_new *how, struct seal_bytes material,
					      uint32_t *version, struct seal_err *err);
/* The raw material of `version` (0: the latest). SEAL_E_DENIED unless the key is exportable; SEAL_E_KEY_VERSION,
 * SEAL_E_KEY_MINIMUM. *number (may be NULL) is the version. */
SEAL_MUST_USE enum seal_status keyring_export(struct keyring *keyring, struct seal_bytes name, uint32_t version,
					      struct secret *out, uint32_t *number, struct seal_err *err);

enum keyring_change_mask {
	KEYRING_SET_MIN_DECRYPTION = 1 << 0,
	KEYRING_SET_MIN_ENCRYPTION = 1 << 1,
	KEYRING_SET_DELETION_ALLOWED = 1 << 2,
	KEYRING_SET_AUTO_ROTATE = 1 << 3
};

struct keyring_change {
	unsigned mask; /* which members count */
	uint32_t min_decryption_version; /* 1 … latest */
	uint32_t min_encryption_version; /* 0: the latest; else minimum decryption … latest */
	bool deletion_allowed;
	uint64_t auto_rotate; /* uses, 1 … KEY_USES_MAX; 0: never; SEAL_E_KEY_TYPE for a key that is not counted */
};

SEAL_MUST_USE enum seal_status keyring_configure(struct keyring *keyring, struct seal_bytes name,
						 const struct keyring_change *change, struct seal_err *err);
/* Removes the key for good. SEAL_E_DENIED unless its deletion is allowed. */
SEAL_MUST_USE enum seal_status keyring_destroy(struct keyring *keyring, struct seal_bytes name, struct seal_err *err);

#endif
