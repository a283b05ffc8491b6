/*
 * The engine's life and its four steps. Arrays and arena blocks are kept from batch to batch, so a steady stream
 * allocates nothing; the arena, which holds plaintext, is wiped between batches.
 */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/work.h"

#define TIMEOUT_DEFAULT_MS 30000
#define ARENA_KEEP (8u << 20)
#define SCRATCH_MAX (3 * (size_t)ENGINE_PLACES_MAX) /* more than they need: at worst escapes double a name */

enum seal_status engine_grow(void **array, size_t *cap, size_t need, size_t size, struct seal_err *err)
{
	return mem_grow(array, cap, need, size) ? SEAL_OK : err_memory(err);
}

enum seal_status engine_fail(struct engine *engine, size_t index, const struct seal_err *why, struct seal_bytes path,
			     struct seal_err *err)
{
	struct seal_err *copy = ARENA_NEW(&engine->arena, struct seal_err);

	if (copy == NULL)
		return err_memory(err);
	*copy = *why;
	if (path.len > 0)
		err_place(copy, "%.*s", BYTES_FMT(path));
	engine->results[index] = (struct engine_result){.err = copy};
	return SEAL_OK;
}

static enum seal_status allocate(struct engine *engine, struct seal_err *err)
{
	const struct plan *plan = engine->plan;

	engine->sessions = mem_calloc(plan->policy->n_methods + 1, sizeof(struct method_session *));
	engine->lots = mem_calloc(plan->policy->n_methods + 1, sizeof(*engine->lots));
	engine->use = mem_calloc(plan->policy->n_methods + 1, sizeof(*engine->use));
	engine->matched = mem_calloc(plan->max_rules + 1, sizeof(*engine->matched));
	engine->siblings = mem_calloc(plan->max_siblings + 1, sizeof(*engine->siblings));
	if (engine->sessions == NULL || engine->lots == NULL || engine->use == NULL || engine->matched == NULL ||
	    engine->siblings == NULL)
		return err_memory(err);
	return SEAL_OK;
}

enum seal_status engine_new(const struct plan *plan, const struct engine_options *options, struct engine **out,
			    struct seal_err *err)
{
	struct engine *engine = mem_calloc(1, sizeof(*engine));
	enum seal_status rc;

	*out = NULL;
	if (engine == NULL)
		return err_memory(err);
	engine->plan = plan;
	engine->options = options != NULL ? *options : (struct engine_options){0};
	if (engine->options.max_record_bytes == 0)
		engine->options.max_record_bytes = ENGINE_RECORD_MAX_DEFAULT;
	if (engine->options.timeout_ms == 0)
		engine->options.timeout_ms = TIMEOUT_DEFAULT_MS;
	engine->name = engine->place = (struct seal_buf)BUF_INIT(SCRATCH_MAX);
	arena_init(&engine->arena, ARENA_KEEP);
	SEAL_TRY(allocate(engine, err));
	for (size_t i = 0; i < plan->policy->n_methods; i++)
		SEAL_TRY(plan->methods[i]->ops->session(plan->methods[i], &engine->sessions[i], err));
out:
	if (rc != SEAL_OK)
		engine_free(engine);
	else
		*out = engine;
	return rc;
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	for (size_t i = 0; i < engine->plan->policy->n_methods; i++) {
		if (engine->sessions != NULL && engine->sessions[i] != NULL)
			engine->sessions[i]->ops->free(engine->sessions[i]);
		if (engine->lots != NULL)
			mem_free(engine->lots[i].cells);
	}
	mem_free(engine->sessions);
	mem_free(engine->lots);
	mem_free(engine->use);
	mem_free(engine->spots);
	mem_free(engine->records);
	mem_free(engine->carriers);
	mem_free(engine->edits);
	mem_free(engine->matched);
	mem_free(engine->siblings);
	json_scan_clear(&engine->scan);
	buf_clear(&engine->name);
	buf_clear(&engine->place);
	arena_clear(&engine->arena);
	mem_free(engine);
}

uint64_t *engine_done(struct engine *engine, size_t method)
{
	struct plan_use *use = &engine->use[method];

	switch (engine->direction) {
	case ENGINE_PROTECT:
		return &use->protected;
	case ENGINE_REVEAL:
		return &use->revealed;
	case ENGINE_REWRAP:
		return &use->rewrapped;
	}
	err_bug(__FILE__, __LINE__, "no such direction");
}

