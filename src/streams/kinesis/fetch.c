/*
 * Threads that fetch: each takes the next shard that is due, asks for an iterator where it has none, and for records.
 *
 *   at most five GetRecords a second and shard, and 2 MiB a second: the next is due after 200 ms, or as long as 2 MiB/s take for what came.
 *   After an empty answer at the tip: IDLE_MS.
 *
 * An iterator that has expired, or does not work three times in a row, is asked for again, from behind what was fetched last. Where a new
 * one has expired, too, the service is in trouble.
 */
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/string.h"
#include "streams/kinesis/source.h"

#define FETCH_MS 200
#define IDLE_MS 500
#define BYTES_PER_MS (2u << 10)
#define PAGES_MAX 2 /* of a shard, fetched and not read */
#define RECORDS_MAX 10000
#define FAILURES_MAX 3

/* What a thread works on, without the lock. */
struct fetch {
	struct kinesis_source *k;
	struct aws_worker *worker;
	struct shard *shard;
	uint64_t assignment, began_ms;
	int64_t asked_ms; /* since 1970, by the service's clock */
	char id[SHARD_ID_MAX];
	char *iterator; /* NULL: ask for one */
	enum shard_from start;
	int64_t start_ms;
	struct hash_range range;
	/* results */
	struct page_answer answer;
	char *next; /* iterator; NULL: the end of the shard */
	bool fresh; /* the iterator is a new one */
	bool tip, throttled, expired;
	bool gone; /* the service does not know the shard any more */
};

/* ---- which shard ---- */

static bool can_fetch(const struct kinesis_source *k, const struct shard *shard, uint64_t now)
{
	return shard->assignment != 0 && !shard->at_end && !shard->busy && shard->n_pages < PAGES_MAX &&
	       k->page_bytes < k->memory && !shard_is_stale(k, shard, now);
}

/* Under lock: the next shard that is due; NULL and *until_ms: none yet. */
static struct shard *next_shard(struct kinesis_source *k, uint64_t *until_ms)
{
	const uint64_t now = clock_mono_ms();

	*until_ms = DEADLINE_NONE;
	for (size_t i = 0; i < k->n_shards; i++) {
		const size_t at = (k->fetch_turn + 1 + i) % k->n_shards;
		struct shard *shard = k->shards[at];
		const uint64_t due = shard->due_ms > shard->pause.until_ms ? shard->due_ms : shard->pause.until_ms;

		if (!can_fetch(k, shard, now))
			continue;
		if (due <= now) {
			k->fetch_turn = at;
			return shard;
		}
		*until_ms = due < *until_ms ? due : *until_ms;
	}
	return NULL;
}

/* Under lock. */
static enum seal_status begin(struct fetch *f, struct shard *shard, struct seal_err *err)
{
	struct kinesis_source *k = f->k;

	*f = (struct fetch){.k = k,
			    .worker = f->worker,
			    .shard = shard,
			    .assignment = shard->assignment,
			    .began_ms = clock_mono_ms(),
			    .asked_ms = clock_unix_ms() + k->clock_ms,
			    .range = shard->range,
			    .answer = {.topic = k->address.name, .from = shard->fetched},
			    .start = shard->lease.from,
			    .start_ms = shard->lease.from_ms};
	f->answer.range = shard->has_range && !k->keep_foreign ? &f->range : NULL;
	memcpy(f->id, shard->id, sizeof(f->id));
	if (shard->latest) {
		/* Where it was asked before, and nothing had come: from then on. */
		f->start = shard->polled_ms == 0 ? FROM_LATEST : FROM_TIME;
		f->start_ms = shard->polled_ms;
	}
	/* A time to come is refused. Nothing that is there already can be of one, whatever another clock may have said. */
	if (f->start_ms > f->asked_ms)
		f->start_ms = f->asked_ms;
	if (shard->iterator != NULL) {
		f->iterator = mem_strdup(shard->iterator);
		if (f->iterator == NULL)
			return err_memory(err);
	}
	if (k->n_spare > 0)
		f->answer.page = k->spare[--k->n_spare];
	shard->busy = true;
	return SEAL_OK;
}

/* ---- calls ---- */

static enum seal_status put_position(const struct fetch *f, struct seal_buf *out, struct seal_err *err)
{
	const struct position *from = &f->answer.from;
	enum seal_status rc;

