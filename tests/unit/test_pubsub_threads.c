/*
 * streams/pubsub: sink and source with their threads, against a server that plays the service: what it is asked, in which order, and what
 * becomes of its refusals. Run under TSan, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/encode.h"
#include "http_server.h"
#include "streams/outbox.h"
#include "streams/pubsub/pubsub.h"

#define LONG_MS 60000
#define REFUSAL(status, name) "{\"error\":{\"code\":" status ",\"message\":\"m\",\"status\":\"" name "\"}}"
#define ACK_FAILURE(metadata)                                                                                        \
	"{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":"                         \
	"\"EXACTLY_ONCE_ACKID_FAILURE\",\"metadata\":{" metadata "}}]}}"

struct call {
	char verb[24], target[256], body[4000];
	unsigned status; /* it was answered with */
};

struct play {
	struct test_server server;
	pthread_mutex_t lock; /* guards all below */
	struct call calls[200]; /* but pulls */
	size_t n_calls;
	unsigned pulls, asked[3]; /* of the first pulls: how many messages they wanted */
	struct {
		const char *verb, *body;
		unsigned status, times, skip;
	} fail; /* so many calls of `verb`, after `skip` of them */
	const char *
		pull_body; /* the next pull's; then there is nothing: 504, or with `empty` an answer without messages */
	bool empty;
	const char *behind; /* what the next pull gives once something was acknowledged */
	const char *wrong_answer; /* to the next publish */
	const char *held; /* calls of this verb are not answered */
	unsigned n_held; /* so many, by now */
};

/* ---- the service ---- */

static void note(struct play *p, const char *verb, const struct test_request *r, unsigned status)
{
	struct call *c = &p->calls[p->n_calls];

	assert_true(p->n_calls < 200);
	snprintf(c->verb, sizeof(c->verb), "%s", verb);
	snprintf(c->target, sizeof(c->target), "%.200s", r->target);
	snprintf(c->body, sizeof(c->body), "%.*s", (int)r->body_len, r->body != NULL ? r->body : "");
	c->status = status;
	p->n_calls++;
}

static bool is_failing(struct play *p, const char *verb)
{
	if (p->fail.verb == NULL || strcmp(p->fail.verb, verb) != 0 || p->fail.times == 0)
		return false;
	if (p->fail.skip > 0) {
		p->fail.skip--;
		return false;
	}
	p->fail.times--;
	return true;
}

/* As many ids as the body has messages. */
static bool answer_publish(int fd, const char *body)
{
	char text[8192] = "{\"messageIds\":[";
	size_t len = strlen(text);
	const char *gap = "";

	for (const char *at = body; (at = strstr(at, "\"data\":")) != NULL; at++, gap = ",")
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"m\"", gap);
	snprintf(text + len, sizeof(text) - len, "]}");
	return test_reply(fd, 200, "", text);
}

static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	struct play *p = server->arg;
	const char *colon = strrchr(r->target, ':'), *verb = colon != NULL ? colon + 1 : "", *body = "{}";
	unsigned status = 200;
	char held[16];

	pthread_mutex_lock(&p->lock);
	for (p->n_held += p->held != NULL && strcmp(p->held, verb) == 0;
	     p->held != NULL && strcmp(p->held, verb) == 0 && !atomic_load(&server->stop);) {
		pthread_mutex_unlock(&p->lock);
		usleep(1000);
		pthread_mutex_lock(&p->lock);
	}
	if (is_failing(p, verb)) {
		status = p->fail.status;
		body = p->fail.body;
	} else if (strcmp(verb, "pull") == 0) {
		assert_true(test_request_header(r, "X-Server-Timeout", held, sizeof(held)));
		status = p->pull_body != NULL || p->empty ? 200 : 504;
		body = p->pull_body != NULL ? p->pull_body : p->empty ? "{}" : REFUSAL("504", "DEADLINE_EXCEEDED");
		p->pull_body = NULL;
	} else if (strcmp(verb, "publish") == 0 && p->wrong_answer != NULL) {
		body = p->wrong_answer;
		p->wrong_answer = NULL;
	} else if (strcmp(verb, "publish") == 0) {
		body = NULL;
	}
	if (strcmp(verb, "acknowledge") == 0 && p->behind != NULL) {
		p->pull_body = p->behind;
		p->behind = NULL;
	}
	if (strcmp(verb, "pull") == 0 && p->pulls < 3)
		assert_int_equal(sscanf(r->body, "{\"maxMessages\":%u}", &p->asked[p->pulls]), 1);
	if (strcmp(verb, "pull") == 0)
		p->pulls++;
	else
		note(p, verb, r, status);
	pthread_mutex_unlock(&p->lock);
	return body != NULL ? test_reply(fd, status, "", body) : answer_publish(fd, r->body);
}

