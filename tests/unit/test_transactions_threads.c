/*
 * pump with exactly_once: what the sink shows in the end is the input, once and in order, whatever is aborted, put off or lost
 * on the way. The sink keeps what is written apart until its end commits it together with the source's position.
 */
#include "pump_fake.h"

#define PLANS 64

/* How the k-th transaction ends. */
enum fate {
	COMMITS,
	ABORTS,
	LOST, /* it commits, and says that it did not: nobody knows */
	BREAKS, /* a write is the last that it keeps; its end says so */
};

static struct {
	enum fate plan[PLANS]; /* of the first ones; the others commit */
	int begin_retries, end_retries, rewind_retries; /* before each */
	int write_retries; /* each takes a millisecond */
	bool end_never; /* its first end is put off for ever */
	bool away; /* as poll says */
	uint64_t ends_after_ms,
		ends_ms; /* each end is put off for so long; when this one may come, 0: not yet asked for */
	bool ends_when_told; /* each end is put off until the run has said that it waits; with one thread only */
	bool aborts_always;
	size_t denied_at; /* the end of this transaction fails for good; SIZE_MAX: none */
	uint64_t unstaged; /* the batch that begins with this offset cannot be staged; 0: all can */
	/* the service */
	uint64_t position; /* the group's */
	uint64_t pending[RECORDS_MAX]; /* offsets written in the open one */
	size_t n_pending;
	bool open, ending;
	size_t n_begun;
	size_t writes; /* in the open one */
	int retries;
	/* the source */
	uint64_t staged;
	bool stale; /* an abort was told, and no rewind came since */
	size_t rewinds;
	/* what the caller was told */
	size_t aborts;
	char why[600];
	_Atomic size_t reloads;
	bool holds_for_reload; /* half is given only then */
	bool reload_refused;
	/* who is where */
	atomic_int in_sink, in_read;
} x;

static enum fate fate(void)
{
	if (x.aborts_always)
		return ABORTS;
	return x.n_begun <= PLANS ? x.plan[x.n_begun - 1] : COMMITS;
}

static atomic_bool leaps; /* the clock goes on by two milliseconds, or not, whenever somebody looks at it */
static atomic_uint looks;
static _Atomic uint64_t leapt_ms;
static _Atomic uint64_t stands_at_ms; /* it does, until the run has said that it waits; 0: it goes */

uint64_t __real_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void)
{
	const uint64_t stands_at = atomic_load(&stands_at_ms);

	if (atomic_load(&leaps))
		atomic_fetch_add(&leapt_ms, atomic_fetch_add(&looks, 1) * 2654435761u >> 16 & 2);
	return stands_at != 0 ? stands_at : __real_clock_mono_ms() + atomic_load(&leapt_ms);
}

static void enter(atomic_int *who)
{
	assert_int_equal(atomic_fetch_add(who, 1), 0);
}

static void leave(atomic_int *who)
{
	atomic_fetch_sub(who, 1);
}

/* ---- the source ---- */

static enum seal_status x_read(struct source *it, struct batch *batch, size_t max, int timeout_ms,
			       enum read_result *result, struct seal_err *why)
{
	enum seal_status rc;

	assert_in_range(timeout_ms, 0, 100);
	enter(&x.in_read);
	if (x.holds_for_reload && t.given >= t.n / 2 && atomic_load(&x.reloads) == 0) {
		*result = READ_IDLE;
		rc = SEAL_OK;
		sched_yield();
	} else {
		rc = fake_read(it, batch, max, timeout_ms, result, why);
	}
	leave(&x.in_read);
	return rc;
}

static enum seal_status x_stage(struct source *it, const struct batch *batch, struct seal_err *why)
{
	assert_true(x.open && !x.ending && !x.stale);
	if (batch->n == 0)
		return SEAL_OK;
	if (x.unstaged > 0 && (uint64_t)batch->records[0].offset == x.unstaged)
		return err_set(why, SEAL_FATAL, SEAL_E_IO, "cannot be staged");
	assert_int_equal(batch->records[0].offset, x.staged);
	x.staged = (uint64_t)batch->records[batch->n - 1].offset + 1;
	return SEAL_OK;
}

