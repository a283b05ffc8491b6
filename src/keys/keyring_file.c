/*
 * One key file, all integers big-endian:
 *
 *   "SEALKEY" format 1 | type 1 | flags 1 | name length 1 | name | created 8 | min decryption 4 | min encryption 4
 *   | auto rotate 8 | versions 4 | version … | HMAC-SHA-256 32
 *
 *   version: number 4 | created 8 | uses 8 | nonce 12 | length 1 | wrapped material | tag 16
 *
 * Format 2 is that of keys that format 1 does not have: types from 5 on, and derived ones. All others stay format 1, so
 * that older programs open them, and say of a new one that its format is not known to them.
 *
 * Invariant: what key_file_parse accepts, key_file_write makes again byte for byte.
 */
#include "keys/keyring_file.h"

#include "base/mem.h"

#define MAGIC "SEALKEY"
#define FORMAT_MAX 2
#define FORMAT_1_TYPES 4

enum {
	FLAG_DELETION_ALLOWED = 1,
	FLAG_EXPORTABLE = 2,
	FLAG_IMPORTED = 4,
	FLAG_DERIVED = 8,
	FLAG_CONVERGENT = 16,
	FLAGS_KNOWN = 31
};

/* The least a version takes, so that a lying count is refused before anything is allocated for it. */
#define VERSION_BYTES_MIN (4 + 8 + 8 + KEY_WRAP_NONCE_LEN + 1 + 16 + KEY_WRAP_TAG_LEN)

static bool name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

bool key_name_valid(struct seal_bytes name)
{
	if (name.len == 0 || name.len > KEY_NAME_MAX || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!name_char(name.ptr[i]))
			return false;
	return true;
}

static enum seal_status write_version(const struct key_file_version *v, uint32_t number, struct seal_buf *out,
				      struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_be32(out, number, err));
	SEAL_TRY(buf_append_be64(out, v->created_ms, err));
	SEAL_TRY(buf_append_be64(out, v->uses, err));
	SEAL_TRY(buf_append(out, bytes_of(v->nonce, sizeof(v->nonce)), err));
	SEAL_TRY(buf_append_u8(out, v->wrapped_len, err));
	SEAL_TRY(buf_append(out, bytes_of(v->wrapped, v->wrapped_len), err));
	SEAL_TRY(buf_append(out, bytes_of(v->tag, sizeof(v->tag)), err));
out:
	return rc;
}

static uint8_t format_of(const struct key_file *file)
{
	return file->type->id > FORMAT_1_TYPES || file->derived ? 2 : 1;
}

static uint8_t flags_of(const struct key_file *file)
{
	return (uint8_t)((file->deletion_allowed ? FLAG_DELETION_ALLOWED : 0) |
			 (file->exportable ? FLAG_EXPORTABLE : 0) | (file->imported ? FLAG_IMPORTED : 0) |
			 (file->derived ? FLAG_DERIVED : 0) | (file->convergent ? FLAG_CONVERGENT : 0));
}

enum seal_status key_file_write(const struct key_file *file, struct seal_buf *out, struct seal_err *err)
{
	struct seal_bytes name = bytes_str(file->name);
	enum seal_status rc;

	SEAL_INVARIANT(key_name_valid(name) && file->n >= 1 && file->n <= KEY_VERSIONS_MAX);
	SEAL_TRY(buf_append_str(out, MAGIC, err));
	SEAL_TRY(buf_append_u8(out, format_of(file), err));
	SEAL_TRY(buf_append_u8(out, file->type->id, err));
	SEAL_TRY(buf_append_u8(out, flags_of(file), err));
	SEAL_TRY(buf_append_u8(out, (uint8_t)name.len, err));
	SEAL_TRY(buf_append(out, name, err));
	SEAL_TRY(buf_append_be64(out, file->created_ms, err));
	SEAL_TRY(buf_append_be32(out, file->min_decryption_version, err));
	SEAL_TRY(buf_append_be32(out, file->min_encryption_version, err));
	SEAL_TRY(buf_append_be64(out, file->auto_rotate, err));
	SEAL_TRY(buf_append_be32(out, file->n, err));
	for (uint32_t i = 0; i < file->n; i++)
		SEAL_TRY(write_version(&file->versions[i], i + 1, out, err));
out:
	return rc;
}

static const char *parse_flags(uint8_t flags, struct key_file *file)
{
	if ((flags & ~FLAGS_KNOWN) != 0)
		return "it has unknown flags";
	file->deletion_allowed = flags & FLAG_DELETION_ALLOWED;
	file->exportable = flags & FLAG_EXPORTABLE;
	file->imported = flags & FLAG_IMPORTED;
	file->derived = flags & FLAG_DERIVED;
	file->convergent = flags & FLAG_CONVERGENT;
	if (file->derived && !(file->type->uses & KEY_ENCRYPT))
		return "its key type cannot be derived";
	if (file->convergent && !file->derived)
		return "it is convergent but not derived";
	return NULL;
}

