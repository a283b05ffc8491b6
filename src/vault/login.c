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
 * What a flight asks of the server is in login_life.c.
 *
 * The thread of its own does what is due while nobody calls. After fork() the child has none, and whatever the parent's
 * threads were about is not under way there (pthread_atfork); each vault_token_get does then what is due.
 */
#include "vault/login_work.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "crypto/random.h"

/* The thread gives up a call after this, so that vault_tokens_free need not wait longer. */
#define THREAD_CALL_MS 5000

static const struct vault_login_ops *const ways[] = {
	&vault_login_token, &vault_login_approle,  &vault_login_kubernetes, &vault_login_jwt, &vault_login_oidc,
	&vault_login_cert,  &vault_login_userpass, &vault_login_ldap,	    &vault_login_aws};

static bool with_thread = true;

void vault_login_test_clock(uint64_t (*now_ms)(void), bool thread)
{
	tokens_set_clock(now_ms);
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

/* Nobody waits here, whatever the copied condition remembers. */
static void in_child(void)
{
	for (struct vault_tokens *t = all; t != NULL; t = t->next) {
		t->flying = false;
		t->threaded = false;
		t->forked = true;
		SEAL_INVARIANT(cond_init(&t->changed));
	}
	in_parent();
}

static void watch_fork(void)
{
	random_watch_fork(); /* first, as fork() then takes its lock last: who holds one of these may draw */
	/* without memory for it a child may hang in a login: as rare as it is, and not worth refusing to start */
	(void)pthread_atfork(before_fork, in_parent, in_child);
}

const char *vault_token_text(const struct vault_token *token)
{
	return token->text.ptr != NULL ? (const char *)token->text.ptr : "";
}

/* What the flight of vault_token_get or of the thread does. */
static enum seal_status keep_good(struct vault_tokens *t, struct vault_worker *worker, uint64_t deadline_ms,
				  struct seal_err *err)
{
	struct vault_token *token;
	bool good;

	pthread_mutex_lock(&t->lock);
	token = t->current != NULL ? token_use(t->current) : NULL;
	good = token_usable(token);
	pthread_mutex_unlock(&t->lock);
	if (token == NULL)
		return tokens_log_in(t, worker, deadline_ms, false, err);
	if (good)
		tokens_refresh(t, token, worker, deadline_ms);
	pthread_mutex_lock(&t->lock);
	token_put(token);
	pthread_mutex_unlock(&t->lock);
	return good ? SEAL_OK : tokens_log_in(t, worker, deadline_ms, true, err);
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

/* Until a flight has ended; SEAL_OK when it went well. */
static enum seal_status wait_for_flight(struct vault_tokens *t, uint64_t deadline_ms, struct seal_err *err)
{
	uint64_t seen = t->flights;

	while (t->flying && t->flights == seen) {
		if (clock_mono_ms() >= deadline_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT,
				       "%s: no token came in time: another thread is logging in still",
				       vault_client_name(t->client));
		cond_wait_until(&t->changed, &t->lock, deadline_ms);
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
		bool due = token_usable(t->current) && login_now_ms() >= t->current->due_ms;
		enum seal_status rc = SEAL_OK;

		if (t->flying || !due) {
			cond_wait_until(&t->changed, &t->lock,
					token_usable(t->current) && !t->flying ? t->current->due_ms : NEVER);
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
			token_postpone(t->current);
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
	while (!token_usable(t->current) && t->flying && rc == SEAL_OK)
		rc = wait_for_flight(t, deadline_ms, &failure);
	if (rc == SEAL_OK && !t->flying && (!token_usable(t->current) || login_now_ms() >= t->current->due_ms)) {
		t->flying = true;
		pthread_mutex_unlock(&t->lock);
		rc = keep_good(t, worker, deadline_ms, &failure);
		pthread_mutex_lock(&t->lock);
		start_thread(t);
		end_flight(t, rc, false, &failure);
	}
	if (rc == SEAL_OK)
		*out = token_use(t->current);
	pthread_mutex_unlock(&t->lock);
	if (rc != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = failure;
	return rc;
}

void vault_token_release(struct vault_tokens *t, struct vault_token *token)
{
	pthread_mutex_lock(&t->lock);
	token_put(token);
	pthread_mutex_unlock(&t->lock);
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
		rc = tokens_replace(t, token, worker, deadline_ms, &good, &failure);
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
	if (t == NULL || pthread_mutex_init(&t->lock, NULL) != 0 || !cond_init(&t->changed)) {
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
	token_put(t->current);
	secret_clear(&t->memory.wrapping);
	secret_clear(&t->memory.secret_id);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}
