/* Kafka for commands: settings loaded once, source and sink of the registry opened with them. */
#ifndef CMD_KAFKA_USE_H
#define CMD_KAFKA_USE_H

#include "streams/kafka/kafka.h"

SEAL_MUST_USE enum seal_status kafka_use_source(const char *topic, const struct kafka_source_options *options,
						struct source **out, struct seal_err *err);
SEAL_MUST_USE enum seal_status kafka_use_sink(const char *topic, const struct kafka_sink_options *options,
					      struct sink **out, struct seal_err *err);

#endif
