/*
 * A new generation for every row: other store keys, other names, while others read and write.
 *
 *   begin    keys of generation n + 1, then the state {current n + 1, leaving n}: nobody adds to n any more
 *   move     rows of tokens of n, a page at a time:   insert copies into n + 1 ─▶ remove them from n
 *   end      fingerprints that are left over go away; the state {current n + 1}; the keys of n are erased
 *
 * A copy counts once the old row was removed as it was read (compare and swap). Where that fails, somebody has renewed it, taken it
 * away, or moved it: a copy that this process has inserted goes away again then, if nobody has made it theirs; what is left of the
 * old row is moved by a later step. Who finds a copy that another one has inserted makes it its own before it removes the old row, which
 * it has seen behind the copy; such a copy never goes away again, so of two processes that move a token at once one keeps it.
 * Who takes tokens away looks for copies after the old rows are gone (remove.c). A fingerprint is copied, held and let go of with
 * its token, each time in one transaction, so that none is lost and none leads nowhere; old ones stay until the end.
 *
 * Each step can be the last one before a crash; the next begins with what it finds. Rows that cannot be read are not taken away: the
 * rekey does not end before they are restored or removed.
 */
#include "tokens/work.h"

#define KEYS_PAGE 64

/* One token on its way. */
struct move {
	struct token_seek old; /* its row in the generation that is left, and what that says */
	struct token_seek token; /* the copy */
	struct token_seek old_finger, finger; /* the same of its fingerprint */
	struct seal_bytes row, finger_row; /* the copies as they are inserted */
	bool with_finger; /* the old fingerprint leads to this token, so it goes along */
	bool put, finger_put; /* the copy was inserted by this call */
	bool held, finger_held; /* … or made its own: it may count on it */
	bool moved;
};

struct page {
	struct move *moves;
	size_t n;
	uint64_t bad; /* rows that cannot be read, of this page and those before */
	struct seal_bytes last; /* key of the last row */
	bool end; /* there are no more */
};

struct rekey {
	size_t max;
	uint64_t moved;
	bool resumed, done;
};

/* Moving -------------------------------------------------------------------------------------------------------- */

/* Tokens of the generation that is left; those that do not open are counted. */
static enum seal_status read_page(struct token_work *w, size_t max, struct page *page, struct seal_err *err)
{
	struct token_seek **seeks;
	enum seal_status rc;
	size_t n;

	page->n = 0;
	SEAL_TRY(token_scan(w, LEAVING, &page->last, max, &seeks, &n, err));
	page->end = n == 0;
	page->moves = arena_alloc(w->arena, n * sizeof(*page->moves), _Alignof(struct move));
	if (page->moves == NULL)
		rc = err_memory(err);
	for (size_t i = 0; i < n && rc == SEAL_OK; i++) {
		if (seeks[i]->err == NULL)
			page->moves[page->n++] = (struct move){.old = *seeks[i]};
		else
			page->bad++;
	}
out:
	return rc;
}

/* Which old fingerprints lead to their tokens? Those that lead to others are theirs. */
static enum seal_status find_fingers(struct token_work *w, struct page *page, struct token_seek **seeks,
				     struct seal_err *err)
{
	size_t n = 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < page->n; i++) {
		struct move *move = &page->moves[i];

		move->old_finger = token_seek_for(&move->old.record, TOKEN_ROW_FINGERPRINT);
		if (move->old.record.convergent)
			seeks[n++] = &move->old_finger;
	}
	if (n == 0)
		goto out;
	SEAL_TRY(token_look(w, LEAVING, seeks, n, err));
	SEAL_TRY(token_open(w, seeks, n, err));
	for (size_t i = 0; i < page->n; i++) {
		struct move *move = &page->moves[i];

		move->with_finger = move->old_finger.row.ptr != NULL && move->old_finger.err == NULL &&
				    bytes_eq(move->old_finger.finger.token, move->old.record.item.token);
	}
out:
	return rc;
}