/* Why a file is refused, or NULL: every step says what it missed. */
static const char *parse_head(struct cursor *c, uint8_t format, struct key_file *file)
{
	const char *why;
	struct seal_bytes name;
	uint8_t type, flags, name_len;

	if (!cursor_u8(c, &type) || !cursor_u8(c, &flags) || !cursor_u8(c, &name_len) ||
	    !cursor_take(c, name_len, &name) || !cursor_be64(c, &file->created_ms) ||
	    !cursor_be32(c, &file->min_decryption_version) || !cursor_be32(c, &file->min_encryption_version) ||
	    !cursor_be64(c, &file->auto_rotate) || !cursor_be32(c, &file->n))
		return "it ends too early";
	file->type = keyring_type_by_id(type);
	if (file->type == NULL)
		return "its key type is unknown";
	why = parse_flags(flags, file);
	if (why != NULL)
		return why;
	if (format_of(file) != format)
		return "its format does not fit its type and flags";
	if (!key_name_valid(name))
		return "its key name is not valid";
	memcpy(file->name, name.ptr, name.len);
	file->name[name.len] = '\0';
	if (file->n < 1 || file->n > KEY_VERSIONS_MAX || file->n > c->rest.len / VERSION_BYTES_MIN)
		return "its number of versions is impossible";
	if (file->min_decryption_version < 1 || file->min_decryption_version > file->n)
		return "its minimum decryption version is impossible";
	if (file->min_encryption_version != 0 &&
	    (file->min_encryption_version < file->min_decryption_version || file->min_encryption_version > file->n))
		return "its minimum encryption version is impossible";
	if (file->auto_rotate > KEY_USES_MAX)
		return "its rotation limit is impossible";
	return NULL;
}

static const char *parse_version(struct cursor *c, const struct keyring_type *type, uint32_t expected,
				 struct key_file_version *v)
{
	uint32_t number;

	if (!cursor_be32(c, &number) || !cursor_be64(c, &v->created_ms) || !cursor_be64(c, &v->uses) ||
	    !cursor_copy(c, v->nonce, sizeof(v->nonce)) || !cursor_u8(c, &v->wrapped_len))
		return "it ends too early";
	if (number != expected)
		return "its versions are out of order";
	if (v->uses > KEY_USES_MAX)
		return "its use count is impossible";
	if (!keyring_type_takes(type, v->wrapped_len))
		return "a version's length does not fit the key type";
	if (!cursor_copy(c, v->wrapped, v->wrapped_len) || !cursor_copy(c, v->tag, sizeof(v->tag)))
		return "it ends too early";
	return NULL;
}

static enum seal_status parse_format(struct cursor *c, uint8_t *format, struct seal_err *err)
{
	struct seal_bytes magic;

	if (!cursor_take(c, strlen(MAGIC), &magic) || !bytes_eq_str(magic, MAGIC) || !cursor_u8(c, format))
		return err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			       "not a key file; restore it from a backup of the keyring");
	if (*format < 1 || *format > FORMAT_MAX)
		return err_set(
			err, SEAL_DATA, SEAL_E_KEY_FILE,
			"key file format %u is not known here; use the sealstream that wrote it, or a newer one",
			*format);
	return SEAL_OK;
}

enum seal_status key_file_parse(struct seal_bytes in, struct key_file *file, struct seal_bytes *signed_part,
				struct seal_bytes *mac, struct seal_err *err)
{
	struct cursor c = {in};
	const char *why;
	enum seal_status rc;
	uint8_t format;

	memset(file, 0, sizeof(*file));
	SEAL_TRY(parse_format(&c, &format, err));
	why = parse_head(&c, format, file);
	if (why == NULL) {
		file->versions = mem_calloc(file->n, sizeof(*file->versions));
		if (file->versions == NULL) {
			rc = err_memory(err);
			goto out;
		}
	}
	for (uint32_t i = 0; why == NULL && i < file->n; i++)
		why = parse_version(&c, file->type, i + 1, &file->versions[i]);
	if (why == NULL && !cursor_take(&c, KEY_FILE_MAC_LEN, mac))
		why = "it ends too early";
	if (why == NULL && c.rest.len != 0)
		why = "something follows its end";
	if (why != NULL) {
		rc = err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			     "the key file is damaged (%s); restore it from a backup of the keyring", why);
		goto out;
	}
	*signed_part = bytes_of(in.ptr, in.len - KEY_FILE_MAC_LEN);
out:
	if (rc != SEAL_OK)
		key_file_clear(file);
	return rc;
}

enum seal_status key_file_add_version(struct key_file *file, struct key_file_version **out, struct seal_err *err)
{
	struct key_file_version *grown;

	if (file->n >= KEY_VERSIONS_MAX)
		return err_set(err, SEAL_DENIED, SEAL_E_LIMIT,
			       "key %s has %d versions, the most a key can have; move to a new key", file->name,
			       KEY_VERSIONS_MAX);
	grown = mem_realloc_array(file->versions, file->n + 1, sizeof(*grown));
	if (grown == NULL)
		return err_memory(err);
	file->versions = grown;
	*out = &grown[file->n++];
	memset(*out, 0, sizeof(**out));
	return SEAL_OK;
}

void key_file_clear(struct key_file *file)
{
	mem_free(file->versions);
	memset(file, 0, sizeof(*file));
}
