/* tokens: looked up, walked, removed, imported; and all of it, protect and reveal too, while a rekey leaves a generation. */
#include "tokens_fixture.h"

static size_t rows(struct tokens_fixture *f)
{
	return fake_store_count(f->store, TOKENS_SPACE);
}

static void fine(struct tokens_fixture *f, enum seal_status rc)
{
	if (rc != SEAL_OK)
		fail_msg("%s", f->err.text);
}

static const struct token_terms noted_terms = {
	.convergent = true, .ttl_ms = 1000, .metadata = "purpose=billing,team=a"};

static void looked_up(void **state)
{
	struct token_record records[4];
	struct token_item text, digits;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	text = protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	digits = protect_one(&f, f.tokens, &digit_terms, digits_item("1234567890"));
	memset(records, 0, sizeof(records));
	records[0].item.token = records[2].item.token = text.token; /* no place, no kind */
	records[1].item = token_item(&digits);
	records[1].shaped = true;
	records[2].item.token.len--;
	records[3].item.token = BYTES_LIT("0123456789abcdef");
	unix_ms += 5000;
	fine(&f, tokens_lookup(f.other, &f.session.base, records, 4, &f.call, &f.err));
	assert_null(records[0].item.err);
	assert_true(bytes_eq_str(records[0].item.value, "v"));
	assert_true(bytes_eq_str(records[0].item.place, "p"));
	assert_true(bytes_eq_str(records[0].metadata, noted_terms.metadata));
	assert_int_equal(records[0].created_ms, 1000000);
	assert_int_equal(records[0].expires_ms, 1001000); /* over, but there */
	assert_int_equal(records[0].item.kind, TOKEN_STRING);
	assert_true(records[0].convergent && !records[0].shaped && !records[0].left_over);
	assert_null(records[1].item.err);
	assert_true(bytes_eq_str(records[1].item.value, "1234567890"));
	assert_true(records[1].shaped && !records[1].convergent);
	assert_int_equal(records[1].item.group.len, TOKEN_GROUP_LEN);
	assert_int_equal(records[1].expires_ms, 0);
	assert_int_equal(records[2].item.err->code, SEAL_E_TOKEN_UNKNOWN);
	assert_int_equal(records[3].item.err->code, SEAL_E_TOKEN_UNKNOWN);
	tokens_close(&f);
}

/* All that a walk gives, `max` at a time; the test's arena keeps them. */
static size_t walk_all(struct tokens_fixture *f, struct tokens *tokens, size_t max, struct token_record *all,
		       size_t room, uint64_t *bad)
{
	struct seal_bytes cursor = BYTES_EMPTY;
	struct token_record *records;
	size_t n, count = 0;

	*bad = 0;
	do {
		fine(f, tokens_walk(tokens, &f->session.base, &cursor, max, &records, &n, bad, &f->call, &f->err));
		assert_in_range(n, 0, max);
		for (size_t i = 0; i < n; i++) {
			assert_in_range(count, 0, room - 1);
			all[count++] = records[i];
		}
	} while (n > 0);
	return count;
}

/* Flips a bit in the middle of each row of a letter; returns how many. */
static size_t damage(struct tokens_fixture *f, enum token_letter letter)
{
	size_t count = 0;

	for (size_t i = 0; i < rows(f); i++) {
		struct seal_bytes key, row = fake_store_row(f->store, TOKENS_SPACE, i, &key);

		if (key.len == sizeof(f->tokens->state_key) || key.ptr[TOKEN_GENERATION_LEN] != letter)
			continue;
		((uint8_t *)row.ptr)[row.len / 2] ^= 1;
		count++;
	}
	return count;
}

