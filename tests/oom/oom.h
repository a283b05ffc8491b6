/*
 * Fails the n-th allocation of a piece of work, for every n, and checks that it ends well each time: an error of
 * code SEAL_E_MEMORY, and (under ASan) nothing leaked or used after free.
 *
 *	static enum seal_status work(void *arg, struct seal_err *err);   must clean up after itself, also on failure
 *	...
 *	assert_true(oom_each(work, arg) > 0);
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/mem.h"

typedef enum seal_status (*oom_work)(void *arg, struct seal_err *err);

struct oom_plan {
	atomic_size_t calls; /* so far */
	size_t fail_at; /* 1 is the first; 0: none */
	bool stay; /* all later ones fail too */
};

static bool oom_allow(void *arg, size_t size)
{
	struct oom_plan *plan = arg;
	size_t call = atomic_fetch_add(&plan->calls, 1) + 1;

	(void)size;
	return plan->fail_at == 0 || call < plan->fail_at || (call > plan->fail_at && !plan->stay);
}

static inline enum seal_status oom_run(struct oom_plan *plan, oom_work work, void *arg, struct seal_err *err)
{
	enum seal_status rc;

	mem_set_hook(oom_allow, plan);
	rc = work(arg, err);
	mem_set_hook(NULL, NULL);
	return rc;
}

/* Returns how many allocations the work makes when none fails. It must succeed then. */
static inline size_t oom_each(oom_work work, void *arg)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct oom_plan all = {.fail_at = 0};

	assert_int_equal(oom_run(&all, work, arg, &err), SEAL_OK);
	for (int stay = 0; stay <= 1; stay++) {
		for (size_t n = 1; n <= atomic_load(&all.calls); n++) {
			struct oom_plan plan = {.fail_at = n, .stay = stay};

			err_clear(&err);
			/* Work that needed fewer allocations this time (a cache was warm) may have succeeded. */
			if (oom_run(&plan, work, arg, &err) == SEAL_OK) {
				assert_true(atomic_load(&plan.calls) < n);
				continue;
			}
			assert_int_equal(err.code, SEAL_E_MEMORY);
			assert_int_equal(err.status, SEAL_FATAL);
			assert_null(strchr(err.text, '\n'));
		}
	}
	return atomic_load(&all.calls);
}

#endif
