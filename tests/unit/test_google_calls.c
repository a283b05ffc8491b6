/*
 * google: calls against a server that plays the service, the token server and the metadata server at once. Each test says what must
 * arrive, and how often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "google/google.h"
#include "http/tokens.h"
#include "google_fixture.h"
#include "http_server.h"

struct play {
	struct test_server server;
	atomic_uint tokens, calls, metadata;
	atomic_uint refuse; /* so many calls get 401 */
	atomic_uint fail; /* so many get `status` with `body` */
	unsigned status;
	const char *body;
	unsigned token_status; /* 0: 200 */
	const char *token_body; /* NULL: token N, which lives 3600 s */
	char authorization[2048], quota[64], sent[512], form[512]; /* of the last call, of the last token request */
	char path[TEST_PATH_MAX];
};

static bool answer_token_request(struct play *p, int fd, const struct test_request *r)
{
	char text[128];

	snprintf(p->form, sizeof(p->form), "%.*s", (int)r->body_len, r->body != NULL ? r->body : "");
	snprintf(text, sizeof(text), "{\"access_token\":\"token-%u\",\"expires_in\":3600,\"token_type\":\"Bearer\"}",
		 atomic_fetch_add(&p->tokens, 1) + 1);
	return test_reply(fd, p->token_status != 0 ? p->token_status : 200, "",
			  p->token_body != NULL ? p->token_body : text);
}

static bool answer_metadata(struct play *p, int fd, const struct test_request *r)
{
	char flavor[16];

	assert_true(test_request_header(r, "Metadata-Flavor", flavor, sizeof(flavor)));
	assert_string_equal(flavor, "Google");
	assert_string_equal(r->method, "GET");
	if (strcmp(r->target, "/computeMetadata/v1/project/project-id") == 0) {
		atomic_fetch_add(&p->metadata, 1);
		return test_reply(fd, 200, "Metadata-Flavor: Google\r\n", "shop-9");
	}
	assert_string_equal(r->target,
			    "/computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fs%2F");
	return answer_token_request(p, fd, r);
}

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	struct play *p = server->arg;

	if (strcmp(r->target, "/token") == 0)
		return answer_token_request(p, fd, r);
	if (strncmp(r->target, "/computeMetadata/", 17) == 0)
		return answer_metadata(p, fd, r);
	atomic_fetch_add(&p->calls, 1);
	if (!test_request_header(r, "Authorization", p->authorization, sizeof(p->authorization)))
		p->authorization[0] = '\0';
	if (!test_request_header(r, "X-Goog-User-Project", p->quota, sizeof(p->quota)))
		p->quota[0] = '\0';
	snprintf(p->sent, sizeof(p->sent), "%s %.99s %.*s", r->method, r->target, (int)r->body_len,
		 r->body != NULL ? r->body : "");
	if (atomic_load(&p->refuse) > 0) {
		atomic_fetch_sub(&p->refuse, 1);
		return test_reply(
			fd, 401, "",
			"{\"error\":{\"code\":401,\"message\":\"bad token\",\"status\":\"UNAUTHENTICATED\"}}");
	}
	if (atomic_load(&p->fail) > 0) {
		atomic_fetch_sub(&p->fail, 1);
		return test_reply(fd, p->status, "", p->body);
	}
	return test_reply(fd, 200, "Content-Type: application/json\r\n", "{\"messageIds\":[\"1\"]}");
}

static void start(struct play *p)
{
	memset(p, 0, sizeof(*p));
	forget_google();
	test_server_start(&p->server, answer, p);
}

/* A user's credentials, whose token server is ours, in the environment. */
static void start_user(struct play *p)
{
	char text[512];

	start(p);
	snprintf(text, sizeof(text), USER_FILE ",\"quota_project_id\":\"bill-1\",\"token_uri\":\"%s/token\"}",
		 p->server.url);
	write_file(text, p->path);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", p->path, 1);
}

static void stop(struct play *p)
{
	test_server_stop(&p->server);
	if (p->path[0] != '\0')
		unlink(p->path);
	http_tokens_set_clock(NULL);
	forget_google();
}

struct session {
	struct google_client *client;
	struct google_worker *worker;
};

