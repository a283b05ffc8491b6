/*
 * What a user would write to copy one topic into another, exactly once: consume a batch, produce each record as it is, and every
 * 100 ms (or 50,000 records, or 16 MiB) commit the transaction with the offsets in it. The measure of what `pump` costs on top,
 * with the same settings of both clients and the same transactions.
 *
 *   plain_copy BROKERS FROM TO GROUP exactly-once|at-least-once whole|bare N      ends after N records; 0: with SIGTERM
 *
 * whole: key, value, headers and timestamp, as `pump` keeps them; bare: key and value only, the cheapest copy that there is.
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 8192
#define PARTITIONS_MAX 256
#define CUT_MS 100
#define CUT_RECORDS 50000
#define CUT_BYTES (16u << 20)
#define ANSWER_MS 60000

struct copy {
	rd_kafka_t *consumer, *producer;
	rd_kafka_queue_t *queue;
	rd_kafka_topic_t *to;
	const char *from;
	bool transactional, whole;
	int64_t next[PARTITIONS_MAX]; /* offsets to commit; 0: nothing new */
	bool open; /* something was produced since the last cut */
	long long began_ms, records, bytes; /* since the last cut */
};

static volatile sig_atomic_t stopped;
static int undelivered;

static void stop(int number)
{
	stopped = number;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "plain_copy: %s: %s\n", what, why);
	exit(1);
}

static void check(rd_kafka_error_t *error, const char *what)
{
	if (error != NULL)
		die(what, rd_kafka_error_string(error));
}

static void check_code(rd_kafka_resp_err_t code, const char *what)
{
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		die(what, rd_kafka_err2str(code));
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	undelivered += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[300];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die(name, why);
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[300];
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));

	if (rk == NULL)
		die("librdkafka", why);
	return rk;
}

static void open_consumer(struct copy *c, const char *brokers, const char *group)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", brokers);
	set(conf, "group.id", group);
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "enable.auto.commit", "false");
	set(conf, "enable.auto.offset.store", "false");
	set(conf, "isolation.level", "read_committed");
	set(conf, "queued.min.messages", "100000");
	set(conf, "queued.max.messages.kbytes", "32768");
	set(conf, "fetch.message.max.bytes", "4194304");
	set(conf, "fetch.wait.max.ms", "100");
	c->consumer = make(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(c->consumer);
	c->queue = rd_kafka_queue_get_consumer(c->consumer);
	rd_kafka_topic_partition_list_add(topics, c->from, RD_KAFKA_PARTITION_UA);
	check_code(rd_kafka_subscribe(c->consumer, topics), "subscribe");
	rd_kafka_topic_partition_list_destroy(topics);
}

static void open_producer(struct copy *c, const char *brokers, const char *group, const char *to)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", brokers);
	set(conf, "enable.idempotence", "true");
	set(conf, "linger.ms", "10");
	set(conf, "partitioner", "murmur2_random");
	set(conf, "queue.buffering.max.messages", "1000000");
	set(conf, "queue.buffering.max.kbytes", "1048576");
	if (c->transactional)
		set(conf, "transactional.id", group); /* a record that fails fails its transaction */
	else
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	c->producer = make(RD_KAFKA_PRODUCER, conf);
	c->to = rd_kafka_topic_new(c->producer, to, NULL);
	if (c->transactional)
		check(rd_kafka_init_transactions(c->producer, ANSWER_MS), "init_transactions");
}

static void begin(struct copy *c)
{
	if (c->open)
		return;
	if (c->transactional)
		check(rd_kafka_begin_transaction(c->producer), "begin_transaction");
	c->open = true;
	c->began_ms = now_ms();
	c->records = c->bytes = 0;
}

