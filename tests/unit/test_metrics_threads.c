/* Metrics: what is written of what was counted, in the text format; collectors; several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/metrics.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct metrics *metrics;
	struct seal_buf text;
};

static const char *written(struct fixture *f)
{
	buf_reset(&f->text);
	assert_int_equal(metrics_write(f->metrics, &f->text, NULL), SEAL_OK);
	assert_int_equal(buf_append_u8(&f->text, 0, NULL), SEAL_OK);
	return (const char *)f->text.ptr;
}

static void has(struct fixture *f, const char *line)
{
	const char *text = written(f), *at = strstr(text, line);

	if (at == NULL || (at > text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line '%s' in\n%s", line, text);
}

static struct metric *add(struct fixture *f, enum metric_type type, const char *name,
			  const struct metric_label *labels)
{
	struct metric *metric;

	assert_int_equal(metrics_add(f->metrics, type, name, "Help.", labels, &metric, NULL), SEAL_OK);
	return metric;
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){.text = BUF_INIT(1 << 20)};
	assert_int_equal(metrics_new(&f.metrics, NULL), SEAL_OK);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	metrics_free(f->metrics);
	buf_clear(&f->text);
	return 0;
}

static void families_are_written_whole(void **state)
{
	struct fixture *f = *state;
	struct metric *a = add(f, METRIC_COUNTER, "a_total", (struct metric_label[]){{"k", "1"}, {NULL, NULL}});
	struct metric *gauge = add(f, METRIC_GAUGE, "b_bytes", NULL);
	struct metric *a2 = add(f, METRIC_COUNTER, "a_total",
				(struct metric_label[]){{"k", "a\"b\\c\nd"}, {"l", ""}, {NULL, NULL}});

	metric_count(a, 1);
	metric_count(a, 41);
	metric_count(a2, UINT64_MAX);
	metric_set(gauge, 0.1);
	assert_string_equal(written(f), "# HELP a_total Help.\n"
					"# TYPE a_total counter\n"
					"a_total{k=\"1\"} 42\n"
					"a_total{k=\"a\\\"b\\\\c\\nd\",l=\"\"} 18446744073709551615\n"
					"# HELP b_bytes Help.\n"
					"# TYPE b_bytes gauge\n"
					"b_bytes 0.1\n");
	metric_set(gauge, -3);
	has(f, "b_bytes -3");
}

static void histograms_are_cumulative(void **state)
{
	struct fixture *f = *state;
	struct metric *h = add(f, METRIC_HISTOGRAM, "h_seconds", (struct metric_label[]){{"op", "x"}, {NULL, NULL}});

	has(f, "h_seconds_bucket{op=\"x\",le=\"+Inf\"} 0");
	metric_observe(h, 0);
	metric_observe(h, MS / 2); /* a bucket holds its bound */
	metric_observe(h, MS / 2 + 1);
	metric_observe(h, 30000 * MS);
	metric_observe(h, 30000 * MS + 1);
	has(f, "h_seconds_bucket{op=\"x\",le=\"0.0005\"} 2");
	has(f, "h_seconds_bucket{op=\"x\",le=\"0.001\"} 3");
	has(f, "h_seconds_bucket{op=\"x\",le=\"10\"} 3");
	has(f, "h_seconds_bucket{op=\"x\",le=\"30\"} 4");
	has(f, "h_seconds_bucket{op=\"x\",le=\"+Inf\"} 5");
	has(f, "h_seconds_count{op=\"x\"} 5");
	has(f, "h_seconds_sum{op=\"x\"} 60.001000002");
}

static void who_has_no_metric_counts_nothing(void **state)
{
	metric_count(NULL, 1);
	metric_set(NULL, 1);
	metric_observe(NULL, 1);
}

static void collect(void *arg, struct metrics_page *page)
{
	const double *value = arg;

	metrics_family(page, METRIC_SUMMARY, "c_seconds", "Of a collector.");
	metrics_sample(page, "_sum", NULL, *value);
	metrics_sample_count(page, "_count", (struct metric_label[]){{"x", "y"}, {NULL, NULL}}, 7);
}

