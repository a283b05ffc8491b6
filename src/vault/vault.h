/*
 * Vault and OpenBao as a key source: the scheme `vault` of a policy's keys.
 *
 *   vault:transit/pii               key `pii` of the Transit mount `transit`; a mount may have slashes
 *   vault:transform/role/payments   role `payments` of the Transform mount `transform` (Vault Enterprise)
 *
 * One client (address, token, limits) per opened source, shared by all keys and threads. At start each key is read
 * (GET MOUNT/keys/NAME): encrypting under a name that is not there would create the key where the token may, so a key that
 * cannot be read is an error, with the line of policy to grant.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "keys/key.h"
#include "vault/options.h"

extern const struct key_source_ops vault_source;

/* key_scheme.check. */
bool vault_reference_check(struct seal_bytes reference, const char **why);

#endif
