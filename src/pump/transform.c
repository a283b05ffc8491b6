/*
 * A batch through the engine, and what becomes of its records:
 *
 *   record ─┬─ good ─────────────────────────────▶ out
 *           └─ failed ─┬─ reject, keep_going ──▶ failures
 *                      ├─ reject ──────────────▶ failures, and nothing after it (stop_after)
 *                      ├─ dead_letter ─────────▶ out, encrypted whole, to its topic; failures
 *                      └─ drop ────────────────▶ failures
 *
 * Invariant: a value in `out` is the engine's result, or (plain) the record's own, and so are a key and a header that have
 * rules; of a failed record they leave only encrypted.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "pump/work.h"

static const struct pump_options *options_of(const struct worker *worker)
{
	return worker->pump->options;
}

static enum seal_status allocate(struct worker *worker, size_t n, struct seal_err *err)
{
	worker->why = mem_calloc(n, sizeof(*worker->why));
	worker->out = mem_calloc(n, sizeof(*worker->out));
	worker->failures = mem_calloc(n, sizeof(*worker->failures));
	return worker->why && worker->out && worker->failures ? SEAL_OK : err_memory(err);
}

enum seal_status worker_init(struct worker *worker, struct pump *pump, struct seal_err *err)
{
	enum seal_status rc;

	*worker = (struct worker){.pump = pump};
	arena_init(&worker->arena, ARENA_KEEP);
	SEAL_TRY(allocate(worker, pump->batch_records, err));
	SEAL_TRY(parts_new(pump->options, &worker->parts, &worker->n_parts, err));
	SEAL_TRY(dead_letters_init(&worker->dead, pump->options, pump->batch_records, err));
out:
	if (rc != SEAL_OK)
		worker_clear(worker);
	return rc;
}

void worker_clear(struct worker *worker)
{
	parts_free(worker->parts, worker->n_parts);
	dead_letters_clear(&worker->dead);
	mem_free(worker->why);
	mem_free(worker->out);
	mem_free(worker->failures);
	arena_clear(&worker->arena);
	*worker = (struct worker){.pump = NULL};
}

static enum on_error on_error_of(const struct worker *worker)
{
	const struct pump_options *options = options_of(worker);
	enum on_error on = options->plain ? ON_ERROR_REJECT : (enum on_error)options->topic->on.on_error;

	return on == ON_ERROR_DEAD_LETTER && options->no_dead_letters ? ON_ERROR_REJECT : on;
}

void pump_place_of(struct source *source, const struct record *record, char *out, size_t room)
{
	if (source->ops->place != NULL)
		source->ops->place(source, record, out, room);
	else
		snprintf(out, room, "%.*s/%d/%lld", BYTES_FMT(record->topic), (int)record->partition,
			 (long long)record->offset);
	utf8_keep_to_one_line(out, strlen(out)); /* the topic may be what an envelope says */
}

/* Where a record came from, before the place inside it: "in.json:17: $['card']". */
static void set_place(const struct worker *worker, const struct record *record, struct seal_err *why)
{
	char inside[SEAL_ERR_PLACE_MAX], from[SEAL_ERR_PLACE_MAX];

	memcpy(inside, why->place, sizeof(inside));
	pump_place_of(options_of(worker)->source, record, from, sizeof(from));
	why->place[0] = '\0';
	err_place(why, inside[0] ? "%s: %s" : "%s", from, inside);
}

static enum seal_status add_failure(struct worker *worker, const struct record *record, const struct seal_err *why,
				    struct seal_err *err)
{
	struct seal_err *copy = ARENA_NEW(&worker->arena, struct seal_err);

	if (copy == NULL)
		return err_memory(err);
	*copy = *why;
	set_place(worker, record, copy);
	worker->failures[worker->n_failures++] = (struct failure){record, copy};
	worker->counts.failed++;
	return SEAL_OK;
}

/* What the sink itself says of a record that is ready for it. */
static enum seal_status ask_sink(const struct worker *worker, const struct record *out, struct seal_err *why)
{
	struct sink *sink = options_of(worker)->sink;

	return sink->ops->check != NULL ? sink->ops->check(sink, out, why) : SEAL_OK;
}

/* A rewrapped key is another one: whoever sends it anew sends it to its own partition, and equal keys must meet. */
static bool is_rekeyed(const struct pump_options *options, const struct record *record, const struct record *out)
{
	return options->direction == ENGINE_REWRAP && !bytes_eq(record->key, out->key);
}

/*
 * Puts record `i` into `out`; not when it cannot be written as it would have to be: SEAL_DATA, and `why` says so. Without memory
 * it fails, too.
 */
static enum seal_status add_good(struct worker *worker, size_t i, const struct record *record, struct seal_err *why)
{
	const struct pump_options *options = options_of(worker);
	struct record *out = &worker->out[worker->n_out];
	const uint64_t fields = worker->counts.fields, kept = worker->counts.kept;
	enum seal_status rc = SEAL_OK;

