/*
 * Tokens from elsewhere, put in as they are.
 *
 *   token ─┬─ here, of the same value ──▶ fine          fingerprint ─┬─ leads to this token ──▶ fine
 *          ├─ here, of another one ─────▶ an error                   ├─ leads to another one ─▶ an error; what was put in goes away
 *          └─ not here ─────────────────▶ inserted                   └─ not here ─────────────▶ inserted
 *
 * A token that has expired comes without a fingerprint, and a fingerprint that has expired gives way: as if they were gone.
 * Tokens go in before fingerprints, as in make.c. What somebody else changes meanwhile is looked at again.
 */
#include "keys/item_err.h"
#include "tokens/work.h"

/* One record on its way in. */
struct arrival {
	struct token_record *record;
	struct token_seek token, finger;
	struct seal_bytes row; /* the token's, as this call has inserted it; ptr NULL: it has not */
	const struct seal_err *err;
	uint64_t expires_ms; /* of the token as it is, or will be, here */
	bool convergent; /* a fingerprint belongs to it */
	bool replace; /* an expired one stands in the current generation */
	bool bad; /* no go can help it */
	bool done;
};

struct import {
	struct arrival *all;
	size_t n;
	uint64_t now_ms;
};

static bool is_over(const struct import *m, uint64_t expires_ms)
{
	return expires_ms != 0 && expires_ms <= m->now_ms;
}

/* What cannot be a token's record. */
static const char *unfit(const struct token_record *r)
{
	const struct token_item *item = &r->item;

	if (r->shaped ? item->token.len == 0 || item->token.len > TOKEN_SHAPED_MAX : item->token.len != TOKEN_LEN)
		return "this is no token: a token without shape has 16 bytes, a shaped one 1 to 512";
	if (r->shaped && item->group.len != TOKEN_GROUP_LEN)
		return "a shaped token comes with 8 bytes that say which group it is of";
	if (item->kind < TOKEN_STRING || item->kind > TOKEN_BYTES)
		return "the kind of a token's value is string, json or bytes";
	if (item->value.len > TOKEN_VALUE_MAX || item->place.len > TOKEN_PLACE_MAX ||
	    r->metadata.len > TOKEN_METADATA_MAX)
		return "the token's value, place or metadata is longer than a row takes";
	return NULL;
}

static size_t open_ones(struct import *m, struct arrival **open)
{
	size_t count = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->all[i].bad || m->all[i].done)
			continue;
		m->all[i].err = NULL;
		open[count++] = &m->all[i];
	}
	return count;
}

static void refuse(struct token_work *w, struct arrival *a, const char *why)
{
	a->err = token_item_err(w, SEAL_E_PROTECTED, why);
	a->bad = true;
}

/* Both rows of each, where they are. */
static enum seal_status find(struct token_work *w, struct arrival **open, size_t n, struct token_seek **seeks,
			     struct seal_err *err)
{
	enum seal_status rc;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		open[i]->token = token_seek_for(open[i]->record, TOKEN_ROW_TOKEN);
		open[i]->finger = token_seek_for(open[i]->record, TOKEN_ROW_FINGERPRINT);
		seeks[count++] = &open[i]->token;
	}
	for (size_t i = 0; i < n; i++)
		if (open[i]->record->convergent)
			seeks[count++] = &open[i]->finger;
	SEAL_TRY(token_find(w, seeks, count, err));
out:
	return rc;
}

/* Does what is here let the record in? */
static void judge(struct token_work *w, const struct import *m, struct arrival *a)
{
	const struct token_item *item = &a->record->item, *here = &a->token.record.item;

	if (a->token.row.ptr != NULL) {
		if (a->token.err != NULL)
			a->err = a->token.err;
		else if (!bytes_eq(here->value, item->value) || !bytes_eq(here->place, item->place) ||
			 here->kind != item->kind)
			refuse(w, a, "this token is here already, for another value or place");
	}
	a->replace = false;
	a->expires_ms =
		a->token.row.ptr != NULL && a->err == NULL ? a->token.record.expires_ms : a->record->expires_ms;
	a->convergent = a->record->convergent && !is_over(m, a->expires_ms);
	if (a->err == NULL && a->convergent && a->finger.row.ptr != NULL) {
		if (a->finger.err != NULL)
			a->err = a->finger.err;
		else if (bytes_eq(a->finger.finger.token, item->token))
			return;
		else if (is_over(m, a->finger.finger.expires_ms))
			a->replace = a->finger.generation == CURRENT;
		else
			refuse(w, a, "this value has another token here already");
	}
}

/* Fingerprints that have expired in the generation that is being left: new ones come to the current one. */
static enum seal_status rename_fingers(struct token_work *w, struct arrival **open, size_t n,
				       struct token_seek **seeks, struct seal_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct token_seek *finger = &open[i]->finger;

		if (open[i]->err != NULL || finger->row.ptr == NULL || finger->generation != LEAVING ||
		    !open[i]->convergent)
			continue;
		if (bytes_eq(finger->finger.token, open[i]->record->item.token))
			continue;
		finger->row = BYTES_EMPTY;
		seeks[count++] = finger;
	}
	return count > 0 ? token_name(w, CURRENT, seeks, count, err) : SEAL_OK;
}

/* Tokens that are not here yet. Those that somebody else was faster with are looked at again. */
static enum seal_status put_tokens(struct token_work *w, struct arrival **open, size_t n, struct seal_err *err)
{
	struct token_batch batch;
	enum seal_status rc;
	size_t next = 0;