static void open_session(struct play *p, struct session *s)
{
	const struct google_config config = {
		.endpoint = p->server.url, .audience = "https://pubsub.googleapis.com/", .scope = "https://s/"};
	struct seal_err err = SEAL_ERR_INIT;

	if (google_client_new(&config, &s->client, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(google_worker_new(s->client, &s->worker, NULL), SEAL_OK);
}

static void close_session(struct session *s)
{
	google_worker_free(s->worker);
	google_client_free(s->client);
}

/* With a user's credentials. */
static void start_session(struct play *p, struct session *s)
{
	start_user(p);
	open_session(p, s);
}

static void end_session(struct play *p, struct session *s)
{
	close_session(s);
	stop(p);
}

static enum seal_status call(struct session *s, struct google_call *call, struct seal_err *err)
{
	*call = (struct google_call){.method = "POST", .path = "/v1/x:publish", .body = BYTES_LIT("{\"a\":1}")};
	return google_call_run(s->worker, call, clock_mono_ms() + 60000, err);
}

static void succeeds(struct session *s)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_call c;

	if (call(s, &c, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.failure, GOOGLE_NONE);
	assert_true(bytes_eq_str(buf_bytes(&c.answer), "{\"messageIds\":[\"1\"]}"));
	google_call_clear(&c);
}

/* ---- tokens ---- */

static void a_users_token_is_fetched_once(void **state)
{
	struct session s;
	struct play p;

	start_session(&p, &s);
	assert_null(google_client_project(s.client));
	assert_int_equal(atomic_load(&p.tokens), 0);
	succeeds(&s);
	assert_string_equal(p.form, "grant_type=refresh_token&client_id=id%201&client_secret=s%26cret"
				    "&refresh_token=1%2F%2F0r");
	assert_string_equal(p.authorization, "Bearer token-1");
	assert_string_equal(p.quota, "bill-1");
	assert_string_equal(p.sent, "POST /v1/x:publish?prettyPrint=false {\"a\":1}");
	succeeds(&s);
	assert_int_equal(atomic_load(&p.tokens), 1);
	assert_int_equal(atomic_load(&p.calls), 2);
	end_session(&p, &s);
}

static void the_metadata_server_is_asked(void **state)
{
	struct session s;
	struct play p;
	char host[64];

	start(&p);
	snprintf(host, sizeof(host), "127.0.0.1:%u", p.server.port);
	setenv("GCE_METADATA_HOST", host, 1);
	open_session(&p, &s);
	assert_int_equal(atomic_load(&p.metadata), 1);
	assert_string_equal(google_client_project(s.client), "shop-9");
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-1");
	assert_string_equal(p.quota, "");
	close_session(&s);
	setenv("GOOGLE_CLOUD_PROJECT", "other-1", 1);
	open_session(&p, &s);
	assert_string_equal(google_client_project(s.client), "other-1");
	end_session(&p, &s);
}

static void a_service_account_asks_nobody(void **state)
{
	struct seal_buf file = BUF_INIT(16384);
	struct session s;
	struct play p;
	char first[2048];

	start(&p);
	service_account_file(&file);
	write_file((const char *)file.ptr, p.path);
	buf_clear(&file);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", p.path, 1);
	open_session(&p, &s);
	assert_string_equal(google_client_project(s.client), "shop-1");
	succeeds(&s);
	assert_memory_equal(p.authorization, "Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.", 59);
	snprintf(first, sizeof(first), "%s", p.authorization);
	succeeds(&s);
	assert_string_equal(p.authorization, first);
	assert_int_equal(atomic_load(&p.tokens), 0);
	end_session(&p, &s);
}

static _Atomic uint64_t now_ms;

static uint64_t told_time(void)
{
	return atomic_load(&now_ms);
}

static void a_token_is_renewed_before_its_end(void **state)
{
	struct session s;
	struct play p;

	start_user(&p);
	atomic_store(&now_ms, 1000000);
	http_tokens_set_clock(told_time);
	open_session(&p, &s);
	succeeds(&s);
	atomic_fetch_add(&now_ms, 3600000 - 225000 - 1);
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-1");
	atomic_fetch_add(&now_ms, 1);
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-2");
	assert_int_equal(atomic_load(&p.tokens), 2);
	end_session(&p, &s);
}

/* The token server is away: the old one does as long as it is good, with a pause between tries; then calls fail. */
static void a_renewal_that_fails(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_call c;
	struct session s;
	struct play p;

	start_user(&p);
	atomic_store(&now_ms, 1000000);
	http_tokens_set_clock(told_time);
	open_session(&p, &s);
	succeeds(&s);
	p.token_status = 403;
	p.token_body = "{\"error\":\"invalid_grant\"}";
	atomic_fetch_add(&now_ms, 3600000 - 225000);
	succeeds(&s);
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-1");
	assert_int_equal(atomic_load(&p.tokens), 2);
	atomic_fetch_add(&now_ms, 225000);
	assert_int_equal(call(&s, &c, &err), SEAL_DENIED);
	assert_int_equal(c.failure, GOOGLE_DENIED);
	assert_non_null(strstr(err.text, "403 invalid_grant"));
	assert_non_null(strstr(err.text, p.path));
	assert_null(strstr(err.text, "0r"));
	assert_int_equal(atomic_load(&p.calls), 3);
	google_call_clear(&c);
	p.token_status = 0;
	p.token_body = NULL;
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-4");
	end_session(&p, &s);
}

static void a_refused_token_is_renewed_once(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_call c;
	struct session s;
	struct play p;

	start_session(&p, &s);
	atomic_store(&p.refuse, 1);
	succeeds(&s);
	assert_string_equal(p.authorization, "Bearer token-2");
	assert_int_equal(atomic_load(&p.tokens), 2);
	atomic_store(&p.refuse, 100);
	assert_int_equal(call(&s, &c, &err), SEAL_DENIED);
	assert_int_equal(c.failure, GOOGLE_DENIED);
	assert_string_equal(c.code, "UNAUTHENTICATED");
	assert_non_null(strstr(err.text, "bad token"));
	assert_non_null(strstr(err.text, p.path));
	assert_null(strstr(err.text, "token-"));
	assert_int_equal(atomic_load(&p.calls), 4);
	assert_int_equal(atomic_load(&p.tokens), 3);
	google_call_clear(&c);
	end_session(&p, &s);
}

static void a_token_server_that_answers_nonsense(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_call c;
	struct session s;
	struct play p;

	start_user(&p);
	p.token_body = "<html>proxy</html>";
	open_session(&p, &s);
	assert_int_equal(call(&s, &c, &err), SEAL_RETRY);
	assert_int_equal(c.failure, GOOGLE_AWAY);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(err.text, "no JSON"));
	assert_int_equal(atomic_load(&p.calls), 0);
	google_call_clear(&c);
	end_session(&p, &s);
}

/* ---- errors ---- */

static void fails_with(struct play *p, struct session *s, unsigned status, const char *body, enum seal_status rc,
		       enum google_failure failure, unsigned calls)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct google_call c;
	unsigned before = atomic_load(&p->calls);

	p->status = status;
	p->body = body;
	atomic_store(&p->fail, 100);
	if (call(s, &c, &err) != rc || c.failure != failure || c.status != status)
		fail_msg("%u %s: %d %s", status, body, c.failure, err.text);
	assert_true(bytes_eq_str(buf_bytes(&c.answer), body));
	assert_int_equal(atomic_load(&p->calls) - before, calls);
	assert_non_null(strstr(err.text, "/v1/x:publish"));
	assert_null(strchr(err.text, '\n'));
	google_call_clear(&c);
	atomic_store(&p->fail, 0);
}