	if (from->at[0] != '\0') {
		/* Of a record of several, some are done: it is read again. */
		SEAL_TRY(buf_printf(out, err, ",\"ShardIteratorType\":\"%s\",\"StartingSequenceNumber\":",
				    from->done > 0 ? "AT_SEQUENCE_NUMBER" : "AFTER_SEQUENCE_NUMBER"));
		rc = json_string_append(out, bytes_str(from->at), err);
	} else if (f->start == FROM_TIME) {
		rc = buf_printf(out, err, ",\"ShardIteratorType\":\"AT_TIMESTAMP\",\"Timestamp\":%lld.%03lld",
				(long long)(f->start_ms / 1000), (long long)(f->start_ms % 1000));
	} else {
		rc = buf_printf(out, err, ",\"ShardIteratorType\":\"%s\"",
				f->start == FROM_LATEST ? "LATEST" : "TRIM_HORIZON");
	}
out:
	return rc;
}

static enum seal_status copy_string(const struct json_value *value, char **out, struct seal_err *err)
{
	char *text;
	size_t len;

	*out = NULL;
	if (!json_value_is(value, JSON_STRING))
		return SEAL_OK;
	text = mem_alloc(value->text.len + 1);
	if (text == NULL)
		return err_memory(err);
	if (!json_string_decode_to(value->text, (uint8_t *)text, &len)) {
		mem_free(text);
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetShardIterator: an answer with half a character");
	}
	text[len] = '\0';
	*out = text;
	return SEAL_OK;
}

static enum seal_status get_iterator(struct fetch *f, struct seal_err *err)
{
	static const char *const names[] = {"ShardIterator"};
	struct kinesis_call call;
	struct json_value value;
	enum seal_status rc;

	kinesis_call_init(&call);
	SEAL_TRY(buf_append_u8(&call.body, '{', err));
	SEAL_TRY(kinesis_put_stream(&f->k->address, BYTES_EMPTY, &call.body, err));
	SEAL_TRY(buf_append_str(&call.body, ",\"ShardId\":", err));
	SEAL_TRY(json_string_append(&call.body, bytes_str(f->id), err));
	SEAL_TRY(put_position(f, &call.body, err));
	SEAL_TRY(buf_append_u8(&call.body, '}', err));
	rc = kinesis_call_run(&call, f->worker, "GetShardIterator", SEAL_E_NO_INPUT, err);
	f->throttled = call.call.failure == AWS_THROTTLED;
	f->gone = rc != SEAL_OK && strcmp(call.call.code, "ResourceNotFoundException") == 0;
	SEAL_TRY(rc);
	json_members(&call.answer, names, 1, &value);
	SEAL_TRY(copy_string(&value, &f->iterator, err));
	f->fresh = f->iterator != NULL;
	if (!f->fresh)
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetShardIterator: an answer without an iterator");
out:
	kinesis_call_clear(&call);
	return rc;
}

/* ---- records ---- */

static enum seal_status get_records(struct fetch *f, struct seal_err *err)
{
	struct kinesis_call call;
	enum seal_status rc;