static void walked(void **state)
{
	const struct person_scope other_scope = {"other", "local", {(const uint8_t *)"pii", 3}};
	struct data_keys_options options = {0};
	struct token_record all[40];
	char values[10][4];
	struct tokens_fixture f;
	struct tokens *theirs;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	assert_int_equal(walk_all(&f, f.tokens, 3, all, 40, &bad), 0); /* an empty store */
	assert_int_equal(tokens_new(f.store, &other_scope, &options, &theirs, NULL), SEAL_OK);
	for (int i = 0; i < 10; i++) {
		snprintf(values[i], sizeof(values[i]), "v%d", i);
		protect_one(&f, f.tokens, &convergent_terms, value_item(values[i]));
		protect_one(&f, theirs, &convergent_terms, value_item(values[i]));
		protect_one(&f, f.tokens, &digit_terms, digits_item("1234567890"));
	}
	for (size_t max = 1; max < 23; max += 7) {
		unsigned seen[10] = {0}, digits = 0;

		assert_int_equal(walk_all(&f, f.other, max, all, 40, &bad), 20);
		assert_int_equal(bad, 0);
		for (int i = 0; i < 20; i++) {
			if (all[i].shaped)
				digits++;
			else
				seen[all[i].item.value.ptr[1] - '0']++;
		}
		for (int i = 0; i < 10; i++)
			assert_int_equal(seen[i], 1);
		assert_int_equal(digits, 10);
	}
	assert_int_equal(walk_all(&f, theirs, 100, all, 40, &bad), 10);
	assert_int_equal(damage(&f, TOKEN_ROW_TOKEN), 30);
	assert_int_equal(walk_all(&f, f.other, 3, all, 40, &bad), 0); /* lots of bad rows are not the end */
	assert_int_equal(bad, 20);
	tokens_free(theirs);
	tokens_close(&f);
}

/* A row whose key no token has, behind that of one which is there: who may write to the store can put it there. */
static void put_foreign_row(struct tokens_fixture *f)
{
	uint8_t long_key[TOKEN_KEY_MAX + 1] = {0};
	struct seal_bytes key;
	size_t i = 0;

	do
		fake_store_row(f->store, TOKENS_SPACE, i++, &key);
	while (key.len != TOKEN_KEY_MAX || key.ptr[TOKEN_GENERATION_LEN] != TOKEN_ROW_TOKEN);
	memcpy(long_key, key.ptr, key.len);
	fake_store_put(f->store, TOKENS_SPACE, bytes_of(long_key, sizeof(long_key)), BYTES_LIT("none of ours"));
}

static void walked_past_a_foreign_row(void **state)
{
	struct token_record all[10];
	struct tokens_fixture f;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, &text_terms, value_item("v0"));
	put_foreign_row(&f);
	for (size_t max = 1; max < 4; max++) {
		assert_int_equal(walk_all(&f, f.other, max, all, 10, &bad), 1);
		assert_int_equal(bad, 1);
	}
	tokens_close(&f);
}

static uint64_t remove_records(struct tokens_fixture *f, struct tokens *tokens, const struct token_record *records,
			       size_t n)
{
	uint64_t removed;

	fine(f, tokens_remove(tokens, &f->session.base, records, n, &removed, &f->call, &f->err));
	return removed;
}

static struct token_record record_of(const struct token_item *item)
{
	return (struct token_record){.item = {.token = item->token}};
}

static void removed(void **state)
{
	struct token_record all[10], records[3];
	struct token_item one, two, digits;
	struct tokens_fixture f;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	records[0] = (struct token_record){.item = {.token = BYTES_LIT("0123456789abcdef")}};
	assert_int_equal(remove_records(&f, f.tokens, records, 1), 0);
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	two = protect_one(&f, f.tokens, &convergent_terms, value_item("2"));
	digits = protect_one(&f, f.tokens, &convergent_digit_terms, digits_item("1234567890"));
	assert_int_equal(rows(&f), 1 + 6);
	records[0] = records[1] = record_of(&one); /* twice */
	records[2] = (struct token_record){.item = {.token = BYTES_LIT("0123456789abcdef")}};
	assert_int_equal(remove_records(&f, f.other, records, 3), 1);
	assert_int_equal(rows(&f), 1 + 4);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), ""), SEAL_E_TOKEN_UNKNOWN);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&two), "2"), SEAL_E_NONE);
	/* the value gets another one */
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	assert_int_equal(reveal_one(&f, f.other, token_item(&one), "1"), SEAL_E_NONE);
	/* as a purge does it */
	assert_int_equal(walk_all(&f, f.tokens, 10, all, 10, &bad), 3);
	assert_int_equal(remove_records(&f, f.tokens, all, 3), 3);
	assert_int_equal(rows(&f), 1);
	assert_int_equal(remove_records(&f, f.tokens, all, 3), 0);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&digits), ""), SEAL_E_TOKEN_UNKNOWN);
	tokens_close(&f);
}

/* What has expired is purged; the token that came in its place stays, and stays convergent. */
static void purged(void **state)
{
	struct token_item old, new_one, again;
	struct token_record record;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	old = protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	unix_ms += 2000;
	new_one = protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	record = record_of(&old);
	assert_int_equal(remove_records(&f, f.tokens, &record, 1), 1);
	again = protect_one(&f, f.other, &noted_terms, value_item("v"));
	assert_true(bytes_eq(again.token, new_one.token));
	assert_int_equal(rows(&f), 1 + 2);
	tokens_close(&f);
}

