/*
 * The run of a receiver. One thread: read a batch, deal with its records in order, name what is whole, mark what is safe.
 *
 *   lanes[p]   position   behind the last record of partition p that was dealt with
 *              mark       the first record of the oldest transfer under way there (of a queue: that is not saved), else the
 *                         position; not behind the first one that the key did not open while it has opened none
 *
 * Invariant: an offset is marked only when everything before it is of no use any more: of files that have their names, of transfers
 * that were given up or, of a queue, that are saved, or no part of a transfer at all, as far as a key that has proved itself can tell.
 */
#include "transfer/transfer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "transfer/receiver.h"

#define READ_MS 100
#define BATCH_RECORDS 256
#define CALL_MS 30000 /* for one call of the key store */
#define LOOK_MS 500 /* between looks at what is due */
#define SWEEP_MS 60000
#define STALLED_MS 5000 /* between looks: what is longer is no time in which records could come */
#define LANES_MAX (1u << 20)

/* ---- what the other files need ---- */

uint64_t receiver_now(const struct receiver *r)
{
	return clock_mono_ms() - r->waited_ms;
}

struct key_call receiver_call(struct receiver *r)
{
	return (struct key_call){.arena = &r->arena, .deadline_ms = clock_mono_ms() + CALL_MS};
}

void receiver_tell(const struct receiver *r, int what, const struct incoming *t, const char *name,
		   const struct seal_err *why)
{
	const struct transfer_watch *watch = &r->options->watch;
	struct transfer_event event = {.name = name, .bytes = t->bytes, .size = t->size, .why = why};

	event.what = what;
	memcpy(event.id, t->id, FILE_ID_LEN);
	if (watch->event != NULL)
		watch->event(watch->arg, &event);
}

bool receiver_has_refused(const struct receiver *r, const uint8_t *mark)
{
	for (size_t i = 0; i < r->n_refused; i++)
		if (memcmp(r->refused[i], mark, REFUSED_LEN) == 0)
			return true;
	return false;
}

void receiver_refuse(struct receiver *r, const uint8_t *mark)
{
	memcpy(r->refused[r->next_refused], mark, REFUSED_LEN);
	r->next_refused = (r->next_refused + 1) % REFUSED_MAX;
	if (r->n_refused < REFUSED_MAX)
		r->n_refused++;
}

/* ---- partitions ---- */

static uint64_t assignment_of(const struct receiver *r, int32_t partition)
{
	struct source *source = r->options->source;

	return source->ops->assignment != NULL ? source->ops->assignment(source, partition) : 1;
}

/* NULL: nothing is marked there (a file's records have no partition). */
static struct lane *lane_of(const struct receiver *r, int32_t partition)
{
	return partition >= 0 && (size_t)partition < r->n_lanes ? &r->lanes[partition] : NULL;
}

static enum seal_status grow_lanes(struct receiver *r, int32_t partition, struct seal_err *err)
{
	size_t n = r->n_lanes ? r->n_lanes : 16;
	struct lane *grown;

	if (partition < 0 || (size_t)partition < r->n_lanes || (uint32_t)partition >= LANES_MAX)
		return SEAL_OK;
	while (n <= (size_t)partition)
		n *= 2;
	grown = mem_realloc_array(r->lanes, n, sizeof(*grown));
	if (grown == NULL)
		return err_memory(err);
	memset(grown + r->n_lanes, 0, (n - r->n_lanes) * sizeof(*grown));
	r->lanes = grown;
	r->n_lanes = n;
	return SEAL_OK;
}

void receiver_opened(struct receiver *r)
{
	r->proved = true;
	r->counts->unopened = 0;
}

void receiver_unopened(struct receiver *r, const struct record *record)
{
	struct lane *lane = lane_of(r, record->partition);

	if (r->proved)
		return;
	r->counts->unopened++;
	if (lane != NULL && !lane->has_unopened) {
		lane->has_unopened = true;
		lane->unopened = record->offset;
	}
}

/* Partitions that were taken away, or came back: what was under way there is another's, or comes again. */
static void look_at_assignments(struct receiver *r)
{
	for (size_t i = 0; i < r->n_lanes; i++) {
		struct lane *lane = &r->lanes[i];

		if (lane->assignment == 0 || assignment_of(r, (int32_t)i) == lane->assignment)
			continue;
		incoming_lose(r, (int32_t)i);
		*lane = (struct lane){0};
	}
}

/* All that has come of it is in its part and state, which the next run goes on with. */
static bool is_saved(const struct incoming *t)
{
	return !t->whole && (t->work == NULL || t->work->part.unsaved == 0);
}