static enum seal_status x_rewind(struct source *it, struct seal_err *why)
{
	static int retries;

	enter(&x.in_read);
	assert_true(x.stale && !x.open);
	leave(&x.in_read);
	if (retries++ < x.rewind_retries)
		return err_set(why, SEAL_RETRY, SEAL_E_SERVICE, "the coordinator is away");
	retries = 0;
	x.stale = false;
	x.rewinds++;
	t.given = x.staged = x.position;
	return SEAL_OK;
}

static enum seal_status x_commit(struct source *it, const struct batch *batch, struct seal_err *why)
{
	fail_msg("the position is the transaction's");
	return SEAL_FATAL;
}

static enum seal_status x_sync(struct source *it, struct seal_err *why)
{
	fail_msg("nothing is left to commit");
	return SEAL_FATAL;
}

/* ---- the sink ---- */

static bool put_off(int times)
{
	if (x.retries++ < times)
		return true;
	x.retries = 0;
	return false;
}

static enum seal_status x_begin(struct sink *it, struct seal_err *why)
{
	enum seal_status rc = SEAL_OK;

	enter(&x.in_sink);
	assert_false(x.open || x.stale);
	if (put_off(x.begin_retries)) {
		rc = err_set(why, SEAL_RETRY, SEAL_E_SERVICE, "no answer yet");
	} else {
		x.open = true;
		x.n_begun++;
		x.n_pending = x.writes = 0;
	}
	leave(&x.in_sink);
	return rc;
}

static enum seal_status x_write(struct sink *it, const struct record *records, size_t n, uint64_t ticket,
				int timeout_ms, struct seal_err *why)
{
	enter(&x.in_sink);
	assert_true(x.open && !x.ending && !x.stale);
	if (put_off(x.write_retries)) {
		nanosleep(&(struct timespec){0, 1000000}, NULL);
		leave(&x.in_sink);
		return err_set(why, SEAL_RETRY, SEAL_E_BUSY, "no room");
	}
	assert_true(x.n_pending + n <= RECORDS_MAX);
	x.writes++;
	for (size_t i = 0; i < n && !(fate() == BREAKS && x.writes > 1); i++)
		x.pending[x.n_pending++] = (uint64_t)records[i].offset | (records[i].topic.len > 0 ? 1ull << 63 : 0);
	leave(&x.in_sink);
	return SEAL_OK;
}

static void show(void)
{
	char text[40];

	for (size_t i = 0; i < x.n_pending; i++) {
		snprintf(text, sizeof(text), "%s%llu", x.pending[i] >> 63 ? "D" : "r",
			 (unsigned long long)(x.pending[i] << 1 >> 1));
		assert_true(t.n_written < RECORDS_MAX);
		t.written[t.n_written++] = mem_strdup(text);
	}
	x.position = x.staged;
}

/* For a minute at most: a run that never says it fails. */
static bool is_untold(void)
{
	return x.ends_when_told && t.waits == 0 && clock_mono_ms() < x.ends_ms + 60000;
}

static enum seal_status x_end(struct sink *it, struct source *from, int timeout_ms, bool *committed,
			      struct seal_err *why)
{
	const enum fate how = fate();
	enum seal_status rc = SEAL_OK;