static void count_lot(struct engine *engine, size_t method, uint64_t since_ns)
{
	const struct lot_cells *lot = &engine->lots[method];
	struct plan_use *use = &engine->use[method];
	uint64_t failed = 0, kept = 0;

	for (size_t i = 0; i < lot->n; i++) {
		failed += lot->cells[i].err != NULL;
		kept += lot->cells[i].form == FORM_KEEP;
	}
	use->lots++;
	use->ns += clock_mono_ns() - since_ns;
	use->failed += failed;
	*engine_done(engine, method) += lot->n - failed - kept;
}

static void count_call(struct engine *engine)
{
	for (size_t i = 0; i < engine->plan->policy->n_methods; i++)
		plan_count_add(&engine->plan->counts[i], &engine->use[i]);
	for (size_t i = 0; i < engine->topic->n_rules; i++)
		if (engine->matched[i] > engine->stamp_before)
			plan_rule_set_found(engine->plan, engine->topic, i);
}

/* Step 3. */
static enum seal_status transform(struct engine *engine, struct seal_err *err)
{
	const uint64_t now_ms = clock_mono_ms(), wait_ms = engine->options.timeout_ms;
	const uint64_t deadline_ms = wait_ms < UINT64_MAX - now_ms ? now_ms + wait_ms : UINT64_MAX;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < engine->plan->policy->n_methods; i++) {
		struct lot lot = {.cells = engine->lots[i].cells,
				  .n = engine->lots[i].n,
				  .carriers = engine->headers ? engine->carriers : NULL,
				  .arena = &engine->arena,
				  .deadline_ms = deadline_ms};
		struct method_session *session = engine->sessions[i];
		uint64_t since_ns;

		if (lot.n == 0)
			continue;
		since_ns = clock_mono_ns();
		switch (engine->direction) {
		case ENGINE_PROTECT:
			SEAL_TRY(session->ops->protect(session, &lot, err));
			break;
		case ENGINE_REVEAL:
			SEAL_TRY(session->ops->reveal(session, &lot, err));
			break;
		case ENGINE_REWRAP:
			SEAL_TRY(session->ops->rewrap(session, &lot, err));
			break;
		}
		count_lot(engine, i, since_ns);
	}
out:
	return rc;
}

/* Results of the last call are wiped by the next one, which must not read them. */
static enum seal_status check_input(const struct engine *engine, const struct engine_input *input,
				    struct seal_err *err)
{
	for (size_t i = 0; i < input->n; i++) {
		const uint8_t *value = input->values[i].ptr;
		const uint8_t *header = input->key_headers != NULL ? input->key_headers[i].ptr : NULL;

		if ((value != NULL && arena_owns(&engine->arena, value)) ||
		    (header != NULL && arena_owns(&engine->arena, header)))
			return err_set(
				err, SEAL_USAGE, SEAL_E_USAGE,
				"value %zu is a result of this engine, whose next call wipes it; copy it, or use "
				"another engine",
				i);
	}
	return SEAL_OK;
}

bool engine_uses_key_header(const struct policy_topic *topic)
{
	for (size_t i = 0; i < topic->n_rules; i++)
		if ((topic->rules[i].method->kind->flags & METHOD_CARRIES) != 0)
			return true;
	return false;
}

enum seal_status engine_check_headers(const struct policy_topic *topic, bool headers, struct seal_err *err)
{
	for (size_t i = 0; i < topic->n_rules; i++) {
		const struct policy_method *method = topic->rules[i].method;

		if (!headers && (method->flags & METHOD_CARRIES) != 0)
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				       "method '%s' has 'carry: header', but these records have no headers; use "
				       "'carry: value', or for files envelopes of kcat -J (--envelopes)",
				       method->name);
	}
	return SEAL_OK;
}

/* Copies: results are views of the engine's memory, and methods may leave a header as it is. */
static enum seal_status take_headers(struct engine *engine, const struct engine_input *input, struct seal_err *err)
{
	enum seal_status rc;

	engine->headers = input->key_headers != NULL;
	if (!engine->headers)
		return SEAL_OK;
	SEAL_TRY(engine_grow((void **)&engine->carriers, &engine->cap_carriers, input->n, sizeof(*engine->carriers),
			     err));
	for (size_t i = 0; i < input->n; i++) {
		engine->carriers[i].value = BYTES_EMPTY;
		if (input->key_headers[i].ptr == NULL)
			continue;
		/* One writer's records have the same. */
		if (i > 0 && input->key_headers[i - 1].ptr != NULL &&
		    bytes_eq(input->key_headers[i], input->key_headers[i - 1])) {
			engine->carriers[i].value = engine->carriers[i - 1].value;
			continue;
		}
		engine->carriers[i].value = arena_copy(&engine->arena, input->key_headers[i]);
		if (engine->carriers[i].value.ptr == NULL)
			return err_memory(err);
	}
out:
	return rc;
}

