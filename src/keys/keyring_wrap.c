/*
 * From master key to key material:
 *
 *   master key ── HKDF-SHA-256, salt = keyring id ──▶ wrap │ authenticate │ check
 *   wrap          AES-256-GCM, fresh nonce, associated data = label, key name, type, version
 *   authenticate  HMAC-SHA-256 over a key file
 *   check         HMAC-SHA-256 over the keyring's head
 *
 * Invariant: wrapped material opens in one place only: this keyring, this key's name, its type and its version.
 */
#include "keys/keyring_wrap.h"

#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/random.h"

#define DERIVE_INFO "sealstream keyring 1 keys"
#define WRAP_LABEL "sealstream keyring 1 material"
#define PART 32
#define AAD_MAX (4 + sizeof(WRAP_LABEL) + 4 + KEY_NAME_MAX + 1 + 4)

_Static_assert(KEY_WRAP_NONCE_LEN == AEAD_NONCE_LEN && KEY_WRAP_TAG_LEN == AEAD_TAG_LEN, "wrapping is AES-GCM");
_Static_assert(KEY_FILE_MAC_LEN == SHA256_LEN && KEYRING_CHECK_LEN == SHA256_LEN, "codes are HMAC-SHA-256");

static struct seal_bytes part(const struct keyring_keys *keys, size_t i)
{
	return bytes_of(keys->all.ptr + i * PART, PART);
}

enum seal_status keyring_keys_derive(struct seal_bytes master, const uint8_t id[KEYRING_ID_LEN],
				     struct keyring_keys *out, struct seal_err *err)
{
	return hkdf_sha256(master, bytes_of(id, KEYRING_ID_LEN), BYTES_LIT(DERIVE_INFO), 3 * PART, &out->all, err);
}

void keyring_keys_clear(struct keyring_keys *keys)
{
	secret_clear(&keys->all);
}

static enum seal_status mac_once(struct seal_bytes key, struct seal_bytes bytes, uint8_t out[SHA256_LEN],
				 struct seal_err *err)
{
	struct hmac_item item = {.in = bytes, .out = out};
	struct hmac *hmac = NULL;
	enum seal_status rc;

	SEAL_TRY(hmac_new(key, &hmac, err));
	SEAL_TRY(hmac_many(hmac, &item, 1, err));
out:
	hmac_free(hmac);
	return rc;
}

enum seal_status keyring_check_value(const struct keyring_keys *keys, const struct keyring_head *head,
				     uint8_t out[KEYRING_CHECK_LEN], struct seal_err *err)
{
	uint8_t bytes[KEYRING_HEAD_CHECKED];

	keyring_head_checked(head, bytes);
	return mac_once(part(keys, 2), bytes_of(bytes, sizeof(bytes)), out, err);
}

enum seal_status keyring_file_mac(const struct keyring_keys *keys, struct seal_bytes bytes,
				  uint8_t out[KEY_FILE_MAC_LEN], struct seal_err *err)
{
	return mac_once(part(keys, 1), bytes, out, err);
}

/* label and name length-prefixed, so that no two places have the same associated data. */
static struct seal_bytes wrap_aad(const struct key_file *file, uint32_t number, uint8_t out[AAD_MAX])
{
	size_t label = strlen(WRAP_LABEL), name = strlen(file->name);
	uint8_t *p = out;

	be32_store(p, (uint32_t)label);
	memcpy(p + 4, WRAP_LABEL, label);
	p += 4 + label;
	be32_store(p, (uint32_t)name);
	memcpy(p + 4, file->name, name);
	p += 4 + name;
	*p++ = file->type->id;
	be32_store(p, number);
	return bytes_of(out, (size_t)(p + 4 - out));
}

enum seal_status keyring_wrap(const struct keyring_keys *keys, struct key_file *file, uint32_t number,
			      struct seal_bytes material, struct seal_err *err)
{
	struct key_file_version *v = &file->versions[number - 1];
	uint8_t aad[AAD_MAX];
	struct aead_item item = {
		.nonce = v->nonce,
		.aad = wrap_aad(file, number, aad),
		.in = material,
		.out = v->wrapped,
		.tag = v->tag,
	};
	struct aead *aead = NULL;
	enum seal_status rc;

	SEAL_INVARIANT(keyring_type_takes(file->type, material.len));
	SEAL_TRY(random_bytes(v->nonce, sizeof(v->nonce), err));
	SEAL_TRY(aead_new(part(keys, 0), &aead, err));
	SEAL_TRY(aead_seal_many(aead, &item, 1, err));
	v->wrapped_len = (uint8_t)material.len;
out:
	aead_free(aead);
	return rc;
}

static enum seal_status unwrap_one(struct aead *aead, const struct key_file *file, uint32_t number, uint8_t *out,
				   struct seal_err *err)
{
	const struct key_file_version *v = &file->versions[number - 1];
	uint8_t aad[AAD_MAX], tag[KEY_WRAP_TAG_LEN];
	struct aead_item item = {
		.nonce = v->nonce,
		.aad = wrap_aad(file, number, aad),
		.in = bytes_of(v->wrapped, v->wrapped_len),
		.out = out,
		.tag = tag,
	};
	enum seal_status rc;

	memcpy(tag, v->tag, sizeof(tag));
	rc = aead_open_many(aead, &item, 1, err);
	if (rc == SEAL_OK && !item.ok)
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "version %u of key %s does not open; restore its file from a backup of this keyring",
			     number, file->name);
	return rc;
}

enum seal_status keyring_unwrap(const struct keyring_keys *keys, const struct key_file *file, uint32_t first,
				struct secret *out, struct seal_err *err)
{
	struct aead *aead = NULL;
	enum seal_status rc;

	SEAL_INVARIANT(first >= 1 && first <= file->n);
	SEAL_TRY(secret_alloc(out, (size_t)(file->n - first + 1) * KEY_MATERIAL_MAX, err));
	SEAL_TRY(aead_new(part(keys, 0), &aead, err));
	for (uint32_t number = first; number <= file->n; number++)
		SEAL_TRY(unwrap_one(aead, file, number, out->ptr + (size_t)(number - first) * KEY_MATERIAL_MAX, err));
out:
	aead_free(aead);
	if (rc != SEAL_OK)
		secret_clear(out);
	return rc;
}
