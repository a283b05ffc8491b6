/*
 * Load for a copy of one topic into another, and how long it takes a record to arrive.
 *
 *   topic_load print N                                     N purchases of 314 bytes, each a line of standard output
 *   topic_load fill BROKERS TOPIC N                        N purchases of 314 bytes, as fast as they go
 *   topic_load latency BROKERS FROM TO RATE SECONDS        RATE purchases a second into FROM while TO is read (committed only);
 *                                                          prints milliseconds: p50 p99 max
 *
 * A record's key is the time when it was made (CLOCK_MONOTONIC, ns): every copy keeps keys. Latency is counted from there until
 * the reader of TO has it; what was made in the first WARM_MS does not count.
 */
#include "purchase.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_MS 3000
#define PATIENCE_MS 60000

struct reader {
	rd_kafka_t *consumer;
	rd_kafka_queue_t *queue;
	long long expected; /* records; known when all were sent */
	pthread_mutex_t lock; /* guards `expected` */
	long long since_ns; /* counts what was made later */
	double *ms;
	size_t n, cap;
};

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "topic_load: %s: %s\n", what, why);
	exit(1);
}

static void print(unsigned long long n)
{
	char text[BENCH_PURCHASE_LEN + 1];

	for (unsigned long long i = 0; i < n; i++) {
		bench_purchase(text, (unsigned)(i % 1000000));
		if (puts(text) == EOF)
			die("standard output", "cannot be written");
	}
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

static rd_kafka_t *open_producer(const char *brokers, const char *linger_ms)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", brokers);
	set(conf, "enable.idempotence", "true");
	set(conf, "linger.ms", linger_ms);
	set(conf, "queue.buffering.max.messages", "200000");
	return make(RD_KAFKA_PRODUCER, conf);
}

static void send_one(rd_kafka_t *rk, rd_kafka_topic_t *topic, unsigned long long n)
{
	char text[BENCH_PURCHASE_LEN + 1], key[32];
	int len = snprintf(key, sizeof(key), "%lld", now_ns());

	bench_purchase(text, (unsigned)(n % 1000000));
	while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, text, BENCH_PURCHASE_LEN, key,
				(size_t)len, NULL) != 0)
		rd_kafka_poll(rk, 10);
	rd_kafka_poll(rk, 0);
}

static void close_producer(rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
	if (rd_kafka_flush(rk, PATIENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("flush", "not all was delivered");
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
}

static void fill(const char *brokers, const char *name, unsigned long long n)
{
	rd_kafka_t *rk = open_producer(brokers, "20");
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);

	for (unsigned long long i = 0; i < n; i++)
		send_one(rk, topic, i);
	close_producer(rk, topic);
}

static int partitions_of(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *all;
	int n = 0;

	if (rd_kafka_metadata(rk, 1, NULL, &all, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die(topic, "no metadata");
	for (int i = 0; i < all->topic_cnt; i++)
		if (strcmp(all->topics[i].topic, topic) == 0)
			n = all->topics[i].partition_cnt;
	rd_kafka_metadata_destroy(all);
	return n;
}

static void open_reader(struct reader *reader, const char *brokers, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	set(conf, "bootstrap.servers", brokers);
	set(conf, "group.id", "topic_load");
	set(conf, "enable.auto.commit", "false");
	set(conf, "isolation.level", "read_committed");
	reader->consumer = make(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(reader->consumer);
	reader->queue = rd_kafka_queue_get_consumer(reader->consumer);
	for (int p = 0, n = partitions_of(reader->consumer, topic); p < n; p++)
		rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(reader->consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void arrived(struct reader *reader, const rd_kafka_message_t *m, long long now)
{
	char key[32] = "";
	long long made;

	if (m->key == NULL || m->key_len >= sizeof(key))
		die("record", "has no time as key");
	memcpy(key, m->key, m->key_len);
	made = strtoll(key, NULL, 10);
	if (made < reader->since_ns)
		return;
	if (reader->n == reader->cap)
		die("reader", "more records than were sent");
	reader->ms[reader->n++] = (double)(now - made) / 1e6;
}

static void *read_all(void *arg)
{
	static rd_kafka_message_t *messages[8192];
	struct reader *reader = arg;
	long long got = 0, expected = -1, last_ns = now_ns();

	while (expected < 0 || got < expected) {
		ssize_t n = rd_kafka_consume_batch_queue(reader->queue, 1, messages, 8192);
		long long now = now_ns();

		for (ssize_t i = 0; i < n; i++) {
			if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
				arrived(reader, messages[i], now);
				got++;
				last_ns = now;
			}
			rd_kafka_message_destroy(messages[i]);
		}
		if (now - last_ns > PATIENCE_MS * 1000000LL)
			die("reader", "nothing comes any more");
		pthread_mutex_lock(&reader->lock);
		expected = reader->expected;
		pthread_mutex_unlock(&reader->lock);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Every millisecond what is due by then. */
static void send_at_rate(const char *brokers, const char *name, long long rate, long long total)
{
	rd_kafka_t *rk = open_producer(brokers, "1");
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const struct timespec tick = {0, 1000000};
	long long began = now_ns(), sent = 0;

	while (sent < total) {
		for (long long due = (now_ns() - began) / 1000 * rate / 1000000; sent < due && sent < total; sent++)
			send_one(rk, topic, (unsigned long long)sent);
		nanosleep(&tick, NULL);
	}
	close_producer(rk, topic);
}

static void latency(char **argv)
{
	const long long rate = strtoll(argv[5], NULL, 10), total = rate * strtoll(argv[6], NULL, 10);
	struct reader reader = {.expected = -1, .since_ns = now_ns() + WARM_MS * 1000000LL, .cap = (size_t)total};
	pthread_t thread = 0;

	reader.ms = malloc(reader.cap * sizeof(*reader.ms));
	pthread_mutex_init(&reader.lock, NULL);
	open_reader(&reader, argv[2], argv[4]);
	if (reader.ms == NULL || pthread_create(&thread, NULL, read_all, &reader) != 0)
		die("reader", "cannot start");
	send_at_rate(argv[2], argv[3], rate, total);
	pthread_mutex_lock(&reader.lock);
	reader.expected = total;
	pthread_mutex_unlock(&reader.lock);
	pthread_join(thread, NULL);
	if (reader.n == 0)
		die("reader", "nothing came after the warm-up");
	qsort(reader.ms, reader.n, sizeof(*reader.ms), by_size);
	printf("%.1f %.1f %.1f\n", reader.ms[reader.n / 2], reader.ms[reader.n * 99 / 100], reader.ms[reader.n - 1]);
	rd_kafka_queue_destroy(reader.queue);
	rd_kafka_consumer_close(reader.consumer);
	rd_kafka_destroy(reader.consumer);
	pthread_mutex_destroy(&reader.lock);
	free(reader.ms);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "print") == 0)
		print(strtoull(argv[2], NULL, 10));
	else if (argc == 5 && strcmp(argv[1], "fill") == 0)
		fill(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	else if (argc == 7 && strcmp(argv[1], "latency") == 0)
		latency(argv);
	else
		die("usage", "print N | fill BROKERS TOPIC N | latency BROKERS FROM TO RATE SECONDS");
	return 0;
}
