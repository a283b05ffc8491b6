/*
 * Enabling and disabling Transit, for `demo` alone: who runs a server does it with the server's own tools. Each call opens a
 * client of its own. Errors as vault/client.h classes them.
 */
#ifndef VAULT_MOUNT_H
#define VAULT_MOUNT_H

#include "vault/options.h"

/* Enables Transit at `mount`; *made false: something is mounted there already, and is left as it is. */
SEAL_MUST_USE enum seal_status vault_mount_transit(const struct vault_options *options, const char *mount,
						   uint64_t deadline_ms, bool *made, struct seal_err *err);
/* Disables what is mounted there: all of its keys are gone. */
SEAL_MUST_USE enum seal_status vault_unmount(const struct vault_options *options, const char *mount,
					     uint64_t deadline_ms, struct seal_err *err);

#endif
