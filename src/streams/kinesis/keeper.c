/*
 * One pass of the keeper:
 *
 *   ListShards, where it is time ──▶ lines of the book for all shards ──▶ new lines for shards that have none (not without the list)
 *     ──▶ lost: a line of ours that is not as we wrote it
 *     ──▶ changes: our lines again (places, one more on the counter), lines of shards to take ──▶ ours, where nobody was faster
 *
 * Only this thread changes leases and uses the book. What a pass writes was committed before it began.
 */
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/string.h"
#include "streams/kinesis/source.h"

#define LIST_MS 30000 /* between lists, and the longest that one may take */
#define LIST_MIN_MS 1000
#define SAVE_MS 1000
#define RETRY_MS 500
#define BOOK_LOT 500

/* ---- ListShards ---- */

static enum seal_status text_of(const struct json_value *value, char *out, size_t room, struct seal_err *err)
{
	size_t len;

	out[0] = '\0';
	if (!json_value_is(value, JSON_STRING))
		return SEAL_OK;
	if (value->text.len >= room || !json_string_decode_to(value->text, (uint8_t *)out, &len))
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "ListShards: the name of a shard is too long");
	out[len] = '\0';
	return SEAL_OK;
}

/* Under lock. */
static enum seal_status merge_shard(struct kinesis_source *k, const struct json_value *entry, struct seal_err *err)
{
	enum { ID, PARENT, ADJACENT, RANGE, HASHES, N };
	static const char *const names[] = {"ShardId", "ParentShardId", "AdjacentParentShardId",
					    "SequenceNumberRange", "HashKeyRange"};
	static const char *const inner[] = {"EndingSequenceNumber"}, *const hashes[] = {"StartingHashKey",
											"EndingHashKey"};
	struct json_value v[N], end, range[2];
	char id[SHARD_ID_MAX];
	struct shard *shard;
	enum seal_status rc;

	json_members(entry, names, N, v);
	SEAL_TRY(text_of(&v[ID], id, sizeof(id), err));
	if (id[0] == '\0')
		goto out;
	shard = shard_find(k, id);
	if (shard == NULL && k->n_shards == SHARDS_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "the stream has more than %d shards", SHARDS_MAX);
	if (shard == NULL)
		shard = shard_add(k, id);
	if (shard == NULL)
		return err_memory(err);
	json_members(&v[RANGE], inner, 1, &end);
	shard->closed = json_value_is(&end, JSON_STRING);
	shard->seen = true;
	json_members(&v[HASHES], hashes, 2, range);
	shard->has_range =
		hash_key_read(range[0].text, shard->range.first) && hash_key_read(range[1].text, shard->range.last);
	SEAL_TRY(text_of(&v[PARENT], shard->parents[0], SHARD_ID_MAX, err));
	rc = text_of(&v[ADJACENT], shard->parents[1], SHARD_ID_MAX, err);
out:
	return rc;
}

static enum seal_status merge_page(struct kinesis_source *k, const struct json_value *answer, struct seal_buf *next,
				   struct seal_err *err)
{
	static const char *const names[] = {"Shards", "NextToken"};
	struct json_value v[2], entry;
	struct json_items each;
	enum seal_status rc = SEAL_OK;

	buf_reset(next);
	json_members(answer, names, 2, v);
	pthread_mutex_lock(&k->lock);
	if (json_value_is(&v[0], JSON_ARRAY)) {
		json_items(&v[0], &each);
		while (rc == SEAL_OK && json_item_next(&each, &entry))
			rc = merge_shard(k, &entry, err);
	}
	pthread_mutex_unlock(&k->lock);
	if (rc == SEAL_OK && json_value_is(&v[1], JSON_STRING) && v[1].text.len > 0)
		rc = buf_append(next, v[1].text, err); /* raw: it goes back as it came */
	return rc;
}

/* Of an answer that has just come: seconds only, and some time ago, so that what is counted from it is never too late. */
static void note_clock(struct kinesis_source *k, int64_t date_s)
{
	if (date_s == 0)
		return;
	pthread_mutex_lock(&k->lock);
	k->clock_ms = date_s * 1000 - clock_unix_ms();
	pthread_mutex_unlock(&k->lock);
}

