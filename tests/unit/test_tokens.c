/* tokens: given out, found again, shaped, expired, moved; two processes that meet; what the store tells and what it can do. */
#include "tokens_fixture.h"

static size_t rows(struct tokens_fixture *f)
{
	return fake_store_count(f->store, TOKENS_SPACE);
}

static void one_value(void **state)
{
	struct token_item first, again, moved;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	first = protect_one(&f, f.tokens, &text_terms, value_item("4111-1111"));
	assert_int_equal(first.token.len, TOKEN_LEN);
	assert_int_equal(rows(&f), 2); /* the state, and the token */
	again = protect_one(&f, f.tokens, &text_terms, value_item("4111-1111"));
	assert_false(bytes_eq(first.token, again.token));
	assert_int_equal(rows(&f), 3);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), "4111-1111"), SEAL_E_NONE);
	assert_int_equal(reveal_one(&f, f.other, token_item(&again), "4111-1111"), SEAL_E_NONE);
	moved = token_item(&first);
	moved.place = BYTES_LIT("q");
	assert_int_equal(reveal_one(&f, f.tokens, moved, ""), SEAL_E_TAMPERED);
	moved = token_item(&first);
	moved.kind = TOKEN_JSON;
	assert_int_equal(reveal_one(&f, f.tokens, moved, ""), SEAL_E_TAMPERED);
	tokens_close(&f);
}

static void no_such_token(void **state)
{
	struct token_item item = value_item("");
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	item.token = BYTES_LIT("0123456789abcdef");
	assert_int_equal(reveal_one(&f, f.tokens, item, ""), SEAL_E_TOKEN_UNKNOWN); /* nothing in the store */
	assert_int_equal(rows(&f), 0);
	assert_int_equal(fake_kek_calls(&f.kek), 0);
	protect_one(&f, f.other, &text_terms, value_item("v"));
	assert_int_equal(reveal_one(&f, f.tokens, item, ""), SEAL_E_TOKEN_UNKNOWN);
	item.token = BYTES_LIT("0123456789abcde"); /* not a token's length */
	assert_int_equal(reveal_one(&f, f.tokens, item, ""), SEAL_E_TOKEN_UNKNOWN);
	item.token = BYTES_EMPTY;
	assert_int_equal(reveal_one(&f, f.tokens, item, ""), SEAL_E_TOKEN_UNKNOWN);
	tokens_close(&f);
}

/* Equal values of a lot, of later lots and of other processes have one token; other places and kinds have others. */
static void convergent(void **state)
{
	struct token_item lot[5] = {value_item("a"), value_item("b"), value_item("a"), value_item("a"),
				    value_item("a")};
	struct token_item again;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	lot[3].place = BYTES_LIT("q");
	lot[4].kind = TOKEN_JSON;
	assert_int_equal(protect_with(&f, f.tokens, &convergent_terms, lot, 5), SEAL_OK);
	assert_true(bytes_eq(lot[0].token, lot[2].token));
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < i; j++)
			assert_true(bytes_eq(lot[i].token, lot[j].token) == (i == 2 && j == 0));
	assert_int_equal(rows(&f), 1 + 2 * 4);
	again = protect_one(&f, f.other, &convergent_terms, value_item("a"));
	assert_true(bytes_eq(again.token, lot[0].token));
	assert_int_equal(rows(&f), 1 + 2 * 4);
	for (int i = 0; i < 5; i++)
		assert_int_equal(reveal_one(&f, f.other, token_item(&lot[i]), i == 1 ? "b" : "a"), SEAL_E_NONE);
	tokens_close(&f);
}

