/*
 * policy_reload: another policy takes the place of the one in use as a whole, or not at all, whatever comes in between. What it
 * calls is made of fakes: a load that waits until it is told how it went.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sched.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cmd/audit_use.h"
#include "cmd/policy_reload.h"
#include "cmd/service.h"

static struct {
	bool asked; /* a SIGHUP came */
	atomic_int go; /* the load may end: 0 not yet, 1 well, 2 badly */
	atomic_uint loads;
	atomic_uint open; /* policies that live */
	atomic_bool hold; /* the audit trail is away: nothing can be closed */
	atomic_uint refused; /* lines of the audit trail */
	unsigned reloading, ready, good, bad; /* what was told */
} t;

/* Not looked into. */
struct plan {
	int number;
};

bool stop_reload_asked(void)
{
	bool asked = t.asked;

	t.asked = false;
	return asked;
}

enum seal_status policy_use_open_any(const char *file, const char *const *topics, enum engine_direction direction,
				     const struct global_options *global, struct policy_use *out,
				     struct seal_err *err)
{
	int go;

	*out = (struct policy_use)POLICY_USE_INIT;
	atomic_fetch_add(&t.loads, 1);
	while ((go = atomic_exchange(&t.go, 0)) == 0)
		sched_yield();
	if (go == 2)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "a mistake");
	out->plan = mem_calloc(1, sizeof(struct plan));
	t.open++;
	return SEAL_OK;
}

void policy_use_close(struct policy_use *use)
{
	while (atomic_load(&t.hold))
		sched_yield();
	if (use->plan != NULL)
		t.open--;
	mem_free(use->plan);
	*use = (struct policy_use)POLICY_USE_INIT;
}

void audit_reload_failed(const struct global_options *global, const char *file, const struct seal_err *why)
{
	assert_string_equal(file, "policy.yaml");
	assert_true(why->code == SEAL_E_CONFIG || why->code == SEAL_E_KEY_TYPE);
	atomic_fetch_add(&t.refused, 1);
}

void service_ready(void)
{
	t.ready++;
}

void service_reloading(void)
{
	t.reloading++;
}

void monitor_plan(struct monitor *monitor, const struct plan *plan)
{
	assert_non_null(plan);
}

void monitor_reloaded(struct monitor *monitor, bool good)
{
	t.good += good;
	t.bad += !good;
}

static struct policy_use now;
static struct policy_reload reload;
static const struct plan *plan;
static const struct policy_topic *topic;

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	now = (struct policy_use){.plan = mem_calloc(1, sizeof(struct plan))};
	t.open = 1;
	reload = (struct policy_reload){.file = "policy.yaml", .now = &now};
	return 0;
}

/* All that lives at the end is the one in use. */
static int teardown(void **state)
{
	policy_reload_end(&reload);
	assert_int_equal(t.open, 1);
	policy_use_close(&now);
	return 0;
}

static bool poll_once(void)
{
	return policy_reload_poll(&reload, &plan, &topic);
}

static void wait_until_closed(void)
{
	while (reload.state == RELOAD_CLOSING) {
		assert_false(poll_once());
		sched_yield();
	}
}

static void wait_until_it_loads(unsigned loads)
{
	while (atomic_load(&t.loads) < loads)
		sched_yield();
}

/* Until the load has had its effect: an offer, or none and all is as before. */
static bool poll_to_the_end(void)
{
	bool offered = false;

	while (!offered && reload.state == RELOAD_LOADING) {
		offered = poll_once();
		sched_yield();
	}
	return offered;
}

static void test_nobody_asks(void **state)
{
	assert_false(poll_once());
	assert_int_equal(t.reloading + t.ready, 0);
}

static void test_takes_its_place(void **state)
{
	const struct plan *before = now.plan;

	t.asked = true;
	assert_false(poll_once());
	wait_until_it_loads(1);
	assert_false(poll_once()); /* it goes on meanwhile */
	assert_ptr_equal(now.plan, before);
	atomic_store(&t.go, 1);
	assert_true(poll_to_the_end());
	assert_ptr_equal(now.plan, before); /* still in use */
	assert_int_equal(t.open, 2);
	atomic_store(&t.hold, true);
	policy_reload_done(&reload, NULL); /* the old one is closed aside */
	assert_int_equal(t.open, 2);
	assert_false(poll_once());
	assert_int_equal(reload.state, RELOAD_CLOSING);
	atomic_store(&t.hold, false);
	wait_until_closed();
	assert_ptr_equal(now.plan, plan);
	assert_int_equal(t.open, 1);
	assert_int_equal(t.reloading, 1);
	assert_int_equal(t.ready, 1);
	assert_int_equal(t.good, 1);
}

static void test_cannot_be_loaded(void **state)
{
	const struct plan *before = now.plan;

	t.asked = true;
	assert_false(poll_once());
	atomic_store(&t.go, 2);
	assert_false(poll_to_the_end());
	assert_ptr_equal(now.plan, before);
	assert_int_equal(t.ready, 1);
	assert_int_equal(t.bad, 1);
	assert_int_equal(t.refused, 1);
}

/* Loaded, but no engine could be made of it. */
static void test_is_refused_by_the_pump(void **state)
{
	const struct plan *before = now.plan;
	struct seal_err why = SEAL_ERR_INIT;

	err_set(&why, SEAL_USAGE, SEAL_E_KEY_TYPE, "this key cannot");
	t.asked = true;
	poll_once();
	atomic_store(&t.go, 1);
	assert_true(poll_to_the_end());
	policy_reload_done(&reload, &why);
	wait_until_closed();
	assert_int_equal(t.refused, 1);
	assert_ptr_equal(now.plan, before);
	assert_int_equal(t.open, 1);
	assert_int_equal(t.bad, 1);
	assert_string_equal(why.text, "this key cannot"); /* the pump's own */
}

/* Asked again while one is under way: another one follows, for the file may have changed since. */
static void test_asked_twice(void **state)
{
	t.asked = true;
	poll_once();
	wait_until_it_loads(1);
	t.asked = true;
	poll_once();
	atomic_store(&t.go, 1);
	assert_true(poll_to_the_end());
	policy_reload_done(&reload, NULL);
	assert_int_equal(atomic_load(&t.loads), 1);
	wait_until_closed();
	poll_once();
	wait_until_it_loads(2);
	atomic_store(&t.go, 1);
	assert_true(poll_to_the_end());
	policy_reload_done(&reload, NULL);
	assert_int_equal(t.good, 2);
}

/* The run ends while one loads, or before the pump took it. */
static void test_the_run_ends_meanwhile(void **state)
{
	t.asked = true;
	poll_once();
	wait_until_it_loads(1);
	atomic_store(&t.go, 1);
	policy_reload_end(&reload);
	assert_int_equal(t.open, 1);
	t.asked = true;
	poll_once();
	atomic_store(&t.go, 1);
	assert_true(poll_to_the_end());
	assert_int_equal(t.open, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takes_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_be_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_refused_by_the_pump, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_run_ends_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
