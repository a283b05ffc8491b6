/* tokens: what expires, is renewed or purged while a rekey, or somebody else, works on the same rows. */
#include "tokens_fixture.h"

static const struct token_terms ttl_terms = {.convergent = true, .ttl_ms = 1000};
static const struct token_terms ttl_digit_terms = {.convergent = true, .ttl_ms = 1000, .draw = draw_digits};

static struct token_item item_for(const struct token_terms *terms)
{
	return terms->draw != NULL ? digits_item("1234567890") : value_item("1234567890");
}

static void rekey_begin(struct tokens_fixture *f, struct tokens *rekeyer)
{
	bool resumed;

	assert_int_equal(tokens_rekey_begin(rekeyer, &f->session.base, &resumed, &f->call, &f->err), SEAL_OK);
}

static bool rekey_some(struct tokens_fixture *f, struct tokens *rekeyer, size_t max)
{
	uint64_t moved;
	bool done;

	assert_int_equal(tokens_rekey_step(rekeyer, &f->session.base, max, &moved, &done, &f->call, &f->err),
			 SEAL_OK);
	return done;
}

static void rekey_rest(struct tokens_fixture *f)
{
	struct tokens *rekeyer = tokens_of(f, (struct data_keys_options){0});

	rekey_begin(f, rekeyer);
	while (!rekey_some(f, rekeyer, 100))
		;
	tokens_free(rekeyer);
}

/* A rekey that comes in the middle of a call, as far as `steps` say. */
struct rekeying {
	struct tokens_fixture *f;
	bool begin;
	int steps;
	bool ran;
};

static void rekey_now(void *arg)
{
	struct rekeying *r = arg;
	struct tokens *rekeyer = tokens_of(r->f, (struct data_keys_options){0});

	r->ran = true;
	if (r->begin)
		rekey_begin(r->f, rekeyer);
	for (int i = 0; i < r->steps; i++)
		(void)rekey_some(r->f, rekeyer, 100);
	tokens_free(rekeyer);
}

enum hook { BEFORE_GET, BEFORE_INSERT, BEFORE_CHANGE, HOOKS };

static bool set_hook(struct tokens_fixture *f, enum hook hook, int n, struct rekeying *r)
{
	struct fake_store_control *control = fake_store_control(f->store);

	control->rival = rekey_now;
	control->rival_arg = r;
	if (hook == BEFORE_GET)
		atomic_store(&control->before_get, n);
	else if (hook == BEFORE_CHANGE)
		atomic_store(&control->before_change, n);
	else if (n == 1)
		atomic_store(&control->before_insert, n);
	return hook != BEFORE_INSERT || n == 1;
}

static void clear_hooks(struct tokens_fixture *f)
{
	struct fake_store_control *control = fake_store_control(f->store);

	atomic_store(&control->before_get, 0);
	atomic_store(&control->before_insert, 0);
	atomic_store(&control->before_change, 0);
}

/*
 * A value is protected `after_ms` after it was before, and the n-th time that this does `hook`, a rekey takes its steps. What comes
 * of it is found by all, and stays the value's for all of its time. False: the hook was not come to.
 */
static bool meets_rekey(const struct token_terms *terms, uint64_t after_ms, enum hook hook, int n, bool begun,
			int steps)
{
	struct tokens_fixture f;
	struct rekeying r = {.f = &f, .begin = !begun, .steps = steps};
	struct token_item item = item_for(terms), again;

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, terms, item_for(terms));
	if (begun) {
		struct tokens *rekeyer = tokens_of(&f, (struct data_keys_options){0});

		rekey_begin(&f, rekeyer);
		tokens_free(rekeyer);
	}
	unix_ms += after_ms;
	if (set_hook(&f, hook, n, &r))
		item = protect_one(&f, f.tokens, terms, item);
	clear_hooks(&f);
	if (!r.ran) {
		tokens_close(&f);
		return false;
	}
	rekey_rest(&f);
	unix_ms += 499; /* it has half of its time at least */
	assert_int_equal(reveal_one(&f, f.other, token_item(&item), "1234567890"), SEAL_E_NONE);
	again = protect_one(&f, f.other, terms, item_for(terms));
	assert_true(bytes_eq(item.token, again.token));
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), "1234567890"), SEAL_E_NONE);
	tokens_close(&f);
	return true;
}

