/*
 * Tokens, made once with fixed keys, and read for ever with the rows that the store had then: tokens.rows, made by a rekey and, under
 * the second version of the key, after it. Convergent values get the tokens that they had.
 */
#include "golden_rows.h"

#define FOLDER "values-4"

static size_t reveal_all(struct world *w, const char *name)
{
	const struct policy_topic *topic = policy_topic_find(w->policy, bytes_str(name));
	struct seal_buf plain = BUF_INIT(1 << 20), protected = BUF_INIT(1 << 20);
	struct seal_bytes plains, protecteds, line, want = BYTES_EMPTY;
	size_t n = 0;

	read_golden(FOLDER, name, "plain", &plain);
	read_golden(FOLDER, name, "protected", &protected);
	plains = buf_bytes(&plain);
	protecteds = buf_bytes(&protected);
	for (; next_line(&protecteds, &line); n++) {
		assert_true(next_line(&plains, &want));
		expect(w, topic, ENGINE_REVEAL, line, BYTES_EMPTY, want);
	}
	assert_int_equal(plains.len, 0);
	buf_clear(&plain);
	buf_clear(&protected);
	return n;
}

static void golden_tokens_are_revealed(void **state)
{
	assert_int_equal(reveal_all(*state, "tokens"), 3);
	assert_int_equal(reveal_all(*state, "payloads"), 2);
}

static void convergent_values_keep_their_tokens(void **state)
{
	struct world *w = *state;

	expect(w, policy_topic_find(w->policy, BYTES_LIT("tokens")), ENGINE_PROTECT,
	       BYTES_LIT("{\"none\":\"equal\",\"card\":\"5500000000000004\",\"word\":\"ßßßßßßßßßß\"}"), BYTES_EMPTY,
	       BYTES_LIT("{\"none\":\"seal:t1:utV8jxzMOZXiuG5knbCvcQ\",\"card\":\"5500001952400004\",\"word\":"
			 "\"äößüüüßößß\"}"));
}

static int setup(void **state)
{
	static struct world w;

	golden_store(FOLDER, "tokens");
	*state = &w;
	return golden_setup(&w, FOLDER);
}

static int teardown(void **state)
{
	int rc = golden_teardown(*state);

	fake_store_free(kit_store);
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_tokens_are_revealed),
		cmocka_unit_test(convergent_values_keep_their_tokens),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
