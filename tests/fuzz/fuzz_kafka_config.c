/* Settings files of Kafka clients: no input crashes the reader or the translation, and no error shows a value. */
#include "base/log.h"
#include "streams/kafka/java.h"
#include "streams/kafka/kafka.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kafka_config config;
	const struct kafka_property *p;
	enum seal_status rc;

	log_setup(LOG_ERROR, LOG_TEXT);
	kafka_config_init(&config);
	rc = kafka_config_parse(&config, bytes_of(data, size), "f", &err);
	for (p = config.first; p != NULL; p = p->next)
		SEAL_INVARIANT(p->name[0] != '\0' && p->value != NULL && p->line > 0);
	if (rc == SEAL_OK)
		rc = kafka_config_translate(&config, &err);
	SEAL_INVARIANT((rc == SEAL_OK) == (err.status == SEAL_OK));
	SEAL_INVARIANT(rc == SEAL_OK || err.text[0] != '\0');
	kafka_config_clear(&config);
	return 0;
}