static void start(struct play *p)
{
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	test_server_start(&p->server, answer, p);
}

static void stop(struct play *p)
{
	test_server_stop(&p->server);
	pthread_mutex_destroy(&p->lock);
}

static void fail_next(struct play *p, const char *verb, unsigned times, unsigned status, const char *body)
{
	pthread_mutex_lock(&p->lock);
	p->fail.verb = verb;
	p->fail.times = times;
	p->fail.status = status;
	p->fail.body = body;
	p->fail.skip = 0;
	pthread_mutex_unlock(&p->lock);
}

/* Calls of a verb that were answered so (0: with anything) and whose body has that text. */
static size_t count(struct play *p, const char *verb, unsigned status, const char *text)
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_calls; i++)
		n += strcmp(p->calls[i].verb, verb) == 0 && (status == 0 || p->calls[i].status == status) &&
		     strstr(p->calls[i].body, text) != NULL;
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* The n-th call, as it stands now. */
static struct call nth(struct play *p, size_t n)
{
	struct call c;

	pthread_mutex_lock(&p->lock);
	assert_true(n < p->n_calls);
	c = p->calls[n];
	pthread_mutex_unlock(&p->lock);
	return c;
}

/* Waits until it is so. */
static void await(struct play *p, const char *verb, unsigned status, const char *text, size_t n)
{
	const uint64_t end = clock_mono_ms() + LONG_MS;

	while (count(p, verb, status, text) < n) {
		if (clock_mono_ms() > end)
			fail_msg("no %s of %s", verb, text);
		usleep(2000);
	}
}

/* ---- opening ---- */

static struct arena arena;

static const void *options_of(struct play *p, const struct opt_row *rows, size_t size, const char *name,
			      const char *value)
{
	void *options = calloc(1, size);
	char host[64];

	snprintf(host, sizeof(host), "127.0.0.1:%u", p->server.port);
	assert_int_equal(opt_defaults(rows, options, &arena, NULL), SEAL_OK);
	assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("emulator")), options, bytes_str(host), &arena, NULL),
			 SEAL_OK);
	if (opt_find(rows, BYTES_LIT("idle")) != NULL)
		assert_int_equal(
			opt_set(opt_find(rows, BYTES_LIT("idle")), options, BYTES_LIT("300ms"), &arena, NULL),
			SEAL_OK);
	if (name != NULL)
		assert_int_equal(opt_set(opt_find(rows, bytes_str(name)), options, bytes_str(value), &arena, NULL),
				 SEAL_OK);
	if (name != NULL && strcmp(name, "look") == 0) /* to where it ends */
		assert_int_equal(opt_set(opt_find(rows, BYTES_LIT("exit")), options, BYTES_LIT("true"), &arena, NULL),
				 SEAL_OK);
	return options;
}

static struct sink *open_sink(struct play *p, const char *address, const char *name, const char *value)
{
	const struct sink_ops *ops = &pubsub_sink_ops;
	const void *options = options_of(p, ops->options, ops->options_size, name, value);
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink;

