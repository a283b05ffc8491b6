/*
 * The embedded broker, librdkafka's mock cluster: enough of Kafka for a demo and for tests on one machine. It listens on
 * 127.0.0.1 only, keeps 5 MiB a partition, makes topics when they are asked for, and knows no TLS, no login and no
 * transactions. Its API is experimental in librdkafka, so it is used in this file alone.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/mem.h"
#include "streams/kafka/kafka.h"

struct kafka_mock {
	rd_kafka_t *rk; /* only there because the cluster needs one */
	rd_kafka_mock_cluster_t *cluster;
};

static void be_silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)text;
}

enum seal_status kafka_mock_open(int brokers, struct kafka_mock **out, struct seal_err *err)
{
	struct kafka_mock *mock = mem_calloc(1, sizeof(*mock));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[300] = "";
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (mock == NULL) {
		rd_kafka_conf_destroy(conf);
		return err_memory(err);
	}
	rd_kafka_conf_set_log_cb(conf, be_silent);
	mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (mock->rk == NULL)
		rd_kafka_conf_destroy(conf);
	else
		mock->cluster = rd_kafka_mock_cluster_new(mock->rk, brokers);
	if (mock->cluster == NULL) {
		rc = err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "the embedded broker does not start%s%s",
			     why[0] ? ": " : "", why);
		kafka_mock_close(mock);
		return rc;
	}
	*out = mock;
	return rc;
}

const char *kafka_mock_address(const struct kafka_mock *mock)
{
	return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

enum seal_status kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions, struct seal_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SEAL_OK;
	return err_set(err, SEAL_FATAL, SEAL_E_CREATE, "the embedded broker cannot create topic %s: %s", topic,
		       rd_kafka_err2str(code));
}

void kafka_mock_close(struct kafka_mock *mock)
{
	if (mock == NULL)
		return;
	if (mock->cluster != NULL)
		rd_kafka_mock_cluster_destroy(mock->cluster);
	if (mock->rk != NULL)
		rd_kafka_destroy(mock->rk);
	mem_free(mock);
}
