/* http: exchanges over plain HTTP with a server that counts: kept alive, side by side, repeated, cut, stalled, too large. */
#include "http_fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static void nap(unsigned ms)
{
	usleep(ms * 1000);
}

/* ---- connections ---- */

static bool ok(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->target);
}

static void keeps_alive(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/v1/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, ok, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1});
	for (int i = 0; i < 20; i++) {
		assert_int_equal(run(&f, &ex), 200);
		assert_true(answer_is(&ex, "/v1/x"));
		assert_int_equal(ex.tries, 1);
	}
	assert_int_equal(atomic_load(&s.accepted), 1);
	assert_int_equal(atomic_load(&s.requests), 20);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* Answers only when as many requests are in its hands as the test wants to see at once, or after half a minute. */
static bool together(struct test_server *s, int fd, const struct test_request *r)
{
	unsigned want = *(unsigned *)s->arg;

	for (int i = 0; i < 3000 && atomic_load(&s->busy_max) < want; i++)
		nap(10);
	return test_reply(fd, 200, "", r->target);
}

static void side_by_side(void **state)
{
	struct http_exchange ex[12] = {0};
	struct test_server s;
	unsigned want = 4;
	struct fixture f;

	test_server_start(&s, together, &want);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 4});
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 12; i++) {
			ex[i].method = "GET";
			ex[i].path = "/x";
			start_in(&f, &ex[i], 60000);
		}
		for (int i = 0; i < 12; i++)
			assert_int_equal(http_next(f.worker)->status, 200);
		assert_null(http_next(f.worker));
	}
	assert_int_equal(atomic_load(&s.busy_max), 4);
	assert_int_equal(atomic_load(&s.accepted), 4);
	for (int i = 0; i < 12; i++)
		http_exchange_clear(&ex[i]);
	close_client(&f);
	test_server_stop(&s);
}

static void one_connection_in_order(void **state)
{
	static const char *const paths[] = {"/0", "/1", "/2", "/3", "/4"};
	struct http_exchange ex[5] = {0};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, ok, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1});
	for (int i = 0; i < 5; i++) {
		ex[i].method = "GET";
		ex[i].path = paths[i];
		ex[i].user = &ex[i];
		start_in(&f, &ex[i], 60000);
	}
	for (int i = 0; i < 5; i++) {
		struct http_exchange *next = http_next(f.worker);

		assert_ptr_equal(next, &ex[i]);
		assert_ptr_equal(next->user, next);
		assert_null(next->under_way);
		assert_true(answer_is(next, paths[i]));
		http_exchange_clear(next);
	}
	assert_int_equal(atomic_load(&s.busy_max), 1);
	close_client(&f);
	test_server_stop(&s);
}

/* A server that closes after each answer without saying so: the next request meets a dead connection. */
static bool then_closes(struct test_server *s, int fd, const struct test_request *r)
{
	test_reply(fd, 200, "", "x");
	return false;
}

/* … and one that does so only when the next request is on its way. */
static bool then_closes_on_the_next(struct test_server *s, int fd, const struct test_request *r)
{
	char byte;

	test_reply(fd, 200, "", "x");
	(void)!recv(fd, &byte, 1, MSG_PEEK);
	return false;
}

/*
 * libcurl sends again itself what a dying connection took along, but not each time: then we do, without a pause. The breaker, which
 * opens at one failure, sees none.
 */
static void connections_that_die(test_answer answer)
{
	struct http_exchange ex = {.method = "POST", .path = "/x", .body = BYTES_LIT("{}")};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, answer, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1, .breaker_failures = 1});
	for (int i = 0; i < 20; i++) {
		assert_int_equal(run(&f, &ex), 200);
		assert_in_range(ex.tries, 1, 2);
		nap(i % 3);
	}
	assert_int_equal(atomic_load(&s.requests), 20);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static void closed_while_idle(void **state)
{
	connections_that_die(then_closes);
}

static void closed_each_time_while_sent(void **state)
{
	connections_that_die(then_closes_on_the_next);
}

/* Closes when the second request of a connection is there: the door shuts while it is on its way. */
static bool closes_on_second(struct test_server *s, int fd, const struct test_request *r)
{
	return r->on_connection == 1 && test_reply(fd, 200, "", r->body == NULL ? "" : r->body);
}

