/* rekey: every row under new keys, nothing lost: cut off anywhere, while others write, renew and take away, and by two at once. */
#include "tokens_fixture.h"

#define TEXTS 7
#define ALL (TEXTS + 4)

/* Tokens of every sort; `values` of the items are what they stand for. */
struct stock {
	struct token_item items[ALL];
	char values[ALL][16];
};

static const struct token_terms *terms_of(size_t i)
{
	if (i < TEXTS)
		return i % 2 ? &convergent_terms : &text_terms;
	return i % 2 ? &convergent_digit_terms : &digit_terms;
}

static void make_stock(struct tokens_fixture *f, struct stock *stock)
{
	for (size_t i = 0; i < ALL; i++) {
		snprintf(stock->values[i], sizeof(stock->values[i]), i < TEXTS ? "value-%zu" : "1234567%zu", i);
		stock->items[i] =
			protect_one(f, f->tokens, terms_of(i),
				    i < TEXTS ? value_item(stock->values[i]) : digits_item(stock->values[i]));
	}
}

/* All tokens reveal, and convergent values have the tokens that they had, for who has been there and for who has not. */
static void check_stock(struct tokens_fixture *f, const struct stock *stock)
{
	struct tokens *fresh = tokens_of(f, (struct data_keys_options){0});
	struct tokens *all[] = {f->tokens, f->other, fresh};

	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < ALL; i++) {
			const struct token_item *item = &stock->items[i];
			struct token_item again =
				i < TEXTS ? value_item(stock->values[i]) : digits_item(stock->values[i]);

			assert_int_equal(reveal_one(f, all[k], token_item(item), stock->values[i]), SEAL_E_NONE);
			if (!terms_of(i)->convergent)
				continue;
			again = protect_one(f, all[k], terms_of(i), again);
			assert_true(bytes_eq(again.token, item->token));
		}
	}
	tokens_free(fresh);
}

static bool begin(struct tokens_fixture *f, struct tokens *tokens)
{
	bool resumed;

	err_clear(&f->err);
	if (tokens_rekey_begin(tokens, &f->session.base, &resumed, &f->call, &f->err) != SEAL_OK)
		fail_msg("%s", f->err.text);
	return resumed;
}

static enum seal_status step(struct tokens_fixture *f, struct tokens *tokens, size_t max, uint64_t *moved, bool *done)
{
	uint64_t n = 0;
	enum seal_status rc;

	err_clear(&f->err);
	rc = tokens_rekey_step(tokens, &f->session.base, max, &n, done, &f->call, &f->err);
	*moved += n;
	return rc;
}

/* To its end; returns how many were moved. */
static uint64_t finish(struct tokens_fixture *f, struct tokens *tokens, size_t max)
{
	uint64_t moved = 0;
	bool done = false;

	for (int i = 0; i < 1000 && !done; i++)
		if (step(f, tokens, max, &moved, &done) != SEAL_OK)
			fail_msg("%s", f->err.text);
	assert_true(done);
	return moved;
}

static size_t rows(struct tokens_fixture *f)
{
	return fake_store_count(f->store, TOKENS_SPACE);
}

/* Every row has another key and other bytes, and the old keys are gone. */
static void all_is_moved(void **state)
{
	for (size_t max = 1; max <= 20; max += 3) {
		struct tokens_fixture f;
		struct stock stock;
		size_t n, keys;
		uint8_t(*names)[TOKEN_KEY_MAX];

		tokens_open(&f, (struct data_keys_options){0});
		make_stock(&f, &stock);
		n = rows(&f);
		keys = fake_store_count(f.store, STORE_KEYS_SPACE);
		names = mem_calloc(n, sizeof(*names));
		assert_non_null(names);
		for (size_t i = 0; i < n; i++) {
			struct seal_bytes key;

			fake_store_row(f.store, TOKENS_SPACE, i, &key);
			memcpy(names[i], key.ptr, key.len);
		}
		check_stock(&f, &stock);
		assert_false(begin(&f, f.tokens));
		check_stock(&f, &stock);
		assert_int_equal(finish(&f, f.tokens, max), ALL);
		assert_int_equal(rows(&f), n);
		assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), keys);
		assert_int_equal(atomic_load(&fake_store_control(f.store)->erasures), keys + 1);
		for (size_t i = 0; i < n; i++) {
			struct seal_bytes key;

			fake_store_row(f.store, TOKENS_SPACE, i, &key);
			for (size_t j = 0; j < n && key.len > ROW_ID_LEN + 5; j++)
				assert_memory_not_equal(names[j], key.ptr, key.len);
		}
		check_stock(&f, &stock);
		mem_free(names);
		tokens_close(&f);
	}
}