/* A lot is a query and an insertion; known values are a query alone; a hundred lots cost the KEK one key. */
static void a_lot_is_one_query(void **state)
{
	enum { LOT = 1000, LOTS = 20 };
	static struct token_item items[LOT];
	static char values[LOT][16];
	struct fake_store_control *control;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	protect_one(&f, f.tokens, &convergent_terms, value_item("begun"));
	protect_one(&f, f.tokens, &convergent_terms, value_item("block of uses"));
	for (int lot = 0; lot < LOTS; lot++) {
		const unsigned queries = atomic_load(&control->queries), inserts = atomic_load(&control->inserts);
		const unsigned swaps = atomic_load(&control->swaps);

		for (int i = 0; i < LOT; i++) {
			snprintf(values[i], sizeof(values[i]), "v%d", (lot / 2) * LOT + i);
			items[i] = value_item(values[i]);
		}
		assert_int_equal(protect_with(&f, f.tokens, &convergent_terms, items, LOT), SEAL_OK);
		/* uses of the store key are taken in blocks: now and then a query and a swap more */
		assert_true(atomic_load(&control->queries) - queries <= 1 + atomic_load(&control->swaps) - swaps);
		assert_int_equal(atomic_load(&control->inserts) - inserts, lot % 2 == 0);
		for (int i = 0; i < LOT; i++)
			items[i] = token_item(&items[i]);
		assert_int_equal(reveal_with(&f, f.tokens, items, LOT), SEAL_OK);
		for (int i = 0; i < LOT; i++)
			assert_true(items[i].err == NULL && bytes_eq_str(items[i].value, values[i]));
		arena_reset(&f.arena);
	}
	assert_int_equal(fake_kek_calls(&f.kek), 1);
	assert_int_equal(rows(&f), 1 + 2 * (2 + LOT * LOTS / 2));
	tokens_close(&f);
}

/* Shaped ones keep their group, differ from the value, and belong to their place. */
/*
 * Rows of text tokens that are made together stand together, so that a store writes few pages; those of other lots elsewhere. Nothing of
 * that shows in the tokens.
 */
static void a_lot_stands_together(void **state)
{
	enum { LOT = 50, AT = TOKEN_GENERATION_LEN + 1, SHARED = 6 };
	struct token_item items[2 * LOT];
	uint8_t starts[2][SHARED] = {{0}};
	struct tokens_fixture f;
	size_t seen = 0, shared = 0;

	tokens_open(&f, (struct data_keys_options){0});
	for (int i = 0; i < 2 * LOT; i++)
		items[i] = value_item("a value");
	assert_int_equal(protect_with(&f, f.tokens, &(struct token_terms){0}, items, LOT), SEAL_OK);
	assert_int_equal(protect_with(&f, f.tokens, &(struct token_terms){0}, items + LOT, LOT), SEAL_OK);
	for (size_t i = 0; i < rows(&f); i++) {
		struct seal_bytes key;

		(void)fake_store_row(f.store, TOKENS_SPACE, i, &key);
		if (key.len <= AT + SHARED || key.ptr[AT - 1] != TOKEN_ROW_TOKEN)
			continue;
		if (seen % LOT == 0)
			memcpy(starts[seen / LOT], key.ptr + AT, SHARED);
		assert_memory_equal(key.ptr + AT, starts[seen / LOT], SHARED);
		seen++;
	}
	assert_int_equal(seen, 2 * LOT);
	assert_memory_not_equal(starts[0], starts[1], SHARED);
	for (int i = 1; i < LOT; i++)
		shared += memcmp(items[i].token.ptr, items[0].token.ptr, 2) == 0;
	assert_true(shared < 3);
	tokens_close(&f);
}

static void shaped(void **state)
{
	struct token_item one, two, elsewhere, moved;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &convergent_digit_terms, digits_item("1234567890"));
	assert_int_equal(one.token.len, 10);
	assert_memory_equal(one.token.ptr, "12", KEPT);
	assert_false(bytes_eq_str(one.token, "1234567890"));
	two = protect_one(&f, f.other, &convergent_digit_terms, digits_item("1234567890"));
	assert_true(bytes_eq(one.token, two.token));
	elsewhere = digits_item("1234567890");
	elsewhere.place = BYTES_LIT("q");
	elsewhere = protect_one(&f, f.tokens, &convergent_digit_terms, elsewhere);
	assert_false(bytes_eq(one.token, elsewhere.token));
	assert_int_equal(reveal_one(&f, f.other, token_item(&one), "1234567890"), SEAL_E_NONE);
	moved = token_item(&one);
	moved.place = BYTES_LIT("q");
	assert_int_equal(reveal_one(&f, f.tokens, moved, ""), SEAL_E_TOKEN_UNKNOWN);
	/* the same value as text in the same place: another token */
	two = protect_one(&f, f.tokens, &convergent_terms, value_item("1234567890"));
	assert_int_equal(two.token.len, TOKEN_LEN);
	tokens_close(&f);
}

