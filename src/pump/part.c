/*
 * The parts of records: which there are, their values out of a batch, their results back into its records.
 *
 * Results are put back in the order of the parts: key, headers, value. Headers are found by their number in the record as it
 * was read; so those that may come or go, seal-key and a dead letter's key, are put back after all others.
 */
#include "pump/part.h"

#include "base/mem.h"
#include "methods/text_form.h"

static const struct seal_bytes record_key_header = BYTES_LIT(ENGINE_RECORD_KEY_HEADER);

/* The first header of that name; NULL: none. */
static const struct record_header *find_header(const struct record *record, struct seal_bytes name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq(record->headers[i].name, name))
			return &record->headers[i];
	return NULL;
}

/* ---- which parts there are ---- */

struct maker {
	const struct pump_options *options;
	struct part *parts; /* NULL: they are only counted */
	size_t n;
};

static void add(struct maker *maker, const struct part *part)
{
	for (size_t i = 0; maker->parts != NULL && i < maker->n; i++)
		if (maker->parts[i].kind == part->kind && bytes_eq(maker->parts[i].header, part->header))
			return;
	if (maker->parts != NULL)
		maker->parts[maker->n] = *part;
	maker->n++;
}

bool part_goes_to(const struct policy_topic *topic, const struct policy_topic *dead)
{
	for (const char *const *name = dead->matches; topic->dead_letter_topic != NULL && *name != NULL; name++)
		if (strcmp(topic->dead_letter_topic, *name) == 0)
			return true;
	return false;
}

/* What dead letters in `dead` may hold encrypted besides their values. */
static void add_of_dead_letters(struct maker *maker, const struct policy_topic *dead)
{
	const struct policy *policy = plan_policy(maker->options->plan);
	struct part part = {.topic = dead, .kind = PART_HEADER, .of_dead_letter = true, .header = record_key_header};

	for (size_t i = 0; i < policy->n_topics; i++)
		for (const struct policy_topic *const *at = policy->topics[i].headers;
		     at != NULL && *at != NULL && part_goes_to(&policy->topics[i], dead); at++) {
			part.header = bytes_str((*at)->header);
			add(maker, &part);
		}
	part.header = record_key_header;
	add(maker, &part);
}

static void find_parts(struct maker *maker)
{
	const struct pump_options *options = maker->options;
	const struct policy_topic *topic = options->topic;

	if (topic->key != NULL)
		add(maker, &(struct part){.topic = topic->key, .kind = PART_KEY});
	for (const struct policy_topic *const *at = topic->headers; at != NULL && *at != NULL; at++)
		add(maker, &(struct part){.topic = *at, .kind = PART_HEADER, .header = bytes_str((*at)->header)});
	if (topic->is_dead_letter && options->direction != ENGINE_PROTECT)
		add_of_dead_letters(maker, topic);
	add(maker,
	    &(struct part){.topic = topic, .takes_key_header = options->headers && engine_uses_key_header(topic)});
}

static enum seal_status start(struct part *part, const struct pump_options *options, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(engine_new(options->plan, &options->engine, &part->engine, err));
	if (options->direction == ENGINE_REWRAP)
		rc = engine_can_rewrap(part->engine, part->topic, err);
out:
	return rc;
}

/* What a record was known by must not be lost with it. */
static enum seal_status check_letters(const struct pump_options *options, struct seal_err *err)
{
	const struct policy_topic *topic = options->topic;

	if (!options->bare || options->no_dead_letters || topic->key == NULL ||
	    topic->on.on_error != ON_ERROR_DEAD_LETTER)
		return SEAL_OK;
	return err_set(
		err, SEAL_USAGE, SEAL_E_CONFIG,
		"the target keeps no headers, where dead letters (on_error: dead_letter) carry the record keys "
		"that the policy protects; take on_error reject or drop, or a target that has headers");
}