/* How long the list may take: leases that are ours already must be renewed in time. */
static uint64_t list_ms(const struct kinesis_source *k)
{
	const uint64_t third_ms = k->lease_ms / 3;

	if (!k->shared || k->begun == 0 || third_ms > LIST_MS)
		return LIST_MS;
	return third_ms > LIST_MIN_MS ? third_ms : LIST_MIN_MS;
}

static enum seal_status put_list_request(struct kinesis_source *k, const struct seal_buf *next, struct seal_buf *out,
					 struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '{', err));
	if (next->len > 0) { /* alone: the token knows the stream */
		SEAL_TRY(buf_append_str(out, "\"NextToken\":\"", err));
		SEAL_TRY(buf_append(out, buf_bytes(next), err));
		SEAL_TRY(buf_append_u8(out, '"', err));
	} else {
		SEAL_TRY(kinesis_put_stream(&k->address, BYTES_EMPTY, out, err));
	}
	rc = buf_append_u8(out, '}', err);
out:
	return rc;
}

/* All pages of the list: each shard of it is `seen`. */
static enum seal_status read_list(struct kinesis_source *k, struct aws_worker *worker, struct seal_err *err)
{
	const uint64_t deadline_ms = clock_mono_ms() + list_ms(k);
	struct seal_buf next = BUF_INIT(1 << 20);
	struct kinesis_call call;
	enum seal_status rc;

	do {
		kinesis_call_init(&call);
		call.deadline_ms = deadline_ms;
		SEAL_TRY(put_list_request(k, &next, &call.body, err));
		SEAL_TRY(kinesis_call_run(&call, worker, "ListShards", SEAL_E_NO_INPUT, err));
		SEAL_TRY(merge_page(k, &call.answer, &next, err));
		note_clock(k, call.call.date_s);
		kinesis_call_clear(&call);
		if (next.len > 0 && clock_mono_ms() >= deadline_ms)
			rc = err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "ListShards: the list has not ended in time");
	} while (rc == SEAL_OK && next.len > 0);
out:
	kinesis_call_clear(&call);
	buf_clear(&next);
	return rc;
}

static enum seal_status list_shards(struct kinesis_source *k, struct aws_worker *worker, struct seal_err *err)
{
	const enum seal_status rc = read_list(k, worker, err);

	if (rc != SEAL_OK)
		return rc;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_shards; i++) {
		struct shard *shard = k->shards[i];

		shard->listed = shard->seen;
		shard->seen = false;
		if (shard->listed || shard->assignment == 0 || shard->at_end)
			continue;
		log_say(LOG_WARNING, "%s: shard %s is too old, and was taken away with what had not been read of it",
			k->name, shard->id);
		shard->at_end = true;
		shard->drained_pass = shard->n_pages == 0 ? k->begun : 0;
	}
	pthread_mutex_unlock(&k->lock);
	return SEAL_OK;
}

/* ---- the book ---- */

struct pass {
	struct kinesis_source *k;
	struct arena arena;
	size_t n; /* shards, when it began */
	struct store_item *items; /* of each */
	struct store_change *changes;
	struct shard **changed; /* whose they are */
	struct lease *leases; /* what they would make of them */
	size_t n_changes;
	uint64_t began_ms; /* before they were written */
	bool *take;
};

static void *array(struct pass *p, size_t size, size_t align)
{
	void *out = arena_alloc(&p->arena, p->n * size + 1, align);

	if (out != NULL)
		memset(out, 0, p->n * size);
	return out;
}

static enum seal_status pass_begin(struct pass *p, struct seal_err *err)
{
	pthread_mutex_lock(&p->k->lock);
	p->n = p->k->n_shards;
	pthread_mutex_unlock(&p->k->lock);
	p->items = array(p, sizeof(*p->items), _Alignof(struct store_item));
	p->changes = array(p, sizeof(*p->changes), _Alignof(struct store_change));
	p->changed = array(p, sizeof(struct shard *), _Alignof(struct shard *));
	p->leases = array(p, sizeof(*p->leases), _Alignof(struct lease));
	p->take = array(p, sizeof(bool), _Alignof(bool));
	if (p->items == NULL || p->changes == NULL || p->changed == NULL || p->leases == NULL || p->take == NULL)
		return err_memory(err);
	for (size_t i = 0; i < p->n; i++) {
		char *key = arena_printf(&p->arena, "%s/%s", p->k->prefix, p->k->shards[i]->id);

		if (key == NULL)
			return err_memory(err);
		p->items[i].key = bytes_str(key);
	}
	return SEAL_OK;
}

