/* What login.c and login_life.c share. */
#ifndef VAULT_LOGIN_WORK_H
#define VAULT_LOGIN_WORK_H

#include <pthread.h>

#include "vault/login/method.h"

#define NEVER UINT64_MAX

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

/* The clock that a token's times are on; NULL sets the real one. */
uint64_t login_now_ms(void);
void tokens_set_clock(uint64_t (*now_ms)(void));

/* With the lock held: one user less (the last one frees it; NULL is fine), one more; try again later. */
void token_put(struct vault_token *token);
struct vault_token *token_use(struct vault_token *token);
void token_postpone(struct vault_token *token);
/* False when it is NULL, or has ended. */
bool token_usable(const struct vault_token *token);

/* The rest is for the flying thread, without the lock. */

/* A new login; `renewal_ended`: since the last token could be had no longer, which a failure then says. */
SEAL_MUST_USE enum seal_status tokens_log_in(struct vault_tokens *t, struct vault_worker *worker,
					     uint64_t deadline_ms, bool renewal_ended, struct seal_err *err);
/* A token of which two thirds are over, and which is good still. Never fails: it can be used until its end. */
void tokens_refresh(struct vault_tokens *t, struct vault_token *token, struct vault_worker *worker,
		    uint64_t deadline_ms);
/* The current token was refused: another one, or why there is none. */
SEAL_MUST_USE enum seal_status tokens_replace(struct vault_tokens *t, const struct vault_token *token,
					      struct vault_worker *worker, uint64_t deadline_ms, bool *by_policy,
					      struct seal_err *err);

#endif
