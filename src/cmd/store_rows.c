/*
 * Looking at rows without a key.
 *
 *   space "keys" ─▶ ids of store keys, sorted ──┐
 *   every space ─▶ row ─▶ its kind by its form ─┴▶ does it name one of them? ─▶ counted
 *
 * A store key that was made meanwhile is not among the ids: they are read once more before a row is called lost.
 */
#include "cmd/store_rows.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "keys/person_row.h"
#include "tokens/row.h"

#define PAGE 1000 /* rows at a time */
#define IDS_MAX ((size_t)64 << 20) /* bytes */

const char *const store_row_names[] = {
	[STORE_ROW_STORE_KEY] = "store_keys",	  [STORE_ROW_PEPPER] = "peppers",
	[STORE_ROW_CURRENT] = "counters",	  [STORE_ROW_PERSON] = "people",
	[STORE_ROW_FORGOTTEN] = "forgotten",	  [STORE_ROW_TOKEN] = "tokens",
	[STORE_ROW_FINGERPRINT] = "fingerprints", [STORE_ROW_STATE] = "token_states",
};
const char *const store_row_words[] = {
	[STORE_ROW_STORE_KEY] = "store keys",
	[STORE_ROW_PEPPER] = "keys that make names of rows",
	[STORE_ROW_CURRENT] = "counts of what store keys have sealed",
	[STORE_ROW_PERSON] = "people's keys",
	[STORE_ROW_FORGOTTEN] = "marks of people who are forgotten",
	[STORE_ROW_TOKEN] = "tokens",
	[STORE_ROW_FINGERPRINT] = "fingerprints of values with convergent tokens",
	[STORE_ROW_STATE] = "notes about which keys tokens are under",
};

struct look {
	struct store_session *session;
	struct arena arena; /* of a page */
	struct seal_buf ids; /* ROW_ID_LEN bytes each, sorted */
	struct store_rows *out;
};

/* What a row is. */
struct sort {
	bool known;
	enum store_row_kind kind;
	const uint8_t *store_key; /* ROW_ID_LEN bytes; NULL: it needs none */
};

static struct sort sort_key(const char *space, const struct store_item *item)
{
	static const enum store_row_kind kinds[] = {
		[ROW_LIVE] = STORE_ROW_PERSON,	       [ROW_FORGOTTEN] = STORE_ROW_FORGOTTEN,
		[ROW_STORE_KEY] = STORE_ROW_STORE_KEY, [ROW_PEPPER] = STORE_ROW_PEPPER,
		[ROW_CURRENT] = STORE_ROW_CURRENT,
	};
	const struct row row = row_look(space, item->key, item->value);

	return (struct sort){row.kind != ROW_BAD, kinds[row.kind], row.store_key};
}

static bool is_state(struct seal_bytes key)
{
	return bytes_eq(bytes_skip(key, ROW_ID_LEN), BYTES_LIT("state"));
}

static struct sort sort_token(const char *space, const struct store_item *item)
{
	const uint8_t *store_key = token_row_store_key(item->value);
	const struct seal_bytes name = bytes_skip(item->key, TOKEN_GENERATION_LEN);
	struct token_state state;

	(void)space;
	if (is_state(item->key))
		return (struct sort){token_state_parse(item->value, &state), STORE_ROW_STATE, NULL};
	if (item->key.len > TOKEN_KEY_MAX || name.len < 2 || store_key == NULL ||
	    (name.ptr[0] != TOKEN_ROW_TOKEN && name.ptr[0] != TOKEN_ROW_FINGERPRINT))
		return (struct sort){.known = false};
	return (struct sort){true, name.ptr[0] == TOKEN_ROW_TOKEN ? STORE_ROW_TOKEN : STORE_ROW_FINGERPRINT,
			     store_key};
}

static const struct {
	const char *name;
	struct sort (*sort)(const char *space, const struct store_item *item);
} spaces[] = {
	{STORE_KEYS_SPACE, sort_key},
	{PEOPLE_SPACE, sort_key},
	{TOKENS_SPACE, sort_token},
};

/* The next rows of a space; *cursor is in the arena. */
static enum seal_status next_page(struct look *look, const char *space, struct seal_bytes *cursor,
				  struct store_item **items, size_t *n, struct seal_err *err)
{
	const struct store_call call = {.arena = &look->arena, .deadline_ms = clock_mono_ms() + STORE_CALL_MS};
	uint8_t after[STORE_KEY_MAX];
	enum seal_status rc;

