/*
 * The bytes of `keyring.head`: which keyring this is and how its master key is found (docs/FORMAT-keyring.md).
 * Nothing in it is secret.
 */
#ifndef KEYS_KEYRING_HEAD_H
#define KEYS_KEYRING_HEAD_H

#include "base/buf.h"

#define KEYRING_ID_LEN 16
#define KEYRING_SALT_LEN 32
#define KEYRING_CHECK_LEN 32
#define KEYRING_HEAD_LEN 138
#define KEYRING_HEAD_CHECKED 74 /* bytes that the check value covers */

/* RFC 7914; the ceilings keep a damaged head from asking for memory or time without end. */
#define SCRYPT_LOG2_N_MIN 10
#define SCRYPT_LOG2_N_MAX 20
#define SCRYPT_R_MAX 16
#define SCRYPT_P_MAX 16

enum keyring_kdf { KEYRING_RAW = 0, KEYRING_SCRYPT = 1 };

struct keyring_head {
	uint8_t id[KEYRING_ID_LEN];
	uint64_t created_ms;
	enum keyring_kdf kdf;
	uint8_t log2_n; /* these four are 0 for KEYRING_RAW */
	uint32_t r, p;
	uint8_t salt[KEYRING_SALT_LEN];
	uint8_t check[KEYRING_CHECK_LEN]; /* HMAC of the first KEYRING_HEAD_CHECKED bytes: tells a wrong master key */
};

/* Writes the bytes that the check value covers. */
void keyring_head_checked(const struct keyring_head *head, uint8_t out[KEYRING_HEAD_CHECKED]);
SEAL_MUST_USE enum seal_status keyring_head_write(const struct keyring_head *head, uint8_t out[KEYRING_HEAD_LEN],
						  struct seal_err *err);
/* SEAL_DATA/SEAL_E_KEY_FILE when damaged. */
SEAL_MUST_USE enum seal_status keyring_head_parse(struct seal_bytes in, struct keyring_head *head,
						  struct seal_err *err);

#endif
