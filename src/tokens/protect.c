/*
 * From values to tokens.
 *
 *   items ──▶ wants (equal ones of a convergent lot share one) ──▶ fingerprints ─┬─ there ──▶ its token; renewed where its time is short
 *                                                                                └─ none, expired ──▶ make.c
 *
 * What another process does meanwhile shows in rows that are not what they were: those wants go round again, the others are settled.
 *
 * Invariant: a token is given out only after its row, and the fingerprint that leads to it, are on disk.
 */
#include <stdlib.h>

#include "crypto/random.h"
#include "crypto/siphash.h"
#include "keys/item_err.h"
#include "tokens/want.h"

#define LOST_MAX 3 /* goes in which a fingerprint leads to no token before it is damage */

struct protect {
	struct token_lot lot;
	struct token_item *items;
	size_t n;
	struct token_want **of; /* each item's want */
};

/* Wants ------------------------------------------------------------------------------------------------------------ */

/* What no token can stand for. */
static bool is_unfit(const struct token_item *item, struct seal_err *why)
{
	if (item->value.len > TOKEN_VALUE_MAX)
		(void)err_set(why, SEAL_DATA, SEAL_E_LIMIT,
			      "the value has %zu bytes, and a token stands for %d at most: encrypt it instead",
			      item->value.len, TOKEN_VALUE_MAX);
	else if (item->place.len > TOKEN_PLACE_MAX)
		(void)err_set(why, SEAL_DATA, SEAL_E_LIMIT,
			      "what the token is bound to has %zu bytes, and may have %d: bind it to a domain",
			      item->place.len, TOKEN_PLACE_MAX);
	return why->status != SEAL_OK;
}

/* The want of one item, with all but its token. */
static enum seal_status begin_want(const struct token_terms *terms, const struct token_item *item,
				   struct token_want *want, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_INVARIANT((terms->draw != NULL) ==
		       (item->group.len > 0)); /* by the group a reveal sees that it is shaped */
	*want = (struct token_want){.item = item};
	SEAL_TRY(token_group_hash(item->place, item->group, want->group, err));
	want->record.item = (struct token_item){.value = item->value,
						.place = item->place,
						.kind = item->kind,
						.group = {want->group, TOKEN_GROUP_LEN}};
	want->record.shaped = terms->draw != NULL;
	want->record.convergent = terms->convergent;
	want->record.metadata = terms->metadata != NULL ? bytes_str(terms->metadata) : BYTES_EMPTY;
	want->finger = token_seek_for(&want->record, TOKEN_ROW_FINGERPRINT);
out:
	return rc;
}

/* A want, and a hash that equal ones share. */
struct hashed {
	uint64_t hash;
	struct token_want *want;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->want < y->want ? -1 : 1;
}

static bool equal_wants(const struct token_want *a, const struct token_want *b)
{
	return a->item->kind == b->item->kind && memcmp(a->group, b->group, TOKEN_GROUP_LEN) == 0 &&
	       bytes_eq(a->item->place, b->item->place) && bytes_eq(a->item->value, b->item->value);
}

/* Equal items get the want of the first of them. */
static enum seal_status share_wants(struct protect *p, struct arena *arena, struct seal_err *err)
{
	struct hashed *all = arena_alloc(arena, p->n * sizeof(*all), _Alignof(struct hashed));
	uint8_t key[SIPHASH_KEY_LEN];
	enum seal_status rc;
	size_t first = 0;

	if (all == NULL)
		return err_memory(err);
	SEAL_TRY(random_bytes(key, sizeof(key), err));
	for (size_t i = 0; i < p->n; i++)
		all[i] = (struct hashed){siphash(key, p->items[i].value), p->of[i]};
	qsort(all, p->n, sizeof(*all), by_hash);
	for (size_t i = 1; i < p->n; i++) {
		if (all[i].hash == all[first].hash && equal_wants(all[i].want, all[first].want))
			p->of[all[i].want - p->lot.wants] = all[first].want;
		else
			first = i;
	}
out:
	return rc;
}

static enum seal_status begin(struct protect *p, struct arena *arena, struct seal_err *err)
{
	const struct seal_err *last = NULL;
	enum seal_status rc = SEAL_OK;

