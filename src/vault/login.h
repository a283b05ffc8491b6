/*
 * Logging in: one token per client, shared by all its workers, renewed at two thirds of its life, made anew when
 * renewal ends.
 *
 *   none ──login──▶ good ──2/3 of the TTL──▶ renewed … ──renewal refused or no longer worth it──▶ login
 *                     └──403 on a call──▶ login (once for all workers that were refused with the same token)
 *
 * One thread logs in, the others wait for it. A thread of the client's own renews while nothing is called, so that a quiet
 * stream keeps its token. Where there is nothing to log in with (a bare token that ended) the error says so.
 */
#ifndef VAULT_LOGIN_H
#define VAULT_LOGIN_H

#include "vault/client.h"

#define VAULT_SOURCE_MAX 128

/* What a login gives. */
struct vault_auth {
	struct secret token; /* ends with a zero byte; ptr NULL: none is needed, an Agent adds its own */
	uint64_t ttl_ms; /* 0: does not end, or nobody knows */
	bool renewable;
	bool limited; /* to a number of calls */
	char source[VAULT_SOURCE_MAX]; /* of a bare token: where it was found, for messages */
};

/* What one login leaves for the next: a wrapping token opens but once, its secret id may log in often. */
struct vault_login_memory {
	struct secret wrapping, secret_id;
};

/* What a login works with. */
struct vault_login {
	const struct vault_options *options;
	struct vault_worker *worker;
	uint64_t deadline_ms;
	struct vault_login_memory *memory;
};

/* One way of logging in. One file each in src/vault/login/; the list is in login.c. */
struct vault_login_ops {
	const char *name; /* --vault-auth; also the default mount */
	const char *remedy; /* what to look at when the server refuses: "check --vault-user and …" */
	/* Are the options that it needs there? SEAL_USAGE/SEAL_E_CONFIG names the missing one. */
	enum seal_status (*check)(const struct vault_options *options, struct seal_err *err);
	/* Reads its secrets afresh each time (they rotate), and logs in. */
	enum seal_status (*login)(const struct vault_login *login, struct vault_auth *out, struct seal_err *err);
	/* Of a bare token: reads it (and source) again from where tokens are found, without asking the server. */
	enum seal_status (*read)(const struct vault_options *options, struct vault_auth *out, struct seal_err *err);
	bool again; /* can be done more than once, and without a person */
};

struct vault_tokens;

/* `client` outlives it; `options` too. Starts no thread before the first token. */
SEAL_MUST_USE enum seal_status vault_tokens_new(struct vault_client *client, const struct vault_options *options,
						struct vault_tokens **out, struct seal_err *err);
void vault_tokens_free(struct vault_tokens *tokens);

/* A token in use: a view that lives until vault_token_release. Empty text: none is sent (an Agent adds its own). */
struct vault_token;
const char *vault_token_text(const struct vault_token *token);

/* The current token, logging in when there is none. `worker` makes the calls that this may take. */
SEAL_MUST_USE enum seal_status vault_token_get(struct vault_tokens *tokens, struct vault_worker *worker,
					       uint64_t deadline_ms, struct vault_token **out, struct seal_err *err);
void vault_token_release(struct vault_tokens *tokens, struct vault_token *token);
/*
 * A call under `token` got 403. SEAL_OK: there is another one now, try again with it. SEAL_DENIED: there is no other, or
 * the token is good (lookup-self) and the policy refuses the path: *by_policy. `token` stays the caller's.
 */
SEAL_MUST_USE enum seal_status vault_token_refused(struct vault_tokens *tokens, struct vault_worker *worker,
						   const struct vault_token *token, uint64_t deadline_ms,
						   bool *by_policy, struct seal_err *err);

#endif
