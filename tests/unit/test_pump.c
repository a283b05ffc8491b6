/*
 * pump: order, at least once, back-pressure, failures. Source, sink and engine are stand-ins: the engine puts "P:" before a
 * value, fails values that start with "bad", and is away for as many calls as a test says.
 */
#include <pthread.h>
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
	char headers_written[256]; /* of the last record, "name=value;" each */
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
	arena_init(&(*out)->arena, 1 << 20);
	return SEAL_OK;
}

void engine_free(struct engine *engine)
{
	if (engine != NULL)
		arena_clear(&engine->arena);
	mem_free(engine);
}

static enum seal_status transform(struct engine *engine, const char *prefix, bool check,
				  const struct seal_bytes *values, size_t n, struct engine_result *results,
				  struct seal_err *err)
{
	arena_reset(&engine->arena);
	if (t.denied)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the key may not be used");
	if (atomic_fetch_sub(&t.calls_before_away, 1) <= 0 && atomic_fetch_sub(&t.away, 1) > 0)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the key service is away");
	for (size_t i = 0; i < n; i++) {
		results[i] = (struct engine_result){.cells = 1};
		if (check && bytes_starts(values[i], BYTES_LIT("bad"))) {
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
	enum seal_status rc = transform(engine, "P:", true, input->values, input->n, results, err);

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
		char *text = arena_printf(&batch->arena, "%s%zu", t.given == t.bad_at ? "bad" : "r", t.given);

		*record = (struct record){.value = bytes_str(text),
					  .topic = BYTES_LIT("in"),
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
	if (t.commit_waits) {
		t.commit_waits = false;
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the coordinator is away");
	}
	if (t.commit_fails && upto > 100)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the group may not commit");
	assert_true(upto > t.committed);
	/* Never before the output is safe. Failed records have none, so what is safe may be fewer. */
	if (t.bad_at == SIZE_MAX && t.broken_at == SIZE_MAX && t.refused_at < 0)
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

static enum seal_status fake_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	static int retries;

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
	if (t.n_written >= t.fail_at)
		return err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "topic out: not delivered");
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
	t.bad_at = t.broken_at = t.read_fails_at = t.stop_after = SIZE_MAX;
	t.fail_at = UINT64_MAX;
	t.refused_at = -1;
	t.written = mem_calloc(RECORDS_MAX, sizeof(*t.written));
	t.records = mem_calloc(RECORDS_MAX, sizeof(*t.records));
	topic = (struct policy_topic){.on.on_error = ON_ERROR_REJECT};
	options = (struct pump_options){.topic = &topic,
					.source = &source,
					.sink = &sink,
					.threads = 1,
					.batch_records = 64,
					.drain_ms = 300,
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
	return 0;
}

static void all_written_in_order(size_t n)
{
	char expected[32];

	assert_int_equal(t.n_written, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(expected, sizeof(expected), "P:r%zu", i);
		assert_string_equal(t.written[i], expected);
	}
}

static void whole_run(void)
{
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	all_written_in_order(t.n);
	assert_int_equal(t.committed, t.n);
	assert_int_equal(atomic_load(&t.batches_out), 0);
	assert_true(t.finished);
	assert_int_equal(counts.records_in, t.n);
	assert_int_equal(counts.records_out, t.n);
	assert_int_equal(counts.fields, t.n);
}

static void test_one_thread(void **state)
{
	whole_run();
}

static void test_four_threads_keep_order(void **state)
{
	options.threads = 4;
	t.lag = 3;
	whole_run();
	assert_true(t.most_batches_out <= 12);
}

static void test_back_pressure(void **state)
{
	options.threads = 3;
	options.max_batches = 3;
	t.n = 500;
	t.lag = 5;
	t.write_retries = 2;
	whole_run();
	assert_true(t.most_batches_out <= 3);
}

static void test_empty_source(void **state)
{
	t.n = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(t.finished);
	assert_int_equal(counts.records_in, 0);
}

static void test_plain_passes(void **state)
{
	options.plain = true;
	options.topic = NULL;
	t.n = 100;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.written[99], "r99");
}

static void test_services_away_for_a_while(void **state)
{
	options.threads = 2;
	atomic_store(&t.away, 2);
	t.read_retries = 2;
	t.commit_waits = true;
	t.n = 300;
	whole_run();
	assert_true(t.waits >= 1);
	assert_int_equal(t.resumes, t.waits);
}

/* Told once, however often it is asked. */
static void test_waiting_is_told_once(void **state)
{
	atomic_store(&t.away, 3);
	whole_run();
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 1);
}

static void test_waiting_of_many_threads(void **state)
{
	options.threads = 4;
	atomic_store(&t.calls_before_away, 20);
	atomic_store(&t.away, 8);
	whole_run();
	assert_in_range(t.waits, 1, 8);
	assert_int_equal(t.resumes, t.waits);
}

/* Threads that wait commit for each other: never what a faster one has committed and released already. */
static void test_waiting_threads_commit_forward(void **state)
{
	options.threads = 4;
	t.slow_trylock = true;
	t.lag = 2;
	atomic_store(&t.calls_before_away, 20);
	atomic_store(&t.away, 12);
	whole_run();
}

/* What was read but not transformed is not committed, and nothing of it is written. */
static void test_stop_while_waiting(void **state)
{
	uint64_t start_ms = clock_mono_ms();

	options.drain_ms = 20000;
	options.threads = 3;
	t.stop_while_waiting = true;
	atomic_store(&t.calls_before_away, 10);
	atomic_store(&t.away, 1000000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(clock_mono_ms() - start_ms < 10000);
	assert_true(t.n_written <= 10 * 37);
	all_written_in_order(t.n_written);
	assert_int_equal(t.committed, t.n_written);
	assert_int_equal(counts.records_in, t.n_written);
	assert_int_equal(t.resumes, 0);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static uint64_t give_up_ms;

/* A stop request as soon as all that went out is committed, while it waits. */
static int stop_when_committed(void)
{
	if (t.waits == t.resumes)
		return 0;
	return (t.n_written > 0 && t.committed == t.n_written) || clock_mono_ms() > give_up_ms ? SIGTERM : 0;
}

/* A process that is killed in the middle of an outage repeats nothing of what went out before it. */
static void test_what_went_out_is_committed_during_a_wait(void **state)
{
	options.stop = stop_when_committed;
	give_up_ms = clock_mono_ms() + 10000;
	t.lag = 4;
	atomic_store(&t.calls_before_away, 3);
	atomic_store(&t.away, 1000000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(clock_mono_ms() < give_up_ms);
	all_written_in_order((size_t)3 * 37);
	assert_int_equal(t.committed, 3 * 37);
}

/* Neither the batch's keys nor those of its dead letters: one bad record is one dead letter, sent once. */
static void test_an_outage_makes_no_dead_letter(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.n = 100;
	t.bad_at = 40;
	atomic_store(&t.away, 2);
	t.dead_letters_away = 2;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(counts.dead_letters, 1);
	assert_int_equal(counts.records_out, 100);
	assert_int_equal(t.n_written, 100);
	assert_int_equal(t.failures, 1);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(t.written[i][0], i == 40 ? 'D' : 'P');
	assert_int_equal(t.committed, 100);
	assert_int_equal(t.waits, 2);
}

static void test_rewrapping_is_refused_before_anything_is_read(void **state)
{
	options.direction = ENGINE_REWRAP;
	t.cannot_rewrap = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_USAGE);
	assert_string_equal(err.text, "this key cannot");
	assert_int_equal(t.given, 0);
	assert_int_equal(t.n_written, 0);

	/* Only who rewraps is asked. */
	options.direction = ENGINE_REVEAL;
	err_clear(&err);
	whole_run();
}

static void test_service_away_for_too_long(void **state)
{
	options.retry_ms = 80;
	atomic_store(&t.away, 1000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_int_equal(strncmp(err.text, "given up after 0.", 17), 0);
	assert_non_null(strstr(err.text, " s: the key service is away"));
	assert_int_equal(t.n_written, 0);
	assert_int_equal(t.committed, 0);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_denied_stops(void **state)
{
	t.denied = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DENIED);
	assert_int_equal(t.n_written, 0);
}

static const struct record_header two_headers[] = {
	{BYTES_LIT("seal-key"), BYTES_LIT("old")},
	{BYTES_LIT("trace"), BYTES_LIT("abc")},
};

static void use_key_headers(const struct record_header *in, size_t n, struct seal_bytes answer)
{
	t.n = 3;
	t.uses_key_header = options.headers = true;
	t.headers = in;
	t.n_headers = n;
	t.key_header_out = answer;
}

static void test_key_header_is_added(void **state)
{
	use_key_headers(headers, 1, BYTES_LIT("new"));
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	all_written_in_order(3);
	assert_null(t.key_header_in.ptr);
	assert_string_equal(t.headers_written, "trace=abc;seal-key=new;");
}

static void test_key_header_is_changed(void **state)
{
	use_key_headers(two_headers, 2, BYTES_LIT("old,new"));
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(bytes_eq(t.key_header_in, BYTES_LIT("old")));
	assert_string_equal(t.headers_written, "seal-key=old,new;trace=abc;");
}

static void test_key_header_is_taken_away(void **state)
{
	use_key_headers(two_headers, 2, BYTES_EMPTY);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.headers_written, "trace=abc;");
	use_key_headers(two_headers, 1, BYTES_EMPTY);
	for (size_t i = 0; i < t.n_written; i++)
		mem_free(t.written[i]);
	t.n_written = t.committed = t.ticket = 0;
	t.given = 0;
	t.acknowledged = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.headers_written, "");
}

static void test_key_header_stays(void **state)
{
	use_key_headers(two_headers, 2, BYTES_LIT("old"));
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.headers_written, "seal-key=old;trace=abc;");
	assert_ptr_equal(t.records[2].headers, two_headers); /* nothing was copied */
}

static void test_key_header_of_no_concern_stays(void **state)
{
	use_key_headers(two_headers, 2, BYTES_EMPTY);
	t.uses_key_header = false;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_false(t.headers_given);
	assert_string_equal(t.headers_written, "seal-key=old;trace=abc;");
}

static void test_two_key_headers_fail(void **state)
{
	static const struct record_header twice[] = {
		{BYTES_LIT("seal-key"), BYTES_LIT("old")},
		{BYTES_LIT("seal-key"), BYTES_LIT("other")},
	};

	use_key_headers(twice, 2, BYTES_LIT("new"));
	t.broken_at = t.n; /* not the source's fault, but records fail */
	options.keep_going = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(counts.failed, 3);
	assert_int_equal(t.n_written, 0);
}

/* A dead letter is what came in, headers too. */
static void test_dead_letter_keeps_the_key_header(void **state)
{
	use_key_headers(two_headers, 2, BYTES_LIT("new"));
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.bad_at = 2;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(counts.dead_letters, 1);
	assert_int_equal(strncmp(t.headers_written, "seal-key=old;trace=abc;seal-error=", 34), 0);
}

static void test_missing_headers_are_refused_before_anything_is_read(void **state)
{
	t.uses_key_header = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_int_equal(t.given, 0);
}

static void test_reject_stops_at_the_record(void **state)
{
	options.threads = 4;
	t.bad_at = 1234;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_TYPE);
	assert_string_equal(err.place, "in/3/1234: $['a']");
	all_written_in_order(1234);
	/* All before the bad record is committed, in its own batch, too: the next run starts with it. */
	assert_int_equal(t.committed, 1234);
	assert_int_equal(t.failures, 0);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
	assert_int_equal(counts.failed, 1);
}