	p->lot.wants = arena_alloc(arena, p->n * sizeof(*p->lot.wants), _Alignof(struct token_want));
	p->of = arena_alloc(arena, p->n * sizeof(struct token_want *), _Alignof(struct token_want *));
	if (p->lot.wants == NULL || p->of == NULL)
		return err_memory(err);
	for (size_t i = 0; i < p->n; i++) {
		struct seal_err why = SEAL_ERR_INIT;

		p->of[i] = &p->lot.wants[i];
		if (is_unfit(&p->items[i], &why))
			*p->of[i] = (struct token_want){
				.item = &p->items[i], .bad = true, .err = item_err_share(arena, &why, &last)};
		else
			SEAL_TRY(begin_want(p->lot.terms, &p->items[i], p->of[i], err));
	}
	if (p->lot.terms->convergent)
		SEAL_TRY(share_wants(p, arena, err));
	p->lot.now_ms = tokens_now_ms();
	p->lot.expires_ms = p->lot.terms->ttl_ms != 0 ? p->lot.now_ms + p->lot.terms->ttl_ms : 0;
out:
	return rc;
}

/* Those that a go has to see to. */
static size_t open_wants(struct protect *p, struct token_want **out)
{
	size_t count = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct token_want *want = p->of[i];

		if (want != &p->lot.wants[i] || want->bad || want->chosen.ptr != NULL)
			continue;
		want->err = NULL;
		want->replace = false;
		out[count++] = want;
	}
	return count;
}

/* Renewal ---------------------------------------------------------------------------------------------------------- */

/* Is less than half of its time left? */
static bool is_short(const struct token_lot *lot, uint64_t expires_ms)
{
	return expires_ms != 0 && (lot->expires_ms == 0 || (expires_ms - lot->now_ms) * 2 < lot->terms->ttl_ms);
}

/* Is the token's row there, and of this value? */
static bool leads_home(struct token_work *w, struct token_want *want)
{
	const struct token_seek *seek = &want->token;

	if (seek->row.ptr == NULL) {
		if (++want->lost >= LOST_MAX)
			want->err = token_item_damaged(w);
		return false;
	}
	want->err = seek->err;
	if (want->err == NULL && !bytes_eq(seek->record.item.value, want->item->value))
		want->err = token_item_damaged(w);
	return want->err == NULL;
}

/* The same rows with the new time, sealed where the old ones are. */
static enum seal_status write_renewed(struct token_work *w, const struct token_lot *lot, struct token_want *want,
				      struct store_change *changes, struct seal_err *err)
{
	struct token_finger finger = {want->finger.finger.token, lot->expires_ms};
	struct token_record record = want->token.record;
	struct token_row rows[2];
	enum seal_status rc;

	record.expires_ms = lot->expires_ms;
	rows[0] = (struct token_row){&want->token.key, token_row_write(w->arena, &record)};
	rows[1] = (struct token_row){&want->finger.key, token_finger_write(w->arena, &finger)};
	if (rows[0].row.ptr == NULL || rows[1].row.ptr == NULL)
		return err_memory(err);
	SEAL_TRY(token_seal(w, want->token.generation, &rows[0], 1, err));
	SEAL_TRY(token_seal(w, want->finger.generation, &rows[1], 1, err));
	changes[0] = (struct store_change){token_key_bytes(rows[0].key), want->token.row, rows[0].row, false};
	changes[1] = (struct store_change){token_key_bytes(rows[1].key), want->finger.row, rows[1].row, false};
out:
	return rc;
}

