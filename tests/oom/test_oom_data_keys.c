/* data keys: every allocation may fail; nobody waits for a key for ever, and the next call works. */
#include "../unit/data_keys_fixture.h"
#include "oom.h"

enum { KEYS = 5 };

struct work {
	struct fake_kek kek;
	struct data_key *keys[KEYS];
};

static enum seal_status write_and_read(struct work *w, struct data_keys *keys, const struct key_call *call,
				       struct seal_err *err)
{
	struct fake_kek_session session = fake_kek_session(&w->kek);
	struct data_key_want wants[KEYS];
	struct data_key *key = NULL;
	enum seal_status rc;

	for (int i = 0; i < KEYS; i++)
		wants[i] = want_of(w->keys[i]);
	SEAL_TRY(data_keys_writer(keys, &session.base, 1, call, &key, err));
	SEAL_TRY(data_keys_open(keys, &session.base, wants, KEYS, call, err));
	for (int i = 0; i < KEYS; i++) {
		if (wants[i].key == NULL && rc == SEAL_OK)
			rc = err_set(err, wants[i].err->status, wants[i].err->code, "%s", wants[i].err->text);
		data_key_unref(wants[i].key);
	}
out:
	data_key_unref(key);
	return rc;
}

static enum seal_status run(void *arg, struct seal_err *err)
{
	struct data_keys_options options = {.readers = 3};
	struct data_keys *keys = NULL;
	struct work *w = arg;
	enum seal_status rc;
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};

	arena_init(&arena, 0);
	SEAL_TRY(data_keys_new(&options, &keys, err));
	rc = write_and_read(w, keys, &call, err);
	if (rc != SEAL_OK) {
		mem_set_hook(NULL, NULL);
		assert_int_equal(write_and_read(w, keys, &call, NULL), SEAL_OK);
	}
out:
	data_keys_free(keys);
	arena_clear(&arena);
	return rc;
}

static void data_keys(void **state)
{
	struct work w = {.kek = FAKE_KEK_INIT};

	for (uint32_t i = 0; i < KEYS; i++)
		w.keys[i] = foreign_key(&w.kek, i);
	assert_true(oom_each(run, &w) > 20);
	for (uint32_t i = 0; i < KEYS; i++)
		data_key_unref(w.keys[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(data_keys)};

	return cmocka_run_group_tests_name("oom_data_keys", tests, NULL, NULL);
}
