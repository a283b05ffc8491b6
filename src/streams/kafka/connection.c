/* From command-line options to one kafka_config. */
#include "streams/kafka/kafka.h"

static bool names_a_broker(const struct kafka_config *config)
{
	static const char *const names[] = {"bootstrap.servers", "metadata.broker.list"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int role = KAFKA_ANYONE; role <= KAFKA_PRODUCER; role++) {
			const char *value = kafka_config_get(config, (enum kafka_role)role, names[i]);

			if (value != NULL && value[0] != '\0')
				return true;
		}
	return false;
}

enum seal_status kafka_connection_load(const struct kafka_connection *connection, struct kafka_config *config,
				       struct seal_err *err)
{
	const struct opt_list *item;
	enum seal_status rc = SEAL_OK;

	if (connection->preset != NULL)
		SEAL_TRY(kafka_config_preset(config, connection->preset, err));
	if (connection->file != NULL)
		SEAL_TRY(kafka_config_read(config, connection->file, err));
	for (item = connection->properties; item != NULL; item = item->next)
		SEAL_TRY(kafka_config_override(config, item->text, err));
	if (connection->brokers != NULL)
		SEAL_TRY(kafka_config_set(config, "bootstrap.servers", connection->brokers, err));
	SEAL_TRY(kafka_config_translate(config, err));
	if (!names_a_broker(config))
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "no broker is named; say -b HOST:PORT, or -F FILE with bootstrap.servers");
out:
	return rc;
}
