/* google: each allocation of reading credentials, of opening a client and of a call fails once. libcrypto's and libcurl's are not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "google/google.h"
#include "google_fixture.h"
#include "http_server.h"
#include "oom.h"

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	if (strcmp(r->target, "/token") == 0)
		return test_reply(fd, 200, "", "{\"access_token\":\"t\",\"expires_in\":3600}");
	if (strstr(r->target, "/token?") != NULL)
		return test_reply(fd, 200, "", "{\"access_token\":\"t\",\"expires_in\":3600}");
	if (strstr(r->target, "/project/") != NULL)
		return test_reply(fd, 200, "", "shop-1");
	return test_reply(fd, 200, "", "{}");
}

static struct test_server server;

/* `arg`: a file, or NULL. */
static enum seal_status one_call(void *arg, struct seal_err *err)
{
	const struct google_config config = {
		.endpoint = server.url, .audience = "https://a/", .scope = "s", .credentials = arg};
	struct google_call call = {.method = "POST", .path = "/v1/x:y", .body = BYTES_LIT("{}")};
	struct google_client *client = NULL;
	struct google_worker *worker = NULL;
	enum seal_status rc;

	SEAL_TRY(google_client_new(&config, &client, err));
	SEAL_TRY(google_worker_new(client, &worker, err));
	SEAL_TRY(google_call_run(worker, &call, clock_mono_ms() + 120000, err));
out:
	google_call_clear(&call);
	google_worker_free(worker);
	google_client_free(client);
	return rc;
}

static void by_a_service_account(void **state)
{
	struct seal_buf file = BUF_INIT(16384);
	char path[TEST_PATH_MAX];

	service_account_file(&file);
	write_file((const char *)file.ptr, path);
	assert_true(oom_each(one_call, path) > 20);
	unlink(path);
	buf_clear(&file);
}

static void by_a_user(void **state)
{
	char path[TEST_PATH_MAX], text[512];

	snprintf(text, sizeof(text), USER_FILE ",\"token_uri\":\"%s/token\"}", server.url);
	write_file(text, path);
	assert_true(oom_each(one_call, path) > 20);
	unlink(path);
}

static void by_metadata(void **state)
{
	char host[64];

	snprintf(host, sizeof(host), "127.0.0.1:%u", server.port);
	setenv("GCE_METADATA_HOST", host, 1);
	assert_true(oom_each(one_call, NULL) > 20);
}

static int start(void **state)
{
	forget_google();
	test_server_start(&server, answer, NULL);
	return 0;
}

static int stop(void **state)
{
	test_server_stop(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_a_service_account),
		cmocka_unit_test(by_a_user),
		cmocka_unit_test(by_metadata),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
