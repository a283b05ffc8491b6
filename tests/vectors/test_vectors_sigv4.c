/* vectors: AWS Signature Version 4 against the signatures of AWS's published test suite and documentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "aws/sigv4.h"

#define ACCESS_KEY "AKIDEXAMPLE"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TIME_S 1440938160 /* 20150830T123600Z */
#define SUITE_HEADERS                                                                                                \
	{"Host", "example.amazonaws.com"},                                                                           \
	{                                                                                                            \
		"X-Amz-Date", "20150830T123600Z"                                                                     \
	}
#define SCOPE "Credential=AKIDEXAMPLE/20150830/us-east-1/"

struct vector {
	const char *name, *method, *path, *query, *service, *body;
	struct http_header headers[8];
	const char *names, *signature;
};

/* The suite's requests are for the service "service", in us-east-1. */
static const struct vector vectors[] = {
	{"get-vanilla",
	 "GET",
	 "/",
	 "",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-query-order-key-case",
	 "GET",
	 "/",
	 "Param1=value1&Param2=value2",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-empty-query-key",
	 "GET",
	 "/",
	 "Param1=value1",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-unreserved",
	 "GET",
	 "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	 "",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8",
	 "GET",
	 "/%E1%88%B4",
	 "",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-header-key-duplicate",
	 "GET",
	 "/",
	 "",
	 "service",
	 "",
	 {{"Host", "example.amazonaws.com"},
	  {"My-Header1", "value2"},
	  {"My-Header1", "value2"},
	  {"My-Header1", "value1"},
	  {"X-Amz-Date", "20150830T123600Z"}},
	 "host;my-header1;x-amz-date",
	 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-trim",
	 "GET",
	 "/",
	 "",
	 "service",
	 "",
	 {{"X-Amz-Date", "20150830T123600Z"},
	  {"My-Header1", " value1"},
	  {"My-Header2", " \"a   b   c\""},
	  {"Host", "example.amazonaws.com"}},
	 "host;my-header1;my-header2;x-amz-date",
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"post-vanilla",
	 "POST",
	 "/",
	 "",
	 "service",
	 "",
	 {SUITE_HEADERS},
	 "host;x-amz-date",
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-x-www-form-urlencoded",
	 "POST",
	 "/",
	 "",
	 "service",
	 "Param1=value1",
	 {SUITE_HEADERS, {"Content-Type", "application/x-www-form-urlencoded"}},
	 "content-type;host;x-amz-date",
	 "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{"post-sts-header-before",
	 "POST",
	 "/",
	 "",
	 "service",
	 "",
	 {SUITE_HEADERS,
	  {"X-Amz-Security-Token",
	   "AQoDYXdzEPT//////////"
	   "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwt"
	   "hAx7mSEI/qkPpKPi/"
	   "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNV"
	   "XAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
	   "scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="}},
	 "host;x-amz-date;x-amz-security-token",
	 "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	/* the example of the documentation */
	{"iam-list-users",
	 "GET",
	 "/",
	 "Action=ListUsers&Version=2010-05-08",
	 "iam",
	 "",
	 {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
	  {"host", "iam.amazonaws.com"},
	  {"x-amz-date", "20150830T123600Z"}},
	 "content-type;host;x-amz-date",
	 "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
};

static void suite(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct sigv4_request request = {.method = v->method,
						.path = v->path,
						.query = v->query,
						.headers = v->headers,
						.body = bytes_str(v->body),
						.region = "us-east-1",
						.service = v->service,
						.unix_s = TIME_S};
		struct seal_buf out = BUF_INIT(4096);
		char want[400];

		while (v->headers[request.n_headers].name != NULL)
			request.n_headers++;
		snprintf(want, sizeof(want),
			 "AWS4-HMAC-SHA256 " SCOPE "%s/aws4_request, SignedHeaders=%s, Signature=%s", v->service,
			 v->names, v->signature);
		assert_int_equal(sigv4_sign(NULL, &request, ACCESS_KEY, BYTES_LIT(SECRET_KEY), &out, NULL), SEAL_OK);
		assert_int_equal(buf_append_u8(&out, 0, NULL), SEAL_OK);
		if (strcmp((const char *)out.ptr, want) != 0)
			fail_msg("%s: %s", v->name, (const char *)out.ptr);
		buf_clear(&out);
	}
}

static void sign(struct sigv4_signer *signer, const char *secret, const char *service, int64_t unix_s,
		 struct seal_buf *out)
{
	const struct http_header headers[] = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}};
	const struct sigv4_request request = {.method = "POST",
					      .path = "/",
					      .query = "",
					      .headers = headers,
					      .n_headers = 2,
					      .region = "us-east-1",
					      .service = service,
					      .unix_s = unix_s};

	assert_int_equal(sigv4_sign(signer, &request, ACCESS_KEY, bytes_str(secret), out, NULL), SEAL_OK);
}

/* What is remembered is of that secret, day and service alone. */
static void remembered(void **state)
{
	static const struct {
		const char *secret, *service;
		int64_t unix_s;
	} steps[] = {{SECRET_KEY, "sqs", TIME_S},
		     {SECRET_KEY, "sqs", TIME_S},
		     {SECRET_KEY, "sqs", TIME_S + 86400},
		     {SECRET_KEY, "kinesis", TIME_S + 86400},
		     {"another", "kinesis", TIME_S + 86400},
		     {"anotheR", "kinesis", TIME_S + 86400},
		     {"", "kinesis", TIME_S + 86400},
		     {SECRET_KEY, "sqs", TIME_S}};
	struct sigv4_signer signer = SIGV4_SIGNER_INIT;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct seal_buf with = BUF_INIT(4096), without = BUF_INIT(4096);
		const struct hmac *before = signer.hmac;

		sign(&signer, steps[i].secret, steps[i].service, steps[i].unix_s, &with);
		sign(NULL, steps[i].secret, steps[i].service, steps[i].unix_s, &without);
		assert_true(bytes_eq(buf_bytes(&with), buf_bytes(&without)));
		if (i == 1) /* no second key is made */
			assert_ptr_equal(signer.hmac, before);
		buf_clear(&with);
		buf_clear(&without);
	}
	sigv4_signer_clear(&signer);
	assert_null(signer.hmac);
	assert_null(signer.secret_key.ptr);
}

static void times(void **state)
{
	char out[SIGV4_TIME_SIZE];

	sigv4_time(TIME_S, out);
	assert_string_equal(out, "20150830T123600Z");
	sigv4_time(0, out);
	assert_string_equal(out, "19700101T000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(suite), cmocka_unit_test(remembered),
					   cmocka_unit_test(times)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
