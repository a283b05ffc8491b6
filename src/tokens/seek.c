/*
 * Rows by what they are of: named, looked for, opened.
 *
 *   place, token … ── HMAC(pepper of a generation) ──▶ key ── one query ──▶ row ── store key ──▶ what it says
 *
 * What is hashed, after a byte that says which of the four it is:
 *
 *   1 │ token                                         a text token
 *   2 │ LP(place) │ token                             a shaped one
 *   3 │ group's hash                                  the group, cut to 8 bytes
 *   4 │ LP(place) │ kind │ group's hash │ value       a fingerprint
 *   5                                                 the key of the order
 *
 * Names are random, so that each would stand in another page of the store, which is most of what an insertion costs. Text tokens of a
 * lot are neighbours instead: a token is a block of AES under the key of the order, and what it stands for begins with bytes that all
 * of a lot share. They come before its name in the row's key.
 *
 * While a rekey is under way a row is in the generation that is left, then in both, then in the current one. Who looks in the
 * current one, the other, and the current one again cannot miss it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret_slot.h"
#include "crypto/block.h"
#include "crypto/random.h"
#include "keys/item_err.h"
#include "tokens/work.h"

#define LOT_LEN                                                                                                      \
	6 /* what tokens that are drawn together share of what they stand for; the other 80 bits are each one's own */
#define GROUP_LABEL "sealstream token group v1"

enum hashed { HASH_TEXT = 1, HASH_SHAPED, HASH_GROUP, HASH_FINGERPRINT, HASH_ORDER };

enum seal_status token_group_hash(struct seal_bytes place, struct seal_bytes group, uint8_t out[TOKEN_GROUP_LEN],
				  struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(sizeof(GROUP_LABEL) + 4 + place.len + group.len);
	uint8_t digest[SHA256_LEN];
	enum seal_status rc = SEAL_OK;

	memset(out, 0, TOKEN_GROUP_LEN);
	if (group.len == 0)
		return SEAL_OK;
	SEAL_TRY(buf_append_str(&text, GROUP_LABEL, err));
	SEAL_TRY(buf_append_lp32(&text, place, err));
	SEAL_TRY(buf_append(&text, group, err));
	SEAL_TRY(sha256(buf_bytes(&text), digest, err));
	memcpy(out, digest, TOKEN_GROUP_LEN);
out:
	buf_clear(&text);
	return rc;
}

/* Naming -------------------------------------------------------------------------------------------------------- */

static enum hashed hashed_of(const struct token_seek *seek)
{
	if (seek->letter == TOKEN_ROW_FINGERPRINT)
		return HASH_FINGERPRINT;
	return seek->shaped ? HASH_SHAPED : HASH_TEXT;
}

/* Do they start with the same prefix? The place is compared as a view: most of a lot share it. */
static bool same_prefix(const struct token_seek *a, const struct token_seek *b)
{
	return hashed_of(a) == hashed_of(b) && a->item->place.ptr == b->item->place.ptr &&
	       a->item->place.len == b->item->place.len && a->item->kind == b->item->kind &&
	       memcmp(a->group, b->group, TOKEN_GROUP_LEN) == 0;
}

/* What comes before the token or the value; ptr NULL: no memory. */
static struct seal_bytes prefix_of(struct arena *arena, const struct token_seek *seek)
{
	const enum hashed what = hashed_of(seek);
	const struct seal_bytes place = seek->item->place;
	uint8_t *bytes = arena_alloc(arena, 1 + 4 + place.len + 1 + TOKEN_GROUP_LEN, 1), *at = bytes;

	if (bytes == NULL)
		return BYTES_EMPTY;
	*at++ = (uint8_t)what;
	if (what == HASH_TEXT)
		return bytes_of(bytes, 1);
	be32_store(at, (uint32_t)place.len);
	at += 4;
	if (place.len > 0)
		memcpy(at, place.ptr, place.len);
	at += place.len;
	if (what == HASH_FINGERPRINT) {
		*at++ = (uint8_t)seek->item->kind;
		memcpy(at, seek->group, TOKEN_GROUP_LEN);
		at += TOKEN_GROUP_LEN;
	}
	return bytes_of(bytes, (size_t)(at - bytes));
}

