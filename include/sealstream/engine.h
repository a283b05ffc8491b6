/*
 * The engine: a batch of values in, a batch out, a status for each. It does no I/O but that of the keyring.
 *
 *   seal_engine_protect(engine, topic, values, n, &err)
 *   for each i:  seal_result_status(engine, i) == SEAL_OK  →  send seal_result_value(engine, i)
 *                else                                      →  seal_result_error(engine, i) says why
 *
 * Record keys and headers that have rules (seal_topic_key, seal_topic_header) go the same way, as values of their own; results
 * live until the next call on their engine, so a clone for each saves copying them.
 *
 * Larger batches are faster; 1000 to 8000 records of a few hundred bytes are a good size. An engine belongs to one
 * thread at a time; seal_engine_clone makes one for each worker. See seal.h for what holds for every function.
 */
#ifndef SEALSTREAM_ENGINE_H
#define SEALSTREAM_ENGINE_H

#include "sealstream/keyring.h"
#include "sealstream/policy.h"
#include "sealstream/seal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A policy with its keys opened, and one worker's memory. */
struct seal_engine;

/* Zero it, set `size`, and what shall differ from the default. */
struct seal_engine_options {
	size_t size; /* sizeof(struct seal_engine_options) */
	size_t max_record_bytes; /* of a value, before and after; 0: 16 MiB */
	uint64_t
		timeout_ms; /* until a key server must have answered; it may take as long again for each part of a batch; 0: 30000 */
	const struct seal_keyring_options *keyring; /* where keys live; NULL: all defaults */
};

/*
 * Opens all keys that the policy uses. `options` may be NULL. The policy must outlive the engine. *out is the
 * caller's, to be freed with seal_engine_free; NULL on failure. SEAL_E_KEY_UNKNOWN, SEAL_E_KEY_TYPE (a key that cannot
 * do what its method asks), SEAL_E_KEY_VERSION, and what seal_keyring_open may fail with. A store of the policy may be
 * missing: the first call that protects with it makes it, and one that needs it to reveal fails (SEAL_E_NO_INPUT).
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_new(const struct seal_policy *policy,
							const struct seal_engine_options *options,
							struct seal_engine **out, struct seal_err *err);

/*
 * Another engine with the same policy, options and opened keys, for another thread. Either may be freed first. May be
 * called while `engine` is at work. *out as for seal_engine_new.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_clone(const struct seal_engine *engine, struct seal_engine **out,
							  struct seal_err *err);

/* Wipes and frees it, with all results. NULL is fine. */
SEAL_API void seal_engine_free(struct seal_engine *engine);

/*
 * Protects `n` values by the rules of `topic`, one of the engine's policy; SEAL_USAGE for another's, and for NULL, which
 * seal_policy_topic gives where no entry matches. A value with a NULL pointer (a tombstone) passes as it is. SEAL_OK also
 * when single records fail: their results say so. The call itself fails, and then gives no results, only when no
 * record can be told good from bad: SEAL_RETRY (a service is away), SEAL_DENIED, SEAL_USAGE, SEAL_FATAL; nothing may be
 * sent then. `values` and what they point to must stay until the call returns; they cannot be results of the same
 * engine (SEAL_USAGE).
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_protect(struct seal_engine *engine,
							    const struct seal_topic *topic,
							    const struct seal_bytes *values, size_t n,
							    struct seal_err *err);

/* Reveals `n` values; else as seal_engine_protect. What one-way methods made stays as it is. */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_reveal(struct seal_engine *engine, const struct seal_topic *topic,
							   const struct seal_bytes *values, size_t n,
							   struct seal_err *err);

/* The record header that carries wrapped data keys of `type: envelope` with `carry: header`. */
#define SEAL_KEY_HEADER "seal-key"

