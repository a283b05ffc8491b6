/*
 * Values of `deterministic`, made once by a second implementation (tests/interop/sealed.py, tests/vault/ciphers.py) with fixed keys, of
 * two versions: read for ever, and made again byte for byte for ever.
 */
#include "golden_values.h"

#define FOLDER "values-3"

/* Each line of TOPIC.plain gives the line of TOPIC.protected, and back; returns how many there are. */
static size_t compare(struct world *w, const char *name)
{
	const struct policy_topic *topic = policy_topic_find(w->policy, bytes_str(name));
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, before, after;
	size_t n = 0;

	read_golden(FOLDER, name, "plain", &plain);
	read_golden(FOLDER, name, "protected", &protected);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	for (; next_line(&plains, &before); n++) {
		assert_true(next_line(&protecteds, &after));
		expect(w, topic, ENGINE_PROTECT, before, BYTES_EMPTY, after);
		expect(w, topic, ENGINE_REVEAL, after, BYTES_EMPTY, before);
	}
	assert_int_equal(protecteds.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	return n;
}

static void golden_values(void **state)
{
	assert_int_equal(compare(*state, "values"), 27);
	assert_int_equal(compare(*state, "payloads"), 3);
}

static int setup(void **state)
{
	static struct world w;

	*state = &w;
	return golden_setup(&w, FOLDER);
}

static int teardown(void **state)
{
	return golden_teardown(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(golden_values)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