	if (cursor->len > 0)
		memcpy(after, cursor->ptr, cursor->len);
	arena_reset(&look->arena);
	SEAL_TRY(look->session->ops->scan(look->session, space, bytes_of(after, cursor->len), PAGE, items, n, &call,
					  err));
	if (*n > 0)
		*cursor = (*items)[*n - 1].key;
out:
	return rc;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, ROW_ID_LEN);
}

static enum seal_status read_ids(struct look *look, struct seal_err *err)
{
	struct seal_bytes cursor = BYTES_EMPTY;
	struct store_item *items;
	enum seal_status rc;
	size_t n;

	buf_reset(&look->ids);
	do {
		SEAL_TRY(next_page(look, STORE_KEYS_SPACE, &cursor, &items, &n, err));
		for (size_t i = 0; i < n; i++)
			if (row_look(STORE_KEYS_SPACE, items[i].key, items[i].value).kind == ROW_STORE_KEY)
				SEAL_TRY(buf_append(&look->ids, bytes_skip(items[i].key, ROW_ID_LEN + 1), err));
	} while (n > 0);
	if (look->ids.len > 0)
		qsort(look->ids.ptr, look->ids.len / ROW_ID_LEN, ROW_ID_LEN, by_id);
out:
	return rc;
}

static bool has_id(const struct look *look, const uint8_t *id)
{
	return look->ids.len > 0 && bsearch(id, look->ids.ptr, look->ids.len / ROW_ID_LEN, ROW_ID_LEN, by_id) != NULL;
}

/* Counts a page; false: it has rows whose store keys have to be looked for first. */
static bool count_page(struct look *look, size_t space, const struct store_item *items, size_t n, bool sure)
{
	struct store_rows page = *look->out;

	for (size_t i = 0; i < n; i++) {
		const struct sort sort = spaces[space].sort(spaces[space].name, &items[i]);

		if (!sort.known) {
			page.unknown++;
		} else if (sort.store_key == NULL || has_id(look, sort.store_key)) {
			page.counts[sort.kind]++;
		} else {
			page.lost++;
			if (!sure)
				return false;
		}
	}
	*look->out = page;
	return true;
}

static enum seal_status look_at_space(struct look *look, size_t space, struct seal_err *err)
{
	struct seal_bytes cursor = BYTES_EMPTY, before;
	struct store_item *items;
	uint8_t key[STORE_KEY_MAX];
	enum seal_status rc;
	size_t n;

	do {
		before = bytes_of(key, cursor.len);
		if (cursor.len > 0)
			memcpy(key, cursor.ptr, cursor.len);
		SEAL_TRY(next_page(look, spaces[space].name, &cursor, &items, &n, err));
		if (count_page(look, space, items, n, false))
			continue;
		SEAL_TRY(read_ids(look, err));
		cursor = before;
		SEAL_TRY(next_page(look, spaces[space].name, &cursor, &items, &n, err));
		(void)count_page(look, space, items, n, true);
	} while (n > 0);
out:
	return rc;
}

enum seal_status store_rows_look(const struct store_ref *ref, struct store_rows *out, struct seal_err *err)
{
	struct look look = {.ids = BUF_INIT(IDS_MAX), .out = out};
	struct store *store = NULL;
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	arena_init(&look.arena, 1 << 20);
	SEAL_TRY(ref->ops->open(ref->address, &(struct store_config){.create = false}, &store, err));
	SEAL_TRY(ref->ops->session(store, &look.session, err));
	SEAL_TRY(read_ids(&look, err));
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		SEAL_TRY(look_at_space(&look, i, err));
out:
	ref->ops->session_free(look.session);
	if (store != NULL)
		ref->ops->free(store);
	buf_clear(&look.ids);
	arena_clear(&look.arena);
	return rc;
}

uint64_t store_rows_bad(const struct store_rows *rows)
{
	return rows->unknown + rows->lost;
}

uint64_t store_rows_all(const struct store_rows *rows)
{
	uint64_t all = store_rows_bad(rows);

	for (size_t i = 0; i < STORE_ROW_KINDS; i++)
		all += rows->counts[i];
	return all;
}
