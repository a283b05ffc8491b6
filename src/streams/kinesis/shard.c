/* Shards: what is known, fetched, with the caller, and done of each; see source.h. */
#include "base/mem.h"
#include "streams/kinesis/source.h"

/* ---- pages ---- */

void shard_push_page(struct kinesis_source *k, struct shard *shard, struct page *page)
{
	page->next = NULL;
	*(shard->last_page != NULL ? &shard->last_page->next : &shard->first_page) = page;
	shard->last_page = page;
	shard->n_pages++;
	k->page_bytes += page->bytes;
}

static void pop_page(struct kinesis_source *k, struct shard *shard)
{
	struct page *page = shard->first_page;

	shard->first_page = page->next;
	if (shard->first_page == NULL)
		shard->last_page = NULL;
	shard->n_pages--;
	k->page_bytes -= page->bytes;
	if (page_leave(page))
		page_free(page);
}

/* ---- points ---- */

static void pop_point(struct shard *shard, bool done)
{
	struct point *point = shard->first_point;

	if (done) {
		shard->done = point->position;
		shard->dirty = true;
	}
	shard->first_point = point->next;
	if (shard->first_point == NULL)
		shard->last_point = NULL;
	mem_free(point);
}

void shard_commit_number(struct shard *shard, uint64_t number)
{
	while (shard->first_point != NULL && shard->first_point->number < number)
		pop_point(shard, true);
}

void shard_commit_offset(struct shard *shard, int64_t offset)
{
	while (shard->first_point != NULL && shard->first_point->offset < offset)
		pop_point(shard, true);
}

enum seal_status shard_take_record(struct kinesis_source *k, struct shard *shard, struct record *record,
				   struct seal_err *err)
{
	struct page *page = shard->first_page;
	struct point *point = k->keeps ? mem_calloc(1, sizeof(*point)) : NULL;
	uint64_t done;

	if (k->keeps && point == NULL)
		return err_memory(err);
	page_take(page, record, &done);
	record->partition = shard->number;
	record->offset = ++shard->offsets;
	k->numbers++;
	if (point != NULL) {
		point->number = k->numbers;
		point->offset = record->offset;
		memcpy(point->position.at, record->id.ptr, record->id.len);
		point->position.done = done;
		*(shard->last_point != NULL ? &shard->last_point->next : &shard->first_point) = point;
		shard->last_point = point;
	}
	if (page->at == page->n)
		pop_page(k, shard);
	return SEAL_OK;
}

/* ---- shards ---- */

struct shard *shard_find(const struct kinesis_source *k, const char *id)
{
	const uint64_t hash = table_hash(TABLE_SEED, bytes_str(id));
	struct table_node *node = NULL;

	while ((node = table_find(&k->by_id, hash, node)) != NULL)
		if (strcmp(((struct shard *)node)->id, id) == 0)
			break;
	return (struct shard *)node;
}

struct shard *shard_add(struct kinesis_source *k, const char *id)
{
	struct shard *shard = mem_calloc(1, sizeof(*shard));

	if (shard == NULL ||
	    !mem_grow((void **)&k->shards, &k->cap_shards, k->n_shards + 1, sizeof(struct shard *)) ||
	    table_add(&k->by_id, &shard->node, table_hash(TABLE_SEED, bytes_str(id)), NULL) != SEAL_OK) {
		mem_free(shard);
		return NULL;
	}
	memcpy(shard->id, id, strlen(id) + 1);
	shard->number = (int32_t)k->n_shards;
	shard->line = (struct seal_buf)BUF_INIT(STORE_VALUE_MAX);
	shard->behind_ms = -1;
	k->shards[k->n_shards++] = shard;
	return shard;
}

/* What was fetched and what is with the caller is nobody's any more. */
static void forget(struct kinesis_source *k, struct shard *shard)
{
	while (shard->n_pages > 0)
		pop_page(k, shard);
	while (shard->first_point != NULL)
		pop_point(shard, false);
	mem_free(shard->iterator);
	shard->iterator = NULL;
}

void shard_take(struct kinesis_source *k, struct shard *shard)
{
	forget(k, shard);
	shard->assignment = ++k->assignments;
	shard->fetched = shard->done = shard->lease.position;
	shard->polled_ms = 0;
	shard->behind_ms = -1;
	shard->at_end = shard->at_tip = shard->dirty = false;
	shard->drained_pass = 0;
	shard->due_ms = 0;
	shard->failures = 0;
	shard->pause = (struct pause){.level = 0};
}

void shard_lose(struct kinesis_source *k, struct shard *shard)
{
	forget(k, shard);
	shard->assignment = 0;
	shard->at_end = shard->dirty = false;
}

bool shard_is_stale(const struct kinesis_source *k, const struct shard *shard, uint64_t now_ms)
{
	return k->shared && shard->assignment != 0 && !shard->lease.ended && now_ms >= shard->line_ms + k->lease_ms;
}

bool shard_is_drained(const struct shard *shard)
{
	return shard->assignment != 0 && shard->at_end && shard->n_pages == 0;
}

bool shard_is_done(const struct shard *shard)
{
	return shard_is_drained(shard) && shard->first_point == NULL;
}

bool shard_may_start(const struct kinesis_source *k, const struct shard *shard)
{
	for (int i = 0; i < 2; i++) {
		const struct shard *parent = shard->parents[i][0] != '\0' ? shard_find(k, shard->parents[i]) : NULL;

		/* One that nobody has and the service has forgotten will never end. */
		if (parent != NULL && (parent->listed || parent->assignment != 0) && !parent->lease.ended &&
		    !shard_is_drained(parent))
			return false;
	}
	return true;
}

void shard_free(struct shard *shard)
{
	struct kinesis_source nobody = {.page_bytes = SIZE_MAX / 2};

	forget(&nobody, shard);
	buf_clear(&shard->line);
	mem_free(shard);
}
