/*
 * Tokens: one per client, shared by its workers.
 *
 *   current ──▶ token {text, due, ends}      due: renew it, or log in anew; ends: it is of no use any more
 *   flying      one thread logs in, renews or looks; the others use the current token if it is still good, or wait
 *   failure     how the last flight ended, for those who waited for it
 *
 * Invariants: `lock` guards all members of vault_tokens that change, and the counts and times of every token; it is never
 * held during a request. Only the flying thread replaces `current`. A token is freed when nobody uses it any more.
 *
 * The thread of its own does what is due while nobody calls. After fork() the child has none, and whatever the parent's
 * threads were about is not under way there (pthread_atfork); each vault_token_get does then what is due.
 */
#include "vault/login.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "vault/login/method.h"

#define NEVER UINT64_MAX
#define FRESH_MS                                                                                                     \
	2000 /* a blind token that is refused so soon after a login that a refusal caused is not replaced again */
#define WORTH_PARTS 6 /* a renewal must bring this part of the first lease, */
#define WORTH_MS 1000 /* and more than what rounding does */
#define BACKOFF_MIN_MS UINT64_C(10000)
#define BACKOFF_MAX_MS UINT64_C(300000)
#define PAUSE_MIN_MS UINT64_C(250)
#define THREAD_CALL_MS                                                                                               \
	5000 /* the thread gives up a call after this, so that vault_tokens_free need not wait longer */

struct vault_token {
	struct secret text; /* ends with a zero byte; ptr NULL: empty */
	unsigned users; /* `current` is one */
	uint64_t first_ttl_ms; /* 0: has no end */
	uint64_t born_ms, due_ms, ends_ms;
	uint64_t backoff_ms;
	bool renewable;
	bool limited; /* to a number of calls */
	bool blind; /* of a login after a refusal, and may not look at itself: whether it has ended is not to be known */
	char source[VAULT_SOURCE_MAX];
};

struct vault_tokens {
	struct vault_client *client;
	const struct vault_options *options;
	const struct vault_login_ops *ops;
	struct vault_login_memory memory; /* the flying thread's */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a flight has ended, or the thread must stop */
	struct vault_token *current; /* NULL: log in */
	bool flying;
	uint64_t flights; /* that have ended */
	struct seal_err failure; /* of the last one; status SEAL_OK: it went well */
	bool by_policy; /* … and it found the token good */
	bool threaded, stop;
	bool forked; /* a child: no thread is started there */
	pthread_t thread;
	struct vault_tokens *next; /* in `all` */
};

static const struct vault_login_ops *const ways[] = {
	&vault_login_token, &vault_login_approle,  &vault_login_kubernetes, &vault_login_jwt, &vault_login_oidc,
	&vault_login_cert,  &vault_login_userpass, &vault_login_ldap,	    &vault_login_aws};

static uint64_t (*now_ms)(void) = clock_mono_ms;
static bool with_thread = true;

void vault_login_test_clock(uint64_t (*clock)(void), bool thread)
{
	now_ms = clock != NULL ? clock : clock_mono_ms;
	with_thread = thread;
}

/* What fork() must not copy in an unknown state: all tokens, guarded by all_lock, which is taken before their locks. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vault_tokens *all;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	pthread_mutex_lock(&all_lock);
	for (struct vault_tokens *t = all; t != NULL; t = t->next)
		pthread_mutex_lock(&t->lock);
}

static void in_parent(void)
{
	for (struct vault_tokens *t = all; t != NULL; t = t->next)
		pthread_mutex_unlock(&t->lock);
	pthread_mutex_unlock(&all_lock);
}

/* Deadlines are on the monotonic clock. */
static bool init_changed(struct vault_tokens *t)
{
	pthread_condattr_t attr;
	bool good = pthread_condattr_init(&attr) == 0;

	if (good) {
		good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
		       pthread_cond_init(&t->changed, &attr) == 0;
		pthread_condattr_destroy(&attr);
	}
	return good;
}

/* Nobody waits here, whatever the copied condition remembers. */
static void in_child(void)
{
	for (struct vault_tokens *t = all; t != NULL; t = t->next) {
		t->flying = false;
		t->threaded = false;
		t->forked = true;
		SEAL_INVARIANT(init_changed(t));
	}
	in_parent();
}

static void watch_fork(void)
{
	/* without memory for it a child may hang in a login: as rare as it is, and not worth refusing to start */
	(void)pthread_atfork(before_fork, in_parent, in_child);
}

const char *vault_token_text(const struct vault_token *token)
{
	return token->text.ptr != NULL ? (const char *)token->text.ptr : "";
}

/* Called with the lock held, as the next two. */
static void put_token(struct vault_token *token)
{
	if (token == NULL || --token->users > 0)
		return;
	secret_clear(&token->text);
	mem_free(token);
}

static struct vault_token *use_token(struct vault_token *token)
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