static uint64_t import_records(struct tokens_fixture *f, struct tokens *tokens, struct token_record *records,
			       size_t n)
{
	uint64_t added;

	fine(f, tokens_import(tokens, &f->session.base, records, n, &added, &f->call, &f->err));
	return added;
}

static void imported(void **state)
{
	struct token_record all[10];
	struct token_item text, digits, again;
	struct tokens_fixture f, to;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	tokens_open(&to, (struct data_keys_options){0});
	text = protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	digits = protect_one(&f, f.tokens, &convergent_digit_terms, digits_item("1234567890"));
	assert_int_equal(walk_all(&f, f.tokens, 10, all, 10, &bad), 2);
	assert_int_equal(import_records(&to, to.tokens, all, 2), 2);
	assert_int_equal(reveal_one(&to, to.other, token_item(&text), "v"), SEAL_E_NONE);
	assert_int_equal(reveal_one(&to, to.other, token_item(&digits), "1234567890"), SEAL_E_NONE);
	again = protect_one(&to, to.tokens, &noted_terms, value_item("v"));
	assert_true(bytes_eq(again.token, text.token));
	again = protect_one(&to, to.tokens, &convergent_digit_terms, digits_item("1234567890"));
	assert_true(bytes_eq(again.token, digits.token));
	assert_int_equal(import_records(&to, to.tokens, all, 2), 0); /* here already */
	assert_true(all[0].item.err == NULL && all[1].item.err == NULL);
	assert_int_equal(walk_all(&to, to.tokens, 10, all, 10, &bad), 2);
	for (int i = 0; i < 2; i++)
		if (!all[i].shaped) {
			assert_int_equal(all[i].expires_ms, 1001000);
			assert_true(bytes_eq_str(all[i].metadata, noted_terms.metadata));
		}
	assert_int_equal(rows(&to), 1 + 4);
	tokens_close(&to);
	tokens_close(&f);
}

/* What has expired and was replaced comes along, in any order, and takes nobody's fingerprint. */
static void imported_expired(void **state)
{
	struct token_record all[10];
	struct tokens_fixture f;
	struct token_item item;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	unix_ms += 2000;
	item = protect_one(&f, f.tokens, &noted_terms, value_item("v"));
	assert_int_equal(walk_all(&f, f.tokens, 10, all, 10, &bad), 2);
	assert_int_equal(all[0].convergent + all[1].convergent, 1);
	for (int first = 0; first < 2; first++) {
		struct token_record in[2] = {all[first], all[!first]};
		struct tokens_fixture to;
		struct token_item again;

		tokens_open(&to, (struct data_keys_options){0});
		protect_one(&to, to.tokens, &noted_terms, value_item("v")); /* expires in a moment */
		unix_ms += 3002000;
		in[0].expires_ms += in[0].expires_ms > 1002000 ? 3002000 : 0;
		in[1].expires_ms += in[1].expires_ms > 1002000 ? 3002000 : 0;
		assert_int_equal(import_records(&to, to.tokens, in, 2), 2);
		assert_true(in[0].item.err == NULL && in[1].item.err == NULL);
		again = protect_one(&to, to.other, &noted_terms, value_item("v"));
		assert_true(bytes_eq(again.token, item.token));
		assert_int_equal(rows(&to), 1 + 3 + 1);
		tokens_close(&to);
	}
	tokens_close(&f);
}

static void imported_conflicts(void **state)
{
	struct token_record r[7];
	struct token_item here;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	here = protect_one(&f, f.tokens, &convergent_terms, value_item("v"));
	for (int i = 0; i < 7; i++)
		r[i] = (struct token_record){.item = value_item("w"), .convergent = true};
	r[0].item.token = here.token; /* here for another value */
	r[1].item = value_item("v"); /* which has another token here */
	r[1].item.token = BYTES_LIT("0123456789abcdef");
	r[2].item.token = BYTES_LIT("too short");
	r[3].item.token = BYTES_LIT("fedcba9876543210"); /* fine */
	r[4].item.token = BYTES_LIT("fedcba9876543211"); /* the same value, another token */
	r[5].item.value = BYTES_LIT("x");
	r[5].item.token = BYTES_LIT("fedcba9876543210"); /* the same token, another value */
	r[6].shaped = true; /* of no group */
	r[6].item.token = BYTES_LIT("123");
	assert_int_equal(import_records(&f, f.other, r, 7), 1);
	assert_int_equal(r[0].item.err->code, SEAL_E_PROTECTED);
	assert_int_equal(r[1].item.err->code, SEAL_E_PROTECTED);
	assert_int_equal(r[2].item.err->code, SEAL_E_SYNTAX);
	assert_int_equal((r[3].item.err == NULL) + (r[4].item.err == NULL) + (r[5].item.err == NULL), 1);
	assert_int_equal(r[6].item.err->code, SEAL_E_SYNTAX);
	assert_int_equal(rows(&f), 1 + 2 + 2);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&here), "v"), SEAL_E_NONE);
	tokens_close(&f);
}

