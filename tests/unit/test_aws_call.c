/* aws: are calls signed, sent where they should go, repeated where that is right, and their failures told in our classes? */
#include "aws_fixture.h"

#include "aws/answer.h"
#include "aws/aws.h"

/* Answers in the order of the requests; the last one stays. */
struct reply {
	unsigned status;
	const char *headers, *body;
	bool cut; /* the connection ends instead */
};

static struct {
	struct test_server server;
	const struct reply *replies;
	size_t n;
	unsigned unsigned_ones;
	char heads[6][17000];
} s;

static struct seal_err err;

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	const struct reply *reply = &s.replies[r->number <= s.n ? r->number - 1 : s.n - 1];

	(void)server;
	s.unsigned_ones += !aws_signature_holds(r, "secret");
	snprintf(s.heads[r->number % 6], sizeof(s.heads[0]), "%s", r->head);
	return !reply->cut && test_reply(fd, reply->status, reply->headers, reply->body);
}

static struct aws_client *client;
static struct aws_worker *worker;
static struct aws_call call;

static void open_on(const struct reply *replies, size_t n)
{
	const struct aws_config config = {.service = "sqs"};

	s.replies = replies;
	s.n = n;
	s.unsigned_ones = 0;
	test_server_start(&s.server, answer, NULL);
	aws_plain(s.server.url);
	if (aws_client_new(&config, &client, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(aws_worker_new(client, &worker, &err), SEAL_OK);
	call = (struct aws_call){.target = "AmazonSQS.SendMessage",
				 .content_type = "application/x-amz-json-1.0",
				 .body = BYTES_LIT("{\"a\":1}")};
}

static enum seal_status run(void)
{
	err_clear(&err);
	return aws_call_run(worker, &call, clock_mono_ms() + 60000, &err);
}

static void close_all(void)
{
	aws_call_clear(&call);
	aws_worker_free(worker);
	aws_client_free(client);
	test_server_stop(&s.server);
}

static int fresh(void **state)
{
	(void)state;
	aws_nothing();
	err_clear(&err);
	return 0;
}

static void good_calls(void **state)
{
	static const struct reply replies[] = {{200, "", "{}", false}, {200, "", "{\"b\":2}", false}};

	(void)state;
	setenv("AWS_SESSION_TOKEN", "tok==", 1);
	open_on(replies, 2);
	assert_string_equal(aws_client_region(client), "eu-west-1");
	assert_string_equal(aws_client_endpoint(client), s.server.url);
	assert_int_equal(run(), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&call.answer), "{}"));
	assert_int_equal(run(), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&call.answer), "{\"b\":2}"));
	assert_int_equal(call.failure, AWS_NONE);
	assert_int_equal(s.unsigned_ones, 0);
	assert_int_equal(atomic_load(&s.server.accepted), 1); /* kept alive */
	assert_non_null(strcasestr(s.heads[1], "\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"));
	assert_non_null(strcasestr(s.heads[1], "\r\nX-Amz-Security-Token: tok==\r\n"));
	assert_non_null(strcasestr(s.heads[1], "/eu-west-1/sqs/aws4_request"));
	close_all();
}

/* The double would notice: a wrong secret, a body or a header that was changed. */
static void double_is_strict(void **state)
{
	static const struct reply replies[] = {{200, "", "{}", false}};

	(void)state;
	open_on(replies, 1);
	aws_worker_free(worker);
	aws_client_free(client);
	setenv("AWS_SECRET_ACCESS_KEY", "other", 1);
	assert_int_equal(aws_client_new(&(const struct aws_config){.service = "sqs"}, &client, &err), SEAL_OK);
	assert_int_equal(aws_worker_new(client, &worker, &err), SEAL_OK);
	assert_int_equal(run(), SEAL_OK);
	assert_int_equal(s.unsigned_ones, 1);
	close_all();
}

#define XML_ERROR(code)                                                                                              \
	"<?xml version=\"1.0\"?><ErrorResponse><Errors><Error><Code>" code                                           \
	"</Code><Message>no &lt;way&gt;</Message>"                                                                   \
	"<Type>Sender</Type></Error></Errors></ErrorResponse>"