/* Not now, then: later, each time twice as long, but more than once before the token ends. */
static void postpone(struct vault_token *token)
{
	uint64_t now = now_ms(), left = token->ends_ms > now ? token->ends_ms - now : 0;
	uint64_t pause = token->backoff_ms < left / 4 ? token->backoff_ms : left / 4;

	token->due_ms = now + (pause > PAUSE_MIN_MS ? pause : PAUSE_MIN_MS);
	token->backoff_ms = token->backoff_ms * 2 < BACKOFF_MAX_MS ? token->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static bool usable(const struct vault_token *token)
{
	return token != NULL && now_ms() < token->ends_ms;
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
	token->born_ms = now_ms();
	token->limited = auth->limited;
	snprintf(token->source, sizeof(token->source), "%s", auth->source);
	set_times(token, asked_ms, auth->ttl_ms);
	pthread_mutex_lock(&t->lock);
	put_token(t->current);
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

static enum seal_status log_in(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
			       bool renewal_ended, struct seal_err *err)
{
	struct vault_login login = login_by(t, worker, deadline_ms);
	struct vault_auth auth = {0};
	uint64_t asked_ms = now_ms();
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
		SEAL_TRY(log_in(t, worker, deadline_ms, false, err));
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
	uint64_t asked_ms = now_ms();
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
	uint64_t now = now_ms(), left = token->ends_ms > now ? token->ends_ms - now : 0;

	log_say(LOG_WARNING, "%s: the token ends in %llu s: %s", vault_client_name(t->client),
		(unsigned long long)(left / 1000), why->text);
}

/* Nothing came of it: the token is used up to its end, and another try is made meanwhile. */
static void go_on(struct vault_tokens *t, struct vault_token *token, const struct seal_err *why)
{
	if (why->status != SEAL_RETRY && token->backoff_ms == BACKOFF_MIN_MS)
		say_ending(t, token, why);
	pthread_mutex_lock(&t->lock);
	postpone(token);
	pthread_mutex_unlock(&t->lock);
}

/* A token of which two thirds are over, and which is good still. Never fails: it can be used until its end. */
static void refresh(struct vault_tokens *t, struct vault_token *token, struct vault_worker *worker,
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
		rc = log_in(t, worker, deadline_ms, token->renewable, &err);
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

/* What the flight of vault_token_get or of the thread does. */
static enum seal_status keep_good(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
				  struct seal_err *err)
{
	struct vault_token *token;
	bool good;

	pthread_mutex_lock(&t->lock);
	token = t->current != NULL ? use_token(t->current) : NULL;
	good = usable(token);
	pthread_mutex_unlock(&t->lock);
	if (token == NULL)
		return log_in(t, worker, deadline_ms, false, err);
	if (good)
		refresh(t, token, worker, deadline_ms);
	pthread_mutex_lock(&t->lock);
	put_token(token);
	pthread_mutex_unlock(&t->lock);
	return good ? SEAL_OK : log_in(t, worker, deadline_ms, true, err);
}

/* Called with the lock held, as the next three. */
static void end_flight(struct vault_tokens *t, enum seal_status rc, bool by_policy, const struct seal_err *err)
{
	t->flying = false;
	t->flights++;
	t->by_policy = by_policy;
	err_clear(&t->failure);
	if (rc != SEAL_OK)
		t->failure = *err;
	pthread_cond_broadcast(&t->changed);
}

static void wait_until(struct vault_tokens *t, uint64_t at_ms)
{
	struct timespec at = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000};

	if (at_ms == NEVER)
		pthread_cond_wait(&t->changed, &t->lock);
	else
		pthread_cond_timedwait(&t->changed, &t->lock, &at);
}

/* Until a flight has ended; SEAL_OK when it went well. */
static enum seal_status wait_for_flight(struct vault_tokens *t, uint64_t deadline_ms, struct seal_err *err)
{
	uint64_t seen = t->flights;

	while (t->flying && t->flights == seen) {
		if (clock_mono_ms() >= deadline_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT,
				       "%s: no token came in time: another thread is logging in still",
				       vault_client_name(t->client));
		wait_until(t, deadline_ms);
	}
	if (t->failure.status != SEAL_OK && err != NULL)
		*err = t->failure;
	return t->failure.status;
}

static void *renew_always(void *arg)
{
	struct vault_tokens *t = arg;
	struct vault_worker *worker = NULL;
	struct seal_err err;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		bool due = usable(t->current) && now_ms() >= t->current->due_ms;
		enum seal_status rc = SEAL_OK;

		if (t->flying || !due) {
			wait_until(t, usable(t->current) && !t->flying ? t->current->due_ms : NEVER);
			continue;
		}
		t->flying = true;
		pthread_mutex_unlock(&t->lock);
		err_clear(&err);
		if (worker == NULL)
			rc = vault_worker_new(t->client, &worker, &err);
		if (rc == SEAL_OK)
			rc = keep_good(t, worker, clock_mono_ms() + THREAD_CALL_MS, &err);
		pthread_mutex_lock(&t->lock);
		if (rc != SEAL_OK && t->current != NULL)
			postpone(t->current);
		end_flight(t, rc, false, &err);
	}
	pthread_mutex_unlock(&t->lock);
	vault_worker_free(worker);
	return NULL;
}

/* With the lock held. A token without end needs none; without a thread every get does what is due. */
static void start_thread(struct vault_tokens *t)
{
	sigset_t every, was;

	if (!with_thread || t->threaded || t->forked || t->current == NULL || t->current->due_ms == NEVER)
		return;
	sigfillset(&every); /* signals are for the program's own threads */
	pthread_sigmask(SIG_SETMASK, &every, &was);
	t->threaded = pthread_create(&t->thread, NULL, renew_always, t) == 0;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
}

enum seal_status vault_token_get(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
				 struct vault_token **out, struct seal_err *err)
{
	struct seal_err failure = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&t->lock);
	while (!usable(t->current) && t->flying && rc == SEAL_OK)
		rc = wait_for_flight(t, deadline_ms, &failure);
	if (rc == SEAL_OK && !t->flying && (!usable(t->current) || now_ms() >= t->current->due_ms)) {
		t->flying = true;
		pthread_mutex_unlock(&t->lock);
		rc = keep_good(t, worker, deadline_ms, &failure);
		pthread_mutex_lock(&t->lock);
		start_thread(t);
		end_flight(t, rc, false, &failure);
	}
	if (rc == SEAL_OK)
		*out = use_token(t->current);
	pthread_mutex_unlock(&t->lock);
	if (rc != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = failure;
	return rc;
}

void vault_token_release(struct vault_tokens *t, struct vault_token *token)
{
	pthread_mutex_lock(&t->lock);
	put_token(token);
	pthread_mutex_unlock(&t->lock);
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
	enum seal_status rc = log_in(t, worker, deadline_ms, false, err);
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
		       "%s: the token of %s has ended, was revoked or is not one of this server; %s", server,
		       token->source, t->ops->remedy);
}

