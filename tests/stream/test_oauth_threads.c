/*
 * OAUTHBEARER: what is sent to a token server, what each of its answers means, and the thread that keeps a handle in tokens.
 * The server is one of plain sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http_server.h"
#include "streams/kafka/oauth_keeper.h"

#define JWT_HEAD "eyJhbGciOiJub25lIn0." /* {"alg":"none"} */
#define JWT_EXP_2000 "eyJleHAiOjIwMDB9" /* {"exp":2000} */
#define JWT_NO_EXP "eyJzdWIiOiJhIn0" /* {"sub":"a"} */
#define WAIT_MS 100000

static const char settings[] = "sasl.mechanism=OAUTHBEARER\n"
			       "sasl.oauthbearer.method=OIDC\n"
			       "sasl.oauthbearer.client.id=pump one\n"
			       "sasl.oauthbearer.client.secret=s3cr:et/+\n"
			       "sasl.oauthbearer.scope=kafka read&write\n"
			       "sasl.oauthbearer.extensions=logicalCluster=lkc-1,identityPoolId=pool-a=b\n";

static struct kafka_config config;

/* The settings above, these below them, and an endpoint. */
static void configure(const char *more, const char *url)
{
	struct seal_err err = SEAL_ERR_INIT;
	char text[2000];

	snprintf(text, sizeof(text), "%s%s%s%s\n", settings, more, url ? "sasl.oauthbearer.token.endpoint.url=" : "",
		 url ? url : "");
	kafka_config_init(&config);
	assert_int_equal(kafka_config_parse(&config, bytes_str(text), "f", &err), SEAL_OK);
}

/* ---- settings ---- */

static void expect_refused(const char *name, const char *value, const char *words)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth *oauth;

	configure("", "https://127.0.0.1/token");
	assert_int_equal(kafka_config_set(&config, name, value, &err), SEAL_OK);
	assert_int_equal(oauth_new(&config, KAFKA_CONSUMER, false, &oauth, &err), SEAL_USAGE);
	assert_int_equal(err.code, value[0] == '/' ? SEAL_E_NO_INPUT : SEAL_E_CONFIG);
	assert_null(oauth);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
	assert_null(strstr(err.text, "s3cr"));
	kafka_config_clear(&config);
}

static void test_settings(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth *oauth;
	const char **extensions;
	size_t n;

	expect_refused("sasl.oauthbearer.client.id", "", "client.id");
	expect_refused("sasl.oauthbearer.client.secret", "", "client.secret");
	expect_refused("sasl.oauthbearer.token.endpoint.url", "", "token.endpoint.url");
	expect_refused("sasl.oauthbearer.token.endpoint.url", "ftp://host/", "token.endpoint.url");
	expect_refused("sasl.oauthbearer.token.endpoint.url", "https://a:s3cr@host/", "user or password");
	expect_refused("sasl.oauthbearer.token.endpoint.url", "https://host/#x", "#");
	expect_refused("sasl.oauthbearer.extensions", "auth=x", "extensions");
	expect_refused("sasl.oauthbearer.extensions", "a1=x", "extensions");
	expect_refused("sasl.oauthbearer.extensions", "a", "extensions");
	expect_refused("sasl.oauthbearer.extensions", "a=\x01", "extensions");
	expect_refused("sasl.oauthbearer.method", "default", "sasl.oauthbearer.method=oidc");
	expect_refused("sasl.oauthbearer.grant.type", "jwt-bearer", "grant.type");
	expect_refused("https.ca.location", "/no/such/file", "/no/such/file");
	configure("", "https://127.0.0.1/token");
	assert_int_equal(oauth_new(&config, KAFKA_PRODUCER, false, &oauth, &err), SEAL_OK);
	assert_string_equal(oauth_client_id(oauth), "pump one");
	extensions = oauth_extensions(oauth, &n);
	assert_int_equal(n, 4);
	assert_string_equal(extensions[0], "logicalCluster");
	assert_string_equal(extensions[1], "lkc-1");
	assert_string_equal(extensions[2], "identityPoolId");
	assert_string_equal(extensions[3], "pool-a=b");
	oauth_free(oauth);
	kafka_config_clear(&config);
}

