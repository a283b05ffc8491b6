/* tokens: threads of two processes protect the same values, while a rekey begins. Runs under ThreadSanitizer. */
#include "tokens_fixture.h"

enum { THREADS = 8, VALUES = 40, ROUNDS = 40, LOT = 10 };

struct worker {
	pthread_t thread;
	struct tokens_fixture *f;
	struct tokens *tokens;
	const struct token_terms *terms;
	unsigned seed;
	bool good;
};

/* What each value's first token was: all later ones must be that. */
static struct {
	pthread_mutex_t lock;
	size_t len[VALUES];
	uint8_t token[VALUES][TOKEN_LEN];
} first = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool same_as_first(unsigned value, struct seal_bytes token)
{
	bool same;

	if (token.len == 0 || token.len > TOKEN_LEN)
		return false;
	pthread_mutex_lock(&first.lock);
	if (first.len[value] == 0)
		memcpy(first.token[value], token.ptr, first.len[value] = token.len);
	same = bytes_eq(bytes_of(first.token[value], first.len[value]), token);
	pthread_mutex_unlock(&first.lock);
	return same;
}

static bool work_once(struct worker *w, struct key_session *session, const struct key_call *call)
{
	struct token_item items[LOT];
	unsigned which[LOT];
	char values[LOT][16];

	for (int i = 0; i < LOT; i++) {
		w->seed = w->seed * 1103515245 + 12345;
		which[i] = (w->seed >> 16) % VALUES;
		snprintf(values[i], sizeof(values[i]), "12345678%02u", which[i]);
		items[i] = w->terms->draw != NULL ? digits_item(values[i]) : value_item(values[i]);
	}
	if (tokens_protect(w->tokens, session, w->terms, items, LOT, call, NULL) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++) {
		if (items[i].err != NULL || !same_as_first(which[i], items[i].token))
			return false;
		items[i] = token_item(&items[i]);
	}
	if (tokens_reveal(w->tokens, session, items, LOT, call, NULL) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		if (items[i].err != NULL || !bytes_eq_str(items[i].value, values[i]))
			return false;
	return true;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct fake_kek_session session = fake_kek_session(&w->f->kek);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};

	arena_init(&arena, 1 << 16);
	w->good = true;
	for (int i = 0; w->good && i < ROUNDS; i++) {
		w->good = work_once(w, &session.base, &call);
		arena_reset(&arena);
	}
	arena_clear(&arena);
	return NULL;
}

static void two_processes(const struct token_terms *terms)
{
	struct worker workers[THREADS];
	struct tokens_fixture f;

	memset(first.len, 0, sizeof(first.len));
	tokens_open(&f, (struct data_keys_options){.readers = 8, .max_uses = 64});
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] =
			(struct worker){.f = &f, .tokens = i % 2 ? f.tokens : f.other, .terms = terms, .seed = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	while (fake_store_control(f.store)->inserts < 4) /* somebody has begun */
		sched_yield();
	rekey_step(&f, rekey_begins);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].good);
	}
	/* one token and one fingerprint for each value: nobody left one behind */
	assert_int_equal(fake_store_count(f.store, TOKENS_SPACE), 1 + 2 * VALUES);
	tokens_close(&f);
}

static void text(void **state)
{
	two_processes(&convergent_terms);
}

static void shaped(void **state)
{
	two_processes(&convergent_digit_terms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),
		cmocka_unit_test(shaped),
	};

	return cmocka_run_group_tests_name("tokens_threads", tests, NULL, NULL);
}