/* Names of the copies. */
static enum seal_status name_copies(struct token_work *w, struct page *page, struct token_seek **seeks,
				    struct seal_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < page->n; i++) {
		struct move *move = &page->moves[i];

		move->token = token_seek_for(&move->old.record, TOKEN_ROW_TOKEN);
		move->finger = token_seek_for(&move->old.record, TOKEN_ROW_FINGERPRINT);
		seeks[n++] = &move->token;
		if (move->with_finger)
			seeks[n++] = &move->finger;
	}
	return token_name(w, CURRENT, seeks, n, err);
}

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
	if (a_ms == 0 || b_ms == 0)
		return 0; /* never */
	return a_ms > b_ms ? a_ms : b_ms;
}

/* Those whose old row is still as it was read come to the front, *n of them. */
static enum seal_status still_there(struct token_work *w, struct move **moves, size_t *n, struct seal_err *err)
{
	struct store_item *items = arena_alloc(w->arena, *n * sizeof(*items), _Alignof(struct store_item));
	const struct store_call call = token_store_call(w);
	enum seal_status rc;
	size_t count = 0;

	if (items == NULL)
		return err_memory(err);
	for (size_t i = 0; i < *n; i++)
		items[i] = (struct store_item){.key = token_key_bytes(&moves[i]->old.key)};
	SEAL_TRY(w->use.store->ops->get(w->use.store, TOKENS_SPACE, items, *n, &call, err));
	for (size_t i = 0; i < *n; i++)
		if (items[i].value.ptr != NULL && bytes_eq(items[i].value, moves[i]->old.row))
			moves[count++] = moves[i];
	*n = count;
out:
	return rc;
}

/* Copies that are to be made our own. */
struct taking {
	struct token_row *rows;
	struct store_change *changes;
	bool **held; /* by row: what becomes true with it */
	size_t n;
};

static enum seal_status take_row(struct taking *t, const struct token_seek *copy, struct seal_bytes row, bool *held,
				 struct seal_err *err)
{
	if (row.ptr == NULL)
		return err_memory(err);
	t->rows[t->n] = (struct token_row){&copy->key, row};
	t->changes[t->n] = (struct store_change){.key = token_key_bytes(&copy->key), .from = copy->row, .to = row};
	t->held[t->n++] = held;
	return SEAL_OK;
}

/* With the later end of the two. A fingerprint that leads to another token by now is that one's, and is not needed. */
static enum seal_status take_move(struct token_work *w, struct taking *t, struct move *move, struct seal_err *err)
{
	struct token_record record = move->old.record;
	struct token_finger finger = move->old_finger.finger;
	enum seal_status rc = SEAL_OK;

	if (!move->put) {
		if (move->token.err == NULL)
			record.expires_ms = later(record.expires_ms, move->token.record.expires_ms);
		SEAL_TRY(take_row(t, &move->token, token_row_write(w->arena, &record), &move->held, err));
	}
	if (!move->with_finger || move->finger_put)
		goto out;
	if (move->finger.err == NULL && !bytes_eq(move->finger.finger.token, finger.token)) {
		move->finger_held = true;
		goto out;
	}
	if (move->finger.err == NULL)
		finger.expires_ms = later(finger.expires_ms, move->finger.finger.expires_ms);
	rc = take_row(t, &move->finger, token_finger_write(w->arena, &finger), &move->finger_held, err);
out:
	return rc;
}