static void rekey_meets(const struct token_terms *terms, uint64_t after_ms)
{
	for (int hook = 0; hook < HOOKS; hook++)
		for (int begun = 0; begun < 2; begun++)
			for (int steps = 0; steps < 5; steps++)
				for (int n = 1; meets_rekey(terms, after_ms, hook, n, begun, steps); n++)
					;
}

static void renewed_in_a_rekey(void **state)
{
	rekey_meets(&ttl_terms, 800);
	rekey_meets(&ttl_digit_terms, 800);
}

static void replaced_in_a_rekey(void **state)
{
	rekey_meets(&ttl_terms, 1500);
	rekey_meets(&ttl_digit_terms, 1500);
}

/* The same for a token that comes from elsewhere, and whose value had one here that has expired. */
static void imported_in_a_rekey(void **state)
{
	bool met = true;

	for (int i = 1; met; i++) {
		struct token_record record = {.item = item_for(&ttl_terms), .convergent = true};
		struct tokens_fixture f;
		struct rekeying r = {.f = &f, .begin = true, .steps = 1};
		struct token_item again;
		uint64_t added;

		tokens_open(&f, (struct data_keys_options){0});
		protect_one(&f, f.tokens, &ttl_terms, item_for(&ttl_terms));
		unix_ms += 2000;
		record.item.token = BYTES_LIT("0123456789abcdef");
		(void)set_hook(&f, BEFORE_CHANGE, i, &r);
		assert_int_equal(tokens_import(f.tokens, &f.session.base, &record, 1, &added, &f.call, &f.err),
				 SEAL_OK);
		clear_hooks(&f);
		met = r.ran;
		assert_null(record.item.err);
		rekey_rest(&f);
		again = protect_one(&f, f.other, &convergent_terms, item_for(&ttl_terms));
		assert_true(bytes_eq(again.token, record.item.token));
		assert_int_equal(reveal_one(&f, f.tokens, token_item(&again), "1234567890"), SEAL_E_NONE);
		tokens_close(&f);
	}
}

static uint64_t removes(struct tokens_fixture *f, const struct token_record *record)
{
	uint64_t removed;

	assert_int_equal(tokens_remove(f->other, &f->session.base, record, 1, &removed, &f->call, &f->err), SEAL_OK);
	return removed;
}

/* A token had expired when the purge read it, and was renewed by who had read it before: records carry it, so it stays. */
static void renewed_before_it_is_purged(void **state)
{
	const struct token_terms for_ever = {.convergent = true};
	struct token_record record;
	struct token_item item;
	struct tokens_fixture f;

	for (int i = 0; i < 3; i++) {
		tokens_open(&f, (struct data_keys_options){0});
		item = protect_one(&f, f.tokens, &ttl_terms, value_item("v"));
		record = (struct token_record){.item = {.token = item.token}};
		assert_int_equal(tokens_lookup(f.other, &f.session.base, &record, 1, &f.call, &f.err), SEAL_OK);
		assert_int_equal(record.expires_ms, unix_ms + 1000);
		unix_ms += 900;
		if (i == 2)
			rekey_step(&f, rekey_begins);
		protect_one(&f, f.tokens, i == 1 ? &for_ever : &ttl_terms, value_item("v"));
		assert_int_equal(removes(&f, &record), 0);
		assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), "v"), SEAL_E_NONE);
		record.expires_ms = 0; /* who wants it gone whatever its time is */
		assert_int_equal(removes(&f, &record), 1);
		assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), ""), SEAL_E_TOKEN_UNKNOWN);
		tokens_close(&f);
	}
}

