/*
 * Tokens of one store and key: their life, generations, and how a call goes by the state.
 *
 *   state's row ──▶ {current, leaving} ──▶ generations ──▶ store keys, pepper
 *
 * Invariants: the state names only generations whose keys are in the store already, so that a pepper that is not there was lost.
 * Numbers of generations only grow, so no state comes twice. A generation lives as long as the state or a call names it.
 */
#include "tokens/tokens.h"

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "keys/item_err.h"
#include "tokens/work.h"

#define STATE_LABEL "sealstream tokens v1"
#define STATE_NAME "state"
#define TRIES 100 /* times that the state, or rows, changed under a call's hands before it is time to say so */

static uint64_t real_unix_ms(void)
{
	return (uint64_t)clock_unix_ms();
}

static uint64_t (*unix_now_ms)(void) = real_unix_ms;

void tokens_test_clock(uint64_t (*unix_ms)(void))
{
	unix_now_ms = unix_ms != NULL ? unix_ms : real_unix_ms;
}

uint64_t tokens_now_ms(void)
{
	return unix_now_ms();
}

static enum seal_status name_state(struct tokens *tokens, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(sizeof(STATE_LABEL) + tokens->scope.len);
	uint8_t digest[SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&text, STATE_LABEL, err));
	SEAL_TRY(buf_append(&text, buf_bytes(&tokens->scope), err));
	SEAL_TRY(sha256(buf_bytes(&text), digest, err));
	memcpy(tokens->state_key, digest, ROW_ID_LEN);
	memcpy(tokens->state_key + ROW_ID_LEN, STATE_NAME, sizeof(STATE_NAME) - 1);
out:
	buf_clear(&text);
	return rc;
}

enum seal_status tokens_new(struct store *store, const struct person_scope *scope,
			    const struct data_keys_options *options, struct tokens **out, struct seal_err *err)
{
	struct tokens *tokens = mem_calloc(1, sizeof(*tokens));
	enum seal_status rc;

	*out = NULL;
	if (tokens == NULL)
		return err_memory(err);
	tokens->scope.max = PERSON_SCOPE_MAX;
	tokens->options = *options;
	data_keys_defaults(&tokens->options);
	pthread_mutex_init(&tokens->lock, NULL);
	SEAL_TRY(person_scope_write(scope, &tokens->scope, err));
	SEAL_TRY(name_state(tokens, err));
	SEAL_TRY(store_pool_new(store, &tokens->pool, err));
	*out = tokens;
	tokens = NULL;
out:
	tokens_free(tokens);
	return rc;
}

void tokens_free(struct tokens *tokens)
{
	if (tokens == NULL)
		return;
	for (int i = 0; i < GENERATIONS; i++)
		generation_give(tokens, tokens->held[i]);
	SEAL_INVARIANT(tokens->known == NULL);
	store_pool_free(tokens->pool);
	buf_clear(&tokens->scope);
	pthread_mutex_destroy(&tokens->lock);
	mem_free(tokens);
}

/* The scope of a generation's keys: that of the policy, and which one it is. */
static enum seal_status generation_new(const struct tokens *tokens, uint64_t number, struct generation **out,
				       struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(PERSON_SCOPE_MAX + 64);
	struct generation *made = mem_calloc(1, sizeof(*made));
	enum seal_status rc;

	if (made == NULL)
		return err_memory(err);
	SEAL_TRY(buf_append(&text, buf_bytes(&tokens->scope), err));
	SEAL_TRY(buf_append_str(&text, "tokens", err));
	SEAL_TRY(buf_append_be64(&text, number, err));
	SEAL_TRY(store_keys_new(buf_bytes(&text), &tokens->options, &made->keys, err));
	made->number = number;
	memcpy(made->id, store_keys_scope(made->keys), TOKEN_GENERATION_LEN);
	*out = made;
	made = NULL;
out:
	mem_free(made);
	buf_clear(&text);
	return rc;
}

