/*
 * The embedded keyring: keys in a directory, wrapped under a master key. Its semantics are those of Vault's Transit
 * engine: keys have versions, rotation adds one, old ones decrypt until the minimum is raised.
 *
 * Any number of threads and processes may use one keyring at once. Changes are durable when a function returns; a
 * process that dies at any moment leaves the old or the new state. Key names are 1 to 64 letters, digits, '.', '_'
 * or '-', no dot first. See seal.h for what holds for every function.
 *
 * Errors of all functions that touch the directory: SEAL_E_DENIED (permissions), SEAL_E_IO, SEAL_E_BUSY (another
 * process holds the lock), SEAL_E_KEY_FILE (a damaged file), SEAL_E_KEY_UNKNOWN (no such key), SEAL_E_MASTER (the
 * master key does not open it), SEAL_E_MEMORY.
 */
#ifndef SEALSTREAM_KEYRING_H
#define SEALSTREAM_KEYRING_H

#include "sealstream/seal.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEAL_KEY_NAME_MAX 64
#define SEAL_KEY_TYPE_MAX 31
#define SEAL_KEY_MATERIAL_MAX 64 /* bytes of the longest key */

/* An open keyring. */
struct seal_keyring;

/*
 * Where a keyring lies and how its master key is found. Zero it, set `size`, and what is known. Where `dir` is NULL,
 * $SEALSTREAM_MASTER_KEY_FILE or $SEALSTREAM_PASSPHRASE_FILE count, too, unless a file is named here.
 */
struct seal_keyring_options {
	size_t size; /* sizeof(struct seal_keyring_options) */
	const char *dir; /* NULL: $SEALSTREAM_KEYRING, else sealstream/keyring under $XDG_DATA_HOME */
	const char
		*master_key_file; /* 32 raw bytes; NULL: the one inside the keyring, unless passphrase_file is set */
	const char *passphrase_file; /* a passphrase, for scrypt; NULL: none */
	bool create; /* make keyring and master key when they are not there yet */
};

/* What is known about a key. Set `size` before the call. */
struct seal_key_info {
	size_t size; /* sizeof(struct seal_key_info) */
	char name[SEAL_KEY_NAME_MAX + 1];
	char type[SEAL_KEY_TYPE_MAX + 1]; /* see seal_keyring_create_key */
	uint64_t created_ms; /* Unix time */
	uint64_t auto_rotate; /* encryptions after which the key rotates itself; 0: never */
	uint32_t latest_version;
	uint32_t min_decryption_version;
	uint32_t min_encryption_version; /* 0: the latest */
	bool deletion_allowed;
	bool exportable;
	bool imported; /* at least one version's material came from elsewhere */
	bool derived, convergent; /* see struct seal_key_options */
};

/* How a key is made. Zero it, set `size`, and what is not the default. */
struct seal_key_options {
	size_t size; /* sizeof(struct seal_key_options) */
	const char *type; /* see seal_keyring_create_key; NULL: "aes256-gcm96" */
	bool exportable; /* seal_keyring_export gives its material; cannot be changed later */
	/*
	 * An encryption key that makes another one of each place that a policy binds to. What it encrypts must be bound
	 * (any `bind` but none).
	 */
	bool derived;
	/* Equal values bound to the same get equal texts: they can be joined and looked up, and show that they are equal.
	 * The key is derived, too. */
	bool convergent;
};

/* What is known about one version of a key. Set `size` before the call. */
struct seal_key_version {
	size_t size; /* sizeof(struct seal_key_version) */
	uint64_t created_ms; /* Unix time */
	uint64_t uses; /* encryptions so far, rounded up to the block that a process reserved */
	uint32_t version;
};

/*
 * Opens a keyring; `options` may be NULL for all defaults. *out is the caller's, to be closed with seal_keyring_close;
 * NULL on failure. SEAL_E_NO_INPUT when there is none and options->create is false.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_open(const struct seal_keyring_options *options,
							  struct seal_keyring **out, struct seal_err *err);

/* Closes it. NULL is fine. */
SEAL_API void seal_keyring_close(struct seal_keyring *keyring);

/* The directory. Belongs to the keyring. */
SEAL_API const char *seal_keyring_path(const struct seal_keyring *keyring);