	if (ops->open(address, options, &sink, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	free((void *)options);
	return sink;
}

static enum seal_status try_source(struct play *p, const char *name, const char *value, struct source **out,
				   struct seal_err *err)
{
	const struct source_ops *ops = &pubsub_source_ops;
	const void *options = options_of(p, ops->options, ops->options_size, name, value);
	const enum seal_status rc = ops->open("shop/orders-sub", options, out, err);

	free((void *)options);
	return rc;
}

static struct source *open_source(struct play *p, const char *name, const char *value)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;

	if (try_source(p, name, value, &source, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	return source;
}

static void flushed(struct sink *sink)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (sink->ops->flush(sink, LONG_MS, &err) != SEAL_OK)
		fail_msg("%s", err.text);
}

static void write_one(struct sink *sink, const char *key, const char *value, uint64_t ticket)
{
	const struct record r = {.key = key != NULL ? bytes_str(key) : BYTES_EMPTY, .value = bytes_str(value)};
	struct seal_err err = SEAL_ERR_INIT;

	if (sink->ops->write(sink, &r, 1, ticket, LONG_MS, &err) != SEAL_OK)
		fail_msg("%s", err.text);
}

/* ---- writing ---- */

static void a_request_has_one_key(void **state)
{
	static const char *const keys[] = {"k1", "k2", NULL, "k1", "k2", NULL, "k1"};
	struct sink *sink;
	struct play p;
	uint64_t acknowledged;

	start(&p);
	sink = open_sink(&p, "shop/orders", NULL, NULL);
	for (size_t i = 0; i < 7; i++)
		write_one(sink, keys[i], "v", i + 1);
	flushed(sink);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, NULL), SEAL_OK);
	assert_int_equal(acknowledged, 7);
	for (size_t i = 0; i < count(&p, "publish", 200, ""); i++) {
		const struct call c = nth(&p, i);

		assert_string_equal(c.target, "/v1/projects/shop/topics/orders:publish");
		assert_false(strstr(c.body, "k1") != NULL && strstr(c.body, "k2") != NULL);
		assert_false(strstr(c.body, "orderingKey") != NULL && strstr(c.body, "{\"data\":\"dg==\"}") != NULL);
	}
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	assert_true(atomic_load(&p.server.accepted) <= 4);
	stop(&p);
}

/* Refused for the time being again and again: what comes behind of that key waits, and order is kept. */
static void a_key_waits_for_its_refused_request(void **state)
{
	struct sink *sink;
	struct play p;
	char text[8];
	size_t at = 0;

	start(&p);
	fail_next(&p, "publish", 3, 429, REFUSAL("429", "RESOURCE_EXHAUSTED"));
	sink = open_sink(&p, "shop/orders", "linger", "1ms");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "v%02u", i);
		write_one(sink, "k", text, i + 1);
		if (i == 4)
			await(&p, "publish", 429, "", 1);
	}
	flushed(sink);
	assert_int_equal(count(&p, "publish", 429, ""), 3);
	for (size_t i = 0; i < count(&p, "publish", 0, ""); i++) {
		const struct call c = nth(&p, i);
		const char *found = c.body;

		for (; c.status == 200 && (found = strstr(found, "\"data\":\"")) != NULL; at++) {
			uint8_t raw[8];
			size_t len;

			found += 8;
			snprintf(text, sizeof(text), "v%02zu", at);
			assert_true(base64_decode(bytes_of(found, 4), raw, &len));
			assert_memory_equal(raw, text, 3);
		}
	}
	assert_int_equal(at, 20);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	stop(&p);
}

/* Nobody knows whether it is there: it goes again, which is counted. */
static void what_may_stand_twice_is_counted(void **state)
{
	struct sink *sink;
	struct play p;

	start(&p);
	fail_next(&p, "publish", 2, 500, REFUSAL("500", "INTERNAL"));
	sink = open_sink(&p, "shop/orders", NULL, NULL);
	write_one(sink, "k", "v", 1);
	flushed(sink);
	assert_int_equal(count(&p, "publish", 500, ""), 2);
	assert_int_equal(outbox_repeated(((struct outbox_sink *)sink)->outbox), 2);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	stop(&p);
}

