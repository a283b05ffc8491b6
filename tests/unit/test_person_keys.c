/* people's keys: made once by however many, wrapped by few store keys, forgotten for ever, and what a hostile store can do. */
#include "person_keys_fixture.h"

#include "keys/person_row.h"

static bool same_key(const struct data_key *a, const struct data_key *b)
{
	return ct_equal(data_key_cipher_key(a).ptr, data_key_cipher_key(b).ptr, DATA_KEY_LEN);
}

static void one_person(void **state)
{
	struct data_key *key, *again, *other, *read, *somebody;
	struct person_want want, want2;
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){0});
	key = person_write(&f, f.people, "c-1", &want);
	assert_non_null(key);
	again = person_write(&f, f.people, "c-1", &want2);
	assert_ptr_equal(key, again);
	assert_memory_equal(want.id, want2.id, PERSON_ID_LEN);
	somebody = person_write(&f, f.people, "c-2", &want2);
	assert_false(same_key(key, somebody));
	assert_memory_not_equal(want.id, want2.id, PERSON_ID_LEN);
	/* another process */
	other = person_write(&f, f.other, "c-1", &want2);
	assert_true(same_key(key, other));
	assert_memory_equal(want.id, want2.id, PERSON_ID_LEN);
	read = person_read(&f, f.other, want.id, data_key_commitment(key));
	assert_true(same_key(key, read));
	/* the KEK: one key made by the first process, one opened by the second */
	assert_int_equal(atomic_load(&f.kek.data_keys), 1);
	assert_int_equal(atomic_load(&f.kek.decrypts), 1);
	assert_int_equal(fake_store_count(f.store, "people"), 2);
	data_key_unref(key);
	data_key_unref(again);
	data_key_unref(other);
	data_key_unref(read);
	data_key_unref(somebody);
	people_close(&f);
}

/* The store holds neither names nor keys: an id that only the pepper gives, and ciphertext. */
static void store_knows_nobody(void **state)
{
	struct people_fixture f;
	struct seal_bytes id, row;
	struct data_key *key;

	people_open(&f, (struct data_keys_options){0});
	key = person_write(&f, f.people, "maria.lopez@example.com", NULL);
	row = fake_store_row(f.store, "people", 0, &id);
	assert_int_equal(id.len, PERSON_ID_LEN);
	assert_int_equal(row.len, ROW_LIVE_LEN);
	assert_null(memmem(row.ptr, row.len, data_key_cipher_key(key).ptr, DATA_KEY_LEN));
	for (size_t i = 0; i < fake_store_count(f.store, "keys"); i++) {
		row = fake_store_row(f.store, "keys", i, NULL);
		assert_null(memmem(row.ptr, row.len, "lopez", 5));
		assert_null(memmem(row.ptr, row.len, data_key_cipher_key(key).ptr, DATA_KEY_LEN));
	}
	data_key_unref(key);
	people_close(&f);
}