/* Other logins, and tokens that librdkafka makes, are none of ours. */
static void test_not_ours(void **state)
{
	static const char *const rows[][2] = {{"sasl.mechanism", "PLAIN"},
					      {"enable.sasl.oauthbearer.unsecure.jwt", "true"}};
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth *oauth;

	for (size_t i = 0; i < 2; i++) {
		configure("", NULL);
		assert_int_equal(kafka_config_set(&config, "sasl.oauthbearer.method", "default", &err), SEAL_OK);
		assert_int_equal(kafka_config_set(&config, rows[i][0], rows[i][1], &err), SEAL_OK);
		assert_int_equal(oauth_new(&config, KAFKA_CONSUMER, false, &oauth, &err), SEAL_OK);
		assert_null(oauth);
		kafka_config_clear(&config);
	}
	configure("", "https://127.0.0.1/token"); /* other grants are librdkafka's, where it has them */
	assert_int_equal(kafka_config_set(&config, "sasl.oauthbearer.grant.type", "jwt-bearer", &err), SEAL_OK);
	assert_int_equal(oauth_new(&config, KAFKA_CONSUMER, true, &oauth, &err), SEAL_OK);
	assert_null(oauth);
	kafka_config_clear(&config);
	assert_true(oauth_is_own("sasl.oauthbearer.client.secret"));
	assert_false(oauth_is_own("sasl.oauthbearer.config"));
}

/* ---- answers ---- */

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		uint64_t lives_s; /* 0: refused */
		const char *words; /* the token, or of the error */
	} rows[] = {
		{"{\"access_token\":\"abc\",\"expires_in\":60}", 60, "abc"},
		{" {\"expires_in\" : \"3600\", \"x\":{\"access_token\":\"no\"},\"access_token\":\"a.b-c_~+/=\"} ",
		 3600, "a.b-c_~+/="},
		{"{\"access_token\":\"abc\",\"expires_in\":59.9}", 59, "abc"},
		{"{\"access_token\":\"abc\",\"expires_in\":99999999999}", OAUTH_LIFETIME_MAX_S, "abc"},
		{"{\"access_token\":\"" JWT_HEAD JWT_EXP_2000 ".\"}", 1000, JWT_HEAD JWT_EXP_2000 "."},
		{"{\"access_token\":\"" JWT_HEAD JWT_EXP_2000 ".\",\"expires_in\":7}", 7, JWT_HEAD JWT_EXP_2000 "."},
		{"{\"access_token\":\"" JWT_HEAD JWT_NO_EXP ".\"}", 0, "expires_in"},
		{"{\"access_token\":\"a.%%.b\"}", 0, "access_token"},
		{"{\"access_token\":\"a..b\"}", 0, "expires_in"},
		{"{\"access_token\":\"abc\"}", 0, "expires_in"},
		{"{\"access_token\":\"abc\",\"expires_in\":1}", 0, "clocks"},
		{"{\"access_token\":\"abc\",\"expires_in\":-5}", 0, "expires_in"},
		{"{\"access_token\":\"a b\",\"expires_in\":60}", 0, "access_token"},
		{"{\"access_token\":\"\",\"expires_in\":60}", 0, "access_token"},
		{"{\"access_token\":17,\"expires_in\":60}", 0, "access_token"},
		{"[\"access_token\",\"abc\"]", 0, "access_token"},
		{"\"access_token\"", 0, "access_token"},
		{"<html>", 0, "not JSON"},
		{"", 0, "not JSON"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oauth_token token = OAUTH_TOKEN_INIT;
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc = oauth_answer_read(bytes_str(rows[i].text), 1000, &token, &err);

		assert_int_equal(rc, rows[i].lives_s ? SEAL_OK : SEAL_RETRY);
		assert_int_equal(token.lifetime_ms, rows[i].lives_s * 1000);
		if (rc == SEAL_OK)
			assert_string_equal((const char *)token.text.ptr, rows[i].words);
		else if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("%s: \"%s\" is not in \"%s\"", rows[i].text, rows[i].words, err.text);
		else
			assert_null(token.text.ptr);
		oauth_token_clear(&token);
	}
}

/* ---- requests ---- */

/* Answers as told; keeps the last request. */
struct server {
	struct test_server base;
	pthread_mutex_t lock;
	unsigned status;
	const char *body;
	char head[16384], sent[400];
};

static bool reply(struct test_server *base, int fd, const struct test_request *request)
{
	struct server *s = base->arg;
	unsigned status;
	const char *body;

	pthread_mutex_lock(&s->lock);
	snprintf(s->head, sizeof(s->head), "%s", request->head);
	snprintf(s->sent, sizeof(s->sent), "%.*s", (int)request->body_len, request->body);
	status = s->status;
	body = s->body;
	pthread_mutex_unlock(&s->lock);
	return test_reply(fd, status, status == 302 ? "Location: /x\r\n" : "", body);
}

