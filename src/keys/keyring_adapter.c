/* The keyring as a managed store: keys/admin.h over keyring.h. */
#include "keys/keyring.h"

#include "base/mem.h"

static struct keyring *ring(const struct key_admin *on)
{
	return (struct keyring *)on->source;
}

static enum seal_status adapt_create(const struct key_admin *on, struct seal_bytes reference,
				     const struct key_admin_new *how, struct seal_err *err)
{
	return keyring_create(ring(on), reference, how, err);
}

static enum seal_status copy_versions(const struct keyring_key_info *from, struct arena *arena,
				      struct key_admin_info *out, struct seal_err *err)
{
	out->n_versions = from->latest_version;
	out->versions =
		arena_alloc(arena, out->n_versions * sizeof(*out->versions), _Alignof(struct key_admin_version));
	if (out->versions == NULL)
		return err_memory(err);
	for (size_t i = 0; i < out->n_versions; i++)
		out->versions[i] = (struct key_admin_version){
			.version = from->versions[i].version,
			.created_ms = from->versions[i].created_ms,
			.uses = from->versions[i].uses,
		};
	return SEAL_OK;
}

static enum seal_status adapt_show(const struct key_admin *on, struct seal_bytes reference,
				   struct key_admin_info *out, struct seal_err *err)
{
	struct keyring_key_info info;
	enum seal_status rc;

	SEAL_TRY(keyring_info(ring(on), reference, on->arena, &info, err));
	*out = (struct key_admin_info){
		.created_ms = info.created_ms,
		.auto_rotate = info.auto_rotate,
		.latest_version = info.latest_version,
		.min_decryption_version = info.min_decryption_version,
		.min_encryption_version = info.min_encryption_version,
		.derived = info.derived,
		.convergent = info.convergent,
		.deletion_allowed = info.deletion_allowed,
		.exportable = info.exportable,
		.imported = info.imported,
		.counted = info.counted,
	};
	snprintf(out->name, sizeof(out->name), "%s", info.name);
	snprintf(out->type, sizeof(out->type), "%s", info.type);
	SEAL_TRY(copy_versions(&info, on->arena, out, err));
out:
	return rc;
}

static enum seal_status adapt_list(const struct key_admin *on, struct seal_bytes under, const char *const **out,
				   size_t *n, struct seal_err *err)
{
	if (under.len > 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "a keyring has no folders; list it without a name after the colon");
	return keyring_names(ring(on), on->arena, out, n, err);
}

static enum seal_status adapt_rotate(const struct key_admin *on, struct seal_bytes reference, uint32_t *version,
				     struct seal_err *err)
{
	return keyring_rotate(ring(on), reference, version, err);
}

static enum seal_status adapt_configure(const struct key_admin *on, struct seal_bytes reference,
					const struct key_admin_change *change, struct seal_err *err)
{
	struct keyring_change c = {
		.min_decryption_version = change->min_decryption_version,
		.min_encryption_version = change->min_encryption_version,
		.deletion_allowed = change->deletion_allowed,
		.auto_rotate = change->auto_rotate,
	};

	if (change->mask & KEY_SET_EXPORTABLE)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"whether a key of the keyring is exportable is decided when it is made (--exportable)");
	c.mask = (change->mask & KEY_SET_MIN_DECRYPTION ? KEYRING_SET_MIN_DECRYPTION : 0) |
		 (change->mask & KEY_SET_MIN_ENCRYPTION ? KEYRING_SET_MIN_ENCRYPTION : 0) |
		 (change->mask & KEY_SET_DELETION_ALLOWED ? KEYRING_SET_DELETION_ALLOWED : 0) |
		 (change->mask & KEY_SET_AUTO_ROTATE ? KEYRING_SET_AUTO_ROTATE : 0);
	return keyring_configure(ring(on), reference, &c, err);
}

static enum seal_status adapt_destroy(const struct key_admin *on, struct seal_bytes reference, struct seal_err *err)
{
	return keyring_destroy(ring(on), reference, err);
}

static enum seal_status adapt_export(const struct key_admin *on, struct seal_bytes reference, uint32_t version,
				     struct secret *out, uint32_t *number, struct seal_err *err)
{
	if (on->hmac_key)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "keys of the keyring have no HMAC key beside them; hash under a key of type hmac");
	return keyring_export(ring(on), reference, version, out, number, err);
}

static enum seal_status adapt_import(const struct key_admin *on, struct seal_bytes reference,
				     const struct key_admin_new *how, struct seal_bytes material, uint32_t *version,
				     struct seal_err *err)
{
	return keyring_import(ring(on), reference, how, material, version, err);
}

static const char *adapt_where(struct key_source *source)
{
	return keyring_path((struct keyring *)source);
}

static const char *adapt_made(struct key_source *source)
{
	return keyring_master_made((struct keyring *)source);
}

const struct key_admin_ops keyring_admin = {
	.size = sizeof(keyring_admin),
	.place = "keyring",
	.where = adapt_where,
	.made = adapt_made,
	.create = adapt_create,
	.show = adapt_show,
	.list = adapt_list,
	.rotate = adapt_rotate,
	.configure = adapt_configure,
	.destroy = adapt_destroy,
	.export = adapt_export,
	.import = adapt_import,
};
