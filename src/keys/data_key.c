/*
 * Data keys: derivation once, then immutable. The 32 bytes that the KEK gave are not kept: all that is secret here is the
 * cipher key, in a slot of locked memory. The rest (commitment, wrapped form) is public and lies on the heap.
 */
#include "keys/data_key.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/secret_slot.h"
#include "crypto/mac.h"

#define INFO_ENCRYPT "sealstream data key v1 encrypt"
#define INFO_COMMIT "sealstream data key v1 commit"

_Static_assert(DATA_KEY_LEN == SECRET_SLOT_LEN, "a cipher key fills a slot");

struct data_key {
	atomic_uint refs;
	struct secret_slot cipher_key;
	uint8_t commitment[DATA_KEY_COMMITMENT_LEN];
	size_t wrapped_len;
	uint8_t wrapped[];
};

static enum seal_status check_lengths(struct seal_bytes raw, struct seal_bytes wrapped, struct seal_err *err)
{
	if (raw.len != DATA_KEY_LEN)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "what was wrapped as a data key has %zu bytes instead of %d; it is something else",
			       raw.len, DATA_KEY_LEN);
	if (wrapped.len > DATA_KEY_WRAPPED_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "a wrapped data key of %zu bytes; at most %d are accepted", wrapped.len,
			       DATA_KEY_WRAPPED_MAX);
	return SEAL_OK;
}

enum seal_status data_key_new(struct seal_bytes raw, struct seal_bytes wrapped, struct data_key **out,
			      struct seal_err *err)
{
	struct data_key *key = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(check_lengths(raw, wrapped, err));
	key = mem_calloc(1, sizeof(*key) + wrapped.len);
	if (key == NULL) {
		rc = err_memory(err);
		goto out;
	}
	atomic_init(&key->refs, 1);
	key->wrapped_len = wrapped.len;
	if (wrapped.len > 0)
		memcpy(key->wrapped, wrapped.ptr, wrapped.len);
	SEAL_TRY(secret_slot_alloc(&key->cipher_key, err));
	SEAL_TRY(hkdf_sha256_into(raw, BYTES_EMPTY, BYTES_LIT(INFO_ENCRYPT), key->cipher_key.ptr, DATA_KEY_LEN, err));
	SEAL_TRY(hkdf_sha256_into(raw, BYTES_EMPTY, BYTES_LIT(INFO_COMMIT), key->commitment, sizeof(key->commitment),
				  err));
	*out = key;
	key = NULL;
out:
	data_key_unref(key);
	return rc;
}

struct data_key *data_key_ref(struct data_key *key)
{
	atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void data_key_unref(struct data_key *key)
{
	if (key == NULL || atomic_fetch_sub(&key->refs, 1) != 1)
		return;
	secret_slot_clear(&key->cipher_key);
	mem_free(key);
}

struct seal_bytes data_key_cipher_key(const struct data_key *key)
{
	return bytes_of(key->cipher_key.ptr, DATA_KEY_LEN);
}

const uint8_t *data_key_commitment(const struct data_key *key)
{
	return key->commitment;
}

struct seal_bytes data_key_wrapped(const struct data_key *key)
{
	return bytes_of(key->wrapped, key->wrapped_len);
}

bool data_key_has(const struct data_key *key, const uint8_t *commitment)
{
	return ct_equal(key->commitment, commitment, DATA_KEY_COMMITMENT_LEN);
}

enum seal_status data_key_mismatch(struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
		       "the data key is not the one that this value was protected under: the value was changed");
}
