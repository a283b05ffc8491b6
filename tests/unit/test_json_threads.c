/* json: compiled paths are shared by threads, and the back end is chosen by whoever comes first. */
#include "json_help.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 2000

static const char doc[] =
	"{\"a\":1,\"list\":[{\"note\":\"x\"},{\"note\":\"\\u00e9\"}],\"deep\":{\"er\":{\"note\":null}}}";

struct worker {
	const struct json_paths *paths;
	pthread_barrier_t *start;
	size_t hits, steps;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct json_scan scan = JSON_SCAN_INIT;

	pthread_barrier_wait(w->start);
	for (int i = 0; i < ROUNDS; i++) {
		if (json_scan(w->paths, bytes_str(doc), &scan, NULL) != SEAL_OK)
			break;
		w->hits += scan.n_hits;
		w->steps += scan.n_steps;
	}
	json_scan_clear(&scan);
	return NULL;
}

/* No other test runs before, so the threads choose the back end. */
static void paths_are_shared(void **state)
{
	static const char *const texts[] = {"$.a", "$..note", NULL};
	struct json_paths *paths = paths_of(texts);
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.paths = paths, .start = &start};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].hits, 4 * ROUNDS);
		assert_int_equal(workers[i].steps, 9 * ROUNDS);
	}
	pthread_barrier_destroy(&start);
	json_paths_free(paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
