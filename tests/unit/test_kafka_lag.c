/* What is read of librdkafka's statistics: the lag of partitions that are ours, and whether a broker is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "streams/kafka/source.h"

#define PARTS 5
#define BROKERS(state)                                                                                               \
	"\"brokers\":{\"h:1/1\":{\"name\":\"h:1/1\",\"state\":\"" state "\",\"toppars\":{\"x\":{\"topic\":\"x\"}}}}"
#define TOPICS(partitions) "\"topics\":{\"purchases\":{\"topic\":\"purchases\",\"partitions\":{" partitions "}}}"
#define OFFSETS(app, next, high, stable)                                                                             \
	"{\"query_offset\":1,\"next_offset\":" #next ",\"app_offset\":" #app ",\"hi_offset\":" #high                 \
	",\"ls_offset\":" #stable ",\"consumer_lag\":99}"

static char topic[] = "purchases";

static int setup(void **state)
{
	static struct part parts[PARTS];
	static struct kafka_source s;

	s = (struct kafka_source){.topic = topic, .parts = parts, .n_parts = PARTS};
	for (size_t i = 0; i < PARTS; i++)
		parts[i] = (struct part){.mine = i != 1, .lag = -1};
	pthread_mutex_init(&s.lock, NULL);
	kafka_client_init(&s.client);
	s.base.ops = &kafka_source_ops;
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct kafka_source *s = *state;

	kafka_client_clear(&s->client);
	pthread_mutex_destroy(&s->lock);
	return 0;
}

static void take(struct kafka_source *s, const char *json)
{
	kafka_source_take_statistics(s, bytes_str(json));
}

static void lag_is_what_has_not_been_read(void **state)
{
	struct kafka_source *s = *state;
	struct source_lag rows[PARTS];

	take(s, "{\"name\":\"x\",\"ts\":1," BROKERS("UP") "," TOPICS(
			"\"0\":" OFFSETS(7, 9, 12, 10) ",\"1\":" OFFSETS(1, 1, 5, 5) ",\"2\":" OFFSETS(
				-1001, 4, 20,
				-1001) ","
				       "\"3\":" OFFSETS(-1001, -1001, 20, 20) ",\"4\":" OFFSETS(
					       8, 8, 5, 5) ",\"-1\":" OFFSETS(0, 0, 9,
									      9)) ",\"cgrp\":{\"state\":\"up\"}}\n");
	assert_int_equal(kafka_source_lag(&s->base, rows, PARTS), 4);
	assert_int_equal(rows[0].partition, 0);
	assert_int_equal(rows[0].records, 3); /* to what is committed, from what was read */
	assert_int_equal(rows[1].partition, 2); /* 1 is another's */
	assert_int_equal(rows[1].records, 16); /* nothing was read yet, and the broker tells no stable offset */
	assert_int_equal(rows[2].partition, 3);
	assert_int_equal(rows[2].records, -1);
	assert_int_equal(rows[3].records, 0); /* read further than it has heard */
}

static void other_topics_and_names_are_none_of_its_own(void **state)
{
	struct kafka_source *s = *state;
	struct source_lag row;

	take(s, "{\"topics\":{\"others\":{\"partitions\":{\"0\":" OFFSETS(
			1, 1, 9, 9) "}}},\"x\":{\"purchases\":{\"partitions\":"
				    "{\"0\":" OFFSETS(1, 1, 9, 9) "}}}}");
	take(s, "{\"topics\":{\"purchases\":{\"partitions\":{\"0\":{\"deeper\":" OFFSETS(1, 1, 9, 9) "}}}}}");
	take(s, "{\"topics\":{\"purchases\":{\"partitions\":{\"4000000000\":" OFFSETS(1, 1, 9, 9) ",\"77\":" OFFSETS(
			1, 1, 9, 9) "}}}}");
	assert_int_equal(kafka_source_lag(&s->base, &row, 1), 4); /* one row of four */
	assert_int_equal(row.records, -1);
}

static void what_is_no_json_changes_nothing(void **state)
{
	static const char cut[] =
		"{\"topics\":{\"purchases\":{\"partitions\":{\"0\":{\"hi_offset\":9,\"app_offset\":1}}}";
	static const char *const texts[] = {"", "{", cut, "null", "[]", "{}"};
	struct kafka_source *s = *state;
	struct source_lag row;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		take(s, texts[i]);
	kafka_source_lag(&s->base, &row, 1);
	assert_int_equal(row.records, -1);
}

static void a_broker_that_is_connected_ends_being_away(void **state)
{
	struct kafka_source *s = *state;

	s->client.away = true;
	take(s, "{" BROKERS("DOWN") ",\"cgrp\":{\"state\":\"UP\"},\"state\":\"UP\"}");
	assert_true(kafka_source_away(&s->base));
	take(s, "{" BROKERS("UP") "}");
	assert_false(kafka_source_away(&s->base));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lag_is_what_has_not_been_read),
		TEST(other_topics_and_names_are_none_of_its_own),
		TEST(what_is_no_json_changes_nothing),
		TEST(a_broker_that_is_connected_ends_being_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
