/* Tokens over a fake KEK and a store in memory; `other` is a second process with the same store. */
#ifndef TESTS_TOKENS_FIXTURE_H
#define TESTS_TOKENS_FIXTURE_H

#include "data_keys_fixture.h"
#include "crypto/random.h"
#include "fake_store.h"
#include "tokens/work.h"

struct tokens_fixture {
	struct fake_kek kek;
	struct fake_kek_session session;
	struct store *store;
	struct tokens *tokens, *other;
	struct arena arena;
	struct key_call call;
	struct seal_err err;
};

static const struct person_scope token_scope = {"shop", "local", {(const uint8_t *)"pii", 3}};

/* What the tests say it is, since 1970. */
static uint64_t unix_ms;

static inline uint64_t unix_clock(void)
{
	return unix_ms;
}

static inline struct tokens *tokens_of(struct tokens_fixture *f, struct data_keys_options options)
{
	struct tokens *tokens = NULL;

	assert_int_equal(tokens_new(f->store, &token_scope, &options, &tokens, NULL), SEAL_OK);
	return tokens;
}

static inline void tokens_open(struct tokens_fixture *f, struct data_keys_options options)
{
	*f = (struct tokens_fixture){.kek = FAKE_KEK_INIT};
	f->session = fake_kek_session(&f->kek);
	f->store = fake_store_new();
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = DEADLINE_NONE};
	unix_ms = 1000000;
	tokens_test_clock(unix_clock);
	f->tokens = tokens_of(f, options);
	f->other = tokens_of(f, options);
}

static inline void tokens_close(struct tokens_fixture *f)
{
	tokens_free(f->tokens);
	tokens_free(f->other);
	fake_store_free(f->store);
	arena_clear(&f->arena);
	tokens_test_clock(NULL);
}

/* A value of place "p". */
static inline struct token_item value_item(const char *value)
{
	return (struct token_item){.value = bytes_str(value), .place = BYTES_LIT("p"), .kind = TOKEN_STRING};
}

/* The same item on its way back. */
static inline struct token_item token_item(const struct token_item *from)
{
	return (struct token_item){.token = from->token,
				   .place = from->place,
				   .kind = from->kind,
				   .group = from->group,
				   .room = from->room};
}

static inline enum seal_status protect_with(struct tokens_fixture *f, struct tokens *tokens,
					    const struct token_terms *terms, struct token_item *items, size_t n)
{
	err_clear(&f->err);
	return tokens_protect(tokens, &f->session.base, terms, items, n, &f->call, &f->err);
}

static inline enum seal_status reveal_with(struct tokens_fixture *f, struct tokens *tokens, struct token_item *items,
					   size_t n)
{
	err_clear(&f->err);
	return tokens_reveal(tokens, &f->session.base, items, n, &f->call, &f->err);
}

/* One value's token; fails the test where there is none. */
static inline struct token_item protect_one(struct tokens_fixture *f, struct tokens *tokens,
					    const struct token_terms *terms, struct token_item item)
{
	if (protect_with(f, tokens, terms, &item, 1) != SEAL_OK)
		fail_msg("%s", f->err.text);
	if (item.err != NULL)
		fail_msg("%s", item.err->text);
	assert_non_null(item.token.ptr);
	return item;
}

/* What a token reveals: SEAL_E_NONE and `value`, or why not. */
static inline enum seal_code reveal_one(struct tokens_fixture *f, struct tokens *tokens, struct token_item item,
					const char *value)
{
	if (reveal_with(f, tokens, &item, 1) != SEAL_OK)
		fail_msg("%s", f->err.text);
	if (item.err != NULL) {
		assert_null(item.value.ptr);
		assert_int_equal(item.err->status, SEAL_DATA);
		return item.err->code;
	}
	assert_true(bytes_eq_str(item.value, value));
	return SEAL_E_NONE;
}

/* Digits, as many as the value has; the group keeps the first `KEPT`. */
#define KEPT 2

static inline enum seal_status draw_digits(const void *arg, const struct token_item *item, struct arena *arena,
					   struct seal_bytes *token, struct seal_err *err)
{
	uint8_t *digits = arena_alloc(arena, item->value.len, 1);
	enum seal_status rc;

	if (digits == NULL)
		return err_memory(err);
	do {
		SEAL_TRY(random_bytes(digits, item->value.len, err));
		for (size_t i = 0; i < item->value.len; i++)
			digits[i] = i < KEPT ? item->value.ptr[i] : (uint8_t)('0' + digits[i] % 10);
	} while (memcmp(digits, item->value.ptr, item->value.len) == 0);
	*token = bytes_of(digits, item->value.len);
out:
	return rc;
}

static inline struct token_item digits_item(const char *value)
{
	struct token_item item = value_item(value);

	item.group = bytes_of(value, KEPT);
	item.room = 1;
	for (size_t i = KEPT; i < strlen(value); i++)
		item.room *= 10;
	return item;
}

/* A generation more, as a rekey begins it. */
static inline enum seal_status rekey_begins(struct token_work *w, void *arg, struct seal_err *err)
{
	struct generation *next = NULL;
	struct hmac *names = NULL;
	struct token_state to;
	enum seal_status rc;
	bool changed, swapped;

	SEAL_TRY(token_work_look(w, &changed, err));
	to = (struct token_state){w->state.current + 1, w->state.current};
	SEAL_TRY(generation_take(w->tokens, to.current, &next, err));
	SEAL_TRY(store_keys_pepper(next->keys, &w->use, true, &names, err));
	SEAL_TRY(token_state_swap(w, &w->state, &to, &swapped, err));
	assert_true(swapped);
out:
	hmac_free(names);
	generation_give(w->tokens, next);
	return rc;
}

/* The end of one: nothing is left in the old generation. */
static inline enum seal_status rekey_ends(struct token_work *w, void *arg, struct seal_err *err)
{
	struct token_state to;
	enum seal_status rc;
	bool changed, swapped;

	SEAL_TRY(token_work_look(w, &changed, err));
	to = (struct token_state){w->state.current, 0};
	SEAL_TRY(token_state_swap(w, &w->state, &to, &swapped, err));
	assert_true(swapped);
out:
	return rc;
}

/* `tokens` is a process of its own, so that those of the fixture learn of it by themselves. */
static inline void rekey_step(struct tokens_fixture *f, token_step what)
{
	struct tokens *rekeyer = tokens_of(f, (struct data_keys_options){0});

	assert_int_equal(token_run(rekeyer, &f->session.base, &f->call, what, NULL, &f->err), SEAL_OK);
	tokens_free(rekeyer);
}

static const struct token_terms text_terms = {.convergent = false};
static const struct token_terms convergent_terms = {.convergent = true};
static const struct token_terms digit_terms = {.draw = draw_digits};
static const struct token_terms convergent_digit_terms = {.convergent = true, .draw = draw_digits};

#endif
