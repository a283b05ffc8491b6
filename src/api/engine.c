/*
 * sealstream/engine.h over engine/engine.h. Engines that were cloned from one another share a plan (policy, opened
 * keys), which the last of them frees.
 */
#include "sealstream/engine.h"

#include <stdatomic.h>

#include "api/api.h"
#include "base/mem.h"
#include "engine/registry.h"
#include "methods/text_form.h"

_Static_assert(sizeof(SEAL_KEY_HEADER) == sizeof(ENGINE_KEY_HEADER), "one header, two names");
_Static_assert(sizeof(SEAL_RECORD_KEY_HEADER) == sizeof(ENGINE_RECORD_KEY_HEADER), "one header, two names");

struct shared_plan {
	struct plan *plan;
	struct engine_options options;
	atomic_size_t users; /* engines */
};

struct seal_engine {
	struct shared_plan *shared;
	struct engine *engine;
	struct engine_result *results;
	size_t n, cap;
};

static void shared_leave(struct shared_plan *shared)
{
	if (shared == NULL || atomic_fetch_sub(&shared->users, 1) != 1)
		return;
	plan_free(shared->plan);
	mem_free(shared);
}

/* An engine of `shared`, which it joins. */
static enum seal_status join(struct shared_plan *shared, struct seal_engine **out, struct seal_err *err)
{
	struct seal_engine *engine = mem_calloc(1, sizeof(*engine));
	enum seal_status rc;

	*out = NULL;
	if (engine == NULL)
		return err_memory(err);
	atomic_fetch_add(&shared->users, 1);
	engine->shared = shared;
	rc = engine_new(shared->plan, &shared->options, &engine->engine, err);
	if (rc != SEAL_OK)
		seal_engine_free(engine);
	else
		*out = engine;
	return rc;
}

enum seal_status seal_engine_new(const struct seal_policy *policy, const struct seal_engine_options *options,
				 struct seal_engine **out, struct seal_err *err)
{
	struct seal_engine_options known;
	struct shared_plan *shared = NULL;
	struct key_source_config keys;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(api_read_options(options, &known, sizeof(known), "struct seal_engine_options", err));
	SEAL_TRY(api_key_config(known.keyring, &keys, err));
	keys.stores_later = true; /* only who protects makes one: a reader's would hide that the path is wrong */
	shared = mem_calloc(1, sizeof(*shared));
	if (shared == NULL) {
		rc = err_memory(err);
		goto out;
	}
	atomic_init(&shared->users, 1);
	shared->options =
		(struct engine_options){.max_record_bytes = known.max_record_bytes, .timeout_ms = known.timeout_ms};
	SEAL_TRY(plan_new(policy->policy, &registry, &keys, &shared->plan, err));
	SEAL_TRY(join(shared, out, err));
out:
	shared_leave(shared);
	return rc;
}

enum seal_status seal_engine_clone(const struct seal_engine *engine, struct seal_engine **out, struct seal_err *err)
{
	return join(engine->shared, out, err);
}

void seal_engine_free(struct seal_engine *engine)
{
	if (engine == NULL)
		return;
	engine_free(engine->engine);
	shared_leave(engine->shared);
	mem_free(engine->results);
	mem_free(engine);
}

/* Room for n results; none counts until a call has succeeded. */
static enum seal_status prepare(struct seal_engine *engine, size_t n, struct seal_err *err)
{
	struct engine_result *grown;

	engine->n = 0;
	if (n <= engine->cap && engine->results != NULL)
		return SEAL_OK;
	grown = mem_realloc_array(engine->results, n, sizeof(*grown));
	if (grown == NULL)
		return err_memory(err);
	engine->results = grown;
	engine->cap = n;
	return SEAL_OK;
}

static enum seal_status run(struct seal_engine *engine, const struct seal_topic *topic,
			    enum engine_direction direction, const struct engine_input *input, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(prepare(engine, input->n, err));
	SEAL_TRY(engine_run_input(engine->engine, api_policy_topic(topic), direction, input, engine->results, err));
	engine->n = input->n;
out:
	return rc;
}

