/*
 * Rows of tokens; the layout is in the header.
 *
 * Invariant: what is sealed has a length that is a step of its size: 64 bytes up to 1 KiB, then a sixteenth to an eighth of it.
 */
#include "tokens/row.h"

#include "crypto/random.h"

#define VERSION 1
#define FLAG_CONVERGENT 1
#define FLAG_SHAPED 2
#define STEP_TOKEN 64
#define STEP_FINGER 32
#define PLAIN_MAX (STORE_VALUE_MAX - TOKEN_ROW_AROUND)

#define HEAD_LEN (1 + 1 + 8 + 8 + TOKEN_GROUP_LEN)
_Static_assert(HEAD_LEN + 4 * 4 + TOKEN_SHAPED_MAX + TOKEN_PLACE_MAX + TOKEN_METADATA_MAX + TOKEN_VALUE_MAX <=
		       PLAIN_MAX,
	       "the largest token fits a row");

void token_key_start(struct token_key *key, const uint8_t *generation, enum token_letter letter)
{
	const uint8_t kind = (uint8_t)letter;

	memcpy(key->bytes, TOKEN_ROW_LABEL, sizeof(TOKEN_ROW_LABEL) - 1);
	key->len = sizeof(TOKEN_ROW_LABEL) - 1;
	token_key_add(key, generation, TOKEN_GENERATION_LEN);
	token_key_add(key, &kind, 1);
}

void token_key_add(struct token_key *key, const uint8_t *bytes, size_t len)
{
	SEAL_INVARIANT(len <= sizeof(key->bytes) - key->len);
	memcpy(key->bytes + key->len, bytes, len);
	key->len = (uint8_t)(key->len + len);
}

bool token_key_set(struct token_key *key, struct seal_bytes stored)
{
	if (stored.len > TOKEN_KEY_MAX)
		return false;
	memcpy(key->bytes, TOKEN_ROW_LABEL, sizeof(TOKEN_ROW_LABEL) - 1);
	key->len = sizeof(TOKEN_ROW_LABEL) - 1;
	token_key_add(key, stored.ptr, stored.len);
	return true;
}

void token_state_write(const struct token_state *state, uint8_t out[TOKEN_STATE_LEN])
{
	out[0] = VERSION;
	be64_store(out + 1, state->current);
	be64_store(out + 9, state->leaving);
}

bool token_state_parse(struct seal_bytes value, struct token_state *out)
{
	if (value.len != TOKEN_STATE_LEN || value.ptr[0] != VERSION)
		return false;
	out->current = be64_load(value.ptr + 1);
	out->leaving = be64_load(value.ptr + 9);
	return out->current > 0 && out->leaving < out->current;
}

static size_t padded(size_t len, size_t step)
{
	while (len > 16 * step)
		step *= 2;
	len = (len + step - 1) / step * step;
	return len < PLAIN_MAX ? len : PLAIN_MAX;
}

/* A row with room for `len` bytes of plaintext, padded. */
static struct seal_bytes new_row(struct arena *arena, size_t len, size_t step)
{
	const size_t all = TOKEN_ROW_AROUND + padded(len, step);
	uint8_t *row = arena_alloc(arena, all, 1);

	if (row != NULL)
		memset(row, 0, all);
	return bytes_of(row, row != NULL ? all : 0);
}

static uint8_t *put_u64(uint8_t *at, uint64_t number)
{
	be64_store(at, number);
	return at + 8;
}

static uint8_t *put_lp(uint8_t *at, struct seal_bytes bytes)
{
	be32_store(at, (uint32_t)bytes.len);
	if (bytes.len > 0)
		memcpy(at + 4, bytes.ptr, bytes.len);
	return at + 4 + bytes.len;
}

struct seal_bytes token_row_write(struct arena *arena, const struct token_record *record)
{
	const struct token_item *item = &record->item;
	struct seal_bytes row = new_row(
		arena, HEAD_LEN + 4 * 4 + item->token.len + item->place.len + record->metadata.len + item->value.len,
		STEP_TOKEN);
	uint8_t *at = (uint8_t *)row.ptr + TOKEN_ROW_HEAD;

	if (row.ptr == NULL)
		return row;
	*at++ = (uint8_t)((record->convergent ? FLAG_CONVERGENT : 0) | (record->shaped ? FLAG_SHAPED : 0));
	*at++ = (uint8_t)item->kind;
	at = put_u64(at, record->created_ms);
	at = put_u64(at, record->expires_ms);
	if (record->shaped)
		memcpy(at, item->group.ptr, TOKEN_GROUP_LEN);
	at = put_lp(at + TOKEN_GROUP_LEN, item->token);
	at = put_lp(at, item->place);
	at = put_lp(at, record->metadata);
	put_lp(at, item->value);
	return row;
}

