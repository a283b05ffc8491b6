/*
 * What most methods are: the policy's options and at most one key. Their session holds that key's session.
 * Only files of this folder use it.
 */
#ifndef METHODS_SIMPLE_H
#define METHODS_SIMPLE_H

#include "methods/method.h"

struct simple_method {
	struct method base;
	const struct policy_method *spec;
	struct key *key; /* NULL: none */
	uint32_t version; /* of the key, for what encrypts; 0: the newest */
	const struct method_session_ops *session_ops;
};

struct simple_session {
	struct method_session base;
	const struct simple_method *method;
	struct key_session *key; /* NULL: none */
};

/* Encryption under simple_method.key and its `version` (encrypt.c). */
extern const struct method_session_ops encrypt_session_ops;

SEAL_MUST_USE enum seal_status simple_open(const struct method_ops *ops, const struct method_session_ops *session_ops,
					   const struct policy_method *spec, const struct method_needs *needs,
					   struct method **out, struct seal_err *err);
void simple_free(struct method *method);

/* The members `session` of method_ops, `free` of method_session_ops. */
SEAL_MUST_USE enum seal_status simple_session_new(const struct method *method, struct method_session **out,
						  struct seal_err *err);
void simple_session_free(struct method_session *session);

/* Fails (SEAL_USAGE/SEAL_E_KEY_VERSION) when the key has no such version: better at start than at the first record. */
SEAL_MUST_USE enum seal_status key_has_version(struct key *key, int64_t version, struct seal_err *err);

/* One item a cell, with its value and its place, in the lot's arena; NULL: no memory, and err says so. */
struct key_item *simple_items(const struct lot *lot, struct seal_err *err);

static inline const void *simple_options(const struct method_session *session)
{
	return ((const struct simple_session *)session)->method->spec->options;
}

#endif
