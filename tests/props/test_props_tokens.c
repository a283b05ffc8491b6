/*
 * tokens: the laws. Values of all lengths come back, whatever the order of lots; no bit of any row can be changed, no row cut,
 * lengthened, moved to another's place or put back in time, so that a token reveals something else than its value.
 */
#include "../unit/tokens_fixture.h"
#include "prop.h"

/* Each row but the state's, one after the other. */
static bool row_at(struct tokens_fixture *f, size_t i, struct seal_bytes *key, struct seal_bytes *row)
{
	*row = fake_store_row(f->store, TOKENS_SPACE, i, key);
	return key->len != sizeof(f->tokens->state_key);
}

/* What comes of it is the value, or an error of the item's. */
static void value_or_error(struct tokens_fixture *f, const struct token_item *token, const char *value,
			   unsigned *errors)
{
	struct token_item item = token_item(token);

	assert_int_equal(reveal_with(f, f->tokens, &item, 1), SEAL_OK);
	if (item.err == NULL)
		assert_true(bytes_eq_str(item.value, value));
	else
		(*errors)++;
}

static void same_token_or_error(struct tokens_fixture *f, const struct token_item *token, const char *value,
				unsigned *errors)
{
	struct token_item item = value_item(value);

	assert_int_equal(protect_with(f, f->tokens, &convergent_terms, &item, 1), SEAL_OK);
	if (item.err == NULL)
		assert_true(bytes_eq(item.token, token->token));
	else
		(*errors)++;
}

static void flipped(void **state)
{
	struct tokens_fixture f;
	struct token_item token;
	unsigned errors = 0, bits = 0;

	tokens_open(&f, (struct data_keys_options){0});
	token = protect_one(&f, f.tokens, &convergent_terms, value_item("4111"));
	for (size_t i = 0; i < 3; i++) {
		struct seal_bytes key, row;

		if (!row_at(&f, i, &key, &row))
			continue;
		for (size_t bit = 0; bit < row.len * 8; bit++, bits++) {
			((uint8_t *)row.ptr)[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (key.ptr[TOKEN_GENERATION_LEN] == TOKEN_ROW_TOKEN)
				value_or_error(&f, &token, "4111", &errors);
			else
				same_token_or_error(&f, &token, "4111", &errors);
			((uint8_t *)row.ptr)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		arena_reset(&f.arena);
		token = protect_one(&f, f.tokens, &convergent_terms, value_item("4111"));
	}
	assert_int_equal(errors, bits); /* each of them */
	assert_true(bits > 1400);
	assert_int_equal(fake_store_count(f.store, TOKENS_SPACE), 3);
	tokens_close(&f);
}

static void cut_and_lengthened(void **state)
{
	struct tokens_fixture f;
	struct token_item token;
	unsigned errors = 0, lengths = 0;

	tokens_open(&f, (struct data_keys_options){0});
	token = protect_one(&f, f.tokens, &text_terms, value_item("4111"));
	for (size_t i = 0; i < 2; i++) {
		struct seal_bytes key, row;
		uint8_t name[64], longer[512];
		size_t len;

		if (!row_at(&f, i, &key, &row))
			continue;
		len = row.len;
		memcpy(name, key.ptr, key.len);
		key.ptr = name;
		memset(longer, 0, sizeof(longer));
		memcpy(longer, row.ptr, len);
		for (size_t other = 0; other < len + 40; other++) {
			if (other == len)
				continue;
			fake_store_remove(f.store, TOKENS_SPACE, key);
			fake_store_put(f.store, TOKENS_SPACE, key, bytes_of(longer, other));
			value_or_error(&f, &token, "4111", &errors);
			lengths++;
		}
	}
	assert_int_equal(errors, lengths);
	assert_true(lengths > 100);
	tokens_close(&f);
}

/* Every row in every other's place. */
static void moved(void **state)
{
	enum { VALUES = 4, ROWS = 2 * VALUES };
	static const char *const values[VALUES] = {"1111", "2222", "3333", "4444"};
	struct seal_bytes keys[ROWS], rows[ROWS];
	struct token_item tokens[VALUES];
	struct tokens_fixture f;
	unsigned errors = 0;
	size_t n = 0;

	tokens_open(&f, (struct data_keys_options){0});
	for (int i = 0; i < VALUES; i++)
		tokens[i] = protect_one(&f, f.tokens, &convergent_terms, value_item(values[i]));
	for (size_t i = 0; i < ROWS + 1; i++)
		if (row_at(&f, i, &keys[n], &rows[n])) {
			keys[n] = arena_copy(&f.arena, keys[n]);
			rows[n] = arena_copy(&f.arena, rows[n]);
			n++;
		}
	assert_int_equal(n, ROWS);
	for (size_t to = 0; to < n; to++)
		for (size_t from = 0; from < n; from++) {
			unsigned before = errors;

			fake_store_remove(f.store, TOKENS_SPACE, keys[to]);
			fake_store_put(f.store, TOKENS_SPACE, keys[to], rows[from]);
			for (int i = 0; i < VALUES; i++) {
				value_or_error(&f, &tokens[i], values[i], &errors);
				same_token_or_error(&f, &tokens[i], values[i], &errors);
			}
			assert_int_equal(errors - before, to == from ? 0 : 1);
			fake_store_remove(f.store, TOKENS_SPACE, keys[to]);
			fake_store_put(f.store, TOKENS_SPACE, keys[to], rows[to]);
		}
	tokens_close(&f);
}

/* Random lots of random values: each comes back, equal ones are equal, others are not. */
static void any_values(void **state)
{
	enum { LOTS = 60, LOT = 30, ALL = LOTS * LOT };
	static struct token_item all[ALL];
	static const size_t lengths[] = {0, 1, 15, 16, 63, 64, 65, 500, 1000, 4000, 61440};
	static uint8_t bytes[TOKEN_VALUE_MAX + 256];
	struct prop_random r = prop_seed(6);
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){.max_uses = 100});
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)prop_u64(&r);
	for (int lot = 0; lot < LOTS; lot++) {
		struct token_item *items = &all[lot * LOT];
		struct tokens *who = prop_below(&r, 2) ? f.tokens : f.other;

		for (int i = 0; i < LOT; i++) {
			items[i] = value_item("");
			items[i].value = bytes_of(bytes + prop_below(&r, 20),
						  lengths[prop_below(&r, sizeof(lengths) / sizeof(lengths[0]))]);
			items[i].place = bytes_of("places", prop_below(&r, 4));
			items[i].kind = (enum token_kind)(1 + prop_below(&r, 3));
		}
		assert_int_equal(protect_with(&f, who, &convergent_terms, items, LOT), SEAL_OK);
	}
	for (int i = 0; i < ALL; i++) {
		struct token_item item = token_item(&all[i]);

		assert_null(all[i].err);
		assert_int_equal(reveal_with(&f, f.other, &item, 1), SEAL_OK);
		assert_null(item.err);
		assert_true(bytes_eq(item.value, all[i].value));
	}
	for (int i = 0; i < ALL; i++)
		for (int j = 0; j < i; j++)
			assert_true(bytes_eq(all[i].token, all[j].token) ==
				    (all[i].kind == all[j].kind && bytes_eq(all[i].place, all[j].place) &&
				     bytes_eq(all[i].value, all[j].value)));
	tokens_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flipped),
		cmocka_unit_test(cut_and_lengthened),
		cmocka_unit_test(moved),
		cmocka_unit_test(any_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
