/*
 * The life of a token: made by a login, renewed, looked at, replaced. What is asked of the server, and what is made of its
 * answers; login.c sees to it that one thread at a time does that.
 */
#include "vault/login_work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"

/* A blind token that is refused so soon after a login that a refusal caused is not replaced again. */
#define FRESH_MS 2000
#define WORTH_PARTS 6 /* a renewal must bring this part of the first lease, */
#define WORTH_MS 1000 /* and more than what rounding does */
#define BACKOFF_MIN_MS UINT64_C(10000)
#define BACKOFF_MAX_MS UINT64_C(300000)
#define PAUSE_MIN_MS UINT64_C(250)

static uint64_t (*clock_now_ms)(void) = clock_mono_ms;

uint64_t login_now_ms(void)
{
	return clock_now_ms();
}

void tokens_set_clock(uint64_t (*now_ms)(void))
{
	clock_now_ms = now_ms != NULL ? now_ms : clock_mono_ms;
}

void token_put(struct vault_token *token)
{
	if (token == NULL || --token->users > 0)
		return;
	secret_clear(&token->text);
	mem_free(token);
}

struct vault_token *token_use(struct vault_token *token)
{
	token->users++;
	return token;
}

/* Two thirds of the time to live, a tenth of that more or less, so that many programs don't come at once. */
static uint64_t renewal_after(uint64_t ttl_ms)
{
	uint64_t two_thirds = ttl_ms / 3 * 2 + ttl_ms % 3 * 2 / 3, spread = two_thirds / 5;
	uint32_t dice = UINT32_MAX / 2;

	if (random_bytes((uint8_t *)&dice, sizeof(dice), NULL) != SEAL_OK)
		spread = 0;
	return two_thirds - spread / 2 + (spread > 0 ? dice % (spread + 1) : 0);
}

static void set_times(struct vault_token *token, uint64_t asked_ms, uint64_t ttl_ms)
{
	token->backoff_ms = BACKOFF_MIN_MS;
	token->ends_ms = ttl_ms > 0 ? asked_ms + ttl_ms : NEVER;
	token->due_ms = ttl_ms > 0 ? asked_ms + renewal_after(ttl_ms) : NEVER;
}

/* Later, then: each time twice as long, but more than once before the token ends. */
void token_postpone(struct vault_token *token)
{
	uint64_t now = login_now_ms(), left = token->ends_ms > now ? token->ends_ms - now : 0;
	uint64_t pause = token->backoff_ms < left / 4 ? token->backoff_ms : left / 4;

	token->due_ms = now + (pause > PAUSE_MIN_MS ? pause : PAUSE_MIN_MS);
	token->backoff_ms = token->backoff_ms * 2 < BACKOFF_MAX_MS ? token->backoff_ms * 2 : BACKOFF_MAX_MS;
}

bool token_usable(const struct vault_token *token)
{
	return token != NULL && login_now_ms() < token->ends_ms;
}

/* Puts what a login gave in the place of the current token; takes auth->token. */
static enum seal_status install(struct vault_tokens *t, struct vault_auth *auth, uint64_t asked_ms,
				struct seal_err *err)
{
	struct vault_token *token = mem_calloc(1, sizeof(*token));

	if (token == NULL)
		return err_memory(err);
	token->text = auth->token;
	auth->token = (struct secret)SECRET_INIT;
	token->users = 1;
	token->renewable = auth->renewable;
	token->first_ttl_ms = auth->ttl_ms;
	token->born_ms = login_now_ms();
	token->limited = auth->limited;
	snprintf(token->source, sizeof(token->source), "%s", auth->source);
	set_times(token, asked_ms, auth->ttl_ms);
	pthread_mutex_lock(&t->lock);
	token_put(t->current);
	t->current = token;
	pthread_mutex_unlock(&t->lock);
	return SEAL_OK;
}

/*
 * The end that a person reads: which way of logging in, where, what was said (in `err` already), what to do. What is
 * wrong with the options keeps its class; a refusal is SEAL_DENIED.
 */
static enum seal_status explain(const struct vault_tokens *t, enum seal_status rc, bool renewal_ended,
				struct seal_err *err)
{
	bool no_mount = rc == SEAL_USAGE && err != NULL && err->code == SEAL_E_KEY_UNKNOWN;
	struct seal_err why;