static void failures(void **state)
{
	static const struct {
		struct reply reply;
		enum seal_status status;
		enum aws_failure failure;
		const char *code, *text;
	} rows[] = {
		{{400, "", "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"m1\"}", false},
		 SEAL_USAGE,
		 AWS_REFUSED,
		 "QueueDoesNotExist",
		 "sqs SendMessage at http://127.0.0.1:"},
		{{400, "", "{\"code\":\"ThrottlingException:http://x/\",\"Message\":\"slow\"}", false},
		 SEAL_RETRY,
		 AWS_THROTTLED,
		 "ThrottlingException",
		 ": ThrottlingException: slow (400)"},
		{{400, "", "{\"__type\":\"ProvisionedThroughputExceededException\"}", false},
		 SEAL_RETRY,
		 AWS_THROTTLED,
		 "ProvisionedThroughputExceededException",
		 "Exceeded"},
		{{429, "", "", false}, SEAL_RETRY, AWS_THROTTLED, "", "refused (429)"},
		{{403, "Content-Type: text/html\r\n", XML_ERROR("SignatureDoesNotMatch"), false},
		 SEAL_DENIED,
		 AWS_DENIED,
		 "SignatureDoesNotMatch",
		 "SignatureDoesNotMatch: no <way> (403)"},
		{{400, "", "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}", false},
		 SEAL_DENIED,
		 AWS_DENIED,
		 "AccessDeniedException",
		 "AccessDeniedException: no"},
		{{403, "", "<html><body>Proxy<br></html>", false}, SEAL_DENIED, AWS_DENIED, "", "refused (403)"},
		{{400, "", "{\"Error\":{\"Code\":\"InvalidParameter\",\"Message\":\"bad\\nline\"}}", false},
		 SEAL_USAGE,
		 AWS_REFUSED,
		 "InvalidParameter",
		 "InvalidParameter: bad line"},
		{{400, "",
		  "{\"__type\":\"ValidationException\",\"message\":\"1 error: Value 'jane@example.com' at "
		  "'partitionKey' failed\"}",
		  false},
		 SEAL_USAGE,
		 AWS_REFUSED,
		 "ValidationException",
		 "1 error: a value' at 'partitionKey' failed"},
		{{400, "",
		  "{\"__type\":\"ValidationException\",\"message\":\"Value 'a for parameter jane' at "
		  "'partitionKey' failed\"}",
		  false},
		 SEAL_USAGE,
		 AWS_REFUSED,
		 "ValidationException",
		 ": a value' at 'partitionKey' failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_on(&rows[i].reply, 1);
		assert_int_equal(run(), rows[i].status);
		assert_int_equal(call.failure, rows[i].failure);
		assert_string_equal(call.code, rows[i].code);
		assert_int_equal(call.status, rows[i].reply.status);
		if (strstr(err.text, rows[i].text) == NULL || strstr(err.text, "jane") != NULL)
			fail_msg("%s", err.text);
		assert_int_equal(atomic_load(&s.server.requests), 1);
		close_all();
	}
}

static void troubles_are_tried_again(void **state)
{
	static const struct reply replies[] = {
		{500, "", "{\"__type\":\"InternalFailure\"}", false}, {503, "", "", false}, {200, "", "{}", false}};
	static const struct reply slow[] = {{503, "", "{\"__type\":\"SlowDown\"}", false}};
	static const struct reply down[] = {{500, "", "<html>", false}};

	(void)state;
	open_on(replies, 3);
	assert_int_equal(run(), SEAL_OK);
	assert_int_equal(atomic_load(&s.server.requests), 3);
	close_all();
	open_on(slow, 1); /* throttled: the caller decides */
	assert_int_equal(run(), SEAL_RETRY);
	assert_int_equal(call.failure, AWS_THROTTLED);
	assert_int_equal(atomic_load(&s.server.requests), 1);
	close_all();
	open_on(down, 1);
	assert_int_equal(run(), SEAL_RETRY);
	assert_int_equal(call.failure, AWS_AWAY);
	assert_int_equal(atomic_load(&s.server.requests), 4);
	call.once = true; /* it may have been done */
	assert_int_equal(run(), SEAL_RETRY);
	assert_int_equal(atomic_load(&s.server.requests), 5);
	close_all();
}

static void nobody_there(void **state)
{
	static const struct reply replies[] = {{200, "", "{}", false}};

	(void)state;
	open_on(replies, 1);
	test_server_stop(&s.server);
	assert_int_equal(run(), SEAL_RETRY);
	assert_int_equal(call.failure, AWS_AWAY);
	assert_int_equal(call.status, 0);
	assert_non_null(strstr(err.text, "sqs SendMessage: "));
	test_server_start(&s.server, answer, NULL);
	close_all();
}

/* The server's clock is an hour ahead: one more request, and from then on none. */
static void clock_of_the_server(void **state)
{
	static char date[80];
	static struct reply replies[] = {{403, date, "{\"__type\":\"InvalidSignatureException\"}", false},
					 {200, "", "{}", false},
					 {200, "", "{}", false}};
	static const struct reply wrong[] = {
		{403, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "{\"__type\":\"RequestTimeTooSkewed\"}", false}};
	time_t hour = (time_t)(clock_unix_ms() / 1000 + 3600), was;
	struct tm tm;

	(void)state;
	strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&hour, &tm));
	open_on(replies, 3);
	assert_int_equal(run(), SEAL_OK);
	assert_int_equal(run(), SEAL_OK);
	assert_int_equal(atomic_load(&s.server.requests), 3);
	assert_int_equal(s.unsigned_ones, 0);
	for (size_t i = 2; i <= 3; i++) {
		memset(&tm, 0, sizeof(tm));
		assert_non_null(strptime(aws_between(s.heads[i], "X-Amz-Date: ", "\r"), "%Y%m%dT%H%M%SZ", &tm));
		was = timegm(&tm);
		assert_true(was - hour >= 0 && was - hour < 60);
	}
	close_all();
	open_on(wrong, 1); /* once more, and no further */
	assert_int_equal(run(), SEAL_DENIED);
	assert_int_equal(atomic_load(&s.server.requests), 2);
	close_all();
}

