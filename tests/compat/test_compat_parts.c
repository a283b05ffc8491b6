/*
 * Record keys and headers, made once by a second implementation (tests/interop/sealed.py) with fixed keys, and read for
 * ever. parts-1/NAME.protected must reveal to NAME.plain, line by line; what has no nonce must be made again as it is.
 */
#include "golden_values.h"

#define FOLDER "parts-1"

/* Each line of one file gives the line of the other; returns how many there are. */
static size_t compare(struct world *w, const struct policy_topic *part, const char *name,
		      enum engine_direction direction)
{
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, plain_line, line;
	size_t n = 0;

	assert_non_null(part);
	read_golden(FOLDER, name, "plain", &plain);
	read_golden(FOLDER, name, "protected", &protected);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	while (next_line(&protecteds, &line)) {
		assert_true(next_line(&plains, &plain_line));
		if (direction == ENGINE_REVEAL)
			expect(w, part, direction, line, BYTES_EMPTY, plain_line);
		else
			expect(w, part, direction, plain_line, BYTES_EMPTY, line);
		n++;
	}
	assert_int_equal(plains.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	return n;
}

static void keys(void **state)
{
	struct world *w = *state;
	const struct policy_topic *text = policy_topic_find(w->policy, BYTES_LIT("text"))->key;
	const struct policy_topic *json = policy_topic_find(w->policy, BYTES_LIT("json"))->key;

	assert_int_equal(compare(w, text, "key-text", ENGINE_REVEAL), 3);
	assert_int_equal(compare(w, text, "key-text", ENGINE_PROTECT), 3);
	assert_int_equal(compare(w, json, "key-json", ENGINE_REVEAL), 3);
	assert_int_equal(compare(w, json, "key-json", ENGINE_PROTECT), 3);
}

static void headers(void **state)
{
	struct world *w = *state;
	const struct policy_topic *const *of = policy_topic_find(w->policy, BYTES_LIT("text"))->headers;

	assert_int_equal(compare(w, of[0], "header-agent", ENGINE_REVEAL), 3);
	assert_int_equal(compare(w, of[1], "header-kunde", ENGINE_REVEAL), 2);
	assert_int_equal(compare(w, of[2], "header-id", ENGINE_REVEAL), 2);
	assert_int_equal(compare(w, of[2], "header-id", ENGINE_PROTECT), 2);
	assert_int_equal(compare(w, of[3], "header-mail", ENGINE_PROTECT), 2);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(keys), cmocka_unit_test(headers)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