/* A hundred thousand people cost the KEK one call; reading them all elsewhere one more. One query for each lot. */
static void many_people(void **state)
{
	enum { LOTS = 100, LOT = 1000 };
	static struct person_want wants[LOT];
	static uint8_t ids[LOTS][LOT][PERSON_ID_LEN], commitments[LOTS][LOT][DATA_KEY_COMMITMENT_LEN];
	struct fake_store_control *control;
	struct people_fixture f;
	char names[LOT][16];

	people_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	for (int lot = 0; lot < LOTS; lot++) {
		for (int i = 0; i < LOT; i++) {
			snprintf(names[i], sizeof(names[i]), "c-%d", lot * LOT + i);
			wants[i] = (struct person_want){.person = bytes_str(names[i])};
		}
		assert_int_equal(person_keys_writer(f.people, &f.session.base, wants, LOT, &f.call, NULL), SEAL_OK);
		for (int i = 0; i < LOT; i++) {
			memcpy(ids[lot][i], wants[i].id, PERSON_ID_LEN);
			memcpy(commitments[lot][i], data_key_commitment(wants[i].key), DATA_KEY_COMMITMENT_LEN);
			data_key_unref(wants[i].key);
		}
		arena_reset(&f.arena);
	}
	assert_int_equal(fake_kek_calls(&f.kek), 1);
	assert_int_equal(fake_store_count(f.store, "people"), LOTS * LOT);
	assert_int_equal(fake_store_count(f.store, "keys"), 3); /* store key, pepper, count */
	assert_int_equal(atomic_load(&control->inserts), LOTS + 1); /* and those three rows at once */
	assert_true(atomic_load(&control->queries) <= LOTS + 20); /* the rest reserves uses, ever more at a time */
	assert_true(atomic_load(&control->swaps) <= 20);
	atomic_store(&control->queries, 0);
	for (int lot = 0; lot < LOTS; lot++) {
		for (int i = 0; i < LOT; i++) {
			wants[i] = (struct person_want){.commitment = commitments[lot][i]};
			memcpy(wants[i].id, ids[lot][i], PERSON_ID_LEN);
		}
		assert_int_equal(person_keys_open(f.other, &f.session.base, wants, LOT, &f.call, NULL), SEAL_OK);
		for (int i = 0; i < LOT; i++) {
			assert_non_null(wants[i].key);
			data_key_unref(wants[i].key);
		}
		arena_reset(&f.arena);
	}
	assert_int_equal(fake_kek_calls(&f.kek), 2);
	assert_int_equal(atomic_load(&control->queries), LOTS + 1);
	people_close(&f);
}

/* A lot with everything in it: each fails or works alone. */
static void mixed_lot(void **state)
{
	uint8_t longest[PERSON_NAME_MAX + 1];
	struct person_want wants[6];
	struct people_fixture f;
	struct data_key *key;

	people_open(&f, (struct data_keys_options){0});
	key = person_write(&f, f.people, "known", NULL);
	assert_int_equal(person_forget(&f, f.people, "gone"), PERSON_UNKNOWN);
	memset(longest, 'x', sizeof(longest));
	wants[0] = (struct person_want){.person = BYTES_LIT("known")};
	wants[1] = (struct person_want){.person = BYTES_LIT("new")};
	wants[2] = (struct person_want){.person = BYTES_LIT("gone")};
	wants[3] = (struct person_want){.person = BYTES_LIT("new")}; /* twice: one key */
	wants[4] = (struct person_want){.person = bytes_of(longest, sizeof(longest))};
	wants[5] = (struct person_want){.person = BYTES_EMPTY};
	assert_int_equal(person_keys_writer(f.people, &f.session.base, wants, 6, &f.call, NULL), SEAL_OK);
	assert_ptr_equal(wants[0].key, key);
	assert_non_null(wants[1].key);
	assert_ptr_equal(wants[1].key, wants[3].key);
	assert_null(wants[2].key);
	assert_int_equal(wants[2].err->code, SEAL_E_KEY_FORGOTTEN);
	assert_int_equal(wants[2].err->status, SEAL_DATA);
	assert_int_equal(wants[4].err->code, SEAL_E_DOMAIN);
	assert_int_equal(wants[5].err->code, SEAL_E_DOMAIN);
	for (int i = 0; i < 6; i++)
		data_key_unref(wants[i].key);
	wants[0].person = bytes_of(longest, PERSON_NAME_MAX);
	assert_int_equal(person_keys_writer(f.people, &f.session.base, wants, 1, &f.call, NULL), SEAL_OK);
	assert_non_null(wants[0].key);
	data_key_unref(wants[0].key);
	data_key_unref(key);
	people_close(&f);
}

