/*
 * Making and changing keys. Every change is lock ▶ load ▶ edit ▶ store ▶ unlock (struct edit below), so that two
 * processes that rotate at once get two new versions.
 */
#include "keys/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "keys/keyring_dir.h"
#include "keys/keyring_impl.h"

#define TYPE_DEFAULT "aes256-gcm96"

struct edit {
	struct keyring_lock lock;
	struct key_file file;
};

#define EDIT_INIT                                                                                                    \
	{                                                                                                            \
		KEYRING_LOCK_INIT,                                                                                   \
		{                                                                                                    \
			0                                                                                            \
		}                                                                                                    \
	}

static enum seal_status edit_begin(const struct keyring *k, struct seal_bytes name, struct edit *edit,
				   struct seal_err *err)
{
	char text[KEY_NAME_MAX + 1];
	enum seal_status rc;

	SEAL_TRY(keyring_name(name, text, err));
	SEAL_TRY(keyring_lock(k->dirfd, k->path, UINT64_MAX, &edit->lock, err));
	SEAL_TRY(keyring_load(k, text, &edit->file, NULL, NULL, err));
out:
	return rc;
}

static void edit_end(struct edit *edit)
{
	key_file_clear(&edit->file);
	keyring_unlock(&edit->lock);
}

static enum seal_status check_derivation(const struct keyring_type *type, const struct key_admin_new *how,
					 struct seal_err *err)
{
	if (how->convergent && !how->derived)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "a convergent key must be derived, too: its nonces come from the context's key");
	if (how->derived && !(type->uses & KEY_ENCRYPT))
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "keys of type %s cannot be derived; only encryption keys can", type->name);
	return SEAL_OK;
}

static enum seal_status find_type(const struct key_admin_new *how, const struct keyring_type **out,
				  struct seal_err *err)
{
	struct seal_bytes name = bytes_str(how->type != NULL ? how->type : TYPE_DEFAULT);
	const char *nearest;

	*out = keyring_type_by_name(name);
	if (*out != NULL)
		return check_derivation(*out, how, err);
	nearest = word_nearest(keyring_type_names, name);
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "no key type %.*s; %s%s%s" KEYRING_TYPE_LIST,
		       BYTES_FMT(name), nearest ? "did you mean " : "", nearest ? nearest : "",
		       nearest ? "? There are " : "there are ");
}

/* A key file without versions, in memory. */
static void file_begin(struct key_file *file, const char *name, const struct keyring_type *type,
		       const struct key_admin_new *how)
{
	*file = (struct key_file){
		.type = type,
		.exportable = how->exportable,
		.derived = how->derived,
		.convergent = how->convergent,
		.created_ms = (uint64_t)clock_unix_ms(),
		.min_decryption_version = 1,
	};
	file->auto_rotate = key_file_counted(file) ? KEY_USES_ROTATE : 0;
	memcpy(file->name, name, strlen(name) + 1);
}

static enum seal_status add_version(const struct keyring *k, struct key_file *file, struct seal_bytes material,
				    struct seal_err *err)
{
	struct key_file_version *v;
	enum seal_status rc;

	SEAL_TRY(key_file_add_version(file, &v, err));
	v->created_ms = (uint64_t)clock_unix_ms();
	SEAL_TRY(keyring_wrap(&k->keys, file, file->n, material, err));
out:
	return rc;
}

enum seal_status keyring_add_fresh(const struct keyring *k, struct key_file *file, struct seal_err *err)
{
	struct secret material = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(secret_alloc(&material, file->type->fresh_len, err));
	SEAL_TRY(random_bytes(material.ptr, material.len, err));
	SEAL_TRY(add_version(k, file, secret_bytes(&material), err));
out:
	secret_clear(&material);
	return rc;
}

