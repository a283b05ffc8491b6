/* Making topics on a real cluster, for the demo. */
#include "streams/kafka/client.h"

#include "base/mem.h"

#define TOPICS_AT_ONCE 8

static const struct kafka_setting nothing[] = {{NULL, NULL}};

static enum seal_status look_at(struct kafka_client *client, const rd_kafka_CreateTopics_result_t *result,
				struct seal_err *err)
{
	size_t n = 0;
	const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &n);

	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		err_place(err, "topic %s at %s", rd_kafka_topic_result_name(topics[i]), client->brokers);
		if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			return err_set(err, SEAL_USAGE, SEAL_E_CREATE,
				       "exists already and is left alone; choose another name");
		return kafka_client_error(client, code, rd_kafka_topic_result_name(topics[i]), err);
	}
	return SEAL_OK;
}

static enum seal_status ask(struct kafka_client *client, rd_kafka_NewTopic_t **topics, size_t n, int timeout_ms,
			    struct seal_err *err)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
	rd_kafka_event_t *event;
	char why[200];
	enum seal_status rc;

	rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
	rd_kafka_CreateTopics(client->rk, topics, n, options, queue);
	event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
	rd_kafka_poll(client->rk, 0);
	if (event == NULL)
		rc = kafka_client_error(client, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
	else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		rc = kafka_client_error(client, rd_kafka_event_error(event), NULL, err);
	else
		rc = look_at(client, rd_kafka_event_CreateTopics_result(event), err);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	return rc;
}

enum seal_status kafka_topics_create(struct kafka_config *config, const char *const *topics, int partitions,
				     int timeout_ms, struct seal_err *err)
{
	rd_kafka_NewTopic_t *new_topics[TOPICS_AT_ONCE];
	struct kafka_client client;
	struct kafka_client_setup setup = {KAFKA_PRODUCER, config, nothing, nothing, NULL, &client};
	size_t n = 0;
	char why[200];
	enum seal_status rc;

	kafka_client_init(&client);
	SEAL_TRY(kafka_client_open(&client, &setup, err));
	for (; topics[n] != NULL; n++) {
		SEAL_INVARIANT(n < TOPICS_AT_ONCE);
		/* -1: as many replicas as the cluster makes by default */
		new_topics[n] = rd_kafka_NewTopic_new(topics[n], partitions, -1, why, sizeof(why));
		if (new_topics[n] == NULL) {
			err_place(err, "topic %s", topics[n]);
			rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s", why);
			goto out;
		}
	}
	SEAL_TRY(ask(&client, new_topics, n, timeout_ms, err));
out:
	rd_kafka_NewTopic_destroy_array(new_topics, n);
	if (client.rk != NULL)
		rd_kafka_destroy(client.rk);
	kafka_client_clear(&client);
	return rc;
}
