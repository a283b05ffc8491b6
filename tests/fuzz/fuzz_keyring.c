/*
 * What the keyring parses: a key file, the keyring's head, an encrypted text. Each input is tried as all three. What is
 * accepted is written again byte for byte; material that nobody wrapped never opens.
 */
#include "crypto/mac.h"
#include "fuzz.h"
#include "keys/keyring_head.h"
#include "keys/keyring_text.h"
#include "keys/keyring_wrap.h"

#define VERSIONS_UNWRAPPED 8

static void unwrap(struct key_file *file)
{
	static const uint8_t master[32] = {1}, id[KEYRING_ID_LEN] = {2};
	struct keyring_keys keys = KEYRING_KEYS_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	struct secret material = SECRET_INIT;

	if (file->n > VERSIONS_UNWRAPPED)
		return;
	CHECK(keyring_keys_derive(bytes_of(master, sizeof(master)), id, &keys, NULL) == SEAL_OK);
	CHECK(keyring_unwrap(&keys, file, file->min_decryption_version, &material, &err) == SEAL_DATA);
	CHECK(err.code == SEAL_E_KEY_FILE && material.ptr == NULL);
	keyring_keys_clear(&keys);
}

static void as_key_file(struct seal_bytes in)
{
	struct seal_buf again = BUF_INIT(KEY_FILE_BYTES_MAX);
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes signed_part, mac;
	struct key_file file;

	if (key_file_parse(in, &file, &signed_part, &mac, &err) != SEAL_OK) {
		CHECK(err.status == SEAL_DATA && err.code == SEAL_E_KEY_FILE);
		CHECK(file.versions == NULL && file.n == 0);
		return;
	}
	CHECK(file.n >= 1 && file.n <= KEY_VERSIONS_MAX && key_name_valid(bytes_str(file.name)));
	CHECK(file.min_decryption_version >= 1 && file.min_decryption_version <= file.n);
	CHECK(signed_part.len + mac.len == in.len && mac.len == KEY_FILE_MAC_LEN);
	CHECK(!file.convergent || file.derived);
	CHECK(!file.derived || (file.type->uses & KEY_ENCRYPT));
	CHECK((in.ptr[7] == 2) == (file.derived || file.type->id > 4));
	CHECK(key_file_write(&file, &again, NULL) == SEAL_OK);
	CHECK(bytes_eq(buf_bytes(&again), signed_part));
	unwrap(&file);
	buf_clear(&again);
	key_file_clear(&file);
}

/* The hash is made good, so that the fuzzer gets past it. */
static void as_head(struct seal_bytes in)
{
	uint8_t copy[KEYRING_HEAD_LEN], again[KEYRING_HEAD_LEN];
	struct seal_err err = SEAL_ERR_INIT;
	struct keyring_head head;

	if (in.len != KEYRING_HEAD_LEN) {
		CHECK(keyring_head_parse(in, &head, &err) == SEAL_DATA && err.code == SEAL_E_KEY_FILE);
		return;
	}
	memcpy(copy, in.ptr, sizeof(copy));
	CHECK(sha256(bytes_of(copy, sizeof(copy) - SHA256_LEN), copy + sizeof(copy) - SHA256_LEN, NULL) == SEAL_OK);
	if (keyring_head_parse(bytes_of(copy, sizeof(copy)), &head, &err) != SEAL_OK) {
		CHECK(err.status == SEAL_DATA && err.code == SEAL_E_KEY_FILE);
		return;
	}
	CHECK(head.log2_n <= SCRYPT_LOG2_N_MAX && head.r <= SCRYPT_R_MAX && head.p <= SCRYPT_P_MAX);
	CHECK(keyring_head_write(&head, again, NULL) == SEAL_OK);
	CHECK(memcmp(again, copy, sizeof(copy)) == 0);
}

static void as_text(struct seal_bytes in)
{
	char prefix[TEXT_PREFIX_MAX];
	struct seal_bytes base64;
	uint32_t version;
	size_t len;

	if (text_split(in, &version, &base64) != TEXT_FINE)
		return;
	len = text_prefix(version, prefix);
	CHECK(version >= 1 && len + base64.len == in.len);
	CHECK(memcmp(prefix, in.ptr, len) == 0 && base64.ptr == in.ptr + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_bytes in = bytes_of(data, size);

	as_key_file(in);
	as_head(in);
	as_text(in);
	return 0;
}