/* For each seek an item, and behind them all one for each group; *count: both. */
static enum seal_status prepare_names(struct token_work *w, struct token_seek *const *seeks, size_t n,
				      struct hmac_item *items, uint8_t *codes, size_t *count, struct seal_err *err)
{
	static const uint8_t group = HASH_GROUP;

	*count = n;
	for (size_t i = 0; i < n; i++) {
		const bool finger = seeks[i]->letter == TOKEN_ROW_FINGERPRINT;

		items[i] = (struct hmac_item){.in = finger ? seeks[i]->item->value : seeks[i]->item->token,
					      .out = codes + i * SHA256_LEN};
		items[i].prefix = i > 0 && same_prefix(seeks[i - 1], seeks[i]) ? items[i - 1].prefix
									       : prefix_of(w->arena, seeks[i]);
		if (items[i].prefix.ptr == NULL)
			return err_memory(err);
		if (finger || !seeks[i]->shaped)
			continue;
		items[*count] = (struct hmac_item){.prefix = bytes_of(&group, 1),
						   .in = bytes_of(seeks[i]->group, TOKEN_GROUP_LEN),
						   .out = codes + *count * SHA256_LEN};
		(*count)++;
	}
	return SEAL_OK;
}

static enum seal_status permute(struct token_work *w, unsigned generation, bool back, uint8_t *tokens, size_t n,
				struct seal_err *err)
{
	static const uint8_t order = HASH_ORDER;
	struct secret_slot key = SECRET_SLOT_INIT;
	struct hmac_item item = {.in = bytes_of(&order, 1)};
	struct hmac *hmac;
	enum seal_status rc;

	SEAL_TRY(token_work_names(w, generation, &hmac, err));
	SEAL_TRY(secret_slot_alloc(&key, err));
	item.out = key.ptr;
	SEAL_TRY(hmac_many(hmac, &item, 1, err));
	SEAL_TRY(blocks_permute(key.ptr, back, tokens, n, err));
out:
	secret_slot_clear(&key);
	return rc;
}

enum seal_status token_draw(struct token_work *w, uint8_t *tokens, size_t n, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(random_bytes(tokens, n * TOKEN_LEN, err));
	for (size_t i = 1; i < n; i++)
		memcpy(tokens + i * TOKEN_LEN, tokens, LOT_LEN);
	SEAL_TRY(permute(w, CURRENT, false, tokens, n, err));
out:
	return rc;
}

/* What text tokens stand for in a generation's order, one for each seek; other seeks have anything. */
static enum seal_status order_of(struct token_work *w, unsigned generation, struct token_seek *const *seeks, size_t n,
				 uint8_t **order, struct seal_err *err)
{
	uint8_t *blocks = arena_alloc(w->arena, n * TOKEN_LEN, 1);
	bool some = false;

	if (blocks == NULL)
		return err_memory(err);
	memset(blocks, 0, n * TOKEN_LEN);
	for (size_t i = 0; i < n; i++) {
		const struct seal_bytes token = seeks[i]->item->token;

		if (seeks[i]->letter != TOKEN_ROW_TOKEN || seeks[i]->shaped || token.len != TOKEN_LEN)
			continue;
		memcpy(blocks + i * TOKEN_LEN, token.ptr, TOKEN_LEN);
		some = true;
	}
	*order = blocks;
	return some ? permute(w, generation, true, blocks, n, err) : SEAL_OK;
}

enum seal_status token_name(struct token_work *w, unsigned generation, struct token_seek *const *seeks, size_t n,
			    struct seal_err *err)
{
	struct hmac_item *items = arena_alloc(w->arena, 2 * n * sizeof(*items), _Alignof(struct hmac_item));
	uint8_t *codes = arena_alloc(w->arena, 2 * n * SHA256_LEN, 1), *order = NULL;
	struct hmac *hmac;
	enum seal_status rc;
	size_t count, next = n;