/* The first record that is still needed of each partition. */
static void find_needed(const struct receiver *r, int64_t *needed)
{
	for (size_t i = 0; i < r->n_lanes; i++) {
		const struct lane *lane = &r->lanes[i];

		needed[i] = lane->has_unopened && !r->proved ? lane->unopened : lane->position;
	}
	for (const struct incoming *t = r->oldest; t != NULL; t = t->newer)
		for (size_t i = 0; i < t->n_holds && !(r->options->source_lends && is_saved(t)); i++)
			if (lane_of(r, t->holds[i].partition) != NULL &&
			    t->holds[i].offset < needed[t->holds[i].partition])
				needed[t->holds[i].partition] = t->holds[i].offset;
}

static enum seal_status mark(struct receiver *r, struct seal_err *err)
{
	struct source *source = r->options->source;
	enum seal_status rc = SEAL_OK;
	int64_t *needed;

	if (source->ops->mark == NULL || r->n_lanes == 0)
		return SEAL_OK;
	if (r->options->source_lends && incoming_save(r, true, err) != SEAL_OK)
		return SEAL_FATAL;
	needed = mem_alloc(r->n_lanes * sizeof(*needed));
	if (needed == NULL)
		return err_memory(err);
	find_needed(r, needed);
	for (size_t i = 0; i < r->n_lanes; i++) {
		struct lane *lane = &r->lanes[i];

		if (lane->assignment == 0 || needed[i] <= lane->marked)
			continue;
		rc = source->ops->mark(source, (int32_t)i, lane->assignment, needed[i], err);
		if (rc == SEAL_RETRY) { /* with a later one */
			err_clear(err);
			rc = SEAL_OK;
			continue;
		}
		SEAL_TRY(rc);
		lane->marked = needed[i];
	}
out:
	mem_free(needed);
	return rc;
}

/* ---- steps that may have to wait ---- */

typedef enum seal_status (*step)(struct receiver *r, void *arg, struct seal_err *err);

/* Repeats a step while it answers SEAL_RETRY. SEAL_RETRY: a stop request, or it took too long. */
static enum seal_status patiently(struct receiver *r, step run_step, void *arg, struct seal_err *err)
{
	const struct transfer_watch *watch = &r->options->watch;
	struct wait wait = {0};
	enum seal_status rc;

	for (;;) {
		rc = run_step(r, arg, err);
		if (rc != SEAL_RETRY)
			break;
		if (!wait_again(&wait, watch, r->options->retry_ms, err))
			break;
	}
	r->waited_ms += wait_end(&wait, watch, rc == SEAL_OK);
	return rc;
}

static enum seal_status step_open_log(struct receiver *r, void *arg, struct seal_err *err)
{
	return received_open(r->place.state, &r->received, err);
}

static enum seal_status step_finish(struct receiver *r, void *arg, struct seal_err *err)
{
	return finish_whole(r, err);
}

static enum seal_status step_record(struct receiver *r, void *arg, struct seal_err *err)
{
	enum seal_status rc = receive_record(r, arg, err);

	/* Before a wait that may be long: what is whole is not kept waiting, if that can be. */
	if (rc == SEAL_RETRY && r->n_whole > 0 && finish_whole(r, NULL) == SEAL_OK)
		rc = mark(r, NULL) == SEAL_FATAL ? err_memory(err) : rc;
	return rc;
}

struct reading {
	struct batch *batch;
	enum read_result result;
};

static enum seal_status step_read(struct receiver *r, void *arg, struct seal_err *err)
{
	struct source *source = r->options->source;
	struct reading *reading = arg;

	reading->batch->n = 0;
	reading->result = READ_IDLE;
	return source->ops->read(source, reading->batch, reading->batch->cap, READ_MS, &reading->result, err);
}

/* ---- the run ---- */

static bool has_enough(const struct receiver *r)
{
	return r->options->max_files > 0 && r->counts->files + r->n_whole >= r->options->max_files;
}

static enum seal_status take_record(struct receiver *r, const struct record *record, struct seal_err *err)
{
	struct lane *lane;
	enum seal_status rc;

	SEAL_TRY(grow_lanes(r, record->partition, err));
	lane = lane_of(r, record->partition);
	if (lane != NULL && lane->assignment == 0) {
		lane->assignment = assignment_of(r, record->partition);
		lane->marked = 0;
	}
	if (lane != NULL && lane->assignment == 0)
		goto out; /* taken away since it was read */
	SEAL_TRY(patiently(r, step_record, (void *)record, err));
	if (lane != NULL)
		lane->position = record->offset + 1;
	if (r->n_whole == INCOMING_WHOLE_MAX)
		SEAL_TRY(patiently(r, step_finish, NULL, err));
out:
	return rc;
}