/* Rekeys ------------------------------------------------------------------------------------------------------------ */

/* Removes a token's rows from the old generation, and imports it into the new one. */
static void move(struct tokens_fixture *f, struct token_record record)
{
	struct tokens *rekeyer = tokens_of(f, (struct data_keys_options){0});

	fine(f, tokens_lookup(rekeyer, &f->session.base, &record, 1, &f->call, &f->err));
	assert_null(record.item.err);
	assert_true(record.left_over);
	assert_int_equal(remove_records(f, rekeyer, &record, 1), 1);
	assert_int_equal(import_records(f, rekeyer, &record, 1), 1);
	tokens_free(rekeyer);
}

static void while_leaving(void **state)
{
	struct token_item one, two, three, again;
	struct token_record record, all[10];
	struct tokens_fixture f;
	unsigned left_over = 0;
	uint64_t bad;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	two = protect_one(&f, f.other, &convergent_terms, value_item("2"));
	rekey_step(&f, rekey_begins);
	/* what is left is found, by who knows of it and by who does not */
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	again = protect_one(&f, f.other, &convergent_terms, value_item("1"));
	assert_true(bytes_eq(one.token, again.token));
	/* new ones go to the new generation */
	three = protect_one(&f, f.tokens, &convergent_terms, value_item("3"));
	record = record_of(&three);
	fine(&f, tokens_lookup(f.other, &f.session.base, &record, 1, &f.call, &f.err));
	assert_false(record.left_over);
	move(&f, record_of(&one));
	again = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	assert_true(bytes_eq(one.token, again.token));
	assert_int_equal(walk_all(&f, f.tokens, 2, all, 10, &bad), 3);
	for (int i = 0; i < 3; i++)
		left_over += all[i].left_over;
	assert_int_equal(left_over, 1);
	assert_int_equal(rows(&f), 1 + 6);
	record = record_of(&two);
	assert_int_equal(remove_records(&f, f.other, &record, 1), 1);
	assert_int_equal(rows(&f), 1 + 4);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&two), ""), SEAL_E_TOKEN_UNKNOWN);
	rekey_step(&f, rekey_ends);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	assert_int_equal(reveal_one(&f, f.other, token_item(&three), "3"), SEAL_E_NONE);
	again = protect_one(&f, f.other, &convergent_terms, value_item("1"));
	assert_true(bytes_eq(one.token, again.token));
	tokens_close(&f);
}

/* Who slept through a whole rekey neither misses tokens nor writes to the generation that is gone. */
static void slept_through(void **state)
{
	struct token_item one, two, again, text;
	struct tokens_fixture f;
	size_t keys;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	rekey_step(&f, rekey_begins);
	move(&f, record_of(&one));
	rekey_step(&f, rekey_ends);
	keys = fake_store_count(f.store, STORE_KEYS_SPACE);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	tokens_free(f.tokens);
	f.tokens = tokens_of(&f, (struct data_keys_options){0});
	two = protect_one(&f, f.tokens, &convergent_terms, value_item("2"));
	rekey_step(&f, rekey_begins);
	move(&f, record_of(&one));
	move(&f, record_of(&two));
	rekey_step(&f, rekey_ends);
	again = protect_one(&f, f.tokens, &convergent_terms, value_item("2")); /* by generation 2, as it thinks */
	assert_true(bytes_eq(two.token, again.token));
	rekey_step(&f, rekey_begins);
	text = protect_one(&f, f.tokens, &text_terms, value_item("t")); /* the guard fails */
	assert_int_equal(reveal_one(&f, f.other, token_item(&text), "t"), SEAL_E_NONE);
	assert_int_equal(reveal_one(&f, f.other, token_item(&one), "1"), SEAL_E_NONE);
	assert_int_equal(f.tokens->state.current, 4);
	assert_int_equal(f.tokens->state.leaving, 3);
	/* two generations more, and three rows for each: nobody made keys for one that is gone */
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), keys + 2 * 3);
	tokens_close(&f);
}