static void errors_have_their_classes(void **state)
{
	struct session s;
	struct play p;

	start_session(&p, &s);
	fails_with(&p, &s, 429, "{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
		   SEAL_RETRY, GOOGLE_THROTTLED, 1);
	fails_with(&p, &s, 404, "{\"error\":{\"code\":404,\"message\":\"m\",\"status\":\"NOT_FOUND\"}}", SEAL_USAGE,
		   GOOGLE_REFUSED, 1);
	fails_with(&p, &s, 400, "{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}",
		   SEAL_DATA, GOOGLE_REFUSED, 1);
	fails_with(&p, &s, 403, "<html>\n</html>", SEAL_DENIED, GOOGLE_DENIED, 1);
	fails_with(&p, &s, 501, "", SEAL_USAGE, GOOGLE_REFUSED, 1);
	fails_with(&p, &s, 500, "{}", SEAL_RETRY, GOOGLE_AWAY, 4);
	end_session(&p, &s);
}

static void a_server_that_stumbles_is_asked_again(void **state)
{
	struct session s;
	struct play p;

	start_session(&p, &s);
	p.status = 503;
	p.body = "";
	atomic_store(&p.fail, 2);
	succeeds(&s);
	assert_int_equal(atomic_load(&p.calls), 3);
	end_session(&p, &s);
}