static void set(struct server *s, unsigned status, const char *body)
{
	pthread_mutex_lock(&s->lock);
	s->status = status;
	s->body = body;
	pthread_mutex_unlock(&s->lock);
}

static struct oauth *server_start(struct server *s, const char *path)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth *oauth;
	char url[200];

	pthread_mutex_init(&s->lock, NULL);
	test_server_start(&s->base, reply, s);
	snprintf(url, sizeof(url), "%s%s", s->base.url, path);
	configure("", url);
	assert_int_equal(oauth_new(&config, KAFKA_CONSUMER, false, &oauth, &err), SEAL_OK);
	return oauth;
}

static void server_stop(struct server *s)
{
	test_server_stop(&s->base);
	pthread_mutex_destroy(&s->lock);
	kafka_config_clear(&config);
}

/* Who asks in clear on this machine does not mean the environment's proxy, which would see the secret. */
static void test_no_proxy_for_this_machine(void **state)
{
	struct server s = {.status = 200, .body = "{\"access_token\":\"abc\",\"expires_in\":60}"};
	struct oauth_token token = OAUTH_TOKEN_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth *oauth;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	oauth = server_start(&s, "/token");
	assert_int_equal(oauth_fetch(oauth, &token, &err), SEAL_OK);
	unsetenv("http_proxy");
	oauth_token_clear(&token);
	oauth_free(oauth);
	server_stop(&s);
}

/* http_proxy is asked for a name that only begins like this machine: it is not there, and the warning is given. */
static void test_names_like_this_machine(void **state)
{
	static const char *const urls[] = {"http://localhost.example.org/t", "http://127.0.0.1.example.org:80/t"};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct oauth *oauth;
		char said[400] = "";
		int saved = dup(STDERR_FILENO), ends[2];

		assert_int_equal(pipe(ends), 0);
		dup2(ends[1], STDERR_FILENO);
		configure("", urls[i]);
		assert_int_equal(oauth_new(&config, KAFKA_CONSUMER, false, &oauth, &err), SEAL_OK);
		dup2(saved, STDERR_FILENO);
		close(saved), close(ends[1]);
		assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
		assert_non_null(strstr(said, "in the clear"));
		close(ends[0]);
		oauth_free(oauth);
		kafka_config_clear(&config);
	}
}

static void test_request_bytes(void **state)
{
	struct server s = {.status = 200, .body = "{\"access_token\":\"abc\",\"expires_in\":60}"};
	struct oauth_token token = OAUTH_TOKEN_INIT;
	struct oauth *oauth = server_start(&s, "/realms/x/token/?tenant=7");
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(oauth_fetch(oauth, &token, &err), SEAL_OK);
	assert_string_equal((const char *)token.text.ptr, "abc");
	assert_non_null(strstr(s.head, "POST /realms/x/token/?tenant=7 HTTP/1.1\r\n"));
	/* "pump one:s3cr:et/+" */
	assert_non_null(strstr(s.head, "Authorization: Basic cHVtcCBvbmU6czNjcjpldC8r\r\n"));
	assert_non_null(strstr(s.head, "Content-Type: application/x-www-form-urlencoded\r\n"));
	assert_string_equal(s.sent, "grant_type=client_credentials&scope=kafka%20read%26write");
	oauth_token_clear(&token);
	oauth_free(oauth);
	server_stop(&s);
}

static void test_refusals(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		enum seal_status rc;
		enum seal_code code;
		const char *words;
	} rows[] = {
		{401, "{\"error\":\"invalid_client\",\"error_description\":\"s3cr is wrong\"}", SEAL_DENIED,
		 SEAL_E_DENIED, "401 invalid_client; check sasl.oauthbearer.client.id"},
		{400, "{\"error\":\"made up\"}", SEAL_DENIED, SEAL_E_DENIED, "400; check"},
		{403, "<html>", SEAL_DENIED, SEAL_E_DENIED, "403"},
		{400, "{\"error\":\"invalid_scope\"}", SEAL_USAGE, SEAL_E_CONFIG, "scope"},
		{404, "", SEAL_USAGE, SEAL_E_CONFIG, "404; check sasl.oauthbearer.token.endpoint.url"},
		{302, "", SEAL_USAGE, SEAL_E_CONFIG, "302"},
		{500, "", SEAL_RETRY, SEAL_E_SERVICE, "500"},
		{200, "hello", SEAL_RETRY, SEAL_E_SERVICE, "not JSON"},
	};
	struct server s = {0};
	struct oauth *oauth = server_start(&s, "");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oauth_token token = OAUTH_TOKEN_INIT;
		struct seal_err err = SEAL_ERR_INIT;

		set(&s, rows[i].status, rows[i].body);
		assert_int_equal(oauth_fetch(oauth, &token, &err), rows[i].rc);
		assert_int_equal(err.code, rows[i].code);
		if (strstr(err.text, rows[i].words) == NULL || strstr(err.text, "s3cr") != NULL)
			fail_msg("\"%s\" is not in \"%s\"", rows[i].words, err.text);
		assert_null(token.text.ptr);
	}
	oauth_free(oauth);
	server_stop(&s);
}