	enter(&x.in_sink);
	assert_true(x.open);
	assert_ptr_equal(from, options.source);
	x.ending = true;
	*committed = false;
	if (x.ends_ms == 0)
		x.ends_ms = clock_mono_ms() + x.ends_after_ms;
	if (x.end_never || clock_mono_ms() < x.ends_ms || is_untold() || put_off(x.end_retries)) {
		rc = err_set(why, SEAL_RETRY, SEAL_E_SERVICE, "not over yet");
		sched_yield();
		goto out;
	}
	x.ending = x.open = false;
	x.ends_ms = 0;
	if (x.n_begun == x.denied_at) {
		rc = err_set(why, SEAL_DATA, SEAL_E_LIMIT, "too large for ever");
		goto out;
	}
	if (how == COMMITS || how == LOST)
		show();
	*committed = how == COMMITS;
	x.stale = !*committed;
	if (!*committed)
		err_set(why, SEAL_FATAL, SEAL_E_SERVICE, "transaction %zu is gone", x.n_begun);
out:
	leave(&x.in_sink);
	return rc;
}

static enum seal_status x_poll(struct sink *it, int timeout_ms, uint64_t *acknowledged, struct seal_err *why)
{
	enter(&x.in_sink);
	assert_false(x.ending);
	*acknowledged = 0;
	leave(&x.in_sink);
	return x.away ? err_set(why, SEAL_RETRY, SEAL_E_SERVICE, "out of reach") : SEAL_OK;
}

static enum seal_status x_flush(struct sink *it, int timeout_ms, struct seal_err *why)
{
	fail_msg("the end of a transaction flushes");
	return SEAL_FATAL;
}

/* ---- the caller ---- */

static void on_aborted(void *arg, const struct seal_err *why)
{
	x.aborts++;
	snprintf(x.why, sizeof(x.why), "%s", why->text);
}

static void on_waiting_lets_it_go(void *arg, const struct seal_err *why)
{
	on_waiting(arg, why);
	atomic_store(&stands_at_ms, 0);
}

/* Once, when half is there; what is then read comes under the other rules. */
static struct policy_topic other_topic;

static bool on_reload(void *arg, const struct plan **plan, const struct policy_topic **to)
{
	if (x.reloads > 0 || t.n_written < t.n / 2 - 37)
		return false;
	x.reloads++;
	*plan = NULL;
	*to = &other_topic;
	t.cannot_rewrap = x.reload_refused;
	return true;
}

static void on_reloaded(void *arg, const struct seal_err *why)
{
	assert_false(x.open);
	assert_int_equal(why != NULL, x.reload_refused);
	t.cannot_rewrap = false;
	x.reloads++;
}

static const struct source_ops x_source_ops = {.size = sizeof(x_source_ops),
					       .name = "fake",
					       .read = x_read,
					       .commit = x_commit,
					       .sync = x_sync,
					       .release = fake_release,
					       .stage = x_stage,
					       .rewind = x_rewind};
static const struct sink_ops x_sink_ops = {.size = sizeof(x_sink_ops),
					   .name = "fake",
					   .write = x_write,
					   .poll = x_poll,
					   .check = fake_check,
					   .begin = x_begin,
					   .end = x_end,
					   .flush = x_flush,
					   .finish = fake_finish};
static struct source x_source = {.ops = &x_source_ops};
static struct sink x_sink = {.ops = &x_sink_ops};

static int x_setup(void **state)
{
	setup(state);
	memset(&x, 0, sizeof(x));
	x.denied_at = SIZE_MAX;
	other_topic = topic;
	options.source = &x_source;
	options.sink = &x_sink;
	options.exactly_once = true;
	options.transaction_records = 300; /* the clock decides nothing, unless a test wants it */
	options.transaction_ms = 1000000;
	options.threads = *state != NULL ? *(unsigned *)*state : 1;
	options.aborted = on_aborted;
	return 0;
}