static enum seal_status read_lines(struct pass *p, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t at = 0; at < p->n && rc == SEAL_OK; at += BOOK_LOT)
		rc = book_get(p->k->book, p->items + at, p->n - at < BOOK_LOT ? p->n - at : BOOK_LOT, &p->arena, err);
	return rc;
}

/* The first line of a shard. Of a stream that nobody has read yet: as the user says; of shards that came later: all of them. */
static void first_lease(const struct kinesis_source *k, const struct shard *shard, bool first_of_all,
			struct lease *lease)
{
	*lease = (struct lease){.from = FROM_TRIM_HORIZON};
	if (!first_of_all)
		return;
	lease->from = k->from;
	lease->from_ms = k->from_ms;
	lease->ended = k->from == FROM_LATEST && shard->closed; /* whatever it has is old */
}

static enum seal_status add_lines(struct pass *p, struct seal_err *err)
{
	struct store_item *missing = array(p, sizeof(*missing), _Alignof(struct store_item));
	size_t *whose = array(p, sizeof(*whose), _Alignof(size_t)), n = 0;
	bool first_of_all = true;
	struct seal_buf line = BUF_INIT(STORE_VALUE_MAX);
	enum seal_status rc = SEAL_OK;

	if (missing == NULL || whose == NULL)
		return err_memory(err);
	for (size_t i = 0; i < p->n; i++)
		first_of_all = first_of_all && p->items[i].value.ptr == NULL;
	for (size_t i = 0; i < p->n; i++) {
		struct lease lease;

		if (p->items[i].value.ptr != NULL)
			continue;
		first_lease(p->k, p->k->shards[i], first_of_all, &lease);
		buf_reset(&line);
		SEAL_TRY(lease_write(&lease, &line, err));
		missing[n] = p->items[i];
		missing[n].value = arena_copy(&p->arena, buf_bytes(&line));
		whose[n] = i;
		if (missing[n++].value.ptr == NULL) {
			rc = err_memory(err);
			goto out;
		}
	}
	for (size_t at = 0; at < n; at += BOOK_LOT)
		SEAL_TRY(
			book_insert(p->k->book, missing + at, n - at < BOOK_LOT ? n - at : BOOK_LOT, &p->arena, err));
	for (size_t i = 0; i < n; i++)
		p->items[whose[i]].value = missing[i].value;
out:
	buf_clear(&line);
	return rc;
}

/* Under lock: what a shard's line says now. */
static enum seal_status note_line(struct kinesis_source *k, struct shard *shard, struct seal_bytes line,
				  struct seal_err *err)
{
	struct lease lease;
	enum seal_status rc;

	if (shard->line.len > 0 && bytes_eq(buf_bytes(&shard->line), line))
		return SEAL_OK;
	SEAL_TRY(lease_read(line, &lease, err));
	shard->renewed = shard->line.len > 0 && lease.owner[0] != '\0' && strcmp(lease.owner, k->owner) != 0;
	buf_reset(&shard->line);
	SEAL_TRY(buf_append(&shard->line, line, err));
	/* Of our own nobody knows when it was written: what is known of it stays. */
	if (shard->assignment == 0 || strcmp(lease.owner, k->owner) != 0)
		shard->line_ms = clock_mono_ms();
	shard->lease = lease;
	/* Not as we wrote it, but for a write whose answer was lost. */
	if (shard->assignment != 0 && strcmp(lease.owner, k->owner) != 0) {
		k->stolen++;
		shard_lose(k, shard);
	}
out:
	return rc;
}

/* Under lock: one line is to become another one. */
static enum seal_status change(struct pass *p, size_t i, const struct lease *lease, struct seal_err *err)
{
	struct seal_buf line = BUF_INIT(STORE_VALUE_MAX);
	struct store_change *c = &p->changes[p->n_changes];
	struct shard *shard = p->k->shards[i];
	enum seal_status rc;

