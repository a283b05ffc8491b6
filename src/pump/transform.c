/*
 * A batch through the engine, and what becomes of its records:
 *
 *   record ─┬─ good ─────────────────────────────▶ out
 *           └─ failed ─┬─ reject, keep_going ──▶ failures
 *                      ├─ reject ──────────────▶ failures, and nothing after it (stop_after)
 *                      ├─ dead_letter ─────────▶ out, encrypted whole, to its topic; failures
 *                      └─ drop ────────────────▶ failures
 *
 * Invariant: a value in `out` is the engine's result, or (plain) the record's own; a failed record's value leaves only
 * encrypted.
 */
#include <stdio.h>

#include "base/mem.h"
#include "pump/work.h"

static const struct pump_options *options_of(const struct worker *worker)
{
	return worker->pump->options;
}

static enum seal_status allocate(struct worker *worker, size_t n, struct seal_err *err)
{
	const struct pump_options *options = options_of(worker);
	const bool headers = options->headers && !options->plain && engine_uses_key_header(options->topic);

	worker->values = mem_calloc(n, sizeof(*worker->values));
	worker->indexes = mem_calloc(n, sizeof(*worker->indexes));
	worker->results = mem_calloc(n, sizeof(*worker->results));
	worker->out = mem_calloc(n, sizeof(*worker->out));
	worker->failures = mem_calloc(n, sizeof(*worker->failures));
	worker->key_headers = headers ? mem_calloc(n, sizeof(*worker->key_headers)) : NULL;
	if (!worker->values || !worker->indexes || !worker->results || !worker->out || !worker->failures ||
	    (headers && !worker->key_headers))
		return err_memory(err);
	return SEAL_OK;
}

enum seal_status worker_init(struct worker *worker, struct pump *pump, struct seal_err *err)
{
	const struct pump_options *options = pump->options;
	enum seal_status rc;

	*worker = (struct worker){.pump = pump};
	arena_init(&worker->arena, ARENA_KEEP);
	SEAL_TRY(allocate(worker, pump->batch_records, err));
	if (!options->plain)
		SEAL_TRY(engine_check_headers(options->topic, options->headers, err));
	if (!options->plain)
		SEAL_TRY(engine_new(options->plan, &options->engine, &worker->engine, err));
	if (!options->plain && options->direction == ENGINE_REWRAP)
		SEAL_TRY(engine_can_rewrap(worker->engine, options->topic, err));
	/* Its own engine: results of the first one are still in use when dead letters are made. */
	if (!options->plain && options->topic->dead_letter_topic != NULL && !options->no_dead_letters)
		SEAL_TRY(engine_new(options->plan, &options->engine, &worker->dead_engine, err));
out:
	if (rc != SEAL_OK)
		worker_clear(worker);
	return rc;
}

void worker_clear(struct worker *worker)
{
	engine_free(worker->engine);
	engine_free(worker->dead_engine);
	mem_free(worker->values);
	mem_free(worker->key_headers);
	mem_free(worker->indexes);
	mem_free(worker->results);
	mem_free(worker->out);
	mem_free(worker->failures);
	arena_clear(&worker->arena);
	*worker = (struct worker){.pump = NULL};
}

static bool is_key_header(const struct record_header *header)
{
	return bytes_eq(header->name, BYTES_LIT(ENGINE_KEY_HEADER));
}

/* The first one of that name; NULL: none. */
static const struct record_header *find_key_header(const struct record *record)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (is_key_header(&record->headers[i]))
			return &record->headers[i];
	return NULL;
}

/* Two would leave open which one counts. */
static bool has_two_key_headers(const struct record *record)
{
	const struct record_header *first = find_key_header(record);

	for (size_t i = first != NULL ? (size_t)(first - record->headers) + 1 : record->n_headers;
	     i < record->n_headers; i++)
		if (is_key_header(&record->headers[i]))
			return true;
	return false;
}

