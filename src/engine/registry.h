/*
 * The one list of methods and key sources that exist, defined by the program's registry (src/cmd/registry.c), which
 * is compiled into the library, too. Declared down here so that the public API can use it without seeing commands.
 */
#ifndef ENGINE_REGISTRY_H
#define ENGINE_REGISTRY_H

#include "engine/engine.h"
#include "policy/schema.h"

extern const struct engine_registry registry;
/* The same for the policy compiler. */
extern const struct policy_schema registry_schema;

#endif