static void closed_while_sent(void **state)
{
	static char large[300000];
	struct http_exchange ex = {.method = "POST", .path = "/x", .body = BYTES_LIT("small")};
	struct test_server s;
	struct fixture f;

	memset(large, 'a', sizeof(large) - 1);
	test_server_start(&s, closes_on_second, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1, .retries = 0});
	assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(run(&f, &ex), 200); /* no pause, not one of the retries */
	assert_true(answer_is(&ex, "small"));
	assert_int_equal(atomic_load(&s.accepted), 2);
	assert_int_equal(atomic_load(&s.requests), 3);
	ex.body = bytes_str(large);
	assert_int_equal(run(&f, &ex), 200);
	assert_true(answer_is(&ex, large));
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* What must not be repeated takes a new connection, which no idle limit of the server can hit. */
static void once_is_not_repeated(void **state)
{
	struct http_exchange ex = {.method = "POST", .path = "/x", .body = BYTES_LIT("x"), .once = true};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, closes_on_second, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1, .retries = 3});
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(run(&f, &ex), 200);
		assert_int_equal(atomic_load(&s.requests), i);
	}
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* With `reuse` the door may shut on it: it was sent, so it is over, and the next one goes on. */
static void once_on_a_connection_that_dies(void **state)
{
	struct http_exchange ex = {
		.method = "POST", .path = "/x", .body = BYTES_LIT("x"), .once = true, .reuse = true};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, closes_on_second, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1, .retries = 3});
	assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	assert_non_null(strstr(ex.err.text, "connection"));
	assert_int_equal(atomic_load(&s.requests), 2);
	assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(atomic_load(&s.requests), 3);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static bool always_200(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", "");
}

static void once_on_one_connection(void **state)
{
	struct http_exchange ex = {
		.method = "POST", .path = "/x", .body = BYTES_LIT("x"), .once = true, .reuse = true};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, always_200, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1});
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(atomic_load(&s.accepted), 1);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static bool hangs_up(struct test_server *s, int fd, const struct test_request *r)
{
	return false;
}

static bool always_500(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 500, "", "no");
}

static void once_sent_is_over(void **state)
{
	struct http_exchange ex = {.method = "POST", .path = "/x", .once = true};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, hangs_up, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .retries = 3});
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	assert_int_equal(ex.tries, 1);
	assert_int_equal(atomic_load(&s.requests), 1);
	close_client(&f);
	test_server_stop(&s);
	test_server_start(&s, always_500, NULL);
	open_client(&f, &(struct http_config){.base = s.url, .retries = 3});
	assert_int_equal(run(&f, &ex), 500);
	assert_int_equal(atomic_load(&s.requests), 1);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* Nobody listens: nothing was sent, so even this one is tried again. */
static void once_unsent_is_repeated(void **state)
{
	struct http_exchange ex = {.method = "POST", .path = "/x", .once = true};
	struct fixture f;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", test_kept_port());
	open_client(&f, &(struct http_config){.base = url, .retries = 2});
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.tries, 3);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	assert_int_equal(ex.err.code, SEAL_E_SERVICE);
	assert_non_null(strstr(ex.err.text, "Connection refused"));
	close_client(&f);
}

/* ---- requests ---- */

static void tell(struct fixture *f, struct http_exchange *ex, const char *want)
{
	assert_int_equal(run(f, ex), 200);
	assert_int_equal(buf_append_u8(&ex->answer, 0, NULL), SEAL_OK);
	assert_string_equal((const char *)ex->answer.ptr, want);
	http_exchange_clear(ex);
}

static void requests_on_the_wire(void **state)
{
	static const struct http_header headers[] = {{"X-Token", "s.abc"}, {"X-Empty", ""}, {"Content-Type", "a/b"}};
	struct http_exchange get = {.method = "GET", .path = "/v1/a?b=c%20d/../e"};
	struct http_exchange post = {
		.method = "POST", .path = "/p", .body = BYTES_LIT("{}"), .headers = headers, .n_headers = 3};
	struct http_exchange empty = {.method = "POST", .path = "/p", .n_headers = 0};
	struct http_exchange del = {.method = "DELETE", .path = "/d/./x"};
	struct http_exchange put = {.method = "PUT", .path = "/u", .body = bytes_of("", 0)};
	char base[128], host[64], want[512];
	struct test_server s;
	struct fixture f;

	test_server_start(&s, tells, NULL);
	snprintf(base, sizeof(base), "%s/prefix//", s.url);
	snprintf(host, sizeof(host), "Host: 127.0.0.1:%u\r\nUser-Agent: t/1\r\nAccept: */*\r\n", s.port);
	open_client(&f, &(struct http_config){.base = base, .user_agent = "t/1"});
	snprintf(want, sizeof(want), "GET /prefix/v1/a?b=c%%20d/../e HTTP/1.1\r\n%s\r\n", host);
	tell(&f, &get, want);
	snprintf(want, sizeof(want),
		 "POST /prefix/p HTTP/1.1\r\n%sX-Token: s.abc\r\nX-Empty:\r\nContent-Type: a/b\r\nContent-Length: "
		 "2\r\n\r\n{}",
		 host);
	tell(&f, &post, want);
	snprintf(want, sizeof(want), "POST /prefix/p HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", host);
	tell(&f, &empty, want);
	snprintf(want, sizeof(want), "DELETE /prefix/d/./x HTTP/1.1\r\n%s\r\n", host);
	tell(&f, &del, want);
	snprintf(want, sizeof(want), "PUT /prefix/u HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", host);
	tell(&f, &put, want);
	close_client(&f);
	test_server_stop(&s);
}

