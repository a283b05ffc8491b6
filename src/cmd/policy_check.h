/* One test of a policy, run through the engine. */
#ifndef CMD_POLICY_CHECK_H
#define CMD_POLICY_CHECK_H

#include "engine/engine.h"
#include "policy/tests.h"

struct check_failure {
	struct check_failure *next;
	struct policy_mark mark; /* of the expectation */
	const char *text; /* one line; shows at most the test's own data */
};

struct check_result {
	struct check_failure *failures, **tail;
	size_t n_failures;
};

/* Failed expectations are in `result`, in the arena. An error is of the run and not of the test. */
SEAL_MUST_USE enum seal_status check_test(struct engine *engine, const struct policy_test *test, struct arena *arena,
					  struct check_result *result, struct seal_err *err);

#endif