/* A group of a hundred: fifty tokens, all different, then no more; another group is free still. */
static void half_full(void **state)
{
	struct token_item items[80], more;
	struct tokens_fixture f;
	size_t given = 0;

	tokens_open(&f, (struct data_keys_options){0});
	for (int i = 0; i < 80; i++) {
		items[i] = digits_item("1299");
		assert_int_equal(protect_with(&f, f.tokens, &digit_terms, &items[i], 1), SEAL_OK);
		if (items[i].err != NULL) {
			assert_int_equal(items[i].err->code, SEAL_E_DOMAIN);
			assert_null(items[i].token.ptr);
		} else {
			for (size_t j = 0; j < given; j++)
				assert_false(bytes_eq(items[i].token, items[j].token));
			items[given++] = items[i];
		}
	}
	/* what comes with the first draw is not counted: a few more than half, and each of them as likely as a coin's toss */
	assert_in_range(given, 50, 79);
	more = protect_one(&f, f.tokens, &digit_terms, digits_item("3499"));
	assert_int_equal(reveal_one(&f, f.other, token_item(&more), "3499"), SEAL_E_NONE);
	for (size_t i = 0; i < given; i++)
		assert_int_equal(reveal_one(&f, f.other, token_item(&items[i]), "1299"), SEAL_E_NONE);
	assert_int_equal(rows(&f), 1 + given + 1);
	tokens_close(&f);
}

/* One lot that asks for more than there are: its items fail alone. */
static void half_full_lot(void **state)
{
	struct token_item items[200];
	struct tokens_fixture f;
	size_t given = 0;

	tokens_open(&f, (struct data_keys_options){0});
	for (int i = 0; i < 200; i++)
		items[i] = digits_item(i < 199 ? "1299" : "3499");
	assert_int_equal(protect_with(&f, f.tokens, &digit_terms, items, 200), SEAL_OK);
	for (int i = 0; i < 200; i++)
		given += items[i].err == NULL;
	assert_in_range(given, 51, 100);
	assert_null(items[199].err);
	assert_int_equal(rows(&f), 1 + given);
	tokens_close(&f);
}

static void expiry(void **state)
{
	const struct token_terms terms = {.convergent = true, .ttl_ms = 1000}, for_ever = {.convergent = true};
	struct token_item first, again;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	first = protect_one(&f, f.tokens, &terms, value_item("v")); /* until 1,001,000 */
	unix_ms += 500;
	again = protect_one(&f, f.other, &terms, value_item("v"));
	assert_true(bytes_eq(first.token, again.token));
	unix_ms += 499;
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), "v"), SEAL_E_NONE);
	unix_ms += 1; /* half was left, so it was not renewed */
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), ""), SEAL_E_TOKEN_EXPIRED);
	again = protect_one(&f, f.other, &terms, value_item("v")); /* another one, until 1,002,000 */
	assert_false(bytes_eq(first.token, again.token));
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&again), "v"), SEAL_E_NONE);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), ""), SEAL_E_TOKEN_EXPIRED);
	first = again;
	unix_ms += 501;
	again = protect_one(&f, f.tokens, &terms, value_item("v")); /* less than half is left: until 1,002,501 */
	assert_true(bytes_eq(first.token, again.token));
	unix_ms += 999;
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), "v"), SEAL_E_NONE);
	again = protect_one(&f, f.tokens, &for_ever, value_item("v"));
	assert_true(bytes_eq(first.token, again.token));
	unix_ms += 1000000000;
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), "v"), SEAL_E_NONE);
	again = protect_one(&f, f.tokens, &terms, value_item("v")); /* lives longer than asked */
	assert_true(bytes_eq(first.token, again.token));
	assert_int_equal(rows(&f), 1 + 3);
	tokens_close(&f);
}

/* Shaped tokens expire and are renewed, too. */
static void shaped_expiry(void **state)
{
	const struct token_terms terms = {.convergent = true, .ttl_ms = 1000, .draw = draw_digits};
	struct token_item first, again;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	first = protect_one(&f, f.tokens, &terms, digits_item("1234567890"));
	unix_ms += 600;
	again = protect_one(&f, f.other, &terms, digits_item("1234567890"));
	assert_true(bytes_eq(first.token, again.token));
	unix_ms += 900;
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), "1234567890"), SEAL_E_NONE);
	unix_ms += 100;
	again = protect_one(&f, f.other, &terms, digits_item("1234567890"));
	assert_false(bytes_eq(first.token, again.token));
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&first), ""), SEAL_E_TOKEN_EXPIRED);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&again), "1234567890"), SEAL_E_NONE);
	tokens_close(&f);
}