static bool key_exists(const struct keyring *k, const char *name)
{
	char file_name[KEY_FILE_NAME_MAX];

	keyring_file_name(name, file_name);
	return faccessat(k->dirfd, file_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum seal_status keyring_create(struct keyring *k, struct seal_bytes name, const struct key_admin_new *how,
				struct seal_err *err)
{
	const struct keyring_type *type;
	struct edit edit = EDIT_INIT;
	char text[KEY_NAME_MAX + 1];
	enum seal_status rc;

	SEAL_TRY(keyring_name(name, text, err));
	SEAL_TRY(find_type(how, &type, err));
	SEAL_TRY(keyring_lock(k->dirfd, k->path, UINT64_MAX, &edit.lock, err));
	if (key_exists(k, text)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			     "key %s is there already; `sealstream key rotate %s` gives it a new version", text,
			     text);
		goto out;
	}
	file_begin(&edit.file, text, type, how);
	SEAL_TRY(keyring_add_fresh(k, &edit.file, err));
	SEAL_TRY(keyring_store(k, &edit.file, err));
out:
	edit_end(&edit);
	return rc;
}

enum seal_status keyring_rotate(struct keyring *k, struct seal_bytes name, uint32_t *version, struct seal_err *err)
{
	struct edit edit = EDIT_INIT;
	enum seal_status rc;

	SEAL_TRY(edit_begin(k, name, &edit, err));
	SEAL_TRY(keyring_add_fresh(k, &edit.file, err));
	SEAL_TRY(keyring_store(k, &edit.file, err));
	if (version != NULL)
		*version = edit.file.n;
out:
	edit_end(&edit);
	return rc;
}

/* The same material twice would be two use counts for one key. */
static enum seal_status refuse_known(const struct keyring *k, const struct key_file *file, struct seal_bytes material,
				     struct seal_err *err)
{
	struct secret all = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(keyring_unwrap(&k->keys, file, 1, &all, err));
	for (uint32_t i = 0; i < file->n; i++) {
		if (file->versions[i].wrapped_len == material.len &&
		    ct_equal(all.ptr + (size_t)i * KEY_MATERIAL_MAX, material.ptr, material.len)) {
			rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
				     "version %u of key %s has this material already", i + 1, file->name);
			break;
		}
	}
out:
	secret_clear(&all);
	return rc;
}

static enum seal_status import_begin(const struct keyring *k, const char *name, const struct keyring_type *type,
				     const struct key_admin_new *how, struct seal_bytes material,
				     struct key_file *file, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (!key_exists(k, name)) {
		file_begin(file, name, type, how);
		file->auto_rotate = 0;
		return SEAL_OK;
	}
	SEAL_TRY(keyring_load(k, name, file, NULL, NULL, err));
	if (file->type != type) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "key %s has type %s, not %s; import under another name", name, file->type->name,
			     type->name);
		goto out;
	}
	if (file->derived != how->derived || file->convergent != how->convergent) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "key %s is %s; import under another name, or as the same kind", name,
			     key_kind_words(file->derived, file->convergent));
		goto out;
	}
	SEAL_TRY(refuse_known(k, file, material, err));
out:
	return rc;
}

enum seal_status keyring_import(struct keyring *k, struct seal_bytes name, const struct key_admin_new *how,
				struct seal_bytes material, uint32_t *version, struct seal_err *err)
{
	const struct keyring_type *type;
	struct edit edit = EDIT_INIT;
	char text[KEY_NAME_MAX + 1];
	enum seal_status rc;

	SEAL_TRY(keyring_name(name, text, err));
	SEAL_TRY(find_type(how, &type, err));
	if (!keyring_type_takes(type, material.len)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_DOMAIN,
			     "%zu bytes do not make a key of type %s; it takes %u%s%u raw bytes (not base64 or hex)",
			     material.len, type->name, type->min_len, type->step > 1 ? ", 24 or " : " to ",
			     type->max_len);
		goto out;
	}
	SEAL_TRY(keyring_lock(k->dirfd, k->path, UINT64_MAX, &edit.lock, err));
	SEAL_TRY(import_begin(k, text, type, how, material, &edit.file, err));
	edit.file.imported = true;
	SEAL_TRY(add_version(k, &edit.file, material, err));
	SEAL_TRY(keyring_store(k, &edit.file, err));
	if (version != NULL)
		*version = edit.file.n;
out:
	edit_end(&edit);
	return rc;
}

enum seal_status keyring_export(struct keyring *k, struct seal_bytes name, uint32_t version, struct secret *out,
				uint32_t *number, struct seal_err *err)
{
	struct secret all = SECRET_INIT;
	char text[KEY_NAME_MAX + 1];
	struct key_file file = {0};
	enum seal_status rc;

	SEAL_TRY(keyring_name(name, text, err));
	SEAL_TRY(keyring_load(k, text, &file, NULL, NULL, err));
	if (version == 0)
		version = file.n;
	if (!file.exportable)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "key %s is not exportable; that is decided when a key is made (--exportable)", text);
	else if (version > file.n)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_VERSION, "key %s has no version %u; its latest is %u", text,
			     version, file.n);
	else if (version < file.min_decryption_version)
		rc = err_set(err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			     "version %u of key %s is below its minimum decryption version %u", version, text,
			     file.min_decryption_version);
	if (rc != SEAL_OK)
		goto out;
	SEAL_TRY(keyring_unwrap(&k->keys, &file, version, &all, err));
	SEAL_TRY(secret_copy(out, bytes_of(all.ptr, file.versions[version - 1].wrapped_len), err));
	if (number != NULL)
		*number = version;
out:
	secret_clear(&all);
	key_file_clear(&file);
	return rc;
}

static enum seal_status check_minimums(const struct key_file *file, struct seal_err *err)
{
	uint32_t decryption = file->min_decryption_version, encryption = file->min_encryption_version;

