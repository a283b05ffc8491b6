/*
 * Rows sealed and stored.
 *
 * Invariants: a row is one use of a store key, which was counted in the store before. Rows of tokens are inserted only while the
 * state is what the call goes by, so nobody adds to a generation that a rekey has begun to leave.
 */
#include "tokens/work.h"

/* As many rows as the store key at hand has uses left; a new one where there is none. */
static enum seal_status seal_some(struct token_work *w, struct generation *generation, const struct token_row *rows,
				  size_t n, size_t *done, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (w->sealing != generation || w->uses == 0) {
		aead_free(w->aead);
		data_key_unref(w->store_key);
		w->aead = NULL;
		w->store_key = NULL;
		w->sealing = NULL;
		SEAL_TRY(store_keys_take(generation->keys, &w->use, n, &w->store_key, &w->uses, err));
		SEAL_TRY(aead_new(data_key_cipher_key(w->store_key), &w->aead, err));
		w->sealing = generation;
	}
	*done = n < w->uses ? n : (size_t)w->uses;
	SEAL_TRY(token_rows_seal(w->aead, data_key_commitment(w->store_key), rows, *done, w->arena, err));
	w->uses -= *done;
out:
	return rc;
}

enum seal_status token_seal(struct token_work *w, unsigned generation, const struct token_row *rows, size_t n,
			    struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	size_t now;

	for (size_t done = 0; done < n; done += now)
		SEAL_TRY(seal_some(w, w->generations[generation], rows + done, n - done, &now, err));
out:
	return rc;
}

enum seal_status token_batch_new(struct token_work *w, size_t max, struct token_batch *batch, struct seal_err *err)
{
	*batch = (struct token_batch){
		.rows = arena_alloc(w->arena, max * sizeof(*batch->rows), _Alignof(struct token_row)),
		.items = arena_alloc(w->arena, max * sizeof(*batch->items), _Alignof(struct store_item))};
	return batch->rows != NULL && batch->items != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status token_batch_add(struct token_batch *batch, const struct token_key *key, struct seal_bytes row,
				 struct seal_err *err)
{
	if (row.ptr == NULL)
		return err_memory(err);
	batch->rows[batch->n++] = (struct token_row){key, row};
	return SEAL_OK;
}

enum seal_status token_batch_insert(struct token_work *w, struct token_batch *batch, struct seal_err *err)
{
	uint8_t state[TOKEN_STATE_LEN];
	struct store_guard guard = {.key = token_state_key(w->tokens), .value = bytes_of(state, sizeof(state))};
	struct store_call call = token_store_call(w);
	enum seal_status rc;

	if (batch->n == 0)
		return SEAL_OK;
	token_state_write(&w->state, state);
	call.guard = &guard;
	SEAL_TRY(token_seal(w, CURRENT, batch->rows, batch->n, err));
	for (size_t i = 0; i < batch->n; i++)
		batch->items[i] =
			(struct store_item){.key = token_key_bytes(batch->rows[i].key), .value = batch->rows[i].row};
	SEAL_TRY(w->use.store->ops->insert(w->use.store, TOKENS_SPACE, batch->items, batch->n, &call, err));
out:
	w->look = w->look || guard.failed;
	return rc;
}

enum seal_status token_change(struct token_work *w, struct store_change *changes, size_t n, struct seal_err *err)
{
	const struct store_call call = token_store_call(w);

	if (n == 0)
		return SEAL_OK;
	return w->use.store->ops->change(w->use.store, TOKENS_SPACE, changes, n, &call, err);
}

enum seal_status token_state_swap(struct token_work *w, const struct token_state *from, const struct token_state *to,
				  bool *swapped, struct seal_err *err)
{
	uint8_t before[TOKEN_STATE_LEN], after[TOKEN_STATE_LEN];
	const struct store_call call = token_store_call(w);

	token_state_write(from, before);
	token_state_write(to, after);
	return w->use.store->ops->swap(w->use.store, TOKENS_SPACE, token_state_key(w->tokens),
				       bytes_of(before, sizeof(before)), bytes_of(after, sizeof(after)), false,
				       swapped, &call, err);
}
