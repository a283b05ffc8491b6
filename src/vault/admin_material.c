/*
 * Material of Transit's keys, out and in.
 *
 *   export   GET export/encryption-key/NAME/VERSION ──base64──▶ secret memory; every other copy of it is wiped
 *   import   GET wrapping_key ──▶ RSA-OAEP and AES-KWP here ──▶ POST keys/NAME/import, or import_version
 *            ──▶ read again, and proved: a text of each side opens on the other
 *
 * What goes to the server is wrapped for it alone; what comes from it is protected by TLS only, as Transit gives it.
 */
#include "vault/admin.h"

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/key_wrap.h"
#include "keys/keyring_type.h"
#include "keys/proof.h"

#define BLOB_MAX 8192
#define PLACE_MAX 64

/* Whether `version` (0: the latest) can be exported, and which one that is. */
static enum seal_status check_export(const struct vault_admin_at *at, const struct key_admin_info *info,
				     uint32_t *version, struct seal_err *err)
{
	if (*version == 0)
		*version = info->latest_version;
	if (!info->exportable)
		return err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"key %s is not exportable; `sealstream key config vault:%s --exportable true` makes it "
			"so, for good",
			at->name, at->name);
	if (*version > info->latest_version)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_VERSION, "key %s has no version %u; its latest is %u",
			       at->name, *version, info->latest_version);
	if (*version < info->min_decryption_version)
		return err_set(err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			       "version %u of key %s is below its minimum decryption version %u", *version, at->name,
			       info->min_decryption_version);
	if (at->foreign != NULL && !at->on->hmac_key)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "key %s would not agree with its copy: %s", at->name,
			       at->foreign);
	if (keyring_type_by_name(bytes_str(info->type)) == NULL && !at->on->hmac_key)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "key %s has type %s, which is of no use here; symmetric keys are exported only",
			       at->name, info->type);
	return SEAL_OK;
}

static enum seal_status take_material(const struct vault_admin_at *at, const json_t *data, uint32_t version,
				      struct secret *out, struct seal_err *err)
{
	struct secret raw = SECRET_INIT;
	char number[16];
	struct seal_bytes text;
	const json_t *value;
	enum seal_status rc;
	size_t len = 0;

	snprintf(number, sizeof(number), "%u", version);
	value = json_object_get(json_object_get(data, "keys"), number);
	text = json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value)) : BYTES_EMPTY;
	if (json_is_string(value) && text.len == 0) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "%s exports nothing for version %u of key %s, as Vault does for HMAC keys that were "
			     "imported; "
			     "copy it from where it came",
			     vault_client_name(at->source->client), version, at->name);
		goto out;
	}
	SEAL_TRY(secret_alloc(&raw, BASE64_RAW_MAX(BASE64_LEN(KEY_ADMIN_MATERIAL_MAX)), err));
	if (text.len == 0 || text.len > BASE64_LEN(KEY_ADMIN_MATERIAL_MAX) || !base64_decode(text, raw.ptr, &len) ||
	    len == 0) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
			     "what %s gives as version %u of key %s is no key material; is something in between?",
			     vault_client_name(at->source->client), version, at->name);
		goto out;
	}
	SEAL_TRY(secret_copy(out, bytes_of(raw.ptr, len), err));
out:
	secret_clear(&raw);
	return rc;
}

enum seal_status vault_admin_export(const struct key_admin *on, struct seal_bytes reference, uint32_t version,
				    struct secret *out, uint32_t *number, struct seal_err *err)
{
	struct vault_admin_at at;
	struct key_admin_info info;
	char after[16];
	json_t *data = NULL;
	enum seal_status rc;
	bool hmac;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	SEAL_TRY(check_export(&at, &info, &version, err));
	hmac = on->hmac_key || strcmp(info.type, "hmac") == 0;
	snprintf(after, sizeof(after), "%u", version);
	SEAL_TRY(vault_admin_ask(&at, "GET", hmac ? "export/hmac-key" : "export/encryption-key", true, after, NULL,
				 &data, err));
	SEAL_TRY(take_material(&at, data, version, out, err));
	if (number != NULL)
		*number = version;
out:
	vault_json_free(data);
	vault_admin_end(&at);
	return rc;
}

static enum seal_status check_import(const struct key_admin_new *how, struct seal_bytes material,
				     const struct keyring_type **type, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(vault_admin_takes(how, err));
	if (how->derived) {
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			"Transit imports no convergent keys, and gives derived ones its old KDF, so that texts would "
			"not agree; copy the key from there instead, or once and whole with `key copy --unwrapped` "
			"(see its help)");
		goto out;
	}
	*type = keyring_type_by_name(bytes_str(how->type));
	if (*type == NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "no key type %s; there are " KEYRING_TYPE_LIST,
			     how->type);
	else if (!keyring_type_takes(*type, material.len))
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_DOMAIN,
			"%zu bytes do not make a key of type %s; it takes %u to %u raw bytes (not base64 or hex)",
			material.len, how->type, (*type)->min_len, (*type)->max_len);