enum seal_status parts_new(const struct pump_options *options, struct part **out, size_t *n, struct seal_err *err)
{
	struct maker maker = {.options = options};
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	*n = 0;
	if (options->plain)
		return SEAL_OK;
	SEAL_TRY(engine_check_headers(options->topic, options->headers, err));
	SEAL_TRY(check_letters(options, err));
	find_parts(&maker);
	maker.parts = mem_calloc(maker.n, sizeof(*maker.parts));
	if (maker.parts == NULL) {
		rc = err_memory(err);
		goto out;
	}
	maker.n = 0;
	find_parts(&maker);
	for (size_t i = 0; i < maker.n; i++)
		SEAL_TRY(start(&maker.parts[i], options, err));
out:
	if (rc != SEAL_OK) {
		parts_free(maker.parts, maker.parts != NULL ? maker.n : 0);
		return rc;
	}
	*out = maker.parts;
	*n = maker.n;
	return SEAL_OK;
}

void parts_free(struct part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		engine_free(parts[i].engine);
		mem_free(parts[i].items);
		mem_free(parts[i].values);
		mem_free(parts[i].key_headers);
		mem_free(parts[i].results);
	}
	mem_free(parts);
}

/* ---- out of a batch ---- */

static enum seal_status reserve(struct part *part, size_t n, struct seal_err *err)
{
	size_t items = part->cap, values = part->cap, results = part->cap, key_headers = part->cap;

	if (n <= part->cap)
		return SEAL_OK;
	if (!mem_grow((void **)&part->items, &items, n, sizeof(*part->items)) ||
	    !mem_grow((void **)&part->values, &values, n, sizeof(*part->values)) ||
	    !mem_grow((void **)&part->results, &results, n, sizeof(*part->results)) ||
	    (part->takes_key_header &&
	     !mem_grow((void **)&part->key_headers, &key_headers, n, sizeof(*part->key_headers))))
		return err_memory(err);
	part->cap = items;
	return SEAL_OK;
}

static enum seal_status gather_headers(struct part *part, const struct record *record, uint32_t index,
				       struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *header = &record->headers[i];

		if (!bytes_eq(header->name, part->header) ||
		    (part->of_dead_letter && !text_form_looks_protected(header->value)))
			continue;
		SEAL_TRY(reserve(part, part->n + 1, err));
		part->items[part->n] = (struct part_item){index, (uint32_t)i};
		part->values[part->n++] = header->value;
	}
out:
	return rc;
}

static void gather_one(struct part *part, const struct record *record, uint32_t index)
{
	if (part->takes_key_header) {
		const struct record_header *header = find_header(record, BYTES_LIT(ENGINE_KEY_HEADER));

		part->key_headers[part->n] = header != NULL ? header->value : BYTES_EMPTY;
	}
	part->items[part->n].record = index;
	part->values[part->n++] = part->kind == PART_KEY ? record->key : record->value;
}

static enum seal_status gather(struct part *part, const struct batch *batch, const struct seal_err *const *why,
			       struct seal_err *err)
{
	enum seal_status rc;

	part->n = part->next = 0;
	SEAL_TRY(reserve(part, batch->n, err));
	for (size_t i = 0; i < batch->n; i++) {
		if (why[i] != NULL)
			continue;
		if (part->kind == PART_HEADER)
			SEAL_TRY(gather_headers(part, &batch->records[i], (uint32_t)i, err));
		else
			gather_one(part, &batch->records[i], (uint32_t)i);
	}
out:
	return rc;
}

/* The rules of a dead letter speak of its value: "$"; its headers have their own place. */
static const struct seal_err *placed(const struct part *part, const struct seal_err *why, struct arena *arena)
{
	struct seal_err *copy = part->of_dead_letter ? ARENA_NEW(arena, struct seal_err) : NULL;

	if (copy == NULL)
		return why;
	*copy = *why;
	copy->place[0] = '\0';
	err_place(copy, "header:%.*s", BYTES_FMT(part->header));
	return copy;
}

enum seal_status part_run(struct part *part, const struct batch *batch, enum engine_direction direction,
			  struct arena *arena, const struct seal_err **why, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(gather(part, batch, why, err));
	if (part->n == 0)
		return SEAL_OK;
	SEAL_TRY(engine_run_input(
		part->engine, part->topic, direction,
		&(struct engine_input){part->values, part->takes_key_header ? part->key_headers : NULL, part->n},
		part->results, err));
	for (size_t i = 0; i < part->n; i++)
		if (part->results[i].err != NULL && why[part->items[i].record] == NULL)
			why[part->items[i].record] = placed(part, part->results[i].err, arena);
out:
	return rc;
}

