/*
 * Dead letters.
 *
 *   record  key │ value │ headers        x-customer
 *   letter  null│ sealed│ the same, but  x-customer sealed, seal-record-key (the key, sealed),
 *                                        seal-error, seal-topic, seal-partition, seal-offset
 *
 * A key whose topic has no rules for keys stays as it is, and so does a header without rules.
 */
#include "pump/dead.h"

#include "base/mem.h"

enum { OURS = 5 }; /* headers that a letter has besides the record's */

enum seal_status dead_letters_init(struct dead_letters *dead, const struct pump_options *options, size_t most,
				   struct seal_err *err)
{
	enum seal_status rc;

	*dead = (struct dead_letters){.topic = options->topic};
	if (options->plain || options->no_dead_letters || options->topic->dead_letter_topic == NULL)
		return SEAL_OK;
	SEAL_TRY(engine_new(options->plan, &options->engine, &dead->engine, err));
	dead->outs = mem_calloc(most, sizeof(*dead->outs));
	dead->why = mem_calloc(most, sizeof(*dead->why));
	if (dead->outs == NULL || dead->why == NULL)
		rc = err_memory(err);
out:
	if (rc != SEAL_OK)
		dead_letters_clear(dead);
	return rc;
}

void dead_letters_clear(struct dead_letters *dead)
{
	engine_free(dead->engine);
	mem_free(dead->values);
	mem_free(dead->targets);
	mem_free(dead->results);
	mem_free(dead->outs);
	mem_free(dead->why);
	*dead = (struct dead_letters){.topic = NULL};
}

void dead_letters_reset(struct dead_letters *dead)
{
	dead->n = dead->letters = 0;
}

static enum seal_status reserve(struct dead_letters *dead, struct seal_err *err)
{
	size_t values = dead->cap, targets = dead->cap, results = dead->cap;

	if (dead->n < dead->cap)
		return SEAL_OK;
	if (!mem_grow((void **)&dead->values, &values, dead->n + 1, sizeof(*dead->values)) ||
	    !mem_grow((void **)&dead->targets, &targets, dead->n + 1, sizeof(*dead->targets)) ||
	    !mem_grow((void **)&dead->results, &results, dead->n + 1, sizeof(*dead->results)))
		return err_memory(err);
	dead->cap = values;
	return SEAL_OK;
}

/* `value` will be encrypted, and then stand in *to of the current letter. */
static enum seal_status seal_later(struct dead_letters *dead, struct seal_bytes value, struct seal_bytes *to,
				   struct seal_err *err)
{
	enum seal_status rc = reserve(dead, err);

	*to = BYTES_EMPTY;
	if (rc != SEAL_OK)
		return rc;
	dead->values[dead->n] = value;
	dead->targets[dead->n++] = (struct dead_target){to, dead->letters};
	return SEAL_OK;
}

static bool is_protected_header(const struct policy_topic *topic, struct seal_bytes name)
{
	for (const struct policy_topic *const *at = topic->headers; at != NULL && *at != NULL; at++)
		if (bytes_eq_str(name, (*at)->header))
			return true;
	return false;
}

/* The record's own headers; one that would pass for its key is not among them. */
static enum seal_status add_own(struct dead_letters *dead, const struct record *record, struct record_header *all,
				size_t *n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *header = &record->headers[i];

		if (dead->topic->key != NULL && bytes_eq(header->name, BYTES_LIT(ENGINE_RECORD_KEY_HEADER)))
			continue;
		all[*n] = *header;
		if (is_protected_header(dead->topic, header->name))
			SEAL_TRY(seal_later(dead, header->value, &all[*n].value, err));
		++*n;
	}
out:
	return rc;
}

static enum seal_status add_headers(struct dead_letters *dead, const struct record *record,
				    const struct seal_err *why, struct arena *arena, struct record *out,
				    struct seal_err *err)
{
	char *partition = arena_printf(arena, "%d", (int)record->partition);
	char *offset = arena_printf(arena, "%lld", (long long)record->offset);
	struct record_header *all =
		arena_alloc(arena, (record->n_headers + OURS) * sizeof(*all), _Alignof(struct record_header));
	enum seal_status rc;
	size_t n = 0;

	if (partition == NULL || offset == NULL || all == NULL)
		return err_memory(err);
	SEAL_TRY(add_own(dead, record, all, &n, err));
	if (dead->topic->key != NULL && record->key.ptr != NULL) {
		all[n].name = BYTES_LIT(ENGINE_RECORD_KEY_HEADER);
		SEAL_TRY(seal_later(dead, record->key, &all[n++].value, err));
	}
	all[n++] = (struct record_header){BYTES_LIT("seal-error"), bytes_str(seal_code_name(why->code))};
	if (record->topic.len > 0) /* a file's have none, and an empty header is more than some services take */
		all[n++] = (struct record_header){BYTES_LIT(DEAD_TOPIC_HEADER), record->topic};
	all[n++] = (struct record_header){BYTES_LIT("seal-partition"), bytes_str(partition)};
	all[n++] = (struct record_header){BYTES_LIT("seal-offset"), bytes_str(offset)};
	out->headers = all;
	out->n_headers = n;
out:
	return rc;
}

enum seal_status dead_letters_add(struct dead_letters *dead, const struct record *record, const struct seal_err *why,
				  struct record *out, size_t index, struct arena *arena, struct seal_err *err)
{
	enum seal_status rc;

	out = &out[index];
	*out = *record;
	SEAL_TRY(seal_later(dead, record->value, &out->value, err));
	SEAL_TRY(add_headers(dead, record, why, arena, out, err));
	if (dead->topic->key != NULL)
		out->key = BYTES_EMPTY;
	out->topic = bytes_str(dead->topic->dead_letter_topic);
	out->partition = -1;
	out->broken = NULL; /* the letter is whole; it says why the record was not */
	dead->why[dead->letters] = NULL;
	dead->outs[dead->letters++] = index;
out:
	return rc;
}

enum seal_status dead_letters_seal(struct dead_letters *dead, struct seal_err *err)
{
	enum seal_status rc;

	if (dead->n == 0)
		return SEAL_OK;
	SEAL_TRY(engine_dead_letter(dead->engine, dead->topic, dead->values, dead->n, dead->results, err));
	for (size_t i = 0; i < dead->n; i++) {
		const struct dead_target *target = &dead->targets[i];

		*target->to = dead->results[i].value;
		if (dead->results[i].err != NULL && dead->why[target->letter] == NULL)
			dead->why[target->letter] = dead->results[i].err;
	}
out:
	return rc;
}