/* Between two steps everything is where it can be found. */
static void others_go_on(void **state)
{
	struct tokens_fixture f;
	struct token_item made[ALL];
	struct stock stock;
	uint64_t moved = 0;
	bool done = false;
	size_t n = 0;

	tokens_open(&f, (struct data_keys_options){0});
	make_stock(&f, &stock);
	begin(&f, f.tokens);
	while (!done) {
		assert_int_equal(step(&f, f.tokens, 2, &moved, &done), SEAL_OK);
		check_stock(&f, &stock);
		assert_true(n < ALL);
		made[n++] = protect_one(&f, f.other, &text_terms, value_item("new"));
	}
	assert_int_equal(moved, ALL); /* what came meanwhile is under the new keys */
	for (size_t i = 0; i < n; i++)
		assert_int_equal(reveal_one(&f, f.tokens, token_item(&made[i]), "new"), SEAL_E_NONE);
	check_stock(&f, &stock);
	tokens_close(&f);
}

static void nothing_to_move(void **state)
{
	struct tokens_fixture f;
	struct stock stock;

	tokens_open(&f, (struct data_keys_options){0});
	assert_false(begin(&f, f.tokens));
	assert_int_equal(finish(&f, f.tokens, 10), 0);
	assert_int_equal(rows(&f), 0);
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), 0);
	make_stock(&f, &stock);
	assert_int_equal(finish(&f, f.tokens, 10), 0); /* none is under way */
	check_stock(&f, &stock);
	tokens_close(&f);
}

/* Cut off after each operation: what was there is there, and the next run ends it. */
static void cut_off(void **state)
{
	bool whole = false;

	for (int n = 1; !whole; n++) {
		struct tokens_fixture f;
		struct fake_store_control *control;
		struct stock stock;
		uint64_t moved = 0;
		bool done = false, resumed;

		assert_true(n < 1000);
		tokens_open(&f, (struct data_keys_options){0});
		control = fake_store_control(f.store);
		make_stock(&f, &stock);
		atomic_store(&control->away_after, n);
		err_clear(&f.err);
		if (tokens_rekey_begin(f.tokens, &f.session.base, &resumed, &f.call, &f.err) == SEAL_OK)
			while (!done && step(&f, f.tokens, 4, &moved, &done) == SEAL_OK)
				;
		whole = done;
		assert_true(whole || f.err.status == SEAL_RETRY);
		atomic_store(&control->away_after, 0);
		atomic_store(&control->fail, SEAL_OK);
		check_stock(&f, &stock);
		begin(&f, f.other);
		finish(&f, f.other, 4);
		check_stock(&f, &stock);
		tokens_close(&f);
	}
}

/* What else happens before the n-th change of a step. */
struct rival {
	struct tokens_fixture *f;
	struct stock *stock;
	void (*act)(struct rival *rival);
	struct arena arena;
	bool ran;
};

static void run_rival(void *arg)
{
	struct rival *rival = arg;
	struct tokens_fixture *f = rival->f;
	const struct key_call call = f->call;

	rival->ran = true;
	f->call.arena = &rival->arena;
	rival->act(rival);
	f->call = call;
}