/* Rules of another policy would be read with this one's numbers; NULL is what no match gives. */
static enum seal_status check_topic(const struct engine *engine, const struct policy_topic *topic,
				    struct seal_err *err)
{
	const struct policy *policy = engine->plan->policy;

	const uintptr_t at = (uintptr_t)topic - (uintptr_t)policy->topics;

	if (topic != NULL && at < policy->n_topics * sizeof(*topic) && at % sizeof(*topic) == 0)
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       topic == NULL ? "no topic: the policy has none of that name, so nothing may pass"
				     : "the topic belongs to another policy than the engine");
}

static enum seal_status begin(struct engine *engine, const struct policy_topic *topic,
			      enum engine_direction direction, const struct engine_input *input,
			      struct engine_result *results, struct seal_err *err)
{
	enum seal_status rc;

	engine->n = input->n;
	engine->results = results;
	memset(results, 0, input->n * sizeof(*results));
	SEAL_TRY(check_topic(engine, topic, err));
	SEAL_TRY(check_input(engine, input, err));
	arena_reset(&engine->arena);
	for (size_t i = 0; i < engine->plan->policy->n_methods; i++) {
		engine->lots[i].n = 0;
		engine->use[i] = (struct plan_use){0};
	}
	engine->n_spots = 0;
	engine->stamp_before = engine->stamp;
	engine->topic = topic;
	engine->direction = direction;
	engine->whole = topic->format != FORMAT_JSON;
	engine->limit = engine->options.max_record_bytes;
	engine->values = input->values;
	SEAL_TRY(take_headers(engine, input, err));
	SEAL_TRY(engine_grow((void **)&engine->records, &engine->cap_records, input->n, sizeof(*engine->records),
			     err));
out:
	return rc;
}

/*
 * A call that fails is about no record: what is damaged then is a key's file. Its class must not make callers take
 * good records for bad ones.
 */
static enum seal_status no_record_is_bad(enum seal_status rc, struct seal_err *err)
{
	if (rc != SEAL_DATA)
		return rc;
	if (err != NULL)
		err->status = SEAL_FATAL;
	return SEAL_FATAL;
}

/* Steps 3 and 4, or nothing at all. */
static enum seal_status end(struct engine *engine, enum seal_status rc, struct seal_err *err)
{
	SEAL_TRY(rc);
	SEAL_TRY(transform(engine, err));
	SEAL_TRY(engine_splice(engine, err));
	count_call(engine);
out:
	if (rc != SEAL_OK)
		memset(engine->results, 0, engine->n * sizeof(*engine->results));
	return no_record_is_bad(rc, err);
}

/* Values of a method without `rewrap` stay, so that only the others are asked: with an empty lot. */
enum seal_status engine_can_rewrap(struct engine *engine, const struct policy_topic *topic, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(check_topic(engine, topic, err));
	for (size_t i = 0; i < topic->n_rules; i++) {
		const struct policy_method *method = topic->rules[i].method;
		struct method_session *session = engine->sessions[method->index];
		struct lot none = {.arena = &engine->arena, .deadline_ms = clock_mono_ms()};

		if (session->ops->rewrap == NULL)
			continue;
		rc = session->ops->rewrap(session, &none, err);
		if (rc != SEAL_OK) {
			err_prefix(err, "method '%s', policy key '%s'", method->name, method->key->name);
			goto out;
		}
	}
out:
	return rc;
}

enum seal_status engine_run_input(struct engine *engine, const struct policy_topic *topic,
				  enum engine_direction direction, const struct engine_input *input,
				  struct engine_result *results, struct seal_err *err)
{
	enum seal_status rc = begin(engine, topic, direction, input, results, err);

	if (rc == SEAL_OK)
		rc = engine_check_headers(topic, engine->headers, err);
	if (rc == SEAL_OK)
		rc = engine_gather(engine, err);
	return end(engine, rc, err);
}

enum seal_status engine_dead_letter(struct engine *engine, const struct policy_topic *topic,
				    const struct seal_bytes *values, size_t n, struct engine_result *results,
				    struct seal_err *err)
{
	const struct engine_input input = {values, NULL, n};
	enum seal_status rc = begin(engine, topic, ENGINE_PROTECT, &input, results, err);

	if (rc == SEAL_OK) {
		SEAL_INVARIANT(topic->dead_letter_method != NULL);
		engine->whole = true;
		engine->limit = SIZE_MAX; /* a record that is too large must still get away */
		rc = engine_gather_dead_letters(engine, err);
	}
	return end(engine, rc, err);
}
