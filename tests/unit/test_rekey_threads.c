/* rekey, by two threads at once, while others protect, reveal and renew: nothing is lost, and equal values stay equal. */
#include <pthread.h>

#include "tokens_fixture.h"

#define VALUES 60
#define WORKERS 3
#define REKEYS 3

struct shared {
	struct tokens_fixture f;
	uint8_t tokens[VALUES][TOKEN_LEN]; /* the convergent token of each value */
	atomic_int rekeying; /* threads that still rekey */
};

static void value_of(size_t i, char text[16])
{
	snprintf(text, 16, "value-%zu", i);
}

/* What a thread needs of its own. */
struct worker {
	struct shared *shared;
	struct fake_kek_session session;
	struct arena arena;
	struct key_call call;
};

static void worker_open(struct worker *w, struct shared *shared)
{
	*w = (struct worker){.shared = shared, .session = fake_kek_session(&shared->f.kek)};
	arena_init(&w->arena, 1 << 20);
	w->call = (struct key_call){.arena = &w->arena, .deadline_ms = DEADLINE_NONE};
}

static void *rekey(void *arg)
{
	struct shared *shared = arg;
	struct tokens *tokens = tokens_of(&shared->f, (struct data_keys_options){0});
	struct worker w;
	bool resumed, done;
	uint64_t moved;

	worker_open(&w, shared);
	for (int i = 0; i < REKEYS; i++) {
		SEAL_INVARIANT(tokens_rekey_begin(tokens, &w.session.base, &resumed, &w.call, NULL) == SEAL_OK);
		for (done = false; !done;) {
			SEAL_INVARIANT(tokens_rekey_step(tokens, &w.session.base, 7, &moved, &done, &w.call, NULL) ==
				       SEAL_OK);
			arena_reset(&w.arena);
		}
	}
	tokens_free(tokens);
	arena_clear(&w.arena);
	atomic_fetch_sub(&shared->rekeying, 1);
	return NULL;
}

/* All values again, then all tokens, then one new value there and back. */
static void round_of(struct worker *w, struct tokens *tokens)
{
	static const struct token_terms renewing = {.convergent = true, .ttl_ms = 2000000};
	struct token_item items[VALUES], one = value_item("new");
	char texts[VALUES][16];

	for (size_t i = 0; i < VALUES; i++) {
		value_of(i, texts[i]);
		items[i] = value_item(texts[i]);
	}
	SEAL_INVARIANT(tokens_protect(tokens, &w->session.base, &renewing, items, VALUES, &w->call, NULL) == SEAL_OK);
	for (size_t i = 0; i < VALUES; i++) {
		SEAL_INVARIANT(items[i].err == NULL &&
			       bytes_eq(items[i].token, bytes_of(w->shared->tokens[i], TOKEN_LEN)));
		items[i] = token_item(&items[i]);
	}
	SEAL_INVARIANT(tokens_reveal(tokens, &w->session.base, items, VALUES, &w->call, NULL) == SEAL_OK);
	for (size_t i = 0; i < VALUES; i++)
		SEAL_INVARIANT(items[i].err == NULL && bytes_eq_str(items[i].value, texts[i]));
	SEAL_INVARIANT(tokens_protect(tokens, &w->session.base, &text_terms, &one, 1, &w->call, NULL) == SEAL_OK);
	one = token_item(&one);
	SEAL_INVARIANT(tokens_reveal(tokens, &w->session.base, &one, 1, &w->call, NULL) == SEAL_OK);
	SEAL_INVARIANT(one.err == NULL && bytes_eq_str(one.value, "new"));
	arena_reset(&w->arena);
}

static void *work(void *arg)
{
	struct shared *shared = arg;
	struct worker w;

	worker_open(&w, shared);
	do
		round_of(&w, shared->f.tokens);
	while (atomic_load(&shared->rekeying) > 0);
	round_of(&w, shared->f.other);
	arena_clear(&w.arena);
	return NULL;
}

static void at_once(void **state)
{
	static const struct token_terms terms = {.convergent = true, .ttl_ms = 1500000};
	static struct shared shared;
	pthread_t threads[WORKERS + 2];
	char text[16];

	tokens_open(&shared.f, (struct data_keys_options){0});
	for (size_t i = 0; i < VALUES; i++) {
		value_of(i, text);
		memcpy(shared.tokens[i], protect_one(&shared.f, shared.f.tokens, &terms, value_item(text)).token.ptr,
		       TOKEN_LEN);
	}
	unix_ms += 800000; /* 700,000 are left, less than half of what the workers give: they renew */
	atomic_store(&shared.rekeying, 2);
	for (size_t i = 0; i < WORKERS + 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? rekey : work, &shared), 0);
	for (size_t i = 0; i < WORKERS + 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	tokens_close(&shared.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(at_once)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
