/* http: what spares a server that is away, and one that wants few requests a second. */
#include "http_fixture.h"

#include <unistd.h>

static void nap(unsigned ms)
{
	usleep(ms * 1000);
}

/* Its pause is 500 ms. A round in which the machine takes as long between two requests says nothing, and there is another one. */
static void try_rounds(bool (*round)(void))
{
	for (int i = 0; !round(); i++)
		assert_true(i < 50);
}

static bool is_in_the_pause(uint64_t opened_ms)
{
	return clock_mono_ms() - opened_ms < 450;
}

static bool spare_round(void)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	uint64_t opened_ms;
	unsigned status;
	struct test_server s;
	struct fixture f;
	bool counts;

	test_server_start(&s, in_turn, (void *)(const unsigned[]){503, 502, 504, 200, 0});
	open_client(&f, &(struct http_config){.base = s.url, .breaker_failures = 3});
	assert_int_equal(run(&f, &ex), 503);
	assert_int_equal(run(&f, &ex), 502);
	opened_ms = clock_mono_ms();
	assert_int_equal(run(&f, &ex), 504);
	status = run(&f, &ex);
	counts = is_in_the_pause(opened_ms);
	if (counts) {
		assert_int_equal(status, 0);
		assert_int_equal(ex.err.status, SEAL_RETRY);
		assert_int_equal(ex.err.code, SEAL_E_SERVICE);
		assert_non_null(strstr(ex.err.text, "the last tries all failed (answer 504)"));
		assert_int_equal(ex.tries, 0);
		assert_int_equal(atomic_load(&s.requests), 3);
		nap(550);
		assert_int_equal(run(&f, &ex), 200);
		assert_int_equal(run(&f, &ex), 200);
	}
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
	return counts;
}

static void breaker_spares_the_server(void **state)
{
	try_rounds(spare_round);
}

static unsigned run_on(struct http_worker *worker, struct http_exchange *ex)
{
	assert_int_equal(http_start(worker, ex, clock_mono_ms() + 60000, NULL), SEAL_OK);
	assert_ptr_equal(http_next(worker), ex);
	return ex->status;
}

static bool share_round(void)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct http_worker *other;
	uint64_t opened_ms;
	unsigned status;
	struct test_server s;
	struct fixture f;
	bool counts;

	test_server_start(&s, in_turn, (void *)(const unsigned[]){503, 200, 0});
	open_client(&f, &(struct http_config){.base = s.url, .breaker_failures = 1});
	assert_int_equal(http_worker_new(f.client, &other, NULL), SEAL_OK);
	opened_ms = clock_mono_ms();
	assert_int_equal(run(&f, &ex), 503);
	status = run_on(other, &ex);
	counts = is_in_the_pause(opened_ms);
	if (counts) {
		assert_int_equal(status, 0);
		nap(550);
		assert_int_equal(run(&f, &ex), 200);
		assert_int_equal(run_on(other, &ex), 200);
	}
	http_exchange_clear(&ex);
	http_worker_free(other);
	close_client(&f);
	test_server_stop(&s);
	return counts;
}

/* One worker's failures open it for all; its probe closes it for all. */
static void breaker_is_shared(void **state)
{
	try_rounds(share_round);
}

static bool in_turn_slowly(struct test_server *s, int fd, const struct test_request *r)
{
	nap(50);
	return in_turn(s, fd, r);
}

/* What a worker starts together with the probe waits for it: else a batch of several would never get through. */
static void breaker_lets_a_batch_through(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"}, batch[6] = {0};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, in_turn_slowly,
			  (void *)(const unsigned[]){503, 200, 200, 200, 200, 200, 200, 503, 503, 0});
	open_client(&f, &(struct http_config){.base = s.url, .breaker_failures = 1});
	for (size_t i = 0; i < 6; i++)
		batch[i] = ex;
	assert_int_equal(run(&f, &ex), 503);
	nap(550);
	for (size_t i = 0; i < 6; i++)
		start_in(&f, &batch[i], 60000);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(http_next(f.worker)->status, 200);
	assert_int_equal(run(&f, &ex), 503);
	nap(550);
	for (size_t i = 0; i < 6; i++) /* a probe that fails: the others are not sent */
		start_in(&f, &batch[i], 60000);
	for (size_t i = 0; i < 6; i++)
		assert_true(http_next(f.worker)->status != 200);
	assert_int_equal(atomic_load(&s.requests), 9);
	for (size_t i = 0; i < 6; i++)
		http_exchange_clear(&batch[i]);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static void rate_is_kept(void **state)
{
	struct http_exchange ex[30] = {0}, late = {.method = "GET", .path = "/x"};
	uint64_t begin = clock_mono_ms();
	struct test_server s;
	struct fixture f, slow;

	test_server_start(&s, tells, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .rate = 20});
	for (int i = 0; i < 30; i++) {
		ex[i].method = "GET";
		ex[i].path = "/x";
		start_in(&f, &ex[i], 60000);
	}
	for (int i = 0; i < 30; i++) {
		assert_int_equal(http_next(f.worker)->status, 200);
	}
	assert_in_range(clock_mono_ms() - begin, 450, 60000); /* 20 at once, then one every 50 ms */
	open_client(&slow, &(struct http_config){.base = s.url, .rate = 0.001}); /* the second after 1000 s */
	assert_int_equal(run(&slow, &late), 200);
	start_in(&slow, &late, 60000);
	assert_ptr_equal(http_next(slow.worker), &late);
	assert_non_null(strstr(late.err.text, "limit of requests a second"));
	http_exchange_clear(&late);
	close_client(&slow);
	for (int i = 0; i < 30; i++)
		http_exchange_clear(&ex[i]);
	close_client(&f);
	test_server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(breaker_spares_the_server),
		cmocka_unit_test(breaker_is_shared),
		cmocka_unit_test(breaker_lets_a_batch_through),
		cmocka_unit_test(rate_is_kept),
	};

	unsetenv("http_proxy"); /* the machine's own settings are not the question */
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