static void an_answer_of_other_length_is_none(void **state)
{
	struct sink *sink;
	struct play p;

	start(&p);
	p.wrong_answer = "{\"messageIds\":[\"1\",\"2\"]}";
	sink = open_sink(&p, "shop/orders", NULL, NULL);
	write_one(sink, NULL, "v", 1);
	flushed(sink);
	assert_int_equal(count(&p, "publish", 200, ""), 2);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	stop(&p);
}

static void fails_for_good(unsigned status, const char *body, enum seal_status expected, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink;
	struct play p;

	start(&p);
	fail_next(&p, "publish", 100, status, body);
	sink = open_sink(&p, "shop/orders", NULL, NULL);
	write_one(sink, "k", "secret value", 1);
	if (sink->ops->flush(sink, LONG_MS, &err) != expected)
		fail_msg("%u: %s", status, err.text);
	if (strstr(err.text, says) == NULL || strstr(err.text, "secret") != NULL ||
	    strstr(err.text, "c2VjcmV0") != NULL)
		fail_msg("%s is not in: %s", says, err.text);
	assert_int_equal(count(&p, "publish", 0, ""), 1);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	stop(&p);
}

static void refusals_end_the_sink(void **state)
{
	fails_for_good(404, REFUSAL("404", "NOT_FOUND"), SEAL_USAGE, "/v1/projects/shop/topics/orders:publish: 404");
	fails_for_good(403, REFUSAL("403", "PERMISSION_DENIED"), SEAL_DENIED, "PERMISSION_DENIED");
	fails_for_good(400, REFUSAL("400", "INVALID_ARGUMENT"), SEAL_DATA, "INVALID_ARGUMENT");
}

static void other_topics_are_siblings(void **state)
{
	struct record r = {.value = BYTES_LIT("v"), .topic = BYTES_LIT("orders.dead")};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink;
	struct play p;

	start(&p);
	sink = open_sink(&p, "projects/shop/topics/orders", NULL, NULL);
	assert_int_equal(sink->ops->write(sink, &r, 1, 1, LONG_MS, NULL), SEAL_OK);
	flushed(sink);
	assert_string_equal(nth(&p, 0).target, "/v1/projects/shop/topics/orders.dead:publish");
	r.topic = BYTES_LIT("no/name");
	assert_int_equal(sink->ops->check(sink, &r, &err), SEAL_DATA);
	assert_non_null(strstr(err.text, "no/name"));
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	stop(&p);
}

static void addresses(void **state)
{
	static const char *const bad[] = {"",
					  "a/b",
					  "/orders",
					  "projects/shop/subscriptions/orders",
					  "projects//topics/orders",
					  "projects/topics/orders",
					  "projects/shop/xtopics/orders",
					  "Shop/orders",
					  "shop/or ders",
					  "orders"};
	const struct sink_ops *ops = &pubsub_sink_ops;
	const void *options;
	struct sink *sink;
	struct play p;

	start(&p);
	unsetenv("GOOGLE_CLOUD_PROJECT");
	options = options_of(&p, ops->options, ops->options_size, NULL, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		if (ops->open(bad[i], options, &sink, &err) != SEAL_USAGE)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, "pubsub:"));
		assert_null(sink);
	}
	free((void *)options);
	setenv("GOOGLE_CLOUD_PROJECT", "shop", 1);
	sink = open_sink(&p, "orders", NULL, NULL);
	write_one(sink, NULL, "v", 1);
	flushed(sink);
	assert_string_equal(nth(&p, 0).target, "/v1/projects/shop/topics/orders:publish");
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	unsetenv("GOOGLE_CLOUD_PROJECT");
	stop(&p);
}

/* ---- reading ---- */