static void shown_in_order(size_t n)
{
	char expected[32];

	assert_int_equal(t.n_written, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(expected, sizeof(expected), "r%zu", i);
		assert_string_equal(t.written[i], expected);
	}
	assert_int_equal(x.position, n);
	assert_false(x.open);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* How many of those that were planned to are over without a commit that was told. */
static size_t untold(void)
{
	size_t n = 0;

	for (size_t i = 0; i < x.n_begun && i < PLANS; i++)
		n += x.plan[i] != COMMITS;
	return n;
}

static void whole_run(void)
{
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	shown_in_order(t.n);
	assert_true(t.finished);
	assert_int_equal(x.aborts, untold());
	assert_int_equal(x.rewinds, x.aborts);
	assert_int_equal(counts.aborted, x.aborts);
	assert_int_equal(counts.transactions, x.n_begun - x.aborts);
}

/* ---- tests ---- */

static void test_all_once(void **state)
{
	whole_run();
	assert_in_range(x.n_begun, 2, 5000 / 300 + 1);
	assert_int_equal(counts.records_in, t.n);
	assert_int_equal(counts.records_out, t.n);
}

static void test_empty_source(void **state)
{
	t.n = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(x.n_begun, 0);
	assert_true(t.finished);
}

static void test_bytes_end_it(void **state)
{
	options.transaction_records = 0;
	options.transaction_bytes = 37 * 5 * 10; /* "P:r…" */
	whole_run();
	assert_in_range(x.n_begun, 5, 135);
}

static void test_the_clock_ends_it(void **state)
{
	options.transaction_records = 0;
	options.transaction_ms = 1;
	t.n = 20000;
	whole_run();
	assert_true(x.n_begun > 1);
}

/* A read's time is never less than none, which would be for ever: x_read looks. */
static void test_the_clock_goes_on_between_two_looks(void **state)
{
	options.transaction_records = 0;
	options.transaction_ms = 20;
	t.n = 20000;
	atomic_store(&leaps, true);
	whole_run();
	atomic_store(&leaps, false);
	assert_true(x.n_begun > 1);
}

/* Each of the first ones, and the last one, which the end of the source finds. */
static void test_aborted_anywhere(void **state)
{
	for (size_t i = 0; i < 8; i++)
		x.plan[i * 2] = ABORTS;
	whole_run();
	assert_int_equal(x.aborts, 8);
	assert_int_equal(counts.records_in, t.n);
}

static void test_the_last_one_is_aborted(void **state)
{
	t.n = 200; /* the end of the source ends it */
	x.plan[0] = x.plan[1] = ABORTS;
	options.waiting = on_waiting_lets_it_go;
	atomic_store(&stands_at_ms, clock_mono_ms());
	whole_run();
	atomic_store(&stands_at_ms, 0);
	assert_int_equal(x.aborts, 2);
	assert_int_equal(counts.records_in, t.n);
	assert_true(t.waits >= 1); /* the second in a row waits before it is read again */
	assert_int_equal(t.resumes, t.waits);
}

/* The group says that it went through: nothing is written again. */
static void test_a_commit_that_nobody_knows_of(void **state)
{
	x.plan[0] = x.plan[2] = x.plan[3] = LOST;
	whole_run();
	assert_int_equal(x.aborts, 3);
}

static void test_a_write_breaks_it(void **state)
{
	x.plan[0] = x.plan[3] = BREAKS;
	whole_run();
	assert_int_equal(x.aborts, 2);
	assert_string_equal(x.why, "transaction 4 is gone");
}

static void test_everything_is_put_off(void **state)
{
	x.begin_retries = 2;
	x.end_retries = 3;
	x.rewind_retries = 2;
	x.plan[1] = ABORTS;
	t.n = 2000;
	atomic_store(&t.away, 3);
	whole_run();
	assert_int_equal(t.resumes, t.waits);
}

static int stop_at_once_when_open(void)
{
	return x.n_begun > 0 ? SIGTERM : 0;
}

/* While there is no room it becomes due, but it ends only when the batch that waits is in it. */
static void test_a_write_is_put_off(void **state)
{
	x.write_retries = 3;
	x.end_retries = 2;
	options.transaction_ms = 1;
	x.plan[2] = ABORTS;
	t.n = 1000;
	whole_run();
}

/* What is no longer tried when the time is over is not in the target, and the group stands before it. */
static void test_a_write_is_waited_for_until_the_drain_ends(void **state)
{
	x.write_retries = 1000000;
	options.drain_ms = 20;
	options.stop = stop_at_once_when_open;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "took no more"));
	shown_in_order(0);
	assert_int_equal(counts.records_in, 0);
}

