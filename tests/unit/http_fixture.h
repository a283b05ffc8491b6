/* What the tests of src/http share: a client with one worker, and one exchange waited for. Include first. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/http.h"
#include "http_server.h"

#define NEVER_OPENS 1000000u /* breaker_failures where the breaker is not the question */

struct fixture {
	struct http_client *client;
	struct http_worker *worker;
};

static inline void open_client(struct fixture *f, const struct http_config *config)
{
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = http_client_new(config, &f->client, &err);

	assert_string_equal(err.text, "");
	assert_int_equal(rc, SEAL_OK);
	assert_int_equal(http_worker_new(f->client, &f->worker, &err), SEAL_OK);
}

static inline void close_client(struct fixture *f)
{
	http_worker_free(f->worker);
	http_client_free(f->client);
}

static inline void start_in(struct fixture *f, struct http_exchange *ex, uint64_t ms)
{
	assert_int_equal(http_start(f->worker, ex, clock_mono_ms() + ms, NULL), SEAL_OK);
}

/* Waits for `ex`, which is alone under way. */
static inline unsigned run(struct fixture *f, struct http_exchange *ex)
{
	start_in(f, ex, 60000);
	assert_ptr_equal(http_next(f->worker), ex);
	assert_null(http_next(f->worker));
	assert_int_equal(ex->status == 0, ex->err.status != SEAL_OK);
	return ex->status;
}

static inline bool answer_is(const struct http_exchange *ex, const char *text)
{
	return bytes_eq_str(buf_bytes(&ex->answer), text);
}

/* Its answers in turn: arg is a list of statuses; the last one stays. */
static inline bool in_turn(struct test_server *s, int fd, const struct test_request *r)
{
	const unsigned *statuses = s->arg;
	unsigned i = 0;

	while (i + 1 < r->number && statuses[i + 1] != 0)
		i++;
	return test_reply(fd, statuses[i], "", "body");
}

/* Says what it got, in the order of the lines. */
static inline bool tells(struct test_server *s, int fd, const struct test_request *r)
{
	char *text = calloc(1, sizeof(r->head) + r->body_len + 1);
	bool keep;

	snprintf(text, sizeof(r->head) + r->body_len + 1, "%s%s", r->head, r->body == NULL ? "" : r->body);
	keep = test_reply(fd, 200, "", text);
	free(text);
	return keep;
}

#endif
