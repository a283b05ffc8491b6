/*
 * Tokens taken away: their rows, and the fingerprints that lead to them, in both generations while a rekey is under way. The one that
 * is left is looked at first, since rows go from there to the other; and where a row was taken away there, copies are looked for once
 * more. The rekey takes back the copy of a row that is gone when it comes to remove it, so nothing comes back.
 *
 * Invariants: token and fingerprint go in one transaction. A fingerprint that leads to another token by now stays. So does a token that
 * lives longer than who wants it gone has seen.
 */
#include <stdlib.h>

#include "tokens/work.h"

struct removal {
	const struct token_record **records; /* each token once */
	bool *gone; /* of each: this call has removed it */
	size_t n;
};

/* Rows of one record that are there. */
struct found {
	struct token_seek token[GENERATIONS], finger[GENERATIONS];
};

static bool is_row(const struct token_seek *seek)
{
	return seek->row.ptr != NULL && seek->err == NULL;
}

/* Rows of one letter in one generation. */
static enum seal_status look(struct token_work *w, unsigned generation, struct token_seek **seeks, size_t n,
			     struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (n == 0 || w->generations[generation] == NULL)
		return SEAL_OK;
	SEAL_TRY(token_look(w, generation, seeks, n, err));
	SEAL_TRY(token_open(w, seeks, n, err));
out:
	return rc;
}

static enum seal_status find_tokens(struct token_work *w, const struct removal *r, struct found *found,
				    struct token_seek **seeks, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (unsigned g = GENERATIONS; g-- > 0;) {
		for (size_t i = 0; i < r->n; i++) {
			found[i].token[g] = token_seek_for(r->records[i], TOKEN_ROW_TOKEN);
			seeks[i] = &found[i].token[g];
		}
		SEAL_TRY(look(w, g, seeks, r->n, err));
	}
out:
	return rc;
}

/* The fingerprints of what was found. */
static enum seal_status find_fingers(struct token_work *w, size_t n, struct found *found, struct token_seek **seeks,
				     struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (unsigned g = GENERATIONS; g-- > 0;) {
		size_t count = 0;

		for (size_t i = 0; i < n; i++) {
			const struct token_seek *token =
				&found[i].token[is_row(&found[i].token[CURRENT]) ? CURRENT : LEAVING];

			if (!is_row(token) || !token->record.convergent)
				continue;
			found[i].finger[g] = token_seek_for(&token->record, TOKEN_ROW_FINGERPRINT);
			seeks[count++] = &found[i].finger[g];
		}
		SEAL_TRY(look(w, g, seeks, count, err));
	}
out:
	return rc;
}

/* Has it got more time since the record was read? Then it was given out again, and records carry it. */
static bool is_renewed(const struct token_record *record, const struct found *found)
{
	for (unsigned g = 0; record->expires_ms != 0 && g < GENERATIONS; g++) {
		const struct token_seek *token = &found->token[g];

		if (is_row(token) && (token->record.expires_ms == 0 || token->record.expires_ms > record->expires_ms))
			return true;
	}
	return false;
}

/* The rows of one record that are to go; returns how many. */
static size_t list_rows(const struct token_record *record, const struct found *found, struct store_change *changes)
{
	size_t count = 0;

	if (is_renewed(record, found))
		return 0;

	for (unsigned g = 0; g < GENERATIONS; g++) {
		const struct token_seek *token = &found->token[g], *finger = &found->finger[g];

		if (is_row(token))
			changes[count++] =
				(struct store_change){.key = token_key_bytes(&token->key), .from = token->row};
		if (is_row(finger) && bytes_eq(finger->finger.token, found->token[CURRENT].item->token))
			changes[count++] =
				(struct store_change){.key = token_key_bytes(&finger->key), .from = finger->row};
	}
	return count;
}

static enum seal_status remove_rows(struct token_work *w, struct removal *r, const struct found *found,
				    struct seal_err *err)
{
	struct store_change *changes =
		arena_alloc(w->arena, 2 * GENERATIONS * r->n * sizeof(*changes), _Alignof(struct store_change));
	size_t *until = arena_alloc(w->arena, r->n * sizeof(*until), _Alignof(size_t)), count = 0;
	enum seal_status rc;

	if (changes == NULL || until == NULL)
		return err_memory(err);
	for (size_t i = 0; i < r->n; i++) {
		count += list_rows(r->records[i], &found[i], changes + count);
		until[i] = count;
	}
	SEAL_TRY(token_change(w, changes, count, err));
	for (size_t i = 0, at = 0; i < r->n; i++) {
		const bool removes = at < until[i];

		for (; at < until[i]; at++) {
			r->gone[i] = r->gone[i] || changes[at].changed;
			w->again = w->again || !changes[at].changed; /* renewed, or moved, meanwhile */
		}
		w->again = w->again || (removes && is_row(&found[i].token[LEAVING])); /* a copy may be on its way */
	}
out:
	return rc;
}

static enum seal_status remove_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct removal *r = arg;
	struct token_seek **seeks = arena_alloc(w->arena, r->n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct found *found = arena_alloc(w->arena, r->n * sizeof(*found), _Alignof(struct found));
	enum seal_status rc = SEAL_OK;
	bool changed;

	if (seeks == NULL || found == NULL)
		return err_memory(err);
	memset(found, 0, r->n * sizeof(*found));
	if (w->state.current == 0 && !w->fresh)
		SEAL_TRY(token_work_look(w, &changed, err));
	if (w->state.current == 0)
		return SEAL_OK;
	SEAL_TRY(find_tokens(w, r, found, seeks, err));
	SEAL_TRY(find_fingers(w, r->n, found, seeks, err));
	SEAL_TRY(remove_rows(w, r, found, err));
out:
	return rc;
}

static int by_token(const void *a, const void *b)
{
	const struct token_record *x = *(const struct token_record *const *)a,
				  *y = *(const struct token_record *const *)b;
	const int order = bytes_cmp(x->item.token, y->item.token);

	if (order != 0 || (!x->shaped && !y->shaped))
		return order;
	if (x->shaped != y->shaped)
		return x->shaped ? 1 : -1;
	return bytes_cmp(x->item.place, y->item.place);
}

/* Each token once; those that none can be are left out. */
static size_t distinct(const struct token_record *records, size_t n, const struct token_record **out)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		if (records[i].shaped ? records[i].item.group.len == TOKEN_GROUP_LEN
				      : records[i].item.token.len == TOKEN_LEN)
			out[count++] = &records[i];
	qsort(out, count, sizeof(struct token_record *), by_token);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || by_token(&out[kept - 1], &out[i]) != 0)
			out[kept++] = out[i];
	return kept;
}

enum seal_status tokens_remove(struct tokens *tokens, struct key_session *kek, const struct token_record *records,
			       size_t n, uint64_t *removed, const struct key_call *call, struct seal_err *err)
{
	struct removal r = {.records =
				    arena_alloc(call->arena, n * sizeof(*r.records), _Alignof(struct token_record *)),
			    .gone = arena_alloc(call->arena, n, 1)};
	enum seal_status rc = SEAL_OK;

	*removed = 0;
	if (r.records == NULL || r.gone == NULL)
		return err_memory(err);
	memset(r.gone, 0, n);
	r.n = distinct(records, n, r.records);
	if (r.n > 0)
		SEAL_TRY(token_run(tokens, kek, call, remove_step, &r, err));
	for (size_t i = 0; i < r.n; i++)
		*removed += r.gone[i];
out:
	return rc;
}
