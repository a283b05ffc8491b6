/* data keys: one call of the KEK for all threads that want a key, its answer or its error for all. Runs under ThreadSanitizer. */
#include "data_keys_fixture.h"

enum { THREADS = 8 };

struct worker {
	pthread_t thread;
	struct data_keys_fixture *f;
	struct data_key_want want; /* a reader's; wrapped empty: a writer */
	uint64_t deadline_ms;
	enum seal_status rc;
	struct seal_err err;
	struct data_key *key;
	atomic_bool started;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct fake_kek_session session = fake_kek_session(&w->f->kek);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = w->deadline_ms};

	arena_init(&arena, 0);
	atomic_store(&w->started, true);
	if (w->want.wrapped.len == 0) {
		w->rc = data_keys_writer(w->f->keys, &session.base, 1, &call, &w->key, &w->err);
	} else {
		w->rc = data_keys_open(w->f->keys, &session.base, &w->want, 1, &call, &w->err);
		w->key = w->want.key;
	}
	arena_clear(&arena);
	return NULL;
}

static void start(struct worker *workers, size_t n, struct data_keys_fixture *f, const struct data_key *key)
{
	for (size_t i = 0; i < n; i++) {
		memset(&workers[i], 0, sizeof(workers[i]));
		workers[i].f = f;
		workers[i].deadline_ms = DEADLINE_NONE;
		if (key != NULL)
			workers[i].want = want_of(key);
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	fake_kek_await(&f->kek);
	for (size_t i = 0; i < n; i++)
		while (!atomic_load(&workers[i].started))
			sched_yield();
}

static void join(struct worker *workers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

/* All at once, reader and writer: one call, the same key for all. */
static void one_call(void **state)
{
	for (int writer = 0; writer <= 1; writer++) {
		struct worker workers[THREADS];
		struct data_keys_fixture f;
		struct data_key *key;

		fixture_open(&f, (struct data_keys_options){0});
		f.kek.gated = true;
		key = foreign_key(&f.kek, 1);
		start(workers, THREADS, &f, writer ? NULL : key);
		fake_kek_open(&f.kek);
		join(workers, THREADS);
		for (int i = 0; i < THREADS; i++) {
			assert_int_equal(workers[i].rc, SEAL_OK);
			assert_ptr_equal(workers[i].key, workers[0].key);
			data_key_unref(workers[i].key);
		}
		assert_int_equal(fake_kek_calls(&f.kek), 1);
		data_key_unref(key);
		fixture_close(&f);
	}
}

/* Those who wait get the error of who asked; a thread that comes later asks anew and hears the same. Nobody hangs. */
static void one_error(void **state)
{
	for (int writer = 0; writer <= 1; writer++) {
		struct worker workers[THREADS];
		struct data_keys_fixture f;
		struct data_key *key;

		fixture_open(&f, (struct data_keys_options){0});
		f.kek.gated = true;
		atomic_store(&f.kek.fail, SEAL_RETRY);
		key = foreign_key(&f.kek, 1);
		start(workers, THREADS, &f, writer ? NULL : key);
		fake_kek_open(&f.kek);
		join(workers, THREADS);
		for (int i = 0; i < THREADS; i++) {
			assert_int_equal(workers[i].rc, SEAL_RETRY);
			assert_int_equal(workers[i].err.code, SEAL_E_SERVICE);
			assert_string_equal(workers[i].err.text, "the fake KEK is away");
			assert_null(workers[i].key);
		}
		atomic_store(&f.kek.fail, SEAL_OK);
		assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
		data_key_unref(write_key(&f, 1));
		data_key_unref(key);
		fixture_close(&f);
	}
}

/* A waiter's own deadline holds, whatever the one who asks may do. */
static void own_deadline(void **state)
{
	for (int writer = 0; writer <= 1; writer++) {
		struct worker slow;
		struct data_keys_fixture f;
		struct data_key *key, *none = NULL;
		struct data_key_want want;
		struct seal_err err = SEAL_ERR_INIT;
		struct key_call call;
		uint64_t from;

		fixture_open(&f, (struct data_keys_options){0});
		f.kek.gated = true;
		key = foreign_key(&f.kek, 1);
		start(&slow, 1, &f, writer ? NULL : key);
		from = clock_mono_ms();
		call = (struct key_call){.arena = &f.arena, .deadline_ms = from + 50};
		want = want_of(key);
		if (writer)
			assert_int_equal(data_keys_writer(f.keys, &f.session.base, 1, &call, &none, &err),
					 SEAL_RETRY);
		else
			assert_int_equal(data_keys_open(f.keys, &f.session.base, &want, 1, &call, &err), SEAL_RETRY);
		assert_int_equal(err.code, SEAL_E_TIMEOUT);
		assert_true(clock_mono_ms() - from >= 50);
		assert_null(none);
		assert_null(want.key);
		assert_int_equal(fake_kek_calls(&f.kek), 1);
		fake_kek_open(&f.kek);
		join(&slow, 1);
		assert_int_equal(slow.rc, SEAL_OK);
		data_key_unref(slow.key);
		data_key_unref(key);
		fixture_close(&f);
	}
}

/* Many threads, few uses, a table too small for the keys: nothing but the limits holds it together. */
struct mixer {
	pthread_t thread;
	struct data_keys_fixture *f;
	struct data_key **keys;
	unsigned seed, got;
	bool good;
};

enum { KEYS = 20, ROUNDS = 200, LOT = 6, USES = 16 };

static bool mix_once(struct mixer *m, struct key_session *session, const struct key_call *call)
{
	struct data_key_want wants[LOT];
	struct data_key *key = NULL;
	bool good = true;

	for (int i = 0; i < LOT; i++) {
		m->seed = m->seed * 1103515245 + 12345;
		wants[i] = want_of(m->keys[(m->seed >> 16) % KEYS]);
	}
	if (data_keys_open(m->f->keys, session, wants, LOT, call, NULL) != SEAL_OK)
		return false;
	for (int i = 0; i < LOT; i++) {
		good = good && wants[i].key != NULL && data_key_has(wants[i].key, wants[i].commitment);
		data_key_unref(wants[i].key);
	}
	good = good && data_keys_writer(m->f->keys, session, 1, call, &key, NULL) == SEAL_OK;
	data_key_unref(key);
	return good;
}

static void *mix(void *arg)
{
	struct mixer *m = arg;
	struct fake_kek_session session = fake_kek_session(&m->f->kek);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};

	arena_init(&arena, 1 << 16);
	m->good = true;
	for (int i = 0; m->good && i < ROUNDS; i++) {
		m->good = mix_once(m, &session.base, &call);
		arena_reset(&arena);
	}
	arena_clear(&arena);
	return NULL;
}

static void all_at_once(void **state)
{
	struct mixer mixers[THREADS];
	struct data_key *keys[KEYS];
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){.readers = 5, .max_uses = USES});
	for (uint32_t i = 0; i < KEYS; i++)
		keys[i] = foreign_key(&f.kek, i);
	for (unsigned i = 0; i < THREADS; i++) {
		mixers[i] = (struct mixer){.f = &f, .keys = keys, .seed = i};
		assert_int_equal(pthread_create(&mixers[i].thread, NULL, mix, &mixers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(mixers[i].thread, NULL), 0);
		assert_true(mixers[i].good);
	}
	/* every use was counted once */
	assert_int_equal(atomic_load(&f.kek.data_keys), THREADS * ROUNDS / USES);
	for (uint32_t i = 0; i < KEYS; i++)
		data_key_unref(keys[i]);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_call),
		cmocka_unit_test(one_error),
		cmocka_unit_test(own_deadline),
		cmocka_unit_test(all_at_once),
	};

	return cmocka_run_group_tests_name("data_keys_threads", tests, NULL, NULL);
}