#define MESSAGE(id) "{\"ackId\":\"ack-" id "\",\"message\":{\"messageId\":\"" id "\",\"data\":\"dg==\"}}"
#define THREE "{\"receivedMessages\":[" MESSAGE("1") "," MESSAGE("2") "," MESSAGE("3") "]}"

static void init_batch(struct batch *b)
{
	*b = (struct batch){.records = calloc(STREAM_BATCH_RECORDS, sizeof(struct record)),
			    .cap = STREAM_BATCH_RECORDS};
	arena_init(&b->arena, 0);
}

static void drop_batch(struct source *s, struct batch *b)
{
	s->ops->release(s, b);
	free(b->records);
	arena_clear(&b->arena);
}

static enum read_result read_some(struct source *s, struct batch *b)
{
	enum read_result result = READ_IDLE;
	const uint64_t end = clock_mono_ms() + LONG_MS;
	struct seal_err err = SEAL_ERR_INIT;

	while (result == READ_IDLE) {
		if (s->ops->read(s, b, STREAM_BATCH_RECORDS, 1000, &result, &err) != SEAL_OK)
			fail_msg("%s", err.text);
		assert_true(clock_mono_ms() < end);
	}
	return result;
}

/* A play with a source that has read one batch of what the first pull gives. */
struct reading {
	struct play p;
	struct source *s;
	struct batch b;
};

static void begin(struct reading *r, const char *pull_body, const char *name, const char *value)
{
	r->p.pull_body = pull_body;
	init_batch(&r->b);
	r->s = open_source(&r->p, name, value);
	assert_int_equal(read_some(r->s, &r->b), READ_SOME);
}

static void end(struct reading *r, bool clean)
{
	drop_batch(r->s, &r->b);
	r->s->ops->close(r->s, clean);
	stop(&r->p);
}

static void committed_is_acknowledged_and_the_rest_given_back(void **state)
{
	struct source *s;
	struct batch b;
	struct play p;
	char place[128];

	start(&p);
	p.pull_body = THREE;
	init_batch(&b);
	s = open_source(&p, "ack-deadline", "90s");
	assert_int_equal(read_some(s, &b), READ_SOME);
	assert_int_equal(b.n, 3);
	assert_true(bytes_eq_str(b.records[0].topic, "orders-sub"));
	assert_int_equal(b.records[0].partition, 0);
	assert_int_equal(b.records[2].offset, 3);
	s->ops->place(s, &b.records[1], place, sizeof(place));
	assert_string_equal(place, "pubsub:shop/orders-sub message 2");
	assert_int_equal(count(&p, "modifyAckDeadline", 200,
			       "{\"ackDeadlineSeconds\":90,\"ackIds\":[\"ack-1\",\"ack-2\",\"ack-3\"]}"),
			 1);
	b.n = 2;
	assert_int_equal(s->ops->commit(s, &b, NULL), SEAL_OK);
	assert_int_equal(s->ops->sync(s, NULL), SEAL_OK);
	assert_int_equal(count(&p, "acknowledge", 200, "ack-1"), 1);
	assert_int_equal(count(&p, "acknowledge", 200, "ack-2"), 1);
	assert_int_equal(count(&p, "acknowledge", 0, "ack-3"), 0);
	drop_batch(s, &b);
	s->ops->close(s, true);
	assert_int_equal(count(&p, "modifyAckDeadline", 200, "{\"ackDeadlineSeconds\":0,\"ackIds\":[\"ack-3\"]}"), 1);
	stop(&p);
}

static void a_file_receiver_marks(void **state)
{
	struct reading r;

	start(&r.p);
	begin(&r, THREE, NULL, NULL);
	assert_int_equal(r.s->ops->assignment(r.s, 0), 1);
	assert_int_equal(r.s->ops->mark(r.s, 0, 1, 3, NULL), SEAL_OK);
	assert_int_equal(r.s->ops->sync(r.s, NULL), SEAL_OK);
	assert_int_equal(count(&r.p, "acknowledge", 200, "ack-2"), 1);
	assert_int_equal(count(&r.p, "acknowledge", 0, "ack-3"), 0);
	end(&r, true);
}

