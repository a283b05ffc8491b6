/*
 * New tokens.
 *
 *   text     one insertion: tokens and fingerprints
 *   shaped   tokens first, drawn again where they are taken; then fingerprints: one must never lead to another value's token
 *   expired  the old fingerprint goes away (compare and swap), then as above
 *
 * Who was slower with a fingerprint takes the token away again that it had made. A crash before that leaves a token that no
 * record carries.
 *
 * Invariants: a fingerprint in the store leads to a token in the store, which is of its value. A fingerprint comes by an insertion
 * alone, which the state guards: one that was changed in place could come behind the back of a rekey that has copied its token.
 */
#include "base/log.h"
#include "tokens/want.h"

#define DRAWS 64 /* at least every second one is free */

#define TEXT_FULL                                                                                                    \
	"more than half of the tokens that have this value's shape are taken: let the policy keep less of the "      \
	"value, or purge tokens (`sealstream token purge`)"

/* Tokens for `wants`, and how they are sought. */
static enum seal_status draw(struct token_work *w, const struct token_lot *lot, struct token_want **wants, size_t n,
			     struct token_seek **seeks, struct seal_err *err)
{
	uint8_t *text = arena_alloc(w->arena, n * TOKEN_LEN, 1);
	enum seal_status rc = SEAL_OK;

	if (text == NULL)
		return err_memory(err);
	if (lot->terms->draw == NULL)
		SEAL_TRY(token_draw(w, text, n, err));
	for (size_t i = 0; i < n; i++) {
		struct token_want *want = wants[i];
		struct token_item *item = &want->record.item;

		item->token = bytes_of(text + i * TOKEN_LEN, TOKEN_LEN);
		if (lot->terms->draw != NULL)
			SEAL_TRY(lot->terms->draw(lot->terms->arg, want->item, w->arena, &item->token, err));
		want->token = token_seek_for(&want->record, TOKEN_ROW_TOKEN);
		seeks[i] = &want->token;
	}
out:
	return rc;
}

/* The row of a fingerprint that leads to the want's new token. */
static struct seal_bytes finger_row(struct token_work *w, const struct token_want *want)
{
	const struct token_finger finger = {want->record.item.token, want->record.expires_ms};

	return token_finger_write(w->arena, &finger);
}

/* Text tokens: with their fingerprints. 128 random bits are never taken already. */
static enum seal_status place_text(struct token_work *w, struct token_lot *lot, struct token_want **wants, size_t n,
				   struct token_seek **seeks, struct seal_err *err)
{
	struct token_batch batch;
	enum seal_status rc;
	size_t next = n;

	SEAL_TRY(token_batch_new(w, 2 * n, &batch, err));
	SEAL_TRY(draw(w, lot, wants, n, seeks, err));
	SEAL_TRY(token_name(w, CURRENT, seeks, n, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(token_batch_add(&batch, &seeks[i]->key, token_row_write(w->arena, &wants[i]->record), err));
	for (size_t i = 0; i < n; i++)
		if (lot->terms->convergent)
			SEAL_TRY(token_batch_add(&batch, &wants[i]->finger.key, finger_row(w, wants[i]), err));
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < n; i++) {
		wants[i]->placed = batch.items[i].inserted;
		wants[i]->token.row = batch.rows[i].row;
		wants[i]->found = !lot->terms->convergent || batch.items[next++].inserted;
		if (!wants[i]->placed)
			wants[i]->err = token_item_damaged(w);
	}
out:
	return rc;
}

/* Those of `seeks` that the generation that is being left has not. Nobody adds to it, so none of them comes there later. */
static enum seal_status check_leaving(struct token_work *w, struct token_seek **seeks, size_t n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (w->generations[LEAVING] == NULL)
		return SEAL_OK;
	SEAL_TRY(token_look(w, LEAVING, seeks, n, err));
out:
	return rc;
}

/* A token that was drawn is taken: is there room for another? */
static enum seal_status look_for_room(struct token_work *w, struct token_want *want, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool full = token_group_is_full(w->tokens, want->group);

	if (!full)
		SEAL_TRY(token_group_check(w, &want->token, want->item->room, &full, err));
	if (full)
		want->err = token_item_err(w, SEAL_E_DOMAIN, TEXT_FULL);
out:
	return rc;
}

/* Shaped ones, once: those that are taken stay at the front of `wants`, *n of them. */
static enum seal_status place_once(struct token_work *w, struct token_lot *lot, struct token_want **wants, size_t *n,
				   struct token_seek **seeks, struct seal_err *err)
{
	struct token_batch batch;
	enum seal_status rc;
	size_t next = 0, left = 0;

	SEAL_TRY(token_batch_new(w, *n, &batch, err));
	SEAL_TRY(draw(w, lot, wants, *n, seeks, err));
	SEAL_TRY(check_leaving(w, seeks, *n, err));
	SEAL_TRY(token_name(w, CURRENT, seeks, *n, err));
	for (size_t i = 0; i < *n; i++)
		if (seeks[i]->row.ptr == NULL)
			SEAL_TRY(token_batch_add(&batch, &seeks[i]->key, token_row_write(w->arena, &wants[i]->record),
						 err));
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < *n; i++) {
		const bool tried = wants[i]->token.row.ptr == NULL;

		if (tried)
			wants[i]->token.row = batch.rows[next].row;
		wants[i]->placed = tried && batch.items[next++].inserted;
		if (wants[i]->placed)
			continue;
		SEAL_TRY(look_for_room(w, wants[i], err));
		if (wants[i]->err == NULL)
			wants[left++] = wants[i];
	}
	*n = left;
out:
	return rc;
}

