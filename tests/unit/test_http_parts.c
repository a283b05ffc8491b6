/* http: the parts that need no server: breaker, rate limit, pauses, names in $no_proxy, segments of paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/breaker.h"
#include "http/client.h"
#include "http/http.h"
#include "http/rate.h"
#include "http/retry.h"

static enum breaker_pass ask(struct breaker *b, uint64_t now)
{
	char why[BREAKER_WHY_MAX] = "";
	uint64_t wait = 0;
	enum breaker_pass pass = breaker_ask(b, now, &wait, why);

	if (pass == BREAKER_STOP) {
		assert_true(wait > 0);
		assert_string_equal(why, "gone");
	}
	return pass;
}

static void fail_once(struct breaker *b, enum breaker_pass pass, uint64_t now)
{
	breaker_failure(b, pass, now, "gone");
}

static void opens_after_a_row(void **state)
{
	struct breaker b;

	breaker_init(&b, 3);
	fail_once(&b, BREAKER_PASS, 10);
	fail_once(&b, BREAKER_PASS, 10);
	assert_int_equal(ask(&b, 10), BREAKER_PASS);
	breaker_success(&b); /* the row starts anew */
	fail_once(&b, BREAKER_PASS, 10);
	fail_once(&b, BREAKER_PASS, 10);
	assert_int_equal(ask(&b, 10), BREAKER_PASS);
	fail_once(&b, BREAKER_PASS, 10);
	assert_int_equal(ask(&b, 10), BREAKER_STOP);
	assert_int_equal(ask(&b, 10 + BREAKER_PAUSE_FIRST_MS - 1), BREAKER_STOP);
	breaker_destroy(&b);
}

static void one_probe(void **state)
{
	uint64_t now = BREAKER_PAUSE_FIRST_MS;
	struct breaker b;

	breaker_init(&b, 1);
	fail_once(&b, BREAKER_PASS, 0);
	assert_int_equal(ask(&b, now), BREAKER_PROBE);
	assert_int_equal(ask(&b, now), BREAKER_STOP);
	assert_int_equal(ask(&b, now + 1000), BREAKER_STOP);
	fail_once(&b, BREAKER_PASS, now); /* one that began earlier: the probe alone decides */
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	breaker_success(&b);
	assert_int_equal(ask(&b, now), BREAKER_PASS);
	assert_int_equal(ask(&b, now), BREAKER_PASS);
	breaker_destroy(&b);
}

/* 500, 1000, 2000 … 30000, 30000; a success makes it 500 again. */
static void pause_doubles(void **state)
{
	uint64_t now = 0, pause = BREAKER_PAUSE_FIRST_MS;
	struct breaker b;

	breaker_init(&b, 1);
	fail_once(&b, BREAKER_PASS, now);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(ask(&b, now + pause - 1), BREAKER_STOP);
		now += pause;
		assert_int_equal(ask(&b, now), BREAKER_PROBE);
		fail_once(&b, BREAKER_PROBE, now);
		pause = pause * 2 > BREAKER_PAUSE_MAX_MS ? BREAKER_PAUSE_MAX_MS : pause * 2;
	}
	assert_int_equal(pause, BREAKER_PAUSE_MAX_MS);
	assert_int_equal(ask(&b, now + pause), BREAKER_PROBE);
	breaker_success(&b);
	fail_once(&b, BREAKER_PASS, now);
	assert_int_equal(ask(&b, now + BREAKER_PAUSE_FIRST_MS - 1), BREAKER_STOP);
	assert_int_equal(ask(&b, now + BREAKER_PAUSE_FIRST_MS), BREAKER_PROBE);
	breaker_destroy(&b);
}

static void probe_given_up(void **state)
{
	struct breaker b;

	breaker_init(&b, 1);
	fail_once(&b, BREAKER_PASS, 0);
	assert_int_equal(ask(&b, 500), BREAKER_PROBE);
	breaker_abandon(&b, BREAKER_PROBE, 600);
	assert_int_equal(ask(&b, 600), BREAKER_PROBE); /* the next one may try at once */
	/* One whose owner never says how it went does not keep the door shut. */
	assert_int_equal(ask(&b, 600 + BREAKER_PROBE_MAX_MS - 1), BREAKER_STOP);
	assert_int_equal(ask(&b, 600 + BREAKER_PROBE_MAX_MS), BREAKER_PROBE);
	breaker_abandon(&b, BREAKER_PASS, 700); /* not the probe's */
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	breaker_destroy(&b);
}

/* An answer that comes late, to a try from before it opened, shows that the server is there. */
static void late_success_closes(void **state)
{
	struct breaker b;

	breaker_init(&b, 1);
	fail_once(&b, BREAKER_PASS, 0);
	assert_int_equal(ask(&b, 1), BREAKER_STOP);
	breaker_success(&b);
	assert_int_equal(ask(&b, 2), BREAKER_PASS);
	breaker_destroy(&b);
}

