/* http/tokens under threads: one fetch at a time, nobody goes without, and no token is freed under a call. Run under TSan, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "google/google.h"
#include "http/tokens.h"
#include "google_fixture.h"
#include "http_server.h"

#define THREADS 6
#define CALLS 40
#define LIFE_MS 3600000u

struct play {
	struct test_server server;
	atomic_uint tokens, calls, stale, fetching, most_fetching;
	atomic_uint good; /* the only token that is taken; 0: all */
	char path[TEST_PATH_MAX];
};

static _Atomic uint64_t now_ms;

static uint64_t told_time(void)
{
	return atomic_load(&now_ms);
}

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	struct play *p = server->arg;
	char text[128], want[32], authorization[64] = "";
	unsigned n, good;

	if (strcmp(r->target, "/token") == 0) {
		n = atomic_fetch_add(&p->fetching, 1) + 1;
		if (n > atomic_load(&p->most_fetching))
			atomic_store(&p->most_fetching, n);
		n = atomic_fetch_add(&p->tokens, 1) + 1;
		snprintf(text, sizeof(text), "{\"access_token\":\"t%u\",\"expires_in\":3600}", n);
		atomic_fetch_sub(&p->fetching, 1);
		return test_reply(fd, 200, "", text);
	}
	atomic_fetch_add(&p->calls, 1);
	good = atomic_load(&p->good);
	snprintf(want, sizeof(want), "Bearer t%u", good);
	assert_true(test_request_header(r, "Authorization", authorization, sizeof(authorization)));
	assert_memory_equal(authorization, "Bearer t", 8);
	if (good != 0 && strcmp(authorization, want) != 0) {
		atomic_fetch_add(&p->stale, 1);
		return test_reply(fd, 401, "", "{}");
	}
	return test_reply(fd, 200, "", "{}");
}

static struct google_client *open_client(struct play *p)
{
	struct google_config config = {.scope = "s"};
	struct google_client *client;
	char text[512];

	memset(p, 0, sizeof(*p));
	forget_google();
	atomic_store(&now_ms, 1000000);
	http_tokens_set_clock(told_time);
	test_server_start(&p->server, answer, p);
	snprintf(text, sizeof(text), USER_FILE ",\"token_uri\":\"%s/token\"}", p->server.url);
	write_file(text, p->path);
	config.credentials = p->path;
	config.endpoint = p->server.url;
	assert_int_equal(google_client_new(&config, &client, NULL), SEAL_OK);
	return client;
}

static void close_client(struct play *p, struct google_client *client)
{
	google_client_free(client);
	test_server_stop(&p->server);
	unlink(p->path);
	http_tokens_set_clock(NULL);
}

struct caller {
	pthread_t thread;
	struct google_client *client;
	bool ageing; /* time goes on with its calls */
	unsigned failed;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;
	struct google_worker *worker;

	if (google_worker_new(c->client, &worker, NULL) != SEAL_OK) {
		c->failed = CALLS;
		return NULL;
	}
	for (unsigned i = 0; i < CALLS; i++) {
		struct google_call call = {.method = "POST", .path = "/v1/x:y", .body = BYTES_LIT("{}")};

		if (google_call_run(worker, &call, clock_mono_ms() + 60000, NULL) != SEAL_OK)
			c->failed++;
		google_call_clear(&call);
		if (c->ageing)
			atomic_fetch_add(&now_ms, LIFE_MS / 10);
	}
	google_worker_free(worker);
	return NULL;
}

static void run_callers(struct google_client *client, bool ageing)
{
	struct caller callers[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){.client = client, .ageing = ageing && i == 0};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].failed, 0);
	}
}

static void one_token_does_for_all(void **state)
{
	struct play p;
	struct google_client *client = open_client(&p);

	run_callers(client, false);
	assert_int_equal(atomic_load(&p.tokens), 1);
	assert_int_equal(atomic_load(&p.calls), THREADS * CALLS);
	close_client(&p, client);
}

static void tokens_that_age_are_renewed_one_at_a_time(void **state)
{
	struct play p;
	struct google_client *client = open_client(&p);

	run_callers(client, true);
	assert_int_equal(atomic_load(&p.most_fetching), 1);
	assert_true(atomic_load(&p.tokens) > 1);
	assert_true(atomic_load(&p.tokens) <= CALLS);
	close_client(&p, client);
}

/* All are refused with the same token: one new one is fetched for all of them. */
static void a_refusal_of_many_is_one_renewal(void **state)
{
	struct play p;
	struct google_client *client = open_client(&p);

	atomic_store(&p.good, 2);
	run_callers(client, false);
	assert_int_equal(atomic_load(&p.tokens), 2);
	assert_true(atomic_load(&p.stale) >= 1);
	assert_true(atomic_load(&p.stale) <= THREADS);
	assert_int_equal(atomic_load(&p.calls), THREADS * CALLS + atomic_load(&p.stale));
	close_client(&p, client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_token_does_for_all),
		cmocka_unit_test(tokens_that_age_are_renewed_one_at_a_time),
		cmocka_unit_test(a_refusal_of_many_is_one_renewal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
