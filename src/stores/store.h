/*
 * Stores: small tables that several processes share: wrapped keys of people, tokens. The plug point between those and a data base
 * (SQLite, PostgreSQL). One folder each, one line in the registry.
 *
 *   store           one data base: an address                thread-safe, shared
 *   store_session   a connection of one thread               one thread at a time
 *
 *   row: space ("people", "keys" …), key, value              (space, key) is unique
 *
 * All operations take a lot; a lot is one transaction: all of it or nothing. A data base that is away or busy is SEAL_RETRY,
 * one that refuses SEAL_DENIED. Values are not secret by themselves (what is, comes encrypted), but are not logged either.
 */
#ifndef STORES_STORE_H
#define STORES_STORE_H

#include "base/arena.h"
#include "base/err.h"

#define STORE_SPACE_MAX 64 /* characters a-z 0-9 - */
#define STORE_KEY_MAX 1024 /* bytes */
#define STORE_VALUE_MAX 65536

struct store {
	const struct store_ops *ops;
	bool missing; /* it was not there when it was opened (config.later): sessions fail until `make` has made it */
};

struct store_session {
	const struct store_ops *ops;
};

struct store_item {
	struct seal_bytes key;
	struct seal_bytes
		value; /* get: out, ptr NULL where there is no row; insert: in, and out: what stands there now */
	bool inserted; /* insert: this call made the row */
};

/* A row that must be as it is known for an insertion to take place: what it means is then settled in the same transaction. */
struct store_guard {
	struct seal_bytes key, value; /* in the space of the call */
	bool failed; /* out: the row is another one by now, or gone, and nothing was done */
};

/* One compare and swap of a lot. */
struct store_change {
	struct seal_bytes key, from;
	struct seal_bytes to; /* ptr NULL: the row goes away */
	bool changed; /* out: the row's value was `from` */
};

struct store_call {
	struct arena *arena; /* for results */
	uint64_t deadline_ms; /* clock_mono_ms() scale */
	/*
	 * insert: NULL, or the row that must still be so; else the call fails with SEAL_RETRY/SEAL_E_BUSY and guard->failed. Who
	 * swaps that row (swap, not change) waits for insertions that are under way, so that after it none of them is to come.
	 */
	struct store_guard *guard;
};

struct store_config {
	bool create; /* make the data base and its tables where they are missing: only what protects */
	bool later; /* it may be missing: who protects calls `make` first (store.missing) */
};

struct store_ops {
	size_t size;
	const char *name; /* the scheme in a policy: "sqlite", "postgresql" */
	const char *help; /* one line: what stands after the colon */
	/* True when `address` is well-formed; else *why says what it should look like. For lint, without I/O. */
	bool (*check)(struct seal_bytes address, const char **why);
	/* `address` is the whole text of the policy: "sqlite:tokens.db", "postgresql://host/db". No password in messages. */
	enum seal_status (*open)(const char *address, const struct store_config *config, struct store **out,
				 struct seal_err *err);
	enum seal_status (*session)(struct store *store, struct store_session **out, struct seal_err *err);
	/* Makes what is missing; somebody else may have done so by now. NULL: this store knows no config.later. */
	enum seal_status (*make)(struct store *store, struct seal_err *err);
	/* Rows by key; one query for the lot. Keys may repeat. */
	enum seal_status (*get)(struct store_session *session, const char *space, struct store_item *items, size_t n,
				const struct store_call *call, struct seal_err *err);
	/* Rows that are not there yet; where one is, the item gets its value. Once it returns the rows survive a crash. */
	enum seal_status (*insert)(struct store_session *session, const char *space, struct store_item *items,
				   size_t n, const struct store_call *call, struct seal_err *err);
	/*
	 * Compare and swap: the row's value becomes `to` where it is `from` now (ptr NULL in `to`: the row goes away); else
	 * *swapped is false. `erase`: the old value must be gone from the data base's files, as far as it lets that be done. When
	 * that has to wait, the call fails (SEAL_RETRY) with *swapped true; a swap of a value for itself does it later.
	 */
	enum seal_status (*swap)(struct store_session *session, const char *space, struct seal_bytes key,
				 struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
				 const struct store_call *call, struct seal_err *err);
	/* A lot of compare and swaps, each for itself, in one transaction; a key comes once. Nothing is erased from files,
	 * and no row of a guard may be among them. */
	enum seal_status (*change)(struct store_session *session, const char *space, struct store_change *changes,
				   size_t n, const struct store_call *call, struct seal_err *err);
	/* How many rows have a key that starts with `prefix`; counting stops at `max`. */
	enum seal_status (*count)(struct store_session *session, const char *space, struct seal_bytes prefix,
				  uint64_t max, uint64_t *n, const struct store_call *call, struct seal_err *err);
	/* All rows of a space in key order, `max` at a time, after `after` (empty: from the start). */
	enum seal_status (*scan)(struct store_session *session, const char *space, struct seal_bytes after,
				 size_t max, struct store_item **items, size_t *n, const struct store_call *call,
				 struct seal_err *err);
	void (*session_free)(struct store_session *session); /* accepts NULL */
	void (*free)(struct store *store); /* accepts NULL */
};

#endif