static void test_refused_commit_ends_at_once(void **state)
{
	uint64_t start_ms = clock_mono_ms();

	options.drain_ms = 20000;
	t.commit_denied = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DENIED);
	assert_true(clock_mono_ms() - start_ms < 10000);
	assert_int_equal(t.committed, 0);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_keep_going_leaves_it_out(void **state)
{
	options.threads = 2;
	options.keep_going = true;
	t.bad_at = 0;
	t.broken_at = 4999;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, 4998);
	assert_string_equal(t.written[0], "P:r1");
	assert_int_equal(t.committed, 5000);
	assert_int_equal(t.failures, 2);
	assert_string_equal(t.last_place, "in/3/4999");
	assert_int_equal(counts.failed, 2);
	assert_int_equal(counts.records_in, 5000);
	assert_true(t.finished);
}

static void test_drop(void **state)
{
	topic.on.on_error = ON_ERROR_DROP;
	t.n = 37;
	t.batch = 1;
	t.bad_at = 36;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, 36);
	assert_int_equal(t.committed, 37); /* a batch with no output at all is committed, too */
	assert_int_equal(counts.dropped, 1);
}

static const char *header(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq_str(record->headers[i].name, name))
			return (const char *)record->headers[i].value.ptr;
	return "";
}

static void look_at_dead_letter(void *arg, const struct record *record, const struct seal_err *why)
{
	/* Headers live in the batch: looked at while it does. */
	const struct record *dead = &t.records[17];

	assert_true(bytes_eq_str(dead->topic, "dead"));
	assert_int_equal(dead->partition, -1);
	assert_int_equal(dead->n_headers, 5);
	assert_string_equal(header(dead, "trace"), "abc"); /* its own ones stay */
	assert_string_equal(header(dead, "seal-error"), "type");
	assert_string_equal(header(dead, "seal-topic"), "in");
	assert_string_equal(header(dead, "seal-partition"), "3");
	assert_string_equal(header(dead, "seal-offset"), "17");
	t.failures++;
}

