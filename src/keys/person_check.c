/*
 * Looking at all people's keys of a store, as `store check` does: those under store keys of this scope are opened, as a reader does it.
 *
 *   rows of "people" ─▶ live ones ─▶ is their store key one of ours? ─▶ person_keys_open ─▶ tally
 */
#include "keys/person_work.h"
#include "keys/store_keys_work.h"

/* Live rows of a page. */
struct page {
	struct person_want *wants;
	struct store_item *names; /* of their store keys; a row there: it is ours */
	size_t n;
};

static enum seal_status take_live(const struct store_keys *keys, const struct store_item *items, size_t n,
				  struct arena *arena, struct page *page, struct seal_err *err)
{
	struct row_name *names = arena_alloc(arena, n * sizeof(*names), _Alignof(struct row_name));

	page->wants = arena_alloc(arena, n * sizeof(*page->wants), _Alignof(struct person_want));
	page->names = arena_alloc(arena, n * sizeof(*page->names), _Alignof(struct store_item));
	if (names == NULL || page->wants == NULL || page->names == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct row row = row_look(PEOPLE_SPACE, items[i].key, items[i].value);

		if (row.kind != ROW_LIVE)
			continue;
		names[page->n] = row_name(keys, 'k', row.store_key);
		page->names[page->n] = (struct store_item){.key = row_name_bytes(&names[page->n])};
		page->wants[page->n] = (struct person_want){.commitment = row.commitment};
		memcpy(page->wants[page->n++].id, items[i].key.ptr, PERSON_ID_LEN);
	}
	return SEAL_OK;
}

/* The next rows, and which of them are ours. */
static enum seal_status read_page(struct person_keys *people, struct seal_bytes *cursor, size_t max, bool *end,
				  const struct key_call *call, struct page *page, struct seal_err *err)
{
	const struct store_call store_call = {.arena = call->arena, .deadline_ms = call->deadline_ms};
	struct store_session *session = NULL;
	struct store_item *items;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(store_pool_take(people->pool, &session, err));
	SEAL_TRY(session->ops->scan(session, PEOPLE_SPACE, *cursor, max, &items, &n, &store_call, err));
	*end = n == 0;
	if (n > 0)
		*cursor = items[n - 1].key;
	SEAL_TRY(take_live(people->store_keys, items, n, call->arena, page, err));
	SEAL_TRY(session->ops->get(session, STORE_KEYS_SPACE, page->names, page->n, &store_call, err));
out:
	store_pool_give(people->pool, session, rc == SEAL_OK);
	return rc;
}

enum seal_status person_keys_check(struct person_keys *people, struct key_session *kek, struct seal_bytes *cursor,
				   size_t max, struct person_tally *tally, bool *end, const struct key_call *call,
				   struct seal_err *err)
{
	struct page page = {.n = 0};
	enum seal_status rc;
	size_t ours = 0;

	SEAL_TRY(read_page(people, cursor, max, end, call, &page, err));
	for (size_t i = 0; i < page.n; i++)
		if (page.names[i].value.ptr != NULL)
			page.wants[ours++] = page.wants[i];
	SEAL_TRY(person_keys_open(people, kek, page.wants, ours, call, err));
	for (size_t i = 0; i < ours; i++) {
		const struct seal_err *failed = page.wants[i].key == NULL ? page.wants[i].err : NULL;

		if (failed != NULL && failed->status != SEAL_DATA && rc == SEAL_OK) /* says nothing about the row */
			rc = err_set(err, failed->status, failed->code, "%s", failed->text);
		tally->opened += failed == NULL;
		tally->bad += failed != NULL && failed->code != SEAL_E_KEY_FORGOTTEN;
		data_key_unref(page.wants[i].key);
	}
	tally->others += page.n - ours;
out:
	return rc;
}