/* Another process that is faster by a hair. */
struct rival {
	struct tokens_fixture *f;
	const struct token_terms *terms;
	struct token_item item;
};

static void be_faster(void *arg)
{
	struct rival *r = arg;

	r->item = protect_one(r->f, r->f->other, r->terms, r->item);
}

static void meet(struct token_item item, const struct token_terms *terms)
{
	struct fake_store_control *control;
	struct tokens_fixture f;
	struct rival rival = {&f, terms, item};
	struct token_item mine;
	size_t before;

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, terms, terms->draw != NULL ? digits_item("5555555555") : value_item("begun"));
	before = rows(&f);
	control = fake_store_control(f.store);
	control->rival = be_faster;
	control->rival_arg = &rival;
	atomic_store(&control->before_insert, 1);
	mine = protect_one(&f, f.tokens, terms, item);
	assert_true(bytes_eq(mine.token, rival.item.token));
	assert_int_equal(rows(&f), before + 2); /* no token is left that nobody carries */
	tokens_close(&f);
}

static void two_writers_meet(void **state)
{
	meet(value_item("v"), &convergent_terms);
	meet(digits_item("1234567890"), &convergent_digit_terms);
}

/* A lot of values that cannot be is left out of the others' way. */
static void limits(void **state)
{
	static uint8_t large[TOKEN_VALUE_MAX + 1];
	const struct token_terms noted = {.metadata = "purpose=billing"};
	static char metadata[TOKEN_METADATA_MAX + 2];
	const struct token_terms too_long = {.metadata = metadata};
	struct token_item items[4] = {value_item(""), value_item("x"), value_item("x"), value_item("x")};
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	memset(metadata, 'm', TOKEN_METADATA_MAX + 1);
	items[1].value = bytes_of(large, sizeof(large));
	items[2].value = bytes_of(large, sizeof(large) - 1);
	items[2].place = bytes_of(large, TOKEN_PLACE_MAX);
	items[3].place = bytes_of(large, TOKEN_PLACE_MAX + 1);
	assert_int_equal(protect_with(&f, f.tokens, &noted, items, 4), SEAL_OK);
	assert_null(items[0].err);
	assert_int_equal(items[1].err->code, SEAL_E_LIMIT);
	assert_null(items[2].err);
	assert_int_equal(items[3].err->code, SEAL_E_LIMIT);
	items[0] = token_item(&items[0]);
	items[1] = token_item(&items[2]);
	assert_int_equal(reveal_with(&f, f.tokens, items, 2), SEAL_OK);
	assert_true(items[0].err == NULL && items[0].value.len == 0);
	assert_true(bytes_eq(items[1].value, bytes_of(large, TOKEN_VALUE_MAX)));
	assert_int_equal(protect_with(&f, f.tokens, &too_long, items, 1), SEAL_USAGE);
	assert_int_equal(protect_with(&f, f.tokens, &noted, NULL, 0), SEAL_OK);
	assert_int_equal(reveal_with(&f, f.tokens, NULL, 0), SEAL_OK);
	tokens_close(&f);
}

/* Neither values nor tokens nor places are in the store; equal lengths up to a step; other policies share nothing. */
static void store_tells_nothing(void **state)
{
	const struct person_scope other_scope = {"other", "local", {(const uint8_t *)"pii", 3}};
	struct data_keys_options options = {0};
	struct token_item item, stranger;
	struct tokens_fixture f;
	struct tokens *theirs;
	struct seal_bytes key, row;

	tokens_open(&f, (struct data_keys_options){0});
	item = value_item("maria.lopez@example.com");
	item.place = BYTES_LIT("customers.email");
	item = protect_one(&f, f.tokens, &convergent_terms, item);
	for (size_t i = 0; i < rows(&f); i++) {
		row = fake_store_row(f.store, TOKENS_SPACE, i, &key);
		assert_null(memmem(row.ptr, row.len, "lopez", 5));
		assert_null(memmem(row.ptr, row.len, "customers", 9));
		assert_null(memmem(row.ptr, row.len, item.token.ptr, TOKEN_LEN));
		assert_null(memmem(key.ptr, key.len, item.token.ptr, 8));
	}
	assert_int_equal(tokens_new(f.store, &other_scope, &options, &theirs, NULL), SEAL_OK);
	assert_int_equal(reveal_one(&f, theirs, token_item(&item), ""), SEAL_E_TOKEN_UNKNOWN);
	stranger = protect_one(&f, theirs, &convergent_terms, item);
	assert_false(bytes_eq(stranger.token, item.token));
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&stranger), ""), SEAL_E_TOKEN_UNKNOWN);
	tokens_free(theirs);
	tokens_close(&f);
}