static void test_dead_letter(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	options.failed = look_at_dead_letter;
	options.keep_partition = true;
	t.bad_at = 17;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, 5000);
	assert_string_equal(t.written[17], "D:bad17");
	assert_string_equal(t.written[18], "P:r18");
	assert_int_equal(t.records[18].topic.len, 0);
	assert_int_equal(t.records[18].partition, 3);
	assert_int_equal(t.failures, 1);
	assert_int_equal(counts.dead_letters, 1);
	assert_int_equal(t.committed, 5000);
}

static void test_dead_letter_that_cannot_be_made(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.dead_fails = true;
	t.bad_at = 40;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_string_equal(err.place, "in/3/40: $['a']");
	all_written_in_order(40); /* and it did not leave in clear */
	assert_int_equal(t.committed, 40);
	assert_int_equal(counts.failed, 1);
	assert_int_equal(counts.dead_letters, 0);
	assert_false(t.finished);
}

/* What the sink could never write is the record's own failure, and goes the way of all failures. */
static void test_refused_by_the_sink(void **state)
{
	t.refused_at = 40;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_string_equal(err.place, "in/3/40: topic out");
	assert_int_equal(err.code, SEAL_E_LIMIT);
	all_written_in_order(40);
	assert_int_equal(t.committed, 40);
}

