/*
 * The opened key source: a client, and workers that its keys' sessions and admin calls borrow for one call each, so that
 * connections are kept alive across keys and are never more than are in use at once. Internal to src/vault.
 */
#ifndef VAULT_SOURCE_H
#define VAULT_SOURCE_H

#include <pthread.h>

#include "keys/key.h"
#include "vault/client.h"
#include "vault/reference.h"

#define VAULT_START_MS 60000 /* for what is asked at start, where no call brings a deadline */

struct vault_source {
	struct key_source base;
	struct vault_options options;
	struct arena arena; /* of the options' strings */
	struct vault_client *client;
	pthread_mutex_t lock; /* guards all that follows */
	struct vault_worker **idle;
	size_t n_idle, cap_idle;
	size_t n_workers; /* lent ones, too */
};

/* A worker for one thread until it is given back. */
SEAL_MUST_USE enum seal_status vault_source_take(struct vault_source *source, struct vault_worker **out,
						 struct seal_err *err);
void vault_source_give(struct vault_source *source, struct vault_worker *worker);

/* key_source_ops.key for a Transit key. */
SEAL_MUST_USE enum seal_status transit_key_open(struct vault_source *source, const struct vault_reference *reference,
						struct key **out, struct seal_err *err);
/* The same for a role of Transform. */
SEAL_MUST_USE enum seal_status transform_role_open(struct vault_source *source,
						   const struct vault_reference *reference, struct key **out,
						   struct seal_err *err);

#endif
