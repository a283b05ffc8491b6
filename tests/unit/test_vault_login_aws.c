/* vault/login: is the AWS request signed as AWS wants it, and are credentials found where AWS's programs find them? */
#include "vault_fake.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/encode.h"
#include "vault/login/aws_credentials.h"
#include "vault/login/sigv4.h"

static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
					"AWS_SECRET_ACCESS_KEY",
					"AWS_SESSION_TOKEN",
					"AWS_PROFILE",
					"AWS_SHARED_CREDENTIALS_FILE",
					"AWS_WEB_IDENTITY_TOKEN_FILE",
					"AWS_ROLE_ARN",
					"AWS_ROLE_SESSION_NAME",
					"AWS_ENDPOINT_URL_STS",
					"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					"AWS_CONTAINER_CREDENTIALS_FULL_URI",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
					"AWS_EC2_METADATA_SERVICE_ENDPOINT"};

static struct vault_options options;
static struct aws_credentials keys;
static struct seal_err err;
static char folder[] = "/tmp/test_vault_aws_XXXXXX";

static const char *put_file(const char *name, const char *text)
{
	static char path[128];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
	return path;
}

static int fresh(void **state)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", folder, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	memset(&options, 0, sizeof(options));
	err_clear(&err);
	vault_login_test_clock(NULL, false);
	return 0;
}

static int stale(void **state)
{
	aws_credentials_clear(&keys);
	return 0;
}

static void find(void)
{
	aws_credentials_clear(&keys);
	err_clear(&err);
	if (aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err) != SEAL_OK)
		fail_msg("%s", err.text);
}

static void assert_keys(const char *access_key, const char *secret_key, const char *session_token)
{
	assert_string_equal((const char *)keys.access_key.ptr, access_key);
	assert_string_equal((const char *)keys.secret_key.ptr, secret_key);
	if (session_token != NULL)
		assert_string_equal((const char *)keys.session_token.ptr, session_token);
	else
		assert_null(keys.session_token.ptr);
}

static void from_environment(void **state)
{
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "AWS_SECRET_ACCESS_KEY"));
	setenv("AWS_SECRET_ACCESS_KEY", "se/cret+", 1);
	find();
	assert_keys("AKID", "se/cret+", NULL);
	setenv("AWS_SESSION_TOKEN", "tok==", 1);
	find();
	assert_keys("AKID", "se/cret+", "tok==");
}

static void from_profiles(void **state)
{
	setenv("AWS_SHARED_CREDENTIALS_FILE",
	       put_file("credentials", "# comment\naws_access_key_id = none\n[default]\r\naws_access_key_id = A1\r\n"
				       " aws_secret_access_key=S1==\n[other]\naws_access_key_id=A2\n"
				       "#aws_access_key_id=no\naws_secret_access_key = S2\naws_session_token = T2\n"
				       "region = x\n[empty]\nregion = y\n"),
	       1);
	find();
	assert_keys("A1", "S1==", NULL);
	setenv("AWS_PROFILE", "other", 1);
	find();
	assert_keys("A2", "S2", "T2");
	setenv("AWS_PROFILE", "empty", 1);
	aws_credentials_clear(&keys);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "has no profile empty"));
	assert_null(keys.access_key.ptr);
}

static void nowhere(void **state)
{
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "there are no AWS credentials"));
}

/* A server that answers one connection after the other from a script, and keeps the requests. */
static struct {
	int fd;
	unsigned port;
	pthread_t thread;
	const char *const *answers; /* bodies; "!" in front: 404, "?": 503 */
	size_t n;
	char requests[4][3000];
} server;

static void answer_one(int fd, size_t i)
{
	char head[200], *request = server.requests[i];
	size_t got = 0, want = SIZE_MAX;
	const char *body = server.answers[i];

	while (got < want && got < sizeof(server.requests[0]) - 1) {
		ssize_t n = recv(fd, request + got, sizeof(server.requests[0]) - 1 - got, 0);
		const char *end, *length;

		if (n <= 0)
			break;
		got += (size_t)n;
		request[got] = '\0';
		end = strstr(request, "\r\n\r\n");
		length = strcasestr(request, "content-length: ");
		if (end != NULL)
			want = (size_t)(end + 4 - request) +
			       (length != NULL ? strtoul(length + strlen("content-length: "), NULL, 10) : 0);
	}
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		 body[0] == '!'	  ? "404 Not Found"
		 : body[0] == '?' ? "503 Slow Down"
				  : "200 OK",
		 strlen(body));
	(void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
	(void)!send(fd, body, strlen(body), MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
	for (size_t i = 0; i < server.n; i++) {
		int fd = accept(server.fd, NULL, NULL);

		answer_one(fd, i);
		close(fd);
	}
	return NULL;
}

static void start_server(const char *const *answers, size_t n)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	memset(&server, 0, sizeof(server));
	server.answers = answers;
	server.n = n;
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server.fd, (const struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server.fd, 4), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &len), 0);
	server.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	close(server.fd);
}

