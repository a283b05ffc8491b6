/*
 * Policies: which fields of which topics are protected, how, and with which key. docs/POLICY.md describes the file.
 *
 * A policy is immutable: any number of threads may read it. All strings and views that these functions return belong
 * to the policy. See seal.h for what holds for every function.
 */
#ifndef SEALSTREAM_POLICY_H
#define SEALSTREAM_POLICY_H

#include "sealstream/seal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A compiled policy. */
struct seal_policy;
/* One entry of its `topics`; belongs to the policy. */
struct seal_topic;

/* What shall happen to a record that cannot be protected or revealed. It is never sent in clear. */
enum seal_on_error {
	SEAL_ON_ERROR_REJECT = 0, /* stop, or leave it out and say so */
	SEAL_ON_ERROR_DEAD_LETTER = 1, /* send it, encrypted whole, to seal_topic_dead_letter */
	SEAL_ON_ERROR_DROP = 2 /* leave it out */
};

/* A mistake or a hint that seal_policy_check found. Valid during the call back only. */
struct seal_finding {
	uint32_t line, column; /* in the policy's text, from 1 */
	bool warning; /* a hint: the policy can be used */
	const char *text; /* one line */
};

/*
 * Compiles a policy from its YAML text. `name` (a file's name, for messages; may be NULL) is copied where needed. *out
 * is the caller's, to be freed with seal_policy_free; NULL on failure. SEAL_USAGE/SEAL_E_CONFIG when the policy has a
 * mistake: err has the first one, with name:line:column as its place.
 */
SEAL_API SEAL_MUST_USE enum seal_status seal_policy_load(struct seal_bytes text, const char *name,
							 struct seal_policy **out, struct seal_err *err);

/* The same from a file of at most 4 MiB. Also SEAL_E_NO_INPUT, SEAL_E_DENIED, SEAL_E_IO, SEAL_E_LIMIT. */
SEAL_API SEAL_MUST_USE enum seal_status seal_policy_load_file(const char *path, struct seal_policy **out,
							      struct seal_err *err);

/* Frees the policy. No engine may use it any more. NULL is fine. */
SEAL_API void seal_policy_free(struct seal_policy *policy);

/*
 * Checks a policy's text without keeping it and calls `found` (may be NULL) with `arg` for every mistake and hint, in
 * the order of the text. SEAL_OK when there is no mistake; else as seal_policy_load.
 */
SEAL_API SEAL_MUST_USE enum seal_status
seal_policy_check(struct seal_bytes text, const char *name,
		  void (*found)(void *arg, const struct seal_finding *finding), void *arg, struct seal_err *err);

/* The namespace that ciphertext is bound to; "" by default. */
SEAL_API const char *seal_policy_namespace(const struct seal_policy *policy);

/* How many keys the policy names. */
SEAL_API size_t seal_policy_key_count(const struct seal_policy *policy);

/* The name that the policy gives to key `index`; NULL when there are no more. */
SEAL_API const char *seal_policy_key_name(const struct seal_policy *policy, size_t index);

/* Where key `index` lives: "local" for the embedded keyring; NULL when there are no more. */
SEAL_API const char *seal_policy_key_scheme(const struct seal_policy *policy, size_t index);

/* The key's name over there; a NULL view when there are no more. */
SEAL_API struct seal_bytes seal_policy_key_reference(const struct seal_policy *policy, size_t index);

/* The rules for a topic: the first entry that matches its name, or NULL when none does. */
SEAL_API const struct seal_topic *seal_policy_topic(const struct seal_policy *policy, const char *name);

/* How many entries `topics` has; those made for dead letters count, rules for record keys and headers do not. */
SEAL_API size_t seal_policy_topic_count(const struct seal_policy *policy);

/* Entry `index` of `topics`; NULL when there are no more. */
SEAL_API const struct seal_topic *seal_policy_topic_at(const struct seal_policy *policy, size_t index);

/* Pattern `index` of the entry as it is written in the policy; NULL when there are no more. */
SEAL_API const char *seal_topic_pattern(const struct seal_topic *topic, size_t index);

/* What shall happen to records that fail. */
SEAL_API enum seal_on_error seal_topic_on_error(const struct seal_topic *topic);

/* The topic that dead letters go to, or NULL. */
SEAL_API const char *seal_topic_dead_letter(const struct seal_topic *topic);

/*
 * The rules for record keys of a topic: to be used with every function that takes a topic, with keys in the place of values. NULL:
 * keys pass as they are. Where a topic has rules for keys or headers, a record must leave with the results of all of them, or
 * not at all. A key with a NULL pointer (none) passes.
 */
SEAL_API const struct seal_topic *seal_topic_key(const struct seal_topic *topic);

/*
 * The rules for the values of a record's headers of that name (exact, a case of its own counts), all of them when there are
 * several; else as seal_topic_key. NULL: they pass.
 */
SEAL_API const struct seal_topic *seal_topic_header(const struct seal_topic *topic, const char *name);

/* How many paths the entry protects. */
SEAL_API size_t seal_topic_rule_count(const struct seal_topic *topic);

/* Path `index` as it is written in the policy; NULL when there are no more. */
SEAL_API const char *seal_topic_rule_path(const struct seal_topic *topic, size_t index);

/* The type of that path's method ("encrypt", "fpe", …); NULL when there are no more. */
SEAL_API const char *seal_topic_rule_type(const struct seal_topic *topic, size_t index);

/* The policy's name of that path's key; NULL when its method needs none, or there are no more. */
SEAL_API const char *seal_topic_rule_key(const struct seal_topic *topic, size_t index);

/* True when what the path protects can be revealed again; false when not, or there are no more. */
SEAL_API bool seal_topic_rule_reversible(const struct seal_topic *topic, size_t index);

#ifdef __cplusplus
}
#endif
#endif