static bool echoes(struct test_server *s, int fd, const struct test_request *r)
{
	char text[64];

	assert_false(test_request_header(r, "Expect", text, sizeof(text)));
	return test_reply(fd, 200, "", r->body);
}

/* More than libcurl would ask "100-continue" for, through every buffer on the way. */
static void large_bodies(void **state)
{
	static const size_t sizes[] = {1, 65535, 65536, 65537, 200000, 3000000};
	struct http_exchange ex = {.method = "POST", .path = "/x"};
	struct test_server s;
	struct fixture f;
	char *body;

	test_server_start(&s, echoes, NULL);
	open_client(&f, &(struct http_config){.base = s.url});
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		body = mem_calloc(1, sizes[i] + 1);
		for (size_t k = 0; k < sizes[i]; k++)
			body[k] = (char)('a' + k % 23);
		ex.body = bytes_of(body, sizes[i]);
		assert_int_equal(run(&f, &ex), 200);
		assert_true(bytes_eq(buf_bytes(&ex.answer), ex.body));
		mem_free(body);
	}
	assert_int_equal(atomic_load(&s.accepted), 1);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* What would make two requests of one, or none, is refused before it is sent. */
static void bad_requests(void **state)
{
	static const struct http_header split = {"X-Token", "a\r\nX-Evil: b"}, colon = {"X:", "b"}, none = {"", "b"};
	static const struct http_exchange cases[] = {
		{.method = "GET", .path = "/x", .headers = &split, .n_headers = 1},
		{.method = "GET", .path = "/x", .headers = &colon, .n_headers = 1},
		{.method = "GET", .path = "/x", .headers = &none, .n_headers = 1},
		{.method = "GET", .path = "x"},
		{.method = "GET", .path = ""},
		{.method = "GET", .path = "/a b"},
		{.method = "GET", .path = "/a\r\nHost: evil"},
		{.method = "GET", .path = "/\xc3\xa9"},
		{.method = "GET", .path = "/a#b"},
		{.method = "GET /", .path = "/x"},
		{.method = "", .path = "/x"},
	};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, ok, NULL);
	open_client(&f, &(struct http_config){.base = s.url});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_exchange ex = cases[i];

		assert_int_equal(run(&f, &ex), 0);
		assert_int_equal(ex.err.status, SEAL_USAGE);
		assert_null(strstr(ex.err.text, "vil"));
		assert_null(strchr(ex.err.text, '\n'));
		assert_int_equal(ex.tries, 0);
	}
	assert_int_equal(atomic_load(&s.accepted), 0);
	close_client(&f);
	test_server_stop(&s);
}

static void too_long_requests(void **state)
{
	static char path[70000] = "/", value[140000];
	struct http_header header = {"X-Token", value};
	struct http_exchange far = {.method = "GET", .path = path};
	struct http_exchange wide = {.method = "GET", .path = "/", .headers = &header, .n_headers = 1};
	struct fixture f;

	memset(path + 1, 'a', sizeof(path) - 2);
	memset(value, 'b', sizeof(value) - 1);
	open_client(&f, &(struct http_config){.base = "http://127.0.0.1:1"});
	assert_int_equal(run(&f, &far), 0);
	assert_int_equal(far.err.status, SEAL_USAGE);
	assert_int_equal(run(&f, &wide), 0);
	assert_int_equal(wide.err.status, SEAL_USAGE);
	assert_null(strstr(wide.err.text, "bbb"));
	close_client(&f);
}

/* ---- retries ---- */

static void check_tries(const unsigned *statuses, unsigned retries, unsigned want_status, unsigned want_tries)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, in_turn, (void *)statuses);
	open_client(&f, &(struct http_config){.base = s.url, .retries = retries});
	assert_int_equal(run(&f, &ex), want_status);
	assert_true(answer_is(&ex, "body"));
	assert_int_equal(ex.tries, want_tries);
	assert_int_equal(atomic_load(&s.requests), want_tries);
	assert_int_equal(atomic_load(&s.accepted), 1);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static void retries_counted(void **state)
{
	check_tries((const unsigned[]){500, 429, 200, 0}, 2, 200, 3);
	check_tries((const unsigned[]){500, 503, 502, 200, 0}, 2, 502, 3); /* the last answer is the result */
	check_tries((const unsigned[]){500, 200, 0}, 0, 500, 1);
	check_tries((const unsigned[]){501, 200, 0}, 2, 501, 1);
	check_tries((const unsigned[]){400, 200, 0}, 2, 400, 1);
	check_tries((const unsigned[]){403, 200, 0}, 2, 403, 1);
}