/*
 * The path of the master key that seal_keyring_open has just made, else NULL. Tell the user where it lies and to back
 * it up: without it everything that was protected is lost. Belongs to the keyring.
 */
SEAL_API const char *seal_keyring_master_made(const struct seal_keyring *keyring);

/* Calls `each` with `arg` for the name of every key, sorted. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_list(struct seal_keyring *keyring,
							  void (*each)(void *arg, const char *name), void *arg,
							  struct seal_err *err);

/* Fills *info; all but `size` is zero on failure. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_info(struct seal_keyring *keyring, const char *name,
							  struct seal_key_info *info, struct seal_err *err);

/* Fills *info for one version, from 1. SEAL_E_KEY_VERSION when there is none. All but `size` is zero on failure. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_version(struct seal_keyring *keyring, const char *name,
							     uint32_t version, struct seal_key_version *info,
							     struct seal_err *err);

/*
 * Makes a key of `type` ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "ff1", "hmac") with
 * a fresh version 1. `exportable` cannot be changed later. SEAL_E_KEY_EXISTS, SEAL_E_KEY_TYPE.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_create_key(struct seal_keyring *keyring, const char *name,
								const char *type, bool exportable,
								struct seal_err *err);

/*
 * The same as `options` say; NULL is all defaults. SEAL_E_KEY_TYPE, too, when a key of that type cannot be derived.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_create_key_with(struct seal_keyring *keyring, const char *name,
								     const struct seal_key_options *options,
								     struct seal_err *err);

/* Adds a fresh version; *version (may be NULL) is its number, 0 on failure. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_rotate(struct seal_keyring *keyring, const char *name,
							    uint32_t *version, struct seal_err *err);

/*
 * Adds a version whose material comes from elsewhere: raw bytes, as many as `type` asks for. Makes the key when it is
 * new; `exportable` counts only then. *version (may be NULL) is its number, 0 on failure. SEAL_E_KEY_TYPE when the
 * key has another type, SEAL_E_DOMAIN when the length is wrong, SEAL_E_KEY_EXISTS when a version has it already.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_import(struct seal_keyring *keyring, const char *name,
							    const char *type, struct seal_bytes material,
							    bool exportable, uint32_t *version, struct seal_err *err);

/* The same as `options` say; a key that is there already must be of the same type, derived and convergent as they. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_import_with(struct seal_keyring *keyring, const char *name,
								 const struct seal_key_options *options,
								 struct seal_bytes material, uint32_t *version,
								 struct seal_err *err);

/*
 * Writes the raw material of `version` (0: the latest) to `out`, which has room for `cap` bytes
 * (SEAL_KEY_MATERIAL_MAX is always enough), and its length to *len (0 on failure). The caller wipes it. SEAL_E_DENIED
 * unless the key is exportable, SEAL_E_KEY_VERSION, SEAL_E_KEY_MINIMUM, SEAL_E_LIMIT when `cap` is too small.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_export(struct seal_keyring *keyring, const char *name,
							    uint32_t version, uint8_t *out, size_t cap, size_t *len,
							    struct seal_err *err);

/* Versions below `version` decrypt no more. SEAL_E_USAGE when out of range. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_set_min_decryption(struct seal_keyring *keyring,
									const char *name, uint32_t version,
									struct seal_err *err);

/* Which version encrypts at least; 0: always the latest. SEAL_E_USAGE when out of range. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_set_min_encryption(struct seal_keyring *keyring,
									const char *name, uint32_t version,
									struct seal_err *err);

/* After how many encryptions the key rotates itself, at most 2^32; 0: never. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_set_auto_rotate(struct seal_keyring *keyring, const char *name,
								     uint64_t uses, struct seal_err *err);

/* Whether seal_keyring_destroy_key may remove it. */
SEAL_API SEAL_MUST_USE enum seal_status
seal_keyring_set_deletion_allowed(struct seal_keyring *keyring, const char *name, bool allowed, struct seal_err *err);

/* Removes a key for good; what it protected is lost. SEAL_E_DENIED unless its deletion is allowed. */
SEAL_API SEAL_MUST_USE enum seal_status seal_keyring_destroy_key(struct seal_keyring *keyring, const char *name,
								 struct seal_err *err);

#ifdef __cplusplus
}
#endif
#endif