	if (items == NULL || codes == NULL)
		return err_memory(err);
	SEAL_TRY(token_work_names(w, generation, &hmac, err));
	SEAL_TRY(prepare_names(w, seeks, n, items, codes, &count, err));
	SEAL_TRY(hmac_many(hmac, items, count, err));
	SEAL_TRY(order_of(w, generation, seeks, n, &order, err));
	for (size_t i = 0; i < n; i++) {
		struct token_key *key = &seeks[i]->key;

		seeks[i]->generation = generation;
		token_key_start(key, w->generations[generation]->id, seeks[i]->letter);
		if (seeks[i]->letter == TOKEN_ROW_TOKEN)
			token_key_add(key, seeks[i]->shaped ? codes + next++ * SHA256_LEN : order + i * TOKEN_LEN,
				      TOKEN_GROUP_LEN);
		token_key_add(key, codes + i * SHA256_LEN, TOKEN_NAME_LEN);
	}
out:
	return rc;
}

/* Looking ------------------------------------------------------------------------------------------------------- */

/* Is the state still what this work goes by? Else the step begins again. */
static enum seal_status check_state(struct token_work *w, struct seal_bytes value, struct seal_err *err)
{
	uint8_t known[TOKEN_STATE_LEN];

	token_state_write(&w->state, known);
	if (value.ptr != NULL && bytes_eq(value, bytes_of(known, sizeof(known)))) {
		w->fresh = true;
		return SEAL_OK;
	}
	w->look = true;
	return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the state of the store's tokens has changed; try again");
}

enum seal_status token_look(struct token_work *w, unsigned generation, struct token_seek *const *seeks, size_t n,
			    struct seal_err *err)
{
	struct store_item *items = arena_alloc(w->arena, (n + 1) * sizeof(*items), _Alignof(struct store_item));
	const struct store_call call = token_store_call(w);
	enum seal_status rc;

	if (items == NULL)
		return err_memory(err);
	SEAL_TRY(token_name(w, generation, seeks, n, err));
	items[0] = (struct store_item){.key = token_state_key(w->tokens)};
	for (size_t i = 0; i < n; i++)
		items[i + 1] = (struct store_item){.key = token_key_bytes(&seeks[i]->key)};
	SEAL_TRY(w->use.store->ops->get(w->use.store, TOKENS_SPACE, items, n + 1, &call, err));
	SEAL_TRY(check_state(w, items[0].value, err));
	for (size_t i = 0; i < n; i++)
		seeks[i]->row = items[i + 1].value;
out:
	return rc;
}

/* Those that have no row. */
static size_t missing(struct token_seek *const *seeks, size_t n, struct token_seek **out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (seeks[i]->row.ptr == NULL)
			out[count++] = seeks[i];
	return count;
}

enum seal_status token_find(struct token_work *w, struct token_seek *const *seeks, size_t n, struct seal_err *err)
{
	static const unsigned ways[] = {CURRENT, LEAVING, CURRENT};
	const size_t n_ways = w->generations[LEAVING] != NULL ? 3 : 1;
	struct token_seek **rest = arena_alloc(w->arena, n * sizeof(*rest), _Alignof(struct token_seek *));
	enum seal_status rc = SEAL_OK;
	size_t count;

	if (rest == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		seeks[i]->row = BYTES_EMPTY;
		seeks[i]->err = NULL;
	}
	for (size_t i = 0; i < n_ways; i++) {
		count = missing(seeks, n, rest);
		if (count > 0)
			SEAL_TRY(token_look(w, ways[i], rest, count, err));
	}
	SEAL_TRY(token_open(w, seeks, n, err));
out:
	return rc;
}

/* Opening ------------------------------------------------------------------------------------------------------- */

/* Rows under one store key, side by side. */
struct lot {
	struct token_seek *const *seeks;
	size_t n;
};

static int by_store_key(const void *a, const void *b)
{
	const struct token_seek *x = *(struct token_seek *const *)a, *y = *(struct token_seek *const *)b;

	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return memcmp(token_row_store_key(x->row), token_row_store_key(y->row), ROW_ID_LEN);
}

