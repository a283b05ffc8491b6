/* pump: whether the run still gets on, as a watchdog wants to know it. */
#include "pump_fake.h"

#define LOOKS 6 /* times that progress is told, a tenth of a second each */

static unsigned looks, alive;
static unsigned alive_when_stuck; /* since the first look at a run that does not move */
static bool stop_now;

static void on_alive(void *arg)
{
	alive++;
}

static int stop_when_told(void)
{
	return stop_now ? SIGTERM : 0;
}

static void start(void)
{
	looks = alive = alive_when_stuck = 0;
	stop_now = false;
	options.alive = on_alive;
	options.stop = stop_when_told;
}

/* The first look may still see what moved before. */
static void look_at_stuck(void *arg, const struct pump_counts *now)
{
	if (!atomic_load(&t.stuck))
		return;
	if (++looks == 2)
		alive = 0;
	if (looks < LOOKS)
		return;
	alive_when_stuck = alive;
	atomic_store(&t.stuck, false);
}

/* Others look around while one thread has a batch that does not come back. */
static void test_a_batch_that_does_not_come_back(void **state)
{
	start();
	options.threads = 2;
	options.max_batches = 1;
	options.progress = look_at_stuck;
	atomic_store(&t.stuck, true);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(looks, LOOKS);
	assert_int_equal(alive_when_stuck, 0);
	all_written_in_order(t.n);
}

static void stop_after_looks(void *arg, const struct pump_counts *now)
{
	stop_now = ++looks == LOOKS;
}

static void test_nothing_to_do_is_no_hang(void **state)
{
	start();
	t.n = 100;
	t.idle_at_end = true;
	options.end_when_idle = false;
	options.progress = stop_after_looks;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(counts.records_out, 100);
	assert_in_range(alive, LOOKS - 1, LOOKS + 2);
}

static void look_at_a_wait(void *arg, const struct pump_counts *now)
{
	if (t.waits > t.resumes && ++looks == LOOKS)
		atomic_store(&t.away, 0);
}

/* A key server that is away was named: that is no hang either. */
static void test_a_wait_that_was_told_is_no_hang(void **state)
{
	start();
	options.progress = look_at_a_wait;
	atomic_store(&t.away, 1000000);
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_true(looks >= LOOKS && alive >= LOOKS - 1);
	all_written_in_order(t.n);
}

static void look_at_a_full_sink(void *arg, const struct pump_counts *now)
{
	if (t.never_takes && ++looks == LOOKS)
		t.never_takes = false;
}

static void test_a_sink_that_is_full_is_no_hang(void **state)
{
	start();
	options.progress = look_at_a_full_sink;
	t.never_takes = true;
	assert_int_equal(pump_run(&options, &counts, &err), SEAL_OK);
	assert_int_equal(looks, LOOKS);
	assert_true(alive >= LOOKS - 1);
	all_written_in_order(t.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_batch_that_does_not_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_do_is_no_hang, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_wait_that_was_told_is_no_hang, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_sink_that_is_full_is_no_hang, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