/* It ends though all of it is still lent, and gives it back. */
static void who_only_looks_takes_nothing(void **state)
{
	struct source *s;
	struct batch b;
	struct play p;

	start(&p);
	p.pull_body = THREE;
	p.empty = true;
	init_batch(&b);
	s = open_source(&p, "look", "true");
	assert_int_equal(read_some(s, &b), READ_SOME);
	assert_int_equal(b.n, 3);
	drop_batch(s, &b);
	init_batch(&b);
	assert_int_equal(read_some(s, &b), READ_END);
	drop_batch(s, &b);
	s->ops->close(s, true);
	assert_int_equal(count(&p, "acknowledge", 0, ""), 0);
	assert_int_equal(count(&p, "modifyAckDeadline", 200,
			       "{\"ackDeadlineSeconds\":0,\"ackIds\":[\"ack-1\",\"ack-2\",\"ack-3\"]}"),
			 1);
	stop(&p);
}

/* Of an exactly-once subscription: one id is over, one is to be tried again, one is done. */
static void acknowledgements_that_fail_one_by_one(void **state)
{
	struct reading r;

	start(&r.p);
	begin(&r, THREE, NULL, NULL);
	fail_next(&r.p, "acknowledge", 1, 400,
		  ACK_FAILURE("\"ack-1\":\"PERMANENT_FAILURE_INVALID_ACK_ID\",\"ack-3\":\"TRANSIENT_FAILURE_X\""));
	assert_int_equal(r.s->ops->commit(r.s, &r.b, NULL), SEAL_OK);
	assert_int_equal(r.s->ops->sync(r.s, NULL), SEAL_OK);
	assert_int_equal(count(&r.p, "acknowledge", 400, "{\"ackIds\":[\"ack-1\",\"ack-2\",\"ack-3\"]}"), 1);
	assert_int_equal(count(&r.p, "acknowledge", 200, "{\"ackIds\":[\"ack-3\"]}"), 1);
	assert_int_equal(count(&r.p, "acknowledge", 0, ""), 2);
	end(&r, true);
}

/* Lent for the subscription's own time then, which may be short: it is tried again long before half of ours is over. */
static void an_extension_that_fails_is_tried_again_at_once(void **state)
{
	struct reading r;

	start(&r.p);
	fail_next(&r.p, "modifyAckDeadline", 1, 429, REFUSAL("429", "RESOURCE_EXHAUSTED"));
	begin(&r, THREE, "ack-deadline", "600s");
	assert_int_equal(r.b.n, 3);
	await(&r.p, "modifyAckDeadline", 200, "{\"ackDeadlineSeconds\":600,", 1);
	end(&r, true);
}

/* Another reader has it by now: it is not read here. */
static void a_message_that_is_ours_no_more_is_left_out(void **state)
{
	struct reading r;

	start(&r.p);
	fail_next(&r.p, "modifyAckDeadline", 1, 400, ACK_FAILURE("\"ack-2\":\"PERMANENT_FAILURE_INVALID_ACK_ID\""));
	begin(&r, THREE, NULL, NULL);
	assert_int_equal(r.b.n, 2);
	assert_true(bytes_eq_str(r.b.records[0].id, "1") && bytes_eq_str(r.b.records[1].id, "3"));
	end(&r, false);
}

#define KEYED(id, key)                                                                                               \
	"{\"ackId\":\"ack-" id "\",\"message\":{\"messageId\":\"" id "\",\"data\":\"dg==\",\"orderingKey\":\"" key   \
	"\"}}"

