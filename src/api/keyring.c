/* sealstream/keyring.h over keys/keyring.h. */
#include "sealstream/keyring.h"

#include "api/api.h"
#include "base/mem.h"
#include "keys/keyring.h"

#define ARENA_NONE 0 /* spare bytes kept */

_Static_assert(SEAL_KEY_NAME_MAX == KEY_NAME_MAX, "the public limit is the keyring's");
_Static_assert(SEAL_KEY_MATERIAL_MAX >= KEY_MATERIAL_MAX, "the public limit holds every key");

static struct keyring *inner(struct seal_keyring *keyring)
{
	return (struct keyring *)keyring;
}

enum seal_status seal_keyring_open(const struct seal_keyring_options *options, struct seal_keyring **out,
				   struct seal_err *err)
{
	struct key_source_config config;
	struct keyring *keyring = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(api_key_config(options, &config, err));
	SEAL_TRY(keyring_open(&config, &keyring, err));
	*out = (struct seal_keyring *)keyring;
out:
	return rc;
}

void seal_keyring_close(struct seal_keyring *keyring)
{
	keyring_close(inner(keyring));
}

const char *seal_keyring_path(const struct seal_keyring *keyring)
{
	return keyring_path((const struct keyring *)keyring);
}

const char *seal_keyring_master_made(const struct seal_keyring *keyring)
{
	return keyring_master_made((const struct keyring *)keyring);
}

enum seal_status seal_keyring_list(struct seal_keyring *keyring, void (*each)(void *arg, const char *name), void *arg,
				   struct seal_err *err)
{
	const char *const *names = NULL;
	struct arena arena;
	enum seal_status rc;
	size_t n = 0;

	arena_init(&arena, ARENA_NONE);
	SEAL_TRY(keyring_names(inner(keyring), &arena, &names, &n, err));
	for (size_t i = 0; i < n; i++)
		each(arg, names[i]);
out:
	arena_clear(&arena);
	return rc;
}

static void copy_text(char *to, size_t room, const char *from)
{
	size_t len = strlen(from);

	SEAL_INVARIANT(len < room);
	memcpy(to, from, len + 1);
}

enum seal_status seal_keyring_info(struct seal_keyring *keyring, const char *name, struct seal_key_info *info,
				   struct seal_err *err)
{
	struct seal_key_info known = {.size = sizeof(known)};
	struct keyring_key_info found;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, ARENA_NONE);
	SEAL_TRY(keyring_info(inner(keyring), bytes_str(name), &arena, &found, err));
	copy_text(known.name, sizeof(known.name), found.name);
	copy_text(known.type, sizeof(known.type), found.type);
	known.created_ms = found.created_ms;
	known.auto_rotate = found.auto_rotate;
	known.latest_version = found.latest_version;
	known.min_decryption_version = found.min_decryption_version;
	known.min_encryption_version = found.min_encryption_version;
	known.deletion_allowed = found.deletion_allowed;
	known.exportable = found.exportable;
	known.imported = found.imported;
	known.derived = found.derived;
	known.convergent = found.convergent;
out:
	api_write_struct(&known, sizeof(known), info);
	arena_clear(&arena);
	return rc;
}

enum seal_status seal_keyring_version(struct seal_keyring *keyring, const char *name, uint32_t version,
				      struct seal_key_version *info, struct seal_err *err)
{
	struct seal_key_version known = {.size = sizeof(known)};
	struct keyring_key_info found;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, ARENA_NONE);
	SEAL_TRY(keyring_info(inner(keyring), bytes_str(name), &arena, &found, err));
	if (version < 1 || version > found.latest_version) {
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_VERSION, "key '%s' has no version %u; its latest is %u", name,
			     (unsigned)version, (unsigned)found.latest_version);
		goto out;
	}
	known.version = version;
	known.created_ms = found.versions[version - 1].created_ms;
	known.uses = found.versions[version - 1].uses;
out:
	api_write_struct(&known, sizeof(known), info);
	arena_clear(&arena);
	return rc;
}

enum seal_status seal_keyring_create_key(struct seal_keyring *keyring, const char *name, const char *type,
					 bool exportable, struct seal_err *err)
{
	const struct key_admin_new how = {.type = type, .exportable = exportable};

	return keyring_create(inner(keyring), bytes_str(name), &how, err);
}

