/*
 * keys/admin.h for Transit: `reference` is MOUNT/NAME, `under` a mount. What a token needs is in the message of each
 * refusal. Keys are made and rotated once, never twice for a lost answer: an error then says to look.
 */
#ifndef VAULT_ADMIN_H
#define VAULT_ADMIN_H

#include <jansson.h>

#include "keys/admin.h"
#include "vault/source.h"

extern const struct key_admin_ops vault_admin;

/* One call of an admin operation: where, and a worker to ask with. Internal to src/vault. */
struct vault_admin_at {
	const struct key_admin *on;
	struct vault_source *source;
	struct vault_worker *worker;
	struct vault_reference reference;
	char name[VAULT_REFERENCE_MAX + 1]; /* "transit/pii" */
	const char *foreign; /* after vault_admin_read: why the keyring cannot make this key's texts, or NULL */
};

SEAL_MUST_USE enum seal_status vault_admin_begin(const struct key_admin *on, struct seal_bytes reference,
						 struct vault_admin_at *at, struct seal_err *err);
void vault_admin_end(struct vault_admin_at *at);

/*
 * Asks MOUNT/BEFORE/NAME/AFTER; NULL leaves out NAME and AFTER, or AFTER. Takes over `body` (may be NULL). `out` (may be
 * NULL) gets the answer's data, to be freed with vault_json_free.
 */
SEAL_MUST_USE enum seal_status vault_admin_ask(struct vault_admin_at *at, const char *method, const char *before,
					       bool name, const char *after, json_t *body, json_t **out,
					       struct seal_err *err);
/* Reads the key. SEAL_USAGE/SEAL_E_KEY_UNKNOWN when it is not there. */
SEAL_MUST_USE enum seal_status vault_admin_read(struct vault_admin_at *at, struct key_admin_info *out,
						struct seal_err *err);
/* Has it become what was asked for? */
SEAL_MUST_USE enum seal_status vault_admin_check(const struct vault_admin_at *at, const struct key_admin_info *info,
						 const struct key_admin_new *how, struct seal_err *err);
/* Can Transit have such a key? */
SEAL_MUST_USE enum seal_status vault_admin_takes(const struct key_admin_new *how, struct seal_err *err);

/* SEAL_OK when there is no such key yet, else SEAL_E_KEY_EXISTS. */
SEAL_MUST_USE enum seal_status vault_admin_refuse_existing(struct vault_admin_at *at, struct seal_err *err);

/* key_admin_ops.restore (admin_restore.c). */
SEAL_MUST_USE enum seal_status vault_admin_restore(const struct key_admin *on, struct seal_bytes reference,
						   const struct key_admin_new *how, const struct secret *versions,
						   size_t n, struct seal_err *err);
/* key_admin_ops.export and .import (admin_material.c). */
SEAL_MUST_USE enum seal_status vault_admin_export(const struct key_admin *on, struct seal_bytes reference,
						  uint32_t version, struct secret *out, uint32_t *number,
						  struct seal_err *err);
SEAL_MUST_USE enum seal_status vault_admin_import(const struct key_admin *on, struct seal_bytes reference,
						  const struct key_admin_new *how, struct seal_bytes material,
						  uint32_t *version, struct seal_err *err);

#endif
