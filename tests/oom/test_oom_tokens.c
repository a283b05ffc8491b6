/* tokens: every allocation may fail; the store stays whole, and the next call works. */
#include "../unit/tokens_fixture.h"
#include "oom.h"

enum { ITEMS = 3 };

static const struct token_terms renewed = {.convergent = true, .ttl_ms = 1000};

static void fill(struct token_item *items, bool shaped)
{
	for (int i = 0; i < ITEMS; i++)
		items[i] = shaped ? digits_item(&"01234567890123456789"[i]) : value_item(&"0123456"[i]);
}

static enum seal_status all(const struct token_item *items, enum seal_status rc, struct seal_err *err)
{
	for (int i = 0; rc == SEAL_OK && i < ITEMS; i++)
		if (items[i].err != NULL)
			rc = err_set(err, items[i].err->status, items[i].err->code, "%s", items[i].err->text);
	return rc;
}

/* There and back. */
static enum seal_status round_trip(struct tokens_fixture *f, struct tokens *tokens, const struct token_terms *terms,
				   struct seal_err *err)
{
	struct token_item items[ITEMS];
	enum seal_status rc;

	fill(items, terms->draw != NULL);
	SEAL_TRY(all(items, tokens_protect(tokens, &f->session.base, terms, items, ITEMS, &f->call, err), err));
	for (int i = 0; i < ITEMS; i++)
		items[i] = token_item(&items[i]);
	SEAL_TRY(all(items, tokens_reveal(tokens, &f->session.base, items, ITEMS, &f->call, err), err));
out:
	return rc;
}

/* All that there is: taken out and put in again. */
static enum seal_status out_and_in(struct tokens_fixture *f, struct tokens *tokens, struct seal_err *err)
{
	struct seal_bytes cursor = BYTES_EMPTY;
	struct token_record *records;
	uint64_t bad = 0, count;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(tokens_walk(tokens, &f->session.base, &cursor, 100, &records, &n, &bad, &f->call, err));
	assert_int_equal(bad, 0);
	SEAL_TRY(tokens_remove(tokens, &f->session.base, records, n, &count, &f->call, err));
	SEAL_TRY(tokens_import(tokens, &f->session.base, records, n, &count, &f->call, err));
	for (size_t i = 0; i < n && rc == SEAL_OK; i++)
		if (records[i].item.err != NULL)
			rc = err_set(err, records[i].item.err->status, records[i].item.err->code, "%s",
				     records[i].item.err->text);
out:
	return rc;
}

static enum seal_status all_of_it(struct tokens_fixture *f, struct tokens *tokens, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(round_trip(f, tokens, &text_terms, err));
	SEAL_TRY(round_trip(f, tokens, &convergent_digit_terms, err));
	SEAL_TRY(round_trip(f, tokens, &renewed, err));
	unix_ms += 800;
	SEAL_TRY(round_trip(f, tokens, &renewed, err)); /* renewed */
	unix_ms += 5000;
	SEAL_TRY(round_trip(f, tokens, &renewed, err)); /* replaced */
	SEAL_TRY(out_and_in(f, tokens, err));
out:
	return rc;
}

static enum seal_status run(void *arg, struct seal_err *err)
{
	struct data_keys_options options = {0};
	struct tokens_fixture *f = arg;
	struct store *store = f->store;
	struct tokens *tokens = NULL;
	enum seal_status rc;

	f->store = fake_store_new();
	arena_init(&f->arena, 0);
	SEAL_TRY(tokens_new(f->store, &token_scope, &options, &tokens, err));
	rc = all_of_it(f, tokens, err);
	if (rc != SEAL_OK) {
		mem_set_hook(NULL, NULL);
		assert_int_equal(all_of_it(f, tokens, NULL), SEAL_OK);
	}
out:
	tokens_free(tokens);
	fake_store_free(f->store);
	f->store = store;
	arena_clear(&f->arena);
	return rc;
}

static void tokens(void **state)
{
	struct tokens_fixture f;

	tokens_open(&f, (struct data_keys_options){0});
	assert_true(oom_each(run, &f) > 60);
	tokens_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tokens)};

	return cmocka_run_group_tests_name("oom_tokens", tests, NULL, NULL);
}
