/* Every allocation of detectors fails once: made, or none at all; one that gives up a value for want of memory takes it for none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "detect/detect.h"
#include "oom.h"

static enum seal_status make(void *arg, struct seal_err *err)
{
	struct detect *detect;
	enum seal_status rc = detect_new(&detect, err);

	if (rc != SEAL_OK)
		assert_null(detect);
	detect_free(detect);
	return rc;
}

static void makes_detectors(void **state)
{
	assert_true(oom_each(make, NULL) > 3);
}

static bool none(void *arg, size_t size)
{
	return false;
}

/* The only tests that allocate are PCRE2's. */
static void looks_without_memory(void **state)
{
	struct detect *detect;
	uint64_t bits, without;

	assert_int_equal(detect_new(&detect, NULL), SEAL_OK);
	bits = detect_text(detect, BYTES_LIT("seal:e1:AAAA"));
	mem_set_hook(none, NULL);
	without = detect_text(detect, BYTES_LIT("seal:e1:AAAA"));
	assert_int_not_equal(detect_text(detect, BYTES_LIT("ann@example.com")), 0);
	assert_int_not_equal(detect_name(detect, BYTES_LIT("email")), 0);
	mem_set_hook(NULL, NULL);
	assert_int_not_equal(bits, 0);
	assert_int_equal(without & bits, 0);
	detect_free(detect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_detectors),
		cmocka_unit_test(looks_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