/* Runs a rekey to its end in which `act` happens before the n-th change or, with 0, the first insertion; false: there was no such one. */
static bool with_rival(struct tokens_fixture *f, struct stock *stock, int n, void (*act)(struct rival *rival))
{
	struct rival rival = {.f = f, .stock = stock, .act = act};
	struct fake_store_control *control = fake_store_control(f->store);

	arena_init(&rival.arena, 0);
	begin(f, f->tokens);
	control->rival = run_rival;
	control->rival_arg = &rival;
	atomic_store(n > 0 ? &control->before_change : &control->before_insert, n > 0 ? n : 1);
	finish(f, f->tokens, 4);
	atomic_store(&control->before_change, 0);
	atomic_store(&control->before_insert, 0);
	arena_clear(&rival.arena);
	return rival.ran;
}

/* A second process moves the same rows, a page or all of them. */
static void also_moves(struct rival *rival)
{
	uint64_t moved = 0;
	bool done;

	assert_int_equal(step(rival->f, rival->f->other, 3, &moved, &done), SEAL_OK);
}

static void also_ends(struct rival *rival)
{
	finish(rival->f, rival->f->other, 5);
}

static void two_at_once(void **state)
{
	static void (*const acts[])(struct rival *) = {also_moves, also_ends};
	bool ran = true;

	for (size_t i = 0; i < 2; i++) {
		for (int n = 0; ran || n == 0; n++) {
			struct tokens_fixture f;
			struct stock stock;

			tokens_open(&f, (struct data_keys_options){0});
			make_stock(&f, &stock);
			ran = with_rival(&f, &stock, n, acts[i]);
			check_stock(&f, &stock);
			tokens_close(&f);
		}
	}
}

/* Convergent tokens are renewed in the middle of their move: the longer time stands. */
static const struct token_terms short_terms = {.convergent = true, .ttl_ms = 1000};

static void renews(struct rival *rival)
{
	unix_ms += 800;
	protect_one(rival->f, rival->f->other, &short_terms, value_item("short"));
}

static void renewed_meanwhile(void **state)
{
	bool ran = true;

	for (int n = 0; ran || n == 0; n++) {
		struct tokens_fixture f;
		struct token_item item, again;
		struct stock stock;

		tokens_open(&f, (struct data_keys_options){0});
		item = protect_one(&f, f.tokens, &short_terms, value_item("short"));
		make_stock(&f, &stock);
		ran = with_rival(&f, &stock, n, renews);
		if (ran) {
			unix_ms += 900; /* 700 after the first one's end */
			assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), "short"), SEAL_E_NONE);
			again = protect_one(&f, f.other, &short_terms, value_item("short"));
			assert_true(bytes_eq(again.token, item.token));
		}
		check_stock(&f, &stock);
		tokens_close(&f);
	}
}

/* Tokens are taken away in the middle of their move: they do not come back, and the others stay. */
static void takes_away(struct rival *rival)
{
	struct tokens_fixture *f = rival->f;
	struct token_record records[2] = {0};
	uint64_t removed;

	for (size_t i = 0; i < 2; i++)
		records[i].item = token_item(&rival->stock->items[i]);
	assert_int_equal(tokens_lookup(f->other, &f->session.base, records, 2, &f->call, NULL), SEAL_OK);
	assert_int_equal(tokens_remove(f->other, &f->session.base, records, 2, &removed, &f->call, NULL), SEAL_OK);
	assert_int_equal(removed, 2);
}

static void taken_away_meanwhile(void **state)
{
	bool ran = true;

	for (int n = 0; ran || n == 0; n++) {
		struct tokens_fixture f;
		struct stock stock;

		tokens_open(&f, (struct data_keys_options){0});
		make_stock(&f, &stock);
		ran = with_rival(&f, &stock, n, takes_away);
		for (size_t i = 0; ran && i < ALL; i++)
			assert_int_equal(reveal_one(&f, f.tokens, token_item(&stock.items[i]), stock.values[i]),
					 i < 2 ? SEAL_E_TOKEN_UNKNOWN : SEAL_E_NONE);
		tokens_close(&f);
	}
}