struct seal_bytes token_finger_write(struct arena *arena, const struct token_finger *finger)
{
	struct seal_bytes row = new_row(arena, 8 + 4 + finger->token.len, STEP_FINGER);
	uint8_t *at = (uint8_t *)row.ptr + TOKEN_ROW_HEAD;

	if (row.ptr != NULL)
		put_lp(put_u64(at, finger->expires_ms), finger->token);
	return row;
}

static bool only_zeros(struct seal_bytes rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if (rest.ptr[i] != 0)
			return false;
	return true;
}

bool token_row_parse(struct seal_bytes plain, struct token_record *out)
{
	struct cursor c = {plain};
	struct token_record r = {0};
	struct seal_bytes group;
	uint8_t flags, kind;

	if (!cursor_u8(&c, &flags) || flags > (FLAG_CONVERGENT | FLAG_SHAPED) || !cursor_u8(&c, &kind) ||
	    kind < TOKEN_STRING || kind > TOKEN_BYTES || !cursor_be64(&c, &r.created_ms) ||
	    !cursor_be64(&c, &r.expires_ms) || !cursor_take(&c, TOKEN_GROUP_LEN, &group) ||
	    !cursor_lp32(&c, TOKEN_SHAPED_MAX, &r.item.token) || !cursor_lp32(&c, TOKEN_PLACE_MAX, &r.item.place) ||
	    !cursor_lp32(&c, TOKEN_METADATA_MAX, &r.metadata) || !cursor_lp32(&c, TOKEN_VALUE_MAX, &r.item.value) ||
	    !only_zeros(c.rest))
		return false;
	r.item.kind = (enum token_kind)kind;
	r.convergent = (flags & FLAG_CONVERGENT) != 0;
	r.shaped = (flags & FLAG_SHAPED) != 0;
	r.item.group = r.shaped ? group : BYTES_EMPTY;
	*out = r;
	return true;
}

bool token_finger_parse(struct seal_bytes plain, struct token_finger *out)
{
	struct cursor c = {plain};

	return cursor_be64(&c, &out->expires_ms) && cursor_lp32(&c, TOKEN_SHAPED_MAX, &out->token) &&
	       only_zeros(c.rest);
}

const uint8_t *token_row_store_key(struct seal_bytes row)
{
	return row.len > TOKEN_ROW_AROUND && row.ptr[0] == VERSION ? row.ptr + 1 : NULL;
}

/* The parts of a row; the plaintext of one that is being opened goes to `out`. */
static struct aead_item item_of(const struct token_row *row, uint8_t *out)
{
	const uint8_t *sealed = row->row.ptr + TOKEN_ROW_HEAD;
	const size_t len = row->row.len - TOKEN_ROW_AROUND;

	return (struct aead_item){.nonce = sealed - AEAD_NONCE_LEN,
				  .aad = token_key_associated(row->key),
				  .in = bytes_of(sealed, len),
				  .out = out,
				  .tag = (uint8_t *)sealed + len};
}

enum seal_status token_rows_seal(struct aead *aead, const uint8_t *id, const struct token_row *rows, size_t n,
				 struct arena *arena, struct seal_err *err)
{
	struct aead_item *items = arena_alloc(arena, n * sizeof(*items), _Alignof(struct aead_item));
	uint8_t *nonces = arena_alloc(arena, n * AEAD_NONCE_LEN, 1);
	enum seal_status rc;

	if (items == NULL || nonces == NULL)
		return err_memory(err);
	SEAL_TRY(random_bytes(nonces, n * AEAD_NONCE_LEN, err));
	for (size_t i = 0; i < n; i++) {
		uint8_t *row = (uint8_t *)rows[i].row.ptr;

		row[0] = VERSION;
		memcpy(row + 1, id, ROW_ID_LEN);
		memcpy(row + 1 + ROW_ID_LEN, nonces + i * AEAD_NONCE_LEN, AEAD_NONCE_LEN);
		items[i] = item_of(&rows[i], row + TOKEN_ROW_HEAD);
	}
	SEAL_TRY(aead_seal_many(aead, items, n, err));
out:
	return rc;
}

enum seal_status token_rows_open(struct aead *aead, const struct token_row *rows, size_t n, struct seal_bytes *plain,
				 struct arena *arena, struct seal_err *err)
{
	struct aead_item *items = arena_alloc(arena, n * sizeof(*items), _Alignof(struct aead_item));
	enum seal_status rc;

	if (items == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		uint8_t *out = arena_alloc(arena, rows[i].row.len - TOKEN_ROW_AROUND, 1);

		if (out == NULL)
			return err_memory(err);
		items[i] = item_of(&rows[i], out);
	}
	SEAL_TRY(aead_open_many(aead, items, n, err));
	for (size_t i = 0; i < n; i++)
		plain[i] = items[i].ok ? bytes_of(items[i].out, items[i].in.len) : BYTES_EMPTY;
out:
	return rc;
}