/* ---- the keeper ---- */

static rd_kafka_t *handle(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[200];

	assert_int_equal(rd_kafka_conf_set(conf, "sasl.mechanism", "OAUTHBEARER", why, sizeof(why)),
			 RD_KAFKA_CONF_OK);
	assert_int_equal(rd_kafka_conf_set(conf, "security.protocol", "SASL_PLAINTEXT", why, sizeof(why)),
			 RD_KAFKA_CONF_OK);
	oauth_keeper_conf(conf);
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
}

static void wait_requests(struct server *s, unsigned n)
{
	uint64_t until = clock_mono_ms() + WAIT_MS;

	while (atomic_load(&s->base.requests) < n) {
		assert_true(clock_mono_ms() < until);
		usleep(10000);
	}
}

static void wait_state(struct oauth_keeper *keeper, enum seal_status status)
{
	uint64_t until = clock_mono_ms() + WAIT_MS;

	while (oauth_keeper_state(keeper, NULL) != status) {
		assert_true(clock_mono_ms() < until);
		usleep(10000);
	}
}

/* Tokens are renewed before they run out; a refusal counts when the last one has, and is forgotten with the next token. */
static void test_keeper(void **state)
{
	struct server s = {.status = 200, .body = "{\"access_token\":\"abc\",\"expires_in\":2}"};
	struct oauth *oauth = server_start(&s, "/token");
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth_keeper *keeper;
	rd_kafka_t *rk = handle();
	uint64_t before_ms;
	bool refused;

	assert_int_equal(oauth_keeper_start(rk, oauth, "producer", &keeper, &err), SEAL_OK);
	wait_requests(&s, 3);
	assert_int_equal(oauth_keeper_state(keeper, &err), SEAL_OK);
	set(&s, 401, "{\"error\":\"invalid_client\"}");
	wait_state(keeper, SEAL_DENIED);
	assert_int_equal(oauth_keeper_state(keeper, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "invalid_client"));
	before_ms = clock_mono_ms();
	set(&s, 200, "{\"access_token\":\"abc\",\"expires_in\":600}");
	wait_state(keeper, SEAL_OK);
	refused = oauth_keeper_refused(keeper);
	assert_true(!refused ||
		    clock_mono_ms() - before_ms >= 2000); /* of the token before, while this one is fresh */
	oauth_keeper_stop(keeper);
	rd_kafka_destroy(rk);
	server_stop(&s);
}

/* The first token decides about the settings; while the server is away all wait. */
static void test_keeper_start(void **state)
{
	struct server s = {.status = 503, .body = ""};
	struct oauth *oauth = server_start(&s, "/token");
	struct seal_err err = SEAL_ERR_INIT;
	struct oauth_keeper *keeper;
	rd_kafka_t *rk = handle();

	assert_int_equal(oauth_keeper_start(rk, oauth, "producer", &keeper, &err), SEAL_OK);
	wait_state(keeper, SEAL_RETRY);
	assert_int_equal(oauth_keeper_state(keeper, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "status 503"));
	set(&s, 200, "{\"access_token\":\"abc\",\"expires_in\":600}");
	wait_state(keeper, SEAL_OK);
	assert_true(oauth_keeper_refused(keeper));
	oauth_keeper_stop(keeper);
	rd_kafka_destroy(rk);
	server_stop(&s);
	assert_int_equal(oauth_keeper_state(NULL, &err), SEAL_OK);
	assert_true(oauth_keeper_refused(NULL));
	oauth_keeper_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_no_proxy_for_this_machine),
		cmocka_unit_test(test_names_like_this_machine),
		cmocka_unit_test(test_request_bytes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_keeper),
		cmocka_unit_test(test_keeper_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