/* Shaped tokens: drawn until they are free. */
static enum seal_status place_shaped(struct token_work *w, struct token_lot *lot, struct token_want *const *wants,
				     size_t n, struct token_seek **seeks, struct seal_err *err)
{
	struct token_want **rest = arena_alloc(w->arena, n * sizeof(*rest), _Alignof(struct token_want *));
	enum seal_status rc = SEAL_OK;
	size_t left = 0;

	if (rest == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (token_group_is_full(w->tokens, wants[i]->group))
			wants[i]->err = token_item_err(w, SEAL_E_DOMAIN, TEXT_FULL);
		else
			rest[left++] = wants[i];
	}
	for (int i = 0; i < DRAWS && left > 0; i++)
		SEAL_TRY(place_once(w, lot, rest, &left, seeks, err));
	for (size_t i = 0; i < left; i++)
		rest[i]->err = token_item_err(w, SEAL_E_DOMAIN, TEXT_FULL);
out:
	return rc;
}

/* Fingerprints of shaped tokens, which stand now. */
static enum seal_status add_fingers(struct token_work *w, struct token_lot *lot, struct token_want *const *wants,
				    size_t n, struct seal_err *err)
{
	struct token_batch batch;
	enum seal_status rc;
	size_t next = 0;

	SEAL_TRY(token_batch_new(w, n, &batch, err));
	for (size_t i = 0; i < n; i++)
		if (wants[i]->placed && lot->terms->convergent)
			SEAL_TRY(token_batch_add(&batch, &wants[i]->finger.key, finger_row(w, wants[i]), err));
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < n; i++)
		wants[i]->found = wants[i]->placed && (!lot->terms->convergent || batch.items[next++].inserted);
out:
	return rc;
}

/* Fingerprints that have expired make room. Nobody gives out what they lead to. */
static enum seal_status drop_expired(struct token_work *w, struct token_want *const *wants, size_t n,
				     struct seal_err *err)
{
	struct store_change *changes = arena_alloc(w->arena, n * sizeof(*changes), _Alignof(struct store_change));
	size_t count = 0;

	if (changes == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		if (wants[i]->replace)
			changes[count++] = (struct store_change){.key = token_key_bytes(&wants[i]->finger.key),
								 .from = wants[i]->finger.row};
	return token_change(w, changes, count, err);
}

/* Tokens that another one was faster than go away again; the others are settled. */
static enum seal_status settle(struct token_work *w, struct token_want *const *wants, size_t n, struct seal_err *err)
{
	struct store_change *changes = arena_alloc(w->arena, n * sizeof(*changes), _Alignof(struct store_change));
	size_t count = 0;

	if (changes == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (wants[i]->placed && wants[i]->found)
			wants[i]->chosen = wants[i]->record.item.token;
		else if (wants[i]->placed)
			changes[count++] = (struct store_change){.key = token_key_bytes(&wants[i]->token.key),
								 .from = wants[i]->token.row};
	}
	return token_change(w, changes, count, err);
}

/* A rekey has begun between tokens and their fingerprints: all of it is done again, so the tokens go away. */
static void give_up(struct token_work *w, struct token_want *const *wants, size_t n)
{
	struct seal_err why = SEAL_ERR_INIT;

	if (settle(w, wants, n, &why) != SEAL_OK)
		log_say(LOG_DEBUG, "tokens that no record carries stay in the store: %s", why.text);
}

/* Their fingerprints, as the current generation names them. */
static enum seal_status name_fingers(struct token_work *w, struct token_want *const *wants, size_t n,
				     struct token_seek **seeks, struct seal_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (wants[i]->finger.generation != CURRENT)
			seeks[count++] = &wants[i]->finger;
	return count > 0 ? token_name(w, CURRENT, seeks, count, err) : SEAL_OK;
}

enum seal_status token_make(struct token_work *w, struct token_lot *lot, struct token_want **wants, size_t n,
			    struct seal_err *err)
{
	struct token_seek **seeks = arena_alloc(w->arena, n * sizeof(*seeks), _Alignof(struct token_seek *));
	enum seal_status rc = SEAL_OK;

	if (seeks == NULL)
		return err_memory(err);
	if (n == 0)
		return SEAL_OK;
	for (size_t i = 0; i < n; i++) {
		wants[i]->record.created_ms = lot->now_ms;
		wants[i]->record.expires_ms = lot->expires_ms;
		wants[i]->placed = wants[i]->found = false;
	}
	SEAL_TRY(token_work_begin(w, err));
	if (lot->terms->convergent)
		SEAL_TRY(name_fingers(w, wants, n, seeks, err));
	SEAL_TRY(drop_expired(w, wants, n, err));
	if (lot->terms->draw == NULL) {
		SEAL_TRY(place_text(w, lot, wants, n, seeks, err));
	} else {
		SEAL_TRY(place_shaped(w, lot, wants, n, seeks, err));
		rc = add_fingers(w, lot, wants, n, err);
		if (rc != SEAL_OK && w->look)
			give_up(w, wants, n);
		if (rc != SEAL_OK)
			goto out;
	}
	SEAL_TRY(settle(w, wants, n, err));
out:
	return rc;
}
