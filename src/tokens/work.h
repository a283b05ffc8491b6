/*
 * What the files of tokens share: a call at work, its generations, rows that are sought, made and sealed.
 *
 *   token_run ──▶ step ──▶ done
 *      ▲            │
 *      └── again ◀──┘  the state was another one than what the step went by, or rows changed under its hands
 *
 * A call goes by the state as it is known, which costs nothing, and every look for rows brings the state's row with it: where
 * that is another one, the step begins again. So nobody reads or writes for long what a rekey has left.
 */
#ifndef TOKENS_WORK_H
#define TOKENS_WORK_H

#include <pthread.h>

#include "base/buf.h"
#include "keys/store_keys.h"
#include "keys/store_pool.h"
#include "tokens/row.h"

/* The keys of one generation; counted. */
struct generation {
	struct generation *next;
	uint64_t number;
	uint8_t id[TOKEN_GENERATION_LEN]; /* what its rows' keys start with */
	struct store_keys *keys;
	unsigned refs; /* under tokens->lock */
};

#define TOKEN_GROUPS_MAX 64

/* A group that was counted, remembered for a while. */
struct known_group {
	uint8_t hash[TOKEN_GROUP_LEN];
	uint64_t until_ms; /* clock_mono_ms(); 0: none */
	bool full; /* more than half */
	uint64_t meetings; /* else: how many taken tokens may be drawn before it is counted again */
};

enum { CURRENT, LEAVING, GENERATIONS };

struct tokens {
	struct store_pool *pool;
	struct seal_buf scope; /* as person_scope_write */
	struct data_keys_options options;
	uint8_t state_key[ROW_ID_LEN + 5];
	pthread_mutex_t lock; /* guards what follows */
	struct token_state state; /* as it was last seen */
	struct generation *known; /* all that somebody uses */
	struct generation *held[GENERATIONS]; /* references: those of the state */
	struct known_group groups[TOKEN_GROUPS_MAX];
	size_t next_group;
};

/* One call. */
struct token_work {
	struct tokens *tokens;
	struct store_keys_use use;
	struct arena *arena;
	const struct seal_err *last; /* error shared by those that fail alike */
	struct token_state state; /* what this call goes by */
	struct generation *generations[GENERATIONS]; /* references; NULL: none */
	struct hmac *names[GENERATIONS]; /* under their peppers; NULL: not asked for yet */
	bool fresh; /* the state was read in this call */
	bool look; /* the step's result counts only if the state is still what it went by */
	bool again; /* the step is not through */
	/* sealing: uses of a store key that were taken and not used yet */
	struct generation *sealing;
	struct data_key *store_key;
	struct aead *aead;
	uint64_t uses;
};

/* A call's work; done again while it says so (bounded). What it wants to keep is in `arg`. */
typedef enum seal_status (*token_step)(struct token_work *w, void *arg, struct seal_err *err);
SEAL_MUST_USE enum seal_status token_run(struct tokens *tokens, struct key_session *kek, const struct key_call *call,
					 token_step step, void *arg, struct seal_err *err);

/*
 * The state is known afterwards, and where there is none, generation 1 begins. For steps that write; others see state.current 0, which
 * means that there are no tokens.
 */
SEAL_MUST_USE enum seal_status token_work_begin(struct token_work *w, struct seal_err *err);
/* Reads the state; *changed: it is another one than what the work went by. */
SEAL_MUST_USE enum seal_status token_work_look(struct token_work *w, bool *changed, struct seal_err *err);
/* HMAC of a generation; SEAL_DATA where its keys are gone, as after a rekey that the call knows nothing of. */
SEAL_MUST_USE enum seal_status token_work_names(struct token_work *w, unsigned generation, struct hmac **out,
						struct seal_err *err);
/* A reference to a generation by its number; without I/O. */
SEAL_MUST_USE enum seal_status generation_take(struct tokens *tokens, uint64_t number, struct generation **out,
					       struct seal_err *err);
void generation_give(struct tokens *tokens, struct generation *generation); /* accepts NULL */

static inline struct store_call token_store_call(const struct token_work *w)
{
	return (struct store_call){.arena = w->arena, .deadline_ms = w->use.call->deadline_ms};
}

static inline struct seal_bytes token_state_key(const struct tokens *tokens)
{
	return bytes_of(tokens->state_key, sizeof(tokens->state_key));
}

/* Milliseconds since 1970; tests may set another clock (NULL: the real one) while no other thread runs. */
uint64_t tokens_now_ms(void);
void tokens_test_clock(uint64_t (*unix_ms)(void));

/* Why an item failed, shared. */
const struct seal_err *token_item_err(struct token_work *w, enum seal_code code, const char *text);
/* The store was changed or damaged. */
const struct seal_err *token_item_damaged(struct token_work *w);

/* seek.c: rows by what they are of ------------------------------------------------------------------------------------- */

