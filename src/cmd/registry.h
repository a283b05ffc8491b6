/*
 * The one list of methods, key sources, streams and commands. A new one is a folder (or file) and a line in registry.c.
 * The library is built with SEAL_NO_STREAMS: the same list without streams and commands.
 */
#ifndef CMD_REGISTRY_H
#define CMD_REGISTRY_H

#include "engine/registry.h"

#ifndef SEAL_NO_STREAMS
#include "cmd/program.h"
#include "streams/stream.h"

extern const struct source_ops *const registry_sources[]; /* ended by NULL */
extern const struct sink_ops *const registry_sinks[];
extern const struct command *const registry_commands[]; /* in the order of --help */
extern const struct program registry_program; /* of these commands */
#endif

#endif