	if (err == NULL)
		return rc;
	if (rc != SEAL_DENIED && !no_mount && (rc != SEAL_USAGE || err->code != SEAL_E_SERVICE)) {
		err_prefix(err, "logging in with %s", t->ops->name);
		return rc;
	}
	why = *err;
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "%slogging in with %s at auth/%s failed: %.320s; %s",
		       renewal_ended ? "the token's renewal has ended, and " : "", t->ops->name,
		       t->options->auth_mount != NULL ? t->options->auth_mount : t->ops->name, why.text,
		       no_mount ? "check --vault-auth-mount, and that the method is enabled there" : t->ops->remedy);
}

static struct vault_login login_by(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms)
{
	return (struct vault_login){t->options, worker, deadline_ms, &t->memory};
}

enum seal_status tokens_log_in(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
			       bool renewal_ended, struct seal_err *err)
{
	struct vault_login login = login_by(t, worker, deadline_ms);
	struct vault_auth auth = {0};
	uint64_t asked_ms = login_now_ms();
	enum seal_status rc = t->ops->login(&login, &auth, err);

	if (rc != SEAL_OK)
		rc = explain(t, rc, renewal_ended, err);
	else
		rc = install(t, &auth, asked_ms, err);
	login_auth_clear(&auth);
	return rc;
}

/*
 * A bare token whose text in its file, helper or variable is another one now becomes that one; *changed says whether. The
 * old one must still be the current.
 */
static enum seal_status read_again(struct vault_tokens *t, const struct vault_token *old, struct vault_worker *worker,
				   uint64_t deadline_ms, bool *changed, struct seal_err *err)
{
	struct vault_auth auth = {0};
	enum seal_status rc;

	*changed = false;
	SEAL_TRY(t->ops->read(t->options, &auth, err));
	*changed = auth.token.len != old->text.len ||
		   (auth.token.len > 0 && !ct_equal(auth.token.ptr, old->text.ptr, old->text.len));
	if (*changed)
		SEAL_TRY(tokens_log_in(t, worker, deadline_ms, false, err));
out:
	login_auth_clear(&auth);
	return rc;
}

/* Near the end of its longest life a token is "renewed" to what it had anyway. */
static bool was_worth_it(const struct vault_token *token, uint64_t ends_ms)
{
	uint64_t least = token->first_ttl_ms / WORTH_PARTS;

	return ends_ms >= token->ends_ms + (least > WORTH_MS ? least : WORTH_MS);
}

/* SEAL_OK: renewed. SEAL_RETRY, SEAL_FATAL: not now. Anything else: refused, or of no use. */
static enum seal_status renew(struct vault_tokens *t, struct vault_token *token, struct vault_worker *worker,
			      uint64_t deadline_ms, struct seal_err *err)
{
	struct vault_auth auth = {0};
	json_t *body = NULL, *answer = NULL;
	uint64_t asked_ms = login_now_ms();
	enum seal_status rc;

	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(vault_ask_login(worker, "auth/token/renew-self", body, vault_token_text(token), deadline_ms, &answer,
				 err));
	SEAL_TRY(login_auth(answer, &auth, err));
	if (!was_worth_it(token, asked_ms + auth.ttl_ms)) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the token nears the end of its longest life");
		goto out;
	}
	pthread_mutex_lock(&t->lock);
	set_times(token, asked_ms, auth.ttl_ms);
	token->renewable = auth.renewable;
	pthread_mutex_unlock(&t->lock);
out:
	login_auth_clear(&auth);
	vault_json_free(body);
	vault_json_free(answer);
	return rc;
}

static void say_ending(const struct vault_tokens *t, const struct vault_token *token, const struct seal_err *why)
{
	uint64_t now = login_now_ms(), left = token->ends_ms > now ? token->ends_ms - now : 0;

	log_say(LOG_WARNING, "%s: the token ends in %llu s: %s", vault_client_name(t->client),
		(unsigned long long)(left / 1000), why->text);
}

/* Nothing came of it: the token is used up to its end, and another try is made meanwhile. */
static void go_on(struct vault_tokens *t, struct vault_token *token, const struct seal_err *why)
{
	if (why->status != SEAL_RETRY && token->backoff_ms == BACKOFF_MIN_MS)
		say_ending(t, token, why);
	pthread_mutex_lock(&t->lock);
	token_postpone(token);
	pthread_mutex_unlock(&t->lock);
}

