/* What callers see of a reader; source.h draws the whole. */
#include "streams/kinesis/source.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"

#define MEMORY_BYTES (32u << 20)
#define SYNC_MS 30000
#define FUTURE_MS 60000 /* what clocks may differ */

static struct kinesis_source *of(struct source *source)
{
	return (struct kinesis_source *)((char *)source - offsetof(struct kinesis_source, base));
}

/* ---- reading ---- */

/* Under lock: the shard whose turn it is, or NULL. */
static struct shard *shard_with_pages(struct kinesis_source *k)
{
	const uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < k->n_shards; i++) {
		const size_t at = (k->turn + 1 + i) % k->n_shards;

		if (k->shards[at]->n_pages > 0 && !shard_is_stale(k, k->shards[at], now)) {
			k->turn = at;
			return k->shards[at];
		}
	}
	return NULL;
}

/*
 * Under lock: the book is up to date with what was drained, and every shard is at its tip, or somebody else's who lives: one whose
 * reader was never seen to renew its lease will be ours when the lease is over.
 */
static bool is_at_end(const struct kinesis_source *k)
{
	if (!k->exit_at_end || k->list_now || k->pass_now)
		return false;
	for (size_t i = 0; i < k->n_shards; i++) {
		const struct shard *shard = k->shards[i];

		if (shard->lease.ended || !shard->listed)
			continue;
		if (shard->assignment == 0) {
			if (shard_may_start(k, shard) &&
			    (!shard->renewed || kinesis_is_free(k, shard, clock_mono_ms())))
				return false;
		} else if (shard->n_pages > 0 || shard->busy ||
			   (shard->at_end ? k->pass <= shard->drained_pass : !shard->at_tip)) {
			return false;
		}
	}
	return true;
}

/* Under lock: is there one whose lease was not renewed in time? */
static bool any_is_stale(const struct kinesis_source *k)
{
	const uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < k->n_shards; i++)
		if (shard_is_stale(k, k->shards[i], now))
			return true;
	return false;
}

/* Under lock: what keeps records from coming. */
static enum seal_status tell_trouble(const struct kinesis_source *k, struct seal_err *err)
{
	const struct seal_err *why = k->broken.status != SEAL_OK ? &k->broken
				     : k->away.status != SEAL_OK ? &k->away
								 : &k->book_away;

	if (why->status != SEAL_OK && err != NULL)
		*err = *why;
	if (k->broken.status == SEAL_OK && any_is_stale(k)) {
		err_place(err, "%s", k->name);
		(void)err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "--kinesis-checkpoint does not answer");
		err_prefix(err,
			   "leases were not renewed for %llu ms, and shards that others may have by now are not read",
			   (unsigned long long)k->lease_ms);
		return SEAL_RETRY;
	}
	return why->status;
}

/* Under lock. */
static enum seal_status wait_for_pages(struct kinesis_source *k, int timeout_ms, enum read_result *result,
				       struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

	*result = READ_IDLE;
	for (;;) {
		if (shard_with_pages(k) != NULL) {
			*result = READ_SOME;
			return SEAL_OK;
		}
		if (k->broken.status != SEAL_OK || k->away.status != SEAL_OK || k->book_away.status != SEAL_OK)
			return tell_trouble(k, err);
		if (is_at_end(k))
			*result = READ_END;
		if (*result == READ_END)
			return SEAL_OK;
		if (clock_mono_ms() >= until)
			return tell_trouble(k, err);
		cond_wait_until(&k->changed, &k->lock, until);
	}
}

/* Under lock: records of one page, as far as there is room. */
static enum seal_status take_page(struct kinesis_source *k, struct shard *shard, struct batch *batch, size_t max,
				  struct held *held, size_t *bytes, struct seal_err *err)
{
	struct page *page = shard->first_page;
	enum seal_status rc = SEAL_OK;