/* A process that has forgotten the names, and slept through a rekey whose old keys are gone. */
static uint64_t age_ms;

static uint64_t age_clock(void)
{
	return age_ms;
}

static void forgot_the_names(void **state)
{
	struct tokens_fixture f;
	struct token_item one;
	struct seal_bytes key;
	size_t before;

	age_ms = 1000;
	key_cache_test_clock(age_clock);
	tokens_open(&f, (struct data_keys_options){.max_age_ms = 1000});
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	before = fake_store_count(f.store, STORE_KEYS_SPACE);
	rekey_step(&f, rekey_begins);
	move(&f, record_of(&one));
	rekey_step(&f, rekey_ends);
	for (size_t i = 0; i < fake_store_count(f.store, STORE_KEYS_SPACE);) {
		fake_store_row(f.store, STORE_KEYS_SPACE, i, &key);
		if (memcmp(key.ptr, store_keys_scope(f.tokens->held[CURRENT]->keys), ROW_ID_LEN) == 0)
			fake_store_remove(f.store, STORE_KEYS_SPACE, key);
		else
			i++;
	}
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), before);
	age_ms += 5000;
	assert_int_equal(f.tokens->state.current, 1);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	assert_int_equal(f.tokens->state.current, 2);
	assert_int_equal(fake_store_count(f.store, STORE_KEYS_SPACE), before);
	tokens_close(&f);
	key_cache_test_clock(NULL);
}

/* The rekey begins between the look for fingerprints and the insertion. */
static void begin_now(void *arg)
{
	rekey_step(arg, rekey_begins);
}

static void begun_meanwhile(void **state)
{
	const struct token_terms *terms[] = {&text_terms, &convergent_terms, &digit_terms, &convergent_digit_terms};

	for (int i = 0; i < 4; i++) {
		struct fake_store_control *control;
		struct token_record record = {0};
		struct token_item item;
		struct tokens_fixture f;

		tokens_open(&f, (struct data_keys_options){0});
		control = fake_store_control(f.store);
		protect_one(&f, f.tokens, &text_terms, value_item("begun"));
		control->rival = begin_now;
		control->rival_arg = &f;
		atomic_store(&control->before_insert, 1);
		item = protect_one(&f, f.tokens, terms[i],
				   terms[i]->draw != NULL ? digits_item("1234567890") : value_item("1234567890"));
		record.item = token_item(&item);
		record.shaped = terms[i]->draw != NULL;
		fine(&f, tokens_lookup(f.other, &f.session.base, &record, 1, &f.call, &f.err));
		assert_null(record.item.err);
		assert_false(record.left_over);
		assert_int_equal(rows(&f), 1 + 1 + (terms[i]->convergent ? 2 : 1));
		tokens_close(&f);
	}
}

/* Not before this insertion: before the next one. */
static void begin_next(void *arg)
{
	struct tokens_fixture *f = arg;
	struct fake_store_control *control = fake_store_control(f->store);

	control->rival = begin_now;
	atomic_store(&control->before_insert, 1);
}

/* Between a shaped token and its fingerprint: no token is left that nobody carries. */
static void begun_between(void **state)
{
	struct fake_store_control *control;
	struct token_item item;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	protect_one(&f, f.tokens, &text_terms, value_item("begun"));
	protect_one(&f, f.tokens, &text_terms, value_item("uses"));
	control->rival = begin_next;
	control->rival_arg = &f;
	atomic_store(&control->before_insert, 1);
	item = protect_one(&f, f.tokens, &convergent_digit_terms, digits_item("1234567890"));
	assert_int_equal(f.tokens->state.current, 2);
	assert_int_equal(reveal_one(&f, f.other, token_item(&item), "1234567890"), SEAL_E_NONE);
	assert_int_equal(rows(&f), 1 + 2 + 2);
	tokens_close(&f);
}

/* Draws what it is told to, then at random. */
static _Thread_local struct seal_bytes drawn_next;

static enum seal_status draw_told(const void *arg, const struct token_item *item, struct arena *arena,
				  struct seal_bytes *token, struct seal_err *err)
{
	if (drawn_next.len == 0)
		return draw_digits(arg, item, arena, token, err);
	*token = drawn_next;
	drawn_next = BYTES_EMPTY;
	return SEAL_OK;
}