static void collectors_are_asked_while_they_are_there(void **state)
{
	struct fixture *f = *state;
	double first = 1.5, second = 3;
	struct metrics_collector one = {.collect = collect, .arg = &first},
				 two = {.collect = collect, .arg = &second};

	metrics_collector_add(f->metrics, &one);
	has(f, "c_seconds_sum 1.5");
	has(f, "c_seconds_count{x=\"y\"} 7");
	first = 2.5;
	has(f, "c_seconds_sum 2.5");
	metrics_collector_add(f->metrics, &two);
	metrics_collector_remove(f->metrics, &two);
	metrics_collector_add(f->metrics, &two); /* the list's end is where it was */
	has(f, "c_seconds_sum 3");
	metrics_collector_remove(f->metrics, &one);
	assert_null(strstr(written(f), "2.5"));
	metrics_collector_remove(f->metrics, &two);
	assert_string_equal(written(f), "");
}

static double value_of(struct fixture *f, const char *name)
{
	const char *at = written(f);

	for (; at != NULL && *at != '\0'; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == ' ')
			return strtod(at + strlen(name), NULL);
	fail_msg("no %s", name);
	return 0;
}

static void the_process_tells_of_itself(void **state)
{
	struct fixture *f = *state;
	struct metrics_collector process = {.collect = metrics_collect_process};
	FILE *file;
	double before;

	metrics_collector_add(f->metrics, &process);
	assert_true(value_of(f, "process_cpu_seconds_total") >= 0);
	assert_true(value_of(f, "process_resident_memory_bytes") > 100e3);
	assert_true(value_of(f, "process_virtual_memory_bytes") > value_of(f, "process_resident_memory_bytes"));
	assert_true(value_of(f, "process_threads") >= 1 && value_of(f, "process_threads") < 100);
	assert_true(value_of(f, "process_start_time_seconds") > 1.6e9);
	assert_true(value_of(f, "process_start_time_seconds") <= (double)time(NULL) + 1);
	before = value_of(f, "process_open_fds");
	file = fopen("/dev/null", "r");
	assert_non_null(file);
	assert_true(value_of(f, "process_open_fds") == before + 1);
	assert_true(value_of(f, "process_max_fds") > before);
	fclose(file);
	metrics_collector_remove(f->metrics, &process);
}

static size_t allowed;

static bool allow(void *arg, size_t size)
{
	return allowed > 0 && allowed-- > 0;
}

static void without_memory_nothing_is_half_there(void **state)
{
	const struct metric_label labels[] = {{"k", "v"}, {NULL, NULL}};
	struct metrics *metrics = NULL;
	struct metric *metric = NULL;

	for (size_t n = 0; metric == NULL; n++) {
		struct seal_buf text = BUF_INIT(1 << 16);
		enum seal_status rc;

		allowed = n;
		mem_set_hook(allow, NULL);
		rc = metrics_new(&metrics, NULL);
		if (rc == SEAL_OK)
			rc = metrics_add(metrics, METRIC_COUNTER, "a_total", "Help.", labels, &metric, NULL);
		if (rc == SEAL_OK)
			rc = metrics_write(metrics, &text, NULL);
		mem_set_hook(NULL, NULL);
		if (rc != SEAL_OK) {
			assert_int_equal(rc, SEAL_FATAL);
			metric = NULL;
		}
		metrics_free(metrics);
		buf_clear(&text);
		assert_true(n < 100);
	}
}

#define THREADS 4
#define ROUNDS 2000

struct counters {
	struct metric *counter, *histogram;
};

static void *count(void *arg)
{
	const struct counters *c = arg;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		metric_count(c->counter, 1);
		metric_observe(c->histogram, i * MS);
	}
	return NULL;
}

static void threads_count_while_it_is_written(void **state)
{
	struct fixture *f = *state;
	struct counters c = {add(f, METRIC_COUNTER, "n_total", NULL), add(f, METRIC_HISTOGRAM, "t_seconds", NULL)};
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, &c), 0);
	while (value_of(f, "n_total") < ROUNDS)
		assert_true(value_of(f, "t_seconds_count") <= THREADS * ROUNDS);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(value_of(f, "n_total") == THREADS * ROUNDS);
	assert_true(value_of(f, "t_seconds_count") == THREADS * ROUNDS);
	has(f, "t_seconds_bucket{le=\"1\"} 4004");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(families_are_written_whole),	 TEST(histograms_are_cumulative),
		TEST(who_has_no_metric_counts_nothing),	 TEST(collectors_are_asked_while_they_are_there),
		TEST(the_process_tells_of_itself),	 cmocka_unit_test(without_memory_nothing_is_half_there),
		TEST(threads_count_while_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
