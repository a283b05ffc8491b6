/* http: client, worker and exchanges, when our own allocations fail and when libcurl's do. */
#include "http_fixture.h"

#include <stdio.h>

#include "base/mem.h"
#include "http/memory.h"
#include "oom.h"

static bool echoes(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->body);
}

static enum seal_status exchange(const char *url, bool *answered, struct seal_err *err)
{
	static const struct http_header headers[] = {{"X-Token", "token"}, {"X-Empty", ""}};
	static char body[5000];
	const struct http_config config = {
		.base = url, .connections = 2, .user_agent = "t", .retries = 1, .proxy = ""};
	struct http_client *client = NULL;
	struct http_worker *worker = NULL;
	struct http_exchange ex = {.method = "POST",
				   .path = "/x",
				   .headers = headers,
				   .n_headers = 2,
				   .body = bytes_of(body, sizeof(body) - 1)};
	enum seal_status rc;

	memset(body, 'b', sizeof(body) - 1);
	*answered = false;
	SEAL_TRY(http_client_new(&config, &client, err));
	SEAL_TRY(http_worker_new(client, &worker, err));
	for (int i = 0; i < 2; i++) {
		SEAL_TRY(http_start(worker, &ex, clock_mono_ms() + 120000, err));
		assert_ptr_equal(http_next(worker), &ex);
		if (ex.status == 0) {
			*err = ex.err;
			rc = ex.err.status;
			goto out;
		}
		assert_int_equal(ex.status, 200);
		assert_true(bytes_eq(buf_bytes(&ex.answer), ex.body));
	}
	*answered = true;
out:
	http_worker_free(worker);
	http_client_free(client);
	http_exchange_clear(&ex);
	return rc;
}

static enum seal_status work(void *arg, struct seal_err *err)
{
	bool answered;

	return exchange(arg, &answered, err);
}

static void ours(void **state)
{
	struct test_server s;

	test_server_start(&s, echoes, NULL);
	assert_true(oom_each(work, s.url) > 5);
	test_server_stop(&s);
}

/* Which error libcurl makes of a failed allocation is its own affair; it must be one, or a right answer, and nothing leaks. */
static void libcurls(void **state)
{
	struct oom_plan all = {.fail_at = 0};
	struct seal_err err = SEAL_ERR_INIT;
	struct test_server s;
	unsigned failed = 0;
	bool answered;

	test_server_start(&s, echoes, NULL);
	memory_set_hook(oom_allow, &all);
	assert_int_equal(exchange(s.url, &answered, &err), SEAL_OK);
	assert_true(atomic_load(&all.calls) > 50);
	for (size_t n = 1; n <= atomic_load(&all.calls); n++) {
		struct oom_plan plan = {.fail_at = n, .stay = n % 2};

		err_clear(&err);
		memory_set_hook(oom_allow, &plan);
		if (exchange(s.url, &answered, &err) != SEAL_OK) {
			assert_int_not_equal(err.status, SEAL_OK);
			assert_false(answered);
			assert_null(strchr(err.text, '\n'));
			failed++;
		} else {
			assert_true(answered);
		}
	}
	memory_set_hook(NULL, NULL);
	assert_true(failed > atomic_load(&all.calls) / 3);
	test_server_stop(&s);
}

static void segments(void **state)
{
	struct seal_buf out = BUF_INIT(100);
	struct oom_plan plan = {.fail_at = 1};

	mem_set_hook(oom_allow, &plan);
	assert_int_equal(http_path_append(&out, BYTES_LIT("a b"), NULL), SEAL_FATAL);
	mem_set_hook(NULL, NULL);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours),
		cmocka_unit_test(libcurls),
		cmocka_unit_test(segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