static void forgetting(void **state)
{
	struct data_key *key, *read, *fresh;
	struct person_want want, anew;
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.max_age_ms = 500});
	key = person_write(&f, f.people, "c-1", &want);
	data_key_unref(person_write(&f, f.other, "c-1", NULL));
	data_key_unref(person_read(&f, f.other, want.id, data_key_commitment(key)));
	data_key_unref(person_read(&f, f.people, want.id, data_key_commitment(key)));
	assert_int_equal(person_forget(&f, f.people, "c-1"), PERSON_LIVE);
	assert_int_equal(atomic_load(&fake_store_control(f.store)->erasures), 1);
	assert_int_equal(fake_store_row(f.store, "people", 0, NULL).len, ROW_FORGOTTEN_LEN);
	/* this process obeys at once, reading and writing */
	assert_null(person_write(&f, f.people, "c-1", NULL));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	assert_null(person_read(&f, f.people, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	/* the other within max_age */
	fixed_now_ms += 499;
	read = person_read(&f, f.other, want.id, data_key_commitment(key));
	assert_non_null(read);
	data_key_unref(read);
	fixed_now_ms += 1;
	assert_null(person_read(&f, f.other, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	assert_null(person_write(&f, f.other, "c-1", NULL));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	/* again: nothing changes, but what may be left of the key on the disk is erased again */
	assert_int_equal(person_forget(&f, f.other, "c-1"), PERSON_FORGOTTEN);
	assert_int_equal(atomic_load(&fake_store_control(f.store)->erasures), 2);
	/* admitted: a new key, and what is old stays unreadable */
	assert_int_equal(person_admit(&f, f.other, "c-1"), PERSON_FORGOTTEN);
	assert_int_equal(person_admit(&f, f.other, "c-1"), PERSON_UNKNOWN);
	assert_null(person_read(&f, f.people, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.code, SEAL_E_KEY_UNKNOWN);
	fresh = person_write(&f, f.people, "c-1", &anew);
	assert_non_null(fresh);
	assert_memory_equal(want.id, anew.id, PERSON_ID_LEN);
	assert_false(same_key(key, fresh));
	assert_null(person_read(&f, f.people, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	assert_int_equal(person_admit(&f, f.people, "c-1"), PERSON_LIVE);
	data_key_unref(fresh);
	data_key_unref(key);
	people_close(&f);
}

/*
 * Writers elsewhere hold the old key for max_age: nobody is admitted before, or what is protected meanwhile would be lost. By
 * whatever a machine's clock says.
 */
static void admitted_too_early(void **state)
{
	enum person_state was;
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.max_age_ms = 5000});
	person_keys_test_clock(fixed_clock);
	data_key_unref(person_write(&f, f.other, "c-1", NULL));
	fixed_now_ms += 100000;
	assert_int_equal(person_forget(&f, f.people, "c-1"), PERSON_LIVE);
	for (int i = 0; i < 2; i++) {
		fixed_now_ms += i == 0 ? 4999 : -9998; /* a clock that is behind */
		err_clear(&f.err);
		assert_int_equal(person_keys_admit(f.other, &f.session.base, BYTES_LIT("c-1"), &was, &f.call, &f.err),
				 SEAL_RETRY);
		assert_int_equal(f.err.code, SEAL_E_BUSY);
		assert_non_null(strstr(f.err.text, "try again in 1 s (max_age)"));
	}
	assert_null(person_write(&f, f.people, "c-1", NULL));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	fixed_now_ms += 9999;
	assert_int_equal(person_admit(&f, f.other, "c-1"), PERSON_FORGOTTEN);
	/* and one that is far off keeps nobody out */
	assert_int_equal(person_forget(&f, f.people, "c-1"), PERSON_UNKNOWN);
	fixed_now_ms = 1000;
	assert_int_equal(person_admit(&f, f.other, "c-1"), PERSON_FORGOTTEN);
	people_close(&f);
}

/* Somebody who has no key yet is forgotten before their first record, in a store that nobody has used. */
static void forgotten_beforehand(void **state)
{
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){0});
	assert_int_equal(person_forget(&f, f.people, "c-9"), PERSON_UNKNOWN);
	assert_null(person_write(&f, f.other, "c-9", NULL));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	assert_int_equal(
		person_keys_forget(f.people, &f.session.base, BYTES_EMPTY, &(enum person_state){0}, &f.call, &f.err),
		SEAL_DATA);
	people_close(&f);
}

/* Store keys are changed after max_uses, also within one lot, and across processes. */
static void store_keys_end(void **state)
{
	struct person_want wants[25];
	char names[25][8];
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.max_uses = 10});
	for (int i = 0; i < 25; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		wants[i] = (struct person_want){.person = bytes_str(names[i])};
	}
	assert_int_equal(person_keys_writer(f.people, &f.session.base, wants, 25, &f.call, NULL), SEAL_OK);
	/* the pepper is one use: 9 + 10 + 6 */
	assert_int_equal(atomic_load(&f.kek.data_keys), 3);
	assert_int_equal(fake_store_count(f.store, "keys"), 2 + 3);
	for (int i = 0; i < 25; i++) {
		struct data_key *read = person_read(&f, f.other, wants[i].id, data_key_commitment(wants[i].key));

		assert_true(same_key(read, wants[i].key));
		data_key_unref(read);
		data_key_unref(wants[i].key);
	}
	/* the other process has what is left: 4, or less what the first one keeps in hand */
	for (int i = 0; i < 25; i++) {
		snprintf(names[i], sizeof(names[i]), "o%d", i);
		wants[i] = (struct person_want){.person = bytes_str(names[i])};
	}
	assert_int_equal(person_keys_writer(f.other, &f.session.base, wants, 25, &f.call, NULL), SEAL_OK);
	for (int i = 0; i < 25; i++)
		data_key_unref(wants[i].key);
	assert_in_range(atomic_load(&f.kek.data_keys), 5, 6);
	for (size_t i = 0; i < fake_store_count(f.store, "keys"); i++) {
		struct row row = row_parse(fake_store_row(f.store, "keys", i, NULL));

		assert_int_not_equal(row.kind, ROW_BAD);
		if (row.kind == ROW_CURRENT)
			assert_true(row.number <= 10);
	}
	people_close(&f);
}

