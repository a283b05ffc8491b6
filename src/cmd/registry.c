/*
 * The one list of methods, key sources, stores, streams and commands. A new one is a folder (or file) and a line here; nothing
 * else names them.
 */
#include "cmd/registry.h"

#include "keys/keyring.h"
#include "methods/builtin.h"
#include "stores/postgresql/postgresql.h"
#include "stores/sqlite/sqlite.h"
#include "vault/vault.h"

/* One a line. */
/* clang-format off */
#define METHODS(each) \
	each(deterministic) \
	each(encrypt) \
	each(envelope) \
	each(fpe) \
	each(hash) \
	each(mask) \
	each(redact) \
	each(remove) \
	each(token) \
	each(transform)
/* clang-format on */
#define OPS(name) &method_##name,
#define KIND(name) &method_##name.kind,

static const struct method_ops *const methods[] = {METHODS(OPS) NULL};
static const struct method_kind *const method_kinds[] = {METHODS(KIND) NULL};

static const struct key_source_ops *const key_sources[] = {
	&keyring_source,
	&vault_source,
	NULL,
};
static const struct key_scheme schemes[] = {
	{"local", "the name of a key in the local keyring", keyring_reference_check},
	{"vault", "MOUNT/NAME of a Transit key in Vault or OpenBao, or MOUNT/role/NAME of a Transform role",
	 vault_reference_check},
	{.name = NULL},
};

static const struct store_ops *const stores[] = {
	&sqlite_store,
	&postgresql_store,
	NULL,
};
static const struct key_scheme store_schemes[] = {
	{"sqlite", "a file, for programs on one machine", sqlite_address_check},
	{"postgresql", "a server that many machines share", postgresql_address_check},
	{.name = NULL},
};

const struct engine_registry registry = {.methods = methods, .sources = key_sources, .stores = stores};
const struct policy_schema registry_schema = {.methods = method_kinds, .schemes = schemes, .stores = store_schemes};

#ifndef SEAL_NO_STREAMS
#include "cmd/audit_use.h"
#include "cmd/commands.h"
#include "cmd/eventhubs_use.h"
#include "streams/kafka/kafka.h"
#include "streams/kinesis/kinesis.h"
#include "streams/ndjson/ndjson.h"
#include "streams/pubsub/pubsub.h"
#include "streams/sns/sns.h"
#include "streams/sqs/sqs.h"

/* One a line. */
/* clang-format off */
const struct source_ops *const registry_sources[] = {
	&kafka_source_ops,
	&eventhubs_source_ops,
	&sqs_source_ops,
	&ndjson_source_ops,
	&kinesis_source_ops,
	&pubsub_source_ops,
	NULL,
};
const struct sink_ops *const registry_sinks[] = {
	&kafka_sink_ops,  &eventhubs_sink_ops, &sqs_sink_ops,	 &sns_sink_ops,
	&ndjson_sink_ops, &kinesis_sink_ops,   &pubsub_sink_ops, NULL,
};

const struct command *const registry_commands[] = {
	&command_protect,
	&command_reveal,
	&command_rewrap,
	&command_scan,
	&command_inspect,
	&command_verify,
	&command_pump,
	&command_produce,
	&command_consume,
	&command_file,
	&command_key,
	&command_audit,
	&command_policy,
	&command_store,
	&command_token,
	&command_sample,
	&command_doctor,
	&command_demo,
	&command_version,
	&command_completion,
	&command_configuration,
	&command_man,
	NULL,
};
/* clang-format on */
const struct program registry_program = {.commands = registry_commands,
					 .sources = registry_sources,
					 .sinks = registry_sinks,
					 .run_with_keys = audit_use_run};
#endif
