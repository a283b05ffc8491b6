/* aws: each allocation of finding credentials, in each way, and of a call fails once. */
#include "aws_fixture.h"

#include "aws/answer.h"
#include "aws/aws.h"
#include "aws/credentials.h"
#include "oom.h"

static struct aws_double d;

static enum seal_status find(void *arg, struct seal_err *err)
{
	const struct aws_want want = {.region = "eu-west-1"};
	struct aws_credentials keys = {.access_key = SECRET_INIT};
	enum seal_status rc = aws_credentials_find(&want, DEADLINE_NONE, &keys, err);

	(void)arg;
	assert_int_equal(rc == SEAL_OK, keys.access_key.ptr != NULL);
	aws_credentials_clear(&keys);
	d.log[0] = '\0';
	return rc;
}

static void roles(void **state)
{
	(void)state;
	aws_nothing();
	aws_plain(d.server.url);
	unsetenv("AWS_ACCESS_KEY_ID");
	aws_put("config", "[default]\nrole_arn=arn:aws:iam::1:role/one\nsource_profile=b\n[profile b]\n"
			  "aws_access_key_id=A\naws_secret_access_key=S\n");
	assert_true(oom_each(find, NULL) > 0);
}

static void roles_in_xml(void **state)
{
	d.xml = true;
	roles(state);
	d.xml = false;
}

static void instance(void **state)
{
	(void)state;
	aws_nothing();
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", d.server.url, 1);
	assert_true(oom_each(find, NULL) > 0);
}

static void sso(void **state)
{
	(void)state;
	aws_nothing();
	aws_put("config", "[default]\nsso_session=dev\nsso_account_id=1\nsso_role_name=R\n[sso-session dev]\n"
			  "sso_region=r\nsso_start_url=x\n");
	aws_put("sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json", /* of "dev" */
		"{\"accessToken\":\"sso\\u002dtoken\",\"expiresAt\":\"2999-01-01T00:00:00Z\"}");
	setenv("AWS_ENDPOINT_URL", d.server.url, 1);
	assert_true(oom_each(find, NULL) > 0);
}

static enum seal_status calls(void *arg, struct seal_err *err)
{
	const struct aws_config config = {.service = "sqs"};
	struct aws_client *client = NULL;
	struct aws_worker *worker = NULL;
	struct aws_call call = {.target = "AmazonSQS.Nothing", .content_type = "x", .body = BYTES_LIT("{}")};
	enum seal_status rc;

	(void)arg;
	SEAL_TRY(aws_client_new(&config, &client, err));
	SEAL_TRY(aws_worker_new(client, &worker, err));
	rc = aws_call_run(worker, &call, clock_mono_ms() + 120000, err);
	if (rc != SEAL_FATAL) {
		assert_int_equal(rc, SEAL_USAGE); /* the double knows no SQS */
		assert_int_equal(call.status, 404);
		err_clear(err);
		rc = SEAL_OK;
	}
out:
	aws_call_clear(&call);
	aws_worker_free(worker);
	aws_client_free(client);
	d.log[0] = '\0';
	return rc;
}

static void a_call(void **state)
{
	(void)state;
	aws_nothing();
	aws_plain(d.server.url);
	assert_true(oom_each(calls, NULL) > 0);
}

static int start(void **state)
{
	aws_double_start(&d);
	return 0;
}

static int stop(void **state)
{
	aws_double_stop(&d);
	return 0;
}

static int remove_home(void **state)
{
	aws_remove_home();
	return 0;
}

/* The double keeps what it needs of each connection: a fresh one each time. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(roles), TEST(roles_in_xml), TEST(instance), TEST(sso), TEST(a_call)};

	return cmocka_run_group_tests(tests, NULL, remove_home);
}