/* Another process is faster: between this one's query and its insertion. */
struct rival {
	struct people_fixture *f;
	const char *who;
	bool forget;
	struct data_key *key;
};

static void run_rival(void *arg)
{
	struct rival *r = arg;

	if (r->forget)
		assert_int_equal(person_forget(r->f, r->f->other, r->who), PERSON_UNKNOWN);
	else
		r->key = person_write(r->f, r->f->other, r->who, NULL);
}

static void races(void **state)
{
	struct fake_store_control *control;
	struct people_fixture f;
	struct rival rival = {&f, "first", false, NULL};
	struct data_key *key;

	people_open(&f, (struct data_keys_options){0});
	control = fake_store_control(f.store);
	control->rival = run_rival;
	control->rival_arg = &rival;
	/* a store that both begin: one pepper, one store key; what the loser made is gone */
	atomic_store(&control->before_insert, 1);
	key = person_write(&f, f.people, "first", NULL);
	assert_non_null(key);
	assert_true(same_key(key, rival.key));
	assert_int_equal(fake_store_count(f.store, "keys"), 3);
	assert_int_equal(fake_store_count(f.store, "people"), 1);
	data_key_unref(key);
	data_key_unref(rival.key);
	/* one person */
	rival.who = "second";
	atomic_store(&control->before_insert, 1);
	key = person_write(&f, f.people, "second", NULL);
	assert_non_null(key);
	assert_true(same_key(key, rival.key));
	data_key_unref(key);
	data_key_unref(rival.key);
	/* one who is forgotten that very moment */
	rival = (struct rival){&f, "third", true, NULL};
	atomic_store(&control->before_insert, 1);
	assert_null(person_write(&f, f.people, "third", NULL));
	assert_int_equal(f.err.code, SEAL_E_KEY_FORGOTTEN);
	people_close(&f);
}