/* What the flight of vault_token_refused does: `token` is the current one. */
static enum seal_status replace(struct vault_tokens *t, const struct vault_token *token, struct vault_worker *worker,
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
	*by_policy = good || (token->blind && now_ms() - token->born_ms < FRESH_MS);
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

enum seal_status vault_token_refused(struct vault_tokens *t, struct vault_worker *worker,
				     const struct vault_token *token, uint64_t deadline_ms, bool *by_policy,
				     struct seal_err *err)
{
	struct seal_err failure = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;
	bool good = false;

	pthread_mutex_lock(&t->lock);
	while (t->current == token && t->flying && rc == SEAL_OK)
		rc = wait_for_flight(t, deadline_ms, &failure);
	if (rc == SEAL_OK && t->current == token) {
		t->flying = true;
		pthread_mutex_unlock(&t->lock);
		rc = replace(t, token, worker, deadline_ms, &good, &failure);
		pthread_mutex_lock(&t->lock);
		start_thread(t);
		end_flight(t, rc, good, &failure);
	}
	*by_policy = rc == SEAL_DENIED && t->by_policy;
	pthread_mutex_unlock(&t->lock);
	if (rc != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = failure;
	return rc;
}

static enum seal_status find_way(const char *name, const struct vault_login_ops **out, struct seal_err *err)
{
	const char *names[sizeof(ways) / sizeof(ways[0]) + 1] = {NULL}, *nearest;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		names[i] = ways[i]->name;
		if (strcmp(ways[i]->name, name) == 0) {
			*out = ways[i];
			return SEAL_OK;
		}
	}
	nearest = word_nearest(names, bytes_str(name));
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "--vault-auth: there is no way of logging in called %.40s%s%s%s", name,
		       nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		       nearest != NULL ? "?" : "");
}

static void remember(struct vault_tokens *t)
{
	pthread_once(&watch_once, watch_fork);
	pthread_mutex_lock(&all_lock);
	t->next = all;
	all = t;
	pthread_mutex_unlock(&all_lock);
}

static void forget(struct vault_tokens *t)
{
	struct vault_tokens **at = &all;

	pthread_mutex_lock(&all_lock);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	pthread_mutex_unlock(&all_lock);
}

enum seal_status vault_tokens_new(struct vault_client *client, const struct vault_options *options,
				  struct vault_tokens **out, struct seal_err *err)
{
	const struct vault_login_ops *ops = NULL;
	struct vault_tokens *t;
	enum seal_status rc;

	*out = NULL;
	rc = find_way(options->auth != NULL ? options->auth : vault_login_token.name, &ops, err);
	if (rc == SEAL_OK)
		rc = ops->check(options, err);
	if (rc != SEAL_OK)
		return rc;
	t = mem_calloc(1, sizeof(*t));
	if (t == NULL || pthread_mutex_init(&t->lock, NULL) != 0 || !init_changed(t)) {
		mem_free(t);
		return err_memory(err);
	}
	t->client = client;
	t->options = options;
	t->ops = ops;
	remember(t);
	*out = t;
	return SEAL_OK;
}

void vault_tokens_free(struct vault_tokens *t)
{
	if (t == NULL)
		return;
	forget(t);
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (t->threaded)
		pthread_join(t->thread, NULL);
	put_token(t->current);
	secret_clear(&t->memory.wrapping);
	secret_clear(&t->memory.secret_id);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}
