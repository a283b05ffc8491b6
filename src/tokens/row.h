/*
 * What stands in a store's rows for tokens, written and parsed; docs/FORMAT-tokens.md tells the same. Lengths in bytes.
 *
 *   state       key    scope's id 16 │ "state"
 *               value  1 │ current 8 │ leaving 8 (0: none)
 *   token       key    generation's id 8 │ 't' │ group or order 8 │ name 24
 *   fingerprint key    generation's id 8 │ 'f' │ name 24
 *               value of both: 1 │ store key's id 16 │ nonce 12 │ sealed │ tag 16
 *               token        flags 1 │ kind 1 │ created 8 │ expires 8 │ group's hash 8 │ LP(token) │ LP(place) │ LP(metadata) │ LP(value) │ 0 …
 *               fingerprint  expires 8 │ LP(token) │ 0 …
 *
 * LP: a 32-bit length, and so many bytes. Zeros fill up to a step, so that a row tells little of the length of its value.
 * Sealed with AES-256-GCM under the store key; the associated data is a label and the whole key of the row.
 */
#ifndef TOKENS_ROW_H
#define TOKENS_ROW_H

#include "crypto/aead.h"
#include "keys/person_row.h" /* ROW_ID_LEN */
#include "tokens/tokens.h"

#define TOKENS_SPACE "tokens"
#define TOKEN_GENERATION_LEN 8
#define TOKEN_GROUP_LEN 8
#define TOKEN_NAME_LEN 24
#define TOKEN_STATE_LEN 17
#define TOKEN_ROW_LABEL "sealstream token v1"
#define TOKEN_ROW_HEAD (1 + ROW_ID_LEN + AEAD_NONCE_LEN)
#define TOKEN_ROW_AROUND (TOKEN_ROW_HEAD + AEAD_TAG_LEN)

enum token_letter { TOKEN_ROW_TOKEN = 't', TOKEN_ROW_FINGERPRINT = 'f' };

/* The key of a row, behind the label: together they are the row's associated data. */
#define TOKEN_KEY_MAX (TOKEN_GENERATION_LEN + 1 + TOKEN_GROUP_LEN + TOKEN_NAME_LEN)
struct token_key {
	uint8_t bytes[sizeof(TOKEN_ROW_LABEL) - 1 + TOKEN_KEY_MAX];
	uint8_t len;
};

void token_key_start(struct token_key *key, const uint8_t *generation, enum token_letter letter);
void token_key_add(struct token_key *key, const uint8_t *bytes, size_t len);
/* From the key of a row in the store; false: it is none of ours. */
SEAL_MUST_USE bool token_key_set(struct token_key *key, struct seal_bytes stored);

static inline struct seal_bytes token_key_bytes(const struct token_key *key)
{
	return bytes_skip(bytes_of(key->bytes, key->len), sizeof(TOKEN_ROW_LABEL) - 1);
}

static inline struct seal_bytes token_key_associated(const struct token_key *key)
{
	return bytes_of(key->bytes, key->len);
}

/* Which generation is written, and which one is left by a rekey; numbers from 1. */
struct token_state {
	uint64_t current, leaving; /* current 0: no state yet; leaving 0: no rekey */
};

void token_state_write(const struct token_state *state, uint8_t out[TOKEN_STATE_LEN]);
/* False: not what this program writes. */
SEAL_MUST_USE bool token_state_parse(struct seal_bytes value, struct token_state *out);

/* What a fingerprint's row says. */
struct token_finger {
	struct seal_bytes token;
	uint64_t expires_ms;
};

/* One row to be sealed or opened. The sealed part stands in `row`, TOKEN_ROW_HEAD bytes after its start. */
struct token_row {
	const struct token_key *key;
	struct seal_bytes row; /* all of it, as in the store */
};

/* Memory for a row, in the arena, with the plaintext in it where it will be sealed; ptr NULL: no memory. Parts keep the limits of tokens.h. */
struct seal_bytes token_row_write(struct arena *arena, const struct token_record *record);
struct seal_bytes token_finger_write(struct arena *arena, const struct token_finger *finger);
/* Views of the plaintext; false: not what this program writes. The record's group is a hash; of a text token it is empty. */
SEAL_MUST_USE bool token_row_parse(struct seal_bytes plain, struct token_record *out);
SEAL_MUST_USE bool token_finger_parse(struct seal_bytes plain, struct token_finger *out);

/* The id of the store key that sealed it, ROW_ID_LEN bytes; NULL: it is no row. */
const uint8_t *token_row_store_key(struct seal_bytes row);

/* Seals rows that were written, in place, under the store key `id`. */
SEAL_MUST_USE enum seal_status token_rows_seal(struct aead *aead, const uint8_t *id, const struct token_row *rows,
					       size_t n, struct arena *arena, struct seal_err *err);
/* Opens rows that token_row_store_key knows, into the arena; plain[i].ptr NULL: it does not authenticate. */
SEAL_MUST_USE enum seal_status token_rows_open(struct aead *aead, const struct token_row *rows, size_t n,
					       struct seal_bytes *plain, struct arena *arena, struct seal_err *err);

#endif
