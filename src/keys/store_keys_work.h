/* What the files of store keys share. */
#ifndef KEYS_STORE_KEYS_WORK_H
#define KEYS_STORE_KEYS_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/secret_slot.h"
#include "keys/key_cache.h"
#include "keys/store_keys.h"

struct store_keys {
	struct data_keys_options options;
	uint8_t scope[ROW_ID_LEN];
	struct key_cache *opened; /* store keys by id */
	atomic_uint known_version; /* the newest version of the KEK that this process has heard of */
	pthread_mutex_t lock; /* guards `taken` and the pepper, which only who has the turn changes */
	pthread_cond_t given;
	bool taken; /* a thread has the turn: it alone touches `current` and `left`, and makes keys */
	uint8_t current[ROW_ID_LEN];
	uint64_t left, block; /* uses reserved of `current`; how many to reserve next time */
	struct secret_slot pepper; /* empty: not loaded */
	uint64_t pepper_asked_ms;
};

/* Names of rows: scope, a letter, and an id or nothing. */
#define ROW_NAME_MAX (ROW_ID_LEN + 1 + ROW_ID_LEN)
struct row_name {
	uint8_t bytes[ROW_NAME_MAX];
	size_t len;
};

struct row_name row_name(const struct store_keys *keys, char letter, const uint8_t *id);
static inline struct seal_bytes row_name_bytes(const struct row_name *name)
{
	return bytes_of(name->bytes, name->len);
}

static inline struct store_call store_call_of(const struct store_keys_use *use)
{
	return (struct store_call){.arena = use->call->arena, .deadline_ms = use->call->deadline_ms};
}

/* Hears of the KEK's version that made `wrapped`. */
void store_keys_hear(struct store_keys *keys, struct seal_bytes wrapped);
/* Was `wrapped` made by an older version of the KEK than the newest that this process has heard of? */
bool store_keys_is_older(struct store_keys *keys, struct seal_bytes wrapped);
/* One store key; as store_keys_open. */
SEAL_MUST_USE enum seal_status store_keys_open_one(struct store_keys *keys, const struct store_keys_use *use,
						   const uint8_t *id, struct data_key **out, struct seal_err *err);

#endif