/* ---- back into a record ---- */

/* The record's headers in memory that may be written. */
static struct record_header *own_headers(const struct record *record, struct arena *arena, struct record *out)
{
	struct record_header *copy;

	if (out->headers != record->headers)
		return (struct record_header *)out->headers;
	copy = arena_alloc(arena, out->n_headers * sizeof(*copy), _Alignof(struct record_header));
	if (copy == NULL)
		return NULL;
	memcpy(copy, out->headers, out->n_headers * sizeof(*copy));
	out->headers = copy;
	return copy;
}

/* Two would leave open which one counts. */
static enum seal_status refuse_two(const struct record *record, struct seal_bytes name, struct seal_err *err)
{
	const struct record_header *first = find_header(record, name);
	size_t i = first != NULL ? (size_t)(first - record->headers) + 1 : record->n_headers;

	for (; i < record->n_headers; i++)
		if (bytes_eq(record->headers[i].name, name))
			return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "the record has the header %.*s more than once",
				       BYTES_FMT(name));
	return SEAL_OK;
}

/* seal-key as the engine says it must be: changed, new, or gone; the others stay as they are, in their order. */
static enum seal_status set_key_header(struct record *out, struct seal_bytes value, struct arena *arena,
				       struct seal_err *err)
{
	const struct record_header *old = find_header(out, BYTES_LIT(ENGINE_KEY_HEADER));
	const struct seal_bytes was = old != NULL ? old->value : BYTES_EMPTY;
	struct record_header *all;
	size_t n = 0;

	if ((was.ptr == NULL) == (value.ptr == NULL) && bytes_eq(was, value))
		return SEAL_OK;
	all = arena_alloc(arena, (out->n_headers + 1) * sizeof(*all), _Alignof(struct record_header));
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

static enum seal_status apply_value(const struct part *part, size_t i, struct arena *arena, struct record *out,
				    struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	out->value = part->results[i].value;
	if (!part->takes_key_header)
		return SEAL_OK;
	SEAL_TRY(refuse_two(out, BYTES_LIT(ENGINE_KEY_HEADER), err));
	rc = set_key_header(out, part->results[i].key_header, arena, err);
out:
	return rc;
}

/* A revealed dead letter is the record that failed: the key goes where it was. */
static enum seal_status put_key_back(struct record *out, struct record_header *headers, size_t at,
				     struct seal_bytes key, struct seal_err *err)
{
	if (out->key.ptr != NULL)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "the dead letter has a key and the header " ENGINE_RECORD_KEY_HEADER
			       " as well, or that one twice");
	out->key = key;
	memmove(&headers[at], &headers[at + 1], (out->n_headers - at - 1) * sizeof(*headers));
	out->n_headers--;
	return SEAL_OK;
}

static enum seal_status apply_header(const struct part *part, size_t i, const struct record *record,
				     enum engine_direction direction, struct arena *arena, struct record *out,
				     struct seal_err *err)
{
	const size_t at = part->items[i].header;
	struct record_header *headers = own_headers(record, arena, out);

	if (headers == NULL)
		return err_memory(err);
	if (part->of_dead_letter && direction == ENGINE_REVEAL && bytes_eq(part->header, record_key_header))
		return put_key_back(out, headers, at, part->results[i].value, err);
	headers[at].value = part->results[i].value;
	return SEAL_OK;
}

enum seal_status part_apply(struct part *part, size_t index, const struct record *record,
			    enum engine_direction direction, struct arena *arena, struct record *out,
			    struct pump_counts *counts, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	while (part->next < part->n && part->items[part->next].record < index)
		part->next++;
	for (; part->next < part->n && part->items[part->next].record == index; part->next++) {
		const struct engine_result *result = &part->results[part->next];

		if (part->kind == PART_HEADER)
			SEAL_TRY(apply_header(part, part->next, record, direction, arena, out, err));
		else if (part->kind == PART_KEY)
			out->key = result->value;
		else
			SEAL_TRY(apply_value(part, part->next, arena, out, err));
		counts->fields += result->cells;
		counts->kept += result->kept;
	}
out:
	return rc;
}