static void renew_now(void *arg)
{
	struct tokens_fixture *f = arg;

	protect_one(f, f->tokens, &ttl_terms, value_item("v"));
}

/* The same between the look of who takes it away, whatever its time is, and the removal: it goes all the same. */
static void renewed_while_it_is_removed(void **state)
{
	struct fake_store_control *control;
	struct token_record record = {0};
	struct token_item item;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	item = protect_one(&f, f.tokens, &ttl_terms, value_item("v"));
	record.item.token = item.token;
	unix_ms += 900;
	control->rival = renew_now;
	control->rival_arg = &f;
	atomic_store(&control->before_change, 1);
	assert_int_equal(removes(&f, &record), 1);
	assert_int_equal(fake_store_count(f.store, TOKENS_SPACE), 1);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), ""), SEAL_E_TOKEN_UNKNOWN);
	tokens_close(&f);
}

/* A rekey that dies when its copies are made. */
static void copy_now(void *arg)
{
	struct tokens_fixture *f = arg;
	struct fake_store_control *control = fake_store_control(f->store);
	struct tokens *rekeyer = tokens_of(f, (struct data_keys_options){0});
	uint64_t moved;
	bool done;

	atomic_store(&control->fail_change, SEAL_RETRY);
	assert_int_equal(tokens_rekey_step(rekeyer, &f->session.base, 10, &moved, &done, &f->call, &f->err),
			 SEAL_RETRY);
	atomic_store(&control->fail_change, SEAL_OK);
	tokens_free(rekeyer);
}

/* Copies that were made while the old rows were on their way out go, too. */
static void copied_while_it_is_removed(void **state)
{
	struct fake_store_control *control;
	struct token_record record = {0};
	struct token_item item;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	item = protect_one(&f, f.tokens, &convergent_terms, value_item("v"));
	record.item.token = item.token;
	rekey_step(&f, rekey_begins);
	control->rival = copy_now;
	control->rival_arg = &f;
	atomic_store(&control->before_change, 1);
	assert_int_equal(removes(&f, &record), 1);
	assert_int_equal(fake_store_count(f.store, TOKENS_SPACE), 1);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&item), ""), SEAL_E_TOKEN_UNKNOWN);
	tokens_close(&f);
}

/* A rekey dies between copies and removal, and the copies are renewed: they keep their time when it goes on. */
static void renewed_copies(void **state)
{
	struct fake_store_control *control;
	struct tokens_fixture f;
	struct tokens *rekeyer;
	struct token_item item, again;
	uint64_t moved;
	bool done;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	item = protect_one(&f, f.tokens, &ttl_terms, value_item("v"));
	rekeyer = tokens_of(&f, (struct data_keys_options){0});
	rekey_begin(&f, rekeyer);
	atomic_store(&control->fail_change, SEAL_RETRY);
	assert_int_equal(tokens_rekey_step(rekeyer, &f.session.base, 10, &moved, &done, &f.call, &f.err), SEAL_RETRY);
	atomic_store(&control->fail_change, SEAL_OK);
	tokens_free(rekeyer);
	unix_ms += 800;
	again = protect_one(&f, f.tokens, &ttl_terms, value_item("v"));
	assert_true(bytes_eq(again.token, item.token));
	rekey_rest(&f);
	unix_ms += 499;
	assert_int_equal(reveal_one(&f, f.other, token_item(&item), "v"), SEAL_E_NONE);
	again = protect_one(&f, f.other, &ttl_terms, value_item("v"));
	assert_true(bytes_eq(again.token, item.token));
	tokens_close(&f);
}

