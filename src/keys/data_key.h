/*
 * A data key: 32 random bytes that a key encryption key (KEK) wraps, and what is derived of them. It encrypts at local speed;
 * its wrapped form travels with the data or waits in a store.
 *
 *   32 bytes ─┬─ HKDF-SHA-256, info "sealstream data key v1 encrypt" ──▶ the AES-256-GCM key (in locked memory)
 *             └─ HKDF-SHA-256, info "sealstream data key v1 commit"  ──▶ the commitment (public)
 *
 * The commitment (32 bytes) stands in every envelope and is compared before anything is decrypted: GCM alone would let
 * somebody who knows two keys make one ciphertext that opens under both. It also names the key.
 *
 * Immutable once made, counted, shared by threads.
 */
#ifndef KEYS_DATA_KEY_H
#define KEYS_DATA_KEY_H

#include "base/err.h"
#include "base/secret.h"

#define DATA_KEY_LEN 32
#define DATA_KEY_COMMITMENT_LEN 32
#define DATA_KEY_WRAPPED_MAX 4096 /* bytes of a wrapped form that readers accept */

struct data_key;

/*
 * Of `raw`: DATA_KEY_LEN bytes, else SEAL_DATA/SEAL_E_SYNTAX. `wrapped` is copied and may be empty; SEAL_E_LIMIT past
 * DATA_KEY_WRAPPED_MAX.
 */
SEAL_MUST_USE enum seal_status data_key_new(struct seal_bytes raw, struct seal_bytes wrapped, struct data_key **out,
					    struct seal_err *err);
struct data_key *data_key_ref(struct data_key *key);
void data_key_unref(struct data_key *key); /* accepts NULL; the last one wipes it */

struct seal_bytes data_key_cipher_key(const struct data_key *key); /* 32 bytes, for aead_new */
const uint8_t *data_key_commitment(const struct data_key *key); /* DATA_KEY_COMMITMENT_LEN bytes */
struct seal_bytes data_key_wrapped(const struct data_key *key); /* text "vault:vN:…" */
/* Is `commitment` (DATA_KEY_COMMITMENT_LEN bytes) this key's? In constant time. */
bool data_key_has(const struct data_key *key, const uint8_t *commitment);
/* Why a value whose commitment is another one cannot be opened: SEAL_DATA/SEAL_E_TAMPERED. */
enum seal_status data_key_mismatch(struct seal_err *err);

#endif