static enum seal_status take_batch(struct receiver *r, const struct batch *batch, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	look_at_assignments(r);
	for (size_t i = 0; i < batch->n && !has_enough(r); i++)
		SEAL_TRY(take_record(r, &batch->records[i], err));
	SEAL_TRY(patiently(r, step_finish, NULL, err));
out:
	return rc;
}

static enum seal_status look_after(struct receiver *r, struct seal_err *err)
{
	const uint64_t now = clock_mono_ms();
	const uint64_t timeout = r->options->timeout_ms;
	const uint64_t sweep_ms = timeout > 0 && timeout < SWEEP_MS ? timeout : SWEEP_MS;

	if (now - r->looked_ms < LOOK_MS)
		return SEAL_OK;
	if (now - r->looked_ms > STALLED_MS)
		incoming_forgive(r, now - r->looked_ms - LOOK_MS);
	r->looked_ms = now;
	incoming_expire(r);
	if (now - r->swept_ms >= sweep_ms) {
		r->swept_ms = now;
		incoming_sweep(r);
	}
	return incoming_save(r, false, err);
}

static enum seal_status run(struct receiver *r, struct seal_err *err)
{
	struct source *source = r->options->source;
	struct batch batch = {0};
	struct reading reading = {.batch = &batch};
	enum seal_status rc = SEAL_OK;

	arena_init(&batch.arena, STREAM_BATCH_BYTES);
	batch.cap = BATCH_RECORDS;
	batch.records = mem_calloc(batch.cap, sizeof(*batch.records));
	if (batch.records == NULL) {
		rc = err_memory(err);
		goto out;
	}
	while (r->options->watch.stop() == 0 && !has_enough(r) && reading.result != READ_END) {
		SEAL_TRY(patiently(r, step_read, &reading, err));
		if (reading.result == READ_SOME) {
			rc = take_batch(r, &batch, err);
			source->ops->release(source, &batch);
			arena_reset(&batch.arena);
			SEAL_TRY(rc);
		} else {
			look_at_assignments(r);
		}
		SEAL_TRY(look_after(r, err));
		SEAL_TRY(mark(r, err));
	}
out:
	mem_free(batch.records);
	arena_clear(&batch.arena);
	return rc;
}

static enum seal_status receiver_open(struct receiver *r, struct seal_err *err)
{
	const struct receive_options *o = r->options;
	enum seal_status rc;

	SEAL_TRY(place_open(o->directory, o->state, &r->place, err));
	SEAL_TRY(patiently(r, step_open_log, NULL, err));
	SEAL_TRY(o->key->ops->session(o->key, &r->kek, err));
	r->start_ms = receiver_now(r);
	r->swept_ms = r->looked_ms = clock_mono_ms();
	incoming_sweep(r);
out:
	return rc;
}

/* What can still be done, however the run ended: names for what is whole, states of what is not, offsets. */
static enum seal_status receiver_end(struct receiver *r, enum seal_status ran, struct seal_err *err)
{
	struct source *source = r->options->source;
	struct seal_err ignored = SEAL_ERR_INIT, *to = ran == SEAL_OK ? err : &ignored;
	enum seal_status rc;

	SEAL_TRY(finish_whole(r, to));
	SEAL_TRY(incoming_save(r, true, to));
	SEAL_TRY(mark(r, to));
	if (source->ops->sync != NULL)
		SEAL_TRY(source->ops->sync(source, to));
out:
	return ran == SEAL_OK ? rc : ran;
}

static void receiver_clear(struct receiver *r)
{
	incoming_clear(r);
	if (r->kek != NULL)
		r->kek->ops->free(r->kek);
	received_close(r->received);
	place_close(&r->place);
	file_opener_free(r->asked.opener);
	arena_clear(&r->arena);
	buf_clear(&r->plain);
	mem_free(r->lanes);
	mem_free(r->numbered_name);
	mem_free(r);
}

enum seal_status transfer_receive(const struct receive_options *options, struct transfer_counts *counts,
				  struct seal_err *err)
{
	struct receiver *r = mem_calloc(1, sizeof(*r));
	enum seal_status rc;

	*counts = (struct transfer_counts){0};
	if (r == NULL)
		return err_memory(err);
	r->options = options;
	r->counts = counts;
	r->place = (struct place)PLACE_INIT;
	r->plain.max = SIZE_MAX / 2;
	arena_init(&r->arena, 1 << 16);
	rc = receiver_open(r, err);
	if (rc == SEAL_OK) {
		rc = run(r, err);
		/* A stop request ends waits, and that is no failure. */
		if (rc == SEAL_RETRY && options->watch.stop() != 0) {
			err_clear(err);
			rc = SEAL_OK;
		}
		rc = receiver_end(r, rc, err);
	}
	receiver_clear(r);
	return rc;
}
