/*
 * The pump's world, made of fakes: an engine that marks what it got, a source that counts, a sink that remembers; and the
 * set-up of every test. Included once by each test program.
 */
#ifndef TESTS_UNIT_PUMP_FAKE_H
#define TESTS_UNIT_PUMP_FAKE_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pump/pump.h"

#define RECORDS_MAX 20000

static struct {
	/* the engine */
	atomic_int away; /* calls that answer RETRY */
	atomic_bool stuck; /* a call does not return while it is set */
	bool denied;
	bool dead_fails; /* not even a dead letter can be made of a bad value */
	/* the source */
	size_t n, batch; /* records in all; at most in a batch */
	_Atomic size_t given; /* so far */
	size_t bad_at; /* this record is bad; SIZE_MAX: none */
	size_t broken_at;
	size_t read_fails_at; /* a read error after so many */
	int read_retries;
	bool idle_at_end;
	atomic_uint batches_out; /* read, not released */
	unsigned most_batches_out;
	uint64_t committed; /* records */
	bool commit_waits; /* first commit answers RETRY */
	bool commits_wait; /* … each does */
	bool commit_denied;
	bool commit_fails;
	/* the sink */
	char **written;
	struct record *records;
	size_t n_written;
	uint64_t tickets[RECORDS_MAX]; /* records written up to each ticket */
	uint64_t ticket;
	_Atomic uint64_t acknowledged;
	unsigned lag; /* polls until a ticket is acknowledged */
	unsigned polls;
	int write_retries; /* before each write */
	uint64_t fail_at; /* poll fails once so many records are written */
	bool never_acknowledges;
	bool never_takes; /* write answers RETRY for ever */
	_Atomic size_t
		sink_away_at; /* once so many records are written its service is away: none is acknowledged or taken */
	_Atomic uint64_t sink_back_ms; /* … until then, once that was told; 0: for ever */
	unsigned sink_away_ms; /* how long */
	bool shut; /* … and write says so, as if nothing waited */
	int64_t refused_at; /* check refuses the record of this offset; -1: none */
	bool dead_refused; /* … and its dead letter */
	bool flush_fails;
	bool finished;
	/* the caller */
	size_t stop_after; /* records; SIZE_MAX: never */
	size_t failures;
	char last_place[300];
	unsigned waits, resumes;
	bool cannot_rewrap;
	bool stop_while_waiting;
	atomic_int calls_before_away; /* good calls before `away` counts */
	int dead_letters_away; /* so many dead-letter calls answer RETRY */
	bool slow_trylock; /* see pthread_mutex_trylock */
	atomic_uint trylocks;
	/* key headers */
	bool uses_key_header;
	const struct record_header *headers; /* of every record read; NULL: the usual one */
	size_t n_headers;
	struct seal_bytes key_header_in; /* as the engine saw it last */
	_Atomic bool headers_given; /* … it saw any */
	struct seal_bytes key_header_out; /* what it answers */
	char headers_written[512]; /* of the last record, "name=value;" each */
	/* keys */
	bool keyed; /* records have keys: "k0" … */
	bool nameless; /* they come from no topic */
	size_t bad_key_at; /* this record's key is bad; SIZE_MAX: none */
	bool all_bad;
	const char *bad_text; /* a value that is bad; NULL: none */
	char key_written[64]; /* of the last record; "null" */
	unsigned engines; /* that live */
	_Atomic size_t calls; /* of engine_run_input */
	_Atomic size_t values; /* that they were given */
} t;

/*
 * In the C library's place: threads that look around at the same time come to the lock late, the first one last, so that
 * what it saw before is old.
 */
int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	const struct timespec past = {0, 0}, late = {0, 10000000L * (3 - atomic_fetch_add(&t.trylocks, 1) % 4)};

	if (t.slow_trylock)
		nanosleep(&late, NULL);
	return pthread_mutex_timedlock(mutex, &past);
}

/* ---- the engine ---- */

struct engine {
	struct arena arena;
};