static enum seal_status run_records(struct seal_engine *engine, const struct seal_topic *topic,
				    enum engine_direction direction, const struct seal_records *records,
				    struct seal_err *err)
{
	struct seal_records known;
	enum seal_status rc;

	SEAL_TRY(api_read_options(records, &known, sizeof(known), "struct seal_records", err));
	if (known.key_headers == NULL || (known.values == NULL && known.n > 0)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "set 'values' and 'key_headers' of struct seal_records");
		goto out;
	}
	rc = run(engine, topic, direction, &(struct engine_input){known.values, known.key_headers, known.n}, err);
out:
	if (rc != SEAL_OK)
		engine->n = 0;
	return rc;
}

enum seal_status seal_engine_protect(struct seal_engine *engine, const struct seal_topic *topic,
				     const struct seal_bytes *values, size_t n, struct seal_err *err)
{
	return run(engine, topic, ENGINE_PROTECT, &(struct engine_input){values, NULL, n}, err);
}

enum seal_status seal_engine_reveal(struct seal_engine *engine, const struct seal_topic *topic,
				    const struct seal_bytes *values, size_t n, struct seal_err *err)
{
	return run(engine, topic, ENGINE_REVEAL, &(struct engine_input){values, NULL, n}, err);
}

enum seal_status seal_engine_protect_records(struct seal_engine *engine, const struct seal_topic *topic,
					     const struct seal_records *records, struct seal_err *err)
{
	return run_records(engine, topic, ENGINE_PROTECT, records, err);
}

enum seal_status seal_engine_reveal_records(struct seal_engine *engine, const struct seal_topic *topic,
					    const struct seal_records *records, struct seal_err *err)
{
	return run_records(engine, topic, ENGINE_REVEAL, records, err);
}

enum seal_status seal_engine_dead_letter(struct seal_engine *engine, const struct seal_topic *topic,
					 const struct seal_bytes *values, size_t n, struct seal_err *err)
{
	const struct policy_topic *of = api_policy_topic(topic);
	enum seal_status rc;

	SEAL_TRY(prepare(engine, n, err));
	if (of != NULL && of->dead_letter_method == NULL) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "the topic has no dead-letter topic; the policy must name one");
		goto out;
	}
	SEAL_TRY(engine_dead_letter(engine->engine, of, values, n, engine->results, err));
	engine->n = n;
out:
	return rc;
}

size_t seal_result_count(const struct seal_engine *engine)
{
	return engine->n;
}

enum seal_status seal_result_status(const struct seal_engine *engine, size_t index)
{
	if (index >= engine->n)
		return SEAL_USAGE;
	return engine->results[index].err != NULL ? engine->results[index].err->status : SEAL_OK;
}

struct seal_bytes seal_result_value(const struct seal_engine *engine, size_t index)
{
	return index < engine->n ? engine->results[index].value : BYTES_EMPTY;
}

struct seal_bytes seal_result_key_header(const struct seal_engine *engine, size_t index)
{
	return index < engine->n ? engine->results[index].key_header : BYTES_EMPTY;
}

const struct seal_err *seal_result_error(const struct seal_engine *engine, size_t index)
{
	return index < engine->n ? engine->results[index].err : NULL;
}

uint32_t seal_result_fields(const struct seal_engine *engine, size_t index)
{
	return index < engine->n ? engine->results[index].cells : 0;
}

bool seal_inspect(struct seal_bytes text, struct seal_inspection *out)
{
	struct seal_inspection found = {.size = sizeof(found)};
	struct text_form form;
	bool is = text_form_parse(text, &form);

	if (is) {
		found.method = form.method;
		found.key_version = form.version;
		found.json = form.json;
	}
	api_write_struct(&found, sizeof(found), out);
	return is;
}

bool seal_looks_protected(struct seal_bytes text)
{
	return text_form_looks_protected(text);
}
