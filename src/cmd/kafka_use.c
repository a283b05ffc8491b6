/* Kafka for commands. */
#include "cmd/kafka_use.h"

#include "cmd/stream_open.h"

enum seal_status kafka_use_source(const char *topic, const struct kafka_source_options *options, struct source **out,
				  struct seal_err *err)
{
	return stream_source_ops("kafka")->open(topic, options, out, err);
}

enum seal_status kafka_use_sink(const char *topic, const struct kafka_sink_options *options, struct sink **out,
				struct seal_err *err)
{
	return stream_sink_ops("kafka")->open(topic, options, out, err);
}