static void assert_asked(size_t i, const char *part)
{
	if (strcasestr(server.requests[i], part) == NULL)
		fail_msg("request %zu does not hold \"%s\": %s", i, part, server.requests[i]);
}

static const char *url(const char *path)
{
	static char text[128];

	snprintf(text, sizeof(text), "http://127.0.0.1:%u%s", server.port, path);
	return text;
}

#define KEYS_JSON "{\"AccessKeyId\":\"A9\",\"SecretAccessKey\":\"S9\",\"Token\":\"T9\",\"Expiration\":\"x\"}"

static void from_a_container(void **state)
{
	const char *const answers[] = {KEYS_JSON};
	const char *const bad[] = {"!no"};

	start_server(answers, 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* not asked */
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/v2/creds?id=1"), 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", 1);
	find();
	stop_server();
	unsetenv("http_proxy");
	assert_keys("A9", "S9", "T9");
	assert_asked(0, "GET /v2/creds?id=1 HTTP/1.1\r\n");
	assert_asked(0, "\r\nAuthorization: Basic abc\r\n");

	start_server(bad, 1);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/v2/creds"), 1);
	aws_credentials_clear(&keys);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_DENIED);
	stop_server();
	assert_non_null(strstr(err.text, "AWS container credentials: http://127.0.0.1:"));
	assert_non_null(strstr(err.text, "answers 404"));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "nonsense", 1);
	err_clear(&err);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_USAGE);
}

static void from_an_instance(void **state)
{
	const char *const answers[] = {"session-1", "my-role\n", KEYS_JSON};

	start_server(answers, 3);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url(""), 1);
	find();
	stop_server();
	assert_keys("A9", "S9", "T9");
	assert_asked(0, "PUT /latest/api/token HTTP/1.1\r\n");
	assert_asked(0, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
	assert_asked(1, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n");
	assert_asked(1, "\r\nX-aws-ec2-metadata-token: session-1\r\n");
	assert_asked(2, "GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1\r\n");
	assert_asked(2, "\r\nX-aws-ec2-metadata-token: session-1\r\n");
}

/* What is throttled gives credentials later: a stream that logs in anew waits for it. */
static void throttled(void **state)
{
	const char *const answers[] = {"?", "?"};

	start_server(answers, 2); /* one more try each */
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url(""), 1);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_RETRY);
	stop_server();
	assert_non_null(strstr(err.text, "answers 503"));

	start_server(answers, 2);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/v2/creds"), 1);
	err_clear(&err);
	assert_int_equal(aws_credentials_find(NULL, DEADLINE_NONE, &keys, &err), SEAL_RETRY);
	stop_server();
	assert_non_null(strstr(err.text, "AWS container credentials: http://127.0.0.1:"));
}

static void from_web_identity(void **state)
{
	const char *const answers[] = {
		"{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":{\"Credentials\":"
		"{\"AccessKeyId\":\"A9\",\"SecretAccessKey\":\"S9\",\"SessionToken\":\"T9\"}}}}"};

	start_server(answers, 1);
	setenv("AWS_ENDPOINT_URL_STS", url(""), 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", put_file("token", "ey.J+x\n"), 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	find();
	stop_server();
	assert_keys("A9", "S9", "T9");
	assert_asked(0, "POST / HTTP/1.1\r\n");
	assert_asked(0, "\r\nAccept: application/json\r\n");
	assert_asked(
		0, "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&"
		   "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=sealstream&WebIdentityToken=ey.J%2Bx");
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
	assert_int_equal(sigv4_sign(&request, "AKID", BYTES_LIT("secret"), &out, NULL), SEAL_OK);
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

static int make_folder(void **state)
{
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(from_environment),	 TEST(from_profiles),	 TEST(nowhere),
		TEST(from_a_container),	 TEST(from_an_instance), TEST(throttled),
		TEST(from_web_identity), TEST(signed_logins),	 TEST(bad_region),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
