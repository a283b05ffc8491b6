/*
 * All tokens, one lot after the other.
 *
 *   cursor: number of the generation 8 │ key of the last row
 *
 * While a rekey is under way rows go from the generation that is left to the current one: so the former is walked first. Then none
 * is missed, and some may come twice. Where the state has changed since the last lot, the walk goes on in the cursor's
 * generation if that is still there, and begins the current one if not.
 */
#include "tokens/work.h"

enum seal_status token_scan(struct token_work *w, unsigned generation, struct seal_bytes *after, size_t max,
			    struct token_seek ***seeks, size_t *n, struct seal_err *err)
{
	struct token_seek *all = arena_alloc(w->arena, max * sizeof(*all), _Alignof(struct token_seek));
	const struct store_call call = token_store_call(w);
	struct store_item *items;
	struct token_key start;
	enum seal_status rc;
	size_t found;

	*n = 0;
	*seeks = arena_alloc(w->arena, max * sizeof(**seeks), _Alignof(struct token_seek *));
	if (*seeks == NULL || all == NULL)
		return err_memory(err);
	token_key_start(&start, w->generations[generation]->id, TOKEN_ROW_TOKEN);
	SEAL_TRY(w->use.store->ops->scan(w->use.store, TOKENS_SPACE,
					 after->len > 0 ? *after : token_key_bytes(&start), max, &items, &found,
					 &call, err));
	for (; *n < found && bytes_starts(items[*n].key, token_key_bytes(&start)); (*n)++) {
		struct token_seek *seek = &all[*n];

		*seek = (struct token_seek){
			.letter = TOKEN_ROW_TOKEN, .generation = generation, .row = items[*n].value};
		if (!token_key_set(&seek->key, items[*n].key))
			seek->err = token_item_damaged(w);
		(*seeks)[*n] = seek;
		*after = items[*n].key; /* not the seek's: a row may have a key that no token has */
	}
	SEAL_TRY(token_open(w, *seeks, *n, err));
out:
	return rc;
}

struct walk {
	struct seal_bytes *cursor;
	size_t max;
	struct token_record *records;
	size_t n;
	uint64_t bad; /* of this call */
	struct seal_bytes next; /* the cursor that comes of it */
};

/* Where to go on. */
static unsigned resume(const struct token_work *w, struct seal_bytes cursor, struct seal_bytes *after)
{
	const uint64_t number = cursor.len >= 8 ? be64_load(cursor.ptr) : 0;

	*after = bytes_skip(cursor, 8);
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (w->generations[i] != NULL && w->generations[i]->number == number)
			return i;
	*after = BYTES_EMPTY;
	return w->generations[LEAVING] != NULL ? LEAVING : CURRENT;
}

/* Keeps what opens, and where the scan has come to: the row `last`. */
static enum seal_status collect(struct token_work *w, struct walk *walk, unsigned generation, struct seal_bytes last,
				struct token_seek *const *seeks, size_t n, struct seal_err *err)
{
	uint8_t *cursor = arena_alloc(w->arena, 8 + last.len, 1);

	if (cursor == NULL)
		return err_memory(err);
	be64_store(cursor, w->generations[generation]->number);
	memcpy(cursor + 8, last.ptr, last.len);
	walk->next = bytes_of(cursor, 8 + last.len);
	for (size_t i = 0; i < n; i++) {
		if (seeks[i]->err == NULL)
			walk->records[walk->n++] = seeks[i]->record;
		else
			walk->bad++;
	}
	return SEAL_OK;
}

/* Convergent is what a fingerprint leads to now: not what has expired and was replaced, nor what a crash has left. */
static enum seal_status check_fingers(struct token_work *w, struct walk *walk, struct seal_err *err)
{
	struct token_seek *all = arena_alloc(w->arena, walk->n * sizeof(*all), _Alignof(struct token_seek));
	struct token_seek **seeks = arena_alloc(w->arena, walk->n * sizeof(*seeks), _Alignof(struct token_seek *));
	struct token_record **of = arena_alloc(w->arena, walk->n * sizeof(*of), _Alignof(struct token_record *));
	enum seal_status rc;
	size_t count = 0;

	if (all == NULL || seeks == NULL || of == NULL)
		return err_memory(err);
	for (size_t i = 0; i < walk->n; i++) {
		if (!walk->records[i].convergent)
			continue;
		all[count] = token_seek_for(&walk->records[i], TOKEN_ROW_FINGERPRINT);
		seeks[count] = &all[count];
		of[count++] = &walk->records[i];
	}
	SEAL_TRY(token_find(w, seeks, count, err));
	for (size_t i = 0; i < count; i++)
		of[i]->convergent = all[i].row.ptr != NULL && all[i].err == NULL &&
				    bytes_eq(all[i].finger.token, of[i]->item.token);
out:
	return rc;
}

static enum seal_status walk_step(struct token_work *w, void *arg, struct seal_err *err)
{
	struct walk *walk = arg;
	struct token_seek **seeks;
	struct seal_bytes after;
	unsigned generation;
	enum seal_status rc;
	bool changed;
	size_t n;

	walk->n = walk->bad = 0;
	walk->next = *walk->cursor;
	SEAL_TRY(token_work_look(w, &changed, err));
	if (w->state.current == 0)
		return SEAL_OK;
	generation = resume(w, *walk->cursor, &after);
	while (walk->n == 0) {
		SEAL_TRY(token_scan(w, generation, &after, walk->max, &seeks, &n, err));
		if (n > 0) {
			SEAL_TRY(collect(w, walk, generation, after, seeks, n, err));
		} else if (generation == LEAVING) {
			generation = CURRENT;
			after = BYTES_EMPTY;
		} else {
			break;
		}
	}
	SEAL_TRY(check_fingers(w, walk, err));
	w->look = w->look || walk->n == 0; /* at the end: unless a rekey has taken the rest away meanwhile */
out:
	return rc;
}

enum seal_status tokens_walk(struct tokens *tokens, struct key_session *kek, struct seal_bytes *cursor, size_t max,
			     struct token_record **records, size_t *n, uint64_t *bad, const struct key_call *call,
			     struct seal_err *err)
{
	struct walk walk = {.cursor = cursor, .max = max > 0 ? max : 1};
	enum seal_status rc;

	*n = 0;
	walk.records = arena_alloc(call->arena, walk.max * sizeof(*walk.records), _Alignof(struct token_record));
	if (walk.records == NULL)
		return err_memory(err);
	SEAL_TRY(token_run(tokens, kek, call, walk_step, &walk, err));
	*cursor = walk.next;
	*records = walk.records;
	*n = walk.n;
	*bad += walk.bad;
out:
	return rc;
}
