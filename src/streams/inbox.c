/* What callers of an inbox see; inbox_work.h draws the whole. */
#include "streams/inbox.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "streams/inbox_work.h"

#define AHEAD_BYTES (16u << 20)
#define SYNC_MS 30000
#define REQUESTS_MAX 16

/* ---- reading ---- */

/* Under lock: true where its time was over before it could be read, or that of one before it. */
static bool is_stale(const struct inbox_lent *lent, uint64_t now_ms)
{
	return lent->lost || lent->until_ms <= now_ms || lent->parcel->broken_up;
}

/* Under lock: those at the front of `waiting` that will come again. The others of their receive are given back at once. */
static void drop_stale(struct inbox *inbox)
{
	const uint64_t now = clock_mono_ms();

	if (inbox->waiting.n == 0 || !is_stale(inbox->waiting.first, now))
		return;
	while (inbox->waiting.n > 0 && is_stale(inbox->waiting.first, now)) {
		struct inbox_lent *lent = inbox_pop(&inbox->waiting);

		inbox->waiting_bytes -= lent->bytes;
		lent->parcel->broken_up = true;
		inbox_give_back(inbox, lent);
	}
	pthread_cond_signal(&inbox->keep);
	if (inbox_wants_more(inbox))
		pthread_cond_signal(&inbox->fetch);
}

/* Under lock: waits for something to read. */
static enum seal_status wait_for_some(struct inbox *inbox, int timeout_ms, enum read_result *result,
				      struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

	*result = READ_IDLE;
	for (;;) {
		const struct seal_err *why = inbox->read_broken.status != SEAL_OK   ? &inbox->read_broken
					     : inbox->keep_broken.status != SEAL_OK ? &inbox->keep_broken
										    : &inbox->away;

		drop_stale(inbox);
		if (inbox->waiting.n > 0) {
			*result = READ_SOME;
			return SEAL_OK;
		}
		if (why->status != SEAL_OK) {
			if (err != NULL)
				*err = *why;
			return why->status;
		}
		if (inbox->receiving == 0 && inbox_is_idle(inbox))
			*result = READ_END;
		if (*result == READ_END || clock_mono_ms() >= until)
			return SEAL_OK;
		cond_wait_until(&inbox->changed, &inbox->lock, until);
	}
}

/* Under lock: `waiting` is not empty. */
static void take(struct inbox *inbox, struct batch *batch, struct inbox_held *held, size_t max)
{
	size_t bytes = 0;

	held->first = inbox->numbers + 1;
	while (held->n < max && inbox->waiting.n > 0 && bytes < STREAM_BATCH_BYTES) {
		struct inbox_lent *lent = inbox_pop(&inbox->waiting);
		struct record *record = &batch->records[batch->n++];

		*record = lent->record;
		record->partition = 0;
		record->offset = (int64_t)++inbox->numbers;
		lent->number = inbox->numbers;
		lent->state = INBOX_READ;
		held->parcels[held->n++] = lent->parcel;
		lent->parcel = NULL;
		inbox->waiting_bytes -= lent->bytes;
		bytes += lent->bytes;
		inbox_push(&inbox->read, lent);
		drop_stale(inbox);
	}
}

enum seal_status inbox_read(struct inbox *inbox, struct batch *batch, size_t max_records, int timeout_ms,
			    enum read_result *result, struct seal_err *err)
{
	struct inbox_held *held;
	size_t max;
	enum seal_status rc;

	pthread_mutex_lock(&inbox->lock);
	SEAL_TRY(wait_for_some(inbox, timeout_ms, result, err));
	if (*result != READ_SOME)
		goto out;
	max = inbox->waiting.n < max_records ? inbox->waiting.n : max_records;
	held = arena_alloc(&batch->arena, sizeof(*held) + max * sizeof(struct inbox_parcel *),
			   _Alignof(struct inbox_held));
	if (held == NULL) {
		rc = err_memory(err);
		goto out;
	}
	*held = (struct inbox_held){.n = 0};
	batch->native = held;
	take(inbox, batch, held, max);
	if (inbox_wants_more(inbox))
		pthread_cond_signal(&inbox->fetch);
out:
	pthread_mutex_unlock(&inbox->lock);
	return rc;
}

void inbox_release(struct inbox *inbox, struct batch *batch)
{
	struct inbox_held *held = batch->native;

	if (held == NULL)
		return;
	pthread_mutex_lock(&inbox->lock);
	for (size_t i = 0; i < held->n; i++)
		if (!inbox_parcel_leave(held->parcels[i]))
			held->parcels[i] = NULL;
	pthread_mutex_unlock(&inbox->lock);
	for (size_t i = 0; i < held->n; i++)
		inbox_parcel_free(held->parcels[i]);
	batch->native = NULL;
}

/* ---- what is safe ---- */

/* Under lock. */
static enum seal_status keep_broken(const struct inbox *inbox, struct seal_err *err)
{
	if (inbox->keep_broken.status != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = inbox->keep_broken;
	return inbox->keep_broken.status;
}

enum seal_status inbox_mark(struct inbox *inbox, int64_t offset, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_lock(&inbox->lock);
	if (!inbox->config.look)
		inbox_commit_before(inbox, offset > 0 ? (uint64_t)offset : 0);
	rc = keep_broken(inbox, err);
	pthread_cond_signal(&inbox->keep);
	pthread_mutex_unlock(&inbox->lock);
	return rc;
}

enum seal_status inbox_commit(struct inbox *inbox, const struct batch *batch, struct seal_err *err)
{
	const struct inbox_held *held = batch->native;