enum seal_status engine_new(const struct plan *plan, const struct engine_options *options, struct engine **out,
			    struct seal_err *err)
{
	*out = mem_alloc(sizeof(**out));
	t.engines++;
	arena_init(&(*out)->arena, 1 << 20);
	return SEAL_OK;
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	t.engines--;
	arena_clear(&engine->arena);
	mem_free(engine);
}

static enum seal_status transform(struct engine *engine, const char *prefix, bool check,
				  const struct seal_bytes *values, size_t n, struct engine_result *results,
				  struct seal_err *err)
{
	arena_reset(&engine->arena);
	while (atomic_load(&t.stuck))
		sched_yield();
	if (t.denied)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the key may not be used");
	if (atomic_fetch_sub(&t.calls_before_away, 1) <= 0 && atomic_fetch_sub(&t.away, 1) > 0)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the key service is away");
	for (size_t i = 0; i < n; i++) {
		results[i] = (struct engine_result){.cells = values[i].ptr != NULL};
		if (values[i].ptr == NULL)
			continue;
		if (check && (bytes_starts(values[i], BYTES_LIT("bad")) ||
			      (t.bad_text != NULL && bytes_eq_str(values[i], t.bad_text)))) {
			struct seal_err *why = ARENA_NEW(&engine->arena, struct seal_err);

			*why = (struct seal_err)SEAL_ERR_INIT;
			err_set(why, SEAL_DATA, SEAL_E_TYPE, "not a string");
			err_place(why, "$['a']");
			results[i].err = why;
			continue;
		}
		results[i].value = bytes_str(arena_printf(&engine->arena, "%s%.*s", prefix, BYTES_FMT(values[i])));
	}
	return SEAL_OK;
}

static struct policy policy;

const struct policy *plan_policy(const struct plan *plan)
{
	return &policy;
}

bool engine_uses_key_header(const struct policy_topic *topic)
{
	return t.uses_key_header;
}

enum seal_status engine_check_headers(const struct policy_topic *topic, bool headers, struct seal_err *err)
{
	if (!headers && t.uses_key_header)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "no headers");
	return SEAL_OK;
}

enum seal_status engine_can_rewrap(struct engine *engine, const struct policy_topic *topic, struct seal_err *err)
{
	return t.cannot_rewrap ? err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "this key cannot") : SEAL_OK;
}

enum seal_status engine_run_input(struct engine *engine, const struct policy_topic *topic,
				  enum engine_direction direction, const struct engine_input *input,
				  struct engine_result *results, struct seal_err *err)
{
	static const char *const prefixes[] = {[PART_VALUE] = "P:", [PART_KEY] = "K:", [PART_HEADER] = "H:"};
	enum seal_status rc = transform(engine, prefixes[topic->part], true, input->values, input->n, results, err);

	t.calls++;
	t.values += input->n;
	t.headers_given = input->key_headers != NULL;
	for (size_t i = 0; rc == SEAL_OK && t.headers_given && i < input->n; i++) {
		t.key_header_in = input->key_headers[i];
		results[i].key_header = t.key_header_out;
	}
	return rc;
}

enum seal_status engine_dead_letter(struct engine *engine, const struct policy_topic *topic,
				    const struct seal_bytes *values, size_t n, struct engine_result *results,
				    struct seal_err *err)
{
	if (t.dead_letters_away > 0) {
		t.dead_letters_away--;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the dead letters' key service is away");
	}
	return transform(engine, "D:", t.dead_fails, values, n, results, err);
}

/* ---- the source ---- */

static const struct record_header headers[] = {{BYTES_LIT("trace"), BYTES_LIT("abc")}};

static struct seal_bytes key_of(struct batch *batch, size_t i)
{
	if (!t.keyed)
		return BYTES_EMPTY;
	return bytes_str(arena_printf(&batch->arena, i == t.bad_key_at ? "bad%zu" : "k%zu", i));
}

static enum seal_status fake_read(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				  enum read_result *result, struct seal_err *err)
{
	size_t n = t.batch < max_records ? t.batch : max_records;
	unsigned out;

