/* Data keys over a fake KEK, and a clock that the test moves. */
#ifndef TESTS_DATA_KEYS_FIXTURE_H
#define TESTS_DATA_KEYS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fake_kek.h"
#include "keys/data_keys.h"
#include "keys/key_cache.h"

static uint64_t fixed_now_ms;

static inline uint64_t fixed_clock(void)
{
	return fixed_now_ms;
}

struct data_keys_fixture {
	struct fake_kek kek;
	struct fake_kek_session session;
	struct data_keys *keys;
	struct arena arena;
	struct key_call call;
	struct seal_err err;
};

static inline void fixture_open(struct data_keys_fixture *f, struct data_keys_options options)
{
	*f = (struct data_keys_fixture){.kek = FAKE_KEK_INIT};
	f->session = fake_kek_session(&f->kek);
	arena_init(&f->arena, 1 << 16);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = DEADLINE_NONE};
	fixed_now_ms = 1000;
	key_cache_test_clock(fixed_clock);
	assert_int_equal(data_keys_new(&options, &f->keys, NULL), SEAL_OK);
}

static inline void fixture_close(struct data_keys_fixture *f)
{
	data_keys_free(f->keys);
	arena_clear(&f->arena);
	key_cache_test_clock(NULL);
}

/* A key of the writer's; the test unrefs it. */
static inline struct data_key *write_key(struct data_keys_fixture *f, uint64_t uses)
{
	struct data_key *key = NULL;

	err_clear(&f->err);
	if (data_keys_writer(f->keys, &f->session.base, uses, &f->call, &key, &f->err) != SEAL_OK)
		fail_msg("%s", f->err.text);
	return key;
}

static inline struct data_key_want want_of(const struct data_key *key)
{
	return (struct data_key_want){.wrapped = data_key_wrapped(key), .commitment = data_key_commitment(key)};
}

/* Opens one; the reference is given back at once. */
static inline enum seal_status open_one(struct data_keys_fixture *f, struct data_key_want want)
{
	enum seal_status rc;

	err_clear(&f->err);
	rc = data_keys_open(f->keys, &f->session.base, &want, 1, &f->call, &f->err);
	if (rc == SEAL_OK && want.key == NULL) {
		f->err = *want.err;
		rc = want.err->status;
	}
	data_key_unref(want.key);
	return rc;
}

/* A key of the KEK's that this process has not seen, from `number`; the test unrefs it. */
static inline struct data_key *foreign_key(struct fake_kek *kek, uint32_t number)
{
	uint8_t raw[DATA_KEY_LEN] = {0};
	struct data_key *key = NULL;
	struct seal_bytes text;

	be32_store(raw, number);
	text = fake_kek_wrap(kek, bytes_of(raw, sizeof(raw)));
	assert_int_equal(data_key_new(bytes_of(raw, sizeof(raw)), text, &key, NULL), SEAL_OK);
	mem_free((void *)text.ptr);
	return key;
}

#endif