/* The order in which four threads are done does not matter, and what was read before a rewind never goes out. */
static void test_many_aborts(void **state)
{
	for (size_t i = 0; i < PLANS; i++)
		x.plan[i] = i % 5 == 1 ? ABORTS : i % 7 == 3 ? LOST : i % 11 == 5 ? BREAKS : COMMITS;
	t.n = 9000;
	whole_run();
}

static void test_max_records(void **state)
{
	options.max_records = 700;
	x.plan[1] = ABORTS;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	shown_in_order(700);
	assert_int_equal(counts.records_in, 700);
	assert_true(t.finished);
}

static void test_end_when_idle(void **state)
{
	options.end_when_idle = true;
	t.idle_at_end = true;
	x.plan[0] = x.plan[5] = ABORTS;
	whole_run();
}

/* Nothing is half done when the run stops, and the next one goes on where it was. */
static void test_stop_drains(void **state)
{
	t.stop_after = 1000;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(t.n_written >= 1000 - 37 && t.n_written < t.n);
	shown_in_order(t.n_written);
	assert_int_equal(counts.records_in, t.n_written);
	assert_false(t.finished);
}

static size_t stop_at_begun;

static int stop_at_end(void)
{
	return x.n_begun >= stop_at_begun && x.ending ? SIGTERM : 0;
}

static void test_stop_while_it_ends(void **state)
{
	options.threads = 1; /* stop looks at what the sink does */
	options.stop = stop_at_end;
	stop_at_begun = 3;
	x.end_retries = 2;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(x.n_begun >= 3 && t.n_written < t.n);
	shown_in_order(t.n_written);
}

static void test_the_aborted_one_is_not_tried_again_after_a_stop(void **state)
{
	t.stop_after = 250; /* before the first is full */
	x.plan[0] = ABORTS;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	shown_in_order(0);
	assert_int_equal(counts.records_in, 0);
	assert_int_equal(x.aborts, 1);
}

static void test_a_drain_gives_up_in_the_end(void **state)
{
	options.drain_ms = 200;
	t.stop_after = 100;
	x.end_never = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_int_equal(t.n_written, 0);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* The same while a batch waits for its turn, which comes after the end. */
static void test_a_drain_gives_up_in_turn(void **state)
{
	options.drain_ms = 20;
	options.transaction_records = 37;
	t.stop_after = 74; /* the second batch, which is read while the first one's transaction ends */
	x.end_never = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_int_equal(x.n_begun, 1);
	assert_int_equal(t.n_written, 0);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* A run that has failed waits no longer for its last end than one that is to stop; what it failed for stays the error. */
static void test_a_failed_run_gives_up_in_the_end(void **state)
{
	options.drain_ms = 20;
	t.bad_at = 50;
	x.end_never = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_string_equal(err.place, "in/3/50: $['a']");
	assert_int_equal(t.n_written, 0);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* No other run has that limit, however long its last end takes. */
static void test_a_drain_limits_no_other_end(void **state)
{
	options.drain_ms = 1;
	t.n = 200;
	x.ends_after_ms = 50;
	whole_run();
	assert_int_equal(x.n_begun, 1);
}

/* The last one's end, too, is told when it comes, as a wait that is over: nobody says that the run waits when it does not. */
static void test_a_late_end_is_told(void **state)
{
	t.n = 200;
	x.ends_when_told = true;
	whole_run();
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 1);
}

static void test_a_late_refusal_is_told(void **state)
{
	t.n = 200;
	x.ends_when_told = true;
	x.denied_at = 1;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 1);
}

static void test_an_end_is_waited_for_only_so_long(void **state)
{
	options.retry_ms = 300;
	x.end_never = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "given up after"));
	assert_non_null(strstr(err.text, "not over yet"));
}

