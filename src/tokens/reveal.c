/*
 * From tokens to what they stand for: one query for a lot.
 *
 *   token ──▶ row ──▶ value, if the place and the kind are those it was made for and its time is not over
 */
#include "tokens/work.h"

struct reveal {
	struct token_item *items;
	struct token_record
		*records; /* lookup: what is found goes there whole, and `items` are copies of what was asked */
	size_t n;
	uint64_t now_ms;
};

static bool is_shaped(const struct reveal *r, size_t i)
{
	return r->records != NULL ? r->records[i].shaped : r->items[i].group.len > 0;
}

static void unknown(struct token_work *w, struct token_item *item)
{
	item->err = token_item_err(
		w, SEAL_E_TOKEN_UNKNOWN,
		w->state.current == 0
			? "the store has no tokens of this policy's key and namespace: is it the "
			  "store that the value was protected with?"
			: "the store has no such token: it was purged, or made with another store, key, "
			  "namespace or place");
}

/* Does the token have a form that a row can have? */
static bool is_token(const struct token_item *item, bool shaped)
{
	return shaped ? item->token.len > 0 && item->token.len <= TOKEN_SHAPED_MAX &&
				item->place.len <= TOKEN_PLACE_MAX
		      : item->token.len == TOKEN_LEN;
}

/* Is the row there, and the token's? Else the item fails. */
static bool is_there(struct token_work *w, struct token_item *item, const struct token_seek *seek)
{
	if (seek->row.ptr == NULL)
		unknown(w, item);
	else if (seek->err != NULL)
		item->err = seek->err;
	else if (!bytes_eq(seek->record.item.token, item->token) || seek->record.shaped != seek->shaped)
		item->err = token_item_damaged(w);
	return item->err == NULL;
}

/* May it be revealed here and now? */
static void take(struct token_work *w, const struct reveal *r, struct token_item *item,
		 const struct token_record *found)
{
	if (!bytes_eq(found->item.place, item->place) || found->item.kind != item->kind)
		item->err =
			token_item_err(w, SEAL_E_TAMPERED,
				       "the token was made for another place or kind of value, and was moved here");
	else if (found->expires_ms != 0 && found->expires_ms <= r->now_ms)
		item->err = token_item_err(w, SEAL_E_TOKEN_EXPIRED,
					   "the token has expired: its policy gave it a `ttl`, which is over");
	else
		item->value = found->item.value;
}

/* Seeks for items that are tokens by their form; *count: how many, of[k] which items they are. */
static enum seal_status prepare(struct token_work *w, const struct reveal *r, struct token_seek *seeks,
				struct token_seek **sought, size_t *of, size_t *count, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*count = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct token_item *item = &r->items[i];
		struct token_seek *seek = &seeks[*count];

		item->err = NULL;
		item->value = BYTES_EMPTY;
		if (w->state.current == 0 || !is_token(item, is_shaped(r, i))) {
			unknown(w, item);
			continue;
		}
		*seek = (struct token_seek){.item = item, .letter = TOKEN_ROW_TOKEN, .shaped = is_shaped(r, i)};
		if (seek->shaped)
			SEAL_TRY(token_group_hash(item->place, item->group, seek->group, err));
		of[*count] = i;
		sought[(*count)++] = seek;
	}
out:
	return rc;
}

/* A lookup's: of a text token's place and kind nothing is asked, nor of its time. */
static void give_records(const struct reveal *r, struct token_seek *const *sought, const size_t *of, size_t count)
{
	for (size_t i = 0; i < r->n; i++)
		r->records[i] = (struct token_record){.item = r->items[i], .shaped = r->records[i].shaped};
	for (size_t i = 0; i < count; i++)
		if (r->items[of[i]].err == NULL)
			r->records[of[i]] = sought[i]->record;
}

static enum seal_status reveal_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct reveal *r = arg;
	struct token_seek *seeks = arena_alloc(w->arena, r->n * sizeof(*seeks), _Alignof(struct token_seek));
	struct token_seek **sought = arena_alloc(w->arena, r->n * sizeof(*sought), _Alignof(struct token_seek *));
	size_t *of = arena_alloc(w->arena, r->n * sizeof(*of), _Alignof(size_t)), count;
	enum seal_status rc = SEAL_OK;
	bool changed;

	if (seeks == NULL || sought == NULL || of == NULL)
		return err_memory(err);
	if (w->state.current == 0 && !w->fresh)
		SEAL_TRY(token_work_look(w, &changed, err));
	SEAL_TRY(prepare(w, r, seeks, sought, of, &count, err));
	SEAL_TRY(token_find(w, sought, count, err));
	for (size_t i = 0; i < count; i++) {
		struct token_item *item = &r->items[of[i]];

		if (is_there(w, item, sought[i]) && r->records == NULL)
			take(w, r, item, &sought[i]->record);
	}
	if (r->records != NULL)
		give_records(r, sought, of, count);
out:
	return rc;
}

static enum seal_status run(struct tokens *tokens, struct key_session *kek, struct reveal *r,
			    const struct key_call *call, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	r->now_ms = tokens_now_ms();
	if (r->n > 0)
		rc = token_run(tokens, kek, call, reveal_step, r, err);
	return rc;
}

enum seal_status tokens_reveal(struct tokens *tokens, struct key_session *kek, struct token_item *items, size_t n,
			       const struct key_call *call, struct seal_err *err)
{
	struct reveal r = {.items = items, .n = n};

	return run(tokens, kek, &r, call, err);
}

enum seal_status tokens_lookup(struct tokens *tokens, struct key_session *kek, struct token_record *records, size_t n,
			       const struct key_call *call, struct seal_err *err)
{
	struct reveal r = {.records = records, .n = n};

	r.items = arena_alloc(call->arena, n * sizeof(*r.items), _Alignof(struct token_item));
	if (r.items == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		r.items[i] = records[i].item;
	return run(tokens, kek, &r, call, err);
}