/* Pulls that bring nothing end so, one after the other. */
static void time_that_is_over_is_no_outage(void **state)
{
	struct session s;
	struct play p;

	start_session(&p, &s);
	for (unsigned i = 0; i < 20; i++)
		fails_with(&p, &s, 504,
			   "{\"error\":{\"code\":504,\"message\":\"m\",\"status\":\"DEADLINE_EXCEEDED\"}}",
			   SEAL_RETRY, GOOGLE_AWAY, 1);
	succeeds(&s);
	end_session(&p, &s);
}

/* ---- opening ---- */

static enum seal_status opens(const struct google_config *config, struct seal_err *err)
{
	struct google_client *client;
	enum seal_status rc;

	err_clear(err);
	rc = google_client_new(config, &client, err);
	assert_int_equal(rc == SEAL_OK, client != NULL);
	google_client_free(client);
	return rc;
}

static void an_emulator_needs_no_credentials(void **state)
{
	struct google_config config = {.endpoint = "https://pubsub.googleapis.com"};
	struct google_call c;
	struct session s;
	struct play p;
	char host[64];

	start(&p);
	snprintf(host, sizeof(host), "127.0.0.1:%u", p.server.port);
	config.emulator = host;
	assert_int_equal(google_client_new(&config, &s.client, NULL), SEAL_OK);
	assert_null(google_client_project(s.client));
	assert_int_equal(google_worker_new(s.client, &s.worker, NULL), SEAL_OK);
	succeeds(&s);
	assert_string_equal(p.authorization, "");
	close_session(&s);
	config.emulator = p.server.url;
	assert_int_equal(google_client_new(&config, &s.client, NULL), SEAL_OK);
	assert_int_equal(google_worker_new(s.client, &s.worker, NULL), SEAL_OK);
	atomic_store(&p.refuse, 1);
	assert_int_equal(call(&s, &c, NULL), SEAL_DENIED);
	google_call_clear(&c);
	assert_int_equal(atomic_load(&p.calls), 2);
	end_session(&p, &s);
}

static void nothing_is_found(void **state)
{
	const struct google_config config = {.endpoint = "https://pubsub.googleapis.com", .scope = "s"};
	struct seal_err err = SEAL_ERR_INIT;
	char host[64];

	forget_google();
	snprintf(host, sizeof(host), "127.0.0.1:%u", test_kept_port());
	setenv("GCE_METADATA_HOST", host, 1);
	assert_int_equal(opens(&config, &err), SEAL_DENIED);
	assert_non_null(strstr(err.text, "GOOGLE_APPLICATION_CREDENTIALS is not set"));
	assert_non_null(strstr(err.text, "/nonexistent/.config/gcloud/application_default_credentials.json"));
	assert_non_null(strstr(err.text, host));
	assert_null(strchr(err.text, '\n'));
	forget_google();
}

static void addresses_are_checked(void **state)
{
	static const struct {
		const char *endpoint, *says;
	} rows[] = {
		{"http://pubsub.example", "in the clear"},
		{"pubsub.googleapis.com", "https://"},
		{"ftp://x", "https://"},
		{"https://a b", "Bad hostname"},
	};
	struct seal_err err = SEAL_ERR_INIT;
	char path[TEST_PATH_MAX];

	forget_google();
	write_file(USER_FILE "}", path);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct google_config config = {.endpoint = rows[i].endpoint, .scope = "s"};

		if (opens(&config, &err) != SEAL_USAGE || strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].endpoint, err.text);
	}
	unlink(path);
	write_file(USER_FILE ",\"token_uri\":\"http://t.example/token\"}", path);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
	assert_int_equal(opens(&(struct google_config){.endpoint = "https://x", .scope = "s"}, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "token_uri"));
	unlink(path);
	forget_google();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_users_token_is_fetched_once),
		cmocka_unit_test(the_metadata_server_is_asked),
		cmocka_unit_test(a_service_account_asks_nobody),
		cmocka_unit_test(a_token_is_renewed_before_its_end),
		cmocka_unit_test(a_renewal_that_fails),
		cmocka_unit_test(a_refused_token_is_renewed_once),
		cmocka_unit_test(a_token_server_that_answers_nonsense),
		cmocka_unit_test(errors_have_their_classes),
		cmocka_unit_test(a_server_that_stumbles_is_asked_again),
		cmocka_unit_test(time_that_is_over_is_no_outage),
		cmocka_unit_test(an_emulator_needs_no_credentials),
		cmocka_unit_test(nothing_is_found),
		cmocka_unit_test(addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