/* KEK or store away: what is young goes on, reading and writing; then all fails closed. */
static void away(void **state)
{
	struct fake_store_control *control;
	struct person_want want;
	struct people_fixture f;
	struct data_key *key, *same;

	people_open(&f, (struct data_keys_options){.max_age_ms = 500});
	control = fake_store_control(f.store);
	key = person_write(&f, f.people, "c-1", &want);
	data_key_unref(person_read(&f, f.people, want.id, data_key_commitment(key)));
	atomic_store(&f.kek.fail, SEAL_RETRY);
	atomic_store(&control->fail, SEAL_RETRY);
	fixed_now_ms += 499;
	same = person_write(&f, f.people, "c-1", NULL);
	assert_ptr_equal(key, same);
	data_key_unref(same);
	same = person_read(&f, f.people, want.id, data_key_commitment(key));
	assert_non_null(same);
	data_key_unref(same);
	assert_null(person_write(&f, f.people, "c-2", NULL)); /* a new one needs the store */
	assert_int_equal(f.err.status, SEAL_RETRY);
	assert_string_equal(f.err.text, "the fake store is away");
	/* the store is back, the KEK is not: new people still, since the store key is young */
	atomic_store(&control->fail, SEAL_OK);
	data_key_unref(person_write(&f, f.people, "c-2", NULL));
	assert_int_equal(f.err.status, SEAL_OK);
	fixed_now_ms += 1;
	assert_null(person_write(&f, f.people, "c-1", NULL));
	assert_int_equal(f.err.status, SEAL_RETRY);
	assert_null(person_read(&f, f.people, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.status, SEAL_RETRY);
	assert_string_equal(f.err.text, "the fake KEK is away");
	atomic_store(&f.kek.fail, SEAL_OK);
	same = person_write(&f, f.people, "c-1", NULL);
	assert_true(same_key(key, same));
	data_key_unref(same);
	data_key_unref(key);
	people_close(&f);
}

/* A newer version of the KEK: store keys are rewrapped as they are read; readers don't care whether that works. */
static void rewrapping(void **state)
{
	struct data_key *key, *read;
	struct person_keys *third;
	struct person_want want;
	struct people_fixture f;
	size_t of_version[3] = {0};

	people_open(&f, (struct data_keys_options){0});
	key = person_write(&f, f.people, "c-1", &want);
	atomic_store(&f.kek.latest, 2);
	third = people_new(&f, (struct data_keys_options){.latest_version = 2});
	atomic_store(&f.kek.fail_rewrap, SEAL_DENIED);
	read = person_read(&f, third, want.id, data_key_commitment(key));
	assert_true(same_key(key, read));
	data_key_unref(read);
	person_keys_free(third);
	assert_int_equal(atomic_load(&f.kek.rewraps), 1);
	atomic_store(&f.kek.fail_rewrap, SEAL_OK);
	atomic_store(&fake_store_control(f.store)->fail_swap, SEAL_DENIED);
	third = people_new(&f, (struct data_keys_options){.latest_version = 2});
	read = person_read(&f, third, want.id, data_key_commitment(key));
	assert_true(same_key(key, read));
	data_key_unref(read);
	person_keys_free(third);
	atomic_store(&fake_store_control(f.store)->fail_swap, SEAL_OK);
	for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
		third = people_new(&f, (struct data_keys_options){.latest_version = 2});
		read = person_read(&f, third, want.id, data_key_commitment(key));
		assert_true(same_key(key, read));
		data_key_unref(read);
		person_keys_free(third);
		assert_int_equal(atomic_load(&f.kek.rewraps), 3);
	}
	for (size_t i = 0; i < fake_store_count(f.store, "keys"); i++) {
		struct row row = row_parse(fake_store_row(f.store, "keys", i, NULL));

		if (row.kind == ROW_STORE_KEY)
			of_version[bytes_starts(row.wrapped, BYTES_LIT("vault:v2:")) ? 2 : 1]++;
	}
	assert_int_equal(of_version[1], 0);
	assert_int_equal(of_version[2], 1);
	data_key_unref(key);
	people_close(&f);
}