/* Tokens that come again when their time is short live on. */
static enum seal_status renew(struct token_work *w, const struct token_lot *lot, struct token_want **wants, size_t n,
			      struct seal_err *err)
{
	struct token_seek **seeks = arena_alloc(w->arena, n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct store_change *changes = arena_alloc(w->arena, 2 * n * sizeof(*changes), _Alignof(struct store_change));
	enum seal_status rc;
	size_t count = 0;

	if (seeks == NULL || changes == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		wants[i]->record.item.token = wants[i]->finger.finger.token;
		wants[i]->token = (struct token_seek){
			.item = &wants[i]->record.item, .letter = TOKEN_ROW_TOKEN, .shaped = wants[i]->record.shaped};
		memcpy(wants[i]->token.group, wants[i]->group, TOKEN_GROUP_LEN);
		seeks[i] = &wants[i]->token;
	}
	SEAL_TRY(token_find(w, seeks, n, err));
	for (size_t i = 0; i < n; i++) {
		/* in different generations: the finger was read before a rekey has copied both, so once more */
		if (!leads_home(w, wants[i]) || wants[i]->token.generation != wants[i]->finger.generation)
			continue;
		SEAL_TRY(write_renewed(w, lot, wants[i], &changes[2 * count], err));
		wants[count++] = wants[i];
	}
	SEAL_TRY(token_change(w, changes, 2 * count, err));
	for (size_t i = 0; i < count; i++)
		if (changes[2 * i].changed && changes[2 * i + 1].changed)
			wants[i]->chosen = wants[i]->record.item.token;
out:
	return rc;
}

/* A go ------------------------------------------------------------------------------------------------------------- */

/* What the fingerprint says. True: there is a token to make. */
static bool classify(const struct token_lot *lot, struct token_want *want, bool *renew_it)
{
	const struct token_seek *seek = &want->finger;

	*renew_it = false;
	if (seek->row.ptr == NULL)
		return true;
	want->err = seek->err;
	if (want->err != NULL)
		return false;
	if (seek->finger.expires_ms != 0 && seek->finger.expires_ms <= lot->now_ms) {
		want->replace = seek->generation == CURRENT;
		return true;
	}
	*renew_it = is_short(lot, seek->finger.expires_ms);
	if (!*renew_it)
		want->chosen = seek->finger.token;
	return false;
}

/* Looks for the fingerprints of `open`, and settles or renews what is there. *left: how many, at the front, are to be made. */
static enum seal_status find_known(struct token_work *w, struct token_lot *lot, struct token_want **open, size_t n,
				   size_t *left, struct seal_err *err)
{
	struct token_seek **seeks = arena_alloc(w->arena, n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct token_want **short_ones =
		arena_alloc(w->arena, n * sizeof(*short_ones), _Alignof(struct token_want *));
	enum seal_status rc;
	size_t n_short = 0;
	bool renew_it;

	if (seeks == NULL || short_ones == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		seeks[i] = &open[i]->finger;
	SEAL_TRY(token_find(w, seeks, n, err));
	*left = 0;
	for (size_t i = 0; i < n; i++) {
		if (classify(lot, open[i], &renew_it))
			open[(*left)++] = open[i];
		else if (renew_it)
			short_ones[n_short++] = open[i];
	}
	if (n_short > 0)
		SEAL_TRY(renew(w, lot, short_ones, n_short, err));
out:
	return rc;
}

static bool some_open(const struct protect *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->of[i]->bad && p->of[i]->chosen.ptr == NULL && p->of[i]->err == NULL)
			return true;
	return false;
}

static enum seal_status protect_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct protect *p = arg;
	struct token_want **open = arena_alloc(w->arena, p->n * sizeof(*open), _Alignof(struct token_want *));
	enum seal_status rc;
	size_t left;

	if (open == NULL)
		return err_memory(err);
	SEAL_TRY(token_work_begin(w, err));
	left = open_wants(p, open);
	if (p->lot.terms->convergent && left > 0)
		SEAL_TRY(find_known(w, &p->lot, open, left, &left, err));
	SEAL_TRY(token_make(w, &p->lot, open, left, err));
	w->again = some_open(p);
out:
	return rc;
}

enum seal_status tokens_protect(struct tokens *tokens, struct key_session *kek, const struct token_terms *terms,
				struct token_item *items, size_t n, const struct key_call *call, struct seal_err *err)
{
	struct protect p = {.lot = {.terms = terms, .n = n}, .items = items, .n = n};
	enum seal_status rc;

	if (n == 0)
		return SEAL_OK;
	for (size_t i = 0; i < n; i++) {
		items[i].token = BYTES_EMPTY;
		items[i].err = NULL;
	}
	if (terms->metadata != NULL && strlen(terms->metadata) > TOKEN_METADATA_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "metadata of tokens is longer than %d bytes",
			       TOKEN_METADATA_MAX);
	SEAL_TRY(begin(&p, call->arena, err));
	SEAL_TRY(store_pool_make(tokens->pool, err));
	SEAL_TRY(token_run(tokens, kek, call, protect_step, &p, err));
	for (size_t i = 0; i < n; i++) {
		items[i].token = p.of[i]->chosen;
		items[i].err = p.of[i]->err;
	}
out:
	return rc;
}