static void rate_spreads(void **state)
{
	struct rate r;
	uint64_t wait;

	rate_init(&r, 10, 1000);
	for (int i = 0; i < 10; i++) {
		assert_true(rate_take(&r, 1000, 0, &wait));
		assert_int_equal(wait, 0);
	}
	assert_false(rate_take(&r, 1000, 99, &wait)); /* and takes nothing */
	assert_true(rate_take(&r, 1000, 100, &wait));
	assert_in_range(wait, 99, 100);
	assert_true(rate_take(&r, 1000, 1000, &wait)); /* the next one behind it */
	assert_in_range(wait, 199, 200);
	assert_true(rate_take(&r, 1300, 0, &wait)); /* 3 came, 2 were owed */
	assert_false(rate_take(&r, 1300, 0, &wait));
	for (int i = 0; i < 10; i++) /* however long it rests, no more than a second's worth */
		assert_true(rate_take(&r, 900000, 0, &wait));
	assert_false(rate_take(&r, 900000, 0, &wait));
	rate_destroy(&r);
}

static void rate_slow_or_none(void **state)
{
	struct rate r;
	uint64_t wait;

	rate_init(&r, 0.5, 0);
	assert_true(rate_take(&r, 0, 0, &wait));
	assert_true(rate_take(&r, 0, 5000, &wait));
	assert_in_range(wait, 1999, 2001);
	rate_destroy(&r);
	rate_init(&r, 0, 0);
	for (int i = 0; i < 1000; i++)
		assert_true(rate_take(&r, 0, 0, &wait) && wait == 0);
	rate_destroy(&r);
}

static void jitter_bounds(void **state)
{
	uint64_t most = RETRY_BASE_MS;

	for (unsigned tries = 0; tries < 40; tries++) {
		assert_int_equal(retry_pause_ms(tries, 0), 0);
		assert_int_equal(retry_pause_ms(tries, UINT32_MAX), most);
		assert_in_range(retry_pause_ms(tries, UINT32_MAX / 2), most / 2 - 1, most / 2 + 1);
		most = most * 2 > RETRY_CAP_MS ? RETRY_CAP_MS : most * 2;
	}
	assert_int_equal(retry_pause_ms(UINT32_MAX, UINT32_MAX), RETRY_CAP_MS);
}

static void retry_after_values(void **state)
{
	static const char *const bad[] = {"", "soon", "-1", "1.5", "1s", "99999999999999999999", "Sun, ", "12 "};
	const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example */
	uint64_t ms = 7;

	assert_true(retry_after_ms("0", now, &ms) && ms == 0);
	assert_true(retry_after_ms("120", now, &ms) && ms == 120000);
	assert_true(retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now, &ms) && ms == 10000);
	assert_true(retry_after_ms("Sun, 06 Nov 1994 08:49:07 GMT", now, &ms) && ms == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(retry_after_ms(bad[i], now, &ms));
	assert_int_equal(retry_date_s("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(retry_date_s("20991231"), 0);
	assert_int_equal(retry_date_s("soon"), 0);
	assert_true(retry_after_ms("20991231", now, &ms) && ms == UINT64_C(20991231000)); /* seconds, not a day */
}

static void retry_statuses(void **state)
{
	for (unsigned status = 100; status < 700; status++)
		assert_int_equal(retry_status(status, BYTES_EMPTY),
				 status == 429 || (status >= 500 && status < 600 && status != 501));
}

static void no_proxy_lists(void **state)
{
	static const struct {
		const char *list, *host;
		bool named;
	} cases[] = {
		{"*", "vault", true},
		{"vault", "vault", true},
		{"vault", "VAULT", true},
		{"a, b vault,c", "vault", true},
		{"example.org", "vault.example.org", true},
		{".example.org", "vault.example.org", true},
		{".example.org", "example.org", true},
		{"example.org", "badexample.org", false},
		{"vault.example.org", "example.org", false},
		{"10.0.0.1", "10.0.0.11", false},
		{"10.0.0.1", "10.0.0.1", true},
		{",,. ,", "vault", false},
		{"", "vault", false},
		{NULL, "vault", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(no_proxy_names(cases[i].list, bytes_str(cases[i].host)), cases[i].named);
}

static void path_segments(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"pii", "pii"},
		{"a.b-c_d~9", "a.b-c_d~9"},
		{"a b", "a%20b"},
		{"a/b?c#d%", "a%2Fb%3Fc%23d%25"},
		{"\xc3\xa9\n", "%C3%A9%0A"},
		{"...", "..."},
	};
	static const char *const bad[] = {"", ".", ".."};
	struct seal_buf out = BUF_INIT(64);
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		assert_int_equal(buf_append_str(&out, "/", NULL), SEAL_OK);
		assert_int_equal(http_path_append(&out, bytes_str(cases[i].in), NULL), SEAL_OK);
		assert_true(bytes_eq_str(bytes_skip(buf_bytes(&out), 1), cases[i].out));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		assert_int_equal(http_path_append(&out, bytes_str(bad[i]), &err), SEAL_USAGE);
		assert_non_null(strstr(err.text, "cannot be a part of a path"));
	}
	out.max = out.cap;
	assert_int_equal(
		http_path_append(&out, bytes_of("////////////////////////////////////////////////", 48), NULL),
		SEAL_DATA);
	buf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_after_a_row),   cmocka_unit_test(one_probe),
		cmocka_unit_test(pause_doubles),       cmocka_unit_test(probe_given_up),
		cmocka_unit_test(late_success_closes), cmocka_unit_test(rate_spreads),
		cmocka_unit_test(rate_slow_or_none),   cmocka_unit_test(jitter_bounds),
		cmocka_unit_test(retry_after_values),  cmocka_unit_test(retry_statuses),
		cmocka_unit_test(no_proxy_lists),      cmocka_unit_test(path_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