static size_t under_version(struct people_fixture *f, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < fake_store_count(f->store, "keys"); i++) {
		const struct row row = row_parse(fake_store_row(f->store, "keys", i, NULL));

		count += row.kind == ROW_STORE_KEY && bytes_starts(row.wrapped, bytes_str(prefix));
	}
	return count;
}

/* People whom nobody asks about do not keep an old version of the KEK alive: it can be retired. */
static void retired_version(void **state)
{
	enum { PEOPLE = 150 };
	struct person_want wants[PEOPLE];
	struct person_keys *later;
	char names[PEOPLE][8];
	struct data_key *read;
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.max_uses = 1});
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		data_key_unref(person_write(&f, f.people, names[i], &wants[i]));
	}
	assert_true(under_version(&f, "vault:v1:") > PEOPLE);
	atomic_store(&f.kek.latest, 2);
	later = people_new(&f, (struct data_keys_options){.max_uses = 1, .latest_version = 2});
	atomic_store(&f.kek.fail_rewrap, SEAL_DENIED);
	read = person_write(&f, later, "0", NULL); /* who may not renew goes on */
	assert_non_null(read);
	data_key_unref(read);
	assert_true(under_version(&f, "vault:v1:") > PEOPLE);
	person_keys_free(later);
	atomic_store(&f.kek.fail_rewrap, SEAL_OK);
	later = people_new(&f, (struct data_keys_options){.max_uses = 1, .latest_version = 2});
	data_key_unref(person_write(&f, later, "somebody else", NULL));
	assert_int_equal(under_version(&f, "vault:v1:"), 0);
	read = person_read(&f, later, wants[PEOPLE - 1].id, data_key_commitment(wants[PEOPLE - 1].key));
	assert_non_null(read);
	data_key_unref(read);
	person_keys_free(later);
	people_close(&f);
}

/* The key of ids is remembered for max_age, too: not for as long as the process lives. */
static void pepper_age(void **state)
{
	struct seal_bytes row = BYTES_EMPTY;
	struct people_fixture f;

	people_open(&f, (struct data_keys_options){.max_age_ms = 10});
	data_key_unref(person_write(&f, f.people, "a", NULL));
	for (size_t i = 0; row.ptr == NULL || row.ptr[0] != ROW_PEPPER; i++)
		row = fake_store_row(f.store, "keys", i, NULL);
	((uint8_t *)row.ptr)[row.len - 1] ^= 1;
	fixed_now_ms += 9;
	data_key_unref(person_write(&f, f.people, "b", NULL));
	assert_int_equal(f.err.status, SEAL_OK);
	fixed_now_ms += 1;
	assert_null(person_write(&f, f.people, "a", NULL));
	assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	people_close(&f);
}