/* Values that can be transformed; broken records have none. */
static void gather(struct worker *worker, const struct batch *batch)
{
	worker->n_values = 0;
	for (size_t i = 0; i < batch->n; i++) {
		const struct record *record = &batch->records[i];

		if (record->broken != NULL)
			continue;
		if (worker->key_headers != NULL) {
			const struct record_header *header = find_key_header(record);

			worker->key_headers[worker->n_values] = header != NULL ? header->value : BYTES_EMPTY;
		}
		worker->values[worker->n_values] = record->value;
		worker->indexes[worker->n_values++] = (uint32_t)i;
	}
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

/* The header as the engine says it must be: changed, new, or gone; the others stay as they are, in their order. */
static enum seal_status set_key_header(struct worker *worker, struct record *out, struct seal_bytes value,
				       struct seal_err *err)
{
	const struct record_header *old = find_key_header(out);
	const struct seal_bytes was = old != NULL ? old->value : BYTES_EMPTY;
	struct record_header *all;
	size_t n = 0;

	if ((was.ptr == NULL) == (value.ptr == NULL) && bytes_eq(was, value))
		return SEAL_OK;
	all = arena_alloc(&worker->arena, (out->n_headers + 1) * sizeof(*all), _Alignof(struct record_header));
	if (all == NULL)
		return err_memory(err);
	for (size_t i = 0; i < out->n_headers; i++)
		if (&out->headers[i] != old)
			all[n++] = out->headers[i];
		else if (value.ptr != NULL)
			all[n++] = (struct record_header){old->name, value};
	if (old == NULL)
		all[n++] = (struct record_header){BYTES_LIT(ENGINE_KEY_HEADER), value};
	out->headers = n > 0 ? all : NULL;
	out->n_headers = n;
	return SEAL_OK;
}

/*
 * Puts a record into `out`; not when it cannot be written as it would have to be: SEAL_DATA, and `why` says so. Without memory
 * it fails, too.
 */
static enum seal_status add_good(struct worker *worker, const struct record *record,
				 const struct engine_result *result, struct seal_err *why)
{
	const struct pump_options *options = options_of(worker);
	struct record *out = &worker->out[worker->n_out];
	enum seal_status rc;

	*out = *record;
	out->value = result->value;
	if (worker->key_headers != NULL) {
		if (has_two_key_headers(record))
			return err_set(why, SEAL_DATA, SEAL_E_SYNTAX,
				       "the record has the header " ENGINE_KEY_HEADER " more than once");
		rc = set_key_header(worker, out, result->key_header, why);
		if (rc != SEAL_OK)
			return rc;
	}
	if (!options->keep_partition)
		out->partition = -1;
	if (!options->keep_topic)
		out->topic = BYTES_EMPTY;
	rc = ask_sink(worker, out, why);
	if (rc != SEAL_OK)
		return rc;
	worker->n_out++;
	worker->counts.bytes_out += out->value.len;
	worker->counts.records_out++;
	return SEAL_OK;
}

/* The record's headers and ours: why it failed and where it stood. */
static enum seal_status dead_headers(struct arena *arena, struct record *out, const struct seal_err *why,
				     struct seal_err *err)
{
	enum { OURS = 4 };
	size_t n = out->n_headers;
	char *partition = arena_printf(arena, "%d", (int)out->partition);
	char *offset = arena_printf(arena, "%lld", (long long)out->offset);
	struct record_header *all = arena_alloc(arena, (n + OURS) * sizeof(*all), _Alignof(struct record_header));

	if (partition == NULL || offset == NULL || all == NULL)
		return err_memory(err);
	if (n > 0)
		memcpy(all, out->headers, n * sizeof(*all));
	all[n++] = (struct record_header){BYTES_LIT("seal-error"), bytes_str(seal_code_name(why->code))};
	all[n++] = (struct record_header){BYTES_LIT("seal-topic"), out->topic};
	all[n++] = (struct record_header){BYTES_LIT("seal-partition"), bytes_str(partition)};
	all[n++] = (struct record_header){BYTES_LIT("seal-offset"), bytes_str(offset)};
	out->headers = all;
	out->n_headers = n;
	return SEAL_OK;
}

/* A dead letter without its value yet: make_dead_letters brings it. */
static enum seal_status add_dead(struct worker *worker, const struct record *record, const struct seal_err *why,
				 struct seal_err *err)
{
	struct record *out = &worker->out[worker->n_out];
	enum seal_status rc;

	*out = *record;
	rc = dead_headers(&worker->arena, out, why, err);
	if (rc != SEAL_OK)
		return rc;
	out->topic = bytes_str(options_of(worker)->topic->dead_letter_topic);
	out->partition = -1;
	worker->values[worker->n_values] = record->value;
	worker->indexes[worker->n_values++] = (uint32_t)worker->n_out++;
	worker->counts.dead_letters++;
	return SEAL_OK;
}

/* Not even a dead letter can be made of failed record `i`: the run stops before it, as with reject. */
static enum seal_status stop_before_dead(struct worker *worker, const struct batch *batch, size_t i,
					 const struct seal_err *why, struct seal_err *err)
{
	const struct record *record = worker->failures[i].record;

	worker->n_out = worker->indexes[i];
	worker->n_before = (size_t)(record - batch->records);
	worker->n_failures = worker->counts.failed = worker->counts.dead_letters = i;
	worker->stop_after = true;
	return add_failure(worker, record, why, err);
}

/* Encrypts the values that add_dead collected: value i is that of failure i, as all failures of a topic go one way. */
static enum seal_status make_dead_letters(struct worker *worker, const struct batch *batch, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (worker->n_values == 0)
		return SEAL_OK;
	SEAL_TRY(engine_dead_letter(worker->dead_engine, options_of(worker)->topic, worker->values, worker->n_values,
				    worker->results, err));
	for (size_t i = 0; i < worker->n_values; i++) {
		struct record *out = &worker->out[worker->indexes[i]];
		const struct seal_err *why = worker->results[i].err;
		struct seal_err refused = SEAL_ERR_INIT;

		out->value = worker->results[i].value;
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
		return add_dead(worker, record, why, err);
	case ON_ERROR_DROP:
		worker->counts.dropped++;
		return SEAL_OK;
	}
	err_bug(__FILE__, __LINE__, "no such on_error");
}

static void add_values(struct pump_counts *counts, const struct engine_result *result)
{
	counts->fields += result->cells;
	counts->kept += result->kept;
}

/* Sorts the batch's records into out and failures. */
static enum seal_status sort_out(struct worker *worker, struct batch *batch, struct seal_err *err)
{
	size_t next = 0;
	enum seal_status rc = SEAL_OK;

	worker->n_values = 0; /* from here on: dead letters; they never overtake `next` */
	for (size_t i = 0; i < batch->n && !worker->stop_after; i++) {
		const struct record *record = &batch->records[i];
		struct engine_result result = {.value = record->value, .err = record->broken};
		struct seal_err refused = SEAL_ERR_INIT;

		if (record->broken == NULL && worker->engine != NULL)
			result = worker->results[next++];
		worker->counts.records_in++;
		worker->counts.bytes_in += record->value.len;
		if (result.err != NULL) {
			SEAL_TRY(fail_record(worker, batch, record, result.err, err));
			continue;
		}
		rc = add_good(worker, record, &result, &refused);
		if (rc == SEAL_FATAL) {
			(void)err_set(err, rc, refused.code, "%s", refused.text);
			goto out;
		}
		if (rc != SEAL_OK)
			SEAL_TRY(fail_record(worker, batch, record, &refused, err));
		else
			add_values(&worker->counts, &result);
	}
	rc = make_dead_letters(worker, batch, err);
out:
	return rc;
}

enum seal_status worker_transform(struct worker *worker, struct batch *batch, struct seal_err *err)
{
	const struct pump_options *options = options_of(worker);
	enum seal_status rc = SEAL_OK;

	worker->n_out = worker->n_failures = 0;
	worker->stop_after = false;
	worker->n_before = 0;
	worker->counts = (struct pump_counts){0};
	arena_reset(&worker->arena);
	gather(worker, batch);
	if (worker->engine != NULL && worker->n_values > 0)
		SEAL_TRY(engine_run_input(
			worker->engine, options->topic, options->direction,
			&(struct engine_input){worker->values, worker->key_headers, worker->n_values},
			worker->results, err));
	rc = sort_out(worker, batch, err);
out:
	return rc;
}
