/* Facts on the librdkafka that runs (not the one that was compiled against). */
#include <librdkafka/rdkafka.h>

#include "streams/kafka/kafka.h"

#define SCRAM_FIXED 0x02060100 /* 2.6.1 */

void kafka_facts_get(struct kafka_facts *facts)
{
	static char features[512];
	size_t size = sizeof(features);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	facts->version = rd_kafka_version_str();
	if (rd_kafka_conf_get(conf, "builtin.features", features, &size) != RD_KAFKA_CONF_OK)
		features[0] = '\0';
	rd_kafka_conf_destroy(conf);
	facts->features = features;
	facts->scram_warning = NULL;
	if (rd_kafka_version() < SCRAM_FIXED)
		facts->scram_warning =
			"SCRAM login to Apache Kafka 4 fails with librdkafka before 2.6.1 (its bug 4895), "
			"and the broker blames the password; use librdkafka 2.6.1 or newer, or PLAIN over TLS";
}
