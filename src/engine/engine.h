/*
 * The engine: a batch of records in, a batch out, a status for each. No I/O of its own.
 *
 *   1 gather     scan each record once; every value that the policy names becomes a cell
 *   2 sort       cells of one method form a lot (they are appended to it as they are found)
 *   3 transform  each lot in bulk by its method
 *   4 splice     each record anew: protected spans replaced, every other byte as it was
 *
 * A plan is what all workers share: policy, opened keys, methods. An engine is one worker's.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "keys/key.h"
#include "methods/method.h"
#include "policy/policy.h"

#define ENGINE_RECORD_MAX_DEFAULT (16u << 20)
#define ENGINE_CELLS_MAX (1u << 18) /* values of one record that its rules name; more is SEAL_E_LIMIT */
/*
 * Bytes of paths and places made for one record's values: so many times its length, and a little for short ones, but
 * never more than the second. One long name above many values would make the square of the record of them.
 */
#define ENGINE_PLACES_FACTOR 64
#define ENGINE_PLACES_LEAST (1u << 20)
#define ENGINE_PLACES_MAX (64u << 20)

/* The methods and key sources that exist; the registry's, or a test's. Arrays ended by NULL. */
struct engine_registry {
	const struct method_ops *const *methods;
	const struct key_source_ops *const *sources;
	const struct store_ops *const *stores; /* NULL: none */
};

struct plan;

/*
 * Opens every key that the policy uses and every method. Fails when a key is missing or cannot do what its method asks:
 * at start, never at the first record. The policy and the registry must outlive it.
 */
SEAL_MUST_USE enum seal_status plan_new(const struct policy *policy, const struct engine_registry *registry,
					const struct key_source_config *keys, struct plan **out,
					struct seal_err *err);
void plan_free(struct plan *plan);
const struct policy *plan_policy(const struct plan *plan);
/* What whoever starts it should know about method `index` of the policy: one line in `out`. False: nothing. */
bool plan_warning(const struct plan *plan, size_t index, char out[SEAL_ERR_TEXT_MAX]);

/*
 * What all engines of a plan have done so far under one method, by values: also where another value then failed the record. A
 * call that fails as a whole counts nothing.
 */
struct plan_use {
	uint64_t protected, revealed, rewrapped, failed;
	uint64_t passed; /* met in clear by a reveal or rewrap, and let through (`on_plaintext: pass`) */
	uint64_t lots, ns; /* how often the method was called, and how long that took in all */
};

/* Of method `index` of the policy. Thread-safe. */
void plan_use_get(const struct plan *plan, size_t index, struct plan_use *out);

/*
 * Was there a value at the path of rule `rule` of `topic`, one of the policy's, in any record of a call that has succeeded,
 * whatever became of it? Thread-safe.
 */
bool plan_rule_found(const struct plan *plan, const struct policy_topic *topic, size_t rule);

/* Key `index` of the policy as it is now. Thread-safe. False: no method uses it, or it cannot be told. */
bool plan_key_get(const struct plan *plan, size_t index, struct key_info *out);

struct engine_options {
	size_t max_record_bytes; /* 0: the default */
	uint64_t timeout_ms; /* until a key server must have answered, for each part of a batch; 0: 30 s */
	bool refuse_plaintext; /* reveal, rewrap: a value in clear fails its record, whatever `on_plaintext` says */
};

struct engine;

SEAL_MUST_USE enum seal_status engine_new(const struct plan *plan, const struct engine_options *options,
					  struct engine **out, struct seal_err *err);
void engine_free(struct engine *engine);

enum engine_direction {
	ENGINE_PROTECT,
	ENGINE_REVEAL,
	ENGINE_REWRAP /* protected values stay protected, under the newest version of their key */
};

/* The record header that carries wrapped keys (carry: header). */
#define ENGINE_KEY_HEADER "seal-key"
/* … and of a dead letter, its record's key, encrypted as the value is, where keys have rules; the letter's own is null. */
#define ENGINE_RECORD_KEY_HEADER "seal-record-key"

/*
 * What a batch is: values, and where the stream has headers, what stands in ENGINE_KEY_HEADER of each. Under the entry of a key
 * or header (policy_topic.part) values are these, ptr NULL is one that is null, and there are no key headers.
 */
struct engine_input {
	const struct seal_bytes *values; /* ptr NULL: a tombstone */
	const struct seal_bytes *key_headers; /* ptr NULL: none there. NULL: this stream has no headers */
	size_t n;
};

struct engine_result {
	/*
	 * What ENGINE_KEY_HEADER must be now; ptr NULL: there must be none. A reveal takes it away with the last value that
	 * needs it.
	 */
	struct seal_bytes key_header;
	struct seal_bytes value; /* the record's new value; ptr NULL for a tombstone or a failed record */
	const struct seal_err *err; /* NULL, or why this record failed; place has the field's path */
	uint32_t cells; /* values protected, revealed or rewrapped */
	uint32_t kept; /* ENGINE_REWRAP: values that were under the newest version already */
};

/*
 * ENGINE_REWRAP works on what is in text form under a method that can do it; everything else stays, byte for byte: values of
 * `fpe`, one-way ones, and with `on_plaintext: pass` plain ones. SEAL_USAGE/SEAL_E_KEY_TYPE when a method of `topic` would have
 * to rewrap and its key cannot; to be asked before the first record.
 */
SEAL_MUST_USE enum seal_status engine_can_rewrap(struct engine *engine, const struct policy_topic *topic,
						 struct seal_err *err);

/* Do methods of `topic` look at ENGINE_KEY_HEADER? Where they don't it stays as it is, and callers need not hand it in. */
bool engine_uses_key_header(const struct policy_topic *topic);
/*
 * SEAL_USAGE/SEAL_E_CONFIG when a method of `topic` puts its keys into headers (carry: header) and the records have none
 * (`headers` false); to be asked before the first record. engine_run_input refuses the same.
 */
SEAL_MUST_USE enum seal_status engine_check_headers(const struct policy_topic *topic, bool headers,
						    struct seal_err *err);

/*
 * Transforms `n` values (ptr NULL: a tombstone, passes as it is) by the rules of `topic`. results[i] belongs to the i-th value;
 * its views live in the engine until the next call, so they can't be the next call's values (SEAL_USAGE). The call itself
 * fails only when no record can be told good from bad: RETRY (a service is away), DENIED, USAGE, FATAL; then no result
 * counts and nothing may be sent.
 */
SEAL_MUST_USE enum seal_status engine_run_input(struct engine *engine, const struct policy_topic *topic,
						enum engine_direction direction, const struct engine_input *input,
						struct engine_result *results, struct seal_err *err);

/* The same for records that have no headers. */
SEAL_MUST_USE static inline enum seal_status engine_run(struct engine *engine, const struct policy_topic *topic,
							enum engine_direction direction,
							const struct seal_bytes *values, size_t n,
							struct engine_result *results, struct seal_err *err)
{
	return engine_run_input(engine, topic, direction, &(struct engine_input){values, NULL, n}, results, err);
}

/* Encrypts whole values as dead letters of `topic` (which must name a dead-letter topic). Same rules as engine_run. */
SEAL_MUST_USE enum seal_status engine_dead_letter(struct engine *engine, const struct policy_topic *topic,
						  const struct seal_bytes *values, size_t n,
						  struct engine_result *results, struct seal_err *err);

#endif
