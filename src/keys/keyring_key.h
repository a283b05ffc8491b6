/* A key in memory: what its sessions share. */
#ifndef KEYS_KEYRING_KEY_H
#define KEYS_KEYRING_KEY_H

#include <pthread.h>
#include <stdatomic.h>

#include "keys/keyring_impl.h"

/* One reading of a key's file, unwrapped. Immutable once published, freed with its last reference. */
struct keyring_state {
	atomic_uint refs;
	int fd; /* the file read, open so that its inode number stays taken */
	struct stat st;
	struct key_file file;
	uint32_t first; /* the oldest version in `material`: the minimum decryption version */
	struct secret material;
};

struct keyring_key {
	struct key base; /* first */
	struct keyring *keyring;
	char name[KEY_NAME_MAX + 1];
	pthread_mutex_t io; /* one reload or reservation at a time; taken before `swap` */
	pthread_mutex_t swap; /* guards `state`; never held over I/O */
	struct keyring_state *state;
	atomic_uint generation; /* goes up with every new state */
	_Atomic uint64_t next_look_ms; /* clock_mono_ms() of the next look at the file */
	_Atomic uint64_t allowance; /* version << 32 | encryptions left of what was reserved from the file */
	_Atomic long pid; /* whose allowance that is: a child of fork() has none */
};

/* The newest state, referenced for the caller, and its generation. */
struct keyring_state *keyring_state_get(struct keyring_key *key, unsigned *generation);
/* Accepts NULL. */
void keyring_state_put(struct keyring_state *state);
/* Material of version first … file.n. */
struct seal_bytes keyring_state_material(const struct keyring_state *state, uint32_t version);

/* Looks whether the file has changed, at most once a second unless `now`, and reads it again if so. */
SEAL_MUST_USE enum seal_status keyring_key_refresh(struct keyring_key *key, bool now, struct seal_err *err);

/* Takes `n` encryptions under `version` from what is reserved; false: reserve first, or the key has moved on. */
bool keyring_key_take(struct keyring_key *key, uint32_t version, uint32_t n);
/* Reserves at least `n` from the file for its newest version, rotating where that is due. */
SEAL_MUST_USE enum seal_status keyring_key_reserve(struct keyring_key *key, uint32_t n, uint64_t deadline_ms,
						   struct seal_err *err);

/* Sessions for the key's type (keyring_session.c). */
SEAL_MUST_USE enum seal_status keyring_session_new(struct key *key, struct key_session **out, struct seal_err *err);

#endif
