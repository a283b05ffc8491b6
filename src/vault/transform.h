/*
 * Roles of Transform (Vault Enterprise) as keys, and their sessions.
 *
 *   transform_role.c   a role at start: is it there, can it do what a policy asks
 *   transform.c        sessions: encode and decode in batches
 *   transform_item.c   one item of a lot: its JSON, its result, whose fault an error is
 *
 * Which texts a licensed server uses is hardly known, so none is relied on: whose fault a refusal is follows from the
 * role and the transformation as they stand on the server, where the token may read them, and from what else it took.
 *
 * Internal to src/vault.
 */
#ifndef VAULT_TRANSFORM_H
#define VAULT_TRANSFORM_H

#include "vault/batch.h"
#include "vault/source.h"

enum transform_type { TRANSFORM_UNKNOWN, TRANSFORM_FPE, TRANSFORM_MASKING, TRANSFORM_TOKENIZATION };

/* What the server says of a transformation; TRANSFORM_UNKNOWN: the token may not read it. */
struct transform_facts {
	enum transform_type type;
	enum key_tweak tweak; /* FPE */
	bool ff1; /* FPE: FF1, not FF3-1 */
	size_t max_tweak; /* FPE by FF1: bytes; 0: any number */
	bool convergent; /* tokenization: equal values and expiry, equal token */
	uint64_t max_ttl_s; /* tokenization; 0: none */
};

/* A transformation that a policy asks for: the last look at it. */
struct transform_seen {
	struct transform_seen *next;
	const char *name; /* "": the role's only one */
	struct transform_facts facts;
};

struct transform_role {
	struct key base;
	struct vault_source *source;
	struct arena arena; /* of the strings and `seen` */
	const char *label; /* "transform/role/payments" */
	const char *mount, *name; /* "transform", "payments" */
	const char *encode_path, *decode_path; /* "transform/encode/payments", … */
	pthread_mutex_t lock; /* guards `seen` and `arena` */
	struct transform_seen *seen;
};

struct transform_session {
	struct key_session base;
	struct transform_role *role;
	struct vault_batch *batch;
	uint64_t fine_ms; /* when role and transformation were found to be in order last; 0: never */
	bool worked; /* some value was taken */
};

/* A lot on its way. */
struct transform_lot {
	struct transform_session *session;
	const struct key_transform *how;
	const struct key_call *call;
	bool decode;
	struct key_transform_item *items;
	size_t n;
	struct seal_bytes tail; /* the members of each item that are the same for all */
	size_t taken, failed;
	const struct seal_err *last_err; /* shared by items that fail alike */
	char doubt[VAULT_QUOTE_MAX + 1]; /* what the server said to the first that failed */
};

/*
 * Reads the role and the transformation, and compares them with what is asked: SEAL_USAGE says what does not fit. Where the
 * token may not read them facts->type stays TRANSFORM_UNKNOWN.
 */
SEAL_MUST_USE enum seal_status transform_look(struct transform_role *role, const struct key_transform *how,
					      uint64_t deadline_ms, struct transform_facts *facts,
					      struct seal_err *err);
/* The last look's result, without asking. */
struct transform_facts transform_known(struct transform_role *role, const struct key_transform *how);

SEAL_MUST_USE enum seal_status transform_session_new(struct key *key, struct key_session **out, struct seal_err *err);

/* Members of vault_job; `arg` is a struct transform_lot. */
size_t transform_item_size(void *arg, size_t item);
uint8_t *transform_item_write(void *arg, size_t item, uint8_t *to);
enum seal_status transform_item_read(void *arg, size_t item, const struct vault_result *result, struct seal_err *err);
enum seal_status transform_item_refused(void *arg, size_t item, const struct seal_err *why, struct seal_err *err);
enum vault_blame transform_blame(void *arg, size_t first, size_t n, unsigned status, const char *text,
				 struct seal_err *err);

/* item->err becomes a copy of `why` in the call's arena. */
void transform_item_fail(struct transform_lot *lot, struct key_transform_item *item, const struct seal_err *why);

/*
 * Nothing of the lot was taken: SEAL_OK when that is the values' fault, or SEAL_USAGE with what is wrong with the role.
 * `said` are the server's words.
 */
SEAL_MUST_USE enum seal_status transform_doubt(struct transform_lot *lot, const char *said, bool *certain,
					       struct seal_err *err);

#endif