/* A rekey that has moved all, and died before the old keys were erased, goes on with that, and no other begins. */
static void dies_before_it_erases(void **state)
{
	struct token_record record = {0};
	struct tokens_fixture f;
	bool resumed;

	tokens_open(&f, (struct data_keys_options){0});
	record.item.token = protect_one(&f, f.tokens, &text_terms, value_item("v")).token;
	assert_int_equal(removes(&f, &record), 1);
	rekey_step(&f, rekey_begins);
	rekey_step(&f, rekey_ends);
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), 6);
	assert_int_equal(tokens_rekey_begin(f.other, &f.session.base, &resumed, &f.call, &f.err), SEAL_OK);
	assert_true(resumed);
	assert_true(rekey_some(&f, f.other, 10));
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), 3);
	tokens_close(&f);
}

/* A whole rekey between two looks of a walk: nothing is missed. */
static void walked_in_a_rekey(void **state)
{
	bool met = true;

	for (int i = 1; met; i++) {
		struct tokens_fixture f;
		struct rekeying r = {.f = &f, .begin = true, .steps = 4};
		struct seal_bytes cursor = BYTES_EMPTY;
		struct token_record *records;
		uint64_t bad = 0;
		size_t n, all = 0;

		tokens_open(&f, (struct data_keys_options){0});
		protect_one(&f, f.tokens, &convergent_terms, value_item("v"));
		protect_one(&f, f.tokens, &text_terms, value_item("w"));
		(void)set_hook(&f, BEFORE_GET, i, &r);
		do {
			assert_int_equal(tokens_walk(f.tokens, &f.session.base, &cursor, 10, &records, &n, &bad,
						     &f.call, &f.err),
					 SEAL_OK);
			all += n;
		} while (n > 0);
		clear_hooks(&f);
		met = r.ran;
		assert_in_range(all, 2, 4);
		assert_int_equal(bad, 0);
		tokens_close(&f);
	}
}

/* A token that has expired elsewhere comes without a fingerprint. */
static void imported_too_late(void **state)
{
	struct token_record record = {.item = value_item("v"), .convergent = true, .expires_ms = 1};
	struct token_item item;
	struct tokens_fixture f;
	uint64_t added;

	tokens_open(&f, (struct data_keys_options){0});
	record.item.token = BYTES_LIT("0123456789abcdef");
	assert_int_equal(tokens_import(f.tokens, &f.session.base, &record, 1, &added, &f.call, &f.err), SEAL_OK);
	assert_null(record.item.err);
	assert_int_equal(added, 1);
	assert_int_equal(fake_store_count(f.store, TOKENS_SPACE), 1 + 1);
	item = protect_one(&f, f.other, &convergent_terms, value_item("v"));
	assert_false(bytes_eq(item.token, record.item.token));
	tokens_close(&f);
}

/* Each row is one use of a store key, and no more than its uses. */
static void uses_are_counted(void **state)
{
	struct token_item items[20];
	struct tokens_fixture f;
	char values[20][8];

	tokens_open(&f, (struct data_keys_options){.max_uses = 10});
	for (int i = 0; i < 20; i++) {
		snprintf(values[i], sizeof(values[i]), "v%d", i);
		items[i] = value_item(values[i]);
	}
	assert_int_equal(protect_with(&f, f.tokens, &convergent_terms, items, 20), SEAL_OK);
	/* pepper, count, and keys for 41 uses */
	assert_in_range(fake_store_count(f.store, STORE_KEYS_SPACE), 2 + 5, 2 + 6);
	tokens_close(&f);
}

/* Draws one and the same token first. */
static enum seal_status draw_same(const void *arg, const struct token_item *item, struct arena *arena,
				  struct seal_bytes *token, struct seal_err *err)
{
	bool *drawn = (bool *)arg;

	if (*drawn)
		return draw_digits(NULL, item, arena, token, err);
	*drawn = true;
	*token = BYTES_LIT("1255555555");
	return SEAL_OK;
}

/*
 * Somebody puts the old fingerprint of a purged token back, when the token stands for another value by now: a renewal refuses it. And
 * of a group without end nobody counts how many are taken.
 */
