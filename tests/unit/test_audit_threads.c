/* audit: lines of many threads are one whole chain, while meters come, go and are read. */
#include "audit_fake.h"

#include <pthread.h>

#include "base/file.h"

#define THREADS 4
#define LINES 40

struct writer {
	pthread_t thread;
	struct audit *audit;
};

/* Lines of its own, and now and then a meter for a while. */
static void *write_lines(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < LINES; i++) {
		struct counter counter = {.meter.read = read_counter};
		struct seal_err err = SEAL_ERR_INIT;

		if (i % 8 == 0)
			audit_meter_add(w->audit, &counter.meter);
		if (audit_append(w->audit, "key", BYTES_EMPTY, &err) != SEAL_OK)
			abort();
		atomic_store(&counter.count, 1);
		if (i % 8 == 0 && audit_meter_remove(w->audit, &counter.meter, &err) != SEAL_OK)
			abort();
		(void)audit_end(w->audit);
	}
	return NULL;
}

static void run_writers(struct audit *const *audits, size_t n)
{
	struct writer writers[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		writers[i].audit = audits[i % n];
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_lines, &writers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
}

static void test_threads_of_one_run(void **state)
{
	struct audit *audit = start(1);

	(void)state;
	run_writers(&audit, 1);
	assert_int_equal(audit_failure(audit, NULL), SEAL_OK);
	assert_int_equal(check_text(), THREADS * LINES + THREADS * (LINES / 8));
	end(audit);
}

/* As two programs would: locks are of open files, not of processes. */
static void test_two_runs_of_one_file(void **state)
{
	struct dir *d = *state;
	struct audit *audits[2] = {open_file(d->file), open_file(d->file)};
	struct seal_err err = SEAL_ERR_INIT;

	run_writers(audits, 2);
	audit_free(audits[0]);
	audit_free(audits[1]);
	fake.text = (struct seal_buf)BUF_INIT(1 << 20);
	assert_int_equal(file_read(d->file, &fake.text, &err), SEAL_OK);
	assert_int_equal(check_text(), THREADS * LINES + THREADS * (LINES / 8));
	buf_clear(&fake.text);
}

/* The thread that reads meters meets the failure, and others meet it, too. */
static void test_a_failure_meets_all(void **state)
{
	struct audit *audit = start(1);
	struct counter a = {.meter.read = read_counter};
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	atomic_store(&fake.fail_at, 1);
	atomic_store(&a.count, 1);
	audit_meter_add(audit, &a.meter);
	while (audit_failure(audit, NULL) == SEAL_OK)
		(void)nanosleep(&(struct timespec){0, 1000000}, NULL);
	assert_int_equal(audit_append(audit, "stop", BYTES_EMPTY, &err), SEAL_FATAL);
	assert_int_equal(audit_meter_remove(audit, &a.meter, &err), SEAL_FATAL);
	assert_int_equal(atomic_load(&fake.failed), 1);
	end(audit);
}

/* A use that could not even be made a line, for want of memory. */
static enum seal_status read_nothing(struct audit_meter *meter, struct audit *audit, struct seal_err *err)
{
	struct counter *c = (struct counter *)meter;

	return atomic_load(&c->count) != c->told ? err_memory(err) : SEAL_OK;
}

static void test_a_line_that_is_lost_before_it_is_written(void **state)
{
	struct audit *audit = start(1);
	struct counter a = {.meter.read = read_nothing};
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	audit_meter_add(audit, &a.meter);
	assert_int_equal(audit_append(audit, "key", BYTES_EMPTY, &err), SEAL_OK);
	atomic_store(&a.count, 1);
	wait_until(&fake.failed, 1);
	assert_int_equal(audit_append(audit, "stop", BYTES_EMPTY, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_MEMORY);
	assert_int_equal(audit_meter_remove(audit, &a.meter, NULL), SEAL_FATAL);
	assert_int_equal(atomic_load(&fake.failed), 1);
	assert_int_equal(atomic_load(&fake.appends), 1);
	end(audit);
}

/* The last time that it is read, too. */
static void test_the_last_line_is_lost(void **state)
{
	struct audit *audit = start(60000);
	struct counter a = {.meter.read = read_nothing, .count = 1};
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	audit_meter_add(audit, &a.meter);
	assert_int_equal(audit_meter_remove(audit, &a.meter, &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_MEMORY);
	assert_int_equal(audit_failure(audit, NULL), SEAL_FATAL);
	assert_int_equal(atomic_load(&fake.failed), 1);
	end(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_of_one_run),
		cmocka_unit_test_setup_teardown(test_two_runs_of_one_file, setup, teardown),
		cmocka_unit_test(test_a_failure_meets_all),
		cmocka_unit_test(test_a_line_that_is_lost_before_it_is_written),
		cmocka_unit_test(test_the_last_line_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