/* Whoever writes to the store can destroy, but not move a key to somebody else or make one of their own. */
static void hostile_store(void **state)
{
	struct person_want a, b;
	struct data_key *key_a, *key_b;
	struct seal_bytes row, id_a = BYTES_EMPTY, key;
	struct people_fixture f;
	uint8_t *bytes;

	people_open(&f, (struct data_keys_options){.max_age_ms = 10});
	key_a = person_write(&f, f.people, "a", &a);
	key_b = person_write(&f, f.people, "b", &b);
	/* each byte of a live row */
	row = fake_store_row(f.store, "people", 0, &key);
	bytes = (uint8_t *)row.ptr;
	for (size_t i = 0; i < row.len; i++) {
		const struct person_want *want = memcmp(key.ptr, a.id, PERSON_ID_LEN) == 0 ? &a : &b;

		bytes[i] ^= 1;
		fixed_now_ms += 10;
		assert_null(person_read(&f, f.people, want->id, data_key_commitment(want->key)));
		assert_int_equal(f.err.status, SEAL_DATA);
		assert_int_equal(f.err.code, SEAL_E_TAMPERED);
		bytes[i] ^= 1;
		arena_reset(&f.arena);
	}
	/* a's row under b's id */
	for (size_t i = 0; i < 2; i++) {
		row = fake_store_row(f.store, "people", i, &key);
		if (memcmp(key.ptr, a.id, PERSON_ID_LEN) == 0)
			id_a = row;
	}
	row = arena_copy(&f.arena, id_a);
	fake_store_remove(f.store, "people", bytes_of(b.id, PERSON_ID_LEN));
	fake_store_put(f.store, "people", bytes_of(b.id, PERSON_ID_LEN), row);
	fixed_now_ms += 10;
	assert_null(person_read(&f, f.people, b.id, data_key_commitment(key_b)));
	assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	assert_null(person_write(&f, f.people, "b", NULL));
	assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	/* such a row can still be forgotten */
	assert_int_equal(person_forget(&f, f.people, "b"), PERSON_LIVE);
	data_key_unref(key_a);
	data_key_unref(key_b);
	people_close(&f);
}

/* A store that has lost a part fails closed; above all no new pepper makes strangers of those who were forgotten. */
static void lost_rows(void **state)
{
	const enum row_kind kinds[] = {ROW_STORE_KEY, ROW_PEPPER, ROW_PEPPER};

	for (size_t k = 0; k < 3; k++) {
		struct people_fixture f;
		struct seal_bytes key;

		people_open(&f, (struct data_keys_options){0});
		assert_int_equal(person_forget(&f, f.people, "gone"), PERSON_UNKNOWN);
		data_key_unref(person_write(&f, f.people, "c-1", NULL));
		for (size_t i = 0; i < fake_store_count(f.store, "keys"); i++) {
			if (row_parse(fake_store_row(f.store, "keys", i, &key)).kind == kinds[k]) {
				fake_store_remove(f.store, "keys", key);
				break;
			}
		}
		if (k == 2)
			for (size_t i = 0; i < fake_store_count(f.store, "keys"); i++)
				if (row_parse(fake_store_row(f.store, "keys", i, &key)).kind == ROW_CURRENT)
					fake_store_remove(f.store, "keys", key);
		assert_null(person_write(&f, f.other, "gone", NULL));
		assert_int_equal(f.err.code, SEAL_E_TAMPERED);
		assert_null(person_write(&f, f.other, "c-1", NULL));
		assert_int_equal(f.err.code, SEAL_E_TAMPERED);
		people_close(&f);
	}
}

/* Policies that share a store don't share people: another namespace, key or place of keys is another person. */
static void scopes(void **state)
{
	const struct person_scope apart[] = {
		{"bank", "local", BYTES_LIT("pii")},  {"", "local", BYTES_LIT("pii")},
		{"shop", "local", BYTES_LIT("pii2")}, {"shop", "vault", BYTES_LIT("pii")},
		{"shop", "loca", BYTES_LIT("l:pii")},
	};
	struct data_keys_options options = {0};
	struct person_want want, want2;
	struct data_key *key, *theirs;
	struct people_fixture f;

	people_open(&f, options);
	key = person_write(&f, f.people, "c-1", &want);
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		struct person_keys *others = NULL;

		assert_int_equal(person_keys_new(f.store, &apart[i], &options, &others, NULL), SEAL_OK);
		theirs = person_write(&f, others, "c-1", &want2);
		assert_memory_not_equal(want.id, want2.id, PERSON_ID_LEN);
		assert_false(same_key(key, theirs));
		assert_int_equal(person_forget(&f, others, "c-1"), PERSON_LIVE);
		assert_null(person_read(&f, others, want.id, data_key_commitment(key)));
		data_key_unref(theirs);
		person_keys_free(others);
	}
	data_key_unref(person_write(&f, f.other, "c-1", NULL));
	assert_int_equal(f.err.status, SEAL_OK);
	data_key_unref(key);
	person_keys_free(NULL);
	people_close(&f);
}