	page->users++;
	held->pages[held->n++] = page;
	while (rc == SEAL_OK && batch->n < max && *bytes < STREAM_BATCH_BYTES && shard->first_page == page) {
		struct record *record = &batch->records[batch->n];

		rc = shard_take_record(k, shard, record, err);
		if (rc == SEAL_OK) {
			batch->n++;
			*bytes += record->key.len + record->value.len;
		}
	}
	if (shard_is_drained(shard) && shard->drained_pass == 0) {
		shard->drained_pass = k->begun;
		k->pass_now = true;
		pthread_cond_signal(&k->keep);
	}
	return rc;
}

/* Under lock: pages in turn, of one shard after the other. */
static enum seal_status fill(struct kinesis_source *k, struct batch *batch, size_t max, struct seal_err *err)
{
	const size_t n = k->n_shards * 2 + 1; /* pages of a shard are few */
	struct held *held =
		arena_alloc(&batch->arena, sizeof(*held) + n * sizeof(struct page *), _Alignof(struct held));
	struct shard *shard;
	size_t bytes = 0;
	enum seal_status rc = SEAL_OK;

	if (held == NULL)
		return err_memory(err);
	*held = (struct held){.first = k->numbers + 1};
	batch->native = held;
	while (rc == SEAL_OK && held->n < n && batch->n < max && bytes < STREAM_BATCH_BYTES &&
	       (shard = shard_with_pages(k)) != NULL)
		rc = take_page(k, shard, batch, max, held, &bytes, err);
	if (rc != SEAL_OK && batch->n == 0) { /* it stays with its shard, and nobody will release it */
		(void)page_leave(held->pages[0]);
		batch->native = NULL;
	} else if (rc != SEAL_OK) { /* what was taken goes out; the next read meets the failure */
		err_clear(err);
		rc = SEAL_OK;
	}
	held->n_records = batch->n;
	pthread_cond_broadcast(&k->fetch);
	return rc;
}

static enum seal_status source_read(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				    enum read_result *result, struct seal_err *err)
{
	struct kinesis_source *k = of(source);
	enum seal_status rc;

	pthread_mutex_lock(&k->lock);
	rc = wait_for_pages(k, timeout_ms, result, err);
	if (rc == SEAL_OK && *result == READ_SOME)
		rc = fill(k, batch, max_records, err);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

static void keep_page(struct kinesis_source *k, struct page *page)
{
	bool keep = page_reset(page);

	pthread_mutex_lock(&k->lock);
	keep = keep && k->n_spare < SPARES;
	if (keep)
		k->spare[k->n_spare++] = page;
	pthread_mutex_unlock(&k->lock);
	if (!keep)
		page_free(page);
}

static void source_release(struct source *source, struct batch *batch)
{
	struct kinesis_source *k = of(source);
	struct held *held = batch->native;

	if (held == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < held->n; i++)
		if (!page_leave(held->pages[i]))
			held->pages[i] = NULL;
	pthread_mutex_unlock(&k->lock);
	for (size_t i = 0; i < held->n; i++) /* what is large is wiped without the lock */
		if (held->pages[i] != NULL)
			keep_page(k, held->pages[i]);
	batch->native = NULL;
}

/* ---- what is safe ---- */

static enum seal_status source_commit(struct source *source, const struct batch *batch, struct seal_err *err)
{
	struct kinesis_source *k = of(source);
	const struct held *held = batch->native;
	uint64_t number;

	if (held == NULL)
		return SEAL_OK;
	number = held->first + (batch->n < held->n_records ? batch->n : held->n_records);
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_shards; i++)
		shard_commit_number(k->shards[i], number);
	pthread_cond_signal(&k->keep);
	pthread_mutex_unlock(&k->lock);
	return SEAL_OK;
}

static uint64_t source_assignment(struct source *source, int32_t partition)
{
	struct kinesis_source *k = of(source);
	uint64_t assignment = 0;

	pthread_mutex_lock(&k->lock);
	if (partition >= 0 && (size_t)partition < k->n_shards)
		assignment = k->shards[partition]->assignment;
	pthread_mutex_unlock(&k->lock);
	return assignment;
}

static enum seal_status source_mark(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				    struct seal_err *err)
{
	struct kinesis_source *k = of(source);

