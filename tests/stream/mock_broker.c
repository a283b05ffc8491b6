/*
 * librdkafka's mock cluster as a process of its own, for tests of whole programs.
 *
 *   stdout   one line: its address
 *   stdin    commands, one a line, each answered by "ok": topic NAME PARTITIONS, errors API CODE COUNT (numbers of the
 *            Kafka protocol), clear API, topic-error NAME CODE, down, up, rtt MS. Ends at the end of stdin.
 *            One is answered by a number: committed GROUP TOPIC PARTITIONS, the sum of the group's offsets.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

static void push_errors(rd_kafka_mock_cluster_t *cluster, int api, int code, int count)
{
	while (count-- > 0)
		rd_kafka_mock_push_request_errors(cluster, (int16_t)api, 1, (rd_kafka_resp_err_t)code);
}

static int obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char name[200];
	int a, b, c;

	if (sscanf(line, "topic %199s %d", name, &a) == 2)
		return rd_kafka_mock_topic_create(cluster, name, a, 1);
	if (sscanf(line, "topic-error %199s %d", name, &a) == 2)
		rd_kafka_mock_topic_set_error(cluster, name, (rd_kafka_resp_err_t)a);
	else if (sscanf(line, "errors %d %d %d", &a, &b, &c) == 3)
		push_errors(cluster, a, b, c);
	else if (sscanf(line, "clear %d", &a) == 1)
		rd_kafka_mock_clear_request_errors(cluster, (int16_t)a);
	else if (strcmp(line, "down\n") == 0)
		return rd_kafka_mock_broker_set_down(cluster, 1);
	else if (strcmp(line, "up\n") == 0)
		return rd_kafka_mock_broker_set_up(cluster, 1);
	else if (sscanf(line, "rtt %d", &a) == 1)
		return rd_kafka_mock_broker_set_rtt(cluster, 1, a);
	else
		return -1;
	return 0;
}

static long committed(rd_kafka_mock_cluster_t *cluster, const char *group, const char *topic, int partitions)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	long sum = -1;

	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), NULL, 0);
	rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	if (rk == NULL)
		rd_kafka_conf_destroy(conf);
	rd_kafka_topic_partition_list_add_range(list, topic, 0, partitions - 1);
	if (rk != NULL && rd_kafka_committed(rk, list, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		sum = 0;
		for (int i = 0; i < list->cnt; i++)
			sum += list->elems[i].offset > 0 ? (long)list->elems[i].offset : 0;
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (rk != NULL)
		rd_kafka_destroy(rk);
	return sum;
}

int main(void)
{
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	rd_kafka_mock_cluster_t *cluster = rk ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
	char line[300], group[100], topic[100];
	int partitions;

	if (cluster == NULL)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "committed %99s %99s %d", group, topic, &partitions) == 3)
			printf("%ld\n", committed(cluster, group, topic, partitions));
		else
			printf("%s\n", obey(cluster, line) == 0 ? "ok" : "no");
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