/* `how` borrows the options' strings. */
static enum seal_status read_key_options(const struct seal_key_options *options, struct key_admin_new *how,
					 struct seal_err *err)
{
	struct seal_key_options known;
	enum seal_status rc;

	SEAL_TRY(api_read_options(options, &known, sizeof(known), "struct seal_key_options", err));
	*how = (struct key_admin_new){.type = known.type,
				      .exportable = known.exportable,
				      .derived = known.derived || known.convergent,
				      .convergent = known.convergent};
out:
	return rc;
}

enum seal_status seal_keyring_create_key_with(struct seal_keyring *keyring, const char *name,
					      const struct seal_key_options *options, struct seal_err *err)
{
	struct key_admin_new how;
	enum seal_status rc;

	SEAL_TRY(read_key_options(options, &how, err));
	SEAL_TRY(keyring_create(inner(keyring), bytes_str(name), &how, err));
out:
	return rc;
}

enum seal_status seal_keyring_rotate(struct seal_keyring *keyring, const char *name, uint32_t *version,
				     struct seal_err *err)
{
	if (version != NULL)
		*version = 0;
	return keyring_rotate(inner(keyring), bytes_str(name), version, err);
}

enum seal_status seal_keyring_import(struct seal_keyring *keyring, const char *name, const char *type,
				     struct seal_bytes material, bool exportable, uint32_t *version,
				     struct seal_err *err)
{
	const struct key_admin_new how = {.type = type, .exportable = exportable};

	if (version != NULL)
		*version = 0;
	return keyring_import(inner(keyring), bytes_str(name), &how, material, version, err);
}

enum seal_status seal_keyring_import_with(struct seal_keyring *keyring, const char *name,
					  const struct seal_key_options *options, struct seal_bytes material,
					  uint32_t *version, struct seal_err *err)
{
	struct key_admin_new how;
	enum seal_status rc;

	if (version != NULL)
		*version = 0;
	SEAL_TRY(read_key_options(options, &how, err));
	SEAL_TRY(keyring_import(inner(keyring), bytes_str(name), &how, material, version, err));
out:
	return rc;
}

enum seal_status seal_keyring_export(struct seal_keyring *keyring, const char *name, uint32_t version, uint8_t *out,
				     size_t cap, size_t *len, struct seal_err *err)
{
	struct secret material = SECRET_INIT;
	enum seal_status rc;

	*len = 0;
	SEAL_TRY(keyring_export(inner(keyring), bytes_str(name), version, &material, NULL, err));
	if (material.len > cap) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "the key has %zu bytes, the buffer %zu", material.len,
			     cap);
		goto out;
	}
	memcpy(out, material.ptr, material.len);
	*len = material.len;
out:
	secret_clear(&material);
	return rc;
}

static enum seal_status configure(struct seal_keyring *keyring, const char *name, struct keyring_change change,
				  struct seal_err *err)
{
	return keyring_configure(inner(keyring), bytes_str(name), &change, err);
}

enum seal_status seal_keyring_set_min_decryption(struct seal_keyring *keyring, const char *name, uint32_t version,
						 struct seal_err *err)
{
	return configure(
		keyring, name,
		(struct keyring_change){.mask = KEYRING_SET_MIN_DECRYPTION, .min_decryption_version = version}, err);
}

enum seal_status seal_keyring_set_min_encryption(struct seal_keyring *keyring, const char *name, uint32_t version,
						 struct seal_err *err)
{
	return configure(
		keyring, name,
		(struct keyring_change){.mask = KEYRING_SET_MIN_ENCRYPTION, .min_encryption_version = version}, err);
}

enum seal_status seal_keyring_set_auto_rotate(struct seal_keyring *keyring, const char *name, uint64_t uses,
					      struct seal_err *err)
{
	return configure(keyring, name, (struct keyring_change){.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = uses},
			 err);
}

enum seal_status seal_keyring_set_deletion_allowed(struct seal_keyring *keyring, const char *name, bool allowed,
						   struct seal_err *err)
{
	return configure(keyring, name,
			 (struct keyring_change){.mask = KEYRING_SET_DELETION_ALLOWED, .deletion_allowed = allowed},
			 err);
}

enum seal_status seal_keyring_destroy_key(struct seal_keyring *keyring, const char *name, struct seal_err *err)
{
	return keyring_destroy(inner(keyring), bytes_str(name), err);
}