static void derived_kek(void **state)
{
	struct people_fixture f;
	struct person_want want;
	struct data_key *key;

	people_open(&f, (struct data_keys_options){.derived = true});
	f.kek.want_aad = BYTES_LIT(DATA_KEYS_CONTEXT);
	key = person_write(&f, f.people, "c-1", &want);
	assert_non_null(key);
	data_key_unref(person_read(&f, f.other, want.id, data_key_commitment(key)));
	assert_int_equal(f.err.status, SEAL_OK);
	data_key_unref(key);
	people_close(&f);
}

/* Every cut and every longer form of each row is no row. */
static void row_lengths(void **state)
{
	uint8_t parts[DATA_KEY_WRAPPED_MAX] = {9}, out[ROW_STORE_KEY_MAX + 1];
	const struct row rows[] = {
		{.kind = ROW_LIVE, .store_key = parts, .sealed = parts, .commitment = parts},
		{.kind = ROW_FORGOTTEN, .number = 77},
		{.kind = ROW_PEPPER, .store_key = parts, .sealed = parts},
		{.kind = ROW_CURRENT, .store_key = parts, .number = UINT64_MAX},
	};
	struct row store_key = {.kind = ROW_STORE_KEY, .commitment = parts};
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = row_write(&rows[i], out);
		assert_int_equal(row_parse(bytes_of(out, len)).kind, rows[i].kind);
		assert_true(row_parse(bytes_of(out, len)).number == rows[i].number);
		assert_int_equal(row_parse(bytes_of(out, len + 1)).kind, ROW_BAD);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(row_parse(bytes_of(out, cut)).kind, ROW_BAD);
	}
	store_key.wrapped = bytes_of(parts, sizeof(parts));
	len = row_write(&store_key, out);
	assert_int_equal(len, ROW_STORE_KEY_MAX);
	assert_int_equal(row_parse(bytes_of(out, len)).wrapped.len, DATA_KEY_WRAPPED_MAX);
	assert_int_equal(row_parse(bytes_of(out, len + 1)).kind, ROW_BAD);
	assert_int_equal(row_parse(bytes_of(out, 1 + DATA_KEY_COMMITMENT_LEN)).kind, ROW_BAD); /* nothing wrapped */
	out[0] = 0;
	assert_int_equal(row_parse(bytes_of(out, 9)).kind, ROW_BAD);
	out[0] = ROW_CURRENT + 1;
	assert_int_equal(row_parse(bytes_of(out, ROW_CURRENT_LEN)).kind, ROW_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_person),
		cmocka_unit_test(store_knows_nobody),
		cmocka_unit_test(many_people),
		cmocka_unit_test(mixed_lot),
		cmocka_unit_test(forgetting),
		cmocka_unit_test(forgotten_beforehand),
		cmocka_unit_test(store_keys_end),
		cmocka_unit_test(races),
		cmocka_unit_test(away),
		cmocka_unit_test(rewrapping),
		cmocka_unit_test(hostile_store),
		cmocka_unit_test(lost_rows),
		cmocka_unit_test(scopes),
		cmocka_unit_test(derived_kek),
		cmocka_unit_test(row_lengths),
		cmocka_unit_test(pepper_age),
		cmocka_unit_test(retired_version),
		cmocka_unit_test(admitted_too_early),
	};

	return cmocka_run_group_tests_name("person_keys", tests, NULL, NULL);
}
