/* People's keys over a fake KEK and a store in memory; `other` is a second process with the same store. */
#ifndef TESTS_PERSON_KEYS_FIXTURE_H
#define TESTS_PERSON_KEYS_FIXTURE_H

#include "data_keys_fixture.h"
#include "fake_store.h"
#include "keys/person_work.h"

struct people_fixture {
	struct fake_kek kek;
	struct fake_kek_session session;
	struct store *store;
	struct person_keys *people, *other;
	struct arena arena;
	struct key_call call;
	struct seal_err err;
};

static const struct person_scope shop_scope = {"shop", "local", {(const uint8_t *)"pii", 3}};

/* Whoever was forgotten was so long ago. */
static inline uint64_t days_clock(void)
{
	static atomic_uint_fast64_t days;

	return (uint64_t)24 * 60 * 60 * 1000 * (atomic_fetch_add(&days, 1) + 1);
}

static inline struct person_keys *people_new(struct people_fixture *f, struct data_keys_options options)
{
	struct person_keys *people = NULL;

	assert_int_equal(person_keys_new(f->store, &shop_scope, &options, &people, NULL), SEAL_OK);
	return people;
}

static inline void people_open(struct people_fixture *f, struct data_keys_options options)
{
	*f = (struct people_fixture){.kek = FAKE_KEK_INIT};
	f->session = fake_kek_session(&f->kek);
	f->store = fake_store_new();
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = DEADLINE_NONE};
	fixed_now_ms = 1000;
	key_cache_test_clock(fixed_clock);
	person_keys_test_clock(days_clock);
	f->people = people_new(f, options);
	f->other = people_new(f, options);
}

static inline void people_close(struct people_fixture *f)
{
	person_keys_free(f->people);
	person_keys_free(f->other);
	fake_store_free(f->store);
	arena_clear(&f->arena);
	key_cache_test_clock(NULL);
	person_keys_test_clock(NULL);
}

/* One person's key for writing, or NULL with f->err; the test unrefs it. `want` may be NULL. */
static inline struct data_key *person_write(struct people_fixture *f, struct person_keys *people, const char *who,
					    struct person_want *out)
{
	struct person_want want = {.person = bytes_str(who)};
	enum seal_status rc;

	err_clear(&f->err);
	rc = person_keys_writer(people, &f->session.base, &want, 1, &f->call, &f->err);
	if (rc == SEAL_OK && want.key == NULL)
		f->err = *want.err;
	if (out != NULL)
		*out = want;
	return want.key;
}

/* The same for reading what was written with `key` under `id`. */
static inline struct data_key *person_read(struct people_fixture *f, struct person_keys *people, const uint8_t *id,
					   const uint8_t *commitment)
{
	struct person_want want = {.commitment = commitment};
	enum seal_status rc;

	memcpy(want.id, id, PERSON_ID_LEN);
	err_clear(&f->err);
	rc = person_keys_open(people, &f->session.base, &want, 1, &f->call, &f->err);
	if (rc == SEAL_OK && want.key == NULL)
		f->err = *want.err;
	return want.key;
}

static inline enum person_state person_forget(struct people_fixture *f, struct person_keys *people, const char *who)
{
	enum person_state was;

	assert_int_equal(person_keys_forget(people, &f->session.base, bytes_str(who), &was, &f->call, NULL), SEAL_OK);
	return was;
}

static inline enum person_state person_admit(struct people_fixture *f, struct person_keys *people, const char *who)
{
	enum person_state was;

	assert_int_equal(person_keys_admit(people, &f->session.base, bytes_str(who), &was, &f->call, NULL), SEAL_OK);
	return was;
}

#endif