static void test_refused_is_dropped(void **state)
{
	topic.on.on_error = ON_ERROR_DROP;
	t.n = 37;
	t.batch = 1;
	t.refused_at = 36;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, 36);
	assert_int_equal(counts.dropped, 1);
	assert_int_equal(counts.records_out, 36);
	assert_int_equal(counts.fields, 36);
	assert_int_equal(t.committed, 37);
}

static void test_refused_is_a_dead_letter(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.refused_at = 40;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.written[40], "D:r40");
	assert_int_equal(counts.dead_letters, 1);
	assert_int_equal(t.committed, 5000);
}

static void test_dead_letter_refused(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.refused_at = t.bad_at = 40;
	t.dead_refused = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_string_equal(err.place, "in/3/40: topic out");
	all_written_in_order(40);
	assert_int_equal(t.committed, 40);
	assert_int_equal(counts.dead_letters, 0);
}

static void test_commit_refused(void **state)
{
	options.threads = 2;
	t.commit_fails = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DENIED);
	assert_string_equal(err.text, "the group may not commit");
	assert_true(t.committed <= 100);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_last_commit_waits(void **state)
{
	t.n = 10;
	t.commit_waits = true;
	whole_run();
}

static void test_sink_takes_nothing(void **state)
{
	t.never_takes = true;
	t.stop_after = 1;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_int_equal(t.n_written, 0);
	assert_int_equal(t.committed, 0);
}