	SEAL_TRY(token_batch_new(w, n, &batch, err));
	for (size_t i = 0; i < n; i++)
		if (open[i]->err == NULL && open[i]->token.row.ptr == NULL)
			SEAL_TRY(token_batch_add(&batch, &open[i]->token.key,
						 token_row_write(w->arena, open[i]->record), err));
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < n; i++) {
		if (open[i]->err != NULL || open[i]->token.row.ptr != NULL)
			continue;
		if (batch.items[next].inserted)
			open[i]->row = open[i]->token.row = batch.rows[next].row;
		next++;
	}
out:
	return rc;
}

static bool is_in(const struct arrival *a)
{
	return a->err == NULL && a->token.row.ptr != NULL;
}

static bool needs_finger(const struct arrival *a)
{
	return is_in(a) && a->convergent && (a->finger.row.ptr == NULL || a->replace);
}

/* Fingerprints that have expired make room for those that come. */
static enum seal_status drop_expired(struct token_work *w, struct arrival **open, size_t n, struct seal_err *err)
{
	struct store_change *changes = arena_alloc(w->arena, n * sizeof(*changes), _Alignof(struct store_change));
	size_t count = 0;

	if (changes == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		if (needs_finger(open[i]) && open[i]->replace)
			changes[count++] = (struct store_change){.key = token_key_bytes(&open[i]->finger.key),
								 .from = open[i]->finger.row};
	return token_change(w, changes, count, err);
}

static enum seal_status put_fingers(struct token_work *w, struct arrival **open, size_t n, struct seal_err *err)
{
	struct token_batch batch;
	enum seal_status rc;
	size_t next = 0;

	SEAL_TRY(drop_expired(w, open, n, err));
	SEAL_TRY(token_batch_new(w, n, &batch, err));
	for (size_t i = 0; i < n; i++) {
		const struct token_finger finger = {open[i]->record->item.token, open[i]->expires_ms};

		if (needs_finger(open[i]))
			SEAL_TRY(token_batch_add(&batch, &open[i]->finger.key, token_finger_write(w->arena, &finger),
						 err));
	}
	SEAL_TRY(token_batch_insert(w, &batch, err));
	for (size_t i = 0; i < n; i++)
		open[i]->done = needs_finger(open[i]) ? batch.items[next++].inserted : is_in(open[i]);
out:
	return rc;
}

/* Tokens that this call has put in, and whose value has another one. */
static enum seal_status take_back(struct token_work *w, struct arrival **open, size_t n, struct seal_err *err)
{
	struct store_change *changes = arena_alloc(w->arena, n * sizeof(*changes), _Alignof(struct store_change));
	size_t count = 0;

	if (changes == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (open[i]->err == NULL || open[i]->row.ptr == NULL)
			continue;
		changes[count++] =
			(struct store_change){.key = token_key_bytes(&open[i]->token.key), .from = open[i]->row};
		open[i]->row = BYTES_EMPTY;
	}
	return token_change(w, changes, count, err);
}

static enum seal_status import_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct import *m = arg;
	struct arrival **open = arena_alloc(w->arena, m->n * sizeof(*open), _Alignof(struct arrival *));
	struct token_seek **seeks = arena_alloc(w->arena, 2 * m->n * sizeof(*seeks), _Alignof(struct token_seek *));
	enum seal_status rc;
	size_t n;

	if (open == NULL || seeks == NULL)
		return err_memory(err);
	SEAL_TRY(token_work_begin(w, err));
	n = open_ones(m, open);
	SEAL_TRY(find(w, open, n, seeks, err));
	for (size_t i = 0; i < n; i++)
		judge(w, m, open[i]);
	SEAL_TRY(rename_fingers(w, open, n, seeks, err));
	SEAL_TRY(put_tokens(w, open, n, err));
	SEAL_TRY(put_fingers(w, open, n, err));
	SEAL_TRY(take_back(w, open, n, err));
	for (size_t i = 0; i < n; i++)
		w->again = w->again || (!open[i]->done && open[i]->err == NULL);
out:
	return rc;
}

static struct arrival *begin(struct token_record *records, size_t n, struct arena *arena)
{
	struct arrival *all = arena_alloc(arena, n * sizeof(*all), _Alignof(struct arrival));
	const struct seal_err *last = NULL;

	for (size_t i = 0; all != NULL && i < n; i++) {
		const char *text = unfit(&records[i]);
		struct seal_err why = SEAL_ERR_INIT;

		all[i] = (struct arrival){.record = &records[i], .bad = text != NULL};
		if (text == NULL)
			continue;
		(void)err_set(&why, SEAL_DATA, SEAL_E_SYNTAX, "%s", text);
		all[i].err = item_err_share(arena, &why, &last);
	}
	return all;
}

enum seal_status tokens_import(struct tokens *tokens, struct key_session *kek, struct token_record *records, size_t n,
			       uint64_t *added, const struct key_call *call, struct seal_err *err)
{
	struct import m = {.n = n, .all = begin(records, n, call->arena), .now_ms = tokens_now_ms()};
	enum seal_status rc = SEAL_OK;

	*added = 0;
	if (m.all == NULL)
		return err_memory(err);
	if (n > 0)
		SEAL_TRY(token_run(tokens, kek, call, import_step, &m, err));
	for (size_t i = 0; i < n; i++) {
		records[i].item.err = m.all[i].err;
		*added += m.all[i].row.ptr != NULL;
	}
out:
	return rc;
}