	if (held == NULL)
		return SEAL_OK;
	return inbox_mark(inbox, (int64_t)(held->first + (batch->n < held->n ? batch->n : held->n)), err);
}

enum seal_status inbox_sync(struct inbox *inbox, struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + SYNC_MS;
	enum seal_status rc;

	pthread_mutex_lock(&inbox->lock);
	inbox->syncing = true;
	while ((rc = keep_broken(inbox, err)) == SEAL_OK && inbox->n_committed > 0) {
		if (clock_mono_ms() >= until) {
			err_place(err, "%s", inbox->name);
			rc = err_set(
				err, SEAL_RETRY, SEAL_E_TIMEOUT,
				"all went out, but %zu message%s could not be acknowledged, so the next run gets "
				"them again",
				inbox->n_committed, plural_s(inbox->n_committed));
			break;
		}
		cond_wait_until(&inbox->changed, &inbox->lock, until);
	}
	inbox->syncing = false;
	pthread_mutex_unlock(&inbox->lock);
	return rc;
}

bool inbox_away(struct inbox *inbox)
{
	bool away;

	pthread_mutex_lock(&inbox->lock);
	away = inbox->away.status != SEAL_OK || inbox->keep_away;
	pthread_mutex_unlock(&inbox->lock);
	return away;
}

uint64_t inbox_late(const struct inbox *inbox)
{
	struct inbox *mine = (struct inbox *)inbox;
	uint64_t late;

	pthread_mutex_lock(&mine->lock);
	late = mine->late;
	pthread_mutex_unlock(&mine->lock);
	return late;
}

/* ---- new and close ---- */

static enum seal_status init(struct inbox *inbox, const struct inbox_config *config, struct seal_err *err)
{
	pthread_cond_t *const conds[] = {&inbox->fetch, &inbox->keep, &inbox->changed};

	pthread_mutex_init(&inbox->lock, NULL);
	inbox->config = *config;
	if (inbox->config.ahead == 0)
		inbox->config.ahead = 4 * config->fetch * config->requests;
	if (inbox->config.ahead < config->fetch)
		inbox->config.ahead = config->fetch;
	if (inbox->config.ahead_bytes == 0)
		inbox->config.ahead_bytes = AHEAD_BYTES;
	inbox->name = mem_strdup(config->name);
	if (inbox->name == NULL)
		return err_memory(err);
	for (; inbox->n_conds < 3; inbox->n_conds++)
		if (!cond_init(conds[inbox->n_conds]))
			return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "cannot make a condition");
	return inbox_start(inbox, err);
}

enum seal_status inbox_new(const struct inbox_config *config, const struct inbox_service *service, void *arg,
			   struct inbox **out, struct seal_err *err)
{
	struct inbox *inbox = mem_calloc(1, sizeof(*inbox));
	enum seal_status rc;

	SEAL_INVARIANT(config->fetch > 0 && config->lot > 0 && config->lend_s > 0 && config->requests > 0 &&
		       config->requests <= REQUESTS_MAX);
	*out = NULL;
	if (inbox == NULL)
		return err_memory(err);
	inbox->service = service;
	inbox->arg = arg;
	rc = init(inbox, config, err);
	if (rc == SEAL_OK)
		*out = inbox;
	else
		inbox_close(inbox, false);
	return rc;
}

void inbox_close(struct inbox *inbox, bool clean)
{
	pthread_cond_t *const conds[] = {inbox != NULL ? &inbox->fetch : NULL, inbox != NULL ? &inbox->keep : NULL,
					 inbox != NULL ? &inbox->changed : NULL};

	if (inbox == NULL)
		return;
	inbox_stop(inbox, clean);
	inbox_lents_clear(inbox);
	while (inbox->n_conds > 0)
		pthread_cond_destroy(conds[--inbox->n_conds]);
	pthread_mutex_destroy(&inbox->lock);
	mem_free(inbox->name);
	mem_free(inbox);
}

/* ---- as a source ---- */

static struct inbox *box_of(struct source *source)
{
	return ((struct inbox_source *)source)->inbox;
}

enum seal_status inbox_source_read(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				   enum read_result *result, struct seal_err *err)
{
	return inbox_read(box_of(source), batch, max_records, timeout_ms, result, err);
}

enum seal_status inbox_source_commit(struct source *source, const struct batch *batch, struct seal_err *err)
{
	return inbox_commit(box_of(source), batch, err);
}

enum seal_status inbox_source_sync(struct source *source, struct seal_err *err)
{
	return inbox_sync(box_of(source), err);
}

void inbox_source_release(struct source *source, struct batch *batch)
{
	inbox_release(box_of(source), batch);
}

uint64_t inbox_source_assignment(struct source *source, int32_t partition)
{
	(void)source;
	return partition == 0 ? 1 : 0;
}

enum seal_status inbox_source_mark(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				   struct seal_err *err)
{
	return partition == 0 && assignment == 1 ? inbox_mark(box_of(source), offset, err) : SEAL_OK;
}

bool inbox_source_away(struct source *source)
{
	return inbox_away(box_of(source));
}

void inbox_source_close(struct inbox_source *source, bool clean)
{
	struct inbox *inbox = source->inbox;
	uint64_t late;

	if (inbox == NULL)
		return;
	inbox_stop(inbox, clean);
	late = inbox_late(inbox);
	if (late > 0)
		log_say(LOG_WARNING, "%s: %llu message%s could not be acknowledged in time: they come again",
			inbox->name, (unsigned long long)late, plural_s(late));
	inbox_close(inbox, clean);
	source->inbox = NULL;
}
