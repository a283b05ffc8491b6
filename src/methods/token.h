/* What `token lookup` must know of shaped tokens to find one. */
#ifndef METHODS_TOKEN_H
#define METHODS_TOKEN_H

#include "methods/method.h"

/*
 * The group (tokens/tokens.h) that `token` is of when a method made it of a value of this kind; in the arena. Empty: `spec` makes
 * none that looks like it.
 */
SEAL_MUST_USE enum seal_status token_group(const struct policy_method *spec, enum cell_kind kind,
					   struct seal_bytes token, struct arena *arena, struct seal_bytes *group,
					   struct seal_err *err);

#endif