static bool worth_404(unsigned status, struct seal_bytes body)
{
	return status == 404 && bytes_eq_str(body, "body");
}

static void own_idea_of_retry(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, in_turn, (void *)(const unsigned[]){404, 500, 200, 0});
	open_client(&f, &(struct http_config){.base = s.url, .retries = 5, .retry = worth_404});
	assert_int_equal(run(&f, &ex), 500);
	assert_int_equal(ex.tries, 2);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* Each request's first try is refused; when its second comes is noted. */
static bool note_second(struct test_server *s, int fd, const struct test_request *r)
{
	_Atomic uint64_t *seen = s->arg;
	unsigned which = (unsigned)strtoul(r->target + 1, NULL, 10);

	if (atomic_load(&seen[which]) == 0) {
		atomic_store(&seen[which], clock_mono_ms());
		return test_reply(fd, 429, "", "wait");
	}
	atomic_store(&seen[which], clock_mono_ms() - atomic_load(&seen[which]));
	return test_reply(fd, 200, "", "x");
}

/* Many that were refused at once do not come back at once. */
static void pauses_differ(void **state)
{
	enum { N = 18 };
	char paths[N][8];
	struct http_exchange ex[N] = {0};
	_Atomic uint64_t pauses[N] = {0};
	uint64_t least = UINT64_MAX, most = 0;
	struct test_server s;
	struct fixture f;

	test_server_start(&s, note_second, pauses);
	open_client(&f, &(struct http_config){.base = s.url, .retries = 1, .connections = N});
	for (int i = 0; i < N; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/%d", i);
		ex[i].method = "GET";
		ex[i].path = paths[i];
		start_in(&f, &ex[i], 60000);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(http_next(f.worker)->status, 200);
	for (int i = 0; i < N; i++) {
		const uint64_t pause = atomic_load(&pauses[i]);

		least = pause < least ? pause : least;
		most = pause > most ? pause : most;
		http_exchange_clear(&ex[i]);
	}
	assert_true(most - least >= 20); /* of 0 to 100 ms; all so near by chance once in 40,000 million runs */
	close_client(&f);
	test_server_stop(&s);
}

/* First 429 with the header that the test gives, then 200. */
static bool after_a_while(struct test_server *s, int fd, const struct test_request *r)
{
	return r->number == 1 ? test_reply(fd, 429, s->arg, "wait") : test_reply(fd, 200, "", "x");
}

static uint64_t time_after(const char *header, uint64_t deadline_ms, unsigned want_status, unsigned want_tries)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	uint64_t begin = clock_mono_ms();
	struct test_server s;
	struct fixture f;

	test_server_start(&s, after_a_while, (void *)header);
	open_client(&f, &(struct http_config){.base = s.url, .retries = 1});
	start_in(&f, &ex, deadline_ms);
	assert_ptr_equal(http_next(f.worker), &ex);
	assert_int_equal(ex.status, want_status);
	assert_true(answer_is(&ex, want_status == 429 ? "wait" : "x"));
	assert_int_equal(ex.tries, want_tries);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
	return clock_mono_ms() - begin;
}

static void retry_after_honoured(void **state)
{
	int tries = 0;

	assert_in_range(time_after("Retry-After: 1\r\n", 60000, 200, 2), 1000, 60000);
	while (time_after("Retry-After: 0\r\n", 60000, 200, 2) >=
	       900) /* the machine may be slow, but not each time */
		assert_true(++tries < 20);
	/* A pause that ends behind the deadline is none: the answer is heard at once. */
	assert_true(time_after("Retry-After: 100\r\n", 60000, 429, 1) < 50000);
	/* Nor is one that nobody would wait for. */
	assert_true(time_after("Retry-After: 86400\r\n", 1u << 30, 429, 1) < 50000);
}

static void deadline_before_the_pause(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	uint64_t begin = clock_mono_ms();
	struct fixture f;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", test_kept_port());
	open_client(&f, &(struct http_config){.base = url, .retries = 1000, .breaker_failures = NEVER_OPENS});
	start_in(&f, &ex, 5000);
	assert_ptr_equal(http_next(f.worker), &ex);
	assert_true(clock_mono_ms() - begin < 60000);
	assert_true(ex.tries >= 2);
	/* The last error, not that of waiting; the last try may have had no more than a millisecond. */
	assert_true(ex.err.code == SEAL_E_SERVICE || strstr(ex.err.text, "no connection within") != NULL);
	close_client(&f);
}