	*out = *record;
	for (size_t p = 0; p < worker->n_parts; p++)
		SEAL_TRY(part_apply(&worker->parts[p], i, record, options->direction, &worker->arena, out,
				    &worker->counts, why));
	if (!options->keep_partition || is_rekeyed(options, record, out))
		out->partition = -1;
	if (!options->keep_topic)
		out->topic = BYTES_EMPTY;
	SEAL_TRY(ask_sink(worker, out, why));
	worker->n_out++;
	worker->counts.bytes_out += out->value.len;
	worker->counts.records_out++;
out:
	if (rc != SEAL_OK) { /* what its parts have counted */
		worker->counts.fields = fields;
		worker->counts.kept = kept;
	}
	return rc;
}

/* Not even a dead letter can be made of failed record `i`: the run stops before it, as with reject. */
static enum seal_status stop_before_dead(struct worker *worker, const struct batch *batch, size_t i,
					 const struct seal_err *why, struct seal_err *err)
{
	const struct record *record = worker->failures[i].record;

	worker->n_out = worker->dead.outs[i];
	worker->n_before = (size_t)(record - batch->records);
	worker->n_failures = worker->counts.failed = worker->counts.dead_letters = i;
	worker->counts.records_out = worker->n_out; /* what stands behind it was counted, and is not written */
	worker->counts.bytes_out = 0;
	for (size_t k = 0; k < worker->n_out; k++)
		worker->counts.bytes_out += worker->out[k].value.len;
	worker->stop_after = true;
	return add_failure(worker, record, why, err);
}

/* Dead letter i is that of failure i, as all failures of a topic go one way. */
static enum seal_status make_dead_letters(struct worker *worker, const struct batch *batch, struct seal_err *err)
{
	struct dead_letters *dead = &worker->dead;
	enum seal_status rc = SEAL_OK;

	if (dead->letters == 0)
		return SEAL_OK;
	SEAL_TRY(dead_letters_seal(dead, err));
	for (size_t i = 0; i < dead->letters; i++) {
		const struct record *out = &worker->out[dead->outs[i]];
		const struct seal_err *why = dead->why[i];
		struct seal_err refused = SEAL_ERR_INIT;

		if (why == NULL && ask_sink(worker, out, &refused) != SEAL_OK)
			why = &refused;
		if (why != NULL) {
			rc = stop_before_dead(worker, batch, i, why, err);
			break;
		}
		worker->counts.records_out++;
		worker->counts.bytes_out += out->value.len;
	}
out:
	return rc;
}

static enum seal_status fail_record(struct worker *worker, const struct batch *batch, const struct record *record,
				    const struct seal_err *why, struct seal_err *err)
{
	enum seal_status rc = add_failure(worker, record, why, err);

	if (rc != SEAL_OK)
		return rc;
	switch (on_error_of(worker)) {
	case ON_ERROR_REJECT:
		worker->stop_after = !options_of(worker)->keep_going;
		worker->n_before = (size_t)(record - batch->records);
		return SEAL_OK;
	case ON_ERROR_DEAD_LETTER:
		worker->counts.dead_letters++;
		return dead_letters_add(&worker->dead, record, why, worker->out, worker->n_out++, &worker->arena,
					err);
	case ON_ERROR_DROP:
		worker->counts.dropped++;
		return SEAL_OK;
	}
	err_bug(__FILE__, __LINE__, "no such on_error");
}

/* Sorts the batch's records into out and failures. */
static enum seal_status sort_out(struct worker *worker, const struct batch *batch, struct seal_err *err)
{
	struct seal_err refused =
		SEAL_ERR_INIT; /* filled only where a record fails: it is too large to be zeroed for each */
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < batch->n && !worker->stop_after; i++) {
		const struct record *record = &batch->records[i];

		worker->counts.records_in++;
		worker->counts.bytes_in += record->value.len;
		if (worker->why[i] != NULL) {
			SEAL_TRY(fail_record(worker, batch, record, worker->why[i], err));
			continue;
		}
		rc = add_good(worker, i, record, &refused);
		if (rc == SEAL_FATAL) {
			(void)err_set(err, rc, refused.code, "%s", refused.text);
			goto out;
		}
		if (rc != SEAL_OK) {
			SEAL_TRY(fail_record(worker, batch, record, &refused, err));
			err_clear(&refused);
		}
	}
	rc = make_dead_letters(worker, batch, err);
out:
	return rc;
}

enum seal_status worker_transform(struct worker *worker, struct batch *batch, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	worker->n_out = worker->n_failures = 0;
	worker->stop_after = false;
	worker->n_before = 0;
	worker->counts = (struct pump_counts){0};
	arena_reset(&worker->arena);
	dead_letters_reset(&worker->dead);
	for (size_t i = 0; i < batch->n; i++)
		worker->why[i] = batch->records[i].broken;
	for (size_t i = 0; i < worker->n_parts; i++)
		SEAL_TRY(part_run(&worker->parts[i], batch, options_of(worker)->direction, &worker->arena,
				  worker->why, err));
	rc = sort_out(worker, batch, err);
out:
	return rc;
}
