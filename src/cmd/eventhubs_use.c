/* Event Hubs by way of Kafka's client, or, for a sink that is asked to, by HTTPS. */
#include "cmd/eventhubs_use.h"

#include "base/log.h"
#include "streams/eventhubs/eventhubs.h"
#include "streams/kafka/kafka.h"

/* What both sides have in common; source and sink have the same rows for it. */
struct reach {
	struct eventhubs_settings settings;
	struct opt_list *properties;
	int64_t connect_timeout_ms;
};

struct source_options {
	struct reach reach;
	struct kafka_source_options kafka; /* but for its connection */
};

enum protocol { PROTOCOL_KAFKA, PROTOCOL_HTTPS };
enum headers { HEADERS_KEEP, HEADERS_DROP };

struct sink_options {
	struct reach reach;
	struct kafka_sink_options kafka; /* but for its connection */
	int protocol, headers;
};

#define REACH_ROWS(owner)                                                                                            \
	{.name = "connection-string-file",                                                                           \
	 .arg = "FILE",                                                                                              \
	 .type = OPT_STRING,                                                                                         \
	 .env = "SEALSTREAM_EVENTHUBS_CONNECTION_STRING_FILE",                                                       \
	 .offset = offsetof(owner, reach.settings.connection_string_file),                                           \
	 .help = "the connection string, in a file that others may not read; default: "                              \
		 "AZURE_EVENTHUB_CONNECTION_STRING, else AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"}, \
		{.name = "endpoint",                                                                                 \
		 .arg = "HOST:PORT",                                                                                 \
		 .type = OPT_STRING,                                                                                 \
		 .env = "SEALSTREAM_EVENTHUBS_ENDPOINT",                                                             \
		 .offset = offsetof(owner, reach.settings.endpoint),                                                 \
		 .help = "connect there instead of to the namespace's own name, such as a private endpoint"},        \
		{.name = "ca-file",                                                                                  \
		 .arg = "FILE",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .env = "SEALSTREAM_EVENTHUBS_CA_FILE",                                                              \
		 .offset = offsetof(owner, reach.settings.ca_file),                                                  \
		 .help = "PEM certificates to trust instead of the system's"},                                       \
		{.name = "event-bytes",                                                                              \
		 .arg = "SIZE",                                                                                      \
		 .type = OPT_SIZE,                                                                                   \
		 .def = "1046528",                                                                                   \
		 .min = 1024,                                                                                        \
		 .max = 64 << 20,                                                                                    \
		 .env = "SEALSTREAM_EVENTHUBS_EVENT_BYTES",                                                          \
		 .offset = offsetof(owner, reach.settings.event_bytes),                                              \
		 .help = "longest event that the namespace takes; 262144 in the tier Basic, more on dedicated "      \
			 "clusters"},                                                                                \
		{.name = "property",                                                                                 \
		 .arg = "NAME=VALUE",                                                                                \
		 .type = OPT_LIST,                                                                                   \
		 .env = "SEALSTREAM_EVENTHUBS_PROPERTY",                                                             \
		 .offset = offsetof(owner, reach.properties),                                                        \
		 .help = "one librdkafka setting, above those that Event Hubs needs"},                               \
	{                                                                                                            \
		.name = "connect-timeout", .arg = "TIME", .type = OPT_DURATION, .def = "30s", .min = 100,            \
		.max = 600000, .env = "SEALSTREAM_EVENTHUBS_CONNECT_TIMEOUT",                                        \
		.offset = offsetof(owner, reach.connect_timeout_ms),                                                 \
		.help = "how long to wait for the namespace at start"                                                \
	}

static const struct stream_traits traits = {
	.title = "Azure Event Hubs",
	.address = "NAMESPACE/HUB",
	.key = "the key; over HTTPS PartitionKey, and as base64 the property seal.key where it is no text of up to "
	       "128 "
	       "characters",
	.headers = "headers; over HTTPS properties, of text alone",
	.timestamp = "the writer's; over HTTPS the service's own",
	.limit = "1,046,528 bytes; 262,144 in Basic",
	.order = STREAM_ORDER_PARTITION,
	.keeps_timestamp = true,
};

/* ---- over Kafka's protocol ---- */

/* `access` must live until the stream is open: what is needed later is copied. */
static enum seal_status make_connection(const char *address, const struct reach *reach,
					struct eventhubs_access *access,
					struct kafka_preset preset[EVENTHUBS_CLIENT_SETTINGS_MAX],
					struct kafka_connection *out, struct seal_err *err)
{
	static const enum kafka_role roles[] = {KAFKA_ANYONE, KAFKA_CONSUMER, KAFKA_PRODUCER};
	struct eventhubs_client_setting settings[EVENTHUBS_CLIENT_SETTINGS_MAX];
	enum seal_status rc;
	size_t n = 0;

	SEAL_TRY(eventhubs_access_open(address, &reach->settings, access, err));
	SEAL_TRY(eventhubs_client_settings(access, settings, err));
	do
		preset[n] = (struct kafka_preset){settings[n].name, settings[n].value, roles[settings[n].role]};
	while (settings[n++].name != NULL);
	*out = (struct kafka_connection){
		.preset = preset, .properties = reach->properties, .connect_timeout_ms = reach->connect_timeout_ms};
out:
	return rc;
}