/* A batch of records that have headers. Zero it, set `size`. */
struct seal_records {
	size_t size; /* sizeof(struct seal_records) */
	const struct seal_bytes *values; /* as in seal_engine_protect */
	const struct seal_bytes *key_headers; /* each record's SEAL_KEY_HEADER; ptr NULL: it has none */
	size_t n; /* of both */
};

/*
 * As seal_engine_protect and seal_engine_reveal, for records that have headers: what a policy with `carry: header` needs,
 * and what the functions without headers refuse under such a policy (SEAL_USAGE/SEAL_E_CONFIG). Each record must then be sent
 * with seal_result_key_header in its header, or without one.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_protect_records(struct seal_engine *engine,
								    const struct seal_topic *topic,
								    const struct seal_records *records,
								    struct seal_err *err);
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_reveal_records(struct seal_engine *engine,
								   const struct seal_topic *topic,
								   const struct seal_records *records,
								   struct seal_err *err);

/* The header of a dead letter that holds the record's encrypted key, where keys have rules; the letter's own key is null. */
#define SEAL_RECORD_KEY_HEADER "seal-record-key"

/*
 * Encrypts `n` whole values that failed, so that they can be sent to seal_topic_dead_letter(topic); SEAL_USAGE when
 * the topic has none. Else as seal_engine_protect. seal_engine_reveal with the rules of the dead-letter topic opens
 * them. Keys and headers that have rules are protected so, too, with the topic itself, not with their rules; the program
 * keeps such a key in the letter's header SEAL_RECORD_KEY_HEADER.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_engine_dead_letter(struct seal_engine *engine,
								const struct seal_topic *topic,
								const struct seal_bytes *values, size_t n,
								struct seal_err *err);

/* How many results the last call gave: its n, or 0 when it failed. */
SEAL_API size_t seal_result_count(const struct seal_engine *engine);

/* SEAL_OK, or the class of the failure of record `index`; SEAL_USAGE when there is no such record. */
SEAL_API enum seal_status seal_result_status(const struct seal_engine *engine, size_t index);

/*
 * The new value of record `index`: a view of the engine's memory, valid until the next call on it. ptr is NULL for a
 * tombstone, a record that failed, and one that there is not.
 */
SEAL_API struct seal_bytes seal_result_value(const struct seal_engine *engine, size_t index);

/*
 * What SEAL_KEY_HEADER of record `index` must be, ptr NULL: the record must not have it. Lives as long as
 * seal_result_value. Only after the calls that take headers.
 */
SEAL_API struct seal_bytes seal_result_key_header(const struct seal_engine *engine, size_t index);

/*
 * Why record `index` failed, with the field's path (or "byte N" of a value that is not JSON) as its place; NULL when
 * it did not. Valid until the next call on the engine.
 */
SEAL_API const struct seal_err *seal_result_error(const struct seal_engine *engine, size_t index);

/* How many fields of record `index` were protected or revealed. */
SEAL_API uint32_t seal_result_fields(const struct seal_engine *engine, size_t index);

/* What a protected value says about itself. Set `size` before the call. */
struct seal_inspection {
	size_t size; /* sizeof(struct seal_inspection) */
	const char *method; /* "encrypt"; static */
	uint32_t key_version; /* 0: the form does not tell */
	bool json; /* its plaintext is a JSON value, not a string */
};

/*
 * True when `text` (a JSON string's text, or a whole payload) has the form of a protected value that names itself;
 * needs no key and proves nothing about who made it. What `fpe` and the one-way methods make has no such form. False:
 * all of *out but `size` is zero. Any thread.
 */
SEAL_API bool seal_inspect(struct seal_bytes text, struct seal_inspection *out);

/*
 * True when `text` begins as protected values do, well-formed or not: it is never taken for plaintext. Of a dead letter's headers
 * that hold SEAL_RECORD_KEY_HEADER or have rules, those are revealed, with the rules of the letter's topic. Any thread.
 */
SEAL_API bool seal_looks_protected(struct seal_bytes text);

#ifdef __cplusplus
}
#endif
#endif
