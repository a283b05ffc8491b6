/*
 * The one list of methods, key sources, streams and commands. A new one is a folder (or file) and a line here; nothing
 * else names them.
 */
#include "cmd/registry.h"

static const struct method_ops *const methods[] = {NULL};
static const struct method_kind *const method_kinds[] = {NULL};
static const struct key_source_ops *const key_sources[] = {NULL};
static const struct key_scheme schemes[] = {{.name = NULL}};

const struct engine_registry registry = {.methods = methods, .sources = key_sources};
const struct policy_schema registry_schema = {.methods = method_kinds, .schemes = schemes};

#ifndef SEAL_NO_STREAMS
#include "cmd/commands.h"

const struct source_ops *const registry_sources[] = {NULL};
const struct sink_ops *const registry_sinks[] = {NULL};

const struct command *const registry_commands[] = {
	&command_version,
	NULL,
};
#endif