static void old_fingerprint(void **state)
{
	bool drawn = false;
	struct token_terms terms = {.convergent = true, .ttl_ms = 1000, .draw = draw_same, .arg = &drawn};
	struct token_item first = digits_item("1234567890"), second = digits_item("1200000000"),
			  third = digits_item("1211111111");
	struct seal_bytes key = BYTES_EMPTY, row = BYTES_EMPTY;
	struct token_record record = {.shaped = true};
	uint8_t group[TOKEN_GROUP_LEN];
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	first.room = second.room = third.room = UINT64_MAX;
	first = protect_one(&f, f.tokens, &terms, first);
	for (size_t i = 0; i < 3 && (key.len < 10 || key.ptr[TOKEN_GENERATION_LEN] != TOKEN_ROW_FINGERPRINT); i++)
		row = fake_store_row(f.store, TOKENS_SPACE, i, &key);
	key = arena_copy(&f.arena, key);
	row = arena_copy(&f.arena, row);
	record.item = token_item(&first);
	assert_int_equal(token_group_hash(first.place, first.group, group, NULL), SEAL_OK);
	record.item.group = bytes_of(group, sizeof(group));
	assert_int_equal(removes(&f, &record), 1);
	drawn = false;
	second = protect_one(&f, f.tokens, &terms, second);
	assert_true(bytes_eq(second.token, first.token));
	drawn = false;
	protect_one(&f, f.tokens, &terms, third); /* meets the second's */
	assert_int_equal(atomic_load(&fake_store_control(f.store)->counts), 0);
	fake_store_put(f.store, TOKENS_SPACE, key, row);
	unix_ms += 800;
	assert_int_equal(protect_with(&f, f.tokens, &terms, &first, 1), SEAL_OK);
	assert_int_equal(first.err->code, SEAL_E_TAMPERED);
	assert_null(first.token.ptr);
	tokens_close(&f);
}

#define LOT 200
#define CROWD_ROOM 10000

/* Fills a group until none goes in; returns how many tokens there are. */
static size_t fill(struct tokens_fixture *f, bool rekey_half_way)
{
	struct token_item items[LOT];
	size_t given = 0, before;

	do {
		before = given;
		for (size_t i = 0; i < LOT; i++)
			items[i] = digits_item("121234");
		if (protect_with(f, f->tokens, &digit_terms, items, LOT) != SEAL_OK)
			fail_msg("%s", f->err.text);
		for (size_t i = 0; i < LOT; i++)
			given += items[i].err == NULL;
		if (rekey_half_way && before < CROWD_ROOM / 4 && given >= CROWD_ROOM / 4)
			rekey_step(f, rekey_begins);
		arena_reset(&f->arena);
	} while (given > before);
	return given;
}

/* Taken tokens are met all the time, and the group is not counted each time; yet it fills to its half, of both generations. */
static void crowded(void **state)
{
	for (int rekeys = 0; rekeys < 2; rekeys++) {
		struct tokens_fixture f;

		tokens_open(&f, (struct data_keys_options){0});
		assert_in_range(fill(&f, rekeys), CROWD_ROOM / 2, CROWD_ROOM / 2 + CROWD_ROOM / 20);
		assert_in_range(atomic_load(&fake_store_control(f.store)->counts), 10, 300);
		tokens_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewed_in_a_rekey),
		cmocka_unit_test(replaced_in_a_rekey),
		cmocka_unit_test(imported_in_a_rekey),
		cmocka_unit_test(renewed_before_it_is_purged),
		cmocka_unit_test(renewed_while_it_is_removed),
		cmocka_unit_test(copied_while_it_is_removed),
		cmocka_unit_test(renewed_copies),
		cmocka_unit_test(dies_before_it_erases),
		cmocka_unit_test(walked_in_a_rekey),
		cmocka_unit_test(imported_too_late),
		cmocka_unit_test(uses_are_counted),
		cmocka_unit_test(old_fingerprint),
		cmocka_unit_test(crowded),
	};

	return cmocka_run_group_tests_name("tokens_races", tests, NULL, NULL);
}