/* ---- answers that go wrong ---- */

struct cut {
	const char *text;
	atomic_size_t at;
};

static bool cuts(struct test_server *s, int fd, const struct test_request *r)
{
	struct cut *cut = s->arg;

	test_send(fd, cut->text, atomic_load(&cut->at));
	return false;
}

/* Every proper beginning of an answer is no answer. */
static void cut_everywhere(const char *text, size_t whole)
{
	struct http_exchange ex = {.method = "POST", .path = "/x", .body = BYTES_LIT("{}")};
	struct cut cut = {.text = text};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, cuts, &cut);
	open_client(&f, &(struct http_config){.base = s.url, .breaker_failures = NEVER_OPENS});
	for (size_t at = 0; at < whole; at++) {
		atomic_store(&cut.at, at);
		assert_int_equal(run(&f, &ex), 0);
		assert_int_equal(ex.err.status, SEAL_RETRY);
		assert_int_equal(ex.answer.len, 0);
		assert_int_equal(ex.tries, 1);
	}
	atomic_store(&cut.at, whole);
	assert_int_equal(run(&f, &ex), 200);
	assert_true(answer_is(&ex, "{\"a\":1}"));
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static void cut_at_every_byte(void **state)
{
	static const char length[] = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
	static const char chunks[] =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
	static const char early[] =
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";

	cut_everywhere(length, sizeof(length) - 1);
	cut_everywhere(chunks, sizeof(chunks) - 2); /* without the very last line feed it is whole, too */
	cut_everywhere(early, sizeof(early) - 1);
}

/* arg is the whole answer; then the connection ends. */
static bool says(struct test_server *s, int fd, const struct test_request *r)
{
	test_send(fd, s->arg, strlen(s->arg));
	return false;
}

static void check_answer(const char *text, unsigned status, enum seal_status class, const char *error)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, says, (void *)text);
	open_client(&f, &(struct http_config){.base = s.url});
	assert_int_equal(run(&f, &ex), status);
	assert_int_equal(ex.err.status, class);
	if (strstr(ex.err.text, error) == NULL)
		assert_string_equal(ex.err.text, error);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

static void odd_answers(void **state)
{
	/* Where its end is not marked, nobody knows whether it is whole. */
	check_answer("HTTP/1.1 200 OK\r\n\r\n{}", 0, SEAL_RETRY, "cut within the answer");
	check_answer("HTTP/1.0 200 OK\r\n\r\n{}", 0, SEAL_RETRY, "cut within the answer");
	check_answer("HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", 502, SEAL_OK, "");
	check_answer("HTTP/1.1 204 No Content\r\n\r\n", 204, SEAL_OK, "");
	check_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, SEAL_OK, "");
	check_answer("SSH-2.0-OpenSSH_9.2\r\n", 0, SEAL_RETRY, "does not speak HTTP");
	check_answer("\x15\x03\x01\x00\x02\x02\x46", 0, SEAL_RETRY, "does not speak HTTP");
	check_answer("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 0, SEAL_RETRY, "GET http://127.0.0.1:");
	check_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0, SEAL_RETRY,
		     "cut within the answer");
	check_answer("", 0, SEAL_RETRY, "cut before an answer came");
}

static bool redirects(struct test_server *s, int fd, const struct test_request *r)
{
	char headers[600];

	snprintf(headers, sizeof(headers), "Location: %s\r\nSet-Cookie: a=b; Path=/\r\n", (const char *)s->arg);
	return r->number == 1 ? test_reply(fd, 307, headers, "") : tells(s, fd, r);
}

