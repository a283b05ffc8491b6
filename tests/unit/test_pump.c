/*
 * pump: order, at least once, back-pressure, failures. Source, sink and engine are stand-ins: the engine puts "P:" before a
 * value, fails values that start with "bad", and is away for as many calls as a test says.
 */
#include "pump_fake.h"

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

	options.threads = 3;
	t.stop_while_waiting = true;
	atomic_store(&t.calls_before_away, 10);
	atomic_store(&t.away, 1000000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(clock_mono_ms() - start_ms < 60000);
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
	give_up_ms = clock_mono_ms() + 60000;
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

/* Not before its time; how much later is a matter of the machine. */
static void assert_given_up(double least_s)
{
	double after_s;

	assert_int_equal(sscanf(err.text, "given up after %lf s", &after_s), 1);
	assert_true(after_s >= least_s);
}

static void test_service_away_for_too_long(void **state)
{
	options.retry_ms = 80;
	atomic_store(&t.away, 1000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_given_up(0);
	assert_non_null(strstr(err.text, " s: the key service is away"));
	assert_int_equal(t.n_written, 0);
	assert_int_equal(t.committed, 0);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

/* A target that is away is waited for, and told once, whatever the run is at: writing, nothing to read, the end. */
static void run_through_an_outage(size_t at)
{
	t.sink_away_at = at;
	t.sink_away_ms = 100;
	whole_run();
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 1);
}

static void test_target_away_while_writing(void **state)
{
	options.threads = 3;
	t.lag = 1;
	run_through_an_outage(1000);
}

/* All is written and nothing more is read: outstanding records alone are waited for. */
static void test_target_away_at_the_end(void **state)
{
	t.n = 100;
	t.lag = 3;
	run_through_an_outage(100);
}

static int stop_when_resumed(void)
{
	return t.resumes > 0 && t.committed == t.n ? SIGTERM : 0;
}

static void test_target_away_while_nothing_comes(void **state)
{
	t.n = 100;
	t.lag = 2;
	t.idle_at_end = true;
	t.sink_away_at = 100;
	t.sink_away_ms = 100;
	options.stop = stop_when_resumed;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(t.waits, 1);
	all_written_in_order(100);
}

/* A write that says so by itself, while nothing is unacknowledged. */
static void test_target_that_is_shut(void **state)
{
	t.shut = true;
	run_through_an_outage(0);
}

/* What was acknowledged before is committed, the rest is the next run's. */
static void give_up(size_t at, const char *why)
{
	const uint64_t start_ms = clock_mono_ms();

	options.retry_ms = 1300;
	t.sink_away_at = at;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_true(clock_mono_ms() - start_ms < 60000);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_given_up(1.3);
	assert_non_null(strstr(err.text, why));
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 0);
	assert_int_equal(t.committed, t.tickets[t.acknowledged]);
	assert_false(t.finished);
	assert_int_equal(atomic_load(&t.batches_out), 0);
}

static void test_target_away_for_too_long(void **state)
{
	options.threads = 2;
	t.lag = 1;
	give_up(1000, " s: the target is away");
	assert_string_equal(err.place, "topic out");
	assert_true(t.n_written >= 1000 && t.committed > 0 && t.committed < 1000);
	all_written_in_order(t.n_written);
}

static void test_target_away_for_too_long_at_the_end(void **state)
{
	t.n = 100;
	t.lag = 3;
	give_up(100, " s: the target is away");
	all_written_in_order(100);
}

static void test_target_shut_for_too_long(void **state)
{
	t.shut = true;
	give_up(0, " s: the target is shut");
	assert_int_equal(t.n_written, 0);
}

/* A stop request drains for so long and no longer; the reason is told. */
static void test_stop_while_the_target_is_away(void **state)
{
	options.drain_ms = 300;
	t.sink_away_at = 1000;
	t.stop_while_waiting = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_string_equal(err.place, "topic out");
	assert_non_null(strstr(err.text, ": the target is away"));
	assert_int_equal(t.committed, t.tickets[t.acknowledged]);
}

/* The position cannot be saved: a wait like the others. */
static void test_commits_are_away_for_too_long(void **state)
{
	t.n = 100;
	t.commits_wait = true;
	options.retry_ms = 1300;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_given_up(1.3);
	assert_non_null(strstr(err.text, " s: the coordinator is away"));
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.committed, 0);
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

	t.commit_denied = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_DENIED);
	assert_true(clock_mono_ms() - start_ms < 60000);
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

/* What a source could not read is in the letter as it came; to a sink the letter is a record as any other. */
static void look_at_letter_of_unread(void *arg, const struct record *record, const struct seal_err *why)
{
	assert_null(t.records[40].broken);
	assert_string_equal(header(&t.records[40], "seal-error"), "syntax");
	t.failures++;
}

static void test_dead_letter_of_what_could_not_be_read(void **state)
{
	topic.on.on_error = ON_ERROR_DEAD_LETTER;
	topic.dead_letter_topic = "dead";
	options.failed = look_at_letter_of_unread;
	t.broken_at = 40;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_string_equal(t.written[40], "D:r40");
	assert_int_equal(t.failures, 1);
	assert_int_equal(counts.dead_letters, 1);
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
	assert_int_equal(counts.records_out, 40);
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
	assert_int_equal(counts.records_out, 40);
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
	options.drain_ms = 300;
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
	const uint64_t start_ms = clock_mono_ms();

	options.drain_ms = 300;
	t.never_acknowledges = true;
	t.stop_after = 100;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	assert_int_equal(t.committed, 0);
	assert_true(clock_mono_ms() - start_ms < 20000); /* not the usual 30 s */
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
		TEST(test_target_away_while_writing),
		TEST(test_target_away_at_the_end),
		TEST(test_target_away_while_nothing_comes),
		TEST(test_target_that_is_shut),
		TEST(test_target_away_for_too_long),
		TEST(test_target_away_for_too_long_at_the_end),
		TEST(test_target_shut_for_too_long),
		TEST(test_stop_while_the_target_is_away),
		TEST(test_commits_are_away_for_too_long),
		TEST(test_denied_stops),
		TEST(test_reject_stops_at_the_record),
		TEST(test_refused_commit_ends_at_once),
		TEST(test_keep_going_leaves_it_out),
		TEST(test_drop),
		TEST(test_dead_letter),
		TEST(test_dead_letter_of_what_could_not_be_read),
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
