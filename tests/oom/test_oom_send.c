/* send: whichever allocation fails, the run ends with the error, and the next one sends what is left. */
#include "send_fixture.h"

#include "oom.h"

static enum seal_status send_all(void *arg, struct seal_err *err)
{
	struct send_fixture *f = arg;
	enum seal_status rc;

	/* Each time all files have changed. */
	make_file(f, "a", 3000, (unsigned)f->n_kept);
	make_file(f, "b", 10, (unsigned)f->n_kept + 1);
	rc = send_run(f);
	*err = f->err;
	return rc;
}

static void test_send(void **state)
{
	struct send_fixture *f = send_fixture_new();

	assert_true(oom_each(send_all, f) > 20);
	send_reset(f);
	make_file(f, "a", 3000, KEPT_MAX);
	assert_int_equal(send_run(f), SEAL_OK);
	assert_int_equal(f->counts.failed, 0);
	assert_int_equal(arrived(f, "a", 3000, KEPT_MAX), 1);
	send_fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_send)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