static void redirect_is_told_not_followed(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	static char far[400] = "http://127.0.0.1:1/";
	struct test_server s;
	struct fixture f;

	test_server_start(&s, redirects, (void *)"http://127.0.0.1:1/evil");
	open_client(&f, &(struct http_config){.base = s.url, .retries = 3});
	assert_int_equal(run(&f, &ex), 307);
	assert_string_equal(ex.location, "http://127.0.0.1:1/evil");
	assert_int_equal(run(&f, &ex), 200); /* no cookie comes back */
	assert_string_equal(ex.location, "");
	assert_null(memmem(ex.answer.ptr, ex.answer.len, "Cookie", 6));
	close_client(&f);
	test_server_stop(&s);
	memset(far + strlen(far), 'a', sizeof(far) - strlen(far) - 1);
	test_server_start(&s, redirects, far);
	open_client(&f, &(struct http_config){.base = s.url});
	assert_int_equal(run(&f, &ex), 307);
	assert_string_equal(ex.location, "");
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* Answers before the body has come, and reads nothing until the client has heard it: closing earlier could take the answer away. */
static bool too_much(struct test_server *s, int fd, const struct test_request *r)
{
	test_reply(fd, 413, "Connection: close\r\n", "too large");
	while (!atomic_load((atomic_bool *)s->arg) && !atomic_load(&s->stop))
		nap(1);
	return false;
}

static void early_refusal(void **state)
{
	static char body[400000];
	struct http_exchange ex = {.method = "POST", .path = "/unread", .body = bytes_of(body, sizeof(body))};
	static atomic_bool heard;
	struct test_server s;
	struct fixture f;

	test_server_start(&s, too_much, &heard);
	open_client(&f, &(struct http_config){.base = s.url});
	assert_int_equal(run(&f, &ex), 413);
	atomic_store(&heard, true);
	assert_true(answer_is(&ex, "too large"));
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* ---- limits ---- */

static bool grows(struct test_server *s, int fd, const struct test_request *r)
{
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char line[] = "HTTP/1.1 200 OK\r\n";

	if (strcmp(r->target, "/fits") == 0)
		return test_reply(fd, 200, "", "0123456789");
	if (strcmp(r->target, "/said") == 0)
		return test_reply(fd, 200, "", "0123456789a");
	test_send(fd, r->target[1] == 'c' ? chunked : line, strlen(r->target[1] == 'c' ? chunked : line));
	for (int i = 0; i < 20000; i++)
		test_send(fd, r->target[1] == 'c' ? "4\r\nabcd\r\n" : "X-Header: 0123456789\r\n",
			  r->target[1] == 'c' ? 9 : 22);
	return false;
}

static void limits_hold(void **state)
{
	static const struct {
		const char *path, *error;
	} cases[] = {
		{"/said", "the answer is larger than the limit of 10 bytes"},
		{"/chunked", "the answer is larger than the limit of 10 bytes"},
		{"/headers", "the answer's headers are larger than the limit"},
	};
	struct http_exchange ex = {.method = "GET", .path = "/fits"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, grows, NULL);
	open_client(&f,
		    &(struct http_config){.base = s.url, .max_response = 10, .retries = 3, .breaker_failures = 1});
	assert_int_equal(run(&f, &ex), 200);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ex.path = cases[i].path;
		assert_int_equal(run(&f, &ex), 0);
		assert_int_equal(ex.err.status, SEAL_DATA);
		assert_int_equal(ex.err.code, SEAL_E_LIMIT);
		assert_non_null(strstr(ex.err.text, cases[i].error));
		assert_int_equal(ex.tries, 1);
		assert_int_equal(ex.answer.len, 0);
		assert_true(ex.answer.cap <= 10);
	}
	ex.path = "/fits"; /* and the breaker, which opens at one failure, saw none */
	assert_int_equal(run(&f, &ex), 200);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* Sends half of an answer, then waits until the client has gone. */
static bool stalls(struct test_server *s, int fd, const struct test_request *r)
{
	char byte;

	test_send(fd, s->arg, strlen(s->arg));
	(void)!read(fd, &byte, 1);
	return false;
}

static void stall_against_the_deadline(void **state)
{
	static const char *const beginnings[] = {"", "HTTP/1.1 200 OK\r\nConte",
						 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		struct http_exchange ex = {.method = "GET", .path = "/x"};
		uint64_t begin = clock_mono_ms();
		struct test_server s;
		struct fixture f;

		test_server_start(&s, stalls, (void *)beginnings[i]);
		open_client(&f, &(struct http_config){.base = s.url, .retries = 3});
		start_in(&f, &ex, 200);
		assert_ptr_equal(http_next(f.worker), &ex);
		assert_in_range(clock_mono_ms() - begin, 190, 60000);
		assert_int_equal(ex.status, 0);
		assert_int_equal(ex.err.status, SEAL_RETRY);
		assert_int_equal(ex.err.code, SEAL_E_TIMEOUT);
		assert_int_equal(ex.answer.len, 0);
		assert_in_range(ex.tries, 0, 1); /* 0: the machine was busy for as long */
		http_exchange_clear(&ex);
		close_client(&f);
		test_server_stop(&s);
	}
}

static void stall_against_one_try(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, stalls, (void *)"");
	open_client(&f, &(struct http_config){.base = s.url, .retries = 2, .timeout_ms = 1000});
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.code, SEAL_E_TIMEOUT);
	assert_non_null(strstr(ex.err.text, "no answer within 1000 ms"));
	assert_int_equal(ex.tries, 3);
	for (int i = 0; i < 6000 && atomic_load(&s.requests) < 3; i++)
		nap(10); /* its threads may be behind */
	assert_int_equal(atomic_load(&s.requests), 3);
	close_client(&f);
	test_server_stop(&s);
}

