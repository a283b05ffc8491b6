/* Lines that are said and left out, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/log_limit.h"

#define START 1000000

static unsigned take(struct log_limit *limit, unsigned n, uint64_t now_ms)
{
	unsigned said = 0;

	while (n-- > 0)
		said += log_limit_take(limit, now_ms);
	return said;
}

static void a_hundred_at_once_then_ten_a_second(void **state)
{
	struct log_limit limit = {0};

	assert_int_equal(take(&limit, 250, START), 100);
	assert_int_equal(take(&limit, 50, START + 99), 0);
	assert_int_equal(take(&limit, 50, START + 100), 1);
	assert_int_equal(take(&limit, 50, START + 1100), 10);
	assert_int_equal(take(&limit, 500, START + 3600000), 100);
}

static void lines_now_and_then_are_all_said(void **state)
{
	struct log_limit limit = {0};

	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(take(&limit, 1, START + i * 100), 1);
	assert_int_equal(log_limit_left_out(&limit, START + 1000000, true), 0);
}

static void what_was_left_out_is_told_now_and_then(void **state)
{
	struct log_limit limit = {0};

	take(&limit, 107, START);
	assert_int_equal(log_limit_left_out(&limit, START + LOG_LIMIT_TELL_MS - 1, false), 0);
	assert_int_equal(log_limit_left_out(&limit, START + LOG_LIMIT_TELL_MS, false), 7);
	assert_int_equal(log_limit_left_out(&limit, START + 2 * LOG_LIMIT_TELL_MS, false), 0);
	assert_int_equal(take(&limit, 101, START + 2 * LOG_LIMIT_TELL_MS), 100);
	assert_int_equal(log_limit_left_out(&limit, START + 2 * LOG_LIMIT_TELL_MS + 1, true), 1);
	assert_int_equal(log_limit_left_out(&limit, START + 2 * LOG_LIMIT_TELL_MS + 1, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_at_once_then_ten_a_second),
		cmocka_unit_test(lines_now_and_then_are_all_said),
		cmocka_unit_test(what_was_left_out_is_told_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
