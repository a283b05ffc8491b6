/*
 * Envelopes, made once by a second implementation (tests/interop/envelope.py) with fixed keys, and read for ever:
 * values-2/TOPIC.protected must reveal to TOPIC.plain, line by line, with the headers of TOPIC.headers. Those of people were made
 * by sealstream, whose store had the rows of people.rows then.
 */
#include "golden_rows.h"

#define FOLDER "values-2"

static size_t reveal_all(struct world *w, const char *name, bool headers)
{
	const struct policy_topic *topic = policy_topic_find(w->policy, bytes_str(name));
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20), header = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, all_headers, line, want = BYTES_EMPTY, its = BYTES_EMPTY;
	size_t n = 0;

	read_golden(FOLDER, name, "plain", &plain);
	read_golden(FOLDER, name, "protected", &protected);
	if (headers)
		read_golden(FOLDER, name, "headers", &header);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	all_headers = buf_bytes(&header);
	for (; next_line(&protecteds, &line); n++) {
		assert_true(next_line(&plains, &want));
		assert_true(!headers || next_line(&all_headers, &its));
		expect(w, topic, ENGINE_REVEAL, line, its, want);
	}
	assert_int_equal(plains.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	buf_clear(&header);
	return n;
}

static int setup(void **state)
{
	static struct world w;

	golden_store(FOLDER, "people");
	*state = &w;
	return golden_setup(&w, FOLDER);
}

static int teardown(void **state)
{
	int rc = golden_teardown(*state);

	fake_store_free(kit_store);
	return rc;
}

static void golden_envelopes_are_revealed(void **state)
{
	assert_int_equal(reveal_all(*state, "values", false), 14);
	assert_int_equal(reveal_all(*state, "carried", true), 3);
	assert_int_equal(reveal_all(*state, "payloads", false), 6);
	assert_int_equal(reveal_all(*state, "people", false), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_envelopes_are_revealed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