	pthread_mutex_lock(&k->lock);
	if (partition >= 0 && (size_t)partition < k->n_shards && k->shards[partition]->assignment == assignment)
		shard_commit_offset(k->shards[partition], offset);
	pthread_cond_signal(&k->keep);
	pthread_mutex_unlock(&k->lock);
	return SEAL_OK;
}

/* Under lock: would a pass have something to write? */
static bool is_unsaved(const struct kinesis_source *k)
{
	for (size_t i = 0; i < k->n_shards; i++)
		if (k->shards[i]->dirty)
			return true;
	return k->asked_ms != 0;
}

static enum seal_status source_sync(struct source *source, struct seal_err *err)
{
	struct kinesis_source *k = of(source);
	const uint64_t until = clock_mono_ms() + SYNC_MS;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&k->lock);
	k->asked_ms = clock_mono_ms();
	pthread_cond_signal(&k->keep);
	while (k->keeps && k->broken.status == SEAL_OK && is_unsaved(k) && clock_mono_ms() < until)
		cond_wait_until(&k->changed, &k->lock, until);
	if (k->keeps && is_unsaved(k)) {
		const struct seal_err *why = k->broken.status != SEAL_OK ? &k->broken : &k->book_away;

		rc = why->status != SEAL_OK ? why->status : SEAL_RETRY;
		if (err != NULL && why->status != SEAL_OK)
			*err = *why;
		(void)err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "the places in the shards were not saved in time");
		err_prefix(err, "all went out, but the next run sends records again");
	}
	pthread_mutex_unlock(&k->lock);
	return rc;
}

static size_t source_lag(struct source *source, struct source_lag *out, size_t max)
{
	struct kinesis_source *k = of(source);
	size_t n = 0;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_shards; i++) {
		const struct shard *shard = k->shards[i];

		if (shard->assignment == 0 || shard_is_drained(shard))
			continue;
		if (n < max)
			out[n] = (struct source_lag){
				.partition = shard->number, .records = -1, .ms = shard->behind_ms};
		n++;
	}
	pthread_mutex_unlock(&k->lock);
	return n;
}

static bool source_away(struct source *source)
{
	struct kinesis_source *k = of(source);
	bool away;

	pthread_mutex_lock(&k->lock);
	away = k->away.status != SEAL_OK || k->book_away.status != SEAL_OK || any_is_stale(k);
	pthread_mutex_unlock(&k->lock);
	return away;
}

static void source_place(struct source *source, const struct record *record, char *out, size_t room)
{
	struct kinesis_source *k = of(source);
	const char *id = "";

	pthread_mutex_lock(&k->lock);
	if (record->partition >= 0 && (size_t)record->partition < k->n_shards)
		id = k->shards[record->partition]->id;
	snprintf(out, room, "%s/%s/%.*s", k->name, id, BYTES_FMT(record->id));
	pthread_mutex_unlock(&k->lock);
}

/* ---- open and close ---- */