/* Those that wait behind a stalled one end by their own deadline. */
static void queue_against_the_deadline(void **state)
{
	struct http_exchange ex[3] = {0};
	uint64_t begin = clock_mono_ms();
	struct test_server s;
	struct fixture f;

	test_server_start(&s, stalls, (void *)"");
	open_client(&f, &(struct http_config){.base = s.url, .connections = 1});
	for (int i = 0; i < 3; i++) {
		ex[i].method = "GET";
		ex[i].path = "/x";
		start_in(&f, &ex[i], i == 0 ? 60000 : 100);
	}
	for (int i = 0; i < 2; i++) {
		struct http_exchange *next = http_next(f.worker);

		assert_ptr_not_equal(next, &ex[0]);
		assert_int_equal(next->err.code, SEAL_E_TIMEOUT);
		assert_int_equal(next->tries, 0);
		assert_true(clock_mono_ms() - begin < 59000);
	}
	http_drop(f.worker);
	close_client(&f);
	test_server_stop(&s);
}

static void deadline_passed_already(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, ok, NULL);
	open_client(&f, &(struct http_config){.base = s.url});
	assert_int_equal(http_start(f.worker, &ex, 1, NULL), SEAL_OK);
	assert_ptr_equal(http_next(f.worker), &ex);
	assert_int_equal(ex.err.code, SEAL_E_TIMEOUT);
	assert_int_equal(atomic_load(&s.accepted), 0);
	assert_int_equal(http_start(f.worker, &ex, DEADLINE_NONE, NULL), SEAL_OK);
	assert_ptr_equal(http_next(f.worker), &ex);
	assert_int_equal(ex.status, 200);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* ---- giving up ---- */