/* What somebody else has made, as it stands in the rows of the copies, becomes ours: a token and its fingerprint at once. */
static enum seal_status take_copies(struct token_work *w, struct move **moves, size_t n, struct seal_err *err)
{
	struct token_seek **seeks = arena_alloc(w->arena, 2 * n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct taking t = {
		.rows = arena_alloc(w->arena, 2 * n * sizeof(*t.rows), _Alignof(struct token_row)),
		.changes = arena_alloc(w->arena, 2 * n * sizeof(*t.changes), _Alignof(struct store_change)),
		.held = arena_alloc(w->arena, 2 * n * sizeof(*t.held), _Alignof(bool *)),
	};
	size_t n_seeks = 0;
	enum seal_status rc;

	if (seeks == NULL || t.rows == NULL || t.changes == NULL || t.held == NULL)
		return err_memory(err);
	SEAL_TRY(still_there(w, moves, &n, err));
	for (size_t i = 0; i < n; i++) {
		if (!moves[i]->put)
			seeks[n_seeks++] = &moves[i]->token;
		if (moves[i]->with_finger && !moves[i]->finger_put)
			seeks[n_seeks++] = &moves[i]->finger;
	}
	SEAL_TRY(token_open(w, seeks, n_seeks, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(take_move(w, &t, moves[i], err));
	SEAL_TRY(token_seal(w, CURRENT, t.rows, t.n, err));
	SEAL_TRY(token_change(w, t.changes, t.n, err));
	for (size_t i = 0; i < t.n; i++)
		*t.held[i] = t.changes[i].changed;
out:
	return rc;
}

/* Tokens and the fingerprints that go with them, in the order of the page. */
static enum seal_status list_copies(struct token_work *w, struct page *page, struct token_batch *batch,
				    struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(token_batch_new(w, 2 * page->n, batch, err));
	for (size_t i = 0; i < page->n; i++) {
		struct move *move = &page->moves[i];

		move->row = token_row_write(w->arena, &move->old.record);
		SEAL_TRY(token_batch_add(batch, &move->token.key, move->row, err));
		if (!move->with_finger)
			continue;
		move->finger_row = token_finger_write(w->arena, &move->old_finger.finger);
		SEAL_TRY(token_batch_add(batch, &move->finger.key, move->finger_row, err));
	}
out:
	return rc;
}

/* Both copies stand, and nobody takes them back. */
static bool is_held(const struct move *move)
{
	return move->held && (move->finger_held || !move->with_finger);
}

static enum seal_status insert_copies(struct token_work *w, struct page *page, struct seal_err *err)
{
	struct move **others = arena_alloc(w->arena, page->n * sizeof(*others), _Alignof(struct move *));
	struct token_batch batch;
	size_t next = 0, n_others = 0;
	enum seal_status rc;

	if (others == NULL)
		return err_memory(err);
	SEAL_TRY(list_copies(w, page, &batch, err));
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < page->n; i++) {
		struct move *move = &page->moves[i];

		move->held = move->put = batch.items[next].inserted;
		move->token.row = batch.items[next++].value;
		if (move->with_finger) {
			move->finger_held = move->finger_put = batch.items[next].inserted;
			move->finger.row = batch.items[next++].value;
		}
		if (!is_held(move))
			others[n_others++] = move;
	}
	if (n_others > 0)
		SEAL_TRY(take_copies(w, others, n_others, err));
out:
	return rc;
}

/* Where the copies stand, the old row goes. Old fingerprints stay to the end. */
static enum seal_status remove_old(struct token_work *w, struct page *page, struct store_change *changes,
				   struct seal_err *err)
{
	size_t n = 0, next = 0;
	enum seal_status rc;

	for (size_t i = 0; i < page->n; i++)
		if (is_held(&page->moves[i]))
			changes[n++] = (struct store_change){.key = token_key_bytes(&page->moves[i].old.key),
							     .from = page->moves[i].old.row};
	SEAL_TRY(token_change(w, changes, n, err));
	for (size_t i = 0; i < page->n; i++)
		if (is_held(&page->moves[i]))
			page->moves[i].moved = changes[next++].changed;
out:
	return rc;
}

/* What was inserted for rows that were not removed goes away, token and fingerprint at once. */
static enum seal_status undo(struct token_work *w, struct page *page, struct store_change *changes,
			     struct seal_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < page->n; i++) {
		const struct move *move = &page->moves[i];

		if (move->put && !move->moved)
			changes[n++] =
				(struct store_change){.key = token_key_bytes(&move->token.key), .from = move->row};
		if (move->finger_put && !move->moved)
			changes[n++] = (struct store_change){.key = token_key_bytes(&move->finger.key),
							     .from = move->finger_row};
	}
	return token_change(w, changes, n, err);
}

static enum seal_status move_page(struct token_work *w, struct page *page, uint64_t *moved, struct seal_err *err)
{
	const size_t n = 2 * page->n;
	struct token_seek **seeks = arena_alloc(w->arena, n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct store_change *changes = arena_alloc(w->arena, n * sizeof(*changes), _Alignof(struct store_change));
	enum seal_status rc;

	if (seeks == NULL || changes == NULL)
		return err_memory(err);
	SEAL_TRY(find_fingers(w, page, seeks, err));
	SEAL_TRY(name_copies(w, page, seeks, err));
	SEAL_TRY(insert_copies(w, page, err));
	SEAL_TRY(remove_old(w, page, changes, err));
	for (size_t i = 0; i < page->n; i++)
		*moved += page->moves[i].moved;
	SEAL_TRY(undo(w, page, changes, err));
out:
	return rc;
}

/* The end ------------------------------------------------------------------------------------------------------- */

/* The first rows whose key starts so. */
static enum seal_status scan(struct token_work *w, const char *space, struct seal_bytes prefix, size_t max,
			     struct store_item **items, size_t *n, struct seal_err *err)
{
	const struct store_call call = token_store_call(w);
	enum seal_status rc;
	size_t all;

