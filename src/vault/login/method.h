/*
 * What the ways of logging in share: reading secrets, building paths, reading the `auth` object, wiping what passed through
 * JSON. Private to src/vault/login.c and src/vault/login/.
 */
#ifndef VAULT_LOGIN_METHOD_H
#define VAULT_LOGIN_METHOD_H

#include "base/secret_file.h"
#include "vault/login.h"

extern const struct vault_login_ops vault_login_token, vault_login_approle, vault_login_kubernetes, vault_login_jwt,
	vault_login_oidc, vault_login_cert, vault_login_userpass, vault_login_ldap, vault_login_aws;

/* Tests only: another clock (NULL: the real one), and no thread that renews. Before any vault_tokens_new. */
void vault_login_test_clock(uint64_t (*now_ms)(void), bool thread);
/* Tests only: where OIDC listens (0: its own port), and whether a person is thought to be there. */
void vault_login_test_oidc(unsigned port, bool person);

#define LOGIN_SECRET_MAX 65536 /* bytes of a token, JWT or password */

/* `name` of the options is needed by `method`: SEAL_USAGE/SEAL_E_CONFIG when it is not there. */
SEAL_MUST_USE enum seal_status login_need(const char *value, const char *option, const char *method,
					  struct seal_err *err);

/* secret_text from a file; warns when others can read it, unless `quiet`. */
SEAL_MUST_USE enum seal_status login_secret_file(const char *path, enum secret_trim trim, bool quiet,
						 struct secret *out, struct seal_err *err);
/* From --vault-secret-file, else from the variable; SEAL_OK and out->ptr NULL when neither is there. */
SEAL_MUST_USE enum seal_status login_secret(const struct vault_options *options, const char *variable,
					    enum secret_trim trim, struct secret *out, struct seal_err *err);
/* Appends "auth/MOUNT/SUFFIX", and "/USER" where there is one; mount: the options' or `method`. */
SEAL_MUST_USE enum seal_status login_path(const struct vault_options *options, const char *method, const char *suffix,
					  const char *user, struct seal_buf *out, struct seal_err *err);

/* A new body, and a string in it; a NULL `value` adds nothing. SEAL_USAGE/SEAL_E_CONFIG when it is not UTF-8. */
SEAL_MUST_USE enum seal_status login_body(json_t **out, struct seal_err *err);
SEAL_MUST_USE enum seal_status login_add(json_t *body, const char *name, const char *value, struct seal_err *err);

/*
 * Posts `body`, which stays the caller's, to SUFFIX of the method's mount, and reads the `auth` object of the answer.
 * A second factor that the server asks for is SEAL_DENIED.
 */
SEAL_MUST_USE enum seal_status login_post(const struct vault_login *login, const char *method, const char *suffix,
					  const char *user, json_t *body, struct vault_auth *out,
					  struct seal_err *err);
/* {"role": …, "jwt": …} to auth/MOUNT/login. */
SEAL_MUST_USE enum seal_status login_post_jwt(const struct vault_login *login, const char *method,
					      const struct secret *jwt, struct vault_auth *out, struct seal_err *err);
/* The `auth` object of an answer. */
SEAL_MUST_USE enum seal_status login_auth(const json_t *answer, struct vault_auth *out, struct seal_err *err);

void login_auth_clear(struct vault_auth *auth);

#endif