static void drop_all(void **state)
{
	struct http_exchange ex[6] = {0}, again = {.method = "GET", .path = "/x"};
	struct test_server s;
	struct fixture f;

	test_server_start(&s, stalls, (void *)"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	open_client(&f, &(struct http_config){.base = s.url, .connections = 2});
	for (int i = 0; i < 6; i++) {
		ex[i].method = i == 5 ? "BAD METHOD" : "GET"; /* this one is done at once */
		ex[i].path = "/x";
		start_in(&f, &ex[i], 60000);
	}
	nap(50);
	http_drop(f.worker);
	assert_null(http_next(f.worker));
	for (int i = 0; i < 6; i++) {
		assert_null(ex[i].under_way);
		assert_int_equal(ex[i].status, 0);
		assert_int_equal(ex[i].err.status, SEAL_OK);
		assert_int_equal(ex[i].answer.len, 0);
		http_exchange_clear(&ex[i]);
	}
	start_in(&f, &again, 100);
	assert_ptr_equal(http_next(f.worker), &again); /* the worker is as good as new */
	assert_int_equal(again.err.code, SEAL_E_TIMEOUT);
	start_in(&f, &again, 10000);
	close_client(&f); /* with one under way */
	assert_null(again.under_way);
	http_exchange_clear(&again);
	test_server_stop(&s);
}

static void drop_within_a_pause(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct http_exchange other = ex;
	struct test_server s;
	struct fixture f;

	test_server_start(&s, after_a_while, (void *)"Retry-After: 60\r\n");
	open_client(&f, &(struct http_config){.base = s.url, .retries = 1, .connections = 1});
	start_in(&f, &ex, 100000);
	start_in(&f, &other, 60000); /* on the same connection: when it is back, the first one has had its answer */
	assert_ptr_equal(http_next(f.worker), &other);
	assert_int_equal(ex.tries, 1);
	assert_int_equal(ex.status, 429);
	http_drop(f.worker);
	assert_null(ex.under_way);
	assert_int_equal(ex.status, 0);
	assert_int_equal(ex.answer.len, 0);
	http_exchange_clear(&other);
	http_exchange_clear(&ex);
	close_client(&f);
	test_server_stop(&s);
}

/* ---- errors ---- */

static void errors_tell_no_secret(void **state)
{
	static const struct http_header token = {"X-Token", "SECRET"};
	struct http_exchange ex = {.method = "POST",
				   .path = "/v1/transit/encrypt/pii?q=SECRET",
				   .headers = &token,
				   .n_headers = 1,
				   .body = BYTES_LIT("SECRET")};
	struct fixture f;
	char want[200], url[64];
	unsigned port = test_kept_port();

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	snprintf(want, sizeof(want), "POST http://127.0.0.1:%u/v1/transit/encrypt/pii: ", port);
	open_client(&f, &(struct http_config){.base = url, .breaker_failures = 1});
	for (int i = 0; i < 2; i++) { /* refused, then stopped by the breaker */
		assert_int_equal(run(&f, &ex), 0);
		assert_int_equal(strncmp(ex.err.text, want, strlen(want)), 0);
		assert_null(strstr(ex.err.text, "SECRET"));
		assert_null(strchr(ex.err.text, '\n'));
	}
	close_client(&f);
}

static void bad_configurations(void **state)
{
	static const struct {
		struct http_config config;
		enum seal_code code;
		const char *error;
	} cases[] = {
		{{.base = "vault:8200"}, SEAL_E_CONFIG, "https://host:port"},
		{{.base = ""}, SEAL_E_CONFIG, "https://host:port"},
		{{.base = "ftp://host"}, SEAL_E_CONFIG, "ftp://"},
		{{.base = "http://"}, SEAL_E_CONFIG, "https://host:port"},
		{{.base = "http://host:99999"}, SEAL_E_CONFIG, "https://host:port"},
		{{.base = "http://ho st"}, SEAL_E_CONFIG, "https://host:port"},
		{{.base = "http://u:SECRET@host"}, SEAL_E_CONFIG, "leave it out"},
		{{.base = "http://host/?SECRET"}, SEAL_E_CONFIG, "leave it out"},
		{{.base = "http://host/#SECRET"}, SEAL_E_CONFIG, "leave it out"},
		{{.base = "http://h", .connections = 65}, SEAL_E_CONFIG, "give 1 to 64"},
		{{.base = "http://h", .proxy = "http://u:SECRET@ho st:1"}, SEAL_E_CONFIG, "the proxy's address"},
		{{.base = "http://h", .proxy = "http://p", .unix_socket = "/x"}, SEAL_E_CONFIG, "give one of them"},
		{{.base = "https://h", .server_name = "a/b"}, SEAL_E_CONFIG, "not a host name"},
		{{.base = "https://h", .server_name = ""}, SEAL_E_CONFIG, "not a host name"},
		{{.base = "https://h", .client_cert = "/dev/null"}, SEAL_E_CONFIG, "give both files"},
		{{.base = "https://h", .client_key = "/dev/null"}, SEAL_E_CONFIG, "give both files"},
		{{.base = "https://h", .client_cert = "/none", .client_key = "/dev/null"}, SEAL_E_NO_INPUT, "/none"},
		{{.base = "https://h", .ca_file = "/none"}, SEAL_E_NO_INPUT, "/none"},
		{{.base = "https://h", .ca_file = "/dev/null"}, SEAL_E_CONFIG, "holds no certificate"},
		{{.base = "https://h", .ca_path = "/none"}, SEAL_E_NO_INPUT, "/none"},
		{{.base = "https://h", .ca_path = "/proc/self/fdinfo"}, SEAL_E_CONFIG, "holds a certificate"},
		{{.base = "https://h", .ca_pem = "SECRET"}, SEAL_E_CONFIG, "holds no certificate"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_client *client = (struct http_client *)1;
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(http_client_new(&cases[i].config, &client, &err), SEAL_USAGE);
		assert_null(client);
		assert_int_equal(err.code, cases[i].code);
		if (strstr(err.text, cases[i].error) == NULL)
			assert_string_equal(err.text, cases[i].error);
		assert_null(strstr(err.text, "SECRET"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_alive),
		cmocka_unit_test(side_by_side),
		cmocka_unit_test(one_connection_in_order),
		cmocka_unit_test(closed_while_idle),
		cmocka_unit_test(closed_each_time_while_sent),
		cmocka_unit_test(closed_while_sent),
		cmocka_unit_test(once_is_not_repeated),
		cmocka_unit_test(once_on_a_connection_that_dies),
		cmocka_unit_test(once_on_one_connection),
		cmocka_unit_test(once_sent_is_over),
		cmocka_unit_test(once_unsent_is_repeated),
		cmocka_unit_test(requests_on_the_wire),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(too_long_requests),
		cmocka_unit_test(retries_counted),
		cmocka_unit_test(pauses_differ),
		cmocka_unit_test(own_idea_of_retry),
		cmocka_unit_test(retry_after_honoured),
		cmocka_unit_test(deadline_before_the_pause),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(odd_answers),
		cmocka_unit_test(redirect_is_told_not_followed),
		cmocka_unit_test(early_refusal),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(stall_against_the_deadline),
		cmocka_unit_test(stall_against_one_try),
		cmocka_unit_test(queue_against_the_deadline),
		cmocka_unit_test(deadline_passed_already),
		cmocka_unit_test(drop_all),
		cmocka_unit_test(drop_within_a_pause),
		cmocka_unit_test(errors_tell_no_secret),
		cmocka_unit_test(bad_configurations),
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
