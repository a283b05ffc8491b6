/* vault/login: the browser's way. Does a callback that we did not cause get nothing, and the right one a token? */
#include "vault_fake.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

static struct vault_options options = {.auth = "oidc", .role = "people"};
static struct vault_tokens *tokens;
static struct seal_err err;
static unsigned port;
static int holder; /* is bound to it and does not listen, so that nobody else gets it */
static const char *auth_url;
static char nonce[100], asked_callback[1000];

static const char *const *visits; /* request lines of the browser, one after the other */
static char replies[8][600];

static int connect_to_us(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void *browse(void *arg)
{
	for (size_t i = 0; visits[i] != NULL; i++) {
		int fd = connect_to_us();
		char request[1200];
		size_t got = 0;
		ssize_t n;

		if (fd < 0)
			return NULL;
		snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: localhost\r\n\r\n", visits[i]);
		(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
		while ((n = recv(fd, replies[i] + got, sizeof(replies[0]) - 1 - got, 0)) > 0)
			got += (size_t)n;
		close(fd);
	}
	return NULL;
}

static pthread_t browser;
static bool browsing;

static enum seal_status answer(const char *path, const char *token, json_t **out, struct seal_err *e)
{
	if (strcmp(path, "auth/oidc/oidc/auth_url") == 0) {
		*out = json_pack("{s:{s:s}}", "data", "auth_url", auth_url);
		snprintf(nonce, sizeof(nonce), "%s", json_string_value(json_object_get(*last_body, "client_nonce")));
		browsing = visits != NULL && pthread_create(&browser, NULL, browse, NULL) == 0;
		return SEAL_OK;
	}
	snprintf(asked_callback, sizeof(asked_callback), "%s", path);
	*out = json_loads("{\"auth\":{\"client_token\":\"hvs.P\",\"lease_duration\":0,\"renewable\":true}}", 0, NULL);
	return SEAL_OK;
}

static json_t *body;

static int fresh(void **state)
{
	err_clear(&err);
	memset(replies, 0, sizeof(replies));
	asked_callback[0] = '\0';
	auth_url = "https://idp/authorize?client_id=a&nonce=n_1&state=st_123&scope=openid";
	visits = NULL;
	browsing = false;
	answer_by = answer;
	last_body = &body;
	vault_login_test_clock(NULL, false);
	vault_login_test_oidc(port, true);
	return vault_tokens_new(&fake_client, &options, &tokens, &err) == SEAL_OK ? 0 : -1;
}

static int stale(void **state)
{
	vault_tokens_free(tokens);
	json_decref(body);
	body = NULL;
	return 0;
}

static enum seal_status log_in(char *said, size_t room)
{
	FILE *to = tmpfile();
	int was = dup(STDERR_FILENO);
	struct vault_token *token = NULL;
	enum seal_status rc;
	size_t n;

	assert_non_null(to);
	dup2(fileno(to), STDERR_FILENO);
	rc = vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &token, &err);
	dup2(was, STDERR_FILENO);
	close(was);
	if (browsing)
		pthread_join(browser, NULL);
	rewind(to);
	n = fread(said, 1, room - 1, to);
	said[n] = '\0';
	fclose(to);
	if (rc == SEAL_OK) {
		assert_string_equal(vault_token_text(token), "hvs.P");
		vault_token_release(tokens, token);
	}
	return rc;
}

static void assert_reply(size_t i, const char *status)
{
	if (strncmp(replies[i], status, strlen(status)) != 0)
		fail_msg("reply %zu is %s", i, replies[i]);
}

static void right_and_wrong(void **state)
{
	static const char *const lines[] = {"GET /favicon.ico",
					    "POST /oidc/callback?state=st_123&code=c",
					    "GET /oidc/callback?state=st_124&code=evil",
					    "GET /oidc/callback?code=evil",
					    "GET /oidc/callback?state=st_123",
					    "GET /oidc/callback?state=st_123&code=4%2F0Ab.c-_",
					    NULL};
	char said[2000], want[300];

	visits = lines;
	if (log_in(said, sizeof(said)) != SEAL_OK)
		fail_msg("%s", err.text);
	assert_reply(0, "HTTP/1.1 404 ");
	assert_reply(1, "HTTP/1.1 404 ");
	assert_reply(2, "HTTP/1.1 400 ");
	assert_reply(3, "HTTP/1.1 400 ");
	assert_reply(4, "HTTP/1.1 400 ");
	assert_reply(5, "HTTP/1.1 200 ");
	assert_int_equal(strlen(nonce), 40);
	snprintf(want, sizeof(want), "auth/oidc/oidc/callback?state=st_123&code=4%%2F0Ab.c-_&client_nonce=%s", nonce);
	assert_string_equal(asked_callback, want);
	snprintf(want, sizeof(want), "To log in, open this address in a browser:\n\n    %s\n\n", auth_url);
	assert_string_equal(said, want);
	snprintf(want, sizeof(want), "http://localhost:%u/oidc/callback", port);
	assert_string_equal(json_string_value(json_object_get(body, "redirect_uri")), want);
	assert_string_equal(json_string_value(json_object_get(body, "role")), "people");
}

static void refused_by_provider(void **state)
{
	static const char *const lines[] = {"GET /oidc/callback?state=st_123&error=access_denied&error_description=x",
					    NULL};
	char said[2000];

	visits = lines;
	assert_int_equal(log_in(said, sizeof(said)), SEAL_DENIED);
	assert_non_null(strstr(err.text, "logging in with oidc at auth/oidc failed: the identity provider refuses: "
					 "access_denied; check --vault-role and its allowed_redirect_uris"));
	assert_string_equal(asked_callback, "");
}

static void bad_addresses(void **state)
{
	static const char *const bad[][2] = {{"", "the server gives no address for the browser"},
					     {"https://idp/authorize?nonce=n", "has no state or no nonce"},
					     {"https://idp/authorize?state=s", "has no state or no nonce"},
					     {"https://idp/authorize", "has no state or no nonce"},
					     {"https://idp/\033[2J?state=s&nonce=n", "holds characters"}};
	char said[2000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auth_url = bad[i][0];
		err_clear(&err);
		assert_true(log_in(said, sizeof(said)) != SEAL_OK);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("%s", err.text);
		assert_string_equal(said, "");
	}
}

static void needs_a_person(void **state)
{
	char said[2000];

	vault_login_test_oidc(port, false); /* stderr is a file */
	assert_int_equal(log_in(said, sizeof(said)), SEAL_USAGE);
	assert_non_null(strstr(err.text, "needs a person with a browser, and stderr is no terminal"));
}

static void port_taken(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char said[2000];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(log_in(said, sizeof(said)), SEAL_USAGE);
	assert_non_null(strstr(err.text, "cannot wait for the browser at 127.0.0.1:"));
	close(fd);
}

/* A port that nobody listens at, but who says SO_REUSEADDR, as the program does. */
static int find_port(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	holder = socket(AF_INET, SOCK_STREAM, 0);
	if (setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
	    bind(holder, (const struct sockaddr *)&address, len) != 0 ||
	    getsockname(holder, (struct sockaddr *)&address, &len) != 0)
		return -1;
	port = ntohs(address.sin_port);
	return 0;
}

static int give_port_back(void **state)
{
	return close(holder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(right_and_wrong), TEST(refused_by_provider), TEST(bad_addresses),
					   TEST(needs_a_person), TEST(port_taken)};

	return cmocka_run_group_tests(tests, find_port, give_port_back);
}
