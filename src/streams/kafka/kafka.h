/*
 * Kafka as a source and a sink of records, on librdkafka. What commands see of it: options, a check for `doctor`, and the
 * embedded broker of the demo. Addresses are topics.
 *
 * source   a group member (subscribes; commits what the pump says is safe) or, without a group, a reader of all
 *          partitions from `offset` (commits nothing).
 * sink     an idempotent producer, acks=all; keeps key, headers, timestamp and, when asked, the partition. With a
 *          transactional id it has transactions, which take the position of a source of the same cluster with them.
 */
#ifndef STREAMS_KAFKA_KAFKA_H
#define STREAMS_KAFKA_KAFKA_H

#include "streams/kafka/config.h"
#include "streams/stream.h"

/* How to reach a cluster: the first rows of every Kafka command, source and sink. */
struct kafka_connection {
	const struct kafka_preset *preset; /* of a service that speaks Kafka's protocol; NULL: none. Copied */
	const char *brokers; /* -b */
	const char *file; /* -F */
	struct opt_list *properties; /* -X */
	int64_t connect_timeout_ms;
};

#define KAFKA_CONNECTION_ROWS(owner, member)                                                                         \
	{.name = "bootstrap-server",                                                                                 \
	 .letter = 'b',                                                                                              \
	 .arg = "BROKERS",                                                                                           \
	 .type = OPT_STRING,                                                                                         \
	 .env = "SEALSTREAM_BOOTSTRAP_SERVER",                                                                       \
	 .offset = offsetof(owner, member.brokers),                                                                  \
	 .help = "brokers to start from: host:port,host:port"},                                                      \
		{.name = "brokers", .type = OPT_STRING, .offset = offsetof(owner, member.brokers)},                  \
		{.name = "command-config",                                                                           \
		 .letter = 'F',                                                                                      \
		 .arg = "FILE",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .env = "SEALSTREAM_COMMAND_CONFIG",                                                                 \
		 .offset = offsetof(owner, member.file),                                                             \
		 .help = "client settings: getting_started.ini, kcat's or Java's client.properties"},                \
		{.name = "command-property",                                                                         \
		 .letter = 'X',                                                                                      \
		 .arg = "NAME=VALUE",                                                                                \
		 .type = OPT_LIST,                                                                                   \
		 .env = "SEALSTREAM_COMMAND_PROPERTY",                                                               \
		 .offset = offsetof(owner, member.properties),                                                       \
		 .help = "one librdkafka setting, above the file's"},                                                \
	{                                                                                                            \
		.name = "connect-timeout", .arg = "TIME", .type = OPT_DURATION, .def = "10s", .min = 100,            \
		.max = 600000, .env = "SEALSTREAM_CONNECT_TIMEOUT",                                                  \
		.offset = offsetof(owner, member.connect_timeout_ms),                                                \
		.help = "how long to wait for brokers at start"                                                      \
	}

struct kafka_source_options {
	struct kafka_connection connection;
	const char *group; /* NULL: no group */
	const char *offset; /* without a group: beginning, end, N, -N (the last N), of every partition */
	int64_t partition; /* without a group: only this one; -1: all */
	bool exit_at_end; /* READ_END once every partition has been read to its end */
	struct kafka_config *config; /* already loaded, shared with the sink; NULL: loaded from `connection` */
	int64_t memory_bytes; /* bound of what is read ahead or held, for large records; 0: as for small ones */
	bool exactly_once; /* `stage` instead of `commit`; reads what was committed only */
	const char *member; /* its name in the group (group.instance.id): a restart takes its place; NULL: none */
	int64_t commit_every_ms; /* offsets are sent no more often; 0: 250 */
};