/* … and what came behind it under its key must not overtake it: that is given back. */
static void a_message_that_is_ours_no_more_is_not_overtaken(void **state)
{
	struct reading r;

	start(&r.p);
	fail_next(&r.p, "modifyAckDeadline", 1, 400, ACK_FAILURE("\"ack-2\":\"PERMANENT_FAILURE_INVALID_ACK_ID\""));
	begin(&r,
	      "{\"receivedMessages\":[" KEYED("1", "k") "," KEYED("2", "k") "," KEYED("3", "j") "," KEYED(
		      "4", "k") "," MESSAGE("5") "," KEYED("6", "k") "]}",
	      NULL, NULL);
	assert_int_equal(r.b.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(bytes_eq_str(r.b.records[i].id, (const char *const[]){"1", "3", "5"}[i]));
	assert_int_equal(
		count(&r.p, "modifyAckDeadline", 200, "{\"ackDeadlineSeconds\":0,\"ackIds\":[\"ack-4\",\"ack-6\"]}"),
		1);
	end(&r, false);
}

static unsigned pulls(struct play *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->pulls;
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* What the second pull wants after such an answer to the first, which wants ten. */
static unsigned asked_after(const char *pull_body)
{
	struct source *s;
	struct batch b;
	struct play p;

	start(&p);
	p.pull_body = pull_body;
	init_batch(&b);
	s = open_source(&p, "requests", "1");
	assert_int_equal(read_some(s, &b), READ_SOME);
	while (pulls(&p) < 2)
		usleep(2000);
	drop_batch(s, &b);
	s->ops->close(s, true);
	stop(&p);
	assert_int_equal(p.asked[0], 10);
	return p.asked[1];
}

/* As many as make an answer of 16 MiB. */
static void pulls_ask_for_what_is_good_to_handle(void **state)
{
	static const char head[] = "{\"receivedMessages\":[{\"ackId\":\"a\",\"message\":{\"data\":\"",
			  tail[] = "\"}}]}";
	const size_t data = 2u << 20;
	char *big = malloc(sizeof(head) + data + sizeof(tail));

	memcpy(big, head, sizeof(head));
	memset(big + sizeof(head) - 1, 'A', data);
	memcpy(big + sizeof(head) - 1 + data, tail, sizeof(tail));
	assert_int_equal(asked_after(THREE), 1000);
	assert_int_equal(asked_after(big), 7);
	free(big);
}

/* The service keeps back a key's next message until the one before is acknowledged: the end is not there before that. */
static void what_comes_behind_an_acknowledgement(void **state)
{
	struct batch first, second;
	struct source *s;
	struct play p;
	unsigned before;

	start(&p);
	p.pull_body = THREE;
	p.behind = "{\"receivedMessages\":[" MESSAGE("4") "]}";
	init_batch(&first);
	init_batch(&second);
	s = open_source(&p, "exit", "true");
	assert_int_equal(read_some(s, &first), READ_SOME);
	for (before = pulls(&p); pulls(&p) < before + 6;) /* longer than --pubsub-idle */
		usleep(2000);
	assert_int_equal(s->ops->commit(s, &first, NULL), SEAL_OK);
	assert_int_equal(read_some(s, &second), READ_SOME);
	assert_int_equal(second.n, 1);
	assert_int_equal(s->ops->commit(s, &second, NULL), SEAL_OK);
	drop_batch(s, &first);
	drop_batch(s, &second);
	init_batch(&first);
	assert_int_equal(read_some(s, &first), READ_END);
	drop_batch(s, &first);
	s->ops->close(s, true);
	stop(&p);
}

static void pulls_that_bring_nothing(void **state)
{
	struct source *s;
	struct batch b;
	struct play p;

	start(&p);
	init_batch(&b);
	s = open_source(&p, "exit", "true");
	assert_int_equal(read_some(s, &b), READ_END);
	pthread_mutex_lock(&p.lock);
	assert_true(p.pulls >= 2);
	pthread_mutex_unlock(&p.lock);
	assert_false(s->ops->away(s));
	drop_batch(s, &b);
	s->ops->close(s, true);
	stop(&p);
}

/* A service that does not answer any more holds up the end of the run for some seconds, and not for as long as its calls may take. */
static void a_silent_service_holds_up_no_end(void **state)
{
	static const char *const verbs[] = {"pull", "acknowledge"};

	for (size_t i = 0; i < 2; i++) {
		struct reading r;
		uint64_t began;
		bool held = false;

		start(&r.p);
		begin(&r, THREE, NULL, NULL);
		pthread_mutex_lock(&r.p.lock);
		r.p.held = verbs[i];
		pthread_mutex_unlock(&r.p.lock);
		assert_int_equal(r.s->ops->commit(r.s, &r.b, NULL), SEAL_OK);
		while (!held) {
			usleep(1000);
			pthread_mutex_lock(&r.p.lock);
			held = r.p.n_held > 0;
			pthread_mutex_unlock(&r.p.lock);
		}
		began = clock_mono_ms();
		drop_batch(r.s, &r.b);
		r.s->ops->close(r.s, true);
		assert_true(clock_mono_ms() - began < 20000); /* five are given; a call may take 30 s, a pull 120 s */
		stop(&r.p);
	}
}

/* Told by `read`, or at once by `open`. */
static void read_fails(unsigned status, const char *body, enum seal_status expected)
{
	const uint64_t end = clock_mono_ms() + LONG_MS;
	enum read_result result;
	enum seal_status rc;
	struct source *s;
	struct batch b;
	struct play p;

	start(&p);
	init_batch(&b);
	fail_next(&p, "pull", 1000, status, body);
	rc = try_source(&p, NULL, NULL, &s, NULL);
	while (rc == SEAL_OK && clock_mono_ms() < end)
		rc = s->ops->read(s, &b, STREAM_BATCH_RECORDS, 100, &result, NULL);
	assert_int_equal(rc, expected);
	if (s != NULL) {
		assert_int_equal(s->ops->away(s), expected == SEAL_RETRY);
		s->ops->release(s, &b);
		s->ops->close(s, true);
	}
	free(b.records);
	arena_clear(&b.arena);
	stop(&p);
}

static void pulls_that_fail(void **state)
{
	read_fails(429, REFUSAL("429", "RESOURCE_EXHAUSTED"), SEAL_RETRY);
	read_fails(200, "<html>", SEAL_RETRY);
	read_fails(200, "{\"receivedMessages\":[{}]}", SEAL_RETRY);
	read_fails(200, "{\"receivedMessages\":[{\"ackId\":\"\\ud800\",\"message\":{}}]}", SEAL_RETRY);
	read_fails(404, REFUSAL("404", "NOT_FOUND"), SEAL_USAGE);
	read_fails(403, REFUSAL("403", "PERMISSION_DENIED"), SEAL_DENIED);
}

static int set_up(void **state)
{
	arena_init(&arena, 0);
	return 0;
}

static int tear_down(void **state)
{
	arena_clear(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_has_one_key),
		cmocka_unit_test(a_key_waits_for_its_refused_request),
		cmocka_unit_test(what_may_stand_twice_is_counted),
		cmocka_unit_test(an_answer_of_other_length_is_none),
		cmocka_unit_test(refusals_end_the_sink),
		cmocka_unit_test(other_topics_are_siblings),
		cmocka_unit_test(addresses),
		cmocka_unit_test(committed_is_acknowledged_and_the_rest_given_back),
		cmocka_unit_test(a_file_receiver_marks),
		cmocka_unit_test(who_only_looks_takes_nothing),
		cmocka_unit_test(acknowledgements_that_fail_one_by_one),
		cmocka_unit_test(an_extension_that_fails_is_tried_again_at_once),
		cmocka_unit_test(a_message_that_is_ours_no_more_is_left_out),
		cmocka_unit_test(a_message_that_is_ours_no_more_is_not_overtaken),
		cmocka_unit_test(pulls_ask_for_what_is_good_to_handle),
		cmocka_unit_test(what_comes_behind_an_acknowledgement),
		cmocka_unit_test(pulls_that_bring_nothing),
		cmocka_unit_test(pulls_that_fail),
		cmocka_unit_test(a_silent_service_holds_up_no_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
