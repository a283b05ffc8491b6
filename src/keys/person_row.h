/*
 * What stands in a store's rows for people's keys, written and parsed. Lengths in bytes; all rows start with a kind.
 *
 *   space "people", key: person's id 16
 *     live        1 │ store key's id 16 │ sealed 60 │ commitment 32
 *     forgotten   2 │ when 8 (ms since 1970)
 *   space "keys", key: scope's id 16 │ 'k' │ store key's id 16
 *     store key   3 │ commitment 32 │ wrapped form, 1 … DATA_KEY_WRAPPED_MAX
 *   space "keys", key: scope's id 16 │ 'p'
 *     pepper      4 │ store key's id 16 │ sealed 60
 *   space "keys", key: scope's id 16 │ 'c'
 *     current     5 │ store key's id 16 │ uses 8
 *
 * A store key's id is the start of its commitment. Sealed: nonce 12 │ 32 bytes │ tag 16, AES-256-GCM under the store key; the
 * associated data says what it is and whose, so that no row can stand in for another.
 */
#ifndef KEYS_PERSON_ROW_H
#define KEYS_PERSON_ROW_H

#include "crypto/aead.h"
#include "keys/data_key.h"

#define PEOPLE_SPACE "people"
#define STORE_KEYS_SPACE "keys"

#define ROW_ID_LEN 16
#define ROW_SECRET_LEN 32
#define ROW_SEALED_LEN (AEAD_NONCE_LEN + ROW_SECRET_LEN + AEAD_TAG_LEN)

#define ROW_LIVE_LEN (1 + ROW_ID_LEN + ROW_SEALED_LEN + DATA_KEY_COMMITMENT_LEN)
#define ROW_FORGOTTEN_LEN (1 + 8)
#define ROW_STORE_KEY_MAX (1 + DATA_KEY_COMMITMENT_LEN + DATA_KEY_WRAPPED_MAX)
#define ROW_PEPPER_LEN (1 + ROW_ID_LEN + ROW_SEALED_LEN)
#define ROW_CURRENT_LEN (1 + ROW_ID_LEN + 8)

enum row_kind { ROW_BAD, ROW_LIVE, ROW_FORGOTTEN, ROW_STORE_KEY, ROW_PEPPER, ROW_CURRENT };

/* Views of a row's parts; those that its kind does not have are NULL or 0. */
struct row {
	enum row_kind kind; /* ROW_BAD: none of ours */
	const uint8_t *store_key; /* ROW_ID_LEN bytes */
	const uint8_t *sealed; /* ROW_SEALED_LEN bytes */
	const uint8_t *commitment; /* DATA_KEY_COMMITMENT_LEN bytes */
	struct seal_bytes wrapped;
	uint64_t number; /* when, or uses */
};

struct row row_parse(struct seal_bytes bytes);
/* The same for a row that may be anybody's: its key must be of its kind, too. */
struct row row_look(const char *space, struct seal_bytes key, struct seal_bytes value);
/* Writes a row of row->kind; `out` has room for the kind's length, which is returned. */
size_t row_write(const struct row *row, uint8_t *out);

/* What a secret is sealed for. */
struct row_owner {
	const uint8_t *scope; /* ROW_ID_LEN bytes */
	const uint8_t *person; /* ROW_ID_LEN bytes; NULL: it is the pepper */
};

/* Seals ROW_SECRET_LEN bytes into ROW_SEALED_LEN. */
SEAL_MUST_USE enum seal_status row_seal(struct aead *aead, const struct row_owner *owner, const uint8_t *secret,
					uint8_t *sealed, struct seal_err *err);
/* The reverse, into secret memory; SEAL_DATA/SEAL_E_TAMPERED. */
SEAL_MUST_USE enum seal_status row_open(struct aead *aead, const struct row_owner *owner, const uint8_t *sealed,
					uint8_t *secret, struct seal_err *err);

#endif