/* What users say of reading, behind the connection; `member`: "kafka." of an owner that has the options there, or nothing. */
#define KAFKA_SOURCE_ROWS(owner, member)                                                                             \
	{.name = "group",                                                                                            \
	 .letter = 'G',                                                                                              \
	 .arg = "GROUP",                                                                                             \
	 .type = OPT_STRING,                                                                                         \
	 .offset = offsetof(owner, member group),                                                                    \
	 .help = "read as a member of this consumer group"},                                                         \
		{.name = "offset",                                                                                   \
		 .letter = 'o',                                                                                      \
		 .arg = "OFFSET",                                                                                    \
		 .type = OPT_STRING,                                                                                 \
		 .def = "beginning",                                                                                 \
		 .offset = offsetof(owner, member offset),                                                           \
		 .help = "without a group: beginning, end, N, or -N for the last N of each partition"},              \
		{.name = "partition",                                                                                \
		 .arg = "N",                                                                                         \
		 .type = OPT_INT,                                                                                    \
		 .def = "-1",                                                                                        \
		 .min = -1,                                                                                          \
		 .max = INT32_MAX,                                                                                   \
		 .offset = offsetof(owner, member partition),                                                        \
		 .help = "without a group: this partition only (-1: all)"},                                          \
	{                                                                                                            \
		.name = "exit", .letter = 'e', .type = OPT_FLAG, .offset = offsetof(owner, member exit_at_end),      \
		.help = "stop at the end of every partition"                                                         \
	}

struct kafka_sink_options {
	struct kafka_connection connection;
	bool keep_partition; /* a record's partition is used as it is */
	struct kafka_config *config;
	int64_t memory_bytes; /* bound of what is not yet acknowledged; 0: 32 MiB. One record passes in any case */
	int64_t record_bytes; /* the longest record that will come: message.max.bytes and batch.size follow it unless
			       * the user sets them; 0: librdkafka's own (1 MB) */
	const char *transactional_id; /* NULL: no transactions */
	bool named; /* another process may take that id on purpose: then this one ends. False: nobody else has it */
};

#define KAFKA_SINK_ROWS(owner, member)                                                                               \
	{                                                                                                            \
		.name = "keep-partition", .type = OPT_FLAG, .offset = offsetof(owner, member keep_partition),        \
		.help = "a record goes to the partition number that it came from"                                    \
	}

extern const struct stream_traits kafka_traits;
extern const struct source_ops kafka_source_ops;
extern const struct sink_ops kafka_sink_ops;

/* Reads the file, puts -X and -b on top and translates. SEAL_USAGE when no broker is named at all. */
SEAL_MUST_USE enum seal_status kafka_connection_load(const struct kafka_connection *connection,
						     struct kafka_config *config, struct seal_err *err);

/* For `doctor`, and the warning at start. */
struct kafka_facts {
	const char *version; /* of the library that runs, "2.0.2" */
	const char *features; /* builtin.features */
	const char *scram_warning; /* NULL: SCRAM works with every broker */
};

void kafka_facts_get(struct kafka_facts *facts);

/* Topics made through the admin API. Existing ones are an error (SEAL_E_CREATE). */
SEAL_MUST_USE enum seal_status kafka_topics_create(struct kafka_config *config, const char *const *topics,
						   int partitions, int timeout_ms, struct seal_err *err);

/* Takes topics and a consumer group away again; a group that nobody used is fine. */
SEAL_MUST_USE enum seal_status kafka_topics_delete(struct kafka_config *config, const char *const *topics,
						   const char *group, int timeout_ms, struct seal_err *err);

/* The embedded broker: librdkafka's mock cluster on a port of 127.0.0.1 that the system chooses. */
struct kafka_mock;

SEAL_MUST_USE enum seal_status kafka_mock_open(int brokers, struct kafka_mock **out, struct seal_err *err);
const char *kafka_mock_address(const struct kafka_mock *mock);
SEAL_MUST_USE enum seal_status kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions,
						struct seal_err *err);
void kafka_mock_close(struct kafka_mock *mock); /* accepts NULL */

#endif
