/*
 * Derived keys into Transit, by its `restore`: import gives them the old KDF (measured with Vault 1.13; OpenBao has the
 * same code) and refuses convergent ones, so they would not agree with the keyring.
 *
 *   {"policy":{…,"keys":{"1":V}},"archived_keys":{"keys":[{},V]}}    V: key, hmac_key, times, convergent version
 *        └──base64──▶ POST restore/NAME {"backup": …} ──▶ read again
 *
 * The HMAC keys that Transit keeps beside each version are made up here. Everything that holds material is wiped.
 */
#include "json/string.h"
#include "vault/admin.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "keys/keyring_type.h"

#define BACKUP_MAX ((size_t)700 << 10)
#define HMAC_KEY_LEN 32

/* The number of a type in backups; -1: none, or one that Vault and OpenBao number differently. */
static int type_number(const char *type)
{
	static const struct {
		const char *name;
		int number;
	} numbers[] = {{"aes256-gcm96", 0}, {"chacha20-poly1305", 5}, {"aes128-gcm96", 8}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(type, numbers[i].name) == 0)
			return numbers[i].number;
	return -1;
}

struct backup {
	const struct key_admin_new *how;
	const struct secret *versions;
	size_t n;
	uint8_t *hmac_keys; /* HMAC_KEY_LEN each */
	char time[32];
	long long seconds;
};

static enum seal_status append_version(struct seal_buf *out, const struct backup *b, size_t i, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "{\"key\":", err));
	SEAL_TRY(json_base64_append(out, secret_bytes(&b->versions[i]), err));
	SEAL_TRY(buf_append_str(out, ",\"hmac_key\":", err));
	SEAL_TRY(json_base64_append(out, bytes_of(b->hmac_keys + i * HMAC_KEY_LEN, HMAC_KEY_LEN), err));
	SEAL_TRY(buf_printf(out, err, ",\"time\":\"%s\",\"creation_time\":%lld,\"convergent_version\":%d}", b->time,
			    b->seconds, b->how->convergent ? 3 : 0));
out:
	return rc;
}

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

static enum seal_status write_backup(struct seal_buf *out, const struct backup *b, struct seal_bytes name,
				     struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err,
			    "{\"policy\":{\"name\":\"%.*s\",\"type\":%d,\"derived\":%s,\"kdf\":1,"
			    "\"convergent_encryption\":%s,\"convergent_version\":%d,\"exportable\":%s,"
			    "\"min_decryption_version\":1,\"min_encryption_version\":0,\"latest_version\":%zu,"
			    "\"archive_version\":%zu,\"archive_min_version\":0,\"min_available_version\":0,"
			    "\"deletion_allowed\":false,\"allow_plaintext_backup\":false,\"auto_rotate_period\":0,"
			    "\"backup_info\":null,\"restore_info\":null,\"keys\":{",
			    (int)name.len, (const char *)name.ptr, type_number(b->how->type),
			    json_bool(b->how->derived), json_bool(b->how->convergent), b->how->convergent ? -1 : 0,
			    json_bool(b->how->exportable), b->n, b->n));
	for (size_t i = 0; i < b->n; i++) {
		SEAL_TRY(buf_printf(out, err, "%s\"%zu\":", i > 0 ? "," : "", i + 1));
		SEAL_TRY(append_version(out, b, i, err));
	}
	SEAL_TRY(buf_append_str(out, "}},\"archived_keys\":{\"keys\":[{}", err));
	for (size_t i = 0; i < b->n; i++) {
		SEAL_TRY(buf_append_u8(out, ',', err));
		SEAL_TRY(append_version(out, b, i, err));
	}
	SEAL_TRY(buf_append_str(out, "]}}", err));
out:
	return rc;
}

static enum seal_status send(struct vault_admin_at *at, struct seal_bytes backup, struct seal_err *err)
{
	const size_t len = BASE64_LEN(backup.len);
	char *text = mem_alloc(len + 1);
	json_t *body = NULL;

	if (text != NULL) {
		base64_encode(backup, text);
		body = json_pack("{s:s%}", "backup", text, len);
		mem_wipe(text, len);
	}
	mem_free(text);
	if (body == NULL)
		return err_memory(err);
	return vault_admin_ask(at, "POST", "restore", true, NULL, body, NULL, err);
}

static enum seal_status check(const struct key_admin_new *how, const struct secret *versions, size_t n,
			      struct seal_err *err)
{
	const struct keyring_type *type = keyring_type_by_name(bytes_str(how->type));
	enum seal_status rc;

	SEAL_TRY(vault_admin_takes(how, err));
	if (type == NULL || type_number(how->type) < 0) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "keys of type %s cannot be restored: Vault and OpenBao give it different numbers; make "
			     "the key "
			     "there and copy it here",
			     how->type);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		SEAL_INVARIANT(keyring_type_takes(type, versions[i].len));
out:
	return rc;
}

enum seal_status vault_admin_restore(const struct key_admin *on, struct seal_bytes reference,
				     const struct key_admin_new *how, const struct secret *versions, size_t n,
				     struct seal_err *err)
{
	struct backup b = {.how = how, .versions = versions, .n = n, .seconds = clock_unix_ms() / 1000};
	struct seal_buf text = BUF_INIT(BACKUP_MAX);
	struct secret hmac_keys = SECRET_INIT;
	time_t now = (time_t)b.seconds;
	struct key_admin_info info;
	struct vault_admin_at at;
	enum seal_status rc;
	struct tm tm;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(check(how, versions, n, err));
	SEAL_TRY(vault_admin_refuse_existing(&at, err));
	SEAL_TRY(secret_alloc(&hmac_keys, n * HMAC_KEY_LEN, err));
	SEAL_TRY(random_bytes(hmac_keys.ptr, hmac_keys.len, err));
	b.hmac_keys = hmac_keys.ptr;
	SEAL_INVARIANT(gmtime_r(&now, &tm) != NULL);
	strftime(b.time, sizeof(b.time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	SEAL_TRY(write_backup(&text, &b, at.reference.name, err));
	SEAL_TRY(send(&at, buf_bytes(&text), err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	SEAL_TRY(vault_admin_check(&at, &info, how, err));
out:
	secret_clear(&hmac_keys);
	buf_clear(&text);
	vault_admin_end(&at);
	return rc;
}