static enum seal_status open_source(const char *address, const void *options, struct source **out,
				    struct seal_err *err)
{
	const struct source_options *o = options;
	struct kafka_source_options kafka = o->kafka;
	struct kafka_preset preset[EVENTHUBS_CLIENT_SETTINGS_MAX];
	struct eventhubs_access access;
	enum seal_status rc;

	*out = NULL;
	kafka.commit_every_ms = EVENTHUBS_COMMIT_MS;
	SEAL_TRY(make_connection(address, &o->reach, &access, preset, &kafka.connection, err));
	rc = kafka_source_ops.open(access.hub, &kafka, out, err);
out:
	eventhubs_access_clear(&access);
	return rc;
}

static enum seal_status open_over_kafka(const char *address, const struct sink_options *o, struct sink **out,
					struct seal_err *err)
{
	struct kafka_sink_options kafka = o->kafka;
	struct kafka_preset preset[EVENTHUBS_CLIENT_SETTINGS_MAX];
	struct eventhubs_access access;
	enum seal_status rc;

	SEAL_TRY(make_connection(address, &o->reach, &access, preset, &kafka.connection, err));
	rc = kafka_sink_ops.open(access.hub, &kafka, out, err);
out:
	eventhubs_access_clear(&access);
	return rc;
}

/* ---- over HTTPS ---- */

static enum seal_status open_over_https(const char *address, const struct sink_options *o, struct sink **out,
					struct seal_err *err)
{
	const struct eventhubs_https_options https = {.drop_headers = o->headers == HEADERS_DROP,
						      .memory_bytes = o->kafka.memory_bytes};

	if (o->kafka.transactional_id != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--eventhubs-protocol https has no transactions; use --delivery at-least-once");
	if (o->kafka.keep_partition)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--eventhubs-protocol https chooses partitions by key; leave out --keep-partition");
	log_say(LOG_INFO,
		"eventhubs:%s over HTTPS takes no tombstones, and keeps neither the writer's timestamps nor the "
		"order across keys",
		address);
	return eventhubs_https_open(address, &o->reach.settings, &https, out, err);
}

static enum seal_status open_sink(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	const struct sink_options *o = options;

	*out = NULL;
	return o->protocol == PROTOCOL_HTTPS ? open_over_https(address, o, out, err)
					     : open_over_kafka(address, o, out, err);
}

/* ---- options ---- */

static const struct opt_row source_rows[] = {
	REACH_ROWS(struct source_options),
	KAFKA_SOURCE_ROWS(struct source_options, kafka.),
	{.name = "member",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 .offset = offsetof(struct source_options, kafka.member),
	 .help = "its name in the group"},
	{.name = "memory",
	 .arg = "SIZE",
	 .type = OPT_SIZE,
	 .internal = true,
	 .offset = offsetof(struct source_options, kafka.memory_bytes),
	 .help = "what may be read ahead or held"},
	{.name = "exactly-once",
	 .type = OPT_FLAG,
	 .internal = true,
	 .offset = offsetof(struct source_options, kafka.exactly_once),
	 .help = "positions go into the sink's transactions"},
	OPT_END,
};

static const struct opt_row sink_rows[] = {
	REACH_ROWS(struct sink_options),
	{.name = "protocol",
	 .arg = "HOW",
	 .choices = "kafka|https",
	 .def = "kafka",
	 .type = OPT_CHOICE,
	 .env = "SEALSTREAM_EVENTHUBS_PROTOCOL",
	 .offset = offsetof(struct sink_options, protocol),
	 .help = "kafka: port 9093; https: port 443, for places where the other is shut, and for the tier Basic"},
	{.name = "headers",
	 .arg = "HOW",
	 .choices = "keep|drop",
	 .def = "keep",
	 .type = OPT_CHOICE,
	 .env = "SEALSTREAM_EVENTHUBS_HEADERS",
	 .offset = offsetof(struct sink_options, headers),
	 .help = "over https: drop leaves headers out, keep fails a record whose headers can be no properties"},
	KAFKA_SINK_ROWS(struct sink_options, kafka.),
	{.name = "memory",
	 .arg = "SIZE",
	 .type = OPT_SIZE,
	 .internal = true,
	 .offset = offsetof(struct sink_options, kafka.memory_bytes),
	 .help = "what may wait to be acknowledged"},
	{.name = "record-bytes",
	 .arg = "SIZE",
	 .type = OPT_SIZE,
	 .internal = true,
	 .offset = offsetof(struct sink_options, kafka.record_bytes),
	 .help = "the longest record that will come"},
	{.name = "transactional-id",
	 .arg = "ID",
	 .type = OPT_STRING,
	 .internal = true,
	 .offset = offsetof(struct sink_options, kafka.transactional_id),
	 .help = "of its transactions"},
	{.name = "named",
	 .type = OPT_FLAG,
	 .internal = true,
	 .offset = offsetof(struct sink_options, kafka.named),
	 .help = "another process may take that id on purpose"},
	OPT_END,
};

const struct source_ops eventhubs_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "eventhubs",
	.help = "a hub of Azure Event Hubs",
	.traits = &traits,
	.options = source_rows,
	.options_size = sizeof(struct source_options),
	.topic = eventhubs_topic,
	.open = open_source,
};

const struct sink_ops eventhubs_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "eventhubs",
	.help = "a hub of Azure Event Hubs",
	.traits = &traits,
	.options = sink_rows,
	.options_size = sizeof(struct sink_options),
	.topic = eventhubs_topic,
	.open = open_sink,
};
