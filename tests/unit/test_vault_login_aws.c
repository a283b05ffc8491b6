/* vault/login: is the AWS request signed as AWS wants it? */
#include "vault_fake.h"

#include "aws/sigv4.h"
#include "base/buf.h"
#include "base/encode.h"

static struct vault_options options;
static struct seal_err err;

static int fresh(void **state)
{
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("AWS_PROFILE");
	setenv("HOME", "/nowhere", 1);
	memset(&options, 0, sizeof(options));
	err_clear(&err);
	vault_login_test_clock(NULL, false);
	return 0;
}

static json_t *sent; /* the body of the login */

static enum seal_status keep_body(const char *path, const char *token, json_t **out, struct seal_err *e)
{
	assert_string_equal(path, "auth/aws/login");
	assert_null(token);
	*out = json_loads("{\"auth\":{\"client_token\":\"t\",\"lease_duration\":0,\"renewable\":true}}", 0, NULL);
	return SEAL_OK;
}

/* A member of the body, decoded. */
static const char *decoded(const char *name)
{
	static char out[4][3000];
	static unsigned next;
	const char *text = json_string_value(json_object_get(sent, name));
	char *to = out[next++ % 4];
	size_t n;

	assert_non_null(text);
	assert_true(strlen(text) < sizeof(out[0]));
	assert_true(base64_decode(bytes_str(text), (uint8_t *)to, &n));
	to[n] = '\0';
	return to;
}

static const char *only(const json_t *headers, const char *name)
{
	const json_t *list = json_object_get(headers, name);

	assert_int_equal(json_array_size(list), 1);
	return json_string_value(json_array_get(list, 0));
}

/* What AWS would compute from the headers must be what stands in Authorization. */
static void check_signature(const json_t *headers, const char *const *names, size_t n, const char *region)
{
	struct http_header list[SIGV4_HEADERS_MAX];
	struct sigv4_request request = {.method = "POST",
					.path = "/",
					.query = "",
					.headers = list,
					.n_headers = n,
					.body = BYTES_LIT("Action=GetCallerIdentity&Version=2011-06-15"),
					.region = region,
					.service = "sts"};
	struct seal_buf out = BUF_INIT(2000);
	struct tm tm = {0};

	assert_non_null(strptime(only(headers, "X-Amz-Date"), "%Y%m%dT%H%M%SZ", &tm));
	request.unix_s = timegm(&tm);
	assert_true(llabs(request.unix_s - clock_unix_ms() / 1000) < 60);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct http_header){names[i], only(headers, names[i])};
	assert_int_equal(sigv4_sign(NULL, &request, "AKID", BYTES_LIT("secret"), &out, NULL), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&out), only(headers, "Authorization")));
	assert_int_equal(json_object_size(headers), n + 1);
	buf_clear(&out);
}

static void log_in_once(const char *region, const char *host, const char *const *names, size_t n)
{
	struct vault_tokens *tokens;
	struct vault_token *token;
	char want[200];
	json_t *headers;

	options.auth = "aws";
	options.role = "orders";
	options.aws_region = region;
	answer_by = keep_body;
	last_body = &sent;
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_OK);
	assert_int_equal(vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &token, &err), SEAL_OK);
	vault_token_release(tokens, token);
	vault_tokens_free(tokens);
	assert_string_equal(json_string_value(json_object_get(sent, "role")), "orders");
	assert_string_equal(json_string_value(json_object_get(sent, "iam_http_request_method")), "POST");
	snprintf(want, sizeof(want), "https://%s/", host);
	assert_string_equal(decoded("iam_request_url"), want);
	assert_string_equal(decoded("iam_request_body"), "Action=GetCallerIdentity&Version=2011-06-15");
	assert_int_equal(json_object_size(sent), 5);
	headers = json_loads(decoded("iam_request_headers"), 0, NULL);
	assert_string_equal(only(headers, "Host"), host);
	check_signature(headers, names, n, region != NULL ? region : "us-east-1");
	json_decref(headers);
	json_decref(sent);
	sent = NULL;
	answer_by = NULL;
	last_body = NULL;
}

static void signed_logins(void **state)
{
	static const char *const names[] = {"Content-Type", "Host", "X-Amz-Date", "X-Vault-AWS-IAM-Server-ID",
					    "X-Amz-Security-Token"};

	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	log_in_once(NULL, "sts.amazonaws.com", names, 3);
	options.aws_server_id = "vault.example.com";
	log_in_once("eu-west-1", "sts.eu-west-1.amazonaws.com", names, 4);
	setenv("AWS_SESSION_TOKEN", "token", 1);
	log_in_once("cn-north-1", "sts.cn-north-1.amazonaws.com.cn", names, 5);
}

static void bad_region(void **state)
{
	struct vault_tokens *tokens;

	options.auth = "aws";
	options.aws_region = "evil.example.com/";
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "--vault-aws-region must be a region's name"));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(signed_logins), TEST(bad_region)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
