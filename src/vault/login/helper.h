/* The token helper of the vault program: a program named in its configuration that prints a token. */
#ifndef VAULT_LOGIN_HELPER_H
#define VAULT_LOGIN_HELPER_H

#include "base/arena.h"
#include "base/secret.h"

#define HELPER_MAX_MS 10000 /* it is killed after that */

/*
 * The helper's path from a configuration file (`token_helper = "/usr/local/bin/helper"`), in `arena`; *out NULL when the file
 * is not there or names none. SEAL_USAGE/SEAL_E_CONFIG, with file and line, when it names one in a way that cannot be run.
 */
SEAL_MUST_USE enum seal_status helper_find(const char *config, struct arena *arena, const char **out,
					   struct seal_err *err);

/*
 * Runs `path get`, without a shell, within `limit_ms`, and gives what it prints, as it is; out->ptr NULL when that is
 * nothing. SEAL_DENIED when it cannot be run, ends with another status than 0, or takes too long.
 */
SEAL_MUST_USE enum seal_status helper_run(const char *path, uint64_t limit_ms, struct secret *out,
					  struct seal_err *err);

#endif
