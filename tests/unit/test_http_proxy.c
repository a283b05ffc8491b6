/* http: over a Unix socket, and through proxies of the caller's and of the environment. */
#include "http_fixture.h"

#include <stdio.h>
#include <unistd.h>

static bool ok(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->target);
}

static void unix_socket(void **state)
{
	char folder[] = "/tmp/sealhttpXXXXXX", path[64];
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s.sock", folder);
	test_server_start_unix(&s, path, tells, NULL);
	/* A proxy in the environment is not asked. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	open_client(&f, &(struct http_config){.base = "http://localhost", .unix_socket = path});
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(&f, &ex), 200);
	unsetenv("http_proxy");
	assert_non_null(memmem(ex.answer.ptr, ex.answer.len, "Host: localhost\r\n", 17));
	assert_int_equal(atomic_load(&s.accepted), 1);
	http_exchange_clear(&ex);
	test_server_stop(&s);
	unlink(path);
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	assert_non_null(strstr(ex.err.text, path));
	close_client(&f);
	rmdir(folder);
}

static void plain_proxy(void **state)
{
	static const struct http_header token = {"X-Token", "t"};
	struct http_exchange ex = {.method = "GET", .path = "/x", .headers = &token, .n_headers = 1};
	struct test_server proxy;
	char *answer;
	struct fixture f;

	test_server_start(&proxy, tells, NULL);
	open_client(&f, &(struct http_config){.base = "http://vault.example:8200", .proxy = proxy.url});
	setenv("no_proxy", "*", 1); /* not asked, since the proxy was given */
	assert_int_equal(run(&f, &ex), 200);
	unsetenv("no_proxy");
	assert_int_equal(buf_append_u8(&ex.answer, 0, NULL), SEAL_OK);
	answer = (char *)ex.answer.ptr;
	assert_non_null(strstr(answer, "GET http://vault.example:8200/x HTTP/1.1\r\nHost: vault.example:8200\r\n"));
	assert_non_null(strstr(answer, "X-Token: t\r\n"));
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&proxy);
}

static void proxy_of_the_environment(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server proxy, s;
	struct fixture f;

	test_server_start(&proxy, ok, NULL);
	test_server_start(&s, ok, NULL);
	setenv("http_proxy", proxy.url, 1);
	open_client(&f, &(struct http_config){.base = s.url});
	assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(atomic_load(&proxy.requests), 1);
	setenv("no_proxy", "127.0.0.1", 1);
	assert_int_equal(run(&f, &ex), 200);
	assert_true(answer_is(&ex, "/x"));
	assert_int_equal(atomic_load(&proxy.requests), 1);
	assert_int_equal(atomic_load(&s.requests), 1);
	unsetenv("no_proxy");
	unsetenv("http_proxy");
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
	test_server_stop(&proxy);
}

static void proxy_away(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct fixture f;
	char url[64];

	snprintf(url, sizeof(url), "http://user:SECRET@127.0.0.1:%u", test_kept_port());
	open_client(&f, &(struct http_config){.base = "http://vault.example:8200", .proxy = url});
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	assert_null(strstr(ex.err.text, "SECRET"));
	assert_non_null(strstr(ex.err.text, "the server and the proxy"));
	close_client(&f);
	setenv("http_proxy", url, 1);
	open_client(&f, &(struct http_config){.base = "http://vault.example:8200"});
	assert_int_equal(run(&f, &ex), 0);
	assert_non_null(strstr(ex.err.text, "the server and the proxy"));
	close_client(&f);
	unsetenv("http_proxy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unix_socket),
		cmocka_unit_test(plain_proxy),
		cmocka_unit_test(proxy_of_the_environment),
		cmocka_unit_test(proxy_away),
	};

	/* The machine's own settings are not the question. */
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