	SEAL_TRY(lease_write(lease, &line, err));
	*c = (struct store_change){.key = p->items[i].key,
				   .from = arena_copy(&p->arena, buf_bytes(&shard->line)),
				   .to = arena_copy(&p->arena, buf_bytes(&line))};
	if (c->from.ptr == NULL || c->to.ptr == NULL) {
		rc = err_memory(err);
		goto out;
	}
	p->leases[p->n_changes] = *lease;
	p->changed[p->n_changes++] = shard;
out:
	buf_clear(&line);
	return rc;
}

/* Under lock: our own lines again. One that only we could change is left as it is while there is nothing new. */
static enum seal_status renew(struct pass *p, size_t i, struct seal_err *err)
{
	struct kinesis_source *k = p->k;
	struct shard *shard = k->shards[i];
	struct lease lease = shard->lease;

	lease.ended = shard_is_done(shard);
	lease.position = shard->done;
	if (k->closing && !lease.ended)
		lease.owner[0] = '\0';
	if (!k->shared && !shard->dirty && lease.ended == shard->lease.ended && !k->closing)
		return SEAL_OK;
	lease.counter++;
	shard->dirty = false; /* until more is committed */
	return change(p, i, &lease, err);
}

static enum seal_status find_changes(struct pass *p, struct seal_err *err)
{
	struct kinesis_source *k = p->k;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].value.ptr != NULL)
			SEAL_TRY(note_line(k, k->shards[i], p->items[i].value, err));
	if (!k->closing)
		kinesis_balance(k, clock_mono_ms(), p->take);
	for (size_t i = 0; i < p->n; i++) {
		struct shard *shard = k->shards[i];

		if (p->items[i].value.ptr == NULL) { /* the list will say */
			continue;
		} else if (shard->assignment != 0 && !shard->lease.ended) {
			SEAL_TRY(renew(p, i, err));
		} else if (p->take[i]) {
			struct lease lease = shard->lease;

			memcpy(lease.owner, k->owner, sizeof(lease.owner));
			lease.counter++;
			if (lease.from == FROM_LATEST) { /* whoever comes after us begins where we did */
				lease.from = FROM_TIME;
				lease.from_ms = clock_unix_ms() + k->clock_ms;
			}
			SEAL_TRY(change(p, i, &lease, err));
		}
	}
out:
	pthread_mutex_unlock(&k->lock);
	return rc;
}

/* Under lock: what has become of a change. */
static enum seal_status apply(struct pass *p, size_t i, struct seal_err *err)
{
	struct kinesis_source *k = p->k;
	struct shard *shard = p->changed[i];
	const bool latest = shard->lease.from == FROM_LATEST;
	enum seal_status rc = SEAL_OK;

	if (!p->changes[i].changed) { /* somebody was faster, which the next pass will see */
		if (shard->assignment != 0) {
			k->stolen++;
			shard_lose(k, shard);
		}
		return SEAL_OK;
	}
	buf_reset(&shard->line);
	SEAL_TRY(buf_append(&shard->line, p->changes[i].to, err));
	shard->line_ms = p->began_ms;
	shard->lease = p->leases[i];
	if (p->take[shard->number]) {
		shard_take(k, shard);
		shard->latest = latest;
	}
out:
	return rc;
}

static enum seal_status write_lines(struct pass *p, struct seal_err *err)
{
	struct kinesis_source *k = p->k;
	enum seal_status rc = SEAL_OK;

	for (size_t at = 0; at < p->n_changes && rc == SEAL_OK; at += BOOK_LOT) {
		const size_t n = p->n_changes - at < BOOK_LOT ? p->n_changes - at : BOOK_LOT;

		p->began_ms = clock_mono_ms();
		rc = book_change(k->book, p->changes + at, n, &p->arena, err);
		pthread_mutex_lock(&k->lock);
		for (size_t i = at; i < at + n && rc == SEAL_OK; i++)
			rc = apply(p, i, err);
		for (size_t i = at; i < p->n_changes && rc != SEAL_OK; i++)
			p->changed[i]->dirty = p->changed[i]->assignment != 0;
		pthread_mutex_unlock(&k->lock);
	}
	return rc;
}

enum seal_status kinesis_keeper_pass(struct kinesis_source *k, struct aws_worker *worker, bool list, bool *saved,
				     struct seal_err *err)
{
	struct pass p = {.k = k};
	struct seal_err why = SEAL_ERR_INIT; /* there is no list */
	enum seal_status rc = list ? list_shards(k, worker, &why) : SEAL_OK;