struct token_seek {
	const struct token_item
		*item; /* token: token, and of shaped ones the place; fingerprint: place, kind, value */
	enum token_letter letter;
	bool shaped;
	uint8_t group[TOKEN_GROUP_LEN]; /* token_group_hash; zeros without shape */
	unsigned generation; /* of the key, and where it was found */
	struct token_key key;
	struct seal_bytes row; /* out: as in the store; ptr NULL: there is none */
	const struct seal_err *err; /* out: there is one, but it is not what was written there */
	union { /* out, where it is there without err: what it says */
		struct token_record record;
		struct token_finger finger;
	};
};

/* `record`, whose group is a hash, stays where it is. */
static inline struct token_seek token_seek_for(const struct token_record *record, enum token_letter letter)
{
	struct token_seek seek = {.item = &record->item, .letter = letter, .shaped = record->shaped};

	if (record->shaped)
		memcpy(seek.group, record->item.group.ptr, TOKEN_GROUP_LEN);
	return seek;
}

/* The hash of a place's group, the same in all generations; zeros where `group` is empty. */
SEAL_MUST_USE enum seal_status token_group_hash(struct seal_bytes place, struct seal_bytes group,
						uint8_t out[TOKEN_GROUP_LEN], struct seal_err *err);
/* `n` new text tokens for the current generation, TOKEN_LEN bytes each: without its pepper, random bits. */
SEAL_MUST_USE enum seal_status token_draw(struct token_work *w, uint8_t *tokens, size_t n, struct seal_err *err);
/* Keys of rows in a generation. */
SEAL_MUST_USE enum seal_status token_name(struct token_work *w, unsigned generation, struct token_seek *const *seeks,
					  size_t n, struct seal_err *err);
/* Named, and their rows looked for, in one generation. SEAL_RETRY with w->look where the state is another one by now. */
SEAL_MUST_USE enum seal_status token_look(struct token_work *w, unsigned generation, struct token_seek *const *seeks,
					  size_t n, struct seal_err *err);
/* Where they are, and what they say: in the current generation, in the one being left, and once more in the current one. */
SEAL_MUST_USE enum seal_status token_find(struct token_work *w, struct token_seek *const *seeks, size_t n,
					  struct seal_err *err);
/* Opens rows that were read: those without err and with a row. */
SEAL_MUST_USE enum seal_status token_open(struct token_work *w, struct token_seek *const *seeks, size_t n,
					  struct seal_err *err);

/*
 * The tokens of a generation after the row *after (a key in the store; empty: from the first), which becomes the last of them, in the
 * arena; at most `max` rows. *n 0: the end. Their items are not set; of those that do not open, err is.
 */
SEAL_MUST_USE enum seal_status token_scan(struct token_work *w, unsigned generation, struct seal_bytes *after,
					  size_t max, struct token_seek ***seeks, size_t *n, struct seal_err *err);

/* put.c: rows made and stored ------------------------------------------------------------------------------------------- */

/* Seals rows under the store keys of a generation. */
SEAL_MUST_USE enum seal_status token_seal(struct token_work *w, unsigned generation, const struct token_row *rows,
					  size_t n, struct seal_err *err);

/* Rows for the current generation. */
struct token_batch {
	struct token_row *rows;
	struct store_item *items; /* out, each of its row: `inserted`, and the value that stands there */
	size_t n;
};

SEAL_MUST_USE enum seal_status token_batch_new(struct token_work *w, size_t max, struct token_batch *batch,
					       struct seal_err *err);
/* `row` from token_row_write or token_finger_write; ptr NULL: no memory. The key stays where it is. */
SEAL_MUST_USE enum seal_status token_batch_add(struct token_batch *batch, const struct token_key *key,
					       struct seal_bytes row, struct seal_err *err);
/* Seals and inserts, if the state is still what this work goes by: else SEAL_RETRY with w->look. */
SEAL_MUST_USE enum seal_status token_batch_insert(struct token_work *w, struct token_batch *batch,
						  struct seal_err *err);
SEAL_MUST_USE enum seal_status token_change(struct token_work *w, struct store_change *changes, size_t n,
					    struct seal_err *err);

/* group.c: how full groups of shaped tokens are ------------------------------------------------------------------------- */

/* Was the group found more than half full a moment ago? */
SEAL_MUST_USE bool token_group_is_full(struct tokens *tokens, const uint8_t hash[TOKEN_GROUP_LEN]);
/* Are half of `room` taken? `seek` is a token of the group. The answer is remembered for a moment. */
SEAL_MUST_USE enum seal_status token_group_check(struct token_work *w, const struct token_seek *seek, uint64_t room,
						 bool *full, struct seal_err *err);

/* A state's row: swapped as a whole. */
SEAL_MUST_USE enum seal_status token_state_swap(struct token_work *w, const struct token_state *from,
						const struct token_state *to, bool *swapped, struct seal_err *err);

#endif