/* Another clock with each answer: the last refusal is a refusal, and no answer. */
static void clocks_that_jump(void **state)
{
#define SKEWED(year)                                                                                                 \
	{                                                                                                            \
		403, "Date: Sun, 06 Nov " year " 08:49:37 GMT\r\n", "{\"__type\":\"RequestTimeTooSkewed\"}", false   \
	}
	static const struct reply replies[] = {SKEWED("1994"), SKEWED("1995"), SKEWED("1996"), SKEWED("1997")};

	(void)state;
	open_on(replies, 4);
	assert_int_equal(run(), SEAL_DENIED);
	assert_int_equal(call.status, 403);
	assert_non_null(strstr(err.text, "RequestTimeTooSkewed"));
	assert_int_equal(atomic_load(&s.server.requests), 3);
	close_all();
}

/* Keys that the service does not take any more are looked for anew, once a call. */
static void new_keys(void **state)
{
	static const struct reply replies[] = {{400, "", "{\"__type\":\"ExpiredTokenException\"}", false},
					       {200, "", "{}", false}};
	static const struct reply never[] = {{403, "", XML_ERROR("InvalidClientTokenId"), false}};

	(void)state;
	open_on(replies, 2);
	setenv("AWS_ACCESS_KEY_ID", "AKID2", 1);
	assert_int_equal(run(), SEAL_OK);
	assert_non_null(strstr(s.heads[1], "Credential=AKID/"));
	assert_non_null(strstr(s.heads[2], "Credential=AKID2/"));
	close_all();
	open_on(never, 1);
	assert_int_equal(run(), SEAL_DENIED);
	assert_int_equal(atomic_load(&s.server.requests), 2);
	unsetenv("AWS_ACCESS_KEY_ID");
	assert_int_equal(run(), SEAL_DENIED);
	assert_non_null(strstr(err.text, "there are no AWS credentials"));
	close_all();
}

