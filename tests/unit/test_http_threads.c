/* http: workers in several threads share a client, its breaker and its rate. Runs under ThreadSanitizer. */
#include "http_fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 25, SIDE_BY_SIDE = 6 };

struct job {
	pthread_t thread;
	struct http_client *client;
	unsigned number;
	unsigned good, away; /* answers 200; all else */
};

/* Each exchange must get its own answer: the body names thread and number. */
static void count(struct job *job, const struct http_exchange *ex)
{
	if (ex->status == 200 && bytes_eq(buf_bytes(&ex->answer), ex->body))
		job->good++;
	else if (ex->status == 503 || (ex->status == 0 && ex->err.status == SEAL_RETRY))
		job->away++;
}

static void *work(void *arg)
{
	char bodies[SIDE_BY_SIDE][32];
	struct http_exchange ex[SIDE_BY_SIDE] = {0}, *next;
	struct http_worker *worker;
	struct job *job = arg;

	if (http_worker_new(job->client, &worker, NULL) != SEAL_OK)
		return NULL;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SIDE_BY_SIDE; i++) {
			snprintf(bodies[i], sizeof(bodies[i]), "%u %d %d", job->number, round, i);
			ex[i].method = "POST";
			ex[i].path = "/x";
			ex[i].body = bytes_str(bodies[i]);
			if (http_start(worker, &ex[i], clock_mono_ms() + 60000, NULL) != SEAL_OK)
				return NULL;
		}
		if (round % 5 == 4) /* now and then all is given up */
			http_drop(worker);
		while ((next = http_next(worker)) != NULL)
			count(job, next);
		if (job->away > 0)
			usleep(30000); /* the breaker's pause goes by in the middle of it */
	}
	for (int i = 0; i < SIDE_BY_SIDE; i++)
		http_exchange_clear(&ex[i]);
	http_worker_free(worker);
	return NULL;
}

static void run_all(struct http_client *client, unsigned *good, unsigned *away)
{
	struct job jobs[THREADS] = {0};

	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i].client = client;
		jobs[i].number = i;
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
	}
	*good = *away = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(jobs[i].thread, NULL);
		*good += jobs[i].good;
		*away += jobs[i].away;
	}
}

static bool echoes(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->body);
}

static void each_its_own_answer(void **state)
{
	struct http_client *client;
	struct test_server s;
	unsigned good, away;

	test_server_start(&s, echoes, NULL);
	assert_int_equal(http_client_new(&(struct http_config){.base = s.url, .connections = 3, .rate = 100000},
					 &client, NULL),
			 SEAL_OK);
	run_all(client, &good, &away);
	assert_int_equal(good, THREADS * SIDE_BY_SIDE * ROUNDS / 5 * 4);
	assert_int_equal(away, 0);
	http_client_free(client);
	test_server_stop(&s);
}

/* Every third request finds the server busy: the breaker opens and closes under all of them. */
static bool moody(struct test_server *s, int fd, const struct test_request *r)
{
	return r->number % 3 == 0 ? test_reply(fd, 503, "", "busy") : test_reply(fd, 200, "", r->body);
}

static void breaker_under_all(void **state)
{
	struct http_client *client;
	struct test_server s;
	unsigned good, away;

	test_server_start(&s, moody, NULL);
	assert_int_equal(
		http_client_new(&(struct http_config){.base = s.url, .breaker_failures = 1, .connections = 2},
				&client, NULL),
		SEAL_OK);
	run_all(client, &good, &away);
	assert_int_equal(good + away, THREADS * SIDE_BY_SIDE * ROUNDS / 5 * 4);
	assert_true(away > 0);
	assert_true(atomic_load(&s.requests) < THREADS * SIDE_BY_SIDE * ROUNDS); /* the breaker kept some away */
	http_client_free(client);
	test_server_stop(&s);
}

/* ---- a worker that is stopped ---- */

/* Until the client goes. */
static bool silent(struct test_server *s, int fd, const struct test_request *r)
{
	while (!atomic_load(&s->stop) && recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		usleep(1000);
	return false;
}

static void *stop_worker(void *arg)
{
	usleep(20000); /* whatever the worker is about by then */
	http_worker_stop(arg);
	return NULL;
}

/* What is under way comes back at once, and so does what is started later. */
static void stopped_by_another_thread(void **state)
{
	struct http_exchange ex[3] = {0}, *next;
	const uint64_t began = clock_mono_ms();
	struct http_worker *worker;
	struct http_client *client;
	struct test_server s;
	pthread_t thread;

	test_server_start(&s, silent, NULL);
	assert_int_equal(
		http_client_new(&(struct http_config){.base = s.url, .connections = 1, .retries = 9}, &client, NULL),
		SEAL_OK);
	assert_int_equal(http_worker_new(client, &worker, NULL), SEAL_OK);
	for (int i = 0; i < 3; i++) {
		ex[i].method = "GET";
		ex[i].path = "/x";
		if (i < 2) /* the second waits for the connection of the first */
			assert_int_equal(http_start(worker, &ex[i], clock_mono_ms() + 60000, NULL), SEAL_OK);
	}
	assert_int_equal(pthread_create(&thread, NULL, stop_worker, worker), 0);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			assert_int_equal(http_start(worker, &ex[i], clock_mono_ms() + 60000, NULL), SEAL_OK);
		next = http_next(worker);
		assert_non_null(next);
		assert_int_equal(next->status, 0);
		assert_int_equal(next->err.status, SEAL_RETRY);
		assert_non_null(strstr(next->err.text, "as the run ends"));
		http_exchange_clear(next);
	}
	assert_true(clock_mono_ms() - began < 30000);
	pthread_join(thread, NULL);
	http_worker_free(worker);
	http_client_free(client);
	test_server_stop(&s);
}

/* The first clients of a process, made at once: libcurl starts once. */
static void *make_client(void *arg)
{
	struct http_client *client = NULL;

	if (http_client_new(&(struct http_config){.base = "http://127.0.0.1:1"}, &client, NULL) == SEAL_OK)
		atomic_fetch_add((atomic_uint *)arg, 1);
	http_client_free(client);
	return NULL;
}

static void started_once(void **state)
{
	pthread_t threads[8];
	atomic_uint made = 0;

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_client, &made), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&made), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(started_once),
		cmocka_unit_test(each_its_own_answer),
		cmocka_unit_test(breaker_under_all),
		cmocka_unit_test(stopped_by_another_thread),
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