	*n = 0;
	SEAL_TRY(w->use.store->ops->scan(w->use.store, space, prefix, max, items, &all, &call, err));
	while (*n < all && bytes_starts((*items)[*n].key, prefix))
		(*n)++;
out:
	return rc;
}

/* Fingerprints without a token: it was moved, with another copy of this one, or was purged. *any: some may be left. */
static enum seal_status sweep_fingers(struct token_work *w, size_t max, bool *any, struct seal_err *err)
{
	struct store_change *changes = arena_alloc(w->arena, max * sizeof(*changes), _Alignof(struct store_change));
	struct store_item *items;
	struct token_key start;
	enum seal_status rc;
	size_t n;

	if (changes == NULL)
		return err_memory(err);
	token_key_start(&start, w->generations[LEAVING]->id, TOKEN_ROW_FINGERPRINT);
	SEAL_TRY(scan(w, TOKENS_SPACE, token_key_bytes(&start), max, &items, &n, err));
	for (size_t i = 0; i < n; i++)
		changes[i] = (struct store_change){.key = items[i].key, .from = items[i].value};
	*any = n > 0;
	rc = token_change(w, changes, n, err);
out:
	return rc;
}

/* Rows of the keys of the generation before the current one; there are some until a rekey has ended whole. */
static enum seal_status old_keys(struct token_work *w, struct store_item **items, size_t *n, struct seal_err *err)
{
	struct generation *old = NULL;
	enum seal_status rc = SEAL_OK;

	*n = 0;
	if (w->state.current < 2)
		return SEAL_OK;
	SEAL_TRY(generation_take(w->tokens, w->state.current - 1, &old, err));
	SEAL_TRY(scan(w, STORE_KEYS_SPACE, bytes_of(store_keys_scope(old->keys), ROW_ID_LEN), KEYS_PAGE, items, n,
		      err));
out:
	generation_give(w->tokens, old);
	return rc;
}

/*
 * They are wiped from the data base's files, too. One whose turn that is not can be told again by a swap of the state for itself, which
 * comes last.
 */
static enum seal_status erase_keys(struct token_work *w, bool *done, struct seal_err *err)
{
	const struct store_call call = token_store_call(w);
	struct store_session *store = w->use.store;
	uint8_t state[TOKEN_STATE_LEN];
	struct store_item *items;
	enum seal_status rc = SEAL_OK;
	bool swapped;
	size_t n;

