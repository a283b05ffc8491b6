/* tokens: what rows say and how long they are; what is none is refused. */
#include "tokens_fixture.h"

static struct token_record record_of(struct seal_bytes value)
{
	return (struct token_record){
		.item = {.token = BYTES_LIT("0123456789abcdef"), .kind = TOKEN_STRING, .value = value}};
}

/* The plaintext of a row that was not sealed yet. */
static struct seal_bytes plain_of(struct seal_bytes row)
{
	return bytes_of(row.ptr + TOKEN_ROW_HEAD, row.len - TOKEN_ROW_AROUND);
}

/* Steps of 64 bytes, and of 32; each value comes back. */
static void lengths(void **state)
{
	static const uint8_t zeros[1000];
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t n = 0; n < 900; n++) {
		struct token_record record = record_of(bytes_of(zeros, n)), back;
		struct token_finger finger = {bytes_of(zeros, n % TOKEN_SHAPED_MAX), 5}, finger_back;
		struct seal_bytes plain = plain_of(token_row_write(&arena, &record));

		assert_int_equal(plain.len % 64, 0);
		assert_true(token_row_parse(plain, &back));
		assert_int_equal(back.item.value.len, n);
		plain = plain_of(token_finger_write(&arena, &finger));
		assert_int_equal(plain.len % 32, 0);
		assert_true(token_finger_parse(plain, &finger_back));
		assert_int_equal(finger_back.token.len, n % TOKEN_SHAPED_MAX);
		assert_int_equal(finger_back.expires_ms, 5);
	}
	arena_clear(&arena);
}

static void refused(void **state)
{
	static const struct {
		size_t at; /* from the end where it is 0 */
		uint8_t value;
	} wrong[] = {{1, 4}, {2, 0}, {2, TOKEN_BYTES + 1}, {0, 1}};
	struct token_record record = record_of(BYTES_LIT("v")), back;
	struct arena arena;

	arena_init(&arena, 1 << 16);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct seal_bytes plain = plain_of(token_row_write(&arena, &record));
		const size_t at = wrong[i].at == 0 ? plain.len - 1 : wrong[i].at - 1;

		assert_true(token_row_parse(plain, &back));
		((uint8_t *)plain.ptr)[at] = wrong[i].value;
		assert_false(token_row_parse(plain, &back));
		for (size_t n = 0; n < 40; n++) /* cut off */
			assert_false(token_row_parse(bytes_of(plain.ptr, n), &back));
	}
	arena_clear(&arena);
}

static void states(void **state)
{
	static const struct {
		struct token_state state;
		bool good;
	} all[] = {{{1, 0}, true}, {{2, 1}, true}, {{0, 0}, false}, {{2, 2}, false}, {{2, 3}, false}};
	uint8_t bytes[TOKEN_STATE_LEN];
	struct token_state back;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		token_state_write(&all[i].state, bytes);
		assert_true(token_state_parse(bytes_of(bytes, sizeof(bytes)), &back) == all[i].good);
		assert_false(token_state_parse(bytes_of(bytes, sizeof(bytes) - 1), &back));
		bytes[0]++;
		assert_false(token_state_parse(bytes_of(bytes, sizeof(bytes)), &back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(refused),
		cmocka_unit_test(states),
	};

	return cmocka_run_group_tests_name("tokens_row", tests, NULL, NULL);
}
