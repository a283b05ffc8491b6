/* The admin API: making topics on a real cluster and taking them away, for the demo; asking a topic's limit. */
#include "streams/kafka/client.h"

#include "base/mem.h"

#define TOPICS_AT_ONCE 8
#define BATCH_OVERHEAD 128 /* of a batch of one record, at most: header 61, lengths, timestamps, producer's numbers */

static const struct kafka_setting nothing[] = {{NULL, NULL}};

/* The first topic that failed, as an error. */
static enum seal_status look_at(struct kafka_client *client, const rd_kafka_topic_result_t **topics, size_t n,
				struct seal_err *err)
{
	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
		const char *name = rd_kafka_topic_result_name(topics[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		err_place(err, "topic %s at %s", name, client->brokers);
		if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			return err_set(err, SEAL_USAGE, SEAL_E_CREATE,
				       "exists already and is left alone; choose other names");
		return kafka_client_error(client, code, name, err);
	}
	return SEAL_OK;
}

static enum seal_status look_at_event(struct kafka_client *client, const rd_kafka_event_t *event,
				      struct seal_err *err)
{
	const rd_kafka_topic_result_t **topics = NULL;
	size_t n = 0;

	if (event == NULL)
		return kafka_client_error(client, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
	if (rd_kafka_event_error((rd_kafka_event_t *)event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(client, rd_kafka_event_error((rd_kafka_event_t *)event), NULL, err);
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
		topics = rd_kafka_CreateTopics_result_topics(
			rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)event), &n);
	else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT)
		topics = rd_kafka_DeleteTopics_result_topics(
			rd_kafka_event_DeleteTopics_result((rd_kafka_event_t *)event), &n);
	return look_at(client, topics, n, err);
}

/* What is asked of the cluster: exactly one of the four. */
struct request {
	rd_kafka_NewTopic_t **create;
	rd_kafka_DeleteTopic_t **delete;
	rd_kafka_DeleteGroup_t *group;
	rd_kafka_ConfigResource_t *describe;
	size_t n;
};

static void send_request(rd_kafka_t *rk, const struct request *r, rd_kafka_AdminOptions_t *options,
			 rd_kafka_queue_t *queue)
{
	rd_kafka_DeleteGroup_t *group = r->group;
	rd_kafka_ConfigResource_t *describe = r->describe;

	if (r->create != NULL)
		rd_kafka_CreateTopics(rk, r->create, r->n, options, queue);
	else if (r->delete != NULL)
		rd_kafka_DeleteTopics(rk, r->delete, r->n, options, queue);
	else if (group != NULL)
		rd_kafka_DeleteGroups(rk, &group, 1, options, queue);
	else
		rd_kafka_DescribeConfigs(rk, &describe, 1, options, queue);
}

/* Every broker knows a topic's limit; the controller would be asked else, and the embedded broker has none. */
static void ask_any_broker(rd_kafka_t *rk, rd_kafka_AdminOptions_t *options, int timeout_ms)
{
	const struct rd_kafka_metadata *metadata;
	char why[200];

	if (rd_kafka_metadata(rk, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (metadata->broker_cnt > 0)
		rd_kafka_AdminOptions_set_broker(options, metadata->brokers[0].id, why, sizeof(why));
	rd_kafka_metadata_destroy(metadata);
}

/* The answer, which the caller destroys; NULL: none in time. */
static rd_kafka_event_t *ask_event(struct kafka_client *client, const struct request *request, int timeout_ms)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_ANY);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
	rd_kafka_event_t *event;
	char why[200];

	rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
	if (request->describe != NULL)
		ask_any_broker(client->rk, options, timeout_ms);
	send_request(client->rk, request, options, queue);
	event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
	rd_kafka_poll(client->rk, 0); /* error_cb: the cause */
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	return event;
}

static enum seal_status ask(struct kafka_client *client, const struct request *request, int timeout_ms,
			    struct seal_err *err)
{
	rd_kafka_event_t *event = ask_event(client, request, timeout_ms);
	enum seal_status rc = look_at_event(client, event, err);