enum seal_status generation_take(struct tokens *tokens, uint64_t number, struct generation **out,
				 struct seal_err *err)
{
	struct generation *found;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&tokens->lock);
	for (found = tokens->known; found != NULL && found->number != number; found = found->next)
		;
	if (found == NULL) {
		SEAL_TRY(generation_new(tokens, number, &found, err));
		found->next = tokens->known;
		tokens->known = found;
	}
	found->refs++;
out:
	pthread_mutex_unlock(&tokens->lock);
	*out = rc == SEAL_OK ? found : NULL;
	return rc;
}

void generation_give(struct tokens *tokens, struct generation *generation)
{
	struct generation **at;
	bool last;

	if (generation == NULL)
		return;
	pthread_mutex_lock(&tokens->lock);
	last = --generation->refs == 0;
	for (at = &tokens->known; last && *at != generation; at = &(*at)->next)
		;
	if (last)
		*at = generation->next;
	pthread_mutex_unlock(&tokens->lock);
	if (!last)
		return;
	store_keys_free(generation->keys);
	mem_free(generation);
}

/* Lets go of the generations that the work went by, and what it made of them. */
static void leave_generations(struct token_work *w)
{
	for (int i = 0; i < GENERATIONS; i++) {
		generation_give(w->tokens, w->generations[i]);
		hmac_free(w->names[i]);
		w->generations[i] = NULL;
		w->names[i] = NULL;
	}
	aead_free(w->aead);
	data_key_unref(w->store_key);
	w->aead = NULL;
	w->store_key = NULL;
	w->sealing = NULL;
	w->uses = 0;
}

/* The work goes by `state` from here on. */
static enum seal_status go_by(struct token_work *w, const struct token_state *state, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	leave_generations(w);
	w->state = (struct token_state){0};
	if (state->current != 0)
		SEAL_TRY(generation_take(w->tokens, state->current, &w->generations[CURRENT], err));
	if (state->leaving != 0)
		SEAL_TRY(generation_take(w->tokens, state->leaving, &w->generations[LEAVING], err));
	w->state = *state;
out:
	return rc;
}

/* What this work goes by is what others shall begin with; the references change places, so that nothing can fail. */
static void remember_state(struct token_work *w)
{
	struct tokens *tokens = w->tokens;
	struct generation *old[GENERATIONS];

	pthread_mutex_lock(&tokens->lock);
	tokens->state = w->state;
	for (int i = 0; i < GENERATIONS; i++) {
		old[i] = tokens->held[i];
		tokens->held[i] = w->generations[i];
		if (w->generations[i] != NULL)
			w->generations[i]->refs++;
	}
	pthread_mutex_unlock(&tokens->lock);
	for (int i = 0; i < GENERATIONS; i++)
		generation_give(tokens, old[i]);
}

static bool same_state(const struct token_state *a, const struct token_state *b)
{
	return a->current == b->current && a->leaving == b->leaving;
}

enum seal_status token_work_look(struct token_work *w, bool *changed, struct seal_err *err)
{
	struct store_item item = {.key = token_state_key(w->tokens)};
	const struct store_call call = token_store_call(w);
	struct token_state state = {0};
	enum seal_status rc;

	SEAL_TRY(w->use.store->ops->get(w->use.store, TOKENS_SPACE, &item, 1, &call, err));
	if (item.value.ptr != NULL && !token_state_parse(item.value, &state)) {
		rc = err_set(
			err, SEAL_DATA, SEAL_E_TAMPERED,
			"the state of the store's tokens is not what was written there: the store was changed or "
			"damaged, or is a newer program's; restore it, or use that program");
		goto out;
	}
	*changed = !same_state(&state, &w->state);
	w->fresh = true;
	if (*changed) {
		SEAL_TRY(go_by(w, &state, err));
		remember_state(w);
	}
out:
	return rc;
}

