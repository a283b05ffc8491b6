/* A source that closes while librdkafka answers no more: the run ends all the same. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "streams/kafka/kafka.h"

static atomic_bool dead; /* librdkafka answers no more */
static atomic_uint stuck; /* threads that wait for it */

/* Stands before librdkafka's. */
rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t (*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_assign");
	if (atomic_load(&dead)) {
		atomic_fetch_add(&stuck, 1);
		for (;;)
			pause();
	}
	return real(rk, list);
}

static struct source *member_open(rd_kafka_mock_cluster_t *cluster)
{
	const struct kafka_source_options options = {
		.connection = {.brokers = rd_kafka_mock_cluster_bootstraps(cluster), .connect_timeout_ms = 60000},
		.group = "leaving",
		.partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	struct record records[10];
	struct batch batch = {.records = records, .cap = 10};
	enum read_result result = READ_IDLE;

	if (kafka_source_ops.open("left", &options, &source, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	while (source->ops->assignment(source, 0) == 0)
		assert_int_equal(source->ops->read(source, &batch, 10, 100, &result, &err), SEAL_OK);
	return source;
}

static void test_close_comes_back(void **state)
{
	rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
	struct source *source;

	assert_non_null(cluster);
	assert_int_equal(rd_kafka_mock_topic_create(cluster, "left", 2, 1), 0);
	source = member_open(cluster);
	atomic_store(&dead, true);
	source->ops->close(source, true);
	assert_int_equal(atomic_load(&stuck), 1);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