/* Which address is asked, and in whose region. */
static void places(void **state)
{
	static const struct {
		const char *config, *name, *value, *endpoint, *region;
	} rows[] = {
		{"", "", "", "https://sqs.eu-west-1.amazonaws.com", NULL},
		{"", "AWS_REGION", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"", "AWS_REGION", "us-iso-east-1", "https://sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
		{"", "AWS_USE_FIPS_ENDPOINT", "true", "https://sqs-fips.eu-west-1.amazonaws.com", NULL},
		{"", "AWS_USE_DUALSTACK_ENDPOINT", "TRUE", "https://sqs.eu-west-1.api.aws", NULL},
		{"endpoint_url = http://a:1/x/\n", "", "", "http://a:1/x", NULL},
		{"endpoint_url = http://a:1\nservices = s\n[services s]\nsns =\n  endpoint_url = http://no\nsqs = \n"
		 "  endpoint_url = http://c:3\n",
		 "", "", "http://c:3", NULL},
		{"endpoint_url = http://a:1\n", "AWS_ENDPOINT_URL", "http://d:4", "http://d:4", NULL},
		{"endpoint_url = http://a:1\n", "AWS_ENDPOINT_URL_SQS", "http://e:5", "http://e:5", NULL},
		{"endpoint_url = http://a:1\n", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true",
		 "https://sqs.eu-west-1.amazonaws.com", NULL},
		{"endpoint_url = http://a:1\nignore_configured_endpoint_urls = true\n", "", "",
		 "https://sqs.eu-west-1.amazonaws.com", NULL},
		{"region = ap-south-1\n", "", "", "https://sqs.eu-west-1.amazonaws.com", "eu-west-1"},
		{"region = ap-south-1\n", "AWS_REGION", "", "https://sqs.ap-south-1.amazonaws.com", "ap-south-1"},
	};
	const struct aws_config config = {.service = "sqs"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[400];

		aws_nothing();
		snprintf(text, sizeof(text), "[default]\n%s", rows[i].config);
		aws_put("config", text);
		aws_plain("");
		if (rows[i].name[0] != '\0')
			setenv(rows[i].name, rows[i].value, 1);
		if (aws_client_new(&config, &client, &err) != SEAL_OK)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(aws_client_endpoint(client), rows[i].endpoint);
		if (rows[i].region != NULL)
			assert_string_equal(aws_client_region(client), rows[i].region);
		aws_client_free(client);
	}
}

static void refused(void **state)
{
	struct aws_config config = {.service = "sqs"};

	(void)state;
	assert_int_equal(aws_client_new(&config, &client, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "no AWS region: set AWS_REGION"));
	assert_null(client);
	config.region = "evil.example.com/";
	err_clear(&err);
	assert_int_equal(aws_client_new(&config, &client, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "is no AWS region"));
	config.region = "eu-west-1";
	config.endpoint = "ftp://x";
	err_clear(&err);
	assert_int_equal(aws_client_new(&config, &client, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "is no endpoint"));
	config.endpoint = NULL;
	err_clear(&err);
	assert_int_equal(aws_client_new(&config, &client, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "there are no AWS credentials"));
}

static void region_of_the_instance(void **state)
{
	const struct aws_config config = {.service = "sqs"};
	struct aws_double d;

	(void)state;
	aws_double_start(&d);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", d.server.url, 1);
	assert_int_equal(aws_client_new(&config, &client, &err), SEAL_OK);
	assert_string_equal(aws_client_region(client), "eu-south-1");
	aws_client_free(client);
	aws_double_stop(&d);
}

static void names_of_resources(void **state)
{
	static const char *const bad[] = {"",
					  "arn",
					  "arn:aws:sqs:r:1",
					  "arn:aws:sqs:r:1:",
					  "urn:aws:sqs:r:1:q",
					  "arn::sqs:r:1:q",
					  "arn:aws::r:1:q"};
	struct aws_arn arn;

	(void)state;
	assert_true(aws_arn_parse(BYTES_LIT("arn:aws-cn:sns:cn-north-1:012345678901:a:b"), &arn));
	assert_true(bytes_eq_str(arn.service, "sns") && bytes_eq_str(arn.region, "cn-north-1") &&
		    bytes_eq_str(arn.account, "012345678901") && bytes_eq_str(arn.resource, "a:b"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(aws_arn_parse(bytes_str(bad[i]), &arn));
}

static void times(void **state)
{
	static const char *const bad[] = {"", "2026-11-22", "2026-11-22T23:54", "2026-11-22X23:54:16Z",
					  "x026-11-22T23:54:16Z"};

	(void)state;
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-22T23:54:16Z")), 1795391656);
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-22T23:54:16.123Z")), 1795391656);
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-22T23:54:16UTC")), 1795391656);
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-22T23:54:16+00:00")), 1795391656);
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-23T01:24:16+01:30")), 1795391656);
	assert_int_equal(aws_time_of(BYTES_LIT("2026-11-22T22:54:16-01:00")), 1795391656);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(aws_time_of(bytes_str(bad[i])), 0);
}

static void codes_of_entries(void **state)
{
	(void)state;
	assert_int_equal(aws_failure_of_code(BYTES_LIT("ProvisionedThroughputExceededException"), false),
			 AWS_THROTTLED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("InternalFailure"), false), AWS_AWAY);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("Whatever"), false), AWS_AWAY);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("InvalidMessageContents"), true), AWS_REFUSED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("AccessDenied"), false), AWS_DENIED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("com.amazonaws.sqs#KMSThrottling"), true), AWS_THROTTLED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("com.amazonaws.sqs#KmsThrottled"), true), AWS_THROTTLED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("KMS.ThrottlingException"), true), AWS_THROTTLED);
	assert_int_equal(aws_failure_of_code(BYTES_LIT("KmsAccessDenied"), true), AWS_DENIED);
}

static int remove_home(void **state)
{
	(void)state;
	aws_remove_home();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_calls),
		TEST(double_is_strict),
		TEST(failures),
		TEST(troubles_are_tried_again),
		TEST(nobody_there),
		TEST(clock_of_the_server),
		TEST(clocks_that_jump),
		TEST(new_keys),
		TEST(places),
		TEST(refused),
		TEST(region_of_the_instance),
		TEST(times),
		TEST(names_of_resources),
		TEST(codes_of_entries),
	};

	return cmocka_run_group_tests(tests, NULL, remove_home);
}