/* A shaped token that the old generation has is not given out again under the new one. */
static void taken_in_old(void **state)
{
	const struct token_terms terms = {.draw = draw_told};
	struct token_item one, two;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &terms, digits_item("1234567890"));
	drawn_next = one.token;
	two = protect_one(&f, f.tokens, &terms, digits_item("1299999999"));
	assert_int_equal(drawn_next.len, 0);
	assert_false(bytes_eq(one.token, two.token));
	rekey_step(&f, rekey_begins);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1234567890"), SEAL_E_NONE);
	assert_int_equal(f.tokens->state.leaving, 1); /* so the draw is not for a call that begins again */
	drawn_next = one.token;
	two = protect_one(&f, f.tokens, &terms, digits_item("1288888888"));
	assert_int_equal(drawn_next.len, 0);
	assert_false(bytes_eq(one.token, two.token));
	assert_int_equal(reveal_one(&f, f.other, token_item(&one), "1234567890"), SEAL_E_NONE);
	tokens_close(&f);
}

/* Renewal and expiry reach into the generation that is being left. */
static void times_while_leaving(void **state)
{
	struct token_item one, again;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &noted_terms, value_item("1"));
	rekey_step(&f, rekey_begins);
	unix_ms += 800;
	again = protect_one(&f, f.other, &noted_terms, value_item("1"));
	assert_true(bytes_eq(one.token, again.token));
	unix_ms += 900;
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	assert_int_equal(rows(&f), 1 + 2);
	unix_ms += 200;
	again = protect_one(&f, f.other, &noted_terms, value_item("1"));
	assert_false(bytes_eq(one.token, again.token));
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), ""), SEAL_E_TOKEN_EXPIRED);
	one = protect_one(&f, f.tokens, &noted_terms, value_item("1"));
	assert_true(bytes_eq(one.token, again.token));
	tokens_close(&f);
}

/* A damaged row fails its items, and only these; a damaged fingerprint lets no second token come. */
static void damaged(void **state)
{
	struct token_item one, item;
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	one = protect_one(&f, f.tokens, &convergent_terms, value_item("1"));
	damage(&f, TOKEN_ROW_FINGERPRINT);
	item = value_item("1");
	assert_int_equal(protect_with(&f, f.tokens, &convergent_terms, &item, 1), SEAL_OK);
	assert_int_equal(item.err->code, SEAL_E_TAMPERED);
	assert_null(item.token.ptr);
	assert_int_equal(rows(&f), 1 + 2);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), "1"), SEAL_E_NONE);
	damage(&f, TOKEN_ROW_TOKEN);
	assert_int_equal(reveal_one(&f, f.tokens, token_item(&one), ""), SEAL_E_TAMPERED);
	tokens_close(&f);
}

/* A fingerprint whose token was taken away behind everybody's back: renewing it fails its item, not the stream. */
static void lost_token(void **state)
{
	struct tokens_fixture f;
	struct token_item item = value_item("1");

	tokens_open(&f, (struct data_keys_options){0});
	protect_one(&f, f.tokens, &noted_terms, item);
	for (size_t i = 0; i < rows(&f); i++) {
		struct seal_bytes key;

		fake_store_row(f.store, TOKENS_SPACE, i, &key);
		if (key.len == TOKEN_KEY_MAX) {
			fake_store_remove(f.store, TOKENS_SPACE, key);
			break;
		}
	}
	assert_int_equal(rows(&f), 2);
	unix_ms += 800;
	assert_int_equal(protect_with(&f, f.tokens, &noted_terms, &item, 1), SEAL_OK);
	assert_int_equal(item.err->code, SEAL_E_TAMPERED);
	tokens_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looked_up),
		cmocka_unit_test(walked),
		cmocka_unit_test(walked_past_a_foreign_row),
		cmocka_unit_test(removed),
		cmocka_unit_test(purged),
		cmocka_unit_test(imported),
		cmocka_unit_test(imported_conflicts),
		cmocka_unit_test(while_leaving),
		cmocka_unit_test(slept_through),
		cmocka_unit_test(begun_meanwhile),
		cmocka_unit_test(begun_between),
		cmocka_unit_test(taken_in_old),
		cmocka_unit_test(times_while_leaving),
		cmocka_unit_test(imported_expired),
		cmocka_unit_test(forgot_the_names),
		cmocka_unit_test(damaged),
		cmocka_unit_test(lost_token),
	};

	return cmocka_run_group_tests_name("tokens_care", tests, NULL, NULL);
}
