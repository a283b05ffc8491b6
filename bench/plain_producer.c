/*
 * What a user would write to move a file over Kafka: reads it in blocks and produces each as one record, with the guarantees that
 * `file send` gives (idempotent, acks=all), but without encryption, journal or names.
 *
 *   plain_producer BROKERS TOPIC BLOCK-SIZE FILE      all records have one key, as the records of one file do
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_FLIGHT "32768" /* KiB: what `file send` takes, about */

static int failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		failed = 1;
}

static rd_kafka_t *open_producer(const char *brokers, const char *block_size)
{
	char why[300], record_max[32];
	const char *settings[][2] = {{"bootstrap.servers", brokers},
				     {"enable.idempotence", "true"},
				     {"linger.ms", "10"},
				     {"queue.buffering.max.kbytes", IN_FLIGHT},
				     {"message.max.bytes", record_max},
				     {"partitioner", "murmur2_random"}};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	long size = strtol(block_size, NULL, 10) + 1024;

	snprintf(record_max, sizeof(record_max), "%ld", size > 1000000 ? size : 1000000);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
			fprintf(stderr, "%s\n", why);
			exit(1);
		}
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
}

static void produce_all(rd_kafka_t *rk, const char *topic, FILE *file, size_t block_size)
{
	char *block = malloc(block_size);
	size_t n;

	while (block != NULL && !failed && (n = fread(block, 1, block_size, file)) > 0) {
		while (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY("one", 3),
					 RD_KAFKA_V_VALUE(block, n), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(rk, 100);
		rd_kafka_poll(rk, 0);
	}
	failed |= ferror(file) || block == NULL;
	free(block);
}

int main(int argc, char **argv)
{
	rd_kafka_t *rk = argc == 5 ? open_producer(argv[1], argv[3]) : NULL;
	FILE *file = rk ? fopen(argv[4], "rb") : NULL;

	if (file == NULL) {
		fprintf(stderr, "plain_producer BROKERS TOPIC BLOCK-SIZE FILE\n");
		return 1;
	}
	produce_all(rk, argv[2], file, (size_t)strtol(argv[3], NULL, 10));
	failed |= rd_kafka_flush(rk, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_destroy(rk);
	fclose(file);
	return failed;
}