/* In the middle of a transaction whose sink is full, as its service is away. */
static void test_a_write_is_waited_for_only_so_long(void **state)
{
	options.retry_ms = 300;
	x.write_retries = INT32_MAX;
	x.away = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "given up after"));
	assert_non_null(strstr(err.text, "out of reach"));
	assert_int_equal(t.n_written, 0);
}

static void test_a_begin_is_waited_for_only_so_long(void **state)
{
	options.retry_ms = 300;
	x.begin_retries = INT32_MAX;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "given up after"));
	assert_non_null(strstr(err.text, "no answer yet"));
	assert_int_equal(x.n_begun, 0);
}

static void test_aborts_are_tried_only_so_long(void **state)
{
	options.retry_ms = 3000; /* the first two must both come in that time */
	x.aborts_always = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_non_null(strstr(err.text, "given up after"));
	assert_non_null(strstr(err.text, "is gone"));
	assert_int_equal(t.n_written, 0);
	assert_true(x.aborts > 2 && x.aborts < 20); /* they are further and further apart */
}

/* A record that a broker never takes ends the run, and nothing of its transaction is there. */
static void test_refused_for_ever(void **state)
{
	x.denied_at = 3;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(counts.transactions, 2);
	shown_in_order(t.n_written);
}

/* What was written without its position does not become visible: the next run would write it again. */
static void test_a_batch_that_is_not_staged(void **state)
{
	x.unstaged = 37 * 4;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "cannot be staged");
	assert_true(x.open && !x.ending); /* until the sink is closed, which aborts it */
	assert_int_equal(t.n_written, 0);
	assert_int_equal(x.position, 0);
	assert_int_equal(counts.transactions, 0);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* What comes before it is there, in a transaction of its own or not; it itself is where the next run starts. */
static void test_a_rejected_record(void **state)
{
	t.bad_at = 1000;
	x.plan[1] = ABORTS;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	assert_string_equal(err.place, "in/3/1000: $['a']");
	shown_in_order(1000);
	assert_int_equal(counts.records_in, 1001);
	assert_int_equal(counts.records_out, 1000);
	assert_int_equal(counts.failed, 1);
	assert_false(t.finished);
}

static void test_the_first_record_is_rejected(void **state)
{
	t.bad_at = 0;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DATA);
	shown_in_order(0);
	assert_int_equal(counts.transactions, x.n_begun);
}

/* Dead letters are in the transaction of their records: they come once, too. */
static void test_dead_letters(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	t.bad_at = 420;
	x.plan[0] = x.plan[1] = ABORTS;
	x.plan[3] = LOST;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, t.n);
	assert_string_equal(t.written[420], "D420");
	assert_string_equal(t.written[421], "r421");
	assert_int_equal(x.position, t.n);
}

static void test_dropped_records(void **state)
{
	topic.on.on_error = ON_ERROR_DROP;
	t.all_bad = true;
	t.n = 1000;
	x.plan[1] = ABORTS;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.n_written, 0);
	assert_int_equal(x.position, t.n); /* they are done all the same */
	assert_int_equal(counts.dropped, t.n);
}

static void test_the_source_fails(void **state)
{
	t.read_fails_at = 1000;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "cannot read");
	assert_true(t.n_written >= 1000 && t.n_written < 1037);
	shown_in_order(t.n_written);
}

/* A source that has failed is not read again, not even for what was aborted last. */
static void test_the_source_fails_before_an_abort(void **state)
{
	t.read_fails_at = 200;
	x.plan[0] = ABORTS;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_FATAL);
	assert_string_equal(err.text, "cannot read");
	assert_int_equal(x.n_begun, 1);
	assert_int_equal(x.aborts, 1);
	assert_int_equal(x.rewinds, 0);
	shown_in_order(0);
}