/* The KEK's and the store's failures are the call's, and nothing is lost. */
static void away(void **state)
{
	struct token_item item = value_item("v"), token;
	struct fake_store_control *control;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	atomic_store(&control->fail, SEAL_RETRY);
	assert_int_equal(protect_with(&f, f.tokens, &text_terms, &item, 1), SEAL_RETRY);
	assert_null(item.token.ptr);
	atomic_store(&control->fail, SEAL_OK);
	atomic_store(&f.kek.fail, SEAL_DENIED);
	assert_int_equal(protect_with(&f, f.tokens, &text_terms, &item, 1), SEAL_DENIED);
	assert_null(item.token.ptr);
	atomic_store(&f.kek.fail, SEAL_OK);
	token = protect_one(&f, f.tokens, &text_terms, item);
	atomic_store(&control->fail, SEAL_RETRY);
	item = token_item(&token);
	assert_int_equal(reveal_with(&f, f.tokens, &item, 1), SEAL_RETRY);
	atomic_store(&control->fail, SEAL_OK);
	atomic_store(&f.kek.fail, SEAL_RETRY);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&token), "v"), SEAL_E_NONE); /* keys are remembered */
	assert_int_equal(reveal_with(&f, f.other, &item, 1), SEAL_RETRY);
	atomic_store(&f.kek.fail, SEAL_OK);
	assert_int_equal(reveal_one(&f, f.other, token_item(&token), "v"), SEAL_E_NONE);
	tokens_close(&f);
}

/* A state whose keys are gone: nobody begins new ones under it. */
static void keys_lost(void **state)
{
	struct token_item item, token;
	struct tokens_fixture f;
	struct seal_bytes key;

	tokens_open(&f, (struct data_keys_options){0});
	token = protect_one(&f, f.tokens, &text_terms, value_item("v"));
	while (fake_store_count(f.store, STORE_KEYS_SPACE) > 0) {
		fake_store_row(f.store, STORE_KEYS_SPACE, 0, &key);
		fake_store_remove(f.store, STORE_KEYS_SPACE, key);
	}
	item = token_item(&token);
	assert_int_equal(reveal_with(&f, f.other, &item, 1), SEAL_DATA);
	assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	item = value_item("w");
	assert_int_equal(protect_with(&f, f.other, &text_terms, &item, 1), SEAL_DATA);
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), 0);
	tokens_close(&f);
}

static void newer_state(void **state)
{
	struct token_item item = value_item("v");
	struct seal_bytes key, row;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, &text_terms, item);
	for (size_t i = 0; i < rows(&f); i++) {
		row = fake_store_row(f.store, TOKENS_SPACE, i, &key);
		if (key.len == sizeof(f.tokens->state_key))
			((uint8_t *)row.ptr)[0] = 2;
	}
	assert_int_equal(protect_with(&f, f.other, &text_terms, &item, 1), SEAL_DATA);
	assert_non_null(strstr(f.err.text, "newer program"));
	assert_int_equal(protect_with(&f, f.tokens, &text_terms, &item, 1), SEAL_DATA);
	tokens_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value),
		cmocka_unit_test(no_such_token),
		cmocka_unit_test(convergent),
		cmocka_unit_test(a_lot_is_one_query),
		cmocka_unit_test(a_lot_stands_together),
		cmocka_unit_test(shaped),
		cmocka_unit_test(half_full),
		cmocka_unit_test(half_full_lot),
		cmocka_unit_test(expiry),
		cmocka_unit_test(shaped_expiry),
		cmocka_unit_test(two_writers_meet),
		cmocka_unit_test(limits),
		cmocka_unit_test(store_tells_nothing),
		cmocka_unit_test(away),
		cmocka_unit_test(keys_lost),
		cmocka_unit_test(newer_state),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