	if (t.read_retries > 0) {
		t.read_retries--;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the broker is away");
	}
	if (t.given >= t.read_fails_at)
		return err_set(err, SEAL_FATAL, SEAL_E_IO, "cannot read");
	*result = t.given < t.n ? READ_SOME : t.idle_at_end ? READ_IDLE : READ_END;
	for (; batch->n < n && t.given < t.n; t.given++) {
		struct record *record = &batch->records[batch->n++];
		char *text =
			arena_printf(&batch->arena, "%s%zu", t.all_bad || t.given == t.bad_at ? "bad" : "r", t.given);

		*record = (struct record){.value = bytes_str(text),
					  .key = key_of(batch, t.given),
					  .topic = t.nameless ? BYTES_EMPTY : BYTES_LIT("in"),
					  .headers = t.headers != NULL ? t.headers : headers,
					  .n_headers = t.headers != NULL ? t.n_headers : 1,
					  .partition = 3,
					  .offset = (int64_t)t.given};
		if (t.given == t.broken_at) {
			record->broken = ARENA_NEW(&batch->arena, struct seal_err);
			*record->broken = (struct seal_err)SEAL_ERR_INIT;
			err_set(record->broken, SEAL_DATA, SEAL_E_SYNTAX, "not JSON");
		}
	}
	if (*result != READ_SOME)
		return SEAL_OK;
	out = atomic_fetch_add(&t.batches_out, 1) + 1;
	if (out > t.most_batches_out)
		t.most_batches_out = out;
	return SEAL_OK;
}

static enum seal_status fake_commit(struct source *source, const struct batch *batch, struct seal_err *err)
{
	uint64_t upto = (uint64_t)batch->records[batch->n - 1].offset + 1;

	if (t.commit_denied)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the group may not commit");
	if (t.commit_waits || t.commits_wait) {
		t.commit_waits = false;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the coordinator is away");
	}
	if (t.commit_fails && upto > 100)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the group may not commit");
	assert_true(upto > t.committed);
	/* Never before the output is safe. Failed records have none, so what is safe may be fewer. */
	if (t.bad_at == SIZE_MAX && t.bad_key_at == SIZE_MAX && t.bad_text == NULL && t.broken_at == SIZE_MAX &&
	    t.refused_at < 0)
		assert_true(upto <= t.tickets[t.acknowledged]);
	t.committed = upto;
	return SEAL_OK;
}

static void fake_release(struct source *source, struct batch *batch)
{
	atomic_fetch_sub(&t.batches_out, 1);
}

static const struct source_ops source_ops = {.size = sizeof(source_ops),
					     .name = "fake",
					     .read = fake_read,
					     .commit = fake_commit,
					     .release = fake_release};

/* ---- the sink ---- */

static void note_headers(const struct record *record)
{
	size_t at = 0;

	t.headers_written[0] = '\0';
	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *one = &record->headers[i];

		at += (size_t)snprintf(t.headers_written + at, sizeof(t.headers_written) - at, "%.*s=%.*s;",
				       BYTES_FMT(one->name), BYTES_FMT(one->value));
		assert_true(at < sizeof(t.headers_written));
	}
}

static bool sink_is_away(void)
{
	if (t.n_written < t.sink_away_at)
		return false;
	if (t.sink_away_ms > 0 && t.sink_back_ms == 0 && t.waits > 0)
		t.sink_back_ms = clock_mono_ms() + t.sink_away_ms;
	if (t.sink_back_ms == 0 || clock_mono_ms() < t.sink_back_ms)
		return true;
	t.sink_away_at = SIZE_MAX;
	return false;
}

static enum seal_status fake_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	static int retries;

	if (sink_is_away()) {
		nanosleep(&(struct timespec){0, 1000000}, NULL);
		return t.shut ? err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the target is shut")
			      : err_set(err, SEAL_RETRY, SEAL_E_BUSY, "full");
	}
	if (retries < t.write_retries || t.never_takes) {
		retries++;
		return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "full");
	}
	retries = 0;
	assert_int_equal(ticket, t.ticket + 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(t.n_written < RECORDS_MAX);
		t.records[t.n_written] = records[i];
		note_headers(&records[i]);
		snprintf(t.key_written, sizeof(t.key_written), "%.*s",
			 BYTES_FMT(records[i].key.ptr != NULL ? records[i].key : BYTES_LIT("null")));
		t.written[t.n_written++] = mem_strndup((const char *)records[i].value.ptr, records[i].value.len);
	}
	t.ticket = ticket;
	t.tickets[ticket] = t.n_written;
	return SEAL_OK;
}

