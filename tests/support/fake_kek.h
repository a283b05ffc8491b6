/*
 * A key encryption key for tests: AES-256-GCM under fixed keys, versions 1 and up; counts what it is asked, may be held back, may
 * be away. Any number of sessions, each of one thread. Every byte of version v's key is v.
 */
#ifndef TESTS_FAKE_KEK_H
#define TESTS_FAKE_KEK_H

#include <pthread.h>
#include <stdatomic.h>

#include "keys/key.h"

struct fake_kek {
	atomic_uint data_keys, decrypts, items, rewraps; /* calls, and what was decrypted in them */
	atomic_uint latest; /* version; 0 counts as 1 */
	_Atomic int fail; /* enum seal_status: all calls fail so, with SEAL_E_SERVICE */
	_Atomic int fail_rewrap; /* the same for rewrap alone */
	struct seal_bytes want_aad; /* every call must bring it */
	bool gated; /* calls wait at the gate until it opens */
	pthread_mutex_t lock; /* guards the two below */
	pthread_cond_t moved;
	bool open;
	unsigned at_gate; /* calls that wait */
};

#define FAKE_KEK_INIT                                                                                                \
	{                                                                                                            \
		.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER                                 \
	}

struct fake_kek_session {
	struct key_session base;
	struct fake_kek *kek;
};

/* A session needs no freeing. */
struct fake_kek_session fake_kek_session(struct fake_kek *kek);
/* Until a call stands at the gate. */
void fake_kek_await(struct fake_kek *kek);
void fake_kek_open(struct fake_kek *kek);
/* Calls of all kinds. */
unsigned fake_kek_calls(struct fake_kek *kek);
/* Wraps `raw` under the latest version: a text of malloc's. */
struct seal_bytes fake_kek_wrap(struct fake_kek *kek, struct seal_bytes raw);

#endif
