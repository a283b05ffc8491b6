/*
 * Values of every method, made once by a second implementation (tests/interop/sealed.py) with fixed keys, and read for
 * ever. values-N/TOPIC.protected must reveal to TOPIC.plain, line by line; what has no nonce must be made again as it is.
 */
#include "golden_values.h"

#define FOLDER "values-1"

/* Each line of one file gives the line of the other; returns how many there are. */
static size_t compare(struct world *w, const char *name, enum engine_direction direction, bool without_nonce)
{
	const struct policy_topic *topic = policy_topic_find(w->policy, bytes_str(name));
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, plain_line, line;
	size_t n = 0;

	read_golden(FOLDER, name, "plain", &plain);
	read_golden(FOLDER, name, "protected", &protected);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	while (next_line(&protecteds, &line)) {
		assert_true(next_line(&plains, &plain_line));
		if (without_nonce && memmem(line.ptr, line.len, "vault:", 6) != NULL)
			continue;
		if (direction == ENGINE_REVEAL)
			expect(w, topic, direction, line, BYTES_EMPTY, plain_line);
		else
			expect(w, topic, direction, plain_line, BYTES_EMPTY, line);
		n++;
	}
	assert_int_equal(plains.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	return n;
}

static void golden_values_are_revealed(void **state)
{
	assert_int_equal(compare(*state, "values", ENGINE_REVEAL, false), 25);
	assert_int_equal(compare(*state, "payloads", ENGINE_REVEAL, false), 3);
}

static void values_without_nonces_are_made_again(void **state)
{
	assert_int_equal(compare(*state, "values", ENGINE_PROTECT, true), 9);
	assert_int_equal(compare(*state, "one-way", ENGINE_PROTECT, false), 3);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_values_are_revealed),
		cmocka_unit_test(values_without_nonces_are_made_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
