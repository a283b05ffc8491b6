/*
 * A store in memory, for tests: every operation is a transaction, counted, and may be told to fail. Shared by threads; sessions
 * cost nothing.
 */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include <stdatomic.h>

#include "stores/store.h"

struct fake_store;

/* What is counted, and what is to fail. */
struct fake_store_control {
	atomic_uint queries, inserts, swaps, changes, counts, erasures, sessions; /* sessions: open now */
	_Atomic int fail; /* enum seal_status: all operations, and sessions, fail so with SEAL_E_SERVICE */
	_Atomic int fail_swap, fail_change; /* swaps alone, changes alone */
	atomic_int
		away_after; /* n: the n-th operation from now, and all after it, fail as with SEAL_RETRY in `fail`: a crash */
	atomic_int before_insert; /* 1: before the next insertion `rival` runs, once */
	atomic_int before_change; /* the same before a change; n: the n-th */
	atomic_int before_get; /* the same before a query, by key or of a page; n: the n-th */
	void (*rival)(void *arg); /* another process; works on the same store */
	void *rival_arg;
};

struct store *fake_store_new(void);
void fake_store_free(struct store *store);
struct fake_store_control *fake_store_control(struct store *store);
/* Rows of a space. */
size_t fake_store_count(struct store *store, const char *space);
/* The n-th row of a space in key order: its value may be changed in place. Fails the test where there is none. */
struct seal_bytes fake_store_row(struct store *store, const char *space, size_t n, struct seal_bytes *key);
/* Takes a row away behind everybody's back, or puts one there. */
void fake_store_put(struct store *store, const char *space, struct seal_bytes key, struct seal_bytes value);
void fake_store_remove(struct store *store, const char *space, struct seal_bytes key);

#endif