static void stop(struct kinesis_source *k, bool clean)
{
	if (k->threads == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_broadcast(&k->fetch);
	for (unsigned i = 0; i < k->n_threads; i++) /* nothing of what is asked now is of any use */
		if (k->threads[i].worker != NULL)
			aws_worker_stop(k->threads[i].worker);
	pthread_mutex_unlock(&k->lock);
	/* The last of them is the keeper: what fetchers leave is given back by it. */
	for (unsigned i = 0; i < k->n_threads; i++) {
		if (i + 1 == k->n_threads) {
			pthread_mutex_lock(&k->lock);
			k->closing = true;
			k->clean = clean;
			pthread_cond_broadcast(&k->keep);
			pthread_mutex_unlock(&k->lock);
		}
		pthread_join(k->threads[i].thread, NULL);
	}
	mem_free(k->threads);
}

static void source_close(struct source *source, bool clean)
{
	struct kinesis_source *k = source != NULL ? of(source) : NULL;
	pthread_cond_t *const conds[] = {k != NULL ? &k->fetch : NULL, k != NULL ? &k->keep : NULL,
					 k != NULL ? &k->changed : NULL};

	if (k == NULL)
		return;
	stop(k, clean);
	if (k->stolen > 0)
		log_say(LOG_INFO,
			"%s: other readers took over shards %llu time%s; records that were under way come twice",
			k->name, (unsigned long long)k->stolen, plural_s(k->stolen));
	if (k->foreign > 0)
		log_say(LOG_WARNING, "%s: %llu record%s left out of aggregates, with keys of other shards", k->name,
			(unsigned long long)k->foreign, k->foreign == 1 ? " was" : "s were");
	for (size_t i = 0; i < k->n_shards; i++)
		shard_free(k->shards[i]);
	while (k->n_spare > 0)
		page_free(k->spare[--k->n_spare]);
	while (k->n_conds > 0)
		pthread_cond_destroy(conds[--k->n_conds]);
	pthread_mutex_destroy(&k->lock);
	book_close(k->book);
	aws_client_free(k->client);
	table_clear(&k->by_id);
	mem_free(k->shards);
	mem_free(k->prefix);
	kinesis_address_clear(&k->address);
	mem_free(k);
}

/* Who we are in leases: for people the host and process, for the rest a random part. */
static enum seal_status name_owner(struct kinesis_source *k, struct seal_err *err)
{
	char host[64] = "", hex[17] = "";
	uint8_t noise[8];
	enum seal_status rc;

	SEAL_TRY(random_bytes(noise, sizeof(noise), err));
	hex_encode(bytes_of(noise, sizeof(noise)), hex);
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	snprintf(k->owner, sizeof(k->owner), "%s-%d-%s", host, (int)getpid(), hex);
out:
	return rc;
}

static enum seal_status start_threads(struct kinesis_source *k, unsigned n, struct seal_err *err)
{
	k->threads = mem_calloc(n + 1, sizeof(*k->threads));
	if (k->threads == NULL)
		return err_memory(err);
	/* The keeper has the last place, and must be there for the others to be stopped as they are. */
	for (; k->n_threads <= n; k->n_threads++) {
		struct kinesis_thread *thread = &k->threads[k->n_threads];
		int code;

		thread->source = k;
		code = pthread_create(&thread->thread, NULL,
				      k->n_threads == n ? kinesis_keeper_run : kinesis_fetch_run, thread);
		if (code != 0)
			return err_set_errno(err, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start a thread");
	}
	return SEAL_OK;
}

static enum seal_status open_book(struct kinesis_source *k, const struct kinesis_options *o, struct seal_err *err)
{
	const bool keeps = o->checkpoint != NULL && !o->look;
	struct seal_buf prefix = BUF_INIT(STORE_KEY_MAX - SHARD_ID_MAX);
	enum seal_status rc;

	if (keeps && (o->group == NULL || *o->group == '\0'))
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"--kinesis-checkpoint needs --group: the name that places in the shards are kept under");
	if (!keeps && !o->look && o->group != NULL && *o->group != '\0')
		log_say(LOG_WARNING,
			"%s: places in the shards are not kept, and the next run begins at %s again; "
			"--kinesis-checkpoint keeps them",
			k->name, o->start);
	k->keeps = keeps;
	SEAL_TRY(buf_printf(&prefix, err, "%s/%s/%.*s", keeps ? o->group : "", aws_client_region(k->client),
			    BYTES_FMT(k->address.name)));
	k->prefix = mem_strndup((const char *)prefix.ptr, prefix.len);
	if (k->prefix == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(book_open(keeps ? o->checkpoint : NULL, o->stores, &k->book, err));
	k->shared = book_is_shared(k->book);
out:
	buf_clear(&prefix);
	return rc;
}

static enum seal_status start(struct kinesis_source *k, const char *address, const struct kinesis_options *o,
			      struct seal_err *err)
{
	pthread_cond_t *const conds[] = {&k->fetch, &k->keep, &k->changed};
	struct aws_worker *worker = NULL;
	enum seal_status rc;
	bool saved;

	for (; k->n_conds < 3; k->n_conds++)
		if (!cond_init(conds[k->n_conds]))
			return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "cannot make a condition");
	k->exit_at_end = o->exit_at_end;
	k->keep_foreign = o->keep_foreign;
	k->lease_ms = (uint64_t)o->lease_ms;
	k->memory = o->memory > 0 ? (size_t)o->memory : MEMORY_BYTES;
	SEAL_TRY(kinesis_address_read(address, &k->address, err));
	snprintf(k->name, sizeof(k->name), "kinesis:%.*s", BYTES_FMT(k->address.name));
	SEAL_TRY(lease_read_from(o->start, &k->from, &k->from_ms, err));
	if (k->from_ms > clock_unix_ms() + FUTURE_MS) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--kinesis-start %s is a time to come", o->start);
		goto out;
	}
	SEAL_TRY(name_owner(k, err));
	SEAL_TRY(kinesis_client_new(o, &k->address, &k->client, err));
	SEAL_TRY(open_book(k, o, err));
	SEAL_TRY(aws_worker_new(k->client, &worker, err));
	SEAL_TRY(kinesis_keeper_pass(k, worker, true, &saved, err));
	k->pass = k->begun = 1;
	rc = start_threads(k, (unsigned)o->requests, err);
out:
	aws_worker_free(worker);
	if (rc != SEAL_OK)
		err_place(err, "kinesis:%s", address);
	return rc;
}