/* A token of which two thirds are over, and which is good still. Never fails: it can be used until its end. */
void tokens_refresh(struct vault_tokens *t, struct vault_token *token, struct vault_worker *worker,
		    uint64_t deadline_ms)
{
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_DENIED;
	bool changed = false;

	if (token->renewable) {
		rc = renew(t, token, worker, deadline_ms, &err);
		if (rc == SEAL_OK)
			return;
	}
	if (rc != SEAL_RETRY && rc != SEAL_FATAL && t->ops->again) {
		err_clear(&err);
		rc = tokens_log_in(t, worker, deadline_ms, token->renewable, &err);
		if (rc == SEAL_OK)
			return;
	} else if (rc != SEAL_RETRY && rc != SEAL_FATAL && t->ops->read != NULL) {
		if (read_again(t, token, worker, deadline_ms, &changed, NULL) == SEAL_OK && changed)
			return;
	}
	if (rc == SEAL_DENIED && !t->ops->again)
		err_set(&err, SEAL_DENIED, SEAL_E_DENIED, "it cannot be renewed; %s", t->ops->remedy);
	go_on(t, token, &err);
}

/* Does lookup-self work? *good: yes, so that the token has not ended. SEAL_RETRY, SEAL_FATAL: nobody knows. */
static enum seal_status look(struct vault_worker *worker, const struct vault_token *token, uint64_t deadline_ms,
			     bool *good, struct seal_err *err)
{
	json_t *answer = NULL;
	enum seal_status rc = vault_ask_login(worker, "auth/token/lookup-self", NULL, vault_token_text(token),
					      deadline_ms, &answer, err);

	vault_json_free(answer);
	*good = rc == SEAL_OK;
	if (rc == SEAL_RETRY || rc == SEAL_FATAL)
		return rc;
	err_clear(err);
	return SEAL_OK;
}

/* A token after a refusal: can it be told later whether it has ended? One that counts its calls is not asked. */
static enum seal_status log_in_and_look(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
					struct seal_err *err)
{
	enum seal_status rc = tokens_log_in(t, worker, deadline_ms, false, err);
	bool good = true;

	if (rc != SEAL_OK || t->current->limited)
		return rc;
	t->current->blind = look(worker, t->current, deadline_ms, &good, NULL) == SEAL_OK && !good;
	return SEAL_OK;
}

static enum seal_status ended(const struct vault_tokens *t, const struct vault_token *token, struct seal_err *err)
{
	const char *server = vault_client_name(t->client);

	if (token->text.ptr == NULL)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "%s refuses requests without a token: the Agent has none to add, or its policies do "
			       "not allow "
			       "them; set VAULT_TOKEN or look at the Agent's auto_auth",
			       server);
	if (t->ops->read == NULL)
		return err_set(
			err, SEAL_DENIED, SEAL_E_DENIED,
			"%s: the token has ended or was revoked, and logging in with %s needs a person; start again",
			server, t->ops->name);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "%s: the token of %s has ended, was revoked or is not one of this server; %s (or it lacks a "
		       "right, which can be told only of tokens with the policy `default`)",
		       server, token->source, t->ops->remedy);
}

/* What the flight of vault_token_refused does: `token` is the current one. */
enum seal_status tokens_replace(struct vault_tokens *t, const struct vault_token *token, struct vault_worker *worker,
				uint64_t deadline_ms, bool *by_policy, struct seal_err *err)
{
	bool changed = false, good = false;
	enum seal_status rc;

	if (t->ops->read != NULL) {
		SEAL_TRY(read_again(t, token, worker, deadline_ms, &changed, err));
		if (changed)
			goto out;
	}
	if (token->text.ptr != NULL)
		SEAL_TRY(look(worker, token, deadline_ms, &good, err));
	*by_policy = good || (token->blind && login_now_ms() - token->born_ms < FRESH_MS);
	if (good)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "the token%s%s is good, but its policies do not allow this",
			     token->source[0] != '\0' ? " of " : "", token->source);
	else if (*by_policy)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "refused again right after logging in with %s: the token's policies do not allow this",
			     t->ops->name);
	else if (t->ops->again)
		rc = log_in_and_look(t, worker, deadline_ms, err);
	else
		rc = ended(t, token, err);
out:
	return rc;
}