static void test_sink_fails_while_it_is_full(void **state)
{
	t.never_takes = true;
	t.fail_at = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "topic out: not delivered");
}

static void test_flush_fails(void **state)
{
	t.flush_fails = true;
	t.lag = 1000000;
	t.n = 37;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "flush failed");
	assert_int_equal(t.committed, 0);
	assert_false(t.finished);
}

static void test_no_dead_letters_rejects(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	options.no_dead_letters = true;
	t.bad_at = 17;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	all_written_in_order(17);
}

static void test_sink_fails(void **state)
{
	options.threads = 3;
	t.fail_at = 1000;
	t.lag = 2;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "topic out: not delivered");
	assert_true(t.committed < 1000);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_source_fails_after_the_rest_is_out(void **state)
{
	options.threads = 3;
	t.lag = 1;
	t.read_fails_at = 37 * 20;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "cannot read");
	all_written_in_order(37 * 20);
	assert_int_equal(t.committed, 37 * 20);
	assert_false(t.finished);
}

static void test_stop_drains(void **state)
{
	options.threads = 4;
	t.lag = 2;
	t.stop_after = 1000;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(t.given >= 1000 && t.given < 2000);
	all_written_in_order(t.given);
	assert_int_equal(t.committed, t.given);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_stop_gives_up_in_the_end(void **state)
{
	struct timespec start, end;

	t.never_acknowledges = true;
	t.stop_after = 100;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_int_equal(t.committed, 0);
	assert_true(end.tv_sec - start.tv_sec <= 3);
}

static void test_max_records(void **state)
{
	options.max_records = 100;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	all_written_in_order(100);
	assert_int_equal(t.committed, 100);
	assert_true(t.finished);
}

static void test_end_when_idle(void **state)
{
	options.end_when_idle = true;
	t.idle_at_end = true;
	whole_run();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_thread),
		TEST(test_four_threads_keep_order),
		TEST(test_back_pressure),
		TEST(test_empty_source),
		TEST(test_plain_passes),
		TEST(test_services_away_for_a_while),
		TEST(test_waiting_is_told_once),
		TEST(test_waiting_of_many_threads),
		TEST(test_waiting_threads_commit_forward),
		TEST(test_stop_while_waiting),
		TEST(test_what_went_out_is_committed_during_a_wait),
		TEST(test_an_outage_makes_no_dead_letter),
		TEST(test_rewrapping_is_refused_before_anything_is_read),
		TEST(test_service_away_for_too_long),
		TEST(test_denied_stops),
		TEST(test_reject_stops_at_the_record),
		TEST(test_refused_commit_ends_at_once),
		TEST(test_keep_going_leaves_it_out),
		TEST(test_drop),
		TEST(test_dead_letter),
		TEST(test_dead_letter_that_cannot_be_made),
		TEST(test_refused_by_the_sink),
		TEST(test_refused_is_dropped),
		TEST(test_refused_is_a_dead_letter),
		TEST(test_dead_letter_refused),
		TEST(test_commit_refused),
		TEST(test_last_commit_waits),
		TEST(test_sink_takes_nothing),
		TEST(test_sink_fails_while_it_is_full),
		TEST(test_flush_fails),
		TEST(test_no_dead_letters_rejects),
		TEST(test_sink_fails),
		TEST(test_source_fails_after_the_rest_is_out),
		TEST(test_stop_drains),
		TEST(test_stop_gives_up_in_the_end),
		TEST(test_max_records),
		TEST(test_end_when_idle),
		TEST(test_key_header_is_added),
		TEST(test_key_header_is_changed),
		TEST(test_key_header_is_taken_away),
		TEST(test_key_header_stays),
		TEST(test_key_header_of_no_concern_stays),
		TEST(test_two_key_headers_fail),
		TEST(test_dead_letter_keeps_the_key_header),
		TEST(test_missing_headers_are_refused_before_anything_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