/* What cannot be read is not thrown away: the rekey does not end before it is gone or whole again. */
static void damaged_rows(void **state)
{
	struct tokens_fixture f;
	struct stock stock;
	struct seal_bytes key, row;
	uint64_t moved = 0;
	uint8_t *byte;
	bool done = false;
	size_t at = 0;

	tokens_open(&f, (struct data_keys_options){0});
	make_stock(&f, &stock);
	do
		row = fake_store_row(f.store, TOKENS_SPACE, at++, &key);
	while (key.len <= TOKEN_GENERATION_LEN || key.ptr[TOKEN_GENERATION_LEN] != TOKEN_ROW_TOKEN);
	byte = (uint8_t *)row.ptr + row.len - 1;
	*byte ^= 1;
	begin(&f, f.tokens);
	while (moved < ALL - 1)
		assert_int_equal(step(&f, f.tokens, 2, &moved, &done), SEAL_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step(&f, f.tokens, 2, &moved, &done), SEAL_DATA);
		assert_int_equal(f.err.code, SEAL_E_TAMPERED);
		assert_non_null(strstr(f.err.text, "1 row of the store cannot be read"));
	}
	*byte ^= 1; /* restored */
	finish(&f, f.tokens, 2);
	check_stock(&f, &stock);
	tokens_close(&f);
}

/* Nor does a row that has no token's key hold it up for ever: it is told like the others. */
static void foreign_rows(void **state)
{
	uint8_t long_key[TOKEN_KEY_MAX + 1] = {0};
	const struct seal_bytes foreign = bytes_of(long_key, sizeof(long_key));
	struct tokens_fixture f;
	struct stock stock;
	struct seal_bytes key;
	uint64_t moved = 0;
	bool done = false;
	size_t at = 0;

	tokens_open(&f, (struct data_keys_options){0});
	make_stock(&f, &stock);
	do
		fake_store_row(f.store, TOKENS_SPACE, at++, &key);
	while (key.len != TOKEN_KEY_MAX || key.ptr[TOKEN_GENERATION_LEN] != TOKEN_ROW_TOKEN);
	memcpy(long_key, key.ptr, key.len);
	fake_store_put(f.store, TOKENS_SPACE, foreign, BYTES_LIT("none of ours"));
	begin(&f, f.tokens);
	while (moved < ALL)
		assert_int_equal(step(&f, f.tokens, 1, &moved, &done), SEAL_OK);
	assert_int_equal(step(&f, f.tokens, 1, &moved, &done), SEAL_DATA);
	assert_non_null(strstr(f.err.text, "1 row of the store cannot be read"));
	fake_store_remove(f.store, TOKENS_SPACE, foreign);
	finish(&f, f.tokens, 2);
	check_stock(&f, &stock);
	tokens_close(&f);
}

/* A second rekey after the first; and one whose keys were left behind by a crash is ended, not begun anew. */
static void again_and_again(void **state)
{
	struct tokens_fixture f;
	struct stock stock;

	tokens_open(&f, (struct data_keys_options){0});
	make_stock(&f, &stock);
	for (int i = 0; i < 3; i++) {
		assert_false(begin(&f, i % 2 ? f.other : f.tokens));
		assert_true(begin(&f, f.tokens)); /* under way */
		assert_int_equal(finish(&f, f.other, 3), ALL);
		check_stock(&f, &stock);
	}
	tokens_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_moved),		cmocka_unit_test(others_go_on),
		cmocka_unit_test(nothing_to_move),	cmocka_unit_test(cut_off),
		cmocka_unit_test(two_at_once),		cmocka_unit_test(renewed_meanwhile),
		cmocka_unit_test(taken_away_meanwhile), cmocka_unit_test(damaged_rows),
		cmocka_unit_test(foreign_rows),		cmocka_unit_test(again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
