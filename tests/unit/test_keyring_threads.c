/* keyring: threads share a key while it is rotated, counted out, configured and looked at. Runs under ThreadSanitizer. */
#include "keyring_fixture.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 60, LOT = 50, LIMIT = 700 };

struct worker {
	pthread_t thread;
	struct fixture *f;
	struct key *key;
	bool good;
};

static bool work_once(struct key_session *s, struct arena *arena)
{
	struct key_call call = {.arena = arena, .deadline_ms = DEADLINE_NONE};
	struct key_item items[LOT] = {0};

	for (int i = 0; i < LOT; i++)
		items[i].in = BYTES_LIT("threads");
	if (fixture_encrypt(s, items, LOT, &call) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		items[i].in = items[i].out;
	if (s->ops->decrypt(s, items, LOT, &call, NULL) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++)
		if (items[i].err != NULL || !bytes_eq_str(items[i].out, "threads"))
			return false;
	arena_reset(arena);
	return true;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct key_session *s = NULL;
	struct key_info info;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	w->good = w->key->ops->session(w->key, &s, NULL) == SEAL_OK;
	for (int i = 0; w->good && i < ROUNDS; i++)
		w->good = work_once(s, &arena) && w->key->ops->info(w->key, &info, NULL) == SEAL_OK &&
			  info.latest_version >= 1;
	if (s != NULL)
		s->ops->free(s);
	arena_clear(&arena);
	return NULL;
}

/* The same key objects for all threads, with a limit that makes them rotate it over and over. */
static void one_key(void **state)
{
	struct keyring_change limit = {.mask = KEYRING_SET_AUTO_ROTATE, .auto_rotate = LIMIT};
	struct worker workers[THREADS];
	struct keyring_key_info info;
	uint64_t total = 0;
	struct fixture f;
	struct key *key;

	fixture_open(&f);
	fixture_create(&f, "k", "aes256-gcm96");
	OK(&f, keyring_configure(f.keyring, BYTES_LIT("k"), &limit, &f.err));
	key = fixture_key(&f, "k");
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.key = key};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(fixture_rotate(f.keyring, NULL), SEAL_OK);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].good);
	}
	key->ops->free(key);
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	for (uint32_t i = 0; i < info.latest_version; i++) {
		assert_true(info.versions[i].uses <= LIMIT);
		total += info.versions[i].uses;
	}
	assert_true(total >= THREADS * ROUNDS * LOT); /* none uncounted */
	assert_true(info.latest_version >= THREADS * ROUNDS * LOT / LIMIT);
	fixture_close(&f);
}

static void *rotate_some(void *arg)
{
	struct worker *w = arg;

	w->good = true;
	for (int i = 0; w->good && i < 20; i++)
		w->good = fixture_rotate(w->f->keyring, NULL) == SEAL_OK;
	return NULL;
}

/* One keyring object, changed by several threads. */
static void one_keyring(void **state)
{
	struct worker workers[THREADS];
	struct keyring_key_info info;
	struct fixture f;

	fixture_open(&f);
	fixture_create(&f, "k", "hmac");
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = &f};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, rotate_some, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].good);
	}
	OK(&f, keyring_info(f.keyring, BYTES_LIT("k"), &f.arena, &info, &f.err));
	assert_int_equal(info.latest_version, 1 + THREADS * 20);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key),
		cmocka_unit_test(one_keyring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