	if (decryption < 1 || decryption > file->n)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "minimum decryption version %u of key %s is not one of its versions, 1 to %u",
			       decryption, file->name, file->n);
	if (encryption > file->n)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "minimum encryption version %u of key %s is not one of its versions, 1 to %u",
			       encryption, file->name, file->n);
	if (encryption != 0 && encryption < decryption)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"minimum encryption version %u of key %s would be below its minimum decryption version %u; "
			"raise it too, or set it to 0 for the latest",
			encryption, file->name, decryption);
	return SEAL_OK;
}

static enum seal_status check_auto_rotate(const struct key_file *file, struct seal_err *err)
{
	if (file->auto_rotate != 0 && !(file->type->uses & KEY_ENCRYPT))
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "key %s has type %s and cannot rotate itself: policies name its versions", file->name,
			       file->type->name);
	if (file->auto_rotate != 0 && file->convergent)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "key %s is convergent and cannot rotate itself: equal values would give other texts "
			       "from then on",
			       file->name);
	if (file->auto_rotate > KEY_USES_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "key %s can rotate itself after at most 4294967296 uses", file->name);
	return SEAL_OK;
}

enum seal_status keyring_configure(struct keyring *k, struct seal_bytes name, const struct keyring_change *change,
				   struct seal_err *err)
{
	struct edit edit = EDIT_INIT;
	struct key_file *file = &edit.file;
	enum seal_status rc;

	SEAL_TRY(edit_begin(k, name, &edit, err));
	if (change->mask & KEYRING_SET_MIN_DECRYPTION)
		file->min_decryption_version = change->min_decryption_version;
	if (change->mask & KEYRING_SET_MIN_ENCRYPTION)
		file->min_encryption_version = change->min_encryption_version;
	if (change->mask & KEYRING_SET_DELETION_ALLOWED)
		file->deletion_allowed = change->deletion_allowed;
	if (change->mask & KEYRING_SET_AUTO_ROTATE)
		file->auto_rotate = change->auto_rotate;
	SEAL_TRY(check_minimums(file, err));
	SEAL_TRY(check_auto_rotate(file, err));
	SEAL_TRY(keyring_store(k, file, err));
out:
	edit_end(&edit);
	return rc;
}

enum seal_status keyring_destroy(struct keyring *k, struct seal_bytes name, struct seal_err *err)
{
	char file_name[KEY_FILE_NAME_MAX];
	struct edit edit = EDIT_INIT;
	enum seal_status rc;

	SEAL_TRY(edit_begin(k, name, &edit, err));
	if (!edit.file.deletion_allowed) {
		rc = err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"key %s may not be deleted; `sealstream key config %s --deletion-allowed true` permits it",
			edit.file.name, edit.file.name);
		goto out;
	}
	keyring_file_name(edit.file.name, file_name);
	if (unlinkat(k->dirfd, file_name, 0) != 0 || fsync(k->dirfd) != 0)
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot remove %s/%s", k->path, file_name);
out:
	edit_end(&edit);
	return rc;
}

enum seal_status keyring_names(struct keyring *k, struct arena *arena, const char *const **out, size_t *n,
			       struct seal_err *err)
{
	return keyring_dir_names(k->dirfd, k->path, arena, out, n, err);
}

static enum seal_status fill_info(const struct key_file *file, struct arena *arena, struct keyring_key_info *out,
				  struct seal_err *err)
{
	struct keyring_version_info *versions =
		arena_alloc(arena, file->n * sizeof(*versions), _Alignof(struct keyring_version_info));
	const char *name = arena_strndup(arena, file->name, strlen(file->name));

	if (versions == NULL || name == NULL)
		return err_memory(err);
	for (uint32_t i = 0; i < file->n; i++) {
		versions[i].version = i + 1;
		versions[i].created_ms = file->versions[i].created_ms;
		versions[i].uses = file->versions[i].uses;
	}
	*out = (struct keyring_key_info){
		.name = name,
		.type = file->type->name,
		.created_ms = file->created_ms,
		.latest_version = file->n,
		.min_decryption_version = file->min_decryption_version,
		.min_encryption_version = file->min_encryption_version,
		.auto_rotate = file->auto_rotate,
		.deletion_allowed = file->deletion_allowed,
		.exportable = file->exportable,
		.imported = file->imported,
		.derived = file->derived,
		.convergent = file->convergent,
		.counted = key_file_counted(file),
		.versions = versions,
	};
	return SEAL_OK;
}

enum seal_status keyring_info(struct keyring *k, struct seal_bytes name, struct arena *arena,
			      struct keyring_key_info *out, struct seal_err *err)
{
	char text[KEY_NAME_MAX + 1];
	struct key_file file = {0};
	enum seal_status rc;

	SEAL_TRY(keyring_name(name, text, err));
	SEAL_TRY(keyring_load(k, text, &file, NULL, NULL, err));
	SEAL_TRY(fill_info(&file, arena, out, err));
out:
	key_file_clear(&file);
	return rc;
}