	kinesis_call_init(&call);
	if (f->answer.page == NULL)
		f->answer.page = page_new();
	if (f->answer.page == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(buf_printf(&call.body, err, "{\"Limit\":%d,\"ShardIterator\":", RECORDS_MAX));
	SEAL_TRY(json_string_append(&call.body, bytes_str(f->iterator), err));
	if (f->k->address.is_arn) {
		SEAL_TRY(buf_append_u8(&call.body, ',', err));
		SEAL_TRY(kinesis_put_stream(&f->k->address, BYTES_EMPTY, &call.body, err));
	}
	SEAL_TRY(buf_append_u8(&call.body, '}', err));
	call.call.answer = f->answer.page->text; /* its memory */
	rc = kinesis_call_run(&call, f->worker, "GetRecords", SEAL_E_NO_INPUT, err);
	f->answer.page->text = call.call.answer;
	call.call.answer = (struct seal_buf){.ptr = NULL};
	f->throttled = call.call.failure == AWS_THROTTLED;
	f->expired = rc != SEAL_OK && strcmp(call.call.code, "ExpiredIteratorException") == 0;
	f->gone = rc != SEAL_OK && strcmp(call.call.code, "ResourceNotFoundException") == 0;
	SEAL_TRY(rc);
	SEAL_TRY(page_read(&f->answer, err));
	f->tip = f->answer.n_records == 0 && f->answer.behind_ms <= 0;
	if (f->answer.next.ptr != NULL) {
		f->next = mem_strndup((const char *)f->answer.next.ptr, f->answer.next.len);
		if (f->next == NULL)
			rc = err_memory(err);
	}
out:
	kinesis_call_clear(&call);
	return rc;
}

/* ---- results ---- */

static void note_foreign(const struct fetch *f)
{
	struct kinesis_source *k = f->k;

	if (f->answer.foreign > 0 && k->foreign == 0)
		log_say(LOG_WARNING,
			"%s: shard %s: an aggregate (KPL) has records whose keys belong to another shard: Amazon's "
			"producer sends them again, so these records are left out; where another producer has made "
			"them, give --kinesis-keep-foreign",
			k->name, f->shard->id);
	k->foreign += f->answer.foreign;
}

static void fetched(struct fetch *f)
{
	struct kinesis_source *k = f->k;
	struct shard *shard = f->shard;

	mem_free(shard->iterator);
	shard->iterator = f->next;
	f->next = NULL;
	shard->at_tip = f->tip;
	shard->at_end = shard->iterator == NULL;
	shard->failures = 0;
	if (f->tip || shard->polled_ms == 0) /* an empty answer need not be the tip */
		shard->polled_ms = f->asked_ms;
	shard->behind_ms = f->answer.behind_ms;
	shard->due_ms = f->began_ms + (f->tip ? IDLE_MS : FETCH_MS);
	if (f->began_ms + f->answer.bytes / BYTES_PER_MS > shard->due_ms)
		shard->due_ms = f->began_ms + f->answer.bytes / BYTES_PER_MS;
	pause_shorter(&shard->pause);
	err_clear(&k->away);
	if (f->answer.last.at[0] != '\0')
		shard->fetched = f->answer.last;
	if (f->answer.page->n > 0) {
		shard_push_page(k, shard, f->answer.page);
		f->answer.page = NULL;
	}
	note_foreign(f);
	if (shard->at_end) {
		k->list_now = true; /* its children, if it has any */
		k->pass_now = true;
		if (shard->n_pages == 0)
			shard->drained_pass = k->begun;
		pthread_cond_signal(&k->keep);
	}
}

static void failed(struct fetch *f, enum seal_status rc, const struct seal_err *why)
{
	struct kinesis_source *k = f->k;
	struct shard *shard = f->shard;
	const uint64_t now = clock_mono_ms();

	if (shard->iterator == NULL && f->iterator != NULL) { /* another one of LATEST would begin later */
		shard->iterator = f->iterator;
		f->iterator = NULL;
		if (shard->polled_ms == 0)
			shard->polled_ms = f->asked_ms;
	}
	if (f->expired || (++shard->failures >= FAILURES_MAX && !f->throttled)) {
		mem_free(shard->iterator);
		shard->iterator = NULL;
	}
	if (f->expired && !f->fresh)
		return;
	if (f->gone) { /* too old, or the whole stream: the list will say */
		shard->due_ms = now + IDLE_MS;
		k->list_now = k->pass_now = true;
		pthread_cond_signal(&k->keep);
	} else if (rc == SEAL_RETRY || f->expired) {
		pause_longer(&shard->pause, f->began_ms, now);
		k->away = *why;
		k->away.status = SEAL_RETRY;
		err_place(&k->away, "%s", k->name);
	} else if (k->broken.status == SEAL_OK) {
		k->broken = *why;
		err_place(&k->broken, "%s", k->name);
	}
}

/* Under lock. */
static void finish(struct fetch *f, enum seal_status rc, const struct seal_err *why)
{
	struct kinesis_source *k = f->k;
	struct shard *shard = f->shard;

	shard->busy = false;
	if (shard->assignment == f->assignment && rc == SEAL_OK) {
		fetched(f);
	} else if (shard->assignment == f->assignment) {
		failed(f, rc, why);
	}
	pthread_cond_broadcast(&k->changed);
	pthread_cond_signal(&k->fetch);
	if (f->answer.page != NULL && k->n_spare < SPARES && page_reset(f->answer.page))
		k->spare[k->n_spare++] = f->answer.page;
	else
		page_free(f->answer.page);
	mem_free(f->iterator);
	mem_free(f->next);
}

void *kinesis_fetch_run(void *arg)
{
	struct kinesis_thread *thread = arg;
	struct kinesis_source *k = thread->source;
	struct fetch f = {.k = k};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = aws_worker_new(k->client, &f.worker, &err);

	pthread_mutex_lock(&k->lock);
	thread->worker = f.worker;
	while (rc == SEAL_OK && !k->stopping && k->broken.status == SEAL_OK) {
		struct seal_err why = SEAL_ERR_INIT;
		uint64_t until;
		struct shard *shard = next_shard(k, &until);

		if (shard == NULL) {
			cond_wait_until(&k->fetch, &k->lock, until);
			continue;
		}
		rc = begin(&f, shard, &err);
		if (rc != SEAL_OK)
			break;
		pthread_cond_signal(&k->fetch);
		pthread_mutex_unlock(&k->lock);
		enum seal_status got = f.iterator == NULL ? get_iterator(&f, &why) : SEAL_OK;
		if (got == SEAL_OK)
			got = get_records(&f, &why);
		pthread_mutex_lock(&k->lock);
		finish(&f, got, &why);
	}
	if (rc != SEAL_OK && k->broken.status == SEAL_OK)
		k->broken = err;
	thread->worker = NULL;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
	aws_worker_free(f.worker);
	return NULL;
}
