/* people's keys: threads of two processes write, read and forget the same people. Runs under ThreadSanitizer. */
#include "person_keys_fixture.h"

enum { THREADS = 8, PEOPLE = 40, ROUNDS = 60, LOT = 10 };

struct worker {
	pthread_t thread;
	struct people_fixture *f;
	struct person_keys *people;
	unsigned seed;
	bool good;
};

/* What each person's first key was: all later ones must be that. */
static struct {
	pthread_mutex_t lock;
	bool there[PEOPLE];
	uint8_t commitment[PEOPLE][DATA_KEY_COMMITMENT_LEN];
} first = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool same_as_first(unsigned person, const struct data_key *key)
{
	bool same;

	pthread_mutex_lock(&first.lock);
	if (!first.there[person])
		memcpy(first.commitment[person], data_key_commitment(key), DATA_KEY_COMMITMENT_LEN);
	first.there[person] = true;
	same = memcmp(first.commitment[person], data_key_commitment(key), DATA_KEY_COMMITMENT_LEN) == 0;
	pthread_mutex_unlock(&first.lock);
	return same;
}

static bool work_once(struct worker *w, struct key_session *session, const struct key_call *call)
{
	struct person_want writes[LOT], reads[LOT];
	unsigned who[LOT];
	char names[LOT][12];
	bool good;

	for (int i = 0; i < LOT; i++) {
		w->seed = w->seed * 1103515245 + 12345;
		who[i] = (w->seed >> 16) % PEOPLE;
		snprintf(names[i], sizeof(names[i]), "p%u", who[i]);
		writes[i] = (struct person_want){.person = bytes_str(names[i])};
	}
	if (person_keys_writer(w->people, session, writes, LOT, call, NULL) != SEAL_OK)
		return false;
	good = true;
	for (int i = 0; i < LOT; i++) {
		good = good && writes[i].key != NULL && same_as_first(who[i], writes[i].key);
		if (writes[i].key == NULL)
			return false;
		reads[i] = (struct person_want){.commitment = data_key_commitment(writes[i].key)};
		memcpy(reads[i].id, writes[i].id, PERSON_ID_LEN);
	}
	good = good && person_keys_open(w->people, session, reads, LOT, call, NULL) == SEAL_OK;
	for (int i = 0; i < LOT; i++) {
		good = good && reads[i].key != NULL;
		data_key_unref(reads[i].key);
		data_key_unref(writes[i].key);
	}
	return good;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct fake_kek_session session = fake_kek_session(&w->f->kek);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	enum person_state was;

	arena_init(&arena, 1 << 16);
	w->good = true;
	for (int i = 0; w->good && i < ROUNDS; i++) {
		w->good = work_once(w, &session.base, &call) &&
			  person_keys_forget(w->people, &session.base, BYTES_LIT("nobody"), &was, &call, NULL) ==
				  SEAL_OK &&
			  person_keys_admit(w->people, &session.base, BYTES_LIT("nobody"), &was, &call, NULL) ==
				  SEAL_OK;
		arena_reset(&arena);
	}
	arena_clear(&arena);
	return NULL;
}

static void two_processes(void **state)
{
	struct worker workers[THREADS];
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.readers = 8, .max_uses = 16});
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = &f, .people = i % 2 ? f.people : f.other, .seed = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].good);
	}
	people_close(&f);
}

/* All threads at once in a store that nobody has used: one call of the KEK. */
static void *write_one(void *arg)
{
	struct worker *w = arg;
	struct fake_kek_session session = fake_kek_session(&w->f->kek);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	struct person_want want = {.person = BYTES_LIT("one")};

	arena_init(&arena, 0);
	w->good = person_keys_writer(w->people, &session.base, &want, 1, &call, NULL) == SEAL_OK && want.key != NULL;
	data_key_unref(want.key);
	arena_clear(&arena);
	return NULL;
}

static void first_use(void **state)
{
	struct worker workers[THREADS];
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){0});
	f.kek.gated = true;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = &f, .people = f.people};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, write_one, &workers[i]), 0);
	}
	fake_kek_await(&f.kek);
	fake_kek_open(&f.kek);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].good);
	}
	assert_int_equal(fake_kek_calls(&f.kek), 1);
	assert_int_equal(fake_store_count(f.store, "people"), 1);
	people_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_processes),
		cmocka_unit_test(first_use),
	};

	return cmocka_run_group_tests_name("person_keys_threads", tests, NULL, NULL);
}