static enum seal_status source_open(const char *address, const void *options, struct source **out,
				    struct seal_err *err)
{
	struct kinesis_source *k = mem_calloc(1, sizeof(*k));
	enum seal_status rc;

	*out = NULL;
	if (k == NULL)
		return err_memory(err);
	k->base.ops = &kinesis_source_ops;
	pthread_mutex_init(&k->lock, NULL);
	rc = start(k, address, options, err);
	if (rc == SEAL_OK)
		*out = &k->base;
	else
		source_close(&k->base, false);
	return rc;
}

static void set_stores(void *options, const struct store_ops *const *stores)
{
	((struct kinesis_options *)options)->stores = stores;
}

static const struct opt_row rows[] = {
	KINESIS_ROWS,
	{.name = "group",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 .offset = offsetof(struct kinesis_options, group),
	 .help = "the application that places in the shards are kept for"},
	{.name = "start",
	 .arg = "WHERE",
	 .type = OPT_STRING,
	 .def = "trim-horizon",
	 .offset = offsetof(struct kinesis_options, start),
	 .help = "where nothing was read before: trim-horizon, latest, or a time"},
	{.name = "checkpoint",
	 .arg = "ADDRESS",
	 .type = OPT_STRING,
	 .offset = offsetof(struct kinesis_options, checkpoint),
	 .help = "where places in the shards are kept: file:PATH (one reader), sqlite:FILE, postgresql://… (several "
		 "share the stream)"},
	{.name = "lease",
	 .arg = "TIME",
	 .type = OPT_DURATION,
	 .def = "10s",
	 .min = 300,
	 .max = 3600000,
	 .offset = offsetof(struct kinesis_options, lease_ms),
	 .help = "a reader that is not heard of for so long loses its shards to others"},
	{.name = "keep-foreign",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct kinesis_options, keep_foreign),
	 .help = "read records in aggregates (KPL) with keys of other shards, too: of producers that put any keys "
		 "together"},
	{.name = "exit",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct kinesis_options, exit_at_end),
	 .help = "stop at the tip of every shard"},
	{.name = "look", .type = OPT_FLAG, .offset = offsetof(struct kinesis_options, look), .internal = true},
	OPT_END,
};

const struct source_ops kinesis_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "kinesis",
	.help = "a stream of Amazon Kinesis",
	.traits = &kinesis_traits,
	.options = rows,
	.options_size = sizeof(struct kinesis_options),
	.topic = kinesis_topic,
	.open = source_open,
	.read = source_read,
	.commit = source_commit,
	.sync = source_sync,
	.assignment = source_assignment,
	.mark = source_mark,
	.lag = source_lag,
	.away = source_away,
	.place = source_place,
	.release = source_release,
	.close = source_close,
	.set_stores = set_stores,
};