	do {
		SEAL_TRY(old_keys(w, &items, &n, err));
		for (size_t i = 0; i < n; i++)
			SEAL_TRY(store->ops->swap(store, STORE_KEYS_SPACE, items[i].key, items[i].value, BYTES_EMPTY,
						  true, &swapped, &call, err));
	} while (n > 0);
	token_state_write(&w->state, state);
	if (w->state.current != 0)
		SEAL_TRY(store->ops->swap(store, TOKENS_SPACE, token_state_key(w->tokens),
					  bytes_of(state, sizeof(state)), bytes_of(state, sizeof(state)), true,
					  &swapped, &call, err));
	*done = true;
out:
	return rc;
}

/* No row is left. Somebody else may have ended it, too. */
static enum seal_status end(struct token_work *w, struct seal_err *err)
{
	const struct token_state after = {.current = w->state.current};
	enum seal_status rc;
	bool swapped, changed;

	SEAL_TRY(token_state_swap(w, &w->state, &after, &swapped, err));
	rc = token_work_look(w, &changed, err);
out:
	return rc;
}

/* Steps --------------------------------------------------------------------------------------------------------- */

static enum seal_status begin_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct rekey *rekey = arg;
	struct generation *next = NULL;
	struct hmac *names = NULL;
	struct token_state after;
	struct store_item *items;
	enum seal_status rc;
	bool swapped, changed;
	size_t n;

	SEAL_TRY(token_work_look(w, &changed, err));
	SEAL_TRY(old_keys(w, &items, &n, err));
	rekey->resumed = w->state.leaving != 0 || n > 0;
	if (rekey->resumed || w->state.current == 0)
		goto out;
	after = (struct token_state){.current = w->state.current + 1, .leaving = w->state.current};
	SEAL_TRY(generation_take(w->tokens, after.current, &next, err));
	SEAL_TRY(store_keys_pepper(next->keys, &w->use, true, &names, err));
	SEAL_TRY(token_state_swap(w, &w->state, &after, &swapped, err));
	w->again = !swapped;
	SEAL_TRY(token_work_look(w, &changed, err));
out:
	hmac_free(names);
	generation_give(w->tokens, next);
	return rc;
}

static enum seal_status cannot_end(uint64_t bad, struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
		       "%llu row%s of the store cannot be read, so the old keys must stay: the store was changed or "
		       "damaged; restore %s, or remove %s, and run this again",
		       (unsigned long long)bad, plural_s(bad), bad == 1 ? "it" : "them", bad == 1 ? "it" : "them");
}

static enum seal_status rekey_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct rekey *rekey = arg;
	struct page page = {.n = 0};
	enum seal_status rc;
	bool changed, any = false;

	SEAL_TRY(token_work_look(w, &changed, err));
	if (w->state.leaving == 0)
		return erase_keys(w, &rekey->done, err);
	do {
		SEAL_TRY(read_page(w, rekey->max, &page, err));
		if (page.n > 0)
			return move_page(w, &page, &rekey->moved, err);
	} while (!page.end);
	if (page.bad > 0)
		return cannot_end(page.bad, err);
	SEAL_TRY(sweep_fingers(w, rekey->max, &any, err));
	if (any)
		goto out;
	SEAL_TRY(end(w, err));
	if (w->state.leaving == 0)
		rc = erase_keys(w, &rekey->done, err);
out:
	return rc;
}

enum seal_status tokens_rekey_begin(struct tokens *tokens, struct key_session *kek, bool *resumed,
				    const struct key_call *call, struct seal_err *err)
{
	struct rekey rekey = {.max = 0};
	enum seal_status rc = token_run(tokens, kek, call, begin_step, &rekey, err);

	*resumed = rekey.resumed;
	return rc;
}

enum seal_status tokens_rekey_step(struct tokens *tokens, struct key_session *kek, size_t max, uint64_t *moved,
				   bool *done, const struct key_call *call, struct seal_err *err)
{
	struct rekey rekey = {.max = max > 0 ? max : 1};
	enum seal_status rc = token_run(tokens, kek, call, rekey_step, &rekey, err);

	*moved = rekey.moved;
	*done = rc == SEAL_OK && rekey.done;
	return rc;
}