out:
	return rc;
}

/* base64 of what wraps the material for this mount; NUL-terminated, in the arena. */
static enum seal_status wrap(struct vault_admin_at *at, struct seal_bytes material, const char **out,
			     struct seal_err *err)
{
	struct seal_buf blob = BUF_INIT(BLOB_MAX);
	const char *pem;
	json_t *data = NULL;
	enum seal_status rc;
	char *text;

	SEAL_TRY(vault_admin_ask(at, "GET", "wrapping_key", false, NULL, NULL, &data, err));
	pem = json_string_value(json_object_get(data, "public_key"));
	rc = key_wrap_for(bytes_str(pem != NULL ? pem : ""), material, &blob, err);
	if (rc != SEAL_OK) {
		err_prefix(err, "the wrapping key of %s", vault_client_name(at->source->client));
		goto out;
	}
	text = arena_alloc(at->on->arena, BASE64_LEN(blob.len) + 1, 1);
	if (text == NULL) {
		rc = err_memory(err);
		goto out;
	}
	text[base64_encode(buf_bytes(&blob), text)] = '\0';
	*out = text;
out:
	vault_json_free(data);
	buf_clear(&blob);
	return rc;
}

/* The same material twice would be two versions that nobody can tell apart. */
static enum seal_status refuse_known(const struct vault_admin_at *at, const struct key_admin_info *info,
				     const struct key_admin_new *how, struct seal_bytes reference,
				     struct seal_bytes material, struct seal_err *err)
{
	struct key_material known = {how->type, how->derived, how->convergent, 0, material};

	for (known.version = info->min_decryption_version; known.version <= info->latest_version; known.version++) {
		struct seal_err failure = SEAL_ERR_INIT;
		enum seal_status rc = key_prove(at->on->source, reference, &known, at->on->deadline_ms, &failure);

		if (rc == SEAL_OK)
			return err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
				       "version %u of key %s has this material already", known.version, at->name);
		if (failure.code != SEAL_E_KEY_EXISTS) {
			if (err != NULL)
				*err = failure;
			return rc;
		}
	}
	return SEAL_OK;
}

static enum seal_status send(struct vault_admin_at *at, const struct key_admin_info *info,
			     const struct key_admin_new *how, const char *blob, struct seal_err *err)
{
	const bool fresh = info->latest_version == 0;
	json_t *body = fresh ? json_pack("{s:s,s:s,s:s,s:b,s:b,s:b}", "ciphertext", blob, "hash_function", "SHA256",
					 "type", how->type, "allow_rotation", true, "derived", how->derived,
					 "exportable", how->exportable)
			     : json_pack("{s:s,s:s}", "ciphertext", blob, "hash_function", "SHA256");

	if (body == NULL)
		return err_memory(err);
	return vault_admin_ask(at, "POST", "keys", true, fresh ? "import" : "import_version", body, NULL, err);
}

/* What is there: info->latest_version 0 when nothing is. */
static enum seal_status look(struct vault_admin_at *at, const struct key_admin_new *how, struct key_admin_info *info,
			     struct seal_err *err)
{
	struct seal_err failure = SEAL_ERR_INIT;
	enum seal_status rc = vault_admin_read(at, info, &failure);

	if (rc == SEAL_USAGE && failure.code == SEAL_E_KEY_UNKNOWN) {
		*info = (struct key_admin_info){.latest_version = 0};
		return SEAL_OK;
	}
	if (rc != SEAL_OK) {
		if (err != NULL)
			*err = failure;
		return rc;
	}
	if (!info->imported)
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			"key %s was made by Transit, or rotated there, and takes no material from elsewhere; use "
			"another name",
			at->name);
	return vault_admin_check(at, info, how, err);
}

enum seal_status vault_admin_import(const struct key_admin *on, struct seal_bytes reference,
				    const struct key_admin_new *how, struct seal_bytes material, uint32_t *version,
				    struct seal_err *err)
{
	struct key_material proof = {how->type, how->derived, how->convergent, 0, material};
	const struct keyring_type *type;
	struct key_admin_info info;
	const char *blob = NULL;
	struct vault_admin_at at;
	enum seal_status rc;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(check_import(how, material, &type, err));
	SEAL_TRY(look(&at, how, &info, err));
	if (info.latest_version > 0)
		SEAL_TRY(refuse_known(&at, &info, how, reference, material, err));
	SEAL_TRY(wrap(&at, material, &blob, err));
	SEAL_TRY(send(&at, &info, how, blob, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	SEAL_TRY(vault_admin_check(&at, &info, how, err));
	proof.version = info.latest_version;
	rc = key_prove(on->source, reference, &proof, on->deadline_ms, err);
	if (rc != SEAL_OK) {
		err_prefix(err, "key %s was imported, but not proved to be the same", at.name);
		goto out;
	}
	if (version != NULL)
		*version = info.latest_version;
out:
	vault_admin_end(&at);
	return rc;
}
