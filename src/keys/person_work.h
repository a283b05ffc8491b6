/* What the files of people's keys share. */
#ifndef KEYS_PERSON_WORK_H
#define KEYS_PERSON_WORK_H

#include "keys/key_cache.h"
#include "keys/person_keys.h"
#include "keys/store_keys.h"
#include "keys/store_pool.h"

struct person_keys {
	struct store_pool *pool;
	struct store_keys *store_keys;
	struct key_cache *writers, *readers; /* by id */
	uint64_t max_age_ms;
	bool derived; /* of the KEK */
};

/* One call. */
struct person_work {
	struct person_keys *people;
	struct store_keys_use use; /* use.store is NULL until it is needed: what is remembered needs no store */
	struct arena *arena;
	const struct seal_err *last; /* error shared by those that fail alike */
};

enum seal_status person_connect(struct person_work *w, struct seal_err *err);
/* Gives the session back, for use again unless `rc` is an error. Returns rc. */
enum seal_status person_disconnect(struct person_work *w, enum seal_status rc);

static inline struct store_call person_store_call(const struct person_work *w)
{
	return (struct store_call){.arena = w->arena, .deadline_ms = w->use.call->deadline_ms};
}

/* For tests: what tells when somebody was forgotten; NULL: the real clock. */
void person_keys_test_clock(uint64_t (*unix_ms)(void));

/* Finds and settles the people that this call has to; `make`: those who have no key get one. The seeks' names are ids. */
void person_find_mine(struct person_work *w, struct key_cache *cache, struct key_seek *seeks, size_t n, bool make);

#endif