static void understand(struct token_work *w, struct token_seek *seek, struct seal_bytes plain)
{
	bool good = plain.ptr != NULL;

	if (good && seek->letter == TOKEN_ROW_TOKEN)
		good = token_row_parse(plain, &seek->record);
	else if (good)
		good = token_finger_parse(plain, &seek->finger);
	if (!good) {
		seek->err = token_item_damaged(w);
		w->look = true;
	} else if (seek->letter == TOKEN_ROW_TOKEN) {
		seek->record.left_over = seek->generation == LEAVING;
	}
}

static enum seal_status open_lot(struct token_work *w, const struct lot *lot, const struct store_key_want *want,
				 struct seal_err *err)
{
	struct seal_bytes *plain = arena_alloc(w->arena, lot->n * sizeof(*plain), _Alignof(struct seal_bytes));
	struct token_row *rows = arena_alloc(w->arena, lot->n * sizeof(*rows), _Alignof(struct token_row));
	struct aead *aead = NULL;
	enum seal_status rc = SEAL_OK;

	if (plain == NULL || rows == NULL)
		return err_memory(err);
	if (want->key == NULL) {
		for (size_t i = 0; i < lot->n; i++)
			lot->seeks[i]->err = want->err;
		w->look = true;
		return SEAL_OK;
	}
	for (size_t i = 0; i < lot->n; i++)
		rows[i] = (struct token_row){&lot->seeks[i]->key, lot->seeks[i]->row};
	SEAL_TRY(aead_new(data_key_cipher_key(want->key), &aead, err));
	SEAL_TRY(token_rows_open(aead, rows, lot->n, plain, w->arena, err));
	for (size_t i = 0; i < lot->n; i++)
		understand(w, lot->seeks[i], plain[i]);
out:
	aead_free(aead);
	return rc;
}

/* Lots of one generation. */
static enum seal_status open_lots(struct token_work *w, const struct lot *lots, size_t n, struct seal_err *err)
{
	struct store_key_want *wants = arena_alloc(w->arena, n * sizeof(*wants), _Alignof(struct store_key_want));
	struct store_keys *keys = w->generations[lots[0].seeks[0]->generation]->keys;
	enum seal_status rc;

	if (wants == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		wants[i] = (struct store_key_want){.id = token_row_store_key(lots[i].seeks[0]->row)};
	SEAL_TRY(store_keys_open(keys, &w->use, wants, n, err));
	for (size_t i = 0; i < n && rc == SEAL_OK; i++)
		rc = open_lot(w, &lots[i], &wants[i], err);
	for (size_t i = 0; i < n; i++)
		data_key_unref(wants[i].key);
out:
	return rc;
}

/* Those that are rows, in the order of their keys; others get an error. */
static size_t sort_rows(struct token_work *w, struct token_seek *const *seeks, size_t n, struct token_seek **sorted)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (seeks[i]->row.ptr == NULL || seeks[i]->err != NULL)
			continue;
		if (token_row_store_key(seeks[i]->row) != NULL)
			sorted[count++] = seeks[i];
		else
			seeks[i]->err = token_item_damaged(w);
	}
	if (count > 0)
		qsort(sorted, count, sizeof(*sorted), by_store_key);
	return count;
}

enum seal_status token_open(struct token_work *w, struct token_seek *const *seeks, size_t n, struct seal_err *err)
{
	struct token_seek **sorted = arena_alloc(w->arena, n * sizeof(*sorted), _Alignof(struct token_seek *));
	struct lot *lots = arena_alloc(w->arena, n * sizeof(*lots), _Alignof(struct lot));
	size_t count, n_lots = 0, first = 0;
	enum seal_status rc = SEAL_OK;

	if (sorted == NULL || lots == NULL)
		return err_memory(err);
	count = sort_rows(w, seeks, n, sorted);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || by_store_key(&sorted[i - 1], &sorted[i]) != 0)
			lots[n_lots++] = (struct lot){sorted + i, 0};
		lots[n_lots - 1].n++;
	}
	for (size_t i = 1; i <= n_lots; i++) {
		if (i < n_lots && lots[i].seeks[0]->generation == lots[first].seeks[0]->generation)
			continue;
		SEAL_TRY(open_lots(w, lots + first, i - first, err));
		first = i;
	}
out:
	return rc;
}