static rd_kafka_resp_err_t copy_bare(struct copy *c, const rd_kafka_message_t *m)
{
	if (rd_kafka_produce(c->to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, m->payload, m->len, m->key,
			     m->key_len, NULL) == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	return rd_kafka_last_error();
}

static rd_kafka_resp_err_t copy_whole(struct copy *c, const rd_kafka_message_t *m)
{
	const int64_t made = rd_kafka_message_timestamp(m, NULL);
	rd_kafka_headers_t *headers = NULL, *own = NULL;
	rd_kafka_resp_err_t code;

	if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		own = rd_kafka_headers_copy(headers);
	code = rd_kafka_producev(c->producer, RD_KAFKA_V_RKT(c->to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				 RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(m->payload, m->len),
				 RD_KAFKA_V_TIMESTAMP(made), RD_KAFKA_V_HEADERS(own), RD_KAFKA_V_END);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && own != NULL)
		rd_kafka_headers_destroy(own);
	return code;
}

static void copy_one(struct copy *c, const rd_kafka_message_t *m)
{
	rd_kafka_resp_err_t code;

	while ((code = c->whole ? copy_whole(c, m) : copy_bare(c, m)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(c->producer, 10);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("produce", rd_kafka_err2str(code));
	if (m->partition >= PARTITIONS_MAX)
		die("partitions", "too many");
	c->next[m->partition] = m->offset + 1;
	c->records++;
	c->bytes += (long long)m->len;
}

static void commit(struct copy *c)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
	rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(c->consumer);

	for (int p = 0; p < PARTITIONS_MAX; p++)
		if (c->next[p] > 0) {
			rd_kafka_topic_partition_list_add(offsets, c->from, p)->offset = c->next[p];
			c->next[p] = 0;
		}
	if (c->transactional) {
		check(rd_kafka_send_offsets_to_transaction(c->producer, offsets, group, ANSWER_MS), "send_offsets");
		check(rd_kafka_commit_transaction(c->producer, ANSWER_MS), "commit_transaction");
	} else {
		check_code(rd_kafka_flush(c->producer, ANSWER_MS), "flush");
		if (undelivered > 0)
			die("produce", "not all was delivered");
		check_code(rd_kafka_commit(c->consumer, offsets, 0), "commit");
	}
	rd_kafka_consumer_group_metadata_destroy(group);
	rd_kafka_topic_partition_list_destroy(offsets);
	c->open = false;
}

static int wait_ms(const struct copy *c)
{
	long long age = c->open ? now_ms() - c->began_ms : 0;

	return age < CUT_MS ? (int)(CUT_MS - age) : 0;
}

static bool is_due(const struct copy *c)
{
	return c->open && (c->records >= CUT_RECORDS || c->bytes >= CUT_BYTES || now_ms() - c->began_ms >= CUT_MS);
}

static void copy_all(struct copy *c, long long limit)
{
	static rd_kafka_message_t *messages[BATCH];
	long long copied = 0;

	while (!stopped && (limit == 0 || copied < limit)) {
		ssize_t n = rd_kafka_consume_batch_queue(c->queue, wait_ms(c), messages, BATCH);

		for (ssize_t i = 0; i < n; i++) {
			if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR && (limit == 0 || copied < limit)) {
				begin(c);
				copy_one(c, messages[i]);
				copied++;
			}
			rd_kafka_message_destroy(messages[i]);
		}
		rd_kafka_poll(c->producer, 0);
		if (is_due(c))
			commit(c);
	}
	if (c->open)
		commit(c);
}

int main(int argc, char **argv)
{
	static struct copy c;

	if (argc != 8) {
		fprintf(stderr, "plain_copy BROKERS FROM TO GROUP exactly-once|at-least-once whole|bare N\n");
		return 1;
	}
	signal(SIGTERM, stop);
	c.from = argv[2];
	c.transactional = strcmp(argv[5], "exactly-once") == 0;
	c.whole = strcmp(argv[6], "whole") == 0;
	open_producer(&c, argv[1], argv[4], argv[3]);
	open_consumer(&c, argv[1], argv[4]);
	copy_all(&c, strtoll(argv[7], NULL, 10));
	rd_kafka_queue_destroy(c.queue);
	rd_kafka_consumer_close(c.consumer);
	rd_kafka_destroy(c.consumer);
	rd_kafka_topic_destroy(c.to);
	rd_kafka_destroy(c.producer);
	return 0;
}
