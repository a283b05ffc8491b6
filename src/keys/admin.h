/*
 * Managing keys, the same for every store: what the `key` commands do. `reference` is what stands after "scheme:". All of
 * it may block on a disk or a server; `deadline_ms` bounds the latter.
 */
#ifndef KEYS_ADMIN_H
#define KEYS_ADMIN_H

#include "keys/key.h"

#define KEY_ADMIN_NAME_MAX 192
#define KEY_ADMIN_TYPE_MAX 32
#define KEY_ADMIN_MATERIAL_MAX 512 /* bytes of the longest key that any store has (Transit's HMAC) */

#define KEY_ADMIN_USES_UNKNOWN UINT64_MAX

struct key_admin_version {
	uint32_t version;
	uint64_t created_ms; /* Unix time; 0: not known */
	uint64_t uses; /* KEY_ADMIN_USES_UNKNOWN where the store does not count */
};

struct key_admin_info {
	char name[KEY_ADMIN_NAME_MAX]; /* as in a reference: "pii", "transit/pii" */
	char type[KEY_ADMIN_TYPE_MAX];
	uint64_t created_ms;
	uint64_t auto_rotate; /* uses (`counted`) or seconds; 0: never */
	uint32_t latest_version, min_decryption_version;
	uint32_t min_encryption_version; /* 0: the latest */
	bool derived, convergent, deletion_allowed, exportable, imported;
	bool counted; /* uses are counted, and auto_rotate is in uses */
	struct key_admin_version *versions; /* in the arena of the call, ascending */
	size_t n_versions;
};

struct key_admin_new {
	const char *type; /* NULL, for `create` alone: the store's default, aes256-gcm96 */
	bool derived, convergent, exportable;
};

/* For messages: "key pii is … ". */
static inline const char *key_kind_words(bool derived, bool convergent)
{
	return convergent ? "convergent" : derived ? "derived" : "neither derived nor convergent";
}

enum key_admin_change_mask {
	KEY_SET_MIN_DECRYPTION = 1 << 0,
	KEY_SET_MIN_ENCRYPTION = 1 << 1,
	KEY_SET_DELETION_ALLOWED = 1 << 2,
	KEY_SET_AUTO_ROTATE = 1 << 3,
	KEY_SET_EXPORTABLE = 1 << 4 /* one way: a key that was exportable stays so */
};

struct key_admin_change {
	unsigned mask; /* which members count */
	uint32_t min_decryption_version, min_encryption_version;
	bool deletion_allowed, exportable;
	uint64_t auto_rotate;
};

struct key_admin {
	struct key_source *source;
	struct arena *arena; /* for results */
	uint64_t deadline_ms;
	bool hmac_key; /* export: the HMAC key that goes with a version (Transit has one each), not the version itself */
};

/* Members that a store has no way for are NULL. Codes as in keyring.h: SEAL_E_KEY_UNKNOWN, SEAL_E_KEY_EXISTS … */
struct key_admin_ops {
	size_t size;
	const char *place; /* what `where` names, as a word: "keyring", "server" */
	/* The directory or address; belongs to the source. */
	const char *(*where)(struct key_source *source);
	/* The path of a master key that opening has just made and that must be backed up; NULL: none. May be NULL. */
	const char *(*made)(struct key_source *source);
	enum seal_status (*create)(const struct key_admin *on, struct seal_bytes reference,
				   const struct key_admin_new *how, struct seal_err *err);
	enum seal_status (*show)(const struct key_admin *on, struct seal_bytes reference, struct key_admin_info *out,
				 struct seal_err *err);
	/* All names as in references, sorted, ended by NULL. `under`: a mount ("transit"); empty where there is one place. */
	enum seal_status (*list)(const struct key_admin *on, struct seal_bytes under, const char *const **out,
				 size_t *n, struct seal_err *err);
	enum seal_status (*rotate)(const struct key_admin *on, struct seal_bytes reference, uint32_t *version,
				   struct seal_err *err);
	enum seal_status (*configure)(const struct key_admin *on, struct seal_bytes reference,
				      const struct key_admin_change *change, struct seal_err *err);
	enum seal_status (*destroy)(const struct key_admin *on, struct seal_bytes reference, struct seal_err *err);
	/* The raw material of one version (0: the latest), its number in *number (may be NULL). SEAL_E_DENIED unless the key is exportable. */
	enum seal_status (*export)(const struct key_admin *on, struct seal_bytes reference, uint32_t version,
				   struct secret *out, uint32_t *number, struct seal_err *err);
	/*
	 * Makes a key with all its versions at once, for stores that cannot import it (`import` says so). On its way the
	 * material is protected by the connection alone. SEAL_E_KEY_EXISTS.
	 */
	enum seal_status (*restore)(const struct key_admin *on, struct seal_bytes reference,
				    const struct key_admin_new *how, const struct secret *versions, size_t n,
				    struct seal_err *err);
	/* The next version of `reference`, which is made as `how` says where it is not there yet. */
	enum seal_status (*import)(const struct key_admin *on, struct seal_bytes reference,
				   const struct key_admin_new *how, struct seal_bytes material, uint32_t *version,
				   struct seal_err *err);
};

#endif