/* Generation 1: first its keys, then the state that names it. Others who do the same make the same ones. */
static enum seal_status begin_store(struct token_work *w, struct seal_err *err)
{
	const struct token_state first = {.current = 1};
	const struct store_call call = token_store_call(w);
	uint8_t value[TOKEN_STATE_LEN];
	struct store_item item = {.key = token_state_key(w->tokens), .value = bytes_of(value, sizeof(value))};
	struct generation *generation = NULL;
	struct hmac *names = NULL;
	enum seal_status rc;
	bool changed;

	token_state_write(&first, value);
	SEAL_TRY(generation_take(w->tokens, first.current, &generation, err));
	SEAL_TRY(store_keys_pepper(generation->keys, &w->use, true, &names, err));
	SEAL_TRY(w->use.store->ops->insert(w->use.store, TOKENS_SPACE, &item, 1, &call, err));
	SEAL_TRY(token_work_look(w, &changed, err));
out:
	hmac_free(names);
	generation_give(w->tokens, generation);
	return rc;
}

enum seal_status token_work_begin(struct token_work *w, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool changed;

	if (w->state.current == 0 && !w->fresh)
		SEAL_TRY(token_work_look(w, &changed, err));
	if (w->state.current == 0)
		SEAL_TRY(begin_store(w, err));
	if (w->state.current == 0)
		rc = store_keys_damaged("the state of its tokens", err);
out:
	return rc;
}

enum seal_status token_work_names(struct token_work *w, unsigned generation, struct hmac **out, struct seal_err *err)
{
	struct store_keys *keys = w->generations[generation]->keys;
	enum seal_status rc = SEAL_OK;

	if (w->names[generation] == NULL)
		SEAL_TRY(store_keys_pepper_known(keys, &w->names[generation], err));
	if (w->names[generation] == NULL)
		SEAL_TRY(store_keys_pepper(keys, &w->use, false, &w->names[generation], err));
	*out = w->names[generation];
out:
	return rc;
}

/* The state as this process saw it last. */
static enum seal_status go_by_known(struct token_work *w, struct seal_err *err)
{
	struct token_state state;

	pthread_mutex_lock(&w->tokens->lock);
	state = w->tokens->state;
	pthread_mutex_unlock(&w->tokens->lock);
	return go_by(w, &state, err);
}

/* One go. *through: its result stands. */
static enum seal_status step_once(struct token_work *w, token_step step, void *arg, bool *through,
				  struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	bool changed = false;
	enum seal_status rc;

	w->look = w->again = false;
	rc = step(w, arg, &why);
	/* rows and keys that are gone may have been left by a rekey in this moment */
	if (w->look || rc == SEAL_DATA) {
		enum seal_status looked = token_work_look(w, &changed, err);

		if (looked != SEAL_OK) {
			*through = true;
			return looked;
		}
	}
	*through = !changed && (rc != SEAL_OK || !w->again);
	return rc == SEAL_OK || !*through ? SEAL_OK : err_set(err, why.status, why.code, "%s", why.text);
}

enum seal_status token_run(struct tokens *tokens, struct key_session *kek, const struct key_call *call,
			   token_step step, void *arg, struct seal_err *err)
{
	struct token_work w = {tokens, {.kek = {kek, tokens->options.derived}, .call = call}, .arena = call->arena};
	bool through = false;
	enum seal_status rc;

	SEAL_TRY(store_pool_take(tokens->pool, &w.use.store, err));
	SEAL_TRY(go_by_known(&w, err));
	for (int i = 0; i < TRIES && !through; i++)
		SEAL_TRY(step_once(&w, step, arg, &through, err));
	if (!through)
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			     "other processes keep changing the rows of these tokens; try again");
out:
	leave_generations(&w);
	store_pool_give(tokens->pool, w.use.store, rc == SEAL_OK);
	return rc;
}

const struct seal_err *token_item_err(struct token_work *w, enum seal_code code, const char *text)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, code, "%s", text);
	return item_err_share(w->arena, &why, &w->last);
}

const struct seal_err *token_item_damaged(struct token_work *w)
{
	return token_item_err(
		w, SEAL_E_TAMPERED,
		"the row of a token is not what was written there: the store was changed or damaged; restore it");
}
