/*
 * Tokens: random stand-ins for values, which are kept in a store. A token carries nothing of its value (but what a shape keeps of it).
 *
 *   KEK (Vault, keyring) ──wraps──▶ store keys ──encrypt──▶ rows        pepper ──HMAC──▶ names of rows
 *                                   (keys/store_keys.h, one scope for each generation)
 *
 *   store, space "tokens"
 *     scope │ "state"                              ──▶ which generation writes, and which one is being left (rekey)
 *     generation 8 │ 't' │ group or order 8 │ HMAC(token)   ──▶ store key id, sealed {token, kind, place, value, times, metadata}
 *     generation 8 │ 'f' │ HMAC(place, kind, group, value) ──▶ store key id, sealed {token, when it expires}  convergent only
 *
 * All names are HMACs and all rows are sealed with their name as associated data: who steals the store without the key sees how
 * many rows there are, in groups of how many, and how long they are in steps of 64 bytes, and nothing else; who changes it makes
 * values unreadable, never others. The bytes are in docs/FORMAT-tokens.md.
 *
 * Protecting a lot is one query for what is known (convergent), one insertion of both rows of what is not (atomic, on disk when
 * it returns), and rarely a few more: when two writers meet (the first one's token stands, the other's row goes away), when a
 * shaped token was taken already (another is drawn), when something has expired. Insertions are guarded by the state's row,
 * so that once a rekey has begun nobody adds to what it leaves. Revealing a lot is one query.
 *
 * Names of text tokens are HMAC(token); those of shaped ones HMAC(place, token), as two places may have the same digits. The place
 * in the row is compared, so that a token that was moved elsewhere does not reveal there (SEAL_E_TAMPERED).
 *
 * Thread-safe; opens sessions of the store for itself (keys/store_pool.h).
 */
#ifndef TOKENS_TOKENS_H
#define TOKENS_TOKENS_H

#include "keys/data_keys.h"
#include "keys/person_keys.h" /* struct person_scope: what keeps policies apart that share a store */
#include "stores/store.h"

#define TOKEN_LEN 16 /* bytes of a token without shape */
#define TOKEN_VALUE_MAX 61440 /* bytes: a row must fit STORE_VALUE_MAX; more is SEAL_E_LIMIT, of the item */
#define TOKEN_SHAPED_MAX 512 /* bytes of a shaped token */
#define TOKEN_METADATA_MAX 1024
#define TOKEN_PLACE_MAX 2048
/* data_keys_options.max_uses for tokens_new: a row is one use, and so many random nonces are far from repeating. */
#define TOKENS_STORE_KEY_USES (1ull << 28)

struct tokens;

/* `options` as for person_keys_new. `store` outlives it. */
SEAL_MUST_USE enum seal_status tokens_new(struct store *store, const struct person_scope *scope,
					  const struct data_keys_options *options, struct tokens **out,
					  struct seal_err *err);
void tokens_free(struct tokens *tokens); /* accepts NULL */

/* As enum cell_kind: what a value was in its record. */
enum token_kind { TOKEN_STRING = 1, TOKEN_JSON = 2, TOKEN_BYTES = 3 };

/* One value of a lot. */
struct token_item {
	struct seal_bytes value; /* protect: in; reveal: out */
	struct seal_bytes token; /* protect: out; reveal: in. TOKEN_LEN bytes, or shaped text */
	struct seal_bytes place; /* what it is bound to, and so its domain; may be empty */
	enum token_kind kind;
	/* Shaped tokens: what all tokens that can be drawn for this value share, as the token itself tells it, too
	 * ("4111-11••-••••-1111"), and how many there are (UINT64_MAX: more). Empty and 0 without shape. */
	struct seal_bytes group;
	uint64_t room;
	const struct seal_err *err; /* out: why it failed; in the arena of the call */
};

