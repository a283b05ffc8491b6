/* Kafka for commands. */
#include "cmd/kafka_use.h"

#include "cmd/registry.h"

enum seal_status kafka_use_source(const char *topic, const struct kafka_source_options *options, struct source **out,
				  struct seal_err *err)
{
	const struct source_ops *const *at = registry_sources;

	while (*at != NULL && strcmp((*at)->name, "kafka") != 0)
		at++;
	SEAL_INVARIANT(*at != NULL);
	return (*at)->open(topic, options, out, err);
}

enum seal_status kafka_use_sink(const char *topic, const struct kafka_sink_options *options, struct sink **out,
				struct seal_err *err)
{
	const struct sink_ops *const *at = registry_sinks;

	while (*at != NULL && strcmp((*at)->name, "kafka") != 0)
		at++;
	SEAL_INVARIANT(*at != NULL);
	return (*at)->open(topic, options, out, err);
}