static enum seal_status fake_check(struct sink *sink, const struct record *record, struct seal_err *err)
{
	if (record->offset != t.refused_at || (record->topic.len > 0 && !t.dead_refused))
		return SEAL_OK;
	err_place(err, "topic out");
	return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "too large");
}

static enum seal_status fake_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	*acknowledged = t.acknowledged;
	if (t.n_written >= t.fail_at)
		return err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "topic out: not delivered");
	if (sink_is_away() && !t.shut && t.acknowledged < t.ticket) {
		err_place(err, "topic out");
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the target is away");
	}
	if (!t.never_acknowledges && ++t.polls % (t.lag + 1) == 0 && t.acknowledged < t.ticket)
		t.acknowledged++;
	*acknowledged = t.acknowledged;
	return SEAL_OK;
}

static enum seal_status fake_flush(struct sink *sink, int timeout_ms, struct seal_err *err)
{
	uint64_t acknowledged = 0;
	enum seal_status rc = t.flush_fails ? err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "flush failed")
					    : fake_poll(sink, timeout_ms, &acknowledged, err);

	if (rc == SEAL_OK && acknowledged < t.ticket)
		return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "not all is acknowledged");
	return rc;
}

static enum seal_status fake_finish(struct sink *sink, struct seal_err *err)
{
	t.finished = true;
	return SEAL_OK;
}

static const struct sink_ops sink_ops = {.size = sizeof(sink_ops),
					 .name = "fake",
					 .write = fake_write,
					 .check = fake_check,
					 .poll = fake_poll,
					 .flush = fake_flush,
					 .finish = fake_finish};

/* ---- the tests ---- */

static int should_stop(void)
{
	return t.given >= t.stop_after || (t.stop_while_waiting && t.waits > t.resumes) ? SIGTERM : 0;
}

static void on_failed(void *arg, const struct record *record, const struct seal_err *why)
{
	t.failures++;
	snprintf(t.last_place, sizeof(t.last_place), "%s", why->place);
}

static void on_waiting(void *arg, const struct seal_err *why)
{
	t.waits++;
}

static void on_resumed(void *arg, uint64_t waited_ms)
{
	t.resumes++;
	assert_int_equal(t.resumes, t.waits);
	assert_in_range(waited_ms, 1, 60000);
}

static struct source source = {.ops = &source_ops};
static struct sink sink = {.ops = &sink_ops};
static struct policy_topic topic;
static struct pump_options options;
static struct pump_counts counts;
static struct seal_err err;

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	t.n = 5000;
	t.batch = 37;
	t.bad_at = t.bad_key_at = t.broken_at = t.read_fails_at = t.stop_after = SIZE_MAX;
	t.fail_at = UINT64_MAX;
	t.sink_away_at = SIZE_MAX;
	t.refused_at = -1;
	t.written = mem_calloc(RECORDS_MAX, sizeof(*t.written));
	t.records = mem_calloc(RECORDS_MAX, sizeof(*t.records));
	policy = (struct policy){.n_topics = 0};
	topic = (struct policy_topic){.on.on_error = ON_ERROR_REJECT};
	options = (struct pump_options){.topic = &topic,
					.source = &source,
					.sink = &sink,
					.threads = 1,
					.batch_records = 64,
					.drain_ms = 100000, /* the clock decides nothing, unless a test wants it */
					.stop = should_stop,
					.failed = on_failed,
					.waiting = on_waiting,
					.resumed = on_resumed};
	err_clear(&err);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < t.n_written; i++)
		mem_free(t.written[i]);
	mem_free(t.written);
	mem_free(t.records);
	assert_int_equal(t.engines, 0);
	return 0;
}

__attribute__((unused)) static void all_written_in_order(size_t n)
{
	char expected[32];

	assert_int_equal(t.n_written, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(expected, sizeof(expected), "P:r%zu", i);
		assert_string_equal(t.written[i], expected);
	}
}

#endif