static void test_the_engine_fails(void **state)
{
	t.denied = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DENIED);
	shown_in_order(0);
}

static void test_reload(void **state)
{
	options.reload = on_reload;
	options.reloaded = on_reloaded;
	options.transaction_ms = 20; /* nothing else ends the one that is open then */
	x.holds_for_reload = true;
	x.plan[2] = ABORTS;
	whole_run();
	assert_int_equal(x.reloads, 2);
}

static void test_reload_refused(void **state)
{
	options.reload = on_reload;
	options.reloaded = on_reloaded;
	options.direction = ENGINE_REWRAP;
	options.transaction_ms = 20;
	x.holds_for_reload = x.reload_refused = true;
	whole_run();
	assert_int_equal(x.reloads, 2);
}

/* Sealed keys while a transaction is open: it is not held open for them. */
static uint64_t give_up_ms;
static bool seen_whole;

static int stop_when_shown(void)
{
	seen_whole = seen_whole || (t.waits > t.resumes && !x.open && t.n_written == 37 * 3);
	return seen_whole || clock_mono_ms() > give_up_ms ? SIGTERM : 0;
}

static void test_keys_that_are_away_hold_nothing_open(void **state)
{
	options.threads = 1;
	options.transaction_ms = 10;
	options.stop = stop_when_shown;
	give_up_ms = clock_mono_ms() + 60000;
	seen_whole = false;
	atomic_store(&t.calls_before_away, 3);
	atomic_store(&t.away, 1000000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(seen_whole);
	shown_in_order(37 * 3);
}

static unsigned one = 1, four = 4;

#define TEST(name)                                                                                                   \
	{#name, name, x_setup, teardown, &one},                                                                      \
	{                                                                                                            \
#name " with four threads", name, x_setup, teardown, &four                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_once),
		TEST(test_empty_source),
		TEST(test_bytes_end_it),
		TEST(test_the_clock_ends_it),
		TEST(test_the_clock_goes_on_between_two_looks),
		TEST(test_aborted_anywhere),
		TEST(test_the_last_one_is_aborted),
		TEST(test_a_commit_that_nobody_knows_of),
		TEST(test_a_write_breaks_it),
		TEST(test_everything_is_put_off),
		TEST(test_a_write_is_put_off),
		TEST(test_a_write_is_waited_for_until_the_drain_ends),
		TEST(test_many_aborts),
		TEST(test_max_records),
		TEST(test_end_when_idle),
		TEST(test_stop_drains),
		TEST(test_stop_while_it_ends),
		TEST(test_the_aborted_one_is_not_tried_again_after_a_stop),
		TEST(test_a_drain_gives_up_in_the_end),
		TEST(test_a_drain_gives_up_in_turn),
		TEST(test_a_failed_run_gives_up_in_the_end),
		TEST(test_a_drain_limits_no_other_end),
		{"test_a_late_end_is_told", test_a_late_end_is_told, x_setup, teardown, &one},
		{"test_a_late_refusal_is_told", test_a_late_refusal_is_told, x_setup, teardown, &one},
		TEST(test_an_end_is_waited_for_only_so_long),
		TEST(test_a_write_is_waited_for_only_so_long),
		TEST(test_a_begin_is_waited_for_only_so_long),
		TEST(test_aborts_are_tried_only_so_long),
		TEST(test_refused_for_ever),
		TEST(test_a_batch_that_is_not_staged),
		TEST(test_a_rejected_record),
		TEST(test_the_first_record_is_rejected),
		TEST(test_dead_letters),
		TEST(test_dropped_records),
		TEST(test_the_source_fails),
		TEST(test_the_source_fails_before_an_abort),
		TEST(test_the_engine_fails),
		TEST(test_reload),
		TEST(test_reload_refused),
		TEST(test_keys_that_are_away_hold_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