	*saved = false;
	arena_init(&p.arena, 0);
	if (rc != SEAL_OK && rc != SEAL_RETRY)
		goto out;
	/* Leases must be renewed all the same. */
	SEAL_TRY(pass_begin(&p, err));
	SEAL_TRY(read_lines(&p, err));
	if (why.status == SEAL_OK)
		SEAL_TRY(add_lines(&p, err));
	SEAL_TRY(find_changes(&p, err));
	SEAL_TRY(write_lines(&p, err));
	*saved = true;
	rc = why.status;
out:
	if (rc == why.status && rc != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = why;
	arena_clear(&p.arena);
	return rc;
}

/* ---- the thread ---- */

/* Under lock: is there anything of a commit that the book has not? */
static bool is_dirty(const struct kinesis_source *k)
{
	for (size_t i = 0; i < k->n_shards; i++) {
		const struct shard *shard = k->shards[i];

		if (shard->dirty || (shard_is_done(shard) && !shard->lease.ended))
			return true;
	}
	return false;
}

struct keeping {
	uint64_t listed_ms, passed_ms;
	bool failed;
};

/* Under lock: when the next pass is due. */
static uint64_t next_pass(const struct kinesis_source *k, const struct keeping *at)
{
	const uint64_t lease_ms = k->lease_ms / 3;
	uint64_t due = at->passed_ms + (lease_ms < LIST_MS ? lease_ms : LIST_MS);

	if (at->failed)
		return at->passed_ms + (lease_ms < RETRY_MS ? lease_ms : RETRY_MS);
	if (k->pass_now || k->asked_ms != 0 || k->closing)
		return 0;
	if (is_dirty(k) && at->passed_ms + SAVE_MS < due)
		due = at->passed_ms + SAVE_MS;
	return due;
}

/* Under lock: one pass, and what it means for those who wait. */
static void pass(struct kinesis_source *k, struct aws_worker *worker, struct keeping *at)
{
	const uint64_t now = clock_mono_ms();
	const bool list = k->list_now || now - at->listed_ms >= LIST_MS;
	const uint64_t number = ++k->begun;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;
	bool saved;

	k->list_now = k->pass_now = false;
	pthread_mutex_unlock(&k->lock);
	rc = kinesis_keeper_pass(k, worker, list && !k->closing, &saved, &why);
	pthread_mutex_lock(&k->lock);
	at->failed = rc == SEAL_RETRY;
	at->passed_ms = clock_mono_ms();
	if (saved)
		k->asked_ms = 0;
	if (rc == SEAL_OK) {
		k->pass = number;
		err_clear(&k->book_away);
		if (list)
			at->listed_ms = now;
	} else if (rc == SEAL_RETRY) {
		k->list_now = k->list_now || list;
		k->pass_now = true;
		k->book_away = why;
		err_place(&k->book_away, "%s", k->name);
	} else if (k->broken.status == SEAL_OK) {
		k->broken = why;
		err_place(&k->broken, "%s", k->name);
	}
	pthread_cond_broadcast(&k->fetch);
	pthread_cond_broadcast(&k->changed);
}

void *kinesis_keeper_run(void *arg)
{
	struct kinesis_thread *thread = arg;
	struct kinesis_source *k = thread->source;
	struct keeping at = {.listed_ms = clock_mono_ms(), .passed_ms = clock_mono_ms()};
	struct aws_worker *worker = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = aws_worker_new(k->client, &worker, &err);

	pthread_mutex_lock(&k->lock);
	thread->worker = worker;
	if (rc != SEAL_OK && k->broken.status == SEAL_OK)
		k->broken = err;
	while (rc == SEAL_OK && !k->closing && k->broken.status == SEAL_OK) {
		const uint64_t due = next_pass(k, &at);

		if (due <= clock_mono_ms())
			pass(k, worker, &at);
		else
			cond_wait_until(&k->keep, &k->lock, due);
	}
	/* The last one gives the leases back. */
	if (rc == SEAL_OK && k->clean)
		pass(k, worker, &at);
	thread->worker = NULL;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
	aws_worker_free(worker);
	return NULL;
}
