/* people's keys: every allocation may fail; the store stays whole, and the next call works. */
#include "../unit/person_keys_fixture.h"
#include "oom.h"

enum { PEOPLE = 3 };

static enum seal_status all(struct person_want *wants, enum seal_status rc, struct seal_err *err)
{
	for (int i = 0; rc == SEAL_OK && i < PEOPLE; i++)
		if (wants[i].key == NULL)
			rc = err_set(err, wants[i].err->status, wants[i].err->code, "%s", wants[i].err->text);
	return rc;
}

static void put_back(struct person_want *wants)
{
	for (int i = 0; i < PEOPLE; i++)
		data_key_unref(wants[i].key);
}

static enum seal_status write_read_forget(struct people_fixture *f, struct person_keys *people, struct seal_err *err)
{
	struct person_want wants[PEOPLE], reads[PEOPLE] = {0};
	struct person_tally tally = {0};
	struct seal_bytes cursor = BYTES_EMPTY;
	enum person_state was;
	enum seal_status rc;
	bool end;

	for (int i = 0; i < PEOPLE; i++)
		wants[i] = (struct person_want){.person = bytes_of(&"abc"[i], 1)};
	SEAL_TRY(all(wants, person_keys_writer(people, &f->session.base, wants, PEOPLE, &f->call, err), err));
	for (int i = 0; i < PEOPLE; i++) {
		memcpy(reads[i].id, wants[i].id, PERSON_ID_LEN);
		reads[i].commitment = data_key_commitment(wants[i].key);
	}
	SEAL_TRY(all(reads, person_keys_open(people, &f->session.base, reads, PEOPLE, &f->call, err), err));
	SEAL_TRY(person_keys_check(people, &f->session.base, &cursor, 10, &tally, &end, &f->call, err));
	assert_true(tally.opened == PEOPLE && tally.bad == 0 && !end);
	SEAL_TRY(person_keys_forget(people, &f->session.base, BYTES_LIT("a"), &was, &f->call, err));
	SEAL_TRY(person_keys_admit(people, &f->session.base, BYTES_LIT("a"), &was, &f->call, err));
out:
	put_back(wants);
	put_back(reads);
	return rc;
}

static enum seal_status run(void *arg, struct seal_err *err)
{
	struct data_keys_options options = {0};
	struct person_keys *people = NULL;
	struct people_fixture *f = arg;
	struct store *store = f->store;
	enum seal_status rc;

	f->store = fake_store_new();
	arena_init(&f->arena, 0);
	SEAL_TRY(person_keys_new(f->store, &shop_scope, &options, &people, err));
	rc = write_read_forget(f, people, err);
	if (rc != SEAL_OK) {
		mem_set_hook(NULL, NULL);
		/* whom the failed run forgot may stay so */
		person_admit(f, people, "a");
		assert_int_equal(write_read_forget(f, people, NULL), SEAL_OK);
	}
out:
	person_keys_free(people);
	fake_store_free(f->store);
	f->store = store;
	arena_clear(&f->arena);
	return rc;
}

static void person_keys(void **state)
{
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){0});
	assert_true(oom_each(run, &f) > 40);
	people_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(person_keys)};

	return cmocka_run_group_tests_name("oom_person_keys", tests, NULL, NULL);
}
