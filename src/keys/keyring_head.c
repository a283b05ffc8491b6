/*
 * keyring.head, all integers big-endian:
 *
 *   "SEALRNG" 01 | id 16 | created 8 | kdf 1 | log2 N 1 | r 4 | p 4 | salt 32 | check 32 | SHA-256 of all before 32
 *
 * The plain hash tells damage from a wrong master key: only when it fits does the check value mean anything.
 */
#include "keys/keyring_head.h"

#include "crypto/mac.h"

#define MAGIC "SEALRNG"
#define FORMAT 1

void keyring_head_checked(const struct keyring_head *head, uint8_t out[KEYRING_HEAD_CHECKED])
{
	memcpy(out, MAGIC, 7);
	out[7] = FORMAT;
	memcpy(out + 8, head->id, KEYRING_ID_LEN);
	be64_store(out + 24, head->created_ms);
	out[32] = (uint8_t)head->kdf;
	out[33] = head->log2_n;
	be32_store(out + 34, head->r);
	be32_store(out + 38, head->p);
	memcpy(out + 42, head->salt, KEYRING_SALT_LEN);
}

enum seal_status keyring_head_write(const struct keyring_head *head, uint8_t out[KEYRING_HEAD_LEN],
				    struct seal_err *err)
{
	keyring_head_checked(head, out);
	memcpy(out + KEYRING_HEAD_CHECKED, head->check, KEYRING_CHECK_LEN);
	return sha256(bytes_of(out, KEYRING_HEAD_LEN - SHA256_LEN), out + KEYRING_HEAD_LEN - SHA256_LEN, err);
}

static bool parameters_fit(const struct keyring_head *head)
{
	if (head->kdf == KEYRING_RAW)
		return head->log2_n == 0 && head->r == 0 && head->p == 0;
	return head->kdf == KEYRING_SCRYPT && head->log2_n >= SCRYPT_LOG2_N_MIN &&
	       head->log2_n <= SCRYPT_LOG2_N_MAX && head->r >= 1 && head->r <= SCRYPT_R_MAX && head->p >= 1 &&
	       head->p <= SCRYPT_P_MAX;
}

enum seal_status keyring_head_parse(struct seal_bytes in, struct keyring_head *head, struct seal_err *err)
{
	uint8_t sum[SHA256_LEN];
	enum seal_status rc;

	memset(head, 0, sizeof(*head));
	if (in.len < 8 || memcmp(in.ptr, MAGIC, 7) != 0)
		return err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			       "not the head of a keyring; restore it from a backup of the keyring");
	if (in.ptr[7] != FORMAT)
		return err_set(
			err, SEAL_DATA, SEAL_E_KEY_FILE,
			"keyring format %u is not known here; use the sealstream that wrote it, or a newer one",
			in.ptr[7]);
	if (in.len != KEYRING_HEAD_LEN)
		return err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			       "the keyring's head is damaged (%zu bytes, not %d); restore it from a backup", in.len,
			       KEYRING_HEAD_LEN);
	rc = sha256(bytes_of(in.ptr, KEYRING_HEAD_LEN - SHA256_LEN), sum, err);
	if (rc != SEAL_OK)
		return rc;
	memcpy(head->id, in.ptr + 8, KEYRING_ID_LEN);
	head->created_ms = be64_load(in.ptr + 24);
	head->kdf = in.ptr[32];
	head->log2_n = in.ptr[33];
	head->r = be32_load(in.ptr + 34);
	head->p = be32_load(in.ptr + 38);
	memcpy(head->salt, in.ptr + 42, KEYRING_SALT_LEN);
	memcpy(head->check, in.ptr + KEYRING_HEAD_CHECKED, KEYRING_CHECK_LEN);
	if (memcmp(sum, in.ptr + KEYRING_HEAD_LEN - SHA256_LEN, SHA256_LEN) != 0 || !parameters_fit(head))
		return err_set(err, SEAL_DATA, SEAL_E_KEY_FILE,
			       "the keyring's head is damaged; restore it from a backup of the keyring");
	return SEAL_OK;
}