/* How tokens are made; the same for a lot. */
struct token_terms {
	bool convergent; /* equal place, kind, group and value: equal token */
	uint64_t
		ttl_ms; /* 0: for ever. A convergent token that comes again with less than half of it left lives on for all of it */
	const char *metadata; /* "k=v,k=v"; NULL: none */
	/*
	 * Another random token of item's group, never the value itself, in the arena; its failure is the call's. NULL: without
	 * shape. A group that is found more than half full fails its items (SEAL_E_DOMAIN).
	 */
	enum seal_status (*draw)(const void *arg, const struct token_item *item, struct arena *arena,
				 struct seal_bytes *token, struct seal_err *err);
	const void *arg;
};

/* Fails as data_keys_open and the store do: then no item counts. */
SEAL_MUST_USE enum seal_status tokens_protect(struct tokens *tokens, struct key_session *kek,
					      const struct token_terms *terms, struct token_item *items, size_t n,
					      const struct key_call *call, struct seal_err *err);
/*
 * Item errors: SEAL_E_TOKEN_UNKNOWN, SEAL_E_TOKEN_EXPIRED, SEAL_E_TAMPERED (of another place or kind, or a row that was
 * tampered with).
 */
SEAL_MUST_USE enum seal_status tokens_reveal(struct tokens *tokens, struct key_session *kek, struct token_item *items,
					     size_t n, const struct key_call *call, struct seal_err *err);

/* Looking after them: `token …` and `store rekey` ---------------------------------------------------------------- */

/* What a row says. Views of the arena of the call. */
struct token_record {
	struct token_item item; /* token, value, place, kind; shaped: group is only its hash, 8 bytes; room 0 */
	uint64_t created_ms, expires_ms; /* Unix time; expires 0: never */
	bool convergent, shaped;
	struct seal_bytes metadata;
	bool left_over; /* of a generation that a rekey is leaving */
};

/*
 * One by one: in each record item.token, and of a shaped one `shaped`, item.place, .kind and .group; out all of it, or item.err. Unlike
 * tokens_reveal it takes a text token of any place and kind, and an expired one that is still there. The group becomes its hash.
 */
SEAL_MUST_USE enum seal_status tokens_lookup(struct tokens *tokens, struct key_session *kek,
					     struct token_record *records, size_t n, const struct key_call *call,
					     struct seal_err *err);
/*
 * The next rows after *cursor (empty at first), about `max`; none: the end. Rows that were tampered with are counted in *bad and left
 * out. The cursor is in the arena. `convergent` tells whether the value gets this token now: not of one that another has replaced.
 */
SEAL_MUST_USE enum seal_status tokens_walk(struct tokens *tokens, struct key_session *kek, struct seal_bytes *cursor,
					   size_t max, struct token_record **records, size_t *n, uint64_t *bad,
					   const struct key_call *call, struct seal_err *err);
/*
 * Takes tokens away for good, wherever a rekey may have them; *removed: how many were there. Records as from tokens_walk or
 * tokens_lookup: token, place, group and `shaped` count; and expires_ms: one that was renewed since, and lives longer, stays (0: it
 * goes, too).
 */
SEAL_MUST_USE enum seal_status tokens_remove(struct tokens *tokens, struct key_session *kek,
					     const struct token_record *records, size_t n, uint64_t *removed,
					     const struct key_call *call, struct seal_err *err);
/*
 * Puts tokens from elsewhere in. One that is here already with the same value is fine; another value under the same token, or
 * (convergent) another token for the same value, fails the item.
 */
SEAL_MUST_USE enum seal_status tokens_import(struct tokens *tokens, struct key_session *kek,
					     struct token_record *records, size_t n, uint64_t *added,
					     const struct key_call *call, struct seal_err *err);

/*
 * A new generation for every row. begin: new store keys and pepper, or the rekey that is under way; step: moves about `max` rows,
 * *done when none is left and the old generation's keys are gone from the store. Restartable, by any process, while others read
 * and write.
 */
SEAL_MUST_USE enum seal_status tokens_rekey_begin(struct tokens *tokens, struct key_session *kek, bool *resumed,
						  const struct key_call *call, struct seal_err *err);
SEAL_MUST_USE enum seal_status tokens_rekey_step(struct tokens *tokens, struct key_session *kek, size_t max,
						 uint64_t *moved, bool *done, const struct key_call *call,
						 struct seal_err *err);

#endif