	if (event != NULL)
		rd_kafka_event_destroy(event);
	return rc;
}

/* ---- a topic's limit ---- */

static bool find_limit(const rd_kafka_ConfigResource_t *topic, uint64_t *out)
{
	size_t n = 0;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &n);

	for (size_t i = 0; i < n; i++) {
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0)
			return value != NULL && bytes_to_u64(bytes_str(value), INT32_MAX, out);
	}
	return false;
}

bool kafka_client_topic_limit(struct kafka_client *client, const char *topic, int timeout_ms, uint64_t *max_bytes)
{
	struct request request = {.describe = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic)};
	rd_kafka_event_t *event = ask_event(client, &request, timeout_ms);
	const rd_kafka_ConfigResource_t **found = NULL;
	size_t n = 0;
	bool had = false;

	if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
		found = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	if (n == 1 && rd_kafka_ConfigResource_error(found[0]) == RD_KAFKA_RESP_ERR_NO_ERROR)
		had = find_limit(found[0], max_bytes);
	if (had) /* it counts the batch's frame, too */
		*max_bytes -= *max_bytes < BATCH_OVERHEAD ? *max_bytes : BATCH_OVERHEAD;
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(request.describe);
	return had;
}

/* ---- topics ---- */

static enum seal_status client_open(struct kafka_client *client, struct kafka_config *config, struct seal_err *err)
{
	const struct kafka_client_setup setup = {
		.role = KAFKA_PRODUCER, .config = config, .defaults = nothing, .fixed = nothing, .owner = client};

	kafka_client_init(client);
	return kafka_client_open(client, &setup, err);
}

static void client_close(struct kafka_client *client)
{
	kafka_client_close(client, 0);
	kafka_client_clear(client);
}

enum seal_status kafka_topics_create(struct kafka_config *config, const char *const *topics, int partitions,
				     int timeout_ms, struct seal_err *err)
{
	rd_kafka_NewTopic_t *all[TOPICS_AT_ONCE];
	struct request request = {.create = all};
	struct kafka_client client;
	char why[200];
	enum seal_status rc;

	SEAL_TRY(client_open(&client, config, err));
	for (; topics[request.n] != NULL; request.n++) {
		SEAL_INVARIANT(request.n < TOPICS_AT_ONCE);
		/* -1: as many replicas as the cluster makes by default */
		all[request.n] = rd_kafka_NewTopic_new(topics[request.n], partitions, -1, why, sizeof(why));
		if (all[request.n] == NULL) {
			err_place(err, "topic %s", topics[request.n]);
			rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s", why);
			goto out;
		}
	}
	SEAL_TRY(ask(&client, &request, timeout_ms, err));
out:
	rd_kafka_NewTopic_destroy_array(all, request.n);
	client_close(&client);
	return rc;
}

enum seal_status kafka_topics_delete(struct kafka_config *config, const char *const *topics, const char *group,
				     int timeout_ms, struct seal_err *err)
{
	rd_kafka_DeleteTopic_t *all[TOPICS_AT_ONCE];
	struct request request = {.delete = all}, of_group = {.group = rd_kafka_DeleteGroup_new(group), .n = 1};
	struct kafka_client client;
	enum seal_status rc;

	SEAL_TRY(client_open(&client, config, err));
	for (; topics[request.n] != NULL; request.n++) {
		SEAL_INVARIANT(request.n < TOPICS_AT_ONCE);
		all[request.n] = rd_kafka_DeleteTopic_new(topics[request.n]);
	}
	SEAL_TRY(ask(&client, &request, timeout_ms, err));
	SEAL_TRY(ask(&client, &of_group, timeout_ms, err)); /* "no such group" is in its result, which nobody needs */
out:
	rd_kafka_DeleteTopic_destroy_array(all, request.n);
	rd_kafka_DeleteGroup_destroy(of_group.group);
	client_close(&client);
	return rc;
}
